//! Reading a request's body within bounds of bytes and time, enforced while it is read, and how many at once.
//!
//! What is over the bound is thrown away for a while, so that its sender reads why it is refused. Knows nothing of what a
//! body holds.

mod places;

pub(crate) use places::BodyPlaces;

use crate::metrics::Rejection;
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use std::time::Duration;

/// How much of a body is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyBounds {
    /// Largest body.
    pub(crate) max_bytes: usize,
    /// How much is read at most, of which nothing is kept when it is over `max_bytes`.
    pub(crate) discard_max_bytes: usize,
}

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BodyError {
    #[error("the request's body is too large")]
    TooLarge,
    #[error("the request's body broke off")]
    BrokeOff,
    #[error("the request's body took too long")]
    TooSlow,
}

impl BodyError {
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BrokeOff => StatusCode::BAD_REQUEST,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    pub(crate) fn reason(self) -> Rejection {
        match self {
            Self::TooLarge => Rejection::TooLarge,
            Self::BrokeOff | Self::TooSlow => Rejection::Malformed,
        }
    }
}

/// How many bytes a request says that its body has.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok())
}

/// Whether a request's body is compressed, or otherwise not what it says: how large it would become nobody knows.
pub(crate) fn is_encoded(headers: &HeaderMap) -> bool {
    let plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    !headers.get_all(header::CONTENT_ENCODING).iter().all(plain)
}

/// Reads a body whole.
///
/// # Errors
/// When it is over a bound, or does not come to its end.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    bounds: BodyBounds,
    within: Duration,
) -> Result<Bytes, BodyError> {
    let BodyBounds { max_bytes, discard_max_bytes } = bounds;
    if announced(headers).is_some_and(|length| length > discard_max_bytes as u64) {
        return Err(BodyError::TooLarge);
    }
    let collect = async {
        let mut chunks = body.into_data_stream();
        let (mut collected, mut length) = (BytesMut::new(), 0_usize);
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|_| BodyError::BrokeOff)?;
            length += chunk.len();
            if length > discard_max_bytes {
                return Err(BodyError::TooLarge);
            }
            if length <= max_bytes {
                collected.extend_from_slice(&chunk);
            } else {
                // What is thrown away takes no memory.
                collected = BytesMut::new();
            }
        }
        if length > max_bytes { Err(BodyError::TooLarge) } else { Ok(collected.freeze()) }
    };
    tokio::time::timeout(within, collect).await.unwrap_or(Err(BodyError::TooSlow))
}
