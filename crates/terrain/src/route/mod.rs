//! How flows run between cards: curves from edge to edge at least cost. Owns the order of the work and what the
//! routes of one drawing share; knows no kinds, no states, no colours.
//!
//! Wires that join the same two cards are one trunk, routed once and split into strands. Twice over all trunks, shortest
//! first: once to choose sides, then, with the ports on every side spread, to choose curves. Where every curve would run
//! through a card, the cheapest path over cells goes round.

mod board;
mod bundle;
mod curve;
mod finder;
mod gutter;
mod ports;
mod trunk;

use board::{Board, Price};
use curve::{beside, cubic, direction, distance, dot, even, length, plus, through};
use finder::Finder;
use ports::{GAP, OFFERS, Port, SIDES, offers, order, port, spread};
use trunk::{STRAND, Trunk, WIRES_MAX, part, sorted, trunks};

pub use bundle::{Bundle, Bundling, bundle};
pub use gutter::gutter;

use crate::lattice::sound;
use crate::order::rising;
use crate::{Point, Rect};

/// A card.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Node {
    /// Its body, the mask included.
    pub rect: Rect,
}

/// A flow from one card to another, by their places in the list of cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wire {
    /// Where it leaves.
    pub from: usize,
    /// Where it arrives.
    pub to: usize,
}

/// How a wire runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Route {
    /// A smooth line in even steps, at most 40 points, from four pixels off the edge of the one card to four pixels off
    /// the edge of the other. Empty where the wire cannot be drawn.
    pub points: Vec<Point>,
}

/// How many curves are weighed for a trunk before its sides are chosen; fewer where all of them run through cards.
const TRIALS: usize = 48;
const TRIALS_STRUCK: usize = 7;

/// What it costs, in pixels of way, to leave a card at a right angle to where the route goes; twice that backwards.
const TURN: f32 = 36.0;
/// What it costs, in pixels of way, to use a side that another route uses.
const SHARED: f32 = 16.0;

/// How many times the length of a line through words a way round them may cost: about twice the way, by some cards.
const LONGER: f32 = 2.6;
/// By how much, in pixels of way, a straight leg may be dearer than the path it stands for.
const GRACE: f32 = 2.0;

/// How far a curve's handles reach, as a share of its length.
const HANDLE: f32 = 0.42;
const HANDLES: [f32; 3] = [0.3, 0.45, 0.8];
/// The same where it goes round by way of stops: a share of each leg.
const REACHES: [f32; 5] = [0.42, 0.32, 0.22, 0.12, 0.0];

/// The route of every wire, in the order of `wires`. Of wires that join the same two cards the first runs in the middle,
/// the others on alternate sides of it.
///
/// `labels` are avoided too, but less than cards. Nothing leaves `field` by more than a few pixels. The same input gives
/// the same routes; a wire to itself, to a card that is not there or not in the field has an empty one, and so have those
/// past the bounds of the work, 256 pairs of cards and 4096 wires.
#[must_use]
pub fn route(nodes: &[Node], labels: &[Rect], wires: &[Wire], field: Rect) -> Vec<Route> {
    let mut routes: Vec<Route> = wires.iter().map(|_| Route::default()).collect();
    let Some(mut board) = Board::over(field) else { return routes };
    let cards: Vec<Option<Rect>> = nodes.iter().map(|node| seen(&node.rect, &field)).collect();
    for card in cards.iter().flatten() {
        board.card(card);
    }
    for label in labels {
        if let Some(label) = seen(label, &field) {
            board.label(&label);
        }
    }
    let keys = sorted(&cards, wires);
    let mut trunks = trunks(&cards, &keys);
    let mut finder = Finder::over(&board);
    let mut used = vec![0; nodes.len() * SIDES];
    let mut line = Vec::new();
    for trunk in &mut trunks {
        choose_sides(&mut board, &mut finder, trunk, &mut used, &mut line);
    }
    spread_ports(&mut trunks);
    board.clear();
    for trunk in &mut trunks {
        let strands = settle(&mut board, &mut finder, trunk, &mut line);
        for (strand, key) in strands.into_iter().zip(keys.iter().skip(trunk.first)) {
            let wire = part(*key, 0);
            let backwards = wires.get(wire).is_some_and(|wire| wire.from > wire.to);
            if let Some(route) = routes.get_mut(wire) {
                route.points = strand;
                // A wide trunk along the field's edge has no other place for its outer strands.
                for at in &mut route.points {
                    at.x = at.x.max(field.x - GAP).min(field.right() + GAP);
                    at.y = at.y.max(field.y - GAP).min(field.bottom() + GAP);
                }
                if backwards {
                    route.points.reverse();
                }
            }
        }
    }
    routes
}

/// The line `aside` pixels to the right of its course, as seen on a screen.
#[must_use]
pub fn aside(line: &[Point], aside: f32) -> Vec<Point> {
    let ends = |a: Option<&Point>, b: Option<&Point>| match (a, b) {
        (Some(a), Some(b)) => direction(*a, *b),
        _ => Point::default(),
    };
    beside(line, aside, ends(line.first(), line.get(1)), ends(line.iter().rev().nth(1), line.last()))
}

/// The part of a card that lies in the field.
fn seen(card: &Rect, field: &Rect) -> Option<Rect> {
    if !sound(card) {
        return None;
    }
    let (x, y) = (card.x.max(field.x), card.y.max(field.y));
    let seen = Rect { x, y, width: card.right().min(field.right()) - x, height: card.bottom().min(field.bottom()) - y };
    sound(&seen).then_some(seen)
}

/// A cubic that leaves and reaches both ports at right angles to their sides.
fn bow(line: &mut Vec<Point>, a: &Port, b: &Port, reach_a: f32, reach_b: f32) {
    let far = distance(a.at, b.at);
    line.clear();
    line.push(a.at);
    let handle = |reach: f32| (far * reach).max(12.0);
    cubic(line, a.at, plus(a.at, a.out, handle(reach_a)), plus(b.at, b.out, handle(reach_b)), b.at);
}

/// The least that a curve between two ports can cost.
fn least(a: &Port, b: &Port, used: f32) -> f32 {
    let way = direction(a.at, b.at);
    distance(a.at, b.at) + TURN * (2.0 - dot(way, a.out) + dot(way, b.out)) + SHARED * used
}

/// Chooses the sides on which a trunk leaves and arrives, and lays it for those after it.
fn choose_sides(board: &mut Board, finder: &mut Finder, trunk: &mut Trunk, used: &mut [u8], line: &mut Vec<Point>) {
    let [card_a, card_b] = trunk.cards;
    let from = offers(&card_a, card_b.centre());
    let to = offers(&card_b, card_a.centre());
    let use_of = |used: &[u8], node: usize, port: &Port| used.get(node * SIDES + port.side).copied().unwrap_or(0);
    let [node_a, node_b] = trunk.nodes;
    let mut floors = [0.0_f32; OFFERS * OFFERS];
    for (index, floor) in floors.iter_mut().enumerate() {
        if let (Some(a), Some(b)) = (from.get(index / OFFERS), to.get(index % OFFERS)) {
            *floor = least(a, b, f32::from(use_of(used, node_a, a)) + f32::from(use_of(used, node_b, b)));
        }
    }
    let mut best = Price { cost: f32::INFINITY, struck: f32::INFINITY };
    for trial in 0..TRIALS {
        let mut floor = f32::INFINITY;
        let mut index = 0;
        for (at, candidate) in floors.iter().enumerate() {
            if *candidate < floor {
                (floor, index) = (*candidate, at);
            }
        }
        if floor >= best.cost || trial >= TRIALS_STRUCK && best.is_through_card() {
            break;
        }
        if let (Some(a), Some(b), Some(slot)) =
            (from.get(index / OFFERS), to.get(index % OFFERS), floors.get_mut(index))
        {
            *slot = f32::INFINITY;
            bow(line, a, b, HANDLE, HANDLE);
            // What the floor counts beyond the way.
            let beside_way = floor - distance(a.at, b.at);
            let mut price = board.price(line, best.cost - beside_way);
            price.cost += beside_way;
            if price.cost < best.cost {
                best = price;
                trunk.ports = [*a, *b];
            }
        }
    }
    let [a, b] = &trunk.ports;
    bow(line, a, b, HANDLE, HANDLE);
    if best.struck > 0.0
        && let Some(path) = finder.find(board, &from, &to, &card_b)
        && let (Some(a), Some(b)) = (from.get(path.from), to.get(path.to))
    {
        pulled(board, a, b, &path.stops, &mut trunk.stops);
        let mut round = Vec::new();
        shaped(board, a, b, &trunk.stops, &mut round);
        let limit = longest(&best, line);
        if board.price(&round, limit).cost < limit {
            *line = round;
            trunk.ports = [*a, *b];
        } else {
            trunk.stops.clear();
        }
    }
    trunk.half_way = line.get(line.len() / 2).copied().unwrap_or_default();
    for (node, port) in trunk.nodes.iter().zip(&trunk.ports) {
        if let Some(count) = used.get_mut(node * SIDES + port.side) {
            *count = count.saturating_add(1);
        }
    }
    board.lay(line, trunk.width());
}

/// Spreads the ports on every side of every card.
fn spread_ports(trunks: &mut [Trunk]) {
    // Card and side, order along the side, trunk, which of its ends.
    let mut ends: Vec<u64> = Vec::with_capacity(trunks.len() * 2);
    for (index, trunk) in trunks.iter().enumerate() {
        for (end, ((node, card), port)) in trunk.nodes.iter().zip(&trunk.cards).zip(&trunk.ports).enumerate() {
            let side = (node * SIDES + port.side) as u64;
            ends.push(side << 32 | order(card, port.side, trunk.half_way) << 16 | (index * 2 + end) as u64);
        }
    }
    let ends = rising(ends);
    let mut places: Vec<(f32, f32)> = Vec::new();
    for group in ends.chunk_by(|a, b| a >> 32 == b >> 32) {
        let end_of = |key: &u64| (part(*key, 0) / 2, part(*key, 0) % 2);
        places.clear();
        let mut edge = None;
        for key in group {
            let (index, end) = end_of(key);
            if let Some(trunk) = trunks.get(index)
                && let (Some(port), Some(card)) = (trunk.ports.get(end), trunk.cards.get(end))
            {
                edge = Some((*card, port.side));
                places.push((port.place, trunk.width()));
            }
        }
        let Some((card, side)) = edge else { continue };
        let shrink = spread(&card, side, &mut places);
        for (key, (place, _)) in group.iter().zip(&places) {
            let (index, end) = end_of(key);
            if let Some(trunk) = trunks.get_mut(index)
                && let Some(slot) = trunk.ports.get_mut(end)
            {
                *slot = port(&card, side, *place);
                trunk.shrink = trunk.shrink.min(shrink);
            }
        }
    }
}

/// Chooses a trunk's curve between the ports it has, lays it, and splits it into its strands.
fn settle(board: &mut Board, finder: &mut Finder, trunk: &mut Trunk, line: &mut Vec<Point>) -> Vec<Vec<Point>> {
    let [a, b] = trunk.ports;
    let mut best = Price { cost: f32::INFINITY, struck: f32::INFINITY };
    let mut handles = (HANDLE, HANDLE);
    for reach_a in HANDLES {
        for reach_b in HANDLES {
            // A curve is not likely to run clear where there had to be a way round.
            if reach_a != reach_b && !trunk.stops.is_empty() {
                continue;
            }
            bow(line, &a, &b, reach_a, reach_b);
            let price = board.price(line, best.cost);
            if price.cost < best.cost {
                (best, handles) = (price, (reach_a, reach_b));
            }
        }
    }
    bow(line, &a, &b, handles.0, handles.1);
    // First round the stops known, then, as the ports may have moved, round others.
    for try_anew in [false, true] {
        if best.struck <= 0.0 {
            break;
        }
        if try_anew {
            let [_, target] = trunk.cards;
            let Some(path) = finder.find(board, &[a], &[b], &target) else { break };
            pulled(board, &a, &b, &path.stops, &mut trunk.stops);
        }
        let mut round = Vec::new();
        shaped(board, &a, &b, &trunk.stops, &mut round);
        let limit = longest(&best, line);
        let price = board.price(&round, limit);
        if price.cost < limit {
            best = price;
            core::mem::swap(line, &mut round);
        }
    }
    let middle = even(line);
    let into = Point { x: -b.out.x, y: -b.out.y };
    let struck = |line: &[Point]| board.price(line, f32::INFINITY).is_through_card();
    let is_struck = struck(&middle);
    let mut gap = STRAND * trunk.shrink;
    let outer = |gap: f32| (trunk.strands.saturating_sub(1)) as f32 / 2.0 * gap;
    // Where a corridor is too narrow for the strands they move together.
    for _ in 0..3 {
        let free = |aside: f32| is_struck || !struck(&beside(&middle, aside, a.out, into));
        if trunk.strands < 2 || (free(outer(gap)) && free(-outer(gap))) {
            break;
        }
        gap *= 0.6;
    }
    board.lay(&middle, outer(gap) * 2.0);
    (0..trunk.strands)
        .map(|strand| {
            // 0, 1, -1, 2, -2 …, or about half a gap aside where their number is even.
            let rank = strand.div_ceil(2) as f32 * if strand % 2 == 1 { 1.0 } else { -1.0 };
            let rank = if trunk.strands.is_multiple_of(2) { rank - 0.5 } else { rank };
            beside(&middle, rank * gap, a.out, into)
        })
        .collect()
}

/// What a way round may cost instead of `line` at `price`: round cards anything, round words about twice the way.
fn longest(price: &Price, line: &[Point]) -> f32 {
    if price.is_through_card() { price.cost } else { price.cost.min(length(line) * LONGER) }
}

/// Pulls a path of cells straight: keeps the stops that a cheaper way needs. The ports are not among them.
fn pulled(board: &Board, a: &Port, b: &Port, cells: &[Point], stops: &mut Vec<Point>) {
    stops.clear();
    let mut anchor = a.at;
    let mut gone = 0.0;
    let mut last = a.at;
    for at in cells.iter().chain([&b.at]) {
        gone += board.price(&[last, *at], f32::INFINITY).cost;
        if board.price(&[anchor, *at], gone + GRACE).cost >= gone + GRACE && last != a.at {
            stops.push(last);
            gone = board.price(&[last, *at], f32::INFINITY).cost;
            anchor = last;
        }
        last = *at;
    }
}

/// The smoothest line by way of `stops` that strikes nothing; of those that all strike something the least bad.
fn shaped(board: &Board, a: &Port, b: &Port, stops: &[Point], line: &mut Vec<Point>) {
    let mut all = Vec::with_capacity(stops.len() + 2);
    all.push(a.at);
    all.extend_from_slice(stops);
    all.push(b.at);
    let into = Point { x: -b.out.x, y: -b.out.y };
    let mut least = f32::INFINITY;
    let mut curve = Vec::new();
    for reach in REACHES {
        through(&mut curve, &all, a.out, into, reach);
        // Weighed as it will be drawn: even steps cut corners.
        let drawn = even(&curve);
        let struck = board.price(&drawn, f32::INFINITY).struck;
        if struck < least {
            least = struck;
            *line = drawn;
        }
        if least <= 0.0 {
            break;
        }
    }
}
