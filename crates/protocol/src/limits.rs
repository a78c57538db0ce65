//! The numbers both ends of the wire must agree on, each stated once (`limits.md` has their reasons).

/// Largest event, in bytes of its JSON.
pub const EVENT_MAX_BYTES: usize = 16_384;
/// Longest id of an entity, flow, seed or event, in bytes of UTF-8.
pub const ID_MAX_BYTES: usize = 256;
/// Longest label, activity, reason or message, in bytes of UTF-8.
pub const TEXT_MAX_BYTES: usize = 2_048;
/// Longest address that an entity or a seed's result may carry, in bytes.
pub const URL_MAX_BYTES: usize = 2_048;
/// Most names of files that an entity may carry.
pub const FILES_MAX: usize = 32;
/// Flows drawn at once; those over it are counted, never dropped silently.
pub const FLOWS_DRAWN_MAX: usize = 50;
/// Open flows at which the load is full (1.0).
pub const LOAD_FULL_FLOWS: usize = 50;
/// Longest silence of a stream between two frames, in milliseconds.
pub const HEARTBEAT_MILLIS: u64 = 25_000;
/// Events in one REST answer when `limit` is not given.
pub const REST_LIMIT_DEFAULT: usize = 1_000;
/// Most events in one REST answer.
pub const REST_LIMIT_MAX: usize = 10_000;
/// Longest `wait` of a long poll, in seconds.
pub const REST_WAIT_MAX_SECONDS: u64 = 30;
/// First and smallest back-off of a client, in milliseconds.
pub const BACKOFF_BASE_MILLIS: u32 = 500;
/// Largest back-off of a client, in milliseconds.
pub const BACKOFF_CAP_MILLIS: u32 = 15_000;
/// How long a connection must hold before back-off starts afresh, in milliseconds.
pub const BACKOFF_STABLE_MILLIS: u64 = 60_000;
/// A `system.metrics` event younger than this overrides what is derived, in milliseconds.
pub const METRICS_FRESH_MILLIS: i64 = 60_000;
/// The WebSocket subprotocol of this project.
pub const SUBPROTOCOL: &str = "monkeytown.v1.json";
