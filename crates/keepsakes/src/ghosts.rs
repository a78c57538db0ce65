//! Ghosts, what settled or broke, as they are kept: many in one record, as events' snapshots write them.
//!
//! Pure. Knows what the fold calls history, nothing of when a ghost is shown.

use crate::body::Body;
use crate::record::{Class, Record};
use crate::writing::Writing;
use monkeytown_civilization::HistoryItem;
use monkeytown_protocol::{Json, from_json};
use std::collections::VecDeque;

/// What tells a ghost from every other: whom it is about, how it ended and when. The number of a history item does not:
/// another history counts from one again.
#[must_use]
pub fn identity(item: &HistoryItem) -> u64 {
    let ended = [item.outcome as u8];
    let bytes = item.id.as_str().bytes().chain(item.time.millis().to_le_bytes()).chain(ended);
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The name of the record that holds the ghosts of a town.
#[must_use]
pub fn name_of(town: &str) -> String {
    town.bytes().fold(7_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)).to_string()
}

/// The ghosts of one town as a record. What pins a ghost holds its label as words too.
#[must_use]
pub fn to_record<'a>(
    class: Class,
    id: &str,
    changed_millis: u64,
    town: &str,
    items: impl Iterator<Item = &'a HistoryItem>,
) -> Record {
    let mut list = String::from("[");
    let mut label = String::new();
    for item in items {
        item.label.as_str().clone_into(&mut label);
        list.push_str(if list.len() > 1 { "," } else { "" });
        let time = item.time.to_string();
        let mut one = Writing::default();
        one.number("number", 0);
        for (name, value) in [
            ("kind", item.kind.as_str()),
            ("outcome", item.outcome.as_str()),
            ("id", item.id.as_str()),
            ("label", item.label.as_str()),
            ("time", &time),
            ("agent", item.agent.as_ref().map_or("", |agent| agent.as_str())),
            ("reason", item.reason.as_ref().map_or("", |reason| reason.as_str())),
            ("url", item.url.as_ref().map_or("", |url| url.as_str())),
        ] {
            // What is not there has no name either; a label may be empty.
            if !value.is_empty() || name == "label" {
                one.text(name, value);
            }
        }
        list.push_str(&one.end());
    }
    list.push(']');
    let mut body = Writing::default();
    body.text("town", town);
    body.text("lines", &list);
    if class == Class::Pin {
        body.text("words", &label);
    }
    Record { class, id: id.to_owned(), changed_millis, body: body.end() }
}

/// The ghosts that a record holds, when they are of `town` and all of them can be read.
#[must_use]
pub fn from_record(record: &Record, town: &str) -> VecDeque<HistoryItem> {
    let body = Body::read(&record.body);
    let lines = if body.get("town") == Some(town) { body.get("lines").unwrap_or_default() } else { "" };
    Json::parse(lines).ok().and_then(|json| from_json::read(&json).ok()).unwrap_or_default()
}
