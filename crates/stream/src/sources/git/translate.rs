//! From what a commit did to events (`events.md`, "Sources"; `states.md`, "Entities").
//!
//! - A commit is a transaction of the agent in whose domain most of its changed files lie; the map's `authors`
//!   go before that. One that changes no file is of the agent of its author's last commit, else of the root's.
//! - A merge, or a squashed pull request, settles a contract as well.
//! - Flows start with the commit, and complete when its agent next commits or rests, whichever comes first: so
//!   a flow is under way for as long as its agent is at work, and the load means something. A merge starts its
//!   contract's flow alone: what it brings, the merged commits have told. The edge of a shallow clone starts
//!   none: what it holds is not its own work.
//! - A signal goes to the agents that the map gives the changed workflows, else to the owner of `.github/`,
//!   else to the root, never to the agent itself.
//! - A seed that a commit names is found by it, moved on by others, and comes to something, with the commit's address,
//!   when it is on the branch ([`super::seeds`]).
//! - An agent rests [`REST_MILLIS`] after its last commit.
//!
//! Every id is made from commits' ids, so that reading again gives the same events. Knows no repository, no
//! pace and no sink.

use super::{
    forge::Forge,
    pulls,
    record::Record,
    seeds::{Growth, Seeds},
};
use crate::sources::{
    domains::{Domains, Owner, PEOPLE_ID},
    seed_lines,
};
use gix::{ObjectId, bstr::BStr};
use monkeytown_protocol::{
    Domain, EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, EventId, Field, Flow, FlowId, FlowKind,
    FlowStatus, FlowVerb, Payload, Ratio, SeedReport, SeedStatus, SeedVerb, SourceUri, Text, Timestamp,
};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

/// How long after its last commit an agent rests, in milliseconds of the playback's clock.
pub(super) const REST_MILLIS: i64 = 600_000;

/// Events that happened together.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) time: Timestamp,
    pub(super) kind: StepKind,
    pub(super) events: Vec<Event>,
}

/// What a step tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// A commit.
    Commit,
    /// An agent that lies down.
    Rest,
}

/// Makes events of records, in the order in which they are given.
#[derive(Debug)]
pub(super) struct Translator {
    source: SourceUri,
    forge: Option<Forge>,
    domains: Arc<Domains>,
    agents: Vec<Agent>,
    by_owner: HashMap<Owner, usize>,
    last_of_author: HashMap<String, usize>,
    /// Who rests when, in the order of the times. Void when the agent has committed since.
    rests: VecDeque<(Timestamp, usize, ObjectId)>,
    pulls: HashSet<u64>,
    seeds: Seeds,
    latest: Option<Timestamp>,
    incomplete: usize,
}

#[derive(Debug)]
struct Agent {
    id: EntityId,
    path: Option<Text>,
    files: i64,
    /// The commit that keeps it awake.
    awake_for: Option<ObjectId>,
    flows: Vec<Flow>,
}

impl Translator {
    pub(super) fn new(source: SourceUri, forge: Option<Forge>, domains: Arc<Domains>) -> Self {
        Self {
            source,
            forge,
            domains,
            agents: Vec::new(),
            by_owner: HashMap::new(),
            last_of_author: HashMap::new(),
            rests: VecDeque::new(),
            pulls: HashSet::new(),
            seeds: Seeds::default(),
            latest: None,
            incomplete: 0,
        }
    }

    /// The source that every event names.
    pub(super) fn source(&self) -> &SourceUri {
        &self.source
    }

    pub(super) fn domains(&self) -> &Arc<Domains> {
        &self.domains
    }

    /// The time of the last event.
    pub(super) fn latest(&self) -> Option<Timestamp> {
        self.latest
    }

    /// How many commits could not be read whole since this was last asked.
    pub(super) fn take_incomplete(&mut self) -> usize {
        std::mem::take(&mut self.incomplete)
    }

    /// Agents that lie down until `clock`, each at its time.
    pub(super) fn rest_until(&mut self, clock: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some((time, at, commit)) = self.rests.front().copied().filter(|(time, ..)| *time <= clock) {
            self.rests.pop_front();
            let Some(agent) = self.agents.get_mut(at).filter(|agent| agent.awake_for == Some(commit)) else {
                continue;
            };
            agent.awake_for = None;
            let id = agent.id.clone();
            self.latest = self.latest.max(Some(time));
            let mut events = self.complete_flows(at, time);
            let patch = EntityPatch { status: Some(EntityStatus::Idle), ..EntityPatch::of(id) };
            events.push(self.entity(&format!("{commit}/rest"), time, EntityVerb::StatusChanged, patch));
            steps.push(Step { time, kind: StepKind::Rest, events });
        }
        steps
    }

    /// The events of a commit. `clock` is what the source's clock shows when it is told: the commit's own time
    /// in a history that is played, the present for one that is followed.
    pub(super) fn commit(&mut self, record: &Record, clock: Timestamp) -> Step {
        let (id, time) = (record.id, record.time);
        self.latest = self.latest.max(Some(time));
        self.incomplete += usize::from(record.incomplete);
        let mut events = Vec::new();
        if self.agents.is_empty() {
            for owner in self.domains.known_from_the_start() {
                self.agent(&owner, record, &mut events);
            }
        }
        let at = self.agent_of(record, &mut events);
        let agent = self.id_of(at);
        events.extend(self.complete_flows(at, time));

        let fallback = || format!("commit {}", id.to_hex_with_len(7));
        let subject = if record.subject.is_empty() { fallback() } else { record.subject.clone() };
        let subject = Text::fitted(&subject);
        let awake = EntityPatch {
            status: Some(EntityStatus::Active),
            activity: Field::Set(subject.clone()),
            ..EntityPatch::of(agent.clone())
        };
        events.push(self.entity(&format!("{id}/agent"), time, EntityVerb::StatusChanged, awake));
        let transaction = EntityPatch {
            kind: Some(EntityKind::Transaction),
            status: Some(EntityStatus::Complete),
            label: Some(subject),
            parent: Field::Set(agent.clone()),
            url: url(self.forge.as_ref().and_then(|forge| forge.commit(id))),
            ..EntityPatch::of(entity_id(&format!("commit:{id}")))
        };
        events.push(self.entity(&format!("{id}/tx"), time, EntityVerb::Created, transaction));
        let settles = self.contract(record, &agent, &mut events);
        for (owner, delta) in &record.counts {
            self.count(owner, *delta, record, &mut events);
        }
        self.start_flows(at, record, settles, &mut events);
        self.grow_seeds(record, &mut events);

        if let Some(agent) = self.agents.get_mut(at) {
            agent.awake_for = Some(id);
        }
        self.last_of_author.insert(record.author.clone(), at);
        let rest = time.max(clock).plus_millis(REST_MILLIS);
        // The times of rests never go back, even when the wall clock does.
        let rest = self.rests.back().map_or(rest, |(last, ..)| rest.max(*last));
        self.rests.push_back((rest, at, id));
        Step { time, kind: StepKind::Commit, events }
    }

    /// The numbers of files after the branch went from one known commit to another, `named` so in the ids.
    pub(super) fn recount(&mut self, counts: &[(Owner, i64)], named: &str, time: Timestamp) -> Vec<Event> {
        let mut events = Vec::new();
        for (owner, delta) in counts {
            if let Some(at) = self.by_owner.get(owner).copied() {
                events.extend(self.counted(at, *delta, named, time));
            }
        }
        events
    }

    fn agent_of(&mut self, record: &Record, events: &mut Vec<Event>) -> usize {
        let named = self.domains.owner_of_author(&record.author);
        let owner = named.or_else(|| record.touched.first().map(|(owner, _)| owner.clone()));
        match owner {
            Some(owner) => self.agent(&owner, record, events),
            None => match self.last_of_author.get(&record.author) {
                Some(at) => *at,
                None => self.agent(&self.root(), record, events),
            },
        }
    }

    /// Who owns what lies in no folder.
    fn root(&self) -> Owner {
        self.domains.owner_of(BStr::new(""))
    }

    /// The agent of `owner`, created when it is first spoken of.
    fn agent(&mut self, owner: &Owner, record: &Record, events: &mut Vec<Event>) -> usize {
        if let Some(at) = self.by_owner.get(owner) {
            return *at;
        }
        let identity = self.domains.identity(owner);
        // Names that differ only in what cannot be shown share an agent.
        let known = self.agents.iter().position(|agent| agent.id == identity.id);
        let at = known.unwrap_or(self.agents.len());
        self.by_owner.insert(owner.clone(), at);
        if known.is_some() {
            return at;
        }
        let patch = EntityPatch {
            kind: Some(EntityKind::Agent),
            status: Some(EntityStatus::Idle),
            label: Some(identity.label),
            parent: identity.parent.map_or(Field::Absent, Field::Set),
            domain: identity.path.clone().map_or(Field::Absent, |path| Field::Set(Domain { path, files: 0 })),
            ..EntityPatch::of(identity.id.clone())
        };
        let id = format!("{}/created/{}", record.id, identity.id);
        events.push(self.entity(&id, record.time, EntityVerb::Created, patch));
        self.agents.push(Agent { id: identity.id, path: identity.path, files: 0, awake_for: None, flows: Vec::new() });
        at
    }

    fn id_of(&self, at: usize) -> EntityId {
        self.agents.get(at).map(|agent| agent.id.clone()).expect("numbers of agents come from `agent`, none is removed")
    }

    fn count(&mut self, owner: &Owner, delta: i64, record: &Record, events: &mut Vec<Event>) {
        let at = self.agent(owner, record, events);
        events.extend(self.counted(at, delta, &record.id.to_string(), record.time));
    }

    fn counted(&mut self, at: usize, delta: i64, named: &str, time: Timestamp) -> Option<Event> {
        let agent = self.agents.get_mut(at)?;
        agent.files += delta;
        let domain = Domain { path: agent.path.clone()?, files: u32::try_from(agent.files.max(0)).unwrap_or(u32::MAX) };
        let patch = EntityPatch { domain: Field::Set(domain), ..EntityPatch::of(agent.id.clone()) };
        let id = format!("{named}/files/{}", agent.id);
        Some(self.entity(&id, time, EntityVerb::Updated, patch))
    }

    /// Tells the contract that the commit settles, if any.
    fn contract(&mut self, record: &Record, agent: &EntityId, events: &mut Vec<Event>) -> bool {
        let Some(settled) = pulls::settled(record) else { return false };
        // A number settles once; a commit that names it again (picked to another branch) settles a contract
        // of its own.
        let first = settled.number.filter(|number| self.pulls.insert(*number));
        let id = first.map_or_else(|| format!("merge:{}", record.id), |number| format!("pull:{number}"));
        let pull = |forge: &Forge| settled.number.and_then(|number| forge.pull(number));
        let patch = EntityPatch {
            kind: Some(EntityKind::Contract),
            status: Some(EntityStatus::Complete),
            label: Some(Text::fitted(&settled.title)),
            parent: Field::Set(agent.clone()),
            url: url(self.forge.as_ref().and_then(pull)),
            ..EntityPatch::of(entity_id(&id))
        };
        events.push(self.entity(&format!("{}/contract", record.id), record.time, EntityVerb::Created, patch));
        true
    }

    /// Tells what becomes of the seeds that the commit, or what it merges, names.
    fn grow_seeds(&mut self, record: &Record, events: &mut Vec<Event>) {
        for (id, growth) in self.seeds.hear(record.id, &record.parents, &record.seeds, record.stays) {
            let (verb, status, progress, word) = match growth {
                Growth::Found => (SeedVerb::Discovery, SeedStatus::Growing, 0.1, "discovery"),
                Growth::MovedOn => (SeedVerb::Progress, SeedStatus::Growing, 0.5, "progress"),
                Growth::Complete => (SeedVerb::Complete, SeedStatus::Complete, 1.0, "complete"),
            };
            let result = self.forge.as_ref().and_then(|forge| forge.commit(record.id));
            let seed_type = seed_lines::type_of(&id);
            let name = format!("{}/seed/{id}/{word}", record.id);
            let report = SeedReport { id, seed_type, status, progress: Ratio::clamped(progress), result };
            events.push(self.event(&name, record.time, Payload::Seed(verb, report)));
        }
    }

    fn start_flows(&mut self, at: usize, record: &Record, settles: bool, events: &mut Vec<Event>) {
        let mut targets: Vec<(FlowKind, EntityId)> = Vec::new();
        let mut towards = |kind, id: EntityId| {
            if !targets.iter().any(|target| *target == (kind, id.clone())) {
                targets.push((kind, id));
            }
        };
        if settles {
            towards(FlowKind::Contract, entity_id(PEOPLE_ID));
        }
        if record.parents.len() < 2 && !record.cut {
            for (owner, _) in &record.touched {
                let to = self.agent(owner, record, events);
                if to != at {
                    towards(FlowKind::Resource, self.id_of(to));
                }
            }
            for owner in &record.mentions {
                let to = self.agent(owner, record, events);
                if to != at {
                    towards(FlowKind::Message, self.id_of(to));
                }
            }
            for owner in self.signalled(record) {
                let to = self.agent(&owner, record, events);
                if to != at {
                    towards(FlowKind::Signal, self.id_of(to));
                }
            }
        }
        let source = self.id_of(at);
        let flows: Vec<_> = targets
            .into_iter()
            .map(|(kind, target)| Flow {
                id: FlowId::new(&format!("{}/{}/{target}", record.id, kind_name(kind))).expect(FITS),
                source: source.clone(),
                target,
                kind,
                status: FlowStatus::Active,
                progress: Ratio::ZERO,
                reason: None,
            })
            .collect();
        for flow in &flows {
            events.push(self.event(
                &format!("{}/started", flow.id),
                record.time,
                Payload::Flow(FlowVerb::Started, flow.clone()),
            ));
        }
        if let Some(agent) = self.agents.get_mut(at) {
            agent.flows = flows;
        }
    }

    /// Whom a change of workflows concerns.
    fn signalled(&self, record: &Record) -> Vec<Owner> {
        let Some(names) = &record.workflows else { return Vec::new() };
        let named = self.domains.owners_of_workflow(names);
        if !named.is_empty() {
            return named;
        }
        let keeper = self.domains.owner_of(BStr::new(".github/workflows/"));
        let committed = record.touched.first().map(|(owner, _)| owner);
        let to = if committed == Some(&keeper) { self.root() } else { keeper };
        // A root that owns nothing is not made up for this.
        if self.by_owner.contains_key(&to) { vec![to] } else { Vec::new() }
    }

    fn complete_flows(&mut self, at: usize, time: Timestamp) -> Vec<Event> {
        let flows = self.agents.get_mut(at).map(|agent| std::mem::take(&mut agent.flows)).unwrap_or_default();
        flows
            .into_iter()
            .map(|flow| {
                let arrived = Flow { status: FlowStatus::Complete, progress: Ratio::ONE, ..flow };
                self.event(&format!("{}/complete", arrived.id), time, Payload::Flow(FlowVerb::Complete, arrived))
            })
            .collect()
    }

    fn entity(&self, id: &str, time: Timestamp, verb: EntityVerb, patch: EntityPatch) -> Event {
        self.event(id, time, Payload::Entity(verb, Box::new(patch)))
    }

    pub(super) fn event(&self, id: &str, time: Timestamp, payload: Payload) -> Event {
        let id = EventId::new(id).expect(FITS);
        Event { id, source: self.source.clone(), time, recorded: None, trace: None, cause: None, payload }
    }
}

const FITS: &str = "made of a hash, a word, and an id of at most AGENT_ID_MAX_BYTES, none with control characters";

fn entity_id(id: &str) -> EntityId {
    EntityId::new(id).expect("made of a word and a hash or number")
}

fn url(url: Option<monkeytown_protocol::HttpsUrl>) -> Field<monkeytown_protocol::HttpsUrl> {
    url.map_or(Field::Absent, Field::Set)
}

fn kind_name(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Message => "message",
        FlowKind::Resource => "resource",
        FlowKind::Contract => "contract",
        FlowKind::Signal => "signal",
    }
}
