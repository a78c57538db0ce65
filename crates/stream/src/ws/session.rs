//! One subscriber: a cursor over the log, written to one socket.
//!
//! Holds no queue: what it has not sent yet is in the log, and at most one frame is on its way. A reader too slow for
//! the log is sent away and comes back to a snapshot. What a client says is answered (pings) or counted.

use super::{Start, frames, outcome};
use crate::{
    log::{Batch, FellBehind, Interest, ReadBounds, Resolved},
    metrics::{Eviction, Metrics},
    random,
    server::App,
};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use monkeytown_protocol::{Cursor, Offset, Position};
use std::{error::Error, io, sync::Arc, time::Duration};
use tokio::time::Instant;
use tracing::Instrument;

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
/// Messages that a client may send for nothing, and pings within one heartbeat.
const MESSAGES_MAX: u32 = 8;
const PINGS_MAX: u32 = 64;
/// Heartbeats that a client may leave unanswered.
const SILENT_HEARTBEATS: u32 = 3;
/// How long a closed connection waits for the other side to close too.
const LINGER: Duration = Duration::from_secs(1);
/// Subscribers of a draining stream come back within this time, each at its own moment.
const RECONNECT_SPREAD_MILLIS: std::ops::Range<u64> = 200..4_000;

/// Going away (RFC 6455, section 7.4.1).
const CLOSE_AWAY: u16 = 1001;
const CLOSE_PROTOCOL: u16 = 1002;
const CLOSE_NOT_TEXT: u16 = 1007;
const CLOSE_POLICY: u16 = 1008;
const CLOSE_TOO_BIG: u16 = 1009;
/// Come back at once (`events.md`, "close codes").
const CLOSE_FELL_BEHIND: u16 = 4200;
const CLOSE_SILENT: u16 = 4201;

/// Why a session ends.
enum End {
    /// The client closed, or its connection broke.
    Gone,
    /// It took nothing for too long.
    Stalled,
    /// It is sent away.
    Evicted(Eviction, u16, &'static str),
    /// What it sent cannot be read.
    Unreadable(u16, &'static str),
    /// This server goes away.
    Draining,
}

/// Counted among the active for as long as it lives.
struct Counted(Metrics);

impl Counted {
    fn new(metrics: Metrics) -> Self {
        metrics.ws_connections_total.inc();
        metrics.ws_connections_active.inc();
        Self(metrics)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.ws_connections_active.dec();
    }
}

pub(super) struct Session {
    app: Arc<App>,
    socket: WebSocket,
    interest: Interest,
    /// The next offset to be read.
    next: Offset,
    /// The first offset that no frame has covered yet; before `next` when what lies between was of no interest.
    uncovered: Offset,
    /// Replay lasts until this offset is reached; `None` once it was.
    replay_until: Option<Offset>,
    last_frame: Instant,
    heartbeat_at: Instant,
    last_heartbeat: Instant,
    ping_at: Instant,
    last_heard: Instant,
    messages: u32,
    pings: u32,
}

impl Session {
    pub(super) async fn run(app: Arc<App>, socket: WebSocket, start: Start) {
        let witness = random::connection_id();
        let span = tracing::info_span!("subscriber", witness_id = witness);
        async move {
            let _counted = Counted::new(app.metrics.clone());
            tracing::debug!("a subscriber comes");
            let now = Instant::now();
            let mut session = Self {
                socket,
                interest: start.interest,
                next: Offset(0),
                uncovered: Offset(0),
                replay_until: None,
                last_frame: now,
                heartbeat_at: now,
                last_heartbeat: now,
                ping_at: now + app.options.timing.heartbeat,
                last_heard: now,
                messages: 0,
                pings: 0,
                app,
            };
            let app = Arc::clone(&session.app);
            let end = tokio::select! {
                end = session.serve(start.cursor, start.snapshot_wanted) => end,
                // Replay and a stalled write must not hold a drain up.
                () = app.drained() => End::Draining,
            };
            session.finish(end).await;
        }
        .instrument(span)
        .await;
    }

    async fn serve(&mut self, cursor: Option<Cursor>, snapshot_wanted: bool) -> End {
        match self.talk(cursor, snapshot_wanted).await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn talk(&mut self, cursor: Option<Cursor>, snapshot_wanted: bool) -> Result<std::convert::Infallible, End> {
        // Watched before anything is read, so that nothing falls between reading and watching.
        let mut head = self.app.log.watch_head();
        let mut clock = self.app.log.watch_clock();
        self.greet(cursor, snapshot_wanted).await?;
        self.end_replay().await?;
        loop {
            let behind = self.behind();
            let due = if self.replay_until.is_some() { self.last_frame } else { self.last_frame + TICK };
            tokio::select! {
                incoming = self.socket.recv() => self.hear(incoming)?,
                () = tokio::time::sleep_until(due), if behind => self.forward().await?,
                changed = head.changed(), if !behind => changed.map_err(|_| End::Draining)?,
                () = tokio::time::sleep_until(self.heartbeat_at) => self.beat().await?,
                changed = clock.changed() => {
                    changed.map_err(|_| End::Draining)?;
                    self.heartbeat_at = self.heartbeat_at.min(self.last_heartbeat + HEARTBEAT_GAP);
                }
                () = tokio::time::sleep_until(self.ping_at) => self.ping().await?,
            }
        }
    }

    /// Says hello, and stands where the subscription starts.
    async fn greet(&mut self, cursor: Option<Cursor>, snapshot_wanted: bool) -> Result<(), End> {
        let app = Arc::clone(&self.app);
        let resolved = cursor.map(|cursor| app.log.resolve(&cursor));
        app.metrics.resumed(outcome(resolved.as_ref()));
        let held = match resolved {
            Some(Resolved::Held(position)) => Some(position),
            Some(Resolved::Lost(_)) | None => None,
        };
        let (from, recovered, snapshot) = match held {
            Some(position) if !snapshot_wanted => (position, true, None),
            asked => {
                let snapshot = app.log.snapshot().await;
                let from = snapshot.position();
                // Everything after the cursor follows only if the snapshot does not reach beyond it.
                let recovered = asked.is_some_and(|asked| from.next() <= asked.next());
                (from, recovered, Some(snapshot))
            }
        };
        let head = app.log.head();
        self.stand_at(&from, head);
        let greeting = frames::Greeting {
            from,
            recovered,
            snapshot: snapshot.as_deref(),
            head,
            heartbeat: app.options.timing.heartbeat,
            source_kind: app.options.source_kind,
        };
        self.send(frames::hello(&app.log, greeting)).await?;
        self.heartbeat_at = self.last_heartbeat + self.heartbeat_period();
        Ok(())
    }

    fn stand_at(&mut self, from: &Position, head: Option<Offset>) {
        self.next = from.next();
        self.uncovered = self.next;
        self.replay_until = Some(head.map_or(Offset(0), Offset::next).max(self.next));
        // The first frame after hello need not wait for a tick.
        self.last_frame = Instant::now().checked_sub(TICK).unwrap_or_else(Instant::now);
        self.last_heartbeat = Instant::now();
    }

    fn behind(&self) -> bool {
        self.app.log.head().is_some_and(|head| self.next <= head)
    }

    /// Sends the next frame of events.
    async fn forward(&mut self) -> Result<(), End> {
        let bounds = ReadBounds { events: FRAME_MAX_EVENTS, bytes: FRAME_MAX_BYTES, scanned: FRAME_MAX_SCANNED };
        let batch = match self.app.log.read(self.next, bounds, &self.interest) {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(()),
            Err(FellBehind) => {
                return Err(End::Evicted(Eviction::FellBehind, CLOSE_FELL_BEHIND, "fell behind the events held"));
            }
        };
        self.next = batch.last.next();
        self.last_frame = Instant::now();
        // Without anything of interest, the next frame that has some, or the next heartbeat, covers these too.
        if let Some(oldest) = batch.events.first() {
            let frame = frames::events(self.app.log.epoch(), self.uncovered, &batch);
            self.uncovered = self.next;
            self.send(frame).await?;
            if self.replay_until.is_none() {
                self.app.metrics.delivered(oldest.accepted.elapsed());
            }
        }
        self.end_replay().await
    }

    /// Says that replay is over, once it is.
    async fn end_replay(&mut self) -> Result<(), End> {
        if self.replay_until.is_none_or(|until| self.next < until) {
            return Ok(());
        }
        self.replay_until = None;
        self.cover().await?;
        self.send(frames::caught_up(self.next.0.checked_sub(1).map(Offset))).await
    }

    /// Covers what was of no interest, so that nobody takes it for a hole.
    async fn cover(&mut self) -> Result<(), End> {
        let Some(last) = self.next.0.checked_sub(1).map(Offset).filter(|last| *last >= self.uncovered) else {
            return Ok(());
        };
        let nothing = Batch { last, events: Vec::new() };
        let frame = frames::events(self.app.log.epoch(), self.uncovered, &nothing);
        self.uncovered = self.next;
        self.send(frame).await
    }

    /// Tells that the stream is alive. `head` is the newest event that this connection has covered: a client that has
    /// less has lost something.
    async fn beat(&mut self) -> Result<(), End> {
        self.cover().await?;
        let head = self.uncovered.0.checked_sub(1).map(Offset);
        self.send(frames::heartbeat(&self.app.log, head)).await?;
        self.last_heartbeat = Instant::now();
        self.heartbeat_at = self.last_heartbeat + self.heartbeat_period();
        Ok(())
    }

    #[expect(clippy::float_cmp, reason = "1 is said, not computed")]
    fn heartbeat_period(&self) -> Duration {
        let heartbeat = self.app.options.timing.heartbeat;
        if self.app.log.clock().rate == 1.0 { heartbeat } else { heartbeat.min(CLOCK_PERIOD) }
    }

    async fn ping(&mut self) -> Result<(), End> {
        let heartbeat = self.app.options.timing.heartbeat;
        if self.last_heard.elapsed() > heartbeat * SILENT_HEARTBEATS {
            return Err(End::Evicted(Eviction::Silent, CLOSE_SILENT, "no answer to pings"));
        }
        self.pings = 0;
        self.ping_at = Instant::now() + heartbeat;
        self.write(Message::Ping(bytes::Bytes::new())).await
    }

    fn hear(&mut self, incoming: Option<Result<Message, axum::Error>>) -> Result<(), End> {
        let message = match incoming {
            None => return Err(End::Gone),
            Some(Err(error)) => return Err(end_of(&error)),
            Some(Ok(message)) => message,
        };
        self.last_heard = Instant::now();
        match message {
            Message::Close(_) => Err(End::Gone),
            Message::Pong(_) => Ok(()),
            Message::Ping(_) => {
                // The answer is the library's; it goes out with the next write or read.
                self.pings += 1;
                self.within(self.pings <= PINGS_MAX)
            }
            Message::Text(_) | Message::Binary(_) => {
                let length = match &message {
                    Message::Text(text) => text.len(),
                    other => other.clone().into_data().len(),
                };
                if length > self.app.options.max_event_bytes {
                    return Err(End::Evicted(Eviction::Oversized, CLOSE_TOO_BIG, "a message is too big"));
                }
                self.messages += 1;
                self.within(self.messages <= MESSAGES_MAX)
            }
        }
    }

    fn within(&self, bounds: bool) -> Result<(), End> {
        if bounds { Ok(()) } else { Err(End::Evicted(Eviction::Unruly, CLOSE_POLICY, "this stream only speaks")) }
    }

    async fn send(&mut self, frame: Utf8Bytes) -> Result<(), End> {
        self.write(Message::Text(frame)).await
    }

    async fn write(&mut self, message: Message) -> Result<(), End> {
        self.socket.send(message).await.map_err(|error| end_of(&error))
    }

    async fn finish(mut self, end: End) {
        let (code, reason) = match end {
            End::Gone => {
                tracing::debug!("a subscriber goes");
                return;
            }
            End::Stalled => {
                self.app.metrics.evicted(Eviction::Stalled);
                tracing::info!(reason = "stalled", "a subscriber is sent away");
                return;
            }
            End::Evicted(eviction, code, reason) => {
                self.app.metrics.evicted(eviction);
                tracing::info!(reason, "a subscriber is sent away");
                (code, reason)
            }
            End::Unreadable(code, reason) => {
                tracing::debug!(reason, "a subscriber cannot be understood");
                (code, reason)
            }
            End::Draining => {
                let again = Duration::from_millis(fastrand::u64(RECONNECT_SPREAD_MILLIS));
                if self.send(frames::bye("the stream is going away", again)).await.is_err() {
                    return;
                }
                (CLOSE_AWAY, "going away")
            }
        };
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        if self.write(close).await.is_ok() {
            self.linger().await;
        }
    }

    /// Waits for the other side to close. Closing first with unread input would discard what it has not read yet.
    async fn linger(&mut self) {
        let closed = async {
            while let Some(incoming) = self.socket.recv().await {
                if incoming.is_err() {
                    // Nothing more can be read as messages; the other side has until the end of the wait.
                    std::future::pending::<()>().await;
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, closed).await;
    }
}

/// What an error of the socket means for the session.
fn end_of(error: &(dyn Error + 'static)) -> End {
    use tungstenite::Error as Socket;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return End::Stalled;
        }
        match error.downcast_ref::<Socket>() {
            Some(Socket::Capacity(_)) => {
                return End::Evicted(Eviction::Oversized, CLOSE_TOO_BIG, "a message is too big");
            }
            Some(Socket::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return End::Gone;
            }
            Some(Socket::Protocol(_)) => return End::Unreadable(CLOSE_PROTOCOL, "not WebSocket as RFC 6455 has it"),
            Some(Socket::Utf8(_)) => return End::Unreadable(CLOSE_NOT_TEXT, "text that is not UTF-8"),
            _ => {}
        }
        cause = error.source();
    }
    End::Gone
}
