//! The note on whom is looked at: written where it is read, kept a moment after.

use crate::{
    dom::{Piece, follow, value, write_value},
    signals::Signals,
};
use monkeytown_keepsakes::{Class, record::words_of};
use monkeytown_protocol::EntityId;
use std::cell::RefCell;

/// Fills its field when somebody else is looked at, or another tab has changed it; never over words that are not kept yet.
/// Whoever has the focus in it is shown the other's words too: what they write next is based on them.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (field, told) = (Piece::section("note"), Piece::section("note-told"));
    let shown: RefCell<Option<EntityId>> = RefCell::default();
    follow(move || {
        let (gaze, kept) = (signals.gaze.read(), signals.kept.read());
        let is_other = *shown.borrow() != gaze.entity;
        let is_written = kept.draft.is_some();
        if is_other || !is_written {
            gaze.entity.clone_into(&mut shown.borrow_mut());
            let note = gaze.entity.as_ref().and_then(|id| kept.store.get(Class::Note, id.as_str()));
            let words = note.map(words_of).unwrap_or_default();
            if value(field.root()) != words {
                write_value(field.root(), &words);
            }
        }
        told.say("", &kept.answer);
    });
}
