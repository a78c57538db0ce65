//! The readable twin of the canvas: every flow that is drawn, in words.

use crate::{
    components::part,
    signals::{FlowRow, Signals},
};
use leptos::prelude::*;
use monkeytown_protocol::FlowStatus;

fn sentence(row: &FlowRow) -> String {
    let end = match (row.status, &row.reason) {
        (FlowStatus::Pending, _) => ", pending".to_owned(),
        (FlowStatus::Active, _) => String::new(),
        (FlowStatus::Complete, _) => ", arrived".to_owned(),
        (FlowStatus::Error, Some(reason)) => format!(", broken: {reason}"),
        (FlowStatus::Error, None) => ", broken".to_owned(),
    };
    format!("{} from {} to {}{end}", row.kind.as_str(), row.source_name, row.target_name)
}

/// A list for screen readers and tests.
#[component]
pub fn FlowList() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let rows = part(move || {
        signals.flows.with(|flows| {
            let row = |row: &FlowRow| {
                let status = row.status.as_str();
                view! { <li data-flow-id=row.id.to_string() data-status=status>{sentence(row)}</li> }.into_any()
            };
            let mut rows: Vec<AnyView> = flows.drawn.iter().map(row).collect();
            if flows.hidden > 0 {
                rows.push(view! { <li>{format!("and {} more", flows.hidden)}</li> }.into_any());
            }
            rows.into_any()
        })
    });
    view! {
        <h2 class="unseen">"flows"</h2>
        <ul class="unseen" data-testid="flow-list">
            {rows}
        </ul>
    }
}
