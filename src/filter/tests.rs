//! Texts, what they find in one small town, and what is said of those that make no sense.

use super::*;
use crate::ingest::Ingest;
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_keepsakes::{Form, Seed};
use monkeytown_protocol::{SeedStatus, SeedType};

/// Type, id, time and data of what happened; the town's clock shows 12:00.
const TOWN: &[(&str, &str, &str, &str)] = &[
    (
        "entity.updated",
        "1",
        "11:59:30",
        r#"{"id":"ada","kind":"agent","label":"ChaosArchitect","status":"active","activity":"draws a MAP of Größe"}"#,
    ),
    (
        "entity.updated",
        "2",
        "09:00:00",
        r#"{"id":"bob","kind":"agent","label":"Mason","status":"idle","parent":"ada"}"#,
    ),
    (
        "entity.updated",
        "3",
        "11:00:00",
        r#"{"id":"cid","kind":"agent","label":"Smith","status":"error","activity":"forges","reason":"out of coal"}"#,
    ),
    (
        "entity.updated",
        "4",
        "11:58:00",
        r#"{"id":"pull:7","kind":"contract","label":"agree on a map","status":"active","parent":"ada"}"#,
    ),
    (
        "entity.updated",
        "5",
        "11:57:00",
        r#"{"id":"commit:aa1","kind":"transaction","label":"lay granite","status":"complete","parent":"bob"}"#,
    ),
    (
        "entity.updated",
        "6",
        "08:00:00",
        r#"{"id":"pull:3","kind":"contract","label":"a map of the coast","status":"error","reason":"refused","parent":"cid"}"#,
    ),
    (
        "flow.started",
        "7",
        "11:59:00",
        r#"{"id":"f1","source":"ada","target":"bob","kind":"message","status":"active","progress":0.5}"#,
    ),
    (
        "flow.created",
        "8",
        "10:00:00",
        r#"{"id":"f2","source":"bob","target":"cid","kind":"signal","status":"pending","progress":0}"#,
    ),
    ("log.line", "9", "11:59:40", r#"{"entity":"ada","level":"info","message":"reads the MAP"}"#),
    ("log.line", "10", "09:10:00", r#"{"entity":"cid","level":"error","message":"no coal is left"}"#),
];

fn town() -> Civilization {
    let (mut ingest, mut state) = (Ingest::default(), Civilization::default());
    let hello = r#"{"kind":"hello","epoch":"e","head":-1,"from":"e:-1","recovered":true,"heartbeat_ms":25000,
        "server_time":"2026-01-18T12:00:00Z","clock":"2026-01-18T12:00:00Z","clock_rate":1,"version":"0.1.0","source_kind":"git"}"#;
    let events: Vec<String> = TOWN
        .iter()
        .map(|(kind, id, time, data)| {
            format!(
                r#"{{"specversion":"1.0","id":"{id}","source":"/t","type":"monkeytown.{kind}","time":"2026-01-18T{time}Z","data":{data}}}"#
            )
        })
        .collect();
    let (last, events) = (TOWN.len() - 1, events.join(","));
    let frame = format!(r#"{{"kind":"events","epoch":"e","first":0,"last":{last},"events":[{events}]}}"#);
    for frame in [hello, &*frame] {
        ingest.take(frame, &mut state, &mut Changes::default(), Timestamp::default());
    }
    assert_eq!(ingest.counters().received, TOWN.len() as u64);
    state
}

/// What it takes of the town, what is history with a `!`, and of a seed planted within the last minute.
fn found(state: &Civilization, filter: &Filter) -> String {
    let now = "2026-01-18T12:00:00Z".parse().expect("a moment");
    let seed = Seed {
        id: "query-1".to_owned(),
        planted_millis: 1_768_737_570_000,
        form: Form { seed_type: SeedType::Query, first: "where is the map?".to_owned(), second: String::new() },
        status: SeedStatus::Pending,
        percent: 0,
        result: None,
    };
    let mut found: Vec<String> = Vec::new();
    found.extend(
        state.entities().filter(|entity| filter.takes_entity(state, *entity, now)).map(|(id, _)| id.to_string()),
    );
    let flows = state.flows().filter(|(_, open)| filter.takes_flow(state, (&open.flow, open.since), now));
    found.extend(flows.map(|(id, _)| id.to_string()));
    found
        .extend(state.history().filter(|item| filter.takes_item(state, item, now)).map(|item| format!("{}!", item.id)));
    for (id, log) in state.logs().iter() {
        let name = state.entity(id).expect("it is there").label.to_string();
        let lines = log.lines().filter(|line| filter.takes_line(&[id.as_str(), &name], line, now)).count();
        found.extend((lines > 0).then(|| format!("log {id}")));
    }
    found.extend(filter.takes_seed(&seed, now).then_some(seed.id));
    found.join(" ")
}

#[test]
fn a_text_finds_what_all_its_terms_hold_of() {
    let state = town();
    for (text, expected) in [
        ("map", "ada pull:7 pull:3! log ada query-1"),
        ("  MAP\tdraws ", "ada"),
        ("\"a map\"", "ada pull:7 pull:3!"),
        ("größe", "ada"),
        ("GRÖSSE", ""),
        ("coal", "cid cid! log cid"),
        ("refused", "pull:3!"),
        ("agent:chaos", "ada bob pull:7 f1 log ada"),
        ("Agent:BOB", "bob f1 f2 commit:aa1!"),
        ("agent:smith status:broken", "cid pull:3! cid!"),
        ("kind:agent", "ada bob cid cid!"),
        ("kind:contract", "pull:7 pull:3!"),
        ("kind:tran", "commit:aa1!"),
        ("kind:message", "f1"),
        ("kind:signal kind:message", ""),
        ("status:active", "ada pull:7 f1"),
        ("status:rest", "bob"),
        ("status:pending", "f2 query-1"),
        ("status:settled", "commit:aa1!"),
        ("status:error", "cid pull:3! cid! log cid"),
        ("type:log", "log ada log cid"),
        ("type:commit", "commit:aa1!"),
        ("type:seed", "query-1"),
        ("type:run", "cid!"),
        ("type:flow agent:ada", "f1"),
        ("type:con", "pull:7 pull:3!"),
        ("since:10m", "ada pull:7 f1 commit:aa1! log ada query-1"),
        ("since:45s", "ada log ada query-1"),
        ("since:2h type:agent", "ada cid"),
        ("since:9999999999d type:run", "cid!"),
        ("since:2026-01-18T10:00:00Z type:flow", "f1 f2"),
        ("since:2026-01-19", ""),
        ("since:2026-01-18T11:00:00+01:00 type:flow", "f1 f2"),
        ("\"pull:7\"", "pull:7"),
        ("12:00", ""),
        ("\u{202e}map", ""),
        ("ma\0p", "ada pull:7 pull:3! log ada query-1"),
    ] {
        let filter = Filter::read(text, str::to_lowercase);
        assert_eq!(filter.fault(), "", "{text}");
        assert!(filter.is_on(), "{text}");
        assert_eq!(found(&state, &filter), expected, "{text}");
    }
}

#[test]
fn what_makes_no_sense_is_said_and_leaves_nothing_out() {
    let state = town();
    let everything = found(&state, &Filter::read("", str::to_lowercase));
    for (text, fault) in [
        ("foo:bar", "no key 'foo:'; known are agent, kind, status, type, since (in quotes it is a word)"),
        ("pull:7", "no key 'pull:'; known are agent, kind, status, type, since (in quotes it is a word)"),
        ("type:", "type: takes one of agent, flow, commit, contract, run, log, seed"),
        ("type:foo", "no type 'foo'; known are agent, flow, commit, contract, run, log, seed"),
        (
            "type:\u{202e}x",
            "no type '\u{2068}\u{202e}x\u{2069}'; known are agent, flow, commit, contract, run, log, seed",
        ),
        ("since:", "since: takes 10m, 2h, 3d or a date such as 2026-01-18"),
        ("since:yesterday", "since: takes 10m, 2h, 3d or a date such as 2026-01-18"),
        ("since:m", "since: takes 10m, 2h, 3d or a date such as 2026-01-18"),
        ("since:-1m", "since: takes 10m, 2h, 3d or a date such as 2026-01-18"),
        ("since:2026-13-01", "since: takes 10m, 2h, 3d or a date such as 2026-01-18"),
        ("since:10é", "since: takes 10m, 2h, 3d or a date such as 2026-01-18"),
        ("agent:", "agent: takes a name or an id"),
        ("foo:bar type:x", "no key 'foo:'; known are agent, kind, status, type, since (in quotes it is a word)"),
    ] {
        let filter = Filter::read(text, str::to_lowercase);
        assert_eq!(filter.fault(), fault, "{text}");
        assert!(!filter.is_on(), "{text}");
        assert_eq!(found(&state, &filter), everything, "{text}");
    }
    // What makes sense beside it holds.
    assert_eq!(found(&state, &Filter::read("foo:bar granite", str::to_lowercase)), "commit:aa1!");
}

#[test]
fn a_text_without_a_word_leaves_nothing_out() {
    for text in ["", "  \t\n", "\"\"", "\" ", "\0\u{1}"] {
        let filter = Filter::read(text, str::to_lowercase);
        assert_eq!((filter.is_on(), filter.fault()), (false, ""), "{text:?}");
    }
}

#[test]
fn of_a_text_too_long_the_beginning_counts() {
    for text in ["map ".repeat(4_000), "m".repeat(10_000), "ß".repeat(10_000)] {
        let filter = Filter::read(&text, str::to_lowercase);
        assert_eq!(filter.fault(), "only its first 200 letters and 16 terms count");
        assert!(filter.is_on() && filter.terms.len() <= TERMS_MAX);
    }
    let filter = Filter::read(&"map ".repeat(TERMS_MAX), str::to_lowercase);
    assert_eq!((filter.fault(), filter.terms.len()), ("", TERMS_MAX));
}
