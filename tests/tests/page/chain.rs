//! What a network does not let through is not missed: the page takes the next way, and climbs back.

use monkeytown_tests::{
    browser::{Browser, Page},
    events::{event, works},
    proxy::{Fault, Proxy, Traffic},
    stream::{Source, Stream},
};
use serde_json::{Value, json};

async fn notice_says(page: &Page, words: &str) {
    page.until(&format!("document.querySelector('.notice:not([hidden])').innerText.includes({})", json!(words))).await;
}

/// Publishes one event after the other and waits until each is on the page; nothing is missing then.
async fn goes_on(stream: &Stream, page: &Page) {
    for _ in 0..4 {
        let number = stream.accepted();
        stream.publish(&[works(&number.to_string(), "bob", &format!("carries stone {number}"))]).await;
        page.until_card("bob", &format!("carries stone {number}")).await;
    }
    page.until_attribute("connection", "data-offset", stream.accepted() - 1).await;
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-unreadable").await, 0);
}

async fn behind_a_proxy() -> (Stream, Proxy) {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("first", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    (stream, proxy)
}

#[tokio::test]
async fn where_sockets_are_forbidden_events_are_sent_and_when_they_are_allowed_again_the_page_climbs_back() {
    let (stream, proxy) = behind_a_proxy().await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("sse").await;
    page.until_card("ada", "draws a map").await;
    goes_on(&stream, &page).await;

    let known = proxy.asked().len();
    proxy.cut();
    let path = proxy.until_asked(known, |path| path.starts_with("/api/v1/events")).await;
    let cursor = format!("after={}:{}", stream.log.epoch(), stream.accepted() - 1);
    assert!(path.contains(&cursor), "it goes on from where it stood: {path}");
    page.until_state("sse").await;

    proxy.set(Traffic::Socket, Fault::None);
    page.until_state("live").await;
    goes_on(&stream, &page).await;
    page.until_state("live").await;
    assert_eq!(page.count("data-received").await, 8);
    browser.close().await;
}

#[tokio::test]
async fn where_what_is_sent_is_held_back_the_page_asks_and_remembers_it() {
    let (stream, proxy) = behind_a_proxy().await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Buffer);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("polling").await;
    goes_on(&stream, &page).await;
    page.until_state("polling").await;

    let known = proxy.asked().len();
    page.reload().await;
    page.until_state("polling").await;
    let asked = proxy.asked();
    let ways = asked.iter().skip(known).filter(|path| path.starts_with("/ws") || path.starts_with("/api/"));
    let first = ways.map(String::as_str).next().unwrap_or_default();
    assert!(first.starts_with("/api/v1/snapshot"), "it begins with what worked: {first}");
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn where_nothing_may_last_the_page_asks_every_so_often() {
    let (stream, proxy) = behind_a_proxy().await;
    proxy.answer("/config.json", "application/json", r#"{"streams": [], "poll_seconds": 1}"#);
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    proxy.set(Traffic::Api, Fault::Impatient);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    proxy.until_asked(0, |path| path.ends_with("wait=25")).await;
    page.until_state("reconnecting").await;
    page.until_state("polling").await;
    goes_on(&stream, &page).await;
    let lasting = || proxy.asked().iter().filter(|path| path.ends_with("wait=25")).count();
    let before = lasting();
    goes_on(&stream, &page).await;
    assert_eq!(lasting(), before, "it asks for what does not come");
    browser.close().await;
}

#[tokio::test]
async fn where_nothing_passes_at_all_the_page_shows_the_snapshot_beside_it_and_says_so() {
    let (stream, proxy) = behind_a_proxy().await;
    let snapshot = reqwest::get(stream.url("/api/v1/snapshot")).await.expect("an answer").text().await.expect("text");
    proxy.answer("/snapshot.json", "application/json", &snapshot);
    proxy.set_all(Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("snapshot").await;
    page.until_card("ada", "draws a map").await;
    notice_says(&page, "this is what stood beside the page, its newest event").await;
    notice_says(&page, "out of reach").await;
    assert_eq!(page.attribute("system-pulse", "data-health").await, "disconnected");
    assert_eq!(page.count("data-received").await, 0);

    proxy.set_all(Fault::None);
    page.until_state("live").await;
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn ages_in_a_snapshot_beside_the_page_count_from_its_own_clock_and_it_says_where_it_is_from() {
    let (stream, proxy) = behind_a_proxy().await;
    let data = json!({"id": "pull:7", "kind": "contract", "label": "agree on a map", "status": "complete"});
    let settled = event("settled", "monkeytown.entity.created", &data);
    stream.publish(std::slice::from_ref(&settled)).await;
    let answer = reqwest::get(stream.url("/api/v1/snapshot")).await.expect("an answer");
    let mut snapshot: Value = answer.json().await.expect("a snapshot");
    snapshot["clock"] = json!("2026-01-18T15:00:30.000Z");
    snapshot["source_kind"] = json!("simulated");
    let age = |hours: &str| {
        let item = "document.querySelector('[data-testid=ghost-item][data-entity-id=\"pull:7\"] [data-p=time]')";
        format!("{item}.textContent === '{hours}'")
    };
    proxy.set_all(Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.tab().await;
    for (clock, hours, kind) in [(true, "3h ago", "simulated"), (false, "now", "unknown")] {
        if !clock {
            let fields = snapshot.as_object_mut().expect("an object");
            fields.retain(|name, _| name != "clock" && name != "source_kind");
        }
        proxy.answer("/snapshot.json", "application/json", &snapshot.to_string());
        page.go(&proxy.url("/")).await;
        page.until_state("snapshot").await;
        page.until(&age(hours)).await;
        page.until_attribute("source-badge", "data-source-kind", kind).await;
        notice_says(&page, "this is what stood beside the page, its newest event").await;
    }
    browser.close().await;
}

#[tokio::test]
async fn a_stream_that_is_drained_three_times_running_is_followed_each_time() {
    let mut stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    for round in 0..3_u64 {
        stream.publish(&[works("a", "ada", &format!("begins round {round}"))]).await;
        page.until_card("ada", &format!("begins round {round}")).await;
        let next = Stream::start(Source::Publishers).await;
        next.publish(&[works("b", "bob", &format!("takes over in round {round}"))]).await;
        proxy.lead_to(next.address);
        std::mem::replace(&mut stream, next).end().await;
        page.until_card("bob", &format!("takes over in round {round}")).await;
        page.until_attribute("connection", "data-offset", 0).await;
        assert_eq!(page.agents().await, ["bob"], "nobody of another epoch is left");
    }
    page.until_state("live").await;
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn a_dead_shard_is_said_and_the_next_one_serves_where_that_is_wanted() {
    let site = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(site.address).await;
    let shard = Stream::on("127.0.0.1:0", Source::Publishers, &[&proxy.url("")]).await;
    shard.publish(&[works("1", "ada", "is on the other shard")]).await;
    let gone = Stream::start(Source::Publishers).await;
    let dead = gone.address;
    gone.end().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything("localStorage.setItem('monkeytown.witness.v1', '4'); Math.random = () => 0;").await;
    for failover in [false, true] {
        let streams = [format!("ws://{dead}"), format!("ws://{}", shard.address)];
        let config = json!({"streams": streams, "failover": failover});
        proxy.answer("/config.json", "application/json", &config.to_string());
        page.go(&proxy.url("/")).await;
        if failover {
            page.until_state("live").await;
            page.until_card("ada", "is on the other shard").await;
            notice_says(&page, &format!("http://{dead} does not answer")).await;
        } else {
            notice_says(&page, &format!("out of reach at http://{dead}")).await;
            page.until("document.querySelector('.notice').innerText.includes('polling brought nothing')").await;
            assert_eq!(page.agents().await, [""; 0], "another shard was asked");
        }
    }
    browser.close().await;
}
