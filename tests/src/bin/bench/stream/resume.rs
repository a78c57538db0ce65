//! Coming back, and what is held for it: how fast a client gets what it missed, alone and with a hundred others beside
//! live traffic, what those who are live feel of it, and how much memory events and idle connections take.

use super::{
    own::Delivered,
    process::Processes,
    publishing::{Post, Publisher, Schedule, publish_all},
    reading::Dialect,
    subscribers::{Subscribers, Way},
};
use crate::table::{Table, quantile};
use anyhow::{Context, Result};
use monkeytown_tests::program::Running;
use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

const BYTES: usize = 200;
/// What is missed.
const MISSED: u64 = 300_000;
/// Those who are live while others come back, and what they hear a second.
const LIVE: usize = 100;
const LIVE_PER_SECOND: u32 = 1_000;
/// How long the live are listened to alone, before and after.
const ALONE: Duration = Duration::from_secs(3);
/// Events that a full ring holds.
const RING: u64 = 1_000_000;
/// Connections that do nothing.
const IDLE: usize = 900;

fn start() -> Result<(Running, SocketAddr, Processes)> {
    let running = Running::start(&["--max-events-per-second", "1000000"]);
    let address = running.address.parse().context("a stream listens on an address")?;
    let processes = Processes::of(running.id());
    Ok((running, address, processes))
}

/// A subscription after `cursor`, of which `at_once` begin at the same time.
fn way(address: SocketAddr, cursor: &str, at_once: usize) -> Way {
    let path = format!("/ws?after={cursor}");
    let protocol = Some("monkeytown.v1.json");
    Way { address, path, protocol, dialect: Dialect::Frames, greeting: None, settles: true, at_once }
}

/// Measures how fast clients that come back have what they missed.
///
/// # Errors
/// When the stream does not work.
#[expect(clippy::cast_precision_loss, reason = "far fewer events than f64 counts exactly")]
pub(crate) async fn resume() -> Result<Table> {
    let (_running, address, processes) = start()?;
    publish_all(address, MISSED, BYTES).await?;
    let mut rows = Vec::new();

    // The first time finds nothing in the processor's caches; it is the one that counts.
    let none = Arc::new(Schedule::new(1, MISSED));
    let begun = Instant::now();
    let one = Subscribers::connect(way(address, "earliest", 1), 1, none).await?;
    let seconds = begun.elapsed().as_secs_f64();
    one.end()?;
    rows.push(("one, nothing else".to_owned(), vec![seconds, MISSED as f64 / seconds, f64::NAN, f64::NAN, f64::NAN]));

    let schedule = Arc::new(Schedule::new(LIVE_PER_SECOND, MISSED));
    let live = Subscribers::connect(way(address, "latest", 16), LIVE, Arc::clone(&schedule)).await?;
    let publisher = Publisher::start(Post::Http(address), Arc::clone(&schedule), BYTES)?;
    tokio::time::sleep(ALONE).await;
    live.progress.sampling.store(true, Ordering::Relaxed);
    let before = Delivered::at(address).await?;
    tokio::time::sleep(ALONE).await;
    let mut alone = live.waits();
    let own = Delivered::at(address).await?.millis_at_most(&before, 0.99);
    alone.sort_unstable_by(f64::total_cmp);
    let waits = [0.5, 0.99].map(|share| quantile(&alone, share));
    rows.push(("the live alone".to_owned(), vec![f64::NAN, f64::NAN, waits[0], waits[1], own]));
    for (together, packed) in [(1, false), (100, false), (100, true)] {
        live.waits();
        let before = Delivered::at(address).await?;
        let begun = Instant::now();
        let dialect = if packed { Dialect::PackedFrames } else { Dialect::Frames };
        let way = Way { dialect, ..way(address, "earliest", together) };
        let back = Subscribers::connect(way, together, Arc::clone(&schedule)).await?;
        let seconds = begun.elapsed().as_secs_f64();
        let mut beside = live.waits();
        let own = Delivered::at(address).await?.millis_at_most(&before, 0.99);
        beside.sort_unstable_by(f64::total_cmp);
        let events = back.progress.events.load(Ordering::Relaxed) as f64;
        back.end()?;
        let waits = [0.5, 0.99].map(|share| quantile(&beside, share));
        let how = if packed { " packed" } else { "" };
        rows.push((format!("{together}{how}, beside live"), vec![seconds, events / seconds, waits[0], waits[1], own]));
    }
    publisher.end()?;
    live.end()?;
    let peak = processes.peak_memory()?;
    Ok(Table {
        title: format!("resume: {MISSED} events of {BYTES} bytes, to clients that come back"),
        columns: ["seconds", "events/s", "live_p50_ms", "live_p99_ms", "own_p99_ms"].map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            "seconds: until the last of them is told that replay is over; events/s: of all together".to_owned(),
            format!("the live: {LIVE} subscribers x {LIVE_PER_SECOND} events a second; all on one machine with them"),
            "own_p99_ms: by the stream's histogram, acceptance to socket, rounded up to its bucket; of a hundred who come back \
             at once it holds what was accepted while they did"
                .to_owned(),
            format!("the server's peak memory: {peak:.0} MB"),
        ],
    })
}

/// Measures what events that are held and connections that do nothing take.
///
/// # Errors
/// When the stream does not work.
#[expect(clippy::cast_precision_loss, reason = "far fewer events than f64 counts exactly")]
pub(crate) async fn footprint() -> Result<Table> {
    let (_running, address, processes) = start()?;
    let none = Arc::new(Schedule::new(1, 0));
    let empty = processes.memory()?;
    let idle = Subscribers::connect(way(address, "latest", 16), IDLE, Arc::clone(&none)).await?;
    let connected = processes.memory()?;
    idle.end()?;
    let before = processes.memory()?;
    publish_all(address, RING, BYTES).await?;
    let full = processes.memory()?;
    let each = |megabytes: f64, count: f64| megabytes * 1_000_000.0 / count;
    Ok(Table {
        title: "footprint: memory of the stream's process".to_owned(),
        columns: ["MB", "bytes each"].map(str::to_owned).to_vec(),
        rows: vec![
            ("empty".to_owned(), vec![empty, f64::NAN]),
            (format!("{IDLE} idle sockets"), vec![connected - empty, each(connected - empty, IDLE as f64)]),
            (format!("{RING} events"), vec![full - before, each(full - before, RING as f64)]),
        ],
        notes: vec![format!(
            "an event is {BYTES} bytes as published, 242 as held; what the system keeps for a socket is not in it"
        )],
    })
}
