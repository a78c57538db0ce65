//! A page that sleeps, is frozen, put away or not looked at for long: it lets go of the stream, comes back with its cursor,
//! and nothing is left out. Clocks that are wrong or jump cost nothing.

use chromiumoxide::cdp::browser_protocol::page::{SetWebLifecycleStateParams, SetWebLifecycleStateState};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::Proxy,
    stream::{Source, Stream},
    wait::soon,
};

/// Clocks that a test can set: the wall clock alone, or both.
const CLOCKS: &str = "
    window.wall = 0;
    window.both = 0;
    const date = Date.now.bind(Date);
    const running = performance.now.bind(performance);
    Date.now = () => date() + window.wall + window.both;
    performance.now = () => running() + window.both;
";

async fn open(clocks: &str) -> (Stream, Proxy, Browser, Page) {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("first", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(clocks).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    (stream, proxy, browser, page)
}

/// Something happens, and the page has it; everything since it opened was applied once.
async fn goes_on(stream: &Stream, page: &Page) {
    let number = stream.accepted();
    stream.publish(&[works(&number.to_string(), "bob", &format!("carries stone {number}"))]).await;
    page.until_card("bob", &format!("carries stone {number}")).await;
    page.until_attribute("connection", "data-received", number).await;
    page.until_state("live").await;
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-duplicates").await, 0);
}

async fn is_socket(proxy: &Proxy, known: usize) -> String {
    proxy.until_asked(known, |path| path.starts_with("/ws")).await
}

#[tokio::test]
async fn a_device_that_slept_for_an_hour_comes_back_with_its_cursor() {
    let (stream, proxy, browser, page) = open(CLOCKS).await;
    goes_on(&stream, &page).await;
    let known = proxy.asked().len();
    // The monotonic clock of many systems stands still meanwhile.
    page.value::<u32>("window.wall = 3600000").await;
    let path = is_socket(&proxy, known).await;
    assert_eq!(path, format!("/ws?after={}:{}", stream.log.epoch(), stream.accepted() - 1));
    goes_on(&stream, &page).await;
    let known = proxy.asked().len();
    page.value::<u32>("window.both = 3600000").await;
    is_socket(&proxy, known).await;
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn a_wall_clock_that_is_ten_minutes_wrong_changes_nothing() {
    for minutes in [-10, 10] {
        let wrong = format!("const date = Date.now.bind(Date); Date.now = () => date() + {minutes} * 60000;");
        let (stream, proxy, browser, page) = open(&wrong).await;
        goes_on(&stream, &page).await;
        goes_on(&stream, &page).await;
        page.until("/^\\d+ ms behind$/.test(document.querySelector('#connection [data-p=detail]').textContent)").await;
        let sockets = proxy.asked().iter().filter(|path| path.starts_with("/ws")).count();
        assert_eq!(sockets, 1, "it connected again for nothing");
        browser.close().await;
    }
}

#[tokio::test]
async fn a_page_that_nobody_looks_at_for_ten_minutes_lets_go_and_has_everything_when_it_is_looked_at() {
    let (stream, proxy, browser, page) = open(CLOCKS).await;
    goes_on(&stream, &page).await;
    let other = browser.tab().await;
    other.show().await;
    soon("a hidden page", async { while !page.value::<bool>("document.hidden").await {} }).await;
    // It hears what happens for the first minutes.
    stream.publish(&[works("hidden", "ada", "is not seen")]).await;
    page.until_attribute("connection", "data-received", stream.accepted() - 1).await;
    page.value::<u32>("new Promise((resolve) => setTimeout(() => resolve(window.both = 600000), 2500))").await;
    page.until_state("reconnecting").await;
    let known = proxy.asked().len();
    let events: Vec<_> = (0..40).map(|n| works(&format!("unheard {n}"), "ada", &format!("goes on {n}"))).collect();
    stream.publish(&events).await;
    assert_eq!(proxy.asked().len(), known, "it rests");
    page.show().await;
    is_socket(&proxy, known).await;
    page.until_card("ada", "goes on 39").await;
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_that_was_frozen_goes_on_where_it_stood() {
    let (stream, proxy, browser, page) = open("").await;
    goes_on(&stream, &page).await;
    let known = proxy.asked().len();
    let frozen = SetWebLifecycleStateParams::new(SetWebLifecycleStateState::Frozen);
    page.driver().execute(frozen).await.expect("a frozen page");
    stream.publish(&[works("frozen", "ada", "goes on without it")]).await;
    let active = SetWebLifecycleStateParams::new(SetWebLifecycleStateState::Active);
    page.driver().execute(active).await.expect("an active page");
    is_socket(&proxy, known).await;
    // Nobody sees it yet; it has what happened.
    page.until_attribute("connection", "data-received", stream.accepted() - 1).await;
    let other = browser.tab().await;
    other.show().await;
    page.show().await;
    page.until_card("ada", "goes on without it").await;
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_that_is_come_back_to_goes_on_where_it_stood() {
    let (stream, proxy, browser, page) = open("").await;
    goes_on(&stream, &page).await;
    page.value::<bool>("window.sameVisit = true").await;
    page.value::<bool>("addEventListener('pageshow', (event) => { window.kept = event.persisted; }); true").await;
    page.go(&proxy.url("/404.html")).await;
    stream.publish(&[works("away", "ada", "goes on without it")]).await;
    let known = proxy.asked().len();
    page.value::<bool>("history.back(); true").await;
    is_socket(&proxy, known).await;
    page.until_card("ada", "goes on without it").await;
    assert!(page.value::<bool>("window.sameVisit === true && window.kept === true").await, "the browser kept the page");
    goes_on(&stream, &page).await;
    browser.close().await;
}

#[tokio::test]
async fn who_is_without_a_stream_for_over_five_minutes_is_offered_to_load_the_page_again() {
    let (_stream, proxy, browser, page) = open(CLOCKS).await;
    proxy.lose_the_stream();
    page.until_state("reconnecting").await;
    page.until("document.querySelector('.notice:not([hidden]) [data-p=reload][hidden]')").await;
    page.value::<u32>("window.both = 301000").await;
    page.until("document.querySelector('.notice:not([hidden]) [data-p=reload]:not([hidden])')").await;
    // The stream is away until the page is loaded anew: else the page may find it first, and the offer is gone.
    page.value::<bool>("window.before = true").await;
    crate::witness::click(&page, ".notice [data-p=reload]").await;
    page.until("window.before === undefined").await;
    proxy.set_all(monkeytown_tests::proxy::Fault::None);
    page.until_state("live").await;
    browser.close().await;
}
