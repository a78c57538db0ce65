//! The page reads from a tree, the stream by serde, both by the same declarations: whatever comes, they agree.

mod reading;

use monkeytown_protocol::{Event, Frame, FromJson, Json, Timestamp, Wrong, from_json};
use proptest::{prelude::*, sample::Index, sample::select};
use serde::Deserialize;
use serde_json::{Value, json};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

macro_rules! files {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(include_str!(concat!("golden/", $folder, "/", $name, ".json"))),+]
    };
}

/// Fewer where a test has one thread and no optimizer.
const CASES: u32 = if cfg!(target_arch = "wasm32") { 256 } else { 4_096 };

const EVENTS: &[&str] = files!("events":
    "entity_created", "entity_updated", "entity_status_changed", "entity_metrics_updated", "entity_deleted",
    "flow_created", "flow_started", "flow_progress", "flow_complete", "flow_failed",
    "seed_planted", "seed_discovery", "seed_progress", "seed_complete", "seed_failed",
    "system_metrics", "system_alert", "system_health_changed", "log_line", "unknown_type", "every_attribute",
);

const FRAMES: &[&str] = files!("frames":
    "hello_with_snapshot", "hello_without_snapshot", "hello_before_any_event",
    "events", "events_of_an_interest", "events_of_no_interest",
    "caught_up", "caught_up_before_any_event", "heartbeat_with_clock", "heartbeat_without_clock", "bye",
);

/// Which fields a frame of a kind has.
const FIELDS: [(&str, &[&str]); 5] = [
    (
        "hello",
        &[
            "epoch",
            "head",
            "from",
            "recovered",
            "snapshot",
            "heartbeat_ms",
            "server_time",
            "clock",
            "clock_rate",
            "version",
            "source_kind",
        ],
    ),
    ("events", &["epoch", "first", "last", "events"]),
    ("caught_up", &["offset"]),
    ("heartbeat", &["head", "server_time", "clock", "clock_rate"]),
    ("bye", &["reason", "reconnect_after_ms"]),
];

/// Anything, for what a frame holds undecoded. Fractions are kept to twelve digits: the readers round their own way.
#[derive(Debug, PartialEq)]
struct Anything(Value);

impl<'de> Deserialize<'de> for Anything {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(rounded(value)))
    }
}

fn rounded(value: Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => json!(format!("{:.12e}", number.as_f64().expect("a fraction"))),
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, rounded(value))).collect(),
        other => other,
    }
}

impl<'a> FromJson<'a> for Anything {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        value_of(json).map(|value| Self(rounded(value))).or_else(|| wrong.say("is nothing that a tree holds"))
    }
}

fn value_of(json: &Json<'_>) -> Option<Value> {
    Some(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => json!(value),
        Json::Whole(value) => json!(value),
        Json::Negative(value) => json!(value),
        Json::Fraction(value) => json!(value),
        Json::Text(value) => json!(value),
        Json::List(items) => Value::Array(items.iter().map(value_of).collect::<Option<_>>()?),
        Json::Object(members) => {
            let member =
                |(name, value): &(std::borrow::Cow<'_, str>, Json<'_>)| Some((name.to_string(), value_of(value)?));
            Value::Object(members.iter().map(member).collect::<Option<_>>()?)
        }
        Json::Opaque => return None,
    })
}

fn event_from_tree(text: &str) -> Option<Event> {
    Event::from_json(&Json::parse(text).ok()?, Timestamp::from_millis(reading::FALLBACK_MILLIS)).ok()
}

fn assert_events_agree(text: &str) {
    let theirs = reading::event(text);
    assert_eq!(event_from_tree(text).as_ref(), theirs.as_ref().ok(), "{text}: {theirs:?}");
}

type AnyFrame = Frame<Anything, Anything>;

fn frame_from_tree(text: &str) -> Option<AnyFrame> {
    from_json::read(&Json::parse(text).ok()?).ok().map(with_a_plain_rate)
}

fn frame_by_serde(text: &str) -> Result<AnyFrame, serde_json::Error> {
    serde_json::from_str(text).map(with_a_plain_rate)
}

/// The one fraction that a frame itself holds, to twelve digits.
fn with_a_plain_rate(mut frame: AnyFrame) -> AnyFrame {
    let plain = |rate: &mut f64| *rate = format!("{rate:.12e}").parse().expect("a number as it was written");
    match &mut frame {
        Frame::Hello(hello) => plain(&mut hello.clock_rate),
        Frame::Heartbeat { clock_rate: Some(rate), .. } => plain(rate),
        _ => {}
    }
    frame
}

/// The frame without fields of other kinds, which only serde looks at.
fn own_fields(text: &str) -> Option<String> {
    let mut frame: Value = serde_json::from_str(text).ok()?;
    let (_, own) = FIELDS.iter().find(|(kind, _)| frame.get("kind").and_then(Value::as_str) == Some(*kind))?;
    let foreign = |name: &str| !own.contains(&name) && FIELDS.iter().any(|(_, fields)| fields.contains(&name));
    frame.as_object_mut()?.retain(|name, _| !foreign(name));
    Some(frame.to_string())
}

fn assert_frames_agree(text: &str) {
    let (ours, theirs) = (frame_from_tree(text), frame_by_serde(text));
    match (ours, theirs) {
        (Some(ours), Err(why)) => {
            let own = own_fields(text).unwrap_or_else(|| panic!("{text}: {why}"));
            assert_eq!(frame_by_serde(&own).ok(), Some(ours), "{text}: {why}");
        }
        (ours, theirs) => assert_eq!(ours, theirs.ok(), "{text}"),
    }
}

/// Every place in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(number, item)| places(item, &format!("{at}/{number}"), found));
        }
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| places(field, &format!("{at}/{name}"), found));
        }
        _ => {}
    }
}

fn nonsense() -> impl Strategy<Value = Value> {
    let words = [
        "",
        "agent",
        "contract",
        "active",
        "complete",
        "error",
        "pending",
        "growing",
        "critical",
        "info",
        "live",
        "monkeytown.entity.created",
        "monkeytown.entity.metrics_updated",
        "monkeytown.flow.complete",
        "monkeytown.flow.failed",
        "monkeytown.seed.planted",
        "monkeytown.system.alert",
        "monkeytown.log.line",
        "org.example.other",
        "hello",
        "events",
        "bye",
        "heartbeat",
        "caught_up",
        "k3:7",
        "k3:-1",
        "application/json",
        "text/plain",
        "2026-01-18T12:00:00Z",
        "2026-13-18T12:00:00Z",
        "https://example.org/a",
        "http://example.org/",
        "a\u{7}b",
        "1.0",
    ];
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        select(vec![
            json!([]),
            json!({}),
            json!([1]),
            json!(["a", "b"]),
            json!({"id": "a", "path": "p", "files": 3, "load": 0.5})
        ]),
        select(vec![json!(0), json!(1), json!(-1), json!(-2), json!(1.0), json!(0.5), json!(1.5), json!(1e300)]),
        select(vec![json!(u64::MAX), json!(i64::MIN), json!(u32::MAX), json!(4_294_967_296_u64)]),
        any::<f32>().prop_map(Value::from),
        select(words.to_vec()).prop_map(Value::from),
        select(vec!["x".repeat(257), "x".repeat(513), "é".repeat(1_100)]).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ]
}

/// Fields that the wire knows and that a golden text may lack.
const KNOWN: &[&str] = &[
    "id",
    "kind",
    "status",
    "label",
    "activity",
    "progress",
    "reason",
    "metrics",
    "parent",
    "url",
    "domain",
    "files",
    "efficiency",
    "load",
    "connections",
    "result",
    "type",
    "active_agents",
    "pending_flows",
    "contracts_settled",
    "severity",
    "message",
    "resolved",
    "time",
    "recordedtime",
    "subject",
    "datacontenttype",
    "traceparent",
    "causationid",
    "clock",
    "clock_rate",
    "snapshot",
    "head",
];

/// A golden text in which places are changed, taken out, added or doubled.
fn tampered(golden: &'static [&'static str]) -> impl Strategy<Value = String> {
    let change = (any::<Index>(), prop::option::of(nonsense()), prop::option::of(select(KNOWN)));
    let doubled = prop::option::weighted(0.1, (any::<Index>(), nonsense()));
    (select(golden), prop::collection::vec(change, 0..4), doubled).prop_map(|(text, changes, doubled)| {
        let mut value: Value = serde_json::from_str(text).expect("a golden file is JSON");
        for (place, change, added) in changes {
            let mut found = Vec::new();
            places(&value, "", &mut found);
            let place = place.get(&found[..]);
            if let (Some(name), Some(Value::Object(fields))) = (added, value.pointer_mut(place)) {
                fields.insert(name.to_owned(), change.unwrap_or_default());
                continue;
            }
            match (change, place.rsplit_once('/')) {
                (Some(change), _) => *value.pointer_mut(place).expect("it was found there") = change,
                (None, Some((parent, name))) => {
                    if let Some(Value::Object(fields)) = value.pointer_mut(parent) {
                        fields.remove(name);
                    }
                }
                (None, None) => {}
            }
        }
        let text = value.to_string();
        let names: Vec<String> = value.as_object().into_iter().flat_map(|fields| fields.keys().cloned()).collect();
        match doubled {
            Some((name, change)) if !names.is_empty() => {
                text.replacen('{', &format!("{{\"{}\":{change},", name.get(&names[..])), 1)
            }
            _ => text,
        }
    })
}

fn with_a_byte_changed(text: &str, at: Index, byte: u8) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let at = at.index(bytes.len());
    if let Some(changed) = bytes.get_mut(at) {
        *changed = byte;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn every_golden_text_is_read_the_same_by_both() {
    for text in EVENTS {
        assert!(event_from_tree(text).is_some(), "{text}");
        assert_events_agree(text);
    }
    for text in FRAMES {
        assert!(frame_from_tree(text).is_some(), "{text}");
        assert_frames_agree(text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn a_tampered_event_is_judged_the_same_by_both(text in tampered(EVENTS)) {
        assert_events_agree(&text);
    }

    #[test]
    fn a_tampered_frame_is_judged_the_same_by_both(text in tampered(FRAMES)) {
        assert_frames_agree(&text);
    }

    #[test]
    fn a_changed_byte_is_judged_the_same_by_both(
        event in select(EVENTS), frame in select(FRAMES), at in any::<Index>(), byte: u8
    ) {
        assert_events_agree(&with_a_byte_changed(event, at, byte));
        assert_frames_agree(&with_a_byte_changed(frame, at, byte));
    }
}

#[test]
fn what_nobody_asks_for_may_be_strange_to_both() {
    let event = include_str!("golden/events/entity_updated.json");
    let deep = format!("{}{}", "[".repeat(4_000), "]".repeat(4_000));
    for strange in [r#""\ud800""#, "1e999", &deep, r#"{"\udc00":1}"#] {
        let text = event.replacen('{', &format!(r#"{{"extension":{strange},"#), 1);
        assert!(event_from_tree(&text).is_some(), "{strange}");
        assert_events_agree(&text);
        let text = event.replace(r#""data": {"#, &format!(r#""data": {{"extension":{strange},"#));
        assert!(text.contains("extension") && event_from_tree(&text).is_some(), "{strange}");
        assert_events_agree(&text);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_field() {
    let sound = include_str!("golden/events/flow_failed.json");
    let said = |text: &str| {
        let json = Json::parse(text).expect("JSON");
        Event::from_json(&json, Timestamp::default()).expect_err(text).to_string()
    };
    assert_eq!(said(&sound.replacen("\"1.0\"", "\"0.3\"", 1)), "`specversion` must be 1.0");
    assert_eq!(said(&sound.replacen("\"source\"", "\"origin\"", 1)), "`source` is missing");
    assert_eq!(said(&sound.replace("\"error\"", "\"active\"")), "`status` contradicts the event's type");
    assert_eq!(said("[]"), "it is no object");
    assert_eq!(said(&sound.replacen('{', "{\"id\":\"a\",", 1)), "`id` is there twice");
}
