//! An endpoint that says again what it is told, on the connections, the handshake and the socket code of the stream, for
//! clients that test conformance (`examples/echo.rs`). The stream itself does not echo, and no route of it leads here.

use crate::{
    Log, Metrics, Options, RingBounds,
    door::Door,
    server::{self, App},
    ws,
};
use axum::{Router, routing::get};
use std::{convert::Infallible, io, sync::Arc};
use tokio::{net::TcpListener, task::JoinSet};

/// Largest message that is echoed: the largest that Autobahn sends, twice.
const MESSAGE_MAX_BYTES: usize = 32 * 1024 * 1024;

/// Echoes on every connection, until it is dropped.
///
/// # Errors
/// When the listener gives no more connections.
pub async fn echo(listener: TcpListener) -> io::Result<Infallible> {
    let options = Options { max_event_bytes: MESSAGE_MAX_BYTES, ..Options::default() };
    let metrics = Metrics::new();
    let log = Log::new(RingBounds { max_events: 1, max_bytes: 1 }, metrics.clone());
    let app = Arc::new(App::new(log, metrics.clone(), options));
    let door = Door::new(&app.options, metrics);
    let service = Router::new().route("/", get(ws::echo)).with_state(Arc::clone(&app));
    let mut connections = JoinSet::new();
    loop {
        let guest = tokio::select! {
            Some(_) = connections.join_next() => continue,
            guest = door.next(&listener) => guest?,
        };
        connections.spawn(server::converse(guest, service.clone(), Arc::clone(&app)));
    }
}
