//! Who hears what, once for all: when the live subscribers hear of what is new, and the frames that they share.
//!
//! Owns the ticks and the few frames that were made last. A tick says up to where everybody may read; so all who are
//! live stand at the same places, and a frame that one of them has made serves the others. Nobody waits for anybody: a
//! subscriber that is behind makes frames of its own, or shares those of others who are where it is.
//! Absent here: queues, sockets, and what the bytes of a frame look like.

use crate::log::{Batch, FellBehind, Interest, Log, ReadBounds};
use bytes::Bytes;
use monkeytown_protocol::Offset;
use std::{
    collections::VecDeque,
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak},
    time::Duration,
};
use tokio::sync::watch;

/// Most events of one frame.
const FRAME_MAX_EVENTS: usize = 512;
/// Most bytes of one frame's events; a single event is sent however long it is.
const FRAME_MAX_BYTES: usize = 256 * 1024;
/// Most events looked at for one frame.
const FRAME_MAX_SCANNED: usize = 4_096;
/// Under load, events of this long go into one frame.
const TICK: Duration = Duration::from_millis(20);
/// Most frames that are kept for others to share.
const KEPT_MAX: usize = 32;
/// How long they are kept when nothing comes.
const KEPT_WHILE_IDLE: Duration = Duration::from_secs(1);

/// How a frame is carried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A message of a WebSocket in the frames of `monkeytown.v1.json`.
    Frames,
    /// A message of a WebSocket for each event.
    CloudEvents,
    /// A message of an event source.
    EventSource,
}

/// Events that go out together, and their bytes in each form that somebody has asked for.
#[derive(Debug)]
pub(crate) struct SharedFrame {
    /// The first offset that it covers; what lies between it and the first event was of no interest.
    pub(crate) first: Offset,
    /// The events, and the last offset that it covers.
    pub(crate) batch: Batch,
    forms: [OnceLock<Bytes>; 3],
}

impl SharedFrame {
    pub(crate) fn new(first: Offset, batch: Batch) -> Self {
        Self { first, batch, forms: Default::default() }
    }

    /// Its bytes as `form`, written by `write` for the first who asks.
    pub(crate) fn bytes(&self, form: Form, write: impl FnOnce(&Self) -> Bytes) -> Bytes {
        let [frames, cloud_events, event_source] = &self.forms;
        let bytes = match form {
            Form::Frames => frames,
            Form::CloudEvents => cloud_events,
            Form::EventSource => event_source,
        };
        bytes.get_or_init(|| write(self)).clone()
    }
}

/// Where a subscriber stands who asks for its next frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    /// The first offset that nothing it heard has covered; before `next` when what lies between was of no interest.
    pub(crate) uncovered: Offset,
    /// The next offset to be read.
    pub(crate) next: Offset,
    /// The last that it may hear of now.
    pub(crate) until: Offset,
}

/// A frame that others may share, with where its first subscriber stood.
struct Kept {
    interest: Arc<Interest>,
    standing: Standing,
    frame: Arc<SharedFrame>,
}

impl Kept {
    /// Whether one who stands at `at` would make the same frame.
    fn serves(&self, interest: &Arc<Interest>, at: Standing) -> bool {
        let last = self.frame.batch.last;
        // A frame that was full before its tick was over is the same whatever the tick.
        let same_end = self.standing.until == at.until || (last < self.standing.until && last <= at.until);
        same_end
            && self.standing.next == at.next
            && self.standing.uncovered == at.uncovered
            && Arc::ptr_eq(&self.interest, interest)
    }
}

/// Ticks, and frames made last.
pub(crate) struct Fanout {
    /// The newest offset that the live may hear of.
    tick: watch::Sender<Option<Offset>>,
    kept: Mutex<VecDeque<Kept>>,
    interests: Mutex<Vec<Weak<Interest>>>,
    /// How often a frame served another than the one who made it.
    #[cfg(test)]
    shared: std::sync::atomic::AtomicU64,
}

impl Default for Fanout {
    fn default() -> Self {
        Self {
            tick: watch::Sender::new(None),
            kept: Mutex::default(),
            interests: Mutex::default(),
            #[cfg(test)]
            shared: std::sync::atomic::AtomicU64::default(),
        }
    }
}

impl Fanout {
    /// Ticks for as long as it is polled: what comes after a pause is told at once, what follows it within
    /// [`TICK`] together.
    pub(crate) async fn run(&self, log: &Log) -> Infallible {
        let mut head = log.watch_head();
        loop {
            let newest = *head.borrow_and_update();
            self.tick.send_if_modified(|told| std::mem::replace(told, newest) != newest);
            tokio::time::sleep(TICK).await;
            let changed = match tokio::time::timeout(KEPT_WHILE_IDLE, head.changed()).await {
                Ok(changed) => changed,
                Err(_) => {
                    self.kept().clear();
                    head.changed().await
                }
            };
            changed.expect("the log is held, and the sender with it");
        }
    }

    /// Follows the ticks.
    pub(crate) fn watch(&self) -> watch::Receiver<Option<Offset>> {
        self.tick.subscribe()
    }

    /// The newest offset that the live may hear of.
    pub(crate) fn told(&self) -> Option<Offset> {
        *self.tick.borrow()
    }

    /// `interest`, as all who have the same share it.
    pub(crate) fn interest(&self, interest: Interest) -> Arc<Interest> {
        let mut interests = self.interests.lock().unwrap_or_else(PoisonError::into_inner);
        interests.retain(|held| held.strong_count() > 0);
        if let Some(held) = interests.iter().filter_map(Weak::upgrade).find(|held| **held == interest) {
            return held;
        }
        let interest = Arc::new(interest);
        interests.push(Arc::downgrade(&interest));
        interest
    }

    /// The next frame of one who stands at `at`. One without events says that nothing there was of interest. `None`
    /// when there is nothing there yet.
    ///
    /// # Errors
    /// When the place is no longer held.
    pub(crate) fn frame(
        &self,
        log: &Log,
        interest: &Arc<Interest>,
        at: Standing,
    ) -> Result<Option<Arc<SharedFrame>>, FellBehind> {
        // One who is alone with its interest shares with nobody.
        if Arc::strong_count(interest) == 1 {
            return Ok(read(log, interest, at)?.map(Arc::new));
        }
        // Others who are at the same place wait for the one who makes the frame; that is quicker than making it again.
        let mut kept = self.kept();
        if let Some(same) = kept.iter().rev().find(|kept| kept.serves(interest, at)) {
            #[cfg(test)]
            self.shared.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            return Ok(Some(Arc::clone(&same.frame)));
        }
        let Some(frame) = read(log, interest, at)?.map(Arc::new) else { return Ok(None) };
        if kept.len() >= KEPT_MAX {
            kept.pop_front();
        }
        kept.push_back(Kept { interest: Arc::clone(interest), standing: at, frame: Arc::clone(&frame) });
        Ok(Some(frame))
    }

    /// How often a frame served another than the one who made it.
    #[cfg(test)]
    pub(crate) fn shared(&self) -> u64 {
        self.shared.load(std::sync::atomic::Ordering::Relaxed)
    }

    fn kept(&self) -> MutexGuard<'_, VecDeque<Kept>> {
        // A list of frames that are whole cannot be left half-made.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes the frame of one who stands at `at`.
fn read(log: &Log, interest: &Interest, at: Standing) -> Result<Option<SharedFrame>, FellBehind> {
    let span = at.until.0.checked_sub(at.next.0).map_or(0, |beyond| beyond.saturating_add(1));
    if span == 0 {
        return Ok(None);
    }
    let scanned = usize::try_from(span).map_or(FRAME_MAX_SCANNED, |span| span.min(FRAME_MAX_SCANNED));
    let bounds = ReadBounds { events: FRAME_MAX_EVENTS, bytes: FRAME_MAX_BYTES, scanned };
    Ok(log.read(at.next, bounds, interest)?.map(|batch| SharedFrame::new(at.uncovered, batch)))
}
