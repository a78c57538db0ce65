//! How many subscribers there are, how many may be, when the last has gone, and how a crowd is sent away without its
//! coming back as one.

use crate::{
    address::Client,
    crowd::{Crowd, Share},
    metrics::{Metrics, NoPlace},
};
use monkeytown_protocol::limits::BACKOFF_CAP_MILLIS;
use std::{num::NonZeroUsize, sync::Arc, time::Duration};
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
    crowd: Crowd,
    metrics: Metrics,
}

/// A place, given back when dropped.
pub(crate) struct Place {
    places: Places,
    _share: Option<Share>,
}

impl Places {
    /// So many places in all, and so many of them for each address.
    pub(crate) fn new(max: usize, per_address: Option<NonZeroUsize>, metrics: Metrics) -> Self {
        Self { taken: Arc::new(watch::Sender::new(0)), max, crowd: Crowd::new(per_address), metrics }
    }

    /// Takes a place for `client`.
    ///
    /// # Errors
    /// When all are taken, or as many as one address may have.
    pub(crate) fn take(&self, client: Client) -> Result<Place, NoPlace> {
        let place = self.free(client);
        if let Err(reason) = &place {
            self.metrics.no_place(*reason);
        }
        place
    }

    fn free(&self, client: Client) -> Result<Place, NoPlace> {
        let share = self.crowd.take(client).map_err(|_| NoPlace::Crowded)?;
        let taken = self.taken.send_if_modified(|taken| {
            let free = *taken < self.max;
            *taken += usize::from(free);
            free
        });
        if !taken {
            return Err(NoPlace::Full);
        }
        self.metrics.subscriber_count.inc();
        Ok(Place { places: self.clone(), _share: share })
    }

    pub(crate) fn taken(&self) -> usize {
        *self.taken.borrow()
    }

    pub(crate) fn full(&self) -> bool {
        self.taken() >= self.max
    }

    /// Whether `client` has as many as one address may have.
    pub(crate) fn full_for(&self, client: Client) -> bool {
        self.crowd.is_full(client)
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
        self.places.metrics.subscriber_count.dec();
        self.places.taken.send_modify(|taken| *taken -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most of `moments` within one second.
    fn peak(mut moments: Vec<Duration>) -> usize {
        moments.sort_unstable();
        let within =
            |from: Duration| moments.iter().filter(|at| **at >= from && **at < from + Duration::from_secs(1)).count();
        moments.iter().map(|from| within(*from)).max().unwrap_or_default()
    }

    #[test]
    fn a_thousand_that_are_sent_away_come_back_a_hundred_a_second() {
        let drain = Duration::from_secs(10);
        let comes_back = |_| goodbye_after(1_000, drain) + return_after(1_000);
        let (goodbyes, returns): (Vec<_>, Vec<_>) =
            ((0..1_000).map(|_| goodbye_after(1_000, drain)).collect(), (0..1_000).map(comes_back).collect());
        assert!(goodbyes.iter().all(|goodbye| *goodbye <= drain / 4), "the last have time to hear it");
        let last = returns.iter().max().copied().unwrap_or_default();
        let (leaving, returning) = (peak(goodbyes), peak(returns));
        println!("most goodbyes a second {leaving}, most returns a second {returning}, the last after {last:?}");
        assert!(leaving <= 500 && returning <= 160, "{leaving} and {returning}");
        assert!(last <= Duration::from_millis(12_700));
    }

    #[test]
    fn the_few_are_not_kept_waiting_and_the_many_wait_no_longer_than_a_back_off() {
        for (subscribers, longest) in [(0, 1_200), (1, 1_200), (100_000, 15_200), (usize::MAX, 15_200)] {
            for _ in 0..200 {
                let wait = return_after(subscribers);
                assert!(wait >= RETURN_AFTER_MIN && wait <= Duration::from_millis(longest), "{subscribers}: {wait:?}");
            }
        }
        assert!(goodbye_after(1, Duration::from_secs(10)) <= Duration::from_millis(4));
        assert_eq!(goodbye_after(1_000, Duration::ZERO), Duration::ZERO);
    }
}
