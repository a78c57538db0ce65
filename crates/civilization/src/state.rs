//! The state itself and the one way to change it.

use crate::{
    Activity, Changes, Entity, FinishedFlow, HistoryItem, OpenFlow,
    bounds::{
        ALERTS_MAX, ENTITIES_BYTES_MAX, ENTITIES_MAX, FINISHED_FLOWS_MAX, FLOWS_BYTES_MAX, FLOWS_MAX, REASON_MAX_BYTES,
        SEEDS_MAX, Touched, make_room, shorten,
    },
    history::History,
    keyed::Keyed,
    logs::{Log, Logs},
    marks::{Mark, Marks},
};
use monkeytown_protocol::record;
use monkeytown_protocol::{
    EntityId, Event, Flow, FlowId, FromJson, Json, Payload, SeedId, SeedReport, Severity, SystemMetrics, Text,
    Timestamp, Wrong,
};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Counts of what the whole history told, beyond what is still held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// Events applied.
    pub events: u64,
    /// Transactions that ended.
    pub transactions: u64,
    /// Contracts that reached complete.
    pub contracts_settled: u64,
    /// Contracts that broke or were closed unmerged.
    pub contracts_broken: u64,
    /// Runs that ended.
    pub runs: u64,
    /// Flows that arrived.
    pub flows_arrived: u64,
    /// Flows that broke.
    pub flows_broken: u64,
    /// Log lines heard, those included that are no longer held.
    pub log_lines: u64,
    /// Events of types that this project does not define.
    pub unknown: u64,
    /// Things taken out to stay within the bounds.
    pub forgotten: u64,
}

record!(Totals { ; events, transactions, contracts_settled, contracts_broken, runs, flows_arrived, flows_broken, log_lines, unknown, forgotten });

/// Counts on. At its end a count stays there: only a tampered snapshot brings it near.
pub(crate) fn count(total: &mut u64, more: usize) {
    *total = total.saturating_add(more as u64);
}

/// Figures a source reported, and when.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Reported {
    pub(crate) metrics: SystemMetrics,
    pub(crate) time: Timestamp,
}

record!(Reported { metrics, time;  });

/// An alert that nobody has resolved yet.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenAlert {
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong.
    pub message: Text,
    /// When it was raised, by its source's clock.
    pub since: Timestamp,
    touched: u64,
}

record!(OpenAlert { severity, message, since, touched;  });

#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Seed {
    report: SeedReport,
    updated: Timestamp,
    touched: u64,
}

record!(Seed { report, updated, touched;  });

impl Touched for OpenAlert {
    fn touched(&self) -> u64 {
        self.touched
    }
}

impl Touched for Seed {
    fn touched(&self) -> u64 {
        self.touched
    }
}

/// Everything the events so far tell. Its serialized form is a snapshot's `state`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, from = "Stored")]
pub struct Civilization {
    pub(crate) entities: Keyed<EntityId, Entity>,
    pub(crate) flows: Keyed<FlowId, OpenFlow>,
    pub(crate) finished_flows: VecDeque<FinishedFlow>,
    pub(crate) seeds: Keyed<SeedId, Seed>,
    pub(crate) alerts: Keyed<Text, OpenAlert>,
    pub(crate) history: History,
    pub(crate) reported: Option<Reported>,
    pub(crate) totals: Totals,
    pub(crate) last_time: Option<Timestamp>,
    pub(crate) activity: Activity,
    pub(crate) logs: Logs,
    pub(crate) marks: Marks,
    /// What the entities count. Derived: never stored.
    #[serde(skip)]
    pub(crate) entity_bytes: usize,
    /// What the open flows count. Derived: never stored.
    #[serde(skip)]
    pub(crate) flow_bytes: usize,
}

impl Civilization {
    /// Applies one event, in stream order, and adds what it changed to `changes`.
    pub fn apply(&mut self, event: Event, changes: &mut Changes) {
        // A source whose clock runs ahead would make the page busy until its time has come.
        let time = event.recorded.map_or(event.time, |recorded| event.time.min(recorded));
        count(&mut self.totals.events, 1);
        self.last_time = self.last_time.max(Some(time));
        self.activity.count(time);
        self.marks.pass(time);
        match event.payload {
            Payload::Entity(verb, patch) => self.apply_entity(verb, *patch, event.source, time, changes),
            Payload::Flow(_, flow) => self.apply_flow(flow, time, changes),
            Payload::Seed(_, report) => {
                if !self.seeds.contains_key(&report.id) {
                    let gone = make_room(&mut self.seeds, SEEDS_MAX);
                    count(&mut self.totals.forgotten, gone.len());
                    changes.seeds.extend(gone);
                }
                changes.seeds.insert(report.id.clone());
                let touched = self.totals.events;
                self.seeds.insert(report.id.clone(), Seed { report, updated: time, touched });
            }
            Payload::SystemMetrics(metrics) => {
                self.reported = Some(Reported { metrics, time });
                changes.system = true;
            }
            Payload::SystemAlert(alert) => {
                changes.system = true;
                let since = self.alerts.remove(&alert.id).map_or(time, |open| open.since);
                if !alert.resolved {
                    count(&mut self.totals.forgotten, make_room(&mut self.alerts, ALERTS_MAX).len());
                    let touched = self.totals.events;
                    let message = alert.message.shortened(REASON_MAX_BYTES);
                    let open = OpenAlert { severity: alert.severity, message, since, touched };
                    self.alerts.insert(alert.id, open);
                }
            }
            // What the page shows as health is derived; a source's own word changes nothing but the count.
            Payload::SystemHealth(_) => changes.system = true,
            Payload::LogLine(line) => {
                count(&mut self.totals.log_lines, 1);
                self.logs.hear(line, time, self.totals.events, changes);
                changes.system = true;
            }
            Payload::Unknown(_) => {
                count(&mut self.totals.unknown, 1);
                changes.system = true;
            }
        }
    }

    /// Entities held, by id.
    pub fn entities(&self) -> impl ExactSizeIterator<Item = (&EntityId, &Entity)> {
        self.entities.iter()
    }

    /// One entity.
    #[must_use]
    pub fn entity(&self, id: &EntityId) -> Option<&Entity> {
        self.entities.get(id)
    }

    /// Flows under way, by id.
    pub fn flows(&self) -> impl ExactSizeIterator<Item = (&FlowId, &OpenFlow)> {
        self.flows.iter()
    }

    /// One flow under way.
    #[must_use]
    pub fn flow(&self, id: &FlowId) -> Option<&OpenFlow> {
        self.flows.get(id)
    }

    /// Flows that ended lately, newest first.
    pub fn finished_flows(&self) -> impl ExactSizeIterator<Item = &FinishedFlow> {
        self.finished_flows.iter().rev()
    }

    /// A flow that ended lately.
    #[must_use]
    pub fn finished_flow(&self, id: &FlowId) -> Option<&Flow> {
        self.finished_flows.iter().rev().map(|finished| &finished.flow).find(|flow| flow.id == *id)
    }

    /// What ended, newest first.
    pub fn history(&self) -> impl ExactSizeIterator<Item = &HistoryItem> {
        self.history.items().iter().rev()
    }

    /// Alerts that nobody has resolved, by id.
    pub fn alerts(&self) -> impl ExactSizeIterator<Item = (&Text, &OpenAlert)> {
        self.alerts.iter()
    }

    /// What events said of a seed, and when.
    #[must_use]
    pub fn seed(&self, id: &SeedId) -> Option<(&SeedReport, Timestamp)> {
        self.seeds.get(id).map(|seed| (&seed.report, seed.updated))
    }

    /// Counts of the whole history.
    #[must_use]
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// What an entity wrote; `None` when nothing was heard of it, or not for long.
    #[must_use]
    pub fn log(&self, entity: &EntityId) -> Option<&Log> {
        self.logs.get(entity)
    }

    /// Every log with every line held, of which a snapshot takes the newest alone.
    #[must_use]
    pub fn logs(&self) -> &Keyed<EntityId, Log> {
        self.logs.all()
    }

    /// This state with `logs` in place of its own: what was serialized with them goes on as if it never had been.
    #[must_use]
    pub fn with_logs(self, logs: Keyed<EntityId, Log>) -> Self {
        Self { logs: logs.into(), ..self }
    }

    /// Contracts opened and settled and what broke in the hour before `now`, in the order in which it was told: the
    /// newest [`MARKS_MAX`](crate::MARKS_MAX).
    pub fn marks(&self, now: Timestamp) -> impl Iterator<Item = &Mark> {
        self.marks.within_hour(now)
    }

    /// Until when marks of the hour before `now` are missing, because there were more than are held.
    #[must_use]
    pub fn marks_missing_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.marks.missing_until(now)
    }

    /// When things happened, and who was at work then.
    #[must_use]
    pub fn activity(&self) -> &Activity {
        &self.activity
    }

    /// The latest moment that any event named; `None` before any.
    #[must_use]
    pub fn last_time(&self) -> Option<Timestamp> {
        self.last_time
    }
}

/// A snapshot as it comes in: from the stream, or from a browser's storage, where it may have been edited.
#[derive(Default)]
struct Stored {
    entities: Keyed<EntityId, Entity>,
    flows: Keyed<FlowId, OpenFlow>,
    finished_flows: VecDeque<FinishedFlow>,
    seeds: Keyed<SeedId, Seed>,
    alerts: Keyed<Text, OpenAlert>,
    history: History,
    reported: Option<Reported>,
    totals: Totals,
    last_time: Option<Timestamp>,
    activity: Activity,
    logs: Keyed<EntityId, Log>,
    marks: Marks,
}

record!(Stored { ; entities, flows, finished_flows, seeds, alerts, history, reported, totals, last_time, activity, logs, marks });

impl<'a> FromJson<'a> for Civilization {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Stored::from_json(json, wrong).map(Self::from)
    }
}

impl From<Stored> for Civilization {
    /// Takes what the bounds allow.
    fn from(stored: Stored) -> Self {
        let mut state = Self {
            entities: stored.entities,
            flows: stored.flows,
            finished_flows: stored.finished_flows,
            seeds: stored.seeds,
            alerts: stored.alerts,
            history: stored.history,
            reported: stored.reported,
            totals: stored.totals,
            last_time: stored.last_time,
            activity: stored.activity,
            logs: stored.logs.into(),
            marks: stored.marks,
            entity_bytes: 0,
            flow_bytes: 0,
        };
        state.activity.mend();
        state.marks.shrink();
        state.entities.change_each(Entity::fit);
        // `make_room` makes place for one more, so a map at its bound is full, not over.
        make_room(&mut state.entities, ENTITIES_MAX + 1);
        make_room(&mut state.flows, FLOWS_MAX + 1);
        make_room(&mut state.seeds, SEEDS_MAX + 1);
        make_room(&mut state.alerts, ALERTS_MAX + 1);
        let excess = state.finished_flows.len().saturating_sub(FINISHED_FLOWS_MAX);
        state.finished_flows.drain(..excess);
        for finished in &mut state.finished_flows {
            shorten(&mut finished.flow.reason, REASON_MAX_BYTES);
        }
        state.flows.change_each(|open| shorten(&mut open.flow.reason, REASON_MAX_BYTES));
        state.alerts.change_each(|open| open.message = open.message.clone().shortened(REASON_MAX_BYTES));
        state.entity_bytes = state.entities.values().map(Entity::bytes).sum();
        while state.entity_bytes > ENTITIES_BYTES_MAX {
            let held = state.entities.len();
            make_room(&mut state.entities, held);
            state.entity_bytes = state.entities.values().map(Entity::bytes).sum();
        }
        state.flow_bytes = state.flows.values().map(OpenFlow::bytes).sum();
        while state.flow_bytes > FLOWS_BYTES_MAX {
            let held = state.flows.len();
            make_room(&mut state.flows, held);
            state.flow_bytes = state.flows.values().map(OpenFlow::bytes).sum();
        }
        state
    }
}
