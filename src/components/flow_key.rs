//! The key: how many flows are drawn, how many are not, and what the lines mean.

use crate::{components::text, signals::Signals};
use leptos::prelude::*;
use monkeytown_protocol::FlowKind;

/// One line above the field.
#[component]
pub fn FlowKey() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let count = text(move || {
        signals.flows.with(|flows| match (flows.drawn.len(), flows.hidden) {
            (0, 0) => "no flow is open".to_owned(),
            (drawn, 0) => format!("{drawn} of {drawn} flows drawn"),
            (drawn, hidden) => format!("{drawn} of {} flows drawn, {hidden} not", drawn + hidden),
        })
    });
    let kinds = [FlowKind::Message, FlowKind::Resource, FlowKind::Contract, FlowKind::Signal];
    view! {
        <div class="key">
            <span class="key-count">{count}</span>
            {kinds
                .map(|kind| {
                    let name = kind.as_str();
                    view! {
                        <span class=format!("key-kind {name}")>
                            <svg viewBox="0 0 36 10" aria-hidden="true">
                                <path class="line" d="M1 5h25" />
                                <path class="head" d="M35 5l-8-4v8Z" />
                                <path class="mark" d=mark(kind) />
                            </svg>
                            {name}
                        </span>
                    }
                })}
        </div>
    }
}

/// The particle's shape, which repeats the kind: dot, dart, diamond, ring.
fn mark(kind: FlowKind) -> &'static str {
    match kind {
        FlowKind::Message => "M14 2.500a2.500 2.500 0 1 0 .01 0Z",
        FlowKind::Resource => "M18 5l-7-3 2 3-2 3Z",
        FlowKind::Contract => "M14 1.500 17.500 5 14 8.500 10.500 5Z",
        FlowKind::Signal => "M14 2a3 3 0 1 0 .01 0ZM14 3.800a1.200 1.200 0 1 1-.01 0Z",
    }
}
