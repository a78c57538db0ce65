//! At what pace a history is told, and what the source's clock shows meanwhile (`states.md`, "Clocks").
//!
//! Knows times only; what happens at them is for who plays.

use super::{error::SpeedError, translate::REST_MILLIS};
use crate::sources::SourceClock;
use monkeytown_protocol::Timestamp;
use std::{str::FromStr, time::Duration};
use tokio::time::Instant;

/// How long a whole history plays at [`GitSpeed::Auto`], at most, in seconds.
const PLAYBACK_SECONDS: f64 = 90.0;
/// Longest time between two commits at [`GitSpeed::Auto`], in seconds.
const PAUSE_MAX_SECONDS: f64 = 2.0;
/// How many times the median time between commits is still one stretch of work.
const STRETCH_MEDIANS: i64 = 4;
/// Playing that is later than this says anew what the clock shows, in milliseconds.
const LATE_MILLIS: u64 = 250;
/// A wait is never planned longer, in seconds: more than any clock can be trusted with.
const WAIT_MAX_SECONDS: u64 = 10 * 365 * 86_400;

/// How fast a history is told (`--git-speed`).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum GitSpeed {
    /// At once.
    Max,
    /// The whole in about 90 s, idle stretches skipped.
    Auto,
    /// So many times as fast as it happened: finite and over 0.
    Times(f64),
}

impl FromStr for GitSpeed {
    type Err = SpeedError;

    fn from_str(text: &str) -> Result<Self, SpeedError> {
        match text {
            "max" => Ok(Self::Max),
            "auto" => Ok(Self::Auto),
            number => match number.parse::<f64>() {
                Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
                _ => Err(SpeedError { given: text.to_owned() }),
            },
        }
    }
}

/// When what happened in the history is told.
#[derive(Debug)]
pub(super) struct Pace {
    /// Seconds of history in one real second.
    rate: f64,
    /// A gap between commits is played only so far, in milliseconds; none when all of it is.
    gap_max_millis: Option<i64>,
    /// The clock shows `.1` at `.0`.
    anchor: (Instant, Timestamp),
    last_commit: Timestamp,
}

/// When a step is due.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Due {
    pub(super) at: Instant,
    /// What is said of the clock then, when it does not run on as it was.
    pub(super) clock: Option<SourceClock>,
}

impl Pace {
    /// A pace for a history of commits at these times, ascending, that begins `now`; none when it has none or
    /// is told at once.
    pub(super) fn new(speed: GitSpeed, commits: &[Timestamp], now: Instant) -> Option<Self> {
        let first = *commits.first()?;
        let (rate, gap_max_millis) = match speed {
            GitSpeed::Max => return None,
            GitSpeed::Times(rate) => (rate, None),
            GitSpeed::Auto => {
                let (rate, gap_max) = automatic(commits);
                (rate, Some(gap_max))
            }
        };
        Some(Self { rate, gap_max_millis, anchor: (now, first), last_commit: first })
    }

    /// What the clock shows when playing begins.
    pub(super) fn start(&self) -> SourceClock {
        SourceClock { shows: self.anchor.1, rate: self.rate }
    }

    /// When the commit of `time` is due.
    pub(super) fn commit(&mut self, time: Timestamp) -> Due {
        let gap = time.since_millis(self.last_commit);
        let skipped = self.gap_max_millis.filter(|gap_max| gap > *gap_max);
        let played_until = skipped.map_or(time, |gap_max| self.last_commit.plus_millis(gap_max));
        let at = self.moment(played_until);
        self.last_commit = time;
        if skipped.is_some() {
            self.anchor = (at, time);
        }
        Due { at, clock: skipped.map(|_| self.start()) }
    }

    /// When an agent's rest at `time` is due; a rest comes at most [`REST_MILLIS`] after a commit, which no gap
    /// is cut below.
    pub(super) fn rest(&self, time: Timestamp) -> Due {
        Due { at: self.moment(time), clock: None }
    }

    /// Begins anew from a step of `time`, told at `now`, when it was due long before: reading, or who takes the
    /// events, is slower than the pace.
    pub(super) fn catch_up(&mut self, due: Due, time: Timestamp, now: Instant) -> Option<SourceClock> {
        let late = now.saturating_duration_since(due.at) > Duration::from_millis(LATE_MILLIS);
        late.then(|| {
            self.anchor = (now, time);
            self.start()
        })
    }

    fn moment(&self, time: Timestamp) -> Instant {
        let longest = Duration::from_secs(WAIT_MAX_SECONDS);
        let ahead = time.since_millis(self.anchor.1).max(0);
        let wait = Duration::try_from_secs_f64(millis_f64(ahead) / 1_000.0 / self.rate).unwrap_or(longest).min(longest);
        self.anchor.0.checked_add(wait).unwrap_or(self.anchor.0)
    }
}

/// Rate, and the longest gap that is played: the gaps so cut take [`PLAYBACK_SECONDS`] in all, or less where
/// even the longest would take more than [`PAUSE_MAX_SECONDS`].
fn automatic(commits: &[Timestamp]) -> (f64, i64) {
    let mut gaps: Vec<i64> = commits.iter().zip(commits.iter().skip(1)).map(|(a, b)| b.since_millis(*a)).collect();
    gaps.sort_unstable();
    let median = gaps.get(gaps.len() / 2).copied().unwrap_or(0);
    let gap_max = median.saturating_mul(STRETCH_MEDIANS).max(2 * REST_MILLIS);
    let played: i64 = gaps.iter().map(|gap| (*gap).min(gap_max)).fold(0, i64::saturating_add);
    let for_whole = millis_f64(played) / 1_000.0 / PLAYBACK_SECONDS;
    let for_gap = millis_f64(gap_max) / 1_000.0 / PAUSE_MAX_SECONDS;
    (for_whole.max(for_gap), gap_max)
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds of a history are far below 2^53")]
fn millis_f64(millis: i64) -> f64 {
    millis as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_auto_max_or_a_number_over_zero() {
        assert_eq!("auto".parse(), Ok(GitSpeed::Auto));
        assert_eq!("max".parse(), Ok(GitSpeed::Max));
        assert_eq!("3600".parse(), Ok(GitSpeed::Times(3600.0)));
        assert_eq!("0.5".parse(), Ok(GitSpeed::Times(0.5)));
        for bad in ["", "0", "-1", "inf", "nan", "fast", "1x"] {
            assert!(bad.parse::<GitSpeed>().is_err(), "{bad}");
        }
    }

    /// Seconds after the start at which each commit is due.
    fn due_seconds(speed: GitSpeed, commits: &[Timestamp]) -> Vec<f64> {
        let now = Instant::now();
        let mut pace = Pace::new(speed, commits, now).expect("a paced speed");
        commits.iter().map(|time| (pace.commit(*time).at - now).as_secs_f64()).collect()
    }

    proptest::proptest! {
        #[test]
        fn any_history_plays_within_its_time_without_long_pauses(
            gaps in proptest::collection::vec(proptest::prop_oneof![0_i64..600, 0_i64..86_400, 0_i64..100_000_000], 0..400)
        ) {
            let mut time = Timestamp::from_millis(1_000_000_000_000);
            let mut commits = vec![time];
            for gap in &gaps {
                time = time.plus_millis(gap * 1_000);
                commits.push(time);
            }
            let due = due_seconds(GitSpeed::Auto, &commits);
            proptest::prop_assert!(due.last().is_some_and(|last| *last <= PLAYBACK_SECONDS + 0.001));
            for (before, after) in due.iter().zip(due.iter().skip(1)) {
                proptest::prop_assert!(before <= after && after - before <= PAUSE_MAX_SECONDS + 0.001);
            }
        }

        #[test]
        fn no_pace_overflows(times in proptest::collection::vec(proptest::num::i64::ANY, 1..20), rate in 1e-300..1e300_f64) {
            let mut commits: Vec<_> = times.into_iter().map(Timestamp::from_millis).collect();
            commits.sort_unstable();
            for speed in [GitSpeed::Times(rate), GitSpeed::Auto] {
                due_seconds(speed, &commits);
            }
        }
    }

    #[test]
    fn an_idle_stretch_is_skipped_and_the_clock_says_so() {
        let start = 1_700_000_000_000;
        let commits: Vec<_> =
            [0, 60, 120, 86_400 * 30, 86_400 * 30 + 60].map(|s| Timestamp::from_millis(start + s * 1_000)).to_vec();
        let now = Instant::now();
        let mut pace = Pace::new(GitSpeed::Auto, &commits, now).expect("a paced speed");
        let clocks: Vec<_> = commits.iter().map(|time| pace.commit(*time).clock.map(|clock| clock.shows)).collect();
        assert_eq!(clocks, [None, None, None, Some(commits[3]), None]);
    }

    #[test]
    fn a_history_plays_at_the_speed_that_was_asked_for() {
        let commits = [0, 3_600, 86_400].map(|s| Timestamp::from_millis(s * 1_000));
        assert_eq!(due_seconds(GitSpeed::Times(3_600.0), &commits), [0.0, 1.0, 24.0]);
    }

    #[test]
    fn who_falls_behind_says_what_the_clock_shows_now() {
        let commits = [0, 3_600].map(|s| Timestamp::from_millis(s * 1_000));
        let now = Instant::now();
        let mut pace = Pace::new(GitSpeed::Times(3_600.0), &commits, now).expect("a paced speed");
        let due = pace.commit(commits[1]);
        assert_eq!(pace.catch_up(due, commits[1], due.at), None);
        let clock = pace.catch_up(due, commits[1], due.at + Duration::from_secs(5)).expect("late");
        assert_eq!((clock.shows, clock.rate), (commits[1], 3_600.0));
    }
}
