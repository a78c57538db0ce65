//! More flows than can be told apart: fifty are drawn, the others are bundled, counted, and told when asked for.

use crate::witness::{
    click, click_at, flow, focus, focused, is_focused, point_at, point_until_there, publish, settled, stream_of, text,
    texts, told, turns, until_seen, until_settled, until_unseen,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    stream::{Source, Stream},
};
use serde_json::{Value, json};

const AGENTS: [&str; 6] = ["ada", "bob", "cleo", "dora", "emil", "fay"];
const FLOWS: usize = 200;

/// Six agents and flows between many pairs of them, some pairs far busier than others.
fn storm() -> Vec<Value> {
    let mut events: Vec<Value> = AGENTS.iter().map(|agent| turns("1", agent, "active", "works")).collect();
    for at in 0..FLOWS {
        let source = AGENTS.iter().cycle().nth(at % 4).expect("a cycle has no end");
        let target = AGENTS.iter().cycle().nth(at % 4 + 1 + at % 3).expect("a cycle has no end");
        events.push(flow(&format!("flow-{at}"), source, target));
    }
    events
}

fn arrived(id: &str, source: &str, target: &str) -> Value {
    let data =
        json!({"id": id, "source": source, "target": target, "kind": "message", "status": "complete", "progress": 1});
    told(&format!("{id}/arrived"), "monkeytown.flow.complete", &data)
}

/// What the counts say that can be seen, as numbers.
async fn counts(page: &Page) -> Vec<usize> {
    let counts = texts(page, "#bundles button").await;
    counts.iter().map(|count| count.trim_start_matches('×').parse().expect("a number")).collect()
}

async fn told_ids(page: &Page) -> Vec<String> {
    page.value(
        "[...document.querySelectorAll('[data-testid=flow-list] [data-flow-id]')].map((one) => one.dataset.flowId)",
    )
    .await
}

#[tokio::test]
async fn fifty_are_drawn_and_the_bundles_counts_add_up_to_all_others() {
    let stream = stream_of(&storm()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_attribute("terrarium", "data-flows-hidden", FLOWS - 50).await;
    assert_eq!(page.attribute("terrarium", "data-flows-drawn").await, "50");
    until_seen(&page, "#bundles button").await;
    until_settled(&page).await;
    let counts = counts(&page).await;
    assert_eq!(counts.iter().sum::<usize>(), FLOWS - 50, "{counts:?}");
    let key = text(&page, "#key").await;
    assert!(key.contains("50 of 200 flows drawn, 150 in "), "{key}");
    let words: Vec<String> =
        page.value("[...document.querySelectorAll('#bundles button')].map((one) => one.ariaLabel)").await;
    for (words, count) in words.iter().zip(&counts) {
        assert!(words.starts_with(&format!("{count} flows from ")), "{words}");
    }
    // Counts lie on the field where each can be pressed.
    let covered: Vec<String> = page
        .value(
            "[...document.querySelectorAll('#bundles button')].map((one) => {
                const box = one.getBoundingClientRect();
                const above = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
                return one.contains(above) ? '' : `${one.ariaLabel} under ${above?.outerHTML.slice(0, 120)}`;
            }).filter((words) => words)",
        )
        .await;
    assert!(covered.is_empty(), "{covered:#?}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn in_a_storm_few_pairs_are_drawn_and_the_room_of_recent_work_is_theirs_until_it_is_over() {
    let mut events = vec![settled("commit:a", "ada", "lay a stone")];
    events.extend(AGENTS.iter().map(|agent| turns("1", agent, "active", "works")));
    let stream = stream_of(&events).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    let beads = "#agents .beads li";
    until_seen(&page, beads).await;
    // Every pair of six, ten each.
    let ids: Vec<(String, &str, &str)> = (0..FLOWS)
        .filter_map(|at| {
            let (source, target) = (AGENTS.get(at % 6)?, AGENTS.get((at % 6 + 1 + at / 6 % 5) % 6)?);
            Some((format!("flow-{at}"), *source, *target))
        })
        .collect();
    let flows: Vec<Value> = ids.iter().map(|(id, source, target)| flow(id, source, target)).collect();
    publish(&stream, &flows).await;
    page.until_attribute("terrarium", "data-flows-hidden", FLOWS - 50).await;
    until_unseen(&page, beads).await;
    let drawn = told_ids(&page).await;
    let mut pairs: Vec<_> =
        ids.iter().filter(|(id, ..)| drawn.contains(id)).map(|(_, a, b)| (a.min(b), a.max(b))).collect();
    pairs.sort_unstable();
    pairs.dedup();
    assert_eq!(drawn.len(), 50);
    assert!(pairs.len() <= 13, "{} ways: {pairs:?}", pairs.len());
    let over: Vec<Value> = ids.iter().map(|(id, source, target)| arrived(id, source, target)).collect();
    publish(&stream, &over).await;
    page.until_attribute("terrarium", "data-flows-hidden", 0).await;
    until_seen(&page, beads).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_bundle_opens_by_click_and_by_enter_lists_its_flows_and_escape_closes_it() {
    let stream = stream_of(&storm()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_attribute("terrarium", "data-flows-hidden", FLOWS - 50).await;
    until_seen(&page, "#bundles button").await;
    until_settled(&page).await;
    let drawn = told_ids(&page).await;
    assert_eq!(drawn.len(), 50);
    // One that nothing lies over.
    let (place, count, words): (usize, usize, String) = page
        .value(
            "(() => {
                const rows = [...document.querySelectorAll('#bundles > li')];
                const place = rows.findIndex((row) => {
                    const box = row.firstElementChild.getBoundingClientRect();
                    return row.contains(document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2));
                });
                const button = rows[place].firstElementChild;
                return [place + 1, Number(button.textContent.slice(1)), button.ariaLabel];
            })()",
        )
        .await;
    let first = &format!("#bundles > li:nth-child({place}) button");
    let between = words.split_once(" flows ").expect("what it counts").1.to_owned();

    for opened_by in ["a click", "Enter"] {
        if opened_by == "Enter" {
            focus(&page, first).await;
            page.press("Enter").await;
        } else {
            click(&page, first).await;
        }
        until_seen(&page, "#flows[data-open]").await;
        page.until(&format!("document.querySelector('{first}').ariaExpanded === 'true'")).await;
        let told = told_ids(&page).await;
        let new: Vec<&String> = told.iter().filter(|id| !drawn.contains(id)).collect();
        assert_eq!(new.len(), count.min(100), "{opened_by}: {told:?}");
        let seen: Vec<String> = page
            .value(
                "(() => {
                    const list = document.querySelector('#flows').getBoundingClientRect();
                    return [...document.querySelectorAll('#flow-list > li')].filter((one) => {
                        const box = one.getBoundingClientRect();
                        return box.height > 0 && box.bottom <= Math.min(list.bottom, innerHeight) && box.top >= list.top;
                    }).map((one) => one.textContent);
                })()",
            )
            .await;
        assert!(seen.len() >= 3, "{opened_by}: the list shows {seen:?}");
        if !between.contains("several") && !between.contains("others") {
            assert!(seen.iter().take(3).all(|sentence| sentence.contains(&between)), "{between}: {seen:?}");
        }
        page.press("Escape").await;
        page.until(&format!("document.querySelector('{first}').ariaExpanded === 'false'")).await;
        page.until("!document.querySelector('#flows').hasAttribute('data-open')").await;
        assert!(is_focused(&page, first).await, "{opened_by}: the focus is on {}", focused(&page).await);
        assert_eq!(told_ids(&page).await.len(), 50);
    }
    until_unseen(&page, "[data-testid=detail-panel]").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

/// The middle of the bundle that is pointed at, and whether its list is open.
const POINTED: &str = "(() => {
    const box = document.querySelector('#bundles button:hover')?.getBoundingClientRect();
    return box ? [box.x + box.width / 2, box.y + box.height / 2] : null;
})()";

#[tokio::test]
async fn a_bundle_that_is_pointed_at_opens_stays_where_it_is_and_closes_when_the_pointer_leaves() {
    let stream = stream_of(&storm()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_attribute("terrarium", "data-flows-hidden", FLOWS - 50).await;
    until_seen(&page, "#bundles button").await;
    until_settled(&page).await;
    point_at(&page, "#bundles button").await;
    until_seen(&page, "#flows[data-open]").await;
    let (x, y): (f64, f64) = page.value(POINTED).await;
    let name: String = page.value("document.querySelector('#bundles button:hover').ariaLabel").await;
    // Everything around it changes, and its own flows end.
    let mut events: Vec<Value> = AGENTS.iter().skip(1).map(|agent| turns("2", agent, "idle", "")).collect();
    events.extend((0..FLOWS).map(|at| {
        let mut ended = flow(&format!("flow-{at}"), "ada", "bob");
        ended["id"] = format!("flow-{at}/ended").into();
        ended["type"] = "monkeytown.flow.complete".into();
        ended["data"]["status"] = "complete".into();
        ended
    }));
    publish(&stream, &events).await;
    page.until_attribute("terrarium", "data-flows-hidden", 0).await;
    until_settled(&page).await;
    assert_eq!(page.value::<Option<(f64, f64)>>(POINTED).await, Some((x, y)), "{name}");
    until_seen(&page, "#flows[data-open]").await;
    // Elsewhere than on the bundle and its list.
    page.driver().move_mouse(chromiumoxide::layout::Point::new(640.0, 5.0)).await.expect("a mouse");
    page.until("!document.querySelector('#flows').hasAttribute('data-open')").await;
    page.until("!document.querySelector('#bundles button')").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn in_a_flood_a_bundle_and_a_card_open_when_they_are_pressed() {
    let stream = Stream::start(Source::Simulator(600.0)).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    until_seen(&page, "#bundles button").await;
    // Pressed where it was pointed at: what is pointed at does not go away.
    let (x, y) = point_until_there(&page, "#bundles button").await;
    click_at(&page, x, y).await;
    until_seen(&page, "#flows[data-open]").await;
    page.press("Escape").await;
    page.until("!document.querySelector('#flows').hasAttribute('data-open')").await;
    for agent in 0..3 {
        let id: String = page
            .value(&format!("document.querySelectorAll('[data-testid=agent-card]')[{agent}].dataset.entityId"))
            .await;
        let (x, y) =
            point_until_there(&page, &format!("[data-testid=agent-card][data-entity-id='{id}'] [data-p=name]")).await;
        click_at(&page, x, y).await;
        until_seen(&page, "[data-testid=detail-panel]").await;
        assert_eq!(page.attribute("detail-panel", "data-entity-id").await, id);
        page.press("Escape").await;
        until_unseen(&page, "[data-testid=detail-panel]").await;
    }
    page.complains_of_nothing().await;
    browser.close().await;
}
