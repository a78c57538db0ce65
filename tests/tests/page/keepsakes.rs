//! What a witness keeps beside seeds: notes, pins, mutes, bookmarks, ghosts put away; in two tabs, across visits, when the
//! storage is full, blocked, torn or written by a newer page.

use crate::{
    planting::{SPROUT, count, open_seeds, plant, until_count},
    witness::{
        card, click, focus, opener, paste, publish, quoted, settled, stream_of, text, texts, turns, until_said,
        until_seen, until_settled, until_unseen, visit, write,
    },
};
use monkeytown_tests::{
    browser::{Browser, Page},
    proxy::Proxy,
    storage,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::Value;

const GHOST: &str = "[data-testid=ghost-item]";
const KEPT: &str = "#keepsakes > li";

/// Two agents at work, and three things that one of them settled.
fn town() -> Vec<Value> {
    let mut events = vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "active", "lays stones")];
    let labels = ["lay granite", "lay marble", "lay slate"];
    events.extend(labels.iter().map(|label| settled(&format!("commit:{}", &label[4..]), "bob", label)));
    events
}

fn ghost(name: &str) -> String {
    format!("{GHOST}[data-entity-id=\"commit:{name}\"]")
}

/// Opens the panel of an agent, and waits until it stands.
pub(crate) async fn open_panel(page: &Page, agent: &str) {
    page.until(&format!("document.querySelector({})", quoted(&card(agent)))).await;
    focus(page, &opener(agent)).await;
    page.press("Enter").await;
    until_seen(page, "#note").await;
    until_settled(page).await;
}

/// Opens the side of the sheet that tells what is kept.
pub(crate) async fn open_kept(page: &Page) {
    // Before the page has begun nobody hears a click.
    page.until_state("live").await;
    click(page, "#storage").await;
    until_seen(page, "#sheet-kept").await;
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

async fn note(page: &Page) -> String {
    page.value("document.querySelector('#note').value").await
}

/// What lies under a key of what is kept.
async fn line(page: &Page, key: &str) -> Option<String> {
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
    until_unseen(&page, "#undo-bar").await;
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
async fn a_moment_is_bookmarked_by_button_and_by_key_and_kept() {
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
    page.press("b").await;
    // That it is kept is said where the witness is.
    until_said(&page, "#undo-bar, #notice", "the moment is kept").await;
    page.reload().await;
    open_kept(&page).await;
    until_count(&page, KEPT, 2).await;
    until_said(&page, KEPT, "after: lay chalk").await;
    browser.close().await;
}

/// What a witness did, and what came of it: whether it was acknowledged.
async fn act_in_a_full_storage(page: &Page) -> [bool; 4] {
    const REFUSED: &str = "that was not kept: this browser's storage is full";
    let told = |selector: &str, kept: &str| {
        format!(
            "(() => {{
                const said = document.querySelector({}).textContent;
                return said.includes({}) || said.includes({});
            }})()",
            quoted(selector),
            quoted(kept),
            quoted(REFUSED)
        )
    };
    let is_kept = |selector: &str, kept: &str| {
        format!("document.querySelector({}).textContent.includes({})", quoted(selector), quoted(kept))
    };
    open_seeds(page).await;
    focus(page, "#seed-first").await;
    paste(page, "a seed in a full place").await;
    click(page, "#seed-form [type=submit]").await;
    page.until(&told("#sheet [data-p=answer]", "planted:")).await;
    let planted: bool = page.value(&is_kept("#sheet [data-p=answer]", "planted:")).await;
    page.press("Escape").await;
    until_unseen(page, "#sheet").await;

    open_panel(page, "ada").await;
    focus(page, "#note").await;
    paste(page, "a note in a full place").await;
    page.until(&told("#note-told", "the note is kept")).await;
    let noted: bool = page.value(&is_kept("#note-told", "the note is kept")).await;
    click(page, "#panel [data-p=pin]").await;
    let is_pinned = "document.querySelector('#panel [data-p=pin]').ariaPressed === 'true'";
    page.until(&format!("{is_pinned} || {}", is_kept("#note-told", REFUSED))).await;
    let pinned: bool = page.value(is_pinned).await;
    page.press("Escape").await;
    until_unseen(page, "#panel").await;

    // Where neither the sheet nor the panel is open, a refusal is said as well.
    let ghost_pin = format!("{} [data-p=pin]", ghost("granite"));
    click(page, &ghost_pin).await;
    let is_pinned = format!("document.querySelector({}).ariaPressed === 'true'", quoted(&ghost_pin));
    let refused = "['#undo-bar', '#notice'].some((one) => document.querySelector(one).checkVisibility()
        && document.querySelector(one).textContent.includes('that was not kept'))";
    page.until(&format!("{is_pinned} || {refused}")).await;
    [planted, noted, pinned, page.value(&is_pinned).await]
}

#[tokio::test]
async fn in_a_storage_that_another_script_has_filled_each_act_is_kept_or_refused_in_words_and_none_is_half_written() {
    let mut outcomes = Vec::new();
    for leave_units in [0, 100, 300, 700] {
        let (_stream, browser, page) = visit(&town()).await;
        until_count(&page, GHOST, 3).await;
        page.until_state("live").await;
        keep_note(&page, "bob", "kept before").await;
        page.value::<u64>(&storage::fill(leave_units)).await;
        let done = act_in_a_full_storage(&page).await;
        page.value::<bool>(storage::EMPTY).await;
        // What was refused is tried again by nobody once it has been given up: the visit ends without a word.
        let [planted, noted, pinned, ghost_pinned] = done;
        let kept_before: Vec<String> =
            page.value("Object.keys(localStorage).filter((key) => key.startsWith('monkeytown.kept.')).sort()").await;
        for (is_kept, class) in [(planted, "kept.seed."), (pinned, "kept.pin.ada"), (ghost_pinned, "kept.pin.commit:")]
        {
            assert_eq!(kept_before.iter().any(|key| key.contains(class)), is_kept, "{class} in {kept_before:?}");
        }
        page.reload().await;
        until_count(&page, GHOST, 3).await;
        assert_eq!(count(&page, SPROUT).await, usize::from(planted), "{done:?}");
        open_panel(&page, "ada").await;
        if noted {
            assert_eq!(note(&page).await, "a note in a full place");
        }
        assert_eq!(
            page.value::<bool>("document.querySelector('#panel [data-p=pin]').ariaPressed === 'true'").await,
            pinned
        );
        page.press("Escape").await;
        open_panel(&page, "bob").await;
        assert_eq!(note(&page).await, "kept before");
        page.press("Escape").await;
        until_unseen(&page, "#panel").await;
        open_kept(&page).await;
        until_unseen(&page, "#sheet-kept .fault").await;
        outcomes.push(done);
        page.complains_of_nothing().await;
        browser.close().await;
    }
    let [full, .., roomy] = outcomes.as_slice() else { panic!("four rounds") };
    assert_eq!(full, &[false; 4], "nothing fits into nothing");
    assert!(roomy.contains(&true), "{outcomes:?}");
}

#[tokio::test]
async fn a_note_that_was_refused_stays_where_it_was_written_and_is_kept_when_there_is_room() {
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    page.value::<u64>(&storage::fill(0)).await;
    open_panel(&page, "ada").await;
    focus(&page, "#note").await;
    paste(&page, "patience").await;
    until_said(&page, "#note-told", "that was not kept: this browser's storage is full").await;
    assert_eq!(note(&page).await, "patience");
    page.value::<bool>(storage::EMPTY).await;
    until_said(&page, "#note-told", "the note is kept").await;
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "patience");
    browser.close().await;
}

#[tokio::test]
async fn a_record_that_was_edited_by_hand_is_set_aside_and_said_and_the_rest_is_read() {
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    keep_note(&page, "ada", "knows the way").await;
    keep_note(&page, "bob", "is strong").await;
    let torn = "(() => {
        const key = 'monkeytown.kept.note.ada';
        localStorage.setItem(key, localStorage.getItem(key).replace('knows', 'loses'));
        return localStorage.getItem(key);
    })()";
    let torn: String = page.value(torn).await;
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "", "what was edited is not taken for what was kept");
    page.press("Escape").await;
    open_panel(&page, "bob").await;
    assert_eq!(note(&page).await, "is strong");
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    open_kept(&page).await;
    until_said(&page, "#sheet-kept .fault", "1 kept here could not be read: torn or edited").await;
    assert_eq!(line(&page, "note.ada").await.as_deref(), Some(&*torn), "it lies as it was");
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;

    // Another in its place leaves what is left of it, beside.
    keep_note(&page, "ada", "another").await;
    let aside: String = page.value("localStorage.getItem('monkeytown.aside.monkeytown.kept.note.ada') ?? ''").await;
    assert_eq!(aside, torn);
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "another");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_a_newer_page_has_kept_is_left_untouched_and_said() {
    let (_stream, browser, page) = visit(&town()).await;
    let newer = "2 1 1 {\"words\":\"from tomorrow\",\"shape\":[1,2]}";
    page.value::<bool>(&format!("localStorage.setItem('monkeytown.kept.note.ada', {}) ?? true", quoted(newer))).await;
    page.reload().await;
    page.until_state("live").await;
    open_kept(&page).await;
    until_said(&page, "#sheet-kept .fault", "1 kept here by a newer version of this page").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    open_panel(&page, "ada").await;
    focus(&page, "#note").await;
    paste(&page, "over it").await;
    until_said(&page, "#note-told", "that was not kept: a newer version of this page wrote there").await;
    assert_eq!(line(&page, "note.ada").await.as_deref(), Some(newer));
    page.reload().await;
    page.until_state("live").await;
    assert_eq!(line(&page, "note.ada").await.as_deref(), Some(newer));
    browser.close().await;
}

#[tokio::test]
async fn where_the_storage_is_blocked_what_is_done_lasts_for_the_visit_and_that_is_said() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(
        "Object.defineProperty(window, 'localStorage', {
            get() { throw new DOMException('blocked', 'SecurityError'); },
        });",
    )
    .await;
    page.go(&stream.url("/")).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    plant(&page, "stones").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    keep_note(&page, "ada", "for now").await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "for now");
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    open_kept(&page).await;
    until_said(&page, "#sheet-kept .fault", "this browser keeps nothing for this page").await;
    assert_eq!(text(&page, "#seed-count [data-p=seeds]").await, "1 of 5");
    page.complains_of_nothing().await;
    browser.close().await;
}
