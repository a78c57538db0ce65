//! About how far behind the stream this page is: the server's clock against the page's monotonic one.
//!
//! The two differ by some constant and by how long a word was under way. The smallest difference of the last minutes
//! stands for the constant, so what is told is the time beyond the quickest way: it is never too much, and a wall clock
//! that is wrong or is set has no part in it.

use monkeytown_protocol::Timestamp;

/// How long the smallest difference counts, in milliseconds, at least; at most twice that.
const WINDOW_MILLIS: f64 = 300_000.0;

/// The smallest differences of this window and of the one before, and what was measured last.
#[derive(Debug, Clone, Copy)]
pub struct Latency {
    before: f64,
    least: f64,
    since_millis: f64,
    last: Option<f64>,
}

impl Default for Latency {
    fn default() -> Self {
        Self { before: f64::INFINITY, least: f64::INFINITY, since_millis: f64::NEG_INFINITY, last: None }
    }
}

impl Latency {
    /// What was stamped `at` by the server is applied `now_millis` by the page's monotonic clock.
    pub fn hear(&mut self, at: Timestamp, now_millis: f64) {
        #[expect(clippy::cast_precision_loss, reason = "a time in milliseconds is exact in f64")]
        let apart = now_millis - at.millis() as f64;
        if now_millis - self.since_millis > WINDOW_MILLIS {
            (self.before, self.least, self.since_millis) = (self.least, f64::INFINITY, now_millis);
        }
        self.least = self.least.min(apart);
        self.last = Some(apart - self.least.min(self.before));
    }

    /// Milliseconds behind, about; `None` before anything was measured.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative; what is more is cut")]
    pub fn about_millis(&self) -> Option<u32> {
        self.last.map(|last| last as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(1_700_000_000_000 + millis)
    }

    #[test]
    fn it_is_told_against_the_quickest_whatever_the_clocks_show() {
        let mut latency = Latency::default();
        assert_eq!(latency.about_millis(), None);
        latency.hear(at(0), 50.0);
        latency.hear(at(1_000), 1_020.0);
        latency.hear(at(2_000), 2_058.0);
        assert_eq!(latency.about_millis(), Some(38));
    }

    #[test]
    fn a_server_that_sets_its_clock_back_is_believed_after_two_windows() {
        let mut latency = Latency::default();
        latency.hear(at(0), 0.0);
        latency.hear(at(-600_000), 1_000.0);
        assert_eq!(latency.about_millis(), Some(601_000));
        for minute in 1..=13_i32 {
            latency.hear(at(i64::from(minute) * 60_000 - 600_000), f64::from(minute) * 60_000.0);
        }
        assert_eq!(latency.about_millis(), Some(0));
    }
}
