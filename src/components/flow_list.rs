//! Flows in words: the key above the field, the readable twin of the canvas, and the counts of bundles on it.

use crate::{
    dom::{Piece, Rows, follow},
    signals::{FlowRow, FlowsView, Signals},
    voice,
};
use monkeytown_protocol::FlowStatus;
use std::cell::RefCell;

fn sentence(row: &FlowRow) -> String {
    let end = match (row.status, &row.reason) {
        (FlowStatus::Pending, _) => ", pending".to_owned(),
        (FlowStatus::Active, _) => String::new(),
        (FlowStatus::Complete, _) => ", arrived".to_owned(),
        (FlowStatus::Error, Some(reason)) => format!(", broken: {reason}"),
        (FlowStatus::Error, None) => ", broken".to_owned(),
    };
    let (source, target) = (voice::name(row.source_name.as_str()), voice::name(row.target_name.as_str()));
    format!("{} from {source} to {target}{end}", row.kind.as_str())
}

/// How many are drawn, and where the others are; the second half only where there is room for it.
fn count(flows: &FlowsView) -> (String, String) {
    match (flows.drawn.len(), flows.hidden()) {
        (0, 0) => ("no flow is open".to_owned(), String::new()),
        (drawn, 0) => (format!("{drawn} of {drawn}"), " flows drawn".to_owned()),
        (drawn, hidden) => {
            let bundles = voice::numbered(flows.bundles.len(), "bundle");
            (format!("{drawn} of {}", drawn + hidden), format!(" flows drawn, {hidden} in {bundles}"))
        }
    }
}

/// Fills them.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (key, list) = (Piece::section("key"), Piece::section("flows"));
    let rows = RefCell::new(Rows::of("flow-list"));
    follow(move || {
        let (flows, listed) = (signals.flows.read(), signals.gaze.read().listed);
        let (count, more) = count(&flows);
        key.say("count", &count);
        key.say("count-more", &more);
        // An opened bundle's flows are told before all others: somebody asked for them.
        let told: Vec<&FlowRow> = flows.opened.iter().chain(&flows.drawn).collect();
        let bundle_keys: Vec<String> = (0..flows.bundles.len()).map(|at| format!("\n{at}")).collect();
        let keys = told.iter().map(|flow| flow.id.as_str()).chain(bundle_keys.iter().map(String::as_str));
        let keys: Vec<&str> = keys.collect();
        let mut rows = rows.borrow_mut();
        rows.keep(&keys, |_| "t-flow", &|_, _| {});
        let mut pieces = rows.pieces();
        for (piece, flow) in pieces.by_ref().zip(&told) {
            piece.set("", "data-flow-id", flow.id.as_str());
            piece.set("", "data-status", flow.status.as_str());
            piece.mark("", "data-dim", if flow.dim { "yes" } else { "" });
            piece.mark("", "aria-description", if flow.dim { "left out by the filter" } else { "" });
            piece.say("", &sentence(flow));
        }
        for (piece, bundle) in pieces.zip(&flows.bundles) {
            piece.mark("", "data-dim", if bundle.dim == bundle.count { "yes" } else { "" });
            piece.say("", &format!("{} more {}", bundle.count, bundle.between));
        }
        list.show("close", listed);
        list.mark("", "data-open", if flows.open.is_some() || listed { "yes" } else { "" });
    });
}
