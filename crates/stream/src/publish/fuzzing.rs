//! The way from a publisher's bytes to an event, for fuzzing. What is taken is served as it is, so it must be JSON, be read
//! again as the same event, and be read by the page.

use super::{binary::assemble, decode::Decoder};
use crate::log::Draft;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use monkeytown_protocol::{Event, Json, Timestamp, limits::EVENT_MAX_BYTES};

const DECODER: Decoder = Decoder { event_max_bytes: EVENT_MAX_BYTES, now: Timestamp::EPOCH };

/// One event, structured.
pub fn event(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(draft) = DECODER.one(text, "") {
        hold(&draft);
    }
}

/// A batch.
pub fn batch(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match DECODER.batch(text, 16) {
        Ok(drafts) => {
            assert!((1..=16).contains(&drafts.len()));
            drafts.iter().for_each(hold);
        }
        // Where it is wrong is a place in the batch, or the whole of it.
        Err(error) => assert!(error.pointer().is_none_or(|pointer| pointer.is_empty() || pointer.starts_with('/'))),
    }
}

/// An event in binary mode: lines of `name: value`, a line of nothing, and the body.
pub fn binary(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    let mut rest = bytes;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let (line, after) = rest.split_at(end);
        rest = after.get(1..).unwrap_or_default();
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        let (name, value) = line.split_at(colon);
        let value = value.get(1..).unwrap_or_default().trim_ascii();
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name), HeaderValue::from_bytes(value)) {
            headers.append(name, value);
        }
    }
    if let Ok(draft) = assemble(&headers, rest).and_then(|json| DECODER.one(&json, "")) {
        hold(&draft);
    }
}

fn hold(draft: &Draft) {
    let mut served = draft.open_json.clone();
    served.extend_from_slice(b",\"recordedtime\":\"2026-01-18T12:00:00.000Z\"}");
    let served = String::from_utf8(served).expect("what is served is text");
    let again =
        Decoder { event_max_bytes: usize::MAX, ..DECODER }.one(&served, "").expect("what is served can be taken");
    assert_eq!(again.event.payload, draft.event.payload);
    assert_eq!(
        (again.event.id, again.event.source, again.event.time),
        (draft.event.id.clone(), draft.event.source.clone(), draft.event.time,)
    );
    let tree = Json::parse(&served).expect("what is served is JSON for the page");
    let read = Event::from_json(&tree, DECODER.now).expect("what is served is an event for the page");
    assert_eq!(read.id, draft.event.id);
}
