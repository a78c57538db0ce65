//! The standard's own library reads what we write, and we read what it writes.
//!
//! On the host only: the library is a second opinion on the bytes, which are the same everywhere.
#![cfg(not(target_arch = "wasm32"))]

mod reading;

use cloudevents::{AttributesReader, Data, Event as TheirEvent, EventBuilder, EventBuilderV10, event::ExtensionValue};
use monkeytown_protocol::{EntityVerb, EventType, Field, Payload, Timestamp};
use serde_json::{Value, json};

macro_rules! golden {
    ($($name:literal),+ $(,)?) => {
        [$(($name, include_str!(concat!("golden/events/", $name, ".json")))),+]
    };
}

/// One of each shape of `data`, the bare and the full envelope.
const OURS: [(&str, &str); 9] = golden!(
    "entity_created",
    "entity_updated",
    "flow_failed",
    "seed_complete",
    "system_metrics",
    "system_alert",
    "log_line",
    "unknown_type",
    "every_attribute",
);

fn moment_of(event: &TheirEvent) -> Option<Timestamp> {
    event.time().map(|time| Timestamp::from_millis(time.timestamp_millis()))
}

fn extension(event: &TheirEvent, name: &str) -> Option<String> {
    event.extension(name).map(ToString::to_string)
}

#[test]
fn the_standards_library_reads_what_we_write() {
    for (name, file) in OURS {
        let ours = reading::event(file).expect(name);
        let json = serde_json::to_string(&ours).expect("an event is JSON");
        let theirs: TheirEvent = serde_json::from_str(&json).expect(name);
        assert_eq!(theirs.id(), ours.id.as_str(), "{name}");
        assert_eq!(theirs.source(), ours.source.as_str(), "{name}");
        assert_eq!(theirs.ty(), ours.payload.type_name(), "{name}");
        assert_eq!(theirs.subject(), ours.payload.subject(), "{name}");
        assert_eq!(moment_of(&theirs), Some(ours.time), "{name}");
        assert_eq!(extension(&theirs, "traceparent").as_deref(), ours.trace.as_deref(), "{name}");
        assert_eq!(extension(&theirs, "causationid").as_deref(), ours.cause.as_deref(), "{name}");
        assert_eq!(extension(&theirs, "recordedtime"), ours.recorded.map(|time| time.to_string()), "{name}");
        let data = serde_json::to_value(&ours.payload).expect("data is JSON");
        assert_eq!(theirs.data(), Some(&Data::Json(data)), "{name}");
    }
}

#[test]
fn every_attribute_name_is_one_that_the_standard_allows() {
    // CloudEvents 1.0, "Attribute Naming Convention": lower-case letters and digits.
    let event: Value = serde_json::from_str(include_str!("golden/events/every_attribute.json")).expect("JSON");
    for name in event.as_object().expect("an event is an object").keys() {
        assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()), "{name}");
    }
}

#[test]
fn we_read_what_the_standards_library_writes() {
    for (_, name) in EventType::known() {
        let data = json!({
            "id": "a", "kind": "agent", "type": "query", "entity": "a", "level": "info", "message": "m",
            "severity": "info", "health": "healthy",
        });
        let data = match name {
            name if name.contains("entity.status") => json!({"id": "a", "status": "idle"}),
            name if name.contains("entity.metrics") => json!({"id": "a", "metrics": {}}),
            name if name.contains(".flow.") => json!({"id": "f", "source": "a", "target": "b", "kind": "signal"}),
            _ => data,
        };
        let theirs = EventBuilderV10::new()
            .id("1")
            .source("https://example.org/agents/a")
            .ty(*name)
            .subject("a")
            .data("application/json", data)
            .build()
            .expect("a sound event");
        let written = serde_json::to_string(&theirs).expect("an event is JSON");
        let ours = reading::event(&written).unwrap_or_else(|refusal| panic!("{written}: {refusal:?}"));
        assert_eq!(ours.payload.type_name(), *name);
        assert_eq!(ours.source.as_str(), theirs.source().as_str());
    }
}

#[test]
fn we_read_the_attributes_that_the_standards_library_writes() {
    let theirs = EventBuilderV10::new()
        .id("é/1")
        .source("/agents/a")
        .ty("monkeytown.entity.updated")
        .time("2026-01-18T14:00:00.123456+02:00")
        .extension("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
        .extension("causationid", "seed-1")
        .extension("sequence", ExtensionValue::Integer(7))
        .data("application/vnd.example+json; charset=utf-8", json!({"id": "a", "activity": null}))
        .build()
        .expect("a sound event");
    let ours = reading::event(&serde_json::to_string(&theirs).expect("an event is JSON")).expect("one of ours");
    assert_eq!(ours.id.as_str(), "é/1");
    assert_eq!(ours.time.to_string(), "2026-01-18T12:00:00.123Z");
    assert_eq!(ours.trace.as_deref(), Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"));
    assert_eq!(ours.cause.as_deref(), Some("seed-1"));
    match ours.payload {
        Payload::Entity(EntityVerb::Updated, patch) => assert_eq!(patch.activity, Field::Cleared),
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_refuse_what_is_no_cloudevent() {
    let sound = include_str!("golden/events/entity_created.json");
    for broken in [
        sound.replace("\"specversion\": \"1.0\"", "\"specversion\": \"2.0\""),
        sound.replace("\"id\": \"entity_created\"", "\"number\": \"7\""),
        sound.replace("\"source\"", "\"origin\""),
        sound.replace("\"type\"", "\"kind\""),
        sound.replace("2026-01-18T12:00:00.000Z", "noon"),
    ] {
        assert!(serde_json::from_str::<TheirEvent>(&broken).is_err(), "they accept {broken}");
        assert!(reading::event(&broken).is_err(), "we accept {broken}");
    }
}
