//! The stream at its rated limits, beside what people use in its place: so many subscribers, so many events a second,
//! one machine, one load generator for all.
//!
//! Subscribers, publisher and server share the processors, as little as the first two may take; what they took is said.
//! A publisher publishes by a timetable, and how long an event took is counted from when it was due.

mod own;
mod process;
mod publishing;
mod reading;
mod resume;
mod rewind;
mod soak;
mod socket;
mod subjects;
mod subscribers;

use crate::table::{Table, quantile};
use anyhow::{Context, Result, bail};
use process::Processes;
use publishing::{Publisher, Schedule};
pub(crate) use resume::{footprint, resume};
pub(crate) use rewind::rewind;
pub(crate) use soak::soak;
use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};
use subjects::{SUBJECTS, Subject};
use subscribers::Subscribers;

/// How long a load runs before it is measured.
const WARM_UP: Duration = Duration::from_secs(1);
/// How long what was published may still arrive after the publisher has ended.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether it has.
const LOOK: Duration = Duration::from_millis(20);

/// What is asked for; what is not is as the issue has it.
#[derive(Default)]
pub(crate) struct Asked {
    /// How long each load is measured.
    pub(crate) seconds: Option<u64>,
    /// Events a second.
    pub(crate) rate: Option<u32>,
    /// Subscribers, the numbers separated by commas.
    pub(crate) subscribers: Option<String>,
    /// Who is measured, the names separated by commas.
    pub(crate) subjects: Option<String>,
    /// Bytes of an event.
    pub(crate) bytes: Option<usize>,
}

/// One load.
#[derive(Debug, Clone, Copy)]
struct Load {
    subscribers: usize,
    per_second: u32,
    seconds: u64,
    bytes: usize,
}

/// Measures every subject that is here, at every load.
///
/// # Errors
/// When a name or number makes no sense. A subject that fails at a load is told in a note, not an error.
pub(crate) async fn measure(asked: &Asked) -> Result<Table> {
    let mut notes = vec![
        "delivered/s: events that reached subscribers, of all together; lost: published, and not there 5 s after the end"
            .to_owned(),
        "milliseconds from when an event was due to be published until a subscriber had read it; the publisher publishes every 5 ms"
            .to_owned(),
        "CPU: seconds of the server's processes a million deliveries, the kernel's work for them included; wire: bytes a delivery"
            .to_owned(),
        "generator: processors that the load generator took (one thread of subscribers, one that publishes)".to_owned(),
        "the stream adds `recordedtime` to an event (42 bytes); the others send it as it is".to_owned(),
    ];
    let mut subjects = Vec::new();
    for (name, subject) in chosen(asked.subjects.as_deref())? {
        match subject.missing() {
            None => subjects.push((name, subject)),
            Some(why) => notes.push(format!("left out: {name}: {why}")),
        }
    }
    let mut rows = Vec::new();
    for load in loads(asked)? {
        for (name, subject) in &subjects {
            let row = format!("{name} {}x{}", load.subscribers, load.per_second);
            match run(*subject, load).await {
                Ok(figures) => {
                    eprintln!("· {row}: {figures:.1?}");
                    rows.push((row, figures));
                }
                Err(why) => {
                    eprintln!("· {row}: {why:#}");
                    notes.push(format!("no figures: {row}: {why:#}"));
                }
            }
        }
    }
    let columns =
        ["delivered/s", "p50_ms", "p99_ms", "p99.9_ms", "lost", "CPU_s/million", "peak_MB", "wire_bytes", "generator"];
    let (seconds, bytes) = (asked.seconds.unwrap_or(SECONDS), asked.bytes.unwrap_or(BYTES));
    Ok(Table {
        title: format!("stream: subscribers x events a second of {bytes} bytes, {seconds} s each"),
        columns: columns.map(str::to_owned).to_vec(),
        rows,
        notes,
    })
}

const SECONDS: u64 = 3;
const BYTES: usize = 200;

fn chosen(names: Option<&str>) -> Result<Vec<(&'static str, Subject)>> {
    let Some(names) = names else { return Ok(SUBJECTS.to_vec()) };
    let one = |name: &str| {
        let found = SUBJECTS.iter().find(|(known, _)| *known == name);
        found.copied().with_context(|| format!("{name:?} is none of {}", SUBJECTS.map(|(name, _)| name).join(", ")))
    };
    names.split(',').map(one).collect()
}

fn loads(asked: &Asked) -> Result<Vec<Load>> {
    let subscribers: Vec<usize> = match asked.subscribers.as_deref() {
        None => vec![10, 100, 1_000],
        Some(numbers) => numbers.split(',').map(str::parse).collect::<Result<_, _>>().context("--subscribers")?,
    };
    let rates = asked.rate.map_or_else(|| vec![1_000, 5_000, 10_000], |rate| vec![rate]);
    if subscribers.contains(&0) {
        bail!("--subscribers wants numbers over 0");
    }
    let (seconds, bytes) = (asked.seconds.unwrap_or(SECONDS), asked.bytes.unwrap_or(BYTES));
    let load = |subscribers| rates.iter().map(move |&per_second| Load { subscribers, per_second, seconds, bytes });
    Ok(subscribers.into_iter().flat_map(load).collect())
}

/// What has been counted at one moment.
struct Count {
    at: Instant,
    events: u64,
    bytes: u64,
    server: f64,
    generator: f64,
}

fn count(subscribers: &Subscribers, processes: &Processes) -> Result<Count> {
    Ok(Count {
        at: Instant::now(),
        events: subscribers.progress.events.load(Ordering::Relaxed),
        bytes: subscribers.progress.bytes.load(Ordering::Relaxed),
        server: processes.cpu_seconds()?,
        generator: Processes::own().cpu_seconds()?,
    })
}

#[expect(clippy::cast_precision_loss, reason = "far fewer events and bytes than f64 counts exactly")]
async fn run(subject: Subject, load: Load) -> Result<Vec<f64>> {
    let started = subject.start(load.per_second).await?;
    let schedule = Arc::new(Schedule::new(load.per_second, 0));
    let subscribers = Subscribers::connect(started.way.clone(), load.subscribers, Arc::clone(&schedule)).await?;
    let publisher = Publisher::start(started.post, schedule, load.bytes)?;
    tokio::time::sleep(WARM_UP).await;
    subscribers.progress.sampling.store(true, Ordering::Relaxed);
    let before = count(&subscribers, &started.processes)?;
    tokio::time::sleep(Duration::from_secs(load.seconds)).await;
    let after = count(&subscribers, &started.processes)?;
    subscribers.progress.sampling.store(false, Ordering::Relaxed);
    // Its connection is held until everything has arrived.
    let (sent, _connection) = publisher.end()?;
    let all = sent * load.subscribers as u64;
    let heard = || subscribers.progress.events.load(Ordering::Relaxed);
    let deadline = Instant::now() + GRACE;
    while heard() < all && !subscribers.broken() && Instant::now() < deadline {
        tokio::time::sleep(LOOK).await;
    }
    let lost = all.saturating_sub(heard());
    let peak = started.processes.peak_memory()?;
    let mut waits = subscribers.waits();
    subscribers.end()?;
    waits.sort_unstable_by(f64::total_cmp);
    let seconds = (after.at - before.at).as_secs_f64();
    let delivered = (after.events - before.events) as f64;
    Ok(vec![
        delivered / seconds,
        quantile(&waits, 0.5),
        quantile(&waits, 0.99),
        quantile(&waits, 0.999),
        lost as f64,
        (after.server - before.server) / (delivered / 1_000_000.0),
        peak,
        (after.bytes - before.bytes) as f64 / delivered,
        (after.generator - before.generator) / seconds,
    ])
}
