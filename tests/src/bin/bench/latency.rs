//! From publishing to pixels: how long after a publisher sends an event the page shows it, at 1,000 events a second;
//! beside a page of twenty lines that only parses and writes text.
//!
//! A probe is an event that changes what one agent does. A script in the page looks, after every frame that was
//! drawn, which probe is shown. Publisher and page are on one machine, so they share one clock.

use crate::{
    publisher::{send, wall_millis},
    table::{Table, quantile},
};
use anyhow::{Result, ensure};
use monkeytown_tests::{
    browser::Browser,
    events::{event, works},
    program::Running,
    proxy::Proxy,
    site,
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const SECONDS: u64 = 20;
const BATCH_MILLIS: u64 = 10;
const EVENTS_PER_BATCH: u64 = 10;
const BATCHES_PER_PROBE: u64 = 5;
const AGENTS: u64 = 24;

/// The least that a page can do with the same events.
const FLOOR: &str = "<!doctype html><meta charset=utf-8><title>floor</title><ul></ul><script>
    const lines = new Map();
    const socket = new WebSocket('ws://STREAM/ws?after=earliest', 'monkeytown.v1.json');
    socket.onmessage = ({ data }) => {
        for (const { data: entity } of JSON.parse(data).events ?? []) {
            if (entity.kind !== 'agent') continue;
            let line = lines.get(entity.id);
            if (!line) {
                line = document.createElement('li');
                line.dataset.testid = 'agent-card';
                line.dataset.entityId = entity.id;
                lines.set(entity.id, line);
                document.querySelector('ul').append(line);
            }
            line.textContent = entity.activity;
        }
    };
</script>";

/// Notes for every probe when a frame that shows it, or a later one, had been drawn. A task posted from within a frame
/// runs once that frame is drawn.
const WATCH: &str = "
    window.probes = [];
    let newest = -1;
    let shown = -1;
    const read = () => {
        const card = document.querySelector('[data-testid=agent-card][data-entity-id=probe]');
        const number = Number(/probe (\\d+)/.exec(card?.textContent ?? '')?.[1] ?? -1);
        newest = Math.max(newest, number);
    };
    const drawn = new MessageChannel();
    drawn.port1.onmessage = () => {
        const at = performance.timeOrigin + performance.now();
        for (; shown < newest; shown += 1) window.probes.push(at);
    };
    const frame = () => { drawn.port2.postMessage(0); requestAnimationFrame(frame); };
    addEventListener('DOMContentLoaded', () => {
        new MutationObserver(read).observe(document, { subtree: true, childList: true, characterData: true });
        requestAnimationFrame(frame);
    });
";

/// What a publisher saw.
struct Published {
    /// When each probe was sent, in milliseconds since 1970.
    probes: Vec<f64>,
    /// How long each request took, in milliseconds.
    answers: Vec<f64>,
    /// Events a second that were really sent.
    rate: f64,
}

/// Measures the page and the floor, one after the other, each with a stream and a browser of its own.
pub(crate) async fn measure() -> Result<Table> {
    let mut rows = Vec::new();
    let mut notes = vec![
        "milliseconds from sending the request to the end of the frame that shows it; software rendering".to_owned(),
        format!("{} probes each; both include the request, its acceptance and the socket", probes()),
    ];
    for subject in ["floor: 20 lines of JS", "the page"] {
        eprintln!("measuring {subject}, {SECONDS} s");
        let floor = Proxy::before(([127, 0, 0, 1], 9).into()).await;
        let site = site::folder().display().to_string();
        let stream = Running::start(&["--site", &site, "--allow-origin", &floor.url("")]);
        floor.answer("/", "text/html", &FLOOR.replace("STREAM", &stream.address));
        let url = if subject == "the page" { format!("http://{}/", stream.address) } else { floor.url("/") };
        let browser = Browser::start().await;
        let page = browser.tab().await;
        page.before_everything(WATCH).await;
        page.go(&url).await;
        // Both are connected and drawn before the first figure is taken.
        publish(&stream.address, &[works("warm", "warm", "warms up")]).await?;
        page.until("document.querySelector('[data-testid=agent-card]')").await;
        let published = publish_all(&stream.address).await?;
        page.until_script(&format!("window.probes.length >= {}", probes())).await;
        let shown: Vec<f64> = page.value("window.probes").await;
        browser.close().await;
        let mut waits: Vec<f64> = shown.iter().zip(&published.probes).map(|(shown, sent)| shown - sent).collect();
        ensure!(waits.len() == published.probes.len(), "{} of {} probes seen", waits.len(), published.probes.len());
        waits.sort_unstable_by(f64::total_cmp);
        ensure!(waits.first().is_some_and(|least| *least > 0.0), "a probe was seen before it was sent: two clocks");
        rows.push((subject.to_owned(), [0.5, 0.9, 0.99, 1.0].map(|share| quantile(&waits, share)).to_vec()));
        let mut answers = published.answers;
        answers.sort_unstable_by(f64::total_cmp);
        let (p50, p99) = (quantile(&answers, 0.5), quantile(&answers, 0.99));
        notes.push(format!(
            "{subject}: {:.0} events/s sent; the stream's own answers p50 {p50:.1} ms, p99 {p99:.1} ms",
            published.rate
        ));
    }
    let rate = EVENTS_PER_BATCH * 1_000 / BATCH_MILLIS;
    let title = format!("publish to pixels at {rate} events a second, {SECONDS} s, real Chromium");
    Ok(Table { title, columns: ["p50_ms", "p90_ms", "p99_ms", "max_ms"].map(str::to_owned).to_vec(), rows, notes })
}

fn batches() -> u64 {
    SECONDS * 1_000 / BATCH_MILLIS
}

fn probes() -> u64 {
    batches() / BATCHES_PER_PROBE
}

async fn publish_all(address: &str) -> Result<Published> {
    let mut published = Published { probes: Vec::new(), answers: Vec::new(), rate: 0.0 };
    let mut pace = interval(Duration::from_millis(BATCH_MILLIS));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let begun = wall_millis();
    let client = reqwest::Client::new();
    for batch in 0..batches() {
        pace.tick().await;
        let first = batch * EVENTS_PER_BATCH;
        let mut events: Vec<Value> = (first..first + EVENTS_PER_BATCH).map(load).collect();
        let is_probe = batch % BATCHES_PER_PROBE == 0;
        if is_probe {
            let number = published.probes.len();
            events.pop();
            events.push(works(&format!("probe-{number}"), "probe", &format!("probe {number}")));
        }
        let sent = wall_millis();
        send(&client, address, &events).await?;
        published.answers.push(wall_millis() - sent);
        if is_probe {
            published.probes.push(sent);
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "some thousand events")]
    let sent = (batches() * EVENTS_PER_BATCH) as f64;
    published.rate = sent * 1_000.0 / (wall_millis() - begun);
    Ok(published)
}

/// What agents do all day: half of it says what they do, the rest are their figures and flows that come and go.
fn load(number: u64) -> Value {
    let agent = |number: u64| format!("agent-{}", number % AGENTS);
    let id = format!("load-{number}");
    match number % 10 {
        0..=4 => works(&id, &agent(number / 3), &format!("works on piece {number}")),
        5 | 6 => {
            let data = json!({"id": agent(number), "metrics": {"load": 0.5, "efficiency": 0.9}});
            event(&id, "monkeytown.entity.metrics_updated", &data)
        }
        kind => {
            let (verb, status, flow) = match kind {
                7 => ("started", "active", number / 10),
                8 => ("progress", "active", number / 10),
                _ => ("complete", "complete", (number / 10).saturating_sub(20)),
            };
            let data = json!({
                "id": format!("flow-{flow}"), "source": agent(flow), "target": agent(flow + 7),
                "kind": "resource", "status": status, "progress": 0.5,
            });
            event(&id, &format!("monkeytown.flow.{verb}"), &data)
        }
    }
}

async fn publish(address: &str, events: &[Value]) -> Result<()> {
    send(&reqwest::Client::new(), address, events).await
}
