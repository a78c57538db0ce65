//! What goes wrong in the middle of what a witness does: a file for which there is no room, an undo that comes late, an
//! erasing while another tab writes.

use crate::{
    keepsakes::{GHOST, close_kept, keep_note, line, note, open_kept, open_panel, town},
    parcels::{choose_file, erase, held, kept},
    planting::{ROW, SPROUT, count, open_seeds, plant, until_count},
    witness::{
        click, focus, paste, quoted, settled, stream_of, told, turns, until_said, until_seen, until_unseen, visit,
    },
};
use monkeytown_tests::{
    browser::Browser,
    proxy::Proxy,
    storage,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::{Value, json};

/// What the page may keep in all, in UTF-16 units.
const BUDGET_UNITS: u64 = 2_400_000;

/// A file of things.
fn file(kept: &[Value]) -> String {
    json!({"format": "monkeytown-witness", "version": 1, "kept": kept}).to_string()
}

fn note_of(agent: &str, words: &str) -> Value {
    json!({"class": "note", "id": agent, "changed": 2, "body": json!({"words": words}).to_string()})
}

fn seed(id: &str, planted_millis: u128) -> Value {
    let body = json!({"type": "query", "planted": planted_millis, "first": format!("stones of {id}"), "second": "",
        "status": "pending", "percent": 0});
    json!({"class": "seed", "id": id, "changed": 1, "body": body.to_string()})
}

#[tokio::test]
async fn of_a_file_for_which_there_is_no_room_nothing_is_kept_and_what_was_there_is_whole() {
    for how in ["merge", "replace"] {
        let (_stream, browser, page) = visit(&town()).await;
        page.until_state("live").await;
        keep_note(&page, "ada", "was here").await;
        let before = kept(&page).await;
        // Some of the file fits; the page as last known has gone already, and makes no room.
        page.value::<bool>("localStorage.removeItem('monkeytown.last-known.v3') ?? true").await;
        page.value::<u64>(&storage::fill(2_000)).await;
        let mut many = vec![note_of("ada", &"another ".repeat(60))];
        many.extend((0..8).map(|at| note_of(&format!("agent-{at}"), &"longer ".repeat(60))));
        open_kept(&page).await;
        let _file = choose_file(&page, file(&many).as_bytes()).await;
        until_said(&page, "#sheet-kept [data-p=arrived]", "the file holds").await;
        click(&page, &format!("#sheet-kept [data-p={how}]")).await;
        until_said(
            &page,
            "#sheet [data-p=answer]",
            "nothing of the file is kept. that was not kept: this browser's storage is full",
        )
        .await;
        assert_eq!(kept(&page).await, before, "{how}");
        page.value::<bool>(storage::EMPTY).await;
        page.reload().await;
        page.until_state("live").await;
        assert_eq!(kept(&page).await, before, "{how}");
        page.complains_of_nothing().await;
        browser.close().await;
    }
}

#[tokio::test]
async fn a_file_by_which_more_than_five_seeds_would_be_under_way_is_refused_whole() {
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    plant(&page, "marble").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("a clock").as_millis();
    let before = kept(&page).await;
    let mut five: Vec<Value> = (0..5).map(|at| seed(&format!("query-{at}"), now)).collect();
    five.push(note_of("ada", "beside"));
    open_kept(&page).await;
    let _file = choose_file(&page, file(&five).as_bytes()).await;
    until_seen(&page, "#sheet-kept [data-p=merge]").await;
    click(&page, "#sheet-kept [data-p=merge]").await;
    until_said(&page, "#sheet [data-p=answer]", "more than five seeds would be under way").await;
    assert_eq!(kept(&page).await, before);
    // In the place of the one that is here there is room for five.
    let _file = choose_file(&page, file(&five).as_bytes()).await;
    until_seen(&page, "#sheet-kept [data-p=replace]").await;
    click(&page, "#sheet-kept [data-p=replace]").await;
    until_said(&page, "#sheet [data-p=answer]", "the file is brought back").await;
    until_count(&page, SPROUT, 5).await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_done_anew_is_not_offered_to_be_taken_back() {
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    open_panel(&page, "ada").await;
    for pressed in ["true", "false", "true"] {
        click(&page, "#panel [data-p=pin]").await;
        page.until(&format!("document.querySelector('#panel [data-p=pin]').ariaPressed === '{pressed}'")).await;
        if pressed == "false" {
            page.press("Escape").await;
            until_said(&page, "#undo-bar", "pin taken away").await;
            open_panel(&page, "ada").await;
        }
    }
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    until_unseen(&page, "#undo-bar [data-p=undo]").await;
    open_kept(&page).await;
    until_unseen(&page, "#sheet-kept [data-p=undo]").await;
    browser.close().await;
}

#[tokio::test]
async fn an_undo_that_comes_after_newer_words_leaves_them() {
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    keep_note(&page, "ada", "the old words").await;
    open_panel(&page, "ada").await;
    focus(&page, "#note").await;
    page.value::<bool>(
        "(() => {
            const field = document.querySelector('#note');
            field.value = '';
            field.dispatchEvent(new Event('input', { bubbles: true }));
            return true;
        })()",
    )
    .await;
    soon("the note is gone", async { while line(&page, "note.ada").await.is_some() {} }).await;
    paste(&page, "the new words").await;
    until_said(&page, "#note-told", "the note is kept").await;
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    open_kept(&page).await;
    click(&page, "#sheet-kept [data-p=undo]").await;
    until_said(&page, "#sheet [data-p=answer]", "taken back").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "the new words");
    browser.close().await;
}

#[tokio::test]
async fn what_a_tab_writes_while_another_erases_is_erased_too() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    let other = browser.visit(&stream.url("/")).await;
    // Its row is there before: one that comes would move the button away from under the pointer.
    keep_note(&other, "bob", "words").await;
    open_panel(&other, "bob").await;
    page.show().await;
    open_kept(&page).await;
    // The other writes at every moment before, while and after everything is erased.
    let writes = "(async () => {
        const field = document.querySelector('#note');
        const begun = performance.now();
        for (let at = 0; performance.now() - begun < 2000; at++) {
            field.value = `words ${at}`;
            field.dispatchEvent(new Event('input', { bubbles: true }));
            // A tab that is not in front has slow timers.
            await fetch('/config.json');
        }
        return true;
    })()";
    let (_, ()) = tokio::join!(other.value::<bool>(writes), erase(&page));
    other.show().await;
    let nothing = json!([[], [], [], [], 0, ""]);
    soon("nothing is held", async { while held(&other).await != nothing {} }).await;
    other.value::<bool>("window.dispatchEvent(new Event('pagehide')); true").await;
    page.value::<bool>("window.dispatchEvent(new Event('pagehide')); true").await;
    assert_eq!(held(&other).await, nothing);
    browser.close().await;
}

#[tokio::test]
async fn a_history_longer_than_is_kept_stays_inside_its_share_and_is_there_at_the_next_visit() {
    let mut events = vec![turns("1", "ada", "active", "lays stones")];
    events.extend(
        (0..3_000)
            .map(|at| settled(&format!("commit:{at}"), "ada", &format!("stone {at} {}", "of the wall ".repeat(9)))),
    );
    let stream = stream_of(&events).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    page.until_card("ada", "lays stones").await;
    until_said(&page, &format!("{GHOST} [data-p=label]"), "stone 2999").await;
    keep_note(&page, "ada", "among many").await;

    // Another stream begins: what this one told is kept beside it.
    let empty = Stream::start(Source::Publishers).await;
    empty.publish(&[turns("2", "cid", "active", "begins again")]).await;
    proxy.lead_to(empty.address);
    stream.end().await;
    page.until_card("cid", "begins again").await;
    page.reload().await;
    page.until_card("cid", "begins again").await;
    until_said(&page, &format!("{GHOST} [data-p=label]"), "stone 2999").await;
    let units = format!(
        "Object.entries(localStorage).filter(([key]) => key.startsWith({}))
            .reduce((units, [key, value]) => units + key.length + value.length, 0)",
        quoted("monkeytown.")
    );
    let used: u64 = page.value(&units).await;
    assert!(used <= BUDGET_UNITS, "{used} units are kept");
    // What is said is what is there.
    page.until(&format!("Number(document.querySelector('[data-testid=storage-usage]').dataset.usedUnits) === {units}"))
        .await;
    assert_eq!(line(&page, "note.ada").await.map(|line| line.contains("among many")), Some(true));
    assert!(count(&page, GHOST).await >= 100);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_note_that_was_refused_stays_with_its_agent_while_another_is_written() {
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    page.value::<u64>(&storage::fill(0)).await;
    open_panel(&page, "ada").await;
    focus(&page, "#note").await;
    paste(&page, "words on ada").await;
    until_said(&page, "#note-told", "that was not kept").await;
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    open_panel(&page, "bob").await;
    focus(&page, "#note").await;
    paste(&page, "words on bob").await;
    until_said(&page, "#note-told", "that was not kept").await;
    assert_eq!(note(&page).await, "words on bob");
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "words on ada");
    // When there is room, both are kept.
    page.value::<bool>(storage::EMPTY).await;
    soon("both are kept", async {
        while line(&page, "note.ada").await.is_none() || line(&page, "note.bob").await.is_none() {}
    })
    .await;
    page.reload().await;
    for (agent, words) in [("ada", "words on ada"), ("bob", "words on bob")] {
        open_panel(&page, agent).await;
        assert_eq!(note(&page).await, words);
        page.press("Escape").await;
        until_unseen(&page, "#panel").await;
    }
    browser.close().await;
}

#[tokio::test]
async fn a_tab_that_hears_late_of_an_erasing_leaves_what_was_kept_since() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    let sleeper = browser.visit(&stream.url("/")).await;
    sleeper.until_state("live").await;
    page.show().await;
    keep_note(&page, "ada", "before").await;
    // It hears of nothing until it wakes.
    sleeper
        .value::<bool>(
            "(() => {
                window.late = [];
                window.addEventListener('storage', (event) => {
                    if (window.late) { event.stopImmediatePropagation(); window.late.push(event); }
                }, true);
                return true;
            })()",
        )
        .await;
    open_kept(&page).await;
    erase(&page).await;
    page.reload().await;
    page.until_state("live").await;
    close_kept(&page).await;
    keep_note(&page, "ada", "begun afresh").await;
    sleeper
        .value::<bool>(
            "(() => {
                const late = window.late;
                window.late = null;
                for (const { key, newValue } of late) {
                    window.dispatchEvent(new StorageEvent('storage', { key, newValue }));
                }
                return true;
            })()",
        )
        .await;
    sleeper.show().await;
    page.show().await;
    page.reload().await;
    open_panel(&page, "ada").await;
    assert_eq!(note(&page).await, "begun afresh");
    browser.close().await;
}

#[tokio::test]
async fn the_second_press_of_two_quick_ones_takes_nothing_more_away() {
    let (_stream, browser, page) = visit(&town()).await;
    until_count(&page, GHOST, 3).await;
    let press = |detail: u8| {
        format!(
            "document.querySelector('{GHOST} [data-p=dismiss]')
                .dispatchEvent(new MouseEvent('click', {{ bubbles: true, detail: {detail} }}))"
        )
    };
    page.value::<bool>(&press(1)).await;
    until_count(&page, GHOST, 2).await;
    page.value::<bool>(&press(2)).await;
    page.value::<bool>("new Promise((resolve) => requestAnimationFrame(() => setTimeout(() => resolve(true))))").await;
    assert_eq!(count(&page, GHOST).await, 2);
    browser.close().await;
}

#[tokio::test]
async fn what_came_of_a_seed_while_there_was_no_room_is_kept_when_there_is() {
    let (stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    open_seeds(&page).await;
    let id = plant(&page, "a bridge").await;
    page.value::<bool>("localStorage.removeItem('monkeytown.last-known.v3') ?? true").await;
    page.value::<u64>(&storage::fill(0)).await;
    let data = json!({
        "id": "pull:7", "kind": "contract", "label": "a bridge", "status": "complete", "parent": "ada",
        "url": "https://example.org/bridge",
    });
    let mut event = told("pull:7/settled", "monkeytown.entity.created", &data);
    event["causationid"] = json!(id);
    stream.publish(&[event]).await;
    until_said(&page, "#sheet [data-p=answer]", "that was not kept: this browser's storage is full").await;
    let row = format!("{ROW}[data-seed-id=\"{id}\"]");
    let stage =
        |stage: &str| format!("document.querySelector({}).dataset.seedStage === {}", quoted(&row), quoted(stage));
    assert!(page.value::<bool>(&stage("germinating")).await, "what is not kept is not shown as if it were");
    page.value::<bool>(storage::EMPTY).await;
    page.until(&stage("outcome")).await;
    page.reload().await;
    page.until(&stage("outcome")).await;
    page.complains_of_nothing().await;
    browser.close().await;
}
