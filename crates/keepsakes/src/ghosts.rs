//! Ghosts, what settled or broke, as they are kept: many in one record, a line each.
//!
//! Pure. Knows what the fold calls history, nothing of when a ghost is shown.

use crate::record::{Class, Record};
use crate::writing::Writing;
use monkeytown_civilization::{HistoryItem, HistoryKind, Outcome};
use monkeytown_protocol::{EntityId, HttpsUrl, Json, Text, Timestamp};

/// Ghosts that one record holds: few enough that writing it again for each that comes is little work.
pub const CHUNK_MAX: usize = 50;
/// Parts the fields of a line, and lines. Control characters that no text needs and that JSON does not escape.
const FIELDS: char = '\u{9f}';
const LINES: char = '\u{9e}';

/// What tells a ghost from every other: whom it is about, how it ended and when. The number of a history item does not:
/// another history counts from one again.
#[must_use]
pub fn identity(item: &HistoryItem) -> u64 {
    let ended = [item.outcome as u8];
    let bytes = item.id.as_str().bytes().chain(item.time.millis().to_le_bytes()).chain(ended);
    bytes.fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The ghosts of one town as a record.
#[must_use]
pub fn to_record<'a>(
    class: Class,
    id: &str,
    changed_millis: u64,
    town: &str,
    items: impl Iterator<Item = &'a HistoryItem>,
) -> Record {
    let mut lines = String::new();
    for item in items {
        let text = |text: Option<&Text>| text.map_or("", Text::as_str).replace([FIELDS, LINES], " ");
        let fields = [
            item.kind.as_str().to_owned(),
            item.outcome.as_str().to_owned(),
            item.time.millis().to_string(),
            item.id.as_str().to_owned(),
            item.agent.as_ref().map_or("", EntityId::as_str).to_owned(),
            item.url.as_ref().map_or("", HttpsUrl::as_str).to_owned(),
            text(Some(&item.label)),
            text(item.reason.as_ref()),
        ];
        for (at, field) in fields.iter().enumerate() {
            lines.push_str(field);
            lines.push(if at + 1 < fields.len() { FIELDS } else { LINES });
        }
    }
    let mut body = Writing::default();
    body.text("town", town);
    body.text("lines", &lines);
    Record { class, id: id.to_owned(), changed_millis, body: body.end() }
}

/// The ghosts that a record holds, when they are of `town`; lines that no page wrote are left out.
#[must_use]
pub fn from_record(record: &Record, town: &str) -> Vec<HistoryItem> {
    let Ok(Json::Object(members)) = Json::parse(&record.body) else { return Vec::new() };
    let member = |name: &str| {
        members.iter().find_map(|(held, value)| match value {
            Json::Text(text) if held == name => Some(text.as_ref()),
            _ => None,
        })
    };
    if member("town") != Some(town) {
        return Vec::new();
    }
    member("lines").unwrap_or_default().split(LINES).filter_map(read).collect()
}

fn read(line: &str) -> Option<HistoryItem> {
    let mut fields = line.split(FIELDS);
    let (kind, outcome) = (fields.next()?, fields.next()?);
    let kinds = [HistoryKind::Run, HistoryKind::Contract, HistoryKind::Transaction];
    Some(HistoryItem {
        number: 0,
        kind: kinds.into_iter().find(|known| known.as_str() == kind)?,
        outcome: [Outcome::Settled, Outcome::Broken].into_iter().find(|known| known.as_str() == outcome)?,
        time: Timestamp::from_millis(fields.next()?.parse().ok()?),
        id: EntityId::new(fields.next()?).ok()?,
        agent: EntityId::new(fields.next()?).ok(),
        url: HttpsUrl::new(fields.next()?).ok(),
        label: Text::fitted(fields.next()?),
        reason: fields.next().filter(|reason| !reason.is_empty()).map(Text::fitted),
    })
}
