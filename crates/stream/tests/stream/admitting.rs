//! How much one address may have, and how long a connection may say nothing.

use crate::harness::{BATCHED, ROOMY, STRUCTURED, Stream, TOKEN, event, soon, with_token};
use monkeytown_stream::{Options, Timing, TrustedProxy};
use serde_json::{Value, json};
use std::{num::NonZeroUsize, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

const FORWARDED_FOR: &str = "x-forwarded-for";
/// Connections of an address beside those of its subscribers, and those that are told that it has enough.
const SPARE: usize = 16;
const TOLD: usize = 64;

fn at_most(subscribers: usize) -> Options {
    Options { max_per_address: NonZeroUsize::new(subscribers), ..with_token() }
}

/// These tests stand in for a proxy: whom they name is believed.
fn behind_a_proxy(subscribers: usize) -> Options {
    let proxy: TrustedProxy = "127.0.0.1".parse().unwrap();
    Options { trusted_proxies: [proxy].into_iter().collect(), ..at_most(subscribers) }
}

async fn asked(stream: &Stream, path: &str, accept: &str, client: &str) -> reqwest::Response {
    let request = reqwest::Client::new().get(stream.url(path)).header("accept", accept).header(FORWARDED_FOR, client);
    soon(request.send()).await.unwrap()
}

#[tokio::test]
async fn an_address_has_so_many_subscribers_by_every_way_and_others_have_theirs() {
    let stream = Stream::with(ROOMY, behind_a_proxy(2)).await;
    let greedy = "203.0.113.9";
    let first = stream.subscribe_with("", &[(FORWARDED_FOR, greedy)]).await.unwrap();
    let _second = asked(&stream, "/api/v1/events", "text/event-stream", greedy).await;
    let (status, problem) = stream.refused("", &[(FORWARDED_FOR, greedy)]).await;
    assert_eq!(status, 429);
    assert!(problem["detail"].as_str().unwrap().contains("your address"), "{problem}");
    for (path, accept) in [("/api/v1/events", "text/event-stream"), ("/api/v1/events?after=latest&wait=30", BATCHED)] {
        let refused = asked(&stream, path, accept, greedy).await;
        assert_eq!(refused.status(), 429, "{accept}");
        assert_eq!(refused.headers()["content-type"], "application/problem+json");
        assert!(refused.headers().contains_key("retry-after"));
    }
    // What is no subscription is answered, and a page learns why it has none.
    assert_eq!(asked(&stream, "/api/v1/snapshot", "*/*", greedy).await.status(), 200);
    let ready = asked(&stream, "/ready", "*/*", greedy).await;
    assert_eq!(ready.status(), 503);
    assert!(ready.headers().contains_key("retry-after"));
    assert_eq!(ready.json::<Value>().await.unwrap(), json!({"ready": false, "status": "full_for_your_address"}));
    for other in ["203.0.113.10", "2001:db8::1"] {
        assert_eq!(asked(&stream, "/ready", "*/*", other).await.status(), 200);
        assert!(stream.subscribe_with("", &[(FORWARDED_FOR, other)]).await.is_ok(), "{other}");
    }
    assert_eq!(stream.metric("subscribers_refused_total{reason=\"per_address\"}").await, 3.0);
    drop(first);
    while stream.subscribe_with("", &[(FORWARDED_FOR, greedy)]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_ipv6_line_is_one_address_whatever_it_calls_itself() {
    let stream = Stream::with(ROOMY, behind_a_proxy(1)).await;
    let _first = stream.subscribe_with("", &[(FORWARDED_FOR, "2001:db8:0:1::1")]).await.unwrap();
    assert_eq!(stream.refused("", &[(FORWARDED_FOR, "2001:db8:0:1:abcd::9")]).await.0, 429);
    assert!(stream.subscribe_with("", &[(FORWARDED_FOR, "2001:db8:0:2::1")]).await.is_ok());
    let _mapped = stream.subscribe_with("", &[(FORWARDED_FOR, "::ffff:198.51.100.1")]).await.unwrap();
    assert_eq!(stream.refused("", &[(FORWARDED_FOR, "198.51.100.1")]).await.0, 429);
}

#[tokio::test]
async fn nobody_becomes_another_by_a_header_of_its_own() {
    let direct = Stream::with(ROOMY, at_most(1)).await;
    let _one = direct.subscribe("").await;
    for headers in
        [[(FORWARDED_FOR, "203.0.113.9")], [("forwarded", "for=203.0.113.9")], [("x-real-ip", "203.0.113.9")]]
    {
        assert_eq!(direct.refused("", &headers).await.0, 429, "{headers:?}");
    }
    // Behind a proxy: what it did not write itself stands to the left, or contradicts it.
    let stream = Stream::with(ROOMY, behind_a_proxy(1)).await;
    let _held = stream.subscribe_with("", &[(FORWARDED_FOR, "203.0.113.9")]).await.unwrap();
    assert_eq!(stream.refused("", &[(FORWARDED_FOR, "198.51.100.1, 203.0.113.9")]).await.0, 429);
    let liar = |forged| [(FORWARDED_FOR, "203.0.113.9"), ("forwarded", forged)];
    let _liar = stream.subscribe_with("", &liar("for=198.51.100.1")).await.unwrap();
    for forged in ["for=198.51.100.2", "for=_x", "for=\"[2001:db8::1]\""] {
        assert_eq!(stream.refused("", &liar(forged)).await.0, 429, "all who lie are one: {forged}");
    }
}

/// A connection from another address of this machine; only Linux has them all.
#[cfg(target_os = "linux")]
async fn from(address: [u8; 4], stream: &Stream) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((address, 0).into()).unwrap();
    socket.connect(stream.address).await.unwrap()
}

/// What a connection is answered when it asks how the stream is; nothing when it is closed.
async fn answer(mut connection: TcpStream) -> String {
    // It may be closed already.
    let _ = connection.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    let mut answer = Vec::new();
    let _ = soon(connection.read_to_end(&mut answer)).await;
    String::from_utf8(answer).unwrap()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn connections_of_one_address_over_its_bound_are_told_or_closed_and_others_are_served() {
    let timing = Timing { first_byte: Duration::from_secs(600), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..at_most(1) }).await;
    let greedy = [127, 0, 0, 66];
    let mut held = Vec::new();
    for _ in 0..=SPARE {
        held.push(from(greedy, &stream).await);
    }
    let told = answer(from(greedy, &stream).await).await;
    assert!(told.starts_with("HTTP/1.1 429 "), "{told}");
    assert!(
        told.contains("retry-after: ") && told.contains("connection: close") && told.contains("\"detail\""),
        "{told}"
    );
    // Those that wait to be told are few, and the rest costs nothing.
    let mut waiting = Vec::new();
    for _ in 0..TOLD {
        waiting.push(from(greedy, &stream).await);
    }
    for _ in 0..300 {
        assert_eq!(answer(from(greedy, &stream).await).await, "");
    }
    let other = || from([127, 0, 0, 67], &stream);
    assert!(answer(other().await).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(stream.metric("connections_refused_total{outcome=\"closed\"}").await, 300.0);
    assert_eq!(stream.metric("connections_refused_total{outcome=\"told\"}").await, 1.0 + 64.0);
    drop(held);
    while !answer(from(greedy, &stream).await).await.starts_with("HTTP/1.1 200 ") {
        tokio::task::yield_now().await;
    }
    drop(waiting);
}

#[tokio::test]
async fn a_connection_that_became_a_subscription_is_still_one_of_its_address() {
    let timing = Timing { first_byte: Duration::from_secs(600), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..at_most(SPARE * 2) }).await;
    let mut subscribers = Vec::new();
    for _ in 0..SPARE * 2 {
        subscribers.push(stream.subscribe("").await);
    }
    let mut held = Vec::new();
    for _ in 0..SPARE {
        held.push(TcpStream::connect(stream.address).await.unwrap());
    }
    assert!(answer(TcpStream::connect(stream.address).await.unwrap()).await.starts_with("HTTP/1.1 429 "));
    subscribers.pop();
    while !answer(TcpStream::connect(stream.address).await.unwrap()).await.starts_with("HTTP/1.1 200 ") {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_trusted_proxy_may_have_as_many_connections_as_there_are() {
    let stream = Stream::with(ROOMY, behind_a_proxy(1)).await;
    let mut held = Vec::new();
    for _ in 0..SPARE + TOLD + 50 {
        held.push(TcpStream::connect(stream.address).await.unwrap());
    }
    assert_eq!(stream.get("/health").await.status(), 200);
}

#[tokio::test]
async fn a_connection_that_says_nothing_at_all_is_closed_before_any_other_deadline() {
    let never = Duration::from_secs(600);
    let first_byte = Duration::from_millis(100);
    let timing = Timing { first_byte, header_read: never, body_read: never, ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    let mut silent = TcpStream::connect(stream.address).await.unwrap();
    assert_eq!(soon(silent.read(&mut [0])).await.unwrap(), 0);
    // Whoever has begun has the time that a head may take.
    let mut slow = TcpStream::connect(stream.address).await.unwrap();
    slow.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n").await.unwrap();
    let mut later = TcpStream::connect(stream.address).await.unwrap();
    assert_eq!(soon(later.read(&mut [0])).await.unwrap(), 0);
    slow.write_all(b"\r\n").await.unwrap();
    let mut status = [0; 12];
    soon(slow.read_exact(&mut status)).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
}

#[tokio::test]
async fn a_publisher_that_rests_loses_its_connection_and_nothing_else() {
    let timing = Timing { header_read: Duration::from_millis(200), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    let body = event("1").to_string();
    let request = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: {STRUCTURED}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut publisher = TcpStream::connect(stream.address).await.unwrap();
    publisher.write_all(request.as_bytes()).await.unwrap();
    let mut answers = Vec::new();
    // It is answered, and some time after that the connection ends by itself.
    soon(publisher.read_to_end(&mut answers)).await.unwrap();
    let answers = String::from_utf8(answers).unwrap();
    assert!(answers.starts_with("HTTP/1.1 200 ") && answers.matches("HTTP/1.1").count() == 1, "{answers}");
    // A subscriber rests for as long as it likes.
    let mut subscriber = stream.subscribe("?after=earliest").await;
    subscriber.hello().await;
    assert_eq!(subscriber.replay().await.0, ["1"]);
}
