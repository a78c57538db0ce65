//! Which seeds commits name, and what became of them: a `Seed: ID` line in a commit's message.
//!
//! The first commit that names a seed has found it; one on the followed branch itself, or the merge that brings such a
//! commit there, has made something of it. Until then further commits that name it move it on. Knows messages and
//! parents only.

use gix::{ObjectId, bstr::ByteSlice};
use monkeytown_protocol::{SeedId, SeedType};
use std::collections::{HashMap, VecDeque};

/// Seeds that one commit may name; others in it are passed over.
const NAMED_MAX: usize = 8;
/// Longest id of a seed in a message, in bytes; with a commit's id it has to fit an event's.
const ID_MAX_BYTES: usize = 64;
/// Commits beside the branch whose seeds are remembered until a merge brings them, and seeds whose end is.
const REMEMBERED_MAX: usize = 10_000;

/// The seeds that a message's body names.
pub(super) fn named<'a>(body: impl Iterator<Item = &'a [u8]>) -> Vec<SeedId> {
    let mut seeds: Vec<SeedId> = Vec::new();
    for line in body {
        let (name, value) = line.split_at(line.find_byte(b':').unwrap_or(0));
        let value = value.get(1..).unwrap_or_default().trim();
        let id = (name.eq_ignore_ascii_case(b"seed") && value.len() <= ID_MAX_BYTES && !value.is_empty())
            .then(|| value.to_str().ok().filter(|id| !id.contains(char::is_whitespace)));
        let id = id.flatten().and_then(|id| SeedId::new(id).ok());
        seeds.extend(id.filter(|id| seeds.len() < NAMED_MAX && !seeds.contains(id)));
    }
    seeds
}

/// What a seed asks for, as its id says: the page makes ids that begin with it. Of one that does not say, that people
/// and agents agreed on something.
pub(super) fn type_of(id: &SeedId) -> SeedType {
    let types = [SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query];
    let word = id.as_str().split('-').next().unwrap_or_default();
    types.into_iter().find(|known| known.as_str() == word).unwrap_or(SeedType::Contract)
}

/// What a commit means for a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// It is the first that names it.
    Found,
    /// It names it again.
    MovedOn,
    /// It is on the branch.
    Complete,
}

/// What is known of the seeds that commits have named.
#[derive(Debug, Default)]
pub(super) struct Seeds {
    /// By commit beside the branch: what it and those before it name and no merge has brought yet.
    carried: HashMap<ObjectId, Vec<SeedId>>,
    carriers: VecDeque<ObjectId>,
    /// Whether a named seed has come to something.
    ended: HashMap<SeedId, bool>,
    seen: VecDeque<SeedId>,
}

impl Seeds {
    /// What a commit means for the seeds that it, or what it merges, names. `stays` when it is on the branch itself.
    pub(super) fn hear(
        &mut self,
        commit: ObjectId,
        parents: &[ObjectId],
        named: &[SeedId],
        stays: bool,
    ) -> Vec<(SeedId, Growth)> {
        let mut open: Vec<SeedId> = named.to_vec();
        for parent in parents {
            let before = self.carried.get(parent).into_iter().flatten();
            let before: Vec<SeedId> = before.filter(|id| !open.contains(id)).cloned().collect();
            open.extend(before);
        }
        let mut growths = Vec::new();
        for id in named {
            match self.ended.get(id) {
                None => {
                    growths.push((id.clone(), Growth::Found));
                    self.remember(id);
                }
                Some(false) if !stays => growths.push((id.clone(), Growth::MovedOn)),
                Some(_) => {}
            }
        }
        if stays {
            for id in open {
                if let Some(ended @ false) = self.ended.get_mut(&id) {
                    *ended = true;
                    growths.push((id, Growth::Complete));
                }
            }
        } else if !open.is_empty() {
            self.carry(commit, open);
        }
        growths
    }

    fn remember(&mut self, id: &SeedId) {
        if self.seen.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.seen.pop_front()
        {
            self.ended.remove(&oldest);
        }
        self.seen.push_back(id.clone());
        self.ended.insert(id.clone(), false);
    }

    fn carry(&mut self, commit: ObjectId, open: Vec<SeedId>) {
        if self.carriers.len() >= REMEMBERED_MAX
            && let Some(oldest) = self.carriers.pop_front()
        {
            self.carried.remove(&oldest);
        }
        self.carriers.push_back(commit);
        self.carried.insert(commit, open);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(body: &str) -> Vec<String> {
        named(body.lines().map(str::as_bytes)).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn seeds_are_named_by_a_line_of_their_own() {
        assert_eq!(of("Seed: query-7k2m"), ["query-7k2m"]);
        assert_eq!(of("why\nseed:query-1 \nSEED:\tquery-2\nSigned-off-by: A <a>"), ["query-1", "query-2"]);
        assert_eq!(of("Seed: query-1\nSeed: query-1"), ["query-1"]);
        for none in
            ["seeds: a", "a seed: b", "Seed:", "Seed: two words", ":", "Seed", &format!("Seed: {}", "x".repeat(65))]
        {
            assert_eq!(of(none), [] as [String; 0], "{none}");
        }
        assert_eq!(of(&(0..20).map(|at| format!("Seed: s{at}\n")).collect::<String>()).len(), NAMED_MAX);
        assert_eq!(named([b"Seed: \xff\xfe".as_slice()].into_iter()), []);
    }

    #[test]
    fn an_id_says_what_its_seed_asks_for() {
        let of = |id| type_of(&SeedId::new(id).expect("an id"));
        assert_eq!((of("query-7k2m"), of("resource-1")), (SeedType::Query, SeedType::Resource));
        assert_eq!(of("whatever"), SeedType::Contract);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut seeds = Seeds::default();
        for at in 0..REMEMBERED_MAX + 50 {
            let commit = ObjectId::from_hex(format!("{at:040x}").as_bytes()).expect("forty digits");
            seeds.hear(commit, &[], &[SeedId::new(&at.to_string()).expect("an id")], false);
        }
        assert_eq!((seeds.carried.len(), seeds.ended.len()), (REMEMBERED_MAX, REMEMBERED_MAX));
    }
}
