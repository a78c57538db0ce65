//! A cursor over the log that says, one after the other, what its subscriber has to hear.
//!
//! Holds no queue: what has not been said yet is in the log. Whoever carries it asks for the next thing when there is
//! room for it, so a slow carrier costs nothing but its place in the ring. Knows nothing of sockets.

use super::{Start, outcome};
use crate::{
    log::{Batch, FellBehind, Interest, ReadBounds, Resolved, RunningClock, Snapshot},
    server::App,
};
use monkeytown_protocol::{Cursor, Offset, Position};
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// Most events of one frame.
const FRAME_MAX_EVENTS: usize = 512;
/// Most bytes of one frame's events; a single event is sent however long it is.
const FRAME_MAX_BYTES: usize = 256 * 1024;
/// Most events looked at for one frame.
const FRAME_MAX_SCANNED: usize = 4_096;
/// Under load, events of this long go into one frame.
const TICK: Duration = Duration::from_millis(20);
/// How often the clock is told while it does not run at the server's rate.
const CLOCK_PERIOD: Duration = Duration::from_secs(1);
/// Shortest time between two heartbeats, however often a source sets its clock.
const HEARTBEAT_GAP: Duration = Duration::from_millis(250);

/// The next thing that a subscriber hears.
#[derive(Debug)]
pub(crate) enum Said {
    /// Where it stands.
    Hello(Greeting),
    /// Everything from `first` to the end of the batch. `first` may lie before its events, when what lies between was
    /// of no interest.
    Events { first: Offset, batch: Batch },
    /// Replay is over.
    CaughtUp { offset: Option<Offset> },
    /// The stream is alive. `head` is the newest event that was covered: a client that has less has lost something.
    Heartbeat { head: Option<Offset> },
}

/// Where a subscriber stands.
#[derive(Debug)]
pub(crate) struct Greeting {
    /// What follows comes after this.
    pub(crate) from: Position,
    /// Whether that is everything after what was asked for.
    pub(crate) recovered: bool,
    /// The state at `from`.
    pub(crate) snapshot: Option<Arc<Snapshot>>,
    /// The newest event.
    pub(crate) head: Option<Offset>,
}

/// One subscriber's cursor.
pub(crate) struct Follower {
    app: Arc<App>,
    interest: Interest,
    head: watch::Receiver<Option<Offset>>,
    clock: watch::Receiver<RunningClock>,
    /// Where to start and whether with a snapshot; `None` once hello was said.
    opening: Option<(Option<Cursor>, bool)>,
    /// The next offset to be read.
    next: Offset,
    /// The first offset that nothing said has covered yet; before `next` when what lies between was of no interest.
    uncovered: Offset,
    /// Replay lasts until this offset is reached; `None` once it was.
    replay_until: Option<Offset>,
    last_frame: Instant,
    heartbeat_at: Instant,
    last_heartbeat: Instant,
    /// A heartbeat is due, and what it covers goes first.
    beating: bool,
    /// When the oldest live event of what was said last was accepted.
    under_way: Option<std::time::Instant>,
}

impl Follower {
    pub(crate) fn new(app: Arc<App>, start: Start) -> Self {
        let now = Instant::now();
        Self {
            interest: start.interest,
            // Watched before anything is read, so that nothing falls between reading and watching.
            head: app.log.watch_head(),
            clock: app.log.watch_clock(),
            opening: Some((start.cursor, start.snapshot_wanted)),
            next: Offset(0),
            uncovered: Offset(0),
            replay_until: None,
            last_frame: now,
            heartbeat_at: now,
            last_heartbeat: now,
            beating: false,
            under_way: None,
            app,
        }
    }

    /// Waits for the next thing to be said: hello first. Asking again means that what was said before is on its way.
    /// Dropped while it waits, it has said nothing and loses nothing.
    ///
    /// # Errors
    /// When what comes next has gone from the ring.
    pub(crate) async fn next(&mut self) -> Result<Said, FellBehind> {
        if let Some(accepted) = self.under_way.take() {
            self.app.metrics.delivered(accepted.elapsed());
        }
        if let Some((cursor, snapshot_wanted)) = self.opening.clone() {
            let greeting = self.greet(cursor, snapshot_wanted).await;
            self.opening = None;
            return Ok(Said::Hello(greeting));
        }
        loop {
            if self.replay_until.is_some_and(|until| self.next >= until) {
                return Ok(self.cover().unwrap_or_else(|| self.end_replay()));
            }
            if self.beating {
                return Ok(self.cover().unwrap_or_else(|| self.beat()));
            }
            let behind = self.behind();
            let due = if self.replay_until.is_some() { self.last_frame } else { self.last_frame + TICK };
            tokio::select! {
                () = tokio::time::sleep_until(due), if behind => {
                    if let Some(said) = self.read()? {
                        return Ok(said);
                    }
                }
                changed = self.head.changed(), if !behind => changed.expect("the log is held, and the sender with it"),
                () = tokio::time::sleep_until(self.heartbeat_at) => self.beating = true,
                changed = self.clock.changed() => {
                    changed.expect("the log is held, and the sender with it");
                    self.heartbeat_at = self.heartbeat_at.min(self.last_heartbeat + HEARTBEAT_GAP);
                }
            }
        }
    }

    /// Finds where the subscription starts, and stands there.
    async fn greet(&mut self, cursor: Option<Cursor>, snapshot_wanted: bool) -> Greeting {
        let resolved = cursor.map(|cursor| self.app.log.resolve(&cursor));
        let outcome = outcome(resolved.as_ref());
        let held = match resolved {
            Some(Resolved::Held(position)) => Some(position),
            Some(Resolved::Lost(_)) | None => None,
        };
        let (from, recovered, snapshot) = match held {
            Some(position) if !snapshot_wanted => (position, true, None),
            asked => {
                let snapshot = self.app.log.snapshot().await;
                let from = snapshot.position();
                // Everything after the cursor follows only if the snapshot does not reach beyond it.
                let recovered = asked.is_some_and(|asked| from.next() <= asked.next());
                (from, recovered, Some(snapshot))
            }
        };
        self.app.metrics.resumed(outcome);
        let head = self.app.log.head();
        self.next = from.next();
        self.uncovered = self.next;
        self.replay_until = Some(head.map_or(Offset(0), Offset::next).max(self.next));
        let now = Instant::now();
        // The first frame after hello need not wait for a tick.
        self.last_frame = now.checked_sub(TICK).unwrap_or(now);
        self.last_heartbeat = now;
        self.heartbeat_at = now + self.heartbeat_period();
        Greeting { from, recovered, snapshot, head }
    }

    fn behind(&self) -> bool {
        self.app.log.head().is_some_and(|head| self.next <= head)
    }

    /// The next events, if any are of interest.
    fn read(&mut self) -> Result<Option<Said>, FellBehind> {
        let bounds = ReadBounds { events: FRAME_MAX_EVENTS, bytes: FRAME_MAX_BYTES, scanned: FRAME_MAX_SCANNED };
        let Some(batch) = self.app.log.read(self.next, bounds, &self.interest)? else { return Ok(None) };
        self.next = batch.last.next();
        self.last_frame = Instant::now();
        // Without anything of interest, the next frame that has some, or the next heartbeat, covers these too.
        let Some(oldest) = batch.events.first() else { return Ok(None) };
        if self.replay_until.is_none() {
            self.under_way = Some(oldest.accepted);
        }
        let first = self.uncovered;
        self.uncovered = self.next;
        Ok(Some(Said::Events { first, batch }))
    }

    /// Covers what was of no interest, so that nobody takes it for a hole.
    fn cover(&mut self) -> Option<Said> {
        let first = self.uncovered;
        let last = self.next.0.checked_sub(1).map(Offset).filter(|last| *last >= first)?;
        self.uncovered = self.next;
        Some(Said::Events { first, batch: Batch { last, events: Vec::new() } })
    }

    fn end_replay(&mut self) -> Said {
        self.replay_until = None;
        Said::CaughtUp { offset: self.covered() }
    }

    fn beat(&mut self) -> Said {
        self.beating = false;
        self.last_heartbeat = Instant::now();
        self.heartbeat_at = self.last_heartbeat + self.heartbeat_period();
        Said::Heartbeat { head: self.covered() }
    }

    /// The newest offset that was covered.
    fn covered(&self) -> Option<Offset> {
        self.uncovered.0.checked_sub(1).map(Offset)
    }

    #[expect(clippy::float_cmp, reason = "1 is said, not computed")]
    fn heartbeat_period(&self) -> Duration {
        let heartbeat = self.app.options.timing.heartbeat;
        if self.app.log.clock().rate == 1.0 { heartbeat } else { heartbeat.min(CLOCK_PERIOD) }
    }
}
