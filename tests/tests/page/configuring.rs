//! `config.json`: what of it cannot be used is said on the page and in the console, and the page works without it.

use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy},
    stream::{Source, Stream},
};
use serde_json::json;

/// Notes what the console is warned of.
const WATCH: &str = "
    window.warned = [];
    const { warn } = console;
    console.warn = (...words) => { window.warned.push(words.join(' ')); warn.apply(console, words); };
";

/// A page before a stream that says `body` is its configuration.
async fn configured(body: &str) -> (Stream, Proxy, Browser, Page) {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "is here all the same")]).await;
    let proxy = Proxy::before(stream.address).await;
    proxy.answer("/config.json", "application/json", body);
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    (stream, proxy, browser, page)
}

async fn notice_says(page: &Page, words: &str) {
    page.until(&format!("document.querySelector('#notice:not([hidden])').innerText.includes({})", json!(words))).await;
}

async fn warned(page: &Page) -> Vec<String> {
    page.value("window.warned").await
}

#[tokio::test]
async fn a_configuration_with_a_wrong_field_is_told_by_its_name_and_the_page_works_without_it() {
    let (_stream, proxy, browser, page) = configured(r#"{"streams": "wss://stream.example", "app_name": "x"}"#).await;
    let said = "config.json is not used: `streams` is no list of addresses";
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "is here all the same").await;
    notice_says(&page, said).await;
    assert_eq!(warned(&page).await, [said]);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_broken_configuration_is_told_even_while_no_stream_is_in_reach() {
    let (_stream, proxy, browser, page) = configured("{\"streams\": [\"wss://stream.example\"]").await;
    let said = "config.json is not used: it is no JSON";
    proxy.set_all(Fault::Forbidden);
    page.go(&proxy.url("/")).await;
    page.until_state("reconnecting").await;
    notice_says(&page, "the stream is out of reach").await;
    notice_says(&page, said).await;
    assert_eq!(warned(&page).await, [said]);
    proxy.set_all(Fault::None);
    page.until_card("ada", "is here all the same").await;
    browser.close().await;
}

#[tokio::test]
async fn an_address_that_is_none_is_told_and_the_others_are_used() {
    let (stream, proxy, browser, page) = configured("").await;
    let elsewhere = Stream::on("127.0.0.1:0", Source::Publishers, &[&proxy.url("")]).await;
    elsewhere.publish(&[works("1", "bob", "is elsewhere")]).await;
    let config = json!({"streams": ["stream.example.org", format!("ws://{}", elsewhere.address)]});
    proxy.answer("/config.json", "application/json", &config.to_string());
    page.go(&proxy.url("/")).await;
    page.until_card("bob", "is elsewhere").await;
    let said = "`streams` in config.json: \"stream.example.org\" is no address of a stream, so it is left out";
    notice_says(&page, said).await;
    assert_eq!(warned(&page).await, [said]);
    drop(stream);
    browser.close().await;
}

#[tokio::test]
async fn of_a_page_in_the_place_of_the_configuration_nothing_is_said() {
    let (_stream, proxy, browser, page) = configured("<!doctype html><title>not found</title>").await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "is here all the same").await;
    page.until("document.querySelector('#notice').hidden").await;
    assert_eq!(warned(&page).await, [""; 0]);
    page.complains_of_nothing().await;
    browser.close().await;
}
