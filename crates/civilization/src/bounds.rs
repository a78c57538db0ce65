//! How much the fold holds, and how it makes room.
//!
//! At a bound the least recently touched go first, an eighth at a time: one pass over the map then pays for
//! many insertions. What went is counted, never hidden.

use crate::keyed::Keyed;
use monkeytown_protocol::Text;

/// Entities held: agents, open contracts, open transactions.
pub const ENTITIES_MAX: usize = 2_000;
/// Flows under way.
pub const FLOWS_MAX: usize = 2_000;
/// Seeds reported by events.
pub const SEEDS_MAX: usize = 500;
/// Open alerts.
pub const ALERTS_MAX: usize = 100;
/// Settled contracts, transactions and finished runs kept as history.
pub const HISTORY_MAX: usize = 1_000;
/// Flows that arrived or broke, kept for the moment in which they can still be drawn.
pub const FINISHED_FLOWS_MAX: usize = 200;
/// Agents whose working hours are kept.
pub const LANES_MAX: usize = 64;
/// Bytes of all entities held: least recently touched go.
pub const ENTITIES_BYTES_MAX: usize = 3 << 20;
/// Bytes of all flows under way: least recently touched go.
pub const FLOWS_BYTES_MAX: usize = 1 << 20;
/// Bytes of history: the oldest go.
pub const HISTORY_BYTES_MAX: usize = 1 << 20;
/// Longest name, activity, path kept, in bytes; what is longer ends in `…`. The wire allows more than anybody reads.
pub const NAME_MAX_BYTES: usize = 256;
/// Longest reason or message kept, in bytes.
pub const REASON_MAX_BYTES: usize = 512;
/// What anything kept counts beside its texts, in bytes: itself, its id, its place.
pub(crate) const ITEM_BYTES: usize = 512;
/// History items of one agent that a card asks for.
pub const AGENT_RECENT_MAX: usize = 2;

/// Something that knows when it was last touched, in events of the fold.
pub(crate) trait Touched {
    fn touched(&self) -> u64;
}

/// Takes the least recently touched out of a map that has reached `max`. Returns who went.
pub(crate) fn make_room<K: Ord + Clone, V: Touched>(map: &mut Keyed<K, V>, max: usize) -> Vec<K> {
    if map.len() < max {
        return Vec::new();
    }
    let leaving = map.len() - max + (max / 8).max(1);
    let mut gone = Vec::new();
    let touched: Vec<u64> = map.values().map(Touched::touched).collect();
    let last = nth_smallest(&touched, leaving);
    map.retain(|key, value| {
        // Everything has its own moment of being touched, but an edited snapshot may say otherwise.
        let goes = value.touched() <= last && gone.len() < leaving;
        if goes {
            gone.push(key.clone());
        }
        !goes
    });
    gone
}

/// The smallest value at which `count` of `values` are at most as large. It is bisected: 64 looks at the values, once
/// for hundreds of insertions, are nothing, and a sort would cost the page 3 KB of code.
fn nth_smallest(values: &[u64], count: usize) -> u64 {
    let (mut low, mut high) = (0, u64::MAX);
    while low < high {
        let middle = low + (high - low) / 2;
        if values.iter().filter(|value| **value <= middle).count() < count { low = middle + 1 } else { high = middle }
    }
    low
}

/// Sorts: Shell's way, with Ciura's gaps. The standard library's sort costs the page 6 KB, this a tenth of it.
#[expect(clippy::indexing_slicing, reason = "every index is below the length by the loops' own bounds")]
pub(crate) fn sort(values: &mut [u64]) {
    for gap in [4103, 1750, 701, 301, 132, 57, 23, 10, 4, 1] {
        for end in gap..values.len() {
            let moved = values[end];
            let mut hole = end;
            while hole >= gap && values[hole - gap] > moved {
                values[hole] = values[hole - gap];
                hole -= gap;
            }
            values[hole] = moved;
        }
    }
}

/// Shortens a text that is kept.
pub(crate) fn shorten(text: &mut Option<Text>, max_bytes: usize) {
    *text = text.take().map(|text| text.shortened(max_bytes));
}

/// Bytes of a text that may be absent.
pub(crate) fn bytes_of(text: Option<&Text>) -> usize {
    text.map_or(0, |text| text.as_str().len())
}
