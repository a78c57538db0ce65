//! What this browser last knew of a stream, for a visit on which no stream answers.

use super::{StorageError, read, write};
use monkeytown_civilization::Civilization;
use monkeytown_protocol::{SourceKind, Timestamp};
use serde::{Deserialize, Serialize};

/// Versioned: another version is somebody else's record.
const KEY: &str = "monkeytown.last-known.v1";
/// Largest record, in UTF-16 units: under half of what all of this page may keep (`limits.md`).
const RECORD_MAX_UNITS: usize = 1_000_000;

/// A state and when it was known.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct LastKnown {
    /// When it was kept, by the witness's clock.
    pub saved_at: Timestamp,
    /// Where the events came from.
    pub source_kind: SourceKind,
    /// What the source's clock showed.
    pub clock: Timestamp,
    /// The state.
    pub state: Civilization,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    stream: &'a str,
    known: &'a LastKnown,
}

#[derive(Deserialize)]
struct Incoming {
    stream: String,
    known: LastKnown,
}

/// What was kept of `stream`. None when nothing was, or what is there cannot be read.
#[must_use]
pub fn load(stream: &str) -> Option<LastKnown> {
    let kept: Incoming = serde_json::from_str(&read(KEY)?).ok()?;
    (kept.stream == stream).then_some(kept.known)
}

/// Keeps `known` of `stream` in the place of what was kept before.
///
/// # Errors
/// When it is too large, or the browser has no room or keeps nothing at all.
pub fn save(stream: &str, known: &LastKnown) -> Result<(), StorageError> {
    let record = serde_json::to_string(&Outgoing { stream, known }).map_err(|_| StorageError::TooLarge)?;
    // Bytes are never fewer than UTF-16 units, so this errs on the side of the quota.
    if record.len() > RECORD_MAX_UNITS {
        return Err(StorageError::TooLarge);
    }
    write(KEY, &record)
}
