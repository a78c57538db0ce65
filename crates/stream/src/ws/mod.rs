//! `GET /ws`: the handshake. Everything that can be refused is refused here, before the upgrade, as a problem.

mod cloud_events;
mod message;
mod session;

use crate::{
    address::Client,
    connection::Allowance,
    log::Resolved,
    metrics::Eviction,
    outlet::Outlet,
    problem::Refusal,
    server::App,
    subscription::{self, SNAPSHOT_LINK, Start, SubscribeQuery, bad, outcome},
};
use axum::{
    Extension,
    extract::{Query, State, WebSocketUpgrade, rejection::QueryRejection, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use monkeytown_protocol::{Cursor, limits::SUBPROTOCOL};
use session::{Line, Session};
use std::sync::Arc;
use tracing::Instrument;

/// Largest message that is read before it is refused. Over the limit of `max_event_bytes` but still under this, a
/// client reads why it is closed; over this, the rest of what it sends is not read.
fn message_ceiling(max_event_bytes: usize) -> usize {
    max_event_bytes.saturating_mul(4)
}

/// What is read from a subscriber at once. The library clears this much each time it looks for something, and a
/// subscriber says next to nothing.
const READ_BUFFER_BYTES: usize = 1_024;
/// How much a subscriber may say within a heartbeat, in bytes: the messages and pings that it may send, and one that is too
/// big. What is neither, such as fragments that hold nothing, is bounded by it alone, and each costs the processor.
fn allowed_bytes(max_event_bytes: usize) -> usize {
    message_ceiling(max_event_bytes).saturating_mul(3)
}

/// Opens a subscription.
pub(crate) async fn subscribe(
    State(app): State<Arc<App>>,
    Extension(outlet): Extension<Outlet>,
    Extension(allowance): Extension<Allowance>,
    headers: HeaderMap,
    client: Client,
    query: Result<Query<SubscribeQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    subscription::admit(&app, &headers)?;
    let upgrade = upgrade.map_err(|rejection| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, format!("this address speaks WebSocket: {rejection}"))
            .header(header::UPGRADE, "websocket")
    })?;
    let framing = framing(&upgrade)?;
    let mut start = subscription::read_start(query)?;
    if framing == Framing::CloudEvents {
        tell_before_the_upgrade(&app, &mut start).await?;
    }
    let place = subscription::seat(&app, client)?;
    let ceiling = message_ceiling(app.options.max_event_bytes);
    // Nothing is named to a client that offers nothing.
    let upgrade = upgrade.protocols([framing.subprotocol()]).read_buffer_size(READ_BUFFER_BYTES);
    let upgrade = upgrade.max_message_size(ceiling).max_frame_size(ceiling);
    // The connection belongs to the trace that its request belongs to.
    let span = tracing::Span::current();
    Ok(upgrade.on_upgrade(move |socket| {
        async move {
            allowance.bound(allowed_bytes(app.options.max_event_bytes), app.options.timing.heartbeat);
            let metrics = app.metrics.clone();
            Session::run(app, Line { socket, outlet }, start, framing).await;
            if allowance.is_exceeded() {
                metrics.evicted(Eviction::Unruly);
            }
            drop(place);
        }
        .instrument(span)
    }))
}

/// How events become messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Frames of our own, many events in one.
    Frames,
    /// One event a message, and nothing else.
    CloudEvents,
}

impl Framing {
    fn subprotocol(self) -> &'static str {
        match self {
            Self::Frames => SUBPROTOCOL,
            Self::CloudEvents => cloud_events::SUBPROTOCOL,
        }
    }
}

/// The framing that is offered; of both, our own. A client that offers none has the one that anybody can read.
fn framing(upgrade: &WebSocketUpgrade) -> Result<Framing, Refusal> {
    let offers = |framing: &Framing| {
        upgrade.requested_protocols().any(|name| name.as_bytes() == framing.subprotocol().as_bytes())
    };
    match [Framing::Frames, Framing::CloudEvents].into_iter().find(offers) {
        Some(framing) => Ok(framing),
        None if upgrade.requested_protocols().next().is_none() => Ok(Framing::CloudEvents),
        None => {
            let (frames, cloud_events) = (Framing::Frames.subprotocol(), Framing::CloudEvents.subprotocol());
            Err(bad(format!("this stream speaks {frames} and {cloud_events}; offer one in Sec-WebSocket-Protocol")))
        }
    }
}

/// With no frames but events, what else there is to say is said now: that a cursor is lost, or that no state can come.
async fn tell_before_the_upgrade(app: &App, start: &mut Start) -> Result<(), Refusal> {
    if start.snapshot_wanted {
        return Err(bad(format!(
            "{} has no frame for a snapshot; /api/v1/snapshot has one",
            cloud_events::SUBPROTOCOL
        )));
    }
    let cursor = start.cursor.get_or_insert(Cursor::Latest);
    let resolved = app.log.resolve_soon(cursor).await;
    if matches!(resolved, Resolved::Lost(_)) {
        app.metrics.resumed(outcome(Some(&resolved)));
        let detail = "not every event after this cursor is held; take /api/v1/snapshot and come back after its cursor";
        return Err(Refusal::new(StatusCode::GONE, detail).header(header::LINK, SNAPSHOT_LINK));
    }
    Ok(())
}
