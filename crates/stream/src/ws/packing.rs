//! How much may be compressed for somebody alone.
//!
//! What all who are live share is packed once and costs little. A state for one who comes, a replay, and what only one
//! subscriber is interested in are packed for that one; many such would take the processors from everybody. So they have
//! a budget, and are sent as they are when it is spent. Knows nothing of what is sent.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Bytes that may be packed a second for those alone: about a sixth of one processor. As much can be saved up.
const BYTES_PER_SECOND: u32 = 64 << 20;

/// What is left of it.
#[derive(Debug)]
pub(crate) struct PackingBudget(Mutex<Left>);

#[derive(Debug)]
struct Left {
    bytes: f64,
    at: Instant,
}

impl Default for PackingBudget {
    fn default() -> Self {
        Self(Mutex::new(Left { bytes: f64::from(BYTES_PER_SECOND), at: Instant::now() }))
    }
}

impl PackingBudget {
    /// Takes so many bytes; `false` when they are not left, and then nothing is taken.
    pub(super) fn take(&self, bytes: usize) -> bool {
        // Both numbers are written together at the end.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take(bytes, Instant::now())
    }
}

impl Left {
    #[expect(clippy::cast_precision_loss, reason = "no frame has as many bytes as f64 cannot count")]
    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let most = f64::from(BYTES_PER_SECOND);
        let passed: Duration = now.saturating_duration_since(self.at);
        let bytes_left = (self.bytes + passed.as_secs_f64() * most).min(most) - bytes as f64;
        if bytes_left < 0.0 {
            return false;
        }
        (self.bytes, self.at) = (bytes_left, self.at.max(now));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_with_time_and_no_more_than_a_second_is_saved() {
        let begun = Instant::now();
        let second = BYTES_PER_SECOND as usize;
        let mut left = Left { bytes: f64::from(BYTES_PER_SECOND), at: begun };
        assert!(left.take(second / 2, begun) && left.take(second / 2, begun) && !left.take(1, begun));
        let later = begun + Duration::from_millis(500);
        // What is refused takes nothing.
        assert!(!left.take(second, later) && left.take(second / 2, later) && !left.take(1, later));
        let much_later = begun + Duration::from_secs(60);
        assert!(left.take(second, much_later) && !left.take(1, much_later));
        // A clock that goes back gives nothing.
        assert!(!left.take(1, begun));
    }
}
