//! How long the fold takes for an event: `fold_speed FILE...`, each file an answer of `/api/v1/events`.
//!
//! Reading and decoding are not in the figure, which is that of the quickest of ten rounds.

use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Envelope, Event, Timestamp};
use serde_json::value::RawValue;
use std::{error::Error, time::Instant};

/// Events folded between two looks at what changed, as in a frame of the page.
const FRAME_EVENTS: usize = 167;
const ROUNDS: usize = 10;

fn read(path: &str) -> Result<Vec<Event>, Box<dyn Error>> {
    let text = std::fs::read_to_string(path)?;
    let envelopes: Vec<Envelope<'_, &RawValue>> = serde_json::from_str(&text)?;
    let decode = |envelope: Envelope<'_, &RawValue>| {
        let data = envelope.data.map_or("null", RawValue::get);
        let mut reader = serde_json::Deserializer::from_str(data);
        envelope.decode(Timestamp::default(), |_| &mut reader)
    };
    Ok(envelopes.into_iter().map(decode).collect::<Result<_, _>>()?)
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut events = Vec::new();
    for path in std::env::args().skip(1) {
        events.extend(read(&path)?);
    }
    let mut quickest = f64::INFINITY;
    let mut state = Civilization::default();
    for _ in 0..ROUNDS {
        let told = events.clone();
        state = Civilization::default();
        let mut changes = Changes::default();
        let start = Instant::now();
        for (number, event) in told.into_iter().enumerate() {
            if number % FRAME_EVENTS == 0 {
                changes = Changes::default();
            }
            state.apply(event, &mut changes);
        }
        quickest = quickest.min(start.elapsed().as_secs_f64());
        std::hint::black_box(changes.entities.len());
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousands of events")]
    let nanos = quickest * 1e9 / events.len().max(1) as f64;
    let bytes = serde_json::to_string(&state)?.len();
    println!("{} events: {nanos:.0} ns each; the snapshot has {bytes} bytes", events.len());
    Ok(())
}
