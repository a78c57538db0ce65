//! What the page can prove of its connection: counts, cursor and latency, for whoever asks; and what it says when
//! something is only in a summary.

use crate::witness::{click, is_focused, until_seen, until_unseen};
use monkeytown_tests::{
    axe,
    browser::Browser,
    events::works,
    puppet::Puppet,
    stream::{Source, Stream},
};
use serde_json::json;

#[tokio::test]
async fn the_proof_opens_on_the_connection_by_mouse_and_by_key_and_says_what_was_received() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    stream.publish(&(0..12).map(|n| works(&n.to_string(), "ada", &format!("does {n}"))).collect::<Vec<_>>()).await;
    page.until_attribute("connection", "data-received", 12).await;
    until_unseen(&page, "#proof").await;
    click(&page, "#connection").await;
    until_seen(&page, "#proof").await;
    page.until("document.querySelector('#connection').ariaExpanded === 'true'").await;
    let epoch = stream.log.epoch().to_string();
    for (part, words) in [
        ("stream", stream.url("")),
        ("epoch", epoch),
        ("offset", "11".to_owned()),
        ("received", "12".to_owned()),
        ("duplicates", "0".to_owned()),
        ("holes", "0".to_owned()),
        ("verdict", "every event since this page opened was applied once, in order".to_owned()),
    ] {
        page.until(&format!("document.querySelector('#proof [data-p={part}]').textContent === {}", json!(words))).await;
    }
    page.until("/^about \\d+ ms$/.test(document.querySelector('#proof [data-p=behind]').textContent)").await;
    page.until("/ago$|^now$/.test(document.querySelector('#proof [data-p=heartbeat]').textContent)").await;
    page.until("/^\\d+ ms behind$/.test(document.querySelector('#connection [data-p=detail]').textContent)").await;
    let violations = axe::violations(&page).await;
    assert!(violations.is_empty(), "{violations:#?}");
    page.press("Escape").await;
    until_unseen(&page, "#proof").await;
    assert!(is_focused(&page, "#connection").await);
    page.press("Enter").await;
    until_seen(&page, "#proof").await;
    page.press("Enter").await;
    until_unseen(&page, "#proof").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn who_was_away_too_long_hears_how_many_events_are_only_in_the_summary() {
    let site = Stream::start(Source::Publishers).await;
    let puppet = Puppet::start().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let url = format!("{}?stream={}", site.url("/"), puppet.url());
    let (mut believer, ()) = tokio::join!(puppet.believer(), page.go(&url));
    believer.greet().await;
    believer.tell(0, &[works("1", "ada", "draws a map")]).await;
    page.until_card("ada", "draws a map").await;
    drop(believer);
    let mut later = puppet.believer().await;
    let now = "2026-01-18T12:00:00.000Z";
    let hello = json!({
        "kind": "hello", "epoch": "puppet", "head": 12_408, "from": "puppet:12408", "recovered": false,
        "snapshot": {"epoch": "puppet", "offset": 12_408, "state": {}}, "heartbeat_ms": 25_000, "server_time": now,
        "clock": now, "clock_rate": 1, "version": "0.1.0", "source_kind": "live",
    });
    later.say(&hello.to_string()).await;
    later.say(&json!({"kind": "caught_up", "offset": 12_408}).to_string()).await;
    let said = "you were away too long: 12,408 events are only in the summary";
    page.until(&format!("document.querySelector('.notice:not([hidden])').innerText.includes({})", json!(said))).await;
    page.until_attribute("connection", "data-offset", 12_408).await;
    assert_eq!(page.count("data-holes").await, 0, "the snapshot covers them");
    page.until("document.querySelector('#connection [data-p=detail]').textContent === 'not all was told'").await;
    browser.close().await;
}

/// Holds back every animation frame and what is done every second while `window.stalled`: a page whose device is busy.
const STALL: &str = "
    const every = window.setInterval.bind(window);
    window.setInterval = (run, millis) => every(() => window.stalled || run(), millis);
    const frame = window.requestAnimationFrame.bind(window);
    const held = [];
    window.requestAnimationFrame = (run) => window.stalled ? held.push(run) : frame(run);
    window.goOn = () => { window.stalled = false; held.splice(0).forEach((run) => frame(run)); return true; };
";

#[tokio::test]
async fn a_page_that_cannot_keep_up_drops_to_a_snapshot_and_says_so() {
    let site = Stream::start(Source::Publishers).await;
    let puppet = Puppet::start().await;
    let proxy = monkeytown_tests::proxy::Proxy::before(puppet.address()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(STALL).await;
    let url = format!("{}?stream={}", site.url("/"), proxy.url("").replacen("http", "ws", 1));
    let (mut believer, ()) = tokio::join!(puppet.believer(), page.go(&url));
    believer.greet().await;
    believer.tell(0, &[works("1", "ada", "draws a map")]).await;
    page.until_card("ada", "draws a map").await;
    page.value::<bool>("window.stalled = true").await;
    let known = proxy.asked().len();
    let heartbeat = json!({"kind": "heartbeat", "head": 0, "server_time": "2026-01-18T12:00:00.000Z"}).to_string();
    let telling = tokio::spawn(async move {
        // The page stops to listen before all of it is said.
        for _ in 0..20_100 {
            if !believer.try_say(&heartbeat).await {
                return;
            }
        }
    });
    let (path, mut later) = tokio::join!(
        proxy.until_asked(known, |path| path.starts_with("/?") || path.contains("after=")),
        puppet.believer()
    );
    assert!(path.ends_with("after=puppet:0&snapshot=1"), "{path}");
    telling.await.expect("the puppet");
    page.value::<bool>("window.goOn()").await;
    let now = "2026-01-18T12:00:00.000Z";
    let hello = json!({
        "kind": "hello", "epoch": "puppet", "head": 30_000, "from": "puppet:30000", "recovered": false,
        "snapshot": {"epoch": "puppet", "offset": 30_000, "state": {}}, "heartbeat_ms": 25_000, "server_time": now,
        "clock": now, "clock_rate": 1, "version": "0.1.0", "source_kind": "live",
    });
    later.say(&hello.to_string()).await;
    later.tell(30_001, &[works("2", "bob", "goes on")]).await;
    page.until_card("bob", "goes on").await;
    let said = "this page fell behind: 30,000 events are only in the summary";
    page.until(&format!("document.querySelector('.notice:not([hidden])').innerText.includes({})", json!(said))).await;
    browser.close().await;
}
