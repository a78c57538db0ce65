//! Contracts that settle: how they are counted, and which counts are worth marking.

mod saying;

use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Payload, Timestamp};
use saying::told;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn contract(number: u64, status: EntityStatus) -> Event {
    let id = EntityId::new(&format!("#{number}")).expect("a short plain string is an id");
    let patch = EntityPatch { kind: Some(EntityKind::Contract), status: Some(status), ..EntityPatch::of(id) };
    told(Timestamp::default(), Payload::Entity(EntityVerb::StatusChanged, Box::new(patch)))
}

#[test]
fn each_milestone_is_told_once_when_its_event_is_applied() {
    let mut civilization = Civilization::default();
    let mut reached = Vec::new();
    for number in 1..=10_001 {
        let mut changes = Changes::default();
        civilization.apply(contract(number, EntityStatus::Complete), &mut changes);
        reached.extend(changes.milestone.map(|milestone| (number, milestone)));
    }
    assert_eq!(reached, [100, 500, 1_000, 5_000, 10_000].map(|number| (number, number)));
}

#[test]
fn a_milestone_within_a_run_of_events_is_not_lost_and_a_snapshot_reaches_none() {
    let mut civilization = Civilization::default();
    let mut changes = Changes::default();
    for number in 1..=120 {
        civilization.apply(contract(number, EntityStatus::Complete), &mut changes);
    }
    assert_eq!(changes.milestone, Some(100));
    let json = serde_json::to_string(&civilization).expect("a snapshot is JSON");
    let mut late: Civilization = serde_json::from_str(&json).expect("a snapshot is read again");
    let mut changes = Changes::default();
    late.apply(contract(121, EntityStatus::Complete), &mut changes);
    assert_eq!((late.totals().contracts_settled, changes.milestone), (121, None));
}

fn after(statuses: &[EntityStatus]) -> (u64, u64, usize) {
    let mut civilization = Civilization::default();
    for status in statuses {
        civilization.apply(contract(42, *status), &mut Changes::default());
        // What was counted is known to whoever joins late, too.
        let json = serde_json::to_string(&civilization).expect("a snapshot is JSON");
        civilization = serde_json::from_str(&json).expect("a snapshot is read again");
    }
    let totals = civilization.totals();
    (totals.contracts_settled, totals.contracts_broken, civilization.history().len())
}

#[test]
fn a_contract_that_is_opened_again_and_settles_again_is_one_contract() {
    use EntityStatus::{Active, Complete, Error};
    assert_eq!(after(&[Complete, Active, Complete]), (1, 0, 2));
    assert_eq!(after(&[Complete, Active, Error, Active, Complete, Active, Complete]), (1, 1, 4));
    assert_eq!(after(&[Error, Active, Error, Active, Complete]), (1, 1, 3));
}
