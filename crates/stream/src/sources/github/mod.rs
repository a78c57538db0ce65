//! GitHub's webhooks as a source: from one delivery to events (`events.md`, "Sources"; `states.md`, "Entities").
//!
//! - **Who.** A workflow is the agent that the map gives its name or file to, else an agent of its own, called as it is. A
//!   pushed commit is of the author whom the map names, else of the domain that most of its files are in (without a map,
//!   the top-level folder), else of its author's last agent, else of the root's. A pull request is of the agent of its
//!   newest commit, else of its author's last one, else of the root's. An application that checks is an agent of its own.
//! - **What.** `workflow_run` and `workflow_job` alone say how an agent is; `push` tells transactions, `pull_request`
//!   contracts, reviews and checks flows, a release a transaction. Texts with a `Seed: ID` line tell of seeds.
//! - **Ids** are those of the Git source (`commit:…`, `pull:…`, `COMMIT/resource/…`) and so is `source`, so that what both
//!   tell is one thing. Pull requests of a second repository carry its name, since numbers begin anew there.
//! - **Order.** GitHub promises none: what a run or an attempt said after it ended, or before it was begun again, is
//!   passed over.
//! - **Times** are the payload's own, but never later than the present.
//! - What follows a delivery later (a rest, a run of which nothing more is heard) has the next number of that delivery.
//!
//! All that is remembered is bounded, and lost with the process, also where a journal keeps the events. Knows nothing of HTTP,
//! signatures, the log behind, or how events are counted; the moment is an argument.

mod checks;
mod issues;
mod json;
mod pulls;
mod push;
mod releases;
mod rests;
mod runs;
mod seeds;
mod telling;

use super::domains::{DomainMap, Domains, Identity, named};
use crate::recent::Recent;
use gix::bstr::BStr;
use json::Json;
use monkeytown_protocol::{EntityId, EntityKind, EntityPatch, EntityVerb, Event, HttpsUrl, SourceUri, Timestamp};
use rests::Rests;
use runs::Run;
use seeds::Seeds;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use telling::{Telling, set};

/// The events that are told; others are accepted and ignored.
pub(crate) const EVENTS: [&str; 11] = [
    "check_run",
    "check_suite",
    "issue_comment",
    "issues",
    "ping",
    "pull_request",
    "pull_request_review",
    "push",
    "release",
    "workflow_job",
    "workflow_run",
];
/// Longest id of a delivery, in bytes: GitHub's have 36, and those of events begin with it.
const DELIVERY_MAX_BYTES: usize = 128;
/// Agents, runs, pull requests, suites and people remembered, each.
const REMEMBERED_MAX: usize = 2_000;
/// Commits remembered with their agent.
const COMMITS_MAX: usize = 5_000;
/// The source of what a payload without a repository's address tells.
const NOWHERE: &str = "/hooks/github";

/// What webhooks are told by.
#[derive(Debug, Clone)]
pub struct GitHubConfig {
    /// Whose folder and workflow is whose; none for agents called as workflows and folders are.
    pub domains: Option<DomainMap>,
    /// The source of the repository whose pull requests are called by their number alone; none for the first that is
    /// heard of.
    pub home: Option<SourceUri>,
    /// How long after a run that went well its agent rests.
    pub rest_after: Duration,
    /// After how long without a word a run is given up.
    pub silence: Duration,
}

/// `X-GitHub-Delivery`: short, and plain enough to begin an event's id.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct DeliveryId(Arc<str>);

impl DeliveryId {
    pub(crate) fn new(id: &str) -> Option<Self> {
        let sound = !id.is_empty() && id.len() <= DELIVERY_MAX_BYTES && id.bytes().all(|byte| byte.is_ascii_graphic());
        sound.then(|| Self(Arc::from(id)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One delivery, found to be a JSON object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Delivery<'a> {
    id: &'a DeliveryId,
    event: &'a str,
    body: Json<'a>,
}

impl<'a> Delivery<'a> {
    /// Looks `text` through.
    ///
    /// # Errors
    /// When it is no JSON object.
    pub(crate) fn read(id: &'a DeliveryId, event: &'a str, text: &'a str) -> Result<Self, serde_json::Error> {
        Json::object(text).map(|body| Self { id, event, body })
    }
}

/// Why a delivery tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Untold {
    /// Its event is none of [`EVENTS`].
    Ignored,
    /// What it says changes nothing here, and why.
    Nothing(&'static str),
    /// It lacks what it would have to say.
    Missing(&'static str),
}

/// What happened to an agent's run, for who counts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RunReport {
    Began(EntityId),
    Ended { agent: EntityId, outcome: Option<RunOutcome>, took: Option<Duration> },
}

/// How a run ended, when it came to something or broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RunOutcome {
    Well,
    Broken,
}

/// What is told.
#[derive(Debug)]
pub(crate) struct Told {
    /// Next to one another, in this order.
    pub(crate) events: Vec<Event>,
    /// How much was left out for want of room.
    pub(crate) left_out: usize,
    pub(crate) runs: Vec<RunReport>,
    /// Why there is nothing, when that is so.
    pub(crate) untold: Option<Untold>,
}

/// Makes events of deliveries.
#[derive(Debug)]
pub(crate) struct GitHub {
    config: GitHubConfig,
    map: Option<Arc<Domains>>,
    home: Option<SourceUri>,
    /// Agents that have been told of, each with how often it has been woken.
    agents: Recent<EntityId, u64>,
    runs: Recent<u64, Run>,
    /// Whose run a check suite belongs to.
    suites: Recent<u64, EntityId>,
    commits: Recent<String, EntityId>,
    /// The last agent of an author, by login and by address.
    people: Recent<String, EntityId>,
    pulls: Recent<EntityId, pulls::Pull>,
    seeds: Seeds,
    rests: Rests,
}

/// What a handler works with, beside what is remembered.
struct Scene {
    telling: Telling,
    domains: Arc<Domains>,
    repository: Repository,
    runs: Vec<RunReport>,
    at: Instant,
}

struct Repository {
    full_name: String,
    default_branch: Option<String>,
}

impl GitHub {
    pub(crate) fn new(config: GitHubConfig) -> Self {
        Self {
            map: config.domains.clone().map(|map| Arc::new(Domains::Mapped(map))),
            home: config.home.clone(),
            config,
            agents: Recent::new(REMEMBERED_MAX),
            runs: Recent::new(REMEMBERED_MAX),
            suites: Recent::new(REMEMBERED_MAX),
            commits: Recent::new(COMMITS_MAX),
            people: Recent::new(REMEMBERED_MAX),
            pulls: Recent::new(REMEMBERED_MAX),
            seeds: Seeds::default(),
            rests: Rests::default(),
        }
    }

    /// What a delivery tells, heard `at` a moment at which the wall clock showed `now`.
    pub(crate) fn hear(&mut self, delivery: Delivery<'_>, now: Timestamp, at: Instant) -> Told {
        let Delivery { id, event, body } = delivery;
        let mut scene = self.scene(id, body, now, at);
        let outcome = match event {
            "ping" => Err(Untold::Nothing("the hook is heard")),
            "workflow_run" => self.workflow_run(body, &mut scene),
            "workflow_job" => self.workflow_job(body, &mut scene),
            "push" => self.push(body, &mut scene),
            "pull_request" => self.pull_request(body, &mut scene),
            "pull_request_review" => self.review(body, &mut scene),
            "issues" => self.issue(body, &mut scene),
            "issue_comment" => self.comment(body, &mut scene),
            "check_run" => self.check_run(body, &mut scene),
            "check_suite" => self.check_suite(body, &mut scene),
            "release" => self.release(body, &mut scene),
            _ => Err(Untold::Ignored),
        };
        let untold = outcome.err().filter(|_| scene.telling.events.is_empty());
        let Telling { events, left_out, .. } = scene.telling;
        Told { events, left_out, runs: scene.runs, untold }
    }

    fn scene(&mut self, id: &DeliveryId, body: Json<'_>, now: Timestamp, at: Instant) -> Scene {
        let repository = body.field("repository");
        let fields =
            repository.map(|repository| repository.fields(["html_url", "name", "full_name", "default_branch"]));
        let [url, name, full_name, default_branch] = fields.unwrap_or_default();
        let source = telling::url(url).and_then(|url: HttpsUrl| SourceUri::new(url.as_str()).ok());
        let source = source.unwrap_or_else(|| SourceUri::new(NOWHERE).expect("a constant, short and plain"));
        if repository.is_some() && self.home.is_none() {
            self.home = Some(source.clone());
        }
        // GitHub takes an address in any case, and whoever cloned may have written another than it does.
        let home = self.home.as_ref().filter(|home| home.as_str().eq_ignore_ascii_case(source.as_str()));
        let source = home.cloned().unwrap_or(source);
        let domains = self.map.clone().unwrap_or_else(|| {
            let root = name.and_then(Json::text).unwrap_or_else(|| "root".to_owned());
            Arc::new(Domains::Folders { root_label: telling::name(&root).to_string() })
        });
        Scene {
            telling: Telling::new(source, id.as_str(), now),
            domains,
            repository: Repository {
                full_name: full_name.and_then(Json::text).unwrap_or_default(),
                default_branch: default_branch.and_then(Json::text),
            },
            runs: Vec::new(),
            at,
        }
    }

    /// When there is something to tell without a delivery.
    pub(crate) fn next_due(&self) -> Option<Instant> {
        self.rests.next_due()
    }

    /// What is due until `at`.
    pub(crate) fn due(&mut self, now: Timestamp, at: Instant) -> Vec<Told> {
        let mut told = Vec::new();
        while let Some(rest) = self.rests.pop_rest(at) {
            told.extend(self.rest(rest, now));
        }
        while let Some(run) = self.rests.pop_silence(at) {
            told.extend(self.give_up(run, now, at));
        }
        told
    }

    /// The agent called so; told of when it is first spoken of, and those that the map names before any other.
    fn agent(&mut self, identity: Identity, time: Timestamp, scene: &mut Scene) -> EntityId {
        let domains = Arc::clone(&scene.domains);
        let mapped = domains.known_from_the_start().into_iter().map(|owner| domains.identity(&owner));
        for mapped in mapped {
            self.introduce(mapped, time, scene);
        }
        let id = identity.id.clone();
        self.introduce(identity, time, scene);
        id
    }

    fn introduce(&mut self, identity: Identity, time: Timestamp, scene: &mut Scene) {
        if self.agents.get(&identity.id).is_some() {
            return;
        }
        self.agents.insert(identity.id.clone(), 0);
        // How it is and how many files it has, another source may have told already.
        let patch = EntityPatch {
            kind: Some(EntityKind::Agent),
            label: Some(identity.label),
            parent: set(identity.parent),
            ..EntityPatch::of(identity.id)
        };
        scene.telling.entity(time, EntityVerb::Created, patch);
    }

    /// The agent that a map gives one of these names of a workflow or application to, else one called `name`.
    fn worker(&mut self, names: &[String], name: &str, label: &str, time: Timestamp, scene: &mut Scene) -> EntityId {
        let owner = scene.domains.owners_of_workflow(names).into_iter().next();
        let identity = match owner {
            Some(owner) => scene.domains.identity(&owner),
            None => Identity { label: telling::name(label), ..named(telling::name(name).as_str()) },
        };
        self.agent(identity, time, scene)
    }

    /// Who owns what lies in no folder.
    fn root(&mut self, time: Timestamp, scene: &mut Scene) -> EntityId {
        let identity = scene.domains.identity(&scene.domains.owner_of(BStr::new("")));
        self.agent(identity, time, scene)
    }

    /// The contract that the pull request of this number is.
    fn contract_id(&self, number: u64, scene: &Scene) -> Option<EntityId> {
        let id = if self.home.as_ref() == Some(&scene.telling.source) {
            format!("pull:{number}")
        } else {
            format!("pull:{}#{number}", telling::plain(&scene.repository.full_name))
        };
        EntityId::new(&id).ok()
    }
}

/// The text under `action`.
fn action_of(body: Json<'_>) -> Result<String, Untold> {
    body.field("action").and_then(Json::text).ok_or(Untold::Missing("action"))
}
