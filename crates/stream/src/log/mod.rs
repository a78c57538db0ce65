//! The log: one order of all events, for every source and every subscriber.
//!
//! Owns offsets, the epoch, which events are held, who was here before (`source` + `id`), the fold of everything, now and
//! at any moment (`keyframes`, `moments`), and the clock that the sources run by. `append` is how events get in; `journal` keeps them on a disk where one is given,
//! `redis` in a log that several nodes share. Subscribers use [`Log::resolve`], [`Log::read`], [`Log::snapshot`] and the two
//! watches, and no more.
//!
//! Absent here: HTTP, sockets, and what a publisher's bytes looked like before they were checked.

mod append;
mod clock;
mod identity;
mod interest;
mod journal;
mod keyframes;
mod moments;
mod redis;
mod ring;
mod snapshot;
mod topics;

pub use append::Entry;
pub(crate) use journal::fuzzing;
pub use journal::{JournalError, Restored};
pub(crate) use redis::fuzzing as redis_fuzzing;
pub use redis::{Joined, RedisError, RedisPatience, RedisUrl, RedisUrlError};
pub use ring::RingBounds;

pub(crate) use append::Appended;
pub(crate) use clock::RunningClock;
pub(crate) use interest::{Interest, InterestQuery};
pub(crate) use moments::{Moment, Place, Unfolded};
pub(crate) use ring::{Batch, Delivery, FellBehind, ReadBounds};
pub(crate) use snapshot::Snapshot;

use crate::{metrics::Metrics, random, sources::SourceClock};
use identity::Identities;
use journal::Journal;
use keyframes::{KeyframeBounds, Keyframer, Keyframes};
use monkeytown_civilization::Civilization;
use monkeytown_protocol::{Cursor, Epoch, Event, Offset, Position, Timestamp};
use redis::Redis;
use ring::Ring;
use snapshot::SnapshotCache;
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, RwLock, RwLockReadGuard},
    time::{Duration, Instant},
};
use tokio::sync::watch;
use topics::Topics;

/// How long an event is waited for that another node has served already: longer than it takes to notice that Redis is away.
const AHEAD_MAX: Duration = Duration::from_secs(4);
/// And how long while it is.
const AHEAD_OF_TROUBLE_MAX: Duration = Duration::from_secs(30);

/// An event that may be appended: decoded for the fold, and as the bytes that subscribers will get.
#[derive(Debug)]
pub(crate) struct Draft {
    /// Decoded.
    pub(crate) event: Event,
    /// A JSON object with at least one member, without `recordedtime` and without its closing brace.
    pub(crate) open_json: Vec<u8>,
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
    keyframer: Keyframer,
}

/// Whoever needs several of these locks takes them in the order in which they stand here.
struct Shared {
    epoch: Epoch,
    writer: Mutex<Writer>,
    ring: RwLock<Ring>,
    keyframes: Keyframes,
    head: watch::Sender<Option<Offset>>,
    clock: watch::Sender<RunningClock>,
    snapshots: tokio::sync::Mutex<SnapshotCache>,
    metrics: Metrics,
}

/// Who keeps events beyond this process.
#[derive(Clone)]
enum Keeper {
    Memory,
    Journal(Arc<Journal>),
    Redis(Arc<Redis>),
}

/// Where events are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In this process alone.
    InMemory,
    /// On a disk.
    OnDisk,
    /// In Redis, where the last answer took this long.
    InRedis(Duration),
}

/// The log, shared by all who append to it and read it.
#[derive(Clone)]
pub struct Log(Arc<Shared>, Keeper);

impl Log {
    /// An empty log of a new epoch, in memory only.
    #[must_use]
    pub fn new(bounds: RingBounds, metrics: Metrics) -> Self {
        Self::of(bounds, metrics, random::epoch(), Offset(0))
    }

    /// The log that lies in `folder`, to be gone on with: empty and of a new epoch where there is none. Blocks for as
    /// long as it takes to read as many events as the ring holds.
    ///
    /// # Errors
    /// When the folder cannot be used, somebody else uses it, or what is in it is not all that was written.
    pub fn open(bounds: RingBounds, metrics: Metrics, folder: &Path) -> Result<(Self, Restored), JournalError> {
        journal::open(bounds, metrics, folder)
    }

    /// The log that Redis holds, shared by all nodes that give its address. Blocks until it is read, for `patience.start` at
    /// most while Redis cannot be reached.
    ///
    /// # Errors
    /// When Redis stays away, refuses, or holds what is no log.
    pub fn join(
        bounds: RingBounds,
        metrics: Metrics,
        url: &RedisUrl,
        patience: RedisPatience,
    ) -> Result<(Self, Joined), RedisError> {
        redis::join(bounds, metrics, url, patience)
    }

    /// A log whose first event will be `first`.
    fn of(bounds: RingBounds, metrics: Metrics, epoch: Epoch, first: Offset) -> Self {
        Self::with_keyframes(bounds, KeyframeBounds::of(bounds), metrics, epoch, first)
    }

    fn with_keyframes(
        bounds: RingBounds,
        keyframe_bounds: KeyframeBounds,
        metrics: Metrics,
        epoch: Epoch,
        first: Offset,
    ) -> Self {
        let keyframes = Keyframes::new(keyframe_bounds);
        let mut keyframer = Keyframer::new(keyframe_bounds, keyframes.clone());
        keyframer.begin(first, &Civilization::default());
        let shared = Shared {
            epoch,
            keyframes,
            writer: Mutex::new(Writer {
                fold: Civilization::default(),
                identities: Identities::new(random::hash_key()),
                topics: Topics::default(),
                last_recorded: Timestamp::default(),
                keyframer,
            }),
            ring: RwLock::new(Ring::beginning_at(first, bounds)),
            head: watch::Sender::new(first.0.checked_sub(1).map(Offset)),
            clock: watch::Sender::default(),
            snapshots: tokio::sync::Mutex::default(),
            metrics,
        };
        Self(Arc::new(shared), Keeper::Memory)
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

    /// Where events are kept.
    pub(crate) fn kept(&self) -> Kept {
        match &self.1 {
            Keeper::Memory => Kept::InMemory,
            Keeper::Journal(_) => Kept::OnDisk,
            Keeper::Redis(redis) => Kept::InRedis(redis.answered_in()),
        }
    }

    /// Why no event can be kept at present; `None` when all is well.
    pub(crate) fn trouble(&self) -> Option<String> {
        match &self.1 {
            Keeper::Memory => None,
            Keeper::Journal(journal) => journal.trouble(),
            Keeper::Redis(redis) => redis.trouble(),
        }
    }

    /// Ends when nothing can be appended any more, and only a new process mends that: a defect has stopped who writes the
    /// journal, or the history that Redis held cannot be continued.
    pub async fn stopped(&self) {
        match &self.1 {
            Keeper::Memory => std::future::pending().await,
            Keeper::Journal(journal) => journal.stopped().await,
            Keeper::Redis(redis) => redis.stopped().await,
        }
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

    /// As [`Log::resolve`]; but where nodes share the log, a cursor may come from one that is ahead by a moment, and is waited
    /// for that long after `since`.
    pub(crate) async fn resolve_soon(&self, cursor: &Cursor, since: Instant) -> Resolved {
        let resolved = self.resolve(cursor);
        let (Keeper::Redis(_), Resolved::Lost(Loss::Ahead), Cursor::At(position)) = (&self.1, &resolved, cursor) else {
            return resolved;
        };
        let mut head = self.watch_head();
        loop {
            let reached = head.wait_for(|head| *head >= position.after);
            let came = tokio::time::timeout(AHEAD_MAX, reached).await.is_ok();
            if came || self.trouble().is_none() || since.elapsed() > AHEAD_OF_TROUBLE_MAX {
                return self.resolve(cursor);
            }
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

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.0.writer.lock().expect("no code panics while it appends")
    }

    fn ring(&self) -> RwLockReadGuard<'_, Ring> {
        self.0.ring.read().expect("no code panics while it holds the ring")
    }
}
