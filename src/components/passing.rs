//! What passes: toasts of what broke, and milestones, marked once and quietly.

use crate::{
    dom::{Piece, Rows, follow},
    signals::Signals,
    voice,
};
use std::cell::RefCell;

/// Fills them.
pub fn bind(signals: &Signals) {
    let toasting = signals.clone();
    let rows = RefCell::new(Rows::of("toasts"));
    follow(move || {
        let toasts = toasting.toasts.read();
        let keys: Vec<String> = toasts.iter().map(|toast| toast.number.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut rows = rows.borrow_mut();
        rows.keep(&keys, |_| "t-toast", &|_, _| {});
        for (piece, toast) in rows.pieces().zip(&*toasts) {
            piece.set("", "data-status", "error");
            piece.set("", "data-entity-id", toast.id.as_str());
            piece.say("what", &toast.what);
            piece.say("where", &toast.place);
            piece.say("why", &toast.why);
        }
    });
    let milestones = signals.clone();
    let piece = Piece::section("milestone");
    follow(move || {
        let reached = *milestones.milestone.read();
        let words = reached.map_or_else(String::new, |count| format!("{} contracts settled", voice::grouped(count)));
        piece.say_if("", &words);
    });
}
