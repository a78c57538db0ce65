//! The wire, written down: each file is read to the value that is meant, and the value is written to the file.

mod meaning;
mod reading;

use meaning::{event, flow, moment, seed};
use monkeytown_protocol::{
    Cursor, Epoch, EventType, FlowKind, FlowStatus, FlowVerb, Frame, Hello, Offset, Position, Problem, PublishReceipt,
    SeedStatus, SeedType, SeedVerb, SnapshotEnvelope, SourceKind,
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, value::RawValue};
use std::{collections::BTreeSet, fmt::Debug};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(($name, include_str!(concat!("golden/", $folder, "/", $name, ".json")))),+]
    };
}

const EVENTS: &[(&str, &str)] = files!("events":
    "entity_created", "entity_updated", "entity_status_changed", "entity_metrics_updated", "entity_deleted",
    "flow_created", "flow_started", "flow_progress", "flow_complete", "flow_failed",
    "seed_planted", "seed_discovery", "seed_progress", "seed_complete", "seed_failed",
    "system_metrics", "system_alert", "system_health_changed", "log_line", "unknown_type", "every_attribute",
);

const FRAMES: &[(&str, &str)] = files!("frames":
    "hello_with_snapshot", "hello_without_snapshot", "hello_before_any_event",
    "events", "events_of_an_interest", "events_of_no_interest",
    "caught_up", "caught_up_before_any_event", "heartbeat_with_clock", "heartbeat_without_clock", "bye",
);

const CURSORS: &[(&str, &str)] = files!("cursors":
    "earliest", "latest", "after_an_event", "before_everything", "after_the_last_possible_event",
);

const PROBLEMS: &[(&str, &str)] = files!("problems": "malformed_event", "moment_gone", "too_many_events", "receipt");

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("a golden file is JSON")
}

fn written(value: &impl Serialize) -> Value {
    json(&serde_json::to_string(value).expect("a value of the wire is written"))
}

#[test]
fn every_event_is_read_as_what_it_means_and_written_as_it_was() {
    for (name, file) in EVENTS {
        let expected = event(name);
        assert_eq!(reading::event(file).as_ref(), Ok(&expected), "{name}");
        assert_eq!(written(&expected), json(file), "{name}");
    }
}

#[test]
fn every_known_type_has_a_golden_event() {
    let told: BTreeSet<String> = EVENTS.iter().map(|(name, _)| event(name).payload.type_name().to_owned()).collect();
    for (_, name) in EventType::known() {
        assert!(told.contains(*name), "{name}");
    }
}

#[test]
fn what_the_type_already_says_may_be_left_out() {
    let read = |event_type: &str, data: &str| {
        let json =
            format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"monkeytown.{event_type}","data":{data}}}"#);
        reading::event(&json).map(|event| (event.payload, event.time.millis())).expect(event_type)
    };
    let now = reading::FALLBACK_MILLIS;
    let short = r#"{"id":"flow-1","source":"chaos-architect","target":"monkey-builder","kind":"signal"}"#;
    for (verb, meant, status, progress) in [
        ("flow.created", FlowVerb::Created, FlowStatus::Pending, 0.0),
        ("flow.started", FlowVerb::Started, FlowStatus::Active, 0.0),
        ("flow.progress", FlowVerb::Progress, FlowStatus::Active, 0.0),
        ("flow.complete", FlowVerb::Complete, FlowStatus::Complete, 1.0),
        ("flow.failed", FlowVerb::Failed, FlowStatus::Error, 0.0),
    ] {
        assert_eq!(read(verb, short), (flow(meant, FlowKind::Signal, status, progress, None), now));
    }
    let short = r#"{"id":"seed-1","type":"query"}"#;
    for (verb, meant, status) in [
        ("seed.planted", SeedVerb::Planted, SeedStatus::Pending),
        ("seed.discovery", SeedVerb::Discovery, SeedStatus::Growing),
        ("seed.progress", SeedVerb::Progress, SeedStatus::Growing),
        ("seed.complete", SeedVerb::Complete, SeedStatus::Complete),
        ("seed.failed", SeedVerb::Failed, SeedStatus::Error),
    ] {
        assert_eq!(read(verb, short), (seed(meant, SeedType::Query, status, 0.0, None), now));
    }
}

fn epoch() -> Epoch {
    Epoch::new("k3_A-9").expect("an epoch")
}

fn hello(name: &str) -> Hello<Value> {
    let (snapshot, from) = match name {
        "hello_with_snapshot" => {
            let state = json(r#"{"entities":{"chaos-architect":{"kind":"agent"}},"totals":{"events":42}}"#);
            (Some((Some(Offset(41)), state)), Some(Offset(41)))
        }
        "hello_without_snapshot" => (None, Some(Offset(7))),
        _ => (Some((None, json("{}"))), None),
    };
    let (clock, clock_rate, source_kind) = match name {
        "hello_with_snapshot" => ("2019-05-01T08:30:00Z", 3_600.0, SourceKind::Git),
        "hello_without_snapshot" => ("2026-01-18T12:00:00Z", 1.0, SourceKind::Live),
        _ => ("2026-01-18T12:00:00Z", 0.0, SourceKind::Simulated),
    };
    Hello {
        epoch: epoch(),
        head: (name != "hello_before_any_event").then_some(Offset(41)),
        from: Position { epoch: epoch(), after: from },
        recovered: name == "hello_without_snapshot",
        snapshot: snapshot.map(|(offset, state)| SnapshotEnvelope { epoch: epoch(), offset, state }),
        heartbeat_ms: 25_000,
        server_time: moment("2026-01-18T12:00:00Z"),
        clock: moment(clock),
        clock_rate,
        version: "0.1.0".to_owned(),
        source_kind,
    }
}

fn frame(name: &str) -> Frame<Value, Value> {
    let line = |number: u32| {
        json(&format!(
            r#"{{"specversion":"1.0","id":"line-{number}","source":"/agents/chaos-tester","type":"monkeytown.log.line",
            "time":"2026-01-18T12:00:00.000Z","subject":"chaos-tester",
            "data":{{"entity":"chaos-tester","level":"info","message":"214 tests hold"}}}}"#
        ))
    };
    let events =
        |first, last, events| Frame::Events { epoch: epoch(), first: Offset(first), last: Offset(last), events };
    let server_time = moment("2026-01-18T12:00:25Z");
    match name {
        "events" => events(42, 43, vec![line(1), line(2)]),
        "events_of_an_interest" => events(44, 1_043, vec![line(3)]),
        "events_of_no_interest" => events(1_044, 1_044, Vec::new()),
        "caught_up" => Frame::CaughtUp { offset: Some(Offset(1_044)) },
        "caught_up_before_any_event" => Frame::CaughtUp { offset: None },
        "heartbeat_with_clock" => Frame::Heartbeat {
            head: Some(Offset(1_044)),
            server_time,
            clock: Some(moment("2019-05-02T09:30:00Z")),
            clock_rate: Some(3_600.0),
        },
        "heartbeat_without_clock" => Frame::Heartbeat { head: None, server_time, clock: None, clock_rate: None },
        "bye" => Frame::Bye { reason: "a new version takes over".to_owned(), reconnect_after_ms: 500 },
        hello_of => Frame::Hello(Box::new(hello(hello_of))),
    }
}

#[test]
fn every_frame_is_read_as_what_it_means_and_written_as_it_was() {
    for (name, file) in FRAMES {
        let expected = frame(name);
        assert_eq!(reading::value(file).as_ref(), Ok(&expected), "{name}");
        assert_eq!(written(&expected), json(file), "{name}");
    }
}

/// The object of `file` with its keys in every rotation, forwards and backwards.
fn shuffled(file: &str) -> Vec<String> {
    let value = json(file);
    let entries: Vec<String> = value
        .as_object()
        .expect("a frame is an object")
        .iter()
        .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())))
        .collect();
    let object = |entries: &[String]| format!("{{{}}}", entries.join(","));
    (0..entries.len())
        .flat_map(|by| {
            let mut turned = entries.clone();
            turned.rotate_left(by);
            let forwards = object(&turned);
            turned.reverse();
            [forwards, object(&turned)]
        })
        .collect()
}

#[test]
fn the_order_of_a_frames_keys_does_not_matter() {
    for (name, file) in FRAMES {
        for turned in shuffled(file) {
            assert_eq!(reading::value(&turned).as_ref(), Ok(&frame(name)), "{turned}");
        }
    }
}

#[test]
fn events_and_state_survive_a_frame_byte_for_byte() {
    // A buffering reader would round the number, lose the blanks and refuse to borrow.
    let event = r#"{ "any" : [1.00000000000000000001, "\u00e9"] }"#;
    for frame in [
        format!(r#"{{"kind":"events","epoch":"k3","first":0,"last":0,"events":[{event}]}}"#),
        format!(r#"{{"events":[{event}],"last":0,"first":0,"epoch":"k3","kind":"events"}}"#),
    ] {
        match serde_json::from_str::<Frame<&RawValue, &RawValue>>(&frame).expect("a frame") {
            Frame::Events { events, .. } => assert_eq!(events.iter().map(|raw| raw.get()).collect::<Vec<_>>(), [event]),
            other => panic!("{other:?}"),
        }
    }
    let mut hello = json(FRAMES.first().expect("the first is a hello").1);
    *hello.pointer_mut("/snapshot/state").expect("it has a snapshot") = Value::from("HERE");
    let hello = hello.to_string().replace("\"HERE\"", event);
    match serde_json::from_str::<Frame<&RawValue, &RawValue>>(&hello).expect("a frame") {
        Frame::Hello(hello) => assert_eq!(hello.snapshot.map(|snapshot| snapshot.state.get()), Some(event)),
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_cursor_is_read_as_what_it_means_and_written_as_it_was() {
    for (name, file) in CURSORS {
        let after = |offset| Cursor::At(Position { epoch: epoch(), after: offset });
        let expected = match *name {
            "earliest" => Cursor::Earliest,
            "latest" => Cursor::Latest,
            "after_an_event" => after(Some(Offset(1_044))),
            "before_everything" => after(None),
            _ => after(Some(Offset(u64::MAX))),
        };
        both_ways(name, file, &expected);
    }
}

fn both_ways<T: Serialize + DeserializeOwned + PartialEq + Debug>(name: &str, file: &str, expected: &T) {
    assert_eq!(reading::value::<T>(file).as_ref(), Ok(expected), "{name}");
    assert_eq!(written(expected), json(file), "{name}");
}

#[test]
fn every_answer_to_a_publisher_is_read_and_written() {
    for (name, file) in PROBLEMS {
        let problem = |title: &str, status, detail: &str, pointer: Option<&str>| Problem {
            problem_type: "about:blank".to_owned(),
            title: title.to_owned(),
            status,
            detail: detail.to_owned(),
            pointer: pointer.map(str::to_owned),
            earliest: None,
        };
        match *name {
            "malformed_event" => {
                let detail = "sleeping is no status of an entity";
                both_ways(name, file, &problem("Unprocessable Content", 422, detail, Some("/data/status")));
            }
            "moment_gone" => {
                let gone = problem("Gone", 410, "this moment is older than what this stream holds", None);
                let earliest = Some(Position { epoch: epoch(), after: Some(Offset(1_044)) });
                both_ways(name, file, &Problem { earliest, ..gone });
            }
            "too_many_events" => {
                let detail = "over 10,000 events a second; try again in 1 s";
                both_ways(name, file, &problem("Too Many Requests", 429, detail, None));
            }
            _ => {
                let offsets = vec![Offset(1_045), Offset(7)];
                let receipt =
                    PublishReceipt { epoch: epoch(), first: Offset(7), last: Offset(1_045), offsets, duplicates: 1 };
                both_ways(name, file, &receipt);
            }
        }
    }
}

/// A file that no table names would be tested by nobody.
#[cfg(not(target_arch = "wasm32"))]
#[test]
fn every_golden_file_is_named_in_a_table() {
    for (folder, table) in [("events", EVENTS), ("frames", FRAMES), ("cursors", CURSORS), ("problems", PROBLEMS)] {
        let path = format!("{}/tests/golden/{folder}", env!("CARGO_MANIFEST_DIR"));
        let found: BTreeSet<String> = std::fs::read_dir(path)
            .expect("the folder of golden files")
            .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
            .collect();
        let named: BTreeSet<String> = table.iter().map(|(name, _)| format!("{name}.json")).collect();
        assert_eq!(found, named, "{folder}");
    }
}
