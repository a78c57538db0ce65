//! How long a test waits for what must come. It bounds a failure; it measures nothing.

use std::time::Duration;

/// Long enough that only what never comes is given up.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what must come.
///
/// # Panics
/// When it does not come; `what` says what it is.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("{what} does not come within {PATIENCE:?}"),
    }
}
