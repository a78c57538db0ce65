//! Words of any length and script stay in their place, at every width and at twice the size.

use crate::witness::{double_text, resize, settled, stream_of, told, until_caught_up, until_settled};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::{Value, json};

/// Words that leave the piece of the page that they are in, unless that ends them with dots; and what is cut off below
/// or beside a card.
const STRAYING: &str = "(() => {
    const wrong = [];
    const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const round = (box) => `${Math.round(box.x)} ${Math.round(box.y)} ${Math.round(box.width)}x${Math.round(box.height)}`;
    for (const piece of document.querySelectorAll('[data-testid=agent-card], [data-testid=ghost-item]')) {
        if (!seen(piece)) continue;
        const whole = piece.getBoundingClientRect();
        for (const one of piece.querySelectorAll('button, p, b, span, li, a, time')) {
            if (!one.textContent.trim() || !seen(one) || one.closest('.facts')) continue;
            const box = one.getBoundingClientRect();
            if (box.width < 2 || box.height < 2) continue;
            const style = getComputedStyle(one);
            const name = `${piece.dataset.entityId} ${piece.dataset.seat ?? ''} ${one.dataset.p ?? one.className}`;
            const ends = style.textOverflow === 'ellipsis' && style.overflowX !== 'visible';
            if (style.display !== 'inline' && one.scrollWidth > one.clientWidth + 1 && !ends) {
                wrong.push(`${name}: ${one.scrollWidth} wide in ${one.clientWidth}`);
            }
            if (box.right > whole.right + 1 || box.left < whole.left - 27) {
                // An inline piece may be longer than the line that ends it with dots.
                const line = one.parentElement.closest('p, button, li');
                const cut = style.display === 'inline' && line && getComputedStyle(line).overflowX !== 'visible';
                if (!cut) wrong.push(`${name}: ${round(box)} beside ${round(whole)}`);
            }
        }
        const card = piece.querySelector('.card');
        for (const one of card?.querySelectorAll('h3, .state, .doing, .children, .ruler, .mend') ?? []) {
            if (!seen(one) || !one.textContent.trim()) continue;
            const [box, frame] = [one.getBoundingClientRect(), card.getBoundingClientRect()];
            if (box.height > 1 && (box.bottom > frame.bottom + 1 || box.top < frame.top - 1)) {
                wrong.push(`${piece.dataset.entityId} ${piece.dataset.seat} ${one.className || one.tagName}: ${round(box)} above or below ${round(frame)}`);
            }
        }
    }
    return wrong.slice(0, 12);
})()";

/// What of the frame (head, key, foot, history) is beside the window, and whether the page scrolls sideways.
const SIDEWAYS: &str = "(() => {
    scrollTo(1000, 0);
    const wrong = [];
    if (scrollX !== 0) wrong.push(`the page scrolls by ${scrollX}`);
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth) wrong.push(`the page is ${page.scrollWidth} wide in ${innerWidth}`);
    for (const part of document.querySelectorAll('#page, .head, #field, #ghosts, #foot, #key, #notice, #panel, #terrarium, #ghost-list')) {
        if (!part.checkVisibility({ visibilityProperty: true })) continue;
        part.scrollLeft = 1000;
        if (part.scrollLeft !== 0) wrong.push(`${part.id || part.className} scrolls by ${part.scrollLeft}`);
        part.scrollLeft = 0;
    }
    for (const one of document.querySelectorAll('.head *, #key *, #foot *, #ghosts *')) {
        if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || one.closest('svg, .unseen')) continue;
        const style = getComputedStyle(one);
        if (one.children.length || !one.textContent.trim() || style.clipPath !== 'none' || style.fontSize === '0px') continue;
        const box = one.getBoundingClientRect();
        if (box.width > 1 && (box.right > innerWidth + 1 || box.left < -1) && !one.closest('.pace')) {
            wrong.push(`${one.outerHTML.slice(0, 100)} reaches from ${Math.round(box.left)} to ${Math.round(box.right)}`);
        }
    }
    return wrong.slice(0, 12);
})()";

fn names() -> Vec<(&'static str, String)> {
    vec![
        (
            "long",
            "a name of two hundred characters that goes on about everything ".repeat(4).chars().take(200).collect(),
        ),
        ("unbroken", "Supercalifragilistic".repeat(10)),
        ("hebrew", "מהנדס הכאוס של העיר הגדולה והרועשת ביותר".to_owned()),
        ("arabic", "مهندس الفوضى العظيم في المدينة الكبيرة".to_owned()),
        ("emoji", "🐒🍌👩‍🚀👨‍👩‍👧‍👦🏳️‍🌈".repeat(12)),
        ("override", "\u{202e}desrever\u{202c} forwards ".repeat(8)),
        ("stacked", "Z̷̗͠a̸͎̐l̵̰̈́g̶̢̛o̴̤͝ ".repeat(20)),
    ]
}

fn town() -> Vec<Value> {
    let mut events = Vec::new();
    for ((id, label), status) in
        names().iter().zip(["active", "processing", "error", "idle", "complete", "error", "idle"])
    {
        let data = json!({
            "id": id, "kind": "agent", "label": label, "status": status, "activity": label, "reason": label,
            "progress": 0.5, "domain": {"path": label, "files": 12_345},
        });
        events.push(told(id, "monkeytown.entity.created", &data));
        events.push(settled(&format!("commit:{id}"), id, label));
    }
    events
}

async fn stays_in_place(page: &Page, what: &str) {
    until_settled(page).await;
    let shown: u32 = page
        .value(
            "[...document.querySelectorAll('[data-testid=agent-card]')].filter((one) => one.checkVisibility()).length",
        )
        .await;
    assert!(shown > 0, "{what}: no agent is shown");
    let straying: Vec<String> = page.value(STRAYING).await;
    let sideways: Vec<String> = page.value(SIDEWAYS).await;
    assert!(straying.is_empty() && sideways.is_empty(), "{what}: {straying:#?} {sideways:#?}");
}

async fn at_every_width(doubled: bool, sizes: &[(i64, i64)]) {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    for size in sizes {
        let page = browser.tab().await;
        resize(&page, *size).await;
        if doubled {
            double_text(&page).await;
        }
        page.go(&stream.url("/")).await;
        until_caught_up(&page, &stream).await;
        page.until("document.querySelector('[data-testid=ghost-item]')").await;
        let what = format!("{size:?}{}", if doubled { ", text doubled" } else { "" });
        stays_in_place(&page, &what).await;
        let size: String = page.value("getComputedStyle(document.documentElement).fontSize").await;
        assert_eq!(size, if doubled { "32px" } else { "16px" });
    }
    browser.close().await;
}

#[tokio::test]
async fn names_of_any_length_and_script_stay_in_their_cards_and_nothing_scrolls_sideways() {
    at_every_width(false, &[(390, 844), (844, 390), (1_280, 800)]).await;
}

#[tokio::test]
async fn at_twice_the_size_of_text_words_stay_in_their_cards_and_nothing_scrolls_sideways() {
    at_every_width(true, &[(1_280, 800), (390, 844), (844, 390)]).await;
}

#[tokio::test]
async fn right_to_left_words_are_set_from_the_right() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until_card("hebrew", "מהנדס").await;
    let directions: Vec<String> = page
        .value(
            "['hebrew', 'arabic', 'long'].map((id) => getComputedStyle(
                document.querySelector(`[data-testid=agent-card][data-entity-id=${id}] [data-p=name]`)).direction)",
        )
        .await;
    assert_eq!(directions, ["rtl", "rtl", "ltr"]);
    browser.close().await;
}
