//! The law of moments: the state at a place is all events up to it folded from the start, and what follows it, folded on,
//! is the present; whatever went from the ring, came twice, or named times out of order.

use super::{Moment, STEP_EVENTS, Unfolded};
use crate::{
    log::{Draft, Interest, KeyframeBounds, Log, Loss, ReadBounds, RingBounds, append::decoded},
    metrics::Metrics,
    random,
    sources::simulator::{Simulator, SimulatorConfig},
};
use fastrand::Rng;
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Event, Offset, Position, Timestamp};
use proptest::prelude::*;
use std::{
    hash::{DefaultHasher, Hash, Hasher},
    sync::atomic::AtomicBool,
    thread,
    time::Instant,
};

const EVERYTHING: ReadBounds = ReadBounds { events: usize::MAX, bytes: usize::MAX, scanned: usize::MAX };
const ROOMY: RingBounds = RingBounds { max_events: 1_000_000, max_bytes: 1 << 30 };
/// One keyframe, before any event.
const NONE: KeyframeBounds = KeyframeBounds { events: usize::MAX / 1_000, bytes: usize::MAX / 1_000, packed_bytes: 0 };
static GOES_ON: AtomicBool = AtomicBool::new(false);

fn log(ring: RingBounds, keyframes: KeyframeBounds) -> Log {
    Log::with_keyframes(ring, keyframes, Metrics::new(), random::epoch(), Offset(0))
}

fn draft(event: Event) -> Draft {
    let mut open_json = serde_json::to_vec(&event).unwrap();
    open_json.pop();
    Draft { event, open_json }
}

/// A story, of which some is told twice and some at times that are not its own.
fn history(seed: u64, count: usize, disorder: u32) -> Vec<Event> {
    let mut simulator = Simulator::new(SimulatorConfig { rate: 2.0, seed }).unwrap();
    let mut rng = Rng::with_seed(seed);
    let mut told: Vec<Event> = Vec::new();
    for _ in 0..count {
        let mut event = simulator.next_event();
        match rng.u32(0..100) {
            chance if chance < disorder => event.time = event.time.plus_millis(rng.i64(-200_000..200_000)),
            chance if chance < disorder + 2 => event.time = Timestamp::from_millis(i64::MAX),
            _ => {}
        }
        if !told.is_empty() && rng.u32(0..100) < disorder {
            told.push(told[rng.usize(..told.len())].clone());
        }
        told.push(event);
    }
    told
}

/// A log that was told a history, and what all of it comes to at every offset, folded from the start.
struct Told {
    log: Log,
    events: Vec<Event>,
    /// Before any event, and after each.
    states: Vec<u64>,
    clocks: Vec<Option<Timestamp>>,
    end: Civilization,
}

impl Told {
    fn beginning(log: Log) -> Self {
        let states = vec![print(&Civilization::default())];
        Self { log, events: Vec::new(), states, clocks: vec![None], end: Civilization::default() }
    }

    fn tell(&mut self, events: &[Event]) {
        self.log.append_in_memory(events.iter().cloned().map(draft).collect());
        let from = Offset(self.events.len() as u64);
        // More may have come than the ring holds: then what went is not told here, and no test does that.
        let Some(batch) = self.log.read(from, EVERYTHING, &Interest::everything()).unwrap() else { return };
        for delivery in batch.events {
            let event = decoded(&delivery.json).unwrap();
            self.end.apply(event.clone(), &mut Changes::default());
            self.events.push(event);
            self.states.push(print(&self.end));
            self.clocks.push(self.end.last_time());
        }
    }

    fn at(&self, next: usize) -> Position {
        let after = next.checked_sub(1).map(|after| Offset(after as u64));
        Position { epoch: self.log.epoch().clone(), after }
    }

    fn oldest(&self) -> usize {
        usize::try_from(self.log.oldest().position.next().0).unwrap()
    }
}

/// A state by what its JSON hashes to.
fn print(state: &Civilization) -> u64 {
    hash(&serde_json::to_string(state).unwrap())
}

fn hash(json: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    json.hash(&mut hasher);
    hasher.finish()
}

fn now<T>(what: impl Future<Output = T>) -> T {
    use futures_util::FutureExt;
    what.now_or_never().expect("nothing is waited for in memory")
}

fn folded(told: &Told, next: usize) -> Result<String, Unfolded> {
    told.log.fold_to(&told.at(next), &GOES_ON).map(|snapshot| {
        assert_eq!(snapshot.position(), told.at(next));
        snapshot.envelope().state.get().to_owned()
    })
}

/// Every place: held to the law, or refused.
fn hold_places(told: &Told) -> Result<(), TestCaseError> {
    let oldest = told.oldest();
    for next in 0..=told.events.len() {
        let found = now(told.log.find(&Moment::At(told.at(next))));
        if next < oldest {
            prop_assert_eq!(found, Err(Loss::TooOld));
            continue;
        }
        let place = found.unwrap();
        prop_assert_eq!(&place.position, &told.at(next));
        // Before the first event time is that of the first.
        let clock = told.clocks[next].or_else(|| told.clocks.get(1).copied().flatten());
        prop_assert!(clock.is_none_or(|clock| clock == place.clock), "{:?} at {}", place, next);
        let state = folded(told, next).unwrap();
        prop_assert_eq!(hash(&state), told.states[next], "the state before {}", next);
        let mut present: Civilization = serde_json::from_str(&state).unwrap();
        for event in &told.events[next..] {
            present.apply(event.clone(), &mut Changes::default());
        }
        prop_assert_eq!(print(&present), print(&told.log.state()), "what follows {}", next);
    }
    let ahead = now(told.log.find(&Moment::At(told.at(told.events.len() + 1))));
    prop_assert_eq!(ahead, Err(Loss::Ahead));
    let other = Moment::At(Position { epoch: random::epoch(), after: None });
    prop_assert_eq!(now(told.log.find(&other)), Err(Loss::Epoch));
    prop_assert_eq!(now(told.log.find(&Moment::Earliest)).unwrap().position, told.at(oldest));
    Ok(())
}

/// Every time that the history knows, and those beside it.
fn hold_times(told: &Told) -> Result<(), TestCaseError> {
    let oldest = told.oldest();
    for clock in told.clocks.iter().flatten() {
        for beside in [-1, 0, 1] {
            let time = clock.plus_millis(beside);
            let place = now(told.log.find(&Moment::Time(time))).unwrap();
            let next = told.clocks.iter().rposition(|clock| clock.is_none_or(|clock| clock <= time)).unwrap();
            prop_assert_eq!(place.position, told.at(next.max(oldest)), "{}", time);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn a_moment_is_everything_before_it_and_what_follows_is_the_present(
        seed in any::<u64>(),
        count in 0_usize..160,
        disorder in 0_u32..30,
        max_events in prop_oneof![Just(10_000_usize), 30_usize..120],
        (apart, bytes) in (1_usize..40, prop_oneof![Just(1_usize << 20), 500_usize..8_000]),
        packed_bytes in prop_oneof![Just(1_usize << 20), 3_000_usize..40_000],
        batch in 1_usize..30,
    ) {
        let bounds = KeyframeBounds { events: apart, bytes, packed_bytes };
        let mut told = Told::beginning(log(RingBounds { max_events, max_bytes: 1 << 24 }, bounds));
        for events in history(seed, count, disorder).chunks(batch) {
            told.tell(events);
        }
        hold_places(&told)?;
        hold_times(&told)?;
    }
}

/// Where states fit, the first event held is the oldest moment, and a fold is as short as it is said to be.
#[test]
fn the_oldest_moment_is_before_the_first_event_held_and_every_fold_is_bounded() {
    let bounds = KeyframeBounds { events: 50, bytes: 1 << 20, packed_bytes: 1 << 26 };
    let mut told = Told::beginning(log(RingBounds { max_events: 300, max_bytes: 1 << 24 }, bounds));
    for events in history(1, 900, 5).chunks(11) {
        told.tell(events);
        let first = told.log.retention().0;
        assert_eq!(told.log.oldest().position.next(), first);
        for next in told.oldest()..=told.events.len() {
            let until = Offset(next as u64);
            let frame = told.log.0.keyframes.before(until).unwrap();
            assert!(until.0 - frame.next.0 <= 50, "{until:?} is folded from {:?}", frame.next);
        }
    }
    hold_places(&told).unwrap();
}

/// A log line more than a snapshot takes: a state folded on from a packed one has what one folded from the start has.
#[test]
fn log_lines_that_a_snapshot_leaves_out_are_in_the_state_at_a_moment() {
    use monkeytown_protocol::{EntityId, LogLevel, LogLine, Payload, Text};
    let bounds = KeyframeBounds { events: 10, bytes: 1 << 20, packed_bytes: 1 << 26 };
    let mut told = Told::beginning(log(ROOMY, bounds));
    let mut events = history(2, 240, 0);
    for (number, event) in events.iter_mut().enumerate() {
        let entity = EntityId::new(if number % 40 == 0 { "rare" } else { "b" }).unwrap();
        let message = Text::fitted(&format!("line {number} {}", "x".repeat(number * 8)));
        event.payload = Payload::LogLine(LogLine { entity, level: LogLevel::Info, message });
    }
    told.tell(&events);
    hold_places(&told).unwrap();
}

/// Whoever appends evicts what another folds: what comes of it is right, or a refusal.
#[test]
fn what_is_evicted_while_it_is_folded_is_refused_and_never_wrong() {
    let bounds = KeyframeBounds { events: 64, bytes: 1 << 20, packed_bytes: 1 << 26 };
    let ring = RingBounds { max_events: 400, max_bytes: 1 << 24 };
    let mut told = Told::beginning(log(ring, bounds));
    let events = history(3, 2_400, 5);
    let seen = thread::scope(|scope| {
        let log = told.log.clone();
        let looking = scope.spawn(move || {
            let (mut seen, mut rng) = (Vec::new(), Rng::with_seed(4));
            while log.head().is_none_or(|head| head.0 < 2_300) {
                let (oldest, head) = (log.oldest().position.next().0, log.head().map_or(0, |head| head.0));
                let after = Offset(rng.u64(oldest..=oldest.max(head).max(oldest + 3)).max(1) - 1);
                let position = Position { epoch: log.epoch().clone(), after: Some(after) };
                if now(log.find(&Moment::At(position.clone()))).is_ok() {
                    seen.push((after, log.fold_to(&position, &GOES_ON)));
                }
            }
            seen
        });
        for events in events.chunks(100) {
            told.tell(events);
        }
        looking.join().unwrap()
    });
    let mut folded = 0;
    for (after, state) in seen {
        match state {
            Ok(state) => {
                folded += 1;
                let next = usize::try_from(after.0 + 1).unwrap();
                assert_eq!(hash(state.envelope().state.get()), told.states[next]);
            }
            Err(unfolded) => assert_eq!(unfolded, Unfolded::TooOld),
        }
    }
    assert!(folded > 10, "{folded} states were folded");
}

#[test]
fn a_fold_that_nobody_waits_for_stops() {
    let mut told = Told::beginning(log(ROOMY, NONE));
    told.tell(&history(5, STEP_EVENTS * 2, 0));
    let stopped = told.log.fold_to(&told.at(told.events.len()), &AtomicBool::new(true));
    assert_eq!(stopped.err(), Some(Unfolded::Stopped));
}

/// States so large that few fit: they are thinned evenly, within their bound, and when too much would have to be kept behind
/// the ring the oldest moment comes nearer.
#[test]
fn keyframes_that_do_not_fit_are_thinned_and_the_bound_holds() {
    let bounds = KeyframeBounds { events: 20, bytes: 20_000, packed_bytes: 120_000 };
    let mut told = Told::beginning(log(RingBounds { max_events: 400, max_bytes: 1 << 24 }, bounds));
    let mut longest = 0;
    for events in history(6, 1_500, 0).chunks(50) {
        told.tell(events);
        // Those that are still being packed are packed in a moment.
        while told.log.0.keyframes.unpacked() > 1 {
            thread::yield_now();
        }
        assert!(told.log.0.keyframes.packed_bytes() <= 120_000);
        let ring = told.log.ring();
        assert!(ring.behind_bytes() <= bounds.behind_bytes());
        drop(ring);
        for next in told.oldest()..=told.events.len() {
            let frame = told.log.0.keyframes.before(Offset(next as u64)).unwrap();
            longest = longest.max(next as u64 - frame.next.0);
        }
    }
    assert!(longest > 20 && longest < 400, "{longest}");
    hold_places(&told).unwrap();
}

/// What keyframes cost and are good for, on a million events of the simulator.
#[test]
#[ignore = "a measurement"]
fn speed_of_appending_and_of_going_to_moments() {
    let mut simulator = Simulator::new(SimulatorConfig { rate: 100.0, seed: 7 }).unwrap();
    let events: Vec<Event> = (0..1_000_000).map(|_| simulator.next_event()).collect();
    for (name, bounds) in
        [("without", NONE), ("with", KeyframeBounds::of(ROOMY)), ("without", NONE), ("with", KeyframeBounds::of(ROOMY))]
    {
        let log = log(ROOMY, bounds);
        let (mut taken, mut longest) = (0.0, 0.0_f64);
        for batch in events.chunks(200) {
            let drafts: Vec<Draft> = batch.iter().cloned().map(draft).collect();
            let begun = Instant::now();
            log.append_in_memory(drafts);
            let took = begun.elapsed().as_secs_f64();
            taken += took;
            longest = longest.max(took);
        }
        println!("{name} keyframes: {:.2} us an event, longest append of 200: {:.1} ms", taken, longest * 1e3);
        if name == "without" {
            continue;
        }
        let begun = Instant::now();
        let clone = log.state();
        println!(
            "a clone: {:.2} ms; its JSON {} bytes",
            begun.elapsed().as_secs_f64() * 1e3,
            serde_json::to_vec(&clone).unwrap().len()
        );
        while log.0.keyframes.unpacked() > 1 {
            thread::yield_now();
        }
        println!("{} keyframes, {} bytes packed", log.0.keyframes.count(), log.0.keyframes.packed_bytes());
        let frame = log.0.keyframes.before(Offset(999_999)).unwrap();
        let begun = Instant::now();
        let unpacked = frame.held.fold();
        println!("unpacking one: {:.2} ms", begun.elapsed().as_secs_f64() * 1e3);
        assert!(unpacked.last_time().is_some());
        let (mut rng, mut times, mut most) = (Rng::with_seed(8), Vec::new(), 0);
        for _ in 0..300 {
            let next = rng.u64(1..=1_000_000);
            let position = Position { epoch: log.epoch().clone(), after: Some(Offset(next - 1)) };
            most = most.max(next - log.0.keyframes.before(Offset(next)).unwrap().next.0);
            let begun = Instant::now();
            log.fold_to(&position, &GOES_ON).unwrap();
            times.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        times.sort_unstable_by(f64::total_cmp);
        println!(
            "a random moment: p50 {:.1} ms, p99 {:.1} ms, most {:.1} ms; at most {most} events",
            times[150], times[297], times[299]
        );
    }
}
