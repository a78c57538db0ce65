//! A line that says again what it hears: text past the library as events are sent, compressed where that is agreed on;
//! everything else by the library as pings and closes are. For tests of conformance; no route of the server leads here.
//!
//! The stream unpacks nothing that it is told. An echo has to: what came compressed is heard as bytes (`inlet`).

use super::{
    line::{Line, LineEnd},
    message,
};
use crate::inlet::Inlet;
use axum::extract::ws::Message;
use flate2::{Decompress, FlushDecompress, Status};

/// Closing as it should be (RFC 6455, section 7.4.1): "too big" is the one end that this side decides on.
const CLOSE_TOO_BIG: u16 = 1009;
const CLOSE_NOT_AS_TOLD: u16 = 1007;

/// What a compressed message's end leaves out (RFC 7692, section 7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// What is made room for at a time.
const ROOM_BYTES: usize = 64 * 1024;

/// Talks until the other side closes.
pub(super) async fn run(mut line: Line, inlet: Inlet) {
    match talk(&mut line, &inlet).await {
        LineEnd::Closing => line.closed().await,
        LineEnd::Gone | LineEnd::Stalled => {}
        LineEnd::TooBig => line.close(CLOSE_TOO_BIG, "a message is too big").await,
        LineEnd::Unreadable(code, reason) => line.close(code, reason).await,
    }
}

async fn talk(line: &mut Line, inlet: &Inlet) -> LineEnd {
    loop {
        let heard = match line.hear().await {
            Ok(heard) => heard,
            Err(end) => return end,
        };
        let came = match &heard {
            Message::Text(_) | Message::Binary(_) => inlet.next_came(),
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => None,
        };
        let said = match heard {
            Message::Text(text) => line.share(message::text(|into| into.extend_from_slice(text.as_bytes()))).await,
            Message::Binary(packed) if came.is_some_and(|came| came.compressed) => match unpacked(&packed) {
                Some(text) if came.is_some_and(|came| came.text) => {
                    line.share(message::packed(|into| into.extend_from_slice(&text))).await
                }
                Some(bytes) => line.write(Message::Binary(bytes.into())).await,
                None => return LineEnd::Unreadable(CLOSE_NOT_AS_TOLD, "not compressed as it says"),
            },
            binary @ Message::Binary(_) => line.write(binary).await,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(()),
        };
        if let Err(end) = said {
            return end;
        }
    }
}

/// A message as it was before it was compressed by itself.
fn unpacked(packed: &[u8]) -> Option<Vec<u8>> {
    let packed = [packed, &TAIL].concat();
    let (mut inflater, mut bytes) = (Decompress::new(false), Vec::new());
    loop {
        bytes.reserve(ROOM_BYTES);
        let rest = packed.get(usize::try_from(inflater.total_in()).ok()?..)?;
        let status = inflater.decompress_vec(rest, &mut bytes, FlushDecompress::Sync).ok()?;
        // Room is left only when all has been read.
        if status != Status::Ok || bytes.len() < bytes.capacity() {
            return Some(bytes);
        }
    }
}
