//! Half an hour of an ordinary day, dense: events all the time, and people who come, stay a while and go, by every way
//! and in every manner. What matters is that the last minutes look like the first.

use super::{
    Asked,
    own::Delivered,
    process::Processes,
    publishing::{Post, Publisher, Schedule},
    reading::Dialect,
    socket,
    subscribers::{Subscribers, Way},
};
use crate::table::{Table, quantile};
use anyhow::{Context, Result, ensure};
use monkeytown_tests::program::Running;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{io::AsyncWriteExt, net::TcpStream, task::JoinSet};

const SECONDS: u64 = 1_800;
const PER_SECOND: u32 = 2_000;
const BYTES: usize = 200;
/// Those who stay all the while.
const STAYING: usize = 200;
/// Between two who come.
const COMING_EVERY: Duration = Duration::from_millis(50);
/// How long one stays who comes; the longest of them.
const STAY_MAX_MILLIS: u64 = 8_000;
/// How far back one stood who resumes.
const MISSED: u64 = 5_000;
/// Between two looks.
const LOOK: Duration = Duration::from_secs(60);

/// What those who come and go have met.
#[derive(Debug, Default)]
struct Met {
    came: AtomicU64,
    /// Refused, or cut off before they went.
    failed: AtomicU64,
}

/// Listens to a stream for as long as is asked for, and says a row a minute.
///
/// # Errors
/// When the stream does not work, or one who stays hears something out of order or is cut off.
#[expect(clippy::cast_precision_loss, reason = "far fewer events than f64 counts exactly")]
pub(crate) async fn soak(asked: &Asked) -> Result<Table> {
    let running = Running::start(&[]);
    let address: SocketAddr = running.address.parse().context("a stream listens on an address")?;
    let processes = Processes::of(running.id());
    let schedule = Arc::new(Schedule::new(asked.rate.unwrap_or(PER_SECOND), 0));
    let staying = Subscribers::connect(way(address), STAYING, Arc::clone(&schedule)).await?;
    staying.progress.sampling.store(true, Ordering::Relaxed);
    let publisher = Publisher::start(Post::Http(address), Arc::clone(&schedule), BYTES)?;
    let met = Arc::new(Met::default());
    let coming = tokio::spawn(come_and_go(address, Arc::clone(&met)));

    let all = Duration::from_secs(asked.seconds.unwrap_or(SECONDS));
    let begun = Instant::now();
    let mut rows = Vec::new();
    while begun.elapsed() < all {
        let (before, heard, came) = (
            Delivered::at(address).await?,
            staying.progress.events.load(Ordering::Relaxed),
            met.came.load(Ordering::Relaxed),
        );
        let looked = Instant::now();
        tokio::time::sleep(LOOK.min(all.saturating_sub(begun.elapsed()))).await;
        ensure!(!staying.broken(), "one who stayed was cut off");
        ensure!(!coming.is_finished(), "nobody comes any more");
        let mut waits = staying.waits();
        waits.sort_unstable_by(f64::total_cmp);
        let seconds = looked.elapsed().as_secs_f64();
        let figures = vec![
            processes.memory()?,
            processes.open_files()?,
            quantile(&waits, 0.5),
            quantile(&waits, 0.99),
            waits.last().copied().unwrap_or(f64::NAN),
            Delivered::at(address).await?.millis_at_most(&before, 0.99),
            (staying.progress.events.load(Ordering::Relaxed) - heard) as f64 / seconds,
            (met.came.load(Ordering::Relaxed) - came) as f64,
        ];
        let minute = format!("minute {}", rows.len() + 1);
        eprintln!("· {minute}: {figures:.1?}");
        rows.push((minute, figures));
    }
    coming.abort();
    let (sent, _connection) = publisher.end()?;
    let all_heard = sent * STAYING as u64;
    let deadline = Instant::now() + Duration::from_secs(5);
    while staying.progress.events.load(Ordering::Relaxed) < all_heard && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let lost = all_heard.saturating_sub(staying.progress.events.load(Ordering::Relaxed));
    let (came, failed) = (met.came.load(Ordering::Relaxed), met.failed.load(Ordering::Relaxed));
    let (memory, files) = (processes.memory()?, processes.open_files()?);
    let columns = ["MB", "open files", "p50_ms", "p99_ms", "max_ms", "own_p99_ms", "delivered/s", "came"];
    staying.end()?;
    Ok(Table {
        title: format!("soak: {STAYING} who stay, and others who come and go; {sent} events of {BYTES} bytes"),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes: vec![
            format!("of {came} who came {failed} were refused or cut off; lost by those who stayed: {lost}"),
            format!("after it: {memory:.0} MB, {files} open files; the ring holds the newest 1,000,000"),
            "they come by socket (live, resuming, not reading, torn off), event source, polls, and with half a request"
                .to_owned(),
            "own_p99_ms: by the stream's histogram, acceptance to socket, rounded up to its bucket".to_owned(),
        ],
    })
}

fn way(address: SocketAddr) -> Way {
    let path = "/ws?after=latest".to_owned();
    let protocol = Some("monkeytown.v1.json");
    Way { address, path, protocol, dialect: Dialect::Frames, greeting: None, settles: true, at_once: 16 }
}

/// One after the other, each on its own.
async fn come_and_go(address: SocketAddr, met: Arc<Met>) {
    let mut there = JoinSet::new();
    let mut pace = tokio::time::interval(COMING_EVERY);
    for number in 0_u64.. {
        pace.tick().await;
        while there.try_join_next().is_some() {}
        met.came.fetch_add(1, Ordering::Relaxed);
        let met = Arc::clone(&met);
        there.spawn(async move {
            if visit(address, number).await.is_err() {
                met.failed.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

/// Comes in the manner of `number`, stays a while, goes.
async fn visit(address: SocketAddr, number: u64) -> Result<()> {
    let stay = Duration::from_millis(number * 997 % STAY_MAX_MILLIS);
    let events = format!("http://{address}/api/v1/events");
    match number % 8 {
        0 | 1 => listen(address, "/ws?after=latest", number % 8 == 1, stay).await,
        2 => listen(address, &format!("/ws?after={}", missed(&events).await?), true, stay).await,
        // A snapshot, and then nothing of what follows is read.
        3 => {
            let (_held, _) = socket::open(address, "/ws", Some("monkeytown.v1.json"), false).await?;
            tokio::time::sleep(stay).await;
            Ok(())
        }
        // Torn off within a message of its own.
        4 => {
            let (mut stream, _) = socket::open(address, "/ws?after=latest", Some("monkeytown.v1.json"), false).await?;
            stream.write_all(&[0x81, 0xFE, 0x40]).await?;
            Ok(())
        }
        5 => {
            let client = reqwest::Client::new();
            let asked = client.get(format!("{events}?after=latest")).header("Accept", "text/event-stream");
            read_for(asked.send().await?.error_for_status()?, stay).await
        }
        6 => {
            let cursor = missed(&events).await?;
            let answer = reqwest::get(format!("{events}?after={cursor}&limit=1000&wait=5")).await?;
            answer.error_for_status()?.bytes().await?;
            Ok(())
        }
        _ => {
            let mut stream = TcpStream::connect(address).await?;
            stream.write_all(b"GET /api/v1/snapshot HTTP/1.1\r\nHost: ").await?;
            tokio::time::sleep(stay).await;
            Ok(())
        }
    }
}

/// Reads a subscription away.
async fn listen(address: SocketAddr, path: &str, compresses: bool, stay: Duration) -> Result<()> {
    let (mut stream, _) = socket::open(address, path, Some("monkeytown.v1.json"), compresses).await?;
    let mut nowhere = tokio::io::sink();
    match tokio::time::timeout(stay, tokio::io::copy(&mut stream, &mut nowhere)).await {
        Ok(_) => anyhow::bail!("cut off"),
        Err(_) => Ok(()),
    }
}

async fn read_for(mut answer: reqwest::Response, stay: Duration) -> Result<()> {
    let reading = async {
        while let Some(_piece) = answer.chunk().await? {}
        anyhow::Ok(())
    };
    match tokio::time::timeout(stay, reading).await {
        Ok(_) => anyhow::bail!("cut off"),
        Err(_) => Ok(()),
    }
}

/// The cursor of one who missed the last events.
async fn missed(events: &str) -> Result<String> {
    let answer = reqwest::get(format!("{events}?after=latest&limit=1")).await?;
    let cursor = answer.headers().get("Monkeytown-Cursor").context("a cursor")?.to_str()?;
    let (epoch, offset) = cursor.split_once(':').context("a cursor has an offset")?;
    let offset: u64 = offset.parse().unwrap_or_default();
    Ok(if offset > MISSED { format!("{epoch}:{}", offset - MISSED) } else { "earliest".to_owned() })
}
