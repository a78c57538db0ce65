//! The ghost column: searched, put away, brought back, and told once when neighbours are alike.

use crate::witness::{
    click, focus, focused, is_focused, publish, settled, text, texts, turns, until_caught_up, until_said, until_seen,
    until_unseen, visit, write,
};
use monkeytown_tests::browser::Page;
use serde_json::Value;

const GHOST: &str = "[data-testid=ghost-item]";

fn stones(count: usize) -> Vec<Value> {
    let mut events = vec![turns("1", "ada", "active", "lays stones")];
    let words = ["granite", "marble", "slate"];
    events.extend(
        (0..count)
            .zip(words.iter().cycle())
            .map(|(at, word)| settled(&format!("commit:{at:07}"), "ada", &format!("lay {word} {at}"))),
    );
    events
}

async fn labels(page: &Page) -> Vec<String> {
    texts(page, &format!("{GHOST} [data-p=label]")).await
}

async fn until_ghosts(page: &Page, count: usize) {
    page.until(&format!("document.querySelectorAll('{GHOST}').length === {count}")).await;
}

/// The selector of the ghost of an entity.
fn ghost(id: &str) -> String {
    format!("{GHOST}[data-entity-id=\"{id}\"]")
}

#[tokio::test]
async fn a_search_shows_what_matches_with_its_count_and_clearing_it_shows_all() {
    let (stream, browser, page) = visit(&stones(30)).await;
    until_ghosts(&page, 30).await;
    page.press("f").await;
    write(&page, "MARBLE 1").await;
    // 1, 10, 13, 16, 19.
    until_ghosts(&page, 5).await;
    let found = labels(&page).await;
    assert!(found.iter().all(|label| label.starts_with("lay marble 1")), "{found:?}");
    assert_eq!(text(&page, "#kept").await, "5 of 30 match");

    // What settles meanwhile is shown when it matches, and not otherwise.
    publish(&stream, &[settled("commit:a", "ada", "lay marble 100"), settled("commit:b", "ada", "lay slate 100")])
        .await;
    until_ghosts(&page, 6).await;
    until_said(&page, "#kept", "6 of 32 match").await;

    write(&page, " nowhere").await;
    until_ghosts(&page, 0).await;
    until_said(&page, "#kept", "0 of 32 match").await;

    page.press("Escape").await;
    until_ghosts(&page, 32).await;
    assert_eq!(page.value::<String>("document.querySelector('#search').value").await, "");
    browser.close().await;
}

#[tokio::test]
async fn a_search_finds_what_is_further_down_than_what_is_listed() {
    let (_stream, browser, page) = visit(&stones(600)).await;
    page.until_state("live").await;
    until_seen(&page, GHOST).await;
    focus(&page, "#search").await;
    write(&page, "\"granite 3\"").await;
    // 3, 30, 33, 36, 39, and 34 of the three hundreds.
    until_said(&page, "#kept", "39 of 600 match").await;
    assert!(labels(&page).await.contains(&"lay granite 3".to_owned()));
    browser.close().await;
}

#[tokio::test]
async fn a_ghost_is_put_away_by_its_button_and_by_delete_and_restore_brings_it_back() {
    let (stream, browser, page) = visit(&stones(6)).await;
    until_ghosts(&page, 6).await;
    until_unseen(&page, "#restore").await;
    let before = labels(&page).await;

    click(&page, &format!("{} [data-p=dismiss]", ghost("commit:0000002"))).await;
    until_ghosts(&page, 5).await;
    focus(&page, &format!("{} [data-p=dismiss]", ghost("commit:0000004"))).await;
    page.press("Delete").await;
    until_ghosts(&page, 4).await;
    assert_eq!(labels(&page).await, ["lay slate 5", "lay granite 3", "lay marble 1", "lay granite 0"]);
    until_said(&page, "#restore", "restore 2").await;

    // What is put away stays away when more comes.
    publish(&stream, &[settled("commit:a", "ada", "lay another")]).await;
    until_ghosts(&page, 5).await;

    click(&page, "#restore").await;
    until_ghosts(&page, 7).await;
    until_unseen(&page, "#restore").await;
    assert_eq!(labels(&page).await.get(1..), Some(before.as_slice()));
    browser.close().await;
}

#[tokio::test]
async fn when_the_ghost_that_has_the_focus_goes_its_neighbour_has_it() {
    let (_stream, browser, page) = visit(&stones(4)).await;
    until_ghosts(&page, 4).await;
    let button = |at: u32| format!("{} [data-p=dismiss]", ghost(&format!("commit:000000{at}")));
    focus(&page, &button(2)).await;
    // Newest first: after 2 comes 1, after 1 comes 0, and at the end the one before.
    for (left, next) in [(3, 1), (2, 0), (1, 3)] {
        page.press("Delete").await;
        until_ghosts(&page, left).await;
        assert!(is_focused(&page, &button(next)).await, "the focus is on {}", focused(&page).await);
    }
    browser.close().await;
}

#[tokio::test]
async fn equal_neighbours_are_one_ghost_with_their_number_and_are_put_away_together() {
    let mut events = stones(2);
    events.extend((0..4).map(|at| settled(&format!("commit:tick{at}"), "ada", "tick")));
    events.push(settled("commit:other", "ada", "lay a roof"));
    events.push(settled("commit:last", "ada", "tick"));
    let (stream, browser, page) = visit(&events).await;
    until_caught_up(&page, &stream).await;
    until_ghosts(&page, 5).await;
    assert_eq!(labels(&page).await, ["tick", "lay a roof", "tick", "lay marble 1", "lay granite 0"]);
    let group = ghost("commit:tick3");
    until_said(&page, &format!("{group} [data-p=count]"), "×4").await;
    assert_eq!(texts(&page, &format!("{GHOST} [data-p=count]")).await, ["×4"], "one alone has no number");

    click(&page, &format!("{group} [data-p=dismiss]")).await;
    until_ghosts(&page, 4).await;
    assert_eq!(labels(&page).await, ["tick", "lay a roof", "lay marble 1", "lay granite 0"]);
    until_said(&page, "#restore", "restore 4").await;
    click(&page, "#restore").await;
    until_ghosts(&page, 5).await;
    until_said(&page, &format!("{group} [data-p=count]"), "×4").await;
    browser.close().await;
}
