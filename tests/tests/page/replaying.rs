//! The past, running: replays, films, what becomes of them when the stream is away or another, and how fast they are.

use crate::{
    past::{MINUTE, ago, count_shown, is_whole, open, town, until_mode, until_past},
    witness::{click, flow, focus, publish, settled, stream_of, turns, until_caught_up, until_said},
};
use monkeytown_tests::{
    browser::{Browser, Page},
    proxy::{Fault, Proxy},
    wait::soon,
};
use serde_json::Value;
use std::time::{Duration, Instant};

/// So many events of ten agents, evenly over so many minutes that end now.
fn busy(count: u32, minutes: i64) -> Vec<Value> {
    let statuses = ["active", "processing", "idle", "error", "complete"].into_iter().cycle();
    (0..count)
        .zip(statuses)
        .map(|(at, status)| {
            let agent = format!("agent-{}", at % 10);
            let event = match at % 11 {
                9 => flow(&format!("flow-{at}"), "agent-0", &agent),
                10 => settled(&format!("pull:{at}"), &agent, &format!("agree on stone {at}")),
                _ => turns(&at.to_string(), &agent, status, &format!("lays stone {at}")),
            };
            ago(event, i64::from(count - at) * minutes * MINUTE / i64::from(count))
        })
        .collect()
}

/// Runs a replay of everything at a thousand times to its end in the present. Frames, the longest of them, and how long it
/// took, in milliseconds.
async fn race(page: &Page) -> (usize, f64, f64) {
    focus(page, "#axis").await;
    page.press("Home").await;
    page.until("document.querySelector('#travel').dataset.next === '0'").await;
    page.value(
        "new Promise((resolve) => {
            const speed = document.querySelector('#speed');
            speed.value = '1000';
            speed.dispatchEvent(new Event('input', { bubbles: true }));
            const begun = performance.now();
            let [last, frames, longest] = [begun, 0, 0];
            const look = (now) => {
                [longest, last] = [Math.max(longest, now - last), now];
                frames += 1;
                const over = document.querySelector('.pace strong').textContent === 'following';
                over ? resolve([frames, longest, performance.now() - begun]) : requestAnimationFrame(look);
            };
            document.querySelector('#pause').click();
            requestAnimationFrame(look);
        })",
    )
    .await
}

#[tokio::test]
async fn a_replay_shows_every_event_and_ends_in_the_present_by_itself() {
    let events = town();
    let (stream, browser, page) = open(&events).await;
    focus(&page, "#axis").await;
    page.press("Home").await;
    until_past(&page).await;
    // An hour and a half in six seconds, and without its idle stretches in less.
    page.value::<bool>(
        "(() => {
            const speed = document.querySelector('#speed');
            speed.value = '1000';
            window.seen = new Set();
            new MutationObserver(() => seen.add(document.querySelector('#travel').dataset.next))
                .observe(document.querySelector('#travel'), { attributes: true });
            return speed.dispatchEvent(new Event('input', { bubbles: true }));
        })()",
    )
    .await;
    page.press(" ").await;
    until_mode(&page, "replaying").await;
    page.until("document.querySelector('#pause').ariaLabel === 'pause'").await;
    is_whole(&page, &stream, &events, 0).await;
    let seen: usize = page.value("window.seen.size").await;
    assert!(seen > 5, "what runs is seen to run: {seen}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_film_of_all_that_is_held_takes_as_long_as_was_chosen_and_idle_stretches_are_left_out_on_request() {
    let mut events = town();
    // Before that nothing for two days.
    events.insert(0, ago(turns("first", "ada", "active", "begins"), 2_880 * MINUTE));
    let (stream, browser, page) = open(&events).await;
    focus(&page, "#axis").await;
    page.press("Home").await;
    until_past(&page).await;
    until_said(&page, "#travel [data-p=back-span]", "2d back").await;
    click(&page, "#travel [data-p=skip]").await;
    page.until("document.querySelector('#travel [data-p=skip]').ariaPressed === 'true'").await;
    let begun = Instant::now();
    page.value::<bool>(
        "(() => {
            const speed = document.querySelector('#speed');
            speed.value = 'film60';
            return speed.dispatchEvent(new Event('input', { bubbles: true }));
        })()",
    )
    .await;
    until_mode(&page, "replaying").await;
    is_whole(&page, &stream, &events, 0).await;
    assert!(begun.elapsed().as_secs() < 20, "two idle days of the minute are left out: {:?}", begun.elapsed());
    browser.close().await;
}

#[tokio::test]
async fn away_from_the_stream_the_past_stays_a_replay_waits_and_says_so_and_goes_on_when_it_is_back() {
    let events = town();
    let stream = stream_of(&events).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until_state("live").await;
    focus(&page, "#axis").await;
    page.press("Home").await;
    until_past(&page).await;
    proxy.set_everything(Fault::Reset);
    proxy.cut();
    page.until_state("reconnecting").await;
    click(&page, "#pause").await;
    until_said(&page, "#travel [data-p=stuck]", "the stream does not answer").await;
    assert_eq!(count_shown(&page).await, 0);
    proxy.set_everything(Fault::None);
    page.until("Number(document.querySelector('#travel').dataset.next) > 0").await;
    page.until_state("live").await;
    click(&page, "#travel [data-p=latest]").await;
    is_whole(&page, &stream, &events, 0).await;
    browser.close().await;
}

#[tokio::test]
async fn a_stream_that_begins_again_ends_a_replay_of_the_one_before_in_words() {
    let events = town();
    let stream = stream_of(&events).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until_state("live").await;
    focus(&page, "#axis").await;
    page.press("Home").await;
    until_past(&page).await;
    let other = stream_of(&[turns("1", "zoe", "active", "begins again")]).await;
    proxy.lead_to(other.address);
    stream.end().await;
    page.until_attribute("connection", "data-offset", 0).await;
    click(&page, "#pause").await;
    until_said(&page, "#travel [data-p=stuck]", "the stream no longer holds what came next").await;
    until_mode(&page, "paused").await;
    click(&page, "#travel [data-p=latest]").await;
    page.until_card("zoe", "begins again").await;
    until_mode(&page, "following").await;
    browser.close().await;
}

#[tokio::test]
async fn a_hidden_tab_replays_nothing_and_hears_everything() {
    let mut events = town();
    let (stream, browser, page) = open(&events).await;
    focus(&page, "#axis").await;
    page.press("Home").await;
    until_past(&page).await;
    page.press(" ").await;
    until_mode(&page, "replaying").await;
    let other = browser.visit("about:blank").await;
    other.show().await;
    let news: Vec<Value> = (0..300).map(|at| turns(&format!("new-{at}"), "bob", "active", "digs")).collect();
    publish(&stream, &news).await;
    events.extend(news);
    soon("all is applied unseen", async { while page.count("data-received").await != 300 {} }).await;
    page.show().await;
    until_mode(&page, "replaying").await;
    assert!(count_shown(&page).await < 180, "what nobody saw is not over");
    click(&page, "#travel [data-p=latest]").await;
    is_whole(&page, &stream, &events, 300).await;
    browser.close().await;
}

#[tokio::test]
async fn at_a_thousand_times_a_long_history_keeps_its_frames_and_loses_nothing() {
    let mut events = busy(8_000, 50);
    let (stream, browser, page) = open(&events).await;
    let news: Vec<Value> = (0..500).map(|at| turns(&format!("new-{at}"), "agent-3", "active", "digs")).collect();
    let publishing = async {
        for event in &news {
            publish(&stream, std::slice::from_ref(event)).await;
        }
    };
    let ((frames, ..), ()) = tokio::join!(race(&page), publishing);
    events.extend(news.iter().cloned());
    assert!(frames > 20, "it is drawn while it runs: {frames} frames");
    is_whole(&page, &stream, &events, 500).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
#[ignore = "a measurement"]
async fn measured() {
    let events = busy(50_000, 50);
    let (first, others) = events.split_at(5_000);
    let (stream, browser, page) = open(first).await;
    for some in others.chunks(5_000) {
        // No faster than a stream lets anybody publish.
        tokio::time::sleep(Duration::from_secs(1)).await;
        publish(&stream, some).await;
    }
    until_caught_up(&page, &stream).await;
    let epoch = stream.log.epoch().to_string();
    let mut took: Vec<f64> = Vec::new();
    for at in 0..50_u64 {
        let next = at * 7_919 * 7_919 % 49_000;
        let script = format!(
            "new Promise((resolve) => {{
                const hands = document.querySelector('#hands');
                const begun = performance.now();
                hands.name = 'moment';
                hands.value = '{epoch}:{next}';
                hands.dispatchEvent(new Event('input', {{ bubbles: true }}));
                const look = () => document.querySelector('#travel').dataset.next === '{}'
                    ? requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - begun)))
                    : requestAnimationFrame(look);
                look();
            }})",
            next + 1
        );
        took.push(page.value(&script).await);
    }
    took.sort_by(f64::total_cmp);
    println!("a random moment of 50,000: p50 {:.0} ms, p99 {:.0} ms", took[25], took[49]);
    let (frames, longest, millis) = race(&page).await;
    let seconds = millis / 1_000.0;
    println!(
        "at 1,000x: {:.1} s, {:.0} events a second, {:.0} frames a second, the longest {longest:.0} ms",
        seconds,
        50_000.0 / seconds,
        frames as f64 / seconds
    );
    is_whole(&page, &stream, &events, 45_000).await;
    browser.close().await;
}
