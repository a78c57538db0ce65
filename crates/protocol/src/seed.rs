//! Seeds: a witness's interventions, as events report them.

use crate::{HttpsUrl, Ratio, SeedId};
use crate::{record, words};
use serde::Serialize;

/// What a seed asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedType {
    /// An agreement.
    Contract,
    /// A bound.
    Constraint,
    /// Something to work with.
    Resource,
    /// A question.
    Query,
}

words!(SeedType { Contract = "contract", Constraint = "constraint", Resource = "resource", Query = "query" });

/// How a seed grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedStatus {
    /// Planted.
    Pending,
    /// Found by an agent.
    Growing,
    /// Has come to something.
    Complete,
    /// Broken or expired.
    Error,
}

words!(SeedStatus { Pending = "pending", Growing = "growing", Complete = "complete", Error = "error" });

/// A seed as it stands after an event: an event replaces the whole report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeedReport {
    /// Its identity.
    pub id: SeedId,
    /// What it asks for.
    #[serde(rename = "type")]
    pub seed_type: SeedType,
    /// How it grows. An event may leave it out: its type says it.
    pub status: SeedStatus,
    /// How far it has grown.
    pub progress: Ratio,
    /// What came of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<HttpsUrl>,
}

record!(SeedReport { id, seed_type as "type", status; progress, result });
