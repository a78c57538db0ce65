//! After silence: whoever stirs first wakes the others, the near ones before the far ones; and who asked for stillness
//! sees nothing move.

use crate::witness::{prefer, publish, stream_of, turns, until_caught_up, until_said, until_settled};
use monkeytown_tests::browser::{Browser, Page};
use serde::Deserialize;
use serde_json::Value;

const AGENTS: usize = 9;

/// Notes, when waking begins, where everybody sits and when each is to wake, and which animations run while it lasts.
const WATCH: &str = "
    window.waking = null;
    window.ran = [];
    const note = () => {
        for (const one of document.getAnimations()) {
            if (one.playState === 'running') window.ran.push(one.animationName ?? one.transitionProperty);
        }
        if (document.querySelector('#page').hasAttribute('data-waking')) requestAnimationFrame(note);
    };
    addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
        if (!document.querySelector('#page').hasAttribute('data-waking') || window.waking) return;
        const place = (card) => card.style.transform.match(/-?\\d+/g).map(Number);
        window.waking = [...document.querySelectorAll('[data-testid=agent-card]')].map((card) => {
            const [x, y] = place(card);
            return { agent: card.dataset.entityId, x, y, after: card.style.getPropertyValue('--wake') };
        });
        requestAnimationFrame(note);
    }).observe(document.querySelector('#page'), { attributes: true, attributeFilter: ['data-waking'] }));
";

/// Where a card sits, in CSS pixels, and after how long it wakes.
#[derive(Debug, Deserialize)]
struct Waking {
    agent: String,
    x: f64,
    y: f64,
    after: String,
}

impl Waking {
    fn millis(&self) -> f64 {
        self.after.strip_suffix("ms").and_then(|number| number.parse().ok()).expect("a time in milliseconds")
    }

    fn way_from(&self, other: &Self) -> f64 {
        (self.x - other.x).abs() + (self.y - other.y).abs()
    }
}

fn resting() -> Vec<Value> {
    (0..AGENTS).map(|at| turns("1", &format!("agent-{at}"), "idle", "")).collect()
}

/// A page on which all rest and then one stirs, once waking has ended.
async fn woken(browser: &Browser, preference: &str) -> Page {
    let stream = stream_of(&resting()).await;
    let page = browser.tab().await;
    prefer(&page, "prefers-reduced-motion", preference).await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    until_said(&page, "#silence", "all nine agents are at rest").await;
    if preference == "reduce" {
        until_settled(&page).await;
    }
    assert!(page.value::<bool>("window.waking === null").await, "nobody has stirred");
    publish(&stream, &[turns("2", "agent-4", "active", "stirs")]).await;
    page.until_card("agent-4", "stirs").await;
    page.until_script("window.waking").await;
    page.until("!document.querySelector('#page').hasAttribute('data-waking')").await;
    // It is over: another who stirs wakes nobody.
    page.value::<bool>("(window.first = window.waking, window.waking = null, true)").await;
    publish(&stream, &[turns("3", "agent-5", "active", "stirs as well")]).await;
    page.until_card("agent-5", "stirs as well").await;
    assert!(page.value::<bool>("window.waking === null").await, "it was no silence");
    page
}

#[tokio::test]
async fn waking_spreads_from_the_first_who_stirs_to_the_near_and_then_the_far_and_ends() {
    let browser = Browser::start().await;
    let page = woken(&browser, "no-preference").await;
    let mut cards: Vec<Waking> = page.value("window.first").await;
    assert_eq!(cards.len(), AGENTS);
    let at = cards.iter().position(|card| card.agent == "agent-4").expect("the one that stirs");
    let first = cards.remove(at);
    assert_eq!(first.millis(), 0.0, "who stirs is awake");
    cards.sort_by(|a, b| a.way_from(&first).total_cmp(&b.way_from(&first)));
    for (near, far) in cards.iter().zip(cards.iter().skip(1)) {
        assert!(near.millis() <= far.millis(), "{near:?} and {far:?} from {first:?}");
    }
    let (near, far) = (cards.first().expect("eight"), cards.last().expect("eight"));
    assert!(near.millis() > 0.0 && near.millis() < far.millis(), "{near:?} {far:?}");
    assert!(far.millis() < 3_000.0, "all have woken when it ends: {far:?}");
    assert!(page.value::<bool>("window.ran.includes('wake')").await, "the light spreads");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn with_reduced_motion_waking_is_told_and_nothing_moves() {
    let browser = Browser::start().await;
    let page = woken(&browser, "reduce").await;
    assert_eq!(page.value::<Vec<String>>("[...new Set(window.ran)]").await, [""; 0]);
    page.complains_of_nothing().await;
    browser.close().await;
}
