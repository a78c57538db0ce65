//! A real Prometheus scrapes a real stream under simulated load: what rules and dashboards name is there.

use crate::{
    dashboards, files, queries,
    town::{Pace, Town},
};
use monkeytown_tests::wait::PATIENCE;
use serde_json::Value;
use std::collections::BTreeSet;

/// The metrics that the stream was asked to have, with their types.
const ASKED: [(&str, &str); 26] = [
    ("events_published_total", "counter"),
    ("events_published_rate", "gauge"),
    ("ws_connections_active", "gauge"),
    ("ws_connections_total", "counter"),
    ("event_latency_seconds", "histogram"),
    ("subscriber_count", "gauge"),
    ("buffer_size", "gauge"),
    ("events_rejected_total", "counter"),
    ("subscribers_evicted_total", "counter"),
    ("resume_total", "counter"),
    ("http_requests_total", "counter"),
    ("http_request_duration_seconds", "histogram"),
    ("http_request_errors_total", "counter"),
    ("agent_runs_total", "counter"),
    ("agent_runs_success", "counter"),
    ("agent_run_duration_seconds", "histogram"),
    ("workflow_failures_total", "counter"),
    ("agent_runs_active", "gauge"),
    ("agent_outputs_size_bytes", "histogram"),
    ("agent_api_calls_total", "counter"),
    ("webhook_deliveries_total", "counter"),
    ("subscribers_refused_total", "counter"),
    ("bundle_size_bytes", "gauge"),
    ("render_duration_seconds", "histogram"),
    ("origin_events_total", "counter"),
    ("redis_away", "gauge"),
];
/// What Prometheus makes itself.
const OWN: [&str; 2] = ["up", "ALERTS"];
/// What node_exporter has, under these names since its version 0.16.
const NODE: [&str; 5] = [
    "node_cpu_seconds_total",
    "node_memory_MemAvailable_bytes",
    "node_memory_MemTotal_bytes",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
];
/// What redis_exporter has.
const REDIS: [&str; 2] = ["redis_memory_used_bytes", "redis_memory_max_bytes"];

/// The types of all that the stream gives, by name, as Prometheus understood them.
async fn scraped(town: &Town) -> Value {
    let answer = town.prometheus.get("/api/v1/metadata", &[]).await;
    answer.get("data").expect("data").clone()
}

#[tokio::test]
async fn every_metric_that_was_asked_for_is_scraped_with_its_type() {
    let town = Town::start(Pace::Deployed, &["--simulate", "50"]).await;
    let scraped = scraped(&town).await;
    for (name, kind) in ASKED {
        let found = scraped.pointer(&format!("/{name}/0/type")).and_then(Value::as_str);
        assert_eq!(found, Some(kind), "{name}");
        let sample = if kind == "histogram" { format!("{name}_bucket") } else { name.to_owned() };
        assert!(!town.prometheus.query(&sample).await.is_empty(), "{name} has no series");
    }
}

#[tokio::test]
async fn every_metric_that_a_rule_or_a_dashboard_names_is_the_streams_or_another_exporters() {
    let town = Town::start(Pace::Deployed, &["--simulate", "50"]).await;
    let scraped = scraped(&town).await;
    let mut named = files::named().await;
    named.extend(dashboards::panels().iter().flat_map(dashboards::Panel::queries).flat_map(queries::metrics));
    assert!(named.len() > 20, "{named:?}");
    let others: BTreeSet<_> = OWN.iter().chain(&NODE).chain(&REDIS).collect();
    for name in &named {
        let is_streams = scraped.get(name).or(scraped.get(queries::family(name))).is_some();
        assert!(is_streams || others.contains(&name.as_str()), "nothing has the metric {name}");
    }
    for name in others {
        assert!(named.contains(*name), "{name} is listed, and nothing names it");
    }
}

#[tokio::test]
async fn every_query_of_the_dashboards_finds_figures() {
    let town = Town::start(Pace::Deployed, &["--simulate", "50"]).await;
    // Increases are of what changes between two scrapes, so the agent must have been seen before its runs end.
    let _witness = town.witness().await;
    for number in [1, 2, 3] {
        town.run(number, "in_progress", None, 0).await;
    }
    town.finds("agent_runs_active{agent_type=\"build\"} == 3").await;
    town.run(1, "completed", Some("success"), 0).await;
    town.run(2, "completed", Some("failure"), 1).await;
    let snapshot = reqwest::Client::new().get(town.url("/api/v1/snapshot")).timeout(PATIENCE).send().await;
    assert_eq!(snapshot.expect("an answer").status(), 200);
    town.finds("agent_runs_total{agent_type=\"build\"} == 2").await;
    let panels = dashboards::panels();
    assert!(panels.len() > 20);
    for panel in &panels {
        for query in panel.queries() {
            town.finds(query).await;
        }
    }
}
