//! Which part of the one column is in the page: what is in view, a screen above and below it, and who is held.
//!
//! Pure. Knows places, not whose they are.

use super::seats::Seat;
use monkeytown_terrain::Rect;

/// From where to where down the column, in CSS pixels.
pub type Span = (f32, f32);

/// All of it: a field that does not scroll.
pub const WHOLE: Span = (f32::NEG_INFINITY, f32::INFINITY);

/// What is in the page where the column is scrolled by `scrolled` in a view of `height`: at least a screen above and
/// below, in steps of half a screen, so that not every scrolled pixel is another part.
#[must_use]
pub fn around(scrolled: f32, height: f32) -> Span {
    let half = (height / 2.0).max(1.0);
    let top = (scrolled / half).floor() * half;
    (top - 2.0 * half, top + 5.0 * half)
}

/// Whether somebody's row lies in a span, or touches it: beside who is held are those whom Tab leads to.
#[must_use]
pub fn touches(seat: &Seat, (from, to): Span) -> bool {
    seat.rect.y <= to && seat.rect.bottom() >= from
}

/// How far to scroll from `scrolled`, so that `row` is in a view of `height` whose upper `covered` pixels lie under
/// something: no farther than it takes.
#[must_use]
pub fn nearest(scrolled: f32, row: Rect, height: f32, covered: f32) -> f32 {
    scrolled.max(row.bottom() - height).min(row.y - covered).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wherever_it_is_scrolled_a_screen_above_and_below_is_in_the_page_and_not_much_more() {
        for height in [240.0_f32, 604.0, 1_200.0] {
            for step in 0..400_u16 {
                let scrolled = f32::from(step) * 37.0;
                let (from, to) = around(scrolled, height);
                assert!(from <= scrolled - height && to >= scrolled + 2.0 * height, "{scrolled} of {height}");
                assert!(to - from <= 3.5 * height + 1.0, "{scrolled} of {height}");
            }
        }
    }

    #[test]
    fn a_row_is_scrolled_into_view_and_one_that_is_in_view_stays() {
        let row = |y: f32| Rect { x: 0.0, y, width: 390.0, height: 56.0 };
        assert_eq!(nearest(500.0, row(700.0), 600.0, 24.0), 500.0);
        assert_eq!(nearest(500.0, row(1_090.0), 600.0, 24.0), 546.0);
        assert_eq!(nearest(500.0, row(510.0), 600.0, 24.0), 486.0);
        assert_eq!(nearest(500.0, row(0.0), 20.0, 24.0), 0.0);
    }

    #[test]
    fn a_view_without_a_size_or_a_place_has_bounds_all_the_same() {
        for (scrolled, height) in [(0.0, 0.0), (-50.0, 600.0), (1e9, 1.0), (0.0, f32::NAN)] {
            let (from, to) = around(scrolled, height);
            assert!(from.is_finite() && to.is_finite() && from <= to, "{scrolled} {height}: {from} {to}");
        }
    }
}
