//! What calls a witness who looks elsewhere: sound, notices, the page's title and icon; off until switched on, and refused in words.

use crate::witness::{click, settled, turns};
use monkeytown_tests::{
    browser::{Browser, Page},
    events::flows,
    stream::{Source, Stream},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Longer than nothing else sounds.
const CALM: Duration = Duration::from_millis(5_500);
/// Notes the pitch of each note that the browser's own sound is told to play.
const EARS: &str = "
    window.notes = [];
    const { start } = AudioScheduledSourceNode.prototype;
    AudioScheduledSourceNode.prototype.start = function (at) {
        window.notes.push(Math.round(this.frequency.value));
        return start.call(this, at);
    };
";
/// Notices as the browser would show them, where the witness answers `answer`.
fn eyes(answer: &str) -> String {
    format!(
        "window.shown = [];
        Object.defineProperty(document, 'hidden', {{ get: () => Boolean(window.away), configurable: true }});
        window.Notification = class {{
            static permission = 'default';
            static async requestPermission() {{ return this.permission = {}; }}
            constructor(title, told) {{ window.shown.push(this); Object.assign(this, {{ title }}, told); }}
            close() {{}}
        }};",
        json!(answer)
    )
}

async fn notes(page: &Page) -> Vec<u32> {
    page.value("window.notes").await
}

async fn is_on(page: &Page, name: &str) -> bool {
    page.value(&format!("document.querySelector('#sheet [data-p={name}]').ariaPressed === 'true'")).await
}

async fn switch(page: &Page, name: &str) {
    click(page, &format!("#sheet [data-p={name}]")).await;
}

/// Three agents, of whom nobody is broken.
async fn town() -> Stream {
    let stream = Stream::start(Source::Publishers).await;
    let all = ["ada", "bob", "eve"].map(|agent| turns("0", agent, "active", "weighs a stone"));
    stream.publish(&all).await;
    stream.publish(&[settled("pull:1", "ada", "a first stone")]).await;
    stream
}

#[tokio::test]
async fn sound_is_off_until_it_is_switched_on_and_then_one_call_is_heard_in_one_of_several_tabs() {
    let stream = town().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(EARS).await;
    page.go(&stream.url("/#view=kept")).await;
    page.until_state("live").await;
    stream.publish(&[turns("1", "bob", "error", "weighs a stone")]).await;
    page.until("document.querySelector('[data-entity-id=bob][data-status=error]')").await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert!(notes(&page).await.is_empty(), "nobody asked for it");
    switch(&page, "sound").await;
    page.until("document.querySelector('#sheet [data-p=sound]').ariaPressed === 'true'").await;
    assert_eq!(notes(&page).await, [523, 784], "a sample");
    let other = browser.tab().await;
    other.before_everything(EARS).await;
    other.go(&stream.url("/")).await;
    other.until_state("live").await;
    other.until_card("eve", "weighs a stone").await;
    click(&other, "#pause").await;
    click(&other, "#pause").await;
    tokio::time::sleep(CALM).await;
    assert!(notes(&other).await.is_empty(), "what settled before is no news");
    let heard = async || [notes(&page).await, notes(&other).await].concat();
    // Flows that come and go are not heard, a contract is, and what follows at once is not.
    stream.publish(&[flows("1", "ada", "eve")]).await;
    stream.publish(&[settled("pull:2", "ada", "another stone")]).await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    stream.publish(&[settled("pull:3", "ada", "a third stone")]).await;
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(heard().await, [523, 784, 523, 784]);
    tokio::time::sleep(CALM).await;
    stream.publish(&[turns("1", "eve", "error", "weighs a stone")]).await;
    tokio::time::sleep(CALM).await;
    let mut low = heard().await;
    low.retain(|pitch| *pitch < 400);
    assert_eq!(low, [330, 247]);
    browser.close().await;
}

#[tokio::test]
async fn what_the_browser_has_not_or_was_told_not_to_do_is_said_and_stays_off() {
    let stream = town().await;
    let browser = Browser::start().await;
    for (script, name, words) in [
        ("delete window.AudioContext;".to_owned(), "sound", "this browser makes no sound for the page"),
        ("delete window.Notification;".to_owned(), "notices", "this browser shows no notices"),
        (eyes("denied"), "notices", "is told to show no notices of this page"),
        (
            format!(
                "{} window.Notification = class extends Notification {{ constructor() {{ throw new TypeError(); }} }};",
                eyes("granted")
            ),
            "notices",
            "this browser does not let the page do that",
        ),
    ] {
        let page = browser.tab().await;
        page.before_everything(&script).await;
        page.go(&stream.url("/#view=kept")).await;
        page.until_state("live").await;
        switch(&page, name).await;
        page.until(&format!("document.querySelector('#sheet [data-p=answer]').innerText.includes({})", json!(words)))
            .await;
        assert!(!is_on(&page, name).await, "{words}");
        assert_eq!(
            page.value::<Value>(&format!("localStorage.getItem('monkeytown.kept.preference.{name}')")).await,
            Value::Null
        );
    }
    browser.close().await;
}

#[tokio::test]
async fn who_is_pinned_and_broken_stands_in_title_and_icon_and_is_called_for_while_nobody_looks() {
    let stream = town().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(&eyes("granted")).await;
    page.go(&stream.url("/#entity=eve")).await;
    page.until_state("live").await;
    page.until("document.querySelector('#panel[data-open] [data-p=pin]')").await;
    click(&page, "#panel [data-p=pin]").await;
    page.value::<Value>("location.hash = 'view=kept'").await;
    page.until("document.querySelector('#sheet[data-open]')").await;
    switch(&page, "notices").await;
    page.until("document.querySelector('#sheet [data-p=notices]').ariaPressed === 'true'").await;
    assert_eq!(page.value::<u32>("window.shown.splice(0).length").await, 1, "the browser can");
    page.value::<Value>("location.hash = ''").await;
    page.until_script("document.title === 'monkeytown'").await;

    // While the page is seen it needs no notice; nor does who is not pinned.
    stream.publish(&[turns("1", "bob", "error", "weighs a stone"), turns("1", "eve", "error", "weighs a stone")]).await;
    page.until_script("document.title === '✕ eve · monkeytown'").await;
    page.until_script("document.querySelector('link[rel=icon]').href.startsWith('data:image/svg+xml,')").await;
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    assert_eq!(page.value::<u32>("window.shown.length").await, 0);
    stream.publish(&[turns("2", "eve", "active", "weighs a stone")]).await;
    page.until_script("document.title === 'monkeytown'").await;
    page.until_script("document.querySelector('link[rel=icon]').getAttribute('href') === '/favicon.svg'").await;

    tokio::time::sleep(CALM).await;
    page.value::<Value>("window.away = true; document.dispatchEvent(new Event('visibilitychange')); null").await;
    let mut broken = turns("3", "eve", "error", "weighs a stone");
    broken["data"]["reason"] = json!("out of <b>stones</b>");
    stream.publish(&[turns("3", "bob", "error", "weighs a stone"), broken]).await;
    page.until_script("document.title === '✕ eve · monkeytown'").await;
    tokio::time::sleep(Duration::from_millis(3_500)).await;
    let shown: Value = page.value("window.shown.map(({ title, body, tag }) => [title, body, tag])").await;
    assert_eq!(shown, json!([["eve broke", "out of <b>stones</b>", "eve"]]));
    page.value::<Value>(
        "window.away = false; document.dispatchEvent(new Event('visibilitychange')); window.shown[0].onclick(); null",
    )
    .await;
    page.until("document.querySelector('#panel[data-open]')?.innerText.includes('eve')").await;
    page.complains_of_nothing().await;
    browser.close().await;
}
