//! How many bodies may be under way at once, so that a flood of large ones cannot eat the memory.
//!
//! Large and small ones have places of their own: whoever holds all the places for large ones keeps no small one out.
//! Knows nothing of what a body holds.

use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Largest body of a delivery, in bytes: GitHub sends none that is larger.
pub(super) const BODY_MAX_BYTES: usize = 25 * 1024 * 1024;
/// Up to this a body is small.
const SMALL_MAX_BYTES: usize = 1024 * 1024;
/// Large bodies under way at once: 100 MB.
const LARGE_MAX: usize = 4;
/// Small ones: 64 MB.
const SMALL_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct BodyPlaces {
    large: Arc<Semaphore>,
    small: Arc<Semaphore>,
}

impl Default for BodyPlaces {
    fn default() -> Self {
        Self { large: Arc::new(Semaphore::new(LARGE_MAX)), small: Arc::new(Semaphore::new(SMALL_MAX)) }
    }
}

impl BodyPlaces {
    /// A place for a body that is `announced` to have so many bytes, once there is one.
    pub(super) async fn take(&self, announced: Option<u64>) -> OwnedSemaphorePermit {
        // One that does not say how large it is may be large.
        let small = announced.is_some_and(|bytes| bytes <= SMALL_MAX_BYTES as u64);
        let places = if small { &self.small } else { &self.large };
        Arc::clone(places).acquire_owned().await.expect("these are never closed")
    }
}
