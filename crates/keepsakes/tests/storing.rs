//! What is kept is kept whole or refused: whatever the place where lines lie does.

use monkeytown_keepsakes::{Area, Class, Record, Refused, Store, Unsound, units};
use proptest::prelude::*;
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// A place of so many units, which refuses the writes it is told to.
#[derive(Default)]
struct Shelf {
    lines: RefCell<BTreeMap<String, String>>,
    holds_units: usize,
    writes: Cell<usize>,
    refuses: RefCell<Vec<usize>>,
}

impl Shelf {
    fn of(holds_units: usize) -> Self {
        Self { holds_units, ..Self::default() }
    }

    fn units(&self) -> usize {
        self.lines.borrow().iter().map(|(key, line)| units(key) + units(line)).sum()
    }
}

impl Area for Shelf {
    fn keys(&self) -> Vec<String> {
        self.lines.borrow().keys().cloned().collect()
    }

    fn get(&self, key: &str) -> Option<String> {
        self.lines.borrow().get(key).cloned()
    }

    fn set(&self, key: &str, line: &str) -> Result<(), Refused> {
        self.writes.set(self.writes.get() + 1);
        let before = self.get(key).map_or(0, |held| units(key) + units(&held));
        if self.refuses.borrow().contains(&self.writes.get())
            || self.units() - before + units(key) + units(line) > self.holds_units
        {
            return Err(Refused::Full);
        }
        self.lines.borrow_mut().insert(key.to_owned(), line.to_owned());
        Ok(())
    }

    fn remove(&self, key: &str) {
        self.lines.borrow_mut().remove(key);
    }
}

fn record(class: Class, id: &str, changed_millis: u64, words: &str) -> Record {
    Record { class, id: id.to_owned(), changed_millis, body: format!("{{\"words\":\"{words}\"}}") }
}

#[derive(Debug, Clone)]
enum Act {
    Put(Class, u8, usize),
    Take(Class, u8),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let class = prop::sample::select(Class::ALL.to_vec());
    let act = (class, 0_u8..6, 0_usize..400, any::<bool>());
    let act = act.prop_map(|(class, id, size, put)| if put { Act::Put(class, id, size) } else { Act::Take(class, id) });
    prop::collection::vec(act, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn everything_acknowledged_is_there_after_a_reload_whichever_writes_fail(
        acts in acts(),
        refuses in prop::collection::vec(1_usize..80, 0..20),
        holds in 800_usize..20_000,
    ) {
        let shelf = Shelf { holds_units: holds, refuses: RefCell::new(refuses), ..Shelf::default() };
        let mut store = Store::open(&shelf);
        let mut acknowledged: BTreeMap<String, Record> = BTreeMap::new();
        for (at, act) in (0_u64..).zip(acts) {
            match act {
                Act::Put(class, id, size) => {
                    let wanted = record(class, &id.to_string(), at, &"é".repeat(size));
                    match store.put(&shelf, wanted.clone()) {
                        Ok(gone) => {
                            for record in gone {
                                prop_assert!(!record.class.is_own(), "a witness's own words went: {record:?}");
                                acknowledged.remove(&record.key());
                            }
                            acknowledged.insert(wanted.key(), wanted);
                        }
                        // What had made room before it was refused is gone, and is not the witness's own.
                        Err(_) => acknowledged.retain(|key, held| held.class.is_own() || shelf.get(key).is_some()),
                    }
                }
                Act::Take(class, id) => {
                    let taken = store.take(&shelf, class, &id.to_string());
                    let held = acknowledged.remove(&record(class, &id.to_string(), 0, "").key());
                    prop_assert_eq!(taken, held);
                }
            }
            let again = Store::open(&shelf);
            prop_assert!(again.aside().is_empty());
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), store.iter().collect::<Vec<_>>());
            let mut held: Vec<&Record> = acknowledged.values().collect();
            held.sort_by(|a, b| (a.class, &a.id).cmp(&(b.class, &b.id)));
            prop_assert_eq!(again.iter().collect::<Vec<_>>(), held);
            prop_assert_eq!(Class::ALL.into_iter().map(|class| store.units_of(class)).sum::<usize>(), shelf.units());
        }
    }

    #[test]
    fn a_line_that_was_torn_or_edited_is_told_from_a_sound_one(
        words in "[a-z\u{e9}\u{1f412} ]{0,40}",
        cut in 0_usize..200,
        letter in any::<char>(),
    ) {
        let whole = record(Class::Note, "ada", 7, &words);
        let line = whole.line();
        prop_assert_eq!(Record::read(&whole.key(), &line), Some(Ok(whole.clone())));
        let letters: Vec<char> = line.chars().collect();
        let torn: String = letters.iter().take(cut.min(letters.len() - 1)).collect();
        prop_assert!(matches!(Record::read(&whole.key(), &torn), Some(Err(_))));
        let mut edited = letters.clone();
        let at = cut % edited.len();
        if edited[at] != letter {
            edited[at] = letter;
            let edited: String = edited.into_iter().collect();
            prop_assert!(matches!(Record::read(&whole.key(), &edited), Some(Err(_))), "{edited}");
        }
        // A line that lies under another's name is not that other.
        prop_assert!(matches!(Record::read("monkeytown.kept.note.bob", &line), Some(Err(_))));
    }

    #[test]
    fn no_line_whatever_stops_a_store_from_opening(lines in prop::collection::vec((".{0,30}", ".{0,60}"), 0..20)) {
        let shelf = Shelf::of(100_000);
        for (key, line) in &lines {
            shelf.lines.borrow_mut().insert(format!("monkeytown.kept.{key}"), line.clone());
        }
        let store = Store::open(&shelf);
        prop_assert_eq!(store.iter().count() + store.aside().len(), shelf.lines.borrow().len());
    }
}

#[test]
fn what_a_newer_page_wrote_is_left_as_it_is() {
    let shelf = Shelf::of(10_000);
    shelf.lines.borrow_mut().insert("monkeytown.kept.note.ada".into(), "2 whatever it is".into());
    let mut store = Store::open(&shelf);
    assert_eq!(store.aside().iter().map(|aside| aside.why).collect::<Vec<_>>(), [Unsound::Newer]);
    assert_eq!(store.put(&shelf, record(Class::Note, "ada", 1, "mine")), Err(Refused::Newer));
    assert_eq!(shelf.get("monkeytown.kept.note.ada").as_deref(), Some("2 whatever it is"));
}

#[test]
fn a_filter_is_a_line_that_pages_from_before_there_were_any_leave_alone_as_a_newer_ones() {
    let shelf = Shelf::of(10_000);
    let mut store = Store::open(&shelf);
    store.put(&shelf, record(Class::Filter, "17", 1, "status:active")).expect("there is room");
    let line = shelf.get("monkeytown.kept.filter.17").expect("a line");
    assert!(line.starts_with("2 "), "{line}");
    assert_eq!(Store::open(&shelf).of(Class::Filter).count(), 1);
    // What follows that version is a newer page's; what came before it was never written.
    for (version, why) in [("3", Unsound::Newer), ("1", Unsound::Torn)] {
        let other = [version, line.trim_start_matches('2')].concat();
        shelf.lines.borrow_mut().insert("monkeytown.kept.filter.17".into(), other);
        let store = Store::open(&shelf);
        assert_eq!(store.aside().iter().map(|aside| aside.why).collect::<Vec<_>>(), [why]);
    }
}

#[test]
fn a_class_that_has_all_it_may_refuses_the_witness_and_lets_its_oldest_ghosts_go() {
    let shelf = Shelf::of(5_000_000);
    let mut store = Store::open(&shelf);
    let words = "x".repeat(40_000);
    let mut refused = 0;
    for at in 0_u64..12 {
        refused += usize::from(store.put(&shelf, record(Class::Note, &at.to_string(), at, &words)).is_err());
        store.put(&shelf, record(Class::Ghosts, &at.to_string(), at, &words)).expect("ghosts make room for ghosts");
    }
    assert_eq!((store.of(Class::Note).count(), refused), (9, 3));
    let ghosts: Vec<&str> = store.of(Class::Ghosts).map(|record| record.id.as_str()).collect();
    assert_eq!(ghosts, ["10", "11", "3", "4", "5", "6", "7", "8", "9"]);
    assert!(Class::ALL.into_iter().all(|class| store.units_of(class) <= class.share_units()));
}

#[test]
fn when_others_have_filled_the_place_ghosts_make_room_for_a_note_but_no_note_does() {
    let shelf = Shelf::of(1_000);
    let mut store = Store::open(&shelf);
    store.put(&shelf, record(Class::Note, "old", 1, &"n".repeat(200))).expect("there is room");
    store.put(&shelf, record(Class::Ghosts, "one", 2, &"g".repeat(200))).expect("there is room");
    store.put(&shelf, record(Class::Ghosts, "two", 3, &"g".repeat(200))).expect("there is room");
    let gone = store.put(&shelf, record(Class::Note, "new", 4, &"n".repeat(200))).expect("a ghost makes room");
    assert_eq!(gone.iter().map(|record| record.id.as_str()).collect::<Vec<_>>(), ["one"]);
    assert_eq!(store.put(&shelf, record(Class::Note, "third", 5, &"n".repeat(900))), Err(Refused::Full));
    assert!(store.get(Class::Note, "old").is_some() && store.get(Class::Note, "new").is_some());
    assert_eq!(Store::open(&shelf).iter().count(), store.iter().count());
}

#[test]
fn what_made_room_in_vain_is_put_back() {
    let shelf = Shelf::of(1_000);
    let mut store = Store::open(&shelf);
    for (at, id) in ["one", "two", "three"].into_iter().enumerate() {
        store.put(&shelf, record(Class::Dismissed, id, at as u64, &"d".repeat(150))).expect("there is room");
    }
    assert_eq!(store.put(&shelf, record(Class::Note, "long", 9, &"n".repeat(2_000))), Err(Refused::Full));
    assert_eq!(store.of(Class::Dismissed).count(), 3);
    assert_eq!(Store::open(&shelf).of(Class::Dismissed).count(), 3);
}

#[test]
fn two_tabs_that_write_different_things_lose_neither() {
    let shelf = Shelf::of(10_000);
    let (mut here, mut there) = (Store::open(&shelf), Store::open(&shelf));
    here.put(&shelf, record(Class::Note, "ada", 1, "here")).expect("there is room");
    there.put(&shelf, record(Class::Note, "bob", 1, "there")).expect("there is room");
    here.hear(&shelf, "monkeytown.kept.note.bob");
    assert_eq!(here.of(Class::Note).count(), 2);
    there.take(&shelf, Class::Note, "bob");
    here.hear(&shelf, "monkeytown.kept.note.bob");
    assert_eq!(here.of(Class::Note).map(|record| record.id.as_str()).collect::<Vec<_>>(), ["ada"]);
}

#[test]
fn a_torn_line_that_is_written_over_is_put_aside_first_and_found_again() {
    let shelf = Shelf::of(10_000);
    let key = record(Class::Note, "ada", 1, "").key();
    shelf.set(&key, "1 77 1 {\"words\":\"half of wh").expect("there is room");
    let mut store = Store::open(&shelf);
    assert_eq!(store.aside().iter().map(|aside| aside.why).collect::<Vec<_>>(), [Unsound::Torn]);
    store.put(&shelf, record(Class::Note, "ada", 2, "anew")).expect("there is room");
    let again = Store::open(&shelf);
    assert_eq!(again.get(Class::Note, "ada").map(|held| held.changed_millis), Some(2));
    assert_eq!(again.aside().len(), 1, "{:?}", again.aside());
    let aside = again.aside().first().and_then(|aside| shelf.get(&aside.key));
    assert_eq!(aside.as_deref(), Some("1 77 1 {\"words\":\"half of wh"));
}

#[test]
fn a_torn_line_that_cannot_be_put_aside_is_not_written_over() {
    let torn = "1 77 1 half";
    let key = record(Class::Note, "ada", 1, "").key();
    let shelf = Shelf::of(units(&key) + units(torn) + 40);
    shelf.set(&key, torn).expect("there is room");
    let mut store = Store::open(&shelf);
    assert_eq!(store.put(&shelf, record(Class::Note, "ada", 2, "anew")), Err(Refused::Full));
    assert_eq!(shelf.get(&key).as_deref(), Some(torn));
}

#[test]
fn what_another_page_wrote_meanwhile_is_read_before_it_is_changed() {
    let shelf = Shelf::of(10_000);
    let (mut here, mut there) = (Store::open(&shelf), Store::open(&shelf));
    there.put(&shelf, record(Class::Note, "ada", 5, "theirs")).expect("there is room");
    assert_eq!(here.get(Class::Note, "ada"), None);
    let held = here.refresh(&shelf, Class::Note, "ada").cloned();
    assert_eq!(held, Some(record(Class::Note, "ada", 5, "theirs")));
    there.take(&shelf, Class::Note, "ada");
    assert_eq!(here.refresh(&shelf, Class::Note, "ada"), None);
}
