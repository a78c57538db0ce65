//! Log lines by entity, newest last, bounded in lines and in bytes.
//!
//! A snapshot takes the newest lines only ([`SNAPSHOT_LINES_MAX`] of an entity, [`SNAPSHOT_BYTES_MAX`] in all). So
//! whoever joins late holds fewer old lines than whoever was there from the start; everything else of the state,
//! how many lines there were included, is the same for both.

use crate::{
    Changes, Keyed,
    bounds::{Touched, make_room},
    state::count,
};
use monkeytown_protocol::{EntityId, LogLevel, LogLine, Text, Timestamp, record};
use serde::{Serialize, Serializer, ser::SerializeMap};
use std::collections::VecDeque;

/// Lines held of one entity.
pub const LOG_LINES_MAX: usize = 1_000;
/// Bytes held of one entity's lines.
pub const LOG_BYTES_MAX: usize = 65_536;
/// Bytes held of all lines.
pub const LOGS_BYTES_MAX: usize = 524_288;
/// Entities of which lines are held.
pub const LOGS_MAX: usize = 200;
/// What a line counts at least, in bytes: a short one takes more room than its letters. [`LOG_LINES_MAX`] lines of
/// that size fit into [`LOG_BYTES_MAX`].
const LINE_BYTES_MIN: usize = 64;

/// Newest lines of an entity that a snapshot takes.
pub const SNAPSHOT_LINES_MAX: usize = 50;
/// Bytes of JSON that all logs of a snapshot take, shared evenly among the entities.
pub const SNAPSHOT_BYTES_MAX: usize = 131_072;
/// Bytes of a line in JSON without its message: names, quotes, a moment of 24 and a level of 5 letters.
const LINE_JSON_BYTES: usize = 66;
/// Bytes of a log in JSON without its id and its lines, its two counts at their longest.
const LOG_JSON_BYTES: usize = 80;

/// One line of a log.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Line {
    /// When it was written, by its source's clock.
    pub time: Timestamp,
    /// How loud it is.
    pub level: LogLevel,
    /// What it says.
    pub message: Text,
}

record!(Line { time, level, message;  });

impl Line {
    fn bytes(&self) -> usize {
        self.message.as_str().len().max(LINE_BYTES_MIN)
    }

    fn json_bytes(&self) -> usize {
        LINE_JSON_BYTES + json_bytes(self.message.as_str())
    }
}

/// Bytes of `text` between the quotes of JSON.
fn json_bytes(text: &str) -> usize {
    let byte = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(byte).sum()
}

/// What one entity wrote. Serialized it is whole; a snapshot takes less of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Log {
    /// Lines ever heard of it.
    heard: u64,
    touched: u64,
    lines: VecDeque<Line>,
    /// Of the lines held. Derived: never stored.
    #[serde(skip)]
    bytes: usize,
}

record!(Log { heard, touched; lines, bytes });

impl Touched for Log {
    fn touched(&self) -> u64 {
        self.touched
    }
}

impl Log {
    /// The lines held, oldest first.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &Line> + DoubleEndedIterator {
        self.lines.iter()
    }

    /// How many lines were heard before those that are held.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.heard.saturating_sub(self.lines.len() as u64)
    }

    /// Lets the oldest lines go until both bounds hold.
    fn shrink(&mut self, bytes_max: usize) {
        while self.lines.len() > LOG_LINES_MAX || self.bytes > bytes_max {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.bytes();
        }
    }

    /// The newest lines that fit into `room` bytes of JSON, as a snapshot has them.
    fn told(&self, room: usize) -> Told<'_> {
        let (mut room, mut taken) = (room, 0);
        for line in self.lines.iter().rev().take(SNAPSHOT_LINES_MAX) {
            let Some(left) = room.checked_sub(line.json_bytes()) else { break };
            (room, taken) = (left, taken + 1);
        }
        let lines = self.lines.iter().skip(self.lines.len() - taken).collect();
        Told { heard: self.heard, touched: self.touched, lines }
    }
}

/// A log as a snapshot has it.
#[derive(Serialize)]
struct Told<'a> {
    heard: u64,
    touched: u64,
    lines: Vec<&'a Line>,
}

/// All logs.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Logs {
    logs: Keyed<EntityId, Log>,
    /// Of all lines held.
    bytes: usize,
}

impl Logs {
    pub(crate) fn get(&self, entity: &EntityId) -> Option<&Log> {
        self.logs.get(entity)
    }

    pub(crate) fn all(&self) -> &Keyed<EntityId, Log> {
        &self.logs
    }

    /// Takes a line. Who has the most to lose makes room for it, so that one that floods silences nobody else.
    pub(crate) fn hear(&mut self, line: LogLine, time: Timestamp, touched: u64, changes: &mut Changes) {
        let LogLine { entity, level, message } = line;
        if !self.logs.contains_key(&entity) {
            let gone = make_room(&mut self.logs, LOGS_MAX);
            if !gone.is_empty() {
                self.bytes = self.logs.values().map(|log| log.bytes).sum();
            }
            changes.logs.extend(gone);
            self.logs.insert(entity.clone(), Log { heard: 0, touched, lines: VecDeque::new(), bytes: 0 });
        }
        if let Some(log) = self.logs.get_mut(&entity) {
            let line = Line { time, level, message };
            let before = log.bytes;
            log.bytes += line.bytes();
            log.lines.push_back(line);
            log.shrink(LOG_BYTES_MAX);
            count(&mut log.heard, 1);
            log.touched = touched;
            self.bytes = self.bytes + log.bytes - before;
        }
        changes.logs.insert(entity);
        self.shrink(changes);
    }

    /// Holds the bound of all logs. An eighth of the longest goes at a time, so that looking for it is seldom.
    fn shrink(&mut self, changes: &mut Changes) {
        while self.bytes > LOGS_BYTES_MAX {
            let most = self.logs.values().map(|log| log.bytes).max().unwrap_or_default();
            let longest = self.logs.iter().find(|(_, log)| log.bytes == most).map(|(entity, _)| entity.clone());
            let Some((entity, log)) = longest.and_then(|entity| Some((entity.clone(), self.logs.get_mut(&entity)?)))
            else {
                break;
            };
            log.shrink(most - most / 8);
            self.bytes -= most - log.bytes;
            changes.logs.insert(entity);
        }
    }
}

impl Serialize for Logs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let share = SNAPSHOT_BYTES_MAX / self.logs.len().max(1);
        let mut map = serializer.serialize_map(Some(self.logs.len()))?;
        for (entity, log) in self.logs.iter() {
            let room = share.saturating_sub(LOG_JSON_BYTES + json_bytes(entity.as_str()));
            map.serialize_entry(entity, &log.told(room))?;
        }
        map.end()
    }
}

impl From<Keyed<EntityId, Log>> for Logs {
    /// Takes what the bounds allow.
    fn from(mut logs: Keyed<EntityId, Log>) -> Self {
        make_room(&mut logs, LOGS_MAX + 1);
        logs.change_each(|log| {
            log.bytes = log.lines.iter().map(Line::bytes).sum();
            log.shrink(LOG_BYTES_MAX);
            log.heard = log.heard.max(log.lines.len() as u64);
        });
        let bytes = logs.values().map(|log| log.bytes).sum();
        let mut logs = Self { logs, bytes };
        logs.shrink(&mut Changes::default());
        logs
    }
}
