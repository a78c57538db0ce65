//! The files themselves: every alert that was asked for, tested, explained and routed. promtool and amtool read them.

use crate::{
    queries,
    tools::{Serving, amtool, deploy, promtool, text},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs, path::Path};

const RULES: &str = "prometheus/rules/monkeytown.yml";
const ROUTES: &str = "alertmanager/alertmanager.yml";

/// Alert, severity, seconds that it must hold, and how its expression ends.
const TABLE: [(&str, &str, f64, &str); 24] = [
    ("EventStreamDown", "critical", 300.0, "up{job=\"event-stream\"} == 0 or absent(up{job=\"event-stream\"})"),
    ("NoEvents", "critical", 300.0, "agent_runs_active) > 0"),
    ("EventLatencyHigh", "warning", 600.0, "> 0.5"),
    ("EventLatencyHigh", "high", 600.0, "> 1"),
    ("HighErrorRate", "high", 300.0, "> 0.05"),
    ("RequestErrors", "warning", 300.0, "> 0.01"),
    ("RequestErrors", "high", 300.0, "> 0.05"),
    ("HighLatency", "warning", 600.0, "> 1"),
    ("ResponseSlow", "warning", 600.0, "> 0.5"),
    ("NoAgentRuns", "critical", 25_200.0, "[1w])) > 0"),
    ("AgentSuccessLow", "high", 3_600.0, "< 0.95"),
    ("AgentRunLong", "warning", 0.0, "increase(agent_runs_total[5h]) == 0"),
    ("LowWitnessCount", "warning", 3_600.0, "< 5"),
    ("WitnessesDropped", "high", 300.0, "offset 10m) >= 5"),
    ("BundleSizeGrowing", "warning", 3_600.0, "bundle_size_bytes > 250000"),
    ("RenderSlow", "warning", 600.0, "> 0.1"),
    ("CpuHigh", "warning", 600.0, "> 0.7"),
    ("CpuHigh", "critical", 600.0, "> 0.9"),
    ("MemoryHigh", "warning", 600.0, "> 0.8"),
    ("MemoryHigh", "critical", 600.0, "> 0.95"),
    ("DiskHigh", "warning", 600.0, "> 0.7"),
    ("DiskHigh", "critical", 600.0, "> 0.85"),
    ("RedisAway", "high", 300.0, "redis_away == 1"),
    ("RedisMemoryHigh", "warning", 600.0, "> 0.8"),
];

/// Severity, priority, the time to answer within, and who hears of it.
const SEVERITIES: [(&str, &str, &str, &str); 3] = [
    ("critical", "P1", "15 minutes", "critical-pager"),
    ("high", "P2", "1 hour", "high-slack"),
    ("warning", "P3", "24 hours", "warning-slack"),
];

fn alerts() -> BTreeSet<&'static str> {
    TABLE.iter().map(|(name, ..)| *name).collect()
}

/// The deployed rules as Prometheus understands them.
async fn rules() -> Vec<Value> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = format!("rule_files: [{:?}]\n", deploy().join(RULES).canonicalize().expect("the rules"));
    let labels = "global: {external_labels: {runbook: RUNBOOK}}\n";
    fs::write(folder.path().join("prometheus.yml"), format!("{labels}{config}")).expect("it is written");
    Serving::prometheus(folder.path()).rules().await
}

fn field<'a>(rule: &'a Value, pointer: &str) -> &'a str {
    rule.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {rule}"))
}

#[test]
fn promtool_finds_nothing_wrong_with_the_configuration_and_the_rules() {
    promtool(&["check", "config", "prometheus/prometheus.yml"]);
    promtool(&["check", "rules", "--lint-fatal", RULES]);
}

#[test]
fn every_alert_fires_and_keeps_silent_as_its_tests_say() {
    let files = fs::read_dir(deploy().join("prometheus/tests")).expect("the tests of the rules");
    let mut paths: Vec<_> = files.map(|file| file.expect("a file").path().canonicalize().expect("a path")).collect();
    paths.sort();
    let (mut fires, mut keeps_silent) = (BTreeSet::new(), BTreeSet::new());
    for path in &paths {
        promtool(&["test", "rules", path.to_str().expect("a path that is text")]);
        let text = fs::read_to_string(path).expect("text");
        for case in text.split("      - alertname: ").skip(1) {
            let (name, rest) = case.split_once('\n').expect("more than a name");
            let silent = rest.lines().any(|line| line.trim() == "exp_alerts: []");
            if silent {
                keeps_silent.insert(name.to_owned())
            } else {
                fires.insert(name.to_owned())
            };
        }
    }
    let all: BTreeSet<_> = alerts().into_iter().map(str::to_owned).collect();
    assert_eq!(fires, all);
    assert_eq!(keeps_silent, all);
}

#[tokio::test]
async fn every_alert_that_was_asked_for_is_there_with_its_time_severity_and_threshold() {
    let rules = rules().await;
    let mut found: Vec<_> = rules
        .iter()
        .map(|rule| {
            let name = (field(rule, "/name"), field(rule, "/labels/severity"));
            let seconds = rule.pointer("/duration").and_then(Value::as_f64).expect("a duration");
            let expected = TABLE.iter().find(|row| (row.0, row.1) == name);
            let ending = expected.unwrap_or_else(|| panic!("nobody asked for {name:?}")).3;
            let query = field(rule, "/query");
            assert!(query.ends_with(ending), "{name:?}: {query}");
            (name.0, name.1, seconds)
        })
        .collect();
    let mut asked: Vec<_> = TABLE.iter().map(|(name, severity, seconds, _)| (*name, *severity, *seconds)).collect();
    found.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    asked.sort_by(|a, b| a.partial_cmp(b).expect("numbers"));
    assert_eq!(found, asked);
}

#[tokio::test]
async fn every_alert_says_within_which_time_it_is_answered_and_leads_to_its_section_of_the_runbook() {
    let runbook = text("docs/runbook.md");
    let (_, sections) = runbook.split_once("\n## Alerts\n").expect("a part on alerts");
    let sections = sections.split_once("\n## ").map_or(sections, |(alerts, _)| alerts);
    let mut explained = BTreeSet::new();
    for section in sections.split("\n### ").skip(1) {
        let (name, rest) = section.split_once('\n').expect("more than a heading");
        for part in ["**Means**", "**Look here**", "**Do this**"] {
            assert!(rest.contains(part), "{name} has no {part}");
        }
        explained.insert(name);
    }
    assert_eq!(explained, alerts());
    for rule in rules().await {
        let name = field(&rule, "/name");
        assert_eq!(
            field(&rule, "/annotations/runbook_url"),
            format!("{{{{ $externalLabels.runbook }}}}#{}", name.to_lowercase()),
        );
        let severity = field(&rule, "/labels/severity");
        let row = SEVERITIES.iter().find(|row| row.0 == severity).expect("a severity");
        assert_eq!((field(&rule, "/labels/priority"), field(&rule, "/labels/response_time")), (row.1, row.2), "{name}");
        assert!(
            !field(&rule, "/annotations/summary").is_empty() && !field(&rule, "/annotations/description").is_empty()
        );
    }
}

#[test]
fn links_within_the_runbook_lead_somewhere() {
    let runbook = text("docs/runbook.md");
    let headings = runbook.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' '));
    let anchors: BTreeSet<_> = headings.map(|heading| heading.to_lowercase().replace(' ', "-")).collect();
    let links: Vec<_> =
        runbook.split("](#").skip(1).filter_map(|rest| rest.split_once(')')).map(|(link, _)| link).collect();
    assert!(links.len() > 5, "{links:?}");
    for link in links {
        assert!(anchors.contains(link), "{link}");
    }
}

#[test]
fn each_severity_goes_to_its_own_people_and_what_has_none_to_the_first() {
    amtool(&["check-config", ROUTES]);
    let config = format!("--config.file={ROUTES}");
    let goes_to = |severity: &str| amtool(&["config", "routes", "test", &config, severity]).trim().to_owned();
    for (severity, _, _, receiver) in SEVERITIES {
        assert_eq!(goes_to(&format!("severity={severity}")), receiver);
    }
    assert_eq!(goes_to("severity=low"), "default");
    assert_eq!(goes_to("alertname=Another"), "default");
    let routes = text(&format!("deploy/{ROUTES}"));
    for line in ["group_by: [alertname, severity]", "group_wait: 30s", "group_interval: 5m", "repeat_interval: 4h"] {
        assert_eq!(routes.matches(&format!("\n  {line}\n")).count(), 1, "{line}");
    }
}

#[test]
fn no_secret_stands_in_what_is_deployed() {
    for folder in ["alertmanager", "prometheus", "fluent-bit", "grafana/provisioning/datasources", "tracing"] {
        for file in fs::read_dir(deploy().join(folder)).expect("a folder") {
            let path = file.expect("a file").path();
            let Some(text) = read(&path) else { continue };
            for word in ["api_url:", "routing_key:", "service_key:", "password", "bearer_token:", "hooks.slack.com"] {
                assert!(!text.contains(word), "{}: {word}", path.display());
            }
        }
    }
}

fn read(path: &Path) -> Option<String> {
    path.is_file().then(|| fs::read_to_string(path).expect("text"))
}

/// Every metric that a rule names.
pub(crate) async fn named() -> BTreeSet<String> {
    rules().await.iter().flat_map(|rule| queries::metrics(field(rule, "/query"))).collect()
}
