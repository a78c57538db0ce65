//! How many bodies may be under way at once, so that a flood of large ones cannot eat the memory.
//!
//! Large and small ones have places of their own: whoever holds all the places for large ones keeps no small one out. And
//! whoever sends holds only so many of either. Knows nothing of what a body holds, and of its sender only a key.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many places there are for bodies of one kind.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PlaceBounds {
    /// Bodies under way at once.
    pub(crate) all: usize,
    /// And of those from one sender.
    pub(crate) of_one: usize,
}

/// The places, by what tells one sender from another.
#[derive(Debug)]
pub(crate) struct BodyPlaces<K: Copy + Eq + Hash> {
    small_max_bytes: u64,
    small: Pool<K>,
    large: Pool<K>,
}

/// A place, given back when dropped.
pub(crate) struct BodyPlace<K: Copy + Eq + Hash> {
    _all: OwnedSemaphorePermit,
    _own: OwnedSemaphorePermit,
    _sender: Sender<K>,
}

impl<K: Copy + Eq + Hash> BodyPlaces<K> {
    /// Places for bodies up to `small_max_bytes`, and for larger ones.
    pub(crate) fn new(small_max_bytes: u64, small: PlaceBounds, large: PlaceBounds) -> Self {
        Self { small_max_bytes, small: Pool::new(small), large: Pool::new(large) }
    }

    /// A place for a body of `key` that is `announced` to have so many bytes, once there is one.
    pub(crate) async fn take(&self, key: K, announced: Option<u64>) -> BodyPlace<K> {
        // One that does not say how large it is may be large.
        let small = announced.is_some_and(|bytes| bytes <= self.small_max_bytes);
        let pool = if small { &self.small } else { &self.large };
        let sender = pool.sender(key);
        let never_closed = "these are never closed";
        // One's own first: whoever waits for those holds none of the common ones.
        let own = Arc::clone(&sender.places).acquire_owned().await.expect(never_closed);
        let all = Arc::clone(&pool.all).acquire_owned().await.expect(never_closed);
        BodyPlace { _all: all, _own: own, _sender: sender }
    }
}

/// Senders that hold a place or wait for one, and how many of each.
type Senders<K> = Arc<Mutex<HashMap<K, (usize, Arc<Semaphore>)>>>;

#[derive(Debug)]
struct Pool<K> {
    all: Arc<Semaphore>,
    of_one: usize,
    senders: Senders<K>,
}

/// One who holds a place or waits for one; forgotten with the last of its kind.
struct Sender<K: Copy + Eq + Hash> {
    key: K,
    places: Arc<Semaphore>,
    senders: Senders<K>,
}

impl<K: Copy + Eq + Hash> Pool<K> {
    fn new(bounds: PlaceBounds) -> Self {
        Self { all: Arc::new(Semaphore::new(bounds.all)), of_one: bounds.of_one, senders: Arc::default() }
    }

    fn sender(&self, key: K) -> Sender<K> {
        let mut senders = locked(&self.senders);
        let (count, places) = senders.entry(key).or_insert_with(|| (0, Arc::new(Semaphore::new(self.of_one))));
        *count += 1;
        Sender { key, places: Arc::clone(places), senders: Arc::clone(&self.senders) }
    }
}

impl<K: Copy + Eq + Hash> Drop for Sender<K> {
    fn drop(&mut self) {
        let mut senders = locked(&self.senders);
        match senders.get_mut(&self.key) {
            Some((count, _)) if *count > 1 => *count -= 1,
            _ => {
                senders.remove(&self.key);
            }
        }
    }
}

fn locked<K>(senders: &Senders<K>) -> MutexGuard<'_, HashMap<K, (usize, Arc<Semaphore>)>> {
    // A count cannot be left half-made: whatever is there is usable.
    senders.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    fn places() -> BodyPlaces<u8> {
        BodyPlaces::new(100, PlaceBounds { all: 4, of_one: 2 }, PlaceBounds { all: 2, of_one: 1 })
    }

    #[test]
    fn one_sender_holds_its_part_and_others_find_theirs() {
        let places = places();
        let take = |key, bytes| places.take(key, Some(bytes)).now_or_never();
        let (first, second) = (take(1, 100), take(1, 100));
        assert!(first.is_some() && second.is_some() && take(1, 100).is_none());
        assert!(take(1, 101).is_some(), "large ones have places of their own");
        let others = (take(2, 1), take(3, 1));
        assert!(others.0.is_some() && others.1.is_some());
        assert!(take(4, 1).is_none(), "all are taken");
        drop(first);
        assert!(take(4, 1).is_some() && take(1, 1).is_some());
        let unknown = places.take(5, None).now_or_never();
        assert!(unknown.is_some() && places.take(5, None).now_or_never().is_none());
    }

    #[test]
    fn senders_without_end_are_not_remembered() {
        let places = BodyPlaces::new(100, PlaceBounds { all: 1, of_one: 1 }, PlaceBounds { all: 1, of_one: 1 });
        let held = places.take(0_u32, Some(1)).now_or_never();
        for key in 1..10_000 {
            // It waits, and is given up.
            assert!(places.take(key, Some(1)).now_or_never().is_none());
        }
        assert_eq!(locked(&places.small.senders).len(), 1);
        drop(held);
        assert_eq!(locked(&places.small.senders).len(), 0);
    }
}
