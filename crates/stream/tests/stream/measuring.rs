//! What runs say that they wrote and asked is measured, once, and is part of no state.

use crate::harness::{BATCHED, Stream, soon};
use serde_json::{Value, json};

fn figures(id: &str, agent: &str, metrics: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/agents/a", "type": "monkeytown.entity.metrics_updated",
        "data": {"id": agent, "metrics": metrics}})
}

async fn measured(stream: &Stream, agent: &str) -> (f64, f64, f64) {
    let of = |name: &str| format!("{name}{{agent_type=\"{agent}\"}}");
    (
        stream.metric(&of("agent_outputs_size_bytes_count")).await,
        stream.metric(&of("agent_outputs_size_bytes_sum")).await,
        stream.metric(&of("agent_api_calls_total")).await,
    )
}

#[tokio::test]
async fn a_runs_figures_are_measured_once() {
    let stream = Stream::start().await;
    let first = figures("1", "a", &json!({"output_bytes": 48_000, "api_calls": 37}));
    stream.publish(std::slice::from_ref(&first)).await;
    assert_eq!(measured(&stream, "a").await, (1.0, 48_000.0, 37.0));
    // Sent again as it was, and beside one that is new.
    stream.publish(std::slice::from_ref(&first)).await;
    let second = figures("2", "a", &json!({"output_bytes": 2_000, "load": 0.5}));
    stream.publish(&[second, first]).await;
    assert_eq!(measured(&stream, "a").await, (2.0, 50_000.0, 37.0));
    stream.publish(&[figures("3", "a", &json!({"load": 0.25})), figures("4", "a", &json!(null))]).await;
    assert_eq!(measured(&stream, "a").await, (2.0, 50_000.0, 37.0));
    // Twice in one request.
    let third = figures("5", "a", &json!({"output_bytes": 1_000, "api_calls": 3}));
    stream.publish(&[third.clone(), third]).await;
    assert_eq!(measured(&stream, "a").await, (3.0, 51_000.0, 40.0));
}

#[tokio::test]
async fn a_runs_figures_are_kept_as_they_came_and_change_no_state() {
    let stream = Stream::start().await;
    let metrics = json!({"load": 0.5, "output_bytes": u64::MAX, "api_calls": u32::MAX});
    stream.publish(&[figures("1", "a", &metrics)]).await;
    let told: Value = stream.get("/api/v1/events?after=earliest").await.json().await.unwrap();
    assert_eq!(told[0]["data"]["metrics"], metrics);
    let snapshot: Value = stream.get("/api/v1/snapshot").await.json().await.unwrap();
    assert!(snapshot.to_string().contains("\"load\":0.5"), "{snapshot}");
    assert!(!snapshot.to_string().contains("output_bytes"), "{snapshot}");
    // What nobody can have written does not hide what others have.
    let sum = measured(&stream, "a").await.1;
    assert!(sum < 2e12, "{sum}");
}

#[tokio::test]
async fn figures_that_are_no_counts_are_refused_with_their_place() {
    let stream = Stream::start().await;
    for wrong in [json!(-1), json!(1.5), json!("12"), json!([]), json!(true), json!(1e30)] {
        for name in ["output_bytes", "api_calls"] {
            let sound = figures("sound", "a", &json!({"output_bytes": 1}));
            let batch = json!([sound, figures("wrong", "a", &json!({name: wrong}))]);
            let answer = soon(stream.post(BATCHED, batch.to_string()).send()).await.unwrap();
            assert_eq!(answer.status(), 422, "{name} {wrong}");
            let problem: Value = answer.json().await.unwrap();
            assert_eq!(problem["pointer"], format!("/1/data/metrics/{name}"), "{wrong}: {problem}");
        }
    }
    assert_eq!(stream.log.head(), None);
    assert!(!stream.get("/metrics").await.text().await.unwrap().contains("agent_type=\"a\""));
}

#[tokio::test]
async fn agents_without_end_make_a_bounded_number_of_series() {
    let stream = Stream::start().await;
    let events: Vec<Value> =
        (0..100).map(|n| figures(&n.to_string(), &format!("made up {n}"), &json!({"output_bytes": 1}))).collect();
    stream.publish(&events).await;
    let text = stream.get("/metrics").await.text().await.unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("agent_outputs_size_bytes_count{")).count(), 65);
    assert_eq!(measured(&stream, "other").await, (36.0, 36.0, 0.0));
    // Labels of agents whose runs are told of are none of those.
    assert!(!text.contains("agent_runs_total{agent_type=\"made up 1\"}"), "{text}");
}
