//! The detail panel: it opens and closes by mouse and by keyboard, the focus goes along, and what is read stays.

use crate::witness::{
    card, click, click_at, focus, focused, is_focused, opener, publish, quoted, settled, text, texts, told, turns,
    until_said, until_seen, until_settled, until_unseen, visit,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    stream::Stream,
    wait::soon,
};
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
    // It slides in: what is pressed on the way is not where it was.
    until_settled(page).await;
}

async fn open_ada(page: &Page) {
    page.until_card("ada", "draws a map").await;
    click(page, &card("ada")).await;
    until_open(page, "ada").await;
}

async fn until_closed(page: &Page, opener: &str) {
    until_unseen(page, PANEL).await;
    assert!(is_focused(page, opener).await, "the focus is on {}", focused(page).await);
}

#[tokio::test]
async fn a_click_and_enter_open_the_panel_and_whatever_closes_it_gives_the_focus_back() {
    let (_stream, browser, page) = visit(&town()).await;
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
    let (_stream, browser, page) = visit(&town()).await;
    open_ada(&page).await;
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
    let (_stream, browser, page) = visit(&town()).await;
    open_ada(&page).await;
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
    let (stream, browser, page) = visit(&town()).await;
    open_ada(&page).await;
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

/// Log lines of ada, numbered from `from` on, each as long as `message` makes it.
fn lines_of(from: u32, count: u32, message: fn(u32) -> String) -> Vec<Value> {
    let line = |number: u32| {
        let data = json!({"entity": "ada", "level": "info", "message": message(number)});
        told(&format!("line-{number}"), "monkeytown.log.line", &data)
    };
    (from..from + count).map(line).collect()
}

fn lines(from: u32, count: u32) -> Vec<Value> {
    lines_of(from, count, |number| format!("line {number};"))
}

/// Where the row of `list` that says this stands on the screen; what it is in may scroll, the row must not.
async fn height_of(page: &Page, list: &str, words: &str) -> f64 {
    let (list, words) = (quoted(&format!("{list} > li")), quoted(words));
    let row = format!("[...document.querySelectorAll({list})].find((one) => one.textContent.includes({words}))");
    page.value(&format!("{row}.getBoundingClientRect().y")).await
}

/// Waits until what has changed has been drawn.
async fn until_drawn(page: &Page) {
    let drawn = "new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(true))))";
    assert!(soon("two frames", page.value::<bool>(drawn)).await);
}

/// Holds when the last line says this number and is in view.
fn last_is_seen(number: u32) -> String {
    format!(
        "(() => {{
            const line = document.querySelector('#view-logs .lines').lastElementChild;
            if (!line) return false;
            const [box, view] = [line, document.querySelector('#view-logs')].map((one) => one.getBoundingClientRect());
            return line.textContent.includes('line {number};') && box.bottom <= view.bottom + 1 && box.top >= view.top;
        }})()"
    )
}

async fn with_logs_open() -> (Stream, Browser, Page) {
    let (stream, browser, page) = visit(&town()).await;
    open_ada(&page).await;
    click(&page, "#tab-logs").await;
    (stream, browser, page)
}

const LINES: &str = "#view-logs .lines";

#[tokio::test]
async fn who_reads_the_newest_line_goes_on_reading_the_newest_and_who_reads_further_up_is_not_moved() {
    let (stream, browser, page) = with_logs_open().await;
    publish(&stream, &lines(0, 200)).await;
    until_said(&page, "#view-logs .lines > li", "line 199;").await;
    assert_eq!(texts(&page, "#view-logs .lines > li").await.len(), 200);
    page.until_script(&last_is_seen(199)).await;
    publish(&stream, &lines(200, 50)).await;
    page.until_script(&last_is_seen(249)).await;

    // Further up, and past what is held: old lines go while others are read.
    page.value::<bool>("document.querySelector('#view-logs').scrollTop = 2000; true").await;
    until_drawn(&page).await;
    let before = height_of(&page, LINES, "line 150;").await;
    publish(&stream, &lines(250, 50)).await;
    until_said(&page, "#view-logs .lines > li", "line 299;").await;
    until_drawn(&page).await;
    let after = height_of(&page, LINES, "line 150;").await;
    assert!((after - before).abs() < 1.0, "{before} {after}");
    assert!(!page.value::<bool>(&last_is_seen(299)).await, "what is read has moved to the end");

    publish(&stream, &lines(300, 650)).await;
    until_said(&page, "#view-logs .lines > li", "line 949;").await;
    page.value::<bool>(
            "(() => { const view = document.querySelector('#view-logs'); view.scrollTop = view.scrollHeight / 2; return true; })()",
        )
        .await;
    until_drawn(&page).await;
    let before = height_of(&page, LINES, "line 500;").await;
    publish(&stream, &lines(950, 250)).await;
    until_said(&page, "#view-logs .lines > li", "line 1199;").await;
    until_drawn(&page).await;
    let after = height_of(&page, LINES, "line 500;").await;
    assert!((after - before).abs() < 1.0, "{before} {after}");
    let held = texts(&page, "#view-logs .lines > li").await.len();
    assert!(held <= 1_000, "{held} lines");
    let missing = text(&page, "#view-logs [data-p=dropped]").await;
    assert!(missing.contains(&format!("{} older lines", 1_200 - held)), "{missing}");

    // Back at the end, the newest is read again.
    page.value::<bool>("document.querySelector('#view-logs').scrollTop = 1e9; true").await;
    until_drawn(&page).await;
    publish(&stream, &lines(1_200, 20)).await;
    page.until_script(&last_is_seen(1_219)).await;
    browser.close().await;
}

#[tokio::test]
async fn the_newest_line_stays_in_view_however_long_the_lines_are_that_come() {
    let (stream, browser, page) = with_logs_open().await;
    let long = |number: u32| format!("line {number}; {}", "stone on stone, ".repeat(number as usize % 40));
    for from in (0..300).step_by(30) {
        publish(&stream, &lines_of(from, 30, long)).await;
        page.until_script(&last_is_seen(from + 29)).await;
        until_drawn(&page).await;
        assert!(page.value::<bool>(&last_is_seen(from + 29)).await, "line {} is not in view", from + 29);
    }
    browser.close().await;
}

#[tokio::test]
async fn a_line_that_stays_is_not_written_again_and_somebody_elses_lines_are_not_mistaken_for_it() {
    let (stream, browser, page) = with_logs_open().await;
    let mut first = lines(0, 20);
    // Of the same number and the same time as ada's first.
    let mut other =
        told("line-of-bob", "monkeytown.log.line", &json!({"entity": "bob", "level": "warn", "message": "bob's own"}));
    if let (Some(other), Some(time)) = (other.as_object_mut(), first.first().and_then(|line| line.get("time"))) {
        other.insert("time".to_owned(), time.clone());
    }
    first.push(other);
    publish(&stream, &first).await;
    until_said(&page, "#view-logs .lines > li", "line 19;").await;
    page.value::<bool>(
        "(() => {
            window.rewritten = 0;
            const rows = [...document.querySelectorAll('#view-logs .lines > li')];
            const observer = new MutationObserver((changes) => { window.rewritten += changes.length; });
            rows.forEach((row) => observer.observe(row, { subtree: true, childList: true, attributes: true, characterData: true }));
            return true;
        })()",
    )
    .await;
    for from in (20..80).step_by(20) {
        publish(&stream, &lines(from, 20)).await;
        until_said(&page, "#view-logs .lines > li", &format!("line {};", from + 19)).await;
    }
    assert_eq!(page.value::<u32>("window.rewritten").await, 0, "old lines are written again");
    page.press("Escape").await;
    focus(&page, &opener("bob")).await;
    page.press("Enter").await;
    until_open(&page, "bob").await;
    click(&page, "#tab-logs").await;
    until_said(&page, "#view-logs .lines > li", "bob's own").await;
    assert_eq!(texts(&page, "#view-logs .lines > li").await.len(), 1);
    browser.close().await;
}

#[tokio::test]
async fn what_is_read_of_the_history_stays_where_it_is_while_more_settles_above_it() {
    let (stream, browser, page) = visit(&town()).await;
    let stones = |from: u32, count: u32| -> Vec<Value> {
        let stone = |at: u32| settled(&format!("commit:{at:07}"), "ada", &format!("lay stone {at};"));
        (from..from + count).map(stone).collect()
    };
    publish(&stream, &stones(0, 100)).await;
    page.until_card("ada", "draws a map").await;
    until_said(&page, "#ghost-list", "lay stone 99;").await;
    page.value::<bool>("document.querySelector('#ghost-list').scrollTop = 900; true").await;
    until_drawn(&page).await;
    let ghosts_before = height_of(&page, "#ghost-list", "lay stone 75;").await;
    click(&page, &card("ada")).await;
    until_open(&page, "ada").await;
    click(&page, "#tab-history").await;
    until_said(&page, "#view-history li", "lay stone 99;").await;
    page.value::<bool>("document.querySelector('#view-history').scrollTop = 600; true").await;
    until_drawn(&page).await;
    let before = height_of(&page, "#view-history .past", "lay stone 75;").await;

    publish(&stream, &stones(100, 7)).await;
    until_said(&page, "#view-history li", "lay stone 106;").await;
    until_said(&page, "#ghost-list", "lay stone 106;").await;
    until_drawn(&page).await;
    let after = height_of(&page, "#view-history .past", "lay stone 75;").await;
    assert!((after - before).abs() < 1.0, "{before} {after}");
    let ghosts_after = height_of(&page, "#ghost-list", "lay stone 75;").await;
    assert!((ghosts_after - ghosts_before).abs() < 1.0, "{ghosts_before} {ghosts_after}");

    // Who reads the newest sees what comes.
    page.value::<bool>("document.querySelector('#view-history').scrollTop = 0; true").await;
    until_drawn(&page).await;
    publish(&stream, &stones(107, 3)).await;
    until_said(&page, "#view-history li", "lay stone 109;").await;
    until_drawn(&page).await;
    assert!(page.value::<f64>("document.querySelector('#view-history').scrollTop").await < 1.0);
    browser.close().await;
}

#[tokio::test]
async fn who_ends_while_looked_at_is_said_to_have_ended_and_stays_to_be_read() {
    let (stream, browser, page) = visit(&town()).await;
    open_ada(&page).await;
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

#[tokio::test]
async fn who_has_gone_is_not_opened_and_does_not_open_by_itself_when_the_name_comes_back() {
    let (stream, browser, page) = visit(&town()).await;
    page.until_card("ada", "draws a map").await;
    until_settled(&page).await;
    // Paused, the page still shows who has gone meanwhile.
    click(&page, "#pause").await;
    publish(&stream, &[told("gone", "monkeytown.entity.deleted", &json!({"id": "ada"}))]).await;
    page.until_attribute("connection", "data-offset", stream.accepted() - 1).await;
    click(&page, &card("ada")).await;
    until_drawn(&page).await;
    until_unseen(&page, PANEL).await;
    publish(&stream, &[turns("2", "ada", "active", "is here again")]).await;
    page.until_attribute("connection", "data-offset", stream.accepted() - 1).await;
    click(&page, "#pause").await;
    page.until_card("ada", "is here again").await;
    until_drawn(&page).await;
    until_unseen(&page, PANEL).await;
    browser.close().await;
}
