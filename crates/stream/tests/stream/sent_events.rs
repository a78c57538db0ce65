//! A subscription by server-sent events.

use crate::{
    documents::Documents,
    event_source::EventSource,
    harness::{BATCHED, ROOMY, Stream, event, events, id_of, large, soon, with_token},
};
use monkeytown_protocol::Frame;
use monkeytown_stream::{Options, RingBounds, Timing};
use serde_json::{Value, json};
use std::time::Duration;

const EVENT_STREAM: &str = "text/event-stream";

async fn asked(stream: &Stream, query: &str, headers: &[(&'static str, &str)]) -> reqwest::Response {
    let mut request = reqwest::Client::new().get(stream.url(&format!("/api/v1/events{query}")));
    request = request.header("accept", EVENT_STREAM);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Documents::get().hold_answer("get", soon(request.send()).await.unwrap()).await
}

async fn opened(stream: &Stream, query: &str, headers: &[(&'static str, &str)]) -> EventSource {
    let answer = asked(stream, query, headers).await;
    assert_eq!(answer.status(), 200, "{query}");
    EventSource::new(answer)
}

fn ids(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|id| id.to_string()).collect()
}

#[tokio::test]
async fn it_says_byte_for_byte_what_the_socket_says() {
    use futures_util::StreamExt;
    let stream = Stream::start().await;
    stream.publish(&events(0..10)).await;
    let epoch = stream.log.epoch().clone();
    let mut socket = stream.subscribe("?after=earliest").await;
    let mut source = opened(&stream, "?after=earliest", &[]).await;
    let hello = source.next().await.unwrap();
    assert!(matches!(hello.frame(), Frame::Hello(_)));
    assert_eq!(hello.last_id, format!("{epoch}:-1"));
    assert_eq!(socket.hello().await.epoch, epoch);
    for (name, id) in [("events", 9), ("caught_up", 9), ("events", 10)] {
        if id == 10 {
            stream.publish(&[event("live")]).await;
        }
        let message = source.next().await.unwrap();
        let text = soon(socket.socket.next()).await.unwrap().unwrap().into_text().unwrap();
        assert_eq!(message.data, text.as_str());
        assert_eq!((message.name.as_str(), message.last_id), (name, format!("{epoch}:{id}")));
    }
}

#[tokio::test]
async fn nothing_on_the_way_is_asked_to_keep_it_or_gather_it() {
    let stream = Stream::start().await;
    let answer = asked(&stream, "", &[("accept-encoding", "gzip")]).await;
    let headers = answer.headers();
    assert_eq!(headers["content-type"], EVENT_STREAM);
    assert_eq!(headers["cache-control"], "no-store, no-transform");
    assert_eq!(headers["x-accel-buffering"], "no");
    assert!(headers.get_all("vary").iter().any(|vary| vary == "accept"), "{headers:?}");
    assert!(!headers.contains_key("content-encoding") && !headers.contains_key("content-length"));
    // Whoever gathers bytes before letting them through has more than most gather, at once.
    let first = soon(EventSource::new(answer).answer.chunk()).await.unwrap().unwrap();
    assert!(first.len() >= 2_048 && first.starts_with(b":"), "{} bytes", first.len());
}

#[tokio::test]
async fn whoever_does_not_name_it_gets_a_batch() {
    let stream = Stream::start().await;
    for (accept, media) in [("*/*", BATCHED), ("application/json", BATCHED), ("text/event-stream, */*", EVENT_STREAM)] {
        let request = reqwest::Client::new().get(stream.url("/api/v1/events?after=earliest")).header("accept", accept);
        let answer = soon(request.send()).await.unwrap();
        assert_eq!(answer.headers()["content-type"], media, "{accept}");
    }
}

#[tokio::test]
async fn the_last_event_id_wins_over_the_address() {
    let stream = Stream::start().await;
    stream.publish(&events(0..10)).await;
    let at = |offset: i32| format!("{}:{offset}", stream.log.epoch());
    let (two, five, seven) = (at(2), at(5), at(7));
    for (query, header, expected) in [
        (format!("?after={two}"), None, 3..10),
        (format!("?last_event_id={five}"), None, 6..10),
        (format!("?after={two}&last_event_id={five}"), None, 6..10),
        (format!("?after={two}"), Some(seven.as_str()), 8..10),
        (format!("?last_event_id={five}"), Some(seven.as_str()), 8..10),
        (String::new(), Some(seven.as_str()), 8..10),
        // What a browser that has no id yet may send.
        (format!("?after={two}"), Some(""), 3..10),
    ] {
        let headers: Vec<_> = header.iter().map(|header| ("last-event-id", *header)).collect();
        let (hello, found) = opened(&stream, &query, &headers).await.replay().await;
        assert!(hello.recovered && hello.snapshot.is_none(), "{query} {header:?}");
        assert_eq!(found, ids(expected), "{query} {header:?}");
    }
}

#[tokio::test]
async fn a_browser_that_comes_back_goes_on_where_it_was() {
    let stream = Stream::start().await;
    stream.publish(&events(0..10)).await;
    let mut source = opened(&stream, "", &[]).await;
    let (hello, replayed) = source.replay().await;
    assert!(hello.snapshot.is_some() && replayed.is_empty());
    let mut last_id = source.parser.last_id.clone();
    drop(source);
    for round in 1..5 {
        stream.publish(&events(round * 10..(round + 1) * 10)).await;
        let mut source = opened(&stream, "", &[("last-event-id", &last_id)]).await;
        let (hello, replayed) = source.replay().await;
        assert!(hello.recovered && hello.snapshot.is_none());
        assert_eq!(replayed, ids(round * 10..(round + 1) * 10));
        last_id.clone_from(&source.parser.last_id);
    }
    // After a snapshot and before any event, the cursor is that of the snapshot.
    let mut source = opened(&stream, "", &[]).await;
    let Frame::Hello(hello) = source.next().await.unwrap().frame() else { panic!("no hello") };
    assert_eq!(source.parser.last_id, hello.from.to_string());
}

#[tokio::test]
async fn what_cannot_be_recovered_becomes_a_snapshot_and_never_a_partial_tail() {
    let stream = Stream::with(RingBounds { max_events: 5, ..ROOMY }, with_token()).await;
    stream.publish(&events(0..12)).await;
    let epoch = stream.log.epoch().clone();
    for id in [format!("{epoch}:5"), format!("{epoch}:12"), format!("{epoch}:-1"), "another-epoch:3".to_owned()] {
        let (hello, replayed) = opened(&stream, "", &[("last-event-id", &id)]).await.replay().await;
        assert!(!hello.recovered && replayed.is_empty(), "{id}");
        assert_eq!((&hello.epoch, hello.from.after.unwrap().0), (&epoch, 11), "{id}");
        let snapshot = hello.snapshot.unwrap();
        assert_eq!(
            serde_json::from_str::<monkeytown_civilization::Civilization>(snapshot.state.get()).unwrap(),
            stream.log.state()
        );
    }
    let (hello, replayed) = opened(&stream, &format!("?after={epoch}:6"), &[]).await.replay().await;
    assert!(hello.recovered);
    assert_eq!(replayed, ids(7..12));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_before_the_first_byte() {
    let stream = Stream::start().await;
    for (query, id) in [
        ("?after=x", None),
        ("?last_event_id=a:-2", None),
        ("?kinds=dragon", None),
        ("?after=a:1&after=b:1", None),
        ("", Some("nonsense")),
        ("?after=earliest", Some("a:1:2")),
    ] {
        let headers: Vec<_> = id.iter().map(|id| ("last-event-id", *id)).collect();
        let answer = asked(&stream, query, &headers).await;
        assert_eq!(answer.status(), 400, "{query} {id:?}");
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        assert_eq!(answer.headers()["vary"], "accept");
    }
    assert_eq!(stream.metric("subscriber_count").await, 0.0);
}

#[tokio::test]
async fn a_page_from_elsewhere_is_refused_unless_it_is_allowed() {
    let allowed = Options { allow_origins: vec!["https://page.example".parse().unwrap()], ..with_token() };
    let stream = Stream::with(ROOMY, allowed).await;
    let own = format!("http://{}", stream.address);
    let answer = asked(&stream, "", &[("origin", "https://page.example")]).await;
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["access-control-allow-origin"], "https://page.example");
    let vary: Vec<_> =
        answer.headers().get_all("vary").iter().map(|value| value.to_str().unwrap().to_owned()).collect();
    for name in ["origin", "accept"] {
        assert!(vary.join(",").split(',').any(|known| known.trim() == name), "{name} in {vary:?}");
    }
    assert_eq!(asked(&stream, "", &[("origin", &own)]).await.status(), 200);
    for origin in ["https://evil.example", "null", "https://page.example:8443"] {
        let answer = asked(&stream, "", &[("origin", origin)]).await;
        assert_eq!(answer.status(), 403, "{origin}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"));
    }
    // A batch is for anyone who can read it; the browser keeps it from pages that are not allowed.
    let batch = reqwest::Client::new().get(stream.url("/api/v1/events?after=earliest"));
    assert_eq!(soon(batch.header("origin", "https://evil.example").send()).await.unwrap().status(), 200);
}

#[tokio::test]
async fn it_takes_a_place_as_a_socket_does_and_gives_it_back() {
    let stream = Stream::with(ROOMY, Options { max_subscribers: 2, ..with_token() }).await;
    let mut first = opened(&stream, "", &[]).await;
    let mut socket = stream.subscribe("").await;
    first.replay().await;
    socket.replay_from_hello().await;
    assert_eq!(stream.metric("subscriber_count").await, 2.0);
    assert_eq!(stream.metric("ws_connections_active").await, 1.0);
    assert_eq!(stream.metric("ws_connections_total").await, 1.0);
    let full = asked(&stream, "", &[]).await;
    assert_eq!(full.status(), 503);
    assert!(full.headers().contains_key("retry-after"));
    assert_eq!(stream.get("/ready").await.status(), 503);
    drop(first);
    while stream.metric("subscriber_count").await > 1.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.get("/ready").await.status(), 200);
    opened(&stream, "", &[]).await.replay().await;
}

#[tokio::test]
async fn interest_narrows_it_without_making_holes() {
    let stream = Stream::start().await;
    let mut history = events(0..2_000);
    history.push(large("wanted", 10));
    stream.publish(&history).await;
    let mut source = opened(&stream, "?after=earliest&types=org.example.large", &[]).await;
    // `replay` holds every frame against the one before it.
    let (_, replayed) = source.replay().await;
    assert_eq!(replayed, ["wanted"]);
    assert_eq!(source.parser.last_id, format!("{}:2000", stream.log.epoch()));
}

#[tokio::test]
async fn a_quiet_stream_beats_and_names_its_head_without_moving_the_cursor() {
    let timing = Timing { heartbeat: Duration::from_millis(50), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    stream.publish(&events(0..3)).await;
    let mut source = opened(&stream, "?after=earliest", &[]).await;
    source.replay().await;
    for _ in 0..3 {
        let message = source.next().await.unwrap();
        let Frame::Heartbeat { head, clock, .. } = message.frame() else { panic!("no heartbeat") };
        assert!(head.unwrap().0 == 2 && clock.is_some());
        assert_eq!(message.last_id, format!("{}:2", stream.log.epoch()));
    }
}

#[tokio::test]
async fn whoever_is_connected_when_the_server_goes_is_told_when_to_come_back() {
    let mut stream = Stream::start().await;
    let mut sources = Vec::new();
    for _ in 0..5 {
        let mut source = opened(&stream, "", &[]).await;
        source.replay().await;
        sources.push(source);
    }
    stream.begin_drain();
    let mut waits = Vec::new();
    for source in &mut sources {
        let message = source.next().await.unwrap();
        let Frame::Bye { reason, reconnect_after_ms } = message.frame() else { panic!("no bye") };
        assert!(!reason.is_empty() && reconnect_after_ms >= 200);
        // A browser that comes back by itself waits as long.
        assert_eq!(source.parser.retry_millis, Some(reconnect_after_ms));
        waits.push(reconnect_after_ms);
        assert_eq!(source.next().await, None, "the answer ends");
    }
    waits.dedup();
    assert!(waits.len() > 1, "they do not all come back at once: {waits:?}");
    stream.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_that_stops_is_sent_away_and_the_others_go_on() {
    let timing = Timing { write_stall: Duration::from_millis(300), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    let stopped = asked(&stream, "?after=earliest", &[]).await;
    let mut reading = opened(&stream, "?after=earliest", &[]).await;
    reading.replay().await;
    // More than the buffers between the two can hold.
    let batches = 200;
    let publishing = async {
        for number in 0..batches {
            let batch: Vec<Value> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
            stream.publish(&batch).await;
        }
    };
    let following = async {
        let mut found = Vec::new();
        while found.len() < batches * 10 {
            if let Frame::Events { events, .. } = reading.next().await.unwrap().frame() {
                found.extend(events.iter().map(|event| id_of(event.get())));
            }
        }
        found
    };
    let (found, ()) = soon(async { tokio::join!(following, publishing) }).await;
    let expected: Vec<String> =
        (0..batches).flat_map(|batch| (0..10).map(move |part| format!("{batch}/{part}"))).collect();
    assert_eq!(found, expected);
    while stream.metric("subscribers_evicted_total{reason=\"stalled\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.metric("subscriber_count").await, 1.0);
    drop(stopped);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_too_slow_for_the_ring_is_told_so_and_comes_back_to_a_snapshot() {
    let stream = Stream::with(RingBounds { max_events: 50, ..ROOMY }, with_token()).await;
    let mut slow = opened(&stream, "?after=earliest", &[]).await;
    slow.next().await.unwrap();
    for number in 0..200 {
        let batch: Vec<Value> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
        stream.publish(&batch).await;
    }
    let mut next = 0;
    let last = loop {
        let message = slow.next().await.unwrap();
        match message.frame() {
            Frame::Events { first, last, .. } => {
                assert_eq!(first.0, next, "what is sent has no hole");
                next = last.0 + 1;
            }
            Frame::Bye { reconnect_after_ms, reason } => {
                assert_eq!((reconnect_after_ms, reason.as_str()), (0, "fell behind the events held"));
                break message.last_id;
            }
            _ => {}
        }
    };
    assert_eq!(slow.next().await, None, "the answer ends");
    assert_eq!(last, format!("{}:{}", stream.log.epoch(), next - 1));
    println!("{next} of 2000 events of 16 kB waited for it");
    assert!(next < 700, "32 MB were published; what waits for one reader is bounded, mostly by the system's buffers");
    assert_eq!(stream.metric("subscribers_evicted_total{reason=\"fell_behind\"}").await, 1.0);
    let (hello, _) = opened(&stream, "", &[("last-event-id", &last)]).await.replay().await;
    assert!(!hello.recovered && hello.snapshot.is_some());
}

#[tokio::test]
async fn a_publisher_cannot_break_a_message_in_two() {
    let stream = Stream::start().await;
    let mut sly = event("1");
    sly["data"]["activity"] = json!("says\n\nevent: bye\ndata: {}\r\rid: x\u{2028}");
    let pretty = serde_json::to_string_pretty(&json!([sly])).unwrap();
    assert_eq!(soon(stream.post(BATCHED, pretty).send()).await.unwrap().status(), 200);
    let (_, found) = opened(&stream, "?after=earliest", &[]).await.replay().await;
    assert_eq!(found, ["1"]);
}

/// Nothing is asked of a listener, so only the system can tell that nothing of what it is sent arrives.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_that_acknowledges_nothing_loses_its_place() {
    let timing =
        Timing { heartbeat: Duration::from_millis(200), write_stall: Duration::from_secs(3_600), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    for number in 0..200 {
        let batch: Vec<Value> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
        stream.publish(&batch).await;
    }
    let _vanished = asked(&stream, "?after=earliest", &[]).await;
    let lost = async {
        while stream.metric("subscribers_evicted_total{reason=\"stalled\"}").await < 1.0 {
            tokio::task::yield_now().await;
        }
    };
    soon(lost).await;
    while stream.metric("subscriber_count").await > 0.0 {
        tokio::task::yield_now().await;
    }
}
