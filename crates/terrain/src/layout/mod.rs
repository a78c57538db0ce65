//! Where everyone sits in the terrarium: the postures of a civilization in, boxes without overlap out.
//!
//! Technique: force-directed with rectangle collision, as position-based dynamics with Gauss–Seidel projection
//! ([`settle`]). Every body is drawn to a home, a seat which its key, its posture and its work choose ([`homes`]); boxes
//! grow from a third of their size to the whole while overlaps are projected away along the shallower axis. A constraint
//! solver for overlap removal (VPSC and its kin) moves the boxes less in total, but it lines them up into rows and its
//! active sets jump as a whole when one box changes; forces with collision spread a change over the neighbours and let
//! it die out, which is what "one new event moves little" asks for. What is still in the way after the bounded rounds
//! is moved to the nearest free place; if there is none, or the time is over, [`grid`] takes over.
//!
//! No history: the same bodies, links and field give the same places, whatever their order in the slices.
//!
//! Absent here: what a body is, how it is drawn, how it moves from its last place to this one, clocks.

mod detail;
mod grid;
mod homes;
mod order;
mod settle;

use crate::{Point, Rect, Size};

/// What a body does, as far as its place depends on it. Those later in the list give up their room first, except that
/// the broken are the last to do so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posture {
    /// At work: gathers around the centre.
    Awake,
    /// Has just settled something: drifts to the right edge.
    Completing,
    /// Something failed: stays among the awake.
    Broken,
    /// Idle, but a flow waits on it: towards the bottom.
    Waiting,
    /// Idle: towards the bottom; over the lower two thirds when all are.
    Rest,
}

/// Somebody who needs a place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Body {
    /// A hash of its id, the source of its place: the same everywhere. Two bodies never share one.
    pub key: u64,
    /// What it does.
    pub posture: Posture,
    /// Its outer box (mask overhang, path above, beads below) at each [`Detail`], most first. A body whose mask does not fit the field, or which has a size that is negative
    /// or no number, gets no place.
    pub sizes: [Size; 4],
    /// The index of its parent, beside which it sits whatever its own posture.
    pub parent: Option<usize>,
    /// The upper left corner which must not move: the focus, the pointer's target.
    pub held: Option<Point>,
}

/// Who works with whom: both sit nearer to each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Link {
    /// The index of one.
    pub a: usize,
    /// The index of the other.
    pub b: usize,
    /// How much, from 0 (nothing) to 1; more counts as 1. Links between the same two add up.
    pub weight: f32,
}

/// How much of a body is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// All of it.
    Full,
    /// The same without what hangs below.
    Plain,
    /// The name and what it does.
    Compact,
    /// The mask alone.
    Mask,
}

/// What found the places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Technique {
    /// Homes, pulls and collision.
    Forces,
    /// Rows in a fixed order, because the forces did not settle.
    Grid,
}

/// The places of a civilization.
#[derive(Debug, Clone, PartialEq)]
pub struct Arrangement {
    /// The place of each body, in the order of the bodies; `None` for whom there is no room. Corners lie on whole
    /// pixels, sizes are as given.
    pub places: Vec<Option<Rect>>,
    /// The detail of those awake, completing or broken (and of children of such); where it is full, the tallest may be
    /// plain.
    pub detail_awake: Detail,
    /// The detail of those waiting or at rest.
    pub detail_rest: Detail,
    /// What found the places.
    pub technique: Technique,
}

/// The largest field in pixels, and the furthest from the origin: beyond it an `f32` no longer tells pixels apart.
const FIELD_MAX: f32 = 16_384.0;

/// Gives everyone a place in `field`, whose margin is already taken.
///
/// No two places overlap, and all lie in the field. A held body stays exactly where it is held, moved only as far as
/// the field asks; of two held ones that overlap the more important wins (then the smaller hashed key) and the other is
/// placed as if it were not held. `is_over` is asked once a round; from its first `true` on the grid takes over.
pub fn arrange(bodies: &[Body], links: &[Link], field: Rect, is_over: &mut dyn FnMut() -> bool) -> Arrangement {
    let mut arrangement = Arrangement {
        places: bodies.iter().map(|_| None).collect(),
        detail_awake: Detail::Full,
        detail_rest: Detail::Full,
        technique: Technique::Forces,
    };
    // Whole pixels inside the field: from here on corners and sizes are whole numbers, and sums of them exact.
    let origin = Point { x: field.x.ceil(), y: field.y.ceil() };
    let extent = Size {
        width: (field.right().floor() - origin.x).min(FIELD_MAX),
        height: (field.bottom().floor() - origin.y).min(FIELD_MAX),
    };
    let is_sound =
        origin.x.abs() <= FIELD_MAX && origin.y.abs() <= FIELD_MAX && field.width > 0.0 && field.height > 0.0;
    if !(is_sound && extent.width >= 1.0 && extent.height >= 1.0) {
        return arrangement;
    }

    let order = order::by_importance(bodies);
    let mut level = detail::fitting(bodies, &order, extent);
    let mut ground = settle::Ground::new(bodies, &order, origin, extent, level);
    let pulls = order::pulls(&ground.ranks, links);
    homes::send_home(&mut ground, bodies, &pulls);
    let is_settled = settle::settle(&mut ground, &pulls, is_over);
    if !is_settled {
        arrangement.technique = Technique::Grid;
        loop {
            ground = settle::Ground::new(bodies, &order, origin, extent, level);
            if grid::fill(&mut ground) || level.index + 1 == detail::LEVELS.len() {
                break;
            }
            level.index += 1;
        }
    }
    if let Some(&(awake, rest)) = detail::LEVELS.get(level.index) {
        arrangement.detail_awake = awake;
        arrangement.detail_rest = rest;
    }
    for piece in &ground.pieces {
        if let (true, Some(place)) = (piece.is_placed, arrangement.places.get_mut(piece.body)) {
            *place = Some(Rect {
                x: origin.x + piece.left(),
                y: origin.y + piece.above(),
                width: piece.drawn.width,
                height: piece.drawn.height,
            });
        }
    }
    arrangement
}
