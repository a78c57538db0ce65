//! Where agents sit: apart, on the field, still under the pointer; and those without a seat are counted and told.

use crate::witness::{
    card, click, crowd, focus, opener, point_at, publish, resize, stream_of, text, turns, until_caught_up, until_seen,
    until_settled, until_unseen,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    wait::PATIENCE,
};
use serde_json::Value;
use std::{collections::BTreeSet, time::Instant};

/// What lies on one another, and what lies off the field, in words. Of every agent: its card, its mask, its path, its
/// beads, as they are drawn.
const MISPLACED: &str = "(() => {
    const field = document.querySelector('[data-testid=terrarium]').getBoundingClientRect();
    const key = document.querySelector('#key').getBoundingClientRect();
    const pieces = [...document.querySelectorAll('[data-testid=agent-card]')].map((agent) => ({
        id: agent.dataset.entityId,
        boxes: [agent, ...agent.querySelectorAll(':scope > .path, :scope > .beads, .card, .card > .mask')]
            .filter((part) => part.checkVisibility({ visibilityProperty: true }) && part.textContent.length + part.children.length > 0)
            .map((part) => [part.className.baseVal ?? part.className, part.getBoundingClientRect()])
            .filter(([, box]) => box.width > 0 && box.height > 0),
    }));
    const round = (box) => `${Math.round(box.x)} ${Math.round(box.y)} ${Math.round(box.width)}x${Math.round(box.height)}`;
    const wrong = [];
    for (const { id, boxes } of pieces) {
        for (const [name, box] of boxes) {
            if (box.left < field.left - 1 || box.right > field.right + 1 || box.top < field.top - 1 || box.bottom > field.bottom + 1) {
                wrong.push(`${id} ${name} is off the field: ${round(box)} of ${round(field)}`);
            }
        }
    }
    const lies = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1
        && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 1;
    pieces.forEach((a, at) => {
        for (const b of pieces.slice(at + 1)) {
            for (const [an, ab] of a.boxes) for (const [bn, bb] of b.boxes) {
                if (lies(ab, bb)) wrong.push(`${a.id} ${an} ${round(ab)} and ${b.id} ${bn} ${round(bb)}`);
            }
        }
    });
    return wrong.slice(0, 12);
})()";

/// Cards say at once what is new and move apart after: they come to lie right, and soon.
async fn until_well_placed(page: &Page, what: &str) {
    let begun = Instant::now();
    let mut wrong: Vec<String> = Vec::new();
    while begun.elapsed() < PATIENCE / 3 {
        until_settled(page).await;
        wrong = page.value(MISPLACED).await;
        if wrong.is_empty() {
            return;
        }
    }
    panic!("{what}: {wrong:#?}");
}

/// How many have a seat that can be seen.
async fn seated(page: &Page) -> BTreeSet<String> {
    page.value(
        "[...document.querySelectorAll('[data-testid=agent-card][data-seat]')]
            .filter((one) => one.checkVisibility()).map((one) => one.dataset.entityId)",
    )
    .await
}

/// The number on the button of those without a seat; none when it is hidden.
async fn unseated(page: &Page) -> usize {
    let said = text(page, "#more").await;
    let digits: String = said.chars().filter(char::is_ascii_digit).collect();
    digits.parse().unwrap_or_default()
}

async fn are_apart_and_on_the_field(width: i64, height: i64) {
    let browser = Browser::start().await;
    for count in [10, 60, 300] {
        let stream = stream_of(&crowd(count)).await;
        let page = browser.tab().await;
        resize(&page, (width, height)).await;
        page.go(&stream.url("/")).await;
        until_caught_up(&page, &stream).await;
        until_seen(&page, "[data-testid=agent-card]").await;
        until_well_placed(&page, &format!("{count} agents at {width}")).await;
        assert_eq!(seated(&page).await.len() + unseated(&page).await, count, "{count} agents at {width}");
    }
    browser.close().await;
}

#[tokio::test]
async fn agents_lie_apart_and_on_the_field_on_a_tablet() {
    are_apart_and_on_the_field(768, 1_024).await;
}

#[tokio::test]
async fn agents_lie_apart_and_on_the_field_on_a_desk() {
    are_apart_and_on_the_field(1_280, 800).await;
}

#[tokio::test]
async fn agents_lie_apart_and_on_the_field_on_a_wide_screen() {
    are_apart_and_on_the_field(1_920, 1_080).await;
}

#[tokio::test]
async fn who_is_under_the_pointer_does_not_move_when_others_come_wake_and_rest() {
    let stream = stream_of(&crowd(20)).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    until_well_placed(&page, "20 agents").await;
    let (held, other) = ("agent-002", "agent-010");
    point_at(&page, &card(held)).await;
    // Every place that it is ever at from here on, and where another is.
    let watch = format!(
        "(() => {{
            const place = (id) => {{
                const box = document.querySelector(`[data-testid=agent-card][data-entity-id=${{id}}]`).getBoundingClientRect();
                return `${{Math.round(box.x)}} ${{Math.round(box.y)}}`;
            }};
            window.places = new Set();
            window.place = place;
            const look = () => {{ window.places.add(place('{held}')); requestAnimationFrame(look); }};
            look();
            return place('{other}');
        }})()"
    );
    let before: String = page.value(&watch).await;
    for (step, status) in [("a", "active"), ("b", "idle"), ("c", "error")] {
        let mut events = Vec::new();
        for at in (0..20).filter(|at| *at != 2) {
            events.push(turns(step, &format!("agent-{at:03}"), status, "stirs"));
        }
        events.extend((0..4).map(|at| turns(step, &format!("new-{step}-{at}"), "active", "comes")));
        publish(&stream, &events).await;
        let seat = if status == "idle" { "rest" } else { "card" };
        page.until(&format!(
            "['{seat}', 'compact', 'mask'].includes(document.querySelector('{}').dataset.seat)
                && document.querySelector('{}')?.dataset.seat
                && document.querySelector('{0}').dataset.status === '{status}'",
            card(other),
            card(&format!("new-{step}-3")),
        ))
        .await;
        until_settled(&page).await;
    }
    let after: String = page.value(&format!("window.place('{other}')")).await;
    assert_ne!(before, after, "nobody has moved at all");
    let places: Vec<String> = page.value("[...window.places]").await;
    assert_eq!(places.len(), 1, "it has been at {places:?}");
    browser.close().await;
}

#[tokio::test]
async fn on_a_phone_a_row_that_has_the_focus_stays_under_the_eye_while_others_wake_and_rest() {
    let stream = stream_of(&crowd(40)).await;
    let browser = Browser::sized(390, 844).await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    let held = "agent-010";
    focus(&page, &opener(held)).await;
    page.until(&format!("document.querySelector('{} :focus-visible')", card(held))).await;
    let watch = format!(
        "(() => {{
            const row = document.querySelector('{}');
            window.places = new Set();
            const look = () => {{
                window.places.add(Math.round(row.getBoundingClientRect().y));
                requestAnimationFrame(look);
            }};
            requestAnimationFrame(look);
            return true;
        }})()",
        card(held)
    );
    assert!(page.value::<bool>(&watch).await);
    let heights = "[...document.querySelectorAll('[data-testid=agent-card]')].map((one) => one.getBoundingClientRect().height).reduce((a, b) => a + b)";
    let before: f64 = page.value(heights).await;
    for (step, status) in [("a", "active"), ("b", "idle"), ("c", "error")] {
        let others = (0..40).filter(|at| *at != 10);
        let events: Vec<_> = others.map(|at| turns(step, &format!("agent-{at:03}"), status, "stirs")).collect();
        publish(&stream, &events).await;
        page.until(&format!("document.querySelector('{}').dataset.status === '{status}'", card("agent-039"))).await;
        until_settled(&page).await;
    }
    assert!(page.value::<f64>(heights).await > before, "no row has grown");
    let places: Vec<i32> = page.value("[...window.places]").await;
    assert_eq!(places.len(), 1, "it has been at {places:?}");
    // Let go, everybody takes the place that is best now: what broke first, and who works after.
    page.value::<()>("document.activeElement.blur()").await;
    page.until(&format!(
        "(() => {{
            document.querySelector('#terrarium').scrollTop = 1e6;
            return document.querySelector('{}')?.getAttribute('aria-posinset') === '40';
        }})()",
        card(held)
    ))
    .await;
    browser.close().await;
}

#[tokio::test]
async fn whoever_has_no_seat_is_counted_and_told_by_name_and_can_be_looked_at() {
    const AGENTS: usize = 600;
    let stream = stream_of(&crowd(AGENTS)).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    until_seen(&page, "#more").await;
    until_well_placed(&page, "600 agents").await;
    let seated = seated(&page).await;
    assert_eq!(seated.len() + unseated(&page).await, AGENTS);
    assert_eq!(page.value::<String>("document.querySelector('#more').ariaExpanded").await, "false");
    until_unseen(&page, "#everyone[data-open]").await;

    click(&page, "#more").await;
    until_seen(&page, "#everyone[data-open]").await;
    assert_eq!(page.value::<String>("document.querySelector('#more').ariaExpanded").await, "true");
    // In one look: agents change places while they are counted.
    let (named, seated): (BTreeSet<String>, BTreeSet<String>) = page
        .value(
            "(() => {
                const number = (one) => `agent-${one.textContent.match(/Agent (\\d+)/)?.[1] ?? one.outerHTML}`;
                return [
                    [...document.querySelectorAll('#everyone button')].map(number),
                    [...document.querySelectorAll('[data-testid=agent-card][data-seat]')].map((one) => one.dataset.entityId),
                ];
            })()",
        )
        .await;
    let all = (0..AGENTS).map(|at| format!("agent-{at:03}"));
    let missing: BTreeSet<String> = all.filter(|id| !seated.contains(id)).collect();
    let wrong: Vec<&String> = named.symmetric_difference(&missing).collect();
    assert!(wrong.is_empty(), "{wrong:?}");

    let name: String =
        page.value("document.querySelector('#everyone button').textContent.match(/Agent \\d+/)[0]").await;
    click(&page, "#everyone button").await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    assert_eq!(text(&page, "#panel-name").await, name);
    page.press("Escape").await;
    until_unseen(&page, "[data-testid=detail-panel]").await;
    until_seen(&page, "#everyone[data-open]").await;
    page.press("Escape").await;
    until_unseen(&page, "#everyone[data-open]").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

/// It was cut after one line once, with room below.
#[tokio::test]
async fn why_somebody_broke_is_read_whole_on_their_card_and_all_of_it_is_inside() {
    let mut broken =
        turns("1", "ada", "error", "was weighing what the two who decide had written of the colour of the door");
    broken["data"]["reason"] = "two decisions contradict one another".into();
    let mut wide = turns("1", "cleo", "error", "signs");
    wide["data"]["reason"] = "署名の鍵の期限が切れています".into();
    let mut unsaid = turns("1", "dora", "error", "signs");
    unsaid["data"]["reason"] = Value::Null;
    let stream = stream_of(&[broken, wide, unsaid, turns("1", "bob", "active", "draws")]).await;
    let browser = Browser::start().await;
    for size in [(1_280, 800), (768, 1_024), (390, 844)] {
        let page = browser.tab().await;
        resize(&page, size).await;
        page.go(&stream.url("/")).await;
        until_caught_up(&page, &stream).await;
        page.until_card("ada", "broken: two decisions contradict one another").await;
        until_settled(&page).await;
        for agent in ["ada", "cleo", "dora"] {
            let cut = format!(
            "(() => {{
                const card = document.querySelector('{} .card');
                const [doing, inner] = [card.querySelector('.doing'), card.getBoundingClientRect()];
                const cut = [];
                if (doing.scrollWidth > doing.clientWidth || doing.scrollHeight > doing.clientHeight) cut.push('doing');
                for (const part of card.querySelectorAll(':scope > p, .mend, .mend button')) {{
                    if (part.getBoundingClientRect().bottom > inner.bottom) cut.push(part.className || part.textContent);
                }}
                return cut;
            }})()",
            card(agent)
        );
            assert_eq!(page.value::<Vec<String>>(&cut).await, Vec::<String>::new(), "{agent} at {size:?}");
        }
        page.complains_of_nothing().await;
    }
    browser.close().await;
}
