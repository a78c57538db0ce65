//! A line that says again what it hears: text past the library as events are sent, everything else by the library as
//! pings and closes are. For tests of conformance; no route of the server leads here.

use super::{
    line::{Line, LineEnd},
    message,
};
use axum::extract::ws::Message;

/// Closing as it should be (RFC 6455, section 7.4.1): "too big" is the one end that this side decides on.
const CLOSE_TOO_BIG: u16 = 1009;

/// Talks until the other side closes.
pub(super) async fn run(mut line: Line) {
    match talk(&mut line).await {
        LineEnd::Closing => line.closed().await,
        LineEnd::Gone | LineEnd::Stalled => {}
        LineEnd::TooBig => line.close(CLOSE_TOO_BIG, "a message is too big").await,
        LineEnd::Unreadable(code, reason) => line.close(code, reason).await,
    }
}

async fn talk(line: &mut Line) -> LineEnd {
    loop {
        let heard = match line.hear().await {
            Ok(heard) => heard,
            Err(end) => return end,
        };
        let said = match heard {
            Message::Text(text) => line.share(message::text(|into| into.extend_from_slice(text.as_bytes()))).await,
            binary @ Message::Binary(_) => line.write(binary).await,
            Message::Ping(_) | Message::Pong(_) | Message::Close(_) => Ok(()),
        };
        if let Err(end) = said {
            return end;
        }
    }
}
