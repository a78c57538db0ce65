//! Events as a test says them.

use monkeytown_protocol::{Event, EventId, Payload, SourceUri, Timestamp};

/// An event of which only the time and what it says matter.
pub(crate) fn told(time: Timestamp, payload: Payload) -> Event {
    Event {
        id: EventId::new("1").expect("an id"),
        source: SourceUri::new("/s").expect("a source"),
        time,
        recorded: None,
        trace: None,
        cause: None,
        payload,
    }
}
