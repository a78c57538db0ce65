//! How long to wait before the next attempt: full jitter, so that a thousand witnesses who lost the stream
//! at once do not return at once (`events.md`; the scheme is described in "Exponential Backoff And Jitter",
//! AWS Architecture Blog, 2015).
//!
//! Knows neither clock nor randomness: both are arguments.

use monkeytown_protocol::limits::{BACKOFF_BASE_MILLIS, BACKOFF_CAP_MILLIS, BACKOFF_STABLE_MILLIS};

/// Attempts that failed in a row, and the wait that follows from them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Attempts failed in a row.
    #[must_use]
    pub fn failures(self) -> u32 {
        self.failures
    }

    /// Counts a failure and says how long to wait, in milliseconds. `random` is uniform in 0..1; `held_millis`
    /// is how long the connection held before it failed.
    pub fn next_millis(&mut self, held_millis: f64, random: f64) -> u32 {
        #[expect(clippy::cast_precision_loss, reason = "a minute in milliseconds is exact in f64")]
        if held_millis >= BACKOFF_STABLE_MILLIS as f64 {
            self.failures = 0;
        }
        // Ten doublings of the base are far past the cap; more would only overflow.
        let ceiling = BACKOFF_BASE_MILLIS.saturating_mul(1 << self.failures.min(10)).min(BACKOFF_CAP_MILLIS);
        self.failures = self.failures.saturating_add(1);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0..=15,000")]
        let wait = (f64::from(ceiling) * random.clamp(0.0, 1.0)) as u32;
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_never_past_it() {
        let mut backoff = Backoff::default();
        let waits: Vec<u32> = (0..40).map(|_| backoff.next_millis(0.0, 1.0)).collect();
        assert_eq!(&waits[..6], [500, 1_000, 2_000, 4_000, 8_000, 15_000]);
        assert!(waits[6..].iter().all(|wait| *wait == BACKOFF_CAP_MILLIS));
    }

    #[test]
    fn jitter_is_full_from_zero_to_the_ceiling() {
        let mut backoff = Backoff::default();
        assert_eq!(backoff.next_millis(0.0, 0.0), 0);
        assert_eq!(backoff.next_millis(0.0, 0.5), 500);
    }

    #[test]
    fn a_stable_minute_starts_the_waits_afresh() {
        let mut backoff = Backoff::default();
        for _ in 0..5 {
            backoff.next_millis(0.0, 1.0);
        }
        assert_eq!(backoff.next_millis(59_999.0, 1.0), BACKOFF_CAP_MILLIS);
        assert_eq!(backoff.next_millis(60_000.0, 1.0), BACKOFF_BASE_MILLIS);
    }
}
