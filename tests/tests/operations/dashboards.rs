//! The dashboards as files: what Grafana needs to show them, and that a person can read them. There is no Grafana here
//! to load them.

use crate::tools::{deploy, text};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// Kinds of panels that Grafana has.
const KINDS: [&str; 5] = ["stat", "gauge", "timeseries", "table", "heatmap"];
/// The width of a dashboard.
const COLUMNS: u64 = 24;

/// A panel, and the dashboard that it is on.
pub(crate) struct Panel {
    pub(crate) board: String,
    pub(crate) panel: Value,
}

impl Panel {
    pub(crate) fn title(&self) -> &str {
        words(&self.panel, "/title")
    }

    /// What it asks Prometheus.
    pub(crate) fn queries(&self) -> Vec<&str> {
        let targets = self.panel.pointer("/targets").and_then(Value::as_array).expect("targets");
        targets.iter().map(|target| words(target, "/expr")).collect()
    }
}

fn words<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

fn number(value: &Value, pointer: &str) -> u64 {
    value.pointer(pointer).and_then(Value::as_u64).unwrap_or_else(|| panic!("{pointer} of {value}"))
}

fn boards() -> Vec<Value> {
    let files = fs::read_dir(deploy().join("grafana/dashboards")).expect("the dashboards");
    let read = |file: fs::DirEntry| fs::read_to_string(file.path()).expect("text");
    files.map(|file| serde_json::from_str(&read(file.expect("a file"))).expect("JSON")).collect()
}

/// Every panel of every dashboard.
pub(crate) fn panels() -> Vec<Panel> {
    let of = |board: Value| {
        let panels = board.pointer("/panels").and_then(Value::as_array).expect("panels").clone();
        let board = words(&board, "/title").to_owned();
        panels.into_iter().map(move |panel| Panel { board: board.clone(), panel })
    };
    boards().into_iter().flat_map(of).collect()
}

#[test]
fn both_dashboards_are_there_and_lead_to_each_other() {
    let boards = boards();
    let of = |pointer: &str| boards.iter().map(|board| words(board, pointer).to_owned()).collect::<BTreeSet<_>>();
    let titles = ["Monkeytown - Agent health", "Monkeytown - System overview"];
    assert_eq!(of("/title"), titles.into_iter().map(str::to_owned).collect());
    let places: BTreeSet<_> = of("/uid").iter().map(|uid| format!("/d/{uid}")).collect();
    assert_eq!(of("/links/0/url"), places);
    // Of Grafana 10; 11 reads it too.
    assert!(boards.iter().all(|board| number(board, "/schemaVersion") == 38));
}

#[test]
fn every_panel_asks_the_provisioned_prometheus() {
    let provisioned = text("deploy/grafana/provisioning/datasources/prometheus.yml");
    for board in boards() {
        let variable = board.pointer("/templating/list/0").expect("a variable");
        assert_eq!((words(variable, "/name"), words(variable, "/type")), ("DS", "datasource"));
        assert_eq!(words(variable, "/query"), "prometheus");
        let uid = words(variable, "/current/value");
        assert!(provisioned.contains(&format!("\n    uid: {uid}\n")), "{uid}");
    }
    for panel in panels() {
        let targets = panel.panel.pointer("/targets").and_then(Value::as_array).expect("targets");
        assert!(!targets.is_empty(), "{}", panel.title());
        for part in targets.iter().chain([&panel.panel]) {
            assert_eq!(words(part, "/datasource/uid"), "${DS}", "{}", panel.title());
        }
        let names: BTreeSet<_> = targets.iter().map(|target| words(target, "/refId")).collect();
        assert_eq!(names.len(), targets.len(), "{}", panel.title());
    }
}

#[test]
fn every_panel_has_a_title_a_unit_a_number_and_a_place_of_its_own() {
    let mut taken = BTreeSet::new();
    let mut numbers = BTreeSet::new();
    for panel in panels() {
        let (board, value) = (&panel.board, &panel.panel);
        assert!(!panel.title().is_empty());
        assert!(KINDS.contains(&words(value, "/type")), "{}", panel.title());
        assert!(!words(value, "/fieldConfig/defaults/unit").is_empty(), "{}", panel.title());
        assert!(numbers.insert((board.clone(), number(value, "/id"))), "{}", panel.title());
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| number(value, &format!("/gridPos/{side}")));
        assert!(w > 0 && h > 0 && x + w <= COLUMNS, "{}", panel.title());
        for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |row| (column, row))) {
            assert!(taken.insert((board.clone(), cell)), "{} lies on another panel", panel.title());
        }
    }
    assert!(panels().len() >= 20);
}

#[test]
fn lines_of_panels_are_drawn_where_alerts_fire() {
    for (title, lines) in [
        ("Requests that fail", &[0.01, 0.05][..]),
        ("From publisher to witness", &[0.5, 1.0]),
        ("Answers, p99", &[0.5, 1.0]),
        ("Agents' runs that end well", &[0.95]),
        ("Runs that end well", &[0.95]),
        ("Witnesses", &[5.0]),
        ("How long runs take", &[18_000.0, 21_600.0]),
    ] {
        let panels = panels();
        let panel = panels.iter().find(|panel| panel.title() == title).unwrap_or_else(|| panic!("no panel {title}"));
        let steps = panel.panel.pointer("/fieldConfig/defaults/thresholds/steps").and_then(Value::as_array);
        let values = steps.expect("steps").iter().filter_map(|step| step.get("value").and_then(Value::as_f64));
        assert_eq!(values.collect::<Vec<_>>(), lines, "{title}");
    }
}
