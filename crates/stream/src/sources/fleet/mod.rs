//! A fleet as a source: components that are probed on their schedules, told as agents with their needs as flows.
//!
//! [`Fleet::open`] finds everything that can be wrong at the start; [`Fleet::run`] probes for ever. Knows the sink to
//! append to, and nothing behind it.
//!
//! `file` reads what people write, `target` the addresses in it, `probe` asks, `health` says what of the answers is worth
//! telling, `telling` makes events of that, and this module keeps the schedules.

mod file;
mod health;
mod probe;
mod target;
mod telling;

pub(crate) use probe::fuzzing;
pub use probe::{Broken, TlsError};

use crate::sources::{Sink, source_uri};
use monkeytown_protocol::{EntityId, SourceUri, Text, Timestamp};
use probe::Prober;
use std::{convert::Infallible, sync::Arc, time::Duration};
use target::Target;
use telling::Telling;
use tokio::{
    task::JoinSet,
    time::{Instant, sleep_until},
};

/// The first probes are spread over this time, so that not all of them come at once.
const FIRST_WITHIN: Duration = Duration::from_secs(3);

/// Which components there are, as people wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetConfig {
    name: String,
    components: Vec<Component>,
}

/// One component.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Component {
    id: EntityId,
    label: Text,
    target: Target,
    every: Duration,
    timeout: Duration,
    /// The components that it depends on, by their places in the file.
    needs: Vec<usize>,
}

/// What a probe has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProbeReport {
    /// Whom it asked.
    pub component: EntityId,
    /// How long the answer took, or what is wrong.
    pub outcome: Result<Duration, Broken>,
    /// How long the probe took, however it ended.
    pub took: Duration,
}

/// A fleet that is ready to be told.
#[derive(Debug)]
pub struct Fleet {
    source: SourceUri,
    components: Vec<Component>,
    probers: Vec<Arc<Prober>>,
}

impl Fleet {
    /// Makes all ready.
    ///
    /// # Errors
    /// When TLS is to be spoken and this system names nobody to trust.
    pub fn open(config: FleetConfig) -> Result<Self, TlsError> {
        let secure = config.components.iter().any(|component| component.target.secure);
        let tls = secure.then(probe::trusting_the_system).transpose()?;
        let prober =
            |component: &Component| Arc::new(Prober::new(component.target.clone(), tls.clone(), component.timeout));
        Ok(Self {
            source: source_uri("/fleet/", &config.name),
            probers: config.components.iter().map(prober).collect(),
            components: config.components,
        })
    }

    /// The source that its events name.
    #[must_use]
    pub fn source(&self) -> &SourceUri {
        &self.source
    }

    /// The components' ids, in the file's order.
    pub fn ids(&self) -> impl Iterator<Item = &EntityId> {
        self.components.iter().map(|component| &component.id)
    }

    /// Probes until the future is dropped. `now` is the wall clock; `heard` is told of every probe.
    ///
    /// Of each component one probe is under way at most. The next is due so long after the last was due as the file
    /// says; what should have begun meanwhile is left out. While the sink takes nothing, nobody is asked more than once.
    pub async fn run(
        self,
        sink: impl Sink,
        now: impl Fn() -> Timestamp + Send,
        heard: impl Fn(&ProbeReport) + Send,
    ) -> Infallible {
        let Self { source, components, probers } = self;
        let answers = probers.iter().map(|prober| prober.answers()).collect();
        let mut telling = Telling::new(source, now(), &components, answers);
        sink.append(telling.introduce(now())).await;
        let mut under_way = JoinSet::new();
        let mut unasked = Unasked::default();
        let begun = Instant::now();
        for (at, prober) in probers.iter().enumerate() {
            let every = components.get(at).map_or(FIRST_WITHIN, |component| component.every);
            let due = begun + every.min(FIRST_WITHIN).mul_f64(fastrand::f64());
            under_way.spawn(probe(at, due, prober.clone()));
        }
        loop {
            let Some(joined) = under_way.join_next().await else { std::future::pending().await };
            let Probed { at, due, outcome, took } = match joined.map_err(tokio::task::JoinError::try_into_panic) {
                Ok(probed) => probed,
                Err(Ok(panic)) => std::panic::resume_unwind(panic),
                // The runtime is shutting down.
                Err(Err(_)) => std::future::pending().await,
            };
            let (Some(component), Some(prober)) = (components.get(at), probers.get(at)) else { continue };
            let report = ProbeReport { component: component.id.clone(), outcome, took };
            heard(&report);
            if let Err(wrong) = &report.outcome {
                tracing::debug!(component = component.id.as_str(), %wrong, "a probe did not succeed");
            }
            // Of a component that was not asked nothing is known that was not known before.
            if unasked.is_to_be_heard(&report.outcome) {
                let events = telling.hear(at, &report.outcome, Instant::now(), now());
                if !events.is_empty() {
                    sink.append(events).await;
                }
            }
            under_way.spawn(probe(at, next(due, component.every, Instant::now()), prober.clone()));
        }
    }
}

/// Whether components could not be asked lately, for want of something on this side.
#[derive(Debug, Default)]
struct Unasked {
    probes: u32,
}

impl Unasked {
    /// Whether an outcome says anything of its component. That it does not is logged when that begins and ends.
    fn is_to_be_heard(&mut self, outcome: &Result<Duration, Broken>) -> bool {
        match outcome {
            Err(ours) if ours.is_ours() => {
                if self.probes == 0 {
                    tracing::error!(wrong = %ours, "the fleet cannot be asked, and is shown as it was");
                }
                self.probes = self.probes.saturating_add(1);
                false
            }
            _ => {
                if self.probes > 0 {
                    tracing::info!(probes = self.probes, "the fleet is asked again; so many probes could not be made");
                    self.probes = 0;
                }
                true
            }
        }
    }
}

/// A probe that has ended.
struct Probed {
    at: usize,
    due: Instant,
    outcome: Result<Duration, Broken>,
    took: Duration,
}

async fn probe(at: usize, due: Instant, prober: Arc<Prober>) -> Probed {
    sleep_until(due).await;
    let begun = Instant::now();
    let outcome = prober.ask().await;
    Probed { at, due, outcome, took: begun.elapsed() }
}

/// When it is due after `due`: a whole number of times `every` later, and not before `now`.
fn next(due: Instant, every: Duration, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let missed = u32::try_from(late.div_ceil(every.as_nanos().max(1))).unwrap_or(u32::MAX);
    due + every * missed.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_is_left_out_and_what_follows_keeps_its_time() {
        let due = Instant::now();
        let after = |seconds: f64| due + Duration::from_secs_f64(seconds);
        let every = Duration::from_secs(2);
        for (now, expected) in
            [(0.0, 2.0), (0.5, 2.0), (2.0, 2.0), (2.5, 4.0), (3.9, 4.0), (4.1, 6.0), (1_001.0, 1_002.0)]
        {
            assert_eq!(next(due, every, after(now)), after(expected), "{now}");
        }
    }
}
