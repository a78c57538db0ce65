//! The fold, case by case: each scenario file is a run of events and what is true after each step of it.
//!
//! What a step does not name must be empty: entities, open flows, finished flows, history and alerts are
//! compared as a whole, and totals that are not named are zero. Within a thing, fields that are not named
//! may be anything; `null` means absent. `"@5"` is 5 s after 2026-01-18T12:00:00Z, as are the events' `at`.

use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Envelope, Event, SeedId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json, value::RawValue};
use std::collections::{BTreeMap, BTreeSet};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

macro_rules! scenarios {
    ($($name:ident),+ $(,)?) => {
        $(#[test]
        fn $name() {
            play(include_str!(concat!("scenarios/", stringify!($name), ".json")));
        })+

        /// A file that no test names would be tested by nobody.
        #[cfg(not(target_arch = "wasm32"))]
        #[test]
        fn every_scenario_file_is_played() {
            let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scenarios");
            let found: BTreeSet<String> = std::fs::read_dir(path)
                .expect("the folder of scenarios")
                .map(|entry| entry.expect("a file").file_name().to_string_lossy().into_owned())
                .collect();
            let named: BTreeSet<String> = [$(concat!(stringify!($name), ".json").to_owned()),+].into();
            assert_eq!(found, named);
        }
    };
}

scenarios!(
    active_agents,
    agent_finishes_a_run,
    agent_stays_broken,
    alerts,
    contract_breaks,
    contract_settles,
    counted_only,
    deleted,
    flow_arrives,
    flow_breaks,
    late_joiner,
    late_words,
    load_thresholds,
    merge_field_by_field,
    metrics_cleared,
    metrics_override,
    seeds,
    transaction,
);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    title: String,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    #[serde(default)]
    title: String,
    events: Vec<Value>,
    #[serde(default)]
    entities: Map<String, Value>,
    #[serde(default)]
    flows: Map<String, Value>,
    /// Instead of `flows` where they are many.
    flow_count: Option<usize>,
    /// Newest first.
    #[serde(default)]
    finished_flows: Vec<Value>,
    /// Newest first.
    #[serde(default)]
    history: Vec<Value>,
    #[serde(default)]
    alerts: Map<String, Value>,
    #[serde(default)]
    seeds: Map<String, Value>,
    #[serde(default)]
    totals: BTreeMap<String, u64>,
    last_time: Option<String>,
    changes: Option<ExpectedChanges>,
    #[serde(default)]
    pulses: Vec<Value>,
}

#[derive(Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpectedChanges {
    entities: BTreeSet<String>,
    flows: BTreeSet<String>,
    seeds: BTreeSet<String>,
    logs: BTreeSet<String>,
    history: bool,
    system: bool,
}

impl From<&Changes> for ExpectedChanges {
    fn from(changes: &Changes) -> Self {
        Self {
            entities: changes.entities.iter().map(ToString::to_string).collect(),
            flows: changes.flows.iter().map(ToString::to_string).collect(),
            seeds: changes.seeds.iter().map(ToString::to_string).collect(),
            logs: changes.logs.iter().map(ToString::to_string).collect(),
            history: changes.history,
            system: changes.system,
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seconds of a scenario")]
fn moment(seconds: f64) -> Timestamp {
    Timestamp::from_millis(1_768_737_600_000 + (seconds * 1_000.0).round() as i64)
}

fn decoded(json: &str) -> Event {
    let envelope: Envelope<'_, &RawValue> =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
    envelope.check().unwrap_or_else(|error| panic!("{json}: {error}"));
    envelope.decode(moment(0.0), |data| *data).unwrap_or_else(|error| panic!("{json}: {error}"))
}

/// The events that one entry stands for: a whole `CloudEvents` event, or its short form.
fn events(entry: &Value) -> Vec<Event> {
    if entry.get("specversion").is_some() {
        return vec![decoded(&entry.to_string())];
    }
    let repeat = entry.get("repeat").and_then(Value::as_u64).unwrap_or(1);
    let seconds = entry.get("at").and_then(Value::as_f64).expect("a short event says when: `at`, in seconds");
    let event_type = entry.get("type").and_then(Value::as_str).expect("a short event has a type");
    let data = entry.get("data").expect("a short event has data").to_string();
    (0..repeat)
        .map(|n| {
            let data = data.replace("{n}", &n.to_string());
            let time = moment(seconds);
            decoded(&format!(
                r#"{{"specversion":"1.0","id":"{n}","source":"/s","type":"monkeytown.{event_type}","time":"{time}","data":{data}}}"#
            ))
        })
        .collect()
}

/// What of `expected` is not in `actual`.
fn difference(path: &str, expected: &Value, actual: &Value) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => expected.iter().find_map(|(key, value)| {
            difference(&format!("{path}/{key}"), value, actual.get(key).unwrap_or(&Value::Null))
        }),
        (Value::Array(expected), Value::Array(actual)) if expected.len() == actual.len() => expected
            .iter()
            .zip(actual)
            .enumerate()
            .find_map(|(at, (expected, actual))| difference(&format!("{path}/{at}"), expected, actual)),
        // Shares are 32 bits wide and become 64 here.
        (Value::Number(expected), Value::Number(actual))
            if expected.as_f64().zip(actual.as_f64()).is_some_and(|(a, b)| (a - b).abs() < 1e-6) =>
        {
            None
        }
        (Value::String(expected), Value::String(actual)) if expected.starts_with('@') => {
            let seconds = expected.trim_start_matches('@').parse().expect("@ and seconds");
            let expected = moment(seconds).to_string();
            (expected != *actual).then(|| format!("{path}: expected {expected}, found {actual}"))
        }
        _ => (expected != actual).then(|| format!("{path}: expected {expected}, found {actual}")),
    }
}

fn value(of: &impl Serialize) -> Value {
    serde_json::to_value(of).expect("the fold's state is JSON")
}

/// By id what is held; ids that are expected to be absent are `null`.
fn with_absent(expected: &Map<String, Value>, mut held: Map<String, Value>) -> Map<String, Value> {
    for (id, value) in expected {
        if value.is_null() {
            held.entry(id.clone()).or_insert(Value::Null);
        }
    }
    held
}

fn by_id(expected: &Map<String, Value>, held: Map<String, Value>, what: &str) -> Option<String> {
    let held = with_absent(expected, held);
    let (named, found): (BTreeSet<_>, BTreeSet<_>) = (expected.keys().collect(), held.keys().collect());
    if named != found {
        return Some(format!("/{what}: expected {named:?}, found {found:?}"));
    }
    difference(&format!("/{what}"), &Value::Object(expected.clone()), &Value::Object(held))
}

fn pulse(civilization: &Civilization, expected: &Value) -> Option<String> {
    let seconds = expected.get("at").and_then(Value::as_f64).expect("a pulse is taken at a moment: `at`, in seconds");
    let pulse = civilization.pulse(moment(seconds));
    let actual = json!({
        "at": seconds,
        "active_agents": pulse.active_agents,
        "pending_flows": pulse.pending_flows,
        "contracts_settled": pulse.contracts_settled,
        "load": pulse.load,
        "health": pulse.health,
    });
    difference(&format!("/pulse at {seconds} s"), expected, &actual)
}

fn check(step: &Step, civilization: &Civilization, applied: u64) -> Vec<String> {
    let entities = civilization.entities().map(|(id, entity)| (id.to_string(), value(entity))).collect();
    let flows: Map<String, Value> = civilization.flows().map(|(id, flow)| (id.to_string(), value(flow))).collect();
    let alerts = civilization.alerts().map(|(id, alert)| (id.to_string(), value(alert))).collect();
    let finished: Vec<Value> = civilization.finished_flows().map(value).collect();
    let history: Vec<Value> = civilization.history().map(value).collect();
    let mut totals: BTreeMap<String, u64> =
        serde_json::from_value(value(&civilization.totals())).expect("totals are numbers by name");
    totals.retain(|name, count| *count != 0 && name != "events");
    let flow_difference = match step.flow_count {
        Some(count) => (count != flows.len()).then(|| format!("/flows: expected {count}, found {}", flows.len())),
        None => by_id(&step.flows, flows, "flows"),
    };
    let mut wrong: Vec<String> = [
        by_id(&step.entities, entities, "entities"),
        flow_difference,
        by_id(&step.alerts, alerts, "alerts"),
        difference("/finished_flows", &value(&step.finished_flows), &value(&finished)),
        difference("/history", &value(&step.history), &value(&history)),
        (totals != step.totals).then(|| format!("/totals: expected {:?}, found {totals:?}", step.totals)),
        (civilization.totals().events != applied).then(|| format!("/totals/events: expected {applied}")),
        step.last_time.as_ref().and_then(|at| difference("/last_time", &json!(at), &value(&civilization.last_time()))),
    ]
    .into_iter()
    .flatten()
    .collect();
    wrong.extend(step.seeds.iter().filter_map(|(id, expected)| {
        let seed = civilization.seed(&SeedId::new(id).expect("a seed's id"));
        let actual = seed.map_or(Value::Null, |(report, updated)| {
            let mut actual = value(report);
            if let Some(object) = actual.as_object_mut() {
                object.insert("updated".to_owned(), value(&updated));
            }
            actual
        });
        difference(&format!("/seeds/{id}"), expected, &actual)
    }));
    wrong.extend(step.pulses.iter().filter_map(|expected| pulse(civilization, expected)));
    wrong
}

/// What of a scenario is not so.
fn differences(file: &str) -> Vec<String> {
    let scenario: Scenario = serde_json::from_str(file).expect("a scenario file");
    let (mut civilization, mut applied, mut all) = (Civilization::default(), 0, Vec::new());
    for (number, step) in scenario.steps.iter().enumerate() {
        let mut changes = Changes::default();
        for event in step.events.iter().flat_map(events) {
            civilization.apply(event, &mut changes);
            applied += 1;
        }
        let mut wrong = check(step, &civilization, applied);
        let actual = ExpectedChanges::from(&changes);
        if let Some(expected) = step.changes.as_ref().filter(|expected| **expected != actual) {
            wrong.push(format!("/changes: expected {expected:?}, found {actual:?}"));
        }
        all.extend(wrong.iter().map(|wrong| format!("{}, step {number} {}: {wrong}", scenario.title, step.title)));
    }
    all
}

fn play(file: &str) {
    let wrong = differences(file);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The comparison itself, so that a scenario cannot pass by comparing nothing.
#[test]
fn a_scenario_that_expects_something_else_fails() {
    let file = include_str!("scenarios/contract_settles.json");
    for (said, else_said) in [
        ("\"totals\": {\"contracts_settled\": 1}", "\"totals\": {}"),
        ("\"contracts_settled\": 1}, {\"at\"", "\"contracts_settled\": 2}, {\"at\""),
        ("\"since\": \"@5\"", "\"since\": \"@6\""),
        ("\"outcome\": \"settled\"", "\"outcome\": \"broken\""),
        ("\"history\": [{", "\"history\": [{}, {"),
        ("\"history\": true", "\"history\": false"),
        ("{\"#42\": null}", "{\"#42\": {}}"),
    ] {
        let changed = file.replacen(said, else_said, 1);
        assert_ne!(changed, file, "{said} is not in the file");
        assert_eq!(differences(&changed).len(), 1, "{else_said}");
    }
}
