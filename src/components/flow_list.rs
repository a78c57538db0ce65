//! The readable twin of the canvas: every flow that is drawn, in words.

use crate::{
    signals::{FlowRow, Signals},
    voice,
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
    format!("{} from {} to {}{end}", voice::flow_kind(row.kind), row.source_name, row.target_name)
}

/// A list for screen readers and tests.
#[component]
pub fn FlowList() -> impl IntoView {
    let signals = expect_context::<Signals>();
    let rows = move || signals.flows.with(|flows| flows.drawn.clone());
    let hidden = move || {
        let hidden = signals.flows.with(|flows| flows.hidden);
        (hidden > 0).then(|| view! { <li>{format!("and {hidden} more")}</li> })
    };
    view! {
        <h2 class="unseen">"flows"</h2>
        <ul class="unseen" data-testid="flow-list">
            <For each=rows key=|row| (row.id.clone(), voice::flow_status(row.status), row.reason.clone()) let:row>
                <li data-flow-id=row.id.to_string() data-status=voice::flow_status(row.status)>{sentence(&row)}</li>
            </For>
            {hidden}
        </ul>
    }
}
