//! Redis as the log that several nodes share: one epoch, one order, one offset for an event, whoever took it.
//!
//! **Redis decides, nodes follow.** A script appends: it gives offsets, leaves out identities that are held, sets
//! `recordedtime` so that no node's clock takes it back, and lets the oldest go. A node holds an event (folds it, serves it)
//! only as what follows the newest it holds, and a script that is asked for it has checked epoch and stamp first. So all
//! nodes serve the same bytes at the same offsets, or stop. A publisher is answered when the event is in Redis and this node
//! holds it: as durable as Redis was set up to be, and besides that here.
//!
//! **What may happen.**
//! - *Redis is away, stalls, refuses* (no memory, a replica, loading): appends wait, bounded in bytes and time, then are given
//!   back; what is held is served; the connection is tried again, for ever. An append whose answer was lost is sent again:
//!   identities make it one, and the stamps of its tries tell that it was one's own.
//! - *It comes back without its newest events* (it had not written them down): nodes put back what they hold, with the same
//!   offsets and stamps. Every node waits a little after Redis has begun anew before it appends, so that whoever holds most
//!   puts it back first.
//! - *It comes back with others at offsets that were served*, or with less than a node can put back: nobody may be served two
//!   events at one offset, so the node gives what is there another epoch (once; who comes second finds it done) and ends. So
//!   does a node that finds another epoch or nothing at all, or that has been away for longer than a ring. Ending is the
//!   sound answer: subscribers are told to come back, the process's supervisor starts it, and it begins as any other does.
//!   An empty Redis is never filled from a ring: whoever emptied it meant it.
//! - *Its keys are not ours*: at the start one line, exit code 2; later nothing is taken until they are mended.
//!
//! `scripts` are what runs inside Redis, `link` asks, `answer` reads, `join` begins, `scribe` goes on, `queue` is what waits,
//! `stamps` tell histories apart. Absent here: what becomes of events that are given back; HTTP.

mod address;
mod answer;
pub(crate) mod fuzzing;
mod join;
mod link;
mod queue;
mod scribe;
mod stamps;

pub use address::{RedisUrl, RedisUrlError};
pub(super) use join::join;

use super::{
    Draft,
    append::{Appended, Unwritten},
};
use queue::Queue;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;

/// Most bytes of appends that wait, 256 more counted for each event.
const WAITING_MAX_BYTES: usize = 32 << 20;

/// How long Redis is waited for.
#[derive(Debug, Clone, Copy)]
pub struct RedisPatience {
    /// At the start, until it can be reached.
    pub start: Duration,
    /// For an answer.
    pub answer: Duration,
    /// How long an append waits. Longer than `settle`, so that a Redis that is back within a second or two is waited for.
    pub append: Duration,
    /// After it has begun anew, before anything is appended: longer than the others take to find it again. One that was told
    /// nothing of its end hears a silence of one and a half `answer`, or waits one for a try that hangs and a pause of a
    /// second, and then needs one to read.
    pub settle: Duration,
}

impl Default for RedisPatience {
    fn default() -> Self {
        Self {
            start: Duration::from_secs(30),
            answer: Duration::from_secs(2),
            append: Duration::from_secs(8),
            settle: Duration::from_secs(6),
        }
    }
}

/// Why the log of a Redis cannot be joined. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The address is none.
    #[error("--redis: {0}")]
    Url(#[from] RedisUrlError),
    /// It cannot be reached.
    #[error("--redis {place}: {why}; tried for {seconds} s")]
    Away {
        /// The address without a password.
        place: String,
        /// What it was.
        why: String,
        /// How long it was tried.
        seconds: u64,
    },
    /// It refuses this client.
    #[error("--redis {place}: {why}; give a user that may run scripts on the keys {{monkeytown}}:*")]
    Refused {
        /// The address without a password.
        place: String,
        /// What it says.
        why: String,
    },
    /// What it holds cannot be gone on with.
    #[error(
        "--redis {place}: {why}; restore it from a copy, give another database, or delete the keys {{monkeytown}}:* and begin a new history"
    )]
    Damaged {
        /// The address without a password.
        place: String,
        /// What is wrong.
        why: String,
    },
    /// The system gives no thread.
    #[error("--redis: {0}")]
    Thread(#[source] std::io::Error),
}

/// What was found at the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// Where, without a password.
    pub place: String,
    /// Events that the log holds.
    pub events: u64,
    /// Whether Redis writes down every change.
    pub appends_to_file: bool,
    /// How long it took, Redis waited for.
    pub took: Duration,
}

impl Joined {
    /// Says it in the log.
    pub fn tell(&self) {
        let millis = u64::try_from(self.took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(redis = self.place, events = self.events, millis, "the log of Redis is read");
        if !self.appends_to_file {
            tracing::warn!(
                redis = self.place,
                "Redis keeps no append-only file: when it stops, what it has not saved is lost but for what nodes still hold"
            );
        }
    }
}

/// What the one who speaks with Redis tells everybody.
#[derive(Default)]
struct Told {
    answered_nanos: AtomicU64,
}

impl Told {
    fn answered_in(&self, took: Duration) {
        self.answered_nanos.store(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// The way to the thread that speaks with Redis. When the last who has it goes, what waits is appended and the thread ends.
pub(in crate::log) struct Redis {
    queue: Arc<Queue>,
    trouble: watch::Receiver<Option<String>>,
    told: Arc<Told>,
}

impl Redis {
    /// Appends, or gives the events back.
    pub(in crate::log) async fn append(&self, drafts: Vec<Draft>) -> Result<Appended, Unwritten> {
        if drafts.is_empty() {
            return Ok(Appended { offsets: Vec::new(), duplicates: 0 });
        }
        self.queue.append(drafts, || self.trouble.borrow().is_some()).await
    }

    /// Why nothing can be appended, while that is so.
    pub(in crate::log) fn trouble(&self) -> Option<String> {
        self.trouble.borrow().clone()
    }

    /// How long the last append took.
    pub(in crate::log) fn answered_in(&self) -> Duration {
        Duration::from_nanos(self.told.answered_nanos.load(Ordering::Relaxed))
    }

    /// Ends when the thread has: this history is over.
    pub(in crate::log) async fn stopped(&self) {
        let mut trouble = self.trouble.clone();
        while trouble.changed().await.is_ok() {}
    }

    /// Waits until it looks as if something could be appended; for ever when nothing ever will.
    pub(in crate::log) async fn writable(&self) {
        if self.trouble.clone().wait_for(Option::is_none).await.is_err() {
            std::future::pending().await
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.queue.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_that_is_over_soon_is_waited_for() {
        let RedisPatience { answer, append, settle, .. } = RedisPatience::default();
        assert!(append > settle, "else every restart of Redis refuses publishers");
        // What went without a word is noticed after a silence of this length, and read within another answer.
        assert!(settle >= answer * 3 / 2 + answer, "else who holds most may come too late");
    }
}
