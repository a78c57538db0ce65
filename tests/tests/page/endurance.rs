//! Connections that are cut at every byte, fall to crumbs, are spoilt or fall silent: each event is applied once, or it is
//! said which was not.

use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy, Traffic},
    puppet::Puppet,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// Full jitter of nothing: whoever comes back does so at once.
const AT_ONCE: &str = "Math.random = () => 0;";
/// Bytes of an answer's head, a hello, `caught_up` and a frame of events, and more.
const EVERY_BYTE: usize = 1_200;

async fn publish_until(stream: Arc<Stream>, mut enough: watch::Receiver<bool>) {
    loop {
        let number = stream.accepted();
        stream
            .publish(&[works(&number.to_string(), &format!("agent-{}", number % 7), &format!("does {number}"))])
            .await;
        // Either it is enough, or the next one is due.
        if tokio::time::timeout(Duration::from_millis(10), enough.wait_for(|enough| *enough)).await.is_ok() {
            return;
        }
    }
}

async fn until_whole(page: &Page, stream: &Stream) {
    let last = stream.accepted() - 1;
    page.until_attribute("connection", "data-offset", last).await;
    page.until_card(&format!("agent-{}", last % 7), &format!("does {last}")).await;
}

#[tokio::test]
async fn connections_cut_at_every_byte_cost_no_event_and_double_none() {
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(AT_ONCE).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    let (enough, told) = watch::channel(false);
    let publishing = tokio::spawn(publish_until(Arc::clone(&stream), told));
    proxy.set_all(Fault::CutFurther);
    proxy.cut();
    // However long all of them take: it comes back and is cut again, each time soon.
    while proxy.cuts_made() < EVERY_BYTE {
        let made = proxy.cuts_made();
        let another = async {
            while proxy.cuts_made() == made {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        soon(&format!("a cut after {made}"), another).await;
    }
    proxy.set_all(Fault::None);
    enough.send_replace(true);
    publishing.await.expect("the publisher");
    until_whole(&page, &stream).await;
    assert_eq!(page.count("data-received").await, i64::try_from(stream.accepted()).expect("small"));
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}

#[tokio::test]
async fn frames_that_fall_to_crumbs_are_put_together() {
    let stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.set_all(Fault::Crumbs);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    for way in ["live", "sse"] {
        page.until_state(way).await;
        let from = stream.accepted();
        for number in from..from + 20 {
            let event = works(&number.to_string(), &format!("agent-{}", number % 7), &format!("does {number}"));
            stream.publish(&[event]).await;
        }
        until_whole(&page, &stream).await;
        proxy.set(Traffic::Socket, Fault::Forbidden);
        proxy.cut();
    }
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-unreadable").await, 0);
    browser.close().await;
}

#[tokio::test]
async fn what_is_spoilt_on_the_way_is_refused_and_counted_and_what_follows_is_applied() {
    let heartbeat = Duration::from_secs(1);
    let stream = Arc::new(Stream::beating("127.0.0.1:0", Source::Publishers, &[], heartbeat).await);
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(AT_ONCE).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    let (enough, told) = watch::channel(false);
    let publishing = tokio::spawn(publish_until(Arc::clone(&stream), told));
    proxy.set(Traffic::Socket, Fault::Corrupt(100));
    proxy.set(Traffic::Sse, Fault::Corrupt(100));
    proxy.cut();
    let begun = std::time::Instant::now();
    while proxy.spoilt() < 20 {
        assert!(begun.elapsed() < Duration::from_secs(120), "only {} pieces spoilt", proxy.spoilt());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    proxy.set_all(Fault::None);
    proxy.cut();
    enough.send_replace(true);
    publishing.await.expect("the publisher");
    until_whole(&page, &stream).await;
    let (received, holes) = (page.count("data-received").await, page.count("data-holes").await);
    assert_eq!(received + holes, i64::try_from(stream.accepted()).expect("small"), "{received} and {holes} holes");
    assert!(holes <= i64::try_from(proxy.spoilt()).expect("small"), "{holes} holes");
    browser.close().await;
}

#[tokio::test]
async fn a_connection_that_falls_silent_is_noticed_whatever_it_is() {
    let heartbeat = Duration::from_secs(1);
    let stream = Stream::beating("127.0.0.1:0", Source::Publishers, &[], heartbeat).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    for (traffic, way) in [(Traffic::Socket, "live"), (Traffic::Sse, "sse")] {
        page.until_state(way).await;
        proxy.set(traffic, Fault::Silence);
        page.until_state("reconnecting").await;
        let number = stream.accepted();
        stream.publish(&[works(&number.to_string(), "ada", &format!("is patient {number}"))]).await;
        proxy.set(traffic, Fault::None);
        page.until_card("ada", &format!("is patient {number}")).await;
        proxy.set(Traffic::Socket, Fault::Forbidden);
        proxy.cut();
    }
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}

#[tokio::test]
async fn a_tail_that_is_lost_without_a_word_is_asked_for_again() {
    let site = Stream::start(Source::Publishers).await;
    let puppet = Puppet::start().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let url = format!("{}?stream={}", site.url("/"), puppet.url());
    let (mut believer, ()) = tokio::join!(puppet.believer(), page.go(&url));
    believer.greet().await;
    believer.tell(0, &[works("1", "ada", "draws a map")]).await;
    page.until_card("ada", "draws a map").await;
    let heartbeat = json!({"kind": "heartbeat", "head": 7, "server_time": "2026-01-18T12:00:00.000Z"}).to_string();
    believer.say(&heartbeat).await;
    believer.say(&heartbeat).await;
    let mut again = puppet.believer().await;
    let mut events: Vec<_> = (1..8).map(|n| works(&format!("later {n}"), "ada", &format!("draws {n}"))).collect();
    again
        .say(
            &json!({
                "kind": "hello", "epoch": "puppet", "head": 7, "from": "puppet:0", "recovered": true,
                "heartbeat_ms": 25_000, "server_time": "2026-01-18T12:00:00.000Z",
                "clock": "2026-01-18T12:00:00.000Z", "clock_rate": 1, "version": "0.1.0", "source_kind": "live",
            })
            .to_string(),
        )
        .await;
    again.tell(1, &events.split_off(0)).await;
    page.until_attribute("connection", "data-offset", 7).await;
    assert_eq!(page.count("data-received").await, 8);
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}
