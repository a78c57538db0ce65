//! What an address asks of a subscription or a poll, for fuzzing.

use super::read_start;
use crate::rest;
use axum::{extract::Query, http::Uri};

/// The part of an address after `?`.
pub fn query(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    if let Some(cursor) = read_start(Query::try_from_uri(&uri)).ok().and_then(|start| start.cursor) {
        assert_eq!(cursor.to_string().parse(), Ok(cursor));
    }
    let _ = rest::is_readable(&uri);
}
