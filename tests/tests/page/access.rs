//! The page for those who listen to it, or come by keyboard.

use crate::{
    keepsakes::{keep_note, open_kept},
    keyboard::{has_focus, tab_to},
    planting::{SPROUT, choose, open_seeds, plant},
    witness::{
        card, click, click_at, crowd, flow, focus, opener, point_until_there, publish, settled, stream_of, told, turns,
        until_seen, until_settled, until_unseen, write,
    },
};
use chromiumoxide::cdp::browser_protocol::accessibility::{AxValue, GetFullAxTreeParams};
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
    events::{event, flows},
    stream::{Source, Stream},
};
use serde_json::{Value, json};

/// `ROLE NAME` of everything that assistive technology is told of.
async fn spoken(page: &Page) -> Vec<String> {
    let tree = page.driver().execute(GetFullAxTreeParams::default()).await.expect("the accessibility tree");
    let text = |value: &Option<AxValue>| {
        let value = value.as_ref().and_then(|value| value.value.as_ref()).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let nodes = tree.result.nodes.iter().filter(|node| !node.ignored);
    nodes.map(|node| format!("{} {}", text(&node.role), text(&node.name)).trim().to_owned()).collect()
}

/// An agent in every state, a broken flow, something that settled and something that broke.
fn town() -> Vec<Value> {
    let mut events: Vec<Value> = ["idle", "active", "processing", "complete", "error"]
        .iter()
        .map(|status| {
            let data = json!({
                "id": format!("agent-{status}"), "kind": "agent", "label": format!("agent {status}"),
                "status": status, "activity": "weighs a stone", "reason": "out of stones", "progress": 0.4,
            });
            event(&format!("agent-{status}"), "monkeytown.entity.created", &data)
        })
        .collect();
    for (id, status) in [("commit:0123456789abcdef0123456789abcdef01234567", "complete"), ("pull:7", "error")] {
        let kind = if id.starts_with("pull") { "contract" } else { "transaction" };
        let data = json!({
            "id": id, "kind": kind, "label": "lay a stone", "status": status, "reason": "not merged",
            "parent": "agent-active", "url": "https://example.org/stone",
        });
        events.push(event(id, "monkeytown.entity.created", &data));
    }
    events.push(flows("flow", "agent-active", "agent-processing"));
    events
}

#[tokio::test]
async fn landmarks_agents_and_flows_are_told_by_role_and_name() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until_card("agent-active", "weighs a stone").await;
    let told = spoken(&page).await;
    for wanted in
        ["banner", "main terrarium", "complementary what settled", "contentinfo", "region connection", "heading agents"]
    {
        assert!(told.iter().any(|one| one == wanted), "{wanted} is not among {told:#?}");
    }
    for wanted in ["agent idle", "agent active", "agent processing", "agent complete", "agent error"] {
        assert!(told.contains(&format!("heading {wanted}")), "{wanted} is not among {told:#?}");
    }
    let flow = "message from agent active to agent processing";
    assert!(told.iter().any(|one| one.contains(flow)), "{flow} is not among {told:#?}");
    browser.close().await;
}

#[tokio::test]
async fn every_link_and_button_is_reached_by_keyboard_alone() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 4").await;
    page.until_card("agent-active", "lay a stone").await;
    let idle: Vec<String> =
        page.value("[...document.querySelectorAll('a:not([href]):not([role])')].map((one) => one.outerHTML)").await;
    assert!(idle.is_empty(), "links that lead nowhere: {idle:#?}");
    page.value::<bool>("window.reached = new Set(); document.body.focus(); true").await;
    let links: usize = page.value("document.querySelectorAll('a[href]').length").await;
    assert!(links >= 2, "{links}");
    // Buttons and fields that scroll are stops as well.
    for _ in 0..links + 40 {
        page.press("Tab").await;
        page.value::<bool>("window.reached.add(document.activeElement); true").await;
    }
    let missed: Vec<String> = page
        .value(
            "[...document.querySelectorAll('a[href], button')]
                .filter((one) => one.checkVisibility({ visibilityProperty: true }) && one.tabIndex >= 0)
                .filter((one) => !window.reached.has(one)).map((one) => one.outerHTML)",
        )
        .await;
    assert!(missed.is_empty(), "{missed:#?}");
    browser.close().await;
}

pub(crate) async fn breaks_no_rule(page: &Page, view: &str) {
    until_settled(page).await;
    let broken = axe::violations(page).await;
    assert!(broken.is_empty(), "{view}: {broken:#?}");
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_wide_or_narrow() {
    for (width, height) in [(1_280, 800), (390, 844)] {
        let stream = Stream::start(Source::Publishers).await;
        stream.publish(&town()).await;
        let browser = Browser::sized(width, height).await;
        let page = browser.visit(&stream.url("/")).await;
        page.until_state("live").await;
        page.until_card("agent-active", "weighs a stone").await;
        breaks_no_rule(&page, &format!("at {width} wide")).await;
        browser.close().await;
    }
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_in_any_view() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("agent-active", "weighs a stone").await;
    // While somebody else is looked at, so that it is said in a toast, and live, so that the raw event is at hand.
    focus(&page, &opener("agent-active")).await;
    page.press("Enter").await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    publish(&stream, &[turns("2", "agent-idle", "error", "weighs a stone")]).await;
    let line = json!({"entity": "agent-active", "level": "warn", "message": "a stone is too heavy"});
    publish(&stream, &[told("line", "monkeytown.log.line", &line)]).await;
    until_seen(&page, ".toast").await;
    breaks_no_rule(&page, "an agent has broken").await;
    page.press("Escape").await;
    until_unseen(&page, "[data-testid=detail-panel]").await;

    focus(&page, &opener("agent-idle")).await;
    page.press("Enter").await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    click(&page, "#panel [data-p=raw-button]").await;
    until_seen(&page, "#raw").await;
    breaks_no_rule(&page, "the raw event").await;
    page.press("Escape").await;
    page.press("Escape").await;
    until_unseen(&page, "[data-testid=detail-panel]").await;

    focus(&page, &opener("agent-active")).await;
    page.press("Enter").await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    for tab in ["status", "logs", "connections", "history"] {
        click(&page, &format!("#tab-{tab}")).await;
        until_seen(&page, &format!("#view-{tab}")).await;
        until_seen(&page, &format!("#view-{tab} li, #view-{tab} dl")).await;
        breaks_no_rule(&page, &format!("the panel's {tab}")).await;
    }
    page.press("Escape").await;

    let flows: Vec<Value> = (0..80).map(|at| flow(&format!("more-{at}"), "agent-active", "agent-complete")).collect();
    publish(&stream, &flows).await;
    // It goes with its flows until a hand is there.
    until_seen(&page, "#bundles button").await;
    let (x, y) = point_until_there(&page, "#bundles button").await;
    click_at(&page, x, y).await;
    until_seen(&page, "#flows[data-open]").await;
    breaks_no_rule(&page, "a bundle is open").await;
    page.press("Escape").await;

    focus(&page, "#search").await;
    write(&page, "stone").await;
    page.until("document.querySelector('#kept').textContent.includes('match')").await;
    breaks_no_rule(&page, "a search").await;
    click(&page, "#pause").await;
    breaks_no_rule(&page, "paused").await;
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_while_all_rest() {
    let mut events: Vec<Value> = ["ada", "bob"].iter().map(|agent| turns("1", agent, "idle", "")).collect();
    events.push(settled("commit:1", "ada", "lay the last stone"));
    let stream = stream_of(&events).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_seen(&page, "#silence").await;
    until_seen(&page, "[data-testid=ghost-item]").await;
    breaks_no_rule(&page, "all rest").await;
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_in_a_crowd() {
    let stream = stream_of(&crowd(600)).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_seen(&page, "#more").await;
    breaks_no_rule(&page, "a crowd").await;
    click(&page, "#more").await;
    until_seen(&page, "#everyone[data-open]").await;
    breaks_no_rule(&page, "those without a seat").await;
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_on_a_phone() {
    let stream = stream_of(&town()).await;
    let browser = Browser::sized(390, 844).await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("agent-active", "weighs a stone").await;
    click(&page, "#views [data-p=history]").await;
    until_seen(&page, "[data-testid=ghost-item]").await;
    breaks_no_rule(&page, "the history").await;
    click(&page, "#views [data-p=agents]").await;
    until_seen(&page, "[data-testid=agent-card]").await;
    click(&page, &card("agent-active")).await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    breaks_no_rule(&page, "the panel").await;
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_where_a_witness_plants_and_keeps_wide_or_narrow() {
    for (width, height) in [(1_280, 800), (390, 844)] {
        let stream = stream_of(&town()).await;
        let browser = Browser::sized(width, height).await;
        let page = browser.visit(&stream.url("/")).await;
        page.until_card("agent-active", "weighs a stone").await;
        let of = |view: &str| format!("{view}, at {width} wide");
        open_seeds(&page).await;
        breaks_no_rule(&page, &of("an empty form")).await;
        click(&page, "#seed-form [type=submit]").await;
        until_seen(&page, "#first-fault").await;
        breaks_no_rule(&page, &of("a fault in the form")).await;
        plant(&page, "stone").await;
        for seed_type in ["contract", "constraint", "resource"] {
            choose(&page, seed_type).await;
            focus(&page, "#seed-first").await;
            write(&page, "stone").await;
            until_seen(&page, "#seed-form [data-p=preview]").await;
            breaks_no_rule(&page, &of(seed_type)).await;
        }
        page.press("Escape").await;
        until_unseen(&page, "#sheet").await;
        until_seen(&page, SPROUT).await;
        breaks_no_rule(&page, &of("the strip of seeds")).await;
        keep_note(&page, "agent-active", "strong").await;
        breaks_no_rule(&page, &of("a card with a note")).await;
        focus(&page, &opener("agent-active")).await;
        page.press("Enter").await;
        until_seen(&page, "#note").await;
        click(&page, "#panel [data-p=pin]").await;
        page.until("document.querySelector('#panel [data-p=pin]').ariaPressed === 'true'").await;
        focus(&page, "#note").await;
        breaks_no_rule(&page, &of("the panel with its note")).await;
        page.press("Escape").await;
        until_unseen(&page, "#panel").await;
        if width < 500 {
            click(&page, "#views [data-p=history]").await;
        }
        open_kept(&page).await;
        click(&page, "#sheet-kept [data-p=erase-all]").await;
        until_seen(&page, "#sheet-kept [data-p=erase]").await;
        breaks_no_rule(&page, &of("what is kept")).await;
        page.press("Escape").await;
        until_unseen(&page, "#sheet").await;
        click(&page, "[data-testid=ghost-item] [data-p=dismiss]").await;
        until_seen(&page, "#undo-bar[data-told]").await;
        breaks_no_rule(&page, &of("what can be taken back")).await;
        browser.close().await;
    }
}

#[tokio::test]
async fn the_sheet_is_walked_by_keyboard_alone_and_the_focus_comes_back() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("agent-active", "weighs a stone").await;
    for (opener, side) in [("#plant-seed", "#sheet-seeds"), ("#storage", "#sheet-kept")] {
        tab_to(&page, opener).await;
        page.press("Enter").await;
        until_seen(&page, side).await;
        let stops = "[...document.querySelectorAll('#sheet :is(button, a[href], input, textarea)')]
                .filter((one) => one.checkVisibility({ visibilityProperty: true }))
                .filter((one) => one.type !== 'radio' || one.checked).length";
        let stops: usize = page.value(stops).await;
        assert!(stops >= 6, "{stops}");
        page.value::<bool>("window.reached = new Set(); true").await;
        for _ in 0..stops + 4 {
            page.press("Tab").await;
            page.value::<bool>("window.reached.add(document.activeElement); true").await;
        }
        let missed: Vec<String> = page
            .value(
                "[...document.querySelectorAll('#sheet :is(button, a[href], input, textarea)')]
                    .filter((one) => one.checkVisibility({ visibilityProperty: true }))
                    .filter((one) => one.type !== 'radio' || one.checked)
                    .filter((one) => !window.reached.has(one)).map((one) => one.outerHTML)",
            )
            .await;
        assert!(missed.is_empty(), "{missed:#?}");
        let behind: Vec<String> = page
            .value(
                "[...window.reached].filter((one) => one !== document.body && !one.closest('#sheet, #toasts, .notices'))
                    .map((one) => one.outerHTML.slice(0, 200))",
            )
            .await;
        assert!(behind.is_empty(), "what lies behind was reached: {behind:#?}");
        // The other side, by its button, and out again.
        tab_to(&page, "#sheet .tabs [aria-pressed=false]").await;
        page.press("Enter").await;
        until_unseen(&page, side).await;
        page.press("Escape").await;
        until_unseen(&page, "#sheet").await;
        has_focus(&page, opener).await;
    }
    browser.close().await;
}
