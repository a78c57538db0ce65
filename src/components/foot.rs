//! The foot: what time the page shows and how fast it passes, and what the whole history came to.

use crate::{
    components::text,
    signals::{ConnectionState, Signals},
    voice,
};
use leptos::prelude::*;
use monkeytown_civilization::Totals;
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
        let rate = signals.times.get().rate;
        signals.figures.get().source == Some(SourceKind::Git) && (rate - 1.0).abs() > 0.01
    };
    let word = text(move || match signals.connection.with(|c| c.state.clone()) {
        ConnectionState::Live | ConnectionState::Polling if playing() => "replaying".to_owned(),
        ConnectionState::Live | ConnectionState::Polling => "following".to_owned(),
        _ => "waiting".to_owned(),
    });
    let pace = text(move || {
        let rate = signals.times.get().rate;
        match signals.figures.get().source {
            None => "for the stream".to_owned(),
            Some(_) if playing() && rate > 0.0 => voice::pace(rate),
            Some(_) if playing() => "standing still".to_owned(),
            Some(_) => "the present".to_owned(),
        }
    });
    let sum = move |read: fn(&Totals) -> u64, label: &'static str| {
        let count = text(move || voice::grouped(signals.figures.with(|figures| read(&figures.totals))));
        view! { <div><dt>{label}</dt><dd>{count}</dd></div> }
    };
    let exact = text(move || signals.times.get().now.to_string());
    let shown = text(move || moment(signals.times.get().now));
    view! {
        <footer class="foot">
            <p class="foot-time">
                <strong>{word}</strong>
                <span>{pace}</span>
            </p>
            <p class="foot-moment">
                <time datetime=exact>{shown}</time>
                <span>"utc"</span>
            </p>
            <dl class="foot-sums">
                {sum(|totals| totals.transactions, "commits")} {sum(|totals| totals.contracts_settled, "settled")}
                {sum(|totals| totals.flows_arrived, "flows arrived")}
                {sum(|totals| totals.flows_broken + totals.contracts_broken, "broken")}
            </dl>
        </footer>
    }
}
