//! Compares two trees, file by file: whose files changed, how many came and went, what was only moved.
//!
//! Knows paths and ids, never contents.

use crate::sources::domains::{Domains, Owner};
use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    diff::tree::{Visit, visit},
    objs::{Find, FindExt, TreeRefIter, tree::EntryKind},
};
use std::{
    collections::{HashMap, VecDeque},
    ops::ControlFlow,
};

/// Where GitHub Actions keeps what runs when.
const WORKFLOWS: &[u8] = b".github/workflows/";

/// A change of one file.
pub(super) struct FileChange {
    pub(super) owner: usize,
    pub(super) old: Option<ObjectId>,
    pub(super) new: Option<ObjectId>,
    /// Whether the new content is a file to read.
    pub(super) text: bool,
}

/// The entries of `tree`. The empty tree has none, and need not lie in the repository to be named by a commit.
pub(super) fn tree_entries<'b>(
    objects: &impl Find,
    tree: Option<ObjectId>,
    hash: gix::hash::Kind,
    buffer: &'b mut Vec<u8>,
) -> gix::Result<TreeRefIter<'b>> {
    match tree.filter(|tree| *tree != ObjectId::empty_tree(hash)) {
        Some(tree) => objects.find_tree_iter(&tree, buffer),
        None => Ok(TreeRefIter::from_bytes(&[], hash)),
    }
}

/// What a comparison of two trees found, file by file.
pub(super) struct Changes<'a> {
    domains: &'a Domains,
    path: BString,
    queue: VecDeque<BString>,
    pub(super) owners: Vec<Seen>,
    pub(super) files: Vec<FileChange>,
    /// Workflow files that changed, with what names them now (or did, when they are gone).
    pub(super) workflows: Vec<(BString, ObjectId)>,
}

pub(super) struct Seen {
    pub(super) owner: Owner,
    files: u32,
    delta: i64,
    first_path: BString,
}

impl<'a> Changes<'a> {
    pub(super) fn new(domains: &'a Domains) -> Self {
        Self {
            domains,
            path: BString::default(),
            queue: VecDeque::new(),
            owners: Vec::new(),
            files: Vec::new(),
            workflows: Vec::new(),
        }
    }

    pub(super) fn touched(&self) -> Vec<(Owner, u32)> {
        let mut seen: Vec<_> = self.owners.iter().collect();
        seen.sort_by(|a, b| b.files.cmp(&a.files).then_with(|| a.first_path.cmp(&b.first_path)));
        seen.into_iter().map(|seen| (seen.owner.clone(), seen.files)).collect()
    }

    pub(super) fn counts(&self) -> Vec<(Owner, i64)> {
        self.owners.iter().filter(|seen| seen.delta != 0).map(|seen| (seen.owner.clone(), seen.delta)).collect()
    }

    /// A file that left one place and came to another with the same content was moved: one file within a domain,
    /// one in each of two, and nothing in it is new.
    pub(super) fn pair_renames(&mut self) {
        let gone = |file: &&FileChange| file.new.is_none();
        let mut left: HashMap<ObjectId, Vec<usize>> = HashMap::new();
        for file in self.files.iter().filter(gone) {
            if let Some(old) = file.old {
                left.entry(old).or_default().push(file.owner);
            }
        }
        if left.is_empty() {
            return;
        }
        for file in self.files.iter_mut().filter(|file| file.old.is_none()) {
            let Some(origins) = file.new.and_then(|new| left.get_mut(&new)).filter(|origins| !origins.is_empty())
            else {
                continue;
            };
            let own = origins.iter().position(|origin| *origin == file.owner);
            origins.swap_remove(own.unwrap_or(0));
            file.old = file.new;
            if let Some(seen) = own.and_then(|_| self.owners.get_mut(file.owner)) {
                seen.files = seen.files.saturating_sub(1);
            }
        }
    }

    fn owner(&mut self) -> usize {
        let path = self.path.as_bstr();
        let known = self.owners.iter().rposition(|seen| self.domains.owns(&seen.owner, path));
        known.unwrap_or_else(|| {
            let owner = self.domains.owner_of(path);
            self.owners.push(Seen { owner, files: 0, delta: 0, first_path: self.path.clone() });
            self.owners.len() - 1
        })
    }
}

impl Visit for Changes<'_> {
    fn pop_front_tracked_path_and_set_current(&mut self) {
        self.path = self.queue.pop_front().unwrap_or_default();
    }

    fn push_back_tracked_path_component(&mut self, component: &BStr) {
        self.push_path_component(component);
        self.queue.push_back(self.path.clone());
    }

    fn push_path_component(&mut self, component: &BStr) {
        if !self.path.is_empty() {
            self.path.push(b'/');
        }
        self.path.extend_from_slice(component);
    }

    fn pop_path_component(&mut self) {
        let parent = self.path.rfind_byte(b'/').unwrap_or(0);
        self.path.truncate(parent);
    }

    fn visit(&mut self, change: visit::Change) -> visit::Action {
        let (old, new, mode) = match change {
            visit::Change::Addition { oid, entry_mode, .. } => (None, Some(oid), entry_mode),
            visit::Change::Deletion { oid, entry_mode, .. } => (Some(oid), None, entry_mode),
            visit::Change::Modification { previous_oid, oid, entry_mode, .. } => {
                (Some(previous_oid), Some(oid), entry_mode)
            }
        };
        if mode.is_tree() {
            return ControlFlow::Continue(());
        }
        let owner = self.owner();
        if let Some(seen) = self.owners.get_mut(owner) {
            seen.files += 1;
            seen.delta += i64::from(new.is_some()) - i64::from(old.is_some());
            if self.path < seen.first_path {
                seen.first_path.clone_from(&self.path);
            }
        }
        if self.path.starts_with(WORKFLOWS) {
            self.workflows.extend(new.or(old).map(|blob| (self.path.clone(), blob)));
        }
        let text = matches!(mode.kind(), EntryKind::Blob | EntryKind::BlobExecutable);
        self.files.push(FileChange { owner, old, new, text });
        ControlFlow::Continue(())
    }
}
