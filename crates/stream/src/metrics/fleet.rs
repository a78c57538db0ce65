//! What is measured of a fleet's probes, under the names that Prometheus' blackbox exporter has made usual.
//!
//! A label is a component's id. An operator writes those, in a bounded number, so each has series of its own.

use super::{counters, register};
use crate::sources::fleet::{Broken, ProbeReport};
use monkeytown_protocol::EntityId;
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Seconds; a probe may take up to 300.
const BUCKETS: [f64; 9] = [0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Probes.
#[derive(Clone)]
pub(crate) struct FleetMetrics {
    duration: HistogramVec,
    failures_total: IntCounterVec,
    success: IntGaugeVec,
    unasked_total: IntCounterVec,
}

impl FleetMetrics {
    pub(super) fn new(registry: &Registry) -> Self {
        let labels = ["component"];
        let duration = HistogramOpts::new("probe_duration_seconds", "How long probes took, however they ended.");
        Self {
            duration: register(registry, HistogramVec::new(duration.buckets(BUCKETS.to_vec()), &labels)),
            failures_total: counters(registry, "probe_failures_total", "Probes that did not succeed.", &labels),
            success: register(
                registry,
                IntGaugeVec::new(Opts::new("probe_success", "Whether the last probe succeeded: 1, or 0."), &labels),
            ),
            unasked_total: counters(
                registry,
                "probes_unasked_total",
                "Probes that could not be made for want of something on the stream's side.",
                &labels,
            ),
        }
    }

    /// Has the series of a component begin at zero.
    pub(super) fn begin(&self, component: &EntityId) {
        let label = [component.as_str()];
        self.duration.with_label_values(&label);
        self.failures_total.with_label_values(&label);
        self.success.with_label_values(&label);
        self.unasked_total.with_label_values(&label);
    }

    /// Counts a probe.
    pub(super) fn count(&self, report: &ProbeReport) {
        let label = [report.component.as_str()];
        if report.outcome.as_ref().err().is_some_and(Broken::is_ours) {
            self.unasked_total.with_label_values(&label).inc();
            return;
        }
        self.duration.with_label_values(&label).observe(report.took.as_secs_f64());
        self.success.with_label_values(&label).set(i64::from(report.outcome.is_ok()));
        if report.outcome.is_err() {
            self.failures_total.with_label_values(&label).inc();
        }
    }
}
