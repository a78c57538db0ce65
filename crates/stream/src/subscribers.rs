//! How many subscribers there are, how many may be, when the last has gone, and how a crowd is sent away without its
//! coming back as one.

use crate::metrics::Metrics;
use monkeytown_protocol::limits::BACKOFF_CAP_MILLIS;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Seconds after which a subscriber that found no place should ask again.
pub(crate) const RETRY_SECONDS: u64 = 5;

/// How many of those who leave a draining stream are sent away each second.
const GOODBYES_PER_SECOND: u32 = 250;
/// How many of them are asked to come back each second.
const RETURNS_PER_SECOND: u32 = 100;
/// Nobody is asked back before this: whoever takes over needs a moment too.
const RETURN_AFTER_MIN: Duration = Duration::from_millis(200);
/// Shortest and longest time over which those who left come back.
const RETURNS_MIN: Duration = Duration::from_secs(1);
const RETURNS_MAX: Duration = Duration::from_millis(BACKOFF_CAP_MILLIS as u64);

/// When one of `subscribers` is sent away, counted from the begin of a drain of at most `drain`: a moment of its own.
pub(crate) fn goodbye_after(subscribers: usize, drain: Duration) -> Duration {
    // The last must have time to hear it.
    crowd(subscribers, GOODBYES_PER_SECOND).min(drain / 4).mul_f64(fastrand::f64())
}

/// When one of `subscribers` that are sent away is to come back: a moment of its own.
pub(crate) fn return_after(subscribers: usize) -> Duration {
    let returns = crowd(subscribers, RETURNS_PER_SECOND).clamp(RETURNS_MIN, RETURNS_MAX);
    RETURN_AFTER_MIN + returns.mul_f64(fastrand::f64())
}

/// How long so many take at such a rate.
fn crowd(subscribers: usize, per_second: u32) -> Duration {
    Duration::from_secs(u64::try_from(subscribers).unwrap_or(u64::MAX).min(86_400)) / per_second
}

/// The places for subscribers.
#[derive(Clone)]
pub(crate) struct Places {
    taken: Arc<watch::Sender<usize>>,
    max: usize,
    metrics: Metrics,
}

/// A place, given back when dropped.
pub(crate) struct Place(Places);

impl Places {
    pub(crate) fn new(max: usize, metrics: Metrics) -> Self {
        Self { taken: Arc::new(watch::Sender::new(0)), max, metrics }
    }

    /// Takes a place. `None` when all are taken.
    pub(crate) fn take(&self) -> Option<Place> {
        let taken = self.taken.send_if_modified(|taken| {
            let free = *taken < self.max;
            *taken += usize::from(free);
            free
        });
        taken.then(|| {
            self.metrics.subscriber_count.inc();
            Place(self.clone())
        })
    }

    pub(crate) fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    pub(crate) fn full(&self) -> bool {
        self.taken() >= self.max
    }

    /// Waits until nobody is left.
    pub(crate) async fn emptied(&self) {
        let mut taken = self.taken.subscribe();
        // The sender lives in `self`, so waiting ends only when the count is reached.
        let _ = taken.wait_for(|taken| *taken == 0).await;
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.metrics.subscriber_count.dec();
        self.0.taken.send_modify(|taken| *taken -= 1);
    }
}
