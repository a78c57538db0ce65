//! Several nodes over one Redis: a real one, started by each test, stopped, killed, stalled, emptied and damaged.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that meets the unexpected fails")]

mod chaos;
mod foreign;
mod load;
mod losing;
mod measured;
mod node;
mod process;
mod server;
mod sharing;
