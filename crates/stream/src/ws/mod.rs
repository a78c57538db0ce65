//! `GET /ws`: the handshake. Everything that can be refused is refused here, before the upgrade, as a problem.

mod session;

use crate::{
    problem::Refusal,
    server::App,
    subscription::{self, SubscribeQuery},
};
use axum::{
    extract::{Query, State, WebSocketUpgrade, rejection::QueryRejection, ws::rejection::WebSocketUpgradeRejection},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use monkeytown_protocol::limits::SUBPROTOCOL;
use session::Session;
use std::sync::Arc;

/// Largest message that is read before it is refused. Over the limit of `max_event_bytes` but still under this, a
/// client reads why it is closed; over this, the rest of what it sends is not read.
fn message_ceiling(max_event_bytes: usize) -> usize {
    max_event_bytes.saturating_mul(4)
}

/// Opens a subscription.
pub(crate) async fn subscribe(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    query: Result<Query<SubscribeQuery>, QueryRejection>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    subscription::admit(&app, &headers)?;
    let upgrade = upgrade.map_err(|rejection| {
        Refusal::new(StatusCode::UPGRADE_REQUIRED, format!("this address speaks WebSocket: {rejection}"))
            .header(header::UPGRADE, "websocket")
    })?;
    if !upgrade.requested_protocols().any(|protocol| protocol.as_bytes() == SUBPROTOCOL.as_bytes()) {
        let detail = format!("this stream speaks {SUBPROTOCOL}; offer it in Sec-WebSocket-Protocol");
        return Err(Refusal::new(StatusCode::BAD_REQUEST, detail));
    }
    let start = subscription::read_start(query)?;
    let place = subscription::seat(&app)?;
    let ceiling = message_ceiling(app.options.max_event_bytes);
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(ceiling).max_frame_size(ceiling);
    Ok(upgrade.on_upgrade(move |socket| async move {
        Session::run(app, socket, start).await;
        drop(place);
    }))
}
