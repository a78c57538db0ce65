//! The log: one order of all events, for every source and every subscriber.
//!
//! Owns offsets, the epoch, which events are held, who was here before (`source` + `id`), the fold of everything and
//! the clock that the sources run by. Whoever keeps events elsewhere (a journal, Redis) replaces what is in this
//! module; subscribers use [`Log::resolve`], [`Log::read`], [`Log::snapshot`] and the two watches, and no more.
//!
//! Absent here: HTTP, sockets, and what a publisher's bytes looked like before they were checked.

mod clock;
mod identity;
mod interest;
mod ring;
mod snapshot;
mod topics;

pub use ring::RingBounds;

pub(crate) use clock::RunningClock;
pub(crate) use interest::{Interest, InterestQuery};
pub(crate) use ring::{Batch, Delivery, FellBehind, ReadBounds};
pub(crate) use snapshot::Snapshot;

use crate::{
    metrics::{Metrics, Rejection},
    random,
    sources::{Sink, SourceClock},
    time,
};
use bytes::Bytes;
use identity::Identities;
use interest::Topic;
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Cursor, Epoch, Event, Offset, Position, Timestamp, limits::EVENT_MAX_BYTES};
use ring::{EventRecord, Ring};
use snapshot::SnapshotCache;
use std::{
    sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard},
    time::Instant,
};
use tokio::sync::watch;
use topics::Topics;

/// An event that may be appended: decoded for the fold, and as the bytes that subscribers will get.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Decoded.
    pub(crate) event: Event,
    /// A JSON object with at least one member, without `recordedtime` and without its closing brace.
    pub(crate) open_json: Vec<u8>,
}

/// What became of a batch.
#[derive(Debug)]
pub(crate) struct Appended {
    /// One for each event, in the order given.
    pub(crate) offsets: Vec<Offset>,
    /// How many of them were here before.
    pub(crate) duplicates: usize,
}

/// Whether everything after a cursor can be served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Resolved {
    /// It can, from here.
    Held(Position),
    /// It cannot; a snapshot must come first.
    Lost(Loss),
}

/// Why a cursor cannot be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    /// It belongs to another history.
    Epoch,
    /// What follows it has gone from the ring.
    TooOld,
    /// It names an event that this history has not had yet.
    Ahead,
}

/// What only the one who appends touches.
struct Writer {
    fold: Civilization,
    identities: Identities,
    topics: Topics,
    last_recorded: Timestamp,
}

struct Shared {
    epoch: Epoch,
    writer: Mutex<Writer>,
    ring: RwLock<Ring>,
    head: watch::Sender<Option<Offset>>,
    clock: watch::Sender<RunningClock>,
    snapshots: tokio::sync::Mutex<SnapshotCache>,
    metrics: Metrics,
}

/// The log, shared by all who append to it and read it.
#[derive(Clone)]
pub struct Log(Arc<Shared>);

impl Log {
    /// An empty log of a new epoch.
    #[must_use]
    pub fn new(bounds: RingBounds, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            epoch: random::epoch(),
            writer: Mutex::new(Writer {
                fold: Civilization::default(),
                identities: Identities::new(random::hash_key()),
                topics: Topics::default(),
                last_recorded: Timestamp::default(),
            }),
            ring: RwLock::new(Ring::new(bounds)),
            head: watch::Sender::new(None),
            clock: watch::Sender::default(),
            snapshots: tokio::sync::Mutex::default(),
            metrics,
        }))
    }

    /// The present history.
    #[must_use]
    pub fn epoch(&self) -> &Epoch {
        &self.0.epoch
    }

    /// Offset of the newest event.
    #[must_use]
    pub fn head(&self) -> Option<Offset> {
        *self.0.head.borrow()
    }

    /// The state after everything so far.
    #[must_use]
    pub fn state(&self) -> Civilization {
        self.writer().fold.clone()
    }

    /// Follows the newest offset.
    pub(crate) fn watch_head(&self) -> watch::Receiver<Option<Offset>> {
        self.0.head.subscribe()
    }

    /// Hears when a source sets its clock.
    pub(crate) fn watch_clock(&self) -> watch::Receiver<RunningClock> {
        self.0.clock.subscribe()
    }

    /// What the sources' clock shows now.
    pub(crate) fn clock(&self) -> SourceClock {
        self.0.clock.borrow().read()
    }

    /// The oldest offset held, and the share of the ring in use.
    pub(crate) fn retention(&self) -> (Offset, f64) {
        let ring = self.ring();
        (ring.first(), ring.share())
    }

    /// Where a subscription that asks for `cursor` starts.
    pub(crate) fn resolve(&self, cursor: &Cursor) -> Resolved {
        let ring = self.ring();
        let before = |next: Offset| Position { epoch: self.0.epoch.clone(), after: next.0.checked_sub(1).map(Offset) };
        match cursor {
            Cursor::Earliest => Resolved::Held(before(ring.first())),
            Cursor::Latest => Resolved::Held(before(ring.next())),
            Cursor::At(position) if position.epoch != self.0.epoch => Resolved::Lost(Loss::Epoch),
            Cursor::At(position) if position.next() > ring.next() => Resolved::Lost(Loss::Ahead),
            Cursor::At(position) if position.next() < ring.first() => Resolved::Lost(Loss::TooOld),
            Cursor::At(position) => Resolved::Held(position.clone()),
        }
    }

    /// Events from `from` on. `None` when there are none yet.
    ///
    /// # Errors
    /// When `from` is no longer held.
    pub(crate) fn read(
        &self,
        from: Offset,
        bounds: ReadBounds,
        interest: &Interest,
    ) -> Result<Option<Batch>, FellBehind> {
        self.ring().read(from, bounds, interest)
    }

    /// The state at an offset that everything held follows. At most a second old, or as new as the newest event.
    pub(crate) async fn snapshot(&self) -> Arc<Snapshot> {
        // Whoever comes while one is being made waits for it rather than making another.
        let mut cache = self.0.snapshots.lock().await;
        let first = self.ring().first();
        if let Some(fresh) = cache.fresh(self.head(), first) {
            return fresh;
        }
        let (fold, offset) = {
            let writer = self.writer();
            (writer.fold.clone(), self.head())
        };
        cache.store(Snapshot::new(self.0.epoch.clone(), offset, &fold))
    }

    /// Appends events next to one another; those that were here before are left out.
    pub(crate) fn append_drafts(&self, drafts: Vec<Draft>) -> Appended {
        let mut offsets = Vec::with_capacity(drafts.len());
        let mut fresh = Vec::new();
        let mut guard = self.writer();
        let writer = &mut *guard;
        let mut next = self.ring().next();
        // The wall clock may step back; the order of `recordedtime` is the order of offsets.
        let recorded = time::now().max(writer.last_recorded);
        writer.last_recorded = recorded;
        for draft in drafts {
            let (identity, offset) = writer.identities.claim(&draft.event, next);
            offsets.push(offset);
            if offset != next {
                continue;
            }
            next = next.next();
            let topic = writer.topics.share(Topic::of(&draft.event, &writer.fold));
            let mut event = draft.event;
            event.recorded = Some(recorded);
            writer.fold.apply(event, &mut Changes::default());
            fresh.push(EventRecord {
                json: closed(draft.open_json, recorded),
                accepted: Instant::now(),
                topic,
                identity,
            });
        }
        let accepted = fresh.len();
        if accepted > 0 {
            {
                let mut ring = self.0.ring.write().expect("no code panics while it holds the ring");
                for record in fresh {
                    ring.push(record, |gone| writer.identities.forget(gone));
                }
            }
            // Under the writer's lock, so that the head never goes back.
            self.0.head.send_replace(next.0.checked_sub(1).map(Offset));
            self.0.metrics.published(accepted);
        }
        let duplicates = offsets.len() - accepted;
        Appended { offsets, duplicates }
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.writer.lock().expect("no code panics while it appends")
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.0.ring.read().expect("no code panics while it holds the ring")
    }
}

/// Adds `recordedtime` and the closing brace.
fn closed(mut open_json: Vec<u8>, recorded: Timestamp) -> Bytes {
    open_json.extend_from_slice(format!(",\"recordedtime\":\"{recorded}\"}}").as_bytes());
    open_json.shrink_to_fit();
    Bytes::from(open_json)
}

impl Sink for Log {
    fn append(&self, events: Vec<Event>) {
        let mut drafts = Vec::with_capacity(events.len());
        for mut event in events {
            event.recorded = None;
            let mut json = serde_json::to_vec(&event).expect("an event has string keys and finite numbers");
            if json.len() > EVENT_MAX_BYTES {
                self.0.metrics.rejected(Rejection::TooLarge, 1);
                tracing::warn!(event_id = event.id.as_str(), bytes = json.len(), "a source's event is too large");
                continue;
            }
            json.pop();
            drafts.push(Draft { event, open_json: json });
        }
        self.append_drafts(drafts);
    }

    fn set_clock(&self, clock: SourceClock) {
        self.0.clock.send_replace(RunningClock::started(clock));
    }
}
