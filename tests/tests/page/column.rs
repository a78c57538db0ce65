//! The one column of a phone: all agents are in it, and of them only those about the view are in the page.

use crate::witness::{
    click, crowd, focus, is_focused, publish, resize, stream_of, turns, until_caught_up, until_settled, until_unseen,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    stream::Stream,
};
use std::collections::BTreeSet;

const AGENTS: usize = 300;
/// As many as fill the page three times over: every press takes the driver a while.
const TABBED: usize = 120;
/// More rows than any phone shows on three screens and a half.
const ROWS_MAX: usize = 60;

/// The rows in the page by their numbers, as a screen reader is told them.
const NUMBERS: &str = "[...document.querySelectorAll('#agents > [data-seat=row]')].map((row) => Number(row.getAttribute('aria-posinset')))";

/// Where in the view, in pixels from its top, no row lies; null where rows lie all over it.
const BARE: &str = "(() => {
    const field = document.querySelector('#terrarium').getBoundingClientRect();
    const boxes = [...document.querySelectorAll('#agents > [data-seat=row]')].map((row) => row.getBoundingClientRect());
    for (let y = document.querySelector('#key').getBoundingClientRect().bottom + 2; y < field.bottom - 2; y += 8) {
        if (!boxes.some((box) => box.top <= y + 1 && box.bottom >= y - 1)) return y - field.top;
    }
    return null;
})()";

fn row(number: usize) -> String {
    format!("#agents > [aria-posinset='{number}']")
}

async fn town(count: usize) -> (Stream, Browser, Page) {
    let stream = stream_of(&crowd(count)).await;
    let browser = Browser::sized(390, 844).await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until(&format!("document.querySelector('#agents > [aria-setsize=\"{count}\"]')")).await;
    until_settled(&page).await;
    (stream, browser, page)
}

async fn scroll(page: &Page, to: &str) {
    page.value::<bool>(&format!(
        "new Promise((resolve) => {{
            const field = document.querySelector('#terrarium');
            field.scrollTop = {to};
            requestAnimationFrame(() => requestAnimationFrame(() => resolve(true)));
        }})"
    ))
    .await;
}

/// What is wrong with the rows that are in the page now, if anything; and their numbers.
async fn rows(page: &Page) -> BTreeSet<usize> {
    let numbers: Vec<usize> = page.value(NUMBERS).await;
    assert!(numbers.len() < ROWS_MAX, "{} rows are in the page", numbers.len());
    assert!(numbers.is_sorted(), "they stand in the page as on the screen: {numbers:?}");
    assert_eq!(page.value::<Option<f64>>(BARE).await, None, "nobody is there, of {numbers:?}");
    numbers.into_iter().collect()
}

/// Whether all of a row can be seen.
async fn is_in_view(page: &Page, selector: &str) -> bool {
    page.value(&format!(
        "(() => {{
            const field = document.querySelector('#terrarium').getBoundingClientRect();
            const key = document.querySelector('#key').getBoundingClientRect();
            const box = document.querySelector(\"{selector}\").getBoundingClientRect();
            return box.top >= key.bottom - 1 && box.bottom <= field.bottom + 1;
        }})()"
    ))
    .await
}

#[tokio::test]
async fn of_hundreds_on_a_phone_those_about_the_view_are_in_the_page_and_all_are_scrolled_to() {
    let (_stream, browser, page) = town(AGENTS).await;
    until_unseen(&page, "#more").await;
    let (mut seen, mut ids) = (BTreeSet::new(), BTreeSet::new());
    let end: f64 = page.value("(({ scrollHeight, clientHeight }) => scrollHeight - clientHeight)(terrarium)").await;
    let mut at = 0.0;
    while at < end {
        scroll(&page, &at.to_string()).await;
        seen.extend(rows(&page).await);
        let here: Vec<String> =
            page.value("[...document.querySelectorAll('#agents > *')].map((row) => row.dataset.entityId)").await;
        ids.extend(here);
        at += 400.0;
    }
    assert_eq!((seen.len(), ids.len()), (AGENTS, AGENTS));
    // In one leap, to the end and back.
    scroll(&page, "1e6").await;
    assert_eq!(rows(&page).await.last(), Some(&AGENTS));
    assert!(is_in_view(&page, &row(AGENTS)).await);
    scroll(&page, "0").await;
    assert_eq!(rows(&page).await.first(), Some(&1));
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn tab_goes_through_the_whole_column_in_the_order_on_the_screen() {
    let (_stream, browser, page) = town(TABBED).await;
    focus(&page, &format!("{} [data-p=name]", row(1))).await;
    let mut at = 1;
    // A row that broke has three buttons.
    for _ in 0..3 * TABBED {
        if at == TABBED {
            break;
        }
        page.press("Tab").await;
        let number: usize =
            page.value("Number(document.activeElement.closest('#agents > *')?.getAttribute('aria-posinset'))").await;
        assert!(number == at || number == at + 1, "from row {at} to {number}");
        at = number;
    }
    assert_eq!(at, TABBED);
    // The browser scrolls to the button, no farther.
    assert!(is_in_view(&page, &format!("{} [data-p=name]", row(TABBED))).await);
    rows(&page).await;
    browser.close().await;
}

#[tokio::test]
async fn a_row_that_has_the_focus_keeps_it_out_of_view_and_tab_goes_on_from_there() {
    let (stream, browser, page) = town(AGENTS).await;
    let id: String = page.value(&format!("document.querySelector(\"{}\").dataset.entityId", row(12))).await;
    let held = format!("#agents > [data-entity-id={id}] [data-p=name]");
    scroll(&page, "900").await;
    focus(&page, &held).await;
    scroll(&page, "1e6").await;
    assert!(rows(&page).await.contains(&AGENTS));
    assert!(is_focused(&page, &held).await);
    // Others change meanwhile.
    publish(&stream, &[turns("2", "agent-001", "active", "stirs")]).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    assert!(is_focused(&page, &held).await);
    let next = "Number(document.activeElement.closest('#agents > *')?.getAttribute('aria-posinset'))";
    let before: usize = page.value(next).await;
    while page.value::<usize>(next).await == before {
        page.press("Tab").await;
    }
    assert_eq!(page.value::<usize>(next).await, before + 1);
    scroll(&page, "document.querySelector('#terrarium').scrollTop").await;
    assert!(is_in_view(&page, &format!("{} [data-p=name]", row(before + 1))).await);
    rows(&page).await;
    browser.close().await;
}

#[tokio::test]
async fn whoever_has_the_focus_is_in_view_when_a_phone_is_turned_and_when_it_becomes_a_desk_and_a_phone_again() {
    let (_stream, browser, page) = town(40).await;
    let id: String = page.value(&format!("document.querySelector(\"{}\").dataset.entityId", row(9))).await;
    let (held, button) = (format!("#agents > [data-entity-id={id}]"), format!("[data-entity-id={id}] [data-p=name]"));
    focus(&page, &button).await;
    for size in [(844, 390), (390, 844), (1_280, 800), (390, 844), (844, 390)] {
        resize(&page, size).await;
        until_settled(&page).await;
        page.until_script(&format!(
            "(() => {{
                const field = document.querySelector('#terrarium').getBoundingClientRect();
                const box = document.querySelector('{held}').getBoundingClientRect();
                return box.top >= field.top && box.bottom <= field.bottom + 1;
            }})()"
        ))
        .await;
        assert!(is_focused(&page, &button).await, "at {size:?}");
    }
    browser.close().await;
}

#[tokio::test]
async fn whoever_is_looked_at_from_far_down_has_the_focus_again_after() {
    let (_stream, browser, page) = town(AGENTS).await;
    scroll(&page, "1e6").await;
    let id: String = page.value(&format!("document.querySelector(\"{}\").dataset.entityId", row(AGENTS - 1))).await;
    let button = format!("#agents > [data-entity-id={id}] [data-p=name]");
    click(&page, &button).await;
    page.until("document.querySelector('[data-testid=detail-panel]').checkVisibility({ visibilityProperty: true })")
        .await;
    page.press("Escape").await;
    until_unseen(&page, "[data-testid=detail-panel]").await;
    assert!(is_focused(&page, &button).await);
    browser.close().await;
}
