//! How much the fold holds, and how it makes room.
//!
//! At a bound the least recently touched go first, an eighth at a time: one pass over the map then pays for
//! many insertions. What went is counted, never hidden.

use crate::keyed::Keyed;

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
    if let Some(last) = nth_smallest(map.values().map(Touched::touched).collect(), leaving) {
        map.retain(|key, value| {
            // Everything has its own moment of being touched, but an edited snapshot may say otherwise.
            let goes = value.touched() <= last && gone.len() < leaving;
            if goes {
                gone.push(key.clone());
            }
            !goes
        });
    }
    gone
}

/// The value at which `count` of `values` are at most as large.
fn nth_smallest(mut values: Vec<u64>, count: usize) -> Option<u64> {
    sort(&mut values);
    values.get(count.checked_sub(1)?).or(values.last()).copied()
}

/// Sorts. The one place that does, since each kind of sorting costs the page 3 KB.
pub(crate) fn sort(values: &mut [u64]) {
    values.sort_unstable();
}
