//! What an operator and Prometheus see.

use crate::harness::{ROOMY, STRUCTURED, Stream, TOKEN, event, events, soon, with_token};
use monkeytown_protocol::Timestamp;
use monkeytown_stream::{Options, RingBounds, Timing};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn health_names_what_there_is_and_nothing_else() {
    let stream = Stream::start().await;
    let answer = stream.get("/health").await;
    assert_eq!(answer.status(), 200);
    let health: Value = answer.json().await.unwrap();
    assert_eq!(health["status"], "healthy");
    assert!(health["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok());
    assert_eq!(health["version"], env!("CARGO_PKG_VERSION"));
    let checks = health["checks"].as_object().unwrap();
    assert_eq!(checks.keys().collect::<Vec<_>>(), ["event_buffer", "ws_connections"]);
    for check in checks.values() {
        assert_eq!(check["status"], "ok");
        assert!(check["latency_ms"].is_number() && check["message"].is_string());
    }
    let ready = stream.get("/ready").await;
    assert_eq!(
        (ready.status().as_u16(), ready.json::<Value>().await.unwrap()),
        (200, json!({"ready": true, "status": "ready"}))
    );
    let version: Value = stream.get("/version").await.json().await.unwrap();
    assert_eq!(version.as_object().unwrap().keys().collect::<Vec<_>>(), ["built", "commit", "version"]);
}

#[tokio::test]
async fn a_full_ring_degrades_but_does_not_take_the_server_down() {
    let stream = Stream::with(RingBounds { max_events: 3, ..ROOMY }, with_token()).await;
    stream.publish(&events(0..4)).await;
    let answer = stream.get("/health").await;
    assert_eq!(answer.status(), 200);
    let health: Value = answer.json().await.unwrap();
    assert_eq!(
        (&health["status"], &health["checks"]["event_buffer"]["status"]),
        (&json!("degraded"), &json!("warning"))
    );
    assert_eq!(stream.metric("buffer_size").await, 1.0);
}

#[tokio::test]
async fn every_metric_is_there_from_the_start_at_zero() {
    let stream = Stream::start().await;
    let answer = stream.get("/metrics").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let text = answer.text().await.unwrap();
    for (name, kind) in [
        ("events_published_total", "counter"),
        ("events_published_rate", "gauge"),
        ("ws_connections_active", "gauge"),
        ("ws_connections_total", "counter"),
        ("event_latency_seconds", "histogram"),
        ("subscriber_count", "gauge"),
        ("buffer_size", "gauge"),
        ("journal_commit_seconds", "histogram"),
        ("journal_failures_total", "counter"),
        ("journal_size_bytes", "gauge"),
        ("redis_append_seconds", "histogram"),
        ("redis_failures_total", "counter"),
        ("redis_away", "gauge"),
        ("bundle_size_bytes", "gauge"),
        ("origin_events_total", "counter"),
        ("render_duration_seconds", "histogram"),
        ("events_rejected_total", "counter"),
        ("subscribers_evicted_total", "counter"),
        ("subscribers_refused_total", "counter"),
        ("connections_refused_total", "counter"),
        ("resume_total", "counter"),
        ("http_requests_total", "counter"),
        ("http_request_duration_seconds", "histogram"),
        ("http_request_errors_total", "counter"),
        ("agent_runs_total", "counter"),
        ("agent_runs_success", "counter"),
        ("agent_run_duration_seconds", "histogram"),
        ("workflow_failures_total", "counter"),
        ("agent_runs_active", "gauge"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} {kind}");
        let samples: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
        assert!(!samples.is_empty(), "{name}");
        for sample in samples {
            assert!(sample.ends_with(" 0"), "{sample}");
        }
    }
}

#[tokio::test]
async fn what_happens_is_counted() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("?after=latest").await;
    subscriber.replay_from_hello().await;
    stream.publish(&[event("1")]).await;
    subscriber.next().await.unwrap();
    assert_eq!(stream.metric("events_published_total").await, 1.0);
    assert_eq!(stream.metric("origin_events_total{origin=\"publisher\"}").await, 1.0);
    // Known already: it came once.
    stream.publish(&[event("1")]).await;
    assert_eq!(stream.metric("origin_events_total{origin=\"publisher\"}").await, 1.0);
    assert!(stream.metric("events_published_rate").await > 0.0);
    assert_eq!(stream.metric("ws_connections_active").await, 1.0);
    assert_eq!(stream.metric("ws_connections_total").await, 1.0);
    assert_eq!(stream.metric("subscriber_count").await, 1.0);
    assert!(stream.metric("buffer_size").await > 0.0);
    assert_eq!(stream.metric("http_requests_total{route=\"/ws\",status=\"101\"}").await, 1.0);
    // Counted once the frame is written, which may be a moment after it is read.
    while stream.metric("event_latency_seconds_count").await < 1.0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_connection_that_never_finishes_its_request_is_closed() {
    let timing = Timing { header_read: Duration::from_millis(100), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    for said in ["G", "GET /health HT", "GET /health HTTP/1.1\r\nhost: x\r\n"] {
        let mut connection = TcpStream::connect(stream.address).await.unwrap();
        connection.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        soon(connection.read_to_end(&mut answer)).await.unwrap();
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{said:?}");
    }
}

#[tokio::test]
async fn a_body_that_never_comes_is_given_up() {
    let timing = Timing { body_read: Duration::from_millis(100), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let head = format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {TOKEN}\r\n\
         content-type: {STRUCTURED}\r\ncontent-length: 100\r\n\r\n{{"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    soon(connection.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
