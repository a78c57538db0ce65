//! One subscriber on one socket.
//!
//! Holds no queue: what it has not sent yet is in the log, and at most one frame is on its way, which others may share.
//! A reader too slow for the log is sent away and comes back to a snapshot. What a client says is answered (pings) or
//! counted.

use super::{Framing, cloud_events, message};
use crate::{
    fanout::{Form, SharedFrame},
    log::FellBehind,
    metrics::{Eviction, Metrics},
    outlet::Outlet,
    random,
    server::App,
    subscription::{Follower, Greeting, Said, Start, frames},
};
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;
use std::{error::Error, io, pin::Pin, sync::Arc, time::Duration};
use tokio::time::{Instant, Sleep};
use tracing::Instrument;

/// Messages that a client may send for nothing, and pings within one heartbeat.
const MESSAGES_MAX: u32 = 8;
const PINGS_MAX: u32 = 64;
/// How long a closed connection waits for the other side to close too.
const LINGER: Duration = Duration::from_secs(1);

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

const FELL_BEHIND: End = End::Evicted(Eviction::FellBehind, CLOSE_FELL_BEHIND, "fell behind the events held");

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

/// A connection: the library that speaks on it, and the way past it for what is ready to be sent.
pub(super) struct Line {
    pub(super) socket: WebSocket,
    pub(super) outlet: Outlet,
}

impl Line {
    /// Has the library write `message`.
    async fn write(&mut self, message: Message) -> Result<(), End> {
        self.socket.send(message).await.map_err(|error| end_of(&error))
    }

    /// Sends whole messages that others get too.
    async fn share(&mut self, messages: Bytes) -> Result<(), End> {
        // What the library holds, an answer to a ping, goes first and whole.
        self.socket.flush().await.map_err(|error| end_of(&error))?;
        self.outlet.put(messages);
        self.socket.flush().await.map_err(|error| end_of(&error))
    }
}

pub(super) struct Session {
    app: Arc<App>,
    line: Line,
    follower: Follower,
    framing: Framing,
    /// Ends when the client is asked for a sign of life.
    ping: Pin<Box<Sleep>>,
    last_heard: Instant,
    messages: u32,
    pings: u32,
}

impl Session {
    pub(super) async fn run(app: Arc<App>, line: Line, start: Start, framing: Framing) {
        let witness = random::connection_id();
        let span = tracing::info_span!("subscriber", witness_id = witness);
        async move {
            let _counted = Counted::new(app.metrics.clone());
            tracing::debug!("a subscriber comes");
            let now = Instant::now();
            let mut session = Self {
                line,
                follower: Follower::new(Arc::clone(&app), start),
                framing,
                ping: Box::pin(tokio::time::sleep_until(now + app.options.timing.heartbeat)),
                last_heard: now,
                messages: 0,
                pings: 0,
                app: Arc::clone(&app),
            };
            let end = tokio::select! {
                end = session.serve() => end,
                // Replay and a stalled write must not hold a drain up.
                () = app.leave() => End::Draining,
            };
            session.finish(end).await;
        }
        .instrument(span)
        .await;
    }

    async fn serve(&mut self) -> End {
        match self.talk().await {
            Ok(never) => match never {},
            Err(end) => end,
        }
    }

    async fn talk(&mut self) -> Result<std::convert::Infallible, End> {
        loop {
            tokio::select! {
                incoming = self.line.socket.recv() => self.hear(incoming)?,
                said = self.follower.next() => self.tell(said.map_err(|FellBehind| FELL_BEHIND)?).await?,
                () = self.ping.as_mut() => self.ping().await?,
            }
        }
    }

    async fn tell(&mut self, said: Said) -> Result<(), End> {
        let mut text = Vec::new();
        match (self.framing, said) {
            (_, Said::Events(frame)) => {
                let messages = self.messages(&frame);
                // A slow reader holds the bytes that it is sent, and no more.
                drop(frame);
                return self.line.share(messages).await;
            }
            (Framing::PackedFrames, Said::Hello(greeting)) => {
                let hello = message::packed(|into| frames::write_hello(&self.app, &greeting, into));
                drop(greeting);
                return self.line.share(hello).await;
            }
            (Framing::Frames, Said::Hello(greeting)) => frames::write_hello(&self.app, &greeting, &mut text),
            (Framing::Frames | Framing::PackedFrames, Said::CaughtUp { offset }) => {
                frames::write_caught_up(offset, &mut text);
            }
            (Framing::Frames | Framing::PackedFrames, Said::Heartbeat { head }) => {
                frames::write_heartbeat(&self.app.log, head, &mut text);
            }
            // It was held before the upgrade and went since; there is no frame to say so with.
            (Framing::CloudEvents, Said::Hello(Greeting { recovered: false, .. })) => return Err(FELL_BEHIND),
            (Framing::CloudEvents, Said::Hello(_) | Said::CaughtUp { .. } | Said::Heartbeat { .. }) => return Ok(()),
        }
        self.send(text).await
    }

    /// Events as messages of this framing; made by the first who gets them.
    fn messages(&self, frame: &SharedFrame) -> Bytes {
        let epoch = self.app.log.epoch();
        match self.framing {
            Framing::Frames => {
                frame.bytes(Form::Frames, |frame| message::text(|into| frames::write_events(epoch, frame, into)))
            }
            Framing::PackedFrames => frame
                .bytes(Form::PackedFrames, |frame| message::packed(|into| frames::write_events(epoch, frame, into))),
            Framing::CloudEvents => {
                frame.bytes(Form::CloudEvents, |frame| cloud_events::messages(epoch, &frame.batch.events))
            }
        }
    }

    async fn ping(&mut self) -> Result<(), End> {
        let heartbeat = self.app.options.timing.heartbeat;
        if self.last_heard.elapsed() > self.app.options.timing.silence() {
            return Err(End::Evicted(Eviction::Silent, CLOSE_SILENT, "no answer to pings"));
        }
        self.pings = 0;
        self.ping.as_mut().reset(Instant::now() + heartbeat);
        self.line.write(Message::Ping(Bytes::new())).await
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

    async fn send(&mut self, frame: Vec<u8>) -> Result<(), End> {
        let text = Utf8Bytes::try_from(Bytes::from(frame)).expect("events were UTF-8 when they were accepted");
        self.line.write(Message::Text(text)).await
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
                if self.framing != Framing::CloudEvents {
                    let mut bye = Vec::new();
                    frames::write_bye("the stream is going away", self.app.returning_after(), &mut bye);
                    if self.send(bye).await.is_err() {
                        return;
                    }
                }
                (CLOSE_AWAY, "going away")
            }
        };
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        if self.line.write(close).await.is_ok() {
            self.linger().await;
        }
    }

    /// Waits for the other side to close. Closing first with unread input would discard what it has not read yet.
    async fn linger(&mut self) {
        let closed = async {
            while let Some(incoming) = self.line.socket.recv().await {
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
