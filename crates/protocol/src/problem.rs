//! Answers to a publisher: a receipt, or a problem (RFC 9457).

use crate::{Epoch, Offset, Position};
use serde::{Deserialize, Serialize};

/// What a publisher gets once its events are as durable as the stream was configured to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublishReceipt {
    /// The history they are in.
    pub epoch: Epoch,
    /// The smallest of `offsets`.
    pub first: Offset,
    /// The largest of `offsets`.
    pub last: Offset,
    /// One for each event sent, in the order sent.
    pub offsets: Vec<Offset>,
    /// How many of them the stream already had.
    pub duplicates: usize,
}

/// `application/problem+json` (RFC 9457, section 3.1), with the pointer of what is wrong (RFC 6901).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Which kind of problem; `about:blank` when the status says it all.
    #[serde(rename = "type")]
    pub problem_type: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong this time, and what can be done.
    pub detail: String,
    /// Where in the request it is wrong, as a JSON pointer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// The oldest that can be asked for, when what was asked for is older.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Position>,
}
