//! In which order the functions of a program lie: like next to like, since what compresses a file looks back no
//! farther than 32 KB.
//!
//! A function is known by the runs of four bytes in it. After each function comes the one of which it holds the
//! largest share. The largest is first.

/// How many kinds of runs are told apart, in words of 64.
const WORDS: usize = 128;
/// Bytes of a run.
const RUN: usize = 4;

/// Places of `functions` in the order in which they compress well.
pub(crate) fn of(functions: &[&[u8]]) -> Vec<usize> {
    let sketches: Vec<Sketch> = functions.iter().map(|code| Sketch::of(code)).collect();
    let mut left: Vec<usize> = (0..functions.len()).collect();
    // Equal ones stay in the order in which they came, so that the same program gives the same file.
    let mut next = left.iter().copied().min_by_key(|at| std::cmp::Reverse(functions.get(*at).map(|code| code.len())));
    let mut order = Vec::with_capacity(functions.len());
    while let Some(at) = next {
        left.retain(|one| *one != at);
        order.push(at);
        let here = sketches.get(at);
        let likeness = |one: &usize| here.zip(sketches.get(*one)).map_or(0, |(here, one)| here.share_of(one));
        next = left.iter().copied().min_by_key(|one| std::cmp::Reverse(likeness(one)));
    }
    order
}

/// Which runs of bytes there are, as bits.
struct Sketch {
    bits: [u64; WORDS],
    count: u64,
}

impl Sketch {
    fn of(code: &[u8]) -> Self {
        let mut bits = [0_u64; WORDS];
        for run in code.windows(RUN) {
            let number = run.iter().fold(0_u32, |number, byte| (number << 8) | u32::from(*byte));
            // Fibonacci hashing: the upper bits of the product depend on all of the number.
            let place = number.wrapping_mul(0x9e37_79b1) >> 19;
            if let Some(word) = bits.get_mut(place as usize / 64) {
                *word |= 1 << (place % 64);
            }
        }
        Self { bits, count: bits.iter().map(|word| u64::from(word.count_ones())).sum() }
    }

    /// How much of `other` is in this one, in millionths; of two alike, the one of which there is more comes first.
    fn share_of(&self, other: &Self) -> u64 {
        let both = self.bits.iter().zip(&other.bits).map(|(a, b)| u64::from((a & b).count_ones())).sum::<u64>();
        both * 1_000_000 / (other.count + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn every_function_has_one_place_and_like_lies_next_to_like() {
        let (letters, digits) = (b"abcdefghijklmnopqrstuvwxyz", b"0123456789012345");
        let functions: [&[u8]; 5] = [&digits[..12], &letters[..20], &digits[..], letters, b""];
        assert_eq!(of(&functions), [3, 1, 0, 2, 4]);
        assert_eq!(of(&[]), Vec::<usize>::new());
    }
}
