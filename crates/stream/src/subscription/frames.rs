//! The frames that a subscriber gets, as JSON. Events are spliced in as the bytes they were accepted with.

use super::Greeting;
use crate::{
    fanout::SharedFrame,
    log::{Log, Snapshot},
    server::App,
    time,
};
use monkeytown_protocol::{Epoch, Frame, Hello, Offset};
use serde_json::value::RawValue;
use std::{io::Write, time::Duration};

type Outgoing<'a> = Frame<&'a RawValue, &'a RawValue>;

/// Room for what a frame holds beside its events, in bytes.
const FRAME_OVERHEAD_BYTES: usize = 256;

/// Writes where a subscriber stands, as one JSON object on one line, after what `into` holds.
pub(crate) fn write_hello(app: &App, greeting: &Greeting, into: &mut Vec<u8>) {
    put(&hello(app, greeting), into);
}

/// Writes that replay is over.
pub(crate) fn write_caught_up(offset: Option<Offset>, into: &mut Vec<u8>) {
    put(&Frame::CaughtUp { offset }, into);
}

/// Writes that the stream is alive.
pub(crate) fn write_heartbeat(log: &Log, head: Option<Offset>, into: &mut Vec<u8>) {
    put(&heartbeat(log, head), into);
}

/// Writes the word before a planned end.
pub(crate) fn write_bye(reason: &str, reconnect_after: Duration, into: &mut Vec<u8>) {
    let reconnect_after_ms = u64::try_from(reconnect_after.as_millis()).unwrap_or(u64::MAX);
    put(&Frame::Bye { reason: reason.to_owned(), reconnect_after_ms }, into);
}

fn put(frame: &Outgoing<'_>, into: &mut Vec<u8>) {
    serde_json::to_writer(into, frame).expect("a frame has string keys and finite numbers");
}

fn hello<'a>(app: &App, greeting: &'a Greeting) -> Outgoing<'a> {
    let clock = app.log.clock();
    Frame::Hello(Box::new(Hello {
        epoch: app.log.epoch().clone(),
        head: greeting.head,
        from: greeting.from.clone(),
        recovered: greeting.recovered,
        snapshot: greeting.snapshot.as_deref().map(Snapshot::envelope),
        heartbeat_ms: u64::try_from(app.options.timing.heartbeat.as_millis()).unwrap_or(u64::MAX),
        server_time: time::now(),
        clock: clock.shows,
        clock_rate: clock.rate,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        source_kind: app.options.source_kind,
    }))
}

/// Writes events that go out together.
pub(crate) fn write_events(epoch: &Epoch, frame: &SharedFrame, into: &mut Vec<u8>) {
    let payload: usize = frame.batch.events.iter().map(|event| event.json.len() + 1).sum();
    into.reserve(payload + FRAME_OVERHEAD_BYTES);
    let (first, last) = (frame.first.0, frame.batch.last.0);
    write!(into, r#"{{"kind":"events","epoch":"{epoch}","first":{first},"last":{last},"events":["#)
        .expect("memory takes what is written to it");
    for (index, event) in frame.batch.events.iter().enumerate() {
        if index > 0 {
            into.push(b',');
        }
        into.extend_from_slice(&event.json);
    }
    into.extend_from_slice(b"]}");
}

fn heartbeat<'a>(log: &Log, head: Option<Offset>) -> Outgoing<'a> {
    let clock = log.clock();
    Frame::Heartbeat { head, server_time: time::now(), clock: Some(clock.shows), clock_rate: Some(clock.rate) }
}
