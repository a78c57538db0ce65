//! The story: what happens next in the simulated civilization.
//!
//! A schedule of cues on a clock of story time. Every event moves story time on by one step; when a cue is
//! due it is told, otherwise a word on what is under way (progress, figures, a log line). So the story
//! stays coherent at any rate: a higher rate fills it, and past a point runs it faster. Everything held is
//! bounded. Knows nothing of real time, of ids of events or of sinks.

use super::{
    agents::Agent,
    cast::{ALERTS, CAST, LOG_LINES},
    works::{Contract, FlowUnderWay, SeedUnderWay},
};
use fastrand::Rng;
use monkeytown_protocol::{
    Alert, EntityId, EntityPatch, EntityVerb, Field, FlowKind, Health, HealthChange, LogLevel, LogLine, Metrics,
    Payload, Ratio, Severity, SystemMetrics, Text,
};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
    ops::Range,
    sync::Arc,
};

/// Most flows under way at once, storms included.
pub(super) const FLOWS_OPEN_MAX: usize = 64;
/// Most pull requests open at once.
pub(super) const CONTRACTS_OPEN_MAX: usize = 12;
/// Open flows at which the load is full, as in the pulse.
const LOAD_FULL_FLOWS: usize = monkeytown_protocol::limits::LOAD_FULL_FLOWS;
/// The opening is dense at any rate, so that whoever watches or tests soon meets every type.
const OPENING_EVENTS: u64 = 1_000;
/// Longest and shortest step of story time in milliseconds; at 4 events a second it is real time.
const STEP_MILLIS: Range<u64> = 50..250;
/// How long a storm of flows gathers, in story milliseconds.
const STORM_MILLIS: u64 = 75_000;

/// Something that is to happen. Agents are places in the cast, the others numbers of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Cue {
    Enter(usize),
    Wake(usize),
    Think { agent: usize, run: u64 },
    Commit { agent: usize, run: u64 },
    Finish { agent: usize, run: u64 },
    Rest { agent: usize, run: u64 },
    OpenContract(usize),
    Review(u64),
    Attend { reviewer: usize, contract: u64 },
    EndContract(u64),
    Mingle,
    Send { source: usize, target: usize, kind: FlowKind },
    StartFlow(u64),
    EndFlow(u64),
    BreakFlow { flow: u64, reason: &'static str },
    PlantSeed,
    DiscoverSeed(u64),
    TendSeed { agent: usize, seed: u64 },
    GrowSeed(u64),
    EndSeed(u64),
    Storm,
    RaiseAlert,
    ResolveAlert { alert: u64, text: &'static str, severity: Severity },
    Figures,
    SayHealth,
}

/// Which source tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teller {
    /// The one that tells nearly everything.
    Story,
    /// One that claims an agent too, now and then, so that the contradiction can be seen.
    Rival,
}

/// What is told, by whom, and what caused it.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) payload: Payload,
    pub(super) cause: Option<Arc<str>>,
    pub(super) teller: Teller,
}

impl From<Payload> for Line {
    fn from(payload: Payload) -> Self {
        Self { payload, cause: None, teller: Teller::Story }
    }
}

/// Every so many times something goes otherwise.
#[derive(Debug)]
pub(super) struct Exception {
    left: u64,
    every: Range<u64>,
}

impl Exception {
    fn after(left: u64, every: Range<u64>) -> Self {
        Self { left, every }
    }

    pub(super) fn strikes(&mut self, rng: &mut Rng) -> bool {
        self.left = self.left.saturating_sub(1);
        if self.left == 0 {
            self.left = rng.u64(self.every.clone());
            return true;
        }
        false
    }
}

/// The exceptions of the story.
#[derive(Debug)]
pub(super) struct Exceptions {
    pub(super) broken_run: Exception,
    pub(super) lost_flow: Exception,
    pub(super) withdrawn_contract: Exception,
    pub(super) refused_contract: Exception,
    pub(super) failed_seed: Exception,
}

/// The simulated civilization at a moment.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) rng: Rng,
    pub(super) seed: u64,
    /// Story time in milliseconds.
    pub(super) now: u64,
    step: u64,
    told: u64,
    cues: BinaryHeap<Reverse<(u64, u64, Cue)>>,
    cued: u64,
    pub(super) agents: Vec<Agent>,
    pub(super) contracts: BTreeMap<u64, Contract>,
    pub(super) contracts_opened: u64,
    pub(super) commits: u64,
    /// Changes of mind so far.
    pub(super) thoughts: u64,
    pub(super) flows: BTreeMap<u64, FlowUnderWay>,
    pub(super) flows_sent: u64,
    pub(super) seeds: BTreeMap<u64, SeedUnderWay>,
    pub(super) seeds_planted: u64,
    pub(super) exceptions: Exceptions,
    storm_until: u64,
    alerts_raised: u64,
    critical_alerts: usize,
    health_said: Option<Health>,
}

impl Story {
    pub(super) fn new(rate: f64, seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to whole milliseconds")]
        let step = (1_000.0 / rate).clamp(STEP_MILLIS.start as f64, STEP_MILLIS.end as f64) as u64;
        let exceptions = Exceptions {
            broken_run: Exception::after(rng.u64(4..7), 6..12),
            lost_flow: Exception::after(rng.u64(6..12), 8..20),
            withdrawn_contract: Exception::after(rng.u64(2..4), 5..10),
            refused_contract: Exception::after(rng.u64(3..5), 5..9),
            failed_seed: Exception::after(2, 3..6),
        };
        let mut story = Self {
            agents: CAST.iter().map(|role| Agent::of(role, &mut rng)).collect(),
            rng,
            seed,
            now: 0,
            step,
            told: 0,
            cues: BinaryHeap::new(),
            cued: 0,
            contracts: BTreeMap::new(),
            // The first pull request is 42, as in the pictures.
            contracts_opened: 41,
            commits: 0,
            thoughts: 0,
            flows: BTreeMap::new(),
            flows_sent: 0,
            seeds: BTreeMap::new(),
            seeds_planted: 0,
            exceptions,
            storm_until: 0,
            alerts_raised: 0,
            critical_alerts: 0,
            health_said: None,
        };
        for agent in 0..CAST.len() {
            story.cue(0..1, Cue::Enter(agent));
        }
        story.cue(2_000..4_000, Cue::Mingle);
        story.cue(5_000..10_000, Cue::PlantSeed);
        story.cue(10_000..20_000, Cue::Figures);
        story.cue(40_000..100_000, Cue::RaiseAlert);
        story.cue(400_000..900_000, Cue::Storm);
        story
    }

    /// Puts `cue` on the schedule, somewhere in `within` milliseconds of story time from now.
    pub(super) fn cue(&mut self, within: Range<u64>, cue: Cue) {
        let at = self.now + self.rng.u64(within);
        self.cued += 1;
        self.cues.push(Reverse((at, self.cued, cue)));
    }

    #[cfg(test)]
    pub(super) fn cues_waiting(&self) -> usize {
        self.cues.len()
    }

    /// What is told next.
    pub(super) fn next_line(&mut self) -> Line {
        self.now += if self.told < OPENING_EVENTS { STEP_MILLIS.end } else { self.step };
        self.told += 1;
        while let Some(Reverse((at, _, cue))) = self.cues.peek().copied() {
            if at > self.now {
                break;
            }
            self.cues.pop();
            let line = self.play(cue);
            let health = self.health();
            if self.health_said.is_some_and(|said| said != health) {
                self.health_said = Some(health);
                self.cue(0..1, Cue::SayHealth);
            }
            if let Some(line) = line {
                return line;
            }
        }
        self.filler().into()
    }

    /// Lets `cue` happen. A cue whose occasion has passed tells nothing.
    fn play(&mut self, cue: Cue) -> Option<Line> {
        match cue {
            Cue::Enter(agent) => self.enter(agent),
            Cue::Wake(agent) => self.wake(agent),
            Cue::Think { agent, run } => self.think(agent, run),
            Cue::Commit { agent, run } => self.commit(agent, run),
            Cue::Finish { agent, run } => self.finish(agent, run),
            Cue::Rest { agent, run } => self.rest(agent, run),
            Cue::OpenContract(agent) => self.open_contract(agent),
            Cue::Review(contract) => self.review(contract),
            Cue::Attend { reviewer, contract } => self.attend(reviewer, contract),
            Cue::EndContract(contract) => self.end_contract(contract),
            Cue::Mingle => self.mingle(),
            Cue::Send { source, target, kind } => self.send(source, target, kind),
            Cue::StartFlow(flow) => self.start_flow(flow),
            Cue::EndFlow(flow) => self.end_flow(flow),
            Cue::BreakFlow { flow, reason } => self.break_flow(flow, reason),
            Cue::PlantSeed => self.plant_seed(),
            Cue::DiscoverSeed(seed) => self.discover_seed(seed),
            Cue::TendSeed { agent, seed } => self.tend_seed(agent, seed),
            Cue::GrowSeed(seed) => self.grow_seed(seed),
            Cue::EndSeed(seed) => self.end_seed(seed),
            Cue::Storm => {
                self.storm_until = self.now + STORM_MILLIS;
                self.cue(600_000..1_200_000, Cue::Storm);
                None
            }
            Cue::RaiseAlert => self.raise_alert(),
            Cue::ResolveAlert { alert, text, severity } => Some(self.alert(alert, text, severity, true)),
            Cue::Figures => Some(self.figures()),
            Cue::SayHealth => Some(self.say_health()),
        }
    }

    pub(super) fn in_storm(&self) -> bool {
        self.now < self.storm_until
    }

    fn raise_alert(&mut self) -> Option<Line> {
        self.cue(300_000..900_000, Cue::RaiseAlert);
        // In turn, so that a critical one comes now and then and never first.
        let (text, critical) =
            *ALERTS.iter().cycle().nth(usize::try_from(self.alerts_raised % ALERTS.len() as u64).ok()?)?;
        let severity = if critical { Severity::Critical } else { Severity::Warning };
        self.alerts_raised += 1;
        let alert = self.alerts_raised;
        self.cue(20_000..60_000, Cue::ResolveAlert { alert, text, severity });
        Some(self.alert(alert, text, severity, false))
    }

    fn alert(&mut self, alert: u64, text: &'static str, severity: Severity, resolved: bool) -> Line {
        if severity == Severity::Critical {
            self.critical_alerts =
                if resolved { self.critical_alerts.saturating_sub(1) } else { self.critical_alerts + 1 };
        }
        let id = Text::fitted(&format!("alert-{alert}"));
        Payload::SystemAlert(Alert { id, severity, message: Text::fitted(text), resolved }).into()
    }

    /// Share of what can run at once: mostly flows, and a quarter who is awake.
    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn load(&self) -> Ratio {
        let flows = (self.flows.len() as f32 / LOAD_FULL_FLOWS as f32).min(1.0);
        let awake = self.working().len() as f32 / CAST.len() as f32;
        percent(flows * 0.75 + awake * 0.25)
    }

    fn health(&self) -> Health {
        match self.load().get() {
            _ if self.critical_alerts > 0 => Health::Critical,
            load if load < 0.5 => Health::Healthy,
            load if load <= 0.8 => Health::Stressed,
            _ => Health::Critical,
        }
    }

    pub(super) fn say_health(&mut self) -> Line {
        let health = self.health();
        self.health_said = Some(health);
        let reason = match health {
            _ if self.critical_alerts > 0 => "a critical alert is open",
            Health::Healthy => "there is room to spare",
            Health::Stressed => "flows gather",
            Health::Critical => "more flows than can be carried",
        };
        Payload::SystemHealth(HealthChange { health, reason: Some(Text::fitted(reason)) }).into()
    }

    /// Only the load: the counts are the fold's to derive, and a reported one would stand still for a
    /// minute while what it counts moves on.
    fn figures(&mut self) -> Line {
        self.cue(10_000..20_000, Cue::Figures);
        let load = Some(self.load());
        Payload::SystemMetrics(SystemMetrics { load, ..SystemMetrics::default() }).into()
    }

    /// A word on what is under way.
    fn filler(&mut self) -> Payload {
        match self.rng.u8(0..100) {
            0..40 => self.run_progress(),
            40..70 => self.flow_progress(),
            70..80 => self.agent_figures(),
            _ => None,
        }
        .unwrap_or_else(|| self.log_line())
    }

    fn agent_figures(&mut self) -> Option<Payload> {
        let place = self.rng.usize(0..self.agents.len());
        let others: std::collections::BTreeSet<usize> =
            self.flows.values().filter_map(|flow| flow.other_than(place)).collect();
        let agent = self.agents.get(place)?;
        let load = if agent.is_working() { percent(0.3 + 0.6 * self.rng.f32()) } else { percent(0.02) };
        let mut patch = EntityPatch::of(agent.id.clone());
        patch.metrics = Field::Set(
            Metrics {
                efficiency: Some(percent(agent.efficiency)),
                load: Some(load),
                connections: u32::try_from(others.len()).ok(),
            }
            .into(),
        );
        Some(Payload::Entity(EntityVerb::MetricsUpdated, Box::new(patch)))
    }

    fn log_line(&mut self) -> Payload {
        let working = self.working();
        let place = self.rng.choice(&working).copied().unwrap_or_default();
        let entity = self.agents.get(place).map_or_else(|| entity_id("mad-chimp"), |agent| agent.id.clone());
        let (loudness, level) = match self.rng.u8(0..100) {
            0..30 => (0, LogLevel::Debug),
            30..82 => (1, LogLevel::Info),
            82..96 => (2, LogLevel::Warn),
            _ => (3, LogLevel::Error),
        };
        let message = Text::fitted(one_of(&mut self.rng, LOG_LINES.get(loudness).copied().unwrap_or_default()));
        Payload::LogLine(LogLine { entity, level, message })
    }
}

/// A report on an entity with the given changes.
pub(super) fn told_of(verb: EntityVerb, id: EntityId, say: impl FnOnce(&mut EntityPatch)) -> Line {
    let mut patch = EntityPatch::of(id);
    say(&mut patch);
    Payload::Entity(verb, Box::new(patch)).into()
}

/// Text set.
pub(super) fn set(text: &str) -> Field<Text> {
    Field::Set(Text::fitted(text))
}

/// One of the words.
pub(super) fn one_of(rng: &mut Rng, words: &'static [&'static str]) -> &'static str {
    rng.choice(words).copied().unwrap_or_default()
}

/// A share rounded to whole percents, so that what is written is short.
pub(super) fn percent(share: f32) -> Ratio {
    Ratio::clamped((share * 100.0).round() / 100.0)
}

/// An id that the story makes up itself.
pub(super) fn entity_id(text: &str) -> EntityId {
    EntityId::new(text).expect("the story's ids are short and plain")
}
