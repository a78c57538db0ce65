//! A catch-up: what was missed is taken in, and what has ended meanwhile is not played as if it happened now.

use crate::witness::{flow, told, turns};
use monkeytown_tests::{
    browser::{Browser, Page},
    puppet::{Believer, Puppet},
    stream::{Source, Stream},
};
use serde_json::{Value, json};

const FLOWS: u64 = 4_000;
const FRAME: u64 = 250;

/// Notes which flows the page ever tells of, and how many it ever draws.
const WATCH: &str = "
    window.played = new Set();
    window.most = 0;
    new MutationObserver(() => {
        const drawn = document.querySelector('[data-testid=terrarium]')?.dataset.flowsDrawn;
        window.most = Math.max(window.most, Number(drawn ?? 0));
        for (const row of document.querySelectorAll('[data-flow-id]')) window.played.add(row.dataset.flowId);
    }).observe(document, { subtree: true, childList: true, attributes: true });
";

fn ended(id: &str) -> Value {
    let data =
        json!({"id": id, "source": "ada", "target": "bob", "kind": "message", "status": "complete", "progress": 1});
    told(&format!("{id}/complete"), "monkeytown.flow.complete", &data)
}

async fn believe(page: &Page, site: &Stream) -> Believer {
    let puppet = Puppet::start().await;
    let url = format!("{}?stream={}", site.url("/"), puppet.url());
    let (believer, ()) = tokio::join!(puppet.believer(), page.go(&url));
    believer
}

#[tokio::test]
async fn flows_that_have_ended_before_the_page_caught_up_are_not_played() {
    let site = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    page.before_everything(WATCH).await;
    let mut believer = believe(&page, &site).await;

    // All of them begin before the first of them ends; two go on.
    let mut events = vec![turns("1", "ada", "active", "sends"), turns("1", "bob", "active", "receives")];
    for batch in 0..FLOWS / FRAME {
        let ids: Vec<String> = (0..FRAME).map(|at| format!("flow-{}", batch * FRAME + at)).collect();
        events.extend(ids.iter().map(|id| flow(id, "ada", "bob")));
        events.extend(ids.iter().map(|id| ended(id)));
    }
    events.extend([flow("open-1", "ada", "bob"), flow("open-2", "bob", "ada")]);
    let head = events.len() as u64 - 1;
    let now = monkeytown_stream::now().to_string();
    let hello = json!({
        "kind": "hello", "epoch": "puppet", "head": head, "from": "puppet:-1", "recovered": true,
        "heartbeat_ms": 25_000, "server_time": now, "clock": now, "clock_rate": 1, "version": "0.1.0",
        "source_kind": "live",
    });
    believer.say(&hello.to_string()).await;
    let mut first = 0;
    // Frames that end between a flow's beginning and its end.
    for frame in events.chunks(usize::try_from(FRAME - 10).expect("small")) {
        believer.tell(first, frame).await;
        first += frame.len() as u64;
    }
    believer.say(&json!({"kind": "caught_up", "offset": head}).to_string()).await;
    page.until_attribute("connection", "data-offset", head).await;
    page.until_attribute("terrarium", "data-flows-drawn", 2).await;
    let played: Vec<String> = page.value("[...window.played].sort()").await;
    let (count, few): (usize, Vec<&String>) = (played.len(), played.iter().take(8).collect());
    assert!(count <= 2, "{count} flows were played, among them {few:?}");
    assert_eq!(played, ["open-1", "open-2"]);
    assert_eq!(page.value::<u32>("window.most").await, 2);

    // From here on it is live: what ends at once is played.
    believer.tell(head + 1, &[flow("now", "ada", "bob"), ended("now")]).await;
    page.until_attribute("terrarium", "data-flows-drawn", 3).await;
    page.until("window.played.has('now')").await;
    assert_eq!(page.count("data-received").await, i64::try_from(head + 3).expect("small"));
    assert_eq!(page.count("data-holes").await, 0);
    page.complains_of_nothing().await;
    browser.close().await;
}
