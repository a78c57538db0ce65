//! Tokens of publishers: several at once, what each is good for, and that none is ever told.

use crate::harness::{BATCHED, ROOMY, STRUCTURED, Stream, event, events, soon};
use monkeytown_protocol::Timestamp;
use monkeytown_stream::{Options, Tokens, now};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::path::Path;

fn digest(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A table of the file: `rest` is its other lines.
fn table(name: &str, token: &str, rest: &str) -> String {
    format!("[[token]]\nname = \"{name}\"\nsha256 = \"{}\"\n{rest}\n", digest(token))
}

fn tokens(tables: &[String]) -> Tokens {
    Tokens::parse(&tables.concat(), Path::new("tokens.toml")).unwrap()
}

async fn with(tables: &[String], options: Options) -> Stream {
    Stream::with(ROOMY, Options { tokens: tokens(tables), ..options }).await
}

struct Answer {
    status: u16,
    body: Value,
    headers: reqwest::header::HeaderMap,
}

async fn publish(stream: &Stream, token: &str, batch: &[Value]) -> Answer {
    let request = reqwest::Client::new().post(stream.url("/api/v1/events")).bearer_auth(token);
    let answer =
        soon(request.header("content-type", BATCHED).body(Value::from(batch).to_string()).send()).await.unwrap();
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    Answer { status, headers, body: answer.json().await.unwrap() }
}

fn from(source: &str, id: &str) -> Value {
    let mut event = event(id);
    event["source"] = json!(source);
    event
}

#[tokio::test]
async fn a_token_speaks_for_its_sources_and_no_others() {
    let tables = [table("one", "t-one", "sources = [\"/agents/a\", \"/agents/b\"]"), table("all", "t-all", "")];
    let stream = with(&tables, Options::default()).await;
    let both = publish(&stream, "t-one", &[from("/agents/a", "1"), from("/agents/b", "1")]).await;
    assert_eq!(both.status, 200);
    let refused = publish(&stream, "t-one", &[from("/agents/a", "2"), from("/agents/c", "2")]).await;
    assert_eq!((refused.status, &refused.body["pointer"]), (403, &json!("/1/source")));
    assert!(refused.body["detail"].as_str().unwrap().contains("`one`"), "{}", refused.body);
    for source in ["/agents/ab", "/agents/", "/agents/a/", "//agents/a", "/agents/a#b", "https://example.org/agents/a"]
    {
        assert_eq!(publish(&stream, "t-one", &[from(source, "3")]).await.status, 403, "{source}");
        assert_eq!(publish(&stream, "t-all", &[from(source, "3")]).await.status, 200, "{source}");
    }
    // One event says its place too, however it is sent.
    let alone = reqwest::Client::new().post(stream.url("/api/v1/events")).bearer_auth("t-one");
    let alone = alone.header("content-type", "application/json").header("ce-specversion", "1.0").header("ce-id", "4");
    let alone = alone.header("ce-source", "/agents/%63").header("ce-type", "org.example.thing").body("{}");
    let alone = soon(alone.send()).await.unwrap();
    assert_eq!(alone.status(), 403);
    assert_eq!(alone.json::<Value>().await.unwrap()["pointer"], "/source");
    assert_eq!(stream.log.head().unwrap().0, 7, "nothing of what was refused was taken");
    assert_eq!(stream.metric("events_rejected_total{reason=\"forbidden\"}").await, 8.0);
    assert_eq!(stream.metric("publisher_events_total{publisher=\"one\"}").await, 2.0);
    assert_eq!(stream.metric("publisher_events_total{publisher=\"all\"}").await, 6.0);
    assert_eq!(stream.metric("publisher_rejected_total{publisher=\"one\"}").await, 8.0);
    assert_eq!(stream.metric("publisher_rejected_total{publisher=\"all\"}").await, 0.0);
}

#[tokio::test]
async fn a_token_whose_time_is_over_is_answered_as_one_that_never_was() {
    let over = now().plus_millis(-1_000);
    let later = now().plus_millis(3_600_000);
    let soon_over = now().plus_millis(1_500);
    let expires = |moment: Timestamp| format!("expires = {moment}");
    let tables = [
        table("over", "t-over", &expires(over)),
        table("later", "t-later", &expires(later)),
        table("soon", "t-soon", &expires(soon_over)),
    ];
    let stream = with(&tables, Options::default()).await;
    let told = |answer: Answer| (answer.status, answer.body, answer.headers["www-authenticate"].clone());
    let expired = told(publish(&stream, "t-over", &[event("1")]).await);
    assert_eq!(expired, told(publish(&stream, "t-nobody's", &[event("1")]).await));
    assert_eq!((expired.0, expired.2.to_str().unwrap()), (401, "Bearer realm=\"monkeytown\", error=\"invalid_token\""));
    assert_eq!(publish(&stream, "t-later", &[event("2")]).await.status, 200);
    // Its time is looked at with each request.
    while publish(&stream, "t-soon", &[event("3")]).await.status == 200 {
        tokio::task::yield_now().await;
    }
    assert!(now() >= soon_over);
    assert_eq!(publish(&stream, "t-soon", &[event("3")]).await.status, 401);
}

#[tokio::test]
async fn tokens_of_the_environment_and_of_the_file_open_together() {
    let both = Tokens::read("t-env").unwrap().and(tokens(&[table("filed", "t-filed", "")])).unwrap();
    let stream = Stream::with(ROOMY, Options { tokens: both, ..Options::default() }).await;
    for token in ["t-env", "t-filed"] {
        assert_eq!(publish(&stream, token, &[event(token)]).await.status, 200, "{token}");
    }
    assert_eq!(publish(&stream, &digest("t-filed"), &[event("1")]).await.status, 401, "a digest is no token");
    assert_eq!(stream.metric("publisher_events_total{publisher=\"environment-1\"}").await, 1.0);
    let twice = Tokens::read("t-filed").unwrap().and(tokens(&[table("filed", "t-filed", "")]));
    let told = twice.expect_err("one token by two names").to_string();
    assert!(told.contains("environment-1") && told.contains("filed") && !told.contains("t-filed"), "{told}");
}

#[tokio::test]
async fn a_rate_of_its_own_bounds_a_token_and_no_other() {
    let tables = [table("slow", "t-slow", "events_per_second = 3"), table("quick", "t-quick", "")];
    let stream = with(&tables, Options { max_events_per_second: 1_000, ..Options::default() }).await;
    assert_eq!(publish(&stream, "t-slow", &events(0..4)).await.status, 413, "more than a second's would never pass");
    assert_eq!(publish(&stream, "t-slow", &events(0..3)).await.status, 200);
    let refused = publish(&stream, "t-slow", &events(3..6)).await;
    assert_eq!(refused.status, 429);
    assert_eq!(refused.headers["retry-after"], "1");
    assert!(refused.body["detail"].as_str().unwrap().contains("`slow` 3 events a second"), "{}", refused.body);
    assert_eq!(publish(&stream, "t-quick", &events(3..500)).await.status, 200);
}

#[tokio::test]
async fn a_greedy_publisher_does_not_starve_a_modest_one() {
    let tables = [table("greedy", "t-greedy", ""), table("modest", "t-modest", "")];
    let stream = with(&tables, Options { max_events_per_second: 100, ..Options::default() }).await;
    let mut taken = 0;
    // It has taken all there is, and goes on asking for more than there is.
    while publish(&stream, "t-greedy", &events(taken..taken + 10)).await.status == 200 {
        taken += 10;
    }
    for number in 0..20 {
        assert_eq!(publish(&stream, "t-greedy", &events(10_000..10_050)).await.status, 429);
        assert_eq!(publish(&stream, "t-modest", &[from("/agents/b", &number.to_string())]).await.status, 200);
    }
}

#[tokio::test]
async fn a_token_in_an_address_is_never_taken() {
    let stream = with(&[table("one", "t-one", "")], Options::default()).await;
    for query in ["?access_token=t-one", "?a=b&access_token=t-one", "?ACCESS_TOKEN=t-one", "?access_token"] {
        for authorized in [false, true] {
            let request = reqwest::Client::new().post(stream.url(&format!("/api/v1/events{query}")));
            let request = request.header("content-type", STRUCTURED).body(event("1").to_string());
            let request = if authorized { request.bearer_auth("t-one") } else { request };
            let answer = soon(request.send()).await.unwrap();
            assert_eq!(answer.status(), 400, "{query}");
            assert!(!answer.text().await.unwrap().contains("t-one"));
        }
    }
    assert_eq!(stream.log.head(), None);
}
