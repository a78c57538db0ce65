//! A stream that takes nobody for the moment, and one that wants to be left alone: the page says which, waits as it was
//! told, and comes in when it may.

use chromiumoxide::cdp::browser_protocol::page::{SetWebLifecycleStateParams, SetWebLifecycleStateState as Lifecycle};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy, Traffic},
    puppet::Puppet,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::json;

/// What a stream that is full asks for (`Retry-After`), in milliseconds, less what a timer may come early.
const RETRY_MILLIS: f64 = 4_990.0;

/// Notes when the page asks for events, by a socket or by a poll, and when it has heard that there is no place; and both
/// clocks can be set.
const WATCH: &str = "
    window.asked = [];
    window.refused = [];
    window.after = [];
    window.both = 0;
    const date = Date.now.bind(Date);
    const running = performance.now.bind(performance);
    Date.now = () => date() + window.both;
    performance.now = () => running() + window.both;
    const Plain = window.WebSocket;
    window.WebSocket = class extends Plain {
        constructor(...given) {
            super(...given);
            window.asked.push(running());
        }
    };
    const plain = window.fetch.bind(window);
    window.fetch = async (request, ...given) => {
        if (new URL(request.url ?? request, location).pathname === '/api/v1/events') window.asked.push(running());
        const answer = await plain(request, ...given);
        if (answer.status !== 503) return answer;
        const text = answer.text.bind(answer);
        answer.text = async () => {
            const body = await text();
            window.refused.push(running());
            window.after.push(Number(answer.headers.get('retry-after')) * 1000);
            return body;
        };
        return answer;
    };
    // How long after each refusal it asked again.
    window.waits = () => window.refused
        .map((heard) => (window.asked.find((at) => at > heard) ?? NaN) - heard)
        .filter((wait) => !Number.isNaN(wait));
";

/// The page remembers that nothing but polling worked.
const BY_POLLING: &str = "localStorage.setItem('monkeytown.route.v1', String(Date.now() * 4 + 2));";

/// Somebody who takes a place.
type Guest = tokio_tungstenite::WebSocketStream<tokio_tungstenite::MaybeTlsStream<tokio::net::TcpStream>>;

async fn seated(stream: &Stream) -> Guest {
    let url = format!("ws://{}/ws", stream.address);
    let wait = async {
        loop {
            // The place of who has just gone is free a moment later.
            if let Ok((guest, _)) = tokio_tungstenite::connect_async(&url).await {
                return guest;
            }
        }
    };
    soon("a place", wait).await
}

async fn notice_says(page: &Page, words: &str) {
    page.until(&format!("document.querySelector('#notice:not([hidden])').innerText.includes({})", json!(words))).await;
}

/// Waits until the page has asked again after it heard that there is no place.
async fn until_asked_again(page: &Page) {
    page.until_script("window.waits().length > 0").await;
}

/// Asserts that it never asked again sooner than it was told.
async fn waited_as_told(page: &Page) {
    let waits: Vec<f64> = page.value("window.waits()").await;
    assert!(waits.iter().all(|wait| *wait >= RETRY_MILLIS), "it was asked again after {waits:?} ms");
}

#[tokio::test]
async fn a_full_stream_is_told_in_words_asked_no_sooner_than_it_said_and_joined_when_a_place_is_free() {
    let stream = Stream::with_places(1).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let guest = seated(&stream).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&proxy.url("/")).await;
    page.until_state("reconnecting").await;
    notice_says(&page, "the stream takes nobody for the moment").await;
    notice_says(&page, "nothing is known yet; still trying").await;
    page.until("/next in [1-6]s/.test(document.querySelector('#connection [data-p=detail]').textContent)").await;
    assert_eq!(page.attribute("system-pulse", "data-health").await, "disconnected");
    until_asked_again(&page).await;
    drop(guest);
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    page.until("document.querySelector('#notice').hidden").await;
    waited_as_told(&page).await;
    let others: Vec<String> = proxy.asked().into_iter().filter(|path| path.starts_with("/api/v1/events")).collect();
    assert!(others.is_empty(), "a full stream is no reason to try another way: {others:?}");
    page.until_attribute("connection", "data-holes", 0).await;
    browser.close().await;
}

#[tokio::test]
async fn who_loses_the_place_to_another_keeps_what_was_known_and_is_told_what_was_missed() {
    let stream = Stream::with_places(1).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    proxy.lose_the_stream();
    let guest = seated(&stream).await;
    stream.publish(&[works("2", "bob", "comes while nobody hears")]).await;
    proxy.set_all(Fault::None);
    notice_says(&page, "the stream takes nobody for the moment").await;
    notice_says(&page, "what is missed will be replayed").await;
    assert_eq!(page.agents().await, ["ada"]);
    drop(guest);
    page.until_card("bob", "comes while nobody hears").await;
    page.until_state("live").await;
    page.until_attribute("connection", "data-received", 1).await;
    assert_eq!(page.count("data-holes").await, 0);
    page.until("document.querySelector('#notice').hidden").await;
    browser.close().await;
}

#[tokio::test]
async fn a_poll_that_finds_no_place_waits_as_it_was_told_and_goes_on_without_a_hole() {
    let stream = Stream::with_places(1).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    let guest = seated(&stream).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.before_everything(BY_POLLING).await;
    page.go(&proxy.url("/")).await;
    // The state is there for everybody; what follows it is for those who have a place.
    page.until_card("ada", "draws a map").await;
    page.until_state("reconnecting").await;
    notice_says(&page, "polling brought nothing: the stream").await;
    stream.publish(&[works("2", "bob", "holds the ladder")]).await;
    until_asked_again(&page).await;
    waited_as_told(&page).await;
    drop(guest);
    page.until_card("bob", "holds the ladder").await;
    page.until_state("polling").await;
    page.until_attribute("connection", "data-received", 1).await;
    assert_eq!(page.count("data-holes").await, 0);
    page.until("document.querySelector('#notice').hidden").await;
    browser.close().await;
}

#[tokio::test]
async fn a_poll_that_a_stream_sends_away_comes_back_as_it_was_told_and_finds_the_next_one() {
    let old = Stream::start(Source::Publishers).await;
    old.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(old.address).await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.before_everything(BY_POLLING).await;
    page.go(&proxy.url("/")).await;
    page.until_state("polling").await;
    // It must wait for news when the stream goes, not between two questions.
    for number in 0..2 {
        let known = proxy.asked().len();
        old.publish(&[works(&format!("more {number}"), "ada", &format!("draws map {number}"))]).await;
        page.until_card("ada", &format!("draws map {number}")).await;
        proxy.until_asked(known, |path| path.ends_with("wait=25")).await;
    }
    let new = Stream::start(Source::Publishers).await;
    new.publish(&[works("1", "bob", "takes over")]).await;
    proxy.lead_to(new.address);
    old.end().await;
    page.until_card("bob", "takes over").await;
    page.until_state("polling").await;
    assert_eq!(page.agents().await, ["bob"], "epochs never mix");
    let told: Vec<f64> = page.value("window.after").await;
    let waits: Vec<f64> = page.value("window.waits()").await;
    assert_eq!((told.len(), waits.len()), (1, 1), "it was sent away once: {told:?} {waits:?}");
    for (told, waited) in told.iter().zip(&waits) {
        assert!(*told >= 1_000.0 && *waited >= told - 10.0, "told {told} ms, waited {waited} ms");
    }
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}

/// A page of a scripted stream behind a proxy that has closed its socket with `code`.
async fn closed_with(browser: &Browser, site: &Stream, code: u16) -> (Puppet, Proxy, Page) {
    let puppet = Puppet::start().await;
    let proxy = Proxy::before(puppet.address()).await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    let url = format!("{}?stream={}", site.url("/"), proxy.url("").replacen("http", "ws", 1));
    let (mut believer, ()) = tokio::join!(puppet.believer(), page.go(&url));
    believer.greet().await;
    believer.tell(0, &[works("1", "ada", "draws a map")]).await;
    page.until_card("ada", "draws a map").await;
    believer.close(code).await;
    (puppet, proxy, page)
}

/// Whatever makes a page look after its connection, but for the witness's own hand.
async fn live_through_everything(browser: &Browser, page: &Page) {
    let other = browser.tab().await;
    other.show().await;
    soon("a hidden page", async { while !page.value::<bool>("document.hidden").await {} }).await;
    page.value::<u32>("new Promise((resolve) => setTimeout(() => resolve(window.both = 3600000), 2500))").await;
    page.show().await;
    page.until("!document.hidden").await;
    page.value::<bool>("dispatchEvent(new Event('online'))").await;
    page.value::<bool>("dispatchEvent(new Event('pageshow'))").await;
    page.value::<bool>("new Promise((resolve) => setTimeout(() => resolve(true), 2500))").await;
}

#[tokio::test]
async fn a_stream_that_says_stay_away_is_not_asked_again_until_the_witness_acts() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    for code in [4_000, 4_003, 4_099] {
        let (puppet, proxy, page) = closed_with(&browser, &site, code).await;
        notice_says(&page, &format!("the stream closed the connection (code {code})")).await;
        notice_says(&page, "reload the page to try again").await;
        let known = proxy.asked().len();
        live_through_everything(&browser, &page).await;
        let asked = proxy.asked();
        assert_eq!(asked.get(known..), Some([].as_slice()), "{code}: it was asked again");
        page.until("document.querySelector('#connection [data-p=detail]').textContent === 'the stream said stay away'")
            .await;
        page.until_state("reconnecting").await;
        page.until_card("ada", "draws a map").await;

        let (mut believer, ()) = tokio::join!(puppet.believer(), page.reload());
        believer.greet().await;
        page.until_state("live").await;
    }
    browser.close().await;
}

#[tokio::test]
async fn a_stream_that_says_anything_else_is_asked_again_where_the_page_stands() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    for code in [1_000, 1_013, 4_100, 4_200] {
        let (puppet, proxy, page) = closed_with(&browser, &site, code).await;
        let mut believer = puppet.believer().await;
        let asked = proxy.asked();
        let sockets: Vec<&String> = asked.iter().filter(|path| !path.starts_with("/ready")).collect();
        assert!(sockets.last().is_some_and(|path| path.ends_with("after=puppet:0")), "{code}: {asked:?}");
        let now = "2026-01-18T12:00:00.000Z";
        let hello = json!({
            "kind": "hello", "epoch": "puppet", "head": 0, "from": "puppet:0", "recovered": true,
            "heartbeat_ms": 25_000, "server_time": now, "clock": now, "clock_rate": 1, "version": "0.1.0",
            "source_kind": "live",
        });
        believer.say(&hello.to_string()).await;
        believer.tell(1, &[works("2", "bob", "holds the ladder")]).await;
        page.until_card("bob", "holds the ladder").await;
        page.until_state("live").await;
    }
    browser.close().await;
}

const STAYS_AWAY: &str =
    "document.querySelector('#connection [data-p=detail]').textContent === 'the stream said stay away'";

/// Two tabs of one witness, both told by a puppet's last word that they stay away.
async fn two_sent_away(browser: &Browser, site: &Stream) -> (Puppet, Proxy, Page, Page) {
    let puppet = Puppet::start().await;
    let proxy = Proxy::before(puppet.address()).await;
    let url = format!("{}?stream={}", site.url("/"), proxy.url("").replacen("http", "ws", 1));
    let first = browser.tab().await;
    first.before_everything(WATCH).await;
    let (mut believer, ()) = tokio::join!(puppet.believer(), first.go(&url));
    believer.greet().await;
    first.until_state("live").await;
    let second = browser.tab().await;
    second.before_everything(WATCH).await;
    second.go(&url).await;
    second.until("document.querySelector('#connection').dataset.state !== 'connecting'").await;
    believer.close(4_003).await;
    for page in [&first, &second] {
        page.show().await;
        page.until(STAYS_AWAY).await;
    }
    (puppet, proxy, first, second)
}

#[tokio::test]
async fn of_two_tabs_none_asks_a_stream_again_that_said_stay_away() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let (_puppet, proxy, first, second) = two_sent_away(&browser, &site).await;
    let subscribed = |proxy: &Proxy| proxy.asked().iter().filter(|path| path.starts_with("/?") || *path == "/").count();
    let known = subscribed(&proxy);
    for page in [&first, &second] {
        live_through_everything(&browser, page).await;
    }
    assert_eq!(subscribed(&proxy), known, "{:?}", proxy.asked());
    for page in [&first, &second] {
        page.show().await;
        page.until(STAYS_AWAY).await;
    }
    browser.close().await;
}

/// Freezes a page for a moment.
async fn freeze_and_thaw(page: &Page) {
    for state in [Lifecycle::Frozen, Lifecycle::Active] {
        page.driver().execute(SetWebLifecycleStateParams::new(state)).await.expect("another state");
    }
}

#[tokio::test]
async fn after_a_frozen_page_thaws_it_still_says_that_the_stream_said_stay_away() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let (_puppet, proxy, page) = closed_with(&browser, &site, 4_003).await;
    notice_says(&page, "reload the page to try again").await;
    let known = proxy.asked().len();
    freeze_and_thaw(&page).await;
    live_through_everything(&browser, &page).await;
    assert_eq!(proxy.asked().len(), known, "{:?}", proxy.asked());
    notice_says(&page, "the stream closed the connection (code 4003)").await;
    notice_says(&page, "reload the page to try again").await;
    browser.close().await;
}

/// It was so once: the lead is given away with the refusal in it, and who gets it asks the stream again.
#[tokio::test]
async fn when_the_tab_that_was_told_to_stay_away_freezes_the_next_one_does_not_ask_the_stream() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let (_puppet, proxy, first, second) = two_sent_away(&browser, &site).await;
    let known = proxy.asked().len();
    first.driver().execute(SetWebLifecycleStateParams::new(Lifecycle::Frozen)).await.expect("a frozen page");
    second.value::<bool>("new Promise((resolve) => setTimeout(() => resolve(true), 4000))").await;
    assert_eq!(proxy.asked().get(known..), Some([].as_slice()), "nobody has pressed anything");
    second.until(STAYS_AWAY).await;
    browser.close().await;
}

#[tokio::test]
async fn who_loads_one_of_two_tabs_again_is_let_in_and_the_other_is_sent_away_no_more() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let (puppet, _proxy, first, second) = two_sent_away(&browser, &site).await;
    // Not the one that was told so, which would try by itself.
    let url = second.value::<String>("location.href").await;
    let (mut believer, ()) = tokio::join!(puppet.believer(), second.go(&url));
    believer.greet().await;
    second.until_state("live").await;
    // A puppet answers no question for what was missed, so the other is not live; but it is not sent away any more.
    first.until(&format!("!({STAYS_AWAY})")).await;
    browser.close().await;
}

/// It was so once: a status is no plain word.
#[tokio::test]
async fn a_poll_that_finds_no_place_says_so_in_plain_words() {
    let stream = Stream::with_places(1).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    let _guest = seated(&stream).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(BY_POLLING).await;
    page.go(&proxy.url("/")).await;
    notice_says(&page, "polling brought nothing: the stream takes nobody for the moment").await;
    browser.close().await;
}
