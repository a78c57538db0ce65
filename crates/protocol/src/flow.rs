//! Flows: movement between two entities.

use crate::{EntityId, FlowId, Ratio, Text};
use crate::{record, words};
use serde::Serialize;

/// What moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowKind {
    /// Words.
    Message,
    /// Files, data, code.
    Resource,
    /// An agreement.
    Contract,
    /// A change of what runs when.
    Signal,
}

words!(FlowKind { Message = "message", Resource = "resource", Contract = "contract", Signal = "signal" });

/// How far a flow has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FlowStatus {
    /// Announced, not moving.
    Pending,
    /// Moving.
    Active,
    /// Arrived.
    Complete,
    /// Broken on the way.
    Error,
}

words!(FlowStatus { Pending = "pending", Active = "active", Complete = "complete", Error = "error" });

impl FlowStatus {
    /// Whether it is still under way, and so counts as pending in the pulse and towards the load.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::Active)
    }
}

/// A flow as it stands after an event: an event replaces the whole flow.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flow {
    /// Its identity.
    pub id: FlowId,
    /// Where it comes from.
    pub source: EntityId,
    /// Where it goes.
    pub target: EntityId,
    /// What moves.
    pub kind: FlowKind,
    /// How far it has come. An event may leave it out: its type says it.
    pub status: FlowStatus,
    /// Share of the way.
    pub progress: Ratio,
    /// Why it broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
}

record!(Flow { id, source, target, kind, status; progress, reason });
