//! What became of the seeds that commits name ([`crate::sources::seed_lines`] says which those are).
//!
//! The first commit that names a seed has found it; one on the followed branch itself, or the merge that brings such a
//! commit there, has made something of it. Until then further commits that name it move it on. Knows messages and
//! parents only.

use gix::ObjectId;
use monkeytown_protocol::SeedId;
use std::collections::{HashMap, VecDeque};

/// Commits beside the branch whose seeds are remembered until a merge brings them, and seeds whose end is.
const REMEMBERED_MAX: usize = 10_000;

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
