//! What is measured of agents' runs (`limits.md`, "Agents"), of the webhooks that tell of them, and of what publishers say
//! that they wrote and asked.
//!
//! A label is an agent's id; agents beyond a bound share one, since whoever names workflows must not be able to make
//! series without end. A run is counted when it ends; one that never ran, or of which no end was heard, is not.

use super::{counters, register};
use crate::sources::github::{EVENTS, RunOutcome, RunReport, Untold};
use monkeytown_protocol::{EntityId, RunFigures};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};
use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
};

/// Agents that have a label of their own; of runs, and of what publishers say.
const LABELLED_MAX: usize = 64;
/// The label of all others; it is there from the start.
const OTHERS: &str = "other";
/// Seconds; agents run for up to 6 h.
const RUN_BUCKETS: [f64; 11] = [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0, 7_200.0, 18_000.0, 21_600.0];

/// Bytes; an agent's run writes up to 10 MB.
const OUTPUT_BUCKETS: [f64; 9] = [1e3, 1e4, 1e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 1e8];
/// More bytes than that count as so many: one claim must not outweigh all others in the sum for ever.
const OUTPUT_MAX_BYTES: u64 = 1 << 40;

/// Runs of agents.
#[derive(Clone)]
pub(crate) struct AgentMetrics {
    runs_total: IntCounterVec,
    runs_success: IntCounterVec,
    run_duration: HistogramVec,
    failures_total: IntCounterVec,
    runs_active: IntGaugeVec,
    output_size: HistogramVec,
    api_calls: IntCounterVec,
    /// Two sets, since any token may make ids up, and those must not use up the labels of agents whose runs are told of.
    with_runs: Labelled,
    with_figures: Labelled,
}

type Labelled = Arc<Mutex<HashSet<EntityId>>>;

impl AgentMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let labels = ["agent_type"];
        let duration = HistogramOpts::new("agent_run_duration_seconds", "How long runs took, from start to end.");
        let size = HistogramOpts::new("agent_outputs_size_bytes", "What runs wrote, as they say themselves.");
        let metrics = Self {
            runs_total: counters(registry, "agent_runs_total", "Runs that ended, well or broken.", &labels),
            runs_success: counters(registry, "agent_runs_success", "Runs that ended well.", &labels),
            run_duration: register(registry, HistogramVec::new(duration.buckets(RUN_BUCKETS.to_vec()), &labels)),
            failures_total: counters(registry, "workflow_failures_total", "Runs that ended broken.", &labels),
            runs_active: register(
                registry,
                IntGaugeVec::new(Opts::new("agent_runs_active", "Runs under way."), &labels),
            ),
            output_size: register(registry, HistogramVec::new(size.buckets(OUTPUT_BUCKETS.to_vec()), &labels)),
            api_calls: counters(
                registry,
                "agent_api_calls_total",
                "Calls of an API that runs made, as they say themselves.",
                &labels,
            ),
            with_runs: Arc::default(),
            with_figures: Arc::default(),
        };
        metrics.begin_runs_at_zero(OTHERS);
        metrics.begin_figures_at_zero(OTHERS);
        metrics
    }

    /// Counts what happened to a run.
    pub(crate) fn count(&self, report: &RunReport) {
        match report {
            RunReport::Began(agent) => self.runs_active.with_label_values(&[self.run_label(agent)]).inc(),
            RunReport::Ended { agent, outcome, took } => {
                let label = self.run_label(agent);
                self.runs_active.with_label_values(&[label]).dec();
                let Some(outcome) = outcome else { return };
                self.runs_total.with_label_values(&[label]).inc();
                match outcome {
                    RunOutcome::Well => self.runs_success.with_label_values(&[label]).inc(),
                    RunOutcome::Broken => self.failures_total.with_label_values(&[label]).inc(),
                }
                if let Some(took) = took {
                    self.run_duration.with_label_values(&[label]).observe(took.as_secs_f64());
                }
            }
        }
    }

    /// Counts what a run says that it wrote and asked.
    #[expect(clippy::cast_precision_loss, reason = "a histogram needs no more than f64 holds")]
    pub(crate) fn measured(&self, agent: &EntityId, figures: RunFigures) {
        let label = label(&self.with_figures, agent, |label| self.begin_figures_at_zero(label));
        if let Some(bytes) = figures.output_bytes {
            self.output_size.with_label_values(&[label]).observe(bytes.min(OUTPUT_MAX_BYTES) as f64);
        }
        if let Some(calls) = figures.api_calls {
            self.api_calls.with_label_values(&[label]).inc_by(calls.into());
        }
    }

    fn run_label<'a>(&self, agent: &'a EntityId) -> &'a str {
        label(&self.with_runs, agent, |label| self.begin_runs_at_zero(label))
    }

    fn begin_runs_at_zero(&self, label: &str) {
        for counter in [&self.runs_total, &self.runs_success, &self.failures_total] {
            counter.with_label_values(&[label]);
        }
        self.runs_active.with_label_values(&[label]);
        self.run_duration.with_label_values(&[label]);
    }

    fn begin_figures_at_zero(&self, label: &str) {
        self.api_calls.with_label_values(&[label]);
        self.output_size.with_label_values(&[label]);
    }
}

/// Its label among those that are `labelled`; `begin` makes its series when it is new.
fn label<'a>(labelled: &Mutex<HashSet<EntityId>>, agent: &'a EntityId, begin: impl FnOnce(&str)) -> &'a str {
    // A set cannot be left half-made: whatever is there is usable.
    let mut labelled = labelled.lock().unwrap_or_else(PoisonError::into_inner);
    if labelled.contains(agent) {
        return agent.as_str();
    }
    if labelled.len() >= LABELLED_MAX {
        return OTHERS;
    }
    labelled.insert(agent.clone());
    begin(agent.as_str());
    agent.as_str()
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    Told,
    Nothing,
    Untold,
    Ignored,
    Repeated,
}

impl DeliveryOutcome {
    const LABELS: [&str; 5] = ["told", "nothing", "untold", "ignored", "repeated"];

    pub(crate) fn of(untold: Option<Untold>) -> Self {
        match untold {
            None => Self::Told,
            Some(Untold::Nothing(_)) => Self::Nothing,
            Some(Untold::Missing(_)) => Self::Untold,
            Some(Untold::Ignored) => Self::Ignored,
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Told => "told",
            Self::Nothing => "nothing",
            Self::Untold => "untold",
            Self::Ignored => "ignored",
            Self::Repeated => "repeated",
        }
    }
}

/// Deliveries taken, by event and by what became of them.
pub(super) fn deliveries(registry: &Registry) -> IntCounterVec {
    let help = "Webhooks taken, by what became of them.";
    let deliveries = counters(registry, "webhook_deliveries_total", help, &["event", "outcome"]);
    for event in EVENTS.into_iter().chain([OTHERS]) {
        for outcome in DeliveryOutcome::LABELS {
            deliveries.with_label_values(&[event, outcome]);
        }
    }
    deliveries
}

/// Counts a delivery; the names of others than [`EVENTS`] are anybody's to make up.
pub(super) fn delivered(deliveries: &IntCounterVec, event: &str, outcome: DeliveryOutcome) {
    let event = EVENTS.into_iter().find(|known| *known == event).unwrap_or(OTHERS);
    deliveries.with_label_values(&[event, outcome.label()]).inc();
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::core::Collector;

    #[test]
    fn agents_without_end_make_a_bounded_number_of_series() {
        let metrics = AgentMetrics::new(&Registry::new());
        for number in 0..LABELLED_MAX * 3 {
            metrics.count(&RunReport::Began(EntityId::new(&format!("agent-{number}")).expect("an id")));
        }
        let series = metrics.runs_active.collect().iter().map(|family| family.get_metric().len()).sum::<usize>();
        assert_eq!(series, LABELLED_MAX + 1);
    }
}
