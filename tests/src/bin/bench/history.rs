//! A long history: what a page costs whose stream has told of 100,000 things that settled, beside one whose stream has
//! told of ten. How long until it lists them, how long a press waits, what the browser holds of them afterwards, and how
//! long the next visit takes, of a stream that has begun again and tells of none of them.

use crate::{publisher::send, table::Table};
use anyhow::{Result, ensure};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::event,
    program::Running,
    proxy::Proxy,
    site,
    wait::PATIENCE,
};
use serde_json::{Value, json};
use std::time::Instant;

const FEW: u64 = 10;
const MANY: u64 = 100_000;
/// Events of one request to publish.
const BATCH: u64 = 2_000;
const WATCH: &str = include_str!("client/watch.js");

const ROWS: [&str; 10] = [
    "publish_to_listed_ms",
    "longest_task_live_ms",
    "visit_to_listed_ms",
    "longest_task_visit_ms",
    "search_to_listed_ms",
    "moment_to_kept_ms",
    "kept_units",
    "again_to_listed_ms",
    "longest_task_again_ms",
    "listed_again",
];

fn settled(number: u64) -> Value {
    let label = format!("stone {number} is laid in the wall, beside the one before");
    let data = json!({"id": format!("commit:{number:040}"), "kind": "transaction", "label": label, "status": "complete",
        "parent": "ada"});
    let mut settled = event(&format!("settled-{number}"), "monkeytown.entity.created", &data);
    // Now, as the stream says: what is older than a day is not kept.
    if let Some(fields) = settled.as_object_mut() {
        fields.remove("time");
    }
    settled
}

fn millis(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1_000.0
}

/// Waits until the newest of `many` is listed, and says how long the page's longest task was.
async fn listed(page: &Page, many: u64) -> f64 {
    let newest = format!("stone {} is", many - 1);
    page.until(&format!("document.querySelector('[data-testid=ghost-item]')?.textContent.includes('{newest}')")).await;
    page.value("Math.max(0, ...watch.tasks)").await
}

async fn visit(browser: &Browser, url: &str) -> Page {
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(url).await;
    page
}

async fn column(many: u64) -> Result<Vec<f64>> {
    let site = site::folder().display().to_string();
    let arguments = ["--site", &*site, "--max-events-per-second", "1000000"];
    let (stream, again) = (Running::start(&arguments), Running::start(&arguments));
    let proxy = Proxy::before(stream.address.parse()?).await;
    let client = reqwest::Client::new();
    let browser = Browser::sized(1_280, 800).await;

    // All of it is told while somebody watches.
    let page = visit(&browser, &proxy.url("/")).await;
    page.until_state("live").await;
    page.value::<()>("watch.forget()").await;
    let begun = Instant::now();
    for first in (0..many).step_by(usize::try_from(BATCH)?) {
        let events: Vec<Value> = (first..many.min(first + BATCH)).map(settled).collect();
        send(&client, &stream.address, &events).await?;
    }
    let longest = listed(&page, many).await;
    let mut figures = vec![millis(begun), longest];
    page.until_attribute("connection", "data-holes", 0).await;
    browser.close().await;

    // Somebody comes when all of it has happened.
    let browser = Browser::sized(1_280, 800).await;
    let begun = Instant::now();
    let page = visit(&browser, &proxy.url("/")).await;
    let longest = listed(&page, many).await;
    figures.extend([millis(begun), longest]);
    page.until_state("live").await;
    page.value::<()>("watch.forget()").await;
    figures.push(
        page.value(
            "new Promise((resolve) => {
                const field = document.querySelector('#search');
                const begun = performance.now();
                field.value = 'stone 7 is';
                field.dispatchEvent(new Event('input', { bubbles: true }));
                requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)));
            })",
        )
        .await,
    );
    page.value::<bool>(
        "(() => {
            const field = document.querySelector('#search');
            field.value = '';
            return field.dispatchEvent(new Event('input', { bubbles: true }));
        })()",
    )
    .await;
    // An act of the witness's own among all that: from the press until it says that it is done.
    figures.push(
        page.value(
            "new Promise((resolve) => {
                const begun = performance.now();
                document.querySelector('#bookmark').click();
                const look = () => document.querySelector('#sheet [data-p=answer]').textContent.includes('the moment is kept')
                    ? resolve(performance.now() - begun)
                    : setTimeout(look);
                look();
            })",
        )
        .await,
    );

    // The stream begins again, and tells of nothing: what was known is the witness's history now.
    proxy.lead_to(again.address.parse()?);
    proxy.cut();
    page.until_attribute("connection", "data-offset", "-1").await;
    page.until_state("live").await;
    listed(&page, many).await;
    let begun = Instant::now();
    page.reload().await;
    let longest = listed(&page, many).await;
    let again = [millis(begun), longest];
    let units = "Object.entries(localStorage).reduce((units, [key, value]) => units + key.length + value.length, 0)";
    figures.push(page.value(units).await);
    figures.extend(again);
    figures.push(page.value("document.querySelectorAll('[data-testid=ghost-item]').length").await);
    ensure!(begun.elapsed() < PATIENCE, "the next visit takes too long");
    browser.close().await;
    Ok(figures)
}

/// Measures both.
///
/// # Errors
/// When the streams do not answer.
pub(crate) async fn measure() -> Result<Table> {
    let mut rows: Vec<(String, Vec<f64>)> = ROWS.iter().map(|name| ((*name).to_owned(), Vec::new())).collect();
    for many in [FEW, MANY] {
        eprintln!("telling of {many} things");
        for ((_, row), figure) in rows.iter_mut().zip(column(many).await?) {
            row.push(figure);
        }
    }
    let notes = vec![
        "publish_to_listed: sending all of them, one request after another, until the newest is listed".into(),
        "longest_task: of those over 50 ms, of which the browser tells; 0 is none".into(),
        "search: from the words until the frame that lists what matches has been drawn".into(),
        "moment_to_kept: from a press that keeps a moment until the page says so".into(),
        "kept_units: all of LocalStorage, in UTF-16 units, of 2,400,000 that the page may keep".into(),
        "again: the next visit, of a stream that has begun again and tells of none of them".into(),
    ];
    let columns = vec![format!("{FEW} ghosts"), format!("{MANY} ghosts")];
    Ok(Table { title: "a long history, real Chromium".into(), columns, rows, notes })
}
