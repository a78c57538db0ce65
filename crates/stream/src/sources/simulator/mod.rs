//! The simulator: an invented civilization of ten agents, for demonstration, tests and load.
//!
//! Owns the rate, the events' envelopes and the two clocks it can run on: its own virtual one, on which
//! the same seed gives the same events everywhere, and the wall's. What is told is the story's. Knows
//! nothing of who reads; that what it says is invented is said by the stream (`source_kind`).

mod agents;
mod cast;
mod story;
mod works;

use crate::sources::Sink;
use monkeytown_protocol::{Event, EventId, SourceUri, Timestamp};
use std::time::Duration;
use story::{Story, Teller};
use tokio::time::{Instant, sleep_until};

/// Most events per second that may be asked for: what a stream accepts (`limits.md`).
pub const RATE_MAX_PER_SECOND: f64 = 10_000.0;
/// Events of one tick go to the sink together.
const TICK: Duration = Duration::from_millis(20);
/// After a stall at most this many seconds' worth of events is made up for; the rest was never invented.
const CATCH_UP_SECONDS: f64 = 1.0;
/// Where the virtual clock starts: 2026-01-18T12:00:00Z.
const VIRTUAL_START_MILLIS: i64 = 1_768_737_600_000;

/// What to simulate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SimulatorConfig {
    /// Events per second, over 0 and at most [`RATE_MAX_PER_SECOND`].
    pub rate: f64,
    /// The same seed and rate tell the same story.
    pub seed: u64,
}

/// A rate that cannot be simulated.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("the simulator's rate is {0}, but must be over 0 and at most {max} events a second", max = RATE_MAX_PER_SECOND)]
pub struct RateError(pub f64);

/// Tells the story, one event at a time.
#[derive(Debug)]
pub struct Simulator {
    config: SimulatorConfig,
    source: SourceUri,
    rival: SourceUri,
    /// Events told so far.
    told: u64,
    story: Story,
}

impl Simulator {
    /// A story that has not begun.
    ///
    /// # Errors
    /// When the rate is not over 0 and at most [`RATE_MAX_PER_SECOND`].
    pub fn new(config: SimulatorConfig) -> Result<Self, RateError> {
        // NaN compares false, so it is refused here too.
        if !(config.rate > 0.0 && config.rate <= RATE_MAX_PER_SECOND) {
            return Err(RateError(config.rate));
        }
        let source = SourceUri::new("/simulator").expect("a short plain string is an id");
        let rival = SourceUri::new("/simulator/rival").expect("a short plain string is an id");
        Ok(Self { config, source, rival, told: 0, story: Story::new(config.rate, config.seed) })
    }

    /// The next event, on the virtual clock, which starts at 2026-01-18T12:00:00Z and moves on by
    /// 1 / rate with every event.
    pub fn next_event(&mut self) -> Event {
        let time = Timestamp::from_millis(VIRTUAL_START_MILLIS).plus_millis(whole(self.seconds_told() * 1_000.0));
        self.tell(time, "")
    }

    #[expect(clippy::cast_precision_loss, reason = "exact for the first 2^53 events")]
    fn seconds_told(&self) -> f64 {
        self.told as f64 / self.config.rate
    }

    fn tell(&mut self, time: Timestamp, run: &str) -> Event {
        let line = self.story.next_line();
        let id = format!("{run}{:x}-{}", self.config.seed, self.told);
        self.told += 1;
        Event {
            id: EventId::new(&id).expect("numbers and a dash are a short id"),
            source: match line.teller {
                Teller::Story => self.source.clone(),
                Teller::Rival => self.rival.clone(),
            },
            time,
            recorded: None,
            trace: None,
            cause: line.cause,
            payload: line.payload,
        }
    }

    /// Appends events at the asked rate, dated by `now`, until it is dropped.
    ///
    /// The schedule is absolute, so that waiting a little too long now and then does not add up. Ids carry
    /// the moment of the start: a page that outlives this process would otherwise take the next process's
    /// story, told from the same seed, for one that it has already heard. While the sink takes nothing, nothing is invented.
    pub async fn run(mut self, sink: impl Sink, now: impl Fn() -> Timestamp + Send) {
        let run = format!("{:x}-", now().millis());
        let mut start = Instant::now();
        let mut last_tick = start;
        loop {
            let next = start + Duration::from_secs_f64(self.seconds_told() + 1.0 / self.config.rate);
            sleep_until(next.max(last_tick + TICK)).await;
            last_tick = Instant::now();
            let elapsed = last_tick.saturating_duration_since(start).as_secs_f64();
            let late = elapsed - self.seconds_told() - CATCH_UP_SECONDS.max(1.0 / self.config.rate);
            if late > 0.0 {
                start += Duration::from_secs_f64(late);
            }
            let elapsed = last_tick.saturating_duration_since(start).as_secs_f64();
            // The small addend takes a product such as 2.9999999996 for the 3 that is meant.
            let due = u64::try_from(whole(elapsed * self.config.rate + 1e-6)).unwrap_or_default();
            let time = now();
            let events: Vec<Event> = (self.told..due).map(|_| self.tell(time, &run)).collect();
            if !events.is_empty() {
                sink.append(events).await;
            }
        }
    }
}

/// The whole part of a number that is at most a few thousand years in milliseconds.
#[expect(clippy::cast_possible_truncation, reason = "a float's cast to an integer saturates; the fraction is to go")]
fn whole(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests;
