//! `GET /ws`: the handshake. Everything that can be refused is refused here, before the upgrade, as a problem.

mod cloud_events;
mod deflate;
mod echo;
pub(crate) mod fuzzing;
mod line;
mod message;
mod packing;
mod session;

use crate::{
    address::Client,
    connection::Allowance,
    inlet::Inlet,
    log::{InterestQuery, Resolved},
    metrics::Eviction,
    outlet::Outlet,
    problem::Refusal,
    server::App,
    subscription::{self, SNAPSHOT_LINK, Start, SubscribeQuery, bad, outcome},
};
use axum::{
    Extension,
    extract::{Query, State, WebSocketUpgrade, rejection::QueryRejection, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use line::Line;
use monkeytown_protocol::{Cursor, limits::SUBPROTOCOL};
pub(crate) use packing::PackingBudget;
use session::Session;
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

/// What can be done with a connection below the library that speaks on it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Wire {
    /// Sends what is ready.
    pub(crate) outlet: Outlet,
    /// Lets messages in that are compressed.
    pub(crate) inlet: Inlet,
    /// Bounds what is said.
    pub(crate) allowance: Allowance,
}

/// Subscribe by a WebSocket
///
/// `Sec-WebSocket-Protocol` offers `monkeytown.v1.json` (frames) or `cloudevents.json` (an event a message); without one it is
/// the latter. What is said there is in `/api/asyncapi.json`.
#[utoipa::path(get, path = "/ws", tag = "events",
    params(
        SubscribeQuery,
        InterestQuery,
        ("Sec-WebSocket-Protocol" = Option<String>, Header, description = "`monkeytown.v1.json` or `cloudevents.json`."),
        ("Sec-WebSocket-Extensions" = Option<String>, Header, description = "`permessage-deflate` (RFC 7692): `monkeytown.v1.json` goes out compressed, and may come so."),
    ),
    responses(
        (status = 101, description = "The subscription begins.", headers(
            ("Sec-WebSocket-Protocol" = String, description = "The one that was chosen of those offered."),
            ("Sec-WebSocket-Extensions" = String, description = "`permessage-deflate` without a memory from one message to the next, where it was offered with `monkeytown.v1.json`."),
        )),
        (status = 400, description = "A parameter cannot be read, or no subprotocol that is spoken here is offered.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 403, description = "A page of this origin may not subscribe.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 410, description = "`cloudevents.json` alone: the cursor is lost.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Link" = String, description = "Where the snapshot is."))),
        (status = 426, description = "No WebSocket handshake.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Upgrade" = String, description = "`websocket`."))),
        (status = 429, description = "This address has as many subscribers as it may have.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
        (status = 503, description = "Full, or draining.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
    ))]
pub(crate) async fn subscribe(
    State(app): State<Arc<App>>,
    Extension(Wire { outlet, inlet, allowance }): Extension<Wire>,
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
    let (framing, extension) = framing(&upgrade, &headers)?;
    let mut start = subscription::read_start(query)?;
    if framing == Framing::CloudEvents {
        tell_before_the_upgrade(&app, &mut start).await?;
    }
    let place = subscription::seat(&app, client)?;
    // Nothing is named to a client that offers nothing.
    let upgrade = bounded(upgrade, app.options.max_event_bytes).protocols([framing.subprotocol()]);
    // The connection belongs to the trace that its request belongs to.
    let span = tracing::Span::current();
    let mut response = upgrade.on_upgrade(move |socket| {
        async move {
            allowance.bound(allowed_bytes(app.options.max_event_bytes), app.options.timing.heartbeat);
            let metrics = app.metrics.clone();
            Session::run(app, Line::new(socket, outlet), start, framing).await;
            if allowance.is_exceeded() {
                metrics.evicted(Eviction::Unruly);
            }
            drop(place);
        }
        .instrument(span)
    });
    if let Some(extension) = extension {
        agree(extension, &inlet, &mut response);
    }
    Ok(response)
}

/// Tells the client what is agreed on. What it sends after that may be compressed.
fn agree(extension: HeaderValue, inlet: &Inlet, response: &mut Response) {
    inlet.take_compressed();
    response.headers_mut().insert(header::SEC_WEBSOCKET_EXTENSIONS, extension);
}

/// What the library is told before it reads from anybody.
fn bounded(upgrade: WebSocketUpgrade, max_event_bytes: usize) -> WebSocketUpgrade {
    let ceiling = message_ceiling(max_event_bytes);
    upgrade.read_buffer_size(READ_BUFFER_BYTES).max_message_size(ceiling).max_frame_size(ceiling)
}

/// Opens an echo, for tests of conformance.
pub(crate) async fn echo(
    State(app): State<Arc<App>>,
    Extension(Wire { outlet, inlet, .. }): Extension<Wire>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = bounded(upgrade, app.options.max_event_bytes);
    let extension = deflate::answer(&headers);
    let heard = inlet.clone();
    let mut response = upgrade.on_upgrade(move |socket| echo::run(Line::new(socket, outlet), heard));
    if let Some(extension) = extension {
        inlet.remember();
        agree(extension, &inlet, &mut response);
    }
    response
}

/// How events become messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// Frames of our own, many events in one.
    Frames,
    /// The same, compressed.
    PackedFrames,
    /// One event a message, and nothing else.
    CloudEvents,
}

impl Framing {
    fn subprotocol(self) -> &'static str {
        match self {
            Self::Frames | Self::PackedFrames => SUBPROTOCOL,
            Self::CloudEvents => cloud_events::SUBPROTOCOL,
        }
    }
}

/// The framing that is offered, and the extension that is agreed on; of both framings, our own. A client that offers none
/// has the one that anybody can read. Its messages hold an event each, which there is little to compress of.
fn framing(upgrade: &WebSocketUpgrade, headers: &HeaderMap) -> Result<(Framing, Option<HeaderValue>), Refusal> {
    let offers = |framing: &Framing| {
        upgrade.requested_protocols().any(|name| name.as_bytes() == framing.subprotocol().as_bytes())
    };
    match [Framing::Frames, Framing::CloudEvents].into_iter().find(offers) {
        Some(Framing::Frames) => Ok(match deflate::answer(headers) {
            None => (Framing::Frames, None),
            extension => (Framing::PackedFrames, extension),
        }),
        Some(framing) => Ok((framing, None)),
        None if upgrade.requested_protocols().next().is_none() => Ok((Framing::CloudEvents, None)),
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
    let resolved = app.log.resolve_soon(cursor, std::time::Instant::now()).await;
    if matches!(resolved, Resolved::Lost(_)) {
        app.metrics.resumed(outcome(Some(&resolved)));
        let detail = "not every event after this cursor is held; take /api/v1/snapshot and come back after its cursor";
        return Err(Refusal::new(StatusCode::GONE, detail).header(header::LINK, SNAPSHOT_LINK));
    }
    Ok(())
}
