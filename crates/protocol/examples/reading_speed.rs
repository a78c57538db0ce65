//! How long reading an event takes, from a frame as the stream sends it: by serde, and from a tree as the page reads.
//!
//! `cargo run --release -p monkeytown-protocol --example reading_speed`

use monkeytown_protocol::{Envelope, Event, Frame, Json, Timestamp, from_json};
use serde_json::value::RawValue;
use std::{hint::black_box, time::Instant};

const GOLDEN: [&str; 5] = [
    include_str!("../tests/golden/events/entity_created.json"),
    include_str!("../tests/golden/events/entity_updated.json"),
    include_str!("../tests/golden/events/flow_failed.json"),
    include_str!("../tests/golden/events/log_line.json"),
    include_str!("../tests/golden/events/every_attribute.json"),
];
const EVENTS: usize = 512;
const ROUNDS: usize = 400;

fn by_serde(frame: &str) -> Option<usize> {
    let frame: Frame<&RawValue, &RawValue> = serde_json::from_str(frame).ok()?;
    let Frame::Events { events, .. } = frame else { return None };
    let mut read = 0;
    for event in events {
        let envelope: Envelope<'_, &RawValue> = serde_json::from_str(event.get()).ok()?;
        envelope.check().ok()?;
        let mut data = serde_json::Deserializer::from_str(envelope.data?.get());
        black_box(envelope.decode(Timestamp::default(), |_| &mut data).ok()?);
        read += 1;
    }
    Some(read)
}

fn from_tree(frame: &str) -> Option<usize> {
    let json = Json::parse(frame).ok()?;
    let frame: Frame<&Json<'_>, &Json<'_>> = from_json::read(&json).ok()?;
    let Frame::Events { events, .. } = frame else { return None };
    let mut read = 0;
    for event in events {
        black_box(Event::from_json(event, Timestamp::default()).ok()?);
        read += 1;
    }
    Some(read)
}

fn main() {
    let events: Vec<String> = (0..EVENTS)
        .zip(GOLDEN.into_iter().cycle())
        .map(|(_, event)| event.lines().map(str::trim).collect::<String>().replace("\": ", "\":"))
        .collect();
    let last = EVENTS - 1;
    let frame = format!(r#"{{"kind":"events","epoch":"e","first":0,"last":{last},"events":[{}]}}"#, events.join(","));
    println!("a frame of {EVENTS} events, {} bytes", frame.len());
    for (name, read) in [("by serde", by_serde as fn(&str) -> Option<usize>), ("from a tree", from_tree)] {
        let mut best = u128::MAX;
        for _ in 0..ROUNDS {
            let start = Instant::now();
            assert_eq!(read(black_box(&frame)), Some(EVENTS), "{name}");
            best = best.min(start.elapsed().as_nanos());
        }
        println!("{name}: {} ns an event", best / EVENTS as u128);
    }
}
