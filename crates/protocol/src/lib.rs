//! The wire: what an event, a frame, a cursor and a refusal look like, for every source and transport.
//!
//! Owns the vocabulary of `CloudEvents` 1.0 as this project uses it, the frames of the
//! `monkeytown.v1.json` subprotocol, cursors, and the limits both ends must agree on.
//!
//! Absent here: sockets, files, clocks, randomness, and any one JSON library. Everything is serde
//! `Serialize` and `Deserialize` for the stream, which wraps a reader of its own to learn the pointer of what is
//! wrong. The page must be small and reads by [`json`] and [`FromJson`], from the same declarations.

pub mod cursor;
pub mod entity;
pub mod envelope;
pub mod event;
pub mod flow;
pub mod frame;
pub mod from_json;
pub mod ids;
pub mod json;
pub mod limits;
mod object;
pub mod problem;
pub mod record;
pub mod scalar;
pub mod seed;
pub mod shape;
pub mod system;
pub mod timestamp;

pub use cursor::{Cursor, Epoch, Offset, Position};
pub use entity::{
    Domain, EntityKind, EntityPatch, EntityStatus, Field, Files, Metrics, MetricsPatch, RunFigures, TooManyFiles,
};
pub use envelope::{Envelope, EnvelopeError};
pub use event::{EntityVerb, Event, EventType, FlowVerb, Payload, SeedVerb};
pub use flow::{Flow, FlowKind, FlowStatus};
pub use frame::{Frame, FrameError, Hello, SnapshotEnvelope, SourceKind};
pub use from_json::{FromJson, Wrong};
pub use ids::{EntityId, EventId, FlowId, SeedId, SourceUri};
pub use json::{Json, NotJson};
pub use problem::{Problem, PublishReceipt};
pub use scalar::{HttpsUrl, Ratio, Text};
pub use seed::{SeedReport, SeedStatus, SeedType};
pub use system::{Alert, Health, HealthChange, LogLevel, LogLine, Severity, SystemMetrics};
pub use timestamp::Timestamp;
