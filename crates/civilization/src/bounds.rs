//! How much the fold holds, and how it makes room.
//!
//! At a bound the least recently touched go first, an eighth at a time: one pass over the map then pays for
//! many insertions. What went is counted, never hidden.

use std::collections::BTreeMap;

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
/// History items of one agent that a card asks for.
pub const AGENT_RECENT_MAX: usize = 2;

/// Something that knows when it was last touched, in events of the fold.
pub(crate) trait Touched {
    fn touched(&self) -> u64;
}

/// Takes the least recently touched out of a map that has reached `max`. Returns who went.
pub(crate) fn make_room<K: Ord + Clone, V: Touched>(map: &mut BTreeMap<K, V>, max: usize) -> Vec<K> {
    if map.len() < max {
        return Vec::new();
    }
    let leaving = map.len() - max + (max / 8).max(1);
    let mut oldest: Vec<(u64, K)> = map.iter().map(|(key, value)| (value.touched(), key.clone())).collect();
    oldest.sort_unstable();
    oldest.truncate(leaving);
    for (_, key) in &oldest {
        map.remove(key);
    }
    oldest.into_iter().map(|(_, key)| key).collect()
}
