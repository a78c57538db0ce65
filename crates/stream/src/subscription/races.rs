//! The replay race, one step at a time: appending, listening, waiting, giving up and coming back, in any order that a
//! seed gives. What is heard must be everything, once, in order, or a state and everything after it.

use super::{Follower, Said, Start};
use crate::{
    log::{Draft, FellBehind, Interest, InterestQuery, Log, RingBounds},
    metrics::Metrics,
    server::{App, Options, Timing},
    sources::{Sink, SourceClock},
};
use fastrand::Rng;
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Cursor, Envelope, Event, Offset, Position, Timestamp};
use serde_json::value::RawValue;
use std::{future::Future, pin::pin, sync::Arc, task::Poll, time::Duration};

/// `MONKEYTOWN_SEEDS` tries another number of them.
const SEEDS: u64 = 60;
const STEPS: usize = 160;

/// How often something happened that the test is about.
#[derive(Debug, Default)]
struct Seen {
    recovered: u32,
    lost: u32,
    fell_behind: u32,
    told_during_replay: u32,
    heartbeats: u32,
}

fn event(number: usize) -> Event {
    let of = ["updated", "metrics_updated"][number % 2];
    let json = format!(
        r#"{{"specversion":"1.0","id":"{number}","source":"/a","type":"monkeytown.entity.{of}",
        "time":"2026-01-18T12:00:00Z","data":{{"id":"a{}","kind":"agent","metrics":{{"connections":{number}}}}}}}"#,
        number % 7
    );
    let envelope: Envelope<'_, &RawValue> = serde_json::from_str(&json).expect("an event");
    let mut data = serde_json::Deserializer::from_str(envelope.data.expect("data").get());
    envelope.decode(Timestamp::default(), |_| &mut data).expect("an event")
}

/// A history, and one who listens to it.
struct Race {
    rng: Rng,
    app: Arc<App>,
    history: Vec<Event>,
    follower: Follower,
    only_updated: bool,
    /// The offset that must be covered next; `None` before the first hello.
    next: Option<u64>,
    /// What was asked for, when it was a place.
    asked: Option<Position>,
    state: Option<Civilization>,
    replay_until: Option<u64>,
    greeted: bool,
    caught_up: bool,
}

fn interest(only_updated: bool) -> Interest {
    let query = if only_updated { r#"{"types":"monkeytown.entity.updated"}"# } else { "{}" };
    let query: InterestQuery = serde_json::from_str(query).expect("a query");
    Interest::read(&query).expect("an interest")
}

impl Race {
    fn new(seed: u64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let metrics = Metrics::new();
        let max_events = if rng.bool() { 100_000 } else { rng.usize(20..2_000) };
        let log = Log::new(RingBounds { max_events, max_bytes: usize::MAX }, metrics.clone());
        let timing = Timing { heartbeat: Duration::from_millis(rng.u64(1..400)), ..Timing::default() };
        let app = Arc::new(App::new(log, metrics, Options { timing, ..Options::default() }));
        let only_updated = rng.bool();
        let start = Start { cursor: Some(Cursor::Earliest), snapshot_wanted: false, interest: interest(only_updated) };
        let follower = Follower::new(Arc::clone(&app), start);
        let mut race = Self {
            app,
            history: Vec::new(),
            follower,
            only_updated,
            next: None,
            asked: None,
            state: None,
            replay_until: None,
            greeted: false,
            caught_up: false,
            rng,
        };
        race.append();
        race.come_back();
        race
    }

    fn append(&mut self) {
        let count = if self.rng.u8(..8) == 0 { self.rng.usize(0..900) } else { self.rng.usize(1..20) };
        let drafts = (0..count)
            .map(|_| {
                let event = event(self.history.len());
                let mut open_json = serde_json::to_vec(&event).expect("JSON");
                open_json.pop();
                self.history.push(event.clone());
                Draft { event, open_json }
            })
            .collect();
        self.app.log.append_drafts(drafts);
    }

    /// Gives the subscription up and starts another, mostly from where it stands.
    fn come_back(&mut self) {
        let epoch = self.app.log.epoch().clone();
        let after = |next: u64| Position { epoch: epoch.clone(), after: next.checked_sub(1).map(Offset) };
        let cursor = match (self.rng.u8(..8), self.next) {
            (0, _) => None,
            (1, _) => Some(Cursor::Earliest),
            (2, _) => Some(Cursor::Latest),
            (3, _) | (_, None) => Some(Cursor::At(after(self.rng.u64(0..=self.history.len() as u64)))),
            (_, Some(next)) => Some(Cursor::At(after(next))),
        };
        self.asked = match &cursor {
            Some(Cursor::At(position)) => Some(position.clone()),
            _ => None,
        };
        if self.asked.as_ref().map(|asked| asked.next().0) != self.next {
            // It starts anew, so that what it knew does not count.
            self.state = None;
        }
        let start = Start { cursor, snapshot_wanted: self.rng.u8(..6) == 0, interest: interest(self.only_updated) };
        self.follower = Follower::new(Arc::clone(&self.app), start);
        (self.greeted, self.caught_up) = (false, false);
    }

    /// Listens until there is nothing to be heard at this moment, at most `most` times.
    async fn listen(&mut self, most: usize, seen: &mut Seen) {
        for _ in 0..most {
            let heard = {
                // Dropped when nothing comes, as the other end's message makes a socket do.
                let mut hearing = pin!(self.follower.next());
                std::future::poll_fn(|context| Poll::Ready(hearing.as_mut().poll(context))).await
            };
            match heard {
                Poll::Pending => return,
                Poll::Ready(Ok(said)) => self.take(&said, seen),
                Poll::Ready(Err(FellBehind)) => {
                    assert!(self.next.expect("greeted") < self.app.log.retention().0.0, "what is held is served");
                    seen.fell_behind += 1;
                    self.come_back();
                }
            }
        }
    }

    fn take(&mut self, said: &Said, seen: &mut Seen) {
        assert_eq!(self.greeted, !matches!(said, Said::Hello(_)), "hello comes first, and once");
        match said {
            Said::Hello(greeting) => {
                self.greeted = true;
                let from = greeting.from.next().0;
                assert_eq!(greeting.head.map(|head| head.0 + 1).unwrap_or_default(), self.history.len() as u64);
                assert!(greeting.snapshot.is_some() || greeting.recovered, "a lost place gets a state");
                if let Some(asked) = &self.asked {
                    assert!(!greeting.recovered || from <= asked.next().0, "recovered is everything after it");
                    if greeting.recovered { seen.recovered += 1 } else { seen.lost += 1 }
                }
                if let Some(snapshot) = &greeting.snapshot {
                    assert_eq!(snapshot.position(), greeting.from);
                    self.state = Some(serde_json::from_str(snapshot.envelope().state.get()).expect("a state"));
                } else if from == 0 {
                    self.state = Some(Civilization::default());
                }
                self.next = Some(from);
                self.replay_until = greeting.head.map(|head| head.0);
            }
            Said::Events { first, batch } => {
                assert_eq!(Some(first.0), self.next, "no hole and nothing twice");
                let covered = (first.0..=batch.last.0).zip(self.history.iter().skip(index(first.0)));
                let wanted: Vec<u64> = covered.filter(|(_, event)| self.wants(event)).map(|(at, _)| at).collect();
                let found: Vec<u64> = batch.events.iter().map(|event| event.offset.0).collect();
                assert_eq!(found, wanted);
                for event in &batch.events {
                    self.hold(event.offset.0, &event.json);
                }
                if !self.caught_up && self.replay_until.is_none_or(|until| batch.last.0 > until) {
                    seen.told_during_replay += 1;
                }
                self.next = Some(batch.last.0 + 1);
            }
            Said::CaughtUp { offset } => {
                assert!(!std::mem::replace(&mut self.caught_up, true), "replay ends once");
                assert_eq!(offset.map(|offset| offset.0 + 1).unwrap_or_default(), self.next.expect("greeted"));
                assert!(offset.map(|offset| offset.0) >= self.replay_until, "not before all of it was said");
            }
            Said::Heartbeat { head } => {
                seen.heartbeats += 1;
                assert_eq!(head.map(|head| head.0 + 1).unwrap_or_default(), self.next.expect("greeted"));
            }
        }
    }

    fn wants(&self, event: &Event) -> bool {
        !self.only_updated || event.payload.type_name() == "monkeytown.entity.updated"
    }

    /// Holds what was sent against what was appended, and applies it.
    fn hold(&mut self, offset: u64, json: &[u8]) {
        let event = self.history.get(index(offset)).expect("only what was appended is sent").clone();
        let sent: Envelope<'_, &RawValue> = serde_json::from_slice(json).expect("an event");
        assert_eq!(sent.id, event.id);
        if let Some(state) = &mut self.state {
            state.apply(event, &mut Changes::default());
        }
    }

    async fn run(mut self, seen: &mut Seen) {
        for _ in 0..STEPS {
            match self.rng.u8(..16) {
                0..4 => self.append(),
                4..11 => {
                    let most = self.rng.usize(1..6);
                    self.listen(most, seen).await;
                }
                11..14 => tokio::time::advance(Duration::from_millis(self.rng.u64(0..60))).await,
                14 => {
                    let shows = Timestamp::from_millis(self.rng.i64(0..1_000_000));
                    self.app.log.set_clock(SourceClock { shows, rate: [1.0, 60.0][self.rng.usize(..2)] });
                }
                _ => self.come_back(),
            }
        }
        // Left alone, it gets to the end.
        for _ in 0..10_000 {
            if self.caught_up && self.next == Some(self.history.len() as u64) {
                break;
            }
            tokio::time::advance(Duration::from_millis(20)).await;
            self.listen(4, seen).await;
        }
        assert_eq!((self.caught_up, self.next), (true, Some(self.history.len() as u64)));
        if let (Some(state), false) = (self.state, self.only_updated) {
            assert_eq!(state, self.app.log.state(), "what was heard is the state of the stream");
        }
    }
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("a test is short")
}

#[test]
fn whatever_happens_meanwhile_everything_is_heard_once_and_in_order_or_a_state_comes_first() {
    let mut seen = Seen::default();
    let seeds = std::env::var("MONKEYTOWN_SEEDS").map_or(SEEDS, |seeds| seeds.parse().expect("a number of seeds"));
    for seed in 0..seeds {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.expect("a runtime").block_on(Race::new(seed).run(&mut seen));
        }));
        assert!(outcome.is_ok(), "seed {seed} fails");
    }
    println!("{seeds} seeds: {seen:?}");
    for often in [seen.recovered, seen.lost, seen.fell_behind, seen.told_during_replay, seen.heartbeats] {
        assert!(often > 10, "what this is about must happen: {seen:?}");
    }
}
