//! GitHub's webhooks as GitHub delivers them: a real server, real payloads, and the state that comes of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod contracts;
mod delivering;
#[path = "../documents/mod.rs"]
#[expect(dead_code, reason = "the tests of the stream use the rest of it")]
mod documents;
mod hostile;
mod measured;
mod packaged;
mod pushes;
mod runs;
mod seeds;
mod signing;
mod support;
