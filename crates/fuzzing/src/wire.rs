//! What comes over the wire to the page: cursors, moments, JSON, frames and states, by its own readers and by serde's.

use monkeytown_civilization::Civilization;
use monkeytown_protocol::{Cursor, Event, Frame, FromJson, Json, Timestamp, Wrong, from_json};
use serde_json::value::RawValue;

/// A cursor, as text or as a JSON string.
pub(crate) fn cursor(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let read = text.parse::<Cursor>().ok().or_else(|| serde_json::from_str(text).ok());
    if let Some(cursor) = read {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
}

/// A moment: what is read and written again is the same moment.
pub(crate) fn timestamp(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(moment) = text.parse::<Timestamp>() {
        assert_eq!(moment.to_string().parse(), Ok(moment));
    }
}

/// JSON by the page's reader: what it takes serde takes too, and what is an event for both is the same event.
pub(crate) fn json(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(tree) = Json::parse(text) else { return };
    assert!(serde_json::from_str::<&RawValue>(text).is_ok(), "the page reads what is no JSON");
    if let Ok(event) = Event::from_json(&tree, Timestamp::EPOCH) {
        let written = serde_json::to_string(&event).expect("an event is JSON");
        let tree = Json::parse(&written).expect("what is written is JSON");
        assert_eq!(Event::from_json(&tree, Timestamp::EPOCH), Ok(event));
    }
    let _ = Event::id_in(&tree);
}

/// Anything, in a frame.
struct Anything;

impl<'a> FromJson<'a> for Anything {
    fn from_json(_json: &'a Json<'a>, _wrong: &mut Wrong) -> Option<Self> {
        Some(Self)
    }
}

/// A frame by both readers: what serde takes the page takes, and they call it the same.
pub(crate) fn frame(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let by_serde = serde_json::from_str::<Frame<&RawValue, &RawValue>>(text);
    let Ok(tree) = Json::parse(text) else { return };
    let by_page = from_json::read::<Frame<Anything, Anything>>(&tree);
    if let (Ok(one), Ok(other)) = (by_serde, by_page) {
        assert_eq!(kind(&one), kind(&other));
    }
}

fn kind<E, S>(frame: &Frame<E, S>) -> (&'static str, usize) {
    match frame {
        Frame::Hello(hello) => ("hello", usize::from(hello.recovered)),
        Frame::Events { events, .. } => ("events", events.len()),
        Frame::CaughtUp { .. } => ("caught_up", 0),
        Frame::Heartbeat { .. } => ("heartbeat", 0),
        Frame::Bye { .. } => ("bye", 0),
    }
}

/// A state, as a snapshot holds it: what is read is cut to the bounds of the fold, and can be written and read again.
pub(crate) fn state(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(tree) = Json::parse(text) else { return };
    if let Ok(state) = from_json::read::<Civilization>(&tree) {
        let written = serde_json::to_string(&state).expect("a state is JSON");
        let tree = Json::parse(&written).expect("what is written is JSON");
        assert!(from_json::read::<Civilization>(&tree).is_ok(), "a state that was written cannot be read: {written}");
    }
}
