//! What is measured, under the names that the alert rules use (`limits.md`, "Metrics"). Every name is there from the
//! start, at zero.
//!
//! Knows nothing of what is measured: others say what happened.

mod agents;
mod fleet;

pub(crate) use agents::{AgentMetrics, DeliveryOutcome};

use crate::sources::fleet::ProbeReport;
use fleet::FleetMetrics;
use monkeytown_protocol::EntityId;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
    TextEncoder, core::Collector,
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Media type of the text format, version 0.0.4.
pub(crate) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Seconds over which the rate of publishing is taken.
const RATE_SECONDS: u64 = 10;
const LATENCY_BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// Seconds that a page takes to draw, of which 0.1 is what it may.
pub(crate) const RENDER_BUCKETS: [f64; 9] = [0.004, 0.008, 0.016, 0.033, 0.05, 0.1, 0.25, 0.5, 1.0];

/// The routes that requests are counted by; everything else is the site.
pub(crate) const ROUTES: [&str; 12] = [
    "/ws",
    "/api/v1/events",
    "/api/v1/snapshot",
    "/api/v1/vitals",
    "/hooks/github",
    "/health",
    "/ready",
    "/version",
    "/metrics",
    "/api/openapi.json",
    "/api/asyncapi.json",
    "site",
];

/// Why events or requests to publish were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rejection {
    Malformed,
    Unauthorized,
    Forbidden,
    TooLarge,
    MediaType,
    Invalid,
    RateLimited,
    Draining,
    /// It could not be written to the journal.
    Unwritten,
}

/// Why a subscriber was sent away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Eviction {
    FellBehind,
    Stalled,
    Silent,
    Oversized,
    Unruly,
}

/// Why a subscriber found no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoPlace {
    /// All are taken.
    Full,
    /// Its address has as many as it may have.
    Crowded,
}

/// What became of a connection that its address may not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    Told,
    Closed,
}

/// Where events come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Those who publish.
    Publisher,
    /// GitHub's webhooks.
    Webhook,
    /// A repository.
    Git,
    /// Probes of a fleet.
    Fleet,
    /// Nowhere: they are invented.
    Simulator,
}

/// What became of a cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resume {
    /// None was given.
    Fresh,
    Recovered,
    OtherEpoch,
    TooOld,
    Ahead,
}

macro_rules! labels {
    ($name:ident: $($variant:ident = $label:literal),+ $(,)?) => {
        impl $name {
            const LABELS: &[&str] = &[$($label),+];
            fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
        }
    };
}

labels!(Rejection: Malformed = "malformed", Unauthorized = "unauthorized", Forbidden = "forbidden", TooLarge = "too_large",
    MediaType = "media_type", Invalid = "invalid", RateLimited = "rate_limited", Draining = "draining",
    Unwritten = "unwritten");
labels!(Eviction: FellBehind = "fell_behind", Stalled = "stalled", Silent = "silent", Oversized = "oversized",
    Unruly = "unruly");
labels!(NoPlace: Full = "full", Crowded = "per_address");
labels!(TurnedAway: Told = "told", Closed = "closed");
labels!(Origin: Publisher = "publisher", Webhook = "webhook", Git = "git", Fleet = "fleet", Simulator = "simulator");
labels!(Resume: Fresh = "fresh", Recovered = "recovered", OtherEpoch = "other_epoch", TooOld = "too_old",
    Ahead = "ahead");

/// Everything that is measured. Clones share it.
#[derive(Clone)]
pub struct Metrics {
    registry: Registry,
    published_total: IntCounter,
    published_rate: Gauge,
    recent: Arc<Mutex<Recent>>,
    origin_total: IntCounterVec,
    rejected_total: IntCounterVec,
    publisher_events_total: IntCounterVec,
    publisher_rejected_total: IntCounterVec,
    pub(crate) ws_connections_active: IntGauge,
    pub(crate) ws_connections_total: IntCounter,
    pub(crate) subscriber_count: IntGauge,
    pub(crate) buffer_size: Gauge,
    pub(crate) journal_commit_seconds: Histogram,
    pub(crate) journal_failures_total: IntCounter,
    pub(crate) journal_size_bytes: IntGauge,
    pub(crate) redis_append_seconds: Histogram,
    pub(crate) redis_failures_total: IntCounter,
    pub(crate) redis_away: IntGauge,
    pub(crate) bundle_size_bytes: IntGauge,
    render_duration: Histogram,
    event_latency: Histogram,
    evicted_total: IntCounterVec,
    no_place_total: IntCounterVec,
    turned_away_total: IntCounterVec,
    resume_total: IntCounterVec,
    http_requests_total: IntCounterVec,
    http_errors_total: IntCounterVec,
    http_duration: HistogramVec,
    webhook_deliveries: IntCounterVec,
    pub(crate) agents: AgentMetrics,
    fleet: FleetMetrics,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// A registry of its own, with every name at zero.
    #[must_use]
    pub fn new() -> Self {
        let registry = Registry::new();
        let latency = |name: &str, help: &str| HistogramOpts::new(name, help).buckets(LATENCY_BUCKETS.to_vec());
        let metrics = Self {
            published_total: register(&registry, IntCounter::new("events_published_total", "Events accepted.")),
            published_rate: register(
                &registry,
                Gauge::new("events_published_rate", "Events accepted a second, over the last ten seconds."),
            ),
            recent: Arc::default(),
            origin_total: counters(&registry, "origin_events_total", "Events accepted, by where from.", &["origin"]),
            rejected_total: counters(&registry, "events_rejected_total", "Requests to publish refused.", &["reason"]),
            publisher_events_total: counters(
                &registry,
                "publisher_events_total",
                "Events accepted, by the name of the token.",
                &["publisher"],
            ),
            publisher_rejected_total: counters(
                &registry,
                "publisher_rejected_total",
                "Requests to publish refused that gave a token of this stream, by its name.",
                &["publisher"],
            ),
            ws_connections_active: register(
                &registry,
                IntGauge::new("ws_connections_active", "WebSocket subscribers connected."),
            ),
            ws_connections_total: register(
                &registry,
                IntCounter::new("ws_connections_total", "WebSocket subscribers accepted."),
            ),
            subscriber_count: register(
                &registry,
                IntGauge::new("subscriber_count", "Subscribers of every transport, waiting polls included."),
            ),
            buffer_size: register(&registry, Gauge::new("buffer_size", "Share of the ring in use, 0 to 1.")),
            journal_commit_seconds: register(
                &registry,
                Histogram::with_opts(latency(
                    "journal_commit_seconds",
                    "Time to write and sync what was appended at once to the journal.",
                )),
            ),
            journal_failures_total: register(
                &registry,
                IntCounter::new("journal_failures_total", "Times that the disk did not take what the journal wrote."),
            ),
            journal_size_bytes: register(
                &registry,
                IntGauge::new("journal_size_bytes", "Bytes of the journal's segments; 0 without one."),
            ),
            redis_append_seconds: register(
                &registry,
                Histogram::with_opts(latency(
                    "redis_append_seconds",
                    "Time until Redis had what was appended at once, and this node what came before it.",
                )),
            ),
            redis_failures_total: register(
                &registry,
                IntCounter::new("redis_failures_total", "Times that Redis did not answer, refused or did not fit."),
            ),
            redis_away: register(
                &registry,
                IntGauge::new(
                    "redis_away",
                    "1 while Redis keeps no events, so that none is taken; 0 without Redis too.",
                ),
            ),
            bundle_size_bytes: register(
                &registry,
                IntGauge::new(
                    "bundle_size_bytes",
                    "Bytes of the site's files as a first visit loads them, gzip where there is a copy; 0 without a site.",
                ),
            ),
            render_duration: register(
                &registry,
                Histogram::with_opts(
                    HistogramOpts::new(
                        "render_duration_seconds",
                        "How long witnesses' pages took to draw, as they say; the sum is of the buckets' middles.",
                    )
                    .buckets(RENDER_BUCKETS.to_vec()),
                ),
            ),
            event_latency: register(
                &registry,
                Histogram::with_opts(latency(
                    "event_latency_seconds",
                    "From acceptance to the subscriber's socket: the oldest event of each live frame.",
                )),
            ),
            evicted_total: counters(&registry, "subscribers_evicted_total", "Subscribers sent away.", &["reason"]),
            no_place_total: counters(
                &registry,
                "subscribers_refused_total",
                "Subscribers that found no place.",
                &["reason"],
            ),
            turned_away_total: counters(
                &registry,
                "connections_refused_total",
                "Connections over what their address may have, by what became of them.",
                &["outcome"],
            ),
            resume_total: counters(
                &registry,
                "resume_total",
                "Cursors asked for, by what became of them.",
                &["outcome"],
            ),
            http_requests_total: counters(&registry, "http_requests_total", "Requests answered.", &["route", "status"]),
            http_errors_total: counters(
                &registry,
                "http_request_errors_total",
                "Requests answered with a status of 500 or more.",
                &["route"],
            ),
            http_duration: register(
                &registry,
                HistogramVec::new(
                    latency("http_request_duration_seconds", "Time to the answer, what a long poll waited left out."),
                    &["route"],
                ),
            ),
            webhook_deliveries: agents::deliveries(&registry),
            agents: AgentMetrics::new(&registry),
            fleet: FleetMetrics::new(&registry),
            registry,
        };
        for (family, labels) in [
            (&metrics.rejected_total, Rejection::LABELS),
            (&metrics.origin_total, Origin::LABELS),
            (&metrics.evicted_total, Eviction::LABELS),
            (&metrics.no_place_total, NoPlace::LABELS),
            (&metrics.turned_away_total, TurnedAway::LABELS),
            (&metrics.resume_total, Resume::LABELS),
            (&metrics.http_errors_total, ROUTES.as_slice()),
        ] {
            for label in labels {
                family.with_label_values(&[label]);
            }
        }
        for route in ROUTES {
            metrics.http_requests_total.with_label_values(&[route, if route == "/ws" { "101" } else { "200" }]);
            metrics.http_duration.with_label_values(&[route]);
        }
        metrics
    }

    pub(crate) fn published(&self, events: usize) {
        self.published_total.inc_by(events as u64);
        self.recent().add(events as u64);
    }

    pub(crate) fn came(&self, origin: Origin, events: usize) {
        self.origin_total.with_label_values(&[origin.label()]).inc_by(events as u64);
    }

    pub(crate) fn rejected(&self, reason: Rejection, requests: u64) {
        self.rejected_total.with_label_values(&[reason.label()]).inc_by(requests);
    }

    /// Has the series of a publisher begin at zero.
    pub(crate) fn publisher(&self, name: &str) {
        for family in [&self.publisher_events_total, &self.publisher_rejected_total] {
            family.with_label_values(&[name]);
        }
    }

    pub(crate) fn published_by(&self, name: &str, events: usize) {
        self.publisher_events_total.with_label_values(&[name]).inc_by(events as u64);
    }

    pub(crate) fn rejected_of(&self, name: &str) {
        self.publisher_rejected_total.with_label_values(&[name]).inc();
    }

    /// Has the series of a fleet's components begin at zero.
    pub fn fleet<'a>(&self, components: impl IntoIterator<Item = &'a EntityId>) {
        components.into_iter().for_each(|component| self.fleet.begin(component));
    }

    /// Counts a probe of a fleet's component.
    pub fn probed(&self, report: &ProbeReport) {
        self.fleet.count(report);
    }

    pub(crate) fn delivered_by_webhook(&self, event: &str, outcome: DeliveryOutcome) {
        agents::delivered(&self.webhook_deliveries, event, outcome);
    }

    pub(crate) fn evicted(&self, reason: Eviction) {
        self.evicted_total.with_label_values(&[reason.label()]).inc();
    }

    pub(crate) fn no_place(&self, reason: NoPlace) {
        self.no_place_total.with_label_values(&[reason.label()]).inc();
    }

    pub(crate) fn turned_away(&self, outcome: TurnedAway) {
        self.turned_away_total.with_label_values(&[outcome.label()]).inc();
    }

    pub(crate) fn resumed(&self, outcome: Resume) {
        self.resume_total.with_label_values(&[outcome.label()]).inc();
    }

    pub(crate) fn delivered(&self, latency: Duration) {
        self.event_latency.observe(latency.as_secs_f64());
    }

    /// Adds how many draws were in each bucket, and beyond the last.
    pub(crate) fn drawn(&self, counts: &[u32; RENDER_BUCKETS.len() + 1]) {
        let local = self.render_duration.local();
        let bounds = RENDER_BUCKETS.into_iter().map(Some).chain([None]);
        let mut below = 0.0;
        for (count, bound) in counts.iter().zip(bounds) {
            // Beyond the last, nobody knows how far.
            let middle = bound.map_or(below * 2.0, |bound| f64::midpoint(below, bound));
            (0..*count).for_each(|_| local.observe(middle));
            below = bound.unwrap_or(below);
        }
        local.flush();
    }

    pub(crate) fn answered(&self, route: &str, status: u16, took: Duration) {
        self.http_requests_total.with_label_values(&[route, &status.to_string()]).inc();
        self.http_duration.with_label_values(&[route]).observe(took.as_secs_f64());
        if status >= 500 {
            self.http_errors_total.with_label_values(&[route]).inc();
        }
    }

    /// Everything, in the text format.
    pub(crate) fn render(&self) -> Result<Vec<u8>, prometheus::Error> {
        self.published_rate.set(self.recent().per_second());
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(text)
    }

    fn recent(&self) -> std::sync::MutexGuard<'_, Recent> {
        // A count cannot be left half-made: whatever is there is usable.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn register<C: Collector + Clone + 'static>(registry: &Registry, made: prometheus::Result<C>) -> C {
    let collector = made.expect("names and labels are constants that Prometheus accepts");
    registry.register(Box::new(collector.clone())).expect("every name is registered once");
    collector
}

fn counters(registry: &Registry, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register(registry, IntCounterVec::new(Opts::new(name, help), labels))
}

/// Events accepted in each of the last seconds.
struct Recent {
    start: Instant,
    /// Second since `start`, and events accepted in it; indexed by the second.
    seconds: [(u64, u64); 16],
}

impl Default for Recent {
    fn default() -> Self {
        Self { start: Instant::now(), seconds: [(0, 0); 16] }
    }
}

impl Recent {
    fn add(&mut self, events: u64) {
        let now = self.start.elapsed().as_secs();
        let length = self.seconds.len() as u64;
        if let Some(slot) = self.seconds.get_mut(usize::try_from(now % length).unwrap_or_default()) {
            *slot = if slot.0 == now { (now, slot.1 + events) } else { (now, events) };
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge needs no more than f64 holds")]
    fn per_second(&self) -> f64 {
        let now = self.start.elapsed().as_secs();
        let events: u64 =
            self.seconds.iter().filter(|(second, _)| second + RATE_SECONDS > now).map(|(_, events)| events).sum();
        events as f64 / (now + 1).min(RATE_SECONDS) as f64
    }
}
