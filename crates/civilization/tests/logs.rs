//! Log lines: what is held, what goes, and what a snapshot takes of them.

mod saying;

use monkeytown_civilization::{
    Changes, Civilization, LOG_BYTES_MAX, LOG_LINES_MAX, LOGS_BYTES_MAX, LOGS_MAX, SNAPSHOT_BYTES_MAX,
    SNAPSHOT_LINES_MAX,
};
use monkeytown_protocol::{EntityId, LogLevel, LogLine, Payload, Text, Timestamp};
use proptest::{prelude::*, sample::Index};
use saying::told;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

fn entity(number: usize) -> EntityId {
    EntityId::new(&format!("agent-{number}")).expect("a short plain string is an id")
}

fn say(civilization: &mut Civilization, entity: EntityId, message: &str) -> Changes {
    let mut changes = Changes::default();
    let line = LogLine { entity, level: LogLevel::Info, message: Text::fitted(message) };
    civilization.apply(told(Timestamp::default(), Payload::LogLine(line)), &mut changes);
    changes
}

fn lines(civilization: &Civilization, number: usize) -> Vec<String> {
    let log = civilization.log(&entity(number));
    log.map(|log| log.lines().map(|line| line.message.to_string()).collect()).unwrap_or_default()
}

fn bytes(civilization: &Civilization, number: usize) -> usize {
    lines(civilization, number).iter().map(String::len).sum()
}

fn missing(civilization: &Civilization, number: usize) -> u64 {
    civilization.log(&entity(number)).map(monkeytown_civilization::Log::missing).unwrap_or_default()
}

fn stored(civilization: &Civilization) -> Civilization {
    let json = serde_json::to_string(civilization).expect("a snapshot is JSON");
    serde_json::from_str(&json).expect("a snapshot is read again")
}

fn stored_bytes(civilization: &Civilization) -> usize {
    let state = serde_json::to_value(civilization).expect("a snapshot is JSON");
    state.get("logs").expect("logs are in the snapshot").to_string().len()
}

#[test]
fn a_thousand_lines_of_an_entity_are_held_and_those_before_them_are_counted() {
    let mut civilization = Civilization::default();
    for number in 0..LOG_LINES_MAX + 10 {
        let changes = say(&mut civilization, entity(1), &format!("line {number}"));
        assert!(changes.logs.contains(&entity(1)) && changes.logs.len() == 1);
    }
    let held = lines(&civilization, 1);
    assert_eq!((held.len(), missing(&civilization, 1)), (LOG_LINES_MAX, 10));
    assert_eq!(
        (held.first().map(String::as_str), held.last().map(String::as_str)),
        (Some("line 10"), Some("line 1009"))
    );
}

#[test]
fn long_lines_are_bounded_in_bytes() {
    let mut civilization = Civilization::default();
    for _ in 0..100 {
        say(&mut civilization, entity(1), &"x".repeat(2_048));
    }
    assert_eq!((lines(&civilization, 1).len(), missing(&civilization, 1)), (LOG_BYTES_MAX / 2_048, 100 - 32));
}

#[test]
fn one_that_floods_makes_room_itself_and_silences_nobody_else() {
    let mut civilization = Civilization::default();
    for number in 0..20 {
        for _ in 0..12 {
            say(&mut civilization, entity(number), &"q".repeat(2_000));
        }
    }
    let mut lost = Changes::default();
    for _ in 0..400 {
        let changes = say(&mut civilization, entity(99), &"f".repeat(2_000));
        lost.logs.extend(changes.logs.iter().cloned());
    }
    let all: usize = (0..100).map(|number| bytes(&civilization, number)).sum();
    assert!(all <= LOGS_BYTES_MAX, "{all} bytes");
    assert!((0..20).all(|number| lines(&civilization, number).len() == 12 && missing(&civilization, number) == 0));
    assert_eq!(lost.logs.len(), 1, "only the one that floods changed");
    assert!(lines(&civilization, 99).len() as u64 + missing(&civilization, 99) == 400);
}

#[test]
fn who_lost_old_lines_to_another_is_named() {
    let mut civilization = Civilization::default();
    for _ in 0..40 {
        for number in 0..8 {
            say(&mut civilization, entity(number), &"q".repeat(2_048));
        }
    }
    let before: Vec<usize> = (0..8).map(|number| lines(&civilization, number).len()).collect();
    assert_eq!(before, [32; 8], "eight full logs are all that is held");
    let changes = say(&mut civilization, entity(8), "one more");
    let shorter: Vec<EntityId> = (0..8).filter(|number| lines(&civilization, *number).len() < 32).map(entity).collect();
    assert!(!shorter.is_empty() && shorter.iter().all(|entity| changes.logs.contains(entity)));
    assert_eq!(changes.logs.len(), shorter.len() + 1);
}

#[test]
fn the_log_that_was_touched_least_goes_for_another_entity() {
    let mut civilization = Civilization::default();
    for number in 0..LOGS_MAX {
        say(&mut civilization, entity(number), "one");
    }
    say(&mut civilization, entity(0), "two");
    let changes = say(&mut civilization, entity(LOGS_MAX), "one");
    let held = (0..=LOGS_MAX).filter(|number| civilization.log(&entity(*number)).is_some()).count();
    assert!(held <= LOGS_MAX && held > LOGS_MAX / 2);
    assert!(civilization.log(&entity(0)).is_some() && civilization.log(&entity(1)).is_none());
    assert_eq!(changes.logs.len(), LOGS_MAX + 1 - held + 1);
}

#[test]
fn a_snapshot_takes_the_newest_fifty_lines_and_knows_how_many_there_were() {
    let mut civilization = Civilization::default();
    for number in 0..80 {
        say(&mut civilization, entity(1), &format!("line {number}"));
    }
    let late = stored(&civilization);
    assert_eq!(lines(&late, 1), lines(&civilization, 1)[80 - SNAPSHOT_LINES_MAX..]);
    assert_eq!(missing(&late, 1), 30);
}

#[test]
fn the_logs_of_a_snapshot_stay_within_their_bytes_whatever_they_hold() {
    for message in ["\u{1}".repeat(2_000), "\"".repeat(900), "short".to_owned(), String::new()] {
        let mut civilization = Civilization::default();
        for number in 0..LOGS_MAX {
            let long = EntityId::new(&format!("{number}{}", "\"".repeat(250))).expect("an id");
            for _ in 0..60 {
                say(&mut civilization, long.clone(), &message);
            }
        }
        assert!(stored_bytes(&civilization) <= SNAPSHOT_BYTES_MAX, "{}", stored_bytes(&civilization));
        assert!(stored_bytes(&civilization) > SNAPSHOT_BYTES_MAX / 4 || message.len() > 1_000, "room is left unused");
    }
}

#[test]
fn a_snapshot_with_too_many_lines_is_taken_within_the_bounds() {
    let mut state = serde_json::to_value(Civilization::default()).expect("a snapshot is JSON");
    let line = serde_json::json!({"time": "2026-01-18T12:00:00Z", "level": "info", "message": "x".repeat(600)});
    let log = serde_json::json!({"heard": 3, "touched": 1, "lines": vec![line; 1_500]});
    let logs = state.get_mut("logs").and_then(serde_json::Value::as_object_mut).expect("logs");
    for number in 0..LOGS_MAX * 2 {
        logs.insert(entity(number).to_string(), log.clone());
    }
    let civilization: Civilization = serde_json::from_value(state).expect("too much is not malformed");
    let held = (0..LOGS_MAX * 2).filter(|number| civilization.log(&entity(*number)).is_some()).count();
    let all: usize = (0..LOGS_MAX * 2).map(|number| bytes(&civilization, number)).sum();
    assert!((1..=LOGS_MAX).contains(&held) && (1..=LOGS_BYTES_MAX).contains(&all), "{held} logs, {all} bytes");
}

fn spoken() -> impl Strategy<Value = Vec<(usize, usize)>> {
    prop::collection::vec((0_usize..12, prop_oneof![0_usize..80, 1_500_usize..2_048]), 0..1_200)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The law of snapshots for logs: the same logs with the same counts, and of the lines an end of those that who
    /// was there from the start holds: all that came after, and the newest from before.
    #[test]
    fn who_joins_late_holds_an_end_of_every_log(spoken in spoken(), at in any::<Index>()) {
        let at = at.index(spoken.len() + 1);
        let message = |number: usize, length: usize| format!("{number} {}", "x".repeat(length));
        let mut whole = Civilization::default();
        for (number, (who, length)) in spoken.iter().enumerate().take(at) {
            say(&mut whole, entity(*who), &message(number, *length));
        }
        let mut late = stored(&whole);
        for (number, (who, length)) in spoken.iter().enumerate().skip(at) {
            say(&mut whole, entity(*who), &message(number, *length));
            say(&mut late, entity(*who), &message(number, *length));
        }
        let after_bytes: usize = spoken.iter().skip(at).map(|(_, length)| length + 8).sum();
        let over = after_bytes + SNAPSHOT_BYTES_MAX > LOGS_BYTES_MAX;
        for who in 0..12 {
            let (of_whole, of_late) = (lines(&whole, who), lines(&late, who));
            prop_assert!(of_whole.ends_with(&of_late) || of_late.ends_with(&of_whole));
            prop_assert_eq!(
                missing(&whole, who) + of_whole.len() as u64,
                missing(&late, who) + of_late.len() as u64
            );
            let after = spoken.iter().skip(at).filter(|(of, _)| *of == who).count();
            // Over the bound of all logs who loses an eighth, and when, depends on what is held of the others.
            prop_assert!(over || of_late.len() >= after.min(of_whole.len()), "a line after the snapshot is missing");
        }
    }
}
