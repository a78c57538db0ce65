//! The frames that a subscriber gets, as text. Events are spliced in as the bytes they were accepted with.

use crate::{
    log::{Batch, Log, Snapshot},
    time,
};
use axum::extract::ws::Utf8Bytes;
use bytes::{BufMut, Bytes, BytesMut};
use monkeytown_protocol::{Epoch, Frame, Hello, Offset, Position, SourceKind};
use serde_json::value::RawValue;
use std::time::Duration;

type Outgoing<'a> = Frame<&'a RawValue, &'a RawValue>;

fn text(frame: &Outgoing<'_>) -> Utf8Bytes {
    Utf8Bytes::from(serde_json::to_string(frame).expect("a frame has string keys and finite numbers"))
}

/// What hello says beyond the log.
pub(super) struct Greeting<'a> {
    pub(super) from: Position,
    pub(super) recovered: bool,
    pub(super) snapshot: Option<&'a Snapshot>,
    pub(super) head: Option<Offset>,
    pub(super) heartbeat: Duration,
    pub(super) source_kind: SourceKind,
}

pub(super) fn hello(log: &Log, greeting: Greeting<'_>) -> Utf8Bytes {
    let clock = log.clock();
    text(&Frame::Hello(Box::new(Hello {
        epoch: log.epoch().clone(),
        head: greeting.head,
        from: greeting.from,
        recovered: greeting.recovered,
        snapshot: greeting.snapshot.map(Snapshot::envelope),
        heartbeat_ms: u64::try_from(greeting.heartbeat.as_millis()).unwrap_or(u64::MAX),
        server_time: time::now(),
        clock: clock.shows,
        clock_rate: clock.rate,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source_kind: greeting.source_kind,
    })))
}

/// `first` may lie before the batch, when what lies between was of no interest.
pub(super) fn events(epoch: &Epoch, first: Offset, batch: &Batch) -> Utf8Bytes {
    let payload: usize = batch.events.iter().map(|event| event.json.len() + 1).sum();
    let mut json = BytesMut::with_capacity(payload + 160);
    let (first, last) = (first.0, batch.last.0);
    json.put_slice(
        format!(r#"{{"kind":"events","epoch":"{epoch}","first":{first},"last":{last},"events":["#).as_bytes(),
    );
    for (index, event) in batch.events.iter().enumerate() {
        if index > 0 {
            json.put_u8(b',');
        }
        json.put_slice(&event.json);
    }
    json.put_slice(b"]}");
    Utf8Bytes::try_from(Bytes::from(json)).expect("events were UTF-8 when they were accepted")
}

pub(super) fn caught_up(offset: Option<Offset>) -> Utf8Bytes {
    text(&Frame::CaughtUp { offset })
}

pub(super) fn heartbeat(log: &Log, head: Option<Offset>) -> Utf8Bytes {
    let clock = log.clock();
    text(&Frame::Heartbeat { head, server_time: time::now(), clock: Some(clock.shows), clock_rate: Some(clock.rate) })
}

pub(super) fn bye(reason: &str, reconnect_after: Duration) -> Utf8Bytes {
    text(&Frame::Bye {
        reason: reason.to_owned(),
        reconnect_after_ms: u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX),
    })
}
