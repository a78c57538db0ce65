//! What publishers send, as it shows on the page.

use monkeytown_tests::{
    browser::Browser,
    events::{event, flows, works},
    stream::{Source, Stream},
};
use serde_json::json;

#[tokio::test]
async fn a_published_event_is_a_card_and_the_same_again_changes_nothing() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    let event = works("1", "ada", "draws a map");
    let (status, receipt) = stream.post(&event).await;
    assert_eq!((status, &receipt["duplicates"]), (200, &json!(0)), "{receipt}");
    page.until_card("ada", "draws a map").await;
    page.until_attribute("connection", "data-received", 1).await;

    let (status, again) = stream.post(&event).await;
    assert_eq!((status, &again["duplicates"], &again["offsets"]), (200, &json!(1), &json!([0])), "{again}");
    // What comes after it is on the page: so would be whatever it had brought.
    stream.publish(&[works("2", "bob", "holds the ladder")]).await;
    page.until_card("bob", "holds the ladder").await;
    page.until_attribute("connection", "data-received", 2).await;
    assert_eq!(page.count("data-offset").await, 1);
    assert_eq!(page.agents().await, ["ada", "bob"]);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn an_event_of_an_unknown_type_is_counted_and_nothing_is_drawn_for_it() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    let unknown =
        event("1", "org.example.weather.changed", &json!({"id": "cloud", "kind": "agent", "status": "active"}));
    stream.publish(&[unknown]).await;
    page.until_attribute("connection", "data-received", 1).await;
    assert_eq!(page.count("data-unreadable").await, 0);
    assert_eq!(page.agents().await, [""; 0]);
    assert_eq!(page.attribute("terrarium", "data-entities").await, "0");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn of_more_than_fifty_open_flows_fifty_are_drawn_and_the_others_counted() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    let mut events = vec![works("a", "ada", "sends"), works("b", "bob", "receives")];
    events.extend((0..120).map(|number| flows(&format!("flow-{number}"), "ada", "bob")));
    stream.publish(&events).await;
    page.until_attribute("connection", "data-received", 122).await;
    page.until_attribute("terrarium", "data-flows-hidden", 70).await;
    assert_eq!(page.attribute("terrarium", "data-flows-drawn").await, "50");
    let listed: usize = page.value("document.querySelectorAll('[data-testid=flow-list] [data-flow-id]').length").await;
    assert_eq!(listed, 50);
    let said: String = page.value("document.querySelector('main').innerText").await;
    assert!(said.contains("50 of 120 flows drawn, 70 in 1 bundle"), "{said}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_simulated_civilization_says_that_it_is_simulated() {
    let stream = Stream::start(Source::Simulator(200.0)).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until("document.querySelectorAll('[data-testid=agent-card]').length > 3").await;
    assert_eq!(page.attribute("source-badge", "data-source-kind").await, "simulated");
    let shown: String = page.value("document.querySelector('[data-testid=source-badge]').innerText").await;
    assert!(shown.to_lowercase().contains("simulated"), "{shown}");
    page.until("Number(document.querySelector('[data-testid=terrarium]').dataset.flowsDrawn) > 0").await;
    page.until("Number(document.querySelector('[data-testid=connection]').dataset.received) > 1000").await;
    let drawn: u32 = page.attribute("terrarium", "data-flows-drawn").await.parse().expect("a number");
    assert!(drawn <= 50, "{drawn}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn the_key_says_in_words_what_a_line_of_the_ground_is_worth() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    for (agent, files, said) in [("ada", 3, "contour, 1 file"), ("bob", 40, "contour, 2 files")] {
        let data = json!({
            "id": agent, "kind": "agent", "label": agent, "status": "active", "activity": "draws a map",
            "domain": {"path": "maps/", "files": files},
        });
        stream.publish(&[event(agent, "monkeytown.entity.updated", &data)]).await;
        page.until(&format!(
            "document.querySelector('#key [data-p=contour]:not([hidden])').textContent.endsWith('{said}')"
        ))
        .await;
    }
    browser.close().await;
}
