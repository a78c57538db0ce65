//! The fleet: components that are probed, and what is told of them.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod http;
mod peers;
mod postgres;
mod program;
mod redis;
mod schedule;
mod support;
