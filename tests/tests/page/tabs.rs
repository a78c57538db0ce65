//! Many tabs of one witness: one socket, and whoever has it may go at any time.

use chromiumoxide::cdp::browser_protocol::page::{
    CrashParams, SetWebLifecycleStateParams, SetWebLifecycleStateState as Lifecycle,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy, Traffic},
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};

/// How many sockets the stream has open, as its operator sees it.
async fn metric(stream: &Stream, name: &str) -> u32 {
    let told = reqwest::get(stream.url("/metrics")).await.expect("the stream").text().await.expect("its metrics");
    let value = told.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.expect("the metric").parse().expect("a number")
}

async fn sockets(stream: &Stream) -> u32 {
    metric(stream, "ws_connections_active").await
}

/// How many sockets there have been: what says that another tab has taken over.
async fn sockets_ever(stream: &Stream) -> u32 {
    metric(stream, "ws_connections_total").await
}

pub(crate) async fn until_sockets(stream: &Stream, count: u32) {
    let wait = async {
        while sockets(stream).await != count {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon(&format!("{count} sockets"), wait).await;
}

/// A stream that goes on telling until it is stopped.
pub(crate) struct Telling {
    stream: Arc<Stream>,
    stop: watch::Sender<bool>,
    publishing: JoinHandle<()>,
}

impl Telling {
    pub(crate) fn begin(stream: &Arc<Stream>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let publisher = Arc::clone(stream);
        let publishing = tokio::spawn(async move {
            while !*stopped.borrow() {
                let next = publisher.accepted();
                let event = |number: u64| works(&number.to_string(), "ada", &format!("does {number}"));
                publisher.publish(&(next..next + 5).map(event).collect::<Vec<Value>>()).await;
            }
        });
        Self { stream: Arc::clone(stream), stop, publishing }
    }

    /// Waits for so many more events.
    pub(crate) async fn more(&self, count: u64) {
        let enough = self.stream.accepted() + count;
        let wait = async {
            while self.stream.accepted() < enough {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon("more events", wait).await;
    }

    pub(crate) async fn end(self) {
        self.stop.send_replace(true);
        self.publishing.await.expect("the publisher");
    }
}

/// `count` tabs that have seen nothing yet. The first of them leads.
pub(crate) async fn open(browser: &Browser, stream: &Stream, count: usize) -> Vec<Page> {
    let mut pages = Vec::new();
    for _ in 0..count {
        let page = browser.visit(&stream.url("/")).await;
        page.until_state("live").await;
        pages.push(page);
    }
    pages
}

/// Asserts that each has applied every event that the stream accepted, each once.
pub(crate) async fn know_everything(pages: &[Page], stream: &Stream) {
    let accepted = stream.accepted();
    for page in pages {
        page.show().await;
        page.until_attribute("connection", "data-offset", accepted - 1).await;
        page.until_attribute("connection", "data-received", accepted).await;
        assert_eq!(page.count("data-holes").await, 0);
        assert_eq!(page.count("data-unreadable").await, 0);
        page.until_card("ada", &format!("does {}", accepted - 1)).await;
        page.until_state("live").await;
        page.complains_of_nothing().await;
    }
}

#[tokio::test]
async fn five_tabs_have_one_socket_and_each_sees_everything() {
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let browser = Browser::start().await;
    let mut pages = open(&browser, &stream, 4).await;
    let telling = Telling::begin(&stream);
    telling.more(50).await;
    assert_eq!(sockets(&stream).await, 1);
    // One that comes in the middle of it takes a snapshot, and from there what the others hear.
    let late = browser.visit(&stream.url("/")).await;
    late.until_state("live").await;
    telling.more(50).await;
    telling.end().await;
    know_everything(&pages, &stream).await;
    late.show().await;
    let accepted = stream.accepted();
    late.until_attribute("connection", "data-offset", accepted - 1).await;
    late.until_card("ada", &format!("does {}", accepted - 1)).await;
    assert!(late.count("data-received").await > 0, "it hears what comes");
    assert_eq!(late.count("data-holes").await, 0);
    pages.push(late);
    assert_eq!(sockets(&stream).await, 1);
    browser.close().await;
}

#[tokio::test]
async fn when_the_tab_that_has_the_socket_is_closed_or_crashes_another_takes_over_without_a_hole() {
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let browser = Browser::start().await;
    let mut pages = open(&browser, &stream, 4).await;
    let telling = Telling::begin(&stream);
    telling.more(20).await;
    let first = pages.remove(0);
    first.driver().clone().close().await.expect("it closes");
    telling.more(50).await;
    until_sockets(&stream, 1).await;
    telling.more(50).await;
    let second = pages.remove(0);
    let before = sockets_ever(&stream).await;
    // A page that has crashed answers nothing.
    let crash = second.driver().execute(CrashParams::default());
    let _ = tokio::time::timeout(Duration::from_secs(1), crash).await;
    telling.more(50).await;
    // A browser under load takes its time to bury a page, and the page's socket stays until then: another tab may have
    // taken the lead before.
    let another = async {
        while sockets_ever(&stream).await == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    soon("another tab to connect", another).await;
    until_sockets(&stream, 1).await;
    telling.more(50).await;
    telling.end().await;
    know_everything(&pages, &stream).await;
    assert_eq!(sockets(&stream).await, 1);
    browser.close().await;
}

#[tokio::test]
async fn a_frozen_tab_gives_the_socket_away_and_is_told_everything_when_it_returns() {
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let browser = Browser::start().await;
    let pages = open(&browser, &stream, 3).await;
    let telling = Telling::begin(&stream);
    telling.more(20).await;
    let leader = pages.first().expect("three were opened");
    let freeze = SetWebLifecycleStateParams::new(Lifecycle::Frozen);
    leader.driver().execute(freeze).await.expect("it freezes");
    let others = pages.get(1..).expect("three were opened");
    let before = stream.accepted();
    telling.more(50).await;
    for page in others {
        page.show().await;
        page.until(&format!("Number(document.querySelector('#connection').dataset.offset) > {before}")).await;
    }
    let thaw = SetWebLifecycleStateParams::new(Lifecycle::Active);
    leader.driver().execute(thaw).await.expect("it thaws");
    telling.more(50).await;
    telling.end().await;
    know_everything(&pages, &stream).await;
    until_sockets(&stream, 1).await;
    browser.close().await;
}

#[tokio::test]
async fn from_a_tab_that_answers_no_more_the_socket_is_taken_and_it_follows_when_it_comes_to() {
    let stream = Arc::new(Stream::start(Source::Publishers).await);
    let browser = Browser::start().await;
    let pages = open(&browser, &stream, 3).await;
    let telling = Telling::begin(&stream);
    telling.more(20).await;
    let leader = pages.first().expect("three were opened");
    // It keeps its lock and its socket, and does nothing, until the others have gone on without it.
    let hang = "setTimeout(() => { for (const end = Date.now() + 20000; Date.now() < end;); }), true";
    assert!(leader.value::<bool>(hang).await);
    let before = stream.accepted();
    let others = pages.get(1..).expect("three were opened");
    for page in others {
        page.show().await;
        page.until(&format!("Number(document.querySelector('#connection').dataset.offset) > {before}")).await;
        page.until_state("live").await;
    }
    telling.more(50).await;
    leader.until_script("true").await;
    telling.more(50).await;
    telling.end().await;
    know_everything(&pages, &stream).await;
    until_sockets(&stream, 1).await;
    browser.close().await;
}

#[tokio::test]
async fn every_tab_is_told_that_the_stream_is_out_of_reach_and_that_it_is_back() {
    let stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let leader = browser.visit(&proxy.url("/")).await;
    leader.until_state("live").await;
    let other = browser.visit(&proxy.url("/")).await;
    other.until_state("live").await;
    proxy.lose_the_stream();
    other.until_state("reconnecting").await;
    other.until("document.querySelector('#notice').innerText.includes('out of reach')").await;
    stream.publish(&[works("1", "ada", "goes on")]).await;
    proxy.set(Traffic::Socket, Fault::None);
    proxy.set(Traffic::Api, Fault::None);
    other.until_card("ada", "goes on").await;
    other.until_attribute("connection", "data-received", 1).await;

    // Another stream in its place: both know that what was before is gone.
    let new = Stream::start(Source::Publishers).await;
    new.publish(&[works("1", "bob", "begins anew")]).await;
    proxy.lead_to(new.address);
    stream.end().await;
    for page in [&other, &leader] {
        page.show().await;
        page.until_card("bob", "begins anew").await;
        assert_eq!(page.agents().await, ["bob"]);
        assert_eq!(page.count("data-holes").await, 0);
    }
    browser.close().await;
}

#[tokio::test]
async fn where_tabs_cannot_find_each_other_each_connects_for_itself() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let mut pages = Vec::new();
    for without in [
        "Object.defineProperty(Navigator.prototype, 'locks', { value: undefined })",
        "delete window.BroadcastChannel",
        "window.BroadcastChannel = class { constructor() { throw new DOMException('switched off', 'SecurityError') } }",
        "LockManager.prototype.request = () => Promise.reject(new DOMException('switched off', 'SecurityError'))",
        "LockManager.prototype.request = () => { throw new DOMException('switched off', 'SecurityError') }",
    ] {
        let page = browser.tab().await;
        page.before_everything(without).await;
        page.go(&stream.url("/")).await;
        page.until_state("live").await;
        pages.push(page);
    }
    assert_eq!(sockets(&stream).await, 5);
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    for page in &pages {
        page.show().await;
        page.until_card("ada", "draws a map").await;
        page.until_attribute("connection", "data-received", 1).await;
        page.complains_of_nothing().await;
    }
    browser.close().await;
}
