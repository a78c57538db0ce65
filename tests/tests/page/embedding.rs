//! The terrarium in somebody else's page: who may frame it, what is left of the page there, and what can be done in it.

use chromiumoxide::cdp::js_protocol::runtime::EvaluateParams;
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
    events::{event, flows, works},
    proxy::Proxy,
    stream::{Source, Stream},
    wait::PATIENCE,
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// What is seen of the page: of all that changes or keeps something nothing may be.
const SEEN: &str =
    "['#terrarium', '#wordmark', '#connection', '#source', '#pulse', '#ghosts', '#foot', '#plot', '#to-palette',
    '#palette', '#keys', '#sheet', '#panel', '#toasts', '#notice', '#undo-bar', '.mend [data-p=ignore]']
    .filter((one) => document.querySelector(one)?.getClientRects().length)";
/// What this browser keeps of the page.
const KEPT: &str = "(async () => Object.keys(localStorage).length
    + ((await navigator.serviceWorker?.getRegistrations()) ?? []).length + (await caches.keys()).length)()";

/// What an expression comes to in the frame of a page.
async fn inside<T: DeserializeOwned>(page: &Page, expression: &str) -> T {
    let driver = page.driver();
    let main = driver.mainframe().await.expect("the browser answers");
    let begun = Instant::now();
    loop {
        let frames = driver.frames().await.expect("the browser answers");
        let frame = frames.into_iter().find(|frame| Some(frame) != main.as_ref());
        if let Some(frame) = frame
            && let Ok(Some(context)) = driver.frame_execution_context(frame).await
        {
            let asked = EvaluateParams::builder().expression(expression).context_id(context);
            let asked = asked.await_promise(true).return_by_value(true).build().expect("a whole question");
            if let Ok(answer) = driver.execute(asked).await {
                let value = answer.result.result.value.clone().unwrap_or_default();
                return serde_json::from_value(value.clone())
                    .unwrap_or_else(|why| panic!("{expression}: {value}: {why}"));
            }
        }
        assert!(begun.elapsed() < PATIENCE, "there is no frame in which {expression}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn until_inside(page: &Page, condition: &str) {
    let begun = Instant::now();
    while !inside::<bool>(page, &format!("Boolean({condition})")).await {
        let text: Value = inside(page, "document.body.innerText").await;
        assert!(begun.elapsed() < PATIENCE, "it does not come to hold that {condition}: {text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Another site's page with `frames` in it.
fn blog(site: &Proxy, frames: &str) {
    site.answer("/favicon.ico", "image/svg+xml", "<svg xmlns='http://www.w3.org/2000/svg'/>");
    site.answer("/blog", "text/html", &format!("<!doctype html><title>a blog</title>{frames}"));
}

#[tokio::test]
async fn in_the_page_of_a_site_that_may_it_is_the_terrarium_alone_and_nothing_pressed_changes_anything() {
    let elsewhere = Stream::start(Source::Publishers).await;
    let site = Proxy::before(elsewhere.address).await;
    let stream = Stream::framed_by(site.url("").trim_end_matches('/')).await;
    stream.publish(&[works("1", "ada", "weighs a stone"), works("2", "bob", "counts sheep")]).await;
    let browser = Browser::sized(800, 600).await;
    let page = browser.tab().await;
    page.before_everything("window.open = (...words) => { window.opened = words.map(String); };").await;
    // Without `?embed` too: no address makes more of it in a frame.
    for address in ["/?embed#filter=ada", "/#view=kept"] {
        blog(&site, &format!("<iframe width=600 height=400 src='{}'></iframe>", stream.url(address)));
        page.go(&site.url("/blog")).await;
        until_inside(&page, "document.querySelector('[data-entity-id=ada]')?.innerText.includes('weighs a stone')")
            .await;
        until_inside(&page, "document.getElementById('page').dataset.state === 'live'").await;
        assert_eq!(inside::<Vec<String>>(&page, SEEN).await, ["#terrarium", "#wordmark"], "{address}");
        let dim: i64 = inside(&page, "document.querySelectorAll('.agent[data-dim]').length").await;
        assert_eq!(dim, i64::from(address.contains("filter")), "{address}");
        // Whoever sends the browser's events to what cannot be seen, as a script or a key, changes nothing either.
        let press = "for (const one of document.querySelectorAll('button')) one.click();
            for (const key of ['/', '?', 'p', ' ', 'Escape'])
                document.body.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));";
        inside::<Value>(&page, &format!("{press} null")).await;
        let opened: Vec<String> = inside(&page, "window.opened").await;
        assert!(opened[0].starts_with(&stream.url("/#entity=")), "{opened:?}");
        assert_eq!(opened[1..], ["_blank", "noopener"]);
        stream.publish(&[works(address, "ada", "writes it down")]).await;
        until_inside(&page, "document.querySelector('[data-entity-id=ada]').innerText.includes('writes it down')")
            .await;
        assert_eq!(inside::<Vec<String>>(&page, SEEN).await, ["#terrarium", "#wordmark"], "{address}");
        assert_eq!(inside::<i64>(&page, KEPT).await, 0, "{address}");
        stream.publish(&[works(&format!("{address}/"), "ada", "weighs a stone")]).await;
    }
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn another_site_may_not_frame_it_with_embed_or_without() {
    let elsewhere = Stream::start(Source::Publishers).await;
    let site = Proxy::before(elsewhere.address).await;
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    for address in ["/?embed", "/", "/embed", "/index.html"] {
        blog(&site, &format!("<iframe src='{}'></iframe>", stream.url(address)));
        let page = browser.visit(&site.url("/blog")).await;
        let begun = Instant::now();
        loop {
            let complaints = page.heard().await.complaints;
            if complaints.iter().any(|said| said.contains("frame-ancestors")) {
                break;
            }
            assert!(begun.elapsed() < PATIENCE, "{address}: {complaints:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    assert!(reqwest::get(stream.url("/")).await.expect("an answer").status().is_success());
    browser.close().await;
}

#[tokio::test]
async fn by_embed_its_address_counts_its_wordmark_leads_to_the_whole_page_and_it_says_when_it_is_not_live() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "weighs a stone"), works("2", "bob", "counts sheep")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::sized(800, 600).await;
    let page = browser.visit(&proxy.url("/?embed#entity=ada&view=seeds")).await;
    page.until_state("live").await;
    page.until("document.querySelector('[data-entity-id=ada][data-selected]')").await;
    assert_eq!(page.value::<Vec<String>>(SEEN).await, ["#terrarium", "#wordmark"]);
    assert_eq!(page.value::<i64>("document.querySelectorAll('[inert]').length").await, 0);
    let link = "(({ href, target, rel }) => [href, target, rel])(document.getElementById('wordmark').closest('a'))";
    assert_eq!(
        page.value::<[String; 3]>(link).await,
        [&proxy.url("/#entity=ada&view=seeds"), "_blank", "noopener"].map(str::to_owned)
    );
    page.value::<Value>("location.hash = 'filter=bob'").await;
    page.until("document.querySelector('[data-entity-id=ada][data-dim]')").await;
    page.value::<Value>("document.getElementById('wordmark').closest('a').focus()").await;
    assert_eq!(page.value::<[String; 3]>(link).await[0], proxy.url("/#filter=bob"));
    assert_eq!(page.value::<i64>(KEPT).await, 0);
    page.complains_of_nothing().await;
    proxy.lose_the_stream();
    page.until_state("reconnecting").await;
    page.until("document.getElementById('connection').innerText.trim() === 'reconnecting'").await;
    assert_eq!(page.value::<Vec<String>>(SEEN).await, ["#terrarium", "#wordmark", "#connection"]);
    browser.close().await;
}

#[tokio::test]
async fn in_a_frame_whose_browser_keeps_nothing_it_works_and_says_nothing_of_it() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "weighs a stone")]).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let blocked = "for (const name of ['localStorage', 'caches', 'BroadcastChannel'])
        Object.defineProperty(window, name, { get() { throw new DOMException('blocked', 'SecurityError'); } });
        navigator.locks.request = () => Promise.reject(new DOMException('blocked', 'SecurityError'));";
    page.before_everything(blocked).await;
    page.go(&stream.url("/?embed")).await;
    page.until_state("live").await;
    page.until_card("ada", "weighs a stone").await;
    assert_eq!(page.value::<Vec<String>>(SEEN).await, ["#terrarium", "#wordmark"]);
    assert!(!page.value::<String>("document.body.innerText").await.contains("keeps nothing"));
    browser.close().await;
}

#[tokio::test]
async fn what_is_invented_is_said_and_so_is_the_past_and_axe_finds_nothing_at_any_size() {
    let stream = Stream::start(Source::Claimed(monkeytown_protocol::SourceKind::Simulated)).await;
    stream.publish(&[works("1", "ada", "weighs a stone"), works("2", "bob", "counts sheep")]).await;
    let broken = json!({"id": "eve", "kind": "agent", "label": "eve", "status": "error", "activity": "lays a stone",
        "reason": "out of stones"});
    stream.publish(&[event("3", "monkeytown.entity.created", &broken), flows("4", "ada", "bob")]).await;
    for (width, height) in [(320, 240), (480, 270), (640, 360), (1280, 720)] {
        let browser = Browser::sized(width, height).await;
        let page = browser.visit(&stream.url("/?embed")).await;
        page.until_state("live").await;
        page.until_card("ada", "weighs a stone").await;
        assert_eq!(page.value::<Vec<String>>(SEEN).await, ["#terrarium", "#wordmark", "#source"]);
        let found = axe::violations(&page).await;
        assert!(found.is_empty(), "{width}: {found:#?}");
        // Nothing of it lies outside, and the agents have most of the room.
        let fits: bool = page
            .value(
                "document.documentElement.scrollWidth <= innerWidth && document.documentElement.scrollHeight <= innerHeight
                    && document.getElementById('terrarium').clientHeight >= innerHeight - 44",
            )
            .await;
        assert!(fits, "{width}");
        page.value::<Value>("location.hash = 'at=earliest'").await;
        page.until("/^at \\d\\d/.test(document.querySelector('#travel .when').innerText)").await;
        assert_eq!(page.value::<Vec<String>>(SEEN).await, ["#terrarium", "#wordmark", "#source", "#foot"]);
        browser.close().await;
    }
}
