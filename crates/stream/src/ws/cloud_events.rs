//! The framing of the `CloudEvents` WebSocket binding: one event a text message, with its place as two extension
//! attributes, and nothing else.

use super::message;
use crate::log::Delivery;
use bytes::Bytes;
use monkeytown_protocol::{Epoch, Offset};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The subprotocol that the binding names.
pub(super) const SUBPROTOCOL: &str = "cloudevents.json";

/// The attributes that say where an event stands. An offset has 20 digits, so that text sorts as it does.
const OURS: [&str; 2] = ["sequence", "streamepoch"];

/// Events as their subscribers get them, a message each.
pub(super) fn messages(epoch: &Epoch, events: &[Delivery]) -> Bytes {
    let mut messages = Vec::new();
    for event in events {
        message::add(&text(epoch, event), &mut messages);
    }
    Bytes::from(messages)
}

/// An event as its subscribers get it. A publisher's own `sequence` and `streamepoch` make room for the stream's.
fn text(epoch: &Epoch, event: &Delivery) -> Vec<u8> {
    let mut json = if may_hold_ours(&event.json) { without_ours(&event.json) } else { event.json.to_vec() };
    // A JSON object with at least one member: only its closing brace comes after the last of them.
    json.pop();
    let Offset(offset) = event.offset;
    json.extend_from_slice(format!(",\"sequence\":\"{offset:020}\",\"streamepoch\":\"{epoch}\"}}").as_bytes());
    json
}

/// Whether one of our names is somewhere in it, as a name or otherwise.
fn may_hold_ours(json: &[u8]) -> bool {
    OURS.iter().any(|name| json.windows(name.len()).any(|window| window == name.as_bytes()))
}

fn without_ours(json: &[u8]) -> Vec<u8> {
    let mut members: BTreeMap<&str, &RawValue> =
        serde_json::from_slice(json).expect("an event is an object whose attributes have plain names");
    members.retain(|name, _| !OURS.contains(name));
    serde_json::to_vec(&members).expect("members of JSON are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    fn sent(json: &'static str) -> String {
        let event =
            Delivery { offset: Offset(41), json: Bytes::from_static(json.as_bytes()), accepted: Instant::now() };
        String::from_utf8(text(&Epoch::new("k3").expect("an epoch"), &event)).expect("text")
    }

    #[test]
    fn an_event_keeps_its_bytes_and_says_where_it_stands() {
        assert_eq!(
            sent(r#"{"id":"1","data":{"b":1.50,"a":" }"}}"#),
            r#"{"id":"1","data":{"b":1.50,"a":" }"},"sequence":"00000000000000000041","streamepoch":"k3"}"#
        );
    }

    #[test]
    fn a_place_that_a_publisher_made_up_is_not_passed_on() {
        assert_eq!(
            sent(r#"{"id":"1","sequence":"7","streamepoch":"mine","data":{"sequence":1}}"#),
            r#"{"data":{"sequence":1},"id":"1","sequence":"00000000000000000041","streamepoch":"k3"}"#
        );
    }
}
