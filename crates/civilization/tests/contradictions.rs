//! Contradictions: two open contracts over a file, two sources over an entity.

mod saying;

use monkeytown_civilization::{CONTRADICTIONS_MAX, Changes, Civilization, ENTITIES_MAX};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Field, Files, MetricsPatch, Payload, SourceUri,
    Text, Timestamp,
};
use proptest::prelude::*;
use saying::told;
use std::collections::BTreeSet;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_768_737_600_000 + seconds * 1_000)
}

fn patch(name: &str) -> EntityPatch {
    EntityPatch::of(EntityId::new(name).expect("a short plain string is an id"))
}

fn said(seconds: i64, patch: EntityPatch) -> Event {
    told(at(seconds), Payload::Entity(EntityVerb::Updated, Box::new(patch)))
}

fn contract(name: &str, status: EntityStatus, files: &[&str]) -> Event {
    let kind = Some(EntityKind::Contract);
    let files = Field::Set(Files::fitted(files.iter().map(|file| Text::fitted(file))));
    said(0, EntityPatch { kind, status: Some(status), files, ..patch(name) })
}

fn fold(events: impl IntoIterator<Item = Event>) -> Civilization {
    let mut civilization = Civilization::default();
    for event in events {
        civilization.apply(event, &mut Changes::default());
    }
    civilization
}

fn contradictions(civilization: &Civilization, now: i64) -> Vec<(String, String, String)> {
    let all = civilization.contradictions(at(now)).into_iter();
    all.map(|found| (found.a.to_string(), found.b.to_string(), found.over.to_string())).collect()
}

fn one(a: &str, b: &str, over: &str) -> Vec<(String, String, String)> {
    vec![(a.to_owned(), b.to_owned(), over.to_owned())]
}

use EntityStatus::{Active, Complete, Idle, Processing};

#[test]
fn two_open_contracts_that_change_the_same_file_contradict_until_one_is_settled() {
    let mut civilization = fold([
        contract("#1", Active, &["a.rs", "b.rs"]),
        contract("#2", Processing, &["c.rs", "b.rs"]),
        contract("#3", Active, &["d.rs"]),
    ]);
    assert_eq!(contradictions(&civilization, 9_999), one("#1", "#2", "b.rs"));
    civilization.apply(contract("#1", Complete, &["a.rs", "b.rs"]), &mut Changes::default());
    assert_eq!(contradictions(&civilization, 0), []);
}

#[test]
fn a_contract_that_gives_up_the_file_contradicts_no_more() {
    let mut civilization = fold([contract("#1", Active, &["b.rs"]), contract("#2", Active, &["b.rs"])]);
    let without = EntityPatch { files: Field::Cleared, ..patch("#2") };
    civilization.apply(said(1, without), &mut Changes::default());
    assert_eq!(contradictions(&civilization, 1), []);
}

#[test]
fn a_pair_with_several_files_is_told_once_and_says_how_many() {
    let civilization = fold([contract("#1", Active, &["a", "b", "c"]), contract("#2", Active, &["c", "a", "b", "d"])]);
    let found = contradictions(&civilization, 0);
    assert_eq!(found.len(), 1);
    assert!(found[0].2.ends_with(" and 2 more"), "{found:?}");
}

#[test]
fn a_contract_that_names_a_file_twice_does_not_contradict_itself() {
    assert_eq!(contradictions(&fold([contract("#1", Active, &["a", "a"])]), 0), []);
}

fn claim(seconds: i64, source: &str, status: EntityStatus) -> Event {
    let patch = EntityPatch { status: Some(status), ..patch("builder") };
    Event { source: SourceUri::new(source).expect("a source"), ..said(seconds, patch) }
}

#[test]
fn an_entity_that_two_sources_claim_within_a_minute_is_contradicted_until_one_has_been_silent_for_one() {
    let mut civilization = fold([claim(0, "/a", Active), claim(50, "/b", Idle)]);
    assert_eq!(contradictions(&civilization, 55), one("builder", "builder", "claimed by /a and /b"));
    assert_eq!(contradictions(&civilization, 61), [], "/a has been silent for a minute");
    civilization.apply(claim(62, "/a", Active), &mut Changes::default());
    assert_eq!(contradictions(&civilization, 63), one("builder", "builder", "claimed by /b and /a"));
}

#[test]
fn one_source_after_another_over_a_minute_later_is_no_contradiction() {
    assert_eq!(contradictions(&fold([claim(0, "/a", Active), claim(61, "/b", Idle)]), 61), []);
    assert_eq!(contradictions(&fold([claim(0, "/a", Active), claim(1, "/a", Idle)]), 1), []);
}

#[test]
fn figures_claim_nothing() {
    let metrics = Field::Set(MetricsPatch { connections: Field::Set(3), ..MetricsPatch::default() });
    let figures = said(1, EntityPatch { metrics, ..patch("builder") });
    let other = Event { source: SourceUri::new("/b").expect("a source"), ..figures };
    assert_eq!(contradictions(&fold([claim(0, "/a", Active), other]), 1), []);
}

#[test]
fn however_many_there_are_twenty_are_told_and_both_kinds_are_among_them() {
    let files: Vec<String> = (0..32).map(|number| format!("file-{number}")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let contracts = (0..ENTITIES_MAX - 20).map(|number| contract(&format!("#{number}"), Active, &files));
    let claims = (0..20).flat_map(|number| {
        ["/a", "/b"].map(|source| {
            let patch = EntityPatch { status: Some(Active), ..patch(&format!("agent-{number}")) };
            Event { source: SourceUri::new(source).expect("a source"), ..said(0, patch) }
        })
    });
    let civilization = fold(contracts.chain(claims));
    let found = contradictions(&civilization, 0);
    assert_eq!(found.len(), CONTRADICTIONS_MAX);
    assert!(
        found.iter().any(|(a, b, _)| a == b) && found.iter().any(|(a, b, over)| a != b && over.ends_with("31 more"))
    );
}

proptest! {
    #[test]
    fn whoever_shares_a_file_is_told_and_nobody_else(
        contracts in prop::collection::vec(prop::collection::vec(0_u8..12, 0..5), 1..8)
    ) {
        let name = |number: usize| format!("#{number}");
        let events = contracts.iter().enumerate().map(|(number, files)| {
            let files: Vec<String> = files.iter().map(|file| format!("src/{file}.rs")).collect();
            let files: Vec<&str> = files.iter().map(String::as_str).collect();
            contract(&name(number), Active, &files)
        });
        let found = contradictions(&fold(events), 0);
        let files = |id: &str| -> BTreeSet<u8> {
            let number: usize = id.trim_start_matches('#').parse().expect("a number");
            contracts[number].iter().copied().collect()
        };
        for (a, b, _) in &found {
            prop_assert!(a != b && !files(a).is_disjoint(&files(b)), "{} and {} share nothing", a, b);
        }
        for number in 0..contracts.len() {
            let own = files(&name(number));
            let shares = (0..contracts.len()).any(|other| other != number && !own.is_disjoint(&files(&name(other))));
            let told = found.iter().any(|(a, b, _)| *a == name(number) || *b == name(number));
            prop_assert_eq!(shares, told, "{}", number);
        }
    }
}
