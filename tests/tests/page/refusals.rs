//! A stream that refuses the page, and one that has been emptied: the field and the notice say which, and neither says
//! what it does not know.

use crate::witness::until_said;
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::Proxy,
    puppet::Puppet,
    stream::{Source, Stream},
};
use serde_json::json;

async fn notice_says(page: &Page, words: &str) {
    page.until(&format!("document.querySelector('#notice:not([hidden])').innerText.includes({})", json!(words))).await;
}

/// Whether the field says that nobody is there: only a stream that answers can know.
async fn says_that_nobody_is_there(page: &Page) -> bool {
    page.value("document.querySelector('#silence').innerText.includes('no agent has been seen')").await
}

#[tokio::test]
async fn a_stream_elsewhere_that_allows_no_page_of_this_origin_is_out_of_reach_and_named() {
    let here = Stream::start(Source::Publishers).await;
    let elsewhere = Stream::start(Source::Publishers).await;
    elsewhere.publish(&[works("1", "ada", "is not for everybody")]).await;
    let proxy = Proxy::before(here.address).await;
    let config = json!({"streams": [format!("ws://{}", elsewhere.address)]});
    proxy.answer("/config.json", "application/json", &config.to_string());
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_state("reconnecting").await;
    notice_says(&page, &format!("the stream is out of reach at http://{}", elsewhere.address)).await;
    notice_says(&page, "nothing is known yet; still trying").await;
    until_said(&page, "#silence", "waiting for the stream").await;
    assert!(!says_that_nobody_is_there(&page).await);
    assert_eq!(page.agents().await, [""; 0]);
    assert_eq!(page.attribute("system-pulse", "data-health").await, "disconnected");
    browser.close().await;
}

#[tokio::test]
async fn who_is_told_to_stay_away_finds_that_in_the_field_and_in_the_notice() {
    let site = Stream::start(Source::Publishers).await;
    let puppet = Puppet::start().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let address = format!("{}?stream={}", site.url("/"), puppet.url());
    let (believer, ()) = tokio::join!(puppet.believer(), page.go(&address));
    believer.close(4_001).await;
    notice_says(&page, "nothing is known yet; reload the page to try again").await;
    until_said(&page, "#silence", "no stream is heard").await;
    assert!(!says_that_nobody_is_there(&page).await);
    browser.close().await;
}

#[tokio::test]
async fn a_stream_that_was_emptied_leaves_nobody_in_the_field_and_the_loss_is_said() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map"), works("2", "bob", "holds the ladder")]).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_card("ada", "draws a map").await;

    let emptied = Stream::start(Source::Publishers).await;
    proxy.lead_to(emptied.address);
    stream.end().await;
    notice_says(&page, "the stream could not continue where this page stood").await;
    until_said(&page, "#silence", "no agent has been seen").await;
    until_said(&page, "#silence", "watching. the first event brings one").await;
    page.until("document.querySelectorAll('[data-testid=agent-card]').length === 0").await;
    page.until_state("live").await;
    page.until_attribute("connection", "data-offset", -1).await;
    assert_eq!(page.attribute("terrarium", "data-entities").await, "0");

    emptied.publish(&[works("1", "cleo", "begins anew")]).await;
    page.until_card("cleo", "begins anew").await;
    assert_eq!(page.agents().await, ["cleo"]);
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}
