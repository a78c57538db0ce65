//! One connection that speaks WebSocket: the library that reads and writes on it, the way past the library for what is
//! ready to be sent, and how the connection ends. Whoever talks on a line talks this way, so that what is tested of one is
//! true of all. Absent here: what is said, and for how long.

use crate::outlet::Outlet;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket};
use bytes::Bytes;
use futures_util::SinkExt;
use std::{error::Error, io, time::Duration};

/// How long a closed connection waits for the other side to close too.
const LINGER: Duration = Duration::from_secs(1);

/// RFC 6455, section 7.4.1.
const CLOSE_PROTOCOL: u16 = 1002;
const CLOSE_NOT_TEXT: u16 = 1007;

/// Why nothing more can be heard on a line, or said on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LineEnd {
    /// The other side closes, and waits for the same of ours.
    Closing,
    /// The connection broke.
    Gone,
    /// The other side took nothing for too long.
    Stalled,
    /// It sent more than the library was told to take.
    TooBig,
    /// What it sent cannot be read: the code and the reason to close with.
    Unreadable(u16, &'static str),
}

/// A line.
pub(super) struct Line {
    socket: WebSocket,
    outlet: Outlet,
}

impl Line {
    /// The line that `socket` is the library's end of, and `outlet` the way past it.
    pub(super) fn new(socket: WebSocket, outlet: Outlet) -> Self {
        Self { socket, outlet }
    }

    /// What the other side says next. Pings are answered by the library, with the next write or read. Safe to drop while
    /// it waits.
    ///
    /// # Errors
    /// When there is nothing more to be heard.
    pub(super) async fn hear(&mut self) -> Result<Message, LineEnd> {
        match self.socket.recv().await {
            None => Err(LineEnd::Gone),
            Some(Ok(Message::Close(_))) => Err(LineEnd::Closing),
            Some(Ok(message)) => Ok(message),
            Some(Err(error)) => Err(end_by(&error)),
        }
    }

    /// Has the library write `message`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) async fn write(&mut self, message: Message) -> Result<(), LineEnd> {
        self.socket.send(message).await.map_err(|error| end_by(&error))
    }

    /// Sends whole messages that others get too.
    ///
    /// # Errors
    /// When they cannot be sent.
    pub(super) async fn share(&mut self, messages: Bytes) -> Result<(), LineEnd> {
        // What the library holds, an answer to a ping, goes first and whole.
        self.socket.flush().await.map_err(|error| end_by(&error))?;
        self.outlet.put(messages);
        self.socket.flush().await.map_err(|error| end_by(&error))
    }

    /// Closes, and says why.
    pub(super) async fn close(mut self, code: u16, reason: &'static str) {
        let close = Message::Close(Some(CloseFrame { code, reason: Utf8Bytes::from_static(reason) }));
        if self.write(close).await.is_ok() {
            self.closed().await;
        }
    }

    /// Waits until both sides have closed: for the other side's word, or that the library has sent our answer to it, which
    /// it does as it reads on. Closing first with unread input would discard what the other side has not read yet.
    pub(super) async fn closed(mut self) {
        let closed = async {
            while let Some(heard) = self.socket.recv().await {
                if heard.is_err() {
                    // Nothing more can be read as messages; the other side has until the end of the wait.
                    std::future::pending::<()>().await;
                }
            }
        };
        let _ = tokio::time::timeout(LINGER, closed).await;
    }
}

/// What an error of the socket means for a line.
fn end_by(error: &(dyn Error + 'static)) -> LineEnd {
    use tungstenite::Error as Socket;
    let mut cause = Some(error);
    while let Some(error) = cause {
        if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            return LineEnd::Stalled;
        }
        match error.downcast_ref::<Socket>() {
            Some(Socket::Capacity(_)) => return LineEnd::TooBig,
            Some(Socket::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake)) => {
                return LineEnd::Gone;
            }
            Some(Socket::Protocol(_)) => {
                return LineEnd::Unreadable(CLOSE_PROTOCOL, "not WebSocket as RFC 6455 has it");
            }
            Some(Socket::Utf8(_)) => return LineEnd::Unreadable(CLOSE_NOT_TEXT, "text that is not UTF-8"),
            _ => {}
        }
        cause = error.source();
    }
    LineEnd::Gone
}
