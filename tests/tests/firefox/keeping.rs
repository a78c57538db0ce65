//! What Firefox keeps for the next visit, and what the page says where it keeps nothing or has no room.

use monkeytown_tests::{
    events::works,
    firefox::{Firefox, Page},
    proxy::{Fault, Proxy},
    storage::{EMPTY, LAST_KNOWN, USED_UNITS, fill},
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::Value;

/// What Firefox keeps for an origin: 5 MB, and it counts UTF-16 units.
const QUOTA_UNITS: u64 = 5_242_880;

/// The page has shown all that was said so far, and has kept it or tried to, as it does when nobody looks any more.
async fn look_away_and_back(firefox: &Firefox, page: &Page) {
    let away = firefox.tab().await;
    soon(
        "a look away",
        page.value::<bool>(
            "new Promise((resolve) => {
            const look = () => document.hidden && resolve(true);
            document.addEventListener('visibilitychange', look);
            look();
        })",
        ),
    )
    .await;
    away.close().await;
    page.show().await;
}

async fn kept(page: &Page) -> String {
    page.value::<Option<String>>(LAST_KNOWN).await.unwrap_or_default()
}

async fn until_kept(page: &Page, words: &str) {
    soon("a record", async { while !kept(page).await.contains(words) {} }).await;
}

/// A page that nothing can be kept for works, and says so.
async fn nothing_is_kept_and_said(preference: (&str, Value)) {
    let stream = Stream::start(Source::Publishers).await;
    let firefox = Firefox::preferring(&[preference]).await;
    let page = firefox.visit(&stream.url("/")).await;
    page.until_state("live").await;
    stream.publish(&[works("1", "ada", "leaves no trace")]).await;
    page.until_card("ada", "leaves no trace").await;
    look_away_and_back(&firefox, &page).await;
    page.until_notice("this browser keeps nothing for this page").await;
    // All else works.
    stream.publish(&[works("2", "ada", "goes on")]).await;
    page.until_card("ada", "goes on").await;
    page.click("[data-testid=agent-card][data-entity-id=ada] [data-p=name]").await;
    page.until_attribute("detail-panel", "data-entity-id", "ada").await;
    page.press("Escape").await;
    page.until_state("live").await;
    page.until_attribute("connection", "data-holes", 0).await;
    page.makes_no_mistake().await;
    page.reload().await;
    page.until_state("live").await;
    page.until_card("ada", "goes on").await;
    firefox.close().await;
}

#[tokio::test]
async fn where_firefox_has_no_storage_the_page_works_and_says_that_nothing_is_kept() {
    nothing_is_kept_and_said(("dom.storage.enabled", Value::from(false))).await;
}

#[tokio::test]
async fn where_firefox_forbids_storage_the_page_works_and_says_that_nothing_is_kept() {
    // It refuses all cookies, and with them all that is kept: to ask is an error.
    nothing_is_kept_and_said(("network.cookie.cookieBehavior", Value::from(2))).await;
}

#[tokio::test]
async fn a_storage_that_another_script_filled_before_the_page_opened_keeps_the_old_whole_and_the_page_says_so() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&proxy.url("/")).await;
    page.until_card("ada", "draws a map").await;
    look_away_and_back(&firefox, &page).await;
    until_kept(&page, "draws a map").await;
    page.go(&proxy.url("/404.html")).await;
    let old = kept(&page).await;
    let full: u64 = page.value(&fill(0)).await;
    assert_eq!(full, QUOTA_UNITS);
    assert_eq!(page.value::<u64>(&fill(0)).await, full, "the last unit is taken");

    stream.publish(&[works("2", "ada", &"goes a long way home ".repeat(10))]).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "goes a long way home").await;
    look_away_and_back(&firefox, &page).await;
    page.until_notice("this browser's storage is full: what is shown now is not kept").await;
    assert_eq!(kept(&page).await, old, "the old value is whole");
    assert_eq!(page.value::<u64>(USED_UNITS).await, full);
    page.complains_of_nothing().await;

    // Without a stream the next visit shows the old, and says from when it is.
    proxy.lose_the_stream();
    page.reload().await;
    page.until_state("snapshot").await;
    page.until_card("ada", "draws a map").await;
    page.until_notice("this is what this browser knew").await;
    firefox.close().await;
}

#[tokio::test]
async fn a_storage_that_another_script_fills_while_the_page_is_open_keeps_the_old_whole_until_there_is_room() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&proxy.url("/")).await;
    page.until_card("ada", "draws a map").await;
    page.until_state("live").await;
    look_away_and_back(&firefox, &page).await;
    until_kept(&page, "draws a map").await;

    let other = firefox.visit(&proxy.url("/404.html")).await;
    until_kept(&other, "draws a map").await;
    let full: u64 = other.value(&fill(0)).await;
    let old = kept(&other).await;
    page.show().await;
    stream.publish(&[works("2", "bob", &"holds the ladder ".repeat(10))]).await;
    page.until_card("bob", "holds the ladder").await;
    look_away_and_back(&firefox, &page).await;
    page.until_notice("this browser's storage is full: what is shown now is not kept").await;
    assert_eq!(kept(&page).await, old, "the old value is whole");
    assert_eq!(other.value::<u64>(USED_UNITS).await, full);

    // A few units are not enough, all of it is.
    other.value::<u64>(&fill(10)).await;
    stream.publish(&[works("3", "cleo", &"comes later ".repeat(10))]).await;
    page.until_card("cleo", "comes later").await;
    look_away_and_back(&firefox, &page).await;
    assert_eq!(kept(&page).await, old);
    other.value::<bool>(EMPTY).await;
    stream.publish(&[works("4", "dan", "comes last")]).await;
    page.until_card("dan", "comes last").await;
    look_away_and_back(&firefox, &page).await;
    until_kept(&page, "comes last").await;
    page.complains_of_nothing().await;
    firefox.close().await;
}

#[tokio::test]
async fn what_firefox_kept_is_shown_while_the_stream_is_away_on_a_reload_and_in_a_browser_opened_again() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&proxy.url("/")).await;
    page.until_card("ada", "draws a map").await;
    look_away_and_back(&firefox, &page).await;
    until_kept(&page, "draws a map").await;
    proxy.lose_the_stream();
    page.reload().await;
    page.until_state("snapshot").await;
    page.until_card("ada", "draws a map").await;
    page.until_notice("this is what this browser knew").await;
    page.makes_no_mistake().await;

    let firefox = Firefox::again(firefox.close().await).await;
    let page = firefox.visit(&proxy.url("/")).await;
    page.until_state("snapshot").await;
    page.until_card("ada", "draws a map").await;
    firefox.close().await;
}

#[tokio::test]
async fn a_firefox_that_is_killed_as_it_keeps_opens_again_on_all_of_it_or_on_nothing_and_goes_on() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let proxy = Proxy::before(stream.address).await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&proxy.url("/")).await;
    page.until_card("ada", "draws a map").await;
    look_away_and_back(&firefox, &page).await;
    until_kept(&page, "draws a map").await;
    let old = kept(&page).await;

    let firefox = Firefox::again(firefox.kill()).await;
    let page = firefox.visit(&proxy.url("/404.html")).await;
    // It writes to its disk a few seconds later, so that it may be lost; half of it would be no answer.
    let left = kept(&page).await;
    assert!(left.is_empty() || left == old, "{left}");
    proxy.lose_the_stream();
    page.go(&proxy.url("/")).await;
    if left.is_empty() {
        page.until_notice("nothing is known yet; still trying").await;
    } else {
        page.until_card("ada", "draws a map").await;
    }
    proxy.set_all(Fault::None);
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    page.makes_no_mistake().await;
    firefox.close().await;
}
