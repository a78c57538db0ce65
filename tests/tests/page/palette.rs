//! The palette: by keyboard alone, by mouse, by touch on a phone; what it offers, how it is told, and what it costs.

use crate::{
    access::breaks_no_rule,
    keepsakes::open_panel,
    keyboard::has_focus,
    planting::{count, until_count},
    witness::{
        click, crowd, flow, focus, opener, publish, quoted, resize, settled, stream_of, text, texts, turns,
        until_caught_up, until_said, until_seen, until_settled, until_unseen, visit, write,
    },
};
use monkeytown_tests::browser::{Browser, Page};
use serde_json::{Value, json};

const PALETTE: &str = "#palette";
const OFFER: &str = "#offers [role=option]";
const PANEL: &str = "[data-testid=detail-panel][data-open]";
const GHOST: &str = "[data-testid=ghost-item]";

pub(crate) fn town() -> Vec<Value> {
    let mut events: Vec<Value> = vec![
        turns("1", "mossy-mapper", "active", "draws a map"),
        turns("1", "hammer", "active", "lays stones"),
        turns("1", "ember", "error", "builds a kiln"),
    ];
    events.extend(["granite", "marble"].map(|stone| settled(&format!("commit:{stone}"), "hammer", stone)));
    events.push(flow("flow", "mossy-mapper", "hammer"));
    events
}

async fn open(page: &Page) {
    page.press("/").await;
    until_seen(page, PALETTE).await;
    page.until("document.activeElement.id === 'typed'").await;
}

/// Opens the palette, types and presses Enter on what fits best.
async fn do_by_name(page: &Page, typed: &str, chosen: &str) {
    open(page).await;
    write(page, typed).await;
    page.until(&format!(
        "document.querySelector('#offers [aria-selected=true] [data-p=name]')?.textContent === {}",
        quoted(chosen)
    ))
    .await;
    page.press("Enter").await;
    until_unseen(page, PALETTE).await;
}

#[tokio::test]
async fn everything_is_done_by_its_name_and_the_keyboard_alone() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    until_settled(&page).await;

    do_by_name(&page, "mm", "mossy-mapper").await;
    page.until("document.querySelector('#panel[data-open]')?.dataset.entityId === 'mossy-mapper'").await;
    do_by_name(&page, "pin", "pin mossy-mapper").await;
    page.until("document.querySelector('#panel [data-p=pin]').ariaPressed === 'true'").await;
    do_by_name(&page, "mute", "mute mossy-mapper").await;
    page.until("document.querySelector('#panel [data-p=mute]').ariaPressed === 'true'").await;
    do_by_name(&page, "logs", "logs of mossy-mapper").await;
    page.until("document.querySelector('#tab-logs').ariaSelected === 'true'").await;
    do_by_name(&page, "note", "write a note on mossy-mapper").await;
    page.until("document.activeElement.id === 'note'").await;
    page.press("Escape").await;
    until_unseen(&page, PANEL).await;
    // Of nobody nothing is offered.
    open(&page).await;
    assert!(!texts(&page, OFFER).await.iter().any(|offer| offer.starts_with("pin")));
    page.press("Escape").await;
    until_unseen(&page, PALETTE).await;

    do_by_name(&page, "ember", "ember").await;
    until_seen(&page, PANEL).await;
    do_by_name(&page, "put aside", "put aside what broke").await;
    page.press("Escape").await;
    until_unseen(&page, PANEL).await;
    until_unseen(&page, "[data-entity-id=ember] .mend").await;

    do_by_name(&page, "pause", "pause").await;
    page.until("document.querySelector('#pause').ariaPressed === 'true'").await;
    do_by_name(&page, "go on", "go on").await;
    page.until("document.querySelector('#pause').ariaPressed === 'false'").await;
    do_by_name(&page, "bookmark", "bookmark this moment").await;
    until_said(&page, "#undo-bar", "the moment is kept").await;
    do_by_name(&page, "still", "hold the page still").await;
    until_said(&page, "#undo-bar", "hold the page still: on").await;
    do_by_name(&page, "still", "hold the page still").await;
    until_said(&page, "#undo-bar", "hold the page still: off").await;
    do_by_name(&page, "proof", "proof of the connection").await;
    until_seen(&page, "#proof").await;
    page.press("Escape").await;
    do_by_name(&page, "plant", "plant a seed, go to seeds").await;
    until_seen(&page, "#seed-form").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    do_by_name(&page, "kept", "what is kept here").await;
    until_seen(&page, "#sheet-kept").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    do_by_name(&page, "export", "export what is kept").await;
    until_said(&page, "#undo-bar", "offered as monkeytown-").await;
    do_by_name(&page, "go flow", "go to flows").await;
    page.until("document.activeElement.id === 'flows'").await;
    page.press("Escape").await;
    do_by_name(&page, "all keys", "all keys").await;
    until_seen(&page, "#keys").await;
    page.press("Escape").await;
    until_unseen(&page, "#keys").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn words_that_fit_nothing_are_looked_for_in_what_settled() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    until_count(&page, GHOST, 3).await;
    open(&page).await;
    write(&page, "marble").await;
    page.until("document.querySelector('#offers').lastElementChild.textContent.includes('find: marble')").await;
    page.press("ArrowUp").await;
    page.until("document.querySelector('#offers').lastElementChild.ariaSelected === 'true'").await;
    page.press("Enter").await;
    until_count(&page, GHOST, 1).await;
    assert_eq!(page.value::<String>("document.querySelector('#search').value").await, "marble");
    page.until_script("location.hash === '#view=history&filter=marble'").await;
    browser.close().await;
}

#[tokio::test]
async fn the_focus_comes_back_and_arrows_go_round_while_it_is_told_which_line_is_marked() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    for from in [opener("hammer"), "#pause".to_owned()] {
        focus(&page, &from).await;
        open(&page).await;
        let marked = "document.getElementById(document.activeElement.getAttribute('aria-activedescendant'))";
        let lines = count(&page, OFFER).await;
        assert_eq!(lines, 12);
        let said = text(&page, "#palette [data-p=fits]").await;
        assert!(said.starts_with("and ") && said.ends_with(" more: type on"), "{said}");
        for key in ["ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp"] {
            page.press(key).await;
            page.until(&format!("{marked}.ariaSelected === 'true'")).await;
        }
        page.until(&format!("{marked} === document.querySelector('#offers').lastElementChild")).await;
        assert_eq!(count(&page, "#offers [aria-selected=true]").await, 1);
        page.press("ArrowDown").await;
        page.until(&format!("{marked} === document.querySelector('#offers').firstElementChild")).await;
        // What lies behind is out of reach.
        for _ in 0..6 {
            page.press("Tab").await;
            assert!(
                page.value::<bool>(
                    "document.activeElement === document.body || !!document.activeElement.closest('#palette')"
                )
                .await
            );
        }
        focus(&page, "#typed").await;
        page.press("Escape").await;
        until_unseen(&page, PALETTE).await;
        has_focus(&page, &from).await;
    }
    browser.close().await;
}

#[tokio::test]
async fn by_mouse_it_opens_by_its_button_closes_beside_it_and_does_what_is_pressed() {
    for (width, height) in [(1_280, 800), (1_024, 768), (800, 600), (390, 844)] {
        let (stream, browser, page) = visit(&town()).await;
        resize(&page, (width, height)).await;
        until_caught_up(&page, &stream).await;
        until_settled(&page).await;
        click(&page, "#to-palette").await;
        until_seen(&page, PALETTE).await;
        let size: (f64, f64) =
            page.value("(({ width, height }) => [width, height])(document.querySelector('#to-palette').getBoundingClientRect())").await;
        assert!(size.0 >= 44.0 && size.1 >= 44.0, "{size:?} at {width}");
        click(&page, "#palette [data-p=close]").await;
        until_unseen(&page, PALETTE).await;
        click(&page, "#to-palette").await;
        until_seen(&page, PALETTE).await;
        if width > 1_000 {
            crate::witness::click_at(&page, 8.0, 400.0).await;
            until_unseen(&page, PALETTE).await;
            click(&page, "#to-palette").await;
            until_seen(&page, PALETTE).await;
        }
        write(&page, "hammer").await;
        page.until("document.querySelector('#offers').firstElementChild.textContent.includes('hammer')").await;
        click(&page, "#offers li").await;
        page.until("document.querySelector('#panel[data-open]')?.dataset.entityId === 'hammer'").await;
        until_unseen(&page, PALETTE).await;
        page.complains_of_nothing().await;
        browser.close().await;
    }
}

#[tokio::test]
async fn over_the_panel_it_closes_alone_and_the_field_stays_out_of_reach() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    open_panel(&page, "hammer").await;
    page.value::<bool>("document.querySelector('#panel [data-p=pin]').focus(); true").await;
    open(&page).await;
    page.press("Escape").await;
    until_unseen(&page, PALETTE).await;
    until_seen(&page, PANEL).await;
    has_focus(&page, "#panel [data-p=pin]").await;
    assert!(page.value::<bool>("document.querySelector('#field').hasAttribute('inert')").await);
    page.press("Escape").await;
    until_unseen(&page, PANEL).await;
    assert!(!page.value::<bool>("!!document.querySelector('[inert]')").await);
    open_panel(&page, "hammer").await;
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_in_the_palette_nor_in_the_list_of_keys() {
    let (stream, browser, page) = visit(&town()).await;
    until_caught_up(&page, &stream).await;
    for size in [(1_280, 800), (390, 844)] {
        resize(&page, size).await;
        open(&page).await;
        breaks_no_rule(&page, "the palette").await;
        write(&page, "m").await;
        page.until("document.querySelector('#offers .mask')").await;
        breaks_no_rule(&page, "the palette with agents").await;
        page.press("Escape").await;
        until_unseen(&page, PALETTE).await;
        page.press("?").await;
        until_seen(&page, "#keys").await;
        breaks_no_rule(&page, "the list of keys").await;
        page.press("Escape").await;
        until_unseen(&page, "#keys").await;
    }
    browser.close().await;
}

#[tokio::test]
async fn two_thousand_agents_do_not_hold_up_who_types() {
    let agents: Vec<Value> = crowd(1_990).into_iter().filter(|event| event["data"]["kind"] == json!("agent")).collect();
    let stream = stream_of(&[]).await;
    publish(&stream, &agents).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    open(&page).await;
    // From a letter to the lines that fit, in milliseconds: all in one turn of the page and its microtasks.
    let mut took: Vec<f64> = page
        .value(
            "(async () => {
                const field = document.querySelector('#typed');
                const took = [];
                for (const words of ['a', 'ag', 'age', 'agen', 'agent', 'agent 1', 'agent 19', 'agent 198', 'xq', 'a9']) {
                    const begun = performance.now();
                    field.value = words;
                    field.dispatchEvent(new Event('input', { bubbles: true }));
                    await Promise.resolve();
                    await new Promise((resolve) => { const { port1, port2 } = new MessageChannel(); port1.onmessage = resolve; port2.postMessage(0); });
                    took.push(performance.now() - begun);
                }
                return took;
            })()",
        )
        .await;
    took.sort_by(f64::total_cmp);
    println!("a letter among 2,000 agents takes {took:?} ms");
    // The slowest wait for whatever else the machine does.
    assert!(took.get(took.len() / 2).is_some_and(|median| *median < 250.0), "{took:?}");
    until_said(&page, "#palette [data-p=fits]", "more: type on").await;
    assert!(count(&page, OFFER).await <= 12);
    browser.close().await;
}
