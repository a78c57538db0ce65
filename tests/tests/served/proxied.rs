//! The stream by way of nginx: what it is told of a request, and that what it sends comes as it is sent.

use crate::{
    ears::Ears,
    web::{Folder, Web, deploy},
};
use futures_util::{SinkExt, StreamExt};
use monkeytown_tests::{
    events::works,
    program::Running,
    stream::{BATCHED, SECRET, STRUCTURED, TOKEN, deliver, post},
    wait::{PATIENCE, soon},
};
use serde_json::{Value, json};
use std::fs;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

/// A stream that believes what nginx says of those behind it.
fn stream(more: &[&str]) -> Running {
    let arguments = [&["--trust-proxy", "127.0.0.1"], more].concat();
    Running::start_with(&arguments, &[("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", SECRET)])
}

async fn get(web: &Web, path: &str) -> reqwest::Response {
    reqwest::Client::new().get(web.url(path)).timeout(PATIENCE).send().await.expect("an answer")
}

#[tokio::test]
async fn the_stream_is_told_host_trace_and_whom_a_request_is_for() {
    let ears = Ears::called("heard").await;
    let web = Web::before(&ears.address.to_string()).await;
    get(&web, "/api/v1/events?after=latest&x=%20").await;
    let head = ears.last();
    assert_eq!(head.line, "GET /api/v1/events?after=latest&x=%20 HTTP/1.1", "the address as it was asked for");
    assert_eq!(head.value("host"), Some(&*web.address()), "the stream compares it with a page's origin");
    let begun = head.value("traceparent").expect("a trace").to_owned();
    let line = web.line("/api/v1/events").await;
    let (trace, span) = (line["trace_id"].as_str().expect("text"), line["span_id"].as_str().expect("text"));
    assert_eq!(begun, format!("00-{trace}-{span}-00"), "the log of the stream has the same");

    let given = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let zero = format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32));
    for (said, kept) in
        [(given, true), (&*zero, false), ("00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", false)]
    {
        let request = reqwest::Client::new().get(web.url("/version")).header("traceparent", said).timeout(PATIENCE);
        request.send().await.expect("an answer");
        let told = ears.last().value("traceparent").expect("a trace").to_owned();
        assert_eq!(told == said, kept, "{said}: {told}");
    }
    let traces: Vec<_> = web.log().into_iter().map(|line| line["trace_id"].clone()).collect();
    assert!(traces.contains(&json!("4bf92f3577b34da6a3ce929d0e0e4736")), "{traces:?}");
}

#[tokio::test]
async fn nothing_but_the_streams_addresses_leads_to_it() {
    let ears = Ears::called("heard").await;
    let web = Web::before(&ears.address.to_string()).await;
    for path in ["/metrics", "/metrics/", "/health", "/", "/wsx", "/hooks", "/hooks/other", "/ready/x"] {
        get(&web, path).await;
    }
    let heard: Vec<_> = ears.heard().into_iter().map(|head| head.line).collect();
    assert_eq!(heard, Vec::<String>::new());
}

#[tokio::test]
async fn a_socket_carries_frames_both_ways_and_a_page_of_its_own_origin_may_open_it() {
    let stream = stream(&[]);
    let web = Web::before(&stream.address).await;
    let mut request = format!("ws://{}/ws?after=latest", web.address()).into_client_request().expect("an address");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("monkeytown.v1.json"));
    let own = HeaderValue::from_str(&web.url("")).expect("an origin");
    request.headers_mut().insert("origin", own);
    let (mut socket, answer) = soon("a socket", connect_async(request.clone())).await.expect("a socket");
    assert_eq!(answer.headers()["sec-websocket-protocol"], "monkeytown.v1.json");
    let hello = soon("the hello", socket.next()).await.expect("a message").expect("a frame");
    assert!(hello.to_text().expect("text").contains("\"hello\""), "{hello}");
    let (status, _) = post(&web.url("/api/v1/events"), STRUCTURED, &works("1", "ada", "draws a map")).await;
    assert_eq!(status, 200);
    let heard = async {
        while let Some(Ok(message)) = socket.next().await {
            if message.to_text().is_ok_and(|text| text.contains("draws a map")) {
                return;
            }
        }
        panic!("the socket has ended");
    };
    soon("the event", heard).await;
    socket.send(Message::Ping("are you there".into())).await.expect("it is sent");
    let pong = async { while !matches!(socket.next().await, Some(Ok(Message::Pong(_)))) {} };
    soon("a pong", pong).await;

    request.headers_mut().insert("origin", HeaderValue::from_static("http://elsewhere.example"));
    let refused = soon("an answer", connect_async(request)).await.expect_err("a page of another origin");
    assert!(refused.to_string().contains("403"), "{refused}");
}

#[tokio::test]
async fn sent_events_and_polls_come_when_they_happen() {
    let stream = stream(&[]);
    let web = Web::before(&stream.address).await;
    let request =
        reqwest::Client::new().get(web.url("/api/v1/events?after=latest")).header("accept", "text/event-stream");
    let mut answer = soon("an answer", request.send()).await.expect("an answer");
    assert_eq!(answer.headers()["cache-control"], "no-store, no-transform", "as the stream says it");
    let mut heard = String::new();
    let mut until = async |words: &str| {
        while !heard.contains(words) {
            let chunk = soon(words, answer.chunk()).await.expect("the body goes on").expect("it does not end");
            heard.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    until("event: hello").await;
    let url = web.url("/api/v1/events?after=latest&wait=30");
    let poll = tokio::spawn(async move { reqwest::get(url).await.expect("an answer").text().await.expect("a body") });
    // The poll may be asked after it has happened: then it waits for the next.
    for id in (1..60).map(|id| id.to_string()) {
        let id = id.as_str();
        let (status, _) = post(&web.url("/api/v1/events"), STRUCTURED, &works(id, "ada", &format!("step {id}"))).await;
        assert_eq!(status, 200);
        until(&format!("step {id}")).await;
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        if poll.is_finished() {
            break;
        }
    }
    assert!(soon("the poll", poll).await.expect("it does not panic").contains("step"));
}

#[tokio::test]
async fn every_answer_of_the_stream_has_each_header_once() {
    let stream = stream(&[]);
    let web = Web::before(&stream.address).await;
    for path in
        ["/ready", "/version", "/api/v1/snapshot", "/api/v1/events", "/api/openapi.json", "/api/none", "/hooks/github"]
    {
        let answer = get(&web, path).await;
        for name in ["content-security-policy", "x-content-type-options", "referrer-policy", "permissions-policy"] {
            assert_eq!(answer.headers().get_all(name).iter().count(), 1, "{path}: {name}");
        }
        assert!(answer.headers().get_all("cache-control").iter().count() < 2, "{path}");
    }
}

#[tokio::test]
async fn bodies_are_bounded_as_the_stream_bounds_them() {
    let stream = stream(&[]);
    let web = Web::before(&stream.address).await;
    let text = "x".repeat(2_000);
    let events: Vec<_> = (0..1_500).map(|id| works(&id.to_string(), "ada", &text)).collect();
    let (status, answer) = post(&web.url("/api/v1/events"), BATCHED, &Value::from(events)).await;
    assert_eq!((status, answer["last"].clone()), (200, json!(1_499)), "3 MB");
    let request = reqwest::Client::new().post(web.url("/api/v1/events")).bearer_auth(TOKEN).timeout(PATIENCE);
    let answer = request.header("content-type", BATCHED).body("[".repeat(4_200_000 + 1)).send().await;
    assert_eq!(answer.expect("an answer").status(), 413);
    deliver(&web.url(""), "ping", "1", &json!({ "zen": "x".repeat(1_200_000) })).await;
}

#[tokio::test]
async fn an_address_has_as_many_subscribers_as_the_stream_lets_it_have() {
    let stream = stream(&["--max-per-address", "1"]);
    let variables = [("MONKEYTOWN_UPSTREAM", &*stream.address), ("MONKEYTOWN_REAL_IP_FROM", "127.0.0.1")];
    let web = Web::with(Folder::new(), &variables).await;
    let subscribe = async |whom: &str| {
        let request = reqwest::Client::new().get(web.url("/api/v1/events")).header("accept", "text/event-stream");
        soon("an answer", request.header("x-forwarded-for", whom).send()).await.expect("an answer")
    };
    let first = subscribe("203.0.113.1").await;
    assert_eq!(first.status(), 200);
    assert_eq!(subscribe("203.0.113.1").await.status(), 429, "the same");
    assert_eq!(subscribe("203.0.113.2").await.status(), 200, "another");
    assert_eq!(subscribe("203.0.113.9, 203.0.113.1").await.status(), 429, "whatever it claims besides");
}

#[tokio::test]
async fn without_an_answer_of_the_stream_a_person_and_a_program_are_told_when_to_ask_again() {
    let web = Web::before("127.0.0.1:1").await;
    for path in ["/api/v1/events", "/ws", "/ready"] {
        let answer = get(&web, path).await;
        assert_eq!(answer.status(), 503, "{path}");
        assert_eq!(answer.headers()["retry-after"], "2");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert!(answer.headers().contains_key("content-security-policy"));
        let problem: Value = answer.json().await.expect("JSON");
        assert_eq!(problem["status"], 503);
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains("does not answer")), "{problem}");
    }
}

#[test]
fn waiting_is_longer_than_the_streams_silences() {
    let text = fs::read_to_string(deploy().join("nginx/monkeytown/stream.conf")).expect("the file");
    let waits: Vec<u64> = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("proxy_read_timeout ")?.strip_suffix("s;")?.parse().ok())
        .collect();
    assert_eq!(waits.len(), 2, "the socket and the API");
    let heartbeat = monkeytown_stream::Timing::default().heartbeat.as_secs();
    for wait in waits {
        assert!(wait >= 2 * heartbeat && wait > monkeytown_protocol::limits::REST_WAIT_MAX_SECONDS, "{wait}");
    }
}
