//! Bytes in, connection state out.
//!
//! Owns which transport is tried when. Whatever the transport, what it hands over are frames of
//! `monkeytown.v1.json`, undecoded: `ingest` knows what they mean.

mod backoff;
mod connection;
pub mod http;
mod policy;
mod polling;
mod websocket;

pub use backoff::Backoff;
pub use connection::{Connection, Handlers};
pub use policy::{Ending, Next, Policy, Route};
pub use polling::snapshot;

/// How the connection stands, as `data-state` says it, with what a person wants to know of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ConnectionState {
    /// The first attempt.
    #[default]
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
