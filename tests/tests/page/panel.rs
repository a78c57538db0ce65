//! The detail panel: it opens and closes by mouse and by keyboard, the focus goes along, and what is read stays.

use crate::witness::{
    card, click, click_at, focus, focused, is_focused, opener, publish, stream_of, text, texts, told, turns,
    until_caught_up, until_said, until_seen, until_settled, until_unseen,
};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::{Value, json};

const PANEL: &str = "[data-testid=detail-panel]";
const TABS: [&str; 4] = ["status", "logs", "connections", "history"];

fn town() -> Vec<Value> {
    vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "processing", "holds the ladder")]
}

async fn until_open(page: &Page, agent: &str) {
    page.until_attribute("detail-panel", "data-entity-id", agent).await;
    until_seen(page, PANEL).await;
    page.until("document.querySelector('[data-testid=detail-panel]').contains(document.activeElement)").await;
}

async fn until_closed(page: &Page, opener: &str) {
    until_unseen(page, PANEL).await;
    assert!(is_focused(page, opener).await, "the focus is on {}", focused(page).await);
}

#[tokio::test]
async fn a_click_and_enter_open_the_panel_and_whatever_closes_it_gives_the_focus_back() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    until_settled(&page).await;
    until_unseen(&page, PANEL).await;

    click(&page, &card("ada")).await;
    until_open(&page, "ada").await;
    assert_eq!(text(&page, "#panel-name").await, "ada");
    page.press("Escape").await;
    until_closed(&page, &opener("ada")).await;

    focus(&page, &opener("bob")).await;
    page.press("Enter").await;
    until_open(&page, "bob").await;
    assert_eq!(text(&page, "#panel-name").await, "bob");
    until_settled(&page).await;
    click_at(&page, 300.0, 400.0).await;
    until_closed(&page, &opener("bob")).await;

    focus(&page, &opener("ada")).await;
    page.press("Enter").await;
    until_open(&page, "ada").await;
    click(&page, "#panel [data-p=close]").await;
    until_closed(&page, &opener("ada")).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn while_the_panel_is_open_what_lies_behind_it_is_out_of_reach() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    focus(&page, &opener("ada")).await;
    page.press("Enter").await;
    until_open(&page, "ada").await;
    for _ in 0..20 {
        page.press("Tab").await;
        let behind: bool = page
            .value("['field', 'ghosts', 'foot'].some((id) => document.getElementById(id).contains(document.activeElement))")
            .await;
        assert!(!behind, "the focus is on {}", focused(&page).await);
    }
    browser.close().await;
}

#[tokio::test]
async fn arrows_move_between_the_tabs_and_each_shows_its_own() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    focus(&page, &opener("ada")).await;
    page.press("Enter").await;
    until_open(&page, "ada").await;
    focus(&page, "#tab-status").await;
    let there = TABS.iter().cycle().skip(1).take(4).map(|tab| ("ArrowRight", tab));
    let back = TABS.iter().rev().take(4).map(|tab| ("ArrowLeft", tab));
    for (key, tab) in there.chain(back) {
        page.press(key).await;
        page.until(&format!("document.querySelector('#tab-{tab}').ariaSelected === 'true'")).await;
        assert!(is_focused(&page, &format!("#tab-{tab}")).await, "the focus is on {}", focused(&page).await);
        until_seen(&page, &format!("#view-{tab}")).await;
        let seen: Vec<String> = page
            .value("[...document.querySelectorAll('[role=tabpanel]')].filter((one) => one.checkVisibility()).map((one) => one.id)")
            .await;
        assert_eq!(seen, [format!("view-{tab}")]);
        let stops: Vec<String> =
            page.value("[...document.querySelectorAll('[role=tab][tabindex=\"0\"]')].map((one) => one.id)").await;
        assert_eq!(stops, [format!("tab-{tab}")], "one of the tabs is a stop of the keyboard");
    }
    browser.close().await;
}

#[tokio::test]
async fn the_raw_event_is_the_newest_as_it_came_and_closes_before_the_panel() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    click(&page, &card("ada")).await;
    until_open(&page, "ada").await;
    click(&page, "#panel [data-p=raw-button]").await;
    until_seen(&page, "#raw").await;
    // What the page has joined after came in a summary: it says that it has no event to show.
    until_said(&page, "#raw", "came before").await;

    let newest = turns("2", "ada", "active", "draws <b>another</b> map");
    publish(&stream, &[newest.clone(), turns("2", "bob", "active", "holds on")]).await;
    until_said(&page, "#panel .doing", "another").await;
    click(&page, "#panel [data-p=raw-button]").await;
    until_unseen(&page, "#raw").await;
    click(&page, "#panel [data-p=raw-button]").await;
    until_said(&page, "#raw", "another").await;
    let shown: Value = serde_json::from_str(&text(&page, "#raw").await).expect("JSON");
    for field in ["id", "source", "type", "data"] {
        assert_eq!(shown.get(field), newest.get(field), "{shown}");
    }
    // What is being read stays; the next press shows what has come meanwhile.
    publish(&stream, &[turns("3", "ada", "active", "draws a third")]).await;
    until_said(&page, "#panel .doing", "draws a third").await;
    assert!(text(&page, "#raw").await.contains("another"), "{}", text(&page, "#raw").await);
    click(&page, "#panel [data-p=raw-button]").await;
    until_unseen(&page, "#raw").await;
    click(&page, "#panel [data-p=raw-button]").await;
    until_said(&page, "#raw", "draws a third").await;
    assert_eq!(page.value::<String>("document.querySelector('[data-p=raw-button]').ariaExpanded").await, "true");
    page.press("Escape").await;
    until_unseen(&page, "#raw").await;
    until_seen(&page, PANEL).await;
    page.press("Escape").await;
    until_closed(&page, &opener("ada")).await;
    browser.close().await;
}

/// Log lines of ada, numbered from `from` on.
fn lines(from: u32, count: u32) -> Vec<Value> {
    let line = |number: u32| {
        let data = json!({"entity": "ada", "level": "info", "message": format!("line {number};")});
        told(&format!("line-{number}"), "monkeytown.log.line", &data)
    };
    (from..from + count).map(line).collect()
}

/// Where the line that says this stands on the screen; its view may scroll, the line must not.
async fn height_of(page: &Page, number: u32) -> f64 {
    let line = format!(
        "[...document.querySelectorAll('#view-logs .lines > li')].find((one) => one.textContent.includes('line {number};'))"
    );
    page.value(&format!("{line}.getBoundingClientRect().y")).await
}

#[tokio::test]
async fn who_reads_the_newest_line_goes_on_reading_the_newest_and_who_reads_further_up_is_not_moved() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    publish(&stream, &lines(0, 200)).await;
    until_caught_up(&page, &stream).await;
    click(&page, &card("ada")).await;
    until_open(&page, "ada").await;
    click(&page, "#tab-logs").await;
    until_said(&page, "#view-logs .lines > li", "line 199;").await;
    assert_eq!(texts(&page, "#view-logs .lines > li").await.len(), 200);
    until_settled(&page).await;

    let last_is_seen = |number: u32| {
        format!(
            "(() => {{
                const line = document.querySelector('#view-logs .lines').lastElementChild;
                const [box, view] = [line, document.querySelector('#view-logs')].map((one) => one.getBoundingClientRect());
                return line.textContent.includes('line {number};') && box.bottom <= view.bottom + 1 && box.top >= view.top;
            }})()"
        )
    };
    page.until(&last_is_seen(199)).await;
    publish(&stream, &lines(200, 50)).await;
    page.until(&last_is_seen(249)).await;

    // Further up, and past what is held: old lines go while others are read.
    page.value::<bool>("document.querySelector('#view-logs').scrollTop = 2000; true").await;
    let before = height_of(&page, 150).await;
    publish(&stream, &lines(250, 50)).await;
    until_said(&page, "#view-logs .lines > li", "line 299;").await;
    page.until_script("true").await;
    assert!((height_of(&page, 150).await - before).abs() < 1.0, "{before} {}", height_of(&page, 150).await);
    assert!(!page.value::<bool>(&last_is_seen(299)).await, "what is read has moved to the end");

    publish(&stream, &lines(300, 650)).await;
    until_said(&page, "#view-logs .lines > li", "line 949;").await;
    page.value::<bool>(
        "document.querySelector('#view-logs').scrollTop = document.querySelector('#view-logs').scrollHeight / 2; true",
    )
    .await;
    let before = height_of(&page, 500).await;
    publish(&stream, &lines(950, 250)).await;
    until_said(&page, "#view-logs .lines > li", "line 1199;").await;
    page.until_script("true").await;
    assert!((height_of(&page, 500).await - before).abs() < 1.0, "{before} {}", height_of(&page, 500).await);
    let held = texts(&page, "#view-logs .lines > li").await.len();
    assert!(held <= 1_000, "{held} lines");
    let missing = text(&page, "#view-logs [data-p=dropped]").await;
    assert!(missing.contains(&format!("{} older lines", 1_200 - held)), "{missing}");
    browser.close().await;
}

#[tokio::test]
async fn who_ends_while_looked_at_is_said_to_have_ended_and_stays_to_be_read() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    click(&page, &card("ada")).await;
    until_open(&page, "ada").await;
    publish(&stream, &[turns("2", "ada", "complete", "drew a map")]).await;
    until_said(&page, "#panel .state", "settled").await;
    until_said(&page, "#panel .doing", "drew a map").await;

    publish(&stream, &[told("gone", "monkeytown.entity.deleted", &json!({"id": "ada"}))]).await;
    until_said(&page, "#panel .ended", "ended").await;
    page.until("!document.querySelector('[data-testid=agent-card][data-entity-id=ada]')").await;
    assert_eq!(text(&page, "#panel-name").await, "ada");
    assert!(text(&page, "#panel .doing").await.contains("drew a map"));
    page.press("Escape").await;
    until_unseen(&page, PANEL).await;
    // Its card is gone: the focus is on the page, where the keyboard goes on.
    let lost: bool = page.value("document.querySelector('#panel').contains(document.activeElement)").await;
    assert!(!lost, "the focus is on {}", focused(&page).await);
    page.complains_of_nothing().await;
    browser.close().await;
}
