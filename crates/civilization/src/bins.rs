//! Bins of time: how many events each holds, and whether something was so in it, over the newest of them.
//!
//! Bins are numbered from 1970 on. A ring holds bin `n` at `n` modulo its size, so that time moves on by emptying what
//! it passes, whatever its pace and wherever it jumps.
//!
//! Absent here: what is counted, and how wide the bins are.

use monkeytown_protocol::{Timestamp, record};
use serde::Serialize;

/// Bins of each depth of the axis.
pub const HOUR_BINS: usize = 120;
/// The same, as a difference between the numbers of bins.
#[expect(clippy::cast_possible_wrap, reason = "120")]
pub(crate) const HELD: i64 = HOUR_BINS as i64;
/// Words of a [`Bits`] that holds them.
pub(crate) const HELD_WORDS: usize = HOUR_BINS.div_ceil(32);

/// The number of the bin that `time` lies in.
pub(crate) fn bin_of(time: Timestamp, bin_millis: i64) -> i64 {
    time.millis().div_euclid(bin_millis)
}

/// The number of a bin that a moment can lie in, so that no sum of two overflows.
pub(crate) fn mended(bin: i64, bin_millis: i64) -> i64 {
    bin_of(Timestamp::from_millis(bin.saturating_mul(bin_millis)), bin_millis)
}

fn at(bin: i64, held: i64) -> usize {
    usize::try_from(bin.rem_euclid(held.max(1))).unwrap_or_default()
}

/// Events in each of the newest [`HOUR_BINS`] bins.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Counts {
    /// Number of the newest bin.
    pub(crate) newest: i64,
    /// Empty before any event.
    counts: Vec<u32>,
}

record!(Counts { ; newest, counts });

impl Counts {
    pub(crate) fn new(newest: i64, counts: Vec<u32>) -> Self {
        Self { newest, counts }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The newest bin, and the counts as they lie in the ring.
    pub(crate) fn into_parts(self) -> (i64, Vec<u32>) {
        (self.newest, self.counts)
    }

    /// `events` more in `bin`, unless that is no longer held.
    pub(crate) fn count(&mut self, bin: i64, events: u32) {
        if self.counts.is_empty() {
            self.counts.resize(HOUR_BINS, 0);
            self.newest = bin;
        }
        for passed in self.newest.max(bin - HELD) + 1..=bin {
            if let Some(passed) = self.counts.get_mut(at(passed, HELD)) {
                *passed = 0;
            }
        }
        self.newest = self.newest.max(bin);
        if self.newest - bin < HELD
            && let Some(count) = self.counts.get_mut(at(bin, HELD))
        {
            *count = count.saturating_add(events);
        }
    }

    /// Events of `bin`, of bins that are `1 << shift` of these wide.
    pub(crate) fn get(&self, bin: i64, shift: u32) -> u32 {
        let from = (bin << shift).max(self.newest - HELD + 1);
        let until = (((bin + 1) << shift) - 1).min(self.newest);
        let held = (from..=until).filter_map(|bin| self.counts.get(at(bin, HELD)));
        held.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// Two bins become one.
    pub(crate) fn double(&mut self) {
        let mut doubled = Self::default();
        doubled.count(self.newest.div_euclid(2), 0);
        for bin in self.newest - HELD + 1..=self.newest {
            doubled.count(bin.div_euclid(2), self.get(bin, 0));
        }
        *self = doubled;
    }

    /// Makes edited ones hold what the rest of this relies on.
    pub(crate) fn mend(&mut self, bin_millis: i64) {
        if !self.counts.is_empty() {
            self.counts.resize(HOUR_BINS, 0);
        }
        self.newest = mended(self.newest, bin_millis);
    }
}

/// One bit for each of the newest bins. In words of 32 bits, which survive any reader of JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct Bits {
    newest: i64,
    words: Vec<u32>,
}

record!(Bits { newest, words;  });

impl Bits {
    pub(crate) fn new(words: usize, newest: i64) -> Self {
        Self { newest, words: vec![0; words] }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.words.is_empty()
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
    pub(crate) fn go_on(&mut self, bin: i64, on: bool) {
        let first = self.newest.max(bin - self.held());
        for between in first + 1..=bin {
            self.set(between, on);
        }
        self.newest = self.newest.max(bin);
    }

    pub(crate) fn mark(&mut self, bin: i64) {
        if self.newest - bin < self.held() {
            self.set(bin, true);
        }
    }

    /// Whether a bit is set of `bin`, of bins that are `1 << shift` of these wide; `after` is true when it goes on after
    /// the newest one.
    pub(crate) fn get(&self, bin: i64, shift: u32, after: bool) -> bool {
        let (from, until) = (bin << shift, ((bin + 1) << shift) - 1);
        let is_set = |bin| {
            let (word, bit) = place(bin, self.held());
            self.words.get(word).is_some_and(|word| word & bit != 0)
        };
        (after && until > self.newest) || (from.max(self.newest - self.held() + 1)..=until.min(self.newest)).any(is_set)
    }

    /// The numbers of the bins that are set.
    pub(crate) fn on(&self) -> impl Iterator<Item = i64> {
        (self.newest - self.held() + 1..=self.newest).filter(|bin| self.get(*bin, 0, false))
    }

    /// Two bins become one.
    pub(crate) fn double(&mut self) {
        let mut doubled = Self::new(self.words.len(), self.newest.div_euclid(2));
        for bin in self.on() {
            doubled.mark(bin.div_euclid(2));
        }
        *self = doubled;
    }

    pub(crate) fn newest(&self) -> i64 {
        self.newest
    }

    /// Makes edited ones hold what the rest of this relies on.
    pub(crate) fn mend(&mut self, words: usize, bin_millis: i64) {
        self.words.resize(words, 0);
        self.newest = mended(self.newest, bin_millis);
    }
}

/// Word and bit of a bin.
fn place(bin: i64, held: i64) -> (usize, u32) {
    let at = at(bin, held);
    (at / 32, 1 << (at % 32))
}
