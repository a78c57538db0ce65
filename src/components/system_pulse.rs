//! The pulse: a heart at the health's pace, four numbers, a word, and when something last happened.

use crate::{
    components::text,
    signals::{ConnectionState, Signals},
    voice,
};
use leptos::prelude::*;
use monkeytown_civilization::Pulse;
use monkeytown_protocol::Health;

/// Four numbers over their labels; each keeps its width, so that ticking shifts nothing.
#[component]
pub fn SystemPulse() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let connected =
        move || signals.connection.with(|c| matches!(c.state, ConnectionState::Live | ConnectionState::Polling));
    let health = text(move || match signals.figures.get().pulse {
        Some(pulse) if connected() => pulse.health.as_str().to_owned(),
        _ => "disconnected".to_owned(),
    });
    let figure = move |read: fn(&Pulse) -> String| {
        text(move || signals.figures.get().pulse.as_ref().map_or("–".to_owned(), read))
    };
    let word = text(move || match signals.figures.get().pulse {
        None => "waiting".to_owned(),
        Some(_) if !connected() => "last known".to_owned(),
        Some(pulse) => match pulse.health {
            Health::Healthy => "steady",
            Health::Stressed => "strained",
            Health::Critical => "overrun",
        }
        .to_owned(),
    });
    let quiet = text(move || match signals.figures.get().last_time {
        None => "nothing yet".to_owned(),
        Some(last) => match signals.times.get().now.since_millis(last) {
            millis if millis < 60_000 => "busy".to_owned(),
            millis => format!("quiet {}", voice::span(millis)),
        },
    });
    view! {
        <section class="pulse" data-testid="system-pulse" data-health=health aria-label="pulse">
            <svg class="heart" viewBox="0 0 20 18" aria-hidden="true">
                <path d="M10 17 2.200 9.400A4.900 4.900 0 0 1 9.100 2.400L10 3.300l.9-.9a4.900 4.900 0 0 1 6.900 7Z" />
            </svg>
            <dl>
                <div data-testid="metric-active-agents">
                    <dt><span class="wide">"agents "</span>"active"</dt>
                    <dd>{figure(|pulse| voice::grouped(pulse.active_agents.into()))}</dd>
                </div>
                <div data-testid="metric-pending-flows">
                    <dt><span class="wide">"flows "</span>"pending"</dt>
                    <dd>{figure(|pulse| voice::grouped(pulse.pending_flows.into()))}</dd>
                </div>
                <div data-testid="metric-contracts-settled">
                    <dt><span class="wide">"contracts "</span>"settled"</dt>
                    <dd>{figure(|pulse| voice::grouped(pulse.contracts_settled))}</dd>
                </div>
                <div data-testid="metric-load">
                    <dt>"load"</dt>
                    <dd>{figure(|pulse| voice::percent(pulse.load.get()))}</dd>
                </div>
            </dl>
            <p class="health">
                <strong>{word}</strong>
                <span>{quiet}</span>
            </p>
        </section>
    }
}
