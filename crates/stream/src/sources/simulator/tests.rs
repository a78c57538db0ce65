//! The story held to what it promises: repeatable, complete, bounded, and never an end without a beginning.

use super::*;
use crate::sources::SourceClock;
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{
    EntityKind, EntityStatus, EntityVerb, Envelope, EventType, FlowStatus, Health, Payload, limits::EVENT_MAX_BYTES,
};
use proptest::prelude::*;
use serde_json::value::RawValue;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

fn simulator(rate: f64, seed: u64) -> Simulator {
    Simulator::new(SimulatorConfig { rate, seed }).expect("a rate within the bounds")
}

fn story(rate: f64, seed: u64, events: usize) -> Vec<Event> {
    let mut simulator = simulator(rate, seed);
    (0..events).map(|_| simulator.next_event()).collect()
}

#[test]
fn a_rate_that_cannot_be_told_is_refused_in_words() {
    for rate in [0.0, -1.0, 10_000.1, f64::NAN, f64::INFINITY] {
        let refusal = Simulator::new(SimulatorConfig { rate, seed: 1 }).expect_err("out of bounds");
        assert!(refusal.to_string().contains("at most 10000 events a second"), "{refusal}");
    }
    assert!(Simulator::new(SimulatorConfig { rate: 10_000.0, seed: 1 }).is_ok());
    assert!(Simulator::new(SimulatorConfig { rate: 0.001, seed: 1 }).is_ok());
}

#[test]
fn the_same_seed_tells_the_same_story_and_another_another() {
    assert_eq!(story(20.0, 7, 5_000), story(20.0, 7, 5_000));
    let lines = |seed| story(20.0, seed, 500).into_iter().map(|event| event.payload).collect::<Vec<_>>();
    assert_ne!(lines(7), lines(8));
}

#[test]
fn the_virtual_clock_moves_on_by_the_rate() {
    let events = story(4.0, 1, 9);
    let first = events.first().expect("nine events").time;
    let last = events.last().expect("nine events").time;
    assert_eq!(first.to_string(), "2026-01-18T12:00:00.000Z");
    assert_eq!(last.since_millis(first), 2_000);
}

#[test]
fn every_type_occurs_within_two_thousand_events_at_any_rate() {
    for rate in [0.5, 5.0, 100.0, 10_000.0] {
        for seed in 0..40 {
            let told: BTreeSet<String> =
                story(rate, seed, 2_000).iter().map(|event| event.payload.type_name().to_owned()).collect();
            for (_, name) in EventType::known() {
                assert!(told.contains(*name), "{name} is missing at rate {rate} with seed {seed}");
            }
        }
    }
}

#[test]
fn every_event_passes_the_checks_of_the_wire() {
    for event in story(50.0, 3, 20_000) {
        let json = serde_json::to_string(&event).expect("an event is JSON");
        assert!(json.len() <= EVENT_MAX_BYTES);
        let envelope: Envelope<'_, &RawValue> = serde_json::from_str(&json).expect("an envelope");
        envelope.check().expect("a sound envelope");
        let decoded = envelope.decode(Timestamp::default(), |data| *data).expect("sound data");
        assert_eq!(decoded, event);
    }
}

#[test]
fn no_id_is_used_twice() {
    let events = story(1_000.0, 9, 100_000);
    let ids: BTreeSet<_> = events.iter().map(|event| event.id.clone()).collect();
    assert_eq!(ids.len(), events.len());
    let mut commits = BTreeSet::new();
    for event in &events {
        if let Payload::Entity(EntityVerb::Created, patch) = &event.payload {
            assert!(commits.insert(patch.id.clone()), "{} is created twice", patch.id);
        }
    }
}

#[test]
fn nothing_ends_that_did_not_begin() {
    for rate in [2.0, 10_000.0] {
        let (mut flows, mut contracts) = (BTreeMap::new(), BTreeSet::new());
        for event in story(rate, 11, 60_000) {
            match event.payload {
                Payload::Flow(verb, flow) => {
                    let known = flows.insert(flow.id.clone(), flow.status);
                    match verb {
                        monkeytown_protocol::FlowVerb::Created => assert_eq!(known, None, "{}", flow.id),
                        _ => assert!(known.is_some_and(FlowStatus::is_open), "{} was {known:?}", flow.id),
                    }
                    assert_ne!(flow.source, flow.target);
                }
                Payload::Entity(verb, patch) if patch.id.as_str().starts_with("pull-") => match verb {
                    EntityVerb::Created => assert!(contracts.insert(patch.id)),
                    EntityVerb::Deleted => assert!(contracts.remove(&patch.id)),
                    _ if matches!(patch.status, Some(EntityStatus::Complete | EntityStatus::Error)) => {
                        assert!(contracts.remove(&patch.id));
                    }
                    _ => assert!(contracts.contains(&patch.id)),
                },
                _ => {}
            }
        }
    }
}

/// What is open at each event of a long story, once the opening is over.
fn open_flows(rate: f64, seed: u64, events: usize) -> Vec<usize> {
    let (mut civilization, mut changes) = (Civilization::default(), Changes::default());
    let mut open = Vec::new();
    for (told, event) in story(rate, seed, events).into_iter().enumerate() {
        civilization.apply(event, &mut changes);
        if told > 400 {
            open.push(civilization.flows().len());
        }
    }
    open
}

#[test]
fn some_flows_are_open_at_most_times_and_a_storm_comes_now_and_then() {
    for seed in [1, 2, 3] {
        let mut open = open_flows(20.0, seed, 60_000);
        assert!(open.iter().all(|flows| *flows <= story::FLOWS_OPEN_MAX));
        assert!(open.iter().any(|flows| *flows > 50), "no storm with seed {seed}");
        open.sort_unstable();
        let share = |percent: usize| open.get(open.len() * percent / 100).copied().expect("a percentile");
        assert!((5..=15).contains(&share(50)), "half the time {} flows", share(50));
        assert!(share(10) >= 3 && share(80) <= 20, "{} to {}", share(10), share(80));
    }
}

#[test]
fn the_fold_of_the_story_is_a_civilization_at_work() {
    let (mut civilization, mut changes) = (Civilization::default(), Changes::default());
    let mut last = Timestamp::default();
    let mut active = Vec::new();
    for (told, event) in story(4.0, 5, 20_000).into_iter().enumerate() {
        last = event.time;
        civilization.apply(event, &mut changes);
        if told > 400 && told % 100 == 0 {
            active.push(civilization.pulse(last).active_agents);
        }
    }
    let pulse = civilization.pulse(last);
    let agents = civilization.entities().filter(|(_, entity)| entity.kind == EntityKind::Agent).count();
    assert_eq!(agents, 10);
    assert!(civilization.entities().len() <= 10 + story::CONTRACTS_OPEN_MAX);
    active.sort_unstable();
    assert!(active.first() >= Some(&1), "a time at which nobody worked");
    assert!((4..=8).contains(active.get(active.len() / 2).expect("a median")), "{active:?}");
    let totals = civilization.totals();
    assert!(pulse.contracts_settled > 50 && totals.contracts_broken > 5, "{totals:?}");
    assert!(totals.transactions > 100 && totals.runs > 100 && totals.flows_broken > 50, "{totals:?}");
    assert_eq!((totals.unknown, totals.forgotten), (0, 0));
    let ended = totals.transactions + totals.contracts_settled + totals.contracts_broken + totals.runs;
    assert_eq!(civilization.history().len() as u64, ended);
}

#[test]
fn both_kinds_of_contradictions_are_seen_now_and_then_and_not_always() {
    for rate in [4.0, 10_000.0] {
        let (mut civilization, mut changes) = (Civilization::default(), Changes::default());
        let (mut over_files, mut over_claims, mut none, mut looks) = (0, 0, 0, 0);
        for (told, event) in story(rate, 3, 40_000).into_iter().enumerate() {
            let now = event.time;
            civilization.apply(event, &mut changes);
            if told % 20 == 0 {
                let found = civilization.contradictions(now);
                over_files += usize::from(found.iter().any(|found| found.a != found.b));
                over_claims += usize::from(found.iter().any(|found| found.a == found.b));
                none += usize::from(found.is_empty());
                looks += 1;
            }
        }
        assert!(over_files > 0 && over_claims > 0, "at rate {rate}: {over_files} and {over_claims} of {looks}");
        // At a high rate story time runs ahead of the clock, so that a minute holds hours of the story.
        assert!(rate > 100.0 || none * 3 > looks * 2, "at rate {rate}: none in {none} of {looks}");
    }
}

#[test]
fn one_agent_has_sub_agents_that_get_done() {
    let (mut civilization, mut changes) = (Civilization::default(), Changes::default());
    let parent = story::entity_id("alpha-orchestrator");
    let mut counts = BTreeSet::new();
    for event in story(4.0, 5, 20_000) {
        civilization.apply(event, &mut changes);
        counts.extend(civilization.children_done(&parent));
    }
    assert!(counts.contains(&(0, 3)) && counts.contains(&(3, 3)), "{counts:?}");
}

#[test]
fn health_is_said_when_it_changes_and_never_twice_the_same() {
    let said: Vec<Health> = story(20.0, 2, 60_000)
        .into_iter()
        .filter_map(|event| match event.payload {
            Payload::SystemHealth(change) => Some(change.health),
            _ => None,
        })
        .collect();
    assert!(said.contains(&Health::Healthy) && said.contains(&Health::Stressed) && said.contains(&Health::Critical));
    assert!(said.windows(2).all(|pair| pair.first() != pair.last()), "{said:?}");
}

#[test]
fn at_a_high_rate_most_events_tell_of_what_is_under_way() {
    let events = story(10_000.0, 4, 20_000);
    let under_way = events
        .iter()
        .filter(|event| {
            let name = event.payload.type_name();
            ["monkeytown.log.line", "monkeytown.flow.progress", "monkeytown.entity.metrics_updated"].contains(&name)
                || name == "monkeytown.entity.updated"
        })
        .count();
    assert!(under_way * 4 > events.len() * 3, "{under_way} of {}", events.len());
}

#[derive(Clone, Default)]
struct Batches(Arc<Mutex<Vec<Vec<Event>>>>);

impl Sink for Batches {
    async fn append(&self, events: Vec<Event>) {
        self.0.lock().expect("no test thread panics while it holds this").push(events);
    }

    fn set_clock(&self, _clock: SourceClock) {}
}

impl Batches {
    fn sizes(&self) -> Vec<usize> {
        self.0.lock().expect("no test thread panics while it holds this").iter().map(Vec::len).collect()
    }
}

/// Just past the last tick, so that whether that tick or the end comes first is no matter.
const EDGE: Duration = Duration::from_millis(5);

async fn run_for(rate: f64, time: Duration) -> Batches {
    let batches = Batches::default();
    let start = Instant::now();
    let now = move || {
        let millis = i64::try_from(start.elapsed().as_millis()).expect("a test takes minutes");
        Timestamp::from_millis(VIRTUAL_START_MILLIS + millis)
    };
    let running = simulator(rate, 1).run(batches.clone(), now);
    tokio::time::timeout(time + EDGE, running).await.expect_err("a simulator runs until it is dropped");
    batches
}

#[tokio::test(start_paused = true)]
async fn a_running_simulator_appends_exactly_its_rate_in_small_batches() {
    for (rate, seconds, told) in [(1_000.0, 10, 10_000), (10_000.0, 3, 30_000), (7.0, 60, 420), (0.5, 60, 30)] {
        let sizes = run_for(rate, Duration::from_secs(seconds)).await.sizes();
        assert_eq!(sizes.iter().sum::<usize>(), told, "at {rate} a second");
        // A tick's worth, and one more where a tick and an event fall on the same moment.
        let most = whole(rate * TICK.as_secs_f64()) + 2;
        assert!(sizes.iter().all(|size| i64::try_from(*size).expect("small") <= most), "{most}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_running_simulator_dates_events_by_the_clock_it_is_given() {
    let batches = run_for(100.0, Duration::from_secs(2)).await;
    let batches = batches.0.lock().expect("nobody else is left");
    let last = batches.last().and_then(|batch| batch.last()).expect("200 events");
    assert_eq!(last.time.to_string(), "2026-01-18T12:00:02.000Z");
    assert!(last.id.as_str().ends_with("-199"), "{}", last.id);
}

#[tokio::test(start_paused = true)]
async fn after_a_stall_no_more_than_a_second_is_made_up_for() {
    let batches = Batches::default();
    let running = simulator(1_000.0, 1).run(batches.clone(), || Timestamp::from_millis(0));
    let mut running = std::pin::pin!(running);
    tokio::time::timeout(Duration::from_secs(1) + EDGE, running.as_mut()).await.expect_err("it goes on");
    let before: usize = batches.sizes().iter().sum();
    assert_eq!(before, 1_000);
    // Nobody polls it for a minute: the machine slept.
    tokio::time::advance(Duration::from_secs(60)).await;
    tokio::time::timeout(Duration::from_millis(1), running.as_mut()).await.expect_err("it goes on");
    let after: usize = batches.sizes().iter().sum();
    assert_eq!(after - before, 1_000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_seed_and_rate_stay_within_their_bounds(seed: u64, rate in 0.001f64..10_000.0) {
        let mut simulator = simulator(rate, seed);
        for _ in 0..3_000 {
            let event = simulator.next_event();
            prop_assert!(event.id.as_str().len() < 64);
        }
        prop_assert!(simulator.story.flows.len() <= story::FLOWS_OPEN_MAX);
        prop_assert!(simulator.story.contracts.len() <= story::CONTRACTS_OPEN_MAX);
        prop_assert!(simulator.story.seeds.len() <= 5);
        prop_assert!(simulator.story.cues_waiting() <= 500);
    }
}
