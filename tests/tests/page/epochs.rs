//! Two servers behind one name, each with a history of its own, and every connection meets the other: the page shows one
//! of the two, whole, and says what it could not follow.

use monkeytown_tests::{
    browser::{Browser, Page},
    events::works,
    proxy::{Fault, Proxy, Traffic},
    stream::{Source, Stream},
};
use serde_json::Value;

/// Agents of each history.
const AGENTS: u64 = 6;

/// Notes when agents of both histories are in the document at once, or a number is on show that is not that history's.
const WATCH: &str = "
    window.mixed = [];
    addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
        const cards = [...document.querySelectorAll('[data-testid=agent-card]')].map((card) => card.dataset.entityId);
        const found = new Set(cards.map((id) => id.split('-')[0]));
        if (found.size > 1) window.mixed.push(cards.join(' '));
    }).observe(document.body, { subtree: true, childList: true }));
";

async fn history(name: &str) -> Stream {
    let stream = Stream::start(Source::Publishers).await;
    let event = |at: u64| works(&format!("{name} {at}"), &format!("{name}-{at}"), &format!("was there at {at}"));
    stream.publish(&(0..AGENTS).map(event).collect::<Vec<Value>>()).await;
    stream
}

/// Waits until the page shows the one history or the other, whole, and says which.
async fn one_of_the_two(page: &Page) -> String {
    let whole = |name: &str| {
        let all: Vec<String> = (0..AGENTS).map(|at| format!("{name}-{at}")).collect();
        Value::from(all).to_string()
    };
    let agents = "JSON.stringify([...document.querySelectorAll('[data-testid=agent-card]')].map((card) => card.dataset.entityId).sort())";
    page.until(&format!("[{:?}, {:?}].includes({agents})", whole("east"), whole("west"))).await;
    let shown = page.agents().await;
    shown.first().and_then(|id| id.split('-').next()).unwrap_or_default().to_owned()
}

/// Waits until it shows that one, whole.
async fn until_history(page: &Page, name: &str) {
    page.until(&format!("document.querySelector('[data-testid=agent-card]').dataset.entityId.startsWith('{name}')"))
        .await;
    assert_eq!(one_of_the_two(page).await, name);
}

async fn says_what_was_lost(page: &Page) {
    page.until(
        "document.querySelector('#notice:not([hidden])').innerText.includes(
            'the stream could not continue where this page stood: what happened between is only in the summary')",
    )
    .await;
}

async fn two_behind_one_name() -> (Stream, Stream, Proxy) {
    let (east, west) = (history("east").await, history("west").await);
    let proxy = Proxy::before(east.address).await;
    (east, west, proxy)
}

#[tokio::test]
async fn each_return_meets_the_other_server_and_the_two_histories_never_mix() {
    let (east, west, proxy) = two_behind_one_name().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.go(&proxy.url("/")).await;
    page.until_state("live").await;
    assert_eq!(one_of_the_two(&page).await, "east");
    assert!(page.value::<bool>("document.querySelector('#notice').hidden").await, "nothing is lost yet");
    for (name, stream) in [("west", &west), ("east", &east), ("west", &west), ("east", &east)] {
        proxy.lead_to(stream.address);
        proxy.cut();
        page.until(&format!(
            "document.querySelector('[data-testid=agent-card]').dataset.entityId.startsWith('{name}')"
        ))
        .await;
        assert_eq!(one_of_the_two(&page).await, name);
        says_what_was_lost(&page).await;
        let number = stream.accepted();
        let event = works(&format!("{name} {number}"), &format!("{name}-0"), &format!("goes on in {name} at {number}"));
        stream.publish(&[event]).await;
        page.until_card(&format!("{name}-0"), &format!("goes on in {name} at {number}")).await;
        page.until_attribute("connection", "data-offset", number).await;
        page.until_state("live").await;
        page.until("document.querySelector('#connection [data-p=detail]').textContent === 'not all was told'").await;
    }
    assert_eq!(page.value::<Vec<String>>("window.mixed").await, [""; 0]);
    assert_eq!(page.count("data-holes").await, 0);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn by_polls_that_are_answered_by_one_and_then_the_other_the_two_histories_never_mix() {
    let (east, west, proxy) = two_behind_one_name().await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.before_everything("localStorage.setItem('monkeytown.route.v1', String(Date.now() * 4 + 2));").await;
    page.go(&proxy.url("/")).await;
    page.until_state("polling").await;
    assert_eq!(one_of_the_two(&page).await, "east");
    // From here on the question after what came last is always the other's, and so is the state that is asked for then.
    proxy.lead_in_turn(&[west.address, west.address, east.address, east.address]);
    for stream in [&east, &west] {
        let name = if stream.address == east.address { "east" } else { "west" };
        stream.publish(&[works(&format!("{name} more"), &format!("{name}-0"), "goes on")]).await;
    }
    says_what_was_lost(&page).await;
    for name in ["west", "east", "west", "east"] {
        page.until(&format!(
            "document.querySelector('[data-testid=agent-card]').dataset.entityId.startsWith('{name}')"
        ))
        .await;
        assert_eq!(one_of_the_two(&page).await, name);
    }
    assert_eq!(page.value::<Vec<String>>("window.mixed").await, [""; 0]);

    // One of them alone, and all is well again.
    proxy.lead_to(west.address);
    west.publish(&[works("west end", "west-1", "is the only one")]).await;
    page.until_card("west-1", "is the only one").await;
    assert_eq!(one_of_the_two(&page).await, "west");
    page.until_state("polling").await;
    page.until_attribute("connection", "data-offset", west.accepted() - 1).await;
    assert_eq!(page.value::<Vec<String>>("window.mixed").await, [""; 0]);
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
}

#[tokio::test]
async fn of_two_tabs_the_one_that_is_answered_by_the_other_server_shows_one_history_and_never_both() {
    let (east, west, proxy) = two_behind_one_name().await;
    let browser = Browser::start().await;
    let leader = browser.tab().await;
    leader.before_everything(WATCH).await;
    leader.go(&proxy.url("/")).await;
    leader.until_state("live").await;
    assert_eq!(one_of_the_two(&leader).await, "east");
    // What the second tab asks for itself is answered by the other server.
    proxy.lead_to(west.address);
    let follower = browser.tab().await;
    follower.before_everything(WATCH).await;
    follower.go(&proxy.url("/")).await;
    // What the browser knew last was of the first; what the stream answers is of the second.
    until_history(&follower, "west").await;
    for number in 0..5 {
        east.publish(&[works(&format!("east more {number}"), "east-0", &format!("goes on {number}"))]).await;
        one_of_the_two(&follower).await;
    }
    leader.show().await;
    leader.until_card("east-0", "goes on 4").await;
    follower.show().await;
    one_of_the_two(&follower).await;
    for page in [&leader, &follower] {
        assert_eq!(page.value::<Vec<String>>("window.mixed").await, [""; 0]);
        assert_eq!(page.count("data-holes").await, 0);
    }
    // The leader meets the other one as well: both are of one history again.
    proxy.cut();
    leader.show().await;
    says_what_was_lost(&leader).await;
    west.publish(&[works("west end", "west-1", "is the only one")]).await;
    for page in [&leader, &follower] {
        page.show().await;
        page.until_card("west-1", "is the only one").await;
        assert_eq!(one_of_the_two(page).await, "west");
        page.until_state("live").await;
        assert_eq!(page.value::<Vec<String>>("window.mixed").await, [""; 0]);
    }
    browser.close().await;
}

/// It was so once: a snapshot of the same history at the same place counts as a loss.
#[tokio::test]
async fn a_question_that_another_server_answered_costs_nothing_when_the_state_is_the_same_and_nothing_is_said_of_it() {
    let (east, west, proxy) = two_behind_one_name().await;
    proxy.set(Traffic::Socket, Fault::Forbidden);
    proxy.set(Traffic::Sse, Fault::Forbidden);
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    page.before_everything("localStorage.setItem('monkeytown.route.v1', String(Date.now() * 4 + 2));").await;
    page.go(&proxy.url("/")).await;
    page.until_state("polling").await;
    assert_eq!(one_of_the_two(&page).await, "east");
    // Questions are the other's, the state is its own: nothing is ever lost.
    let known = proxy.asked().len();
    proxy.lead_in_turn(&[west.address, east.address]);
    east.publish(&[works("east more", "east-0", "goes on")]).await;
    for _ in 0..3 {
        let known = proxy.asked().len();
        proxy.until_asked(known, |path| path.starts_with("/api/v1/snapshot")).await;
    }
    assert!(proxy.asked().len() > known);
    assert_eq!(one_of_the_two(&page).await, "east");
    let said: String = page.value("document.querySelector('#notice').innerText").await;
    assert!(!said.contains(": 0 events"), "{said}");
    browser.close().await;
}
