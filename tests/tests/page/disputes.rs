//! What runs between two: a disagreement over a file, a flow to the people, and why a flow broke; drawn, and told in
//! words to those who cannot see it drawn.

use crate::witness::{
    card, click, flow, publish, stream_of, texts, told, turns, until_caught_up, until_said, until_seen, until_unseen,
};
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
    stream::Stream,
};
use serde_json::{Value, json};

/// Notes every word that is written on the canvases, and every sentence that ever stood in the list of flows.
const WATCH: &str = "
    window.painted = {};
    window.sentences = new Set();
    addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
        for (const row of document.querySelectorAll('#flow-list > li')) {
            window.sentences.add(`${row.dataset.status} ${row.textContent}`);
        }
    }).observe(document.querySelector('#flow-list'), { subtree: true, childList: true, characterData: true, attributes: true }));
    const write = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (words, ...given) {
        window.painted[words] = true;
        return write.call(this, words, ...given);
    };
";

/// Waits until `words` are written on a canvas.
async fn until_painted(page: &Page, words: &str) {
    page.until_script(&format!("Object.keys(window.painted).some((one) => one.includes({}))", json!(words))).await;
}

async fn open(browser: &Browser, events: &[Value]) -> (Stream, Page) {
    let stream = stream_of(events).await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    (stream, page)
}

/// A contract of `agent` that changes `files`, now.
fn contract(step: &str, number: u32, agent: &str, status: &str, files: &[&str]) -> Value {
    let data = json!({
        "id": format!("pull:{number}"), "kind": "contract", "label": format!("change {number}"), "status": status,
        "parent": agent, "files": files,
    });
    told(&format!("pull:{number}/{step}"), "monkeytown.entity.updated", &data)
}

fn town() -> Vec<Value> {
    ["ada", "bob", "cleo"].iter().map(|agent| turns("1", agent, "active", "draws a map")).collect()
}

async fn contradiction_of(page: &Page, agent: &str) -> Vec<String> {
    texts(page, &format!("{} .contradiction", card(agent))).await
}

#[tokio::test]
async fn two_open_contracts_on_one_file_are_told_on_both_cards_and_between_the_two_until_one_settles() {
    let browser = Browser::start().await;
    let mut events = town();
    events.push(contract("1", 12, "ada", "active", &["src/map.rs", "src/ink.rs"]));
    events.push(contract("1", 31, "cleo", "active", &["docs/river.md"]));
    let (stream, page) = open(&browser, &events).await;
    until_unseen(&page, ".contradiction").await;
    publish(&stream, &[contract("1", 27, "bob", "active", &["src/map.rs"])]).await;
    until_said(&page, &format!("{} .contradiction", card("ada")), "disagrees with #27 on src/map.rs").await;
    until_said(&page, &format!("{} .contradiction", card("bob")), "disagrees with #12 on src/map.rs").await;
    assert_eq!(contradiction_of(&page, "cleo").await, [""; 0], "she changes another file");
    until_painted(&page, "disagree on src/map.rs").await;
    let marked: Vec<String> = page
        .value("[...document.querySelectorAll('[data-contradiction]')].map((one) => one.dataset.entityId).sort()")
        .await;
    assert_eq!(marked, ["ada", "bob"]);
    let violations = axe::violations(&page).await;
    assert!(violations.is_empty(), "{violations:#?}");

    // More of the same is counted, a third says so too.
    publish(
        &stream,
        &[
            contract("2", 27, "bob", "active", &["src/map.rs", "src/ink.rs"]),
            contract("2", 31, "cleo", "active", &["docs/river.md", "src/map.rs"]),
        ],
    )
    .await;
    until_said(&page, &format!("{} .contradiction", card("ada")), "and 1 more").await;
    until_said(&page, &format!("{} .contradiction", card("cleo")), "src/map.rs").await;

    // One settles, the other is given up: nobody disagrees any more, in words or on the ground.
    publish(
        &stream,
        &[
            contract("3", 12, "ada", "complete", &["src/map.rs", "src/ink.rs"]),
            contract("3", 27, "bob", "error", &["src/map.rs", "src/ink.rs"]),
        ],
    )
    .await;
    until_unseen(&page, ".contradiction").await;
    page.until("!document.querySelector('[data-contradiction]')").await;
    page.value::<bool>("(window.painted = {}, true)").await;
    publish(&stream, &[flow("flow", "ada", "bob"), turns("2", "bob", "processing", "looks again")]).await;
    page.until_attribute("terrarium", "data-flows-drawn", 1).await;
    page.until_card("bob", "looks again").await;
    page.value::<bool>("new Promise((done) => setTimeout(() => done(true), 1500))").await;
    let painted: Vec<String> = page.value("Object.keys(window.painted)").await;
    assert!(!painted.iter().any(|words| words.contains("disagree")), "{painted:?}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn one_agents_own_contracts_on_one_file_are_told_on_its_card_and_drawn_to_nobody() {
    let browser = Browser::start().await;
    let mut events = town();
    events.push(contract("1", 1, "ada", "active", &["src/map.rs"]));
    events.push(contract("1", 2, "ada", "active", &["src/map.rs"]));
    let (_stream, page) = open(&browser, &events).await;
    until_said(&page, &format!("{} .contradiction", card("ada")), "on src/map.rs").await;
    for other in ["bob", "cleo"] {
        assert_eq!(contradiction_of(&page, other).await, [""; 0]);
    }
    page.value::<bool>("new Promise((done) => setTimeout(() => done(true), 1500))").await;
    let painted: Vec<String> = page.value("Object.keys(window.painted)").await;
    assert!(!painted.iter().any(|words| words.contains("disagree")), "{painted:?}");
    browser.close().await;
}

async fn told_flows(page: &Page) -> Vec<String> {
    page.value("[...document.querySelectorAll('#flow-list > li')].map((one) => one.textContent)").await
}

#[tokio::test]
async fn a_flow_to_the_people_runs_to_their_word_and_is_in_the_list() {
    let browser = Browser::start().await;
    let (stream, page) = open(&browser, &town()).await;
    let painted: Vec<String> = page.value("Object.keys(window.painted)").await;
    assert!(!painted.iter().any(|words| words == "people"), "nothing goes to them yet: {painted:?}");
    let mut merged = flow("merge", "ada", "people");
    merged["data"]["kind"] = "contract".into();
    publish(&stream, &[merged]).await;
    page.until_attribute("terrarium", "data-flows-drawn", 1).await;
    until_painted(&page, "people").await;
    assert_eq!(told_flows(&page).await, ["contract from ada to people"]);
    assert!(!page.agents().await.contains(&"people".to_owned()), "the people are no agent");
    // Whoever looks at her closely is told as well.
    click(&page, &card("ada")).await;
    until_seen(&page, "[data-testid=detail-panel]").await;
    click(&page, "#tab-connections").await;
    until_said(&page, "#view-connections", "people").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

/// A flow that breaks, and why.
fn broken(id: &str, source: &str, target: &str, reason: Option<&str>) -> Value {
    let data = json!({
        "id": id, "source": source, "target": target, "kind": "resource", "status": "error", "progress": 0.4,
        "reason": reason,
    });
    told(&format!("{id}/failed"), "monkeytown.flow.failed", &data)
}

#[tokio::test]
async fn why_flows_broke_is_told_in_the_list_in_words_also_where_there_is_no_room_for_it_on_the_ground() {
    let browser = Browser::start().await;
    let (stream, page) = open(&browser, &town()).await;
    // Between the same two, one over the other: not every reason finds a place on the ground.
    let mut events: Vec<Value> =
        (0..6).map(|at| broken(&format!("flow-{at}"), "ada", "bob", Some(&format!("bridge {at} is out")))).collect();
    events.push(broken("silent", "bob", "cleo", None));
    events.push(broken("hostile", "cleo", "ada", Some("<b>\u{202e}no way</b>")));
    publish(&stream, &events).await;
    page.until_script("[...window.sentences].filter((one) => one.startsWith('error ')).length >= 8").await;
    let mut sentences: Vec<String> = page.value("[...window.sentences]").await;
    sentences.retain(|sentence| sentence.starts_with("error "));
    sentences.sort();
    let mut expected: Vec<String> =
        (0..6).map(|at| format!("error resource from ada to bob, broken: bridge {at} is out")).collect();
    expected.push("error resource from bob to cleo, broken".to_owned());
    expected.push("error resource from cleo to ada, broken: <b>\u{202e}no way</b>".to_owned());
    expected.sort();
    assert_eq!(sentences, expected);
    assert_eq!(page.value::<u32>("document.querySelectorAll('#flow-list b').length").await, 0, "words stay words");
    until_painted(&page, "is out").await;
    page.complains_of_nothing().await;
    browser.close().await;
}
