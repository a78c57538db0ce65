//! A publisher of the benchmarks, and the clock that it shares with the pages on this machine.

use anyhow::{Context, Result, ensure};
use monkeytown_tests::{
    stream::{BATCHED, TOKEN},
    wait::PATIENCE,
};
use serde_json::Value;
use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970.
pub(crate) fn wall_millis() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() * 1_000.0
}

/// Publishes to the stream at `address`.
///
/// # Errors
/// When the stream does not take it.
pub(crate) async fn send(client: &reqwest::Client, address: &str, events: &[Value]) -> Result<()> {
    let request = client.post(format!("http://{address}/api/v1/events")).timeout(PATIENCE).bearer_auth(TOKEN);
    let body = Value::from(events).to_string();
    let answer = request.header("content-type", BATCHED).body(body).send().await.context("publishing")?;
    let status = answer.status();
    // Reading it to its end lets the connection carry the next one.
    let text = answer.text().await.context("the stream's answer")?;
    ensure!(status.is_success(), "the stream answers {status}: {text}");
    Ok(())
}

/// The offset of the newest event of the stream at `address`; -1 when it has none.
///
/// # Errors
/// When the stream does not say.
pub(crate) async fn head(client: &reqwest::Client, address: &str) -> Result<i64> {
    let url = format!("http://{address}/api/v1/events?after=latest");
    let answer =
        client.get(url).header("accept", BATCHED).timeout(PATIENCE).send().await.context("asking the stream")?;
    let head = answer.headers().get("monkeytown-head").context("a stream says where its head is")?;
    let head = head.to_str().context("an offset is text")?.parse().context("an offset is a number")?;
    answer.text().await.context("the stream's answer")?;
    Ok(head)
}
