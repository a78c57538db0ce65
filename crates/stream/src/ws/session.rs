//! One subscriber on one socket.
//!
//! Holds no queue: what it has not sent yet is in the log, and at most one frame is on its way, which others may share.
//! A reader too slow for the log is sent away and comes back to a snapshot. What a client says is answered (pings) or
//! counted.

use super::{
    Framing, cloud_events,
    line::{Line, LineEnd},
    message,
};
use crate::{
    fanout::{Form, SharedFrame},
    log::FellBehind,
    metrics::{Eviction, Metrics},
    random,
    server::App,
    subscription::{Follower, Greeting, Said, Start, frames},
};
use axum::extract::ws::{Message, Utf8Bytes};
use bytes::Bytes;
use std::{pin::Pin, sync::Arc};
use tokio::time::{Instant, Sleep};
use tracing::Instrument;

/// Messages that a client may send for nothing, and pings within one heartbeat.
const MESSAGES_MAX: u32 = 8;
const PINGS_MAX: u32 = 64;

/// Going away (RFC 6455, section 7.4.1).
const CLOSE_AWAY: u16 = 1001;
const CLOSE_POLICY: u16 = 1008;
const CLOSE_TOO_BIG: u16 = 1009;
/// Come back at once (`events.md`, "close codes").
const CLOSE_FELL_BEHIND: u16 = 4200;
const CLOSE_SILENT: u16 = 4201;

/// Why a session ends.
enum End {
    /// The client closes.
    Closing,
    /// Its connection broke.
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

const TOO_BIG: End = End::Evicted(Eviction::Oversized, CLOSE_TOO_BIG, "a message is too big");
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

impl From<LineEnd> for End {
    fn from(end: LineEnd) -> Self {
        match end {
            LineEnd::Closing => Self::Closing,
            LineEnd::Gone => Self::Gone,
            LineEnd::Stalled => Self::Stalled,
            LineEnd::TooBig => TOO_BIG,
            LineEnd::Unreadable(code, reason) => Self::Unreadable(code, reason),
        }
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
                heard = self.line.hear() => self.hear(&heard?)?,
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
                return Ok(self.line.share(messages).await?);
            }
            (Framing::PackedFrames, Said::Hello(greeting)) => {
                frames::write_hello(&self.app, &greeting, &mut text);
                drop(greeting);
                if self.app.packing.take(text.len()) {
                    let hello = message::packed(|into| into.extend_from_slice(&text));
                    drop(text);
                    return Ok(self.line.share(hello).await?);
                }
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
            Framing::PackedFrames if self.packs(frame) => frame
                .bytes(Form::PackedFrames, |frame| message::packed(|into| frames::write_events(epoch, frame, into))),
            Framing::Frames | Framing::PackedFrames => {
                frame.bytes(Form::Frames, |frame| message::text(|into| frames::write_events(epoch, frame, into)))
            }
            Framing::CloudEvents => {
                frame.bytes(Form::CloudEvents, |frame| cloud_events::messages(epoch, &frame.batch.events))
            }
        }
    }

    /// Whether this one gets it compressed: what is everybody's always, else while there is a budget for it.
    fn packs(&self, frame: &SharedFrame) -> bool {
        let is_everybodys = frame.is_common && !self.follower.is_replaying();
        is_everybodys || frame.has(Form::PackedFrames) || self.app.packing.take(frame.event_bytes())
    }

    async fn ping(&mut self) -> Result<(), End> {
        let heartbeat = self.app.options.timing.heartbeat;
        if self.last_heard.elapsed() > self.app.options.timing.silence() {
            return Err(End::Evicted(Eviction::Silent, CLOSE_SILENT, "no answer to pings"));
        }
        self.pings = 0;
        self.ping.as_mut().reset(Instant::now() + heartbeat);
        Ok(self.line.write(Message::Ping(Bytes::new())).await?)
    }

    fn hear(&mut self, message: &Message) -> Result<(), End> {
        self.last_heard = Instant::now();
        match message {
            Message::Close(_) | Message::Pong(_) => Ok(()),
            Message::Ping(_) => {
                // The answer is the library's; it goes out with the next write or read.
                self.pings += 1;
                self.within(self.pings <= PINGS_MAX)
            }
            Message::Text(_) | Message::Binary(_) => {
                let length = match message {
                    Message::Text(text) => text.len(),
                    other => other.clone().into_data().len(),
                };
                if length > self.app.options.max_event_bytes {
                    return Err(TOO_BIG);
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
        Ok(self.line.write(Message::Text(text)).await?)
    }

    async fn finish(mut self, end: End) {
        let (code, reason) = match end {
            End::Closing => {
                tracing::debug!("a subscriber goes");
                self.line.closed().await;
                return;
            }
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
        self.line.close(code, reason).await;
    }
}
