//! Ghosts come back as they were kept, whatever their words hold; those of another town stay away.

use monkeytown_civilization::{HistoryItem, HistoryKind, Outcome};
use monkeytown_keepsakes::{
    Class, Record,
    ghosts::{from_record, identity, to_record},
};
use monkeytown_protocol::{EntityId, HttpsUrl, Text, Timestamp};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn item(id: &str, label: &str, reason: Option<&str>, millis: i64) -> HistoryItem {
    HistoryItem {
        number: 0,
        kind: HistoryKind::Contract,
        outcome: if reason.is_some() { Outcome::Broken } else { Outcome::Settled },
        id: EntityId::new(id).expect("an id"),
        agent: EntityId::new("ada").ok(),
        label: Text::fitted(label),
        reason: reason.map(Text::fitted),
        url: HttpsUrl::new("https://example.org/pull/7").ok(),
        time: Timestamp::from_millis(millis),
    }
}

fn kept(items: &[HistoryItem]) -> Record {
    to_record(Class::Ghosts, "1", 7, "https://here", items.iter())
}

proptest! {
    #[test]
    fn ghosts_come_back_as_they_were(ghosts in prop::collection::vec(("[a-z:]{1,20}", ".{1,60}", prop::option::of(".{1,20}"), 0_i64..4_000_000_000_000), 0..50)) {
        let items: Vec<HistoryItem> = ghosts.iter().map(|(id, label, why, at)| item(id, label, why.as_deref(), *at)).collect();
        let record = kept(&items);
        let again = Record::read(&record.key(), &record.line()).expect("a key of ours").expect("a sound line");
        prop_assert_eq!(Vec::from(from_record(&again, "https://here")), items);
    }

    #[test]
    fn no_body_whatever_does_harm(body in ".{0,200}") {
        let _ = from_record(&Record { body, ..kept(&[]) }, "https://here");
    }
}

#[test]
fn ghosts_of_another_town_are_not_this_ones() {
    assert!(from_record(&kept(&[item("pull:1", "one", None, 1)]), "https://elsewhere").is_empty());
}

#[test]
fn the_same_thing_at_another_time_or_with_another_end_is_another_ghost() {
    let one = item("pull:1", "one", None, 1);
    assert_eq!(identity(&one), identity(&HistoryItem { number: 9, label: Text::fitted("renamed"), ..one.clone() }));
    assert_ne!(identity(&one), identity(&HistoryItem { time: Timestamp::from_millis(2), ..one.clone() }));
    assert_ne!(identity(&one), identity(&HistoryItem { outcome: Outcome::Broken, ..one }));
}
