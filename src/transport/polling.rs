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

/// What a poll brought: frames, in order. Neither: the cursor is lost, and a snapshot must come first.
#[derive(Default)]
pub struct Polled {
    /// The events, when there are any; or the hello with a snapshot.
    pub frame: Option<String>,
    /// That the stream is alive, and what its clock shows.
    pub heartbeat: Option<String>,
    /// How far it leads.
    pub upto: Option<Position>,
}

/// Asks for what comes after `position`, for a snapshot without one; the answer may take `deadline_millis` beyond what
/// it was asked to wait.
///
/// # Errors
/// When no usable answer comes in time.
pub async fn ask(
    base: &str,
    position: Option<Position>,
    wait: bool,
    deadline_millis: u32,
    now: Timestamp,
) -> Result<Polled, PollError> {
    let seconds = if wait { WAIT_SECONDS } else { 0 };
    let url = match &position {
        Some(position) => format!("{base}/api/v1/events?after={position}&limit={LIMIT}&wait={seconds}"),
        None => format!("{base}/api/v1/snapshot"),
    };
    let answer = get(&url, seconds * 1_000 + deadline_millis).await?;
    let told = tell(&answer, position.as_ref(), now);
    told.ok_or_else(|| failed("the answer did not say what it is"))
}

/// The frames that a socket would have brought.
fn tell(answer: &Answer, position: Option<&Position>, now: Timestamp) -> Option<Polled> {
    let said = |name| plain(answer, name);
    let body = &answer.body;
    if position.is_some() && said("recovered").is_some_and(|recovered| recovered == "false") {
        return Some(Polled::default());
    }
    let (cursor, head, clock, rate) = (said("cursor")?, said("head")?, said("clock")?, said("clock-rate")?);
    let upto = cursor.parse::<Position>().ok()?;
    let (epoch, now) = (upto.epoch.clone(), now.to_string());
    let Some(position) = position else {
        let hello = greeting(epoch.as_str(), &head, &cursor, body, &now, &clock, &rate, &said("source-kind")?);
        return Some(Polled { frame: Some(hello), ..Polled::default() });
    };
    if epoch != position.epoch {
        return None;
    }
    let first = position.next().0;
    // An empty answer covers nothing.
    let frame = upto.after.filter(|last| last.0 >= first).map(|last| {
        format!(r#"{{"kind":"events","epoch":"{epoch}","first":{first},"last":{},"events":{body}}}"#, last.0)
    });
    let heartbeat =
        format!(r#"{{"kind":"heartbeat","head":{head},"server_time":"{now}","clock":"{clock}","clock_rate":{rate}}}"#);
    Some(Polled { frame, heartbeat: Some(heartbeat), upto: Some(upto) })
}

/// A header's value that may stand in a frame as it is: letters, digits and what cursors, moments and numbers need.
fn plain(answer: &Answer, name: &str) -> Option<String> {
    let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.' | '+');
    answer.header(&format!("monkeytown-{name}")).filter(|value| !value.is_empty() && value.chars().all(sound))
}

/// What is said of a stream that is full, or about to close.
pub const NO_PLACE: &str = "the stream takes nobody for the moment";

fn failed(why: &str) -> PollError {
    PollError { why: why.to_owned(), status: None, retry_after_millis: None }
}

/// One answer, whole, within `deadline_millis`.
async fn get(url: &str, deadline_millis: u32) -> Result<Answer, PollError> {
    let answer = http::get(url, deadline_millis).await.ok_or_else(|| failed("no answer"))?;
    if answer.is_ok() {
        return Ok(answer);
    }
    let why = match answer.status {
        429 | 503 => NO_PLACE.to_owned(),
        status => format!("the stream answered {status}"),
    };
    Err(PollError { why, status: Some(answer.status), retry_after_millis: answer.retry_after_millis() })
}
