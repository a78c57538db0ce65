//! The network and the stream fail; the page says so, keeps what it knows, and misses nothing.

use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy, Traffic},
    stream::{Source, Stream},
};
use serde_json::Value;
use std::sync::Arc;
use tokio::sync::watch;

async fn notice(page: &Page) -> String {
    page.until("document.querySelector('.notice:not([hidden])')").await;
    page.value("document.querySelector('.notice:not([hidden])').innerText").await
}

#[tokio::test]
async fn after_five_cuts_every_accepted_event_was_applied_once_and_none_is_missing() {
    const BEFORE: u32 = 10;
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let batch = |from: u32, length: u32| -> Vec<Value> {
        let event =
            |number: u32| works(&number.to_string(), &format!("agent-{}", number % 7), &format!("does {number}"));
        (from..from + length).map(event).collect()
    };
    stream.publish(&batch(0, BEFORE)).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_attribute("connection", "data-offset", BEFORE - 1).await;
    assert_eq!(page.count("data-received").await, 0, "the snapshot covers what was before");

    let (enough, stop) = watch::channel(false);
    let publisher = Arc::clone(&stream);
    let publishing = tokio::spawn(async move {
        let mut next = BEFORE;
        while !*stop.borrow() {
            publisher.publish(&batch(next, 5)).await;
            next += 5;
        }
    });
    for _ in 0..5 {
        let received = page.count("data-received").await;
        page.until(&format!(
            "Number(document.querySelector('[data-testid=connection]').dataset.received) > {received}"
        ))
        .await;
        let known = proxy.asked().len();
        proxy.cut();
        let path = proxy.until_asked(known, |path| path.starts_with("/ws")).await;
        assert!(path.contains("?after="), "it resumes from where it stands: {path}");
    }
    enough.send_replace(true);
    publishing.await.expect("the publisher");

    let accepted = stream.accepted();
    page.until_attribute("connection", "data-offset", accepted - 1).await;
    assert_eq!(page.count("data-received").await, i64::try_from(accepted).expect("small") - i64::from(BEFORE));
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-unreadable").await, 0);
    page.until_state("live").await;
    let last = format!("does {}", accepted - 1);
    page.until_card(&format!("agent-{}", (accepted - 1) % 7), &last).await;
    browser.close().await;
}

#[tokio::test]
async fn a_stream_that_starts_anew_is_taken_up_with_its_snapshot_and_without_a_reload() {
    let old = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(old.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    old.publish(&(0..20).map(|n| works(&n.to_string(), "ada", &format!("does {n}"))).collect::<Vec<_>>()).await;
    page.until_attribute("connection", "data-offset", 19).await;
    page.value::<bool>("window.sameVisit = true").await;

    let new = Stream::start(Source::Publishers).await;
    new.publish(&[works("0", "bob", "begins anew")]).await;
    proxy.lead_to(new.address);
    old.end().await;
    page.until_card("bob", "begins anew").await;
    page.until_attribute("connection", "data-offset", 0).await;
    new.publish(&[works("1", "bob", "goes on"), works("2", "cleo", "joins")]).await;
    page.until_attribute("connection", "data-offset", 2).await;
    page.until_card("cleo", "joins").await;
    page.until_state("live").await;
    assert_eq!(page.agents().await, ["bob", "cleo"], "the other epoch's agents are gone");
    assert_eq!(page.count("data-holes").await, 0);
    assert!(notice(&page).await.contains("could not continue"), "{}", notice(&page).await);
    assert!(page.value::<bool>("window.sameVisit").await, "the page was loaded again");
    browser.close().await;
}

#[tokio::test]
async fn a_first_visit_without_a_stream_says_what_was_tried_and_goes_on_trying() {
    let stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.lose_the_stream();
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("reconnecting").await;
    let said = notice(&page).await;
    assert!(said.contains("out of reach") && said.contains(&proxy.url("")), "{said}");
    assert!(said.contains("nothing is known yet"), "{said}");
    assert_eq!(page.attribute("system-pulse", "data-health").await, "disconnected");
    page.until("document.querySelector('.notice:not([hidden])').innerText.includes('polling brought nothing')").await;

    // The same page finds the stream once it is there.
    stream.publish(&[works("1", "ada", "was here all along")]).await;
    proxy.set_all(Fault::None);
    page.until_card("ada", "was here all along").await;
    browser.close().await;
}

#[tokio::test]
async fn a_later_visit_without_a_stream_shows_what_was_last_known_and_how_old_it_is() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    stream.publish(&[works("2", "bob", "holds the ladder")]).await;
    page.until_card("bob", "holds the ladder").await;

    proxy.lose_the_stream();
    page.reload().await;
    page.until_state("snapshot").await;
    page.until_card("ada", "draws a map").await;
    page.until_card("bob", "holds the ladder").await;
    let said = notice(&page).await;
    assert!(said.contains("this is what this browser knew") && said.contains(&proxy.url("")), "{said}");
    assert!(said.contains("ago") || said.contains("now"), "{said}");
    assert_eq!(page.attribute("system-pulse", "data-health").await, "disconnected");
    assert_eq!(page.count("data-received").await, 0, "what another visit received is not this one's");
    browser.close().await;
}

#[tokio::test]
async fn where_a_proxy_forbids_all_that_lasts_events_arrive_by_polling() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("polling").await;
    page.until_card("ada", "draws a map").await;
    for number in 2..6 {
        stream.publish(&[works(&number.to_string(), "bob", &format!("carries stone {number}"))]).await;
        page.until_card("bob", &format!("carries stone {number}")).await;
    }
    page.until_attribute("connection", "data-received", 4).await;
    page.until_attribute("connection", "data-offset", 4).await;
    assert_eq!(page.count("data-holes").await, 0);
    page.until_state("polling").await;
    browser.close().await;
}

#[tokio::test]
async fn a_connection_that_stalls_is_given_up_and_a_new_one_goes_on_where_it_stood() {
    let stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    // Nothing passes from the first moment: the page must not wait for a hello for ever.
    proxy.set_all(Fault::Silence);
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("reconnecting").await;
    stream.publish(&[works("1", "ada", "is patient")]).await;
    proxy.set_all(Fault::None);
    page.until_card("ada", "is patient").await;
    page.until_attribute("connection", "data-offset", 0).await;
    browser.close().await;
}
