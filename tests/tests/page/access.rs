//! The page for those who listen to it, or come by keyboard.

use chromiumoxide::cdp::browser_protocol::accessibility::{AxValue, GetFullAxTreeParams};
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
    events::{event, flows},
    stream::{Source, Stream},
};
use serde_json::{Value, json};

/// `ROLE NAME` of everything that assistive technology is told of.
async fn told(page: &Page) -> Vec<String> {
    let tree = page.driver().execute(GetFullAxTreeParams::default()).await.expect("the accessibility tree");
    let text = |value: &Option<AxValue>| {
        let value = value.as_ref().and_then(|value| value.value.as_ref()).and_then(Value::as_str);
        value.unwrap_or_default().to_owned()
    };
    let nodes = tree.result.nodes.iter().filter(|node| !node.ignored);
    nodes.map(|node| format!("{} {}", text(&node.role), text(&node.name)).trim().to_owned()).collect()
}

/// An agent in every state, a broken flow, something that settled and something that broke.
fn town() -> Vec<Value> {
    let mut events: Vec<Value> = ["idle", "active", "processing", "complete", "error"]
        .iter()
        .map(|status| {
            let data = json!({
                "id": format!("agent-{status}"), "kind": "agent", "label": format!("agent {status}"),
                "status": status, "activity": "weighs a stone", "reason": "out of stones", "progress": 0.4,
            });
            event(&format!("agent-{status}"), "monkeytown.entity.created", &data)
        })
        .collect();
    for (id, status) in [("commit:0123456789abcdef0123456789abcdef01234567", "complete"), ("pull:7", "error")] {
        let kind = if id.starts_with("pull") { "contract" } else { "transaction" };
        let data = json!({
            "id": id, "kind": kind, "label": "lay a stone", "status": status, "reason": "not merged",
            "parent": "agent-active", "url": "https://example.org/stone",
        });
        events.push(event(id, "monkeytown.entity.created", &data));
    }
    events.push(flows("flow", "agent-active", "agent-processing"));
    events
}

#[tokio::test]
async fn landmarks_agents_and_flows_are_told_by_role_and_name() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until_card("agent-active", "weighs a stone").await;
    let told = told(&page).await;
    for wanted in
        ["banner", "main terrarium", "complementary what settled", "contentinfo", "region connection", "heading agents"]
    {
        assert!(told.iter().any(|one| one == wanted), "{wanted} is not among {told:#?}");
    }
    for wanted in ["agent idle", "agent active", "agent processing", "agent complete", "agent error"] {
        assert!(told.contains(&format!("heading {wanted}")), "{wanted} is not among {told:#?}");
    }
    let flow = "message from agent active to agent processing";
    assert!(told.iter().any(|one| one.contains(flow)), "{flow} is not among {told:#?}");
    browser.close().await;
}

#[tokio::test]
async fn every_link_is_reached_by_keyboard_alone() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&town()).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until("document.querySelectorAll('[data-testid=ghost-item]').length === 4").await;
    let links: usize = page.value("document.querySelectorAll('a[href]').length").await;
    assert!(links >= 2, "{links}");
    page.value::<bool>("window.reached = new Set(); document.body.focus(); true").await;
    // Fields that scroll are stops as well.
    for _ in 0..links + 20 {
        page.press("Tab").await;
        page.value::<bool>("window.reached.add(document.activeElement); true").await;
    }
    let reached: usize = page.value("[...window.reached].filter((element) => element.matches('a[href]')).length").await;
    assert_eq!(reached, links);
    browser.close().await;
}

#[tokio::test]
async fn no_rule_of_accessibility_is_broken_wide_or_narrow() {
    for (width, height) in [(1_280, 800), (390, 844)] {
        let stream = Stream::start(Source::Publishers).await;
        stream.publish(&town()).await;
        let browser = Browser::sized(width, height).await;
        let page = browser.visit(&stream.url("/")).await;
        page.until_state("live").await;
        page.until_card("agent-active", "weighs a stone").await;
        let broken = axe::violations(&page).await;
        assert!(broken.is_empty(), "at {width} wide: {broken:#?}");
        browser.close().await;
    }
}
