//! What is taken away can be brought back; what somebody else made up is refused with a reason, and nothing of it kept.

use monkeytown_keepsakes::{
    Class, Form, Record, Refused, Seed, Store, Unfit, Writing, pack, preview, store::Area, unpack,
};
use monkeytown_protocol::{SeedStatus, SeedType};
use proptest::prelude::*;
use std::{cell::RefCell, collections::BTreeMap};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

#[derive(Default)]
struct Shelf(RefCell<BTreeMap<String, String>>);

impl Area for Shelf {
    fn keys(&self) -> Vec<String> {
        self.0.borrow().keys().cloned().collect()
    }

    fn get(&self, key: &str) -> Option<String> {
        self.0.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, line: &str) -> Result<(), Refused> {
        self.0.borrow_mut().insert(key.to_owned(), line.to_owned());
        Ok(())
    }

    fn remove(&self, key: &str) {
        self.0.borrow_mut().remove(key);
    }
}

fn note(id: &str, changed_millis: u64, words: &str) -> Record {
    let mut body = Writing::default();
    body.text("words", words);
    Record { class: Class::Note, id: id.to_owned(), changed_millis, body: body.end() }
}

fn store_of(records: &[Record]) -> Store {
    let shelf = Shelf::default();
    let mut store = Store::open(&shelf);
    for record in records {
        store.put(&shelf, record.clone()).expect("a shelf without an end");
    }
    store
}

proptest! {
    #[test]
    fn whatever_is_kept_comes_back_as_it_was(notes in prop::collection::btree_map(".{1,20}", (".{1,60}", any::<u64>()), 0..20)) {
        let records: Vec<Record> = notes.iter().map(|(id, (words, changed))| note(id, *changed, words)).collect();
        let store = store_of(&records);
        let back = unpack(&pack(&store, 7), u64::MAX).expect("it is our own file");
        prop_assert_eq!(back.iter().collect::<Vec<_>>(), store.iter().collect::<Vec<_>>());
    }

    #[test]
    fn no_file_whatever_does_harm(file in ".{0,200}") {
        prop_assert!(unpack(&file, 10).is_err());
    }
}

#[test]
fn a_file_that_somebody_made_up_is_refused_with_the_reason() {
    let of = |kept: &str| format!("{{\"format\":\"monkeytown-witness\",\"version\":1,\"kept\":[{kept}]}}");
    let one = |class: &str, id: &str, body: &str| {
        let mut one = Writing::default();
        one.text("class", class);
        one.text("id", id);
        one.number("changed", 1);
        one.text("body", body);
        of(&one.end())
    };
    let (ours, whole) = (Unfit("it is not a file that this page wrote"), Unfit("one of its things is not whole"));
    let long = "x".repeat(4_001);
    for (file, why) in [
        ("<html>".to_owned(), Unfit("it is not JSON")),
        ("[]".to_owned(), ours),
        ("{\"format\":\"other\",\"version\":1,\"kept\":[]}".to_owned(), ours),
        ("{\"format\":\"monkeytown-witness\"}".to_owned(), ours),
        (
            "{\"format\":\"monkeytown-witness\",\"version\":2,\"kept\":[]}".to_owned(),
            Unfit("another version of this page wrote it"),
        ),
        ("{\"format\":\"monkeytown-witness\",\"version\":1,\"kept\":{}}".to_owned(), ours),
        (of("7"), ours),
        (of("{\"class\":\"pin\",\"id\":\"a\",\"changed\":1,\"body\":{}}"), ours),
        (of("{\"class\":\"pin\",\"id\":\"\\ud800\",\"changed\":1,\"body\":\"{}\"}"), ours),
        (one("spell", "a", "{}"), whole),
        (one("pin", "", "{}"), whole),
        (one("pin", &"a".repeat(513), "{}"), whole),
        (one("note", "a", "{\"words\":\"\"}"), whole),
        (one("note", "a", "no json"), whole),
        (one("note", "a", &format!("{{\"words\":\"{long}\"}}")), whole),
        (one("seed", "a", "{\"type\":\"query\"}"), whole),
        (one("ghosts", "a", "{}"), whole),
        (of(&vec!["{\"class\":\"pin\",\"id\":\"a\",\"changed\":1,\"body\":\"{}\"}"; 10_001].join(",")), ours),
        (" ".repeat(4_800_001), Unfit("it is larger than all that may be kept here")),
    ] {
        assert_eq!(unpack(&file, 10), Err(why), "{}", file.chars().take(120).collect::<String>());
    }
}

#[test]
fn a_seed_that_no_form_would_take_does_not_come_by_a_file() {
    let seed = |words: &str| Seed {
        id: "s".into(),
        planted_millis: 1,
        form: Form { seed_type: SeedType::Query, first: words.into(), second: String::new() },
        status: SeedStatus::Pending,
        percent: 0,
        result: None,
    };
    assert!(unpack(&pack(&store_of(&[seed("who mends the walls").to_record(1)]), 1), 10).is_ok());
    assert!(unpack(&pack(&store_of(&[seed("<script>alert(1)</script>").to_record(1)]), 1), 10).is_err());
}

#[test]
fn before_anything_comes_back_it_is_said_what_would_change() {
    let here = store_of(&[note("a", 5, "here"), note("b", 5, "here"), note("c", 5, "here")]);
    let file = [note("a", 9, "there"), note("b", 5, "there"), note("d", 1, "there")];
    let said = preview(&here, &file);
    assert_eq!((said.new, said.newer, said.known, said.only_here), (1, 1, 1, 1));
}

#[test]
fn of_two_of_a_name_in_a_file_the_one_changed_last_counts() {
    let twice = pack(&store_of(&[note("a", 9, "late")]), 1);
    let early = pack(&store_of(&[note("a", 1, "early")]), 1);
    let inner = |file: &str| file.split_once("\"kept\":[").expect("a list").1.trim_end_matches("]}").trim().to_owned();
    let both =
        format!("{{\"format\":\"monkeytown-witness\",\"version\":1,\"kept\":[{},{}]}}", inner(&twice), inner(&early));
    let back = unpack(&both, 10).expect("a sound file");
    assert_eq!(back.iter().map(|record| record.changed_millis).collect::<Vec<_>>(), [9]);
}

#[test]
fn what_a_clock_that_was_ahead_wrote_comes_back_as_of_now() {
    let seed = Seed {
        id: "query-1".into(),
        planted_millis: 40_000_000_000,
        form: Form { seed_type: SeedType::Query, first: "stones".into(), second: String::new() },
        status: SeedStatus::Pending,
        percent: 0,
        result: None,
    };
    let file = pack(&store_of(&[seed.to_record(40_000_000_000), note("a", 40_000_000_000, "words")]), 1);
    let back = unpack(&file, 10).expect("the page's own file");
    assert!(back.iter().all(|record| record.changed_millis == 10));
    let planted = back.iter().filter_map(Seed::from_record).map(|seed| seed.planted_millis);
    assert_eq!(planted.collect::<Vec<_>>(), [10]);
}

#[test]
fn a_seed_that_no_event_could_name_does_not_come_by_a_file() {
    let of = |id: &str| {
        let form = Form { seed_type: SeedType::Query, first: "stones".into(), second: String::new() };
        let seed =
            Seed { id: id.into(), planted_millis: 1, form, status: SeedStatus::Pending, percent: 0, result: None };
        unpack(&pack(&store_of(&[seed.to_record(1)]), 1), 10)
    };
    assert!(of("query-1").is_ok());
    for id in ["query\nSeed: other", "query\u{202e}", "query\0"] {
        assert!(of(id).is_err(), "{id:?}");
    }
}
