//! `GET /api/v1/events` as a batch, and `/api/v1/snapshot`: the stream for those who poll.
//!
//! A poll is a subscriber that comes back: the same cursors, the same interest, the same rule that a tail is served
//! whole or not at all.

use crate::{
    accept::BATCH_TYPE,
    address::Client,
    log::{Batch, Interest, InterestQuery, Loss, Moment, Place, ReadBounds, Resolved, Snapshot},
    problem::Refusal,
    rewind::{self, SnapshotQuery, Unseen},
    server::App,
    sources::SourceClock,
    subscribers::RETRY_SECONDS,
    subscription::{self, SNAPSHOT_LINK, bad, outcome, read_cursor},
};
use axum::{
    extract::{Query, State, rejection::QueryRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use monkeytown_protocol::{
    Cursor, Epoch, Offset, Position, SourceKind, Timestamp,
    cursor::head,
    limits::{REST_LIMIT_DEFAULT, REST_LIMIT_MAX, REST_WAIT_MAX_SECONDS},
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use utoipa::{IntoParams, ToSchema};

/// Headers that pages elsewhere may read.
pub(crate) const EXPOSED: [HeaderName; 8] =
    [CURSOR, RECOVERED, HEAD, SOURCE_KIND, CLOCK, CLOCK_RATE, header::ETAG, header::RETRY_AFTER];

const CURSOR: HeaderName = HeaderName::from_static("monkeytown-cursor");
const RECOVERED: HeaderName = HeaderName::from_static("monkeytown-recovered");
const HEAD: HeaderName = HeaderName::from_static("monkeytown-head");
const SOURCE_KIND: HeaderName = HeaderName::from_static("monkeytown-source-kind");
const CLOCK: HeaderName = HeaderName::from_static("monkeytown-clock");
const CLOCK_RATE: HeaderName = HeaderName::from_static("monkeytown-clock-rate");

/// Most bytes of one answer's events; a single event is sent however long it is.
const ANSWER_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Most events looked at between two answers or two waits.
const ANSWER_MAX_SCANNED: usize = 16_384;

/// How often a moment is looked for again that went while it was folded.
const REWIND_TRIES: usize = 2;

/// An empty batch.
const NO_EVENTS: Bytes = Bytes::from_static(b"[]");

/// How long an answer was held back on purpose; left out of its duration.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waited(pub(crate) Duration);

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsQuery {
    /// The cursor of the last event that is known: `EPOCH:OFFSET`, `earliest` or `latest`. Absent, the answer is a snapshot's
    /// cursor.
    #[param(pattern = "^(earliest|latest|[A-Za-z0-9_-]{1,64}:(-1|[0-9]{1,19}))$")]
    after: Option<String>,
    /// Most events of one answer; 1,000 when absent. Batches only.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 10000)]
    limit: Option<String>,
    /// Seconds to wait for events when there are none; 0 when absent. Batches only.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 30)]
    wait: Option<String>,
    #[serde(flatten)]
    #[param(ignore)]
    interest: InterestQuery,
}

struct Poll {
    cursor: Option<Cursor>,
    limit: usize,
    wait: Duration,
    interest: Interest,
}

/// Answers with the events after a cursor, at once or as soon as there are any.
pub(crate) async fn poll(
    app: Arc<App>,
    client: Client,
    query: Result<Query<EventsQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let poll = read_poll(query)?;
    let _place = subscription::seat(&app, client)?;
    let resolved = match &poll.cursor {
        Some(cursor) => Some(app.log.resolve_soon(cursor, std::time::Instant::now()).await),
        None => None,
    };
    app.metrics.resumed(outcome(resolved.as_ref()));
    let Some(Resolved::Held(from)) = resolved else { return Ok(take_the_snapshot(&app).await) };
    let started = Instant::now();
    let found = follow(&app, &poll, from.clone()).await;
    let mut response = match found {
        Found::Events(batch) => answer(&app, client, from.epoch, &batch).await?,
        Found::Nothing(position) => batch_response(&app, &position, true, NO_EVENTS),
        // It was held when it was asked for, and went while the poll waited.
        Found::FellBehind => take_the_snapshot(&app).await,
        Found::Leaving => subscription::leaving(&app).into_response(),
    };
    response.extensions_mut().insert(Waited(if poll.wait.is_zero() { Duration::ZERO } else { started.elapsed() }));
    Ok(response)
}

/// What a poll has come to.
enum Found {
    /// Events.
    Events(Batch),
    /// That there are none up to a place, within the time asked for.
    Nothing(Position),
    /// That those it asked for are held no longer.
    FellBehind,
    /// The end of the server: whoever waits is sent away, and told when to come back.
    Leaving,
}

async fn follow(app: &App, poll: &Poll, from: Position) -> Found {
    let bounds = ReadBounds { events: poll.limit, bytes: ANSWER_MAX_BYTES, scanned: ANSWER_MAX_SCANNED };
    let deadline = Instant::now() + poll.wait;
    let mut head = app.log.watch_head();
    let mut position = from;
    // One moment of leaving, however often the head moves.
    let mut leave = std::pin::pin!(app.leave());
    loop {
        head.mark_unchanged();
        let Ok(batch) = app.log.read(position.next(), bounds, &poll.interest) else { return Found::FellBehind };
        let at_head = batch.is_none();
        if let Some(batch) = batch {
            position.after = Some(batch.last);
            if !batch.events.is_empty() {
                return Found::Events(batch);
            }
        }
        if at_head {
            let end = tokio::select! {
                biased;
                // What came last is told before anybody is sent away.
                changed = head.changed() => if changed.is_ok() { continue } else { Found::Nothing(position) },
                () = tokio::time::sleep_until(deadline) => Found::Nothing(position),
                () = &mut leave => Found::Leaving,
            };
            return end;
        }
        // Much that is of no interest must not keep others from their turn.
        tokio::task::yield_now().await;
    }
}

async fn answer(app: &App, client: Client, epoch: Epoch, batch: &Batch) -> Result<Response, Refusal> {
    let events = &batch.events;
    let bytes = events.iter().map(|event| event.json.len() + 1).sum::<usize>() + 2;
    let room = app.answers.room(client, bytes, app.options.timing.answer_room).await?;
    let mut body = Vec::with_capacity(bytes);
    body.push(b'[');
    for (index, event) in events.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        body.extend_from_slice(&event.json);
    }
    body.push(b']');
    Ok(batch_response(app, &Position { epoch, after: Some(batch.last) }, true, room.hold(body)))
}

/// There is no tail to be served: an empty batch, and the cursor of the snapshot that must come first.
async fn take_the_snapshot(app: &App) -> Response {
    let position = app.log.snapshot().await.position();
    let mut response = batch_response(app, &position, false, NO_EVENTS);
    response.headers_mut().insert(header::LINK, HeaderValue::from_static(SNAPSHOT_LINK));
    response
}

fn batch_response(app: &App, position: &Position, recovered: bool, body: Bytes) -> Response {
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(BATCH_TYPE));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(RECOVERED, HeaderValue::from_static(if recovered { "true" } else { "false" }));
    describe(app, position, app.log.clock(), headers);
    response
}

/// The headers that every answer with events or state carries.
fn describe(app: &App, position: &Position, clock: SourceClock, headers: &mut HeaderMap) {
    let head = app.log.head().map_or_else(|| "-1".to_owned(), |head| head.0.to_string());
    let said = [
        (CURSOR, position.to_string()),
        (HEAD, head),
        (SOURCE_KIND, source_kind_name(app.options.source_kind).to_owned()),
        (CLOCK, clock.shows.to_string()),
        (CLOCK_RATE, clock.rate.to_string()),
    ];
    for (name, value) in said {
        headers.insert(name, HeaderValue::try_from(value).expect("cursors, moments and numbers are visible ASCII"));
    }
}

fn source_kind_name(kind: SourceKind) -> &'static str {
    match kind {
        SourceKind::Live => "live",
        SourceKind::Git => "git",
        SourceKind::Simulated => "simulated",
    }
}

/// The state of the civilization at a place in the stream.
#[derive(Serialize, ToSchema)]
#[schema(as = Snapshot)]
struct SnapshotAnswer<'a> {
    /// The history that `offset` belongs to.
    #[schema(value_type = String, pattern = "^[A-Za-z0-9_-]{1,64}$")]
    epoch: Epoch,
    /// The newest event that is in it; -1 when none is.
    #[serde(with = "head")]
    #[schema(value_type = i64, minimum = -1)]
    offset: Option<Offset>,
    /// Where the events come from: `live`, `git` or `simulated`.
    #[schema(value_type = String)]
    source_kind: SourceKind,
    /// The source's own time; of a moment past, the latest that any event up to there named.
    #[schema(value_type = String, format = DateTime)]
    clock: Timestamp,
    /// How fast that time runs.
    #[schema(minimum = 0)]
    clock_rate: f64,
    /// The oldest moment that can be gone to.
    earliest: Earliest,
    /// The fold, as this version keeps it.
    #[schema(value_type = Object)]
    state: &'a RawValue,
}

/// The oldest moment that can be gone to.
#[derive(Serialize, ToSchema)]
struct Earliest {
    /// The state after this event; -1 for that before any.
    #[serde(with = "head")]
    #[schema(value_type = i64, minimum = -1)]
    offset: Option<Offset>,
    /// The source's own time there.
    #[schema(value_type = String, format = DateTime)]
    clock: Timestamp,
}

/// The state, as of its cursor
///
/// The fold of every event up to `offset`: what comes after `EPOCH:OFFSET`, applied to it, is the present state. Without `at`
/// it is at most a second old; with `at` it is that of a moment past.
#[utoipa::path(get, path = "/api/v1/snapshot", tag = "events",
    params(
        SnapshotQuery,
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of a state that the asker has."),
    ),
    responses(
        (status = 200, description = "The state.", body = SnapshotAnswer,
            headers(
                ("ETag" = String, description = "Weak: names the state, whatever its clock shows."),
                ("Monkeytown-Cursor" = String, description = "The cursor that what follows comes after."),
                ("Monkeytown-Head" = String, description = "The offset of the newest event, -1 for none."),
                ("Monkeytown-Source-Kind" = String, description = "`live`, `git` or `simulated`."),
                ("Monkeytown-Clock" = String, description = "The source's own time at that place."),
                ("Monkeytown-Clock-Rate" = String, description = "How fast that time runs at present."),
            )),
        (status = 304, description = "The asker has it.", headers(("ETag" = String, description = "Its name."))),
        (status = 400, description = "`at` cannot be read.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 404, description = "`at` names an event that has not come.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 410, description = "`at` is of another history, or older than what is held; `earliest` is the oldest that can be asked for.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 503, description = "Too many large answers are on their way, or too many moments are gone to.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
    ))]
pub(crate) async fn snapshot(
    State(app): State<Arc<App>>,
    client: Client,
    headers: HeaderMap,
    query: Result<Query<SnapshotQuery>, QueryRejection>,
) -> Result<Response, Refusal> {
    let present = app.log.clock();
    let Some(moment) = rewind::read(query).map_err(bad)? else {
        let snapshot = app.log.snapshot().await;
        return match not_modified(&app, &headers, &snapshot.position(), present) {
            Some(response) => Ok(response),
            None => state(&app, client, &snapshot, present).await,
        };
    };
    let mut tries = REWIND_TRIES;
    loop {
        let Place { position, clock } = app.log.find(&moment).await.map_err(|loss| lost(&app, loss))?;
        let clock = SourceClock { shows: clock, rate: present.rate };
        if let Some(response) = not_modified(&app, &headers, &position, clock) {
            return Ok(response);
        }
        match app.rewinds.snapshot(&app.log, client, &position, app.options.timing.answer_room).await {
            Ok(snapshot) => return state(&app, client, &snapshot, clock).await,
            Err(Unseen::Busy) => {
                let detail = "too many moments are gone to at once; come back in a moment";
                return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS));
            }
            // It went while it was folded. A moment that is no place of its own is another place now.
            Err(Unseen::TooOld) if tries > 0 && !matches!(moment, Moment::At(_)) => tries -= 1,
            Err(Unseen::TooOld) => return Err(lost(&app, Loss::TooOld)),
        }
    }
}

fn lost(app: &App, loss: Loss) -> Refusal {
    let gone = |detail| Refusal::new(StatusCode::GONE, detail).earliest(app.log.oldest().position);
    match loss {
        Loss::Epoch => gone("this moment is of another history, which this stream does not hold"),
        Loss::TooOld => gone("this moment is older than what this stream holds"),
        Loss::Ahead => {
            Refusal::new(StatusCode::NOT_FOUND, "this moment has not come: its event has not been heard here")
        }
    }
}

/// The answer to who has the state already.
fn not_modified(app: &App, asked: &HeaderMap, position: &Position, clock: SourceClock) -> Option<Response> {
    has(asked, &etag(position)).then(|| {
        let mut response = StatusCode::NOT_MODIFIED.into_response();
        name(app, position, clock, &mut response);
        response
    })
}

/// The answer with the state.
async fn state(app: &App, client: Client, snapshot: &Snapshot, clock: SourceClock) -> Result<Response, Refusal> {
    let room = app.answers.room(client, snapshot.bytes(), app.options.timing.answer_room).await?;
    let mut response = room.hold(snapshot_body(app, snapshot, clock)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    name(app, &snapshot.position(), clock, &mut response);
    Ok(response)
}

/// Weak: the clock beside the state moves on, and a compressed answer is the same state.
fn etag(position: &Position) -> String {
    format!("W/\"{position}\"")
}

fn name(app: &App, position: &Position, clock: SourceClock, response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::ETAG, HeaderValue::try_from(etag(position)).expect("a cursor is visible ASCII"));
    describe(app, position, clock, headers);
}

fn snapshot_body(app: &App, snapshot: &Snapshot, clock: SourceClock) -> Vec<u8> {
    let envelope = snapshot.envelope();
    let oldest = app.log.oldest();
    let answer = SnapshotAnswer {
        epoch: envelope.epoch,
        offset: envelope.offset,
        source_kind: app.options.source_kind,
        clock: clock.shows,
        clock_rate: clock.rate,
        earliest: Earliest { offset: oldest.position.after, clock: oldest.clock },
        state: envelope.state,
    };
    serde_json::to_vec(&answer).expect("a snapshot has string keys and finite numbers")
}

/// Whether `If-None-Match` names `etag`, weakly compared (RFC 9110, section 13.1.2).
fn has(headers: &HeaderMap, etag: &str) -> bool {
    let opaque = etag.trim_start_matches("W/");
    let named = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    named
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .any(|tag| tag == "*" || tag.trim_start_matches("W/") == opaque)
}

/// Whether a poll of this address makes sense.
pub(crate) fn is_readable(address: &Uri) -> bool {
    read_poll(Query::try_from_uri(address)).is_ok()
}

fn read_poll(query: Result<Query<EventsQuery>, QueryRejection>) -> Result<Poll, Refusal> {
    let Query(query) = query.map_err(|rejection| bad(rejection.body_text()))?;
    let limit = match query.limit.as_deref().map(str::parse::<usize>) {
        None => REST_LIMIT_DEFAULT,
        Some(Ok(limit @ 1..=REST_LIMIT_MAX)) => limit,
        Some(_) => return Err(bad(format!("limit is a number from 1 to {REST_LIMIT_MAX}"))),
    };
    let wait = match query.wait.as_deref().map(str::parse::<u64>) {
        None => 0,
        Some(Ok(wait @ 0..=REST_WAIT_MAX_SECONDS)) => wait,
        Some(_) => return Err(bad(format!("wait is a number of seconds from 0 to {REST_WAIT_MAX_SECONDS}"))),
    };
    Ok(Poll {
        cursor: read_cursor("after", query.after.as_deref())?,
        limit,
        wait: Duration::from_secs(wait),
        interest: Interest::read(&query.interest).map_err(|error| bad(error.to_string()))?,
    })
}
