//! `POST /api/v1/events`: one event, a batch, or an event in `ce-` headers; taken whole or refused whole.
//!
//! Owns who may publish, how much and how fast. What an event must look like is `decode`'s; where it goes is the
//! log's.

mod auth;
mod binary;
mod decode;
mod rate;

pub use auth::{TokenError, Tokens};

pub(crate) use rate::Bucket;

use crate::{
    body::{self, BodyBounds, BodyError},
    log::Draft,
    metrics::Rejection,
    problem::Refusal,
    server::App,
    time,
};
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use decode::{DecodeError, Decoder};
use monkeytown_protocol::PublishReceipt;
use std::sync::Arc;

/// Largest request, in bytes: 256 of the largest events.
pub(crate) const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// How much of a larger request is read and thrown away, so that its sender reads why it is refused.
const DISCARD_MAX_BYTES: usize = 4 * BODY_MAX_BYTES;
/// Most events in one batch.
const BATCH_MAX_EVENTS: usize = 10_000;

/// Which of the three content modes of the CloudEvents HTTP binding a request is in (section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Structured,
    Batched,
    Binary,
}

/// Takes events from a publisher.
pub(crate) async fn publish(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let outcome = accept(&app, &parts.headers, body).await;
    match outcome {
        Ok(receipt) => Ok(([(header::CACHE_CONTROL, "no-store")], Json(receipt)).into_response()),
        Err((reason, refusal)) => {
            app.metrics.rejected(reason, 1);
            tracing::debug!(status = refusal.status().as_u16(), "a publisher is refused");
            Err(refusal)
        }
    }
}

type Outcome<T> = Result<T, (Rejection, Refusal)>;

async fn accept(app: &App, headers: &HeaderMap, body: Body) -> Outcome<PublishReceipt> {
    not_draining(app)?;
    if !app.options.tokens.authorize(headers) {
        let detail = "publishing needs Authorization: Bearer TOKEN with a token of this stream";
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, detail);
        return Err((Rejection::Unauthorized, refusal.header(header::WWW_AUTHENTICATE, "Bearer realm=\"monkeytown\"")));
    }
    if headers.get(header::CONTENT_ENCODING).is_some_and(|encoding| encoding != "identity") {
        let refusal =
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send events as they are, without Content-Encoding");
        return Err((Rejection::MediaType, refusal.header(header::ACCEPT_ENCODING, "identity")));
    }
    let mode = mode_of(headers).ok_or_else(|| {
        let detail = "send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers with \
                      application/json; text is UTF-8";
        (Rejection::MediaType, Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
    })?;
    let body = read_body(app, headers, body).await?;
    let decoder = Decoder { event_max_bytes: app.options.max_event_bytes, now: time::now() };
    let drafts = match mode {
        Mode::Structured => text(&body).and_then(|text| decoder.one(text, "")).map(|draft| vec![draft]),
        Mode::Batched => text(&body).and_then(|text| decoder.batch(text, batch_max(app))),
        Mode::Binary => {
            binary::assemble(headers, &body).and_then(|json| decoder.one(&json, "")).map(|draft| vec![draft])
        }
    }
    .map_err(|error| refuse(app, &error))?;
    // The body may have taken a while.
    not_draining(app)?;
    within_rate(app, drafts.len())?;
    Ok(append(app, drafts))
}

fn append(app: &App, drafts: Vec<Draft>) -> PublishReceipt {
    let appended = app.log.append_drafts(drafts);
    let offsets = appended.offsets;
    let first = offsets.iter().min().copied().expect("an empty batch has been refused");
    let last = offsets.iter().max().copied().expect("an empty batch has been refused");
    PublishReceipt { epoch: app.log.epoch().clone(), first, last, offsets, duplicates: appended.duplicates }
}

fn not_draining(app: &App) -> Outcome<()> {
    if app.is_draining() {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "this stream is draining; send it again");
        return Err((Rejection::Draining, refusal.retry_after(1)));
    }
    Ok(())
}

fn within_rate(app: &App, events: usize) -> Outcome<()> {
    app.bucket.take(events).map_err(|wait_seconds| {
        let rate = app.options.max_events_per_second;
        let detail = format!("this stream accepts {rate} events a second; nothing of this request was taken");
        (Rejection::RateLimited, Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait_seconds))
    })
}

/// A batch larger than a second's events would never be let through.
fn batch_max(app: &App) -> usize {
    usize::try_from(app.options.max_events_per_second).unwrap_or(usize::MAX).min(BATCH_MAX_EVENTS)
}

fn refuse(app: &App, error: &DecodeError) -> (Rejection, Refusal) {
    let (reason, status) = match error {
        DecodeError::Malformed { .. } | DecodeError::EmptyBatch => (Rejection::Malformed, StatusCode::BAD_REQUEST),
        DecodeError::MediaType => (Rejection::MediaType, StatusCode::UNSUPPORTED_MEDIA_TYPE),
        DecodeError::EventTooLarge { .. } | DecodeError::BatchTooLong { .. } => {
            (Rejection::TooLarge, StatusCode::PAYLOAD_TOO_LARGE)
        }
        DecodeError::Invalid { .. } => (Rejection::Invalid, StatusCode::UNPROCESSABLE_ENTITY),
    };
    let detail = match error {
        DecodeError::EventTooLarge { .. } => format!("{error} (at most {})", app.options.max_event_bytes),
        other => other.to_string(),
    };
    let refusal = Refusal::new(status, detail);
    (reason, if let Some(pointer) = error.pointer() { refusal.at(pointer) } else { refusal })
}

/// Reads the mode from `Content-Type`; `None` when there is none that this stream takes.
fn mode_of(headers: &HeaderMap) -> Option<Mode> {
    let binary = headers.contains_key("ce-specversion");
    let Some(content_type) = headers.get(header::CONTENT_TYPE) else {
        return binary.then_some(Mode::Binary);
    };
    let content_type = content_type.to_str().ok()?.to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    let essence = parts.next()?;
    let charset = parts.find_map(|part| part.strip_prefix("charset=")).map(|charset| charset.trim_matches('"'));
    if charset.is_some_and(|charset| charset != "utf-8" && charset != "us-ascii") {
        return None;
    }
    match essence {
        "application/cloudevents+json" => Some(Mode::Structured),
        "application/cloudevents-batch+json" => Some(Mode::Batched),
        other if other.starts_with("application/cloudevents") => None,
        other if binary && decode::is_json(other) => Some(Mode::Binary),
        _ => None,
    }
}

async fn read_body(app: &App, headers: &HeaderMap, body: Body) -> Outcome<Bytes> {
    let bounds = BodyBounds { max_bytes: BODY_MAX_BYTES, discard_max_bytes: DISCARD_MAX_BYTES };
    body::read(headers, body, bounds, app.options.timing.body_read).await.map_err(|error| {
        let detail = match error {
            BodyError::TooLarge => format!("a request holds at most {BODY_MAX_BYTES} bytes; send smaller batches"),
            BodyError::BrokeOff | BodyError::TooSlow => error.to_string(),
        };
        (error.reason(), Refusal::new(error.status(), detail))
    })
}

fn text(body: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(body).map_err(|_| DecodeError::malformed("", "JSON is UTF-8 text"))
}
