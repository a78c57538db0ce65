//! The first pass: which commits there are to tell of, in which order and when, without their contents.
//!
//! Bounded by the number of commits (about 150 bytes each), not by what they hold. Knows nothing of domains,
//! events or playing.

use super::{commit::CommitText, error::GitError};
use gix::{ObjectId, objs::Find};
use monkeytown_protocol::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet},
};

/// A committer's time before this is no time that anybody committed at, in seconds: clocks that were never set.
const EARLIEST_SECONDS: i64 = 86_400;

/// What a commit is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// Nothing: the commit begins the history.
    Empty,
    /// This tree.
    Tree(ObjectId),
    /// Its first parent is not here (a shallow clone's edge, or an object that is lost): compared with nothing
    /// too, but what it holds is not its own work.
    Cut,
}

/// From where the number of files goes on. Only commits on the branch itself (first parents) change it: what is
/// merged arrives with the merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Count {
    /// The commit is beside the branch.
    No,
    /// From what it is compared with anyway.
    FromBase,
    /// From this tree, after the branch was rewritten.
    From(ObjectId),
}

/// A commit to tell of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Planned {
    pub(super) id: ObjectId,
    pub(super) tree: ObjectId,
    pub(super) base: Base,
    pub(super) count: Count,
    /// The committer's time, made monotone and taken out of the future.
    pub(super) time: Timestamp,
}

/// Commits to tell of, parents before children, otherwise the oldest first.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) commits: Vec<Planned>,
    /// Commits or parents that should be here and cannot be read.
    pub(super) unreadable: usize,
    /// From which tree to which the number of files goes without a commit: the branch was set back, or on to
    /// commits that were told of before.
    pub(super) recount: Option<(ObjectId, ObjectId)>,
    /// The tip's tree.
    pub(super) tip_tree: Option<ObjectId>,
}

struct Node {
    id: ObjectId,
    tree: ObjectId,
    seconds: i64,
    /// Range in the list of all parents.
    parents: (u32, u32),
    cut: bool,
}

/// What was told of before.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Every commit.
    pub(super) commits: HashSet<ObjectId>,
    /// The tree that the numbers of files stand for.
    pub(super) counted: Option<ObjectId>,
    /// No time is earlier than this.
    pub(super) latest: Option<Timestamp>,
}

impl Plan {
    /// All that can be reached from `tip` and was not `told`.
    ///
    /// # Errors
    /// When `tip` itself cannot be read.
    pub(super) fn new(
        repository: &gix::Repository,
        tip: ObjectId,
        told: &Told,
        now: Timestamp,
    ) -> Result<Self, GitError> {
        let (graph, unreadable) = Graph::read(repository, tip, &told.commits)?;
        let order = graph.order();
        let mainline = graph.mainline(tip);
        let mut counted = told.counted;
        let mut clock = Clock::new(told.latest, now, order.iter().filter_map(|at| graph.nodes.get(*at)));
        let mut buffer = Vec::new();
        let commits = order
            .iter()
            .filter_map(|at| graph.nodes.get(*at).map(|node| (at, node)))
            .map(|(at, node)| {
                let base = graph.base(node, repository, &mut buffer);
                let count = if !mainline.contains(at) {
                    Count::No
                } else {
                    let from = match (counted, base) {
                        (Some(counted), Base::Tree(tree)) if counted == tree => Count::FromBase,
                        (Some(counted), _) => Count::From(counted),
                        (None, _) => Count::FromBase,
                    };
                    counted = Some(node.tree);
                    from
                };
                Planned { id: node.id, tree: node.tree, base, count, time: clock.time(node.seconds) }
            })
            .collect();
        let tip_tree = match mainline.is_empty() {
            true => tree_of(repository, tip)?,
            false => counted.unwrap_or_else(|| ObjectId::empty_tree(tip.kind())),
        };
        let recount = counted.filter(|counted| mainline.is_empty() && *counted != tip_tree);
        Ok(Self { commits, unreadable, recount: recount.map(|from| (from, tip_tree)), tip_tree: Some(tip_tree) })
    }
}

struct Graph {
    nodes: Vec<Node>,
    index: HashMap<ObjectId, usize>,
    /// Parents of all nodes, end to end. One that is not a node was told of before.
    parents: Vec<ObjectId>,
}

impl Graph {
    fn read(repository: &gix::Repository, tip: ObjectId, told: &HashSet<ObjectId>) -> Result<(Self, usize), GitError> {
        let name = repository.path().display().to_string();
        let shallow = repository.shallow_commits().map_err(|error| GitError::unreadable(&name, error))?;
        let is_cut = |id: &ObjectId| shallow.as_ref().is_some_and(|cut| cut.iter().any(|other| other == id));
        let mut graph = Self { nodes: Vec::new(), index: HashMap::new(), parents: Vec::new() };
        let mut lost = HashSet::new();
        let mut buffer = Vec::new();
        let mut open = vec![tip];
        while let Some(id) = open.pop() {
            if told.contains(&id) || graph.index.contains_key(&id) || lost.contains(&id) {
                continue;
            }
            let first = graph.parents.len();
            match header(repository, id, &mut buffer, &mut graph.parents) {
                Ok((tree, seconds)) => {
                    let cut = is_cut(&id);
                    if cut {
                        graph.parents.truncate(first);
                    }
                    open.extend_from_slice(graph.parents.get(first..).unwrap_or_default());
                    let parents = (index(first), index(graph.parents.len()));
                    graph.index.insert(id, graph.nodes.len());
                    graph.nodes.push(Node { id, tree, seconds, parents, cut });
                }
                Err(reason) if id == tip => return Err(GitError::Unreadable { repository: name, reason }),
                Err(reason) => {
                    tracing::warn!(commit = %id, reason, "a commit cannot be read");
                    graph.parents.truncate(first);
                    lost.insert(id);
                }
            }
        }
        for node in &mut graph.nodes {
            let first = graph.parents.get(node.parents.0 as usize).filter(|_| node.parents.0 < node.parents.1);
            node.cut |= first.is_some_and(|first| lost.contains(first));
        }
        Ok((graph, lost.len()))
    }

    fn parents(&self, node: &Node) -> &[ObjectId] {
        self.parents.get(node.parents.0 as usize..node.parents.1 as usize).unwrap_or_default()
    }

    /// Parents before children, otherwise by time, then by id, so that the order is the same every time.
    fn order(&self) -> Vec<usize> {
        let mut children = vec![Vec::<u32>::new(); self.nodes.len()];
        let mut waits_for = vec![0_u32; self.nodes.len()];
        for (at, (node, waits)) in self.nodes.iter().zip(&mut waits_for).enumerate() {
            for parent in self.parents(node) {
                if let Some(list) = self.index.get(parent).and_then(|parent| children.get_mut(*parent)) {
                    list.push(index(at));
                    *waits += 1;
                }
            }
        }
        let key = |at: usize| self.nodes.get(at).map(|node| Reverse((node.seconds, node.id, at)));
        let mut ready: BinaryHeap<_> =
            waits_for.iter().enumerate().filter(|(_, waits)| **waits == 0).filter_map(|(at, _)| key(at)).collect();
        let mut order = Vec::with_capacity(self.nodes.len());
        while let Some(Reverse((_, _, at))) = ready.pop() {
            order.push(at);
            for child in children.get(at).into_iter().flatten().map(|child| *child as usize) {
                if let Some(waits) = waits_for.get_mut(child) {
                    *waits -= 1;
                    if *waits == 0 {
                        ready.extend(key(child));
                    }
                }
            }
        }
        order
    }

    /// The branch itself: the tip, its first parent, and so on.
    fn mainline(&self, tip: ObjectId) -> HashSet<usize> {
        let mut line = HashSet::new();
        let mut next = Some(tip);
        while let Some(at) = next.and_then(|id| self.index.get(&id).copied()) {
            line.insert(at);
            next = self.nodes.get(at).and_then(|node| self.parents(node).first().copied());
        }
        line
    }

    fn base(&self, node: &Node, repository: &gix::Repository, buffer: &mut Vec<u8>) -> Base {
        match self.parents(node).first() {
            _ if node.cut => Base::Cut,
            None => Base::Empty,
            Some(parent) => match self.index.get(parent).and_then(|at| self.nodes.get(*at)) {
                Some(parent) => Base::Tree(parent.tree),
                // Told of before: only its tree is wanted.
                None => {
                    header(repository, *parent, buffer, &mut Vec::new()).map_or(Base::Cut, |(tree, _)| Base::Tree(tree))
                }
            },
        }
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("four thousand million commits do not fit into memory either")
}

/// The tree of the commit `id`.
pub(super) fn tree_of(repository: &gix::Repository, id: ObjectId) -> Result<ObjectId, GitError> {
    header(repository, id, &mut Vec::new(), &mut Vec::new())
        .map(|(tree, _)| tree)
        .map_err(|reason| GitError::Unreadable { repository: repository.path().display().to_string(), reason })
}

/// Tree and committer's time of a commit; its parents are put behind `parents`. A time that cannot be read is 0.
fn header(
    repository: &gix::Repository,
    id: ObjectId,
    buffer: &mut Vec<u8>,
    parents: &mut Vec<ObjectId>,
) -> Result<(ObjectId, i64), String> {
    let data = repository.objects.try_find(&id, buffer).map_err(|error| error.to_string())?;
    let data = data.ok_or_else(|| format!("the commit {id} is missing"))?;
    let commit = Some(data.data).filter(|_| data.kind == gix::objs::Kind::Commit).and_then(CommitText::parse);
    let commit = commit.ok_or_else(|| format!("{id} is no commit"))?;
    parents.extend_from_slice(&commit.parents);
    Ok((commit.tree, commit.seconds().unwrap_or(0)))
}

/// Makes committers' times monotone: one that lies (before [`EARLIEST_SECONDS`], or in the future) is taken to
/// the time of the commit before it.
struct Clock {
    latest: Timestamp,
    now: Timestamp,
}

impl Clock {
    fn new<'a>(latest: Option<Timestamp>, now: Timestamp, mut order: impl Iterator<Item = &'a Node>) -> Self {
        let earliest = || {
            let honest = order.find(|node| Self::honest(node.seconds, now)).map(|node| node.seconds);
            honest.map_or(now, |seconds| Timestamp::from_millis(seconds.saturating_mul(1_000)))
        };
        Self { latest: latest.unwrap_or_else(earliest), now }
    }

    fn honest(seconds: i64, now: Timestamp) -> bool {
        seconds >= EARLIEST_SECONDS && seconds <= now.millis().div_euclid(1_000)
    }

    fn time(&mut self, seconds: i64) -> Timestamp {
        if Self::honest(seconds, self.now) {
            self.latest = self.latest.max(Timestamp::from_millis(seconds.saturating_mul(1_000)));
        }
        self.latest
    }
}

/// Whether `tip` holds `ancestor`. What cannot be read holds nothing.
pub(super) fn descends(repository: &gix::Repository, tip: ObjectId, ancestor: ObjectId) -> bool {
    let mut seen = HashSet::from([tip]);
    let mut buffer = Vec::new();
    // The newest first, so that a branch that only went on is known after its new commits.
    let mut open = BinaryHeap::from([(i64::MAX, tip)]);
    while let Some((_, id)) = open.pop() {
        if id == ancestor {
            return true;
        }
        let mut parents = Vec::new();
        if let Ok((_, seconds)) = header(repository, id, &mut buffer, &mut parents) {
            open.extend(parents.into_iter().filter(|parent| seen.insert(*parent)).map(|parent| (seconds, parent)));
        }
    }
    false
}
