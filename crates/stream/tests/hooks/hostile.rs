//! Payloads that nobody at GitHub wrote.

use crate::support::{Stream, changed, payload};
use proptest::prelude::*;
use serde_json::{Value, json};

const KINDS: [(&str, &str); 17] = [
    ("workflow_run", "workflow_run.requested"),
    ("workflow_run", "workflow_run.completed"),
    ("workflow_job", "workflow_job.in_progress"),
    ("workflow_job", "workflow_job.completed"),
    ("push", "push"),
    ("pull_request", "pull_request.opened"),
    ("pull_request", "pull_request.ready_for_review"),
    ("pull_request", "pull_request.review_requested"),
    ("pull_request", "pull_request.closed"),
    ("pull_request_review", "pull_request_review.submitted"),
    ("issues", "issues.opened"),
    ("issue_comment", "issue_comment.created"),
    ("check_run", "check_run.created"),
    ("check_run", "check_run.completed"),
    ("check_suite", "check_suite.completed"),
    ("release", "release.published"),
    ("ping", "ping"),
];

/// Every place within a value.
fn pointers(value: &Value) -> Vec<String> {
    let below: Vec<(String, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().map(|(name, value)| (name.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let below = below
        .into_iter()
        .flat_map(|(name, value)| pointers(value).into_iter().map(move |rest| format!("/{name}{rest}")));
    std::iter::once(String::new()).chain(below).collect()
}

fn anything() -> impl Strategy<Value = Value> {
    let odd = prop::sample::select(vec![
        json!(null),
        json!(true),
        json!(0),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!([]),
        json!({}),
        json!(""),
        json!(" "),
        json!("\u{0}\u{1b}[31m\r\n"),
        json!("\u{202e}\u{2066}\u{2028}\u{feff}"),
        json!("x".repeat(100_000)),
        json!("é€😀".repeat(3_000)),
        json!("people"),
        json!("root"),
        json!("javascript:alert(1)"),
        json!("http://example.org"),
        json!("https://user:word@example.org"),
        json!("9999-12-31T23:59:59Z"),
        json!("0000-01-01T00:00:00Z"),
        json!("Seed: a\nSeed: \u{0}\nSeed: b c\nSeed:"),
        json!(vec![json!({"id": "0".repeat(40)}); 50]),
        json!(vec![Value::Null; 50]),
        json!({"name": {"name": []}, "id": "7", "login": null}),
    ]);
    prop_oneof![odd, any::<String>().prop_map(Value::from), any::<i64>().prop_map(Value::from)]
}

#[test]
fn no_payload_makes_the_stream_fail_or_an_event_that_cannot_be_read() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stream = runtime.block_on(Stream::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let kind = prop::sample::select(KINDS.to_vec());
    let wounds = proptest::collection::vec((any::<prop::sample::Index>(), anything()), 1..6);
    let action = prop::sample::select(vec!["", "completed", "closed", "opened", "submitted", "created", "in_progress"]);
    runner
        .run(&(kind, wounds, action), |((event, name), wounds, action)| {
            let mut payload = payload(name);
            if !action.is_empty() {
                payload["action"] = json!(action);
            }
            for (at, value) in wounds {
                let places = pointers(&payload);
                *payload.pointer_mut(&places[at.index(places.len())]).unwrap() = value;
            }
            let taken = runtime.block_on(stream.take(event, &payload));
            prop_assert!([200, 202, 400].contains(&taken.status), "{taken:?}");
            prop_assert!(taken.status != 400 || !payload.is_object(), "{taken:?}");
            Ok(())
        })
        .unwrap();
    // None was left out of the log as too large, and each holds to the wire.
    assert_eq!(runtime.block_on(stream.metric("events_rejected_total{reason=\"too_large\"}")), 0.0);
    for event in runtime.block_on(stream.events()) {
        let json = event.to_string();
        let envelope: monkeytown_protocol::Envelope<'_, &serde_json::value::RawValue> =
            serde_json::from_str(&json).unwrap();
        envelope.check().unwrap();
        let mut data = serde_json::Deserializer::from_str(envelope.data.unwrap().get());
        envelope.decode(monkeytown_protocol::Timestamp::default(), |_| &mut data).unwrap();
        assert!(!json.contains("javascript:") || !json.contains("\"url\":\"javascript:"), "{json}");
    }
}

#[test]
fn no_bytes_make_the_stream_fail() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stream = runtime.block_on(Stream::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 300, ..ProptestConfig::default() });
    let bytes = (prop::sample::select(KINDS.to_vec()), any::<prop::sample::Index>(), any::<u8>(), any::<bool>());
    runner
        .run(&bytes, |((event, name), at, byte, cut)| {
            let mut bytes = payload(name).to_string().into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            if cut {
                bytes.truncate(at);
            }
            let id = format!("{event}-{at}-{byte}-{cut}");
            let taken = runtime.block_on(stream.deliver_bytes(event, &id, bytes));
            prop_assert!([200, 202, 400].contains(&taken.status), "{taken:?}");
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn texts_are_cut_and_never_refused() {
    let stream = Stream::start().await;
    let endless = json!(format!("\u{202e}start {}", "é\u{0}".repeat(200_000)));
    let opened = [
        ("/pull_request/title", endless.clone()),
        ("/pull_request/user/login", endless.clone()),
        ("/pull_request/html_url", json!("http://example.org")),
    ];
    stream.deliver("pull_request", &changed(payload("pull_request.opened"), &opened)).await;
    let contract = stream.entity("pull:2").await;
    let label = contract["label"].as_str().unwrap();
    assert!(label.starts_with("\u{fffd}start é") && label.len() <= 256, "{label}");
    assert_eq!(contract["url"], Value::Null, "no address that is not https");
    let run = [("/workflow_run/name", endless), ("/action", json!("requested"))];
    stream.deliver("workflow_run", &changed(payload("workflow_run.completed"), &run)).await;
    assert_eq!(stream.state().await["entities"].as_object().unwrap().len(), 3);
}
