//! How fast publishers may publish: a bucket that holds one second's events and fills at the same rate.

use std::{
    sync::{Mutex, PoisonError},
    time::Instant,
};

struct Level {
    events: f64,
    at: Instant,
}

/// A token bucket.
pub(crate) struct Bucket {
    per_second: f64,
    level: Mutex<Level>,
}

impl Bucket {
    pub(crate) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, level: Mutex::new(Level { events: per_second, at: Instant::now() }) }
    }

    /// Takes `events`, all or none.
    ///
    /// # Errors
    /// When there are not as many: whole seconds until there will be.
    pub(crate) fn take(&self, events: usize) -> Result<(), u64> {
        self.take_at(events, Instant::now())
    }

    /// Takes `events` that have been let in already; where there are not as many, whoever comes next waits for longer.
    #[expect(clippy::cast_precision_loss, reason = "a delivery holds far fewer events than f64 counts exactly")]
    pub(crate) fn owe(&self, events: usize) {
        self.level.lock().unwrap_or_else(PoisonError::into_inner).events -= events as f64;
    }

    #[expect(clippy::cast_precision_loss, reason = "a batch holds far fewer events than f64 counts exactly")]
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive number of seconds")]
    fn take_at(&self, events: usize, now: Instant) -> Result<(), u64> {
        // Both fields are written together; a panic cannot leave one without the other.
        let mut level = self.level.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = now.saturating_duration_since(level.at).as_secs_f64();
        level.events = (level.events + passed * self.per_second).min(self.per_second);
        level.at = level.at.max(now);
        let missing = events as f64 - level.events;
        if missing > 0.0 {
            return Err(((missing / self.per_second).ceil() as u64).max(1));
        }
        level.events -= events as f64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_full_second_may_be_taken_at_once_and_no_more() {
        let bucket = Bucket::new(10);
        let start = Instant::now();
        assert_eq!(bucket.take_at(10, start), Ok(()));
        assert_eq!(bucket.take_at(1, start), Err(1));
        assert_eq!(bucket.take_at(5, start + Duration::from_millis(500)), Ok(()));
        assert_eq!(bucket.take_at(10, start + Duration::from_millis(500)), Err(1));
        assert_eq!(bucket.take_at(10, start + Duration::from_secs(60)), Ok(()));
        bucket.owe(20);
        assert_eq!(bucket.take_at(1, start + Duration::from_secs(61)), Err(2));
        assert_eq!(bucket.take_at(1, start + Duration::from_secs(63)), Ok(()));
    }
}
