//! How the connection stands, and where the events come from: always visible, never silent.

use crate::{
    dom::{Piece, follow},
    signals::{ConnectionState, ConnectionView, Signals},
    voice,
};
use monkeytown_protocol::{Epoch, Offset, SourceKind};

/// The state as `data-state` says it (`states.md`, "Connection").
fn key(view: &ConnectionView) -> &'static str {
    match &view.state {
        ConnectionState::Connecting => "connecting",
        ConnectionState::Live => "live",
        ConnectionState::Sse => "sse",
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

/// How far behind, in words.
fn behind(millis: u32) -> String {
    if millis < 10_000 { format!("{millis} ms") } else { voice::span(millis.into()) }
}

/// The line under the state.
fn detail(view: &ConnectionView, monotonic_millis: f64) -> String {
    match &view.state {
        ConnectionState::Connecting => "asking for the stream".to_owned(),
        ConnectionState::Offline => "this device has no network".to_owned(),
        ConnectionState::Refused { .. } => "the stream said stay away".to_owned(),
        ConnectionState::Reconnecting { failures, next_at_millis, .. } => {
            let left_millis = next_at_millis.map_or(0.0, |at| at - monotonic_millis);
            #[expect(clippy::cast_possible_truncation, reason = "a wait is at most some minutes")]
            match (left_millis / 1_000.0).ceil() as i32 {
                ..=0 => format!("try {failures}, now"),
                left => format!("try {failures}, next in {left}s"),
            }
        }
        _ if view.replaying => "replaying what was missed".to_owned(),
        _ if view.waiting_bytes > 1_000_000 => "catching up".to_owned(),
        _ if !view.is_whole() => "not all was told".to_owned(),
        ConnectionState::Polling => "no socket, asking instead".to_owned(),
        _ => view
            .behind_millis
            .map_or_else(|| "nothing missed".to_owned(), |millis| format!("{} behind", behind(millis))),
    }
}

/// What the figures come to.
fn verdict(view: &ConnectionView) -> &'static str {
    match () {
        () if !view.greeted => "no stream has been heard since this page opened",
        () if view.counters.holes > 0 => "some events never came, and nothing stands in for them",
        () if view.summarised => "nothing is missing, but part of it is only in a summary",
        () => "every event since this page opened was applied once, in order",
    }
}

/// Fills it: state, source, and what was received, for people and for tests.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (page, piece, source) = (Piece::section("page"), Piece::section("connection"), Piece::section("source"));
    let proof = Piece::section("proof");
    follow(move || {
        let view = signals.connection.read();
        let now_millis = signals.times.read().monotonic;
        let state = key(&view);
        page.set("", "data-state", state);
        piece.set("", "data-state", state);
        piece.say("state", state);
        piece.say("detail", &detail(&view, now_millis));
        let offset = view.offset.map_or("-1".to_owned(), |Offset(offset)| offset.to_string());
        piece.set("", "data-offset", &offset);
        let counters = &view.counters;
        piece.set("", "data-received", &counters.received.to_string());
        piece.set("", "data-duplicates", &counters.duplicates.to_string());
        piece.set("", "data-holes", &counters.holes.to_string());
        piece.set("", "data-unreadable", &counters.unreadable.to_string());
        let figures = *signals.figures.read();
        let kind = match figures.source {
            None => "unknown",
            Some(SourceKind::Live) => "live",
            Some(SourceKind::Git) => "git",
            Some(SourceKind::Simulated) => "simulated",
        };
        source.set("", "data-source-kind", kind);
        source.say("kind", kind);
        source.say("named", if view.chosen_by_address { "by address" } else { "source" });
        let open = signals.gaze.read().proof;
        piece.set("", "aria-expanded", if open { "true" } else { "false" });
        proof.show("", open);
        if !open {
            return;
        }
        proof.say("verdict", verdict(&view));
        proof.say("stream", &view.address);
        proof.say("epoch", view.epoch.as_ref().map_or("–", Epoch::as_str));
        proof.say("offset", &offset);
        let heard = view.heartbeat_at.map(|at| now_millis - at);
        #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a visit")]
        proof.say("heartbeat", &heard.map_or("–".to_owned(), |millis| voice::ago(millis as i64)));
        proof.say("behind", &view.behind_millis.map_or("–".to_owned(), |millis| format!("about {}", behind(millis))));
        let counts = [
            ("received", counters.received),
            ("duplicates", counters.duplicates),
            ("holes", counters.holes),
            ("unreadable", counters.unreadable),
            ("forgotten", figures.totals.forgotten),
        ];
        for (part, count) in counts {
            proof.say(part, &voice::grouped(count));
        }
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

    #[test]
    fn a_page_that_lost_something_never_says_how_fast_it_is() {
        let live = ConnectionView { behind_millis: Some(38), greeted: true, ..view(ConnectionState::Live, false) };
        assert_eq!(detail(&live, 0.0), "38 ms behind");
        assert!(verdict(&live).starts_with("every event"));
        let summarised = ConnectionView { summarised: true, ..live.clone() };
        assert_eq!(detail(&summarised, 0.0), "not all was told");
        assert!(verdict(&summarised).contains("summary"));
        let mut holed = live;
        holed.counters.holes = 1;
        assert!(verdict(&holed).contains("never came"));
    }
}
