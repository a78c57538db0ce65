//! Going back: how long the state at a random moment of a full ring takes, beside the state as it is now, from the same
//! stream over the same connection. The ring was filled by the simulator and read back from a journal, so that it is quiet.

use super::process::Processes;
use crate::{
    publisher::head,
    table::{Table, quantile},
};
use anyhow::{Context, Result, ensure};
use monkeytown_tests::program::Running;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Events told before anybody looks back; the ring holds as many.
const TOLD: i64 = 1_000_000;
/// Events a second of the simulator.
const RATE: &str = "10000";
/// How long that may take.
const TELLING: Duration = Duration::from_secs(600);
const ROUNDS: u64 = 500;

/// How long an answer took to be read to its end, in milliseconds, and the answer.
async fn ask(client: &reqwest::Client, url: &str) -> Result<(f64, Vec<u8>)> {
    let begun = Instant::now();
    let answer = client.get(url).send().await.context("asking for a state")?;
    let status = answer.status();
    let body = answer.bytes().await.context("a state")?;
    let millis = begun.elapsed().as_secs_f64() * 1_000.0;
    ensure!(status.is_success(), "{url} is answered {status}: {}", String::from_utf8_lossy(&body));
    Ok((millis, body.to_vec()))
}

#[expect(clippy::cast_precision_loss, reason = "some megabytes")]
async fn row(client: &reqwest::Client, urls: impl Iterator<Item = String>) -> Result<Vec<f64>> {
    let (mut times, mut bytes) = (Vec::new(), 0);
    for url in urls {
        let (millis, body) = ask(client, &url).await?;
        times.push(millis);
        bytes = bytes.max(body.len());
    }
    times.sort_unstable_by(f64::total_cmp);
    let most = times.last().copied().unwrap_or(f64::NAN);
    Ok(vec![quantile(&times, 0.5), quantile(&times, 0.99), most, bytes as f64 / 1_000.0])
}

/// A place of the ring; places follow one another as evenly and as far apart as the golden section has it.
fn place(round: u64, first: i64, head: i64) -> i64 {
    let share = i64::try_from(round * 618_033_989 % 1_000_000_000).unwrap_or_default();
    first + (head - first) * share / 1_000_000_000
}

/// Measures going to moments.
///
/// # Errors
/// When the stream does not work.
pub(crate) async fn rewind() -> Result<Table> {
    let folder = tempfile::tempdir().context("a folder for the journal")?;
    let journal = folder.path().join("journal").display().to_string();
    let client = reqwest::Client::new();
    eprintln!("telling {TOLD} events, {RATE} a second");
    let telling = Running::start(&["--journal", &journal, "--simulate", RATE]);
    let begun = Instant::now();
    while head(&client, &telling.address).await? < TOLD {
        ensure!(begun.elapsed() < TELLING, "the simulator has not told {TOLD} events");
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    drop(telling);

    let begun = Instant::now();
    let running = Running::start(&["--journal", &journal]);
    let url = format!("http://{}/api/v1/snapshot", running.address);
    let (_, present) = ask(&client, &url).await?;
    let read_seconds = begun.elapsed().as_secs_f64();
    let present: Value = serde_json::from_slice(&present).context("a state is JSON")?;
    let number = |pointer: &str| present.pointer(pointer).and_then(Value::as_i64).context("a state has its places");
    let (first, head) = (number("/earliest/offset")?, number("/offset")?);
    ensure!(head - first >= TOLD - 1, "{} events can be gone through", head - first);
    let epoch = present.pointer("/epoch").and_then(Value::as_str).context("a state has its history")?;
    let at = |offset: i64| format!("{url}?at={epoch}:{offset}");
    let rows = vec![
        ("the present".to_owned(), row(&client, (0..ROUNDS).map(|_| url.clone())).await?),
        ("a random moment".to_owned(), row(&client, (0..ROUNDS).map(|round| at(place(round, first, head)))).await?),
        ("the same again".to_owned(), row(&client, (0..ROUNDS).map(|_| at(place(1, first, head)))).await?),
    ];
    let memory = Processes::of(running.id()).memory()?;
    Ok(Table {
        title: format!("rewind: {} events of the simulator, one who asks", head - first),
        columns: ["p50_ms", "p99_ms", "most_ms", "KB"].map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            format!("from the question to the last byte of the answer, over one connection; {ROUNDS} answers each"),
            "the present is serialized already: what it takes is a copy and the way".to_owned(),
            format!("from the start to the first answer, all of it read from the journal: {read_seconds:.1} s"),
            format!("memory of the stream's process: {memory:.0} MB"),
        ],
    })
}
