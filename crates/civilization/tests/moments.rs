//! What is derived of the state at a moment: the trend, since when it is quiet, how many children are done.

mod saying;

use monkeytown_civilization::{Changes, Civilization, Trend};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Field, Payload, Timestamp,
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

fn agent(seconds: i64, name: &str, status: EntityStatus) -> Event {
    let patch = EntityPatch { status: Some(status), ..EntityPatch::of(id(name)) };
    told(at(seconds), Payload::Entity(EntityVerb::StatusChanged, Box::new(patch)))
}

fn child(name: &str, parent: &str) -> Event {
    let kind = Some(EntityKind::Agent);
    let patch = EntityPatch { kind, parent: Field::Set(id(parent)), ..EntityPatch::of(id(name)) };
    told(at(0), Payload::Entity(EntityVerb::Created, Box::new(patch)))
}

fn fold(events: impl IntoIterator<Item = Event>) -> Civilization {
    let mut civilization = Civilization::default();
    for event in events {
        civilization.apply(event, &mut Changes::default());
    }
    civilization
}

/// So many events in each half minute from the first on.
fn beating(counts: &[usize]) -> Civilization {
    let seconds = (0_i64..).step_by(30).zip(counts);
    fold(seconds.flat_map(|(start, count)| (0..*count).map(move |_| agent(start, "a", EntityStatus::Active))))
}

fn trend_after(counts: &[usize]) -> Trend {
    let now = i64::try_from(counts.len() * 30).expect("at most an hour");
    beating(counts).trend(at(now))
}

#[test]
fn the_trend_is_the_last_minute_against_the_hour() {
    let hour = |last: [usize; 2]| [[10; 100].as_slice(), &last].concat();
    assert_eq!(trend_after(&hour([10, 10])), Trend::Steady);
    assert_eq!(trend_after(&hour([20, 19])), Trend::Rising);
    assert_eq!(trend_after(&hour([3, 5])), Trend::Easing);
    // By over a quarter of it, but no more than chance makes of twenty.
    assert_eq!(trend_after(&hour([14, 13])), Trend::Steady);
    assert_eq!(trend_after(&hour([0, 0])), Trend::Easing);
}

#[test]
fn the_half_minute_that_is_not_over_makes_no_trend() {
    let counts = [[10; 100].as_slice(), &[0]].concat();
    assert_eq!(beating(&counts).trend(at(100 * 30)), Trend::Steady);
    let burst = [[10; 100].as_slice(), &[500]].concat();
    assert_eq!(beating(&burst).trend(at(100 * 30 + 29)), Trend::Steady);
}

#[test]
fn what_was_before_the_first_event_is_not_quiet() {
    assert_eq!(trend_after(&[10; 20]), Trend::Steady, "an hour has not passed, but ten minutes were all alike");
    assert_eq!(trend_after(&[1, 1, 90, 90]), Trend::Steady, "too little is known");
    assert_eq!(Civilization::default().trend(at(0)), Trend::Steady);
}

#[test]
fn after_an_hour_of_nothing_the_trend_is_steady() {
    assert_eq!(beating(&[10; 50]).trend(at(50 * 30 + 3_700)), Trend::Steady);
}

#[test]
fn it_is_quiet_since_the_last_run_ended_not_since_the_agent_lay_down() {
    let mut civilization = fold([agent(0, "a", EntityStatus::Active), agent(5, "b", EntityStatus::Processing)]);
    assert_eq!(civilization.quiet_since(), None);
    civilization.apply(agent(10, "a", EntityStatus::Complete), &mut Changes::default());
    assert_eq!(civilization.quiet_since(), None, "the other one is still at work");
    civilization.apply(agent(20, "b", EntityStatus::Error), &mut Changes::default());
    civilization.apply(agent(70, "a", EntityStatus::Idle), &mut Changes::default());
    assert_eq!(civilization.quiet_since(), Some(at(20)));
    assert_eq!(Civilization::default().quiet_since(), None, "nobody is there to rest");
}

#[test]
fn children_are_done_when_their_runs_ended_well_within_their_parents_run() {
    let mut civilization = fold([child("b", "a"), child("c", "a"), child("d", "a"), child("x", "y")]);
    let mut done_after = |event| {
        let mut changes = Changes::default();
        civilization.apply(event, &mut changes);
        assert!(changes.entities.contains(&id("a")), "the parent's card shows the count");
        civilization.children_done(&id("a"))
    };
    assert_eq!(done_after(agent(1, "a", EntityStatus::Active)), Some((0, 3)));
    assert_eq!(done_after(agent(2, "b", EntityStatus::Active)), Some((0, 3)));
    assert_eq!(done_after(agent(3, "b", EntityStatus::Complete)), Some((1, 3)));
    assert_eq!(done_after(agent(4, "b", EntityStatus::Idle)), Some((1, 3)), "who rests after its run stays done");
    assert_eq!(done_after(agent(5, "c", EntityStatus::Active)), Some((1, 3)));
    assert_eq!(done_after(agent(6, "c", EntityStatus::Idle)), Some((2, 3)), "a source without outcomes");
    assert_eq!(done_after(agent(7, "d", EntityStatus::Active)), Some((2, 3)));
    assert_eq!(done_after(agent(8, "d", EntityStatus::Error)), Some((2, 3)), "what broke is not done");
    assert_eq!(done_after(agent(9, "d", EntityStatus::Idle)), Some((2, 3)));
    assert_eq!(done_after(agent(10, "b", EntityStatus::Processing)), Some((1, 3)), "it is at work again");
    assert_eq!(done_after(agent(11, "a", EntityStatus::Idle)), Some((1, 3)), "what was done stays done at rest");
    assert_eq!(done_after(agent(12, "a", EntityStatus::Active)), Some((0, 3)), "another run, everything to do");
}

#[test]
fn who_has_no_sub_agents_has_no_count_and_a_contract_is_none() {
    let contract = EntityPatch {
        kind: Some(EntityKind::Contract),
        status: Some(EntityStatus::Active),
        parent: Field::Set(id("a")),
        ..EntityPatch::of(id("#1"))
    };
    let contract = told(at(0), Payload::Entity(EntityVerb::Created, Box::new(contract)));
    let civilization = fold([agent(0, "a", EntityStatus::Active), contract]);
    assert_eq!(civilization.children_done(&id("a")), None);
    assert_eq!(civilization.children_done(&id("nobody")), None);
}

#[test]
fn a_child_that_leaves_is_told_to_its_parent() {
    let mut civilization = fold([agent(0, "a", EntityStatus::Active), child("b", "a"), child("c", "a")]);
    let mut changes = Changes::default();
    let gone = Payload::Entity(EntityVerb::Deleted, Box::new(EntityPatch::of(id("b"))));
    civilization.apply(told(at(1), gone), &mut changes);
    assert!(changes.entities.contains(&id("a")));
    assert_eq!(civilization.children_done(&id("a")), Some((0, 1)));
}
