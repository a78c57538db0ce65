//! What becomes of what a witness does where the storage is full, blocked, torn or written by a newer page.

use crate::{
    keepsakes::{GHOST, ghost, keep_note, line, note, open_kept, open_panel, town},
    planting::{SPROUT, count, open_seeds, plant, until_count},
    witness::{click, focus, paste, quoted, stream_of, text, until_said, until_unseen, visit},
};
use monkeytown_tests::{
    browser::{Browser, Page},
    storage,
};

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
        for (is_kept, class) in [(planted, "kept.seed."), (pinned, "kept.pin.ada")] {
            assert_eq!(kept_before.iter().any(|key| key.contains(class)), is_kept, "{class} in {kept_before:?}");
        }
        // A ghost is pinned by what tells it from every other, which is a number.
        let ghosts = kept_before.iter().filter_map(|key| key.strip_prefix("monkeytown.kept.pin."));
        assert_eq!(ghosts.filter(|id| id.parse::<u64>().is_ok()).count(), usize::from(ghost_pinned), "{kept_before:?}");
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
    until_said(&page, "#sheet [data-p=answer]", "until this page is closed").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    keep_note(&page, "ada", "for now").await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "for now");
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    open_kept(&page).await;
    until_said(&page, "#sheet [data-p=fleeting]", "this browser keeps nothing for this page").await;
    assert_eq!(text(&page, "#seed-count [data-p=seeds]").await, "1 of 5");
    page.complains_of_nothing().await;
    browser.close().await;
}
