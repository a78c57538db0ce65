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
    format!("{} from {} to {}{end}", row.kind.as_str(), row.source_name, row.target_name)
}

/// How many are drawn, and where the others are.
fn count(flows: &FlowsView) -> String {
    match (flows.drawn.len(), flows.hidden()) {
        (0, 0) => "no flow is open".to_owned(),
        (drawn, 0) => format!("{drawn} of {drawn} flows drawn"),
        (drawn, hidden) => {
            let bundles = voice::counted(flows.bundles.len(), "bundle");
            format!("{drawn} of {} flows drawn, {hidden} in {bundles}", drawn + hidden)
        }
    }
}

/// Fills them.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let key = Piece::section("key");
    let rows = RefCell::new(Rows::of("flow-list"));
    follow(move || {
        let flows = signals.flows.read();
        key.say("count", &count(&flows));
        let bundle_keys: Vec<String> = (0..flows.bundles.len()).map(|at| at.to_string()).collect();
        let drawn = flows.drawn.iter().map(|flow| flow.id.as_str());
        let keys: Vec<&str> = drawn.chain(bundle_keys.iter().map(String::as_str)).collect();
        let mut rows = rows.borrow_mut();
        rows.keep(&keys, |_| "t-flow", &|_, _| {});
        let mut pieces = rows.pieces();
        for (piece, flow) in pieces.by_ref().zip(&flows.drawn) {
            piece.set("", "data-flow-id", flow.id.as_str());
            piece.set("", "data-status", flow.status.as_str());
            piece.say("", &sentence(flow));
        }
        for (piece, bundle) in pieces.zip(&flows.bundles) {
            piece.say("", &format!("{} more {}", bundle.count, bundle.between));
        }
    });
}
