//! The stream for those who poll.

use crate::harness::{ROOMY, Stream, event, events, id_of, large, soon, with_token};
use monkeytown_civilization::Civilization;
use monkeytown_stream::{Options, RingBounds};
use serde_json::{Value, value::RawValue};

async fn poll(stream: &Stream, query: &str) -> (Vec<String>, reqwest::header::HeaderMap) {
    let answer = stream.get(&format!("/api/v1/events{query}")).await;
    assert_eq!(answer.status(), 200, "{query}");
    let headers = answer.headers().clone();
    let events: Vec<Box<RawValue>> = answer.json().await.unwrap();
    (events.iter().map(|event| id_of(event.get())).collect(), headers)
}

#[tokio::test]
async fn pages_of_a_poll_join_without_a_hole() {
    let stream = Stream::start().await;
    stream.publish(&events(0..25)).await;
    let mut after = "earliest".to_owned();
    let mut ids = Vec::new();
    loop {
        let (page, headers) = poll(&stream, &format!("?after={after}&limit=10")).await;
        assert!(page.len() <= 10);
        assert_eq!(headers["monkeytown-recovered"], "true");
        assert_eq!(headers["monkeytown-head"], "24");
        assert_eq!(headers["content-type"], "application/cloudevents-batch+json");
        assert_eq!(headers["monkeytown-source-kind"], "live");
        assert_eq!(headers["monkeytown-clock-rate"], "1");
        after = headers["monkeytown-cursor"].to_str().unwrap().to_owned();
        if page.is_empty() {
            break;
        }
        ids.extend(page);
    }
    assert_eq!(ids, (0..25).map(|id| id.to_string()).collect::<Vec<_>>());
    assert_eq!(after, format!("{}:24", stream.log.epoch()));
}

/// R14: an answer whose cursor is the head is all there is; one whose cursor lies before it was cut, and says where.
#[tokio::test]
async fn an_answer_says_whether_it_is_complete_or_cut() {
    let stream = Stream::start().await;
    stream.publish(&events(0..1_500)).await;
    let large: Vec<Value> = (0..200).map(|number| large(&format!("large {number}"), 16_000)).collect();
    for part in large.chunks(100) {
        stream.publish(part).await;
    }
    stream
        .publish(
            &large
                .iter()
                .take(100)
                .map(|event| {
                    let mut event = event.clone();
                    event["source"] = "/t".into();
                    event
                })
                .collect::<Vec<_>>(),
        )
        .await;
    let epoch = stream.log.epoch().clone();
    let standing = |headers: &reqwest::header::HeaderMap| {
        let number = |name: &str| headers[name].to_str().unwrap().rsplit(':').next().unwrap().parse::<i64>().unwrap();
        (number("monkeytown-cursor"), number("monkeytown-head"))
    };
    // Where it starts, what it asks, how many events come, where that ends. The head is 1799.
    for (after, asked, count, end) in [
        (-1, "", 1_000, 999),
        (-1, "&limit=10", 10, 9),
        (-1, "&limit=1500", 1_500, 1_499),
        (1_498, "&limit=1", 1, 1_499),
        (1_789, "", 10, 1_799),
        (1_789, "&limit=10", 10, 1_799),
        (1_789, "&limit=9", 9, 1_798),
        (1_799, "", 0, 1_799),
        (1_799, "&wait=1", 0, 1_799),
        (1_789, "&wait=30", 10, 1_799),
    ] {
        let (ids, headers) = poll(&stream, &format!("?after={epoch}:{after}{asked}")).await;
        assert_eq!(headers["monkeytown-recovered"], "true");
        assert_eq!((ids.len(), standing(&headers)), (count, (end, 1_799)), "after {after}{asked}");
    }
    // Bytes cut an answer too, and it says so in the same way.
    let (ids, headers) = poll(&stream, &format!("?after={epoch}:1499&limit=10000")).await;
    let (end, head) = standing(&headers);
    assert!(end < head && ids.len() < 300, "{} events up to {end}", ids.len());
    assert_eq!(i64::try_from(ids.len()).unwrap(), end - 1_499, "up to there nothing is missing");
    let (rest, headers) = poll(&stream, &format!("?after={epoch}:{end}&limit=10000")).await;
    assert_eq!((ids.len() + rest.len(), standing(&headers)), (300, (1_799, 1_799)));
}

#[tokio::test]
async fn a_long_poll_wakes_when_something_happens() {
    let stream = Stream::start().await;
    stream.publish(&[event("0")]).await;
    let waiting = poll(&stream, "?after=latest&wait=30");
    let publishing = async {
        // The poll holds a place while it waits: only then is there something to wake.
        while stream.metric("subscriber_count").await < 1.0 {
            tokio::task::yield_now().await;
        }
        stream.publish(&[event("1")]).await;
    };
    let ((ids, headers), ()) = soon(async { tokio::join!(waiting, publishing) }).await;
    assert_eq!(ids, ["1"]);
    assert_eq!(headers["monkeytown-cursor"].to_str().unwrap(), format!("{}:1", stream.log.epoch()));
}

#[tokio::test]
async fn a_poll_that_cannot_be_recovered_is_told_to_take_the_snapshot() {
    let stream = Stream::with(RingBounds { max_events: 5, ..ROOMY }, with_token()).await;
    stream.publish(&events(0..9)).await;
    let epoch = stream.log.epoch();
    for query in
        ["?after=other:1".to_owned(), format!("?after={epoch}:1&wait=30"), format!("?after={epoch}:99"), String::new()]
    {
        let (ids, headers) = poll(&stream, &query).await;
        assert!(ids.is_empty(), "{query}");
        assert_eq!(headers["monkeytown-recovered"], "false", "{query}");
        assert_eq!(headers["monkeytown-cursor"].to_str().unwrap(), format!("{epoch}:8"), "{query}");
        assert!(headers["link"].to_str().unwrap().contains("/api/v1/snapshot"));
    }
}

#[tokio::test]
async fn the_snapshot_is_the_state_and_is_sent_once_to_those_who_have_it() {
    let stream = Stream::start().await;
    let empty: Value = stream.get("/api/v1/snapshot").await.json().await.unwrap();
    assert_eq!((&empty["offset"], &empty["source_kind"]), (&Value::from(-1), &Value::from("live")));
    stream.publish(&events(0..4)).await;
    // The one made before is at most a second old and says where it ends: what follows completes it.
    let mut snapshot = stream.get("/api/v1/snapshot").await;
    loop {
        let etag = snapshot.headers()["etag"].clone();
        let answer: Value = snapshot.json().await.unwrap();
        if answer["offset"] == 3 {
            let state: Civilization = serde_json::from_value(answer["state"].clone()).unwrap();
            assert_eq!(state, stream.log.state());
            assert_eq!(answer["epoch"], stream.log.epoch().as_str());
            assert!(answer["clock"].is_string() && answer["clock_rate"] == 1.0);
            let request = reqwest::Client::new().get(stream.url("/api/v1/snapshot")).header("if-none-match", etag);
            let unchanged = soon(request.send()).await.unwrap();
            assert_eq!(unchanged.status(), 304);
            assert!(unchanged.text().await.unwrap().is_empty());
            break;
        }
        assert_eq!(answer["offset"], -1);
        snapshot = stream.get("/api/v1/snapshot").await;
    }
}

#[tokio::test]
async fn interest_narrows_what_is_sent_and_not_what_is_covered() {
    let stream = Stream::start().await;
    let mut history = events(0..5);
    for (event, agent) in history.iter_mut().zip(["a", "b", "a", "c", "a"]) {
        event["data"]["id"] = agent.into();
    }
    history[4]["type"] = "monkeytown.entity.created".into();
    history[3]["data"]["kind"] = "contract".into();
    history[3]["data"]["parent"] = "b".into();
    stream.publish(&history).await;
    for (query, expected) in [
        ("agents=a", vec!["0", "2", "4"]),
        ("agents=b", vec!["1", "3"]),
        ("agents=a,c", vec!["0", "2", "3", "4"]),
        ("types=monkeytown.entity.created", vec!["4"]),
        ("types=monkeytown.*", vec!["0", "1", "2", "3", "4"]),
        ("kinds=contract", vec!["3"]),
        ("agents=a&kinds=contract", vec![]),
    ] {
        let (ids, headers) = poll(&stream, &format!("?after=earliest&{query}")).await;
        assert_eq!(ids, expected, "{query}");
        assert_eq!(headers["monkeytown-cursor"].to_str().unwrap(), format!("{}:4", stream.log.epoch()), "{query}");
    }
}

#[tokio::test]
async fn a_poll_that_makes_no_sense_is_refused() {
    let stream = Stream::with(ROOMY, Options { max_subscribers: 1, ..with_token() }).await;
    for query in ["?limit=0", "?limit=10001", "?limit=ten", "?wait=31", "?wait=-1", "?after=nowhere", "?kinds=dragon"] {
        assert_eq!(stream.get(&format!("/api/v1/events{query}")).await.status(), 400, "{query}");
    }
    let asking = |accept: &'static str| {
        let request = reqwest::Client::new().get(stream.url("/api/v1/events?after=earliest")).header("accept", accept);
        async move { soon(request.send()).await.unwrap().status().as_u16() }
    };
    assert_eq!(asking("text/html").await, 406);
    assert_eq!(asking("application/json").await, 200);
    assert_eq!(asking("text/html, */*;q=0.1").await, 200);
    let _taken = stream.subscribe("").await;
    let full = stream.get("/api/v1/events?after=latest&wait=30").await;
    assert_eq!(full.status(), 503);
    assert!(full.headers().contains_key("retry-after"));
}
