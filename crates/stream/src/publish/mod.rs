//! `POST /api/v1/events`: one event, a batch, or an event in `ce-` headers; taken whole or refused whole.
//!
//! Owns the order in which a request is refused: who sends it, in which form, how large, what is in it, for whom it
//! speaks, how fast. Who may publish and how much is `publishers`'; what an event must look like is `decode`'s; where it
//! goes is the log's.

mod auth;
mod binary;
mod decode;
mod figures;
pub(crate) mod fuzzing;
mod publishers;
pub(crate) mod shares;
mod tokens_file;

pub use auth::{TokenError, Tokens};

pub(crate) use publishers::Publishers;

use crate::{
    body::{self, BodyBounds, BodyError},
    log::{Draft, Kept},
    metrics::{Origin, Rejection},
    problem::Refusal,
    server::App,
    time,
    trace_context::TraceParent,
};
use auth::Denied;
use axum::{
    Json,
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use decode::{DecodeError, Decoder};
use figures::Figures;
use monkeytown_protocol::PublishReceipt;
use publishers::Publisher;
use shares::Wait;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Largest request, in bytes: 256 of the largest events.
pub(crate) const BODY_MAX_BYTES: usize = 4 * 1024 * 1024;
/// How much of a larger request is read and thrown away, so that its sender reads why it is refused.
const DISCARD_MAX_BYTES: usize = 4 * BODY_MAX_BYTES;
/// Events of one request whose traces are told.
const TRACES_TOLD_MAX: usize = 32;
/// Seconds after which a request that found no room may come again.
const RETRY_SECONDS: u64 = 1;
/// Seconds after which one may come again that could not be kept. It takes an operator to make room.
const UNWRITTEN_RETRY_SECONDS: u64 = 5;

/// Which of the three content modes of the CloudEvents HTTP binding a request is in (section 3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Structured,
    Batched,
    Binary,
}

/// Publish events
///
/// One event, a batch, or an event in `ce-` headers; taken whole or refused whole. `/api/v1/events` of the same `source` and
/// `id` again change nothing. Events that were taken are as durable as the stream was configured to make them.
#[utoipa::path(post, path = "/api/v1/events", tag = "events", security(("token" = [])),
    params(
        ("ce-specversion" = Option<String>, Header, description = "Binary mode, as are the others: `1.0`."),
        ("ce-id" = Option<String>, Header, description = "The event's id."),
        ("ce-source" = Option<String>, Header, description = "The event's source."),
        ("ce-type" = Option<String>, Header, description = "The event's type. Other attributes are `ce-` headers too, in percent-encoding."),
    ),
    request_body(description = "At most 4 MiB and 10,000 events, each of at most 16,384 bytes. In binary mode `data` alone.",
        content(
            (ref("#/components/schemas/Event") = "application/cloudevents+json"),
            (ref("#/components/schemas/Batch") = "application/cloudevents-batch+json"),
            (serde_json::Value = "application/json"),
        )),
    responses(
        (status = 200, description = "The events are taken.", body = ref("#/components/schemas/PublishReceipt"), content_type = "application/json"),
        (status = 400, description = "Not JSON, not a batch, nothing in it, broken off, or a token in the address.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 401, description = "No token, or none of this stream's.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("WWW-Authenticate" = String, description = "How to show a token."))),
        (status = 403, description = "The token may not speak for a source.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 408, description = "The body took too long.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 413, description = "The request, the batch or an event is too large.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 415, description = "A content type that is not taken, or a compressed body.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 422, description = "A field is missing or wrong; `pointer` says which.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 429, description = "Too fast; nothing was taken.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
        (status = 503, description = "Draining, too many requests under way, or nothing can be kept at present; nothing was taken.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
    ))]
pub(crate) async fn publish(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let publishers = app.publishers();
    let admitted = admit(&app, &publishers, &parts.uri, &parts.headers);
    let name = admitted.as_ref().ok().map(Publisher::name);
    let outcome = match admitted {
        Ok(publisher) => accept(&app, &publisher, &parts.headers, body).await,
        Err(refused) => Err(refused),
    };
    match outcome {
        Ok(receipt) => Ok(([(header::CACHE_CONTROL, "no-store")], Json(receipt)).into_response()),
        Err((reason, refusal)) => {
            app.metrics.rejected(reason, 1);
            if let Some(name) = name {
                app.metrics.rejected_of(name);
            }
            tracing::debug!(publisher = name, status = refusal.status().as_u16(), "a publisher is refused");
            Err(refusal)
        }
    }
}

type Outcome<T> = Result<T, (Rejection, Refusal)>;

/// Who it is, before anything is read of what it sends.
fn admit<'a>(app: &App, publishers: &'a Publishers, uri: &Uri, headers: &HeaderMap) -> Outcome<Publisher<'a>> {
    not_draining(app)?;
    // RFC 6750 knows this way and advises against it (section 2.3): addresses stand in logs and histories.
    let in_address = |pair: &str| pair.split('=').next().is_some_and(|key| key.eq_ignore_ascii_case("access_token"));
    if uri.query().is_some_and(|query| query.split('&').any(in_address)) {
        let detail = "a token in an address is never taken, and may have been seen on its way: send another one as \
                      Authorization: Bearer TOKEN";
        return Err((Rejection::Malformed, Refusal::new(StatusCode::BAD_REQUEST, detail)));
    }
    publishers.admit(headers, time::now()).map_err(|denied| {
        let (detail, challenge) = match denied {
            Denied::Absent => (
                "publishing needs Authorization: Bearer TOKEN with a token of this stream",
                "Bearer realm=\"monkeytown\"",
            ),
            // Whether it once was a token is nothing for whoever found one; the stream's log says it, by name.
            Denied::Unknown | Denied::Expired(_) => (
                "this token opens nothing here: it is none of this stream's, or none any more; ask its operator",
                "Bearer realm=\"monkeytown\", error=\"invalid_token\"",
            ),
        };
        let refusal = Refusal::new(StatusCode::UNAUTHORIZED, detail);
        (Rejection::Unauthorized, refusal.header(header::WWW_AUTHENTICATE, challenge))
    })
}

async fn accept(app: &Arc<App>, publisher: &Publisher<'_>, headers: &HeaderMap, body: Body) -> Outcome<PublishReceipt> {
    if body::is_encoded(headers) {
        let refusal =
            Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send events as they are, without Content-Encoding");
        return Err((Rejection::MediaType, refusal.header(header::ACCEPT_ENCODING, "identity")));
    }
    let mode = mode_of(headers).ok_or_else(|| {
        let detail = "send application/cloudevents+json, application/cloudevents-batch+json, or ce- headers with \
                      application/json; text is UTF-8";
        (Rejection::MediaType, Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
    })?;
    let begun = Instant::now();
    let within = app.options.timing.body_read;
    let Ok(_place) = tokio::time::timeout(within, publisher.place(body::announced(headers))).await else {
        let detail = "too many requests to publish are under way; send it again";
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS);
        return Err((Rejection::RateLimited, refusal));
    };
    let body = read_body(headers, body, within.saturating_sub(begun.elapsed())).await?;
    let decoder = Decoder { event_max_bytes: app.options.max_event_bytes, now: time::now() };
    let drafts = match mode {
        Mode::Structured => text(&body).and_then(|text| decoder.one(text, "")).map(|draft| vec![draft]),
        Mode::Batched => text(&body).and_then(|text| decoder.batch(text, publisher.batch_max())),
        Mode::Binary => {
            binary::assemble(headers, &body).and_then(|json| decoder.one(&json, "")).map(|draft| vec![draft])
        }
    }
    .map_err(|error| refuse(app, &error))?;
    let place = |index: usize| if mode == Mode::Batched { format!("/{index}") } else { String::new() };
    let figures = Figures::read(&drafts, place).map_err(|error| refuse(app, &error))?;
    speaks_for_all(publisher, &drafts, mode)?;
    // The body may have taken a while.
    not_draining(app)?;
    within_rate(app, publisher, drafts.len())?;
    tell_traces(publisher, &drafts);
    let receipt = append(app, drafts, figures).await?;
    let added = receipt.offsets.len().saturating_sub(receipt.duplicates);
    app.metrics.published_by(publisher.name(), added);
    Ok(receipt)
}

/// Refuses events of a source that the token may not speak for.
fn speaks_for_all(publisher: &Publisher<'_>, drafts: &[Draft], mode: Mode) -> Outcome<()> {
    match drafts.iter().position(|draft| !publisher.speaks_for(&draft.event.source)) {
        None => Ok(()),
        Some(index) => {
            let pointer = if mode == Mode::Batched { format!("/{index}/source") } else { "/source".to_owned() };
            let detail = format!("the token `{}` may not speak for this source", publisher.name());
            Err((Rejection::Forbidden, Refusal::new(StatusCode::FORBIDDEN, detail).at(pointer)))
        }
    }
}

/// Has the log say which traces events belong to, where that much is wanted.
fn tell_traces(publisher: &Publisher<'_>, drafts: &[Draft]) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let traces = drafts.iter().filter_map(|draft| draft.event.trace.as_deref().and_then(TraceParent::read));
    for TraceParent { trace_id, span_id } in traces.take(TRACES_TOLD_MAX) {
        tracing::debug!(publisher = publisher.name(), trace_id, span_id, "an event is taken");
    }
    tracing::debug!(publisher = publisher.name(), events = drafts.len(), "events are taken");
}

async fn append(app: &Arc<App>, drafts: Vec<Draft>, figures: Figures) -> Outcome<PublishReceipt> {
    let taking = {
        let app = Arc::clone(app);
        // On its own: who hangs up meanwhile has published all the same, and what is sent again is measured no more.
        tokio::spawn(async move {
            let head = app.log.head();
            let appended = app.log.append_drafts(drafts).await;
            if let Ok(appended) = &appended {
                figures.count(appended, head, &app.metrics.agents);
                app.metrics.came(Origin::Publisher, appended.offsets.len().saturating_sub(appended.duplicates));
            }
            appended
        })
    };
    let appended = taking.await.expect("it neither panics nor is cancelled").map_err(|_| {
        // What Redis has taken without an answer it knows again.
        let taken = match app.log.kept() {
            Kept::InRedis(_) => "send it again: nothing is taken twice",
            Kept::OnDisk | Kept::InMemory => "nothing of this request was taken, send it again",
        };
        let detail = format!("{}; {taken}", app.unkept());
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(UNWRITTEN_RETRY_SECONDS);
        (Rejection::Unwritten, refusal)
    })?;
    let offsets = appended.offsets;
    let first = offsets.iter().min().copied().expect("an empty batch has been refused");
    let last = offsets.iter().max().copied().expect("an empty batch has been refused");
    Ok(PublishReceipt { epoch: app.log.epoch().clone(), first, last, offsets, duplicates: appended.duplicates })
}

fn not_draining(app: &App) -> Outcome<()> {
    if app.is_draining() {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "this stream is draining; send it again");
        return Err((Rejection::Draining, refusal.retry_after(1)));
    }
    Ok(())
}

fn within_rate(app: &App, publisher: &Publisher<'_>, events: usize) -> Outcome<()> {
    publisher.take(events).map_err(|wait| {
        let detail = match wait {
            Wait::Own(_) => format!(
                "with the token `{}` {} events a second may be published; nothing of this request was taken",
                publisher.name(),
                publisher.events_per_second()
            ),
            Wait::Common(_) => format!(
                "this stream accepts {} events a second of all its publishers; nothing of this request was taken",
                app.options.max_events_per_second
            ),
        };
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(wait.seconds());
        (Rejection::RateLimited, refusal)
    })
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

async fn read_body(headers: &HeaderMap, body: Body, within: Duration) -> Outcome<Bytes> {
    let bounds = BodyBounds { max_bytes: BODY_MAX_BYTES, discard_max_bytes: DISCARD_MAX_BYTES };
    body::read(headers, body, bounds, within).await.map_err(|error| {
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
