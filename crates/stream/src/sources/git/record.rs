//! The second pass: what one commit did, from its text and the trees before and after it.
//!
//! A record depends on the commit alone (and on the domain map), never on other records, so that any number of
//! threads can make them. Knows nothing of agents, events or playing.

use super::{
    changes::{Changes, tree_entries},
    commit::CommitText,
    mentions::{Needles, TEXT_READ_MAX_BYTES},
    plan::{Base, Count, Planned},
};
use crate::sources::{
    domains::{Domains, Owner, printable, workflow_names},
    seed_lines,
};
use gix::{
    ObjectId,
    bstr::{BStr, BString, ByteSlice},
    diff::tree::State,
    objs::Find,
    prelude::Header,
};
use monkeytown_protocol::{SeedId, Timestamp};
use std::{collections::HashMap, rc::Rc};

/// Most texts of one commit that are read for references: an import of everything refers to everything.
const TEXTS_READ_MAX: usize = 2_000;
/// Most blobs whose references are remembered, so that a file's old content is seldom read again.
const REMEMBERED_BLOBS_MAX: usize = 50_000;
/// Memory for decoded objects (mostly trees) a thread, in bytes.
const OBJECT_CACHE_BYTES: usize = 16 * 1024 * 1024;

/// What one commit did.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) id: ObjectId,
    pub(super) time: Timestamp,
    pub(super) parents: Vec<ObjectId>,
    pub(super) subject: String,
    /// First line of the message's body.
    pub(super) body: Option<String>,
    /// Seeds that the message names.
    pub(super) seeds: Vec<SeedId>,
    /// Whether it is on the branch itself, rather than on one that was merged into it.
    pub(super) stays: bool,
    /// Number of a GitLab merge request, from the body.
    pub(super) merge_request: Option<u64>,
    pub(super) author: String,
    /// Changed files by domain, most first; of equals the one with the first path.
    pub(super) touched: Vec<(Owner, u32)>,
    /// By how much the number of files of a domain goes up or down.
    pub(super) counts: Vec<(Owner, i64)>,
    /// Domains that changed texts newly refer to.
    pub(super) mentions: Vec<Owner>,
    /// Names of the workflows that changed: files, stems, and `name:`, in lower case. None when no workflow did.
    pub(super) workflows: Option<Vec<String>>,
    /// The first parent is not here: what the commit holds is not all its own work.
    pub(super) cut: bool,
    /// Something of it could not be read.
    pub(super) incomplete: bool,
}

/// Makes records; one for each thread.
pub(super) struct Recorder<'a> {
    repository: gix::Repository,
    domains: &'a Domains,
    state: State,
    buffer: Vec<u8>,
    tree_before: Vec<u8>,
    tree_after: Vec<u8>,
    needles: Needles,
    /// The top-level folders that `needles` look for.
    folders: Vec<BString>,
    references: HashMap<ObjectId, Rc<[usize]>>,
}

impl<'a> Recorder<'a> {
    pub(super) fn new(mut repository: gix::Repository, domains: &'a Domains) -> Self {
        repository.object_cache_size_if_unset(OBJECT_CACHE_BYTES);
        let needles = Needles::of_map(domains);
        Self {
            repository,
            domains,
            state: State::default(),
            buffer: Vec::new(),
            tree_before: Vec::new(),
            tree_after: Vec::new(),
            needles,
            folders: Vec::new(),
            references: HashMap::new(),
        }
    }

    /// What `planned` did. What cannot be read is left out and marked.
    pub(super) fn record(&mut self, planned: &Planned) -> Record {
        let mut record = Record {
            id: planned.id,
            time: planned.time,
            parents: Vec::new(),
            subject: String::new(),
            body: None,
            seeds: Vec::new(),
            stays: planned.count != Count::No,
            merge_request: None,
            author: String::new(),
            touched: Vec::new(),
            counts: Vec::new(),
            mentions: Vec::new(),
            workflows: None,
            cut: planned.base == Base::Cut,
            incomplete: false,
        };
        self.read_text(&mut record);
        let base = match planned.base {
            Base::Tree(tree) => Some(tree),
            Base::Empty | Base::Cut => None,
        };
        let mut incomplete = record.incomplete;
        match self.changes(base, planned.tree) {
            Ok(changes) => {
                record.touched = changes.touched();
                if planned.count == Count::FromBase {
                    record.counts = changes.counts();
                }
                record.workflows = (!changes.workflows.is_empty()).then(|| self.workflow_names(&changes.workflows));
                // A merge only brings what the merged commits have said themselves.
                if record.parents.len() < 2 && !record.cut {
                    record.mentions = self.mentions(&changes, planned.tree, &mut incomplete);
                }
            }
            Err(error) => {
                tracing::warn!(commit = %planned.id, %error, "a commit's tree cannot be read");
                incomplete = true;
            }
        }
        if let Count::From(tree) = planned.count {
            match self.counts_between(tree, planned.tree) {
                Ok(counts) => record.counts = counts,
                Err(_) => incomplete = true,
            }
        }
        record.incomplete = incomplete;
        record
    }

    /// By how much the number of files of each domain differs between two trees.
    pub(super) fn counts_between(&mut self, before: ObjectId, after: ObjectId) -> gix::Result<Vec<(Owner, i64)>> {
        self.changes(Some(before), after).map(|changes| changes.counts())
    }

    fn read_text(&mut self, record: &mut Record) {
        let found = self.repository.objects.try_find(&record.id, &mut self.buffer).ok().flatten();
        let Some(commit) = found.and_then(|data| CommitText::parse(data.data)) else {
            record.incomplete = true;
            return;
        };
        record.seeds = seed_lines::named(commit.body());
        record.subject = commit.subject();
        record.body = commit.body().next().map(|line| printable(BStr::new(line)));
        record.merge_request = commit.body().find_map(|line| {
            let (_, number) = line.strip_prefix(b"See merge request ")?.rsplit_once_str(b"!")?;
            number.to_str().ok()?.parse().ok()
        });
        record.author = commit.author_email();
        record.parents = commit.parents;
    }

    fn changes(&mut self, before: Option<ObjectId>, after: ObjectId) -> gix::Result<Changes<'a>> {
        let mut changes = Changes::new(self.domains);
        if before == Some(after) {
            return Ok(changes);
        }
        let objects = &self.repository.objects;
        let lhs = tree_entries(objects, before, after.kind(), &mut self.tree_before)?;
        let rhs = tree_entries(objects, Some(after), after.kind(), &mut self.tree_after)?;
        gix::diff::tree(lhs, rhs, &mut self.state, &self.repository.objects, &mut changes)
            .map_err(|error| gix::Error::from_error(gix::error::Message::new(error.to_string())))?;
        changes.pair_renames();
        Ok(changes)
    }

    /// Domains whose path a changed text holds and its old content did not.
    fn mentions(&mut self, changes: &Changes<'_>, tree: ObjectId, incomplete: &mut bool) -> Vec<Owner> {
        let texts = changes.files.iter().filter(|file| file.text && file.new.is_some() && file.new != file.old);
        let texts: Vec<_> = texts.take(TEXTS_READ_MAX).collect();
        if texts.is_empty() {
            return Vec::new();
        }
        if self.look_for_folders_of(tree).is_err() {
            *incomplete = true;
        }
        if self.needles.is_empty() {
            return Vec::new();
        }
        let mut mentions = Vec::new();
        for file in texts {
            let Some(new) = file.new else { continue };
            let Some(found) = self.references(new) else {
                *incomplete = true;
                continue;
            };
            let own = changes.owners.get(file.owner).map(|seen| &seen.owner);
            let is_new = |needles: &Needles, at: usize| {
                needles.owner(at).is_some_and(|owner| Some(owner) != own && !mentions.contains(owner))
            };
            if !found.iter().any(|at| is_new(&self.needles, *at)) {
                continue;
            }
            let before = file.old.and_then(|old| self.references(old)).unwrap_or_default();
            for at in found.iter().filter(|at| !before.contains(at)) {
                let owner = self.needles.owner(*at).filter(|owner| Some(*owner) != own);
                mentions.extend(owner.filter(|owner| !mentions.contains(owner)).cloned());
            }
        }
        mentions
    }

    /// Without a map, the folders that the commit's own tree holds are looked for.
    fn look_for_folders_of(&mut self, tree: ObjectId) -> gix::Result<()> {
        if matches!(self.domains, Domains::Mapped(_)) {
            return Ok(());
        }
        let entries = tree_entries(&self.repository.objects, Some(tree), tree.kind(), &mut self.tree_after)?;
        let names = || entries.filter_map(|entry| entry.ok().filter(|entry| entry.mode.is_tree()).map(|e| e.filename));
        if !names().eq(self.folders.iter().map(|folder| folder.as_bstr())) {
            self.folders = names().map(BStr::to_owned).collect();
            self.needles = Needles::of_folders(self.folders.iter().map(|folder| folder.as_slice()));
            self.references.clear();
        }
        Ok(())
    }

    /// Which needles the blob `id` holds; none when it cannot be read.
    fn references(&mut self, id: ObjectId) -> Option<Rc<[usize]>> {
        if let Some(known) = self.references.get(&id) {
            return Some(known.clone());
        }
        // Asked first, since a large file must not be unpacked only to be passed over.
        let header = self.repository.objects.try_header(&id).ok().flatten()?;
        let found: Rc<[usize]> = if header.size() > TEXT_READ_MAX_BYTES as u64 {
            Rc::default()
        } else {
            let data = self.repository.objects.try_find(&id, &mut self.buffer).ok().flatten()?;
            self.needles.found_in(data.data).into()
        };
        if self.references.len() >= REMEMBERED_BLOBS_MAX {
            self.references.clear();
        }
        self.references.insert(id, found.clone());
        Some(found)
    }

    fn workflow_names(&mut self, workflows: &[(BString, ObjectId)]) -> Vec<String> {
        let mut names = Vec::new();
        if !self.domains.name_workflows() {
            return names;
        }
        for (path, blob) in workflows {
            names.extend(workflow_names(path.as_bstr()));
            let readable = self.repository.objects.try_header(blob).ok().flatten();
            if readable.is_some_and(|header| header.size() <= TEXT_READ_MAX_BYTES as u64) {
                let data = self.repository.objects.try_find(blob, &mut self.buffer).ok().flatten();
                names.extend(data.and_then(|data| {
                    let name = data.data.lines().find_map(|line| line.strip_prefix(b"name:"))?;
                    let name = name.to_str_lossy();
                    Some(name.trim().trim_matches(['"', '\'']).to_lowercase())
                }));
            }
        }
        names
    }
}
