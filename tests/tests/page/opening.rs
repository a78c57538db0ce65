//! Everything on the page opens: each section and template that the components fill is in the markup. What is pressed
//! before the program listens opens too, and what lies behind cannot be reached even where the browser knows no `inert`.

use crate::witness::{click, flow, focus, publish, settled, stream_of, told, turns, until_seen, until_unseen, write};
use monkeytown_tests::{
    browser::{Browser, Page},
    script::is_seen,
    stream::{Source, Stream},
};
use serde_json::{Value, json};

const TABS: [&str; 4] = ["status", "logs", "connections", "history"];

/// Notes every part of a piece that the components look for and the markup does not have.
const WATCH: &str = "
    window.missing = new Set();
    const find = Element.prototype.querySelector;
    Element.prototype.querySelector = function (selector) {
        const found = find.call(this, selector);
        const name = /^.data-p=([\\w-]+).$/.exec(selector)?.[1];
        if (name && !found) window.missing.add(`${name} in ${this.id || this.className.baseVal || this.className}`);
        return found;
    };
";

/// More flows than are drawn, an agent with a log, another that will break, work that settled.
fn town() -> Vec<Value> {
    let mut events = vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "active", "holds the ladder")];
    events.extend(["cleo", "dora"].map(|agent| turns("1", agent, "active", "waits for the map")));
    events.extend((0..120).map(|number| flow(&format!("flow-{number}"), "ada", "bob")));
    for number in 0..5 {
        let line = json!({"entity": "ada", "level": "info", "message": format!("line {number}")});
        events.push(told(&format!("line-{number}"), "monkeytown.log.line", &line));
    }
    events.push(settled("pull:7", "ada", "agree on a map"));
    events
}

async fn open_everything(page: &Page, stream: &Stream) {
    page.until("document.querySelectorAll('[data-testid=agent-card]').length > 3").await;
    page.until_card("ada", "draws a map").await;
    until_seen(page, "#lanes > li").await;
    until_seen(page, "#bundles button").await;
    until_seen(page, "[data-testid=ghost-item]").await;

    focus(page, "[data-entity-id=ada] [data-p=name]").await;
    page.press("Enter").await;
    until_seen(page, "[data-testid=detail-panel]").await;
    // His card is behind the panel.
    publish(stream, &[turns("2", "bob", "error", "holds the ladder")]).await;
    until_seen(page, "#toasts .toast").await;
    for tab in TABS {
        click(page, &format!("#tab-{tab}")).await;
        until_seen(page, &format!("#view-{tab}")).await;
    }
    click(page, "#tab-logs").await;
    until_seen(page, "#view-logs .lines > li").await;
    click(page, "#tab-connections").await;
    until_seen(page, "#view-connections .works > li").await;
    click(page, "#panel [data-p=raw-button]").await;
    until_seen(page, "#raw").await;
    click(page, "#panel [data-p=close]").await;
    page.press("Escape").await;
    until_unseen(page, "[data-testid=detail-panel]").await;

    focus(page, "#bundles button").await;
    page.press("Enter").await;
    until_seen(page, "#flows[data-open]").await;
    page.press("Escape").await;

    focus(page, "#search").await;
    write(page, "a").await;
    page.until("document.querySelector('#kept').textContent.includes('match')").await;
    page.press("Escape").await;

    click(page, "#pause").await;
    page.until("document.querySelector('#pause').ariaPressed === 'true'").await;
    publish(stream, &[turns("3", "ada", "active", "goes on")]).await;
    click(page, "#pause").await;
    page.until_card("ada", "goes on").await;

    publish(
        stream,
        &[turns("3", "ada", "complete", "settles"), told("gone", "monkeytown.entity.deleted", &json!({"id": "bob"}))],
    )
    .await;
    page.until("!document.querySelector('[data-entity-id=bob][data-testid=agent-card]')").await;
}

#[tokio::test]
async fn everything_there_is_to_open_opens_and_nothing_is_complained_of() {
    // No simulator: what is to be opened must still be there when it is.
    let stream = stream_of(&town()).await;
    let browser = Browser::sized(1_920, 1_080).await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    page.until_state("live").await;
    open_everything(&page, &stream).await;
    let missing: Vec<String> = page.value("[...window.missing]").await;
    // A mask is put into its place by the first who looks for it.
    let missing: Vec<&String> = missing.iter().filter(|part| !part.starts_with("face in")).collect();
    assert!(missing.is_empty(), "the markup lacks {missing:#?}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn on_a_phone_agents_and_history_take_turns() {
    let stream = Stream::start(Source::Simulator(60.0)).await;
    let browser = Browser::sized(390, 844).await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    until_seen(&page, "[data-testid=agent-card]").await;
    page.until("document.querySelector('[data-testid=ghost-item]')").await;
    until_unseen(&page, "[data-testid=ghost-column]").await;
    click(&page, "#views [data-p=history]").await;
    until_seen(&page, "[data-testid=ghost-item]").await;
    until_unseen(&page, "[data-testid=agent-card]").await;
    click(&page, "#views [data-p=agents]").await;
    until_seen(&page, "[data-testid=agent-card]").await;
    until_unseen(&page, "[data-testid=ghost-item]").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_button_that_is_pressed_before_the_program_listens_is_pressed_once_it_does() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(
        "const own = WebAssembly.instantiate;
        WebAssembly.instantiate = async (...given) => {
            await new Promise((resolve) => { window.begin = resolve; });
            return own.apply(WebAssembly, given);
        };",
    )
    .await;
    page.go(&stream.url("/")).await;
    page.until_script("window.begin").await;
    click(&page, "#storage").await;
    click(&page, "#plant-seed").await;
    assert!(!page.value::<bool>(&is_seen("#seed-form")).await, "nobody listens yet");
    page.value::<bool>("window.begin() ?? true").await;
    until_seen(&page, "#seed-form").await;
    page.until_state("live").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn where_the_browser_knows_no_inert_what_lies_behind_the_sheet_is_hidden() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything("delete HTMLElement.prototype.inert;").await;
    page.go(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    page.until_state("live").await;
    click(&page, "#plant-seed").await;
    until_seen(&page, "#seed-form").await;
    until_unseen(&page, "#pause").await;
    page.press("Escape").await;
    until_seen(&page, "#pause").await;
    page.complains_of_nothing().await;
    browser.close().await;
}
