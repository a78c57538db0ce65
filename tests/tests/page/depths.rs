//! The axis at its four depths: chosen by hand, by key and by the address.

use crate::{
    past::{MINUTE, ago, mouse, on_axis, open, town, until_past},
    witness::{click, turns},
};
use chromiumoxide::cdp::browser_protocol::input::DispatchMouseEventType;
use monkeytown_tests::{axe, browser::Page};
use serde_json::Value;

/// An agent that was at work days ago, and the town of the last hour and a half.
fn days() -> Vec<Value> {
    let long_ago = [(60 * 24 * 3, "active"), (60 * 24 * 3 - 60, "idle"), (60 * 12, "active"), (60 * 11, "idle")];
    let mut events: Vec<Value> = long_ago
        .into_iter()
        .map(|(minutes, status)| {
            ago(turns(&format!("old-{minutes}"), "eve", status, "tends the roots"), minutes * MINUTE)
        })
        .collect();
    events.extend(town());
    events
}

async fn until_depth(page: &Page, word: &str, address: &str) {
    page.until(&format!("document.querySelector('.depth').textContent.startsWith('{word}')")).await;
    page.until(&format!("location.hash === '{address}'")).await;
}

async fn told(page: &Page) -> String {
    page.value("document.querySelector('#axis').ariaLabel").await
}

#[tokio::test]
async fn the_depth_is_chosen_by_hand_key_and_address_and_back_undoes_it() {
    let (_stream, _browser, page) = open(&days()).await;
    until_depth(&page, "last hour", "").await;
    assert!(told(&page).await.starts_with("the last hour: "));
    click(&page, ".depth").await;
    until_depth(&page, "last day", "#depth=day").await;
    assert!(told(&page).await.starts_with("the last day: 182 events"), "{}", told(&page).await);
    let ticks: String = page.value("document.querySelector('.hours').textContent").await;
    assert_eq!(ticks, "24h20h16h12h8h4hnow");
    page.press("z").await;
    until_depth(&page, "last week", "#depth=week").await;
    assert!(told(&page).await.starts_with("the last week: 184 events"), "{}", told(&page).await);
    page.press("z").await;
    until_depth(&page, "all: ", "#depth=all").await;
    assert!(told(&page).await.starts_with("all: "), "{}", told(&page).await);
    page.driver().evaluate("history.back()").await.expect("a script");
    until_depth(&page, "last week", "#depth=week").await;
    page.driver().evaluate("location.hash = 'depth=nonsense'").await.expect("a script");
    page.until("document.querySelector('.depth').textContent === 'last hour'").await;
    let tall: f64 = page.value("document.querySelector('.depth').getBoundingClientRect().height").await;
    assert!(tall >= 44.0, "{tall}");
    assert!(axe::violations(&page).await.is_empty());
}

#[tokio::test]
async fn a_drag_at_the_depth_of_a_day_leads_to_the_moment_under_the_hand() {
    let (_stream, _browser, page) = open(&days()).await;
    page.press("z").await;
    until_depth(&page, "last day", "#depth=day").await;
    let place = on_axis(&page, 0.52).await;
    for kind in [DispatchMouseEventType::MousePressed, DispatchMouseEventType::MouseReleased] {
        mouse(&page, kind, place).await;
    }
    until_past(&page).await;
    let back: f64 = page.value("Date.now() / 3600000 - document.querySelector('#axis').ariaValueNow / 3600").await;
    assert!((11.0..=12.1).contains(&back), "11.5 hours back are half of a day, but for a share: {back}");
}
