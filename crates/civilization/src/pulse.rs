//! The pulse: four numbers and a health, derived from the fold at a moment.

use crate::Civilization;
use monkeytown_protocol::{
    EntityKind, Health, Ratio, Severity, Timestamp,
    limits::{LOAD_FULL_FLOWS, METRICS_FRESH_MILLIS},
};

/// How the civilization is doing at a glance (`states.md`, "Pulse").
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pulse {
    /// Agents active or processing.
    pub active_agents: u32,
    /// Flows pending or active.
    pub pending_flows: u32,
    /// Contracts that reached complete.
    pub contracts_settled: u64,
    /// Open flows of fifty, at most 1.
    pub load: Ratio,
    /// What the load and the open alerts make of it.
    pub health: Health,
}

/// The last minute against the hour (`states.md`, "Pulse").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trend {
    /// The last whole minute had more events than the minutes of the hour have.
    Rising,
    /// As many, or too few are known to tell.
    #[default]
    Steady,
    /// Fewer.
    Easing,
}

/// Half minutes of the hour that must be known, beside the last minute, before a trend is told: 4 minutes.
const TREND_BINS_MIN: u64 = 8;

impl Civilization {
    /// The trend at `now`, on the page's clock.
    ///
    /// The last minute differs from the hour's mean minute when it does so by over a quarter of it, and by over twice
    /// its square root, which is what chance alone makes of independent events.
    #[must_use]
    pub fn trend(&self, now: Timestamp) -> Trend {
        let (minute, hour, bins) = self.activity.minute_and_hour(now);
        // Both sides times `bins`, so that whole numbers do.
        let (seen, mean) = (minute * bins, hour * 2);
        let apart = seen.abs_diff(mean);
        let by_chance = mean.saturating_mul(bins).saturating_mul(4);
        let differs = apart.saturating_mul(4) > mean && apart.saturating_mul(apart) > by_chance;
        match differs && bins >= TREND_BINS_MIN {
            true if seen > mean => Trend::Rising,
            true => Trend::Easing,
            false => Trend::Steady,
        }
    }

    /// Since when no agent is at work, by the sources' clock; `None` while one is, and when none ever was heard of.
    #[must_use]
    pub fn quiet_since(&self) -> Option<Timestamp> {
        let mut since = None;
        for entity in self.entities.values().filter(|entity| entity.kind == EntityKind::Agent) {
            if entity.is_at_work() {
                return None;
            }
            // An agent that rests after its run has been quiet since the run ended.
            since = since.max(Some(entity.ended.unwrap_or(entity.since)));
        }
        since
    }

    /// The pulse at `now`, on the page's clock (the source's own time).
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "both counts are bounded by the fold, far under u32")]
    #[expect(clippy::cast_precision_loss, reason = "a share of fifty flows needs no more than f32 holds")]
    pub fn pulse(&self, now: Timestamp) -> Pulse {
        let active = self.entities.values().filter(|entity| entity.is_at_work()).count() as u32;
        let open_flows = self.flows.len();
        let derived_load = Ratio::clamped(open_flows as f32 / LOAD_FULL_FLOWS as f32);
        // A report from the future is as stale as one from long ago: one of the two clocks is wrong.
        let reported = self
            .reported
            .filter(|reported| now.since_millis(reported.time).abs() < METRICS_FRESH_MILLIS)
            .map(|reported| reported.metrics)
            .unwrap_or_default();
        let load = reported.load.unwrap_or(derived_load);
        let alarmed = self.alerts.values().any(|alert| alert.severity == Severity::Critical);
        let health = match load.get() {
            _ if alarmed => Health::Critical,
            load if load < 0.5 => Health::Healthy,
            load if load <= 0.8 => Health::Stressed,
            _ => Health::Critical,
        };
        Pulse {
            active_agents: reported.active_agents.unwrap_or(active),
            pending_flows: reported.pending_flows.unwrap_or(open_flows as u32),
            contracts_settled: reported.contracts_settled.unwrap_or(self.totals.contracts_settled),
            load,
            health,
        }
    }
}
