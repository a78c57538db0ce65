//! From a folder to the log as it was: ring, identities, the fold, epoch and offsets. Whole, or not at all.

use super::{
    JournalError, Restored, SEGMENT_BYTES_MAX, SEGMENT_LEAST, SEGMENTS,
    folder::Folder,
    format::{self, Damage, Next, SegmentHead},
    scribe::{Journal, Paper, SegmentBounds, Tail},
};
use crate::{
    log::{Keeper, Log, RingBounds, append::decoded},
    metrics::Metrics,
    random,
};
use bytes::Bytes;
use monkeytown_civilization::Civilization;
use monkeytown_protocol::{Epoch, Offset, Timestamp};
use std::{
    fs::{self, File},
    path::Path,
    sync::Arc,
    time::Instant,
};

/// The log of a folder, and what writes it on. Blocks for as long as a ring's worth of events takes to be read.
pub(in crate::log) fn open(bounds: RingBounds, metrics: Metrics, path: &Path) -> Result<(Log, Restored), JournalError> {
    open_on(bounds, metrics, path, |file| Box::new(file))
}

/// As [`open`]; `paper` is what writes to the newest segment.
pub(super) fn open_on(
    bounds: RingBounds,
    metrics: Metrics,
    path: &Path,
    paper: impl FnOnce(File) -> Box<dyn Paper>,
) -> Result<(Log, Restored), JournalError> {
    let begun = Instant::now();
    let mut folder = Folder::open(path)?;
    let mut reading: Option<Reading> = None;
    let mut whole_bytes = 0;
    let count = folder.segments.len();
    for (index, segment) in folder.segments.iter().enumerate() {
        let file = segment.path.as_path();
        let bytes = fs::read(file).map_err(|error| JournalError::Unreadable(file.to_owned(), error))?;
        let damaged = |damage: Damage| match damage {
            Damage::Newer(_) => JournalError::Newer(file.to_owned(), damage.to_string()),
            _ => JournalError::Damaged(file.to_owned(), damage.to_string()),
        };
        let (head, start) = format::read_segment_head(&bytes).map_err(damaged)?;
        let reading = match &mut reading {
            Some(reading) => reading,
            none => none.insert(
                Reading::begin(bounds, &metrics, &head).map_err(|why| JournalError::Damaged(file.to_owned(), why))?,
            ),
        };
        let wrong = |why: String| JournalError::Damaged(file.to_owned(), why);
        if head.first != segment.first || head.first != reading.next() {
            let denied = "which its name or the segment before it denies";
            return Err(wrong(format!("it begins with event {}, {denied}", head.first.0)));
        }
        if head.epoch != *reading.log.epoch() {
            return Err(wrong("it belongs to another history than the segment before it".to_owned()));
        }
        let mut at = start;
        loop {
            match format::read_record(&bytes, at, reading.next()).map_err(damaged)? {
                Next::Record { events, end } => {
                    for event in events {
                        reading.take(event).map_err(wrong)?;
                    }
                    at = end;
                }
                Next::End => break,
                Next::Torn if index + 1 == count => break,
                Next::Torn => return Err(wrong("its end is missing".to_owned())),
            }
        }
        whole_bytes = at as u64;
    }
    let failed = |error| JournalError::Folder(path.to_owned(), error);
    let torn_bytes = folder.segments.last().map_or(0, |newest| newest.bytes - whole_bytes);
    let file = folder.go_on(whole_bytes).map_err(failed)?;
    let (reading, file) = match (reading, file) {
        (Some(reading), Some(file)) => (reading, file),
        _ => {
            let epoch = random::epoch();
            let state = br"{}";
            let head = SegmentHead { epoch, first: Offset(0), recorded: Timestamp::default(), state };
            let file = folder.begin(&head).map_err(failed)?;
            (Reading::empty(bounds, &metrics, head.epoch, Offset(0)), file)
        }
    };
    let events = reading.log.next().0 - reading.log.retention().0.0;
    let newest = folder.segments.last();
    let tail = Tail::new(
        paper(file),
        newest.map_or(0, |newest| newest.bytes),
        newest.map_or(Offset(0), |newest| newest.first),
    );
    let segment = SegmentBounds {
        events: (bounds.max_events / SEGMENTS).max(SEGMENT_LEAST.1) as u64,
        bytes: (bounds.max_bytes / SEGMENTS).clamp(SEGMENT_LEAST.0, SEGMENT_BYTES_MAX) as u64,
    };
    let log = reading.log;
    let journal = Journal::start(log.clone(), folder, tail, segment, metrics).map_err(JournalError::Thread)?;
    let log = log.kept_by(Keeper::Journal(Arc::new(journal)));
    Ok((log, Restored { events, torn_bytes, took: begun.elapsed() }))
}

/// A log while it is read.
struct Reading {
    log: Log,
}

impl Reading {
    fn empty(bounds: RingBounds, metrics: &Metrics, epoch: Epoch, first: Offset) -> Self {
        Self { log: Log::of(bounds, metrics.clone(), epoch, first) }
    }

    fn begin(bounds: RingBounds, metrics: &Metrics, head: &SegmentHead<'_>) -> Result<Self, String> {
        let reading = Self::empty(bounds, metrics, head.epoch.clone(), head.first);
        let state: Civilization =
            serde_json::from_slice(head.state).map_err(|error| format!("its state cannot be read: {error}"))?;
        reading.log.restore_state(state, head.recorded, head.first);
        Ok(reading)
    }

    fn next(&self) -> Offset {
        self.log.next()
    }

    fn take(&self, json: &[u8]) -> Result<(), String> {
        let event = decoded(json).map_err(|why| format!("event {} cannot be read: {why}", self.next().0))?;
        self.log.restore(event, Bytes::copy_from_slice(json));
        Ok(())
    }
}
