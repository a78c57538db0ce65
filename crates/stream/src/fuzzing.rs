//! Doors to the decoders that no other crate sees, for fuzzing: each takes bytes as they may come from outside and panics
//! when what holds for all of them does not. Nothing of the stream comes here.

pub use crate::{
    log::{fuzzing::segment, redis_fuzzing::redis_answer},
    publish::fuzzing::{batch, binary, event},
    sources::{
        fleet::fuzzing::postgres,
        fuzzing::{commit, webhook},
    },
    subscription::fuzzing::query,
    ws::fuzzing::{client, inlet, message},
};

use crate::trace_context::TraceParent;

/// `traceparent`, as it comes in a header or with an event.
pub fn trace(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(TraceParent { trace_id, span_id }) = TraceParent::read(text) {
        assert!((trace_id.len(), span_id.len()) == (32, 16) && text.contains(trace_id) && text.contains(span_id));
    }
}
