//! Agents' runs: waking, thinking, committing, settling or breaking, resting.

use super::{
    cast::{CAST, Role},
    story::{Cue, Line, Story, Teller, entity_id, one_of, percent, set, told_of},
};
use fastrand::Rng;
use monkeytown_protocol::{
    Domain, EntityId, EntityKind, EntityStatus, EntityVerb, Field, FlowKind, Metrics, Payload, Ratio, Text,
};

/// So many changes of mind after one another are told by one source, the next by its rival.
const THOUGHTS_TO_A_RIVAL: u64 = 97;

/// One agent at a moment.
#[derive(Debug)]
pub(super) struct Agent {
    pub(super) id: EntityId,
    pub(super) status: EntityStatus,
    /// How many times it has woken; cues of an earlier run are void.
    run: u64,
    /// Story milliseconds of its run's start and planned end.
    run_from: u64,
    run_until: u64,
    progress_told: Ratio,
    /// Whether it shows progress in this run; not all work can be measured.
    measured: bool,
    pub(super) efficiency: f32,
}

impl Agent {
    pub(super) fn of(role: &Role, rng: &mut Rng) -> Self {
        Self {
            id: entity_id(role.id),
            status: EntityStatus::Idle,
            run: 0,
            run_from: 0,
            run_until: 0,
            progress_told: Ratio::ZERO,
            measured: false,
            efficiency: 0.7 + 0.25 * rng.f32(),
        }
    }

    pub(super) fn is_working(&self) -> bool {
        matches!(self.status, EntityStatus::Active | EntityStatus::Processing)
    }
}

impl Story {
    /// Places of those at work.
    pub(super) fn working(&self) -> Vec<usize> {
        self.agents.iter().enumerate().filter(|(_, agent)| agent.is_working()).map(|(place, _)| place).collect()
    }

    /// The agent at `place` if the cue's run is still its run and it is at work.
    fn at_work(&mut self, place: usize, run: u64) -> Option<&mut Agent> {
        self.agents.get_mut(place).filter(|agent| agent.run == run && agent.is_working())
    }

    pub(super) fn enter(&mut self, place: usize) -> Option<Line> {
        let role = CAST.get(place)?;
        let agent = self.agents.get(place)?;
        let metrics =
            Metrics { efficiency: Some(percent(agent.efficiency)), load: Some(Ratio::ZERO), connections: Some(0) };
        let line = told_of(EntityVerb::Created, agent.id.clone(), |patch| {
            patch.kind = Some(EntityKind::Agent);
            patch.status = Some(EntityStatus::Idle);
            patch.label = Some(Text::fitted(role.label));
            patch.metrics = Field::Set(metrics.into());
            patch.parent = role.parent.map_or(Field::Absent, |parent| Field::Set(entity_id(parent)));
            patch.domain = Field::Set(Domain { path: Text::fitted(role.path), files: role.files });
        });
        // Most are at work as soon as everybody is there; the rest wake later.
        let delay = if self.rng.u8(0..10) < 7 { 2_500..6_000 } else { 20_000..60_000 };
        self.cue(delay, Cue::Wake(place));
        if place + 1 == CAST.len() {
            self.cue(0..1, Cue::SayHealth);
        }
        Some(line)
    }

    pub(super) fn wake(&mut self, place: usize) -> Option<Line> {
        let role = CAST.get(place)?;
        let length = self.rng.u64(40_000..160_000);
        let activity = one_of(&mut self.rng, role.works);
        let measured = self.rng.u8(0..10) < 6;
        let opens_contract = self.rng.u8(0..10) < 5;
        let now = self.now;
        let agent = self.agents.get_mut(place).filter(|agent| !agent.is_working())?;
        agent.status = EntityStatus::Active;
        agent.run += 1;
        agent.run_from = now;
        agent.run_until = now + length;
        agent.progress_told = Ratio::ZERO;
        agent.measured = measured;
        let (id, run) = (agent.id.clone(), agent.run);
        self.cue(10_000..30_000, Cue::Think { agent: place, run });
        self.cue(length / 4..length, Cue::Commit { agent: place, run });
        if opens_contract {
            self.cue(length / 2..length, Cue::OpenContract(place));
        }
        self.cue(length..length + 1, Cue::Finish { agent: place, run });
        Some(told_of(EntityVerb::StatusChanged, id, |patch| {
            patch.status = Some(EntityStatus::Active);
            patch.activity = set(activity);
            patch.progress = if measured { Field::Set(Ratio::ZERO) } else { Field::Cleared };
        }))
    }

    pub(super) fn think(&mut self, place: usize, run: u64) -> Option<Line> {
        let role = CAST.get(place)?;
        let (works, thinks) = (one_of(&mut self.rng, role.works), one_of(&mut self.rng, role.thinks));
        let agent = self.at_work(place, run)?;
        let (status, activity) = match agent.status {
            EntityStatus::Active => (EntityStatus::Processing, thinks),
            _ => (EntityStatus::Active, works),
        };
        agent.status = status;
        let id = agent.id.clone();
        self.cue(8_000..25_000, Cue::Think { agent: place, run });
        let mut line = told_of(EntityVerb::StatusChanged, id, |patch| {
            patch.status = Some(status);
            patch.activity = set(activity);
        });
        self.thoughts += 1;
        if self.thoughts.is_multiple_of(THOUGHTS_TO_A_RIVAL) {
            line.teller = Teller::Rival;
        }
        Some(line)
    }

    /// A commit: created and complete at once, followed by files that go to somebody else.
    pub(super) fn commit(&mut self, place: usize, run: u64) -> Option<Line> {
        let subject = one_of(&mut self.rng, CAST.get(place)?.subjects);
        let author = self.at_work(place, run)?.id.clone();
        let target = self.other_than(place);
        self.cue(500..2_000, Cue::Send { source: place, target, kind: FlowKind::Resource });
        if self.rng.bool() {
            self.cue(15_000..50_000, Cue::Commit { agent: place, run });
        }
        self.commits += 1;
        // An odd factor permutes the 28 bits, so that hashes look random and do not repeat.
        let hash = (self.commits ^ self.seed).wrapping_mul(0x9e37_79b1) & 0x0fff_ffff;
        Some(told_of(EntityVerb::Created, entity_id(&format!("{hash:07x}")), |patch| {
            patch.kind = Some(EntityKind::Transaction);
            patch.status = Some(EntityStatus::Complete);
            patch.label = Some(Text::fitted(subject));
            patch.parent = Field::Set(author);
        }))
    }

    pub(super) fn finish(&mut self, place: usize, run: u64) -> Option<Line> {
        let reason = one_of(&mut self.rng, CAST.get(place)?.breaks);
        self.at_work(place, run)?;
        let broken = self.exceptions.broken_run.strikes(&mut self.rng);
        let agent = self.at_work(place, run)?;
        let id = agent.id.clone();
        if !broken {
            agent.status = EntityStatus::Complete;
            agent.efficiency = (agent.efficiency + 0.02).min(0.98);
            let progress = if agent.measured { Field::Set(Ratio::ONE) } else { Field::Absent };
            self.cue(8_000..20_000, Cue::Rest { agent: place, run });
            return Some(told_of(EntityVerb::StatusChanged, id, |patch| {
                patch.status = Some(EntityStatus::Complete);
                patch.progress = progress;
            }));
        }
        agent.status = EntityStatus::Error;
        agent.efficiency = (agent.efficiency - 0.08).max(0.3);
        // What it was sending breaks with it.
        if let Some(flow) = self.flows.iter().find(|(_, flow)| flow.source == place && flow.is_moving()) {
            let cue = Cue::BreakFlow { flow: *flow.0, reason };
            self.cue(0..1, cue);
        }
        // Some are put right by a new run, others sleep it off.
        let next = if self.rng.bool() { Cue::Wake(place) } else { Cue::Rest { agent: place, run } };
        self.cue(20_000..60_000, next);
        Some(told_of(EntityVerb::StatusChanged, id, |patch| {
            patch.status = Some(EntityStatus::Error);
            patch.reason = set(reason);
        }))
    }

    pub(super) fn rest(&mut self, place: usize, run: u64) -> Option<Line> {
        let agent = self.agents.get_mut(place).filter(|agent| agent.run == run && !agent.is_working())?;
        agent.status = EntityStatus::Idle;
        let id = agent.id.clone();
        self.cue(20_000..110_000, Cue::Wake(place));
        let waits = self.contracts.values().any(|contract| contract.author == place);
        Some(told_of(EntityVerb::StatusChanged, id, |patch| {
            patch.status = Some(EntityStatus::Idle);
            patch.activity = if waits { set("waiting for review") } else { Field::Cleared };
            patch.progress = Field::Cleared;
        }))
    }

    /// How far a run has come; `None` when there is nothing new to say.
    pub(super) fn run_progress(&mut self) -> Option<Payload> {
        let working = self.working();
        let place = self.rng.choice(&working).copied()?;
        let now = self.now;
        let agent = self.agents.get_mut(place).filter(|agent| agent.measured)?;
        let progress = share_of(now, agent.run_from, agent.run_until);
        if progress <= agent.progress_told {
            return None;
        }
        agent.progress_told = progress;
        let line = told_of(EntityVerb::Updated, agent.id.clone(), |patch| patch.progress = Field::Set(progress));
        Some(line.payload)
    }

    /// Somebody else than the one at `place`.
    pub(super) fn other_than(&mut self, place: usize) -> usize {
        let others = self.agents.len().saturating_sub(1).max(1);
        let other = self.rng.usize(0..others);
        if other >= place { other + 1 } else { other }
    }
}

/// How much of `from..until` is over at `now`; what has not ended is never whole.
#[expect(clippy::cast_precision_loss, reason = "a share in percents of some minutes")]
pub(super) fn share_of(now: u64, from: u64, until: u64) -> Ratio {
    let whole = until.saturating_sub(from).max(1);
    percent((now.saturating_sub(from) as f32 / whole as f32).min(0.99))
}
