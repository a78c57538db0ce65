//! Where routes touch a card: the places offered on its four sides, and the spreading of several along one side so that
//! none is shared and none crosses its neighbour. Knows nothing of what lies between two cards.

use super::curve::{dot, plus};
use crate::lattice::whole;
use crate::{Point, Rect};

/// How far a route's end keeps from the card's edge, in pixels: the arrowhead's room.
pub(super) const GAP: f32 = 4.0;
/// The room beside a route's outermost strand on a card's side, in pixels.
const ROOM: f32 = 14.0;
/// How far ports stay from a card's corner: this share of the side, but no more than this many pixels. On a card the
/// mask hangs over the left end of the upper and the lower side.
const CORNER_SHARE: f32 = 0.15;
const CORNER_MAX: f32 = 38.0;
/// Where a side is crowded ports go nearer to the corners, in pixels.
const CORNER_MIN: f32 = 6.0;

/// Sides in order: top, right, bottom, left.
pub(super) const SIDES: usize = 4;
/// The places offered on one side.
const PLACES: usize = 4;
/// The places offered on a card.
pub(super) const OFFERS: usize = SIDES * PLACES;

/// A place at which a route touches a card.
#[derive(Clone, Copy, Default)]
pub(super) struct Port {
    /// Where the route ends.
    pub(super) at: Point,
    /// The direction away from the card.
    pub(super) out: Point,
    /// On which side.
    pub(super) side: usize,
    /// How far along the side, from its left or upper end, in pixels.
    pub(super) place: f32,
}

/// How long a side is.
fn side_length(card: &Rect, side: usize) -> f32 {
    if side.is_multiple_of(2) { card.width } else { card.height }
}

/// The port `place` pixels along a side.
pub(super) fn port(card: &Rect, side: usize, place: f32) -> Port {
    let (x, y, out_x, out_y) = match side {
        0 => (card.x + place, card.y, 0.0, -1.0),
        1 => (card.right(), card.y + place, 1.0, 0.0),
        2 => (card.x + place, card.bottom(), 0.0, 1.0),
        _ => (card.x, card.y + place, -1.0, 0.0),
    };
    let out = Point { x: out_x, y: out_y };
    Port { at: plus(Point { x, y }, out, GAP), out, side, place }
}

/// The places offered on a card to a route that goes `toward` a place: on each side near both corners, in the middle
/// and straight across.
pub(super) fn offers(card: &Rect, toward: Point) -> [Port; OFFERS] {
    core::array::from_fn(|index| {
        let side = index / PLACES;
        let length = side_length(card, side);
        let corner = (length * CORNER_SHARE).min(CORNER_MAX);
        let across = if side.is_multiple_of(2) { toward.x - card.x } else { toward.y - card.y };
        let place = match index % PLACES {
            0 => across.max(corner).min(length - corner),
            1 => length / 2.0,
            2 => corner,
            _ => length - corner,
        };
        port(card, side, place)
    })
}

/// In which order routes leave a side: rising with the place at which a route that goes `toward` should leave it,
/// 0 to 4000. A route that turns back goes to the end of the side round which it turns.
pub(super) fn order(card: &Rect, side: usize, toward: Point) -> u64 {
    let middle = port(card, side, side_length(card, side) / 2.0);
    let way = plus(toward, middle.at, -1.0);
    let across = if side.is_multiple_of(2) { way.x } else { way.y };
    let ahead = dot(way, middle.out);
    // The angle without trigonometry: a walk round a diamond instead of a circle.
    let turn = across.abs() / (across.abs() + ahead.abs()).max(1.0e-3);
    let turn = if ahead < 0.0 { 2.0 - turn } else { turn };
    whole(2000.0 + 1000.0 * if across < 0.0 { -turn } else { turn }) as u64
}

/// Moves `places` (each with its route's width, in the order in which they may lie) apart along a side, as little as
/// needed. Returns by how much the widths had to shrink: one where there was room.
pub(super) fn spread(card: &Rect, side: usize, places: &mut [(f32, f32)]) -> f32 {
    let length = side_length(card, side);
    // The places wanted stay as they are; which route gets which follows the order.
    for index in 1..places.len() {
        let mut at = index;
        while let Some([before, here]) = places.get_mut(at - 1..=at)
            && before.0 > here.0
        {
            core::mem::swap(&mut before.0, &mut here.0);
            at -= 1;
            if at == 0 {
                break;
            }
        }
    }
    let need: f32 = places.iter().map(|(_, width)| width + ROOM).sum();
    let mut corner = (length * CORNER_SHARE).min(CORNER_MAX);
    if need > length - 2.0 * corner {
        corner = ((length - need) / 2.0).max(CORNER_MIN).min(corner);
    }
    let shrink = ((length - 2.0 * corner) / need).min(1.0);
    let half = |width: f32| (width + ROOM) * shrink / 2.0;
    let mut least = corner;
    for (place, width) in places.iter_mut() {
        *place = place.max(least + half(*width));
        least = *place + half(*width);
    }
    let mut most = length - corner;
    for (place, width) in places.iter_mut().rev() {
        *place = place.min(most - half(*width));
        most = *place - half(*width);
    }
    shrink
}
