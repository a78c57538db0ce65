//! The filter's row: its field, what it finds in words, in whose logs, and the filters that are kept.

use crate::{
    dom::{Piece, Rows, follow, value, write_value},
    signals::Signals,
    voice,
};
use monkeytown_keepsakes::{Class, record::words_of};
use std::cell::RefCell;

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (page, row, field) = (Piece::section("page"), Piece::section("seek-row"), Piece::section("search"));
    let lists = RefCell::new([Rows::of("seek-logs"), Rows::of("filters")]);
    follow(move || {
        let (sought, gaze, kept) = (signals.sought.read(), signals.gaze.read(), signals.kept.read());
        // It may be set elsewhere: by a press, or by the page's address. Who writes keeps the place in it.
        if value(field.root()) != gaze.query {
            write_value(field.root(), &gaze.query);
        }
        let query = gaze.query.trim_ascii();
        page.mark("", "data-filter", if sought.is_on { "yes" } else { "" });
        row.show("unseek", !gaze.query.is_empty());
        row.say_if("seek-fault", &sought.fault);
        field.mark("", "aria-invalid", if sought.fault.is_empty() { "" } else { "true" });
        row.say_if("seek-told", &sought.told);
        let [logs, filters] = &mut *lists.borrow_mut();
        let keys: Vec<&str> = sought.logs.iter().map(|(id, ..)| id.as_str()).collect();
        logs.keep(&keys, |_| "t-sift", &|id, piece| piece.set("", "data-entity-id", id));
        for (piece, (_, name, count)) in logs.pieces().zip(&sought.logs) {
            piece.say("name", name);
            piece.say("lines", &voice::grouped(*count as u64));
        }
        let held: Vec<(String, String)> =
            kept.store.of(Class::Filter).map(|record| (record.key(), words_of(record))).collect();
        row.show("keep-filter", !query.is_empty() && held.iter().all(|(_, words)| words != query));
        let keys: Vec<&str> = held.iter().map(|(key, _)| key.as_str()).collect();
        filters.keep(&keys, |_| "t-filter", &|key, piece| piece.set("", "data-key", key));
        for (piece, (_, words)) in filters.pieces().zip(&held) {
            piece.set("", "data-query", words);
            piece.say("seek", words);
            piece.set("seek", "title", words);
            piece.set("seek", "aria-pressed", if words == query { "true" } else { "false" });
            piece.set("forget", "aria-label", &["forget the filter ", words].concat());
        }
    });
}
