//! One line that says what is wrong, what is being tried and what it means. Absent while all is well.

use crate::{
    dom::{Piece, follow},
    signals::{ConnectionState, ConnectionView, Signals},
    voice,
};
use monkeytown_protocol::Timestamp;

/// What is to be said, the gravest first.
fn words(view: &ConnectionView, wall: Timestamp) -> Option<String> {
    let known = match (view.greeted, view.stored_at) {
        (true, _) => "what is shown is what was known; what is missed will be replayed".to_owned(),
        (false, Some(stored)) => {
            format!("this is what this browser knew {}", voice::ago(wall.since_millis(stored)))
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
        ConnectionState::Connecting | ConnectionState::Live | ConnectionState::Polling => {}
    }
    if view.counters.holes > 0 || view.counters.unreadable > 0 {
        let missing = voice::grouped(view.counters.holes.max(view.counters.unreadable));
        let last = view.counters.last_unreadable.as_deref().unwrap_or("no more is known");
        return Some(format!("{missing} could not be read, so left out: {last}"));
    }
    view.remark.clone()
}

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let piece = Piece::section("notice");
    follow(move || {
        let said = words(&signals.connection.read(), signals.times.read().wall).unwrap_or_default();
        piece.say("words", &said);
        piece.show("", !said.is_empty());
    });
}
