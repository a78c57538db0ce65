//! When things happened, at four depths of time: an hour, a day, a week, all of it; and when each agent was at work.
//!
//! Each depth has the same number of bins, so that whoever draws one draws all. An event that comes late lands in its
//! own bin while that is held. Of all, the bins begin as half minutes and become twice as wide whenever what has
//! happened no longer fits: what has once counted there stays.
//!
//! Absent here: what an event says. Whoever calls knows who is at work.

use crate::{
    Keyed,
    bins::{Bits, Counts, HELD, HELD_WORDS, HOUR_BINS, bin_of, mended},
    bounds::{LANES_MAX, Touched, make_room},
    state::count,
};
use monkeytown_protocol::{EntityId, Timestamp, record};
use serde::Serialize;

/// Width of a bin of the hour, in milliseconds.
pub const BIN_MILLIS: i64 = 30_000;
/// Width of a bin of the day.
pub const DAY_BIN_MILLIS: i64 = 720_000;
/// Width of a bin of the week.
pub const WEEK_BIN_MILLIS: i64 = 5_040_000;
/// Width of a bin of the days, in milliseconds.
pub const HALF_HOUR_MILLIS: i64 = 1_800_000;
/// Bins of a day.
pub const DAY_BINS: usize = 48;
/// Days that a lane remembers, the present one included.
pub const DAYS: usize = 6;

const DAYS_WORDS: usize = (DAYS * DAY_BINS).div_ceil(32);

/// How often the bins of all can double: then they hold every moment that can be written.
const DOUBLINGS_MAX: u32 = 30;

/// How far back the axis goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// An hour, in half minutes.
    #[default]
    Hour,
    /// A day, in bins of twelve minutes.
    Day,
    /// A week, in bins of 84 minutes.
    Week,
    /// From the first event on, in bins as wide as that needs.
    All,
}

/// What happened, at each depth, and a lane for each agent that was at work.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Activity {
    /// Number of the first bin in which anything ever happened.
    since: i64,
    /// Number of the newest bin.
    newest: i64,
    /// Events of bin `n` at `n` modulo [`HOUR_BINS`]; empty before any event.
    counts: Vec<u32>,
    day: Counts,
    week: Counts,
    all: All,
    lanes: Keyed<EntityId, Lane>,
    /// Lanes that had to make room for others.
    forgotten: u64,
}

record!(Activity { ; since, newest, counts, day, week, all, lanes, forgotten });

/// All that happened. Its bins are those of the hour, doubled.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
struct All {
    /// Number of the first bin that holds anything.
    first: i64,
    doublings: u32,
    counts: Counts,
}

record!(All { ; first, doublings, counts });

impl All {
    fn bin_millis(&self) -> i64 {
        BIN_MILLIS << self.doublings
    }

    /// Something happened; tells how often the bins doubled for it.
    fn count(&mut self, time: Timestamp, events: u32) -> u32 {
        let mut bin = bin_of(time, self.bin_millis());
        if self.counts.is_empty() {
            self.first = bin;
            self.counts.count(bin, 0);
        }
        if self.counts.newest - bin >= HELD {
            // It came too late: it is before all that was ever held.
            return 0;
        }
        self.first = self.first.min(bin);
        let before = self.doublings;
        while self.counts.newest.max(bin) - self.first >= HELD && self.doublings < DOUBLINGS_MAX {
            self.doublings += 1;
            self.counts.double();
            (self.first, bin) = (self.first.div_euclid(2), bin.div_euclid(2));
        }
        self.counts.count(bin, events);
        self.doublings - before
    }

    /// How often the bins must double further to reach from the first to `now`.
    fn further(&self, now: Timestamp) -> u32 {
        let bin = bin_of(now, self.bin_millis());
        let fits = |shift: &u32| (bin >> shift) - (self.first >> shift) < HELD;
        (0..DOUBLINGS_MAX - self.doublings).find(fits).unwrap_or(DOUBLINGS_MAX - self.doublings)
    }

    fn mend(&mut self) {
        self.doublings = self.doublings.min(DOUBLINGS_MAX);
        self.counts.mend(self.bin_millis());
        self.first = self.first.clamp(self.counts.newest - HELD + 1, self.counts.newest);
    }
}

/// When one agent was at work.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Lane {
    hour: Bits,
    day: Bits,
    week: Bits,
    all: Bits,
    days: Bits,
    /// Whether it still is, so that the time between its events counts too.
    working: bool,
    touched: u64,
}

record!(Lane { hour, days, working, touched; day, week, all });

impl Touched for Lane {
    fn touched(&self) -> u64 {
        self.touched
    }
}

impl Activity {
    /// Something happened.
    pub(crate) fn count(&mut self, time: Timestamp) {
        let bin = bin_of(time, BIN_MILLIS);
        if self.counts.is_empty() {
            self.since = bin;
        }
        let mut hour = Counts::new(self.newest, std::mem::take(&mut self.counts));
        hour.count(bin, 1);
        (self.newest, self.counts) = hour.into_parts();
        self.day.count(bin_of(time, DAY_BIN_MILLIS), 1);
        self.week.count(bin_of(time, WEEK_BIN_MILLIS), 1);
        for _ in 0..self.all.count(time, 1) {
            self.lanes.change_each(|lane| lane.all.double());
        }
    }

    /// An event told whether `agent` is at work.
    pub(crate) fn tell(&mut self, agent: &EntityId, working: bool, time: Timestamp, touched: u64) {
        let all_millis = self.all.bin_millis();
        if working && !self.lanes.contains_key(agent) {
            count(&mut self.forgotten, make_room(&mut self.lanes, LANES_MAX).len());
            let bits = |words, bin_millis| Bits::new(words, bin_of(time, bin_millis));
            let (hour, day) = (bits(HELD_WORDS, BIN_MILLIS), bits(HELD_WORDS, DAY_BIN_MILLIS));
            let (week, all) = (bits(HELD_WORDS, WEEK_BIN_MILLIS), bits(HELD_WORDS, all_millis));
            let days = bits(DAYS_WORDS, HALF_HOUR_MILLIS);
            self.lanes.insert(agent.clone(), Lane { hour, day, week, all, days, working, touched });
        }
        if let Some(lane) = self.lanes.get_mut(agent) {
            for (bits, bin_millis) in [
                (&mut lane.hour, BIN_MILLIS),
                (&mut lane.day, DAY_BIN_MILLIS),
                (&mut lane.week, WEEK_BIN_MILLIS),
                (&mut lane.all, all_millis),
                (&mut lane.days, HALF_HOUR_MILLIS),
            ] {
                let bin = bin_of(time, bin_millis);
                bits.go_on(bin, lane.working);
                if working {
                    bits.mark(bin);
                }
            }
            (lane.working, lane.touched) = (working, touched);
        }
    }

    /// How wide a bin is at a depth, in milliseconds, when it is `now`.
    #[must_use]
    pub fn bin_millis(&self, depth: Depth, now: Timestamp) -> i64 {
        match depth {
            Depth::Hour => BIN_MILLIS,
            Depth::Day => DAY_BIN_MILLIS,
            Depth::Week => WEEK_BIN_MILLIS,
            Depth::All => self.all.bin_millis() << self.shift(depth, now),
        }
    }

    /// How often what is held must be halved to be what is told.
    fn shift(&self, depth: Depth, now: Timestamp) -> u32 {
        if depth == Depth::All { self.all.further(now) } else { 0 }
    }

    /// Events in each bin before `now`, oldest first: [`HOUR_BINS`] of them, of which the last is the one that `now`
    /// lies in and is not over.
    pub fn bins(&self, depth: Depth, now: Timestamp) -> impl ExactSizeIterator<Item = u32> {
        let (first, shift) = (self.first_shown(depth, now), self.shift(depth, now));
        (0..HOUR_BINS).map(move |at| {
            let bin = first + i64::try_from(at).unwrap_or_default();
            match depth {
                Depth::Hour => self.bin(bin),
                Depth::Day => self.day.get(bin, shift),
                Depth::Week => self.week.get(bin, shift),
                Depth::All => self.all.counts.get(bin, shift),
            }
        })
    }

    fn first_shown(&self, depth: Depth, now: Timestamp) -> i64 {
        bin_of(now, self.bin_millis(depth, now)) - HELD + 1
    }

    fn bin(&self, bin: i64) -> u32 {
        let held = bin <= self.newest && self.newest - bin < HELD;
        let at = usize::try_from(bin.rem_euclid(HELD)).unwrap_or_default();
        self.counts.get(at).copied().filter(|_| held).unwrap_or_default()
    }

    /// Events of the last whole minute before `now`, of the rest of the hour before that, and the half minutes of
    /// that rest in which anything could have been heard: what was before the first event is unknown, not quiet.
    pub(crate) fn minute_and_hour(&self, now: Timestamp) -> (u64, u64, u64) {
        let last = bin_of(now, BIN_MILLIS);
        let events = |from: i64, until: i64| (from..until).map(|bin| u64::from(self.bin(bin))).sum();
        let first = self.since.max(last - HELD + 1);
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

    /// In which bins before `now` an agent was at work: [`HOUR_BINS`], as in [`Self::bins`]. `None` for one that never
    /// was, or of whom was not heard for long.
    pub fn lane<'a>(
        &'a self,
        agent: &EntityId,
        depth: Depth,
        now: Timestamp,
    ) -> Option<impl ExactSizeIterator<Item = bool> + use<'a>> {
        let (lane, first, shift) = (self.lanes.get(agent)?, self.first_shown(depth, now), self.shift(depth, now));
        let bits = match depth {
            Depth::Hour => &lane.hour,
            Depth::Day => &lane.day,
            Depth::Week => &lane.week,
            Depth::All => &lane.all,
        };
        Some((0..HOUR_BINS).map(move |at| bits.get(first + i64::try_from(at).unwrap_or_default(), shift, lane.working)))
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
            bin <= last && lane.days.get(bin, 0, lane.working)
        }))
    }

    /// Makes an edited snapshot hold what the rest of this relies on, and one of before there were depths begin them
    /// with its hour.
    pub(crate) fn mend(&mut self) {
        let mut hour = Counts::new(self.newest, std::mem::take(&mut self.counts));
        hour.mend(BIN_MILLIS);
        self.day.mend(DAY_BIN_MILLIS);
        self.week.mend(WEEK_BIN_MILLIS);
        self.all.mend();
        if self.day.is_empty() && !hour.is_empty() {
            self.begin_with(&hour);
        }
        (self.newest, self.counts) = hour.into_parts();
        self.since = mended(self.since, BIN_MILLIS).min(self.newest);
        make_room(&mut self.lanes, LANES_MAX + 1);
        let all_millis = self.all.bin_millis();
        self.lanes.change_each(|lane| {
            lane.hour.mend(HELD_WORDS, BIN_MILLIS);
            let hour = &lane.hour;
            for (bits, bin_millis) in
                [(&mut lane.day, DAY_BIN_MILLIS), (&mut lane.week, WEEK_BIN_MILLIS), (&mut lane.all, all_millis)]
            {
                if bits.is_empty() {
                    let bin_at = |bin: i64| bin_of(Timestamp::from_millis(bin * BIN_MILLIS), bin_millis);
                    *bits = Bits::new(HELD_WORDS, bin_at(hour.newest()));
                    hour.on().for_each(|bin| bits.mark(bin_at(bin)));
                }
                bits.mend(HELD_WORDS, bin_millis);
            }
            lane.days.mend(DAYS_WORDS, HALF_HOUR_MILLIS);
        });
    }

    fn begin_with(&mut self, hour: &Counts) {
        (self.week, self.all) = (Counts::default(), All::default());
        for bin in hour.newest - HELD + 1..=hour.newest {
            let (time, events) = (Timestamp::from_millis(bin * BIN_MILLIS), hour.get(bin, 0));
            if events > 0 || bin == hour.newest {
                self.day.count(bin_of(time, DAY_BIN_MILLIS), events);
                self.week.count(bin_of(time, WEEK_BIN_MILLIS), events);
                self.all.count(time, events);
            }
        }
    }
}
