//! Figures, printed when `REDIS_MEASURE` is set: how fast one node appends through Redis, how late another serves, and how
//! long a script keeps Redis from others. Otherwise a little of the same, which holds that nothing is lost on the way.

use crate::{
    node::{Node, ROOMY, event, publish, soon},
    server::Redis,
};
use monkeytown_stream::RedisPatience;
use serde_json::Value;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

fn measuring() -> bool {
    std::env::var_os("REDIS_MEASURE").is_some()
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let last = sorted.len().saturating_sub(1);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a rank")]
    let rank = (last as f64 * share).round() as usize;
    sorted.get(rank).copied().unwrap_or_default()
}

/// An event of 200 bytes that says when it was made, in microseconds.
fn stamped(id: &str, micros: u128) -> Value {
    serde_json::json!({
        "specversion": "1.0", "id": id, "source": "/agents/a", "type": "org.example.measured",
        "time": "2026-01-18T12:00:00.000Z", "data": {"at": micros.to_string(), "fill": "x".repeat(40)},
    })
}

/// Longest time that a command waited in Redis since it was last asked, in milliseconds, as its own slow log has it.
fn slowest(redis: &Redis) -> f64 {
    let entries: Vec<redis::Value> = redis.ask(&["SLOWLOG", "GET", "-1"]);
    let micros = entries.into_iter().filter_map(|entry| match entry {
        redis::Value::Array(parts) => match parts.get(2) {
            Some(redis::Value::Int(micros)) => Some(*micros),
            _ => None,
        },
        _ => None,
    });
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let millis = micros.max().unwrap_or_default() as f64 / 1_000.0;
    redis.ask::<()>(&["SLOWLOG", "RESET"]);
    millis
}

#[tokio::test(flavor = "multi_thread")]
async fn one_node_appends_and_another_serves() {
    let full = measuring();
    let redis = Redis::with(&["--appendonly", "yes", "--appendfsync", "everysec", "--slowlog-log-slower-than", "100"]);
    // As a process is told, but that nobody is refused where the machine is busy.
    let told = RedisPatience { append: Duration::from_secs(60), ..RedisPatience::default() };
    let (one, other) = (Node::with(&redis, ROOMY, told).await, Node::with(&redis, ROOMY, told).await);

    // As much as goes in: eight publishers, 500 events a request.
    let each: u64 = if full { 40 } else { 2 };
    let begun = Instant::now();
    let mut publishing = tokio::task::JoinSet::new();
    for publisher in 0..8 {
        let base = one.base.clone();
        publishing.spawn(async move {
            let client = reqwest::Client::new();
            for round in 0..each {
                let batch: Vec<Value> =
                    (0..500).map(|part| stamped(&format!("{publisher}-{round}-{part}"), 0)).collect();
                assert_eq!(publish(&client, &base, &batch).await.unwrap().status(), 200);
            }
        });
    }
    while let Some(done) = soon(publishing.join_next()).await {
        done.unwrap();
    }
    let events = each * 8 * 500;
    let took = begun.elapsed().as_secs_f64();
    other.reaches(events - 1).await;
    assert_eq!(other.head(), Some(events - 1));
    let there = begun.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "a rate")]
    let rate = events as f64 / took;
    println!("{events} events in {took:.2} s, {rate:.0} a second; all of them on another node after {there:.2} s");
    println!("  longest script: {:.1} ms", slowest(&redis));

    // The largest request.
    let batch: Vec<Value> = (0..10_000).map(|part| event(&format!("large-{part}"))).collect();
    let begun = Instant::now();
    one.publish(&batch).await;
    let took = begun.elapsed().as_secs_f64() * 1_000.0;
    println!("10,000 events in one request: {took:.0} ms; longest script: {:.1} ms", slowest(&redis));

    for rate in if full { vec![2_000_u64, 10_000] } else { vec![500] } {
        latency(&redis, &one, &other, rate, if full { 5 } else { 1 }).await;
    }
}

/// Publishes so many events a second, 50 times a second, and reads them from both nodes.
async fn latency(redis: &Redis, one: &Node, other: &Node, rate: u64, seconds: u64) {
    let began = Arc::new(Instant::now());
    let total = rate * seconds;
    let first = one.head().unwrap() + 1;
    let epoch = one.log.epoch().as_str().to_owned();
    let mut readers = Vec::new();
    for node in [one, other] {
        let (base, began, epoch) = (node.base.clone(), began.clone(), epoch.clone());
        readers.push(tokio::spawn(async move {
            let client = reqwest::Client::new();
            let url = format!("{base}/api/v1/events?after={epoch}:{}&types=org.example.measured", first - 1);
            let request = client.get(url).header("accept", "text/event-stream");
            let mut answer = request.send().await.unwrap();
            let (mut left, mut late) = (Vec::new(), Vec::new());
            while (late.len() as u64) < total {
                left.extend_from_slice(&answer.chunk().await.unwrap().unwrap());
                let now = began.elapsed().as_micros();
                let text = String::from_utf8_lossy(&left).into_owned();
                let whole = text.rfind("\n\n").map_or(0, |end| end + 2);
                for found in text.split_at(whole).0.split("\"at\":\"").skip(1) {
                    let at: u128 = found.split('"').next().unwrap().parse().unwrap();
                    late.push(f64::from(u32::try_from(now.saturating_sub(at)).unwrap_or(u32::MAX)) / 1_000.0);
                }
                left = text.split_at(whole).1.as_bytes().to_vec();
            }
            late.sort_by(f64::total_cmp);
            late
        }));
    }
    let client = Arc::new(reqwest::Client::new());
    let mut publishing = tokio::task::JoinSet::new();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    for round in 0..seconds * 50 {
        tick.tick().await;
        let (client, base, began) = (client.clone(), one.base.clone(), began.clone());
        publishing.spawn(async move {
            let now = began.elapsed().as_micros();
            let batch: Vec<Value> =
                (0..rate / 50).map(|part| stamped(&format!("{rate}-{round}-{part}"), now)).collect();
            assert_eq!(publish(&client, &base, &batch).await.unwrap().status(), 200);
        });
    }
    while let Some(done) = soon(publishing.join_next()).await {
        done.unwrap();
    }
    for (reader, which) in readers.into_iter().zip(["the node published to", "the other node"]) {
        let late = soon(reader).await.unwrap();
        assert_eq!(late.len() as u64, total);
        let (half, most, all) = (percentile(&late, 0.5), percentile(&late, 0.99), percentile(&late, 1.0));
        println!("{rate} a second, {which}: p50 {half:.1} ms, p99 {most:.1} ms, longest {all:.1} ms");
    }
    println!("  longest script: {:.1} ms", slowest(redis));
}
