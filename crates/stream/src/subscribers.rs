//! How many subscribers there are, how many may be, and when the last has gone.

use crate::metrics::Metrics;
use std::sync::Arc;
use tokio::sync::watch;

/// Seconds after which a subscriber that found no place should ask again.
pub(crate) const RETRY_SECONDS: u64 = 5;

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
