//! Redis stops, is killed, stalls, forgets, is emptied: what nodes and their clients notice.

use crate::{
    load::Load,
    node::{Node, ROOMY, event, events, join, patience, publish, quick, soon, until},
    server::{EVENTS, LOG, Redis},
};
use monkeytown_stream::{RedisPatience, RingBounds};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn stopped_killed_and_stalled_under_load_it_loses_nothing_and_doubles_nothing() {
    let mut redis = Redis::start();
    let (one, other) = (Node::with(&redis, ROOMY, quick()).await, Node::with(&redis, ROOMY, quick()).await);
    let load = Load::start(&[&one, &other], 4, 3, 4_711);
    for way in [Redis::stop as fn(&mut Redis), Redis::kill, Redis::stop, Redis::kill] {
        let before = load.acknowledged();
        until(async || load.acknowledged() > before + 200).await;
        way(&mut redis);
        until(async || one.log_trouble().await && other.log_trouble().await).await;
        redis.run();
    }
    let before = load.acknowledged();
    until(async || load.acknowledged() > before + 200).await;
    redis.stall();
    until(async || one.log_trouble().await && other.log_trouble().await).await;
    redis.go_on();
    let before = load.acknowledged();
    until(async || load.acknowledged() > before + 200).await;
    let told = load.finish(&one).await;
    assert!(told.moves > 20, "readers moved {} times", told.moves);
    for node in [&one, &other] {
        until(async || node.get("/health").await["status"] == "healthy").await;
        assert!(node.metric("redis_failures_total").await >= 5.0);
    }
    println!(
        "{} acknowledged, {} answers were none, readers moved {} times: 0 lost, 0 doubled",
        told.acknowledged.len(),
        told.refused,
        told.moves
    );
}

impl Node {
    /// Whether it says that Redis is away.
    async fn log_trouble(&self) -> bool {
        let health = self.get("/health").await;
        let check = &health["checks"]["redis"];
        let warns = check["status"] == "warning";
        assert_eq!(health["status"] == "degraded", warns, "{health}");
        if warns {
            let words = check["message"].as_str().unwrap();
            assert!(words.contains("Redis keeps no events"), "{words}");
        }
        warns
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_away_readers_are_served_and_publishers_wait_and_are_refused_after_a_while() {
    let mut redis = Redis::start();
    let node = Node::with(&redis, ROOMY, quick()).await;
    node.publish(&events(0..10)).await;
    redis.kill();
    until(async || node.log_trouble().await).await;
    let refused = node.try_publish(&[event("late")]).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    let problem: Value = refused.json().await.unwrap();
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains("cannot reach the Redis") && detail.contains("nothing is taken twice"), "{detail}");
    assert_eq!(node.ids().await.len(), 10, "readers keep what is held");
    assert_eq!(node.get("/ready").await["ready"], true);
    let metric = node.metric("events_rejected_total{reason=\"unwritten\"}").await;
    assert!((metric - 1.0).abs() < 0.1);
    // Whoever waits while it comes back notices nothing but the time.
    let (client, base) = (reqwest::Client::new(), node.base.clone());
    let waiting = tokio::spawn(async move { publish(&client, &base, &[event("patient")]).await.unwrap() });
    redis.run();
    let answer = soon(waiting).await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["first"], 10);
    assert_eq!(node.publish(&[event("late")]).await["first"], 11);
    assert!(!node.log_trouble().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_while_redis_is_away_is_taken_when_it_comes_back() {
    let mut redis = Redis::start();
    let node = Node::start(&redis).await;
    redis.kill();
    until(async || node.log_trouble().await).await;
    let padding = "x".repeat(15_000);
    let batch = |number: u32| -> Vec<Value> {
        let large = |part: u32| {
            json!({"specversion": "1.0", "id": format!("{number}-{part}"), "source": "/s", "type": "org.example.large",
                "data": padding})
        };
        (0..250).map(large).collect()
    };
    let mut waiting = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (client, base, batch) = (reqwest::Client::new(), node.base.clone(), batch(number));
        waiting.spawn(async move { publish(&client, &base, &batch).await.unwrap().status().as_u16() });
    }
    // That it is bounded the queue's own tests say: no token may have so many large requests under way.
    until(async || waiting.len() == 6 && node.log_trouble().await).await;
    redis.run();
    while let Some(status) = soon(waiting.join_next()).await {
        assert_eq!(status.unwrap(), 200);
    }
    assert_eq!(node.head(), Some(6 * 250 - 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_redis_has_forgotten_comes_back_from_the_nodes_with_the_same_offsets() {
    let mut redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    for round in 0..4_u64 {
        one.publish(&events(round * 2_000..round * 2_000 + 1_000)).await;
        let written = redis.written();
        other.publish(&events(round * 2_000 + 1_000..round * 2_000 + 2_000)).await;
        let head = round * 2_000 + 1_999;
        one.reaches(head).await;
        redis.kill();
        redis.forget(written + [0, 1, 50_000, 10_000][usize::try_from(round).unwrap()]);
        redis.run();
        let before = one.read("earliest".to_owned()).await;
        until(async || redis.ask::<Option<u64>>(&["HGET", LOG, "next"]) == Some(head + 1)).await;
        let late = Node::start(&redis).await;
        assert_eq!(late.read("earliest".to_owned()).await, before);
        assert_eq!(late.state(), one.state());
        let again = other.publish(&events(head..head + 1)).await;
        assert_eq!((&again["first"], &again["duplicates"]), (&json!(head), &json!(1)), "identities came back too");
    }
    assert_eq!(one.publish(&[event("next")]).await["first"], 8_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_redis_is_another_epoch_and_old_offsets_are_never_served_under_it() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let old = one.publish(&events(0..100)).await["epoch"].as_str().unwrap().to_owned();
    other.reaches(99).await;
    redis.ask::<()>(&["FLUSHALL"]);
    // Both notice by themselves, and end as a drain does.
    one.ended().await;
    let again = Node::start(&redis).await;
    assert_ne!(again.log.epoch().as_str(), old);
    again.publish(&events(500..700)).await;
    other.ended().await;
    let other = Node::start(&redis).await;
    assert_eq!((other.log.epoch(), other.head()), (again.log.epoch(), Some(199)));
    let asked = reqwest::get(format!("{}/api/v1/events?after={old}:99", other.base)).await.unwrap();
    assert_eq!(asked.headers()["monkeytown-recovered"], "false");
    assert_eq!(other.ids().await, (500..700).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_meets_another_history_serves_nothing_of_it() {
    let redis = Redis::start();
    let node = Node::start(&redis).await;
    node.publish(&events(0..100)).await;
    // Emptied and longer than before by the time that the node looks again.
    let source = redis.client();
    let mut connection = source.get_connection().unwrap();
    let mut moved = redis::pipe();
    moved.atomic().cmd("HSET").arg(LOG).arg("epoch").arg("another-epoch").ignore();
    moved.query::<()>(&mut connection).unwrap();
    let head = node.head();
    let refused = node.try_publish(&[event("x")]).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(node.head(), head);
    node.ended().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_starts_lets_others_go_first_where_redis_is_young() {
    let redis = Redis::start();
    // It is older than the wait, and may have read its file for as long.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let patient = RedisPatience { settle: Duration::from_secs(10), ..patience() };
    let node = Node::with(&redis, ROOMY, patient).await;
    let begun = Instant::now();
    node.publish(&[event("first")]).await;
    let waited = begun.elapsed();
    assert!(waited > patient.settle / 2, "{waited:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_history_that_split_goes_on_under_another_epoch() {
    let mut redis = Redis::start();
    let one = Node::start(&redis).await;
    one.publish(&events(0..100)).await;
    let written = redis.written();
    let old = one.publish(&events(100..200)).await["epoch"].as_str().unwrap().to_owned();
    redis.kill();
    redis.forget(written);
    // Before the node that knows them comes back, others are written in their places.
    let path = redis.url();
    redis.run();
    let patient = RedisPatience { settle: Duration::ZERO, ..quick() };
    let hasty = Node::with(&redis, ROOMY, patient).await;
    let _ = hasty.try_publish(&events(300..310)).await;
    assert_eq!(path, redis.url());
    // Whoever was faster: offsets are one event's for ever, or the epoch is another.
    if hasty.log.epoch().as_str() == old && one.head() == Some(199) && hasty.head() >= Some(199) {
        println!("the node that knew them was faster");
        return;
    }
    one.ended().await;
    hasty.ended().await;
    let again = Node::start(&redis).await;
    assert_ne!(again.log.epoch().as_str(), old);
    assert_eq!(again.ids().await.len(), 110);
    assert_eq!(again.publish(&events(100..200)).await["first"], 110);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_comes_back_with_another_event_in_the_middle_is_another_epoch() {
    let mut redis = Redis::start();
    let node = Node::start(&redis).await;
    node.publish(&events(0..900)).await;
    let old = node.log.epoch().clone();
    // The entry of event 300: its id, then its fields.
    let entries: Vec<(String, Vec<Vec<u8>>)> = redis.ask(&["XRANGE", EVENTS, "301-0", "301-0"]);
    let place = entries[0].1.iter().position(|field| field == b"s").unwrap();
    let stamp = entries[0].1[place + 1].clone();
    redis.kill();
    redis.alter(&stamp, b"another!");
    redis.run();
    node.ended().await;
    let again = Node::start(&redis).await;
    assert_ne!(*again.log.epoch(), old);
    assert_eq!(again.head(), Some(899));
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_that_has_lost_more_than_a_ring_begins_another_epoch() {
    let mut redis = Redis::start();
    let small = RingBounds { max_events: 1_000, max_bytes: 1 << 30 };
    let node = Node::with(&redis, small, patience()).await;
    node.publish(&events(0..500)).await;
    let written = redis.written();
    for from in (500..5_000).step_by(500) {
        node.publish(&events(from..from + 500)).await;
    }
    let old = node.log.epoch().clone();
    redis.kill();
    redis.forget(written);
    redis.run();
    node.ended().await;
    let again = Node::with(&redis, small, patience()).await;
    assert_ne!(*again.log.epoch(), old);
    assert_eq!(again.publish(&[event("new")]).await["first"], 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_stays_away_or_has_no_room_is_told() {
    let mut redis = Redis::start();
    redis.kill();
    let hasty = RedisPatience { start: Duration::from_millis(200), ..patience() };
    let Err(error) = join(&redis, ROOMY, hasty).await else { panic!("there is no Redis") };
    assert!(error.to_string().starts_with("--redis redis+unix://"), "{error}");
    // One that comes while it is waited for is as good as one that was there.
    let (url, waiting) = (redis.url(), patience());
    let joining = tokio::task::spawn_blocking(move || {
        monkeytown_stream::Log::join(ROOMY, monkeytown_stream::Metrics::new(), &url, waiting).map(|_| ())
    });
    redis.run();
    joining.await.unwrap().unwrap();

    let node = Node::with(&redis, ROOMY, quick()).await;
    node.publish(&events(0..10)).await;
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = node.try_publish(&[event("x")]).await;
    assert_eq!(refused.status(), 503);
    for _ in 0..3 {
        // And stays so for as long as it is so, though Redis answers.
        let health = node.get("/health").await;
        assert!(health["checks"]["redis"]["message"].as_str().unwrap().contains("OOM"), "{health}");
        assert_eq!(node.try_publish(&[event("x")]).await.status(), 503);
    }
    assert_eq!(node.ids().await.len(), 10);
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]);
    until(async || node.try_publish(&[event("x")]).await.status() == 200).await;
    assert_eq!(node.head(), Some(10));
}
