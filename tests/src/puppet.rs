//! A WebSocket endpoint that says whatever a test makes it say, sound or not.

use crate::wait::soon;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        handshake::server::{Request, Response},
        protocol::CloseFrame,
    },
};

/// Where a page can be made to believe that a stream is.
pub struct Puppet {
    listener: TcpListener,
    address: SocketAddr,
}

/// One page that believed it.
pub struct Believer {
    socket: WebSocketStream<TcpStream>,
}

impl Puppet {
    /// On a port of its own.
    ///
    /// # Panics
    /// When there is none.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        Self { listener, address }
    }

    /// The address to give in `?stream=`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}", self.address)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The next page that subscribes.
    ///
    /// # Panics
    /// When none does.
    pub async fn believer(&self) -> Believer {
        soon("a subscription", async {
            loop {
                let (stream, _) = self.listener.accept().await.expect("the listener works");
                // What is no WebSocket (a preconnect, a poll) is not waited for.
                if let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, agree).await {
                    return Believer { socket };
                }
            }
        })
        .await
    }
}

#[expect(clippy::unnecessary_wraps, clippy::result_large_err, reason = "the shape that tungstenite asks for")]
fn agree(
    _: &Request,
    mut response: Response,
) -> Result<Response, tokio_tungstenite::tungstenite::handshake::server::ErrorResponse> {
    let protocol = monkeytown_protocol::limits::SUBPROTOCOL.parse().expect("a header's value");
    response.headers_mut().insert("sec-websocket-protocol", protocol);
    Ok(response)
}

impl Believer {
    /// Says a frame, or anything.
    ///
    /// # Panics
    /// When the page has gone.
    pub async fn say(&mut self, text: &str) {
        self.socket.send(Message::text(text)).await.expect("the page listens");
    }

    /// Says a frame. False when the page has gone.
    pub async fn try_say(&mut self, text: &str) -> bool {
        self.socket.send(Message::text(text)).await.is_ok()
    }

    /// Says bytes where text belongs.
    ///
    /// # Panics
    /// When the page has gone.
    pub async fn say_bytes(&mut self, bytes: &'static [u8]) {
        self.socket.send(Message::binary(bytes)).await.expect("the page listens");
    }

    /// Closes the connection with `code`.
    ///
    /// # Panics
    /// When the page has gone.
    pub async fn close(mut self, code: u16) {
        let frame = CloseFrame { code: code.into(), reason: "".into() };
        self.socket.close(Some(frame)).await.expect("the page listens");
        // Whoever hangs up before the page has answered resets the connection, and the code is lost.
        while self.socket.next().await.is_some_and(|said| said.is_ok()) {}
    }

    /// Greets as a live stream that has no event yet.
    pub async fn greet(&mut self) {
        let hello = json!({
            "kind": "hello", "epoch": "puppet", "head": -1, "from": "puppet:-1", "recovered": true,
            "heartbeat_ms": 25_000, "server_time": "2026-01-18T12:00:00.000Z",
            "clock": "2026-01-18T12:00:00.000Z", "clock_rate": 1, "version": "0.1.0", "source_kind": "live",
        });
        self.say(&hello.to_string()).await;
        self.say(&json!({"kind": "caught_up", "offset": -1}).to_string()).await;
    }

    /// Says events from offset `first` on.
    pub async fn tell(&mut self, first: u64, events: &[Value]) {
        let last = first + events.len() as u64 - 1;
        let frame = json!({"kind": "events", "epoch": "puppet", "first": first, "last": last, "events": events});
        self.say(&frame.to_string()).await;
    }
}
