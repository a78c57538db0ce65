//! One page under one load: what it applied, how it drew, what it cost, how much memory it holds.

use crate::publisher::{head, send, wall_millis};
use anyhow::{Context, Result, ensure};
use chromiumoxide::cdp::{
    browser_protocol::{
        network,
        performance::{self, EnableTimeDomain, GetMetricsParams},
    },
    js_protocol::heap_profiler::CollectGarbageParams,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    program::Running,
    proxy::Proxy,
    site,
    wait::PATIENCE,
};
use std::time::{Duration, Instant};
use tokio::time::{MissedTickBehavior, interval, sleep};

const WATCH: &str = include_str!("watch.js");
const FLOOR: &str = include_str!("floor.html");
const PROBE_MILLIS: u64 = 200;
/// A page that has just opened compiles and lays out; that is not what is measured.
const WARM_UP: Duration = Duration::from_secs(3);
/// How often a page that is behind is asked.
const LOOK: Duration = Duration::from_millis(100);

/// What is visited.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Subject {
    /// Nothing but what watches the pages.
    Blank,
    /// The smallest page in plain JavaScript that does the same job.
    Floor,
    /// The built page.
    Page,
}

/// Memory after a collection of garbage, in bytes.
#[derive(Clone, Copy)]
pub(crate) struct Memory {
    /// JavaScript's heap in use.
    pub(crate) heap: f64,
    /// The linear memory of WebAssembly.
    pub(crate) wasm: f64,
}

/// What a page says of the events that it applied.
#[derive(Clone, Copy)]
struct Applied {
    /// Newest offset.
    offset: i64,
    received: i64,
    holes: i64,
    duplicates: i64,
}

/// What has been spent since the page began, in seconds.
#[derive(Clone, Copy)]
struct Spent {
    /// The moment that this was looked at, by the browser's clock.
    at: f64,
    /// The main thread: all, scripts, layout, style.
    main_thread: [f64; 4],
    /// On processors: by the page's process, and by all of the browser's others, which draw what it asks for.
    processors: [f64; 2],
}

/// What a visit came to.
pub(crate) struct Figures {
    /// Seconds of the window that was measured.
    pub(crate) seconds: f64,
    /// Events that the stream accepted within the window.
    pub(crate) sent: i64,
    /// Of those, the ones that the page never applied; below zero it applied some twice.
    pub(crate) lost: i64,
    pub(crate) holes: i64,
    pub(crate) duplicates: i64,
    /// How many events the page was behind the stream when the window ended.
    pub(crate) behind: i64,
    /// Milliseconds between frames, sorted.
    pub(crate) frames: Vec<f64>,
    /// Milliseconds of tasks of 50 ms and more, sorted.
    pub(crate) tasks: Vec<f64>,
    /// Shares of the window that the main thread ran: all, scripts, layout, style.
    pub(crate) shares: [f64; 4],
    /// Shares of one processor: the page's process, the browser's other ones.
    pub(crate) processors: [f64; 2],
    /// Runnable tasks on this machine in the minute before, on average; not a number where nobody says.
    pub(crate) load: f64,
    /// Milliseconds from publishing to pixels, sorted.
    pub(crate) waits: Vec<f64>,
    pub(crate) before: Memory,
    pub(crate) after: Memory,
}

/// A page that is open, fed by a simulator.
pub(crate) struct Visit {
    browser: Browser,
    page: Page,
    stream: Running,
    client: reqwest::Client,
    // A page's own address, as long as the visit lasts.
    _floor: Proxy,
}

impl Visit {
    /// Opens `subject` with a stream and a browser of its own, `rate` events a second.
    pub(crate) async fn begin(subject: Subject, rate: u32) -> Result<Self> {
        let floor = Proxy::before(([127, 0, 0, 1], 9).into()).await;
        let site = site::folder().display().to_string();
        let arguments = ["--site", &site, "--allow-origin", &floor.url(""), "--simulate", &rate.to_string()];
        let stream = Running::start(&arguments);
        floor.answer("/blank", "text/html", "<!doctype html><title>blank</title>");
        floor.answer("/", "text/html", &FLOOR.replace("STREAM", &stream.address));
        let browser = Browser::sized(1_280, 800).await;
        let page = browser.tab().await;
        page.before_everything(WATCH).await;
        let url = match subject {
            Subject::Blank => floor.url("/blank"),
            Subject::Floor => floor.url("/"),
            Subject::Page => format!("http://{}/", stream.address),
        };
        page.go(&url).await;
        page.show().await;
        let client = reqwest::Client::new();
        if subject != Subject::Blank {
            send(&client, &stream.address, &[works("warm", "probe", "warms up")]).await?;
            page.until("document.querySelector('[data-testid=agent-card][data-entity-id=probe]')").await;
        }
        let tab = page.driver();
        // The browser would tell the driver of every frame of the socket, at the page's cost.
        tab.execute(network::DisableParams::default()).await.context("no word of the network")?;
        // Time that the main thread ran, without the time that it waited for one of the processors.
        tab.execute(performance::DisableParams::default()).await.context("no figures yet")?;
        let clock = performance::EnableParams::builder().time_domain(EnableTimeDomain::ThreadTicks).build();
        tab.execute(clock).await.context("figures of the main thread")?;
        sleep(WARM_UP).await;
        Ok(Self { browser, page, stream, client, _floor: floor })
    }

    /// The share of `seconds` that the main thread runs when nobody does anything.
    pub(crate) async fn idle(&self, seconds: u64) -> Result<f64> {
        let spent = self.spent().await?;
        sleep(Duration::from_secs(seconds)).await;
        let cost = self.spent().await?;
        let [all, ..] = difference(cost.main_thread, spent.main_thread);
        Ok(all / (cost.at - spent.at))
    }

    /// Measures for `seconds`, probes published beside the simulator.
    pub(crate) async fn measure(&self, seconds: u64) -> Result<Figures> {
        let before = self.memory().await?;
        let load = load();
        let first = self.applied().await?;
        self.page.value::<()>("watch.forget()").await;
        let known: u64 = self.page.value("watch.probes.length").await;
        let (spent, begun, accepted) = (self.spent().await?, Instant::now(), self.head().await?);
        let sent = self.probe(known, seconds).await?;
        let (lasted, end) = (begun.elapsed().as_secs_f64(), self.head().await?);
        let behind = (end - self.applied().await?.offset).max(0);
        let cost = self.spent().await?;
        let frames = self.sorted("watch.frames").await;
        let tasks = self.sorted("watch.tasks").await;
        let last = self.catch_up(end).await?;
        let shown = self.shown(known, sent.len()).await?;
        let mut waits: Vec<f64> = shown.iter().zip(&sent).map(|(shown, sent)| shown - sent).collect();
        waits.sort_unstable_by(f64::total_cmp);
        ensure!(waits.first().is_some_and(|least| *least > 0.0), "a probe was seen before it was sent: two clocks");
        ensure!(!self.page.value::<bool>("watch.hidden").await, "the page was hidden: nothing was measured");
        let wall = cost.at - spent.at;
        Ok(Figures {
            seconds: lasted,
            sent: end - accepted,
            lost: (last.offset - first.offset) - (last.received - first.received),
            holes: last.holes,
            duplicates: last.duplicates,
            behind,
            frames,
            tasks,
            shares: difference(cost.main_thread, spent.main_thread).map(|seconds| seconds / wall),
            processors: difference(cost.processors, spent.processors).map(|seconds| seconds / wall),
            load,
            waits,
            before,
            after: self.memory().await?,
        })
    }

    /// Waits until the page has applied `events` in all, then looks at its memory.
    ///
    /// # Errors
    /// When the page stops applying.
    pub(crate) async fn memory_after(&self, events: i64) -> Result<Memory> {
        let mut moved = (Instant::now(), -1);
        loop {
            let offset = self.applied().await?.offset;
            if offset + 1 >= events {
                return self.memory().await;
            }
            if offset > moved.1 {
                moved = (Instant::now(), offset);
            }
            ensure!(moved.0.elapsed() < PATIENCE, "the page has stopped at offset {offset}");
            sleep(LOOK).await;
        }
    }

    /// Closes it.
    pub(crate) async fn end(self) {
        self.browser.close().await;
    }

    /// Publishes probes for `seconds`; says when each was sent.
    async fn probe(&self, known: u64, seconds: u64) -> Result<Vec<f64>> {
        let mut pace = interval(Duration::from_millis(PROBE_MILLIS));
        pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let begun = Instant::now();
        let mut sent = Vec::new();
        let mut number = known;
        while begun.elapsed() < Duration::from_secs(seconds) {
            pace.tick().await;
            let probe = works(&format!("probe-{number}"), "probe", &format!("probe {number}"));
            sent.push(wall_millis());
            send(&self.client, &self.stream.address, &[probe]).await?;
            number += 1;
        }
        Ok(sent)
    }

    /// When each of `count` probes after the first `known` was drawn.
    async fn shown(&self, known: u64, count: usize) -> Result<Vec<f64>> {
        let begun = Instant::now();
        loop {
            let shown: Vec<f64> = self.page.value(&format!("watch.probes.slice({known})")).await;
            if shown.len() >= count {
                return Ok(shown);
            }
            ensure!(begun.elapsed() < PATIENCE, "{} of {count} probes are ever drawn", shown.len());
            sleep(LOOK).await;
        }
    }

    /// What the page says once it has applied `offset`.
    async fn catch_up(&self, offset: i64) -> Result<Applied> {
        let begun = Instant::now();
        loop {
            let applied = self.applied().await?;
            if applied.offset >= offset {
                return Ok(applied);
            }
            ensure!(begun.elapsed() < PATIENCE, "the page stands at {} and never reaches {offset}", applied.offset);
            sleep(LOOK).await;
        }
    }

    async fn applied(&self) -> Result<Applied> {
        let [offset, received, holes, duplicates] = self.page.value("watch.applied()").await;
        Ok(Applied { offset, received, holes, duplicates })
    }

    async fn sorted(&self, list: &str) -> Vec<f64> {
        let mut values: Vec<f64> = self.page.value(list).await;
        values.sort_unstable_by(f64::total_cmp);
        values
    }

    async fn head(&self) -> Result<i64> {
        head(&self.client, &self.stream.address).await
    }

    async fn memory(&self) -> Result<Memory> {
        self.page.driver().execute(CollectGarbageParams::default()).await.context("collecting garbage")?;
        let [heap] = self.metrics(["JSHeapUsedSize"]).await?;
        Ok(Memory { heap, wasm: self.page.value("watch.wasm()").await })
    }

    async fn spent(&self) -> Result<Spent> {
        let names = ["Timestamp", "TaskDuration", "ScriptDuration", "LayoutDuration", "RecalcStyleDuration"];
        let [at, task, script, layout, style] = self.metrics(names).await?;
        let (mut own, mut others) = (0.0, 0.0);
        for (kind, seconds) in self.browser.processor_seconds().await {
            *(if kind == "renderer" { &mut own } else { &mut others }) += seconds;
        }
        Ok(Spent { at, main_thread: [task, script, layout, style], processors: [own, others] })
    }

    async fn metrics<const N: usize>(&self, names: [&str; N]) -> Result<[f64; N]> {
        let answer = self.page.driver().execute(GetMetricsParams::default()).await.context("asking for figures")?;
        let mut values = [0.0; N];
        for (value, name) in values.iter_mut().zip(names) {
            let found = answer.result.metrics.iter().find(|metric| metric.name == name);
            *value = found.map(|metric| metric.value).with_context(|| format!("this Chromium counts no {name}"))?;
        }
        Ok(values)
    }
}

fn difference<const N: usize>(mut after: [f64; N], before: [f64; N]) -> [f64; N] {
    after.iter_mut().zip(before).for_each(|(value, before)| *value -= before);
    after
}

fn load() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().and_then(|word| word.parse().ok()).unwrap_or(f64::NAN)
}
