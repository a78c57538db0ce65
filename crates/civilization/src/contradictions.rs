//! Contradictions (`states.md`): two open contracts that change the same file, an entity claimed by two sources.
//!
//! Looked for when asked for: nothing but the claims is kept.

use crate::{Civilization, Entity, bounds::sort};
use monkeytown_protocol::{EntityId, EntityKind, Files, SourceUri, Text, Timestamp, record};
use serde::Serialize;

/// Contradictions told at once.
pub const CONTRADICTIONS_MAX: usize = 20;
/// Of those, claims by two sources.
const CLAIMS_TOLD_MAX: usize = 10;
/// Two sources that claim an entity within this time of each other contradict, in milliseconds.
const CLAIM_MILLIS: i64 = 60_000;
/// Sources remembered of an entity.
const CLAIMS_MAX: usize = 2;
/// Files of one hash that are compared by name: more than two names of one hash are no accident.
const SAME_HASH_MAX: usize = 8;

/// Two that cannot both be right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// One of the two.
    pub a: EntityId,
    /// The other; the same one when two sources claim it.
    pub b: EntityId,
    /// What they disagree on: the file, or who claims it.
    pub over: Text,
}

/// A source said what an entity is, or how.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Claim {
    source: SourceUri,
    /// The latest time that it did, by its own clock.
    time: Timestamp,
}

record!(Claim { source, time;  });

impl Entity {
    pub(crate) fn claim(&mut self, source: SourceUri, time: Timestamp) {
        if let Some(latest) = self.claims.last_mut().filter(|latest| latest.source == source) {
            latest.time = time;
            return;
        }
        self.claims.retain(|claim| claim.source != source);
        self.claims.push(Claim { source, time });
        self.fit_claims();
    }

    pub(crate) fn fit_claims(&mut self) {
        let excess = self.claims.len().saturating_sub(CLAIMS_MAX);
        self.claims.drain(..excess);
    }

    fn claimed_twice(&self, now: Timestamp) -> Option<Text> {
        let [one, other] = self.claims.as_slice() else { return None };
        let apart = one.time.since_millis(other.time).abs();
        let age = now.since_millis(one.time.min(other.time));
        (apart <= CLAIM_MILLIS && age <= CLAIM_MILLIS)
            .then(|| Text::fitted(&format!("claimed by {} and {}", one.source, other.source)))
    }
}

/// Two contracts and the files that both change.
struct Pair<'a> {
    a: &'a EntityId,
    b: &'a EntityId,
    file: &'a Text,
    more: u32,
}

impl Civilization {
    /// What contradicts at `now`, on the page's clock; at most [`CONTRADICTIONS_MAX`]. A pair of contracts is told once,
    /// with one of the files and how many more there are; of three that change one file, two pairs. An entity
    /// is claimed by two sources for as long as both claims lie within the last minute.
    #[must_use]
    pub fn contradictions(&self, now: Timestamp) -> Vec<Contradiction> {
        let claimed = self.entities.iter().filter_map(|(id, entity)| Some((id, entity.claimed_twice(now)?)));
        let mut all = Vec::new();
        for (id, over) in claimed.take(CLAIMS_TOLD_MAX) {
            all.push(Contradiction { a: id.clone(), b: id.clone(), over });
        }
        for pair in self.pairs(CONTRADICTIONS_MAX - all.len()) {
            let over = match pair.more {
                0 => pair.file.clone(),
                more => Text::fitted(&format!("{} and {more} more", pair.file)),
            };
            all.push(Contradiction { a: pair.a.clone(), b: pair.b.clone(), over });
        }
        all
    }

    /// Contracts that share files. Those that are held are open: settled ones are history.
    fn pairs(&self, pairs_max: usize) -> Vec<Pair<'_>> {
        let contracts: Vec<(&EntityId, &Files)> = self
            .entities
            .iter()
            .filter(|(_, entity)| entity.kind == EntityKind::Contract)
            .filter_map(|(id, entity)| Some((id, entity.files.as_ref()?)))
            .collect();
        // The hash of a name above, whose and which it is below: sorted, files of one name lie together.
        let mut keys = Vec::new();
        for (place, (_, files)) in (0_u64..).zip(&contracts) {
            for (number, name) in (0_u64..).zip(files.names()) {
                keys.push(u64::from(hash(name.as_str())) << 32 | place << 8 | number);
            }
        }
        sort(&mut keys);
        let named = |key: u64| {
            let (id, files) = contracts.get(usize::try_from(key << 32 >> 40).ok()?)?;
            Some((*id, files.names().get(usize::try_from(key & 0xff).ok()?)?))
        };
        let mut pairs: Vec<Pair<'_>> = Vec::new();
        for (at, key) in keys.iter().enumerate() {
            let Some((b, file)) = named(*key) else { continue };
            let before = keys.get(at.saturating_sub(SAME_HASH_MAX)..at).unwrap_or_default();
            let same = before.iter().rev().take_while(|before| **before >> 32 == *key >> 32);
            let Some((a, _)) = same.filter_map(|before| named(*before)).find(|(a, name)| *a != b && *name == file)
            else {
                continue;
            };
            if let Some(known) = pairs.iter_mut().find(|pair| pair.a == a && pair.b == b) {
                known.more += 1;
            } else if pairs.len() < pairs_max {
                pairs.push(Pair { a, b, file, more: 0 });
            }
        }
        pairs
    }
}

/// FNV-1a, 32 bits.
fn hash(name: &str) -> u32 {
    name.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}
