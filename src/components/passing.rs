//! What passes: toasts of what broke out of sight, and milestones, marked once and quietly.

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
        let keys: Vec<String> =
            toasts.iter().map(|toast| [&*toast.number.to_string(), " ", toast.id.as_str()].concat()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut rows = rows.borrow_mut();
        // Looked at once, when it breaks: what is in view then says it itself.
        rows.keep(&keys, |_| "t-toast", &|key, piece| {
            piece.show("", !key.split_once(' ').is_some_and(|(_, id)| is_seen(id)));
        });
        for (piece, toast) in rows.pieces().zip(&*toasts) {
            piece.set("", "data-status", "error");
            piece.set("", "data-entity-id", toast.id.as_str());
            piece.set("", "title", &toast.place);
            piece.say("what", &toast.what);
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

/// Whether an agent's card, or its line at rest, is in view; a mask alone does not say what is wrong. In one column it
/// may be scrolled away, and then it is not. An id that is no string of a selector is not found, and is told.
fn is_seen(id: &str) -> bool {
    const VIEW: &str = "#page:not([data-panel]) #terrarium:not([data-one-column]) [data-seat]:not([data-seat=mask])";
    let selector = [VIEW, "[data-entity-id=\"", id, "\"]"].concat();
    Piece::section("page").root().query_selector(&selector).is_ok_and(|card| card.is_some())
}
