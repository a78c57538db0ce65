//! REST: a snapshot, then long polls from where the page stands.
//!
//! One request at a time, each with a deadline. Knows nothing of what the answers mean.

use super::Delivery;
use crate::clock::Timer;
use gloo_net::http::{Headers, Request};
use monkeytown_protocol::{Position, Timestamp};
use web_sys::AbortController;

/// How long an answer may take beyond what it was asked to wait, in milliseconds.
const ANSWER_MILLIS: u32 = 5_000;
/// How long the stream is asked to hold an answer back for news, in seconds.
const WAIT_SECONDS: u32 = 25;
/// Events asked for at once.
const LIMIT: usize = 1_000;

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollError {
    /// What happened, in words.
    pub why: String,
    /// `Retry-After`, in milliseconds.
    pub retry_after_millis: Option<u32>,
}

/// Asks for the state.
///
/// # Errors
/// When no usable answer comes in time.
pub async fn snapshot(base: &str) -> Result<Delivery, PollError> {
    let (_, body) = get(&format!("{base}/api/v1/snapshot"), ANSWER_MILLIS).await?;
    Ok(Delivery::Snapshot(body))
}

/// Asks for what comes after `position`. `None`: it cannot be had any more, take a snapshot.
///
/// # Errors
/// When no usable answer comes in time.
pub async fn events(base: &str, position: &Position, wait: bool) -> Result<Option<Delivery>, PollError> {
    let seconds = if wait { WAIT_SECONDS } else { 0 };
    let url = format!("{base}/api/v1/events?after={position}&limit={LIMIT}&wait={seconds}");
    let (headers, body) = get(&url, seconds * 1_000 + ANSWER_MILLIS).await?;
    if headers.get("monkeytown-recovered").is_some_and(|recovered| recovered == "false") {
        return Ok(None);
    }
    let cursor: Option<Position> = headers.get("monkeytown-cursor").and_then(|cursor| cursor.parse().ok());
    let Some(upto) = cursor.filter(|cursor| cursor.epoch == position.epoch).map(|cursor| cursor.after) else {
        return Err(PollError { why: "the answer did not say where it ends".into(), retry_after_millis: None });
    };
    let clock = headers.get("monkeytown-clock").and_then(|clock| clock.parse::<Timestamp>().ok());
    // The browser's own parser: Rust's brings a table of 10 KB.
    let rate = headers.get("monkeytown-clock-rate").map(|rate| js_sys::Number::parse_float(&rate));
    let clock = clock.zip(rate.filter(|rate: &f64| rate.is_finite() && *rate >= 0.0));
    Ok(Some(Delivery::Batch { body, after: position.clone(), upto, clock }))
}

/// One answer, whole, within `deadline_millis`.
async fn get(url: &str, deadline_millis: u32) -> Result<(Headers, String), PollError> {
    let failed = |why: String| PollError { why, retry_after_millis: None };
    let abort = AbortController::new().map_err(|_| failed("this browser cannot call off a request".into()))?;
    let signal = abort.signal();
    // Held until the body is read: an answer may stall after its head.
    let _deadline = Timer::after(deadline_millis, move || abort.abort());
    let answer = Request::get(url)
        .header("accept", "application/cloudevents-batch+json, application/json")
        .cache(web_sys::RequestCache::NoStore)
        .abort_signal(Some(&signal))
        .send()
        .await
        .map_err(|_| failed("no answer".into()))?;
    if !answer.ok() {
        let seconds: Option<u32> = answer.headers().get("retry-after").and_then(|value| value.parse().ok());
        return Err(PollError {
            why: format!("the stream answered {}", answer.status()),
            retry_after_millis: seconds.map(|seconds| seconds.saturating_mul(1_000)),
        });
    }
    let body = answer.text().await.map_err(|_| failed("the answer broke off".into()))?;
    Ok((answer.headers(), body))
}
