//! What the probes of one component have come to, and when of that something is worth telling.
//!
//! A witness wants to hear at once that something broke or answers again, now and then how long answers take, and
//! nothing else: a ring of a million events is to last. One probe that is lost breaks nothing: it is told as what it is.
//! Pure: moments are arguments. Knows nothing of events.

use super::probe::Broken;
use std::{collections::VecDeque, time::Duration};
use tokio::time::Instant;

/// Probes in a row that must not succeed until a component counts as broken: as many as Docker's and Kubernetes' health
/// checks want unless they are told otherwise.
pub(super) const BREAKS_AFTER: u32 = 3;
/// A probe that is lost is told this long after the one before: of every second probe that would be much.
const MISSES_EVERY_MIN: Duration = Duration::from_secs(60);
/// Breaking and answering again that is told at once; further ones wait until the first of these is [`CHANGES_WITHIN`] old.
const CHANGES_MAX: usize = 4;
const CHANGES_WITHIN: Duration = Duration::from_secs(60);
/// Another way of being broken is told this long after the one before: whoever starts goes through several.
const WAYS_EVERY_MIN: Duration = Duration::from_secs(10);
/// Figures are told again after this time, though nothing changed.
const REMINDED_EVERY: Duration = Duration::from_secs(300);
/// Figures that changed are told no more often than this.
const FIGURES_EVERY_MIN: Duration = Duration::from_secs(60);
/// Answers whose median is the latency that is told.
const LATENCIES: usize = 5;
/// A latency is another when it is as many times the one that was told, or that of it, and …
const NOTICED_TIMES: u32 = 2;
/// … they are this far apart.
const NOTICED_APART: Duration = Duration::from_millis(20);
/// Probes of which the share that went well is told.
const OUTCOMES: usize = 20;

/// What is worth telling after a probe.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum News {
    /// How the component is, which is not what was told last.
    Changed {
        /// Why it is broken; none when it answers.
        wrong: Option<Broken>,
        /// Whether it was broken before; none when nothing was told.
        was_broken: Option<bool>,
        /// How often it broke or answered again since that was told, this time left out.
        untold: u32,
    },
    /// A probe did not succeed, and that is all so far.
    Missed {
        /// What it found.
        wrong: Broken,
        /// How many others did not since that was told, this one left out.
        untold: u32,
    },
    /// It answers again before it counted as broken.
    Back {
        /// How many probes in a row did not succeed.
        missed: u32,
    },
    /// It is as it was, and how long answers take is not.
    Slower { before: Duration },
    /// Nothing changed for a while.
    Reminder,
}

/// A component as its probes find it.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// As it was told.
    told: Option<Option<Broken>>,
    /// As the probes found it: whether it is broken.
    broken: Option<bool>,
    /// Probes in a row that did not succeed, up to now.
    in_a_row: u32,
    /// A probe that did not succeed, as it was told of what is not broken; none once it answers.
    missed: Option<Broken>,
    misses_untold: u32,
    miss_told: Option<Instant>,
    untold: u32,
    /// When changes were told, the newest last.
    changes: VecDeque<Instant>,
    figures_told: Option<Instant>,
    latency_told: Duration,
    latencies: VecDeque<Duration>,
    outcomes: VecDeque<bool>,
}

impl Health {
    /// Takes in what a probe found at `now`.
    pub(super) fn hear(&mut self, found: &Result<Duration, Broken>, now: Instant) -> Option<News> {
        push(&mut self.outcomes, found.is_ok(), OUTCOMES);
        if let Ok(latency) = found {
            push(&mut self.latencies, *latency, LATENCIES);
        }
        let in_a_row = std::mem::take(&mut self.in_a_row);
        if found.is_err() {
            self.in_a_row = in_a_row.saturating_add(1);
        }
        let news = match found {
            Err(wrong) if self.broken != Some(true) && self.in_a_row < BREAKS_AFTER => self.miss(wrong, now)?,
            found => {
                let is_back = found.is_ok() && self.told == Some(None) && self.missed.take().is_some();
                let decided = self.decide(found.as_ref().err(), now);
                if is_back { News::Back { missed: in_a_row } } else { decided? }
            }
        };
        self.figures_told = Some(now);
        self.latency_told = self.latency();
        Some(news)
    }

    /// A probe was lost of what is not broken.
    fn miss(&mut self, wrong: &Broken, now: Instant) -> Option<News> {
        let is_due = self.miss_told.is_none_or(|told| now.duration_since(told) >= MISSES_EVERY_MIN);
        // Where it was told broken, its return waits to be told, and comes before this.
        if self.missed.is_some() || !is_due || self.told_wrong().is_some() {
            self.misses_untold = self.misses_untold.saturating_add(1);
            return self.figures(now);
        }
        self.missed = Some(wrong.clone());
        self.miss_told = Some(now);
        Some(News::Missed { wrong: wrong.clone(), untold: std::mem::take(&mut self.misses_untold) })
    }

    /// It answers, or it is broken.
    fn decide(&mut self, wrong: Option<&Broken>, now: Instant) -> Option<News> {
        if self.broken.is_some_and(|broken| broken != wrong.is_some()) {
            self.untold += 1;
        }
        self.broken = Some(wrong.is_some());
        let wrong = wrong.cloned();
        let news = match &self.told {
            Some(told) if *told == wrong => return self.figures(now),
            // It may alternate with every probe, and is not to use up what its return needs.
            Some(Some(_)) if wrong.is_some() => {
                if !self.is_due(WAYS_EVERY_MIN, now) {
                    return None;
                }
                self.told = Some(wrong.clone());
                News::Changed { wrong, was_broken: Some(true), untold: std::mem::take(&mut self.untold) }
            }
            told => {
                let was_broken = told.as_ref().map(Option::is_some);
                if self.changes.len() >= CHANGES_MAX {
                    let oldest = self.changes.front().copied();
                    if oldest.is_some_and(|oldest| now.duration_since(oldest) < CHANGES_WITHIN) {
                        return None;
                    }
                }
                push(&mut self.changes, now, CHANGES_MAX);
                // The change that is told now was counted too.
                let own = u32::from(was_broken.is_some_and(|was| was != wrong.is_some()));
                let untold = std::mem::take(&mut self.untold).saturating_sub(own);
                if wrong.is_none() && was_broken == Some(true) {
                    // How long answers took before it broke says nothing of now.
                    let newest = self.latencies.pop_back();
                    self.latencies.clear();
                    self.latencies.extend(newest);
                }
                self.told = Some(wrong.clone());
                self.missed = None;
                News::Changed { wrong, was_broken, untold }
            }
        };
        Some(news)
    }

    fn figures(&self, now: Instant) -> Option<News> {
        let answers = self.broken == Some(false) && self.in_a_row == 0;
        let (before, latency) = (self.latency_told, self.latency());
        let noticed = latency.abs_diff(before) >= NOTICED_APART
            && (latency >= before * NOTICED_TIMES || before >= latency * NOTICED_TIMES);
        if answers && noticed && self.is_due(FIGURES_EVERY_MIN, now) {
            return Some(News::Slower { before });
        }
        self.is_due(REMINDED_EVERY, now).then_some(News::Reminder)
    }

    fn is_due(&self, every: Duration, now: Instant) -> bool {
        self.figures_told.is_none_or(|told| now.duration_since(told) >= every)
    }

    /// How long answers take: the median of the last few.
    pub(super) fn latency(&self) -> Duration {
        let mut latencies: Vec<Duration> = self.latencies.iter().copied().collect();
        latencies.sort_unstable();
        latencies.get(latencies.len() / 2).copied().unwrap_or_default()
    }

    /// Which share of the last probes went well.
    pub(super) fn went_well(&self) -> f32 {
        let count = |outcomes: usize| u16::try_from(outcomes).map_or(f32::from(u16::MAX), f32::from);
        let well = self.outcomes.iter().filter(|well| **well).count();
        count(well) / count(self.outcomes.len().max(1))
    }

    /// A probe that did not succeed, as it was told last of what is not broken.
    pub(super) fn told_missed(&self) -> Option<&Broken> {
        self.missed.as_ref()
    }

    /// Whether it was told that it is broken; none when neither that nor that it answers was.
    pub(super) fn told_broken(&self) -> Option<bool> {
        self.told.as_ref().map(Option::is_some)
    }

    /// Why it is broken, as it was told; none when it answers.
    pub(super) fn told_wrong(&self) -> Option<&Broken> {
        self.told.as_ref()?.as_ref()
    }

    /// Whether it was told that it answers.
    pub(super) fn is_told_well(&self) -> bool {
        self.told == Some(None)
    }
}

fn push<T>(kept: &mut VecDeque<T>, newest: T, max: usize) {
    while kept.len() >= max {
        kept.pop_front();
    }
    kept.push_back(newest);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn millis(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    fn well() -> Result<Duration, Broken> {
        Ok(millis(10))
    }

    fn refused() -> Result<Duration, Broken> {
        Err(Broken::Refused)
    }

    /// Hears `found` every second, and gives what was told.
    fn told(
        health: &mut Health,
        begun: Instant,
        found: impl IntoIterator<Item = Result<Duration, Broken>>,
    ) -> Vec<News> {
        let each = found.into_iter().enumerate();
        each.filter_map(|(at, found)| health.hear(&found, begun + Duration::from_secs(at as u64))).collect()
    }

    #[test]
    fn a_change_is_told_at_once_and_what_stays_is_not() {
        let mut health = Health::default();
        let found =
            [well(), well(), refused(), refused(), refused(), refused(), well(), well(), refused(), well(), well()];
        let news = told(&mut health, Instant::now(), found);
        let changed = |wrong, was_broken| News::Changed { wrong, was_broken, untold: 0 };
        let missed = News::Missed { wrong: Broken::Refused, untold: 0 };
        assert_eq!(
            news,
            [changed(None, None), missed, changed(Some(Broken::Refused), Some(false)), changed(None, Some(true))]
        );
        assert!((health.went_well() - 6.0 / 11.0).abs() < 0.001);
    }

    #[test]
    fn probes_that_are_lost_now_and_then_break_nothing_and_are_told_as_what_they_are() {
        let mut health = Health::default();
        let begun = Instant::now();
        let news = told(&mut health, begun, [well(), refused(), refused(), well(), well()]);
        let missed = |untold| News::Missed { wrong: Broken::Refused, untold };
        assert_eq!(news.get(1..), Some(&[missed(0), News::Back { missed: 2 }][..]));
        assert!(health.is_told_well() && health.told_missed().is_none());
        let news = told(&mut health, begun, (0..600).map(|at| if at % 2 == 0 { well() } else { refused() }));
        assert!(news.len() <= 22, "two a minute: {news:?}");
        let missed: u32 =
            news.iter().map(|news| if let News::Missed { untold, .. } = news { untold + 1 } else { 0 }).sum();
        assert!((270..=301).contains(&missed), "none is lost: {missed}");
        assert!(health.is_told_well());
    }

    #[test]
    fn whoever_never_answered_is_told_so_and_then_broken() {
        let mut health = Health::default();
        let news = told(&mut health, Instant::now(), [refused(), refused()]);
        assert_eq!(news, [News::Missed { wrong: Broken::Refused, untold: 0 }]);
        assert_eq!((health.told_broken(), health.told_missed()), (None, Some(&Broken::Refused)));
        assert_eq!(
            health.hear(&refused(), Instant::now()),
            Some(News::Changed { wrong: Some(Broken::Refused), was_broken: None, untold: 0 })
        );
        assert_eq!((health.told_broken(), health.told_missed()), (Some(true), None));
    }

    #[test]
    fn hours_of_changes_are_some_hundred_events_and_end_as_it_is() {
        // Answers once, is broken by three probes, and so on: 7,200 changes.
        let flapping = |at: u32| if at.is_multiple_of(4) { well() } else { refused() };
        let mut health = Health::default();
        let news = told(&mut health, Instant::now(), (0..14_400).map(flapping).chain((0..61).map(|_| well())));
        assert!(news.len() <= 240 * (CHANGES_MAX + 2) + 10, "{}", news.len());
        assert!(health.is_told_well());
        let untold: u32 =
            news.iter().map(|news| if let News::Changed { untold, .. } = news { *untold } else { 0 }).sum();
        let changes = news.iter().filter(|news| matches!(news, News::Changed { was_broken: Some(_), .. })).count();
        assert!(untold as usize + changes >= 7_190, "none is lost: {untold} and {changes}");
    }

    #[test]
    fn ways_of_being_broken_that_alternate_are_told_some_times_a_minute() {
        let ways = |at: u32| Err(if at.is_multiple_of(2) { Broken::Refused } else { Broken::Closed });
        let news = told(&mut Health::default(), Instant::now(), (0..600).map(ways));
        assert!((30..=62).contains(&news.len()), "{}", news.len());
    }

    #[test]
    fn ways_of_being_broken_take_nothing_from_the_return() {
        let starts = || {
            [refused(), refused(), refused(), Err(Broken::Closed), Err(Broken::Said("is starting or stopping")), well()]
        };
        let news = told(&mut Health::default(), Instant::now(), starts().into_iter().chain(starts()));
        let returns = news.iter().filter(|news| matches!(news, News::Changed { wrong: None, .. })).count();
        let missed = news.iter().filter(|news| matches!(news, News::Missed { .. })).count();
        // Of the second start the lost probe is less than a minute from the first one's.
        assert_eq!((returns, missed, news.len()), (2, 1, 5), "{news:?}");
    }

    #[test]
    fn a_latency_is_told_when_it_is_another_for_a_while_and_not_for_one_slow_answer() {
        let mut health = Health::default();
        let mut found: Vec<_> = (0..100).map(|_| well()).collect();
        found[70] = Ok(millis(900));
        found.extend((0..100).map(|_| Ok(millis(400))));
        let news = told(&mut health, Instant::now(), found);
        assert_eq!(news.get(1..), Some(&[News::Slower { before: millis(10) }][..]));
        assert_eq!(health.latency(), millis(400));
    }

    #[test]
    fn small_and_jittery_latencies_are_told_in_a_reminder_only() {
        let jitter = |at: u64| Ok(millis(1 + at % 19));
        let news = told(&mut Health::default(), Instant::now(), (0..3_600).map(jitter));
        assert_eq!(news.len(), 12, "{news:?}");
        assert!(news.iter().skip(1).all(|news| *news == News::Reminder));
    }
}
