//! A visit: live, told of events, read by keyboard, and nothing that the browser complains of.

use monkeytown_tests::{
    events::{flows, works},
    firefox::{Firefox, Page},
    script::quoted,
    stream::{Source, Stream},
};

/// Stops that the longest way round a page takes.
const STOPS_MAX: usize = 120;

/// Goes on by Tab until what `selector` finds has the focus.
async fn tab_to(page: &Page, selector: &str) {
    let reached = format!("document.activeElement?.matches({}) ?? false", quoted(selector));
    for _ in 0..STOPS_MAX {
        if page.value::<bool>(&reached).await {
            return;
        }
        page.press("Tab").await;
    }
    let focused: String = page.value("document.activeElement.outerHTML.slice(0, 200)").await;
    panic!("Tab never reaches {selector}; the focus is on {focused}");
}

#[tokio::test]
async fn in_firefox_a_visit_is_live_shows_who_works_and_is_read_by_keyboard_without_a_complaint() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map"), works("2", "bob", "holds the ladder")]).await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    page.until_card("bob", "holds the ladder").await;
    // What comes while it is open, a flow too.
    stream.publish(&[works("3", "cleo", "comes later"), flows("f", "ada", "bob")]).await;
    page.until_card("cleo", "comes later").await;
    page.until_attribute("terrarium", "data-flows-drawn", 1).await;
    page.until_attribute("connection", "data-offset", 3).await;
    page.until_attribute("connection", "data-holes", 0).await;
    let mut agents = page.agents().await;
    agents.sort();
    assert_eq!(agents, ["ada", "bob", "cleo"]);

    let opener = "[data-testid=agent-card][data-entity-id=ada] [data-p=name]";
    tab_to(&page, opener).await;
    page.press("Enter").await;
    page.until_seen("[data-testid=detail-panel]").await;
    page.until_attribute("detail-panel", "data-entity-id", "ada").await;
    page.until("document.querySelector('[data-testid=detail-panel]').innerText.includes('draws a map')").await;
    page.press("Escape").await;
    page.until_unseen("[data-testid=detail-panel]").await;
    page.until(&format!("document.activeElement.matches({})", quoted(opener))).await;
    // And by mouse.
    page.click(opener).await;
    page.until_seen("[data-testid=detail-panel]").await;
    page.until_attribute("detail-panel", "data-entity-id", "ada").await;
    page.complains_of_nothing().await;
    firefox.close().await;
}

#[tokio::test]
async fn whatever_goes_wrong_in_a_page_of_firefox_is_heard() {
    let stream = Stream::start(Source::Publishers).await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.complains_of_nothing().await;
    let provoke = "
        console.error('said aloud');
        document.head.append(Object.assign(document.createElement('script'), { textContent: 'window.ran = 1' }));
        document.head.append(Object.assign(document.createElement('script'), { src: '/assets/gone.js' }));
        Promise.reject(new RangeError('rejected'));
        new Promise((resolve) => {
            let left = 2;
            addEventListener('error', () => --left || resolve(true), true);
            setTimeout(() => { throw new TypeError('thrown'); });
        })";
    page.value::<bool>(provoke).await;
    let complaints = page.complaints().await;
    for (kind, words) in [
        ("console", "said aloud"),
        ("error", "thrown"),
        ("error", "gone.js"),
        ("rejection", "rejected"),
        ("security policy", "script-src"),
    ] {
        let found = complaints.iter().any(|complaint| complaint.starts_with(kind) && complaint.contains(words));
        assert!(found, "{kind} {words} is not among {complaints:#?}");
    }
    assert!(!page.value::<bool>("'ran' in window").await, "the policy lets an inline script run");
    firefox.close().await;
}
