//! The fold with everything in it that it will hold, each thing as large as the wire allows.

mod saying;

use monkeytown_civilization::{
    Changes, Civilization, ENTITIES_BYTES_MAX, ENTITIES_MAX, FLOWS_MAX, HISTORY_BYTES_MAX, HISTORY_MAX, LANES_MAX,
    LOGS_MAX, MARKS_MAX, NAME_MAX_BYTES, REASON_MAX_BYTES, SNAPSHOT_BYTES_MAX,
};
use monkeytown_protocol::{
    Alert, Domain, EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Field, Files, Flow, FlowId,
    FlowKind, FlowStatus, FlowVerb, HttpsUrl, LogLevel, LogLine, Payload, Ratio, SeedId, SeedReport, SeedStatus,
    SeedType, SeedVerb, Severity, SourceUri, Text, Timestamp,
    limits::{FILES_MAX, ID_MAX_BYTES, TEXT_MAX_BYTES, URL_MAX_BYTES},
};
use saying::told;
use serde_json::Value;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn long(start: &str, length: usize) -> String {
    format!("{start:x<length$}")
}

fn entity_id(number: usize) -> EntityId {
    EntityId::new(&long(&format!("{number}-"), ID_MAX_BYTES)).expect("as long as an id may be")
}

fn text(number: usize) -> Text {
    Text::fitted(&long(&format!("{number} "), TEXT_MAX_BYTES))
}

fn url(number: usize) -> HttpsUrl {
    HttpsUrl::new(&long(&format!("https://example.org/{number}/"), URL_MAX_BYTES)).expect("as long as one may be")
}

fn entity(number: usize, kind: EntityKind, status: EntityStatus) -> Event {
    let patch = EntityPatch {
        kind: Some(kind),
        status: Some(status),
        label: Some(text(number)),
        activity: Field::Set(text(number)),
        reason: Field::Set(text(number)),
        parent: Field::Set(entity_id(number / 7)),
        url: Field::Set(url(number)),
        domain: Field::Set(Domain { path: text(number), files: u32::MAX }),
        files: Field::Set(Files::fitted((0..FILES_MAX).map(|file| text(number + file)))),
        ..EntityPatch::of(entity_id(number))
    };
    told(Timestamp::default(), Payload::Entity(EntityVerb::Created, Box::new(patch)))
}

/// One of everything.
fn everything(number: usize) -> Vec<Event> {
    let say = |payload| told(Timestamp::default(), payload);
    let flow = |verb, status, id: String| {
        let (id, reason) = (FlowId::new(&id).expect("as long as an id may be"), Some(text(number)));
        let (source, target) = (entity_id(number), entity_id(number + 1));
        let (kind, progress) = (FlowKind::Contract, Ratio::ONE);
        say(Payload::Flow(verb, Flow { id, source, target, kind, status, progress, reason }))
    };
    let seed = SeedReport {
        id: SeedId::new(&long(&format!("s{number}-"), ID_MAX_BYTES)).expect("as long as an id may be"),
        seed_type: SeedType::Constraint,
        status: SeedStatus::Complete,
        progress: Ratio::ONE,
        result: Some(url(number)),
    };
    let alert = Alert { id: text(number), severity: Severity::Warning, message: text(number), resolved: false };
    let line = LogLine { entity: entity_id(number), level: LogLevel::Debug, message: text(number) };
    let rival = entity(number, EntityKind::Agent, EntityStatus::Processing);
    let source = SourceUri::new(&long("/rival/", ID_MAX_BYTES)).expect("as long as an id may be");
    vec![
        entity(number, EntityKind::Agent, EntityStatus::Active),
        Event { source, ..rival },
        entity(number + 1_000_000, EntityKind::Contract, EntityStatus::Active),
        entity(number + 2_000_000, EntityKind::Contract, EntityStatus::Error),
        flow(FlowVerb::Started, FlowStatus::Active, long(&format!("f{number}-"), ID_MAX_BYTES)),
        flow(FlowVerb::Failed, FlowStatus::Error, long(&format!("b{number}-"), ID_MAX_BYTES)),
        say(Payload::Seed(SeedVerb::Complete, seed)),
        say(Payload::SystemAlert(alert)),
        say(Payload::LogLine(line)),
    ]
}

fn stored(civilization: &Civilization) -> String {
    serde_json::to_string(civilization).expect("a snapshot is JSON")
}

#[test]
fn with_everything_at_its_bound_the_state_has_a_few_megabytes() {
    let (mut civilization, mut changes) = (Civilization::default(), Changes::default());
    for number in 0..800 {
        for event in everything(number) {
            civilization.apply(event, &mut changes);
        }
    }
    let json = stored(&civilization);
    assert!(json.len() < 8 << 20, "{} bytes", json.len());
    let state: Value = serde_json::from_str(&json).expect("JSON");
    let bytes = |part: &str| state.pointer(part).map_or(0, |part| part.to_string().len());
    // Full, not merely small.
    assert!(bytes("/entities") > ENTITIES_BYTES_MAX / 2 && bytes("/history") > HISTORY_BYTES_MAX / 2);
    assert!(bytes("/flows") > 1 << 19 && bytes("/seeds") > 1 << 19 && bytes("/finished_flows") > 1 << 17);
    assert!((1..=SNAPSHOT_BYTES_MAX).contains(&bytes("/logs")) && bytes("/activity") > 10_000);
    // At a bound an eighth goes at once.
    assert!((LANES_MAX * 7 / 8..=LANES_MAX).contains(&civilization.activity().lanes().len()));
    assert_eq!(civilization.marks(Timestamp::default()).count(), MARKS_MAX);
    assert!((0..800).filter(|number| civilization.log(&entity_id(*number)).is_some()).count() <= LOGS_MAX);
    // Who joins late holds the same, and no more.
    let late: Civilization = serde_json::from_str(&json).expect("a snapshot is read again");
    assert_eq!(stored(&late), json);
}

#[test]
fn what_people_usually_write_is_bounded_by_number_alone() {
    let (mut civilization, mut changes) = (Civilization::default(), Changes::default());
    for number in 0..ENTITIES_MAX {
        let id = EntityId::new(&format!("pull-{number}")).expect("an id");
        let patch = EntityPatch {
            kind: Some(EntityKind::Contract),
            status: Some(EntityStatus::Active),
            label: Some(Text::fitted(&"a title of fifty letters, as titles usually have it ".repeat(2))),
            url: Field::Set(HttpsUrl::new("https://github.com/example/monkeytown/pull/1234").expect("an address")),
            files: Field::Set(Files::fitted((0..6).map(|file| Text::fitted(&format!("web/src/terrarium/{file}.rs"))))),
            ..EntityPatch::of(id)
        };
        civilization
            .apply(told(Timestamp::default(), Payload::Entity(EntityVerb::Created, Box::new(patch))), &mut changes);
    }
    for number in 0..FLOWS_MAX {
        let flow = Flow {
            id: FlowId::new(&format!("{number:040}/resource/monkey-builder")).expect("an id"),
            source: EntityId::new("chaos-architect").expect("an id"),
            target: EntityId::new("monkey-builder").expect("an id"),
            kind: FlowKind::Resource,
            status: FlowStatus::Active,
            progress: Ratio::ZERO,
            reason: None,
        };
        civilization.apply(told(Timestamp::default(), Payload::Flow(FlowVerb::Started, flow)), &mut changes);
    }
    assert_eq!((civilization.entities().len(), civilization.flows().len()), (ENTITIES_MAX, FLOWS_MAX));
    let settled: Vec<EntityId> = civilization.entities().map(|(id, _)| id.clone()).collect();
    for id in settled {
        let patch = EntityPatch { status: Some(EntityStatus::Complete), ..EntityPatch::of(id) };
        civilization
            .apply(told(Timestamp::default(), Payload::Entity(EntityVerb::Updated, Box::new(patch))), &mut changes);
    }
    assert_eq!(civilization.history().len(), HISTORY_MAX);
}

#[test]
fn texts_longer_than_anybody_reads_are_kept_in_part_and_show_it() {
    let mut civilization = Civilization::default();
    civilization.apply(entity(1, EntityKind::Agent, EntityStatus::Error), &mut Changes::default());
    let held = civilization.entity(&entity_id(1)).expect("just told");
    let reason = held.reason.as_ref().expect("why it is broken");
    assert!(held.label.as_str().len() <= NAME_MAX_BYTES && held.label.as_str().ends_with("x…"));
    assert!(reason.as_str().len() <= REASON_MAX_BYTES && reason.as_str().ends_with("x…"));
    let item = civilization.history().next().expect("a run ended");
    assert!(item.label.as_str().ends_with('…') && item.url == Some(url(1)), "an address is whole or it is none");
}
