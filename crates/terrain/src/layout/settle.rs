//! Forces and collision: from homes to places without overlap.
//!
//! Knows boxes on whole pixels in a field that starts at 0, 0; not what they stand for beyond their posture's home.
#![expect(clippy::indexing_slicing, reason = "indices come from the lengths of these very vectors, never from outside")]

use super::Body;
use super::detail::{self, Cover, GAP, GAP_MASKS, Level};
use super::order::{ends, sort};
use crate::{Point, Size};

/// Rounds of forces: after them a change of the homes no longer shows.
const ROUNDS: u16 = 60;
/// Further rounds of collision alone.
const ROUNDS_LAST: u16 = 40;
/// No more bodies than this get a place: the engine is built for 2,000.
const PIECES_MAX: usize = 4_096;
/// How many smallest gaps boxes would rather keep between them, across and down: paths above and beads below already
/// leave ground between two cards. It does not depend on how many they are, or each newcomer would move all.
const COMFORT: Size = Size { width: 4.5, height: 2.5 };
/// The share of the ground between two who work together that is gone in one round, were they the only ones: with more
/// each feels less of every one, so that no knot of work draws tighter than a pair does.
const PULL: f32 = 0.06;
/// Pixels between two places tried when a box looks for the nearest free one.
const STEP: f32 = 8.0;

/// A child further than these pixels from its parent is not beside it.
const ASTRAY: f32 = 64.0;

/// A box on its way to its place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Piece {
    /// The index of its body.
    pub(super) body: usize,
    /// The rank of its parent among the pieces.
    pub(super) parent: Option<usize>,
    /// Its middle.
    pub(super) x: f32,
    pub(super) y: f32,
    /// Where it would be if it were alone.
    pub(super) home: Point,
    /// The share of the way home that is gone in one round, across.
    pub(super) tie: f32,
    /// Whole pixels.
    pub(super) size: Size,
    /// As the caller gave it, at most `size`.
    pub(super) drawn: Size,
    /// It must not lie above this.
    pub(super) top: f32,
    /// It belongs to the bottom.
    pub(super) is_quiet: bool,
    /// One, and the weights of all its links to those of its own kind.
    pub(super) load: f32,
    /// It stays where it is held.
    pub(super) is_pinned: bool,
    /// It has a place.
    pub(super) is_placed: bool,
}

impl Piece {
    /// Its left side, on a whole pixel once it is placed.
    pub(super) fn left(&self) -> f32 {
        self.x - self.size.width / 2.0
    }

    /// Its top.
    pub(super) fn above(&self) -> f32 {
        self.y - self.size.height / 2.0
    }

    /// Puts its upper left corner on the whole pixel nearest to `left`, `above` that keeps it within `extent`.
    #[inline(never)]
    pub(super) fn put(&mut self, left: f32, above: f32, extent: Size) {
        let left = left.round().min(extent.width - self.size.width).max(0.0);
        let above = above.round().max(self.top).min(extent.height - self.size.height).max(0.0);
        self.x = left + self.size.width / 2.0;
        self.y = above + self.size.height / 2.0;
    }

    /// Lets it lie anywhere in the field.
    pub(super) fn unbind(&mut self) {
        self.top = 0.0;
    }

    /// Moves it into the field.
    pub(super) fn keep_in(&mut self, extent: Size) {
        let (across, down) = (self.size.width / 2.0, self.size.height / 2.0);
        self.x = self.x.min(extent.width - across).max(across);
        self.y = self.y.max(self.top + down).min(extent.height - down);
    }

    /// How deep both lie in each other, gaps included, on each axis; both positive when they are too near.
    pub(super) fn depth(&self, other: &Self, grown: f32, gap: Size) -> (f32, f32) {
        (
            (self.size.width + other.size.width) / 2.0 * grown + gap.width - (self.x - other.x).abs(),
            (self.size.height + other.size.height) / 2.0 * grown + gap.height - (self.y - other.y).abs(),
        )
    }
}

/// A field and all who shall have a place in it, most important first.
pub(super) struct Ground {
    pub(super) pieces: Vec<Piece>,
    pub(super) extent: Size,
    /// The rank of each body among the pieces.
    pub(super) ranks: Vec<Option<u32>>,
    /// Pixels between two boxes that are always kept but when a box finds no other place.
    pub(super) gap: f32,
    /// Pixels that boxes would rather keep between them.
    pub(super) comfort: Size,
    /// Those that have their place, from left to right, and the width of the widest.
    placed: Vec<Piece>,
    widest: f32,
}

/// The square of a distance: enough to tell which is nearer.
pub(super) fn squared(across: f32, down: f32) -> f32 {
    across * across + down * down
}

impl Ground {
    /// The bodies that get room at `level`, each at its home.
    pub(super) fn new(bodies: &[Body], order: &[(u64, u32)], origin: Point, extent: Size, level: Level) -> Self {
        let mut pieces: Vec<Piece> = Vec::with_capacity(order.len().min(PIECES_MAX));
        let mut ranks = vec![None; bodies.len()];
        let mut cover = Cover::default();
        let is_last = level.index + 1 == detail::LEVELS.len();
        for &(_, index) in order {
            let index = index as usize;
            let body = &bodies[index];
            let root = bodies[detail::root(bodies, index)].posture;
            let Some((size, drawn)) = detail::size(body, root, level, extent) else { continue };
            let mut more = cover;
            more.add(size);
            let held = body.held.filter(|held| held.x.is_finite() && held.y.is_finite());
            if pieces.len() == PIECES_MAX || (is_last && held.is_none() && !more.is_airy(extent)) {
                continue;
            }
            cover = more;
            let mut piece = Piece {
                body: index,
                parent: None,
                x: 0.0,
                y: 0.0,
                home: Point::default(),
                tie: 0.1,
                size,
                drawn,
                top: 0.0,
                is_quiet: detail::is_quiet(root),
                load: 1.0,
                is_pinned: false,
                is_placed: false,
            };
            if let Some(held) = held {
                piece.put(held.x - origin.x, held.y - origin.y, extent);
                let none = Size::default();
                // The grid gives up detail without asking whether less of it is smaller.
                let is_fit = size.width <= extent.width && size.height <= extent.height;
                piece.is_pinned = is_fit
                    && !pieces.iter().any(|other| {
                        let (across, down) = other.depth(&piece, 1.0, none);
                        other.is_pinned && across > 0.0 && down > 0.0
                    });
            }
            #[expect(clippy::cast_possible_truncation, reason = "at most PIECES_MAX")]
            let rank = pieces.len() as u32;
            ranks[index] = Some(rank);
            pieces.push(piece);
        }
        let gap = if is_last { GAP_MASKS } else { GAP };
        let comfort = Size { width: gap * COMFORT.width, height: gap * COMFORT.height };
        Self { pieces, extent, ranks, gap, comfort, placed: Vec::new(), widest: 0.0 }
    }

    /// Draws everyone a little towards home, and towards those they belong to.
    fn pull(&mut self, pulls: &[(u64, u32)], strength: f32) {
        for rank in 0..self.pieces.len() {
            let piece = &mut self.pieces[rank];
            if !piece.is_pinned {
                piece.x += (piece.home.x - piece.x) * strength * piece.tie;
                piece.y += (piece.home.y - piece.y) * strength * 0.1;
            }
            if let Some(parent) = piece.parent {
                self.draw_near(parent, rank, 0.0, 0.2);
            }
        }
        for &(pair, weight) in pulls {
            let (a, b) = ends(pair);
            #[expect(clippy::cast_precision_loss, reason = "at most 255")]
            let share = weight as f32 / 255.0 * strength * PULL;
            let (first, second) = (&self.pieces[a], &self.pieces[b]);
            self.draw_near(a, b, share / first.load, share / second.load);
        }
    }

    /// Moves `a` and `b` towards each other by these shares of the ground between them. One that belongs to the bottom
    /// moves across only towards one awake, who does not move for it.
    fn draw_near(&mut self, a: usize, b: usize, share_a: f32, share_b: f32) {
        let (first, second) = (self.pieces[a], self.pieces[b]);
        let (across, down) = first.depth(&second, 1.0, self.comfort);
        let is_mixed = first.is_quiet != second.is_quiet;
        let dx = (-across).max(0.0) * (second.x - first.x).signum();
        let dy = if is_mixed { 0.0 } else { (-down).max(0.0) * (second.y - first.y).signum() };
        for (rank, share) in [(a, share_a), (b, -share_b)] {
            let piece = &mut self.pieces[rank];
            if !piece.is_pinned && (piece.is_quiet || !is_mixed) {
                piece.x += dx * share;
                piece.y += dy * share;
                piece.keep_in(self.extent);
            }
        }
    }

    /// One round of collision over all pairs that are near, found by a sweep from left to right. Pairs nearer than `gap`
    /// are moved apart by `softness` of what is missing, those nearer than the ground's own by all of it. Says whether such were
    /// found.
    fn collide(&mut self, sweep: &mut [(u64, u32)], grown: f32, gap: Size, softness: f32) -> bool {
        for entry in sweep.iter_mut() {
            let piece = &self.pieces[entry.1 as usize];
            // Positive floats keep their order as bits.
            entry.0 = u64::from((piece.x - piece.size.width / 2.0 * grown).max(0.0).to_bits());
        }
        sort(sweep);
        let hard = Size { width: self.gap, height: self.gap };
        let mut is_hard = false;
        for at in 0..sweep.len() {
            for next in at + 1..sweep.len() {
                let (a, b) = (sweep[at].1 as usize, sweep[next].1 as usize);
                let (first, second) = (&self.pieces[a], &self.pieces[b]);
                let end = first.x + first.size.width / 2.0 * grown + gap.width;
                if second.x - second.size.width / 2.0 * grown >= end {
                    break;
                }
                let (across, mut down) = first.depth(second, grown, gap);
                if across <= 0.0 || down <= 0.0 || (first.is_pinned && second.is_pinned) {
                    continue;
                }
                let (hard_across, mut hard_down) = first.depth(second, grown, hard);
                let is_near = hard_across > 0.01 && hard_down > 0.01;
                is_hard |= is_near;
                // Who belongs to the bottom passes below the awake, however far that is.
                let below = f32::from(i8::from(second.is_quiet) - i8::from(first.is_quiet));
                let back = (below * (first.y - second.y)).max(0.0) * 2.0;
                down += back;
                hard_down += back;
                let is_across =
                    across * (first.size.height + second.size.height) < down * (first.size.width + second.size.width);
                let (soft, all) = if is_across { (across, hard_across) } else { (down, hard_down) };
                let mut apart = if is_near { all + (soft - all) * softness } else { soft * softness };
                if !first.is_pinned && !second.is_pinned {
                    apart /= 2.0;
                }
                let way = if is_across {
                    second.x - first.x
                } else if below != 0.0 {
                    below
                } else {
                    second.y - first.y
                };
                // Exactly on each other: the more important one goes left or up.
                let towards = if way == 0.0 { if a < b { 1.0 } else { -1.0 } } else { way.signum() };
                for (rank, sign) in [(a, -towards), (b, towards)] {
                    let piece = &mut self.pieces[rank];
                    if !piece.is_pinned {
                        if is_across {
                            piece.x += apart * sign;
                        } else {
                            piece.y += apart * sign;
                        }
                        piece.keep_in(self.extent);
                    }
                }
            }
        }
        is_hard
    }

    /// Who of those placed is nearer to `piece` than `gap` pixels.
    #[inline(never)]
    fn in_the_way(&self, piece: &Piece, gap: f32) -> Option<&Piece> {
        let gap = Size { width: gap, height: gap };
        let reach = (piece.size.width + self.widest) / 2.0 + gap.width;
        let first = self.placed.partition_point(|other| other.x <= piece.x - reach);
        self.placed[first..].iter().take_while(|other| other.x < piece.x + reach).find(|other| {
            let (across, down) = other.depth(piece, 1.0, gap);
            across > 0.0 && down > 0.0
        })
    }

    /// Notes that `piece` has its place.
    fn take(&mut self, piece: Piece) {
        let at = self.placed.partition_point(|other| other.x < piece.x);
        self.placed.insert(at, piece);
        self.widest = self.widest.max(piece.size.width);
    }

    /// Places everyone on whole pixels, most important first, children last; who would overlap goes to the nearest free
    /// place, a child to the one nearest to its parent where it ended up away from it.
    fn place(&mut self, is_over: &mut dyn FnMut() -> bool) -> bool {
        for rank in 0..self.pieces.len() {
            let piece = &mut self.pieces[rank];
            if piece.is_pinned {
                piece.is_placed = true;
                let piece = *piece;
                self.take(piece);
            }
        }
        let near = Size { width: ASTRAY, height: ASTRAY };
        for is_child in [false, true] {
            for rank in 0..self.pieces.len() {
                let mut piece = self.pieces[rank];
                if piece.is_pinned || piece.parent.is_some() != is_child {
                    continue;
                }
                if let Some(parent) = piece.parent.map(|parent| self.pieces[parent]) {
                    let (across, down) = piece.depth(&parent, 1.0, near);
                    if across <= 0.0 || down <= 0.0 {
                        (piece.x, piece.y) = (parent.x, parent.y);
                    }
                }
                piece.put(piece.left(), piece.above(), self.extent);
                // Rounding takes up to a pixel of the gap.
                let gap = self.gap - 1.0;
                let mut is_found = self.in_the_way(&piece, gap).is_none() || self.find_place(&mut piece, gap, is_over);
                if !is_found {
                    piece.unbind();
                    is_found = self.find_place(&mut piece, gap, is_over) || self.find_place(&mut piece, 2.0, is_over);
                }
                if !is_found {
                    return false;
                }
                piece.is_placed = true;
                self.take(piece);
                self.pieces[rank] = piece;
            }
        }
        true
    }

    /// Looks in widening square rings around where it is.
    fn find_place(&self, piece: &mut Piece, gap: f32, is_over: &mut dyn FnMut() -> bool) -> bool {
        let (left, above) = (piece.left(), piece.above());
        let far = self.extent.width.max(self.extent.height);
        let mut ring = STEP;
        while ring < far && !is_over() {
            let mut best = f32::MAX;
            let mut found = *piece;
            for (side, is_across) in [(-ring, true), (ring, true), (-ring, false), (ring, false)] {
                let mut along = -ring;
                while along <= ring {
                    let (x, y) = if is_across { (along, side) } else { (side, along) };
                    let mut tried = *piece;
                    tried.put(left + x, above + y, self.extent);
                    let far = squared(tried.left() - left, tried.above() - above);
                    along += STEP;
                    if far >= best {
                        continue;
                    }
                    if let Some(other) = self.in_the_way(&tried, gap) {
                        // On to where it no longer is in the way.
                        let (across, down) = (other.x - tried.x, other.y - tried.y);
                        let (width, height) =
                            (other.size.width + tried.size.width, other.size.height + tried.size.height);
                        let past = gap - STEP + if is_across { across + width / 2.0 } else { down + height / 2.0 };
                        along += (past / STEP).ceil().max(0.0) * STEP;
                    } else {
                        best = far;
                        found = tried;
                    }
                }
            }
            if best < f32::MAX {
                *piece = found;
                return true;
            }
            ring += STEP;
        }
        false
    }
}

/// Moves everyone from home to a place of their own; `false` when some have none.
pub(super) fn settle(ground: &mut Ground, pulls: &[(u64, u32)], is_over: &mut dyn FnMut() -> bool) -> bool {
    let mut sweep: Vec<(u64, u32)> = (0_u32..).zip(&ground.pieces).map(|(rank, _)| (0, rank)).collect();
    for round in 0..ROUNDS {
        if is_over() {
            return false;
        }
        let past = f32::from(round) / f32::from(ROUNDS);
        let grown = (0.3 + past * 1.2).min(1.0);
        let gap = Size { width: ground.comfort.width * grown, height: ground.comfort.height * grown };
        ground.pull(pulls, 1.0 - past);
        ground.collide(&mut sweep, grown, gap, 0.5);
    }
    for _ in 0..ROUNDS_LAST {
        if is_over() {
            return false;
        }
        let gap = Size { width: ground.gap, height: ground.gap };
        if !ground.collide(&mut sweep, 1.0, gap, 1.0) {
            break;
        }
    }
    ground.place(is_over)
}
