//! Places that are waited for: so many in all, and so many for each who holds them.
//!
//! Whoever holds nothing and waits for nothing is not remembered. Knows nothing of what is held, and of the holder only a
//! key.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many places there are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceBounds {
    /// At once.
    pub(crate) all: usize,
    /// And of those for one holder.
    pub(crate) of_one: usize,
}

/// Who holds places or waits for some: how many times, and what is left for them.
type Holders<K> = Arc<Mutex<HashMap<K, (usize, Arc<Semaphore>)>>>;

/// The places.
#[derive(Debug)]
pub(crate) struct Pool<K: Copy + Eq + Hash> {
    all: Arc<Semaphore>,
    of_one: usize,
    holders: Holders<K>,
}

/// Some places, given back when dropped.
pub(crate) struct Held<K: Copy + Eq + Hash> {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _holder: Holder<K>,
}

impl<K: Copy + Eq + Hash> Pool<K> {
    pub(crate) fn new(bounds: PlaceBounds) -> Self {
        Self { all: Arc::new(Semaphore::new(bounds.all)), of_one: bounds.of_one, holders: Arc::default() }
    }

    /// `places` for `key`, once there are as many; never more than one holder may have.
    pub(crate) async fn take(&self, key: K, places: usize) -> Held<K> {
        let places = u32::try_from(places.min(self.of_one)).unwrap_or(u32::MAX);
        let never_closed = "these are never closed";
        let holder = self.holder(key);
        // One's own first: whoever waits for those holds none of the common ones.
        let own = Arc::clone(&holder.left).acquire_many_owned(places).await.expect(never_closed);
        let all = Arc::clone(&self.all).acquire_many_owned(places).await.expect(never_closed);
        Held { _all: all, _own: own, _holder: holder }
    }

    fn holder(&self, key: K) -> Holder<K> {
        let mut holders = locked(&self.holders);
        let (times, left) = holders.entry(key).or_insert_with(|| (0, Arc::new(Semaphore::new(self.of_one))));
        *times += 1;
        Holder { key, left: Arc::clone(left), holders: Arc::clone(&self.holders) }
    }
}

/// One who holds places or waits for some; forgotten with the last of its kind.
struct Holder<K: Copy + Eq + Hash> {
    key: K,
    left: Arc<Semaphore>,
    holders: Holders<K>,
}

impl<K: Copy + Eq + Hash> Drop for Holder<K> {
    fn drop(&mut self) {
        let mut holders = locked(&self.holders);
        match holders.get_mut(&self.key) {
            Some((times, _)) if *times > 1 => *times -= 1,
            _ => {
                holders.remove(&self.key);
            }
        }
    }
}

fn locked<K>(holders: &Holders<K>) -> MutexGuard<'_, HashMap<K, (usize, Arc<Semaphore>)>> {
    // A count cannot be left half-made: whatever is there is usable.
    holders.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[test]
    fn one_holder_has_its_part_and_others_find_theirs() {
        let pool = Pool::new(PlaceBounds { all: 4, of_one: 2 });
        let take = |key, places| pool.take(key, places).now_or_never();
        let (first, second) = (take(1, 1), take(1, 1));
        assert!(first.is_some() && second.is_some() && take(1, 1).is_none());
        let others = (take(2, 1), take(3, 1));
        assert!(others.0.is_some() && others.1.is_some());
        assert!(take(4, 1).is_none(), "all are taken");
        drop(first);
        assert!(take(4, 2).is_none());
        drop(second);
        assert!(take(4, 3).is_some(), "what is more than one may have is as much as one may have");
    }

    #[test]
    fn holders_without_end_are_not_remembered() {
        let pool = Pool::new(PlaceBounds { all: 1, of_one: 1 });
        let held = pool.take(0_u32, 1).now_or_never();
        for key in 1..10_000 {
            // It waits, and is given up.
            assert!(pool.take(key, 1).now_or_never().is_none());
        }
        assert_eq!(locked(&pool.holders).len(), 1);
        drop(held);
        assert_eq!(locked(&pool.holders).len(), 0);
    }
}
