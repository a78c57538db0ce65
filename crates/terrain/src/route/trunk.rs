//! Wires gathered into trunks, one for each pair of cards, in the order in which they are routed. Knows no curves.

use super::Wire;
use super::curve::distance;
use super::ports::Port;
use crate::lattice::whole;
use crate::order::rising;
use crate::{Point, Rect};

/// Strands of one trunk lie this far apart, in pixels; closer where a side or a corridor has no room.
pub(super) const STRAND: f32 = 6.0;
/// The most pairs of cards that are joined, and the most wires: those beyond are not drawn. Far more than a screen shows
/// (50 flows and 24 bundles), and the bound of the work.
const TRUNKS_MAX: usize = 256;
pub(super) const WIRES_MAX: usize = 4096;

/// The wires that join the same two cards.
pub(super) struct Trunk {
    /// The two cards' numbers, the lower first.
    pub(super) nodes: [usize; 2],
    pub(super) cards: [Rect; 2],
    pub(super) ports: [Port; 2],
    /// Where its wires begin in the order of all wires, and how many they are.
    pub(super) first: usize,
    pub(super) strands: usize,
    /// Where it is half way, as far as known.
    pub(super) half_way: Point,
    /// The stops of the way round, where there had to be one.
    pub(super) stops: Vec<Point>,
    /// By how much the strands move together for want of room on a side.
    pub(super) shrink: f32,
}

impl Trunk {
    pub(super) fn width(&self) -> f32 {
        (self.strands.saturating_sub(1)) as f32 * STRAND
    }
}

/// Sixteen bits of a key.
pub(super) fn part(key: u64, place: u32) -> usize {
    usize::from((key >> (16 * place) & 0xffff) as u16)
}

/// The wires that can be drawn as keys, shortest first, those of a pair together: distance, lower and higher card, wire.
pub(super) fn sorted(cards: &[Option<Rect>], wires: &[Wire]) -> Vec<u64> {
    let mut keys = Vec::with_capacity(wires.len().min(WIRES_MAX));
    for (index, wire) in wires.iter().enumerate().take(WIRES_MAX) {
        let (low, high) = (wire.from.min(wire.to), wire.from.max(wire.to));
        if let (Some(Some(a)), Some(Some(b))) = (cards.get(low), cards.get(high))
            && low < high
            && high <= 0xffff
        {
            let length = whole(distance(a.centre(), b.centre())).min(0xffff);
            keys.push(((length << 16 | low) as u64) << 32 | (high << 16 | index) as u64);
        }
    }
    rising(keys)
}

/// The trunks, shortest first.
pub(super) fn trunks(cards: &[Option<Rect>], keys: &[u64]) -> Vec<Trunk> {
    let mut trunks: Vec<Trunk> = Vec::new();
    for (first, key) in keys.iter().enumerate() {
        let nodes = [part(*key, 2), part(*key, 1)];
        if let Some(last) = trunks.last_mut()
            && last.nodes == nodes
        {
            last.strands += 1;
        } else if let [Some(Some(a)), Some(Some(b))] = nodes.map(|node| cards.get(node))
            && trunks.len() < TRUNKS_MAX
        {
            trunks.push(Trunk {
                nodes,
                cards: [*a, *b],
                ports: Default::default(),
                first,
                strands: 1,
                half_way: Point::default(),
                stops: Vec::new(),
                shrink: 1.0,
            });
        } else {
            break;
        }
    }
    trunks
}
