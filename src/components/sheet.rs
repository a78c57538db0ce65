//! The sheet on which the witness acts: seeds on one side, what this browser keeps on the other.

use super::drawer::{Drawer, focus};
use crate::{
    dom::{Piece, Rows, follow},
    signals::{AgentView, FOR_THIS_VISIT, KEYLESS, Kept, NOTICES, SOUND, STILL, Sheet, Signals, of},
    voice,
};
use monkeytown_keepsakes::{BUDGET_UNITS, Class, Record, Unsound, preview, record::words_of, store::LAST_KNOWN_UNITS};
use monkeytown_protocol::EntityId;
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use wasm_bindgen::JsCast;

/// What kinds of things are called where their sizes are told, in the order of the classes.
const NAMES: [&str; Class::ALL.len() + 1] = [
    "seeds",
    "notes",
    "bookmarks",
    "pins",
    "mutes",
    "filters",
    "preferences",
    "put away",
    "history of before",
    "the page as last known",
];

/// Things told one by one; the others are counted, and are in the file that is exported.
const ROWS_MAX: usize = 200;

/// Fills it, and what is always seen of it: how much is kept, and what can be taken back.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (sheet, storage, undo) = (Piece::section("sheet"), Piece::section("storage"), Piece::section("undo-bar"));
    let sides = [
        ("to-seeds", Piece::section("sheet-seeds"), Sheet::Seeds),
        ("to-kept", Piece::section("sheet-kept"), Sheet::Kept),
    ];
    let drawer = Drawer::new("data-sheet", &["head", "field", "plot", "ghosts", "foot", "panel"]);
    let was_erasing = Cell::new(false);
    let lists = RefCell::new([Rows::of("shares"), Rows::of("keepsakes")]);
    follow(move || {
        let kept = signals.kept.read();
        let gaze = signals.gaze.read();
        drawer.set(&sheet, gaze.sheet.is_some());
        storage.set("", "data-used-units", &kept.used_units.to_string());
        storage.set("", "data-budget-units", &BUDGET_UNITS.to_string());
        storage.say("", &[&*voice::size(kept.used_units as u64), " kept"].concat());
        // Over the page the last act is told for a while, unless it is told where it was done.
        let is_told = signals.times.read().monotonic < kept.told_until && gaze.sheet.is_none() && gaze.entity.is_none();
        let words = if kept.answer.is_empty() { &kept.undo.words } else { &kept.answer };
        let words = if is_told { words.as_str() } else { "" };
        undo.mark("", "data-told", if words.is_empty() { "" } else { "yes" });
        undo.say("words", words);
        undo.show("undo", is_told && !kept.undo.words.is_empty());
        sheet.say("answer", &kept.answer);
        for (button, side, which) in &sides {
            let is_it = gaze.sheet.is_none_or(|sheet| sheet == *which);
            sheet.set(button, "aria-pressed", if is_it { "true" } else { "false" });
            side.show("", is_it);
        }
        sheet.show("fleeting", !kept.lasts);
        if gaze.sheet == Some(Sheet::Kept) {
            fill(&sheet, (&kept, &signals.agents.peek()), &was_erasing, &mut lists.borrow_mut());
        }
    });
}

fn fill(
    sheet: &Piece,
    (kept, agents): (&Kept, &[Rc<AgentView>]),
    was_erasing: &Cell<bool>,
    [shares, rows]: &mut [Rows; 2],
) {
    for (part, count, why) in [("torn", "torn-count", Unsound::Torn), ("newer-page", "newer-count", Unsound::Newer)] {
        let aside = kept.store.aside().iter().filter(|aside| aside.why == why).count();
        sheet.show(part, aside > 0);
        sheet.say(count, &aside.to_string());
    }
    sheet.say("undo-words", &kept.undo.words);
    sheet.show("undo-row", !kept.undo.words.is_empty());
    sheet.show("arrived", kept.arrived.is_some());
    if let Some(records) = &kept.arrived {
        let of = preview(&kept.store, records);
        for (part, count) in [("new", of.new), ("newer", of.newer), ("known", of.known), ("only-here", of.only_here)] {
            sheet.say(part, &count.to_string());
        }
    }
    sheet.show("erasing", kept.erasing);
    if kept.erasing && !was_erasing.replace(true) {
        // It may open below what is seen.
        focus(sheet.part("erase-not").and_then(|button| button.dyn_into().ok()).as_ref());
    }
    was_erasing.set(kept.erasing);
    sheet.set("erase-all", "aria-expanded", if kept.erasing { "true" } else { "false" });
    let preferences = [
        ("for-this-visit", FOR_THIS_VISIT),
        ("stilled", STILL),
        ("keyless", KEYLESS),
        (SOUND, SOUND),
        (NOTICES, NOTICES),
    ];
    for (part, name) in preferences {
        let is_on = kept.has(Class::Preference, name);
        sheet.set(part, "aria-pressed", if is_on { "true" } else { "false" });
    }
    shares.keep(&NAMES, |_| "t-share", &|_, _| {});
    let mut classes = Class::ALL.into_iter();
    let mut others = kept.used_units;
    for (piece, name) in shares.pieces().zip(NAMES) {
        let (units, may) = match classes.next() {
            Some(class) => (kept.store.units_of(class), class.share_units()),
            None => (others, LAST_KNOWN_UNITS),
        };
        others = others.saturating_sub(units);
        piece.show("", units > 0);
        piece.say("name", name);
        piece.say("words", &[&*voice::size(units as u64), " of ", &voice::size(may as u64)].concat());
        piece.style("", "--done", &[&*(units * 100 / may).to_string(), "%"].concat());
    }
    let is_told = |record: &&Record| {
        matches!(record.class, Class::Note | Class::Bookmark | Class::Pin | Class::Mute | Class::Filter)
    };
    let mut records: Vec<&Record> = kept.store.iter().filter(is_told).collect();
    let more = records.len().saturating_sub(ROWS_MAX);
    records.truncate(ROWS_MAX);
    sheet.say_if("more", &if more > 0 { ["and ", &*more.to_string(), " more"].concat() } else { String::new() });
    let keys: Vec<String> = records.iter().map(|record| record.key()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    rows.keep(&keys, |_| "t-kept", &|_, _| {});
    for ((piece, record), key) in rows.pieces().zip(records).zip(keys) {
        piece.set("", "data-key", key);
        let words = words_of(record);
        // A bookmark's id is a place in the stream, a filter's and a pinned ghost's a number: they say nothing to people.
        let is_moment = matches!(record.class, Class::Bookmark | Class::Filter)
            || (record.class == Class::Pin && !words.is_empty());
        // Who has ended, or was met in another town, is called as it was written down.
        let agent = EntityId::new(&record.id).ok().and_then(|id| of(agents, &id));
        let whom = agent.map_or(record.id.as_str(), |agent| agent.entity.label.as_str());
        let name = if is_moment { &words } else { whom };
        piece.say("name", name);
        // A bookmark leads to its moment.
        let leads = record.class == Class::Bookmark;
        piece.show("name", !leads);
        piece.show("moment", leads);
        if leads {
            piece.say("moment", name);
            piece.set("moment", "data-at", &record.id);
        }
        let words = if is_moment { "" } else { &words };
        piece.say("what", &[record.class.word(), if words.is_empty() { "" } else { ":" }].concat());
        piece.say("words", words);
        piece.set("forget", "aria-label", &["take away the ", record.class.word(), " ", name].concat());
    }
}
