//! A visit: what the page asks of whom, what it keeps, where it listens, what it does when nobody looks.

use monkeytown_tests::{
    browser::{Browser, Page},
    events::{flows, works},
    proxy::Proxy,
    stream::{Source, Stream},
};
use serde_json::json;

#[tokio::test]
async fn a_normal_visit_talks_to_its_own_origin_alone_without_cookies_or_complaints() {
    let stream = Stream::start(Source::Simulator(50.0)).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until("Number(document.querySelector('[data-testid=connection]').dataset.received) > 100").await;
    let heard = page.heard().await;
    assert!(heard.complaints.is_empty(), "{:#?}", heard.complaints);
    let own = format!("//{}/", stream.address);
    assert!(heard.requests.iter().any(|url| url.starts_with("ws:")), "{:?}", heard.requests);
    assert!(heard.requests.iter().any(|url| url.ends_with(".wasm")), "{:?}", heard.requests);
    let foreign: Vec<_> =
        heard.requests.iter().filter(|url| !url.contains(&own) && !url.starts_with("data:")).collect();
    assert!(foreign.is_empty(), "{foreign:?}");
    assert_eq!(browser.cookies().await, [""; 0]);
    browser.close().await;
}

#[tokio::test]
async fn whatever_the_browser_complains_of_is_heard() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.complains_of_nothing().await;
    let provoke = "
        console.error('said aloud');
        document.head.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }));
        fetch('/assets/gone.css').then(() => new Promise((resolve) => {
            addEventListener('error', () => resolve(true));
            setTimeout(() => { throw new TypeError('thrown'); });
        }))";
    page.value::<bool>(provoke).await;
    let heard = page.heard().await.complaints;
    for (kind, words) in
        [("console", "said aloud"), ("exception", "thrown"), ("log", "404"), ("security policy", "script-src")]
    {
        let found = heard.iter().any(|complaint| complaint.starts_with(kind) && complaint.contains(words));
        assert!(found, "{kind} {words} is not among {heard:#?}");
    }
    assert!(!page.value::<bool>("'ran' in window").await, "the policy lets an inline script run");
    browser.close().await;
}

/// Counts what a page does that somebody would see, and notes the newest offset that its socket brought.
const WATCH: &str = "
    window.heard = -1;
    const Plain = window.WebSocket;
    window.WebSocket = class extends Plain {
        constructor(...given) {
            super(...given);
            this.addEventListener('message', ({ data }) => {
                window.heard = Math.max(window.heard, JSON.parse(data).last ?? -1);
                window.dispatchEvent(new Event('heard'));
            });
        }
    };
    window.drawn = 0;
    const context = CanvasRenderingContext2D.prototype;
    for (const name of ['clearRect', 'fill', 'stroke', 'fillRect']) {
        const draw = context[name];
        context[name] = function (...given) { window.drawn += 1; return draw.apply(this, given); };
    }
";

#[tokio::test]
async fn a_hidden_tab_goes_on_applying_events_and_draws_nothing() {
    let stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    stream.publish(&[works("a", "ada", "sends"), works("b", "bob", "receives"), flows("f", "ada", "bob")]).await;
    page.until_attribute("terrarium", "data-flows-drawn", 1).await;
    let epoch = stream.log.epoch().to_string();

    let other = browser.tab().await;
    other.show().await;
    hidden(&page, true).await;
    let before = drawn(&page).await;
    assert!(before > 0, "what it drew while it was seen was counted");
    let events: Vec<_> =
        (0..500).map(|number| works(&format!("hidden-{number}"), "ada", &format!("sends {number}"))).collect();
    let last = stream.accepted() + 499;
    stream.publish(&events).await;
    let heard: u64 = page
        .value(&format!(
            "new Promise((resolve) => {{
                const look = () => window.heard >= {last} && resolve(window.heard);
                window.addEventListener('heard', look);
                look();
            }})"
        ))
        .await;
    assert_eq!(heard, last);
    // Where it resumes says what it has applied.
    let known = proxy.asked().len();
    proxy.cut();
    let resumed = proxy.until_asked(known, |path| path.starts_with("/ws")).await;
    assert_eq!(resumed, format!("/ws?after={epoch}:{last}"));
    hidden(&page, true).await;
    assert_eq!(drawn(&page).await, before, "it draws though nobody sees it");

    page.show().await;
    hidden(&page, false).await;
    page.until_attribute("connection", "data-received", 503).await;
    page.until_card("ada", "sends 499").await;
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}

async fn hidden(page: &Page, hidden: bool) {
    let script = format!(
        "new Promise((resolve) => {{
            const look = () => document.hidden === {hidden} && resolve(true);
            document.addEventListener('visibilitychange', look);
            look();
        }})"
    );
    let changed = monkeytown_tests::wait::soon("a change of visibility", page.value::<bool>(&script)).await;
    assert!(changed);
}

async fn drawn(page: &Page) -> u64 {
    page.value("window.drawn").await
}

#[tokio::test]
async fn where_nothing_can_be_stored_the_page_works_and_says_that_nothing_is_kept() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(
        "Object.defineProperty(window, 'localStorage', {
            get() { throw new DOMException('blocked', 'SecurityError'); },
        });",
    )
    .await;
    page.go(&stream.url("/")).await;
    page.until_state("live").await;
    stream.publish(&[works("1", "ada", "leaves no trace")]).await;
    page.until_card("ada", "leaves no trace").await;
    page.until("document.querySelector('.notice:not([hidden])').innerText.includes('keeps nothing')").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_configuration_that_a_host_rewrote_as_a_page_counts_as_absent() {
    let stream = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.answer("/config.json", "text/html", "<!doctype html><title>not found</title>");
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    stream.publish(&[works("1", "ada", "is here")]).await;
    page.until_card("ada", "is here").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_configuration_names_the_page_and_its_stream() {
    let site = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(site.address).await;
    let origin = proxy.url("");
    let stream = Stream::on("127.0.0.1:0", Source::Publishers, &[&origin]).await;
    stream.publish(&[works("1", "ada", "is elsewhere")]).await;
    let config = json!({"streams": [format!("ws://{}", stream.address)], "app_name": "the guild"});
    proxy.answer("/config.json", "application/json", &config.to_string());
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "is elsewhere").await;
    page.until("document.querySelector('h1').textContent.includes('the guild')").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn the_address_bar_chooses_another_stream_and_the_page_says_so() {
    let here = Stream::start(Source::Publishers).await;
    let there = Stream::on("127.0.0.1:0", Source::Publishers, &[&here.url("")]).await;
    here.publish(&[works("1", "ada", "is here")]).await;
    there.publish(&[works("1", "bob", "is there")]).await;
    let browser = Browser::start().await;
    let page = browser.visit(&format!("{}?stream=ws://{}", here.url("/"), there.address)).await;
    page.until_state("live").await;
    page.until_card("bob", "is there").await;
    assert_eq!(page.agents().await, ["bob"]);
    let said: String = page.value("document.querySelector('[data-testid=source-badge]').innerText").await;
    assert!(said.to_lowercase().contains("by address"), "{said}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn an_address_that_is_no_stream_is_said_and_the_pages_own_is_used() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&format!("{}?stream=javascript:alert(1)", stream.url("/"))).await;
    page.until_state("live").await;
    page.until("document.querySelector('.notice:not([hidden])').innerText.includes('is no address of a stream')").await;
    page.complains_of_nothing().await;
    browser.close().await;
}
