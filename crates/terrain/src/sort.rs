//! The one sort of plain numbers: Shell's, with Ciura's gaps. A tenth of the code that the standard library's costs the
//! page, and quick enough for the thousands at most that are sorted here. Knows nothing of what the numbers stand for.

/// Puts `numbers` in rising order.
// Once in the program: its callers are few and none is short of time.
#[inline(never)]
#[expect(clippy::indexing_slicing, reason = "every index is below the length by the loops' own bounds")]
pub fn sort(numbers: &mut [u64]) {
    for gap in [4103, 1750, 701, 301, 132, 57, 23, 10, 4, 1] {
        for end in gap..numbers.len() {
            let moved = numbers[end];
            let mut hole = end;
            while hole >= gap && numbers[hole - gap] > moved {
                numbers[hole] = numbers[hole - gap];
                hole -= gap;
            }
            numbers[hole] = moved;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_come_out_in_order(mut numbers in prop::collection::vec(any::<u64>(), 0..6_000)) {
            let mut expected = numbers.clone();
            expected.sort_unstable();
            sort(&mut numbers);
            prop_assert_eq!(numbers, expected);
        }
    }
}
