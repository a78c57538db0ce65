//! `CloudEvents` as a publisher writes them.

use serde_json::{Value, json};

/// An event of `kind` about `data`. Its source is the tests'.
#[must_use]
pub fn event(id: &str, kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/tests", "type": kind,
        "time": "2026-01-18T12:00:00.000Z", "data": data,
    })
}

/// The agent `agent` is at work.
#[must_use]
pub fn works(id: &str, agent: &str, activity: &str) -> Value {
    let data = json!({"id": agent, "kind": "agent", "label": agent, "status": "active", "activity": activity});
    event(id, "monkeytown.entity.updated", &data)
}

/// A flow is under way.
#[must_use]
pub fn flows(flow: &str, source: &str, target: &str) -> Value {
    let data = json!({
        "id": flow, "source": source, "target": target, "kind": "message", "status": "active", "progress": 0.5,
    });
    event(&format!("{flow}/started"), "monkeytown.flow.started", &data)
}
