//! How many bytes of large answers may be on their way at once: whoever asks and does not read has the stream hold them.
//!
//! Small answers are bounded by the connections alone. Knows nothing of what an answer holds.

use crate::{
    address::Client,
    pool::{Held, PlaceBounds, Pool},
    problem::Refusal,
    subscribers::RETRY_SECONDS,
};
use axum::http::StatusCode;
use bytes::Bytes;
use std::time::Duration;

/// What is counted: up to this an answer is small.
const PIECE_BYTES: usize = 64 * 1024;
/// 256 MiB of large answers, and 64 MiB of one address.
const PIECES: PlaceBounds = PlaceBounds { all: 4_096, of_one: 1_024 };

/// Room for large answers.
pub(crate) struct Answers(Pool<Client>);

/// Room for one answer.
pub(crate) struct Room(Option<Held<Client>>);

impl Default for Answers {
    fn default() -> Self {
        Self(Pool::new(PIECES))
    }
}

impl Answers {
    /// Room for an answer of so many bytes to `client`, once there is some.
    pub(crate) async fn room(&self, client: Client, bytes: usize, within: Duration) -> Result<Room, Refusal> {
        if bytes <= PIECE_BYTES {
            return Ok(Room(None));
        }
        let taken = tokio::time::timeout(within, self.0.take(client, bytes.div_ceil(PIECE_BYTES))).await;
        taken.map(|held| Room(Some(held))).map_err(|_| {
            let detail = "too many large answers are on their way and are not read; come back, or ask for less";
            Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS)
        })
    }
}

impl Room {
    /// An answer that keeps its room until the last of it has been sent.
    pub(crate) fn hold(self, answer: Vec<u8>) -> Bytes {
        match self.0 {
            None => Bytes::from(answer),
            Some(held) => Bytes::from_owner(Answer { bytes: answer, _held: held }),
        }
    }
}

struct Answer {
    bytes: Vec<u8>,
    _held: Held<Client>,
}

impl AsRef<[u8]> for Answer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}
