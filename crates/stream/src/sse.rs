//! `GET /api/v1/events` as server-sent events: the frames of the socket, each a named message, with the cursor as its
//! id (HTML, "Server-sent events").
//!
//! The body is pulled: nothing is said before there is room for it. What has been pulled waits in the connection's
//! buffer, which is bounded (`server::WRITE_BUFFER_MAX_BYTES`). Absent here: what is said, and when.

use crate::{
    accept::EVENT_STREAM_TYPE,
    address::Client,
    connection::Stalled,
    fanout::Form,
    log::FellBehind,
    metrics::Eviction,
    problem::Refusal,
    random,
    server::App,
    subscribers::Place,
    subscription::{self, Follower, Said, SubscribeQuery, bad, frames, read_cursor},
};
use axum::{
    body::Body,
    extract::{Query, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;
use monkeytown_protocol::{Cursor, Position};
use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc, time::Duration};

/// A comment this long comes first: proxies that gather bytes show at once whether they let anything through.
const PADDING_BYTES: usize = 2_048;
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// Opens a subscription whose answer does not end.
pub(crate) fn subscribe(
    app: Arc<App>,
    headers: &HeaderMap,
    client: Client,
    query: Result<Query<SubscribeQuery>, QueryRejection>,
    stalled: Stalled,
) -> Result<Response, Refusal> {
    subscription::admit(&app, headers)?;
    let mut start = subscription::read_start(query)?;
    if let Some(cursor) = last_event_id(headers)? {
        start.cursor = Some(cursor);
    }
    let place = subscription::seat(&app, client)?;
    let leaving = Arc::clone(&app);
    let telling = Telling {
        follower: Follower::new(Arc::clone(&app), start),
        span: tracing::info_span!("subscriber", witness_id = random::connection_id()),
        leaving: Box::pin(async move { leaving.leave().await }),
        stage: Stage::Opening,
        stalled,
        _place: place,
        app,
    };
    tracing::debug!(parent: &telling.span, "a subscriber comes");
    let body = stream::unfold(telling, |mut telling| async move {
        let message = telling.next().await?;
        Some((Ok::<_, Infallible>(message), telling))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

/// The cursor with which a browser comes back. An empty one is none (HTML, "last event ID string").
fn last_event_id(headers: &HeaderMap) -> Result<Option<Cursor>, Refusal> {
    let Some(value) = headers.get(LAST_EVENT_ID).filter(|value| !value.is_empty()) else { return Ok(None) };
    let text = value.to_str().map_err(|_| bad("Last-Event-ID: a cursor is visible ASCII".to_owned()))?;
    read_cursor("Last-Event-ID", Some(text))
}

/// How far an answer is.
enum Stage {
    Opening,
    Speaking,
    Over,
}

/// One subscriber, and the body that is written for it.
struct Telling {
    app: Arc<App>,
    follower: Follower,
    span: tracing::Span,
    leaving: Pin<Box<dyn Future<Output = ()> + Send>>,
    stage: Stage,
    stalled: Stalled,
    _place: Place,
}

impl Telling {
    /// The next piece of the body; `None` at its end.
    async fn next(&mut self) -> Option<Bytes> {
        match self.stage {
            Stage::Opening => {
                self.stage = Stage::Speaking;
                Some(Bytes::from(opening(self.app.returning_after())))
            }
            Stage::Speaking => {
                let said = tokio::select! {
                    said = self.follower.next() => Some(said),
                    () = self.leaving.as_mut() => None,
                };
                match said {
                    Some(Ok(said)) => Some(self.message(&said)),
                    Some(Err(FellBehind)) => {
                        self.app.metrics.evicted(Eviction::FellBehind);
                        Some(self.end("fell behind the events held", Duration::ZERO))
                    }
                    None => Some(self.end("the stream is going away", self.app.returning_after())),
                }
            }
            Stage::Over => None,
        }
    }

    fn message(&self, said: &Said) -> Bytes {
        let app = &self.app;
        let epoch = app.log.epoch();
        match said {
            Said::Hello(greeting) => {
                message("hello", Some(&greeting.from), |into| frames::write_hello(app, greeting, into))
            }
            Said::Events(frame) => frame.bytes(Form::EventSource, |frame| {
                let at = Position { epoch: epoch.clone(), after: Some(frame.batch.last) };
                message("events", Some(&at), |into| frames::write_events(epoch, frame, into))
            }),
            Said::CaughtUp { offset } => {
                let at = Position { epoch: epoch.clone(), after: *offset };
                message("caught_up", Some(&at), |into| frames::write_caught_up(*offset, into))
            }
            Said::Heartbeat { head } => {
                message("heartbeat", None, |into| frames::write_heartbeat(&app.log, *head, into))
            }
        }
    }

    /// The last message. A browser that comes back by itself waits as long as it says.
    fn end(&mut self, reason: &'static str, again: Duration) -> Bytes {
        self.stage = Stage::Over;
        tracing::info!(parent: &self.span, reason, "a subscriber is sent away");
        let mut message = format!("event: bye\nretry: {}\ndata: ", again.as_millis()).into_bytes();
        frames::write_bye(reason, again, &mut message);
        message.extend_from_slice(b"\n\n");
        Bytes::from(message)
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        if self.stalled.is_set() {
            self.app.metrics.evicted(Eviction::Stalled);
            tracing::info!(parent: &self.span, reason = "stalled", "a subscriber is sent away");
        } else {
            tracing::debug!(parent: &self.span, "a subscriber goes");
        }
    }
}

/// One message: its cursor, its name, and what `write` writes as its data.
fn message(name: &str, id: Option<&Position>, write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    let mut message = format!("{id}event: {name}\ndata: ").into_bytes();
    write(&mut message);
    message.extend_from_slice(b"\n\n");
    Bytes::from(message)
}

/// Padding, and how long a browser that comes back by itself waits: each its own time.
fn opening(again: Duration) -> String {
    format!(":{}\nretry: {}\n\n", " ".repeat(PADDING_BYTES), again.as_millis())
}
