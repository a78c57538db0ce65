//! Keys: each does what the list of keys says, none while somebody types or with another key held, and all can be off.

use crate::{
    keepsakes::open_kept,
    keyboard::has_focus,
    witness::{
        click, flow, focus, opener, resize, settled, texts, turns, until_caught_up, until_said, until_seen,
        until_settled, until_unseen, visit, write,
    },
};
use chromiumoxide::cdp::browser_protocol::input::{DispatchKeyEventParams, DispatchKeyEventType};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::Value;

const PANEL: &str = "[data-testid=detail-panel][data-open]";

fn town() -> Vec<Value> {
    let mut events: Vec<Value> =
        ["ada", "bob", "cleo", "dora", "eli"].map(|name| turns("1", name, "active", "lays stones")).into();
    events.push(settled("commit:a", "ada", "lay granite"));
    events.push(flow("flow", "ada", "bob"));
    events
}

async fn go(page: &Page, place: &str) {
    page.press("g").await;
    page.press(place).await;
}

/// Presses a key while others are held (Alt 1, Control 2, Meta 4).
async fn press_with(page: &Page, held: i64, key: &str) {
    for kind in [DispatchKeyEventType::RawKeyDown, DispatchKeyEventType::KeyUp] {
        let event = DispatchKeyEventParams::builder().r#type(kind).key(key).modifiers(held).build().expect("a key");
        page.driver().execute(event).await.expect("a key");
    }
}

#[tokio::test]
async fn every_key_that_goes_somewhere_lands_there_and_escape_leads_back() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    go(&page, "h").await;
    page.until("document.activeElement.id === 'ghost-list'").await;
    go(&page, "a").await;
    page.until("document.activeElement.closest('.agent')").await;
    let from: String = page.value("document.activeElement.textContent").await;
    go(&page, "f").await;
    page.until("document.activeElement.id === 'flows'").await;
    until_said(&page, "#flows[data-open]", "message from ada to bob").await;
    page.press("Escape").await;
    page.until("!document.querySelector('#flows').hasAttribute('data-open')").await;
    page.until("document.activeElement.closest('.agent')").await;
    assert_eq!(page.value::<String>("document.activeElement.textContent").await, from);
    go(&page, "s").await;
    until_seen(&page, "#seed-form").await;
    page.until("document.querySelector('#sheet').contains(document.activeElement)").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    page.press("f").await;
    page.until("document.activeElement.id === 'search'").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn from_the_panel_one_goes_on_and_it_closes() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    focus(&page, &opener("ada")).await;
    page.press("Enter").await;
    until_seen(&page, PANEL).await;
    for (key, tab) in [("2", "logs"), ("3", "connections"), ("4", "history"), ("1", "status")] {
        page.press(key).await;
        page.until(&format!("document.querySelector('#tab-{tab}').ariaSelected === 'true'")).await;
    }
    go(&page, "h").await;
    until_unseen(&page, PANEL).await;
    page.until("document.activeElement.id === 'ghost-list'").await;
    browser.close().await;
}

#[tokio::test]
async fn on_a_phone_the_view_changes_with_the_place() {
    let (stream, browser, page) = visit(&town()).await;
    resize(&page, (390, 844)).await;
    until_caught_up(&page, &stream).await;
    go(&page, "h").await;
    page.until("document.querySelector('#page').dataset.view === 'history'").await;
    page.until("document.activeElement.id === 'ghost-list'").await;
    go(&page, "a").await;
    page.until("document.querySelector('#page').dataset.view === 'agents'").await;
    page.until("document.activeElement.closest('.agent')").await;
    browser.close().await;
}

#[tokio::test]
async fn arrows_go_to_the_nearest_agent_that_way_and_enter_opens() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    // From nobody, to the first.
    page.value::<bool>("document.activeElement.blur(); true").await;
    page.press("ArrowDown").await;
    page.until("document.activeElement.closest('.agent')").await;
    let place = "(() => { const { x, y } = document.activeElement.getBoundingClientRect(); return [x, y]; })()";
    // Every way in turn: where somebody is that way, the focus goes there, and never the other way.
    let mut reached = std::collections::BTreeSet::new();
    for key in ["ArrowRight", "ArrowDown", "ArrowLeft", "ArrowUp"].repeat(6) {
        let (x, y): (f64, f64) = page.value(place).await;
        page.press(key).await;
        let (to_x, to_y): (f64, f64) = page.value(place).await;
        let ahead = match key {
            "ArrowRight" => to_x - x,
            "ArrowLeft" => x - to_x,
            "ArrowDown" => to_y - y,
            _ => y - to_y,
        };
        assert!(ahead > 0.0 || (to_x, to_y) == (x, y), "{key}: from {x} {y} to {to_x} {to_y}");
        reached.insert(page.value::<String>("document.activeElement.textContent").await);
    }
    assert!(reached.len() >= 3, "{reached:?}");
    let name: String = page.value("document.activeElement.closest('.agent').dataset.entityId").await;
    page.press("Enter").await;
    page.until(&format!("document.querySelector('#panel[data-open]')?.dataset.entityId === '{name}'")).await;
    browser.close().await;
}

#[tokio::test]
async fn keys_do_nothing_while_somebody_types_nor_with_another_key_held() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    focus(&page, "#search").await;
    write(&page, "g/?f1gh").await;
    assert_eq!(page.value::<String>("document.querySelector('#search').value").await, "g/?f1gh");
    has_focus(&page, "#search").await;
    page.value::<bool>("document.activeElement.blur(); true").await;
    for held in [1, 2, 4] {
        for key in ["/", "?", "f"] {
            press_with(&page, held, key).await;
        }
    }
    // A key that is no second, and then one that would have been.
    for key in ["g", "x", "h"] {
        page.press(key).await;
    }
    assert!(page.value::<bool>("document.activeElement === document.body").await);
    until_unseen(&page, ".palette").await;
    // Behind the list of keys nothing moves.
    page.press("?").await;
    until_seen(&page, "#keys").await;
    for key in ["f", "g", "s", "/", "ArrowDown"] {
        page.press(key).await;
    }
    assert!(page.value::<bool>("document.querySelector('#keys').contains(document.activeElement)").await);
    until_unseen(&page, "#sheet").await;
    page.press("?").await;
    until_unseen(&page, "#keys").await;
    browser.close().await;
}

#[tokio::test]
async fn the_list_tells_all_keys_and_gives_the_focus_back() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    focus(&page, &opener("bob")).await;
    page.press("?").await;
    until_seen(&page, "#keys").await;
    let keys = texts(&page, "#key-list kbd").await;
    for key in ["/", "?", "f", "g a", "g f", "g s", "g h", "1", "2", "3", "4", "arrows", "delete", "escape"] {
        assert!(keys.iter().any(|told| told == key), "{key} is not among {keys:?}");
    }
    page.press("Escape").await;
    until_unseen(&page, "#keys").await;
    has_focus(&page, &opener("bob")).await;
    browser.close().await;
}

#[tokio::test]
async fn single_keys_can_be_off_and_stay_off_in_the_next_visit_while_the_others_work() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    open_kept(&page).await;
    click(&page, "#sheet [data-p=keyless]").await;
    page.until("document.querySelector('#page').dataset.keyless").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    page.go("about:blank").await;
    page.go(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until("document.querySelector('#page').dataset.keyless").await;
    for key in ["/", "?", "f", "g", "h"] {
        page.press(key).await;
    }
    until_unseen(&page, ".palette").await;
    assert!(page.value::<bool>("document.activeElement === document.body").await);
    // The palette is there by its button, and tells no key that does nothing.
    click(&page, "#to-palette").await;
    until_seen(&page, "#palette").await;
    assert!(texts(&page, "#offers [data-key]").await.is_empty());
    write(&page, "single keys").await;
    page.press("Enter").await;
    until_said(&page, "#undo-bar", "single keys off: off").await;
    page.until("!document.querySelector('#page').dataset.keyless").await;
    page.value::<bool>("document.activeElement.blur(); true").await;
    page.press("?").await;
    until_seen(&page, "#keys").await;
    browser.close().await;
}

#[tokio::test]
async fn a_first_key_waits_for_its_second_only_so_long() {
    let (stream, browser, page): (_, Browser, Page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    page.press("g").await;
    tokio::time::sleep(std::time::Duration::from_millis(1_700)).await;
    page.press("h").await;
    assert!(page.value::<bool>("document.activeElement === document.body").await);
    browser.close().await;
}
