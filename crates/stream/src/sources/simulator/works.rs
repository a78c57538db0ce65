//! What agents make of their work together: pull requests, flows, and the seeds that they tend.

use super::{
    agents::share_of,
    cast::{CAST, LOST_ON_THE_WAY, NOT_MERGED},
    story::{CONTRACTS_OPEN_MAX, Cue, FLOWS_OPEN_MAX, Line, Story, entity_id, one_of, set, told_of},
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityStatus, EntityVerb, Field, Files, Flow, FlowId, FlowKind, FlowStatus, FlowVerb,
    Payload, Ratio, SeedId, SeedReport, SeedStatus, SeedType, SeedVerb, Text,
};
use std::sync::Arc;

/// A pull request that nobody has decided on.
#[derive(Debug)]
pub(super) struct Contract {
    pub(super) author: usize,
    /// A file of its own.
    file: Text,
}

/// A flow that has neither arrived nor broken.
#[derive(Debug)]
pub(super) struct FlowUnderWay {
    pub(super) source: usize,
    target: usize,
    kind: FlowKind,
    /// Story milliseconds of its start and planned end; it moves once it has a start.
    from: Option<u64>,
    until: u64,
    progress_told: Ratio,
}

/// A seed that has come to neither something nor nothing yet.
#[derive(Debug)]
pub(super) struct SeedUnderWay {
    seed_type: SeedType,
    from: u64,
    until: u64,
}

impl FlowUnderWay {
    pub(super) fn is_moving(&self) -> bool {
        self.from.is_some()
    }

    /// The other end, when `place` is one.
    pub(super) fn other_than(&self, place: usize) -> Option<usize> {
        match place {
            _ if place == self.source => Some(self.target),
            _ if place == self.target => Some(self.source),
            _ => None,
        }
    }
}

fn contract_id(number: u64) -> EntityId {
    entity_id(&format!("pull-{number}"))
}

fn seed_id(number: u64) -> SeedId {
    SeedId::new(&format!("simulated-seed-{number}")).expect("a short plain string is an id")
}

impl Story {
    pub(super) fn open_contract(&mut self, place: usize) -> Option<Line> {
        if self.contracts.len() >= CONTRACTS_OPEN_MAX {
            return None;
        }
        let title = one_of(&mut self.rng, CAST.get(place)?.subjects);
        let author = self.agents.get(place).filter(|agent| agent.is_working())?.id.clone();
        self.contracts_opened += 1;
        let number = self.contracts_opened;
        let file = Text::fitted(&format!("{}change-{number}.md", CAST.get(place)?.path));
        // Now and then two agents want to change the same file.
        let others = self.contracts.values().find(|other| other.author != place).filter(|_| number % 10 == 5);
        let files = Files::fitted(std::iter::once(file.clone()).chain(others.map(|other| other.file.clone())));
        self.contracts.insert(number, Contract { author: place, file });
        self.cue(8_000..25_000, Cue::Review(number));
        Some(told_of(EntityVerb::Created, contract_id(number), |patch| {
            patch.kind = Some(EntityKind::Contract);
            patch.status = Some(EntityStatus::Active);
            patch.label = Some(Text::fitted(title));
            patch.parent = Field::Set(author);
            patch.files = Field::Set(files);
        }))
    }

    /// Asks for a review, unless its author thinks better of it.
    pub(super) fn review(&mut self, number: u64) -> Option<Line> {
        let author = self.contracts.get(&number)?.author;
        let free: Vec<usize> = self.working().into_iter().filter(|place| *place != author).collect();
        let Some(reviewer) = self.rng.choice(&free).copied() else {
            self.cue(5_000..10_000, Cue::Review(number));
            return None;
        };
        if self.exceptions.withdrawn_contract.strikes(&mut self.rng) {
            self.contracts.remove(&number);
            return Some(told_of(EntityVerb::Deleted, contract_id(number), |_| {}));
        }
        self.cue(500..1_500, Cue::Send { source: author, target: reviewer, kind: FlowKind::Contract });
        self.cue(1_500..4_000, Cue::Attend { reviewer, contract: number });
        self.cue(15_000..60_000, Cue::EndContract(number));
        Some(told_of(EntityVerb::StatusChanged, contract_id(number), |patch| {
            patch.status = Some(EntityStatus::Processing);
            patch.activity = set("waiting for review");
        }))
    }

    pub(super) fn attend(&mut self, reviewer: usize, number: u64) -> Option<Line> {
        let agent = self.agents.get(reviewer).filter(|agent| agent.is_working())?;
        Some(told_of(EntityVerb::Updated, agent.id.clone(), |patch| {
            patch.activity = set(&format!("reviewing pull request {number}"));
        }))
    }

    pub(super) fn end_contract(&mut self, number: u64) -> Option<Line> {
        self.contracts.remove(&number)?;
        let refused = self.exceptions.refused_contract.strikes(&mut self.rng);
        let reason = one_of(&mut self.rng, &NOT_MERGED);
        Some(told_of(EntityVerb::StatusChanged, contract_id(number), |patch| {
            patch.status = Some(if refused { EntityStatus::Error } else { EntityStatus::Complete });
            patch.activity = Field::Cleared;
            if refused {
                patch.reason = set(reason);
            }
        }))
    }

    /// Somebody at work turns to somebody else. In a storm everybody does, over and over.
    pub(super) fn mingle(&mut self) -> Option<Line> {
        let pause = if self.in_storm() { 500..900 } else { 2_000..4_000 };
        self.cue(pause, Cue::Mingle);
        let working = self.working();
        let source = self.rng.choice(&working).copied()?;
        let target = self.other_than(source);
        let kind = match self.rng.u8(0..10) {
            0..5 => FlowKind::Message,
            5..8 => FlowKind::Signal,
            _ => FlowKind::Resource,
        };
        self.send(source, target, kind)
    }

    pub(super) fn send(&mut self, source: usize, target: usize, kind: FlowKind) -> Option<Line> {
        if self.flows.len() >= FLOWS_OPEN_MAX {
            return None;
        }
        self.flows_sent += 1;
        let number = self.flows_sent;
        let life = if self.in_storm() { self.rng.u64(45_000..75_000) } else { self.rng.u64(10_000..30_000) };
        let until = self.now + life;
        let flow = FlowUnderWay { source, target, kind, from: None, until, progress_told: Ratio::ZERO };
        self.flows.insert(number, flow);
        self.cue(1_000..5_000, Cue::StartFlow(number));
        self.cue(life..life + 1, Cue::EndFlow(number));
        self.flow_line(number, FlowVerb::Created, FlowStatus::Pending, Ratio::ZERO, None)
    }

    fn flow_line(
        &self,
        number: u64,
        verb: FlowVerb,
        status: FlowStatus,
        progress: Ratio,
        reason: Option<&str>,
    ) -> Option<Line> {
        let flow = self.flows.get(&number)?;
        let id = FlowId::new(&format!("flow-{number}")).expect("a short plain string is an id");
        let source = self.agents.get(flow.source)?.id.clone();
        let target = self.agents.get(flow.target)?.id.clone();
        let reason = reason.map(Text::fitted);
        Some(Payload::Flow(verb, Flow { id, source, target, kind: flow.kind, status, progress, reason }).into())
    }

    pub(super) fn start_flow(&mut self, number: u64) -> Option<Line> {
        let now = self.now;
        self.flows.get_mut(&number)?.from = Some(now);
        self.flow_line(number, FlowVerb::Started, FlowStatus::Active, Ratio::ZERO, None)
    }

    pub(super) fn end_flow(&mut self, number: u64) -> Option<Line> {
        if !self.flows.contains_key(&number) {
            return None;
        }
        if self.exceptions.lost_flow.strikes(&mut self.rng) {
            let reason = one_of(&mut self.rng, &LOST_ON_THE_WAY);
            return self.break_flow(number, reason);
        }
        let line = self.flow_line(number, FlowVerb::Complete, FlowStatus::Complete, Ratio::ONE, None);
        self.flows.remove(&number);
        line
    }

    pub(super) fn break_flow(&mut self, number: u64, reason: &str) -> Option<Line> {
        let progress = self.flows.get(&number)?.progress_told;
        let line = self.flow_line(number, FlowVerb::Failed, FlowStatus::Error, progress, Some(reason));
        self.flows.remove(&number);
        line
    }

    /// How far a flow has come; `None` when there is nothing new to say.
    pub(super) fn flow_progress(&mut self) -> Option<Payload> {
        let moving: Vec<u64> = self.flows.iter().filter(|(_, flow)| flow.is_moving()).map(|(n, _)| *n).collect();
        let number = self.rng.choice(&moving).copied()?;
        let now = self.now;
        let flow = self.flows.get_mut(&number)?;
        let progress = share_of(now, flow.from?, flow.until);
        if progress <= flow.progress_told {
            return None;
        }
        flow.progress_told = progress;
        self.flow_line(number, FlowVerb::Progress, FlowStatus::Active, progress, None).map(|line| line.payload)
    }

    pub(super) fn plant_seed(&mut self) -> Option<Line> {
        const TYPES: [SeedType; 4] = [SeedType::Constraint, SeedType::Query, SeedType::Resource, SeedType::Contract];
        self.cue(50_000..80_000, Cue::PlantSeed);
        let life = self.rng.u64(35_000..50_000);
        let seed_type = self.rng.choice(TYPES)?;
        self.seeds_planted += 1;
        let number = self.seeds_planted;
        self.seeds.insert(number, SeedUnderWay { seed_type, from: self.now, until: self.now + life });
        self.cue(5_000..15_000, Cue::DiscoverSeed(number));
        self.cue(life..life + 1, Cue::EndSeed(number));
        self.seed_line(number, SeedVerb::Planted, SeedStatus::Pending, Ratio::ZERO)
    }

    /// Without a result's address: an invented seed has nothing to show.
    fn seed_line(&self, number: u64, verb: SeedVerb, status: SeedStatus, progress: Ratio) -> Option<Line> {
        let seed_type = self.seeds.get(&number)?.seed_type;
        let report = SeedReport { id: seed_id(number), seed_type, status, progress, result: None };
        let cause = (verb != SeedVerb::Planted).then(|| Arc::from(report.id.as_str()));
        Some(Line { cause, ..Payload::Seed(verb, report).into() })
    }

    pub(super) fn discover_seed(&mut self, number: u64) -> Option<Line> {
        let working = self.working();
        if let Some(agent) = self.rng.choice(&working).copied() {
            self.cue(250..1_000, Cue::TendSeed { agent, seed: number });
        }
        self.cue(3_000..8_000, Cue::GrowSeed(number));
        self.seed_line(number, SeedVerb::Discovery, SeedStatus::Growing, Ratio::ZERO)
    }

    pub(super) fn tend_seed(&mut self, place: usize, number: u64) -> Option<Line> {
        let agent = self.agents.get(place).filter(|agent| agent.is_working())?;
        let mut line = told_of(EntityVerb::Updated, agent.id.clone(), |patch| {
            patch.activity = set(&format!("tending seed {number}"));
        });
        line.cause = Some(Arc::from(seed_id(number).as_str()));
        Some(line)
    }

    pub(super) fn grow_seed(&mut self, number: u64) -> Option<Line> {
        let seed = self.seeds.get(&number)?;
        let progress = share_of(self.now, seed.from, seed.until);
        self.cue(3_000..8_000, Cue::GrowSeed(number));
        self.seed_line(number, SeedVerb::Progress, SeedStatus::Growing, progress)
    }

    pub(super) fn end_seed(&mut self, number: u64) -> Option<Line> {
        let seed = self.seeds.get(&number)?;
        let reached = share_of(self.now, seed.from, seed.until);
        let line = if self.exceptions.failed_seed.strikes(&mut self.rng) {
            self.seed_line(number, SeedVerb::Failed, SeedStatus::Error, reached)
        } else {
            self.seed_line(number, SeedVerb::Complete, SeedStatus::Complete, Ratio::ONE)
        };
        self.seeds.remove(&number);
        line
    }
}
