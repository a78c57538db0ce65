//! How the connection stands, and where the events come from: always visible, never silent.

use crate::{
    components::text,
    signals::{ConnectionState, ConnectionView, Signals},
};
use leptos::prelude::*;
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
        ConnectionState::Live => "nothing missed".to_owned(),
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

/// State, source, and what was received, for people and for tests.
#[component]
pub fn ConnectionPanel() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let view = signals.connection;
    let state = text(move || view.with(key).to_owned());
    let offset = text(move || view.with(|v| v.offset.map_or("-1".to_owned(), |Offset(offset)| offset.to_string())));
    let count = move |read: fn(&ConnectionView) -> u64| text(move || view.with(read).to_string());
    let title = text(move || {
        view.with(|v| {
            let Some(Offset(offset)) = v.offset else { return format!("stream: {}", v.address) };
            format!(
                "stream: {}; newest event {}; {} applied here, {} dropped as known, {} missing",
                v.address, offset, v.counters.received, v.counters.duplicates, v.counters.holes
            )
        })
    });
    let source = text(move || match signals.figures.get().source {
        None => "unknown".to_owned(),
        Some(SourceKind::Live) => "live".to_owned(),
        Some(SourceKind::Git) => "git".to_owned(),
        Some(SourceKind::Simulated) => "simulated".to_owned(),
    });
    let line = text(move || view.with(|v| detail(v, signals.times.get().monotonic)));
    let named = text(move || if view.with(|v| v.chosen_by_address) { "by address" } else { "source" }.to_owned());
    view! {
        <section class="standing" aria-label="connection">
            <div
                class="connection"
                data-testid="connection"
                data-state=state
                data-offset=offset
                data-received=count(|v| v.counters.received)
                data-duplicates=count(|v| v.counters.duplicates)
                data-holes=count(|v| v.counters.holes)
                data-unreadable=count(|v| v.counters.unreadable)
                title=title
            >
                <strong><span class="dot" aria-hidden="true"></span>{state}</strong>
                <span>{line}</span>
            </div>
            <div
                class="source"
                data-testid="source-badge"
                data-source-kind=source
            >
                <strong>{source}</strong>
                <span>{named}</span>
            </div>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signals::Counters;
    use monkeytown_protocol::Timestamp;

    fn view(state: ConnectionState, stored: bool) -> ConnectionView {
        ConnectionView {
            state,
            greeted: false,
            stored_at: stored.then(|| Timestamp::from_millis(0)),
            offset: None,
            counters: Counters::default(),
            waiting_bytes: 0,
            replaying: false,
            address: String::new(),
            chosen_by_address: false,
            remark: None,
        }
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
