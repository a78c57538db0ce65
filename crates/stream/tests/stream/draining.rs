//! What happens to those who are connected when the server goes.

use crate::{
    event_source::EventSource,
    harness::{ROOMY, STRUCTURED, Stream, TOKEN, event, events, soon, with_token},
};
use monkeytown_protocol::Frame;
use monkeytown_stream::Options;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn subscribers_are_told_and_then_the_server_ends() {
    let mut stream = Stream::start().await;
    let mut subscribers = Vec::new();
    for _ in 0..5 {
        let mut subscriber = stream.subscribe("").await;
        subscriber.replay_from_hello().await;
        subscribers.push(subscriber);
    }
    stream.begin_drain();
    let mut waits = Vec::new();
    for subscriber in &mut subscribers {
        let Frame::Bye { reason, reconnect_after_ms } = subscriber.next().await.unwrap() else { panic!("no bye") };
        assert!(!reason.is_empty());
        waits.push(reconnect_after_ms);
        assert_eq!(subscriber.closed().await, 1001);
    }
    waits.dedup();
    assert!(waits.len() > 1, "they do not all come back at once: {waits:?}");
    stream.ended().await;
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_holds_the_end_up_only_so_long() {
    let mut stream = Stream::with(ROOMY, Options { drain: Duration::from_millis(200), ..with_token() }).await;
    let _deaf = stream.subscribe("").await;
    stream.begin_drain();
    stream.ended().await;
}

#[tokio::test]
async fn whoever_waits_by_a_poll_is_told_when_to_come_back_and_not_all_at_once() {
    const WAITING: u16 = 200;
    let mut stream = Stream::start().await;
    stream.publish(&events(0..3)).await;
    let after = format!("{}:2", stream.log.epoch());
    let waiting: Vec<_> = (0..WAITING)
        .map(|_| tokio::spawn(reqwest::get(stream.url(&format!("/api/v1/events?after={after}&wait=30")))))
        .collect();
    while stream.metric("subscriber_count").await < f64::from(WAITING) {
        tokio::task::yield_now().await;
    }
    stream.begin_drain();
    let mut waits = Vec::new();
    for one in waiting {
        let answer = soon(one).await.unwrap().unwrap();
        assert_eq!(answer.status(), 503);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        waits.push(answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap());
    }
    waits.sort_unstable();
    let (first, last) = (waits[0], waits[waits.len() - 1]);
    // 200 come back within two seconds and a moment; the header knows whole seconds.
    assert!(first >= 1 && last <= 3, "{waits:?}");
    waits.dedup();
    assert!(waits.len() > 1, "they do not all come back at once: {waits:?}");
    stream.ended().await;
}

#[tokio::test]
async fn a_poll_whose_events_come_with_the_end_has_them() {
    for _ in 0..20 {
        let mut stream = Stream::start().await;
        let waiting = tokio::spawn(reqwest::get(stream.url("/api/v1/events?after=latest&wait=30")));
        while stream.metric("subscriber_count").await < 1.0 {
            tokio::task::yield_now().await;
        }
        stream.publish(&events(0..3)).await;
        stream.begin_drain();
        let answer = soon(waiting).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.headers()["monkeytown-recovered"], "true");
        assert_eq!(answer.headers()["monkeytown-cursor"].to_str().unwrap(), format!("{}:2", stream.log.epoch()));
        assert_eq!(answer.json::<Vec<serde_json::Value>>().await.unwrap().len(), 3);
        stream.ended().await;
    }
}

#[tokio::test]
async fn what_is_published_during_the_drain_is_refused_and_not_taken() {
    let mut stream = Stream::start().await;
    let body = event("1").to_string();
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\ncontent-type: {STRUCTURED}\r\n\
         content-length: {}\r\nexpect: 100-continue\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // The server asks for the body: the request is under way.
    let mut interim = [0; 25];
    soon(connection.read_exact(&mut interim)).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    let mut subscriber = stream.subscribe("").await;
    stream.begin_drain();
    subscriber.closed().await;
    connection.write_all(body.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(connection.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: "), "{answer}");
    assert_eq!(stream.log.head(), None);
    stream.ended().await;
}

/// R12: one server goes while another has come, and everybody changes over.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rolling_restart_moves_everybody_to_the_next_server_with_a_fresh_state() {
    let (mut old, new) = (Stream::start().await, Stream::start().await);
    old.publish(&events(0..50)).await;
    // The same source, read again, is another history.
    new.publish(&events(0..70)).await;
    let mut sockets = Vec::new();
    let mut sources = Vec::new();
    for _ in 0..30 {
        let mut socket = old.subscribe("?after=earliest").await;
        socket.replay_from_hello().await;
        sockets.push(socket);
        let request = reqwest::Client::new().get(old.url("/api/v1/events")).header("accept", "text/event-stream");
        let mut source = EventSource::new(soon(request.send()).await.unwrap());
        source.replay().await;
        sources.push(source);
    }
    let cursor = format!("{}:49", old.log.epoch());
    old.begin_drain();
    let mut waits = Vec::new();
    for socket in &mut sockets {
        let Frame::Bye { reconnect_after_ms, .. } = socket.next().await.unwrap() else { panic!("no bye") };
        waits.push(reconnect_after_ms);
        assert_eq!(socket.closed().await, 1001);
    }
    for source in &mut sources {
        let Frame::Bye { reconnect_after_ms, .. } = source.next().await.unwrap().frame() else { panic!("no bye") };
        waits.push(reconnect_after_ms);
        assert_eq!(source.next().await, None);
    }
    old.ended().await;
    // A second in ten pieces: no piece is everybody's.
    let busiest = (0..20).map(|tenth| waits.iter().filter(|wait| **wait / 100 == tenth).count()).max();
    assert!(busiest < Some(30), "they come back spread over time: {waits:?}");
    for _ in 0..30 {
        let mut socket = new.subscribe(&format!("?after={cursor}")).await;
        let picture = socket.picture().await;
        assert!(!picture.hello.recovered && &picture.hello.epoch == new.log.epoch(), "epochs never mix");
        assert_eq!(picture.state, new.log.state());
        let request = reqwest::Client::new().get(new.url("/api/v1/events")).header("accept", "text/event-stream");
        let mut source = EventSource::new(soon(request.header("last-event-id", &cursor).send()).await.unwrap());
        let (hello, replayed) = source.replay().await;
        assert!(!hello.recovered && hello.snapshot.is_some() && replayed.is_empty());
    }
}
