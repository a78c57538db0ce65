//! Bytes in, connection state out.
//!
//! Owns which transport is tried when. Whatever the transport, what it hands over are frames of
//! `monkeytown.v1.json`, undecoded: `ingest` knows what they mean.

mod backoff;
mod connection;
pub mod http;
mod link;
mod policy;
mod polling;

pub use backoff::Backoff;
pub use connection::{Connection, Handlers};
pub use policy::{Ending, Next, Policy, Reach, Route};
pub use polling::{Polled, ask};

use monkeytown_protocol::{Json, SourceKind, Timestamp, from_json};

/// How the connection stands, as `data-state` says it, with what a person wants to know of it.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum ConnectionState {
    /// The first attempt.
    #[default]
    Connecting,
    /// A socket has said hello.
    Live,
    /// Server-sent events have said hello.
    Sse,
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

impl ConnectionState {
    /// Trying again.
    #[must_use]
    pub fn trying(failures: u32, next_at_millis: Option<f64>, why: String) -> Self {
        Self::Reconnecting { failures, next_at_millis, why }
    }

    /// Whether events arrive as they happen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self, Self::Live | Self::Sse | Self::Polling)
    }
}

/// A place that a stream holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held {
    /// When, by the source's clock.
    pub clock: Timestamp,
}

from_json!(Held { ; clock });

/// What a snapshot says of itself beside the state, where it does; a refusal says the last of it.
#[derive(Default)]
struct Beside {
    clock: Timestamp,
    source_kind: Option<SourceKind>,
    earliest: Option<Held>,
}

from_json!(Beside { ; clock, source_kind, earliest });

impl Beside {
    /// Reads it from a body, of which it is a part.
    fn of(body: &str) -> Option<Self> {
        Some(from_json::read(&Json::parse(body).ok()?).unwrap_or_default())
    }

    /// A hello that brings the snapshot in `body`. Its clock shows 1970 when the snapshot does not say what it showed.
    fn greeting(&self, body: &str) -> String {
        let kind = self.source_kind.map_or("live", SourceKind::as_str);
        polling::greeting("-", "-1", "-:-1", body, "1970-01-01T00:00:00Z", &self.clock.to_string(), "0", kind)
    }
}

/// A snapshot that stands beside the page, as `/api/v1/snapshot` answers it: a deployment may bring one. It comes as a
/// hello.
pub async fn beside_the_page() -> Option<String> {
    let answer = http::get("snapshot.json", 5_000).await?;
    let body = answer.is_ok().then_some(answer.body)?;
    Some(Beside::of(&body)?.greeting(&body))
}

/// What a stream answers when it is asked for a moment of the past.
pub struct Moment {
    /// The status of the answer.
    pub status: u16,
    /// The oldest moment that can be gone to, when it says.
    pub earliest: Option<Timestamp>,
    /// The state then, as a hello; empty when it is not told.
    pub hello: String,
}

/// Asks for the state at a place or a moment (`EPOCH:OFFSET`, `earliest`, RFC 3339). `None` when nothing comes in time.
pub async fn ask_moment(base: &str, at: &str, deadline_millis: u32) -> Option<Moment> {
    let answer = http::get(&[base, "/api/v1/snapshot?at=", at].concat(), deadline_millis).await?;
    let said = Beside::of(&answer.body).unwrap_or_default();
    let earliest = said.earliest.map(|held| held.clock);
    let hello = if answer.is_ok() { said.greeting(&answer.body) } else { String::new() };
    Some(Moment { status: answer.status, earliest, hello })
}
