//! Who has the socket gives it up in the middle of something: what another tab still waits for is asked for once, and is
//! nobody's when it comes too late; the lead may be given up, won back and taken away.

use crate::tabs::{Telling, know_everything, open, until_sockets};
use chromiumoxide::cdp::browser_protocol::page::{SetWebLifecycleStateParams, SetWebLifecycleStateState as Lifecycle};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy, Traffic},
    stream::{Source, Stream},
};
use serde_json::Value;
use std::sync::Arc;

/// Other tabs' frames are not heard while `window.deaf`.
const DEAF: &str = "
    const Plain = window.BroadcastChannel;
    window.missed = 0;
    window.BroadcastChannel = class extends Plain {
        set onmessage(heard) {
            super.onmessage = (event) => {
                if (window.deaf && event.data.startsWith('{')) {
                    window.missed += 1;
                    document.body.dataset.missed = window.missed;
                } else heard(event);
            };
        }
    };
";

/// So many events of one agent, numbered from what the stream has accepted.
fn next(stream: &Stream, count: u64) -> Vec<Value> {
    let from = stream.accepted();
    (from..from + count).map(|number| works(&number.to_string(), "ada", &format!("does {number}"))).collect()
}

async fn lifecycle(page: &Page, state: Lifecycle) {
    page.driver().execute(SetWebLifecycleStateParams::new(state)).await.expect("another state");
}

/// A tab that leads, and one that follows it and is asking the stream for what it missed, which is not answered.
async fn one_that_waits_for_the_rest(browser: &Browser) -> (Stream, Proxy, Page, Page) {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&next(&stream, 1)).await;
    let proxy = Proxy::before(stream.address).await;
    let leader = browser.visit(&proxy.url("/")).await;
    leader.until_state("live").await;
    let follower = browser.tab().await;
    follower.before_everything(DEAF).await;
    follower.go(&proxy.url("/")).await;
    follower.until_state("live").await;
    follower.until_card("ada", "does 0").await;

    follower.value::<bool>("window.deaf = true").await;
    stream.publish(&next(&stream, 3)).await;
    follower.until("document.body.dataset.missed").await;
    leader.show().await;
    leader.until_attribute("connection", "data-offset", 3).await;
    follower.show().await;
    proxy.set(Traffic::Api, Fault::Silence);
    let known = proxy.asked().len();
    follower.value::<bool>("window.deaf = false; true").await;
    stream.publish(&next(&stream, 1)).await;
    proxy.until_asked(known, |path| path.starts_with("/api/v1/events?after=")).await;
    assert_eq!(follower.count("data-offset").await, 0, "nothing is applied across what is missing");
    (stream, proxy, leader, follower)
}

/// Asserts that `page`, which had a snapshot of the first event, applied all others, each once.
async fn has_everything(page: &Page, stream: &Stream) {
    let accepted = stream.accepted();
    page.until_attribute("connection", "data-offset", accepted - 1).await;
    page.until_attribute("connection", "data-received", accepted - 1).await;
    page.until_card("ada", &format!("does {}", accepted - 1)).await;
    page.until_state("live").await;
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-unreadable").await, 0);
}

/// Asserts that what came by one way did not come by another as well.
async fn took_nothing_twice(page: &Page, proxy: &Proxy) {
    assert_eq!(page.count("data-duplicates").await, 0, "it took the same in twice: {:?}", proxy.asked());
}

fn catch_ups(proxy: &Proxy) -> usize {
    proxy.asked().iter().filter(|path| path.starts_with("/api/v1/events?after=")).count()
}

#[tokio::test]
async fn when_the_leader_is_killed_while_another_asks_for_the_rest_that_one_goes_on_by_itself_without_a_hole() {
    let browser = Browser::start().await;
    let (stream, proxy, leader, follower) = one_that_waits_for_the_rest(&browser).await;
    let asked = catch_ups(&proxy);
    let known = proxy.asked().len();
    leader.driver().clone().close().await.expect("it closes");
    let path = proxy.until_asked(known, |path| path.starts_with("/ws")).await;
    assert!(path.ends_with(":0"), "it resumes from where it stands: {path}");
    follower.until_attribute("connection", "data-offset", stream.accepted() - 1).await;
    // The answer comes after all. It is nobody's.
    proxy.set(Traffic::Api, Fault::None);
    stream.publish(&next(&stream, 3)).await;
    has_everything(&follower, &stream).await;
    took_nothing_twice(&follower, &proxy).await;
    assert_eq!(catch_ups(&proxy), asked, "it asks for what its own socket brings: {:?}", proxy.asked());
    until_sockets(&stream, 1).await;
    browser.close().await;
}

#[tokio::test]
async fn when_the_leader_rests_while_another_asks_for_the_rest_both_have_everything_once_when_it_wakes() {
    let browser = Browser::start().await;
    let (stream, proxy, leader, follower) = one_that_waits_for_the_rest(&browser).await;
    let known = proxy.asked().len();
    lifecycle(&leader, Lifecycle::Frozen).await;
    proxy.until_asked(known, |path| path.starts_with("/ws")).await;
    follower.until_attribute("connection", "data-offset", stream.accepted() - 1).await;
    proxy.set(Traffic::Api, Fault::None);
    stream.publish(&next(&stream, 3)).await;
    has_everything(&follower, &stream).await;
    took_nothing_twice(&follower, &proxy).await;
    lifecycle(&leader, Lifecycle::Active).await;
    leader.show().await;
    has_everything(&leader, &stream).await;
    stream.publish(&next(&stream, 3)).await;
    for page in [&leader, &follower] {
        page.show().await;
        has_everything(page, &stream).await;
    }
    until_sockets(&stream, 1).await;
    browser.close().await;
}

#[tokio::test]
async fn who_misses_something_asks_once_and_takes_what_came_meanwhile_after_it() {
    let browser = Browser::start().await;
    let (stream, proxy, leader, follower) = one_that_waits_for_the_rest(&browser).await;
    let asked = catch_ups(&proxy);
    // What the leader tells meanwhile waits.
    for _ in 0..5 {
        stream.publish(&next(&stream, 2)).await;
    }
    proxy.set(Traffic::Api, Fault::None);
    has_everything(&follower, &stream).await;
    assert!(catch_ups(&proxy) <= asked + 1, "it asked again and again: {:?}", proxy.asked());
    leader.show().await;
    has_everything(&leader, &stream).await;
    until_sockets(&stream, 1).await;
    browser.close().await;
}

#[tokio::test]
async fn a_lead_that_was_given_up_won_back_and_taken_away_costs_nobody_an_event() {
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let browser = Browser::start().await;
    let pages = open(&browser, &stream, 2).await;
    let (first, second) = (pages.first().expect("two"), pages.get(1).expect("two"));
    let telling = Telling::begin(&stream);
    telling.more(20).await;
    // The first rests, the second leads; the second rests, the first leads again.
    for (rests, leads) in [(first, second), (second, first)] {
        lifecycle(rests, Lifecycle::Frozen).await;
        let before = stream.accepted();
        telling.more(20).await;
        leads.show().await;
        leads.until(&format!("Number(document.querySelector('#connection').dataset.offset) > {before}")).await;
        lifecycle(rests, Lifecycle::Active).await;
        telling.more(20).await;
    }
    // It keeps the lock and does nothing: what it holds is taken from it.
    let hang = "setTimeout(() => { for (const end = Date.now() + 20000; Date.now() < end;); }), true";
    assert!(first.value::<bool>(hang).await);
    let before = stream.accepted();
    second.show().await;
    second.until(&format!("Number(document.querySelector('#connection').dataset.offset) > {before}")).await;
    second.until_state("live").await;
    telling.more(50).await;
    first.until_script("true").await;
    telling.more(50).await;
    telling.end().await;
    know_everything(&pages, &stream).await;
    until_sockets(&stream, 1).await;
    browser.close().await;
}

/// It was so once: a follower that finds something missing asks for it and reports nothing.
#[tokio::test]
async fn a_tab_that_knows_that_something_is_missing_does_not_say_live_until_it_has_it() {
    let browser = Browser::start().await;
    let (stream, proxy, _leader, follower) = one_that_waits_for_the_rest(&browser).await;
    assert_ne!(follower.attribute("connection", "data-state").await, "live");
    proxy.set(Traffic::Api, Fault::None);
    has_everything(&follower, &stream).await;
    browser.close().await;
}
