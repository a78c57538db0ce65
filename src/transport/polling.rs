//! REST: a snapshot, then long polls from where the page stands, told as the frames that a socket would bring.
//!
//! One request at a time, each with a deadline. Knows nothing of what the bodies mean.

use super::http::{self, Answer};
use monkeytown_protocol::{Position, Timestamp, limits::HEARTBEAT_MILLIS};

/// How long the stream is asked to hold an answer back for news, in seconds.
const WAIT_SECONDS: u32 = 25;
/// Events asked for at once.
const LIMIT: usize = 1_000;

/// Why a poll brought nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PollError {
    /// What happened, in words.
    pub why: String,
    /// The HTTP status of an answer that was none; `None` without any.
    pub status: Option<u16>,
    /// `Retry-After`, in milliseconds.
    pub retry_after_millis: Option<u32>,
}

/// Asks for the state, for `deadline_millis`: a hello frame with the snapshot.
///
/// # Errors
/// When no usable answer comes in time.
pub async fn snapshot(base: &str, deadline_millis: u32, now: Timestamp) -> Result<String, PollError> {
    let answer = get(&format!("{base}/api/v1/snapshot"), deadline_millis).await?;
    let said = |name| plain(&answer, name);
    let body = &answer.body;
    let told = || {
        let (cursor, head, kind) = (said("cursor")?, said("head")?, said("source-kind")?);
        let (clock, rate) = (said("clock")?, said("clock-rate")?);
        let epoch = cursor.parse::<Position>().ok()?.epoch;
        Some(greeting(epoch.as_str(), &head, &cursor, body, &now.to_string(), &clock, &rate, &kind))
    };
    told().ok_or_else(|| failed("the answer did not say what it is"))
}

/// A hello that brings a snapshot.
#[expect(clippy::too_many_arguments, reason = "a frame's fields, spread; a struct would only rename them")]
pub fn greeting(
    epoch: &str,
    head: &str,
    from: &str,
    body: &str,
    now: &str,
    clock: &str,
    rate: &str,
    kind: &str,
) -> String {
    format!(
        r#"{{"kind":"hello","epoch":"{epoch}","head":{head},"from":"{from}","recovered":false,"snapshot":{body},
        "heartbeat_ms":{HEARTBEAT_MILLIS},"server_time":"{now}","clock":"{clock}","clock_rate":{rate},"version":"",
        "source_kind":"{kind}"}}"#
    )
}

/// What a poll brought: frames, in order.
pub struct Polled {
    /// The events, when there are any.
    pub events: Option<String>,
    /// That the stream is alive, and what its clock shows.
    pub heartbeat: String,
}

/// Asks for what comes after `position`; the answer may take `deadline_millis` beyond what it was asked to wait.
/// `None`: it cannot be had any more, take a snapshot.
///
/// # Errors
/// When no usable answer comes in time.
pub async fn events(
    base: &str,
    position: &Position,
    wait: bool,
    deadline_millis: u32,
    now: Timestamp,
) -> Result<Option<Polled>, PollError> {
    let seconds = if wait { WAIT_SECONDS } else { 0 };
    let url = format!("{base}/api/v1/events?after={position}&limit={LIMIT}&wait={seconds}");
    let answer = get(&url, seconds * 1_000 + deadline_millis).await?;
    let said = |name| plain(&answer, name);
    let body = &answer.body;
    if said("recovered").is_some_and(|recovered| recovered == "false") {
        return Ok(None);
    }
    let told = || {
        let upto = said("cursor")?.parse::<Position>().ok().filter(|upto| upto.epoch == position.epoch)?;
        let (head, clock, rate) = (said("head")?, said("clock")?, said("clock-rate")?);
        let (epoch, first) = (&position.epoch, position.next().0);
        // An empty answer covers nothing.
        let events = upto.after.filter(|last| last.0 >= first).map(|last| {
            format!(r#"{{"kind":"events","epoch":"{epoch}","first":{first},"last":{},"events":{body}}}"#, last.0)
        });
        let heartbeat = format!(
            r#"{{"kind":"heartbeat","head":{head},"server_time":"{now}","clock":"{clock}","clock_rate":{rate}}}"#
        );
        Some(Polled { events, heartbeat })
    };
    told().map(Some).ok_or_else(|| failed("the answer did not say where it ends"))
}

/// Asks for what comes after `position`, or for a snapshot where that is none or cannot be had: frames, in order. The
/// second tells that the stream is alive, and is absent after a snapshot.
///
/// # Errors
/// When no usable answer comes in time.
pub async fn onward(
    base: &str,
    position: Option<&Position>,
    wait: bool,
    deadline_millis: u32,
    now: Timestamp,
) -> Result<[Option<String>; 2], PollError> {
    if let Some(position) = position
        && let Some(polled) = events(base, position, wait, deadline_millis, now).await?
    {
        return Ok([polled.events, Some(polled.heartbeat)]);
    }
    Ok([Some(snapshot(base, deadline_millis, now).await?), None])
}

/// A header's value that may stand in a frame as it is: letters, digits and what cursors, moments and numbers need.
fn plain(answer: &Answer, name: &str) -> Option<String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '+');
    answer.header(&format!("monkeytown-{name}")).filter(|value| !value.is_empty() && value.chars().all(sound))
}

fn failed(why: &str) -> PollError {
    PollError { why: why.to_owned(), status: None, retry_after_millis: None }
}

/// One answer, whole, within `deadline_millis`.
async fn get(url: &str, deadline_millis: u32) -> Result<Answer, PollError> {
    let answer = http::get(url, deadline_millis).await.ok_or_else(|| failed("no answer"))?;
    if answer.is_ok() {
        return Ok(answer);
    }
    Err(PollError {
        why: format!("the stream answered {}", answer.status),
        status: Some(answer.status),
        retry_after_millis: answer.retry_after_millis(),
    })
}
