//! What this browser last knew of a stream, for a visit on which no stream answers.
//!
//! It is kept as the stream would say it: a hello frame with a snapshot, so that one reader serves both.

use super::{StorageError, read, write};
use monkeytown_civilization::Civilization;
use monkeytown_protocol::{Frame, Hello};
use serde_json::value::RawValue;

/// Versioned: another version is somebody else's record. The stream's address follows.
const KEY: &str = "monkeytown.last-known.v1 ";
/// Largest record, in UTF-16 units: under half of what all of this page may keep (`limits.md`).
const RECORD_MAX_UNITS: usize = 1_000_000;

/// What was kept of `stream`. None when nothing was, or what is there cannot be read.
#[must_use]
pub fn load(stream: &str) -> Option<Box<Hello<Civilization>>> {
    match serde_json::from_str::<Frame<&RawValue, Civilization>>(&read(&format!("{KEY}{stream}"))?) {
        Ok(Frame::Hello(hello)) => Some(hello),
        _ => None,
    }
}

/// Keeps `known` of `stream` in the place of what was kept before. Its `server_time` is when it was known, by the
/// witness's clock.
///
/// # Errors
/// When it is too large, or the browser has no room or keeps nothing at all.
pub fn save(stream: &str, known: Hello<Civilization>) -> Result<(), StorageError> {
    let frame: Frame<(), Civilization> = Frame::Hello(Box::new(known));
    let record = serde_json::to_string(&frame).map_err(|_| StorageError::TooLarge)?;
    // Bytes are never fewer than UTF-16 units, so this errs on the side of the quota.
    if record.len() > RECORD_MAX_UNITS {
        return Err(StorageError::TooLarge);
    }
    write(&format!("{KEY}{stream}"), &record)
}
