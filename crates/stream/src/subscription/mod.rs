//! A subscription, whatever carries it: who may have one, where it starts, what it says next and in which words.
//!
//! Absent here: sockets, bodies of answers, and how a frame is wrapped on its way.

mod follower;
pub(crate) mod frames;
pub(crate) mod fuzzing;
#[cfg(test)]
mod races;

pub(crate) use follower::{Follower, Greeting, Said};

use crate::{
    address::Client,
    log::{Interest, InterestQuery, Loss, Resolved},
    metrics::{NoPlace, Resume},
    origin,
    problem::Refusal,
    server::App,
    subscribers::{Place, RETRY_SECONDS},
};
use axum::{
    extract::{Query, rejection::QueryRejection},
    http::{HeaderMap, StatusCode},
};
use monkeytown_protocol::Cursor;
use serde::Deserialize;

/// Where the state is, for those whose cursor is lost (RFC 8288).
pub(crate) const SNAPSHOT_LINK: &str = "</api/v1/snapshot>; rel=\"related\"";

/// Where and how a subscription starts.
#[derive(Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct SubscribeQuery {
    /// The cursor of the last event that is known: `EPOCH:OFFSET`, `earliest` or `latest`. Absent: a snapshot, then what
    /// comes.
    #[param(pattern = "^(earliest|latest|[A-Za-z0-9_-]{1,64}:(-1|[0-9]{1,19}))$")]
    after: Option<String>,
    /// The same by another name, and the stronger.
    #[param(pattern = "^(earliest|latest|[A-Za-z0-9_-]{1,64}:(-1|[0-9]{1,19}))$")]
    last_event_id: Option<String>,
    /// `1` or `true`: a snapshot even though the cursor can be served. Not with `cloudevents.json`.
    snapshot: Option<String>,
    #[serde(flatten)]
    #[param(ignore)]
    interest: InterestQuery,
}

/// Where a subscription starts, before anything is read.
#[derive(Debug)]
pub(crate) struct Start {
    /// `None`: a snapshot, then live.
    pub(crate) cursor: Option<Cursor>,
    /// A snapshot even though the cursor can be served.
    pub(crate) snapshot_wanted: bool,
    /// What it narrows itself to.
    pub(crate) interest: Interest,
}

/// Refuses whoever may not subscribe here, or not now.
pub(crate) fn admit(app: &App, headers: &HeaderMap) -> Result<(), Refusal> {
    if app.is_draining() {
        return Err(draining(RETRY_SECONDS));
    }
    if !origin::permitted(headers, &app.options.allow_origins) {
        app.refused_origins.tell(headers);
        let detail = "this page's origin may not subscribe; the stream's operator allows one with --allow-origin";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    Ok(())
}

fn draining(retry_seconds: u64) -> Refusal {
    let detail = "this stream is draining; come back to another or in a moment";
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(retry_seconds)
}

/// What one who waits for events by a request is told when the server goes: when to come back, a moment of its own.
pub(crate) fn leaving(app: &App) -> Refusal {
    // The header knows whole seconds: one too many rather than one too few.
    draining(app.returning_after().as_secs() + 1)
}

/// A place, or the refusal of those who find none.
pub(crate) fn seat(app: &App, client: Client) -> Result<Place, Refusal> {
    app.places.take(client).map_err(|reason| {
        let (status, detail) = match reason {
            NoPlace::Full => {
                let detail = format!("all {} places for subscribers are taken", app.options.max_subscribers);
                (StatusCode::SERVICE_UNAVAILABLE, detail)
            }
            NoPlace::Crowded => {
                let detail = "your address has as many subscribers as one may have here; close one and come back";
                (StatusCode::TOO_MANY_REQUESTS, detail.to_owned())
            }
        };
        Refusal::new(status, detail).retry_after(RETRY_SECONDS)
    })
}

/// A request that makes no sense.
pub(crate) fn bad(detail: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, detail)
}

/// Reads a cursor; `name` is where it was given.
pub(crate) fn read_cursor(name: &str, text: Option<&str>) -> Result<Option<Cursor>, Refusal> {
    text.map(str::parse).transpose().map_err(|error| bad(format!("{name}: {error}")))
}

/// Reads where a subscription starts.
pub(crate) fn read_start(query: Result<Query<SubscribeQuery>, QueryRejection>) -> Result<Start, Refusal> {
    let Query(query) = query.map_err(|rejection| bad(rejection.body_text()))?;
    let after = read_cursor("after", query.after.as_deref())?;
    let last_event_id = read_cursor("last_event_id", query.last_event_id.as_deref())?;
    Ok(Start {
        cursor: last_event_id.or(after),
        snapshot_wanted: matches!(query.snapshot.as_deref(), Some("1" | "true")),
        interest: Interest::read(&query.interest).map_err(|error| bad(error.to_string()))?,
    })
}

/// What became of a cursor, for the count.
pub(crate) fn outcome(resolved: Option<&Resolved>) -> Resume {
    match resolved {
        None => Resume::Fresh,
        Some(Resolved::Held(_)) => Resume::Recovered,
        Some(Resolved::Lost(Loss::Epoch)) => Resume::OtherEpoch,
        Some(Resolved::Lost(Loss::TooOld)) => Resume::TooOld,
        Some(Resolved::Lost(Loss::Ahead)) => Resume::Ahead,
    }
}
