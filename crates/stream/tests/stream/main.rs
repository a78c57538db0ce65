//! The stream as its subscribers, publishers and operators meet it: a real server on a port of its own.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod draining;
mod harness;
mod operating;
mod polling;
mod publishing;
mod resuming;
mod site;
mod starting;
mod subscribing;
