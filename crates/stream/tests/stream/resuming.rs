//! Where a subscription starts, and that nothing is lost or doubled on the way.

use crate::harness::{ROOMY, Stream, event, events, soon, with_token};
use monkeytown_civilization::Civilization;
use monkeytown_protocol::Frame;
use monkeytown_stream::RingBounds;
use serde_json::json;

#[tokio::test]
async fn a_cursor_is_followed_by_exactly_what_came_after_it() {
    let stream = Stream::start().await;
    stream.publish(&events(0..10)).await;
    let epoch = stream.log.epoch().clone();
    let mut subscribers = Vec::new();
    for (after, expected) in [
        (format!("{epoch}:-1"), 0..10),
        (format!("{epoch}:3"), 4..10),
        (format!("{epoch}:9"), 10..10),
        ("earliest".to_owned(), 0..10),
        ("latest".to_owned(), 10..10),
    ] {
        let mut subscriber = stream.subscribe(&format!("?after={after}")).await;
        let hello = subscriber.hello().await;
        assert!(hello.recovered && hello.snapshot.is_none(), "{after}");
        assert_eq!(hello.from.next().0, expected.start, "{after}");
        assert_eq!(hello.head.unwrap().0, 9);
        let (ids, offset) = subscriber.replay().await;
        assert_eq!(ids, expected.map(|id| id.to_string()).collect::<Vec<_>>(), "{after}");
        assert_eq!(offset, Some(9));
        subscribers.push(subscriber);
    }
    stream.publish(&[event("live")]).await;
    for mut subscriber in subscribers {
        let Frame::Events { first, last, events, .. } = subscriber.next().await.unwrap() else { panic!("no events") };
        assert_eq!((first.0, last.0, events.len()), (10, 10, 1));
    }
}

#[tokio::test]
async fn what_cannot_be_recovered_becomes_a_snapshot_and_never_a_partial_tail() {
    let small = RingBounds { max_events: 5, ..ROOMY };
    let stream = Stream::with(small, with_token()).await;
    stream.publish(&events(0..12)).await;
    let epoch = stream.log.epoch().clone();
    for after in [
        "?after=another-epoch:3".to_owned(),
        format!("?after={epoch}:5"),
        format!("?after={epoch}:12"),
        format!("?after={epoch}:-1"),
        String::new(),
    ] {
        let mut subscriber = stream.subscribe(&after).await;
        let picture = subscriber.picture().await;
        assert!(!picture.hello.recovered, "{after}");
        assert_eq!(picture.hello.from.after.unwrap().0, 11, "{after}");
        assert_eq!(picture.state, stream.log.state(), "{after}");
        assert_eq!(subscriber.replay().await, (Vec::new(), Some(11)), "{after}");
    }
    // The oldest place from which everything is still held.
    let mut subscriber = stream.subscribe(&format!("?after={epoch}:6")).await;
    assert!(subscriber.hello().await.recovered);
    assert_eq!(subscriber.replay().await.0, ["7", "8", "9", "10", "11"]);
    assert_eq!(stream.metric("resume_total{outcome=\"too_old\"}").await, 2.0);
    assert_eq!(stream.metric("resume_total{outcome=\"ahead\"}").await, 1.0);
    assert_eq!(stream.metric("resume_total{outcome=\"other_epoch\"}").await, 1.0);
    assert_eq!(stream.metric("resume_total{outcome=\"fresh\"}").await, 1.0);
    assert_eq!(stream.metric("resume_total{outcome=\"recovered\"}").await, 1.0);
}

#[tokio::test]
async fn after_a_restart_no_offset_is_served_under_the_old_epoch() {
    let before = Stream::start().await;
    before.publish(&events(0..3)).await;
    let cursor = format!("?after={}:1", before.log.epoch());
    let after = Stream::start().await;
    after.publish(&events(0..3)).await;
    let mut subscriber = after.subscribe(&cursor).await;
    let hello = subscriber.hello().await;
    assert_ne!(before.log.epoch(), after.log.epoch());
    assert!(!hello.recovered && hello.snapshot.is_some());
    assert_eq!(&hello.epoch, after.log.epoch());
}

#[tokio::test]
async fn a_snapshot_and_what_follows_it_are_the_fold_of_everything() {
    let stream = Stream::start().await;
    let mut history = events(0..300);
    history.push(json!({"specversion": "1.0", "id": "f", "source": "/agents/a", "type": "monkeytown.flow.started",
        "time": "2026-01-18T12:00:01.000Z",
        "data": {"id": "f", "source": "a", "target": "b", "kind": "resource"}}));
    stream.publish(&history).await;
    let mut subscriber = stream.subscribe("").await;
    let mut picture = subscriber.picture().await;
    assert_ne!(picture.state, Civilization::default());
    stream.publish(&events(300..400)).await;
    subscriber.follow(&mut picture, 400).await;
    assert_eq!(picture.ids.len(), 100);
    assert_eq!(picture.state, stream.log.state());
}

#[tokio::test]
async fn a_snapshot_asked_for_beside_a_cursor_says_where_it_really_starts() {
    let stream = Stream::start().await;
    stream.publish(&events(0..4)).await;
    let epoch = stream.log.epoch().clone();
    for (after, recovered) in [(format!("{epoch}:3"), true), ("latest".to_owned(), true), (format!("{epoch}:1"), false)]
    {
        let mut subscriber = stream.subscribe(&format!("?after={after}&snapshot=1")).await;
        let picture = subscriber.picture().await;
        assert_eq!(picture.hello.from.after.unwrap().0, 3, "{after}");
        assert_eq!(picture.hello.recovered, recovered, "{after}");
        assert_eq!(picture.state, stream.log.state(), "{after}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_while_a_history_is_replayed_is_neither_lost_nor_doubled() {
    let stream = Stream::start().await;
    for start in (0..6_000).step_by(1_000) {
        stream.publish(&events(start..start + 1_000)).await;
    }
    let publishing = async {
        for start in (6_000..8_000).step_by(20) {
            stream.publish(&events(start..start + 20)).await;
        }
    };
    let subscribing = async {
        let mut pictures = Vec::new();
        for query in ["?after=earliest", "", "?after=latest"] {
            let mut subscriber = stream.subscribe(query).await;
            let mut picture = subscriber.picture().await;
            let start = picture.hello.from.next().0;
            subscriber.follow(&mut picture, 7_999).await;
            let expected: Vec<String> = (start..8_000).map(|id| id.to_string()).collect();
            assert_eq!(picture.ids, expected, "{query}");
            pictures.push(picture);
        }
        pictures
    };
    let (pictures, ()) = soon(Box::pin(async { tokio::join!(subscribing, publishing) })).await;
    let everything = stream.log.state();
    assert_eq!(everything.totals().events, 8_000);
    for picture in pictures.iter().take(2) {
        assert_eq!(picture.state, everything);
    }
}

#[tokio::test]
async fn a_malformed_cursor_is_refused_before_the_upgrade() {
    let stream = Stream::start().await;
    for query in
        ["?after=", "?after=x", "?after=a:-2", "?after=a:1:2", "?after=%00:1", "?kinds=dragon", "?after=a:1&after=b:1"]
    {
        let (status, problem) = stream.refused(query, &[]).await;
        assert_eq!((status, &problem["status"]), (400, &json!(400)), "{query}");
    }
}
