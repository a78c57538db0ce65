//! The foot: what time the page shows and how fast it passes, and what the whole history came to.

use crate::{signals::Signals, transport::ConnectionState, voice};
use leptos::prelude::*;
use monkeytown_protocol::{SourceKind, Timestamp};

/// A date as people write it: "2024-03-12 14:05".
fn moment(time: Timestamp) -> String {
    time.to_string().chars().take(16).map(|c| if c == 'T' { ' ' } else { c }).collect()
}

/// The page's time on the left, the sums on the right.
#[component]
pub fn Foot() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let playing = move || {
        let rate = signals.rate.get();
        signals.source.get() == Some(SourceKind::Git) && (rate - 1.0).abs() > 0.01
    };
    let word = move || match signals.connection.with(|c| c.state.clone()) {
        ConnectionState::Live | ConnectionState::Polling if playing() => "replaying",
        ConnectionState::Live | ConnectionState::Polling => "following",
        _ => "waiting",
    };
    let pace = move || {
        let rate = signals.rate.get();
        match signals.source.get() {
            None => "for the stream".to_owned(),
            Some(_) if playing() && rate > 0.0 => voice::pace(rate),
            Some(_) if playing() => "standing still".to_owned(),
            Some(_) => "the present".to_owned(),
        }
    };
    let sums = move || {
        let totals = signals.totals.get();
        [
            (totals.transactions, "commits"),
            (totals.contracts_settled, "settled"),
            (totals.flows_arrived, "flows arrived"),
            (totals.flows_broken + totals.contracts_broken, "broken"),
        ]
        .map(|(count, label)| view! { <div><dd>{voice::grouped(count)}</dd><dt>{label}</dt></div> })
    };
    view! {
        <footer class="foot">
            <p class="foot-time">
                <strong>{word}</strong>
                <span>{pace}</span>
            </p>
            <p class="foot-moment">
                <time datetime=move || signals.now.get().to_string()>{move || moment(signals.now.get())}</time>
                <span>"utc"</span>
            </p>
            <dl class="foot-sums">{sums}</dl>
        </footer>
    }
}
