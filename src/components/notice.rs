//! One line that says what is wrong, what is being tried and what it means. Absent while all is well.

use crate::{
    dom::{Piece, follow},
    signals::{ConnectionState, ConnectionView, Counters, Signals},
    voice,
};
use monkeytown_protocol::Timestamp;

/// How long no stream is heard before loading the page again is offered, in milliseconds (it is never forced).
const RELOAD_MILLIS: i64 = 300_000;

/// What is to be said, the gravest first.
fn words(view: &ConnectionView, wall: Timestamp) -> Option<String> {
    let known = match (view.greeted, view.stored_at) {
        (true, _) => "what is shown is what was known; what is missed will be replayed".to_owned(),
        (false, Some(stored)) => {
            let whose = if view.beside { "stood beside the page, its newest event" } else { "this browser knew" };
            format!("this is what {whose} {}", voice::ago(wall.since_millis(stored)))
        }
        (false, None) => "nothing is known yet; still trying".to_owned(),
    };
    match &view.state {
        ConnectionState::Offline => return Some(format!("this device has no network: {known}")),
        ConnectionState::Refused { why } => return Some(format!("{why}. {known}; reload the page to try again")),
        ConnectionState::Reconnecting { why, .. } => {
            let tried = if view.greeted { String::new() } else { format!(" at {}", view.address) };
            return Some(format!("the stream is out of reach{tried}: {why}. {known}"));
        }
        _ => {}
    }
    if view.remark.is_some() {
        return view.remark.clone();
    }
    let Counters { unreadable, holes, last_unreadable, .. } = &view.counters;
    match (*unreadable, *holes) {
        (0, 0) => None,
        (unreadable, 0) => {
            let last = last_unreadable.as_deref().unwrap_or_default();
            Some(format!("{} could not be read, and no event is lost for it: {last}", voice::grouped(unreadable)))
        }
        (0, holes) => Some(format!("{} never came, and the stream says there is no more", voice::grouped(holes))),
        (unreadable, _) => {
            let last = last_unreadable.as_deref().unwrap_or("no more is known");
            Some(format!("{} could not be read, so left out: {last}", voice::grouped(unreadable)))
        }
    }
}

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let piece = Piece::section("notice");
    follow(move || {
        let (view, wall) = (signals.connection.read(), signals.times.read().wall);
        let said = words(&view, wall).unwrap_or_default();
        let away_millis = view.away_since.map_or(0, |since| wall.since_millis(since));
        piece.show("reload", away_millis > RELOAD_MILLIS);
        piece.say("words", &said);
        piece.show("", !said.is_empty());
    });
}
