//! What this browser last knew of a stream, for a visit on which no stream answers.
//!
//! It is kept as the stream said it: the frame with the newest snapshot and the frames after it. Reading it is
//! hearing it again, so nothing is encoded here and one reader serves both.

use super::{StorageError, read, write};
use monkeytown_keepsakes::store::LAST_KNOWN_UNITS;
use monkeytown_protocol::Timestamp;

/// Versioned: another version is somebody else's record. There is one, of the stream met last: several would outgrow
/// what all of this page may keep.
const KEY: &str = "monkeytown.last-known.v3";
/// Frames kept behind the snapshot, in bytes. Past it the record stays as it is until a snapshot comes again.
const TAIL_MAX_BYTES: usize = 400_000;
/// What is written a second of a visit at most, in UTF-16 units, and at once beside. Chromium puts at most 10 MiB an hour
/// and at most 60 changes on the disk, counts two bytes a unit where a letter is not Latin, and lets everything wait that
/// is more: a note would wait for minutes behind this record, and be lost with a browser that is killed meanwhile.
const UNITS_PER_SECOND: f64 = 700.0;
const AT_ONCE_UNITS: f64 = 50_000.0;
/// Parts the frames. JSON never holds it: it is a control character (RFC 8259, section 7).
const SEPARATOR: char = '\u{1e}';

/// The record of one stream while the page is open.
#[derive(Debug, Default)]
pub struct Record {
    frames: Vec<String>,
    bytes: usize,
    changed: bool,
    /// Whether frames after the kept ones had to be left out: they would follow a gap.
    full: bool,
    /// What has been written in this visit, in UTF-16 units.
    written: f64,
}

/// When a record is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Occasion {
    /// While the page is looked at: there will be others.
    Meanwhile,
    /// The witness looks away, or goes: there may be no other. It need not wait for what earlier ones have spent.
    Leaving,
}

/// What was kept.
#[derive(Debug)]
pub struct LastKnown {
    /// When, by the witness's clock.
    pub saved_at: Timestamp,
    /// What the source's clock showed then.
    pub clock: Timestamp,
    /// The frames, in order.
    pub frames: Vec<String>,
}

impl Record {
    /// Takes a frame that brought a snapshot: what came before is in it.
    pub fn begin(&mut self, frame: String) {
        self.bytes = 0;
        self.frames.clear();
        self.frames.push(frame);
        (self.changed, self.full) = (true, false);
    }

    /// Takes a frame that brought events.
    pub fn follow(&mut self, frame: String) {
        self.full |= self.bytes + frame.len() > TAIL_MAX_BYTES;
        if !self.full && !self.frames.is_empty() {
            self.bytes += frame.len();
            self.frames.push(frame);
            self.changed = true;
        }
    }

    /// Whether more has followed than is kept.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Whether the browser's disk keeps up with another record of this visit, which has lasted for `visit_millis`.
    fn is_due(&self, occasion: Occasion, visit_millis: f64) -> bool {
        let may = AT_ONCE_UNITS + visit_millis / 1_000.0 * UNITS_PER_SECOND;
        let units: usize = self.frames.iter().map(String::len).sum();
        match occasion {
            Occasion::Meanwhile => self.written + units as f64 <= may,
            Occasion::Leaving => self.written <= may,
        }
    }

    /// Keeps the record in the place of what was kept before, when there is something new in it, and not more often than
    /// the browser's disk keeps up with.
    ///
    /// # Errors
    /// When it is too large, or the browser has no room or keeps nothing at all.
    pub fn save(
        &mut self,
        stream: &str,
        (saved_at, clock): (Timestamp, Timestamp),
        (occasion, visit_millis): (Occasion, f64),
    ) -> Result<(), StorageError> {
        if !self.changed || !self.is_due(occasion, visit_millis) {
            return Ok(());
        }
        let mut record = format!("{stream}{SEPARATOR}{saved_at}{SEPARATOR}{clock}");
        for frame in &self.frames {
            record.push(SEPARATOR);
            record.push_str(frame);
        }
        // Bytes are never fewer than UTF-16 units, so this errs on the side of the quota.
        if record.len() > LAST_KNOWN_UNITS {
            return Err(StorageError::TooLarge);
        }
        write(KEY, &record)?;
        self.written += record.len() as f64;
        // What was refused is tried again, for there may be room by then.
        self.changed = false;
        Ok(())
    }
}

/// Forgets what was kept.
pub fn forget() {
    super::remove(KEY);
}

/// What was kept of `stream`. None when nothing was, or what is there cannot be read.
#[must_use]
pub fn load(stream: &str) -> Option<LastKnown> {
    parse(&read(KEY)?, stream)
}

fn parse(record: &str, stream: &str) -> Option<LastKnown> {
    let mut parts = record.split(SEPARATOR);
    if parts.next() != Some(stream) {
        return None;
    }
    let saved_at = parts.next()?.parse().ok()?;
    let clock = parts.next()?.parse().ok()?;
    Some(LastKnown { saved_at, clock, frames: parts.map(str::to_owned).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_the_snapshot_and_what_followed_without_a_gap() {
        let mut record = Record::default();
        record.follow("before any snapshot".into());
        record.begin("hello".into());
        record.follow("events".into());
        record.follow("x".repeat(TAIL_MAX_BYTES));
        record.follow("after the gap".into());
        assert_eq!(record.frames, ["hello", "events"]);
        record.begin("another hello".into());
        assert_eq!(record.frames, ["another hello"]);
    }

    #[test]
    fn a_record_is_written_no_faster_than_the_disk_keeps_up_and_once_more_when_the_witness_goes() {
        let mut record = Record::default();
        record.begin("x".repeat(100_000));
        assert!(!record.is_due(Occasion::Meanwhile, 10_000.0));
        assert!(record.is_due(Occasion::Meanwhile, 72_000.0));
        record.written = 100_000.0;
        assert!(!record.is_due(Occasion::Meanwhile, 120_000.0));
        assert!(record.is_due(Occasion::Leaving, 72_000.0));
        record.written = 200_000.0;
        assert!(!record.is_due(Occasion::Leaving, 120_000.0));
        // Over an hour all of it is within a quarter of what Chromium allows, in units of two bytes within half.
        assert!(!record.is_due(Occasion::Leaving, 60_000.0) && record.is_due(Occasion::Leaving, 3_600_000.0));
        record.written = 10.0 * 1_048_576.0 / 4.0;
        assert!(!record.is_due(Occasion::Leaving, 3_600_000.0));
    }

    #[test]
    fn what_cannot_be_read_counts_as_nothing() {
        assert!(parse("", "https://here").is_none());
        assert!(parse("https://here", "https://here").is_none());
        let sound = "https://here\u{1e}2026-01-18T12:00:00.000Z\u{1e}2026-01-18T12:00:00.000Z\u{1e}{}";
        assert_eq!(parse(sound, "https://here").expect("a record").frames, ["{}"]);
        assert!(parse(sound, "https://elsewhere").is_none());
    }
}
