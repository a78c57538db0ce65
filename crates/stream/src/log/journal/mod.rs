//! The journal: events on the disk before they are anybody's (`limits.md`, "Recovery objectives").
//!
//! An event has its offset when it is written, and is acknowledged, folded and served only when it is synced. So an
//! offset that anybody has seen is on the disk, and is never given to another event. What is not synced has changed
//! nothing: its identity is forgotten, its bytes are cut off, and its publisher is told to come again.
//!
//! `format` is what lies in files, `folder` where they are, `restore` makes the log of them at the start, `scribe` writes
//! them on a thread of its own. Absent here: what becomes of events that cannot be written; their sources say that.

mod folder;
mod format;
pub(crate) mod fuzzing;
mod restore;
mod scribe;
#[cfg(test)]
mod tests;

pub(super) use restore::open;
pub(super) use scribe::Journal;

use std::{io, path::PathBuf, time::Duration};

/// A ring's worth of events lies in so many segments. The oldest is dropped when the ring holds nothing of it, so that
/// the journal holds at most one segment more than the ring.
const SEGMENTS: usize = 8;
/// A segment is at least so large, in bytes and events, however small the ring: each begins with the whole state.
const SEGMENT_LEAST: (usize, usize) = (1 << 20, 1_024);
/// And at most so large, since one is read whole at the start: 64 MiB.
const SEGMENT_BYTES_MAX: usize = 64 << 20;

/// Why a journal cannot be continued. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The folder cannot be used.
    #[error("--journal {folder}: {error}; give a folder that this process may write in", folder = .0.display(), error = .1)]
    Folder(PathBuf, #[source] io::Error),
    /// Another process writes in it.
    #[error("--journal {}: another process holds this journal; stop it first or give another folder", .0.display())]
    Taken(PathBuf),
    /// A file whose name no segment has.
    #[error("--journal: {}: no segment is called that; move it away", .0.display())]
    Name(PathBuf),
    /// A segment cannot be read.
    #[error("--journal: {file}: {error}", file = .0.display(), error = .1)]
    Unreadable(PathBuf, #[source] io::Error),
    /// A segment is not what was written.
    #[error("--journal: {file}: {why}; restore the folder from a copy, or give an empty one and begin a new history", file = .0.display(), why = .1)]
    Damaged(PathBuf, String),
    /// It was written by a later version.
    #[error("--journal: {file}: {why}; start the version that wrote it, or give another folder", file = .0.display(), why = .1)]
    Newer(PathBuf, String),
    /// The system gives no thread to write on.
    #[error("--journal: {0}")]
    Thread(#[source] io::Error),
}

/// What was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// Events that the log holds again.
    pub events: u64,
    /// Bytes of a write that was interrupted, which were cut off. Nobody was told that it was there.
    pub torn_bytes: u64,
    /// How long it took.
    pub took: Duration,
}

impl Restored {
    /// Says it in the log.
    pub fn tell(&self) {
        let millis = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(events = self.events, millis, "the journal is read");
        if self.torn_bytes > 0 {
            tracing::warn!(
                bytes = self.torn_bytes,
                "the end of the journal was torn off in the middle of a write, and is cut; nothing acknowledged was in it"
            );
        }
    }
}
