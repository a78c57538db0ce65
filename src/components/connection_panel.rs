//! How the connection stands, and where the events come from: always visible, never silent.

use crate::{
    dom::{Piece, follow},
    signals::{ConnectionState, ConnectionView, Signals},
    voice,
};
use monkeytown_protocol::{Offset, SourceKind};

/// The state as `data-state` says it (`states.md`, "Connection").
fn key(view: &ConnectionView) -> &'static str {
    match &view.state {
        ConnectionState::Connecting => "connecting",
        ConnectionState::Live => "live",
        ConnectionState::Polling => "polling",
        ConnectionState::Offline => "offline",
        ConnectionState::Reconnecting { .. } | ConnectionState::Refused { .. } => {
            if view.stored_at.is_some() {
                "snapshot"
            } else {
                "reconnecting"
            }
        }
    }
}

/// The line under the state.
fn detail(view: &ConnectionView, monotonic_millis: f64) -> String {
    match &view.state {
        ConnectionState::Connecting => "asking for the stream".to_owned(),
        ConnectionState::Live if view.replaying => "replaying what was missed".to_owned(),
        ConnectionState::Live if view.waiting_bytes > 1_000_000 => "catching up".to_owned(),
        ConnectionState::Live if view.is_whole() => "nothing missed".to_owned(),
        ConnectionState::Live => "not all was told".to_owned(),
        ConnectionState::Polling => "no socket, asking instead".to_owned(),
        ConnectionState::Offline => "this device has no network".to_owned(),
        ConnectionState::Refused { .. } => "the stream said stay away".to_owned(),
        ConnectionState::Reconnecting { failures, next_at_millis, .. } => {
            let left_millis = next_at_millis.map_or(0.0, |at| at - monotonic_millis);
            #[expect(clippy::cast_possible_truncation, reason = "a wait is at most two minutes")]
            match (left_millis / 1_000.0).ceil() as i32 {
                ..=0 => format!("try {failures}, now"),
                left => format!("try {failures}, next in {left}s"),
            }
        }
    }
}

/// Fills it: state, source, and what was received, for people and for tests.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (page, piece, source) = (Piece::section("page"), Piece::section("connection"), Piece::section("source"));
    follow(move || {
        let view = signals.connection.read();
        let state = key(&view);
        page.set("", "data-state", state);
        piece.set("", "data-state", state);
        piece.say("state", state);
        piece.say("detail", &detail(&view, signals.times.read().monotonic));
        let offset = view.offset.map_or("-1".to_owned(), |Offset(offset)| offset.to_string());
        piece.set("", "data-offset", &offset);
        let counters = &view.counters;
        piece.set("", "data-received", &counters.received.to_string());
        piece.set("", "data-duplicates", &counters.duplicates.to_string());
        piece.set("", "data-holes", &counters.holes.to_string());
        piece.set("", "data-unreadable", &counters.unreadable.to_string());
        let title = format!(
            "stream: {}; newest event {}; {} applied here, {} dropped as known, {} missing; {} let go, to stay in bounds",
            view.address,
            offset,
            voice::grouped(counters.received),
            counters.duplicates,
            counters.holes,
            signals.figures.read().totals.forgotten
        );
        piece.set("", "title", &title);
        let kind = match signals.figures.read().source {
            None => "unknown",
            Some(SourceKind::Live) => "live",
            Some(SourceKind::Git) => "git",
            Some(SourceKind::Simulated) => "simulated",
        };
        source.set("", "data-source-kind", kind);
        source.say("kind", kind);
        source.say("named", if view.chosen_by_address { "by address" } else { "source" });
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use monkeytown_protocol::Timestamp;

    fn view(state: ConnectionState, stored: bool) -> ConnectionView {
        let stored_at = stored.then(|| Timestamp::from_millis(0));
        ConnectionView { state, stored_at, ..ConnectionView::default() }
    }

    #[test]
    fn a_page_that_shows_what_it_last_knew_says_snapshot() {
        let trying =
            || ConnectionState::Reconnecting { failures: 3, next_at_millis: Some(4_500.0), why: String::new() };
        assert_eq!(key(&view(trying(), true)), "snapshot");
        assert_eq!(key(&view(trying(), false)), "reconnecting");
        assert_eq!(detail(&view(trying(), true), 500.0), "try 3, next in 4s");
    }
}
