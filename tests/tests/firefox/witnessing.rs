//! What becomes of a witness's own things in Firefox: kept across visits, and kept or refused in words where another
//! script has filled the storage to its last unit.

use monkeytown_tests::{
    events::{event, works},
    firefox::{Firefox, Page},
    script::{is_seen, quoted},
    storage::{EMPTY, USED_UNITS, fill},
    stream::{Source, Stream},
};
use serde_json::{Value, json};

const OPENER: &str = "[data-testid=agent-card][data-entity-id=ada] [data-p=name]";
const GHOST_PIN: &str = "[data-testid=ghost-item] [data-p=pin]";
const PINNED: &str = "document.querySelector('#panel [data-p=pin]').ariaPressed === 'true'";
const REFUSED: &str = "that was not kept: this browser's storage is full";
/// What of the witness's is kept, by its keys.
const KEYS: &str = "Object.keys(localStorage).filter((key) => key.startsWith('monkeytown.kept.')
    && !key.startsWith('monkeytown.kept.ghosts.')).sort()";

/// An agent at work, and something that it settled.
async fn town() -> Stream {
    let stream = Stream::start(Source::Publishers).await;
    let settled = json!({"id": "commit:granite", "kind": "transaction", "label": "lay granite", "parent": "ada",
        "status": "complete"});
    let settled = event("settled", "monkeytown.entity.created", &settled);
    stream.publish(&[works("1", "ada", "draws a map"), settled]).await;
    stream
}

async fn arrive(page: &Page) {
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    page.until_seen(GHOST_PIN).await;
}

/// Whether `words` stand in what `selector` finds.
fn says(selector: &str, words: &str) -> String {
    format!("document.querySelector({}).textContent.includes({})", quoted(selector), quoted(words))
}

/// Opens the panel, whatever slides in at rest.
async fn open_panel(page: &Page) {
    page.click(OPENER).await;
    page.until_seen("#note").await;
    page.until("!document.querySelector('#panel').getAnimations().some((one) => one.playState === 'running')").await;
}

async fn note(page: &Page) -> String {
    page.value("document.querySelector('#note').value").await
}

/// Plants, notes, pins an agent and a ghost: whether each was acknowledged. What is neither kept nor refused in words
/// within the wait is a failure.
async fn act(page: &Page, words: &str) -> [bool; 4] {
    page.click("#plant-seed").await;
    page.until_seen("#seed-form").await;
    page.until("!document.querySelector('#sheet').getAnimations().some((one) => one.playState === 'running')").await;
    page.click("#seed-first").await;
    page.write(words).await;
    page.click("#seed-form [type=submit]").await;
    let planted = says("#sheet [data-p=answer]", "planted:");
    page.until(&format!("{planted} || {}", says("#sheet [data-p=answer]", REFUSED))).await;
    let planted: bool = page.value(&planted).await;
    page.press("Escape").await;
    page.until_unseen("#sheet").await;

    open_panel(page).await;
    page.click("#note").await;
    page.write(words).await;
    let noted = says("#note-told", "the note is kept");
    page.until(&format!("{noted} || {}", says("#note-told", REFUSED))).await;
    let noted: bool = page.value(&noted).await;
    page.click("#panel [data-p=pin]").await;
    page.until(&format!("{PINNED} || {}", says("#note-told", REFUSED))).await;
    let pinned: bool = page.value(PINNED).await;
    page.press("Escape").await;
    page.until_unseen("#panel").await;

    page.click(GHOST_PIN).await;
    let ghost_pinned = format!("document.querySelector({}).ariaPressed === 'true'", quoted(GHOST_PIN));
    let refused = format!("({} && {})", is_seen("#undo-bar"), says("#undo-bar", "that was not kept"));
    page.until(&format!("{ghost_pinned} || {refused}")).await;
    [planted, noted, pinned, page.value(&ghost_pinned).await]
}

/// How many of the keys are of each kind of act, in the order of [`act`].
fn held(keys: &[String]) -> [bool; 4] {
    let has = |class: &str, is_it: fn(&str) -> bool| {
        let prefix = format!("monkeytown.kept.{class}.");
        keys.iter().filter_map(|key| key.strip_prefix(&prefix)).filter(|id| is_it(id)).count() == 1
    };
    [
        has("seed", |_| true),
        has("note", |_| true),
        has("pin", |id| id == "ada"),
        has("pin", |id| id.parse::<u64>().is_ok()),
    ]
}

#[tokio::test]
async fn a_seed_a_note_and_pins_are_kept_in_firefox_for_the_next_visit_and_for_a_browser_opened_again() {
    let stream = town().await;
    let firefox = Firefox::start().await;
    let page = firefox.visit(&stream.url("/")).await;
    arrive(&page).await;
    assert_eq!(act(&page, "stones").await, [true; 4]);
    page.reload().await;
    arrive(&page).await;
    assert_eq!(held(&page.value::<Vec<String>>(KEYS).await), [true; 4]);
    open_panel(&page).await;
    assert_eq!(note(&page).await, "stones");
    assert!(page.value::<bool>(PINNED).await);
    page.press("Escape").await;
    page.complains_of_nothing().await;

    let firefox = Firefox::again(firefox.close().await).await;
    let page = firefox.visit(&stream.url("/")).await;
    arrive(&page).await;
    page.until("document.querySelectorAll('#seeds [data-testid=seed-item]').length === 1").await;
    open_panel(&page).await;
    assert_eq!(note(&page).await, "stones");
    firefox.close().await;
}

#[tokio::test]
async fn in_a_firefox_that_another_script_has_filled_each_act_is_kept_or_refused_in_words_and_none_is_half_written() {
    let stream = town().await;
    let mut outcomes = Vec::new();
    for leave_units in [0, 300, 700] {
        let firefox = Firefox::start().await;
        let page = firefox.visit(&stream.url("/")).await;
        arrive(&page).await;
        // The page as last known would make room: it is not what is asked about.
        page.value::<bool>("localStorage.removeItem('monkeytown.last-known.v3') ?? true").await;
        let full: u64 = page.value(&fill(leave_units)).await;
        let done = act(&page, "in a full place").await;
        assert!(page.value::<u64>(USED_UNITS).await >= full, "nothing of what was there has gone");
        assert_eq!(held(&page.value::<Vec<String>>(KEYS).await), done, "with {leave_units} units left");
        page.complains_of_nothing().await;
        page.value::<bool>(EMPTY).await;
        page.reload().await;
        arrive(&page).await;
        // What could not be kept is tried again when the page is left; what was acknowledged is there in any case.
        let after = held(&page.value::<Vec<String>>(KEYS).await);
        assert!(done.iter().zip(after).all(|(done, after)| !done || after), "{done:?}, then {after:?}");
        open_panel(&page).await;
        assert_eq!(page.value::<bool>(PINNED).await, done[2]);
        let words = note(&page).await;
        assert!(words.is_empty() || words == "in a full place", "{words}");
        firefox.close().await;
        outcomes.push(done);
    }
    assert_eq!(outcomes.first(), Some(&[false; 4]), "nothing fits into nothing");
    assert!(outcomes.last().is_some_and(|done| done.contains(&true)), "{outcomes:?}");
}

#[tokio::test]
async fn where_firefox_forbids_storage_what_a_witness_does_lasts_for_the_visit() {
    let stream = town().await;
    let firefox = Firefox::preferring(&[("network.cookie.cookieBehavior", Value::from(2))]).await;
    let page = firefox.visit(&stream.url("/")).await;
    arrive(&page).await;
    assert_eq!(act(&page, "for now").await, [true; 4]);
    open_panel(&page).await;
    assert_eq!(note(&page).await, "for now");
    page.press("Escape").await;
    page.until_unseen("#panel").await;
    page.click("#storage").await;
    page.until(&says("#sheet [data-p=fleeting]", "this browser keeps nothing for this page")).await;
    page.makes_no_mistake().await;
    firefox.close().await;
}
