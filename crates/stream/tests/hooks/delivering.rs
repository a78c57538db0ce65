//! Deliveries as such: their headers, their size, and that each counts once.

use crate::support::{Stream, answer, changed, options, payload, signature};
use monkeytown_stream::{Options, Timing, TrustedProxy};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const ID: &str = "72d3162e-cc78-11e3-81ab-4c9367dc0958";
const MAX: usize = 25 * 1024 * 1024;

#[tokio::test]
async fn events_carry_the_deliverys_id_and_the_repositorys_address() {
    let stream = Stream::start().await;
    let taken = stream.deliver_as("pull_request", ID, &payload("pull_request.opened")).await;
    assert_eq!((taken.status, &taken.body["events"]), (200, &json!(2)));
    let events = stream.events().await;
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["id"], format!("{ID}/{number}"));
        assert_eq!(event["causationid"], ID);
        assert_eq!(event["source"], "https://github.com/Codertocat/Hello-World");
        assert_eq!(event["time"], "2019-05-15T15:20:33.000Z");
    }
    assert_eq!(events.len(), 2);
}

#[tokio::test]
async fn a_redelivery_adds_nothing_and_is_answered_the_same() {
    let stream = Stream::start().await;
    let opened = payload("pull_request.opened");
    let first = stream.deliver_as("pull_request", ID, &opened).await;
    let head = stream.log.head();
    assert_eq!(stream.deliver_as("pull_request", ID, &opened).await, first);
    // Whatever has happened since.
    stream.deliver("pull_request", &payload("pull_request.closed")).await;
    assert_eq!(stream.deliver_as("pull_request", ID, &opened).await, first);
    assert_eq!(stream.log.head().unwrap().0, head.unwrap().0 + 1);
    assert_eq!(stream.settled("pull:2").await["outcome"], "broken");
    assert_eq!(stream.metric("webhook_deliveries_total{event=\"pull_request\",outcome=\"repeated\"}").await, 2.0);
    // One that was ignored is answered the same too.
    let star = payload("star.created");
    assert_eq!(stream.deliver_as("star", "s-1", &star).await, stream.deliver_as("star", "s-1", &star).await);
}

#[tokio::test]
async fn the_same_delivery_many_times_at_once_is_one() {
    let stream = Stream::start().await;
    let opened = payload("pull_request.opened");
    let all = (0..20).map(|_| stream.deliver_as("pull_request", ID, &opened));
    let answers = futures_util::future::join_all(all).await;
    assert!(answers.iter().all(|answer| *answer == answers[0] && answer.status == 200), "{answers:?}");
    assert_eq!(stream.log.head().unwrap().0, 1);
}

#[tokio::test]
async fn other_events_are_accepted_and_ignored_by_name() {
    let stream = Stream::start().await;
    for event in ["star", "workflow_dispatch", "something_new"] {
        let taken = stream.take(event, &payload("star.created")).await;
        assert_eq!((taken.status, &taken.body["events"]), (202, &json!(0)));
        assert!(taken.body["detail"].as_str().unwrap().contains(event), "{taken:?}");
    }
    let ping = stream.take("ping", &payload("ping")).await;
    assert_eq!((ping.status, &ping.body["events"]), (200, &json!(0)));
    let labeled = changed(payload("pull_request.opened"), &[("/action", json!("labeled"))]);
    assert_eq!(stream.take("pull_request", &labeled).await.status, 202);
    assert_eq!(stream.log.head(), None);
    assert_eq!(stream.metric("webhook_deliveries_total{event=\"other\",outcome=\"ignored\"}").await, 3.0);
}

#[tokio::test]
async fn missing_headers_and_what_is_no_json_are_refused() {
    let stream = Stream::start().await;
    let body = payload("push").to_string();
    let signed = |event: &str, id: &str| {
        stream.unsigned(event, id).header("x-hub-signature-256", signature(body.as_bytes())).body(body.clone())
    };
    let long = "x".repeat(200);
    for (event, id) in [("", ID), ("push", ""), ("pu sh", ID), ("push", "a b"), ("push", &long), (&long, ID)] {
        assert_eq!(answer(signed(event, id)).await.status, 400, "{event} {id}");
    }
    let bare = reqwest::Client::new().post(format!("http://{}/hooks/github", stream.address));
    let bare = bare.header("x-hub-signature-256", signature(body.as_bytes())).body(body.clone());
    assert_eq!(answer(bare).await.status, 400);
    for wrong in ["", "{", "[]", "null", "7", "{} {}", "payload=%7B%7D", "{\"a\":\u{1}}"] {
        assert_eq!(stream.deliver_bytes("push", ID, wrong.into()).await.status, 400, "{wrong}");
    }
    assert_eq!(stream.deliver_bytes("push", ID, b"{\"a\":\"\xff\"}".to_vec()).await.status, 400);
    let form = "payload=%7B%7D";
    let form = reqwest::Client::new()
        .post(format!("http://{}/hooks/github", stream.address))
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-github-event", "push")
        .header("x-github-delivery", ID)
        .header("x-hub-signature-256", signature(form.as_bytes()))
        .body(form);
    let form = answer(form).await;
    assert_eq!(form.status, 415);
    assert!(form.body["detail"].as_str().unwrap().contains("application/json"));
    let got = stream.get("/hooks/github").await;
    assert_eq!(got.status(), 405);
    // What was refused is no delivery: the same id may come rightly.
    assert_eq!(stream.deliver_as("push", ID, &payload("push")).await.status, 200);
}

fn padded(bytes: usize) -> Vec<u8> {
    let mut text = payload("push").to_string();
    text.pop();
    text.push_str(",\"padding\":\"");
    text.push_str(&"x".repeat(bytes - text.len() - 2));
    text.push_str("\"}");
    text.into_bytes()
}

#[tokio::test]
async fn twenty_five_megabytes_pass_and_one_byte_more_does_not() {
    let stream = Stream::start().await;
    let fits = padded(MAX);
    assert_eq!(fits.len(), MAX);
    assert_eq!(stream.deliver_bytes("push", ID, fits).await.status, 200);
    assert_eq!(stream.deliver_bytes("push", "d-2", padded(MAX + 1)).await.status, 413);
    assert_eq!(stream.metric("events_rejected_total{reason=\"too_large\"}").await, 1.0);
}

#[tokio::test]
async fn a_body_that_does_not_say_its_size_is_bounded_while_it_is_read() {
    let stream = Stream::start().await;
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let head = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\nx-github-event: push\r\nx-github-delivery: {ID}\r\n\
         x-hub-signature-256: {}\r\ntransfer-encoding: chunked\r\n\r\n",
        signature(b"whatever")
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut chunk = b"100000\r\n".to_vec();
    chunk.extend(std::iter::repeat_n(b' ', 1024 * 1024));
    chunk.extend(b"\r\n");
    for _ in 0..27 {
        connection.write_all(&chunk).await.unwrap();
    }
    connection.write_all(b"0\r\n\r\n").await.unwrap();
    let mut answer = [0; 12];
    crate::support::soon(connection.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}

/// A delivery of so many bytes, of which one comes, from an address that a proxy names.
async fn begun(stream: &Stream, bytes: usize, client: &str) -> TcpStream {
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let head = format!(
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\nx-github-event: push\r\n\
         x-github-delivery: d\r\nx-hub-signature-256: {}\r\ncontent-length: {bytes}\r\n\r\n{{",
        signature(b"whatever")
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

fn behind_a_proxy(timing: Timing) -> Options {
    let proxy: TrustedProxy = "127.0.0.1".parse().unwrap();
    Options { timing, trusted_proxies: [proxy].into_iter().collect(), ..options() }
}

#[tokio::test]
async fn one_address_that_never_sends_what_it_announced_leaves_places_for_others() {
    let timing = Timing { body_read: Duration::from_secs(600), ..Timing::default() };
    let stream = Stream::with(behind_a_proxy(timing)).await;
    let mut held = Vec::new();
    for bytes in [MAX, 1_000] {
        for _ in 0..100 {
            held.push(begun(&stream, bytes, "203.0.113.9").await);
        }
    }
    // GitHub's own come from elsewhere: a small one and one as large as they are.
    for (id, body) in [("small", padded(20_000)), ("large", padded(MAX))] {
        let request = stream.unsigned("push", id).header("x-hub-signature-256", signature(&body)).body(body);
        let taken = answer(request.header("x-forwarded-for", "192.30.252.1")).await;
        assert_eq!(taken.status, 200, "{id}: {taken:?}");
    }
}

#[tokio::test]
async fn a_compressed_delivery_is_refused_unread() {
    let stream = Stream::start().await;
    let body = payload("push").to_string().into_bytes();
    let request = stream.unsigned("push", ID).header("x-hub-signature-256", signature(&body)).body(body);
    assert_eq!(answer(request.header("content-encoding", "gzip")).await.status, 415);
    assert_eq!(stream.log.head(), None);
}

#[tokio::test]
async fn bodies_that_never_come_keep_no_small_delivery_out_and_no_large_one_for_ever() {
    let timing = Timing { body_read: Duration::from_millis(500), ..Timing::default() };
    let stream = Stream::with(behind_a_proxy(timing)).await;
    let mut held = Vec::new();
    for sender in 0..6 {
        held.push(begun(&stream, MAX, &format!("203.0.113.{sender}")).await);
    }
    stream.deliver("push", &payload("push")).await;
    let mut answers = Vec::new();
    for mut connection in held {
        let mut answer = [0; 12];
        crate::support::soon(connection.read_exact(&mut answer)).await.unwrap();
        answers.push(String::from_utf8_lossy(&answer).into_owned());
    }
    // Four had a place; whoever came later waited for one, or for as long as it may.
    assert!(answers.iter().all(|answer| answer == "HTTP/1.1 408" || answer == "HTTP/1.1 503"), "{answers:?}");
    assert!(answers.iter().filter(|answer| *answer == "HTTP/1.1 408").count() >= 4, "{answers:?}");
}

#[tokio::test]
async fn over_the_rate_a_delivery_is_told_to_come_again_and_then_counts() {
    let stream = Stream::with(Options { max_events_per_second: 2, ..options() }).await;
    let full = loop {
        let taken = stream.take("pull_request", &payload("pull_request.opened")).await;
        if taken.status != 200 {
            break taken;
        }
    };
    assert_eq!(full.status, 503);
    assert!(full.retry_after.unwrap().parse::<u64>().unwrap() >= 1);
    assert_eq!(stream.metric("events_rejected_total{reason=\"rate_limited\"}").await, 1.0);
}

#[tokio::test]
async fn a_payload_that_lacks_what_it_has_to_say_is_accepted_counted_and_says_which() {
    let stream = Stream::start().await;
    let without = changed(payload("workflow_run.completed"), &[("/workflow_run/id", Value::Null)]);
    let taken = stream.take("workflow_run", &without).await;
    assert_eq!((taken.status, &taken.body["events"]), (202, &json!(0)));
    assert!(taken.body["detail"].as_str().unwrap().contains("workflow_run.id"), "{taken:?}");
    assert_eq!(stream.metric("webhook_deliveries_total{event=\"workflow_run\",outcome=\"untold\"}").await, 1.0);
}
