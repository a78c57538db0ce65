//! The filter: what matches stays lit, the rest steps back and can still be read; counts, logs, and what is kept of it.

use crate::{
    keepsakes::line,
    keyboard::{has_focus, tab_to},
    parcels::{WATCH, take_along},
    planting::{count, until_count},
    witness::{
        card, click, flow, focus, is_focused, paste, prefer, publish, settled, stream_of, text, texts, told, turns,
        until_caught_up, until_said, until_seen, until_settled, until_unseen, visit, write,
    },
};
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
};
use serde_json::{Value, json};

const TOLD: &str = "#seek-row [data-p=seek-told]";
const FAULT: &str = "#seek-fault";
const FILTER: &str = "#filters > li";

/// Three agents, two flows, three things that settled, and what two of them said.
fn town() -> Vec<Value> {
    let mut events = vec![
        turns("1", "ada", "active", "draws a map"),
        turns("1", "bob", "active", "lays stones"),
        turns("1", "cid", "error", "forges"),
        flow("ada-bob", "ada", "bob"),
        flow("bob-cid", "bob", "cid"),
        settled("commit:granite", "bob", "lay granite"),
        settled("commit:coast", "ada", "map the coast"),
        settled("pull:7", "ada", "agree on a map"),
    ];
    events.extend((0..40).map(|at| says("ada", at, if at % 10 == 0 { "reads the map" } else { "walks on" })));
    events.extend((0..5).map(|at| says("cid", at, "no coal is left")));
    events
}

fn says(agent: &str, number: usize, message: &str) -> Value {
    let data = json!({"entity": agent, "level": "info", "message": message});
    told(&format!("{agent}/line-{number}"), "monkeytown.log.line", &data)
}

/// Empties the field, and writes words into it.
async fn filter(page: &Page, words: &str) {
    focus(page, "#search").await;
    page.value::<()>("document.querySelector('#search').select()").await;
    if words.is_empty() { page.press("Backspace").await } else { paste(page, words).await }
}

/// Waits until those and nobody else are lit.
async fn until_lit(page: &Page, agents: &[&str]) {
    let lit = format!(
        "[...document.querySelectorAll('[data-testid=agent-card]:not([data-dim])')]
            .map((one) => one.dataset.entityId).sort().join() === '{}'",
        agents.join(",")
    );
    page.until(&lit).await;
}

async fn lit_flows(page: &Page) -> Vec<String> {
    page.value(
        "[...document.querySelectorAll('#flow-list > :not([data-dim])')].map((one) => one.dataset.flowId).sort()",
    )
    .await
}

/// To the filter's field by its key.
async fn to_the_field(page: &Page) {
    page.press("f").await;
    page.until("document.activeElement.id === 'search'").await;
}

async fn breaks_no_rule(page: &Page, state: &str) {
    let broken: Vec<String> =
        axe::violations(page).await.iter().map(|one| format!("{}: {} {:#?}", one.id, one.help, one.nodes)).collect();
    assert!(broken.is_empty(), "{state}: {}", broken.join("\n"));
}

#[tokio::test]
async fn what_matches_stays_lit_the_rest_steps_back_and_all_of_it_is_counted() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    until_lit(&page, &["ada", "bob", "cid"]).await;
    to_the_field(&page).await;
    write(&page, "map").await;
    until_lit(&page, &["ada"]).await;
    until_said(&page, TOLD, "1 agent, 2 settled, 4 log lines match").await;
    until_count(&page, "[data-testid=ghost-item]", 2).await;
    assert_eq!(text(&page, "#kept").await, "2 of 4 match");
    assert!(lit_flows(&page).await.is_empty(), "no flow speaks of a map");
    until_said(&page, "#polite", "1 agent, 2 settled, 4 log lines match").await;

    // Marks fade, words do not.
    let seen: (f64, f64, String) = page
        .value(&format!(
            "(() => {{
                const card = document.querySelector({:?});
                const name = card.querySelector('[data-p=name]');
                return [
                    Number(getComputedStyle(card.querySelector('.mask')).opacity),
                    Number(getComputedStyle(name).opacity), getComputedStyle(name).color,
                ];
            }})()",
            card("bob")
        ))
        .await;
    assert!(seen.0 < 0.5 && seen.1 > 0.99, "{seen:?}");
    assert_eq!(seen.2, "rgb(176, 186, 192)");

    click(&page, "#seek-row [data-p=unseek]").await;
    until_lit(&page, &["ada", "bob", "cid"]).await;
    until_unseen(&page, TOLD).await;
    has_focus(&page, "#search").await;
    assert_eq!(lit_flows(&page).await.len(), 2);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn every_key_finds_what_it_asks_for() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    for (words, agents, flows, told) in [
        ("agent:ada", &["ada"][..], &["ada-bob"][..], "1 agent, 1 flow, 2 settled, 40 log lines match"),
        ("kind:message", &[], &["ada-bob", "bob-cid"], "2 flows match"),
        ("kind:contract", &[], &[], "1 settled matches"),
        ("status:broken", &["cid"], &[], "1 agent, 1 settled match"),
        ("type:agent STATUS:active", &["ada", "bob"], &[], "2 agents match"),
        ("type:log coal", &[], &[], "5 log lines match"),
        ("since:1h type:flow agent:cid", &[], &["bob-cid"], "1 flow matches"),
        ("since:2099-01-01", &[], &[], "nothing matches now"),
        ("\"the coast\"", &[], &[], "1 settled matches"),
    ] {
        filter(&page, words).await;
        page.until(&format!("document.querySelector('{TOLD}').textContent === '{told}'")).await;
        until_lit(&page, agents).await;
        assert_eq!(lit_flows(&page).await, flows, "{words}");
    }
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_begins_to_match_is_lit_and_what_ends_to_match_steps_back() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    filter(&page, "map").await;
    until_said(&page, TOLD, "1 agent, 2 settled, 4 log lines match").await;
    publish(
        &stream,
        &[
            turns("2", "bob", "active", "folds the map"),
            turns("2", "ada", "active", "rests her eyes"),
            turns("1", "dan", "active", "buys a MAP"),
            settled("commit:sea", "bob", "map the sea"),
            says("cid", 100, "what is a map?"),
            says("ada", 100, "no more of it"),
        ],
    )
    .await;
    until_lit(&page, &["bob", "dan"]).await;
    until_said(&page, TOLD, "2 agents, 3 settled, 5 log lines match").await;
    assert_eq!(texts(&page, "#seek-logs li").await, ["ada 4", "cid 1"]);
    // Who comes anew without a word of it comes dimmed.
    publish(&stream, &[turns("1", "eve", "active", "sings")]).await;
    page.until(&format!("document.querySelector('{}')?.hasAttribute('data-dim')", card("eve").replace('\'', "\"")))
        .await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_found_in_logs_is_one_press_away() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    filter(&page, "map").await;
    until_said(&page, "#seek-logs", "ada 4").await;
    click(&page, "#seek-logs [data-p=sift]").await;
    until_seen(&page, "#view-logs").await;
    until_said(&page, "#view-logs", "4 of 40 lines, as the filter takes them").await;
    assert_eq!(texts(&page, "#view-logs li [data-p=text]").await, ["reads the map"; 4]);
    // One that comes is there too; pressing the tab shows the others, and marks those.
    publish(&stream, &[says("ada", 100, "sells the map"), says("ada", 101, "walks off")]).await;
    until_said(&page, "#view-logs", "sells the map").await;
    assert_eq!(texts(&page, "#view-logs li").await.len(), 5);
    click(&page, "#tab-logs").await;
    page.until("[...document.querySelectorAll('#view-logs li')].filter((one) => one.checkVisibility()).length === 42")
        .await;
    assert_eq!(count(&page, "#view-logs li[data-found]").await, 5);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_makes_no_sense_is_said_beside_the_field_and_hides_nothing() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    filter(&page, "foo:bar").await;
    until_said(&page, FAULT, "no key 'foo:'; known are agent, kind, status, type, since").await;
    until_said(&page, "#polite", "no key 'foo:'").await;
    assert_eq!(
        page.value::<Option<String>>("document.querySelector('#search').ariaInvalid").await.as_deref(),
        Some("true")
    );
    until_lit(&page, &["ada", "bob", "cid"]).await;
    until_count(&page, "[data-testid=ghost-item]", 4).await;
    filter(&page, "foo:bar coast").await;
    until_said(&page, TOLD, "1 settled matches").await;
    until_said(&page, FAULT, "no key 'foo:'").await;
    filter(&page, "since:soon").await;
    until_said(&page, FAULT, "since: takes 10m, 2h, 3d or a date").await;
    filter(&page, "").await;
    until_unseen(&page, FAULT).await;
    browser.close().await;
}

#[tokio::test]
async fn hostile_words_are_words() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    let long = "x".repeat(10_000);
    for (words, said) in [
        ("\u{0}map\u{202e}", TOLD),
        ("<img src=x onerror=alert(1)>", TOLD),
        ("type:\u{202e}\u{2066}x", FAULT),
        (&long, FAULT),
        ("\"", "#search"),
        ("constructor:__proto__ \\ ] [ .* '", FAULT),
    ] {
        page.value::<bool>(&format!(
            "(() => {{
                const field = document.querySelector('#search');
                field.focus();
                field.value = {};
                return field.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }})()",
            serde_json::to_string(words).expect("text is JSON")
        ))
        .await;
        until_seen(&page, said).await;
        let width: bool = page.value("document.documentElement.scrollWidth <= innerWidth").await;
        assert!(width, "{words:.20} makes the page wider");
    }
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn filters_are_kept_across_visits_go_along_and_are_forgotten_and_brought_back() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    filter(&page, "status:broken").await;
    click(&page, "#seek-row [data-p=keep-filter]").await;
    until_count(&page, FILTER, 1).await;
    until_unseen(&page, "#seek-row [data-p=keep-filter]").await;
    filter(&page, "map").await;
    click(&page, "#seek-row [data-p=keep-filter]").await;
    until_count(&page, FILTER, 2).await;

    page.reload().await;
    until_caught_up(&page, &stream).await;
    until_count(&page, FILTER, 2).await;
    assert_eq!(texts(&page, &format!("{FILTER} [data-p=seek]")).await, ["status:broken", "map"]);
    click(&page, &format!("{FILTER} [data-p=seek]")).await;
    until_lit(&page, &["cid"]).await;
    assert_eq!(page.value::<String>("document.querySelector('#search').value").await, "status:broken");
    page.until(&format!("document.querySelector('{FILTER} [data-p=seek]').ariaPressed === 'true'")).await;

    let file: Value = serde_json::from_str(&take_along(&page).await).expect("JSON");
    let held = file["kept"].as_array().expect("a list").iter().filter(|one| one["class"] == "filter").count();
    assert_eq!(held, 2, "{file}");
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;

    click(&page, &format!("{FILTER} [data-p=forget]")).await;
    until_count(&page, FILTER, 1).await;
    click(&page, "#undo-bar [data-p=undo]").await;
    until_count(&page, FILTER, 2).await;

    // A handful, and no more.
    for at in 0..5 {
        filter(&page, &format!("stone {at}")).await;
        click(&page, "#seek-row [data-p=keep-filter]").await;
        until_seen(&page, "#undo-bar").await;
    }
    until_said(&page, "#undo-bar", "six filters").await;
    assert_eq!(count(&page, FILTER).await, 6);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_filter_is_a_newer_pages_line_to_pages_that_know_none() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    filter(&page, "map").await;
    click(&page, "#seek-row [data-p=keep-filter]").await;
    until_count(&page, FILTER, 1).await;
    let key: String =
        page.value("Object.keys(localStorage).find((key) => key.startsWith('monkeytown.kept.filter.'))").await;
    let kept = line(&page, key.trim_start_matches("monkeytown.kept.")).await.expect("a line");
    assert!(kept.starts_with("2 "), "{kept}");
    browser.close().await;
}

#[tokio::test]
async fn the_keyboard_alone_filters_keeps_looks_and_clears() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    to_the_field(&page).await;
    write(&page, "map").await;
    until_said(&page, "#seek-logs", "ada 4").await;
    tab_to(&page, "#seek-row [data-p=keep-filter]").await;
    page.press("Enter").await;
    until_count(&page, FILTER, 1).await;
    to_the_field(&page).await;
    tab_to(&page, "#seek-logs [data-p=sift]").await;
    page.press("Enter").await;
    until_seen(&page, "#view-logs").await;
    page.press("Escape").await;
    until_unseen(&page, "#panel").await;
    has_focus(&page, "#seek-logs [data-p=sift]").await;
    // Escape in the field empties it, and closes nothing.
    to_the_field(&page).await;
    page.press("Escape").await;
    until_lit(&page, &["ada", "bob", "cid"]).await;
    assert!(is_focused(&page, "#search").await);
    tab_to(&page, &format!("{FILTER} [data-p=seek]")).await;
    page.press("Enter").await;
    until_lit(&page, &["ada"]).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_with_a_filter_on() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    filter(&page, "map").await;
    click(&page, "#seek-row [data-p=keep-filter]").await;
    until_count(&page, FILTER, 1).await;
    until_settled(&page).await;
    breaks_no_rule(&page, "a filter").await;
    filter(&page, "foo:bar").await;
    until_seen(&page, FAULT).await;
    breaks_no_rule(&page, "a filter without sense").await;
    filter(&page, "map").await;
    until_said(&page, "#seek-logs", "ada 4").await;
    click(&page, "#seek-logs [data-p=sift]").await;
    until_seen(&page, "#view-logs li").await;
    until_settled(&page).await;
    breaks_no_rule(&page, "lines that match").await;
    page.press("Escape").await;
    prefer(&page, "forced-colors", "active").await;
    // What is drawn there is the reader's, and no rule of contrast can see it: that the rest steps back is told by the line.
    until_lit(&page, &["ada"]).await;
    until_said(&page, TOLD, "1 agent, 2 settled, 4 log lines match").await;
    browser.close().await;
}

#[tokio::test]
async fn on_a_phone_the_filter_is_at_hand_and_its_rows_step_back() {
    let stream = stream_of(&town()).await;
    let browser = Browser::sized(390, 844).await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;
    click(&page, "#search").await;
    has_focus(&page, "#search").await;
    write(&page, "map").await;
    until_lit(&page, &["ada"]).await;
    until_said(&page, TOLD, "1 agent, 2 settled, 4 log lines match").await;
    until_settled(&page).await;
    // The row lies over nobody.
    let below: bool = page
        .value(
            "document.querySelector('#seek-row').getBoundingClientRect().bottom
                <= document.querySelector('#terrarium').getBoundingClientRect().top + 1",
        )
        .await;
    assert!(below, "the field begins below the filter");
    breaks_no_rule(&page, "a filter on a phone").await;
    click(&page, "#views [data-p=history]").await;
    until_count(&page, "[data-testid=ghost-item]", 2).await;
    until_seen(&page, "[data-testid=ghost-item]").await;
    breaks_no_rule(&page, "history with a filter on a phone").await;
    click(&page, "#views [data-p=agents]").await;
    click(&page, "#seek-row [data-p=unseek]").await;
    until_lit(&page, &["ada", "bob", "cid"]).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

/// From the words until what is lit and counted has been drawn, until all logs have been looked through, and the longest
/// that nothing else ran meanwhile, in milliseconds.
const MEASURE: &str = "new Promise((resolve) => {
    const [field, told] = ['#search', '#seek-row [data-p=seek-told]'].map((one) => document.querySelector(one));
    const { port1, port2 } = new MessageChannel();
    let [begun, before, longest, first] = [performance.now(), performance.now(), 0, 0];
    port1.onmessage = () => {
        const now = performance.now();
        longest = Math.max(longest, now - before);
        before = now;
        if (told.hidden || told.textContent.includes('still looking')) return port2.postMessage(0);
        resolve([first, now - begun, longest]);
    };
    field.value = WORDS;
    field.dispatchEvent(new Event('input', { bubbles: true }));
    requestAnimationFrame(() => setTimeout(() => { first = performance.now() - begun; }));
    setTimeout(() => port2.postMessage(0));
})";

/// As many things as a page is told in a long day. It holds as many of them as its bounds allow.
#[tokio::test]
async fn a_hundred_thousand_things_are_looked_through_in_slices() {
    let mut events: Vec<Value> =
        (0..10).map(|at| turns("1", &format!("mason-{at}"), "active", "lays stones")).collect();
    events.extend((0..2_000).map(|at| settled(&format!("commit:{at:07}"), "mason-1", &format!("lay granite {at}"))));
    events.extend(
        (0..98_000)
            .map(|at| says(&format!("mason-{}", at % 10), at, &format!("lays granite no. {at} upon the one before"))),
    );
    let (stream, browser, page) = visit(&[]).await;
    page.until_state("live").await;
    publish(&stream, &events).await;
    until_caught_up(&page, &stream).await;
    let mut counts = Vec::new();
    for words in ["type:log", "granite no", "granite grün", "type:log marble", "99 since:1h"] {
        let script = MEASURE.replace("WORDS", &serde_json::to_string(words).expect("text is JSON"));
        let (first, all, longest): (f64, f64, f64) = page.value(&script).await;
        let said = text(&page, TOLD).await;
        println!("{words}: first {first:.1} ms, all {all:.1} ms, held for {longest:.1} ms: {said}");
        assert!(all < 5_000.0, "{words}: {all} ms");
        counts.push(said);
    }
    let lines = |said: &str| said.split(", ").last().expect("a count").to_owned();
    assert!(counts[0].ends_with(" log lines match"), "{counts:?}");
    assert_eq!(lines(&counts[0]), lines(&counts[1]), "every line speaks of granite");
    assert_eq!(counts[3], "nothing matches now");
    page.complains_of_nothing().await;
    browser.close().await;
}
