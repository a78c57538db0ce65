//! A cursor over the log that says, one after the other, what its subscriber has to hear.
//!
//! Holds no queue: what has not been said yet is in the log. Whoever carries it asks for the next thing when there is
//! room for it, so a slow carrier costs nothing but its place in the ring. Knows nothing of sockets.

use super::{Start, outcome};
use crate::{
    fanout::{SharedFrame, Standing},
    log::{Batch, FellBehind, Interest, Resolved, RunningClock, Snapshot},
    server::App,
};
use monkeytown_protocol::{Cursor, Offset, Position};
use std::{pin::Pin, sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, Sleep},
};

/// How often the clock is told while it does not run at the server's rate.
const CLOCK_PERIOD: Duration = Duration::from_secs(1);
/// Shortest time between two heartbeats, however often a source sets its clock.
const HEARTBEAT_GAP: Duration = Duration::from_millis(250);

/// The next thing that a subscriber hears.
#[derive(Debug)]
pub(crate) enum Said {
    /// Where it stands.
    Hello(Greeting),
    /// Everything that the frame covers. It may be shared with others.
    Events(Arc<SharedFrame>),
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
    interest: Arc<Interest>,
    tick: watch::Receiver<Option<Offset>>,
    clock: watch::Receiver<RunningClock>,
    /// Where to start and whether with a snapshot; `None` once hello was said.
    opening: Option<(Option<Cursor>, bool)>,
    came: std::time::Instant,
    /// The next offset to be read.
    next: Offset,
    /// The first offset that nothing said has covered yet; before `next` when what lies between was of no interest.
    uncovered: Offset,
    /// Replay lasts until this offset is reached; `None` once it was.
    replay_until: Option<Offset>,
    /// It has let others take their turn since the last frame of its replay.
    rested: bool,
    /// Ends when a heartbeat is due. It is kept, since a timer costs more to make than to wait for.
    heartbeat: Pin<Box<Sleep>>,
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
            interest: app.fanout.interest(start.interest),
            // Watched before anything is read, so that nothing falls between reading and watching.
            tick: app.fanout.watch(),
            clock: app.log.watch_clock(),
            opening: Some((start.cursor, start.snapshot_wanted)),
            came: std::time::Instant::now(),
            next: Offset(0),
            uncovered: Offset(0),
            replay_until: None,
            rested: false,
            heartbeat: Box::pin(tokio::time::sleep_until(now)),
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
            self.beating |= self.heartbeat.deadline() <= Instant::now();
            if self.clock.has_changed().expect("the log is held, and the sender with it") {
                self.clock.mark_unchanged();
                self.hasten();
            }
            if let Some(until) = self.until() {
                // Long replays, and much that is of no interest, leave the live their turn. Whoever drops this while
                // it rests finds it rested, so that it gets on.
                if self.replay_until.is_some() && !std::mem::replace(&mut self.rested, true) {
                    tokio::task::yield_now().await;
                }
                self.rested = false;
                match self.read(until)? {
                    Some(said) => return Ok(said),
                    None => continue,
                }
            }
            tokio::select! {
                changed = self.tick.changed() => changed.expect("the fan-out is held, and the sender with it"),
                () = self.heartbeat.as_mut() => self.beating = true,
                changed = self.clock.changed() => {
                    changed.expect("the log is held, and the sender with it");
                    self.hasten();
                }
            }
        }
    }

    /// Whether what is said was there before it came.
    pub(crate) fn is_replaying(&self) -> bool {
        self.replay_until.is_some()
    }

    /// Finds where the subscription starts, and stands there.
    async fn greet(&mut self, cursor: Option<Cursor>, snapshot_wanted: bool) -> Greeting {
        let resolved = match &cursor {
            // Whoever drops this while it waits has waited all the same.
            Some(cursor) => Some(self.app.log.resolve_soon(cursor, self.came).await),
            None => None,
        };
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
        self.restart_heartbeat();
        Greeting { from, recovered, snapshot, head }
    }

    /// The last offset to be read now; `None` when there is nothing to be read. Live, that is what the ticks say; a
    /// replay ends where the live are by then, so that it joins them.
    fn until(&self) -> Option<Offset> {
        let told = self.app.fanout.told();
        let replayed = self.replay_until.and_then(|until| until.0.checked_sub(1)).map(Offset);
        told.max(replayed).filter(|until| self.next <= *until)
    }

    /// The next events, if any are of interest.
    fn read(&mut self, until: Offset) -> Result<Option<Said>, FellBehind> {
        let at = Standing { uncovered: self.uncovered, next: self.next, until };
        let Some(frame) = self.app.fanout.frame(&self.app.log, &self.interest, at)? else { return Ok(None) };
        self.next = frame.batch.last.next();
        // Without anything of interest, the next frame that has some, or the next heartbeat, covers these too.
        let Some(oldest) = frame.batch.events.first() else { return Ok(None) };
        if self.replay_until.is_none() {
            self.under_way = Some(oldest.accepted);
        }
        self.uncovered = self.next;
        Ok(Some(Said::Events(frame)))
    }

    /// Covers what was of no interest, so that nobody takes it for a hole.
    fn cover(&mut self) -> Option<Said> {
        let first = self.uncovered;
        let last = self.next.0.checked_sub(1).map(Offset).filter(|last| *last >= first)?;
        self.uncovered = self.next;
        Some(Said::Events(Arc::new(SharedFrame::new(first, Batch { last, events: Vec::new() }))))
    }

    fn end_replay(&mut self) -> Said {
        self.replay_until = None;
        Said::CaughtUp { offset: self.covered() }
    }

    fn beat(&mut self) -> Said {
        self.beating = false;
        self.restart_heartbeat();
        Said::Heartbeat { head: self.covered() }
    }

    fn restart_heartbeat(&mut self) {
        self.last_heartbeat = Instant::now();
        let due = self.last_heartbeat + self.heartbeat_period();
        self.heartbeat.as_mut().reset(due);
    }

    /// A source has set its clock: the next heartbeat comes as soon as it may.
    fn hasten(&mut self) {
        let soonest = self.heartbeat.deadline().min(self.last_heartbeat + HEARTBEAT_GAP);
        self.heartbeat.as_mut().reset(soonest);
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
