//! How many bodies may be under way at once, so that a flood of large ones cannot eat the memory.
//!
//! Large and small ones have places of their own: whoever holds all the places for large ones keeps no small one out.
//! Knows nothing of what a body holds.

use crate::pool::{Held, PlaceBounds, Pool};
use std::hash::Hash;

/// The places, by what tells one sender from another.
#[derive(Debug)]
pub(crate) struct BodyPlaces<K: Copy + Eq + Hash> {
    small_max_bytes: u64,
    small: Pool<K>,
    large: Pool<K>,
}

impl<K: Copy + Eq + Hash> BodyPlaces<K> {
    /// Places for bodies up to `small_max_bytes`, and for larger ones.
    pub(crate) fn new(small_max_bytes: u64, small: PlaceBounds, large: PlaceBounds) -> Self {
        Self { small_max_bytes, small: Pool::new(small), large: Pool::new(large) }
    }

    /// A place for a body of `key` that is `announced` to have so many bytes, once there is one.
    pub(crate) async fn take(&self, key: K, announced: Option<u64>) -> Held<K> {
        // One that does not say how large it is may be large.
        let small = announced.is_some_and(|bytes| bytes <= self.small_max_bytes);
        let pool = if small { &self.small } else { &self.large };
        pool.take(key, 1).await
    }
}
