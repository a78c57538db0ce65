//! What the documents of the API promise, asked of a stream: requests are made of their schemas, and of those with one thing
//! changed. What every test of this stream hears is held against them too (`documents`).

use crate::{
    documents::Documents,
    generating::{changed, changes, places, values},
    harness::{BATCHED, STRUCTURED, Stream, event, soon},
};
use monkeytown_protocol::{EventType, Frame};
use proptest::{prelude::*, sample::Index, test_runner::TestRunner};
use serde_json::{Value, json, value::RawValue};
use std::{cell::Cell, collections::BTreeSet};
use tokio::runtime::Runtime;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// Every address of `crates/stream/src/routes.rs`, once more: whoever adds one looks at the document.
const ROUTES: [&str; 11] = [
    "/api/asyncapi.json",
    "/api/openapi.json",
    "/api/v1/events",
    "/api/v1/snapshot",
    "/api/v1/vitals",
    "/health",
    "/hooks/github",
    "/metrics",
    "/ready",
    "/version",
    "/ws",
];

/// A schema of the document by what refers to it.
fn find(reference: &str) -> Value {
    Documents::get().schema(reference.rsplit('/').next().unwrap()).clone()
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() })
}

/// A stream, and what waits for it.
fn stream() -> (Runtime, Stream) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stream = runtime.block_on(Stream::start());
    (runtime, stream)
}

/// What publishing `body` is answered, which is what the document says.
fn published(runtime: &Runtime, stream: &Stream, content_type: &str, body: &Value) -> (u16, Value) {
    runtime.block_on(async {
        loop {
            let answer = soon(stream.post(content_type, body.to_string()).send()).await.unwrap();
            let answer = Documents::get().hold_answer("post", answer).await;
            let status = answer.status().as_u16();
            if status != 429 {
                return (status, answer.json().await.unwrap());
            }
            // More events than a second has: the next one has room again.
            tokio::task::yield_now().await;
        }
    })
}

#[tokio::test]
async fn every_route_is_in_the_document_with_the_methods_that_it_takes_and_no_other() {
    let stream = Stream::start().await;
    let paths = Documents::get().openapi["paths"].as_object().unwrap();
    assert_eq!(paths.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(ROUTES));
    for (path, operations) in paths {
        for method in METHODS {
            let request = reqwest::Client::new().request(method.to_uppercase().parse().unwrap(), stream.url(path));
            let status = soon(request.send()).await.unwrap().status();
            let told = !operations[method].is_null();
            assert_eq!(status != 405, told, "{method} {path} is answered {status}");
        }
    }
    for path in ["/api/v1/other", "/api/v2/events", "/hooks/other"] {
        assert_eq!(stream.get(path).await.status(), 404, "{path}");
    }
}

#[test]
fn events_made_of_the_schemas_are_taken_one_by_one_and_in_batches() {
    let (runtime, stream) = stream();
    for name in EventType::known().iter().map(|(_, name)| *name).chain(["OtherEvent"]) {
        let events = proptest::collection::vec(values(&Documents::named(name), &find), 1..4);
        let taken = runner(24).run(&events, |events| {
            let validator = Documents::get().validator(&Documents::named(name));
            prop_assert!(events.iter().all(|event| validator.is_valid(event)), "they are not made right: {events:?}");
            let events: Vec<Value> = events.into_iter().filter(fits).collect();
            prop_assume!(!events.is_empty());
            let (status, answer) = published(&runtime, &stream, STRUCTURED, &events[0]);
            prop_assert_eq!(status, 200, "{}", answer);
            let (status, answer) = published(&runtime, &stream, BATCHED, &Value::from(events.clone()));
            prop_assert_eq!(status, 200, "{}", answer);
            prop_assert_eq!(answer["offsets"].as_array().map(Vec::len), Some(events.len()));
            Ok(())
        });
        taken.unwrap_or_else(|why| panic!("{name}: {why}"));
    }
}

/// Whether an event is as small as must be, which is said in words.
fn fits(event: &Value) -> bool {
    event.to_string().len() <= 16_384
}

#[test]
fn an_event_with_one_thing_changed_is_taken_or_refused_as_its_schema_says() {
    let (runtime, stream) = stream();
    let validator = Documents::get().validator(&Documents::named("Event"));
    let (taken, refused) = (Cell::new(0_u32), Cell::new(0_u32));
    let cases = (values(&Documents::named("Event"), &find), any::<Index>(), changes());
    let held = runner(1_500).run(&cases, |(event, at, change)| {
        let places = places(&event);
        let place = at.get(&places).clone();
        let event = changed(event, &place, change);
        prop_assume!(fits(&event));
        let (status, answer) = published(&runtime, &stream, STRUCTURED, &event);
        if validator.is_valid(&event) {
            taken.set(taken.get() + 1);
            prop_assert_eq!(status, 200, "{} is refused: {}", event, answer);
        } else {
            refused.set(refused.get() + 1);
            prop_assert_eq!(status, 422, "{} is wrong at {}: {}", event, place, answer);
            prop_assert!(answer["pointer"].is_string(), "{}", answer);
        }
        Ok(())
    });
    held.unwrap();
    assert!(taken.get() > 100 && refused.get() > 500, "{taken:?} were taken and {refused:?} refused");
}

#[test]
fn parameters_made_of_the_document_are_taken_and_others_refused() {
    let (runtime, stream) = stream();
    runtime.block_on(stream.publish(&[event("1")]));
    let document = &Documents::get().openapi;
    let told = document["paths"]["/api/v1/events"]["get"]["parameters"].as_array().unwrap();
    let schema = |name: &str| told.iter().find(|told| told["name"] == name).unwrap()["schema"].clone();
    let right = |name: &'static str| {
        let values: BoxedStrategy<String> = match name {
            "after" => prop_oneof![Just("earliest".to_owned()), "[A-Za-z0-9_-]{1,64}:(-1|[0-9]{1,19})"].boxed(),
            _ => {
                let bound = |edge: &str| schema(name)[edge].as_u64().unwrap();
                (bound("minimum")..=bound("maximum")).prop_map(|number| number.to_string()).boxed()
            }
        };
        values.prop_map(move |value| (name, value))
    };
    let wrong = prop_oneof!["[a-z:+-]{0,6}", Just("0".to_owned()), "[0-9]{5,25}", "[a-z]{1,3}:-[0-9]{1,2}"];
    let wrong = (proptest::sample::select(vec!["after", "limit", "wait"]), wrong);
    let cases = prop_oneof![right("after"), right("limit"), right("wait"), wrong];
    let held = runner(400).run(&cases, |(name, value)| {
        // Numbers come as text.
        let instance = match value.parse::<u64>() {
            Ok(number) if name != "after" && number.to_string() == value => json!(number),
            _ => json!(value),
        };
        // There is something after the beginning, so nobody waits.
        let start = if name == "after" { "" } else { "after=earliest&" };
        let valid = Documents::get().validator(&schema(name)).is_valid(&instance);
        let query = value.replace('+', "%2B");
        prop_assume!(value != "latest");
        let status =
            runtime.block_on(async { stream.get(&format!("/api/v1/events?{start}{name}={query}")).await.status() });
        let zeros = name != "after" && value.starts_with('0') && value.len() > 1;
        if !zeros {
            prop_assert_eq!(status.as_u16(), if valid { 200 } else { 400 }, "{}={}", name, value);
        }
        Ok(())
    });
    held.unwrap();
}

/// The kinds of frames, all of them: another one does not compile here.
fn kind(frame: &Frame<Box<RawValue>, Box<RawValue>>) -> &'static str {
    match frame {
        Frame::Hello(_) => "hello",
        Frame::Events { .. } => "events",
        Frame::CaughtUp { .. } => "caught_up",
        Frame::Heartbeat { .. } => "heartbeat",
        Frame::Bye { .. } => "bye",
    }
}

#[test]
fn every_kind_of_frame_and_every_type_of_event_is_in_the_document() {
    let documents = Documents::get();
    let mut kinds = BTreeSet::new();
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/../protocol/tests/golden/frames");
    for entry in std::fs::read_dir(golden).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        documents.hold_frame(&text);
        kinds.insert(kind(&serde_json::from_str(&text).unwrap()));
    }
    let told = |channel: &str| -> BTreeSet<String> {
        documents.asyncapi["channels"][channel]["messages"].as_object().unwrap().keys().cloned().collect()
    };
    let kinds: BTreeSet<String> = kinds.into_iter().map(str::to_owned).collect();
    assert_eq!((&told("frames"), &told("sentEvents")), (&kinds, &kinds));
    let types: BTreeSet<String> =
        EventType::known().iter().map(|(_, name)| (*name).to_owned()).chain(["other".to_owned()]).collect();
    assert_eq!(told("cloudEvents"), types);
}

#[test]
fn a_frame_with_one_thing_changed_is_not_what_the_document_says() {
    let documents = Documents::get();
    let golden = include_str!("../../../protocol/tests/golden/frames/hello_with_snapshot.json");
    let hello: Value = serde_json::from_str(golden).unwrap();
    let validator = documents.validator(&documents.asyncapi["components"]["messages"]["hello"]["payload"]);
    assert!(validator.is_valid(&hello));
    for field in hello.as_object().unwrap().keys() {
        let mut wrong = hello.clone();
        wrong[field] = json!([]);
        assert!(!validator.is_valid(&wrong), "{field}");
    }
    let mut more = hello;
    more["untold"] = json!(1);
    assert!(!validator.is_valid(&more));
}

#[test]
fn both_documents_are_of_this_version() {
    let documents = Documents::get();
    for document in [&documents.openapi, &documents.asyncapi] {
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    }
}
