//! The server's wall clock. Everything else takes the moment as an argument or asks here.

use monkeytown_protocol::Timestamp;
use std::time::{SystemTime, UNIX_EPOCH};

/// The present, by the server's clock. A clock set before 1970 reads as 1970.
#[must_use]
pub fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
