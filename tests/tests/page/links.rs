//! The address holds what is looked at: links that are opened, back and forward, links that name nobody, hostile ones.

use crate::{
    keyboard::has_focus,
    past,
    planting::{count, until_count},
    witness::{
        click, flow, focus, opener, quoted, settled, stream_of, text, turns, until_caught_up, until_said, until_seen,
        until_unseen, visit, write,
    },
};
use monkeytown_tests::{
    browser::{Browser, Page},
    puppet::Puppet,
    stream::Stream,
    wait::soon,
};
use serde_json::{Value, json};
use std::time::Duration;

const PANEL: &str = "[data-testid=detail-panel][data-open]";
const GHOST: &str = "[data-testid=ghost-item]";

fn town() -> Vec<Value> {
    let mut events = vec![turns("1", "ada", "active", "draws a map"), turns("1", "bob", "active", "lays stones")];
    events.extend(["granite", "marble", "slate"].map(|stone| settled(&format!("commit:{stone}"), "bob", stone)));
    events.push(flow("flow", "ada", "bob"));
    events
}

async fn until_hash(page: &Page, hash: &str) {
    page.until_script(&format!("location.hash === {}", quoted(hash))).await;
}

/// Goes through the browser's history, as its buttons do.
async fn travel(page: &Page, steps: i32) {
    // The page may be left by it, and could not answer then.
    page.value::<bool>(&format!("setTimeout(() => history.go({steps})); true")).await;
}

async fn steps(page: &Page) -> usize {
    page.value("history.length").await
}

/// What somebody sees of the page, in short.
async fn shown(page: &Page) -> Value {
    page.value(
        "({
            panel: document.querySelector('.panel[data-testid=detail-panel][data-open]')?.dataset.entityId ?? '',
            tab: document.querySelector('[role=tab][aria-selected=true]').id,
            sheet: document.querySelector('#sheet[data-open] .side:not([hidden])')?.id ?? '',
            flows: document.querySelector('#flows').dataset.open ?? '',
            search: document.querySelector('#search').value,
            ghosts: [...document.querySelectorAll('[data-testid=ghost-item]')].map((one) => one.dataset.entityId).join(),
            view: document.querySelector('#page').dataset.view,
        })",
    )
    .await
}

#[tokio::test]
async fn a_link_that_is_opened_in_a_fresh_page_shows_the_same() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    for (does, hash) in [
        ("open", "#entity=ada"),
        ("logs", "#entity=ada&tab=logs"),
        ("search", "#filter=mar"),
        ("flows", "#view=flows"),
        ("seeds", "#view=seeds"),
        ("kept", "#view=kept"),
        ("history", "#view=history"),
        ("both", "#entity=bob&tab=history&filter=a%20b%23%26%C3%BC"),
    ] {
        match does {
            "open" | "logs" => {
                focus(&page, &opener("ada")).await;
                page.press("Enter").await;
                until_seen(&page, PANEL).await;
                if does == "logs" {
                    page.press("2").await;
                }
            }
            "search" => {
                page.press("f").await;
                page.until("document.activeElement.id === 'search'").await;
                write(&page, "mar").await;
                page.press("Escape").await;
                write(&page, "mar").await;
                // Where the history stands is another thing.
                page.value::<bool>("history.replaceState(null, '', '#filter=mar'); true").await;
            }
            "flows" | "history" => {
                page.press("g").await;
                page.press(if does == "flows" { "f" } else { "h" }).await;
            }
            "seeds" => click(&page, "#plant-seed").await,
            "kept" => click(&page, "#storage").await,
            _ => {
                focus(&page, &opener("bob")).await;
                page.press("Enter").await;
                page.press("4").await;
                page.value::<bool>(
                    "(() => {
                        const field = document.querySelector('#search');
                        field.value = 'a b#&ü';
                        field.dispatchEvent(new Event('input', { bubbles: true }));
                        return true;
                    })()",
                )
                .await;
            }
        }
        until_hash(&page, hash).await;
        let fresh = browser.visit(&stream.url(&format!("/{hash}"))).await;
        until_caught_up(&fresh, &stream).await;
        let mut expected = shown(&page).await;
        if does == "search" {
            expected["view"] = json!("agents");
        }
        let mut seen = Value::Null;
        for _ in 0..50 {
            seen = shown(&fresh).await;
            if seen == expected {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        assert_eq!(seen, expected, "{hash}");
        assert_eq!(fresh.value::<String>("location.hash").await, hash, "the address stays as it was opened");
        fresh.complains_of_nothing().await;
        // From the beginning, in front: a hidden page draws nothing.
        page.show().await;
        page.go("about:blank").await;
        page.go(&stream.url("/")).await;
        until_caught_up(&page, &stream).await;
    }
    browser.close().await;
}

#[tokio::test]
async fn back_closes_what_was_opened_and_forward_opens_it_again() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    let before = steps(&page).await;
    focus(&page, &opener("ada")).await;
    page.press("Enter").await;
    until_hash(&page, "#entity=ada").await;
    page.press("3").await;
    until_hash(&page, "#entity=ada&tab=connections").await;
    assert_eq!(steps(&page).await, before + 1, "a tab is no step");
    travel(&page, -1).await;
    until_unseen(&page, PANEL).await;
    until_hash(&page, "").await;
    has_focus(&page, &opener("ada")).await;
    travel(&page, 1).await;
    until_seen(&page, PANEL).await;
    page.until("document.querySelector('#tab-connections').ariaSelected === 'true'").await;
    // Escape leaves nothing that Back would have to pass.
    page.press("Escape").await;
    until_unseen(&page, PANEL).await;
    until_hash(&page, "").await;
    assert_eq!(page.value::<Value>("history.state?.trail ?? null").await, Value::Null);
    travel(&page, -1).await;
    soon("the page from before", async {
        // A question that is put to a page as it goes is not answered.
        while page.driver().url().await.ok().flatten().as_deref() != Some("about:blank") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    browser.close().await;
}

#[tokio::test]
async fn an_address_that_somebody_writes_is_followed_and_its_filter_goes_with_it() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    until_count(&page, GHOST, 3).await;
    page.value::<bool>("location.hash = '#filter=marble&entity=ada'; true").await;
    until_seen(&page, PANEL).await;
    until_count(&page, GHOST, 1).await;
    assert_eq!(page.value::<String>("document.querySelector('#search').value").await, "marble");
    page.value::<bool>("location.hash = '#entity=bob'; true").await;
    page.until("document.querySelector('#panel').dataset.entityId === 'bob'").await;
    until_count(&page, GHOST, 3).await;
    travel(&page, -1).await;
    page.until("document.querySelector('#panel').dataset.entityId === 'ada'").await;
    until_count(&page, GHOST, 1).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_link_that_names_nobody_says_so_and_whom_the_stream_names_later_is_not_opened_by_surprise() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/#entity=nobody&filter=slate")).await;
    until_said(&page, "#notice", "this link names an agent that the stream does not hold").await;
    until_count(&page, GHOST, 1).await;
    stream.publish(&[turns("1", "nobody", "active", "is somebody after all")]).await;
    page.until_card("nobody", "is somebody after all").await;
    until_unseen(&page, PANEL).await;
    browser.close().await;
}

#[tokio::test]
async fn whom_a_link_names_is_opened_as_soon_as_the_stream_tells_of_them() {
    let puppet = Puppet::start().await;
    let site = stream_of(&[]).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let url = format!("{}?stream={}#entity=ada&tab=history", site.url("/"), puppet.url());
    let (mut believer, ()) = tokio::join!(puppet.believer(), page.go(&url));
    let hello = json!({
        "kind": "hello", "epoch": "puppet", "head": 0, "from": "puppet:-1", "recovered": true,
        "heartbeat_ms": 25_000, "server_time": "2026-01-18T12:00:00.000Z",
        "clock": "2026-01-18T12:00:00.000Z", "clock_rate": 1, "version": "0.1.0", "source_kind": "live",
    });
    believer.say(&hello.to_string()).await;
    page.until("document.querySelector('#source').dataset.sourceKind === 'live'").await;
    assert_eq!(count(&page, PANEL).await, 0);
    assert!(!text(&page, "#notice").await.contains("this link"), "nobody knows yet");
    believer.tell(0, &[turns("1", "ada", "active", "draws a map")]).await;
    until_seen(&page, PANEL).await;
    page.until("document.querySelector('#tab-history').ariaSelected === 'true'").await;
    browser.close().await;
}

#[tokio::test]
async fn hostile_addresses_do_nothing() {
    let stream: Stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    for hash in [
        "#entity=%3Cimg%20src=x%20onerror=alert(1)%3E&view=%00&tab=%",
        "#filter=%F0%28%8C%BC&at=%zz&entity=",
        "#constructor=1&__proto__=2&entity=%E2%80%AElive",
        "#=&==&&&&#entity=ada#",
        "#view=javascript:alert(1)",
        &*["#filter=", &"%41".repeat(30_000)].concat(),
        &*["#entity=", &"z".repeat(300)].concat(),
    ] {
        let page = browser.visit(&stream.url(&["/", hash].concat())).await;
        until_caught_up(&page, &stream).await;
        until_unseen(&page, PANEL).await;
        until_unseen(&page, "#sheet").await;
        until_count(&page, GHOST, 3).await;
        page.complains_of_nothing().await;
    }
    browser.close().await;
}

#[tokio::test]
async fn the_address_changes_no_more_often_than_browsers_let_it() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    page.value::<bool>(
        "(() => {
            window.writes = 0;
            for (const name of ['pushState', 'replaceState']) {
                const write = history[name].bind(history);
                history[name] = (...given) => { window.writes += 1; write(...given); };
            }
            const field = document.querySelector('#search');
            for (let at = 0; at < 400; at += 1) {
                field.value = `marble ${at}`;
                field.dispatchEvent(new Event('input', { bubbles: true }));
            }
            return true;
        })()",
    )
    .await;
    until_hash(&page, "#filter=marble%20399").await;
    assert!(page.value::<usize>("window.writes").await <= 12);
    browser.close().await;
}

#[tokio::test]
async fn the_title_and_the_description_say_what_is_looked_at() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    page.until_script("document.title === 'monkeytown'").await;
    let about = "document.querySelector('meta[name=description]').content";
    let usual: String = page.value(about).await;
    focus(&page, &opener("ada")).await;
    page.press("Enter").await;
    page.until_script("document.title === 'ada is active \u{b7} monkeytown'").await;
    assert_eq!(page.value::<String>(about).await, "ada is active: draws a map");
    page.press("Escape").await;
    page.until_script("document.title === 'monkeytown'").await;
    assert_eq!(page.value::<String>(about).await, usual);
    browser.close().await;
}

#[tokio::test]
async fn the_link_to_what_is_shown_is_copied_and_that_is_said() {
    let stream = stream_of(&town()).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(
        "Object.defineProperty(navigator, 'clipboard', {
            value: { writeText: async (words) => { window.copied = words; } },
        });",
    )
    .await;
    page.go(&stream.url("/#entity=ada&tab=logs")).await;
    until_seen(&page, PANEL).await;
    click(&page, "#panel [data-p=copy-link]").await;
    until_said(&page, "#panel [data-p=linked]", "copied").await;
    assert_eq!(page.value::<String>("window.copied").await, stream.url("/#entity=ada&tab=logs"));
    page.press("Escape").await;
    until_unseen(&page, PANEL).await;
    page.press("/").await;
    until_seen(&page, "#palette").await;
    write(&page, "copy").await;
    page.press("Enter").await;
    until_said(&page, "#undo-bar", "copied").await;
    assert_eq!(page.value::<String>("window.copied").await, stream.url("/"));
    browser.close().await;
}

#[tokio::test]
async fn a_link_to_a_moment_leads_there_and_the_address_follows_the_witness_in_time() {
    let events = past::town();
    let stream = stream_of(&events).await;
    let epoch = stream.log.epoch().to_string();
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url(&format!("/#filter=stone&at={epoch}:99"))).await;
    past::until_past(&page).await;
    past::until_mode(&page, "paused").await;
    assert_eq!(past::count_shown(&page).await, 100);
    past::until_shown(&page, &events, 100).await;
    until_hash(&page, &format!("#filter=stone&at={epoch}:99")).await;
    click(&page, "#travel [data-p=back]").await;
    until_hash(&page, &format!("#filter=stone&at={epoch}:98")).await;
    past::until_shown(&page, &events, 99).await;
    click(&page, "#travel [data-p=latest]").await;
    until_hash(&page, "#filter=stone").await;
    past::is_whole(&page, &stream, &events, 0).await;
    // What somebody writes into the bar, and takes away again.
    page.value::<bool>(&format!("location.hash = 'at={epoch}:9'; true")).await;
    past::until_past(&page).await;
    past::until_shown(&page, &events, 10).await;
    page.value::<bool>("location.hash = ''; true").await;
    past::is_whole(&page, &stream, &events, 0).await;
    page.complains_of_nothing().await;
    // A moment that cannot be had is said, and stands in no address. The browser notes the answer by itself.
    page.value::<bool>("location.hash = 'at=another:9'; true").await;
    until_said(&page, "#travel [data-p=stuck]", "that moment belongs to a history that has ended").await;
    past::until_mode(&page, "following").await;
    page.until_script("!location.hash.includes('at=')").await;
    browser.close().await;
}

#[tokio::test]
async fn who_has_left_is_opened_at_the_moment_that_a_link_names() {
    let mut events = past::town();
    events.push(monkeytown_tests::events::event(
        "leaves",
        "monkeytown.entity.deleted",
        &serde_json::json!({ "id": "dan", "kind": "agent", "label": "dan" }),
    ));
    let stream = stream_of(&events).await;
    let at = format!("{}:99", stream.log.epoch().as_str());
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.value::<bool>(&format!("location.hash = 'entity=dan&at={at}'; true")).await;
    past::until_past(&page).await;
    until_seen(&page, PANEL).await;
    until_hash(&page, &format!("#entity=dan&at={at}")).await;
    let fresh = browser.visit(&stream.url(&format!("/#entity=dan&at={at}"))).await;
    past::until_past(&fresh).await;
    until_seen(&fresh, PANEL).await;
    fresh.complains_of_nothing().await;
    browser.close().await;
}
