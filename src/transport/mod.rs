//! Bytes in, connection state out.
//!
//! Owns which transport is tried when, and the position to resume from being asked at each attempt. Knows
//! nothing of what the bytes mean: a delivery is decoded by `ingest`.

mod backoff;
mod connection;
mod policy;
mod polling;
mod websocket;

pub use backoff::Backoff;
pub use connection::{Connection, Handlers};
pub use policy::{Ending, Next, Policy, Route};

use monkeytown_protocol::{Offset, Position, Timestamp};

/// What a transport hands over, undecoded.
#[derive(Debug, Clone, PartialEq)]
pub enum Delivery {
    /// A text frame of `monkeytown.v1.json`.
    Frame(String),
    /// A REST answer: a JSON array of events that covers everything after `after` up to `upto`.
    Batch {
        /// The array.
        body: String,
        /// Where the client stood.
        after: Position,
        /// Where it stands with these; `None` when the answer's epoch is another.
        upto: Option<Offset>,
        /// The source's own time and its rate, when said.
        clock: Option<(Timestamp, f64)>,
    },
    /// A REST snapshot.
    Snapshot(String),
}

impl Delivery {
    /// What it weighs while it waits, in bytes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match self {
            Self::Frame(body) | Self::Batch { body, .. } | Self::Snapshot(body) => body.len(),
        }
    }
}

/// How the connection stands, as `data-state` says it, with what a person wants to know of it.
#[derive(Debug, Clone, PartialEq)]
pub enum ConnectionState {
    /// The first attempt.
    Connecting,
    /// A socket has said hello.
    Live,
    /// Answers come by REST.
    Polling,
    /// Trying again; what is shown is what was known.
    Reconnecting {
        /// How many attempts failed in a row.
        failures: u32,
        /// When the next one starts, on the monotonic clock; `None` while one is under way.
        next_at_millis: Option<f64>,
        /// What was tried last and how it ended.
        why: String,
    },
    /// The browser says there is no network.
    Offline,
    /// The stream said not to come back.
    Refused {
        /// Its words.
        why: String,
    },
}
