//! Marks of the time axis.

mod saying;

use monkeytown_civilization::{Changes, Civilization, MARKS_MAX, MarkKind};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Flow, FlowId, FlowKind, FlowStatus, FlowVerb,
    Payload, Ratio, Timestamp,
};
use saying::told;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_768_737_600_000 + seconds * 1_000)
}

fn id(name: &str) -> EntityId {
    EntityId::new(name).expect("a short plain string is an id")
}

fn entity(seconds: i64, name: &str, kind: EntityKind, status: EntityStatus) -> Event {
    let patch = EntityPatch { kind: Some(kind), status: Some(status), ..EntityPatch::of(id(name)) };
    told(at(seconds), Payload::Entity(EntityVerb::StatusChanged, Box::new(patch)))
}

fn contract(seconds: i64, name: &str, status: EntityStatus) -> Event {
    entity(seconds, name, EntityKind::Contract, status)
}

fn fold(events: impl IntoIterator<Item = Event>) -> Civilization {
    let mut civilization = Civilization::default();
    for event in events {
        civilization.apply(event, &mut Changes::default());
    }
    civilization
}

fn marks(civilization: &Civilization, now: i64) -> Vec<(MarkKind, i64, String)> {
    let told = |mark: &monkeytown_civilization::Mark| {
        (mark.kind, mark.time.since_millis(at(0)) / 1_000, mark.entity.to_string())
    };
    civilization.marks(at(now)).map(told).collect()
}

#[test]
fn a_contract_is_marked_when_it_opens_and_when_it_settles_and_no_oftener() {
    let civilization = fold([
        contract(0, "#42", EntityStatus::Active),
        contract(10, "#42", EntityStatus::Processing),
        contract(20, "#42", EntityStatus::Complete),
        contract(21, "#42", EntityStatus::Complete),
    ]);
    let expected = [(MarkKind::Opened, 0, "#42".to_owned()), (MarkKind::Settled, 20, "#42".to_owned())];
    assert_eq!(marks(&civilization, 30), expected);
}

#[test]
fn a_contract_that_is_told_once_it_has_settled_is_marked_once() {
    let civilization = fold([contract(0, "pull:7", EntityStatus::Complete)]);
    assert_eq!(marks(&civilization, 1), [(MarkKind::Settled, 0, "pull:7".to_owned())]);
}

#[test]
fn a_contract_that_is_opened_again_is_marked_again() {
    let civilization = fold([
        contract(0, "#42", EntityStatus::Active),
        contract(1, "#42", EntityStatus::Error),
        contract(2, "#42", EntityStatus::Active),
    ]);
    let kinds: Vec<MarkKind> = marks(&civilization, 3).into_iter().map(|(kind, ..)| kind).collect();
    assert_eq!(kinds, [MarkKind::Opened, MarkKind::Broken, MarkKind::Opened]);
}

#[test]
fn runs_and_flows_are_marked_when_they_break_and_not_when_they_end_well() {
    let flow = |name: &str, verb, status| {
        let (source, target) = (id("a"), id("b"));
        let id = FlowId::new(name).expect("a short plain string is an id");
        let (kind, progress) = (FlowKind::Message, Ratio::ZERO);
        told(at(3), Payload::Flow(verb, Flow { id, source, target, kind, status, progress, reason: None }))
    };
    let civilization = fold([
        entity(0, "b", EntityKind::Agent, EntityStatus::Active),
        entity(1, "b", EntityKind::Agent, EntityStatus::Complete),
        entity(2, "b", EntityKind::Agent, EntityStatus::Error),
        flow("f1", FlowVerb::Failed, FlowStatus::Error),
        flow("f1", FlowVerb::Failed, FlowStatus::Error),
        flow("f2", FlowVerb::Complete, FlowStatus::Complete),
        entity(4, "c0ffee", EntityKind::Transaction, EntityStatus::Complete),
    ]);
    assert_eq!(marks(&civilization, 5), [(MarkKind::Broken, 2, "b".to_owned()), (MarkKind::Broken, 3, "a".to_owned())]);
}

#[test]
fn marks_leave_with_the_hour_and_those_of_the_future_are_not_shown() {
    let civilization = fold([contract(0, "#1", EntityStatus::Active), contract(60, "#2", EntityStatus::Active)]);
    assert_eq!(marks(&civilization, 30).len(), 1);
    assert_eq!(marks(&civilization, 3_600).len(), 2);
    assert_eq!(marks(&civilization, 3_601).len(), 1);
    let later = fold([contract(0, "#1", EntityStatus::Active), contract(7_200, "#2", EntityStatus::Active)]);
    assert_eq!(marks(&later, 3_600).len(), 0, "what the newest event has left behind is not kept");
}

#[test]
fn when_there_are_more_than_are_held_it_is_known_until_when_some_are_missing() {
    let open = |number: usize| {
        let seconds = i64::try_from(number).expect("a small number");
        contract(seconds, &format!("#{number}"), EntityStatus::Active)
    };
    let full = fold((0..MARKS_MAX).map(open));
    assert_eq!((marks(&full, 200).len(), full.marks_missing_until(at(200))), (MARKS_MAX, None));
    let over = fold((0..MARKS_MAX + 7).map(open));
    assert_eq!((marks(&over, 200).len(), over.marks_missing_until(at(200))), (MARKS_MAX, Some(at(6))));
    assert_eq!(over.marks_missing_until(at(4_000)), None, "what is missing has left the hour");
}
