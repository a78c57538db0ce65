//! Laws of the fold, held against arbitrary events: snapshots, bounds, and what is said to have changed.

mod saying;
mod telling;

use monkeytown_civilization::{
    ALERTS_MAX, CONTRADICTIONS_MAX, Changes, Civilization, Depth, ENTITIES_MAX, FINISHED_FLOWS_MAX, FLOWS_MAX,
    HISTORY_MAX, HOUR_BINS, LANES_MAX, MARKS_MAX, SEEDS_MAX,
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Json, Payload, Timestamp, from_json,
};
use proptest::{prelude::*, sample::Index, strategy::ValueTree};
use saying::told;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};
use telling::{TIMES_MILLIS, event, flooding};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Fewer where a test has one thread and no optimizer.
const FLOODS: u32 = if cfg!(target_arch = "wasm32") { 2 } else { 4 };

fn stored(civilization: &Civilization) -> Civilization {
    let json = serde_json::to_string(civilization).expect("a snapshot is JSON");
    read_by_both(&json).expect("a snapshot is read again")
}

/// A snapshot as the stream reads it and as the page does, which must be the same.
fn read_by_both(json: &str) -> Option<Civilization> {
    let theirs = serde_json::from_str(json).ok();
    let ours = Json::parse(json).ok().and_then(|json| from_json::read(&json).ok());
    assert_eq!(ours, theirs, "{json}");
    theirs
}

fn within_bounds(civilization: &Civilization) -> bool {
    civilization.entities().len() <= ENTITIES_MAX
        && civilization.flows().len() <= FLOWS_MAX
        && civilization.finished_flows().len() <= FINISHED_FLOWS_MAX
        && civilization.history().len() <= HISTORY_MAX
        && civilization.alerts().len() <= ALERTS_MAX
        && civilization.marks(civilization.last_time().unwrap_or_default()).count() <= MARKS_MAX
        && civilization.activity().lanes().len() <= LANES_MAX
}

/// Seeds are found by id only, so the snapshot says how many there are.
fn stored_seeds(civilization: &Civilization) -> usize {
    let state = serde_json::to_value(civilization).expect("a snapshot is JSON");
    state.pointer("/seeds").and_then(Value::as_object).map_or(0, serde_json::Map::len)
}

/// A snapshot in the middle, and the rest after it, against everything from the start. Nobody here writes more
/// lines than a snapshot takes; `logs.rs` holds what is so when somebody does.
fn snapshot_law(events: &[Event], at: usize) -> Result<(), TestCaseError> {
    let (mut whole, mut whole_changes) = (Civilization::default(), Changes::default());
    let (before, after) = events.split_at(at);
    for event in before {
        whole.apply(event.clone(), &mut whole_changes);
    }
    let mut resumed = stored(&whole);
    prop_assert_eq!(&resumed, &whole);
    let mut resumed_changes = Changes::default();
    whole_changes = Changes::default();
    for event in after {
        whole.apply(event.clone(), &mut whole_changes);
        resumed.apply(event.clone(), &mut resumed_changes);
    }
    prop_assert_eq!(&resumed, &whole);
    prop_assert_eq!(resumed_changes, whole_changes);
    prop_assert_eq!(stored(&resumed), whole);
    Ok(())
}

/// Everything that a key stands for, as it is.
fn keyed(civilization: &Civilization) -> BTreeMap<String, Value> {
    let state = serde_json::to_value(civilization).expect("a snapshot is JSON");
    let mut all = BTreeMap::new();
    for part in ["entities", "flows", "seeds", "logs"] {
        for (id, value) in state.get(part).and_then(Value::as_object).into_iter().flatten() {
            all.insert(format!("{part}/{id}"), value.clone());
        }
    }
    for flow in civilization.finished_flows() {
        all.insert(format!("finished/{}", flow.flow.id), json!([flow.flow, flow.time]));
    }
    all
}

/// The keys of `keyed` that are said to have changed.
fn named(changes: &Changes) -> BTreeSet<String> {
    let entities = changes.entities.iter().map(|id| format!("entities/{id}"));
    let flows = changes.flows.iter().flat_map(|id| [format!("flows/{id}"), format!("finished/{id}")]);
    let seeds = changes.seeds.iter().map(|id| format!("seeds/{id}"));
    let logs = changes.logs.iter().map(|id| format!("logs/{id}"));
    entities.chain(flows).chain(seeds).chain(logs).collect()
}

fn changes_law(before: &Civilization, after: &Civilization, changes: &Changes) -> Result<(), TestCaseError> {
    let (was, is, named) = (keyed(before), keyed(after), named(changes));
    for (key, value) in &is {
        prop_assert!(was.get(key) == Some(value) || named.contains(key), "{} changed unsaid", key);
    }
    // Of what has ended only the newest are kept, and that they go in time is no change.
    for key in was.keys().filter(|key| !is.contains_key(*key) && !key.starts_with("finished/")) {
        prop_assert!(named.contains(key), "{} went unsaid", key);
    }
    let history = |civilization: &Civilization| civilization.history().cloned().collect::<Vec<_>>();
    prop_assert!(history(before) == history(after) || changes.history, "history changed unsaid");
    let system = |civilization: &Civilization| {
        let alerts: Vec<_> = civilization.alerts().map(|(id, alert)| (id.clone(), alert.clone())).collect();
        let totals = civilization.totals();
        (alerts, totals.log_lines, totals.unknown)
    };
    prop_assert!(system(before) == system(after) || changes.system, "alerts or counts changed unsaid");
    Ok(())
}

proptest! {
    #[test]
    fn a_snapshot_and_the_rest_is_the_same_as_everything(
        events in prop::collection::vec(event(12), 0..200), at in any::<Index>()
    ) {
        snapshot_law(&events, at.index(events.len() + 1))?;
    }

    #[test]
    fn what_changed_is_named(events in prop::collection::vec(event(8), 1..60)) {
        let mut civilization = Civilization::default();
        for event in events {
            let (before, mut changes) = (civilization.clone(), Changes::default());
            civilization.apply(event, &mut changes);
            changes_law(&before, &civilization, &changes)?;
        }
    }

    #[test]
    fn the_pulse_counts_what_is_held(events in prop::collection::vec(event(30), 0..150)) {
        let mut civilization = Civilization::default();
        for event in events {
            civilization.apply(event, &mut Changes::default());
        }
        // Long after any report, so that everything is derived.
        let pulse = civilization.pulse(Timestamp::from_millis(TIMES_MILLIS.end + 60_000));
        let active = civilization.entities().filter(|(_, entity)| {
            entity.kind == EntityKind::Agent && matches!(entity.status, EntityStatus::Active | EntityStatus::Processing)
        });
        prop_assert_eq!(pulse.active_agents as usize, active.count());
        prop_assert_eq!(pulse.pending_flows as usize, civilization.flows().len());
        prop_assert!(civilization.flows().all(|(_, flow)| flow.flow.status.is_open()));
        prop_assert!(civilization.entities().all(|(_, entity)| entity.kind == EntityKind::Agent
            || !matches!(entity.status, EntityStatus::Complete | EntityStatus::Error)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: FLOODS, max_shrink_iters: 64, ..ProptestConfig::default() })]

    #[test]
    fn floods_of_ids_stay_within_the_bounds_and_a_snapshot_amid_them_holds(
        bits in prop::collection::vec(any::<u64>(), 12_000), at in any::<Index>()
    ) {
        let events: Vec<Event> = bits.into_iter().map(flooding).collect();
        snapshot_law(&events, at.index(events.len()))?;
        let mut civilization = Civilization::default();
        let (mut forgotten, mut entities) = (0, BTreeSet::new());
        for (number, event) in events.into_iter().enumerate() {
            // Comparing whole states is slow, so only some events are looked at that closely.
            let before = (number % 4_000 == 3_999).then(|| civilization.clone());
            let mut changes = Changes::default();
            civilization.apply(event, &mut changes);
            if civilization.totals().forgotten != forgotten {
                forgotten = civilization.totals().forgotten;
                prop_assert!(within_bounds(&civilization));
            }
            if let Some(before) = before {
                changes_law(&before, &civilization, &changes)?;
            }
            entities.extend(changes.entities.iter().cloned());
        }
        prop_assert!(within_bounds(&civilization) && stored_seeds(&civilization) <= SEEDS_MAX);
        prop_assert!(forgotten > 0 && entities.len() > ENTITIES_MAX, "the flood was no flood");
    }
}

fn agent_id(number: usize) -> EntityId {
    EntityId::new(&format!("agent-{number:05}")).expect("a short plain string is an id")
}

fn opened(number: usize) -> Event {
    let mut patch = EntityPatch::of(agent_id(number));
    patch.kind = Some(EntityKind::Agent);
    told(Timestamp::default(), Payload::Entity(EntityVerb::Created, Box::new(patch)))
}

#[test]
fn the_least_recently_touched_make_room_and_are_named_and_counted() {
    let mut civilization = Civilization::default();
    for number in 0..ENTITIES_MAX {
        civilization.apply(opened(number), &mut Changes::default());
    }
    assert_eq!((civilization.entities().len(), civilization.totals().forgotten), (ENTITIES_MAX, 0));
    // The first is heard of again, so the second is the oldest now.
    civilization.apply(opened(0), &mut Changes::default());
    let mut changes = Changes::default();
    civilization.apply(opened(ENTITIES_MAX), &mut changes);
    let forgotten = civilization.totals().forgotten;
    assert!(forgotten > 0 && civilization.entities().len() as u64 == ENTITIES_MAX as u64 + 1 - forgotten);
    assert_eq!(changes.entities.len() as u64, forgotten + 1);
    let held = |number| civilization.entity(&agent_id(number)).is_some();
    assert!(held(0) && !held(1) && held(ENTITIES_MAX - 1) && held(ENTITIES_MAX));
    assert!(changes.entities.contains(&agent_id(1)) && changes.entities.contains(&agent_id(ENTITIES_MAX)));
}

static RICH: LazyLock<Value> = LazyLock::new(rich);

/// A snapshot in which everything occurs, to be tampered with.
fn rich() -> Value {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut civilization = Civilization::default();
    for _ in 0..200 {
        let event = event(12).new_tree(&mut runner).expect("a strategy without filters").current();
        civilization.apply(event, &mut Changes::default());
    }
    let state = serde_json::to_value(&civilization).expect("a snapshot is JSON");
    for part in ["entities", "flows", "seeds", "alerts", "logs"] {
        assert!(state.get(part).and_then(Value::as_object).is_some_and(|part| !part.is_empty()), "no {part}");
    }
    let lanes = state.pointer("/activity/lanes").and_then(Value::as_object);
    assert!(lanes.is_some_and(|lanes| !lanes.is_empty()), "no lanes");
    for part in ["/finished_flows", "/history", "/marks/marks"] {
        assert!(state.pointer(part).and_then(Value::as_array).is_some_and(|part| !part.is_empty()), "no {part}");
    }
    state
}

/// Every place in a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                places(item, &format!("{at}/{number}"), found);
            }
        }
        Value::Object(fields) => {
            for (key, field) in fields {
                places(field, &format!("{at}/{}", key.replace('~', "~0").replace('/', "~1")), found);
            }
        }
        _ => {}
    }
}

fn nonsense() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        Just(json!(u64::MAX)),
        Just(json!(i64::MIN)),
        Just(json!(-1)),
        Just(json!(0)),
        Just(json!(1e300)),
        Just(json!(true)),
        Just(json!("")),
        Just(json!("9999-12-31T23:59:59.999Z")),
        Just(json!("0000-01-01T00:00:00.000Z")),
        Just(json!("complete")),
        Just(json!("contract")),
        Just(json!([])),
        Just(json!({})),
        Just(json!("x".repeat(3_000))),
        any::<u64>().prop_map(|number| json!(number)),
        ".{0,20}".prop_map(|text| json!(text)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_snapshot_that_was_tampered_with_makes_no_panic(
        tampered in prop::collection::vec((any::<Index>(), nonsense()), 1..4),
        events in prop::collection::vec(event(12), 1..20),
    ) {
        let mut state = RICH.clone();
        for (place, nonsense) in tampered {
            let mut found = Vec::new();
            places(&state, "", &mut found);
            if let Some(value) = state.pointer_mut(place.get(&found[..]).as_str()) {
                *value = nonsense;
            }
        }
        // Refused is fine; taken, it must bear whatever follows.
        if let Some(mut civilization) = read_by_both(&state.to_string()) {
            for event in events {
                let _ = civilization.pulse(civilization.last_time().unwrap_or_default());
                let now = civilization.last_time().unwrap_or_default();
                prop_assert!(civilization.contradictions(now).len() <= CONTRADICTIONS_MAX);
                let _ = (civilization.trend(now), civilization.quiet_since());
                let activity = civilization.activity();
                for depth in [Depth::Hour, Depth::Day, Depth::Week, Depth::All] {
                    let _ = activity.bins(depth, now).map(u64::from).sum::<u64>();
                    for agent in activity.lanes() {
                        let lane = activity.lane(agent, depth, now);
                        prop_assert!(lane.is_some_and(|lane| lane.count() == HOUR_BINS));
                    }
                }
                for agent in activity.lanes() {
                    prop_assert!(activity.days(agent, now).is_some());
                }
                civilization.apply(event, &mut Changes::default());
            }
            prop_assert!(within_bounds(&civilization) && stored_seeds(&civilization) <= SEEDS_MAX);
            let _ = stored(&civilization);
        }
    }
}

#[test]
fn a_snapshot_over_the_bounds_is_taken_within_them() {
    let mut state = RICH.clone();
    for (part, count) in [
        ("/entities", ENTITIES_MAX),
        ("/flows", FLOWS_MAX),
        ("/seeds", SEEDS_MAX),
        ("/alerts", ALERTS_MAX),
        ("/activity/lanes", LANES_MAX),
    ] {
        let part = state.pointer_mut(part).and_then(Value::as_object_mut).expect("a rich snapshot holds every part");
        let one = part.values().next().expect("a rich snapshot holds every part").clone();
        part.extend((0..count * 2).map(|number| (format!("more-{number}"), one.clone())));
    }
    for (part, count) in
        [("/finished_flows", FINISHED_FLOWS_MAX), ("/history", HISTORY_MAX), ("/marks/marks", MARKS_MAX)]
    {
        let part = state.pointer_mut(part).and_then(Value::as_array_mut).expect("a rich snapshot holds every part");
        let one = part.first().expect("a rich snapshot holds every part").clone();
        part.extend(std::iter::repeat_n(one, count * 2));
    }
    let civilization = read_by_both(&state.to_string()).expect("too much is not malformed");
    assert!(within_bounds(&civilization) && (1..=SEEDS_MAX).contains(&stored_seeds(&civilization)));
    let mut numbers: Vec<u64> = civilization.history().map(|item| item.number).collect();
    numbers.dedup();
    assert_eq!(numbers.len(), HISTORY_MAX, "no number is used twice");
}

#[test]
fn a_snapshot_with_nothing_in_it_is_the_beginning() {
    assert_eq!(serde_json::from_str::<Civilization>("{}").ok(), Some(Civilization::default()));
}

#[test]
fn counts_at_their_end_stay_there() {
    let mut state = RICH.clone();
    for count in state.get_mut("totals").and_then(Value::as_object_mut).expect("totals").values_mut() {
        *count = json!(u64::MAX);
    }
    let mut civilization: Civilization = serde_json::from_value(state).expect("large counts are counts");
    let before = civilization.totals();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for _ in 0..400 {
        let event = event(100).new_tree(&mut runner).expect("a strategy without filters").current();
        civilization.apply(event, &mut Changes::default());
    }
    assert_eq!(civilization.totals(), before);
}
