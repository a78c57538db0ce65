//! Those who asked for stillness, or for colours of their own, are told the same.

use crate::witness::{flow, prefer, stream_of, turns, until_caught_up, until_settled};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::Value;
use std::collections::BTreeMap;

const STATES: [(&str, &str); 5] = [
    ("idle", "resting"),
    ("active", "active"),
    ("processing", "thinking"),
    ("complete", "settled"),
    ("error", "broken"),
];

/// Pictures of one flow that only motion needs: without it, there is one for each arrangement.
const MOVING_PICTURES: u32 = 12;

/// Counts strokes on canvases, pictures that were painted anew, and the most animations that ran at once since the page
/// began: where frames are late, effects thin out, and later there may be none to be seen.
const WATCH: &str = "
    window.drawn = 0;
    window.pictures = 0;
    window.animated = 0;
    const look = () => {
        const running = document.getAnimations().filter((one) => one.playState === 'running');
        window.animated = Math.max(window.animated, running.length);
        requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    const context = CanvasRenderingContext2D.prototype;
    for (const name of ['clearRect', 'fill', 'stroke', 'fillRect']) {
        const draw = context[name];
        context[name] = function (...given) {
            window.drawn += 1;
            window.pictures += Number(name === 'clearRect' && this.canvas.id === 'comets');
            return draw.apply(this, given);
        };
    }
";

/// How many animations have run, and how many strokes 60 frames take.
const MOTION: &str = "new Promise((resolve) => {
    const before = window.drawn;
    let frames = 0;
    const count = () => {
        frames += 1;
        if (frames < 60) return requestAnimationFrame(count);
        resolve([window.animated, window.drawn - before]);
    };
    count();
})";

fn town() -> Vec<Value> {
    let mut events: Vec<Value> =
        STATES.iter().map(|(status, _)| turns("1", &format!("agent-{status}"), status, "weighs a stone")).collect();
    events.push(flow("flow", "agent-active", "agent-processing"));
    events
}

/// The words that can be read in each card's line of state.
async fn words(page: &Page) -> BTreeMap<String, String> {
    page.value(
        "Object.fromEntries([...document.querySelectorAll('[data-testid=agent-card]')].map((card) => {
            const word = card.querySelector('[data-p=word]');
            const seen = word.checkVisibility({ opacityProperty: true, visibilityProperty: true })
                && word.getBoundingClientRect().width > 0;
            return [card.dataset.status, seen ? word.innerText : ''];
        }))",
    )
    .await
}

fn expected() -> BTreeMap<String, String> {
    STATES.iter().map(|(status, word)| ((*status).to_owned(), (*word).to_owned())).collect()
}

#[tokio::test]
async fn with_reduced_motion_nothing_moves_and_every_state_is_still_told() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    for preference in ["no-preference", "reduce"] {
        let page = browser.tab().await;
        prefer(&page, "prefers-reduced-motion", preference).await;
        page.before_everything(WATCH).await;
        page.go(&stream.url("/")).await;
        until_caught_up(&page, &stream).await;
        page.until_attribute("terrarium", "data-flows-drawn", 1).await;
        page.until("document.querySelectorAll('[data-testid=agent-card]').length === 5").await;
        until_settled(&page).await;
        page.until_script("window.drawn > 0").await;
        assert_eq!(words(&page).await, expected(), "{preference}");
        if preference == "reduce" {
            // What moves never stands for 60 frames. A picture may be painted once more when the field has settled.
            let mut still: (u32, u32) = page.value(MOTION).await;
            for _ in 0..5 {
                if still.1 > 0 {
                    still = page.value(MOTION).await;
                }
            }
            assert_eq!(still, (0, 0), "animations that ran, strokes of 60 frames");
        } else {
            // What moves without the preference is counted. Where frames are late it was, for a while.
            page.until_script(&format!("window.animated > 0 && window.pictures >= {MOVING_PICTURES}")).await;
        }
        page.complains_of_nothing().await;
    }
    browser.close().await;
}

#[tokio::test]
async fn motion_that_is_allowed_again_goes_on_without_waiting_for_an_event() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    prefer(&page, "prefers-reduced-motion", "reduce").await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until_attribute("terrarium", "data-flows-drawn", 1).await;
    until_settled(&page).await;
    page.until_script("window.drawn > 0").await;
    assert_eq!(page.value::<(u32, u32)>(MOTION).await, (0, 0), "animations that run, strokes of 60 frames");
    prefer(&page, "prefers-reduced-motion", "no-preference").await;
    page.until_script("document.getAnimations().some((one) => one.playState === 'running')").await;
    let (_, strokes) = page.value::<(u32, u32)>(MOTION).await;
    assert!(strokes > 0, "the flow stands still");
    browser.close().await;
}

#[tokio::test]
async fn in_colours_of_the_witness_every_state_is_told_in_words() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    prefer(&page, "forced-colors", "active").await;
    page.go(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    assert!(page.value::<bool>("matchMedia('(forced-colors: active)').matches").await);
    assert_eq!(words(&page).await, expected());
    // What a fill told is told by a line.
    let lines: Vec<String> = page
        .value(
            "[...document.querySelectorAll('[data-seat=card] .card')].map((card) => getComputedStyle(card).borderTopStyle)",
        )
        .await;
    assert!(!lines.is_empty() && lines.iter().all(|line| line == "solid"), "{lines:?}");
    page.complains_of_nothing().await;
    browser.close().await;
}
