//! A WebSocket subscription, from the handshake to the close.

use crate::harness::{ROOMY, Stream, event, events, large, soon, with_token};
use futures_util::SinkExt;
use monkeytown_protocol::{Frame, SourceKind, Timestamp};
use monkeytown_stream::{
    Options, RingBounds, Timing,
    sources::{Sink, SourceClock},
};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame};

#[tokio::test]
async fn hello_says_what_kind_of_stream_this_is() {
    let stream = Stream::with(ROOMY, Options { source_kind: SourceKind::Simulated, ..with_token() }).await;
    let mut subscriber = stream.subscribe("").await;
    let hello = subscriber.hello().await;
    assert_eq!(hello.source_kind, SourceKind::Simulated);
    assert_eq!((hello.head, hello.from.after, hello.heartbeat_ms), (None, None, 25_000));
    assert_eq!(hello.clock_rate, 1.0);
    assert_eq!(subscriber.replay().await, (Vec::new(), None));
}

#[tokio::test]
async fn only_a_subprotocol_that_is_spoken_is_accepted() {
    let stream = Stream::start().await;
    let (status, problem) = stream.refused("", &[("sec-websocket-protocol", "graphql-ws")]).await;
    assert_eq!(status, 400);
    assert!(problem["detail"].as_str().unwrap().contains("monkeytown.v1.json"));
    let several = [("sec-websocket-protocol", "graphql-ws, monkeytown.v1.json")];
    assert!(stream.subscribe_with("", &several).await.is_ok());
    assert_eq!(stream.get("/ws").await.status(), 426);
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused_unless_it_is_allowed() {
    let allowed = Options { allow_origins: vec!["https://page.example".parse().unwrap()], ..with_token() };
    let stream = Stream::with(ROOMY, allowed).await;
    let own = format!("http://{}", stream.address);
    for origin in ["https://page.example", own.as_str()] {
        assert!(stream.subscribe_with("", &[("origin", origin)]).await.is_ok(), "{origin}");
    }
    let port = stream.address.port();
    for origin in [
        "https://evil.example",
        "null",
        "http://page.example",
        "https://page.example:8443",
        "https://page.example.evil.example",
        "https://evilpage.example",
        "https://PAGE.example",
        "https://page.example.",
        "https://page.example, https://page.example",
        "",
        &format!("http://127.0.0.1.:{port}"),
        &format!("http://127.0.0.1:{port}@evil.example"),
        &format!("http://127.0.0.1:{port}.evil.example"),
        "http://127.0.0.1",
    ] {
        assert_eq!(stream.refused("", &[("origin", origin)]).await.0, 403, "{origin}");
        let source = reqwest::Client::new().get(stream.url("/api/v1/events")).header("accept", "text/event-stream");
        assert_eq!(soon(source.header("origin", origin).send()).await.unwrap().status(), 403, "{origin}");
    }
    let two = reqwest::Client::new().get(stream.url("/api/v1/events")).header("accept", "text/event-stream");
    let two = two.header("origin", "https://page.example").header("origin", "https://evil.example");
    assert_eq!(soon(two.send()).await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_page_that_is_allowed_may_read_what_the_headers_say() {
    let allowed = Options { allow_origins: vec!["https://page.example".parse().unwrap()], ..with_token() };
    let stream = Stream::with(ROOMY, allowed).await;
    let asking = |path: &str, origin: &str| {
        let request = reqwest::Client::new().get(stream.url(path)).header("origin", origin);
        async move { soon(request.send()).await.unwrap().headers().clone() }
    };
    for path in ["/api/v1/events?after=earliest", "/api/v1/snapshot", "/ready"] {
        let headers = asking(path, "https://page.example").await;
        assert_eq!(headers["access-control-allow-origin"], "https://page.example", "{path}");
        let exposed = headers["access-control-expose-headers"].to_str().unwrap().to_owned();
        for name in ["monkeytown-cursor", "monkeytown-recovered", "monkeytown-head", "etag", "retry-after"] {
            assert!(exposed.contains(name), "{name} in {exposed}");
        }
        assert!(!asking(path, "https://evil.example").await.contains_key("access-control-allow-origin"), "{path}");
    }
    let preflight = reqwest::Client::new()
        .request(reqwest::Method::OPTIONS, stream.url("/api/v1/events"))
        .header("origin", "https://page.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type");
    let preflight = soon(preflight.send()).await.unwrap();
    assert!(preflight.status().is_success());
    assert_eq!(preflight.headers()["access-control-allow-headers"], "authorization,content-type");
    let vary = asking("/api/v1/events?after=earliest", "https://page.example").await;
    let vary: Vec<_> = vary.get_all("vary").iter().map(|value| value.to_str().unwrap().to_lowercase()).collect();
    assert!(vary.join(",").split(',').any(|name| name.trim() == "accept"), "{vary:?}");
}

#[tokio::test]
async fn when_all_places_are_taken_the_next_is_told_when_to_come_back() {
    let stream = Stream::with(ROOMY, Options { max_subscribers: 2, ..with_token() }).await;
    let first = stream.subscribe("").await;
    let _second = stream.subscribe("").await;
    assert_eq!(stream.refused("", &[]).await.0, 503);
    let ready = stream.get("/ready").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.headers().contains_key("retry-after"));
    assert_eq!(ready.json::<Value>().await.unwrap(), json!({"ready": false, "status": "full"}));
    drop(first);
    while stream.subscribe_with("", &[]).await.is_err() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_message_that_is_too_big_closes_with_1009() {
    let stream = Stream::start().await;
    for bytes in [16_385, 100_000] {
        let mut subscriber = stream.subscribe("").await;
        subscriber.hello().await;
        // The other side may close before all of it is sent.
        let _ = subscriber.socket.send(Message::text("x".repeat(bytes))).await;
        assert_eq!(subscriber.closed().await, 1009, "{bytes}");
    }
    let mut subscriber = stream.subscribe("").await;
    subscriber.hello().await;
    subscriber.send(Message::text("x".repeat(16_384))).await;
    stream.publish(&[event("1")]).await;
    let mut ids = Vec::new();
    while ids.is_empty() {
        if let Frame::Events { events, .. } = subscriber.next().await.unwrap() {
            ids = events;
        }
    }
    assert_eq!(stream.metric("subscribers_evicted_total{reason=\"oversized\"}").await, 2.0);
}

#[tokio::test]
async fn a_client_that_talks_without_end_is_closed() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    for _ in 0..20 {
        if subscriber.socket.send(Message::text("hello?")).await.is_err() {
            break;
        }
    }
    assert_eq!(subscriber.closed().await, 1008);
}

#[tokio::test]
async fn what_is_no_websocket_message_is_closed_with_its_own_code() {
    use tokio::io::AsyncWriteExt;
    let stream = Stream::start().await;
    // Masked, as a client's frames are, with a key of zeros; the third is not masked.
    let frames: [(&[u8], u16); 3] =
        [(&[0x81, 0x82, 0, 0, 0, 0, 0xc3, 0x28], 1007), (&[0x83, 0x80, 0, 0, 0, 0], 1002), (&[0x81, 0x01, b'x'], 1002)];
    for (frame, code) in frames {
        let mut subscriber = stream.subscribe("").await;
        subscriber.hello().await;
        subscriber.socket.get_mut().write_all(frame).await.unwrap();
        assert_eq!(subscriber.closed().await, code, "{frame:?}");
    }
}

#[tokio::test]
async fn a_client_that_closes_is_answered_in_kind() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.hello().await;
    let close = CloseFrame { code: 1000.into(), reason: "enough".into() };
    soon(subscriber.socket.close(Some(close))).await.unwrap();
    // Without an answer a browser calls it 1006: the connection was lost.
    assert_eq!(subscriber.closed().await, 1000);
}

#[tokio::test]
async fn a_ping_is_answered() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.send(Message::Ping("are you there".into())).await;
    let answered = async {
        loop {
            use futures_util::StreamExt;
            if let Message::Pong(said) = subscriber.socket.next().await.unwrap().unwrap() {
                return said;
            }
        }
    };
    assert_eq!(soon(answered).await.as_ref(), b"are you there");
}

fn with_heartbeat(millis: u64) -> Options {
    Options { timing: Timing { heartbeat: Duration::from_millis(millis), ..Timing::default() }, ..with_token() }
}

#[tokio::test]
async fn a_quiet_stream_still_beats() {
    let stream = Stream::with(ROOMY, with_heartbeat(400)).await;
    stream.publish(&events(0..3)).await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.replay_from_hello().await;
    for _ in 0..3 {
        let Frame::Heartbeat { head, clock, clock_rate, .. } = subscriber.next().await.unwrap() else {
            panic!("no heartbeat")
        };
        assert_eq!(head.unwrap().0, 2);
        assert!(clock.is_some() && clock_rate == Some(1.0));
    }
}

#[tokio::test]
async fn a_client_that_answers_no_pings_is_sent_away() {
    let stream = Stream::with(ROOMY, with_heartbeat(50)).await;
    // Whoever does not read does not answer pings either.
    let mut subscriber = stream.subscribe("").await;
    while stream.metric("subscribers_evicted_total{reason=\"silent\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(subscriber.closed().await, 4201);
}

#[tokio::test]
async fn a_clock_that_is_set_is_told_at_once() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.replay_from_hello().await;
    let shows: Timestamp = "2001-02-03T04:05:06Z".parse().unwrap();
    stream.log.set_clock(SourceClock { shows, rate: 3_600.0 });
    let Frame::Heartbeat { clock, clock_rate, .. } = subscriber.next().await.unwrap() else { panic!("no heartbeat") };
    assert_eq!(clock_rate, Some(3_600.0));
    assert!(clock.unwrap() >= shows);
    let again = stream.subscribe("").await.hello().await;
    assert_eq!(again.clock_rate, 3_600.0);
    assert!(again.clock >= clock.unwrap());
}

#[tokio::test]
async fn interest_narrows_a_subscription_without_making_holes() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("?after=earliest&types=org.example.large").await;
    let mut picture = subscriber.picture().await;
    let mut history = events(0..2_000);
    history.push(large("wanted", 10));
    stream.publish(&history).await;
    stream.publish(&events(2_000..2_100)).await;
    stream.publish(&[large("wanted too", 10)]).await;
    subscriber.follow(&mut picture, 2_101).await;
    assert_eq!(picture.ids, ["wanted", "wanted too"]);
}

#[tokio::test]
async fn a_heartbeat_covers_what_was_of_no_interest_and_so_the_cursor_goes_on() {
    let stream = Stream::with(ROOMY, with_heartbeat(100)).await;
    let mut subscriber = stream.subscribe("?after=earliest&types=org.example.large").await;
    subscriber.replay_from_hello().await;
    stream.publish(&events(0..40)).await;
    let covered = loop {
        match subscriber.next().await.unwrap() {
            Frame::Events { first, last, events, .. } => {
                assert!(events.is_empty());
                break (first.0, last.0);
            }
            Frame::Heartbeat { head, .. } => assert_eq!(head, None, "it names nothing that was not covered"),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(covered, (0, 39));
    let Frame::Heartbeat { head, .. } = subscriber.next().await.unwrap() else { panic!("no heartbeat") };
    assert_eq!(head.unwrap().0, 39);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_sent_away_and_the_others_go_on() {
    let timing = Timing { write_stall: Duration::from_millis(300), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    let mut stopped = stream.subscribe("?after=earliest").await;
    let mut reading = stream.subscribe("?after=earliest").await;
    let mut picture = reading.picture().await;
    // More than the sockets between the two can hold.
    let batches = 200_u64;
    let publishing = async {
        for number in 0..batches {
            let batch: Vec<Value> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
            stream.publish(&batch).await;
        }
    };
    let (_, ()) = soon(async { tokio::join!(reading.follow(&mut picture, batches * 10 - 1), publishing) }).await;
    assert_eq!(picture.ids.len() as u64, batches * 10);
    while stream.metric("subscribers_evicted_total{reason=\"stalled\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.metric("ws_connections_active").await, 1.0);
    // What had been sent can be read, and then it is over.
    stopped.closed().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_too_slow_for_the_ring_is_closed_and_comes_back_to_a_snapshot() {
    let ring = RingBounds { max_events: 50, ..ROOMY };
    let stream = Stream::with(ring, with_token()).await;
    let mut slow = stream.subscribe("?after=earliest").await;
    slow.hello().await;
    for number in 0..200 {
        let batch: Vec<Value> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
        stream.publish(&batch).await;
    }
    assert_eq!(slow.closed().await, 4200);
    assert_eq!(stream.metric("subscribers_evicted_total{reason=\"fell_behind\"}").await, 1.0);
    let mut back = stream.subscribe(&format!("?after={}:10", stream.log.epoch())).await;
    let hello = back.hello().await;
    assert!(!hello.recovered && hello.snapshot.is_some());
}
