//! Pause: the page stands still while events go on being applied, and nothing is lost by it.

use crate::witness::{click, flow, publish, settled, stream_of, text, told, turns, until_seen, until_settled};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::{Value, json};

/// Notes what changes on the page, but for the connection's counts and the foot's word of how many wait.
const WATCH: &str = "(() => {
    window.changes = [];
    const may = '[data-testid=connection], .pace, .connection';
    const watcher = new MutationObserver((list) => {
        for (const { target, type, attributeName } of list) {
            const element = target.nodeType === 1 ? target : target.parentElement;
            if (!element?.closest(may)) {
                window.changes.push(`${type} ${attributeName ?? ''} ${element?.outerHTML.slice(0, 160)}`);
            }
        }
    });
    watcher.observe(document.body, { subtree: true, childList: true, attributes: true, characterData: true });
    return true;
})()";

fn town() -> Vec<Value> {
    vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "processing", "holds the ladder")]
}

async fn pause(page: &Page) {
    until_settled(page).await;
    click(page, "#pause").await;
    page.until("document.querySelector('#pause').ariaPressed === 'true'").await;
    assert_eq!(text(page, ".pace strong").await, "paused");
    assert_eq!(page.value::<String>("document.querySelector('#pause').ariaLabel").await, "follow");
    until_settled(page).await;
}

async fn follow(page: &Page) {
    click(page, "#pause").await;
    page.until("document.querySelector('#pause').ariaPressed === 'false'").await;
    page.until("document.querySelector('.pace strong').textContent === 'following'").await;
}

#[tokio::test]
async fn paused_the_page_stands_still_while_events_are_counted_and_following_shows_all_of_them() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    pause(&page).await;
    page.value::<bool>(WATCH).await;

    let mut events: Vec<Value> =
        (0..200).map(|at| turns(&format!("p{at}"), "ada", "active", &format!("draws map {at}"))).collect();
    events.push(turns("2", "bob", "error", "holds the ladder"));
    events.push(turns("1", "cleo", "active", "joins"));
    events.push(flow("flow", "ada", "cleo"));
    events.push(settled("commit:1", "ada", "lay a stone"));
    publish(&stream, &events).await;
    page.until_attribute("connection", "data-received", events.len()).await;
    page.until(&format!("document.querySelector('.pace').textContent.includes('{} events behind')", events.len()))
        .await;
    let changes: Vec<String> = page.value("window.changes").await;
    assert!(changes.is_empty(), "{changes:#?}");
    assert_eq!(page.agents().await, ["ada", "bob"]);

    follow(&page).await;
    page.until_card("ada", "draws map 199").await;
    page.until_card("bob", "broken").await;
    page.until_card("cleo", "joins").await;
    until_seen(&page, "[data-testid=ghost-item]").await;
    page.until_attribute("terrarium", "data-flows-drawn", 1).await;
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-received").await, i64::try_from(events.len()).expect("small"));
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn more_than_can_be_remembered_one_by_one_is_shown_as_it_stands_when_following_again() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until_card("bob", "holds the ladder").await;
    pause(&page).await;
    let mut events = vec![
        told("gone", "monkeytown.entity.deleted", &json!({"id": "bob"})),
        turns("1", "cleo", "active", "joins"),
        flow("ended", "ada", "cleo"),
    ];
    events.extend((0..1_900).map(|at| flow(&format!("flow-{at}"), "ada", "cleo")));
    events.extend((0..1_500).map(|at| turns(&format!("m{}", at), &format!("monkey-{at}"), "idle", "")));
    events
        .extend((0..1_500).map(|at| {
            told(&format!("gone-{at}"), "monkeytown.entity.deleted", &json!({"id": format!("monkey-{at}")}))
        }));
    let end = json!({"id": "ended", "source": "ada", "target": "cleo", "kind": "message", "status": "complete", "progress": 1});
    events.push(told("ended/complete", "monkeytown.flow.complete", &end));
    publish(&stream, &events).await;
    page.until_attribute("connection", "data-received", events.len()).await;
    assert_eq!(page.agents().await, ["ada", "bob"]);
    follow(&page).await;
    page.until_card("cleo", "joins").await;
    page.until("!document.querySelector('[data-testid=agent-card][data-entity-id=bob]')").await;
    assert_eq!(page.agents().await, ["ada", "cleo"]);
    page.until_attribute("terrarium", "data-flows-drawn", 50).await;
    page.until_attribute("terrarium", "data-flows-hidden", 1_850).await;
    assert_eq!(page.count("data-holes").await, 0);
    page.complains_of_nothing().await;
    browser.close().await;
}
