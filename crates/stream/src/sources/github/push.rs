//! `push`: each commit a transaction of its agent, a `resource` flow to each other domain that it changed, a `signal` when
//! workflow files changed; and the seeds that messages name.
//!
//! The payload names files and no contents, so there are no `message` flows, and flows arrive at once: no agent is known
//! to be at work by a push. A commit that was pushed before, to another branch, is told once. A seed that a commit names
//! has come to something when that commit is on the default branch, whenever it arrives there.

use super::{
    GitHub, Scene, Untold,
    json::Json,
    pulls::is_commit,
    seeds::Outcome,
    telling::{Way, name, set, url},
};
use crate::sources::{
    commit_message,
    domains::{Owner, workflow_names},
    seed_lines,
};
use gix::bstr::BStr;
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Field, FlowId, FlowKind, HttpsUrl, Timestamp,
};
use std::collections::{BTreeMap, HashMap};

/// Most commits of a push that are told, the newest.
const COMMITS_MAX: usize = 250;
/// Most names in each of a commit's lists of files that are looked at.
const FILES_MAX: usize = 3_000;
/// Most flows that start with one commit.
const FLOWS_MAX: usize = 16;
/// Where GitHub Actions keeps what runs when.
const WORKFLOWS: &str = ".github/workflows/";

/// A commit that is told.
struct Pushed {
    id: String,
    message: String,
    time: Timestamp,
    agent: EntityId,
    /// Owners of its files, most first.
    touched: Vec<Owner>,
    workflows: Vec<String>,
    url: Option<HttpsUrl>,
    /// Whether it was on no branch before.
    is_new: bool,
}

impl GitHub {
    pub(super) fn push(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let [branch, commits, pusher] = body.fields(["ref", "commits", "pusher"]);
        let branch = branch.and_then(Json::text).ok_or(Untold::Missing("ref"))?;
        let branch = branch.strip_prefix("refs/heads/").ok_or(Untold::Nothing("no branch was pushed"))?;
        let on_default = scene.repository.default_branch.as_deref() == Some(branch);
        let (commits, before) = commits.ok_or(Untold::Missing("commits"))?.list(COMMITS_MAX);
        scene.telling.left_out += before;
        let pusher = pusher.and_then(|pusher| pusher.text_at(&["name"]));
        let mut pushed = Vec::new();
        let mut unreadable = false;
        for commit in commits {
            match self.pushed(commit, pusher.as_deref(), scene) {
                Some(commit) => pushed.push(commit),
                None => unreadable = true,
            }
        }
        // What came to something first, then what passed between whom: where there is no room, the latter goes.
        for commit in pushed.iter().filter(|commit| commit.is_new) {
            transaction(commit, scene);
        }
        for commit in &pushed {
            self.seeds_pushed(commit, on_default, scene);
        }
        for commit in pushed.iter().filter(|commit| commit.is_new) {
            self.flows_of(commit, scene);
        }
        match () {
            () if unreadable => Err(Untold::Missing("commits.id")),
            () if scene.telling.events.is_empty() => Err(Untold::Nothing("no new commit was pushed")),
            () => Ok(()),
        }
    }

    fn pushed(&mut self, commit: Json<'_>, pusher: Option<&str>, scene: &mut Scene) -> Option<Pushed> {
        let [id, message, time, page, distinct] = commit.fields(["id", "message", "timestamp", "url", "distinct"]);
        let [author, added, removed, modified] = commit.fields(["author", "added", "removed", "modified"]);
        let id = id.and_then(Json::text).filter(|id| is_commit(id))?;
        let time = scene.telling.time(time);
        let mut counts: HashMap<Owner, (usize, String)> = HashMap::new();
        let mut workflows = Vec::new();
        for list in [added, removed, modified].into_iter().flatten() {
            for path in list.list(FILES_MAX).0.into_iter().filter_map(Json::text) {
                if path.starts_with(WORKFLOWS) {
                    workflows.extend(workflow_names(BStr::new(&path)));
                }
                let owner = scene.domains.owner_of(BStr::new(&path));
                let seen = counts.entry(owner).or_insert_with(|| (0, path.clone()));
                seen.0 += 1;
                seen.1 = path.min(std::mem::take(&mut seen.1));
            }
        }
        // Most files first; of equals the one with the first path, as the Git source has it.
        let ranked: BTreeMap<_, _> =
            counts.into_iter().map(|(owner, (files, first))| ((usize::MAX - files, first), owner)).collect();
        let touched: Vec<Owner> = ranked.into_values().collect();
        let names = author.map(|author| author.fields(["email", "username"])).unwrap_or_default();
        let [email, login] = names.map(|name| name.and_then(Json::text).map(|name| name.to_lowercase()));
        let owner = email.as_deref().and_then(|email| scene.domains.owner_of_author(email));
        let is_new = distinct.and_then(Json::flag).unwrap_or(true);
        let agent = match owner.or_else(|| touched.first().cloned()) {
            Some(owner) if is_new => {
                let identity = scene.domains.identity(&owner);
                self.agent(identity, time, scene)
            }
            // Nobody is spoken of for a commit that is not told.
            Some(owner) => scene.domains.identity(&owner).id,
            None => {
                let last = [&email, &login].into_iter().flatten().find_map(|name| self.people.get(name).cloned());
                last.unwrap_or_else(|| self.root(time, scene))
            }
        };
        let pusher = pusher.filter(|_| login.is_none()).map(str::to_lowercase);
        for person in [email, login, pusher].into_iter().flatten().filter(|person| person.len() <= 256) {
            self.people.insert(person, agent.clone());
        }
        self.commits.insert(id.clone(), agent.clone());
        Some(Pushed {
            message: message.and_then(Json::text).unwrap_or_default(),
            time,
            agent,
            touched,
            workflows,
            url: url(page),
            is_new,
            id,
        })
    }

    fn seeds_pushed(&mut self, commit: &Pushed, on_default: bool, scene: &mut Scene) {
        let place = format!("commit:{}", commit.id);
        for seed in seed_lines::named(commit_message::body(commit.message.as_bytes())) {
            let outcome = if on_default { Outcome::Complete } else { Outcome::Open };
            self.seed(&seed, &place, outcome, commit.url.clone(), commit.time, scene);
        }
    }

    fn flows_of(&mut self, commit: &Pushed, scene: &mut Scene) {
        let mut targets: Vec<(FlowKind, Owner)> =
            commit.touched.iter().map(|owner| (FlowKind::Resource, owner.clone())).collect();
        if !commit.workflows.is_empty() {
            let named = scene.domains.owners_of_workflow(&commit.workflows);
            let keeper = scene.domains.owner_of(BStr::new(WORKFLOWS));
            let to = if named.is_empty() { vec![keeper] } else { named };
            targets.extend(to.into_iter().map(|owner| (FlowKind::Signal, owner)));
        }
        let mut told = 0;
        for (kind, owner) in targets {
            let identity = scene.domains.identity(&owner);
            if identity.id == commit.agent {
                continue;
            }
            if told == FLOWS_MAX {
                scene.telling.left_out += 1;
                continue;
            }
            told += 1;
            let target = self.agent(identity, commit.time, scene);
            let Ok(id) = FlowId::new(&format!("{}/{}/{target}", commit.id, kind.as_str())) else { continue };
            let way = Way { id, source: commit.agent.clone(), target, kind };
            scene.telling.start(commit.time, &way);
            scene.telling.arrive(commit.time, &way);
        }
    }
}

fn transaction(commit: &Pushed, scene: &mut Scene) {
    let Ok(id) = EntityId::new(&format!("commit:{}", commit.id)) else { return };
    let subject = commit_message::subject(commit.message.as_bytes());
    let label = match subject.trim() {
        "" => format!("commit {}", commit.id.get(..7).unwrap_or_default()),
        subject => subject.to_owned(),
    };
    let patch = EntityPatch {
        kind: Some(EntityKind::Transaction),
        status: Some(EntityStatus::Complete),
        label: Some(name(&label)),
        parent: Field::Set(commit.agent.clone()),
        url: set(commit.url.clone()),
        ..EntityPatch::of(id)
    };
    scene.telling.entity(commit.time, EntityVerb::Created, patch);
}
