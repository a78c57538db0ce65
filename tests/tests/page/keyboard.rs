//! Everything that the page offers, by keyboard alone: reached by Tab, opened, read, closed, and the focus comes back.

use crate::{
    offline::another_version,
    witness::{
        flow, focused, is_focused, settled, stream_of, text, texts, turns, until_caught_up, until_said, until_seen,
        until_settled, until_unseen, visit, write,
    },
};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::Proxy,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::{Value, json};

/// Stops that the longest way round a page takes.
const STOPS_MAX: usize = 120;

/// Goes on by Tab until what `selector` finds has the focus; from the top of the page where that is further up.
pub(crate) async fn tab_to(page: &Page, selector: &str) {
    let reached = format!("document.activeElement?.matches({})", json!(selector));
    for _ in 0..STOPS_MAX {
        if page.value::<bool>(&reached).await {
            return;
        }
        page.press("Tab").await;
    }
    panic!("Tab never reaches {selector}; the focus is on {}", focused(page).await);
}

/// Whether the browser draws something around what has the focus.
async fn shows_its_focus(page: &Page) -> bool {
    page.value(
        "(() => {
            const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
            return document.activeElement.matches(':focus-visible') && outlineStyle !== 'none' && outlineWidth !== '0px';
        })()",
    )
    .await
}

pub(crate) async fn has_focus(page: &Page, selector: &str) {
    assert!(is_focused(page, selector).await, "the focus is on {}", focused(page).await);
}

#[tokio::test]
async fn the_proof_of_the_connection_is_reached_opened_read_and_left_by_keyboard() {
    let (stream, browser, page) = visit(&[turns("1", "ada", "active", "draws a map")]).await;
    until_caught_up(&page, &stream).await;
    page.until_state("live").await;
    for open in ["Enter", " "] {
        tab_to(&page, "#connection").await;
        assert!(shows_its_focus(&page).await);
        page.press(open).await;
        until_seen(&page, "#proof").await;
        page.until("document.querySelector('#connection').ariaExpanded === 'true'").await;
        let of: String = page.value("document.querySelector('#connection').getAttribute('aria-controls') ?? ''").await;
        assert_eq!(of, "proof", "what it opens is named");
        until_said(&page, "#proof", "every event since this page opened was applied once, in order").await;
        page.press("Escape").await;
        until_unseen(&page, "#proof").await;
        has_focus(&page, "#connection").await;
    }
    // From within: what is in it is no trap.
    page.press("Enter").await;
    until_seen(&page, "#proof").await;
    tab_to(&page, "#pause").await;
    page.press("Escape").await;
    until_unseen(&page, "#proof").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_new_version_that_is_offered_is_taken_by_keyboard() {
    let old = Stream::start(Source::Publishers).await;
    let proxy = Proxy::before(old.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("live").await;
    soon("the page is kept", page.value::<bool>("navigator.serviceWorker.ready.then(() => true)")).await;
    page.reload().await;
    page.until_state("live").await;
    let folder = tempfile::tempdir().expect("a folder");
    let after = another_version(folder.path());
    let new = Stream::with_page(folder.path()).await;
    new.publish(&[works("1", "ada", "draws a map")]).await;
    proxy.lead_to(new.address);
    old.end().await;
    page.until_card("ada", "draws a map").await;
    page.value::<bool>(
        "(() => {
            const now = Date.now;
            Date.now = () => now() + 3_600_000;
            document.dispatchEvent(new Event('visibilitychange'));
            return true;
        })()",
    )
    .await;
    until_seen(&page, "#renewal").await;
    let role: String = page.value("document.querySelector('#renewal').getAttribute('role')").await;
    assert_eq!(role, "status", "it is told to those who listen");
    tab_to(&page, "#renewal button").await;
    assert!(shows_its_focus(&page).await);
    page.press("Enter").await;
    page.until(&format!("document.documentElement.dataset.version === '{after}'")).await;
    page.until_card("ada", "draws a map").await;
    browser.close().await;
}

#[tokio::test]
async fn a_bundle_is_reached_opened_read_and_closed_by_keyboard() {
    let mut events = vec![turns("1", "ada", "active", "sends"), turns("1", "bob", "active", "receives")];
    events.extend((0..70).map(|at| flow(&format!("flow-{at}"), "ada", "bob")));
    let (_stream, browser, page) = visit(&events).await;
    page.until_attribute("terrarium", "data-flows-hidden", 20).await;
    until_seen(&page, "#bundles button").await;
    until_settled(&page).await;
    tab_to(&page, "#bundles button").await;
    assert!(shows_its_focus(&page).await);
    page.press("Enter").await;
    until_seen(&page, "#flows[data-open]").await;
    page.until("document.activeElement.ariaExpanded === 'true'").await;
    page.until("document.querySelectorAll('#flow-list [data-flow-id]').length === 70").await;
    // The list is a stop, so that whoever has no mouse can scroll it.
    tab_to(&page, "#flows").await;
    let before: f64 = page.value("document.activeElement.scrollTop").await;
    page.press("End").await;
    page.until_script(&format!("document.activeElement.scrollTop > {before}")).await;
    page.press("Escape").await;
    page.until("!document.querySelector('#flows').hasAttribute('data-open')").await;
    page.until("document.querySelector('#bundles button').ariaExpanded === 'false'").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

async fn labels(page: &Page) -> Vec<String> {
    texts(page, "[data-testid=ghost-item] [data-p=label]").await
}

#[tokio::test]
async fn what_settled_is_put_away_brought_back_and_searched_by_keyboard() {
    let mut events = vec![turns("1", "ada", "active", "lays stones")];
    let stones = ["granite", "marble", "slate"];
    events.extend(stones.iter().map(|stone| settled(&format!("commit:{stone}"), "ada", &format!("lay {stone}"))));
    let (_stream, browser, page) = visit(&events).await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 3").await;
    let marble = "[data-testid=ghost-item][data-entity-id='commit:marble'] [data-p=dismiss]";
    tab_to(&page, marble).await;
    assert!(shows_its_focus(&page).await);
    let name: String = page.value("document.activeElement.ariaLabel ?? document.activeElement.textContent").await;
    assert!(name.contains("lay marble"), "a button of many says which it is: {name}");
    page.press("Enter").await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 2").await;
    assert_eq!(labels(&page).await, ["lay slate", "lay granite"]);
    until_said(&page, "#restore", "restore 1").await;
    tab_to(&page, "#restore").await;
    page.press("Enter").await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 3").await;
    until_unseen(&page, "#restore").await;

    page.press("f").await;
    has_focus(&page, "#search").await;
    write(&page, "granite").await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 1").await;
    assert_eq!(text(&page, "#kept").await, "1 of 3 match");
    page.press("Escape").await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 3").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn the_page_is_paused_and_followed_again_by_keyboard() {
    let stream = stream_of(&[turns("1", "ada", "active", "draws a map")]).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    for (key, pressed, name) in [("Enter", "true", "follow"), (" ", "false", "pause"), (" ", "true", "follow")] {
        tab_to(&page, "#pause").await;
        assert!(shows_its_focus(&page).await);
        page.press(key).await;
        page.until(&format!("document.querySelector('#pause').ariaPressed === '{pressed}'")).await;
        has_focus(&page, "#pause").await;
        assert_eq!(page.value::<String>("document.activeElement.ariaLabel").await, name);
    }
    browser.close().await;
}

#[tokio::test]
async fn an_agent_is_looked_at_and_what_broke_is_put_aside_by_keyboard() {
    let events: Vec<Value> =
        vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "error", "carries stones")];
    let (_stream, browser, page) = visit(&events).await;
    page.until_card("bob", "broken").await;
    until_settled(&page).await;
    let button = |name: &str| format!("[data-testid=agent-card][data-entity-id=bob] [data-p={name}]");
    tab_to(&page, &button("inspect")).await;
    page.press("Enter").await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    until_said(&page, "#panel-name", "bob").await;
    page.press("Escape").await;
    until_unseen(&page, "[data-testid=detail-panel]").await;
    has_focus(&page, &button("inspect")).await;
    tab_to(&page, &button("ignore")).await;
    page.press("Enter").await;
    until_unseen(&page, &button("ignore")).await;
    until_said(&page, "[data-testid=agent-card][data-entity-id=bob]", "broken").await;
    browser.close().await;
}

/// Whether nobody has the focus, once the browser has taken it from what is gone.
async fn is_lost(page: &Page) -> bool {
    const LATER: &str =
        "new Promise((resolve) => setTimeout(() => resolve(document.activeElement === document.body), 300))";
    page.value(LATER).await
}

/// It was so once: the button that had the focus is hidden, and nobody has it then.
#[tokio::test]
async fn whoever_brings_ghosts_back_by_keyboard_is_not_at_the_top_of_the_page_again() {
    let mut events = vec![turns("1", "ada", "active", "lays stones")];
    events.extend((0..3).map(|at| settled(&format!("commit:{at}"), "ada", &format!("lay {at}"))));
    let (_stream, browser, page) = visit(&events).await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 3").await;
    tab_to(&page, "[data-testid=ghost-item] [data-p=dismiss]").await;
    page.press("Enter").await;
    until_said(&page, "#restore", "restore 1").await;
    tab_to(&page, "#restore").await;
    page.press("Enter").await;
    until_unseen(&page, "#restore").await;
    assert!(!is_lost(&page).await);
    browser.close().await;
}

/// It was so once: of a list that has no button left the focus goes to nobody.
#[tokio::test]
async fn whoever_puts_the_last_ghost_away_by_keyboard_is_not_at_the_top_of_the_page_again() {
    let events = [turns("1", "ada", "active", "lays stones"), settled("commit:1", "ada", "lay a stone")];
    let (_stream, browser, page) = visit(&events).await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 1").await;
    tab_to(&page, "[data-testid=ghost-item] [data-p=dismiss]").await;
    page.press("Enter").await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 0").await;
    assert!(!is_lost(&page).await);
    browser.close().await;
}

/// It was so once: the buttons are hidden, and nobody has the focus then.
#[tokio::test]
async fn whoever_puts_a_break_aside_by_keyboard_is_not_at_the_top_of_the_page_again() {
    let events = [turns("1", "ada", "active", "draws a map"), turns("1", "bob", "error", "carries stones")];
    let (_stream, browser, page) = visit(&events).await;
    page.until_card("bob", "broken").await;
    until_settled(&page).await;
    let button = "[data-testid=agent-card][data-entity-id=bob] [data-p=ignore]";
    tab_to(&page, button).await;
    page.press("Enter").await;
    until_unseen(&page, button).await;
    assert!(!is_lost(&page).await);
    browser.close().await;
}
