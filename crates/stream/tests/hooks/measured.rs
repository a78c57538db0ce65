//! What an operator sees of agents' runs.

use crate::support::{Stream, changed, payload};
use serde_json::{Value, json};

fn run(id: u64, name: &str, action: &str, conclusion: Option<&str>) -> Value {
    changed(
        payload("workflow_run.completed"),
        &[
            ("/action", json!(action)),
            ("/workflow_run/id", json!(id)),
            ("/workflow_run/name", json!(name)),
            ("/workflow_run/conclusion", json!(conclusion)),
            ("/workflow_run/run_started_at", json!("2021-12-16T19:37:22Z")),
            ("/workflow_run/updated_at", json!("2021-12-16T19:39:22Z")),
        ],
    )
}

#[tokio::test]
async fn every_metric_of_agents_is_there_from_the_start_at_zero() {
    let stream = Stream::start().await;
    let text = stream.get("/metrics").await.text().await.unwrap();
    for (name, kind) in [
        ("agent_runs_total", "counter"),
        ("agent_runs_success", "counter"),
        ("agent_run_duration_seconds", "histogram"),
        ("workflow_failures_total", "counter"),
        ("agent_runs_active", "gauge"),
        ("agent_outputs_size_bytes", "histogram"),
        ("agent_api_calls_total", "counter"),
        ("webhook_deliveries_total", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} {kind}");
        let samples: Vec<&str> = text.lines().filter(|line| line.starts_with(name)).collect();
        assert!(!samples.is_empty() && samples.iter().all(|sample| sample.ends_with(" 0")), "{samples:?}");
    }
}

#[tokio::test]
async fn runs_are_counted_by_agent() {
    let stream = Stream::start().await;
    let metric = async |name: &str| stream.metric(&format!("{name}{{agent_type=\"build\"}}")).await;
    stream.deliver("workflow_run", &run(1, "build", "requested", None)).await;
    stream.deliver("workflow_run", &run(2, "build", "in_progress", None)).await;
    assert_eq!((metric("agent_runs_active").await, metric("agent_runs_total").await), (2.0, 0.0));
    stream.deliver("workflow_run", &run(1, "build", "completed", Some("success"))).await;
    stream.deliver("workflow_run", &run(2, "build", "completed", Some("failure"))).await;
    stream.deliver("workflow_run", &run(3, "build", "completed", Some("timed_out"))).await;
    stream.take("workflow_run", &run(4, "build", "completed", Some("skipped"))).await;
    assert_eq!(metric("agent_runs_active").await, 0.0);
    assert_eq!(metric("agent_runs_total").await, 3.0);
    assert_eq!(metric("agent_runs_success").await, 1.0);
    assert_eq!(metric("workflow_failures_total").await, 2.0);
    assert_eq!(metric("agent_run_duration_seconds_count").await, 3.0);
    assert_eq!(metric("agent_run_duration_seconds_sum").await, 360.0);
}

#[tokio::test]
async fn workflows_without_end_make_a_bounded_number_of_series() {
    let stream = Stream::start().await;
    for number in 0..100 {
        stream.deliver("workflow_run", &run(number, &format!("made up {number}"), "requested", None)).await;
    }
    let text = stream.get("/metrics").await.text().await.unwrap();
    assert_eq!(text.lines().filter(|line| line.starts_with("agent_runs_active{")).count(), 65);
    assert_eq!(stream.metric("agent_runs_active{agent_type=\"other\"}").await, 36.0);
}
