//! What is said once, when it happens: silence and waking, what breaks, round numbers, contradictions.

use crate::witness::{
    card, click, publish, settled, stream_of, text, told_by, turns, until_caught_up, until_said, until_seen,
    until_unseen,
};
use monkeytown_tests::browser::Browser;
use serde_json::{Value, json};

#[tokio::test]
async fn when_all_rest_the_page_says_so_with_what_happened_last_and_waking_ends_it() {
    let mut events: Vec<Value> = ["ada", "bob", "cleo"].iter().map(|agent| turns("1", agent, "idle", "")).collect();
    events.push(settled("commit:1", "ada", "lay the last stone"));
    let stream = stream_of(&events).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    until_said(&page, "#silence", "all three agents are at rest").await;
    until_said(&page, "#silence", "lay the last stone").await;
    let said = text(&page, "#silence").await;
    assert!(said.contains("last, ") && said.contains("still watching"), "{said}");
    page.until("document.querySelector('#page').hasAttribute('data-silent')").await;

    publish(&stream, &[turns("2", "bob", "active", "wakes")]).await;
    until_unseen(&page, "#silence").await;
    page.until("!document.querySelector('#page').hasAttribute('data-silent')").await;
    publish(&stream, &[turns("3", "bob", "idle", "")]).await;
    until_said(&page, "#silence", "all three agents are at rest").await;
    browser.close().await;
}

#[tokio::test]
async fn who_breaks_is_said_in_a_toast_and_inspecting_it_opens_its_panel() {
    let stream =
        stream_of(&[turns("1", "ada", "active", "draws"), turns("1", "bob", "error", "was broken before")]).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("bob", "broken").await;
    until_caught_up(&page, &stream).await;
    until_unseen(&page, ".toast").await;
    publish(&stream, &[turns("2", "ada", "error", "draws")]).await;
    until_said(&page, ".toast", "ada broke").await;
    until_said(&page, ".toast", "out of stones").await;
    let toasts: u32 = page.value("document.querySelectorAll('.toast').length").await;
    assert_eq!(toasts, 1, "who was broken before the page came is no news");
    page.until("document.querySelector('#urgent').textContent.includes('ada is broken')").await;
    click(&page, ".toast [data-p=inspect]").await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    assert_eq!(text(&page, "#panel-name").await, "ada");
    until_said(&page, "#panel .doing", "broken: out of stones").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn the_hundredth_contract_settled_is_marked_once_and_not_again() {
    let contract = |at: u32| settled(&format!("pull:{at}"), "ada", &format!("agree on {at}"));
    let mut events: Vec<Value> = (0..99).map(contract).collect();
    events.push(turns("1", "ada", "active", "agrees"));
    let stream = stream_of(&events).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_said(&page, "[data-testid=metric-contracts-settled]", "99").await;
    until_unseen(&page, "#milestone").await;
    page.value::<bool>(
        "(() => {
            window.marked = [];
            const milestone = document.querySelector('#milestone');
            new MutationObserver(() => {
                const words = milestone.hidden ? '' : milestone.textContent;
                if (words !== (window.marked.at(-1) ?? '')) window.marked.push(words);
            }).observe(milestone, { attributes: true, childList: true, characterData: true, subtree: true });
            return true;
        })()",
    )
    .await;
    publish(&stream, &[contract(99)]).await;
    page.until("window.marked.length > 0").await;
    for at in 100..110 {
        publish(&stream, &[contract(at)]).await;
    }
    until_said(&page, "[data-testid=metric-contracts-settled]", "110").await;
    let marked: Vec<String> = page.value("window.marked.filter((words) => words)").await;
    assert_eq!(marked, ["100 contracts settled"]);

    // Who comes later has not seen it happen.
    let later = browser.visit(&stream.url("/")).await;
    until_said(&later, "[data-testid=metric-contracts-settled]", "110").await;
    until_unseen(&later, "#milestone").await;
    browser.close().await;
}

#[tokio::test]
async fn an_entity_that_two_sources_claim_within_a_minute_is_marked_on_its_card_in_words() {
    let claim = |source: &str, label: &str| {
        let data = json!({"id": "ada", "kind": "agent", "label": label, "status": "active", "activity": "draws"});
        told_by(source, &format!("claim by {source}"), "monkeytown.entity.updated", &data)
    };
    let stream = stream_of(&[claim("/agents/ada", "ada"), turns("1", "bob", "active", "looks on")]).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws").await;
    until_unseen(&page, ".contradiction").await;
    publish(&stream, &[claim("/agents/impostor", "ada")]).await;
    let words = format!("{} .contradiction", card("ada"));
    until_said(&page, &words, "claimed by").await;
    let said = text(&page, &words).await;
    assert!(said.contains("/agents/ada") && said.contains("/agents/impostor"), "{said}");
    assert!(
        !page
            .value::<bool>(&format!("document.querySelector('{}').hasAttribute('data-contradiction')", card("bob")))
            .await
    );
    browser.close().await;
}
