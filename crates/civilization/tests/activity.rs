//! When things happened, against the plainest way of counting: every event kept.

mod saying;

use monkeytown_civilization::{
    BIN_MILLIS, Changes, Civilization, DAY_BIN_MILLIS, DAY_BINS, DAYS, Depth, HALF_HOUR_MILLIS, HOUR_BINS, LANES_MAX,
    WEEK_BIN_MILLIS,
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, LogLevel, LogLine, Payload, Text, Timestamp,
};
use proptest::prelude::*;
use saying::told;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// 2026-01-18T12:00:00Z
const NOON_MILLIS: i64 = 1_768_737_600_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOON_MILLIS + seconds * 1_000)
}

fn agent(number: usize) -> EntityId {
    EntityId::new(&format!("agent-{number}")).expect("a short plain string is an id")
}

fn becomes(seconds: i64, number: usize, status: EntityStatus) -> Event {
    let patch = EntityPatch { kind: Some(EntityKind::Agent), status: Some(status), ..EntityPatch::of(agent(number)) };
    told(at(seconds), Payload::Entity(EntityVerb::StatusChanged, Box::new(patch)))
}

fn line(seconds: i64) -> Event {
    let line = LogLine { entity: agent(0), level: LogLevel::Info, message: Text::fitted("a line") };
    told(at(seconds), Payload::LogLine(line))
}

fn fold(events: impl IntoIterator<Item = Event>) -> Civilization {
    let mut civilization = Civilization::default();
    for event in events {
        civilization.apply(event, &mut Changes::default());
    }
    civilization
}

fn bins(civilization: &Civilization, now: i64) -> Vec<u32> {
    civilization.activity().bins(Depth::Hour, at(now)).collect()
}

/// Which of the bins, counted back from the one of `now`, are set.
fn lane(civilization: &Civilization, number: usize, now: i64) -> Vec<usize> {
    let lane = civilization.activity().lane(&agent(number), Depth::Hour, at(now)).expect("an agent that was at work");
    let last = HOUR_BINS - 1;
    let mut back: Vec<usize> = lane.enumerate().filter(|(_, on)| *on).map(|(bin, _)| last - bin).collect();
    back.reverse();
    back
}

#[test]
fn before_anything_happens_every_bin_is_empty() {
    assert_eq!(bins(&Civilization::default(), 0), vec![0; HOUR_BINS]);
    assert!(Civilization::default().activity().lane(&agent(1), Depth::Hour, at(0)).is_none());
}

#[test]
fn a_late_event_lands_in_its_own_half_minute_and_one_too_late_in_none() {
    let civilization = fold([line(0), line(3_599), line(3_599), line(-1), line(30)]);
    let seen = bins(&civilization, 3_599);
    assert_eq!((seen[0], seen[1], seen[HOUR_BINS - 1], seen.iter().sum::<u32>()), (1, 1, 2, 4));
}

#[test]
fn the_hour_moves_on_with_the_clock_and_empties() {
    let civilization = fold([line(0), line(10), line(40)]);
    assert_eq!(bins(&civilization, 100)[HOUR_BINS - 4..], [2, 1, 0, 0]);
    assert_eq!(bins(&civilization, 40)[HOUR_BINS - 2..], [2, 1]);
    assert_eq!(bins(&civilization, 10)[HOUR_BINS - 1..], [2], "what is not yet is not shown");
    assert_eq!(bins(&civilization, 3_640).iter().sum::<u32>(), 0);
}

#[test]
fn after_a_leap_of_the_clock_nothing_old_shows_through() {
    let year = 365 * 86_400;
    let civilization =
        fold([line(0), becomes(0, 1, EntityStatus::Active), becomes(20, 1, EntityStatus::Idle), line(year)]);
    assert_eq!(bins(&civilization, year)[HOUR_BINS - 1], 1);
    assert_eq!(bins(&civilization, year).iter().sum::<u32>(), 1);
    assert!(lane(&civilization, 1, year).is_empty());
    assert_eq!(civilization.activity().days(&agent(1), at(year)).expect("a lane").filter(|on| *on).count(), 0);
}

#[test]
fn an_agent_is_at_work_between_its_events_too_until_it_rests() {
    let mut civilization = fold([becomes(0, 1, EntityStatus::Active), becomes(65, 1, EntityStatus::Processing)]);
    assert_eq!(lane(&civilization, 1, 70), [0, 1, 2]);
    assert_eq!(lane(&civilization, 1, 95), [0, 1, 2, 3], "it goes on while nothing else is heard");
    civilization.apply(becomes(100, 1, EntityStatus::Complete), &mut Changes::default());
    assert_eq!(lane(&civilization, 1, 100), [0, 1, 2, 3]);
    assert_eq!(lane(&civilization, 1, 190), [3, 4, 5, 6]);
    assert_eq!(lane(&civilization, 1, 3_600), [117, 118, 119], "the first half minute has left the hour");
}

#[test]
fn an_agent_that_is_gone_is_no_longer_at_work() {
    let gone = EntityPatch::of(agent(1));
    let civilization =
        fold([becomes(0, 1, EntityStatus::Active), told(at(31), Payload::Entity(EntityVerb::Deleted, Box::new(gone)))]);
    assert_eq!(lane(&civilization, 1, 91), [2, 3]);
}

#[test]
fn six_days_are_told_in_half_hours_from_midnight_on() {
    let day = 86_400;
    let civilization = fold([
        becomes(-5 * day, 1, EntityStatus::Active),
        becomes(-5 * day + 3_600, 1, EntityStatus::Idle),
        becomes(0, 1, EntityStatus::Active),
    ]);
    let on = |now| -> Vec<usize> {
        let days = civilization.activity().days(&agent(1), at(now)).expect("a lane");
        assert_eq!(days.len(), DAYS * DAY_BINS);
        days.enumerate().filter(|(_, on)| *on).map(|(bin, _)| bin).collect()
    };
    let noon = DAY_BINS / 2;
    assert_eq!(on(0), [noon, noon + 1, noon + 2, 5 * DAY_BINS + noon]);
    assert_eq!(on(3_600).last(), Some(&(5 * DAY_BINS + noon + 2)), "it is still at work");
    assert_eq!(on(day).first(), Some(&(4 * DAY_BINS + noon)), "the day before yesterday's week is over");
}

#[test]
fn the_lane_that_was_touched_least_makes_room_for_another() {
    let mut civilization = fold((0..LANES_MAX).map(|number| becomes(0, number, EntityStatus::Active)));
    assert_eq!(civilization.activity().lanes().len(), LANES_MAX);
    civilization.apply(becomes(1, 0, EntityStatus::Processing), &mut Changes::default());
    civilization.apply(becomes(2, LANES_MAX, EntityStatus::Active), &mut Changes::default());
    assert!(civilization.activity().lanes().len() <= LANES_MAX);
    let held = |number| civilization.activity().lane(&agent(number), Depth::Hour, at(2)).is_some();
    assert!(held(0) && !held(1) && held(LANES_MAX - 1) && held(LANES_MAX));
}

#[test]
fn at_the_edges_of_time_nothing_overflows() {
    let edges = [i64::MIN, i64::MAX, 0, i64::MIN, i64::MAX];
    let mut civilization = Civilization::default();
    for millis in edges {
        for status in [EntityStatus::Active, EntityStatus::Idle] {
            let mut event = becomes(0, 1, status);
            event.time = Timestamp::from_millis(millis);
            civilization.apply(event, &mut Changes::default());
        }
    }
    for millis in edges {
        let now = Timestamp::from_millis(millis);
        let hour: u32 = civilization.activity().bins(Depth::Hour, now).sum();
        assert_eq!(hour, if millis == i64::MAX { 4 } else { 0 });
        let all: u32 = civilization.activity().bins(Depth::All, now).sum();
        let lane = civilization.activity().lane(&agent(1), Depth::All, now).expect("a lane");
        assert_eq!(lane.len(), HOUR_BINS);
        // Four came before all that was held by then, or are not yet.
        assert!(all <= 10);
        assert!(civilization.activity().days(&agent(1), now).is_some());
    }
}

#[test]
fn all_of_it_is_held_in_bins_as_wide_as_that_needs() {
    let day = 86_400;
    let civilization = fold([line(0), line(10), line(90 * day), line(40 * day)]);
    let now = at(90 * day);
    let width = civilization.activity().bin_millis(Depth::All, now);
    let all: Vec<u32> = civilization.activity().bins(Depth::All, now).collect();
    assert_eq!(width, BIN_MILLIS << 12, "three months in 120 bins of 34 hours");
    assert_eq!((all.iter().sum::<u32>(), all[HOUR_BINS - 1]), (4, 1));
    let later = at(300 * day);
    let all: Vec<u32> = civilization.activity().bins(Depth::All, later).collect();
    assert_eq!(all.iter().sum::<u32>(), 4, "what was first stays while nothing else happens");
    assert_eq!(civilization.activity().bin_millis(Depth::All, later), BIN_MILLIS << 13);
}

#[test]
fn a_snapshot_of_before_there_were_depths_begins_them_with_its_hour() {
    let civilization = fold([line(0), becomes(60, 1, EntityStatus::Active), line(600)]);
    let mut old = serde_json::to_value(&civilization).expect("a fold can be written");
    let activity = old["activity"].as_object_mut().expect("an object");
    for part in ["day", "week", "all"] {
        assert!(activity.remove(part).is_some());
        activity["lanes"]["agent-1"].as_object_mut().expect("an object").remove(part);
    }
    let mut read: Civilization = serde_json::from_value(old).expect("an old snapshot can be read");
    assert_eq!(read, civilization);
    let next = || becomes(5_000, 1, EntityStatus::Idle);
    read.apply(next(), &mut Changes::default());
    let on = |depth| read.activity().lane(&agent(1), depth, at(5_000)).expect("a lane").filter(|on| *on).count();
    assert_eq!(on(Depth::Day), 7, "from the first minute to 83 minutes later");
}

fn happenings() -> impl Strategy<Value = Vec<(i64, usize, bool)>> {
    prop::collection::vec((-8_000_i64..8_000, 0_usize..3, any::<bool>()), 1..200)
}

proptest! {
    #[test]
    fn the_bins_hold_what_counting_every_event_gives(happenings in happenings(), now in -9_000_i64..13_000) {
        let civilization = fold(happenings.iter().map(|(seconds, ..)| line(*seconds)));
        let bin = |seconds: i64| at(seconds).millis().div_euclid(BIN_MILLIS);
        let newest = happenings.iter().map(|(seconds, ..)| bin(*seconds)).max().expect("at least one");
        let hour = i64::try_from(HOUR_BINS).expect("120");
        let expected: Vec<u32> = (bin(now) - hour + 1..=bin(now))
            .map(|wanted| {
                let here = happenings.iter().filter(|(seconds, ..)| bin(*seconds) == wanted && wanted > newest - hour);
                u32::try_from(here.count()).expect("at most 200")
            })
            .collect();
        prop_assert_eq!(bins(&civilization, now), expected);
    }

    #[test]
    fn each_depth_holds_what_counting_every_event_gives(
        happenings in prop::collection::vec((-800_000_i64..800_000, 0_u32..12), 1..80),
        later in 0_i64..4_000_000,
    ) {
        // Some lie near each other, some far.
        let times: Vec<i64> = happenings.iter().map(|(seconds, nearer)| seconds >> nearer).collect();
        let civilization = fold(times.iter().map(|seconds| line(*seconds)));
        let now = at(times.iter().max().expect("at least one") + later);
        let hold = i64::try_from(HOUR_BINS).expect("120");
        let bin = |time: Timestamp, width: i64| time.millis().div_euclid(width);
        let tell = |held: &[i64], width: i64| -> Vec<u32> {
            (bin(now, width) - hold + 1..=bin(now, width))
                .map(|wanted| {
                    let here = held.iter().filter(|seconds| bin(at(**seconds), width) == wanted).count();
                    u32::try_from(here).expect("at most 80")
                })
                .collect()
        };
        let newest = at(*times.iter().max().expect("at least one"));
        for (depth, width) in [(Depth::Day, DAY_BIN_MILLIS), (Depth::Week, WEEK_BIN_MILLIS)] {
            let mut held = times.clone();
            held.retain(|seconds| bin(at(*seconds), width) > bin(newest, width) - hold);
            let seen: Vec<u32> = civilization.activity().bins(depth, now).collect();
            prop_assert_eq!(seen, tell(&held, width), "{:?}", depth);
        }
        // Of all, what came too late for the bins of then is in none, and what was once counted stays.
        let (mut held, mut width) = (Vec::new(), BIN_MILLIS);
        let fits = |from: i64, until: Timestamp, width| bin(until, width) - bin(at(from), width) < hold;
        for seconds in times {
            if held.iter().all(|before| fits(seconds, at(*before), width)) {
                held.push(seconds);
            }
            let newest = at(*held.iter().max().expect("the first is held"));
            while !fits(*held.iter().min().expect("the first is held"), newest, width) {
                width *= 2;
            }
        }
        while !fits(*held.iter().min().expect("the first is held"), now, width) {
            width *= 2;
        }
        prop_assert_eq!(civilization.activity().bin_millis(Depth::All, now), width);
        let seen: Vec<u32> = civilization.activity().bins(Depth::All, now).collect();
        prop_assert_eq!(seen, tell(&held, width));
    }

    /// Of events in the order of their times: an agent was at work in a bin when any moment of it lies in a stretch
    /// between an event that says so and the next.
    #[test]
    fn the_lanes_hold_what_the_stretches_of_work_give(mut happenings in happenings(), later in 0_i64..4_000) {
        happenings.sort_unstable();
        let events = happenings.iter().map(|(seconds, number, working)| {
            becomes(*seconds, *number, if *working { EntityStatus::Active } else { EntityStatus::Idle })
        });
        let civilization = fold(events);
        let now = happenings.last().expect("at least one").0 + later;
        for number in 0..3 {
            let told: Vec<(i64, bool)> =
                happenings.iter().filter(|(_, of, _)| *of == number).map(|(seconds, _, on)| (*seconds, *on)).collect();
            let at_work = |from_millis: i64, width: i64| {
                (0..told.len()).any(|place| {
                    let (start, on) = told[place];
                    let end = told.get(place + 1).map_or(now, |(end, _)| *end);
                    let bin = |seconds| at(seconds).millis().div_euclid(width) * width;
                    on && bin(start) <= from_millis && from_millis <= bin(end)
                })
            };
            let activity = civilization.activity();
            if activity.lane(&agent(number), Depth::Hour, at(now)).is_none() {
                prop_assert!(told.iter().all(|(_, on)| !on));
                continue;
            }
            let hold = i64::try_from(HOUR_BINS).expect("120");
            for depth in [Depth::Hour, Depth::Day, Depth::Week, Depth::All] {
                let width = activity.bin_millis(depth, at(now));
                let first = (at(now).millis().div_euclid(width) - hold + 1) * width;
                let lane = activity.lane(&agent(number), depth, at(now)).expect("a lane");
                for (bin, on) in (0_i64..).zip(lane) {
                    prop_assert_eq!(on, at_work(first + bin * width, width), "{:?} {}", depth, bin);
                }
            }
            let days = civilization.activity().days(&agent(number), at(now)).expect("a lane");
            let today = at(now).millis().div_euclid(86_400_000) * 86_400_000;
            for (bin, on) in (0_i64..).zip(days) {
                let from = today - 5 * 86_400_000 + bin * HALF_HOUR_MILLIS;
                prop_assert_eq!(on, at_work(from, HALF_HOUR_MILLIS), "half hour {}", bin);
            }
        }
    }
}
