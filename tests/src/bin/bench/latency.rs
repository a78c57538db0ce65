//! Publish to pixels: from the moment a publisher sends an event until the frame after the one that shows it.
//!
//! 1,000 events a second, of which twenty are probes: an agent's activity becomes `probe N`. A page as small as can be
//! (WebSocket, `JSON.parse`, `textContent`) hears the same stream in the same way and is the floor.

use crate::Figures;
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::Proxy,
    stream::{Source, Stream},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::time::{MissedTickBehavior, interval};

const SECONDS: u32 = 20;
const TICK: Duration = Duration::from_millis(10);
const EVENTS_A_TICK: u32 = 10;
/// Every so many ticks one event is a probe.
const PROBE_EVERY_TICKS: u32 = 5;

/// Notes when a probe's text has been on screen for a frame.
const WATCH: &str = r#"
    window.seen = {};
    const look = () => {
        const shown = document.querySelector('[data-entity-id="probe"] .doing')?.textContent ?? '';
        const number = /^probe (\d+)$/.exec(shown)?.[1];
        if (number && !(number in seen)) {
            seen[number] = 0;
            requestAnimationFrame(() => { seen[number] = performance.timeOrigin + performance.now(); });
        }
    };
    new MutationObserver(look).observe(document.documentElement, { subtree: true, childList: true, characterData: true });
"#;

const FLOOR: &str = r#"<!doctype html><title>floor</title>
    <p data-entity-id="probe"><span class="doing"></span></p><script>
    const socket = new WebSocket(`ws://${location.host}/ws`, 'monkeytown.v1.json');
    const shown = document.querySelector('.doing');
    const agents = new Map();
    socket.onmessage = ({ data }) => {
        for (const event of JSON.parse(data).events ?? []) {
            agents.set(event.data.id, event.data);
            if (event.data.id === 'probe') shown.textContent = event.data.activity;
        }
    };
    socket.onopen = () => { document.title = 'open'; };
    </script>"#;

pub(crate) async fn measure() -> Figures {
    let ours = {
        let stream = Stream::start(Source::Publishers).await;
        let browser = Browser::start().await;
        let page = browser.visit(&stream.url("/")).await;
        page.until_state("live").await;
        let figures = probe(&stream, &page).await?;
        browser.close().await;
        figures
    };
    let floor = {
        let stream = Stream::start(Source::Publishers).await;
        let proxy = Proxy::before(stream.address).await;
        proxy.answer("/floor.html", "text/html", FLOOR);
        let browser = Browser::start().await;
        let page = browser.visit(&proxy.url("/floor.html")).await;
        page.until("document.title === 'open'").await;
        let figures = probe(&stream, &page).await?;
        browser.close().await;
        figures
    };
    eprintln!("publish to pixels at 1,000 events a second for {SECONDS} s, milliseconds");
    eprintln!("{:<28}{:>8}{:>8}{:>8}{:>8}", "", "p50", "p99", "worst", "probes");
    for (name, figures) in [("the page", &ours), ("plain JavaScript, the floor", &floor)] {
        let figure = |key: &str| figures.get(key).and_then(Value::as_f64).unwrap_or(f64::NAN);
        let (p50, p99, worst) = (figure("p50_millis"), figure("p99_millis"), figure("worst_millis"));
        eprintln!("{name:<28}{p50:>8.1}{p99:>8.1}{worst:>8.1}{:>8}", figure("probes"));
    }
    Ok(json!({ "benchmark": "latency", "events_per_second": 1_000, "page": ours, "floor": floor }))
}

async fn probe(stream: &Stream, page: &Page) -> Figures {
    let _: Value = page.value(&format!("(() => {{ {WATCH} return true; }})()")).await;
    let mut ticks = interval(TICK);
    // A publisher that is late does not send faster afterwards.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sent: BTreeMap<u32, f64> = BTreeMap::new();
    let begun = now_millis();
    for tick in 0..SECONDS * 100 {
        ticks.tick().await;
        let mut events: Vec<Value> = (0..EVENTS_A_TICK)
            .map(|at| works(&format!("e{tick}.{at}"), &format!("agent-{at}"), &format!("counting to {tick}")))
            .collect();
        if tick % PROBE_EVERY_TICKS == 0 {
            events.pop();
            let number = tick / PROBE_EVERY_TICKS;
            events.push(works(&format!("probe{number}"), "probe", &format!("probe {number}")));
            sent.insert(number, now_millis());
        }
        stream.publish(&events).await;
    }
    let rate = f64::from(SECONDS * 100 * EVENTS_A_TICK) / ((now_millis() - begun) / 1_000.0);
    let last = SECONDS * 100 / PROBE_EVERY_TICKS - 1;
    page.until(&format!("window.seen[{last}] > 0")).await;
    let seen: BTreeMap<String, f64> = page.value("window.seen").await;
    let mut delays: Vec<f64> = Vec::new();
    for (number, at) in &sent {
        // A probe that the next one overtook within a frame was never to be seen.
        if let Some(shown) = seen.get(&number.to_string()).filter(|shown| **shown > 0.0) {
            delays.push(shown - at);
        }
    }
    delays.sort_by(f64::total_cmp);
    let quantile = |share: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "an index"
        )]
        let at = ((delays.len().saturating_sub(1)) as f64 * share).round() as usize;
        delays.get(at).copied()
    };
    Ok(json!({
        "p50_millis": quantile(0.5), "p99_millis": quantile(0.99), "worst_millis": quantile(1.0),
        "probes": delays.len(), "sent": sent.len(), "events_per_second": rate.round(),
    }))
}

fn now_millis() -> f64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs_f64() * 1_000.0
}
