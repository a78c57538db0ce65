//! The connection: how long after each kind of fault the page has what happened meanwhile, and how many events a second
//! it takes in when it catches up.
//!
//! A fault begins, an event is published, the fault ends (or the page finds a way around it); the time is that from the
//! end of the fault, or from its beginning where it does not end, until the page has applied the event.

use crate::{
    publisher::send,
    table::{Table, quantile},
};
use anyhow::Result;
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    program::Running,
    proxy::{Fault, Proxy, Traffic},
    site,
    stream::{Source, Stream},
};
use std::time::{Duration, Instant};

const TRIES: usize = 20;
/// Events of one request to publish.
const BATCH: u64 = 2_500;
/// How long a stream is away, in milliseconds.
const AWAY: Duration = Duration::from_millis(2_000);
/// Longest silence of the stream whose connections fall silent.
const HEARTBEAT: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Case {
    Cut,
    Away,
    Silent,
    SocketsForbidden,
}

async fn publish_one(stream: &Stream) -> u64 {
    let number = stream.accepted();
    stream.publish(&[works(&number.to_string(), "ada", &format!("does {number}"))]).await;
    number
}

async fn has(page: &Page, offset: u64) {
    page.until_attribute("connection", "data-offset", offset).await;
}

async fn tries(case: Case) -> Result<Vec<f64>> {
    let stream = Stream::beating("127.0.0.1:0", Source::Publishers, &[], HEARTBEAT).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    let mut millis = Vec::new();
    for _ in 0..TRIES {
        // A fault that comes alone: one that comes within a minute of another meets a longer back-off.
        page.reload().await;
        page.until_state("live").await;
        let before = publish_one(&stream).await;
        has(&page, before).await;
        let mut begun = Instant::now();
        match case {
            Case::Cut => proxy.cut(),
            Case::Away => {
                proxy.lose_the_stream();
                tokio::time::sleep(AWAY).await;
                begun = Instant::now();
                proxy.set_all(Fault::None);
            }
            Case::Silent => {
                proxy.set(Traffic::Socket, Fault::Silence);
                page.until_state("reconnecting").await;
                proxy.set(Traffic::Socket, Fault::None);
            }
            Case::SocketsForbidden => {
                proxy.set(Traffic::Socket, Fault::Forbidden);
                proxy.cut();
            }
        }
        has(&page, publish_one(&stream).await).await;
        millis.push(begun.elapsed().as_secs_f64() * 1_000.0);
        proxy.set_all(Fault::None);
        page.until_state("live").await;
        assert_eq!(page.count("data-holes").await, 0);
    }
    browser.close().await;
    millis.sort_by(f64::total_cmp);
    Ok(millis)
}

/// Measures how long the page takes to have what happened.
///
/// # Errors
/// When the stream or the browser does not work.
pub(crate) async fn recover() -> Result<Table> {
    let cases = [
        ("cut", Case::Cut),
        ("away for 2 s", Case::Away),
        ("silent (heartbeat 1 s)", Case::Silent),
        ("sockets forbidden", Case::SocketsForbidden),
    ];
    let mut rows = Vec::new();
    for (name, case) in cases {
        let millis = tries(case).await?;
        let figures = vec![quantile(&millis, 0.5), quantile(&millis, 0.99)];
        eprintln!("· {name}: {figures:.0?} ms");
        rows.push((name.to_owned(), figures));
    }
    Ok(Table {
        title: format!("recovery: until the page has what happened meanwhile, {TRIES} tries each"),
        columns: vec!["p50 ms".to_owned(), "p99 ms".to_owned()],
        rows,
        notes: vec![
            "full jitter of 0.5 s, 1 s, 2 s … up to 15 s is most of it; a stable minute would begin it afresh"
                .to_owned(),
            "away: from when the stream is back; silent: from when it falls silent".to_owned(),
        ],
    })
}

/// Measures how fast the page catches up.
///
/// # Errors
/// When the stream or the browser does not work.
pub(crate) async fn catch_up() -> Result<Table> {
    let mut rows = Vec::new();
    let client = reqwest::Client::new();
    for count in [10_000_u64, 100_000, 300_000] {
        let stream =
            Running::start(&["--max-events-per-second", "1000000", "--site", &site::folder().display().to_string()]);
        let proxy = Proxy::before(stream.address.parse()?).await;
        let browser = Browser::start().await;
        let page = browser.visit(&proxy.url("/")).await;
        page.until_state("live").await;
        send(&client, &stream.address, &[works("first", "ada", "begins")]).await?;
        has(&page, 0).await;
        proxy.lose_the_stream();
        for batch in 0..count / BATCH {
            let event = |number: u64| {
                works(&format!("{number}"), &format!("agent-{}", number % 24), &format!("lays stone {number}"))
            };
            let events: Vec<_> = (batch * BATCH..(batch + 1) * BATCH).map(event).collect();
            send(&client, &stream.address, &events).await?;
        }
        proxy.set_all(Fault::None);
        page.until("Number(document.querySelector('[data-testid=connection]').dataset.offset) > 0").await;
        let begun = Instant::now();
        let from = page.count("data-offset").await;
        let last = count;
        while page.count("data-offset").await < i64::try_from(last)? {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let seconds = begun.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "under 2^53")]
        let rate = (i64::try_from(last)? - from) as f64 / seconds;
        #[expect(clippy::cast_precision_loss, reason = "under 2^53")]
        let figures = vec![
            rate,
            seconds,
            page.count("data-received").await as f64,
            page.count("data-duplicates").await as f64,
            page.count("data-holes").await as f64,
        ];
        rows.push((format!("{count} events"), figures));
        browser.close().await;
    }
    Ok(Table {
        title: "catch-up: a page that comes back with its cursor".to_owned(),
        columns: ["events/s", "seconds", "received", "duplicates", "holes"].map(str::to_owned).to_vec(),
        rows,
        notes: vec!["an event is 200 bytes of JSON about one of 24 agents".to_owned()],
    })
}
