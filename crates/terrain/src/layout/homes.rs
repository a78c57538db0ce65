//! Homes: where everyone would sit if nobody were in the way.
//!
//! A home is a seat on a coarse grid which the field and the size of the boxes decide, not their number: each takes, in
//! the order of the keys, the free seat nearest to the point its key and posture ask for, and leans from the seat's
//! middle towards that point. So one more body, or one that wakes, moves a few from a seat to the next and the others
//! not at all.
//!
//! Knows nothing of collision.
#![expect(clippy::indexing_slicing, reason = "indices come from the lengths of these very vectors, never from outside")]

use super::detail;
use super::order::{ends, mixed, sort};
use super::settle::{Ground, Piece, squared};
use super::{Body, Posture};
use crate::{Point, Rect, Size};

/// How many times the size of its box a seat may take, widest first.
const AIR: [f32; 5] = [2.0, 1.6, 1.3, 1.1, 1.0];
/// Seats for each that sits, so that a newcomer finds a free one near.
const SPARE: f32 = 1.1;

/// The share of the field's height that the band of the resting takes up, however few they are: the first who rests moves
/// nobody. And the most it may; who has no room in it sits above it too.
const BAND_MIN: f32 = 0.2;
/// Where the awake would take up more than this share of the field, that least is theirs.
const CROWDED: f32 = 0.5;
const BAND_MAX: f32 = 0.4;

/// How far work draws a wish towards those it is done with, at most.
const TOWARDS: f32 = 0.3;

/// How much of the room around it in its seat a box may lean into: all of it would let neighbours meet.
const LEAN: f32 = 0.7;

/// Two numbers from 0 to 1 which only the key decides.
fn chance(key: u64) -> (f32, f32) {
    let bits = mixed(mixed(key));
    #[expect(clippy::cast_precision_loss, reason = "24 bits fit an f32")]
    let share = |bits: u64| (bits & 0xff_ffff) as f32 / 16_777_216.0;
    (share(bits >> 40), share(bits >> 16))
}

/// Decides everyone's home.
pub(super) fn send_home(ground: &mut Ground, bodies: &[Body], pulls: &[(u64, u32)]) {
    let mut wishes = wishes(ground, bodies, pulls);
    let Size { width, height } = ground.extent;
    let gap = ground.gap;
    let (mut active, mut quiet) = (Vec::new(), Vec::new());
    let (mut active_area, mut quiet_area, mut row) = (0.0, 0.0, 0.0_f32);
    for (rank, piece) in (0_u32..).zip(&ground.pieces) {
        let body = &bodies[piece.body];
        // Those at the right edge choose first: nothing but that edge will do for them.
        let late = u64::from(body.posture != Posture::Completing) << 63;
        let entry = (late | (mixed(body.key) >> 1), rank);
        let is_child = parent(ground, bodies, piece.body).is_some();
        let area = (piece.size.width + gap) * (piece.size.height + gap);
        if piece.is_quiet {
            if !is_child {
                quiet.push(entry);
            }
            quiet_area += area;
            row = row.max(piece.size.height + gap);
        } else {
            if !is_child {
                active.push(entry);
            }
            active_area += area;
        }
    }
    if active_area <= 0.0 {
        // In silence the upper third is left to the words that say so.
        let third = (height / 3.0).floor();
        let top = if quiet_area < width * (height - third) * 0.6 && row < height - third { third } else { 0.0 };
        for piece in &mut ground.pieces {
            piece.top = top;
        }
        seat(&mut ground.pieces, &mut quiet, Rect { x: 0.0, y: top, width, height: height - top }, gap, &AIR, &wishes);
    } else {
        // The band of the resting is half full at most, and grows by rows: one more at rest seldom moves the awake.
        let rows = if row > 0.0 { (quiet_area * 2.0 / (width * row)).ceil() } else { 0.0 };
        let least = if active_area > width * height * CROWDED { 0.0 } else { height * BAND_MIN };
        let band = (rows * row).max(least).min(height * BAND_MAX).floor();
        let over = Rect { x: 0.0, y: 0.0, width, height: height - band };
        let under = Rect { x: 0.0, y: height - band, width, height: band };
        let filled = active_area / (over.width * over.height);
        let spread = stepped(filled * 2.0);
        if rows * row <= band + 1.0 {
            for piece in ground.pieces.iter_mut().filter(|piece| piece.is_quiet) {
                piece.top = under.y;
            }
        }
        // Without air: so the seats mostly stay where they are, however many rest.
        seat(&mut ground.pieces, &mut quiet, under, gap, &AIR[4..], &wishes);
        for (wish, piece) in wishes.iter_mut().zip(&ground.pieces) {
            if bodies[piece.body].posture != Posture::Completing {
                wish.x = 0.5 + (wish.x - 0.5) * spread;
                wish.y = 0.5 + (wish.y - 0.5) * spread;
            }
        }
        seat(&mut ground.pieces, &mut active, over, gap, &AIR[3..], &wishes);
        // Few do not need their seats' distance: they gather.
        let reach = stepped(0.1 + filled * 1.8);
        for &(_, rank) in &active {
            let home = &mut ground.pieces[rank as usize].home;
            home.x = width / 2.0 + (home.x - width / 2.0) * reach;
            home.y = over.height / 2.0 + (home.y - over.height / 2.0) * reach;
        }
    }
    adopt(ground, bodies);
    for piece in &mut ground.pieces {
        if piece.parent.is_none() && bodies[piece.body].posture == Posture::Completing {
            piece.tie = 0.4;
            piece.home.x = piece.home.x.max(width - piece.size.width / 2.0);
        }
        if !piece.is_pinned {
            piece.x = piece.home.x;
            piece.y = piece.home.y;
            piece.keep_in(ground.extent);
        }
    }
}

/// `share` in quarters, from one to four: one more awake seldom moves all.
fn stepped(share: f32) -> f32 {
    ((share * 4.0).ceil() / 4.0).clamp(0.25, 1.0)
}

/// Which share of its region's width and height each piece asks for: what its key says, drawn towards those it works
/// with.
fn wishes(ground: &mut Ground, bodies: &[Body], pulls: &[(u64, u32)]) -> Vec<Point> {
    let mut wishes: Vec<Point> = Vec::with_capacity(ground.pieces.len());
    for piece in &ground.pieces {
        let body = &bodies[piece.body];
        let (x, y) = chance(body.key);
        wishes.push(Point { x, y });
    }
    let mut drawn = vec![(0.0_f32, 0.0_f32, 1.0_f32); wishes.len()];
    for &(pair, weight) in pulls {
        let (a, b) = ends(pair);
        #[expect(clippy::cast_precision_loss, reason = "at most 255")]
        let weight = weight as f32 / 255.0;
        for (one, other) in [(a, b), (b, a)] {
            let is_quiet = ground.pieces[one].is_quiet;
            let is_mixed = is_quiet != ground.pieces[other].is_quiet;
            // The awake do not go where the resting lie.
            if is_mixed && !is_quiet {
                continue;
            }
            let (x, y, sum) = &mut drawn[one];
            *x += (wishes[other].x - wishes[one].x) * weight;
            *y += if is_mixed { 0.0 } else { (wishes[other].y - wishes[one].y) * weight };
            *sum += weight;
        }
    }
    for ((wish, piece), (x, y, sum)) in wishes.iter_mut().zip(&mut ground.pieces).zip(drawn) {
        wish.x += x / sum * TOWARDS;
        wish.y += y / sum * TOWARDS;
        piece.load = sum;
    }
    // Only now, so that its partners do not feel it when somebody completes.
    for (wish, piece) in wishes.iter_mut().zip(&ground.pieces) {
        if bodies[piece.body].posture == Posture::Completing {
            wish.x = 1.0;
        }
    }
    wishes
}

/// The rank of its parent, if it has one that is shown.
fn parent(ground: &Ground, bodies: &[Body], body: usize) -> Option<usize> {
    let parent = bodies[body].parent.filter(|&parent| parent != body)?;
    ground.ranks.get(parent).copied().flatten().map(|rank| rank as usize)
}

/// Gives those in `list` the seats of `region`; `wishes` says which share of its width and height a piece asks for.
fn seat(pieces: &mut [Piece], list: &mut [(u64, u32)], region: Rect, gap: f32, airs: &[f32], wishes: &[Point]) {
    sort(list);
    let mut largest = Size { width: 1.0, height: 1.0 };
    for &(_, rank) in list.iter() {
        largest.width = largest.width.max(pieces[rank as usize].size.width);
        largest.height = largest.height.max(pieces[rank as usize].size.height);
    }
    #[expect(clippy::cast_precision_loss, reason = "at most PIECES_MAX")]
    let wanted = (list.len() as f32 * SPARE).floor();
    let (mut columns, mut seats) = (1.0_f32, wanted);
    for air in airs {
        columns = ((region.width + gap) / (largest.width * air + gap)).floor().max(1.0);
        seats = columns * ((region.height + gap) / (largest.height * air + gap)).floor().max(1.0);
        if seats >= wanted {
            break;
        }
    }
    // Where seats of the largest's size are too few all columns have lower ones, those near the middle one more.
    seats = seats.max(wanted);
    let width = region.width / columns;
    let mut free: Vec<Rect> = Vec::new();
    let mut column = 0.0;
    while column < columns {
        let aside = column * 2.0 + 1.0 - columns;
        let later = aside.abs() - if aside > 0.0 { 1.0 } else { 0.0 };
        let rows = ((seats + columns - 1.0 - later) / columns).floor();
        let height = region.height / rows;
        let mut row = 0.0;
        while row < rows {
            free.push(Rect { x: region.x + width * column, y: region.y + height * row, width, height });
            row += 1.0;
        }
        column += 1.0;
    }
    for &(_, rank) in list.iter() {
        let Point { x: u, y: v } = wishes[rank as usize];
        let piece = &mut pieces[rank as usize];
        let half = Size { width: piece.size.width / 2.0, height: piece.size.height / 2.0 };
        let wished = Point {
            x: region.x + half.width + u * (region.width - piece.size.width).max(0.0),
            y: region.y + half.height + v * (region.height - piece.size.height).max(0.0),
        };
        piece.home = wished;
        let mut best = f32::MAX;
        let mut found = None;
        for (index, seat) in free.iter().enumerate() {
            let middle = seat.centre();
            let far = squared(middle.x - wished.x, middle.y - wished.y);
            if far < best {
                best = far;
                found = Some(index);
            }
        }
        // All seats taken: collision finds room.
        let Some(index) = found else { continue };
        let seat = free.swap_remove(index);
        let slack = |pitch: f32, size: f32| ((pitch - size - gap) / 2.0 * LEAN).max(0.0);
        let (across, down) = (slack(seat.width, piece.size.width), slack(seat.height, piece.size.height));
        let middle = seat.centre();
        piece.home.x = wished.x.min(middle.x + across).max(middle.x - across);
        piece.home.y = wished.y.min(middle.y + down).max(middle.y - down);
    }
}

/// Sends children to the side of the eldest above them.
fn adopt(ground: &mut Ground, bodies: &[Body]) {
    for rank in 0..ground.pieces.len() {
        let mut child = ground.pieces[rank];
        let body = &bodies[child.body];
        let Some(of) = parent(ground, bodies, child.body) else { continue };
        let root = ground.ranks[detail::root(bodies, child.body)].map_or(of, |root| root as usize);
        let base = &ground.pieces[root];
        let from = if base.is_pinned { Point { x: base.x, y: base.y } } else { base.home };
        let (u, v) = chance(body.key);
        let aside = (base.size.width + child.size.width) / 2.0 + ground.gap;
        let is_left = if from.x < aside { false } else { from.x + aside > ground.extent.width || u < 0.5 };
        child.parent = Some(of);
        // It follows its parent rather than a place.
        child.tie = 0.0;
        child.home.x = from.x + if is_left { -aside } else { aside };
        child.home.y = from.y + (v - 0.5) * base.size.height;
        ground.pieces[rank] = child;
    }
}
