//! What is malformed or meant ill: counted, shown, never run, never fatal.

use monkeytown_tests::{
    browser::Browser,
    events::works,
    puppet::Puppet,
    stream::{Source, Stream},
};
use serde_json::json;

#[tokio::test]
async fn malformed_frames_and_events_are_counted_and_those_that_follow_are_applied() {
    let stream = Stream::start(Source::Publishers).await;
    let puppet = Puppet::start().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let (believer, ()) = tokio::join!(puppet.believer(), async {
        page.go(&format!("{}?stream={}", stream.url("/"), puppet.url())).await
    },);
    let mut believer = believer;
    believer.greet().await;
    page.until_state("live").await;
    believer.tell(0, &[works("1", "ada", "draws a map")]).await;
    page.until_card("ada", "draws a map").await;

    let garbage = ["", "{", "null", "[]", "\u{0}\u{ffff}", r#"{"kind":"unheard"}"#, r#"{"kind":"events","first":-1}"#];
    for text in garbage {
        believer.say(text).await;
    }
    believer.say(&"[".repeat(100_000)).await;
    believer.say_bytes(&[0xff, 0x00, 0xfe]).await;
    page.until_attribute("connection", "data-unreadable", garbage.len() + 2).await;

    let broken = [
        json!({"specversion": "0.3", "id": "2", "source": "/x", "type": "monkeytown.entity.updated"}),
        json!({"specversion": "1.0", "id": "3", "source": "/x", "type": "monkeytown.entity.updated", "data": 7}),
        json!("nonsense"),
    ];
    let mut events = broken.to_vec();
    events.push(works("4", "ada", "goes on drawing"));
    believer.tell(1, &events).await;
    page.until_card("ada", "goes on drawing").await;
    page.until_attribute("connection", "data-unreadable", garbage.len() + 2 + broken.len()).await;
    page.until_attribute("connection", "data-offset", 4).await;
    assert_eq!(page.count("data-received").await, 2);
    let said: String = page.value("document.querySelector('.notice:not([hidden])').innerText").await;
    assert!(said.contains("could not be read"), "{said}");
    assert_eq!(page.attribute("connection", "data-state").await, "live");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_frame_that_no_stream_would_write_is_refused_unread_and_what_follows_is_applied() {
    let stream = Stream::start(Source::Publishers).await;
    let puppet = Puppet::start().await;
    let browser = Browser::start().await;
    let page = browser.tab().await;
    let (mut believer, ()) = tokio::join!(puppet.believer(), async {
        page.go(&format!("{}?stream={}", stream.url("/"), puppet.url())).await
    },);
    believer.greet().await;
    page.until_state("live").await;
    // Sound JSON, and larger than 32 MB: read, a tree of it would take twenty times as much.
    let zeros = "0,".repeat(16_000_000);
    believer.say(&format!(r#"{{"kind":"events","epoch":"puppet","first":0,"last":0,"events":[{zeros}0]}}"#)).await;
    page.until_attribute("connection", "data-unreadable", 1).await;
    page.until("document.querySelector('#notice').innerText.includes('larger than any that a stream writes')").await;
    believer.tell(0, &[works("1", "ada", "draws a map")]).await;
    page.until_card("ada", "draws a map").await;
    assert_eq!(page.count("data-holes").await, 0);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_page_whose_program_stops_says_so_and_no_longer_claims_to_be_live() {
    let stream = Stream::start(Source::Publishers).await;
    stream.publish(&[works("1", "ada", "draws a map")]).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_card("ada", "draws a map").await;
    page.until_state("live").await;
    // A program finds its templates or is broken: without them its next step is its last.
    page.value::<bool>(
        "(() => {
            const find = document.getElementById.bind(document);
            document.getElementById = (id) => (id.startsWith('t-') ? null : find(id));
            return true;
        })()",
    )
    .await;
    stream.publish(&[works("2", "bob", "holds the ladder")]).await;
    page.until("document.querySelector('#notice:not([hidden])').innerText.includes('program has stopped')").await;
    page.until_state("offline").await;
    assert_eq!(page.attribute("connection", "data-state").await, "offline");
    let health: String = page.value("document.querySelector('#page').dataset.health").await;
    assert_eq!(health, "disconnected");
    let complaints = page.heard().await.complaints;
    assert!(complaints.iter().any(|complaint| complaint.contains("unreachable")), "{complaints:#?}");
    browser.close().await;
}

#[tokio::test]
async fn text_from_the_stream_stays_text() {
    let stream = Stream::start(Source::Publishers).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    let markup = "<img src=x onerror=\"window.ran=1\"><script>window.ran=1</script>&lt;b&gt;";
    let mut event = works("1", "ada", markup);
    event["data"]["label"] = markup.into();
    let commit =
        json!({"id": "commit:1", "kind": "transaction", "status": "complete", "label": markup, "parent": "ada"});
    let settled = monkeytown_tests::events::event("2", "monkeytown.entity.created", &commit);
    stream.publish(&[event, settled]).await;
    page.until_card("ada", markup).await;
    page.until("document.querySelector('[data-testid=ghost-item]')").await;
    let ghost: String = page.value("document.querySelector('[data-testid=ghost-item]').textContent").await;
    assert!(ghost.contains(markup), "{ghost}");
    let elements: u32 = page.value("document.querySelectorAll('body img, body script').length").await;
    assert_eq!(elements, 0, "markup from the stream became elements");
    assert!(!page.value::<bool>("'ran' in window").await);
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn an_address_that_is_a_script_is_refused_by_the_stream() {
    let stream = Stream::start(Source::Publishers).await;
    for url in ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "http://plain.example"] {
        let mut event = works("1", "ada", "lies in wait");
        event["data"]["url"] = url.into();
        let (status, problem) = stream.post(&event).await;
        assert_eq!(status, 422, "{url}: {problem}");
        assert!(problem.to_string().contains("/data/url"), "it says where: {problem}");
    }
    assert_eq!(stream.accepted(), 0);
}
