//! The replay race, one step at a time: appending, listening, waiting, giving up and coming back, in any order that a
//! seed gives, by one or by several who share frames. What is heard must be everything, once, in order, or a state and
//! everything after it.

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
    /// Frames that one had and another had made.
    shared: u64,
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

/// A history, and those who listen to it.
struct Race {
    rng: Rng,
    app: Arc<App>,
    history: Vec<Event>,
    listeners: Vec<Listener>,
}

/// One of those who listen, and what must come next.
struct Listener {
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
        let mut race = Self { rng, app, history: Vec::new(), listeners: Vec::new() };
        race.append();
        for _ in 0..race.rng.usize(1..5) {
            let only_updated = race.rng.bool();
            race.listeners.push(Listener::new(&race.app, only_updated));
        }
        for at in 0..race.listeners.len() {
            race.come_back(at);
        }
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
        self.app.log.append_in_memory(drafts);
    }

    /// One gives the subscription up and starts another, mostly from where it stands.
    fn come_back(&mut self, at: usize) {
        let listener = &mut self.listeners[at];
        let epoch = self.app.log.epoch().clone();
        let after = |next: u64| Position { epoch: epoch.clone(), after: next.checked_sub(1).map(Offset) };
        let cursor = match (self.rng.u8(..8), listener.next) {
            (0, _) => None,
            (1, _) => Some(Cursor::Earliest),
            (2, _) => Some(Cursor::Latest),
            (3, _) | (_, None) => Some(Cursor::At(after(self.rng.u64(0..=self.history.len() as u64)))),
            (_, Some(next)) => Some(Cursor::At(after(next))),
        };
        listener.come_back(&self.app, cursor, self.rng.u8(..6) == 0);
    }

    /// One listens until there is nothing to be heard at this moment, at most `most` times.
    async fn listen(&mut self, at: usize, most: usize, seen: &mut Seen) {
        for _ in 0..most {
            let listener = &mut self.listeners[at];
            let heard = {
                // Dropped when nothing comes, as the other end's message makes a socket do.
                let mut hearing = pin!(listener.follower.next());
                std::future::poll_fn(|context| Poll::Ready(hearing.as_mut().poll(context))).await
            };
            match heard {
                Poll::Pending => return,
                Poll::Ready(Ok(said)) => listener.take(&said, &self.history, seen),
                Poll::Ready(Err(FellBehind)) => {
                    assert!(listener.next.expect("greeted") < self.app.log.retention().0.0, "what is held is served");
                    seen.fell_behind += 1;
                    self.come_back(at);
                }
            }
        }
    }

    async fn run(mut self, seen: &mut Seen) {
        let ticking = Arc::clone(&self.app);
        let _ticking = Ended(tokio::spawn(async move { match ticking.fanout.run(&ticking.log).await {} }));
        for _ in 0..STEPS {
            let at = self.rng.usize(..self.listeners.len());
            match self.rng.u8(..16) {
                0..4 => self.append(),
                4..11 => {
                    let most = self.rng.usize(1..6);
                    self.listen(at, most, seen).await;
                }
                11 => tokio::task::yield_now().await,
                12..14 => tokio::time::advance(Duration::from_millis(self.rng.u64(0..60))).await,
                14 => {
                    let shows = Timestamp::from_millis(self.rng.i64(0..1_000_000));
                    self.app.log.set_clock(SourceClock { shows, rate: [1.0, 60.0][self.rng.usize(..2)] });
                }
                _ => self.come_back(at),
            }
        }
        // Left alone, all get to the end.
        let end = Some(self.history.len() as u64);
        let there = |listener: &Listener| (listener.caught_up, listener.next) == (true, end);
        for _ in 0..10_000 {
            if self.listeners.iter().all(there) {
                break;
            }
            tokio::time::advance(Duration::from_millis(20)).await;
            for at in 0..self.listeners.len() {
                self.listen(at, 4, seen).await;
            }
        }
        for listener in &self.listeners {
            assert_eq!((listener.caught_up, listener.next), (true, end));
            if let (Some(state), false) = (&listener.state, listener.only_updated) {
                assert_eq!(*state, self.app.log.state(), "what was heard is the state of the stream");
            }
        }
        seen.shared += self.app.fanout.shared();
    }
}

/// A task that ends with the race.
struct Ended(tokio::task::JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Listener {
    fn new(app: &Arc<App>, only_updated: bool) -> Self {
        let start = Start { cursor: Some(Cursor::Earliest), snapshot_wanted: false, interest: interest(only_updated) };
        Self {
            follower: Follower::new(Arc::clone(app), start),
            only_updated,
            next: None,
            asked: None,
            state: None,
            replay_until: None,
            greeted: false,
            caught_up: false,
        }
    }

    fn come_back(&mut self, app: &Arc<App>, cursor: Option<Cursor>, snapshot_wanted: bool) {
        self.asked = match &cursor {
            Some(Cursor::At(position)) => Some(position.clone()),
            _ => None,
        };
        if self.asked.as_ref().map(|asked| asked.next().0) != self.next {
            // It starts anew, so that what it knew does not count.
            self.state = None;
        }
        let start = Start { cursor, snapshot_wanted, interest: interest(self.only_updated) };
        self.follower = Follower::new(Arc::clone(app), start);
        (self.greeted, self.caught_up) = (false, false);
    }

    fn take(&mut self, said: &Said, history: &[Event], seen: &mut Seen) {
        assert_eq!(self.greeted, !matches!(said, Said::Hello(_)), "hello comes first, and once");
        match said {
            Said::Hello(greeting) => {
                self.greeted = true;
                let from = greeting.from.next().0;
                assert_eq!(greeting.head.map(|head| head.0 + 1).unwrap_or_default(), history.len() as u64);
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
            Said::Events(frame) => {
                let (first, batch) = (&frame.first, &frame.batch);
                assert_eq!(Some(first.0), self.next, "no hole and nothing twice");
                let covered = (first.0..=batch.last.0).zip(history.iter().skip(index(first.0)));
                let wanted: Vec<u64> = covered.filter(|(_, event)| self.wants(event)).map(|(at, _)| at).collect();
                let found: Vec<u64> = batch.events.iter().map(|event| event.offset.0).collect();
                assert_eq!(found, wanted, "interests do not mix");
                for event in &batch.events {
                    self.hold(event.offset.0, &event.json, history);
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
    fn hold(&mut self, offset: u64, json: &[u8], history: &[Event]) {
        let event = history.get(index(offset)).expect("only what was appended is sent").clone();
        let sent: Envelope<'_, &RawValue> = serde_json::from_slice(json).expect("an event");
        assert_eq!(sent.id, event.id);
        if let Some(state) = &mut self.state {
            state.apply(event, &mut Changes::default());
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
            runtime.expect("a runtime").block_on(async { Race::new(seed).run(&mut seen).await });
        }));
        assert!(outcome.is_ok(), "seed {seed} fails");
    }
    println!("{seeds} seeds: {seen:?}");
    assert!(seen.shared > 10, "what this is about must happen: {seen:?}");
    for often in [seen.recovered, seen.lost, seen.fell_behind, seen.told_during_replay, seen.heartbeats] {
        assert!(often > 10, "what this is about must happen: {seen:?}");
    }
}
