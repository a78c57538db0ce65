//! Keys that hold what no node wrote: refused at the start, degraded while running, never a panic.

use crate::{
    node::{Node, ROOMY, event, events, join, patience, quick, until},
    server::{EVENTS, IDENTITIES, LOG, Redis, STATE},
};
use monkeytown_stream::RingBounds;

/// Damage, as words for Redis, and what must be said of it.
const DAMAGE: [(&[&str], &str); 11] = [
    (&["XADD", EVENTS, "*", "hello", "world"], "there should be 10 events"),
    (&["XDEL", EVENTS, "5-0"], "there should be 10 events"),
    (&["DEL", EVENTS], "there should be 10 events"),
    (&["DEL", IDENTITIES], "identities"),
    (&["DEL", LOG], "not the one that says which"),
    (&["HDEL", LOG, "stamp"], "lacks a field"),
    (&["HSET", LOG, "format", "7"], "format 7"),
    (&["HSET", LOG, "stamp", "x"], "newest"),
    (&["SET", EVENTS, "x"], "WRONGTYPE"),
    (&["SET", LOG, "x"], "WRONGTYPE"),
    (&["SET", IDENTITIES, "x"], "WRONGTYPE"),
];

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_are_not_a_log_are_refused_at_the_start_and_degraded_while_running() {
    for (damage, told) in DAMAGE {
        let redis = Redis::start();
        let node = Node::with(&redis, ROOMY, quick()).await;
        node.publish(&events(0..10)).await;
        redis.ask::<redis::Value>(damage);
        let Err(error) = join(&redis, ROOMY, patience()).await else { panic!("{damage:?} is taken for a log") };
        let text = error.to_string();
        assert!(text.contains(told) && text.starts_with("--redis ") && text.lines().count() == 1, "{damage:?}: {text}");
        // The node that was there takes nothing, says why, and serves what it held.
        until(async || node.get("/health").await["status"] == "degraded").await;
        let words = node.get("/health").await["checks"]["redis"]["message"].as_str().unwrap().to_owned();
        assert!(words.contains(told), "{damage:?}: {words}");
        assert_eq!(node.try_publish(&[event("x")]).await.status(), 503);
        assert_eq!(node.ids().await.len(), 10);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_no_event_is_refused_and_what_is_mended_goes_on() {
    for (at, fields) in [
        ("11-0", ["i", "x", "s", "y", "j", "z"]),
        ("11-0", ["i", "0123456789abcdef", "s", "01234567", "j", "{\"id\":\"x\"}"]),
        ("11-7", ["i", "0123456789abcdef", "s", "01234567", "j", "{}"]),
    ] {
        let redis = Redis::start();
        let node = Node::with(&redis, ROOMY, quick()).await;
        node.publish(&events(0..10)).await;
        // All that counts fits, and the content does not.
        let mut add = vec!["XADD", EVENTS, at];
        add.extend(fields);
        redis.ask::<String>(&add);
        redis.ask::<()>(&["HSET", IDENTITIES, fields[1], "10"]);
        redis.ask::<()>(&["HSET", LOG, "next", "11", "stamp", fields[3]]);
        let Err(error) = join(&redis, ROOMY, patience()).await else { panic!("{at} {fields:?} is taken for an event") };
        let text = error.to_string();
        assert!(text.contains("restore it from a copy") && text.lines().count() == 1, "{text}");
        until(async || node.get("/health").await["status"] == "degraded").await;
        assert_eq!((node.head(), node.ids().await.len()), (Some(9), 10));
    }
    let redis = Redis::start();
    let node = Node::with(&redis, ROOMY, quick()).await;
    node.publish(&events(0..10)).await;
    let id: String = redis.ask(&["XADD", EVENTS, "*", "hello", "world"]);
    until(async || node.get("/health").await["status"] == "degraded").await;
    redis.ask::<()>(&["XDEL", EVENTS, &id]);
    // The stream takes no smaller id than it has had.
    assert_eq!(node.try_publish(&[event("x")]).await.status(), 503);
    redis.ask::<()>(&["XSETID", EVENTS, "10-0"]);
    until(async || node.try_publish(&[event("x")]).await.status() == 200).await;
    assert_eq!((node.head(), &node.get("/health").await["status"]), (Some(10), &"healthy".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_cannot_be_read_is_refused() {
    for (field, value, told) in [
        ("json", "{\"entities\": 7}", "cannot be read"),
        ("next", "x", "no offset"),
        ("next", "999999", "is the next"),
        ("recorded", "yesterday", "no moment"),
        ("", "", "neither the state"),
    ] {
        let redis = Redis::start();
        let small = RingBounds { max_events: 1_000, max_bytes: 1 << 30 };
        let node = Node::with(&redis, small, patience()).await;
        for from in (0..3_000).step_by(1_000) {
            node.publish(&events(from..from + 1_000)).await;
        }
        until(async || redis.ask::<u64>(&["XLEN", EVENTS]) == 1_000).await;
        match field {
            "" => redis.ask::<()>(&["DEL", STATE]),
            _ => redis.ask(&["HSET", STATE, field, value]),
        }
        let Err(error) = join(&redis, ROOMY, patience()).await else {
            panic!("{field} = {value} is taken for a state")
        };
        assert!(error.to_string().contains(told), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_asks_for_a_password_is_told_without_one() {
    let redis = Redis::with(&["--requirepass", "swordfish"]);
    let Err(error) = join_with(&redis, "").await else { panic!("it wants a password") };
    assert!(error.contains("NOAUTH") && error.contains("give a user"), "{error}");
    let Err(error) = join_with(&redis, "?pass=sardine").await else { panic!("it wants another password") };
    assert!(!error.contains("sardine") && error.contains("give a user"), "{error}");
    join_with(&redis, "?pass=swordfish").await.unwrap();
}

async fn join_with(redis: &Redis, query: &str) -> Result<(), String> {
    let url = format!("{}{query}", redis.address()).parse().unwrap();
    let joined = tokio::task::spawn_blocking(move || {
        monkeytown_stream::Log::join(ROOMY, monkeytown_stream::Metrics::new(), &url, patience())
    });
    joined.await.unwrap().map(|_| ()).map_err(|error| error.to_string())
}
