//! `GET /ws`: the handshake. Everything that can be refused is refused here, before the upgrade, as a problem.

mod frames;
mod session;

use crate::{
    log::{Interest, InterestQuery, Loss, Resolved},
    metrics::Resume,
    origin,
    problem::Refusal,
    server::App,
    subscribers::RETRY_SECONDS,
};
use axum::{
    extract::{Query, State, WebSocketUpgrade, rejection::QueryRejection, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use monkeytown_protocol::{Cursor, limits::SUBPROTOCOL};
use serde::Deserialize;
use session::Session;
use std::sync::Arc;

/// Largest message that is read before it is refused. Over the limit of `max_event_bytes` but still under this, a
/// client reads why it is closed; over this, the rest of what it sends is not read.
fn message_ceiling(max_event_bytes: usize) -> usize {
    max_event_bytes.saturating_mul(4)
}

/// Where and how a subscription starts.
#[derive(Deserialize)]
pub(crate) struct SubscribeQuery {
    after: Option<String>,
    snapshot: Option<String>,
    #[serde(flatten)]
    interest: InterestQuery,
}

/// Where a session starts, before anything is read.
#[derive(Debug)]
struct Start {
    /// `None`: a snapshot, then live.
    cursor: Option<Cursor>,
    /// A snapshot even though the cursor can be served.
    snapshot_wanted: bool,
    interest: Interest,
}

/// Opens a subscription.
pub(crate) async fn subscribe(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<SubscribeQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    if app.is_draining() {
        let detail = "this stream is draining; come back to another or in a moment";
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS));
    }
    if !origin::permitted(&headers, &app.options.allow_origins) {
        let detail = "this page's origin may not subscribe; the stream's operator allows one with --allow-origin";
        return Err(Refusal::new(StatusCode::FORBIDDEN, detail));
    }
    let upgrade = upgrade.map_err(|rejection| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, format!("this address speaks WebSocket: {rejection}"))
            .header(header::UPGRADE, "websocket")
    })?;
    if !upgrade.requested_protocols().any(|protocol| protocol.as_bytes() == SUBPROTOCOL.as_bytes()) {
        let detail = format!("this stream speaks {SUBPROTOCOL}; offer it in Sec-WebSocket-Protocol");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, detail));
    }
    let start = read_start(query)?;
    let Some(place) = app.places.take() else {
        let detail = format!("all {} places for subscribers are taken", app.options.max_subscribers);
        return Err(Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS));
    };
    let ceiling = message_ceiling(app.options.max_event_bytes);
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(ceiling).max_frame_size(ceiling);
    Ok(upgrade.on_upgrade(move |socket| async move {
        Session::run(app, socket, start).await;
        drop(place);
    }))
}

fn read_start(query: Result<Query<SubscribeQuery>, QueryRejection>) -> Result<Start, Refusal> {
    let bad = |detail: String| Refusal::new(StatusCode::BAD_REQUEST, detail);
    let Query(query) = query.map_err(|rejection| bad(rejection.body_text()))?;
    let cursor = query.after.as_deref().map(str::parse).transpose();
    Ok(Start {
        cursor: cursor.map_err(|error| bad(format!("after: {error}")))?,
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
