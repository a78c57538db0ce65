//! Going to moments past: what is answered, what is refused and how, and that many who look at one moment, or one who looks
//! at very many, cost the others nothing.

use crate::harness::{ROOMY, Stream, apply, event, events, soon, with_token};
use monkeytown_civilization::Civilization;
use monkeytown_stream::{Options, RingBounds};
use serde_json::{Value, json, value::RawValue};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;

/// An event of a minute after noon, UTC.
fn at_minute(minute: u32, id: &str) -> Value {
    let mut event = event(id);
    event["time"] = json!(format!("2026-01-18T12:{minute:02}:00.000Z"));
    event
}

async fn at(stream: &Stream, moment: &str) -> (u16, Value) {
    let answer = stream.get(&format!("/api/v1/snapshot?at={moment}")).await;
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

fn activity(snapshot: &Value) -> &Value {
    &snapshot["state"]["entities"]["a"]["activity"]
}

#[tokio::test]
async fn a_moment_is_a_cursor_a_word_or_a_time_and_what_follows_it_is_the_present() {
    let stream = Stream::start().await;
    // One comes late: the sources' time does not go back.
    let told: Vec<Value> =
        [1, 3, 2, 3, 10].into_iter().zip(0..).map(|(minute, id)| at_minute(minute, &format!("{id}"))).collect();
    stream.publish(&told).await;
    let epoch = stream.log.epoch().to_string();
    let minute = |minute: u32| format!("2026-01-18T12:{minute:02}:00.000Z");
    for (moment, offset, clock) in [
        (format!("{epoch}:-1"), -1, 1),
        ("earliest".to_owned(), -1, 1),
        (format!("{epoch}:0"), 0, 1),
        (format!("{epoch}:2"), 2, 3),
        (format!("{epoch}:4"), 4, 10),
        (minute(0), -1, 1),
        (minute(1), 0, 1),
        (minute(2), 0, 1),
        (minute(3), 3, 3),
        ("2026-01-18T14:03:00.5%2B02:00".to_owned(), 3, 3),
        (minute(9), 3, 3),
        (minute(10), 4, 10),
        ("2030-01-01T00:00:00Z".to_owned(), 4, 10),
    ] {
        let answer = stream.get(&format!("/api/v1/snapshot?at={moment}")).await;
        assert_eq!(answer.status(), 200, "{moment}");
        let headers = answer.headers().clone();
        let snapshot: Value = answer.json().await.unwrap();
        assert_eq!((&snapshot["offset"], &snapshot["epoch"]), (&json!(offset), &json!(epoch)), "{moment}");
        assert_eq!(snapshot["clock"], minute(clock), "{moment}");
        assert_eq!(snapshot["clock_rate"], 1.0);
        assert_eq!(snapshot["earliest"], json!({"offset": -1, "clock": minute(1)}));
        assert_eq!(headers["monkeytown-cursor"], format!("{epoch}:{offset}"));
        assert_eq!(headers["monkeytown-clock"], minute(clock));
        assert_eq!(headers["monkeytown-head"], "4");
        assert_eq!(headers["etag"], format!("W/\"{epoch}:{offset}\""));
        let expected = if offset < 0 { Value::Null } else { json!(format!("does {offset}")) };
        assert_eq!(activity(&snapshot), &expected, "{moment}");
        // What follows it, folded on, is the present.
        let mut state: Civilization = serde_json::from_value(snapshot["state"].clone()).unwrap();
        let after: Vec<Box<RawValue>> =
            stream.get(&format!("/api/v1/events?after={epoch}:{offset}")).await.json().await.unwrap();
        for event in after {
            apply(&mut state, event.get());
        }
        assert_eq!(state, stream.log.state(), "{moment}");
        // Whoever has it is not sent it again.
        let again = reqwest::Client::new().get(stream.url(&format!("/api/v1/snapshot?at={moment}")));
        let again = soon(again.header("if-none-match", headers["etag"].clone()).send()).await.unwrap();
        assert_eq!(
            (again.status().as_u16(), &again.headers()["monkeytown-clock"]),
            (304, &headers["monkeytown-clock"])
        );
    }
    let (status, latest) = at(&stream, "latest").await;
    let present: Value = stream.get("/api/v1/snapshot").await.json().await.unwrap();
    assert_eq!((status, &latest["offset"], &latest["state"]), (200, &present["offset"], &present["state"]));
    assert_eq!(present["earliest"], json!({"offset": -1, "clock": minute(1)}));
}

#[tokio::test]
async fn a_stream_that_has_heard_nothing_has_one_moment() {
    let stream = Stream::start().await;
    let epoch = stream.log.epoch().to_string();
    for moment in ["earliest", "latest", "2026-01-18T12:00:00Z", &format!("{epoch}:-1")] {
        let (status, snapshot) = at(&stream, moment).await;
        assert_eq!(
            (status, &snapshot["offset"], &snapshot["earliest"]["offset"]),
            (200, &json!(-1), &json!(-1)),
            "{moment}"
        );
    }
    assert_eq!(at(&stream, &format!("{epoch}:0")).await.0, 404);
}

#[tokio::test]
async fn what_is_no_moment_or_is_not_held_is_refused_in_words() {
    let stream = Stream::with(RingBounds { max_events: 50, ..ROOMY }, with_token()).await;
    stream.publish(&events(0..120)).await;
    let epoch = stream.log.epoch().to_string();
    let wrong = [
        "",
        "now",
        "12",
        ":",
        ":3",
        "-1",
        "a:b",
        "a:-2",
        "a:%2B1",
        "a%20b:1",
        "2026-13-01T00:00:00Z",
        "2026-01-18T12:00:00",
        "2026-01-18T12:00:00+02:00",
        "2026-01-18",
        "9999999999999999999999",
        "a:18446744073709551616",
        "Earliest",
        "%00",
        "%FF",
    ];
    for wrong in wrong {
        let (status, problem) = at(&stream, wrong).await;
        assert_eq!(status, 400, "{wrong}: {problem}");
        assert!(problem["detail"].as_str().unwrap().len() < 300 && problem["earliest"].is_null(), "{wrong}: {problem}");
    }
    assert_eq!(stream.get("/api/v1/snapshot?at=earliest&at=latest").await.status(), 400);
    let oldest = format!("{epoch}:69");
    for gone in [format!("{epoch}:-1"), format!("{epoch}:68"), "another:3".to_owned(), "another:99999".to_owned()] {
        let (status, problem) = at(&stream, &gone).await;
        assert_eq!((status, &problem["earliest"]), (410, &json!(oldest)), "{gone}: {problem}");
    }
    for ahead in [format!("{epoch}:120"), format!("{epoch}:9999999999999999999")] {
        assert_eq!(at(&stream, &ahead).await.0, 404, "{ahead}");
    }
    // The one that a refusal names can be asked for, and is `earliest`; so is a moment before all that is held.
    for moment in [oldest.as_str(), "earliest", "1970-01-01T00:00:00Z"] {
        let (status, snapshot) = at(&stream, moment).await;
        assert_eq!(
            (status, &snapshot["offset"], activity(&snapshot)),
            (200, &json!(69), &json!("does 69")),
            "{moment}"
        );
        assert_eq!(snapshot["earliest"]["offset"], 69);
    }
}

/// A stream that has told of more than lies between two keyframes.
async fn long() -> Stream {
    let stream = Stream::with(ROOMY, Options { max_events_per_second: 1_000_000, ..with_token() }).await;
    for first in (0..20_000).step_by(2_000) {
        stream.publish(&events(first..first + 2_000)).await;
    }
    stream
}

/// A hundred who follow one link, and a crowd of one address that asks for a place each: all are answered, the link soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_moments_keeps_nobody_from_the_present() {
    let stream = long().await;
    let epoch = stream.log.epoch().to_string();
    let client = reqwest::Client::new();
    let link = stream.url(&format!("/api/v1/snapshot?at={epoch}:15000"));
    let many = (0..100).map(|_| async { client.get(&link).send().await.unwrap().json::<Value>().await.unwrap() });
    for snapshot in soon(futures_util::future::join_all(many)).await {
        assert_eq!((&snapshot["offset"], activity(&snapshot)), (&json!(15_000), &json!("does 15000")));
    }
    let flood: Vec<_> = (0..300)
        .map(|number| {
            let (client, url) = (client.clone(), stream.url(&format!("/api/v1/snapshot?at={epoch}:{}", number * 61)));
            tokio::spawn(async move {
                let answer = client.get(url).send().await.unwrap();
                (answer.status().as_u16(), answer.headers().contains_key("retry-after"))
            })
        })
        .collect();
    let mut slowest = Duration::ZERO;
    while !flood.iter().all(tokio::task::JoinHandle::is_finished) {
        let begun = Instant::now();
        assert_eq!(soon(client.get(stream.url("/api/v1/snapshot")).send()).await.unwrap().status(), 200);
        slowest = slowest.max(begun.elapsed());
    }
    for answer in flood {
        let (status, retry) = soon(answer).await.unwrap();
        assert!(status == 200 || (status == 503 && retry), "{status}");
    }
    assert!(slowest < Duration::from_secs(10), "the present took {slowest:?}");
}

/// Whoever asks and goes leaves no place taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn those_who_ask_and_go_keep_nobody_waiting() {
    let stream = long().await;
    let epoch = stream.log.epoch().to_string();
    for number in 0..200 {
        let mut connection = tokio::net::TcpStream::connect(stream.address).await.unwrap();
        let path = format!("/api/v1/snapshot?at={epoch}:{}", 8_000 + number);
        connection.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").as_bytes()).await.unwrap();
    }
    let (status, snapshot) = at(&stream, &format!("{epoch}:7999")).await;
    assert_eq!((status, activity(&snapshot)), (200, &json!("does 7999")));
}
