//! Words of any length and script stay in their place, at every width and at twice the size.

use crate::witness::{double_text, resize, settled, stream_of, told, until_caught_up, until_settled};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::{Value, json};

/// Words that leave the piece of the page that they are in. A piece may end them with dots; then what it shows counts.
/// Of an agent's card, also what is above or below it.
const STRAYING: &str = "(() => {
    const wrong = [];
    const seen = (one) => one.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    const round = (box) => [box.left, box.top, box.right, box.bottom].map(Math.round).join(' ');
    for (const piece of document.querySelectorAll('[data-testid=agent-card], [data-testid=ghost-item]')) {
        if (!seen(piece)) continue;
        const whole = piece.getBoundingClientRect();
        const frame = piece.querySelector('.card')?.getBoundingClientRect();
        const walker = document.createTreeWalker(piece, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) {
            const text = walker.currentNode;
            const parent = text.parentElement;
            if (!text.data.trim() || !seen(parent) || parent.closest('.facts')) continue;
            const range = document.createRange();
            range.selectNodeContents(text);
            const words = range.getBoundingClientRect();
            let { left, top, right, bottom } = words;
            if (right - left < 2 || bottom - top < 2) continue;
            const name = `${piece.dataset.entityId} ${piece.dataset.seat ?? ''} ${parent.dataset.p || parent.className}`;
            for (let one = parent; one !== piece; one = one.parentElement) {
                const style = getComputedStyle(one);
                if (style.overflowX === 'visible' || style.display === 'inline') continue;
                const box = one.getBoundingClientRect();
                const dots = style.textOverflow === 'ellipsis' || style.webkitLineClamp !== 'none';
                if (!dots && (right > box.right + 1 || left < box.left - 1)) wrong.push(`${name} is cut without dots: ${round(words)}`);
                [left, right] = [Math.max(left, box.left), Math.min(right, box.right)];
                [top, bottom] = [Math.max(top, box.top), Math.min(bottom, box.bottom)];
            }
            if (right > whole.right + 1 || left < whole.left - 1) {
                wrong.push(`${name} is beside its place: ${round({ left, top, right, bottom })} in ${round(whole)}`);
            }
            if (frame && parent.closest('.card') && (bottom > frame.bottom + 1 || top < frame.top - 1)) {
                wrong.push(`${name} is above or below its card: ${round({ left, top, right, bottom })} in ${round(frame)}`);
            }
        }
    }
    return wrong.slice(0, 12);
})()";

/// Whether anything of the frame (head, key, foot, history) is beside the window, and whether anything scrolls sideways:
/// the page by hand, the frame when something in it takes the focus.
const SIDEWAYS: &str = "(() => {
    scrollTo(1000, 0);
    const wrong = [];
    if (scrollX !== 0) wrong.push(`the page scrolls by ${scrollX}`);
    const page = document.documentElement;
    if (page.scrollWidth > innerWidth) wrong.push(`the page is ${page.scrollWidth} wide in ${innerWidth}`);
    const widest = (part) => {
        const all = [...part.querySelectorAll('*')].filter((one) => one.checkVisibility());
        const last = all.reduce((a, b) => (b.getBoundingClientRect().right > a.getBoundingClientRect().right ? b : a), part);
        return last.outerHTML.slice(0, 120);
    };
    for (const part of document.querySelectorAll('#page, .head, #field, #ghosts, #foot, #key, #terrarium, #ghost-list')) {
        if (!part.checkVisibility({ visibilityProperty: true })) continue;
        part.scrollLeft = 1000;
        const far = part.scrollLeft;
        part.scrollLeft = 0;
        if (far !== 0) wrong.push(`${part.id || part.className} scrolls by ${far}: ${widest(part)}`);
    }
    for (const one of document.querySelectorAll('.head *, #key *, #foot *, #ghosts *')) {
        if (!one.checkVisibility({ opacityProperty: true, visibilityProperty: true }) || one.closest('svg, .unseen')) continue;
        const style = getComputedStyle(one);
        if (one.children.length || !one.textContent.trim() || style.fontSize === '0px' || style.clipPath !== 'none') continue;
        const box = one.getBoundingClientRect();
        if (box.width > 1 && (box.right > innerWidth + 1 || box.left < -1) && getComputedStyle(one.parentElement).clipPath === 'none') {
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

/// What is out of its place.
async fn misplaced(page: &Page, what: &str) -> Vec<String> {
    until_settled(page).await;
    let shown: u32 = page
        .value(
            "[...document.querySelectorAll('[data-testid=agent-card]')].filter((one) => one.checkVisibility()).length",
        )
        .await;
    assert!(shown > 0, "{what}: no agent is shown");
    let mut wrong: Vec<String> = page.value(STRAYING).await;
    wrong.extend(page.value::<Vec<String>>(SIDEWAYS).await);
    wrong.iter().map(|one| format!("{what}: {one}")).collect()
}

async fn at_every_width(doubled: bool, sizes: &[(i64, i64)]) {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let mut wrong = Vec::new();
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
        wrong.extend(misplaced(&page, &what).await);
        let size: String = page.value("getComputedStyle(document.documentElement).fontSize").await;
        assert_eq!(size, if doubled { "32px" } else { "16px" });
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    browser.close().await;
}

#[tokio::test]
async fn names_of_any_length_and_script_stay_in_their_cards_and_nothing_scrolls_sideways() {
    at_every_width(false, &[(390, 844), (844, 390), (1_280, 800)]).await;
}

#[tokio::test]
async fn at_twice_the_size_of_text_words_stay_in_their_cards_and_nothing_scrolls_sideways() {
    at_every_width(true, &[(1_280, 800), (390, 844)]).await;
}

#[tokio::test]
async fn at_twice_the_size_of_text_there_is_room_for_agents_on_a_phone_on_its_side() {
    at_every_width(true, &[(844, 390)]).await;
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
