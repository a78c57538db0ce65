//! What is said once, when it happens: silence and waking, what breaks, round numbers, contradictions.

use crate::witness::{
    card, click, focus, focused, is_focused, publish, settled, text, told, told_by, turns, until_caught_up, until_said,
    until_seen, until_settled, until_unseen, visit,
};
use monkeytown_tests::browser::Page;
use serde_json::{Value, json};

#[tokio::test]
async fn when_all_rest_the_page_says_so_with_what_happened_last_and_waking_ends_it() {
    let mut events: Vec<Value> = ["ada", "bob", "cleo"].iter().map(|agent| turns("1", agent, "idle", "")).collect();
    events.push(settled("commit:1", "ada", "lay the last stone"));
    let (stream, browser, page) = visit(&events).await;
    page.until_state("live").await;
    until_said(&page, "#silence", "all three agents are at rest").await;
    until_said(&page, "#silence", "lay the last stone").await;
    let said = text(&page, "#silence").await;
    assert!(said.contains("last, ") && said.contains("still watching"), "{said}");
    assert!(said.contains(": ada, lay the last stone"), "who settled it is said: {said}");
    page.until("document.querySelector('#page').hasAttribute('data-silent')").await;

    publish(&stream, &[turns("2", "bob", "active", "wakes")]).await;
    until_unseen(&page, "#silence").await;
    page.until("!document.querySelector('#page').hasAttribute('data-silent')").await;
    publish(&stream, &[turns("3", "bob", "idle", "")]).await;
    until_said(&page, "#silence", "all three agents are at rest").await;
    browser.close().await;
}

#[tokio::test]
async fn who_breaks_out_of_sight_is_said_in_a_toast_over_the_foot_and_inspecting_it_opens_its_panel() {
    let (stream, browser, page) = visit(&[
        turns("1", "ada", "active", "draws"),
        turns("1", "bob", "error", "was broken before"),
        turns("1", "cleo", "active", "looks on"),
    ])
    .await;
    page.until_card("bob", "broken").await;
    until_caught_up(&page, &stream).await;
    until_unseen(&page, ".toast").await;
    until_settled(&page).await;
    record_what_is_urgent(&page).await;
    // Her card says it: a toast would say it twice, and lie over somebody.
    publish(&stream, &[turns("2", "ada", "error", "draws")]).await;
    page.until("window.urgent.includes('ada broke: out of stones')").await;
    until_unseen(&page, ".toast").await;

    click(&page, &card("cleo")).await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    publish(&stream, &[turns("3", "ada", "active", "draws again")]).await;
    page.until_card("ada", "draws again").await;
    publish(&stream, &[turns("4", "ada", "error", "draws again")]).await;
    until_said(&page, ".toast", "ada broke").await;
    until_said(&page, ".toast", "out of stones").await;
    let toasts: u32 = page.value("document.querySelectorAll('.toast:not([hidden])').length").await;
    assert_eq!(toasts, 1, "who was broken before the page came is no news");
    let covers: bool = page
        .value(
            "(() => {
                const [toast, field] = ['.toast:not([hidden])', '#field'].map((one) => document.querySelector(one).getBoundingClientRect());
                return toast.top < field.bottom - 1;
            })()",
        )
        .await;
    assert!(!covers, "the toast lies over the field");
    // The same words again, said again.
    page.until("window.urgent.filter((words) => words === 'ada broke: out of stones').length === 2").await;
    click(&page, ".toast:not([hidden]) [data-p=inspect]").await;
    page.until("document.querySelector('#panel-name').textContent === 'ada'").await;
    until_said(&page, "#panel .doing", "broken: out of stones").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

/// It was so once: the toast went, and nobody had the focus then.
#[tokio::test]
async fn a_toast_stays_while_the_focus_is_in_it_and_goes_when_the_focus_has_left() {
    let events = [turns("1", "ada", "active", "draws"), turns("1", "cleo", "active", "looks on")];
    let (stream, browser, page) = visit(&events).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    click(&page, &card("cleo")).await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    publish(&stream, &[turns("2", "ada", "error", "draws"), turns("2", "bob", "error", "falls")]).await;
    let inspect = ".toast[data-entity-id=ada] [data-p=inspect]";
    until_seen(&page, inspect).await;
    focus(&page, inspect).await;
    // Longer than a toast is shown.
    page.value::<bool>("new Promise((resolve) => setTimeout(() => resolve(true), 14_000))").await;
    assert!(is_focused(&page, inspect).await, "the focus is on {}", focused(&page).await);
    focus(&page, "#panel [data-p=close]").await;
    until_unseen(&page, ".toast").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

/// Notes what the region that interrupts says.
async fn record_what_is_urgent(page: &Page) {
    page.value::<bool>(
        "(() => {
            window.urgent = [];
            window.urgentAt = [];
            const region = document.querySelector('#urgent');
            const text = Object.getOwnPropertyDescriptor(Node.prototype, 'textContent');
            // When it is said, not when somebody is told that it was.
            Object.defineProperty(region, 'textContent', {
                get() { return text.get.call(this); },
                set(words) {
                    text.set.call(this, words);
                    if (!words) return;
                    window.urgent.push(words);
                    window.urgentAt.push(performance.now());
                },
            });
            return true;
        })()",
    )
    .await;
}

#[tokio::test]
async fn of_many_that_break_at_once_each_is_said_in_its_turn_and_the_rest_is_counted() {
    let agents: Vec<String> = (0..8).map(|at| format!("agent-{at}")).collect();
    let all = |step: &str, status: &str| -> Vec<Value> {
        agents.iter().map(|agent| turns(step, agent, status, "carries stones")).collect()
    };
    let (stream, browser, page) = visit(&all("1", "active")).await;
    until_caught_up(&page, &stream).await;
    record_what_is_urgent(&page).await;
    publish(&stream, &all("2", "error")).await;
    // Three are on show at once; of the others the number is told.
    page.until("window.urgent.length === 3").await;
    let said: Vec<String> = page.value("window.urgent").await;
    assert_eq!(
        said,
        [
            "agent-5 broke: out of stones",
            "agent-6 broke: out of stones",
            "agent-7 broke: out of stones, and 5 more broke",
        ]
    );
    let pauses: Vec<f64> =
        page.value("window.urgentAt.slice(1).map((at, before) => at - window.urgentAt[before])").await;
    // No less than a second apart, but for what a timer may come early.
    assert!(pauses.iter().all(|pause| *pause > 900.0), "{pauses:?}");
    browser.close().await;
}

#[tokio::test]
async fn the_gravest_open_alert_is_told_in_its_own_words_until_it_is_resolved() {
    let alert = |step: &str, id: &str, severity: &str, message: &str, resolved: bool| {
        let data = json!({"id": id, "severity": severity, "message": message, "resolved": resolved});
        told(&format!("{id}/{step}"), "monkeytown.system.alert", &data)
    };
    let (stream, browser, page) = visit(&[turns("1", "ada", "active", "draws")]).await;
    until_caught_up(&page, &stream).await;
    until_unseen(&page, "#notice").await;
    publish(
        &stream,
        &[
            alert("1", "key", "critical", "the signing key has expired", false),
            alert("1", "disk", "warning", "the disk is nearly full", false),
        ],
    )
    .await;
    until_said(&page, "#notice", "the signing key has expired. also open: one more alert").await;
    publish(&stream, &[alert("2", "key", "critical", "the signing key has expired", true)]).await;
    page.until("document.querySelector('#notice').innerText.trim() === 'the disk is nearly full'").await;
    publish(&stream, &[alert("2", "disk", "warning", "the disk is nearly full", true)]).await;
    until_unseen(&page, "#notice").await;
    browser.close().await;
}

#[tokio::test]
async fn the_hundredth_contract_settled_is_marked_once_and_not_again() {
    let contract = |at: u32| settled(&format!("pull:{at}"), "ada", &format!("agree on {at}"));
    let mut events: Vec<Value> = (0..99).map(contract).collect();
    events.push(turns("1", "ada", "active", "agrees"));
    let (stream, browser, page) = visit(&events).await;
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
    let (stream, browser, page) = visit(&[claim("/agents/ada", "ada"), turns("1", "bob", "active", "looks on")]).await;
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
