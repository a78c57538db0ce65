//! What is said of the whole: metrics, alerts, health, and the lines of a log.

use crate::{EntityId, Ratio, Text};
use crate::{shaped_record, words};
use serde::Serialize;

/// Figures of the whole, reported by a source that knows better than what can be derived.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct SystemMetrics {
    /// Agents at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active_agents: Option<u32>,
    /// Flows under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_flows: Option<u32>,
    /// Contracts that have settled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contracts_settled: Option<u64>,
    /// Share of what can run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Ratio>,
}

shaped_record!(SystemMetrics { ; active_agents, pending_flows, contracts_settled, load });

/// How grave an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at.
    Warning,
    /// The civilization cannot go on as it should.
    Critical,
}

words!(Severity { Info = "info", Warning = "warning", Critical = "critical" });

/// Something that wants attention, open until an alert of the same id says `resolved`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Alert {
    /// What tells it from others.
    pub id: Text,
    /// How grave it is.
    pub severity: Severity,
    /// What is wrong, in words.
    pub message: Text,
    /// Whether it is over.
    pub resolved: bool,
}

shaped_record!(Alert { id, severity, message; resolved });

/// How the civilization is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Load under a half.
    Healthy,
    /// Load from a half to 0.8.
    Stressed,
    /// Load over 0.8, or a critical alert is open.
    Critical,
}

words!(Health { Healthy = "healthy", Stressed = "stressed", Critical = "critical" });

/// A source's word on the health of the whole. It is history: what the page shows is derived.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HealthChange {
    /// The health as the source sees it.
    pub health: Health,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}

shaped_record!(HealthChange { health; reason });

/// How loud a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// For those who build.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

words!(LogLevel { Debug = "debug", Info = "info", Warn = "warn", Error = "error" });

/// One line that an entity wrote.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LogLine {
    /// Whose line it is.
    pub entity: EntityId,
    /// How loud.
    pub level: LogLevel,
    /// The line.
    pub message: Text,
}

shaped_record!(LogLine { entity, level, message;  });
