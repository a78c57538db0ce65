//! What a witness keeps beside seeds: notes, pins, mutes, bookmarks, ghosts put away; in two tabs, and across visits.

use crate::{
    planting::{count, until_count},
    witness::{
        card, click, focus, opener, paste, publish, quoted, settled, stream_of, texts, turns, until_said, until_seen,
        until_settled, until_unseen, visit, write,
    },
};
use monkeytown_tests::{
    browser::{Browser, Page},
    proxy::Proxy,
    script::is_seen,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::Value;

pub(crate) const GHOST: &str = "[data-testid=ghost-item]";
const KEPT: &str = "#keepsakes > li";

/// Two agents at work, and three things that one of them settled.
pub(crate) fn town() -> Vec<Value> {
    let mut events = vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "active", "lays stones")];
    let labels = ["lay granite", "lay marble", "lay slate"];
    events.extend(labels.iter().map(|label| settled(&label.replace("lay ", "commit:"), "bob", label)));
    events
}

pub(crate) fn ghost(name: &str) -> String {
    format!("{GHOST}[data-entity-id=\"commit:{name}\"]")
}

/// Opens the panel of an agent, and waits until it stands.
pub(crate) async fn open_panel(page: &Page, agent: &str) {
    page.until(&format!("document.querySelector({})", quoted(&card(agent)))).await;
    // Its address may have opened it again.
    let is_open = format!("document.querySelector('#panel[data-open]')?.dataset.entityId === {}", quoted(agent));
    if !page.value::<bool>(&is_open).await {
        focus(page, &opener(agent)).await;
        page.press("Enter").await;
    }
    until_seen(page, "#note").await;
    until_settled(page).await;
}

/// Opens the side of the sheet that tells what is kept.
pub(crate) async fn open_kept(page: &Page) {
    // Before the page has begun nobody hears a click.
    page.until_state("live").await;
    if !page.value::<bool>(&is_seen("#sheet-kept")).await {
        click(page, "#storage").await;
    }
    until_seen(page, "#sheet-kept").await;
}

/// Closes it again: a page that is loaded again opens what its address names.
pub(crate) async fn close_kept(page: &Page) {
    until_seen(page, "#sheet-kept").await;
    page.press("Escape").await;
    until_unseen(page, "#sheet").await;
}

/// Opens the panel of an agent, writes a note on it and waits until it is kept.
pub(crate) async fn keep_note(page: &Page, agent: &str, words: &str) {
    open_panel(page, agent).await;
    focus(page, "#note").await;
    paste(page, words).await;
    until_said(page, "#note-told", "the note is kept").await;
    page.press("Escape").await;
    until_unseen(page, "#panel").await;
}

pub(crate) async fn note(page: &Page) -> String {
    page.value("document.querySelector('#note').value").await
}

/// What lies under a key of what is kept.
pub(crate) async fn line(page: &Page, key: &str) -> Option<String> {
    page.value(&format!("localStorage.getItem('monkeytown.kept.{key}')")).await
}

/// Waits until words stand in what lies under a key. Of that no document says anything, and a tab that is not in front
/// has no frames: it is asked again and again.
async fn until_line(page: &Page, key: &str, words: &str) {
    let wait = async { while !line(page, key).await.is_some_and(|line| line.contains(words)) {} };
    soon(&format!("{words} in {key}"), wait).await;
}

/// Labels of ghosts, in order.
async fn labels(page: &Page) -> Vec<String> {
    texts(page, &format!("{GHOST} [data-p=label]")).await
}

#[tokio::test]
async fn a_note_is_kept_within_moments_and_read_at_the_next_visit() {
    let (_stream, browser, page) = visit(&town()).await;
    open_panel(&page, "ada").await;
    focus(&page, "#note").await;
    write(&page, "knows the way").await;
    until_said(&page, "#note-told", "the note is kept").await;
    until_line(&page, "note.ada", "knows the way").await;
    // Nothing is written under who writes on.
    write(&page, " home").await;
    until_line(&page, "note.ada", "knows the way home").await;
    page.press("Escape").await;
    until_said(&page, &card("ada"), "noted").await;
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "knows the way home");
    page.press("Escape").await;
    open_panel(&page, "bob").await;
    assert_eq!(note(&page).await, "");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_note_is_kept_when_the_page_is_left_in_the_middle_of_it() {
    let (_stream, browser, page) = visit(&town()).await;
    open_panel(&page, "ada").await;
    focus(&page, "#note").await;
    paste(&page, "left at once").await;
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "left at once");
    browser.close().await;
}

#[tokio::test]
async fn notes_of_two_tabs_on_two_agents_are_both_kept() {
    let (stream, browser, first) = visit(&town()).await;
    let second = browser.visit(&stream.url("/")).await;
    open_panel(&second, "bob").await;
    first.show().await;
    open_panel(&first, "ada").await;
    for (page, words) in [(&first, "of the first"), (&second, "of the second")] {
        page.show().await;
        focus(page, "#note").await;
        paste(page, words).await;
    }
    until_line(&first, "note.ada", "of the first").await;
    until_line(&first, "note.bob", "of the second").await;
    for (page, agent, words) in [(&first, "bob", "of the second"), (&second, "ada", "of the first")] {
        page.show().await;
        page.press("Escape").await;
        until_unseen(page, "#panel").await;
        open_panel(page, agent).await;
        assert_eq!(note(page).await, words);
        page.complains_of_nothing().await;
    }
    browser.close().await;
}

#[tokio::test]
async fn a_note_that_two_tabs_write_at_once_keeps_the_words_of_both() {
    let (stream, browser, first) = visit(&town()).await;
    let second = browser.visit(&stream.url("/")).await;
    for page in [&first, &second] {
        page.show().await;
        open_panel(page, "ada").await;
        focus(page, "#note").await;
    }
    // The second stands in the field, and has written nothing yet, when the first is kept.
    first.show().await;
    paste(&first, "granite").await;
    until_line(&first, "note.ada", "granite").await;
    until_line(&second, "note.ada", "granite").await;
    second.show().await;
    paste(&second, "marble").await;
    until_line(&second, "note.ada", "marble").await;
    until_line(&second, "note.ada", "granite").await;
    // Whoever goes on writing loses nothing of the other either.
    paste(&second, " and slate").await;
    until_line(&second, "note.ada", "and slate").await;
    until_line(&second, "note.ada", "granite").await;
    first.show().await;
    first.until("document.querySelector('#note').value.includes('slate')").await;
    paste(&first, " and chalk").await;
    until_line(&first, "note.ada", "chalk").await;
    let kept = line(&first, "note.ada").await.expect("a note");
    for word in ["granite", "marble", "slate", "chalk"] {
        assert_eq!(kept.matches(word).count(), 1, "{word} in {kept}");
    }
    browser.close().await;
}

#[tokio::test]
async fn words_that_both_tabs_were_still_writing_are_all_kept() {
    let (stream, browser, first) = visit(&town()).await;
    let second = browser.visit(&stream.url("/")).await;
    for page in [&first, &second] {
        page.show().await;
        open_panel(page, "ada").await;
    }
    // Both hold still until both have written: neither is kept before.
    let enter = |words: &str| {
        format!(
            "(() => {{
                const field = document.querySelector('#note');
                field.value += {};
                field.dispatchEvent(new Event('input', {{ bubbles: true }}));
                return true;
            }})()",
            quoted(words)
        )
    };
    let (one, other) = (enter("granite"), enter("marble"));
    tokio::join!(first.value::<bool>(&one), second.value::<bool>(&other));
    until_line(&first, "note.ada", "marble").await;
    until_line(&first, "note.ada", "granite").await;
    browser.close().await;
}

#[tokio::test]
async fn an_agent_that_is_pinned_is_marked_until_it_is_no_longer() {
    let (_stream, browser, page) = visit(&town()).await;
    open_panel(&page, "ada").await;
    click(&page, "#panel [data-p=pin]").await;
    page.until("document.querySelector('#panel [data-p=pin]').ariaPressed === 'true'").await;
    page.press("Escape").await;
    until_said(&page, &card("ada"), "pinned").await;
    page.reload().await;
    until_said(&page, &card("ada"), "pinned").await;
    open_kept(&page).await;
    until_said(&page, KEPT, "ada").await;
    click(&page, &format!("{KEPT} [data-p=forget]")).await;
    until_count(&page, KEPT, 0).await;
    page.press("Escape").await;
    until_unseen(&page, &format!("{} [data-p=kept]", card("ada"))).await;
    browser.close().await;
}

#[tokio::test]
async fn ghosts_of_a_stream_that_has_begun_again_stay_and_the_pinned_stand_at_the_top() {
    let stream = stream_of(&town()).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    until_count(&page, GHOST, 3).await;
    assert_eq!(labels(&page).await, ["lay slate", "lay marble", "lay granite"]);
    click(&page, &format!("{} [data-p=pin]", ghost("granite"))).await;
    page.until(&format!("document.querySelector('{GHOST}').dataset.entityId === 'commit:granite'")).await;
    let pinned_first = ["lay granite", "lay slate", "lay marble"];
    assert_eq!(labels(&page).await, pinned_first);

    let empty = Stream::start(Source::Publishers).await;
    publish(&empty, &[turns("2", "cid", "active", "begins again")]).await;
    proxy.lead_to(empty.address);
    stream.end().await;
    page.until_card("cid", "begins again").await;
    page.until_state("live").await;
    assert_eq!(labels(&page).await, pinned_first);
    // And at the next visit, of a stream that never told of them.
    page.reload().await;
    page.until_card("cid", "begins again").await;
    until_count(&page, GHOST, 3).await;
    assert_eq!(labels(&page).await, pinned_first);
    until_said(&page, "#ghost-list .ghost-heading", "pinned").await;
    // What settles now stands below what is pinned, and above what was before.
    publish(&empty, &[settled("commit:chalk", "cid", "lay chalk")]).await;
    until_count(&page, GHOST, 4).await;
    assert_eq!(labels(&page).await, ["lay granite", "lay chalk", "lay slate", "lay marble"]);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_put_away_stays_away_after_a_reload_and_comes_back_when_it_is_restored() {
    let (_stream, browser, page) = visit(&town()).await;
    until_count(&page, GHOST, 3).await;
    click(&page, &format!("{} [data-p=dismiss]", ghost("marble"))).await;
    until_count(&page, GHOST, 2).await;
    page.reload().await;
    until_count(&page, GHOST, 2).await;
    page.until_state("live").await;
    assert_eq!(labels(&page).await, ["lay slate", "lay granite"]);
    until_said(&page, "#restore", "restore 1").await;
    click(&page, "#restore").await;
    until_count(&page, GHOST, 3).await;
    page.reload().await;
    until_count(&page, GHOST, 3).await;
    browser.close().await;
}

#[tokio::test]
async fn putting_away_and_restoring_are_each_taken_back_by_one_undo() {
    let (_stream, browser, page) = visit(&town()).await;
    until_count(&page, GHOST, 3).await;
    until_unseen(&page, "#undo-bar [data-p=undo]").await;
    click(&page, &format!("{} [data-p=dismiss]", ghost("marble"))).await;
    until_count(&page, GHOST, 2).await;
    until_said(&page, "#undo-bar", "put away").await;
    click(&page, "#undo-bar [data-p=undo]").await;
    until_count(&page, GHOST, 3).await;
    until_unseen(&page, "#undo-bar [data-p=undo]").await;

    click(&page, &format!("{} [data-p=dismiss]", ghost("marble"))).await;
    until_count(&page, GHOST, 2).await;
    click(&page, "#restore").await;
    until_count(&page, GHOST, 3).await;
    until_said(&page, "#undo-bar", "all brought back").await;
    click(&page, "#undo-bar [data-p=undo]").await;
    until_count(&page, GHOST, 2).await;
    assert_eq!(labels(&page).await, ["lay slate", "lay granite"]);
    browser.close().await;
}

#[tokio::test]
async fn of_an_agent_that_is_muted_no_toast_tells() {
    let (stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    open_panel(&page, "ada").await;
    click(&page, "#panel [data-p=mute]").await;
    page.until("document.querySelector('#panel [data-p=mute]').ariaPressed === 'true'").await;
    page.press("Escape").await;
    until_said(&page, &card("ada"), "muted").await;
    page.reload().await;
    page.until_state("live").await;
    page.until_card("ada", "draws a map").await;
    // Toasts tell of those who are not looked at while somebody is.
    publish(&stream, &[turns("1", "cid", "active", "looks on")]).await;
    open_panel(&page, "cid").await;
    publish(&stream, &[turns("2", "ada", "error", "draws a map")]).await;
    publish(&stream, &[turns("2", "bob", "error", "lays stones")]).await;
    until_said(&page, ".toast", "bob broke").await;
    assert_eq!(count(&page, ".toast").await, 1);
    until_said(&page, &card("ada"), "out of stones").await;
    browser.close().await;
}

#[tokio::test]
async fn a_moment_is_bookmarked_and_kept() {
    let (stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    until_count(&page, GHOST, 3).await;
    open_kept(&page).await;
    click(&page, "#bookmark").await;
    until_said(&page, "#sheet [data-p=answer]", "the moment is kept").await;
    until_count(&page, KEPT, 1).await;
    until_said(&page, KEPT, "after: lay slate").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    publish(&stream, &[settled("commit:chalk", "bob", "lay chalk")]).await;
    until_count(&page, GHOST, 4).await;
    open_kept(&page).await;
    click(&page, "#bookmark").await;
    until_count(&page, KEPT, 2).await;
    page.reload().await;
    open_kept(&page).await;
    until_count(&page, KEPT, 2).await;
    until_said(&page, KEPT, "after: lay chalk").await;
    browser.close().await;
}
