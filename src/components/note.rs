//! The note on whom is looked at: written where it is read, kept a moment after.

use crate::{
    dom::{Piece, follow, value, write_value},
    signals::Signals,
};
use monkeytown_keepsakes::{Class, record::words_of};

/// Fills its field: with what is being written there, else with what is kept, whichever tab has written it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (field, told) = (Piece::section("note"), Piece::section("note-told"));
    follow(move || {
        let (gaze, kept, _) = (signals.gaze.read(), signals.kept.read(), signals.typed.read());
        let Some(id) = &gaze.entity else { return };
        let draft = kept.drafts.iter().find(|draft| draft.id == *id).map(|draft| draft.words.clone());
        let words = draft.or_else(|| kept.store.get(Class::Note, id.as_str()).map(words_of)).unwrap_or_default();
        // What is written is not written again: the caret stays.
        if value(field.root()) != words {
            write_value(field.root(), &words);
        }
        told.say("", if kept.of_browser { "" } else { &kept.answer });
    });
}
