//! What passes: toasts of what broke out of sight, and milestones, marked once and quietly.

use crate::{
    clock,
    dom::{Piece, Rows, follow, leaked, listen},
    signals::Signals,
    voice,
};
use std::cell::RefCell;

/// How long a toast stays after it was last pointed at or had the focus, in milliseconds: until the next second's look.
const HELD_MILLIS: f64 = 2_000.0;
/// How long it is held so at most, in milliseconds.
const HELD_MAX_MILLIS: f64 = 60_000.0;

/// Who is at a toast keeps it: what goes under a reader takes the focus along.
struct Hold {
    signals: Signals,
    rows: &'static RefCell<Rows>,
}

impl Hold {
    fn renew(&self) {
        let is_read = |piece: &Piece| piece.root().matches(":hover,:focus-within").unwrap_or(false);
        // Where the focus moves because a toast goes, it is looked at in a second.
        let Ok(rows) = self.rows.try_borrow() else { return };
        let now = clock::monotonic_millis();
        for (piece, toast) in rows.pieces().zip(self.signals.toasts.peek_mut().iter_mut()) {
            let since = toast.held_since.unwrap_or(now);
            toast.held_since = is_read(piece).then_some(since);
            if toast.held_since.is_some() && now - since < HELD_MAX_MILLIS {
                toast.until_millis = toast.until_millis.max(now + HELD_MILLIS);
            }
        }
    }
}

/// Fills them.
pub fn bind(signals: &Signals) {
    let toasting = signals.clone();
    let rows = leaked(RefCell::new(Rows::of("toasts")));
    let hold = leaked(Hold { signals: signals.clone(), rows });
    for name in ["focusin", "pointerover"] {
        listen(rows.borrow().list(), name, move |_| hold.renew());
    }
    follow(move || {
        let _ = hold.signals.times.read();
        hold.renew();
    });
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
