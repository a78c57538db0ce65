//! What publishers may send, and what they are told when they may not.

use crate::documents::Documents;
use crate::harness::{BATCHED, ROOMY, STRUCTURED, Stream, TOKEN, event, events, large, soon, with_token};
use monkeytown_stream::Options;
use proptest::prelude::*;
use serde_json::{Value, json};

async fn outcome(request: reqwest::RequestBuilder) -> (u16, Value, reqwest::header::HeaderMap) {
    let answer = soon(request.send()).await.unwrap();
    let answer = Documents::get().hold_answer("post", answer).await;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    if status >= 400 {
        assert_eq!(headers["content-type"], "application/problem+json");
    }
    let body: Value = answer.json().await.unwrap();
    if status >= 400 {
        assert_eq!(body["status"], status);
        assert!(!body["detail"].as_str().unwrap().is_empty());
    }
    (status, body, headers)
}

#[tokio::test]
async fn the_same_events_again_get_the_same_offsets_and_add_nothing() {
    let stream = Stream::start().await;
    let epoch = stream.log.epoch().to_string();
    let first = stream.publish(&events(0..3)).await;
    assert_eq!(first, json!({"epoch": epoch, "first": 0, "last": 2, "offsets": [0, 1, 2], "duplicates": 0}));
    let again = stream.publish(&[event("2"), event("3"), event("0"), event("3")]).await;
    assert_eq!(again, json!({"epoch": epoch, "first": 0, "last": 3, "offsets": [2, 3, 0, 3], "duplicates": 3}));
    assert_eq!(stream.log.head().unwrap().0, 3);
    assert_eq!(stream.metric("events_published_total").await, 4.0);
    // The same id of another source is another event.
    let mut other = event("0");
    other["source"] = json!("/agents/b");
    assert_eq!(stream.publish(&[other]).await["offsets"], json!([4]));
}

#[tokio::test]
async fn the_three_content_modes_give_the_same_event() {
    let stream = Stream::start().await;
    let sent = json!({"specversion": "1.0", "id": "1", "source": "/agents/ä b", "type": "org.example.thing",
        "time": "2026-01-18T12:00:00Z", "strange": "50 % €", "datacontenttype": "application/json",
        "data": {"unknown": [1, 2]}});
    let structured = outcome(stream.post(STRUCTURED, sent.to_string())).await;
    let batched = outcome(stream.post(BATCHED, json!([sent]).to_string())).await;
    let binary = stream
        .post("application/json", r#"{"unknown": [1, 2]}"#)
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/agents/%C3%A4%20b")
        .header("ce-type", "org.example.thing")
        .header("ce-time", "2026-01-18T12:00:00Z")
        .header("ce-strange", "50%20%25%20%E2%82%AC");
    let binary = outcome(binary).await;
    for (status, receipt, _) in [&structured, &batched, &binary] {
        assert_eq!((*status, &receipt["offsets"]), (200, &json!([0])));
    }
    assert_eq!(binary.1["duplicates"], 1);
    // Alone, binary mode makes the same event too.
    let alone = Stream::start().await;
    let again = alone
        .post("application/json", r#"{"unknown": [1, 2]}"#)
        .header("ce-specversion", "1.0")
        .header("ce-id", "1")
        .header("ce-source", "/agents/%C3%A4%20b")
        .header("ce-type", "org.example.thing")
        .header("ce-time", "2026-01-18T12:00:00Z")
        .header("ce-strange", "50%20%25%20%E2%82%AC");
    assert_eq!(outcome(again).await.0, 200);
    for stream in [&stream, &alone] {
        let mut kept: Value = stream.get("/api/v1/events?after=earliest").await.json().await.unwrap();
        assert!(kept[0].as_object_mut().unwrap().remove("recordedtime").is_some());
        assert_eq!(kept, json!([sent]));
    }
}

#[tokio::test]
async fn the_stream_says_when_it_accepted_an_event_whatever_the_publisher_says() {
    let stream = Stream::start().await;
    let mut sent = event("1");
    sent["recordedtime"] = json!("1999-01-01T00:00:00.000Z");
    stream.publish(&[sent]).await;
    let text = stream.get("/api/v1/events?after=earliest").await.text().await.unwrap();
    assert_eq!(text.matches("recordedtime").count(), 1);
    assert!(!text.contains("1999"));
}

#[tokio::test]
async fn what_is_wrong_is_refused_whole_with_its_place() {
    let stream = Stream::start().await;
    let with = |path: &str, value: Value| {
        let mut event = event("bad");
        *event.pointer_mut(path).unwrap() = value;
        event
    };
    for (content_type, body, status, pointer) in [
        (STRUCTURED, "{".to_owned(), 400, Some("")),
        (STRUCTURED, String::new(), 400, Some("")),
        (STRUCTURED, "\"text\"".to_owned(), 422, Some("")),
        (STRUCTURED, json!([event("1")]).to_string(), 422, Some("")),
        (BATCHED, event("1").to_string(), 400, Some("")),
        (BATCHED, "[]".to_owned(), 400, Some("")),
        (STRUCTURED, with("/specversion", json!("0.3")).to_string(), 422, Some("/specversion")),
        (STRUCTURED, with("/id", json!("")).to_string(), 422, Some("/id")),
        (STRUCTURED, with("/time", json!("noon")).to_string(), 422, Some("/time")),
        (STRUCTURED, with("/data/status", json!("flying")).to_string(), 422, Some("/data/status")),
        (
            STRUCTURED,
            r#"{"specversion":"1.0","id":"1","id":"1","source":"/s","type":"t"}"#.to_owned(),
            422,
            Some("/id"),
        ),
        (
            BATCHED,
            json!([event("1"), event("2"), event("3"), with("/data/kind", json!(7))]).to_string(),
            422,
            Some("/3/data/kind"),
        ),
        (BATCHED, json!([event("1"), large("2", 20_000)]).to_string(), 413, Some("/1")),
        ("application/json", event("1").to_string(), 415, None),
        ("text/plain", event("1").to_string(), 415, None),
        ("application/cloudevents+xml", event("1").to_string(), 415, None),
        ("application/cloudevents+json; charset=utf-16", event("1").to_string(), 415, None),
    ] {
        let (found, problem, _) = outcome(stream.post(content_type, body.clone())).await;
        assert_eq!(found, status, "{body}: {problem}");
        assert_eq!(problem.get("pointer").and_then(Value::as_str), pointer, "{body}: {problem}");
    }
    let invalid_text = outcome(stream.post(STRUCTURED, vec![b'"', 0xff, b'"'])).await;
    assert_eq!(invalid_text.0, 400);
    let doubled = stream.post("application/json", "{}").header("ce-specversion", "1.0").header("ce-id", "%zz");
    assert_eq!(outcome(doubled).await.1["pointer"], "/id");
    let not_json = stream.post("application/json", "{").header("ce-specversion", "1.0");
    assert_eq!(outcome(not_json).await.0, 400);
    let not_json = stream.post("text/plain", "words").header("ce-specversion", "1.0");
    assert_eq!(outcome(not_json).await.0, 415);
    assert_eq!(stream.log.head(), None, "nothing was taken");
    assert_eq!(stream.metric("events_published_total").await, 0.0);
    assert!(stream.metric("events_rejected_total{reason=\"invalid\"}").await >= 8.0);
    assert_eq!(stream.metric("events_rejected_total{reason=\"too_large\"}").await, 1.0);
}

#[tokio::test]
async fn what_is_compressed_is_refused_unread() {
    let stream = Stream::start().await;
    let with = |encodings: &[&str]| {
        let request = stream.post(STRUCTURED, event("1").to_string());
        encodings.iter().fold(request, |request, encoding| request.header("content-encoding", *encoding))
    };
    for encodings in [&["gzip"][..], &["br"], &["identity, gzip"], &["identity", "gzip"], &[""]] {
        let (status, _, headers) = outcome(with(encodings)).await;
        assert_eq!(status, 415, "{encodings:?}");
        assert_eq!(headers["accept-encoding"], "identity");
    }
    assert_eq!(stream.log.head(), None);
    for encodings in [&["identity"][..], &["Identity"], &["identity", "identity"]] {
        assert_eq!(outcome(with(encodings)).await.0, 200, "{encodings:?}");
    }
}

#[tokio::test]
async fn only_a_token_opens_the_door() {
    let stream = Stream::start().await;
    let post = || {
        let client = reqwest::Client::new();
        client.post(stream.url("/api/v1/events")).header("content-type", STRUCTURED).body(event("1").to_string())
    };
    for request in
        [post(), post().bearer_auth("another"), post().basic_auth(TOKEN, Some(TOKEN)), post().bearer_auth("")]
    {
        let (status, _, headers) = outcome(request).await;
        assert_eq!(status, 401);
        assert!(headers["www-authenticate"].to_str().unwrap().starts_with("Bearer"));
    }
    assert_eq!(outcome(post().bearer_auth(TOKEN)).await.0, 200);
    let nobody = Stream::with(ROOMY, Options::default()).await;
    assert_eq!(outcome(nobody.post(STRUCTURED, event("1").to_string())).await.0, 401);
}

#[tokio::test]
async fn an_event_of_exactly_sixteen_kilobytes_passes_and_one_byte_more_does_not() {
    let stream = Stream::start().await;
    let empty = large("1", 0).to_string().len();
    let fits = large("1", 16_384 - empty).to_string();
    assert_eq!(fits.len(), 16_384);
    assert_eq!(outcome(stream.post(STRUCTURED, fits.clone())).await.0, 200);
    assert_eq!(outcome(stream.post(BATCHED, format!("[ {} ]", fits.replace("\"1\"", "\"2\"")))).await.0, 200);
    let (status, problem, _) = outcome(stream.post(STRUCTURED, large("3", 16_385 - empty).to_string())).await;
    assert_eq!((status, &problem["pointer"]), (413, &json!("")));
    let (status, _, _) = outcome(stream.post(BATCHED, " ".repeat(4 * 1024 * 1024 + 1))).await;
    assert_eq!(status, 413);
}

#[tokio::test]
async fn over_the_rate_nothing_is_taken_and_the_wait_is_told() {
    let stream = Stream::with(ROOMY, Options { max_events_per_second: 5, ..with_token() }).await;
    let too_many = outcome(stream.post(BATCHED, Value::from(events(0..6)).to_string())).await;
    assert_eq!(too_many.0, 413, "more than a second's events would never pass");
    stream.publish(&events(0..5)).await;
    let (status, _, headers) = outcome(stream.post(BATCHED, Value::from(events(5..10)).to_string())).await;
    assert_eq!(status, 429);
    assert_eq!(headers["retry-after"], "1");
    assert_eq!(stream.log.head().unwrap().0, 4);
    assert_eq!(stream.metric("events_rejected_total{reason=\"rate_limited\"}").await, 1.0);
}

/// Bytes that look like what publishers send, with something wrong somewhere.
fn nearly_events() -> impl Strategy<Value = Vec<u8>> {
    let damaged = (any::<prop::sample::Index>(), any::<u8>(), any::<bool>()).prop_map(|(at, byte, cut)| {
        let mut bytes = json!([event("1"), event("2")]).to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if cut {
            bytes.truncate(at);
        }
        bytes
    });
    prop_oneof![proptest::collection::vec(any::<u8>(), 0..300), damaged, ".{0,80}".prop_map(String::into_bytes)]
}

#[test]
fn no_bytes_make_the_stream_fail() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let stream = runtime.block_on(Stream::start());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig { cases: 400, ..ProptestConfig::default() });
    let content_type = prop::sample::select(vec![STRUCTURED, BATCHED, "application/json"]);
    runner
        .run(&(content_type, nearly_events(), "[ -~]{0,20}"), |(content_type, body, attribute)| {
            let request = stream.post(content_type, body).header("ce-specversion", "1.0").header("ce-id", attribute);
            let status = runtime.block_on(async { soon(request.send()).await.unwrap().status().as_u16() });
            prop_assert!([200, 400, 413, 415, 422, 429].contains(&status), "{status}");
            Ok(())
        })
        .unwrap();
}
