//! Real faults of a real stream, until a pager or a channel hears of them. The durations of rules and routes are hurried
//! (`town::HURRIED`): five minutes are five seconds, an hour is eight.
//!
//! Not here: what only other exporters see (CpuHigh, MemoryHigh, DiskHigh, RedisMemoryHigh). promtool tests those.

use crate::{
    tools::Redis,
    town::{Pace, Town},
};
use axum::{Router, http::StatusCode, routing::get};
use futures_util::StreamExt;
use monkeytown_tests::{
    events::event,
    stream::{BATCHED, TOKEN, post},
    wait::PATIENCE,
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinSet,
};
use tokio_tungstenite::client_async;

#[tokio::test]
async fn a_stream_that_stops_pages() {
    let mut town = Town::start(Pace::Hurried, &["--simulate", "50"]).await;
    town.stream.take();
    let page = town.pager.told("EventStreamDown", "firing").await;
    assert_eq!(page.receiver, "critical-pager");
    assert_eq!((page.text("/labels/priority"), page.text("/labels/response_time")), ("P1", "15 minutes"));
    let link = "https://github.com/owner/name/blob/main/docs/runbook.md#eventstreamdown";
    assert_eq!(page.text("/annotations/runbook_url"), link);
    assert_eq!(page.text("/labels/runbook"), "", "the address of the runbook is no label");
}

#[tokio::test]
async fn requests_that_fail_are_told_once_and_by_one_name() {
    let town = Town::start(Pace::Hurried, &["--max-subscribers", "1"]).await;
    let _the_only_place = town.witness().await;
    let client = reqwest::Client::new();
    let told = async {
        tokio::select! {
            told = town.pager.told("HighErrorRate", "firing") => told,
            () = async { loop {
                let request = client.get(town.url("/api/v1/events")).header("accept", "text/event-stream");
                assert_eq!(request.timeout(PATIENCE).send().await.expect("an answer").status(), 503);
                tokio::time::sleep(Duration::from_millis(20)).await;
            } } => unreachable!("it asks for ever"),
        }
    };
    let told = told.await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("high-slack", "P2"));
    assert_eq!(
        told.text("/annotations/description"),
        format!("100% of the requests to {} are answered with an error.", told.text("/labels/instance"))
    );
    town.kept_back("RequestErrors").await;
    assert!(!town.pager.knows("RequestErrors"));
}

#[tokio::test]
async fn answers_that_are_late_are_told_once() {
    let town = Town::start(Pace::Hurried, &[]).await;
    let address = town.url("").replacen("http://", "", 1);
    let mut senders = JoinSet::new();
    for _ in 0..4 {
        let address = address.clone();
        senders.spawn(async move {
            loop {
                send_slowly(&address).await;
            }
        });
    }
    let told = town.pager.told("HighLatency", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("warning-slack", "P3"));
    town.kept_back("ResponseSlow").await;
    assert!(!town.pager.knows("ResponseSlow"));
}

/// A publisher whose body takes a second and a half to arrive: the latency is made by its end of the line.
async fn send_slowly(address: &str) {
    let mut line = TcpStream::connect(address).await.expect("the stream listens");
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: \
         application/cloudevents+json\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{{",
        TOKEN
    );
    line.write_all(head.as_bytes()).await.expect("it is taken");
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    line.write_all(b"}").await.expect("it is taken");
    let mut answer = String::new();
    line.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn agents_that_fail_and_fall_silent_are_told() {
    let town = Town::start(Pace::Hurried, &[]).await;
    town.run(1, "in_progress", None, 6).await;
    let page = town.pager.told("NoEvents", "firing").await;
    assert_eq!((page.receiver.as_str(), page.text("/labels/priority")), ("critical-pager", "P1"));

    town.finds("agent_runs_total{agent_type=\"build\"} == 0").await;
    town.run(1, "completed", Some("failure"), 6).await;
    let told = town.pager.told("AgentRunLong", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/agent_type")), ("warning-slack", "build"));
    let told = town.pager.told("AgentSuccessLow", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("high-slack", "P2"));
    town.pager.told("NoEvents", "resolved").await;

    let page = town.pager.told("NoAgentRuns", "firing").await;
    assert_eq!((page.receiver.as_str(), page.text("/labels/priority")), ("critical-pager", "P1"));
}

#[tokio::test]
async fn a_fleet_of_which_there_is_always_something_to_tell_hides_no_silence_of_agents() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a listener has an address");
    // Broken in another way each time.
    let asked = Arc::new(AtomicU16::new(0));
    let broken = move || {
        let status = StatusCode::from_u16(500 + asked.fetch_add(1, Ordering::Relaxed) % 5);
        async move { status.expect("a status") }
    };
    let serving = axum::serve(listener, Router::new().fallback(get(broken)));
    let serving = tokio::spawn(async move { serving.await.expect("the listener works") });
    let component = |number: u16| {
        let every = 1 + number % 7;
        format!("[[component]]\nid = \"c{number}\"\nprobe = \"http://{address}/\"\nevery_seconds = {every}\n")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("fleet.toml");
    let components: String = (0..100).map(component).collect();
    std::fs::write(&file, format!("name = \"f\"\n{components}")).expect("it is written");
    let town = Town::start(Pace::Hurried, &["--fleet", file.to_str().expect("a path that is text")]).await;
    town.run(1, "in_progress", None, 0).await;
    let page = town.pager.told("NoEvents", "firing").await;
    assert_eq!((page.receiver.as_str(), page.text("/labels/priority")), ("critical-pager", "P1"));
    town.finds("min_over_time((sum(increase(events_published_total[3s])))[10s:1s]) > 0").await;
    serving.abort();
}

#[tokio::test]
async fn a_redis_that_goes_away_is_told_and_that_it_is_back() {
    let mut redis = Redis::start();
    let town = Town::start(Pace::Hurried, &["--redis", &redis.url()]).await;
    town.finds("redis_away == 0").await;
    redis.stop();
    let told = town.pager.told("RedisAway", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("high-slack", "P2"));
    redis.start_again();
    town.pager.told("RedisAway", "resolved").await;
}

#[tokio::test]
async fn a_page_that_has_grown_is_told() {
    let site = tempfile::tempdir().expect("a folder");
    std::fs::write(site.path().join("index.html"), "<!doctype html>").expect("it is written");
    // Too large as it travels: the copy counts, and what it is a copy of does not.
    std::fs::write(site.path().join("page.wasm"), "x").expect("it is written");
    std::fs::write(site.path().join("page.wasm.gz"), vec![0; 250_000]).expect("it is written");
    let town = Town::start(Pace::Hurried, &["--site", site.path().to_str().expect("a path that is text")]).await;
    let told = town.pager.told("BundleSizeGrowing", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("warning-slack", "P3"));
}

#[tokio::test]
async fn witnesses_who_are_few_or_leave_are_told() {
    let town = Town::start(Pace::Hurried, &[]).await;
    let told = town.pager.told("LowWitnessCount", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("warning-slack", "P3"));

    let mut witnesses = Vec::new();
    for _ in 0..6 {
        witnesses.push(town.witness().await);
    }
    town.pager.told("LowWitnessCount", "resolved").await;
    // "Ten minutes ago" they were there.
    town.finds("ws_connections_active offset 10s >= 6").await;
    drop(witnesses);
    let told = town.pager.told("WitnessesDropped", "firing").await;
    assert_eq!((told.receiver.as_str(), told.text("/labels/priority")), ("high-slack", "P2"));
}

#[tokio::test]
async fn events_that_reach_a_witness_late_are_told_by_the_graver_of_two_severities() {
    let town = Town::start(Pace::Hurried, &[]).await;
    // More megabytes a second than a witness on a slow line takes, who has room for little: soon frames wait for frames.
    let line = TcpSocket::new_v4().expect("a socket");
    line.set_recv_buffer_size(64 << 10).expect("a size");
    let address = town.url("").replacen("http://", "", 1).parse().expect("an address");
    let line = line.connect(address).await.expect("the stream listens");
    let (mut witness, _) = client_async(town.subscription(), line).await.expect("the stream has a place");
    let mut others = JoinSet::new();
    others.spawn(async move {
        while let Some(Ok(_)) = witness.next().await {
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    });
    let (url, text) = (town.url("/api/v1/events"), "x".repeat(15_000));
    others.spawn(async move {
        for batch in 0.. {
            let large = |number| event(&format!("{batch}/{number}"), "town.tests.large", &json!({ "text": text }));
            let (status, answer) = post(&url, BATCHED, &Value::from_iter((0..30).map(large))).await;
            assert_eq!(status, 200, "{answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let told = town.pager.told_to("high-slack", "EventLatencyHigh").await;
    assert_eq!(told.text("/labels/priority"), "P2");
    town.kept_back("EventLatencyHigh").await;
}
