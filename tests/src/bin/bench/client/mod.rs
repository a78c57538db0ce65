//! The page under load: a real Chromium fed by the simulator, beside the smallest page in plain JavaScript that does
//! the same job. One after the other, each with a stream and a browser of its own.

mod visit;

use crate::table::{Table, quantile};
use anyhow::{Result, ensure};
use visit::{Figures, Subject, Visit};

/// Events a second at which the page is measured.
const RATES: [u32; 3] = [100, 1_000, 10_000];
const SECONDS: u64 = 60;
const IDLE_SECONDS: u64 = 10;
/// Memory is compared after so many events and after ten times as many.
const FEW_EVENTS: i64 = 100_000;
const MEMORY_RATE: u32 = 10_000;
const MIB: f64 = 1_048_576.0;
/// What the main thread may cost beside the floor (times).
const TARGET: f64 = 1.3;

/// What was asked for beside the usual.
#[derive(Default)]
pub(crate) struct Wishes {
    /// A shorter or longer window.
    pub(crate) seconds: Option<u64>,
    /// One rate alone.
    pub(crate) rate: Option<u32>,
}

/// Names of the figures, in the order of [`figures`].
const ROWS: [&str; 24] = [
    "sent_per_s",
    "lost_events",
    "holes",
    "duplicates",
    "behind_at_end",
    "fps_median",
    "fps_worst_1%",
    "longest_frame_ms",
    "tasks_over_50_ms",
    "longest_task_ms",
    "main_thread_%",
    "script_%",
    "layout_%",
    "style_%",
    "main_us_per_event",
    "page_process_cpu_%",
    "other_process_cpu_%",
    "to_pixels_p50_ms",
    "to_pixels_p99_ms",
    "heap_start_mib",
    "heap_end_mib",
    "wasm_start_mib",
    "wasm_end_mib",
    "load_average_before",
];

#[expect(clippy::cast_precision_loss, reason = "counts of some hundred thousands")]
fn figures(of: &Figures) -> [f64; ROWS.len()] {
    let sent = of.sent as f64;
    let [all, script, layout, style] = of.shares.map(|share| share * 100.0);
    let [page, others] = of.processors.map(|share| share * 100.0);
    let frame = |share| quantile(&of.frames, share);
    [
        sent / of.seconds,
        of.lost as f64,
        of.holes as f64,
        of.duplicates as f64,
        of.behind as f64,
        1_000.0 / frame(0.5),
        1_000.0 / frame(0.99),
        frame(1.0),
        of.tasks.len() as f64,
        of.tasks.last().copied().unwrap_or_default(),
        all,
        script,
        layout,
        style,
        all / 100.0 * of.seconds * 1_000_000.0 / sent,
        page,
        others,
        quantile(&of.waits, 0.5),
        quantile(&of.waits, 0.99),
        of.before.heap / MIB,
        of.after.heap / MIB,
        of.before.wasm / MIB,
        of.after.wasm / MIB,
        of.load,
    ]
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{cores} processors shared by the stream, the browser and the publisher; software renderer (no GPU); 1280x800"
    )
}

/// Measures floor and page at every rate.
///
/// # Errors
/// When a page cannot be measured. Lost events are a figure, not an error.
pub(crate) async fn measure(wishes: &Wishes) -> Result<Table> {
    let seconds = wishes.seconds.unwrap_or(SECONDS);
    let rates = wishes.rate.map_or(RATES.to_vec(), |rate| vec![rate]);
    let mut columns = Vec::new();
    let mut rows: Vec<(String, Vec<f64>)> = ROWS.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    let mut notes = vec![
        machine(),
        "lost_events: what the stream accepted in the window less what the page applied of it, once it caught up"
            .into(),
        "frames: requestAnimationFrame; tasks: the browser tells of those over 50 ms, 0 is none".into(),
        "main thread: time that it ran (thread ticks), as a share of the window; main_us_per_event is all of it".into(),
        "other processes: the browser's own, which rasterise and compose; 100 % is one processor".into(),
        "to_pixels: from sending the request to the end of the frame that shows it, 5 probes a second".into(),
        "memory after a forced collection".into(),
    ];
    eprintln!("measuring what the watching itself costs, {IDLE_SECONDS} s");
    let blank = Visit::begin(Subject::Blank, 1).await?;
    let watching = blank.idle(IDLE_SECONDS).await?;
    blank.end().await;
    notes.push(format!("of every main_thread_%, {:.1} is the watching itself (a blank page)", watching * 100.0));
    for rate in rates {
        let mut cost = Vec::new();
        for (subject, name) in [(Subject::Floor, "floor"), (Subject::Page, "page")] {
            eprintln!("measuring {name} at {rate} events a second, {seconds} s");
            let visit = Visit::begin(subject, rate).await?;
            let found = visit.measure(seconds).await?;
            visit.end().await;
            cost.push(found.shares[0]);
            columns.push(format!("{name} {rate}/s"));
            for ((_, row), figure) in rows.iter_mut().zip(figures(&found)) {
                row.push(figure);
            }
        }
        if let [floor, page] = cost.as_slice() {
            let (times, bare) = (page / floor, (page - watching) / (floor - watching));
            notes.push(format!(
                "{rate}/s: the page's main thread runs {times:.2} times the floor's (target {TARGET}); without the watching \
                 {bare:.2} times"
            ));
        }
    }
    let title = format!("the page under load, {seconds} s each, real Chromium");
    Ok(Table { title, columns, rows, notes })
}

/// Compares memory after few events with memory after ten times as many.
///
/// # Errors
/// When the page stops applying.
pub(crate) async fn remember(wishes: &Wishes) -> Result<Table> {
    let rate = wishes.rate.unwrap_or(MEMORY_RATE);
    let few = match wishes.seconds {
        Some(seconds) => i64::from(rate) * i64::try_from(seconds)? / 10,
        None => FEW_EVENTS,
    };
    ensure!(few > 0, "so few events weigh nothing");
    let mut rows = Vec::new();
    for (subject, name) in [(Subject::Floor, "floor"), (Subject::Page, "page")] {
        eprintln!("feeding {name} {} events at {rate} a second", few * 10);
        let visit = Visit::begin(subject, rate).await?;
        let early = visit.memory_after(few).await?;
        let late = visit.memory_after(few * 10).await?;
        visit.end().await;
        let all = [early.heap, late.heap, early.wasm, late.wasm].map(|bytes| bytes / MIB);
        rows.push((name.to_owned(), all.to_vec()));
    }
    let columns = ["heap_early_mib", "heap_late_mib", "wasm_early_mib", "wasm_late_mib"].map(str::to_owned).to_vec();
    let title = format!("memory after {few} events and after {}, at {rate} a second", few * 10);
    let notes = vec![machine(), "after a forced collection; wasm: its whole linear memory, which never shrinks".into()];
    Ok(Table { title, columns, rows, notes })
}
