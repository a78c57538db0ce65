//! When things happened: events in half minutes over an hour, and when each agent was at work.
//!
//! Bins are numbered from 1970 on, so that they move with the source's own clock, whatever its pace and
//! wherever it jumps. An event that comes late lands in its own bin while that is held.
//!
//! Absent here: what an event says. Whoever calls knows who is at work.

use crate::{
    Keyed,
    bounds::{LANES_MAX, Touched, make_room},
    state::count,
};
use monkeytown_protocol::{EntityId, Timestamp, record};
use serde::Serialize;

/// Width of a bin of the hour, in milliseconds.
pub const BIN_MILLIS: i64 = 30_000;
/// Bins of an hour.
pub const HOUR_BINS: usize = 120;
/// Width of a bin of the days, in milliseconds.
pub const HALF_HOUR_MILLIS: i64 = 1_800_000;
/// Bins of a day.
pub const DAY_BINS: usize = 48;
/// Days that a lane remembers, the present one included.
pub const DAYS: usize = 6;

const HOUR_WORDS: usize = HOUR_BINS.div_ceil(32);
const DAYS_WORDS: usize = (DAYS * DAY_BINS).div_ceil(32);

/// The hour before the newest event, and a lane for each agent that was at work.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Activity {
    /// Number of the first bin in which anything ever happened.
    since: i64,
    /// Number of the newest bin.
    newest: i64,
    /// Events of bin `n` at `n` modulo [`HOUR_BINS`]; empty before any event.
    counts: Vec<u32>,
    lanes: Keyed<EntityId, Lane>,
    /// Lanes that had to make room for others.
    forgotten: u64,
}

record!(Activity { ; since, newest, counts, lanes, forgotten });

/// When one agent was at work.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Lane {
    hour: Bits,
    days: Bits,
    /// Whether it still is, so that the time between its events counts too.
    working: bool,
    touched: u64,
}

record!(Lane { hour, days, working, touched;  });

impl Touched for Lane {
    fn touched(&self) -> u64 {
        self.touched
    }
}

/// One bit for each of the newest bins: that of bin `n` at `n` modulo their number. In words of 32 bits, which
/// survive any reader of JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Bits {
    newest: i64,
    words: Vec<u32>,
}

record!(Bits { newest, words;  });

impl Bits {
    fn new(words: usize, newest: i64) -> Self {
        Self { newest, words: vec![0; words] }
    }

    fn held(&self) -> i64 {
        i64::try_from(self.words.len() * 32).unwrap_or(i64::MAX)
    }

    fn set(&mut self, bin: i64, on: bool) {
        let (word, bit) = place(bin, self.held());
        if let Some(word) = self.words.get_mut(word) {
            *word = if on { *word | bit } else { *word & !bit };
        }
    }

    /// What was so until now goes on to `bin`.
    fn go_on(&mut self, bin: i64, on: bool) {
        let first = self.newest.max(bin - self.held());
        for between in first + 1..=bin {
            self.set(between, on);
        }
        self.newest = self.newest.max(bin);
    }

    fn mark(&mut self, bin: i64) {
        if self.newest - bin < self.held() {
            self.set(bin, true);
        }
    }

    /// Whether the bit of `bin` is set; `after` is true when it goes on after the newest one.
    fn get(&self, bin: i64, after: bool) -> bool {
        if bin > self.newest {
            return after;
        }
        let (word, bit) = place(bin, self.held());
        self.newest - bin < self.held() && self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    fn mend(&mut self, words: usize, bin_millis: i64) {
        self.words.resize(words, 0);
        self.newest = mended(self.newest, bin_millis);
    }
}

/// Word and bit of a bin.
fn place(bin: i64, held: i64) -> (usize, u32) {
    let at = at(bin, held);
    (at / 32, 1 << (at % 32))
}

fn at(bin: i64, held: i64) -> usize {
    usize::try_from(bin.rem_euclid(held.max(1))).unwrap_or_default()
}

fn bin_of(time: Timestamp, bin_millis: i64) -> i64 {
    time.millis().div_euclid(bin_millis)
}

/// The number of a bin that a moment can lie in, so that no sum of two overflows.
fn mended(bin: i64, bin_millis: i64) -> i64 {
    bin_of(Timestamp::from_millis(bin.saturating_mul(bin_millis)), bin_millis)
}

#[expect(clippy::cast_possible_wrap, reason = "120")]
const HOUR: i64 = HOUR_BINS as i64;

impl Activity {
    /// Something happened.
    pub(crate) fn count(&mut self, time: Timestamp) {
        let bin = bin_of(time, BIN_MILLIS);
        if self.counts.is_empty() {
            self.counts.resize(HOUR_BINS, 0);
            (self.since, self.newest) = (bin, bin);
        }
        for passed in self.newest.max(bin - HOUR) + 1..=bin {
            if let Some(passed) = self.counts.get_mut(at(passed, HOUR)) {
                *passed = 0;
            }
        }
        self.newest = self.newest.max(bin);
        if self.newest - bin < HOUR
            && let Some(count) = self.counts.get_mut(at(bin, HOUR))
        {
            *count = count.saturating_add(1);
        }
    }

    /// An event told whether `agent` is at work.
    pub(crate) fn tell(&mut self, agent: &EntityId, working: bool, time: Timestamp, touched: u64) {
        let (bin, half_hour) = (bin_of(time, BIN_MILLIS), bin_of(time, HALF_HOUR_MILLIS));
        if working && !self.lanes.contains_key(agent) {
            count(&mut self.forgotten, make_room(&mut self.lanes, LANES_MAX).len());
            let (hour, days) = (Bits::new(HOUR_WORDS, bin), Bits::new(DAYS_WORDS, half_hour));
            self.lanes.insert(agent.clone(), Lane { hour, days, working, touched });
        }
        if let Some(lane) = self.lanes.get_mut(agent) {
            lane.hour.go_on(bin, lane.working);
            lane.days.go_on(half_hour, lane.working);
            if working {
                lane.hour.mark(bin);
                lane.days.mark(half_hour);
            }
            (lane.working, lane.touched) = (working, touched);
        }
    }

    /// Events in each half minute of the hour before `now`, oldest first: [`HOUR_BINS`] of them, of which the last
    /// is the one that `now` lies in and is not over.
    pub fn bins(&self, now: Timestamp) -> impl ExactSizeIterator<Item = u32> {
        let last = bin_of(now, BIN_MILLIS);
        (0..HOUR_BINS).map(move |back| self.bin(last - HOUR + 1 + i64::try_from(back).unwrap_or_default()))
    }

    fn bin(&self, bin: i64) -> u32 {
        let held = bin <= self.newest && self.newest - bin < HOUR;
        self.counts.get(at(bin, HOUR)).copied().filter(|_| held).unwrap_or_default()
    }

    /// Events of the last whole minute before `now`, of the rest of the hour before that, and the half minutes of
    /// that rest in which anything could have been heard: what was before the first event is unknown, not quiet.
    pub(crate) fn minute_and_hour(&self, now: Timestamp) -> (u64, u64, u64) {
        let last = bin_of(now, BIN_MILLIS);
        let events = |from: i64, until: i64| (from..until).map(|bin| u64::from(self.bin(bin))).sum();
        let first = self.since.max(last - HOUR + 1);
        let rest = u64::try_from(last - 2 - first).unwrap_or_default();
        (events(last - 2, last), events(first, last - 2), if self.counts.is_empty() { 0 } else { rest })
    }

    /// How many lanes were let go to make room for others.
    #[must_use]
    pub fn lanes_forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Whom there is a lane for, in the order of the ids: at most [`LANES_MAX`], those of whom was heard last.
    pub fn lanes(&self) -> impl ExactSizeIterator<Item = &EntityId> {
        self.lanes.iter().map(|(agent, _)| agent)
    }

    /// In which half minutes of the hour before `now` an agent was at work: [`HOUR_BINS`], as in [`Self::bins`].
    /// `None` for one that never was, or of whom was not heard for long.
    pub fn lane<'a>(
        &'a self,
        agent: &EntityId,
        now: Timestamp,
    ) -> Option<impl ExactSizeIterator<Item = bool> + use<'a>> {
        let (lane, last) = (self.lanes.get(agent)?, bin_of(now, BIN_MILLIS));
        Some((0..HOUR_BINS).map(move |back| {
            let bin = last - HOUR + 1 + i64::try_from(back).unwrap_or_default();
            lane.hour.get(bin, lane.working)
        }))
    }

    /// In which half hours of [`DAYS`] days an agent was at work: [`DAY_BINS`] for each day of UTC, oldest first, the
    /// last day being the one that `now` lies in. What has not come yet is false.
    pub fn days<'a>(
        &'a self,
        agent: &EntityId,
        now: Timestamp,
    ) -> Option<impl ExactSizeIterator<Item = bool> + use<'a>> {
        let (lane, last) = (self.lanes.get(agent)?, bin_of(now, HALF_HOUR_MILLIS));
        let today = bin_of(now, 86_400_000);
        let count = |bins: usize| i64::try_from(bins).unwrap_or_default();
        let first = (today + 1 - count(DAYS)) * count(DAY_BINS);
        Some((0..DAYS * DAY_BINS).map(move |at| {
            let bin = first + count(at);
            bin <= last && lane.days.get(bin, lane.working)
        }))
    }

    /// Makes an edited snapshot hold what the rest of this relies on.
    pub(crate) fn mend(&mut self) {
        if !self.counts.is_empty() {
            self.counts.resize(HOUR_BINS, 0);
        }
        self.newest = mended(self.newest, BIN_MILLIS);
        self.since = mended(self.since, BIN_MILLIS).min(self.newest);
        make_room(&mut self.lanes, LANES_MAX + 1);
        self.lanes.change_each(|lane| {
            lane.hour.mend(HOUR_WORDS, BIN_MILLIS);
            lane.days.mend(DAYS_WORDS, HALF_HOUR_MILLIS);
        });
    }
}
