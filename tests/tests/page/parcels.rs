//! What a witness takes along, brings back and erases.

use crate::{
    keepsakes::{close_kept, keep_note, open_kept, open_panel},
    planting::{SPROUT, count, open_seeds, plant, until_count},
    witness::{card, click, settled, stream_of, turns, until_said, until_seen, until_unseen, visit},
};
use chromiumoxide::cdp::browser_protocol::dom::SetFileInputFilesParams;
use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    wait::soon,
};
use serde_json::{Value, json};
use std::path::PathBuf;
use tempfile::TempDir;

/// Keeps what is handed out as a file instead of saving it.
pub(crate) const WATCH: &str = "
    window.handed = [];
    const make = URL.createObjectURL.bind(URL);
    URL.createObjectURL = (blob) => {
        window.handed.push(blob.text());
        return make(blob);
    };
    const press = HTMLAnchorElement.prototype.click;
    HTMLAnchorElement.prototype.click = function () {
        if (this.download) window.named = this.download; else press.call(this);
    };
";
/// Everything in the storage that is the witness's own, in order.
const KEPT: &str = "Object.entries(localStorage).filter(([key]) => key.startsWith('monkeytown.kept.')
    && !key.startsWith('monkeytown.kept.ghosts.')).sort()";
const GHOST: &str = "[data-testid=ghost-item]";

pub(crate) fn town() -> Vec<Value> {
    vec![turns("1", "ada", "active", "draws a map"), settled("commit:granite", "ada", "lay granite")]
}

/// A page on which something of each class is kept.
async fn used(url: &str, browser: &Browser) -> Page {
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(url).await;
    page.until_state("live").await;
    use_all(&page).await;
    page
}

/// Plants, notes, pins, mutes, puts away, keeps a moment.
pub(crate) async fn use_all(page: &Page) {
    open_seeds(page).await;
    plant(page, "quartzite seed").await;
    page.press("Escape").await;
    until_unseen(page, "#sheet").await;
    keep_note(page, "ada", "quartzite note\nin two lines").await;
    open_panel(page, "ada").await;
    for act in ["pin", "mute"] {
        click(page, &format!("#panel [data-p={act}]")).await;
        page.until(&format!("document.querySelector('#panel [data-p={act}]').ariaPressed === 'true'")).await;
    }
    page.press("Escape").await;
    until_unseen(page, "#panel").await;
    open_kept(page).await;
    click(page, "#bookmark").await;
    until_said(page, "#sheet [data-p=answer]", "the moment is kept").await;
    page.press("Escape").await;
    until_unseen(page, "#sheet").await;
    click(page, &format!("{GHOST} [data-p=dismiss]")).await;
    until_count(page, GHOST, 0).await;
}

pub(crate) async fn kept(page: &Page) -> Vec<(String, String)> {
    page.value(KEPT).await
}

/// What is compared of what is kept: names and bodies, as the page reads them. A body that was brought back is written
/// anew, so its sum and the form of its numbers may be others.
async fn told(page: &Page) -> Value {
    page.value(&format!(
        "{KEPT}.map(([key, line]) => [key, line.split(' ')[2],
            Object.entries(JSON.parse(line.split(' ').slice(3).join(' '))).map(([name, value]) => [name, String(value)])])"
    ))
    .await
}

/// Takes all along; the text of the file.
pub(crate) async fn take_along(page: &Page) -> String {
    open_kept(page).await;
    click(page, "#take-along").await;
    until_said(page, "#sheet [data-p=answer]", "offered as monkeytown-").await;
    page.value("window.handed.at(-1)").await
}

/// Chooses a file as somebody does in the browser's own dialog.
pub(crate) async fn choose_file(page: &Page, text: &[u8]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("kept.json");
    std::fs::write(&path, text).expect("a file");
    let field = page.driver().find_element("#bring").await.expect("a field for files");
    let mut files = SetFileInputFilesParams::new(vec![path.display().to_string()]);
    files.backend_node_id = Some(field.backend_node_id);
    page.driver().execute(files).await.expect("a chosen file");
    (folder, path)
}

/// Erases everything, from the sheet.
pub(crate) async fn erase(page: &Page) {
    until_unseen(page, "#sheet-kept [data-p=erase]").await;
    click(page, "#sheet-kept [data-p=erase-all]").await;
    click(page, "#sheet-kept [data-p=erase]").await;
    until_said(page, "#sheet [data-p=answer]", "everything is erased").await;
    soon("empty caches", async { while !page.value::<Vec<String>>("caches.keys()").await.is_empty() {} }).await;
}

/// What of the page is in the browser: keys, caches, databases, workers.
pub(crate) async fn held(page: &Page) -> Value {
    page.value(
        "(async () => [
            Object.keys(localStorage), Object.keys(sessionStorage), await caches.keys(),
            (await indexedDB.databases()).map(({ name }) => name),
            (await navigator.serviceWorker.getRegistrations()).length, document.cookie,
        ])()",
    )
    .await
}

#[tokio::test]
async fn what_is_taken_along_and_erased_is_all_there_again_when_it_is_brought_back() {
    for (how, others) in [("merge", true), ("replace", false)] {
        let stream = stream_of(&town()).await;
        let browser = Browser::start().await;
        let page = used(&stream.url("/"), &browser).await;
        let before = told(&page).await;
        assert_eq!(before.as_array().map(Vec::len), Some(6), "one of each: {before}");
        let file = take_along(&page).await;
        let name: String = page.value("window.named").await;
        assert!(name.starts_with("monkeytown-20") && name.ends_with(".json"), "{name}");
        let parsed: Value = serde_json::from_str(&file).expect("JSON");
        assert_eq!((&parsed["format"], &parsed["version"]), (&json!("monkeytown-witness"), &json!(1)));
        erase(&page).await;
        page.reload().await;
        page.until_state("live").await;
        close_kept(&page).await;
        assert_eq!(kept(&page).await, []);
        assert_eq!(count(&page, SPROUT).await, 0);

        // Something of now, which a merge leaves and a replacement takes away.
        open_seeds(&page).await;
        let now = plant(&page, "another").await;
        page.press("Escape").await;
        until_unseen(&page, "#sheet").await;
        open_kept(&page).await;
        let _file = choose_file(&page, file.as_bytes()).await;
        until_said(&page, "#sheet-kept [data-p=arrived]", "the file holds 6 new things, 0 newer and 0 known").await;
        assert_eq!(kept(&page).await.len(), 1, "nothing is kept of it before that is said");
        click(&page, &format!("#sheet-kept [data-p={how}]")).await;
        until_said(&page, "#sheet [data-p=answer]", "the file is brought back").await;
        page.reload().await;
        page.until_state("live").await;
        let mut after = told(&page).await;
        let list = after.as_array_mut().expect("a list");
        let with_others = list.len();
        list.retain(|one| one[0] != format!("monkeytown.kept.seed.{now}"));
        assert_eq!(with_others - list.len(), usize::from(others), "{how}");
        assert_eq!(after, before, "{how}");
        until_said(&page, SPROUT, "quartzite seed").await;
        until_said(&page, &card("ada"), "pinned muted noted").await;
        until_said(&page, "#restore", "restore 1").await;
        page.complains_of_nothing().await;
        browser.close().await;
    }
}

#[tokio::test]
async fn a_file_that_was_brought_back_can_be_taken_back_and_left() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = used(&stream.url("/"), &browser).await;
    let file = take_along(&page).await;
    let before = kept(&page).await;
    let only_a_note = json!({"format": "monkeytown-witness", "version": 1, "kept": [
        {"class": "note", "id": "bob", "changed": 1, "body": "{\"words\":\"from elsewhere\"}"},
    ]})
    .to_string();
    let _file = choose_file(&page, only_a_note.as_bytes()).await;
    until_seen(&page, "#sheet-kept [data-p=leave]").await;
    click(&page, "#sheet-kept [data-p=leave]").await;
    until_unseen(&page, "#sheet-kept [data-p=arrived]").await;
    assert_eq!(kept(&page).await, before);

    let _file = choose_file(&page, only_a_note.as_bytes()).await;
    click(&page, "#sheet-kept [data-p=replace]").await;
    until_said(&page, "#sheet [data-p=answer]", "the file is brought back").await;
    assert_eq!(kept(&page).await.len(), 1);
    click(&page, "#sheet-kept [data-p=undo]").await;
    until_said(&page, "#sheet [data-p=answer]", "taken back").await;
    assert_eq!(kept(&page).await, before);

    // What is the same already is not written again.
    let _file = choose_file(&page, file.as_bytes()).await;
    until_said(&page, "#sheet-kept [data-p=arrived]", "the file holds 0 new things, 0 newer and 6 known").await;
    click(&page, "#sheet-kept [data-p=merge]").await;
    until_said(&page, "#sheet [data-p=answer]", "the file is brought back").await;
    assert_eq!(kept(&page).await, before);
    browser.close().await;
}

/// A file with one thing in it.
pub(crate) fn holding(class: &str, id: &str, body: &Value) -> String {
    let one = json!({"class": class, "id": id, "changed": 1, "body": body.to_string()});
    json!({"format": "monkeytown-witness", "version": 1, "kept": [one]}).to_string()
}

#[tokio::test]
async fn a_hostile_file_is_refused_with_a_reason_and_nothing_of_it_is_kept() {
    let seed = |first: &str| json!({"type": "query", "planted": 1, "first": first, "second": "", "status": "pending", "percent": 0});
    let many: Vec<Value> =
        (0..10_001).map(|at| json!({"class": "mute", "id": at.to_string(), "changed": 1, "body": "{}"})).collect();
    let wrote = "it is not a file that this page wrote";
    let whole = "one of its things is not whole";
    let hostile: Vec<(Vec<u8>, &str)> = vec![
        (b"".to_vec(), "it is not JSON"),
        (b"<script>window.run = 1</script>".to_vec(), "it is not JSON"),
        (vec![0xff, 0xfe, 0, 0x7b], "it is not JSON"),
        ("[".repeat(200_000).into_bytes(), "it is not JSON"),
        (b"{}".to_vec(), wrote),
        (b"[]".to_vec(), wrote),
        (json!({"format": "another", "version": 1, "kept": []}).to_string().into_bytes(), wrote),
        (json!({"format": "monkeytown-witness", "version": 1, "kept": many}).to_string().into_bytes(), wrote),
        (
            json!({"format": "monkeytown-witness", "version": 2, "kept": []}).to_string().into_bytes(),
            "another version of this page wrote it",
        ),
        (holding("cookie", "x", &json!({})).into_bytes(), whole),
        (holding("note", "", &json!({"words": "x"})).into_bytes(), whole),
        (holding("note", "ada", &json!({"words": "x".repeat(4_001)})).into_bytes(), whole),
        (holding("note", "ada", &json!({"words": {"__proto__": 1}})).into_bytes(), whole),
        (holding("seed", "query-1", &seed("<img src=x onerror='window.run=1'>")).into_bytes(), whole),
        (holding("seed", "query-1", &seed("turn \u{202e} around")).into_bytes(), whole),
        (holding("seed", "query-1", &seed("a\u{0}b")).into_bytes(), whole),
        (" ".repeat(5_000_000).into_bytes(), "it is larger than all that may be kept here"),
        (" ".repeat(11_000_000).into_bytes(), "it is larger than all that may be kept here"),
    ];
    let (_stream, browser, page) = visit(&town()).await;
    page.until_state("live").await;
    keep_note(&page, "ada", "is here").await;
    let before = kept(&page).await;
    open_kept(&page).await;
    for (file, why) in hostile {
        let begin: String = String::from_utf8_lossy(&file).chars().take(80).collect();
        let _file = choose_file(&page, &file).await;
        until_said(&page, "#sheet [data-p=answer]", &format!("the file is not kept: {why}")).await;
        until_unseen(&page, "#sheet-kept [data-p=arrived]").await;
        assert_eq!(kept(&page).await, before, "{begin}");
        // The next answer is another one.
        click(&page, "#sheet-kept [data-p=erase-all]").await;
        click(&page, "#sheet-kept [data-p=erase-not]").await;
        page.until("document.querySelector('#sheet [data-p=answer]').textContent === ''").await;
    }
    assert!(page.value::<bool>("window.run === undefined && ({}).words === undefined").await);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_erased_leaves_nothing_and_nothing_is_kept_until_the_page_is_loaded_again() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = used(&stream.url("/"), &browser).await;
    soon("the page is kept", page.value::<bool>("navigator.serviceWorker.ready.then(() => true)")).await;
    // What another page of this origin keeps is not ours to erase.
    page.value::<bool>("localStorage.setItem('another', 'script') ?? true").await;
    open_kept(&page).await;
    // Asked, and thought better of.
    click(&page, "#sheet-kept [data-p=erase-all]").await;
    click(&page, "#sheet-kept [data-p=erase-not]").await;
    until_unseen(&page, "#sheet-kept [data-p=erase]").await;
    assert_eq!(kept(&page).await.len(), 6);
    erase(&page).await;
    let nothing = json!([["another"], [], [], [], 0, ""]);
    assert_eq!(held(&page).await, nothing);
    until_count(&page, SPROUT, 0).await;
    until_unseen(&page, &format!("{} [data-p=kept]", card("ada"))).await;

    // The page goes on, and writes nothing: not when it hears, nor when the witness acts, nor when it is left.
    stream.publish(&[works("after", "bob", "goes on")]).await;
    page.until_card("bob", "goes on").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    open_seeds(&page).await;
    plant(&page, "for this visit").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    keep_note(&page, "ada", "for this visit").await;
    page.value::<bool>(
        "(() => {
            for (const name of ['pagehide', 'freeze', 'visibilitychange']) {
                window.dispatchEvent(new Event(name));
                document.dispatchEvent(new Event(name));
            }
            return true;
        })()",
    )
    .await;
    assert_eq!(held(&page).await, nothing);
    page.complains_of_nothing().await;

    page.reload().await;
    page.until_state("live").await;
    assert_eq!(count(&page, SPROUT).await, 0);
    assert_eq!(kept(&page).await, []);
    open_seeds(&page).await;
    plant(&page, "afresh").await;
    assert_eq!(kept(&page).await.len(), 1, "now it is kept again");
    browser.close().await;
}

#[tokio::test]
async fn what_is_erased_in_one_tab_is_gone_from_another_and_not_written_again_by_it() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = used(&stream.url("/"), &browser).await;
    let other = browser.visit(&stream.url("/")).await;
    until_count(&other, SPROUT, 1).await;
    page.show().await;
    open_kept(&page).await;
    erase(&page).await;
    other.show().await;
    until_count(&other, SPROUT, 0).await;
    stream.publish(&[works("after", "bob", "goes on")]).await;
    other.until_card("bob", "goes on").await;
    other.value::<bool>("window.dispatchEvent(new Event('pagehide')); true").await;
    assert_eq!(held(&other).await, json!([[], [], [], [], 0, ""]));
    browser.close().await;
}
