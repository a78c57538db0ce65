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
        (true, _) => "what is missed will be replayed".to_owned(),
        (false, Some(stored)) => {
            let whose = if view.beside { "stood beside the page, its newest event" } else { "this browser knew" };
            format!("this is what {whose} {}", voice::ago(wall.since_millis(stored)))
        }
        (false, None) if matches!(view.state, ConnectionState::Refused { .. }) => "nothing is known yet".to_owned(),
        (false, None) => "nothing is known yet; still trying".to_owned(),
    };
    let Counters { unreadable, holes, last_unreadable, .. } = &view.counters;
    let last_unreadable = last_unreadable.as_deref().unwrap_or("no more is known");
    match &view.state {
        ConnectionState::Offline => return Some(format!("this device has no network: {known}")),
        ConnectionState::Refused { why } => return Some(format!("{why}. {known}; reload the page to try again")),
        // Without a beginning everything after it is missing; what counts is why there is none.
        ConnectionState::Reconnecting { .. } if !view.greeted && *unreadable > 0 => {
            return Some(format!("the stream at {} begins with what cannot be read: {last_unreadable}", view.address));
        }
        // The stream is there: only something of it is missing.
        ConnectionState::Reconnecting { failures: 0, why, .. } if view.greeted => {
            return Some(format!("asking the stream again: {why}. {known}"));
        }
        ConnectionState::Reconnecting { why, .. } => {
            let tried = if view.greeted { String::new() } else { format!(" at {}", view.address) };
            return Some(format!("the stream is out of reach{tried}: {why}. {known}"));
        }
        _ => {}
    }
    let mut said: Vec<String> = Vec::new();
    if let Some((alert, others)) = &view.alert {
        said.push(voice::name(alert));
        if *others > 0 {
            said.push(["also open: ", &voice::counted(*others, "more alert")].concat());
        }
    }
    said.extend(view.remark.clone());
    if *holes > 0 {
        said.push([&*voice::grouped(*holes), " never came, and the stream says there is no more"].concat());
    }
    if *unreadable > 0 {
        let lost = if *holes > 0 { "so left out" } else { "and no event is lost for it" };
        said.push([&*voice::grouped(*unreadable), " could not be read, ", lost, ": ", last_unreadable].concat());
    }
    if said.is_empty() { None } else { Some(said.join(". ")) }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn said(view: &ConnectionView) -> String {
        words(view, Timestamp::from_millis(0)).unwrap_or_default()
    }

    #[test]
    fn nothing_that_is_wrong_hides_another() {
        let mut view = ConnectionView { state: ConnectionState::Live, ..ConnectionView::default() };
        assert_eq!(words(&view, Timestamp::from_millis(0)), None);
        view.alert = Some(("the signing key has expired".to_owned(), 2));
        view.remark = Some("the storage is full".to_owned());
        view.counters = Counters { holes: 3, unreadable: 1, ..Counters::default() };
        let said = said(&view);
        for words in [
            "the signing key has expired. also open: two more alerts",
            "the storage is full",
            "3 never came",
            "1 could not be",
        ] {
            assert!(said.contains(words), "{said}");
        }
    }

    #[test]
    fn a_beginning_that_cannot_be_read_is_told_as_that_and_not_as_a_gap() {
        let state = ConnectionState::Reconnecting { failures: 1, next_at_millis: None, why: "a gap".to_owned() };
        let mut view = ConnectionView { state, ..ConnectionView::default() };
        assert!(said(&view).contains("a gap"));
        view.counters = Counters {
            unreadable: 1,
            last_unreadable: Some("a load that is no number".to_owned()),
            ..Counters::default()
        };
        assert!(said(&view).contains("begins with what cannot be read: a load that is no number"), "{}", said(&view));
        view.greeted = true;
        assert!(said(&view).contains("a gap"));
    }
}
