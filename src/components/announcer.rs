//! What changes, said to those who listen: politely, and what breaks at once; at most one thing a second.

use crate::{
    components::text,
    signals::{ConnectionState, Signals},
    voice,
};
use leptos::prelude::*;
use monkeytown_protocol::EntityStatus;

/// Two live regions. They follow the page's one-second tick, so they never speak faster.
#[component]
pub fn Announcer() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let polite = Memo::new(move |_| {
        signals.times.track();
        let active = signals.figures.get_untracked().pulse.map_or(0, |pulse| pulse.active_agents as usize);
        match signals.connection.with_untracked(|view| view.state.clone()) {
            ConnectionState::Live | ConnectionState::Polling => format!("{} at work", voice::counted(active, "agent")),
            ConnectionState::Connecting => "asking for the stream".to_owned(),
            _ => "the stream is out of reach; trying again".to_owned(),
        }
    });
    let urgent = Memo::new(move |_| {
        signals.times.track();
        signals.agents.with_untracked(|agents| {
            // The newest break: one that lasts must not silence those after it.
            let broken = agents.iter().filter_map(|slot| {
                slot.view.with_untracked(|view| {
                    let broken = view.entity.status == EntityStatus::Error;
                    broken.then(|| (view.entity.since, format!("{} is broken", view.entity.label)))
                })
            });
            broken.max_by_key(|(since, _)| *since).map(|(_, words)| words).unwrap_or_default()
        })
    });
    view! {
        <div class="unseen" role="status" aria-live="polite">{text(move || polite.get())}</div>
        <div class="unseen" role="alert">{text(move || urgent.get())}</div>
    }
}
