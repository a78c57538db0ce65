//! A stream in a process of its own, a Prometheus that scrapes it with the deployed rules, and an Alertmanager with the
//! deployed routes, whose receivers are webhooks.
//!
//! What differs from what is deployed: addresses; how often is scraped and evaluated; receivers; and, where a test asks
//! for it, every duration of the rules and routes, by [`HURRIED`].

use crate::{
    pager::Pager,
    tools::{Serving, text},
};
use monkeytown_tests::{program::Running, stream, wait::PATIENCE};
use serde_json::{Value, json};
use std::{
    fmt::Write,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{client::IntoClientRequest, handshake::client::Request},
};

/// What becomes of each duration in a hurry. Longer ones stay longer, but for `for: 7h`, for which nobody waits.
const HURRIED: [(&str, &str); 12] = [
    ("15s", "500ms"),
    ("30s", "1s"),
    ("1m", "3s"),
    ("5m", "5s"),
    ("10m", "10s"),
    ("30m", "20s"),
    ("1h", "8s"),
    ("4h", "2m"),
    ("5h", "25s"),
    ("7h", "10s"),
    ("24h", "40s"),
    ("7d", "2m"),
];
/// How often what waits for Prometheus looks again. Prometheus tells nobody of a scrape.
const LOOK: Duration = Duration::from_millis(100);

/// How long the rules take.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As they are deployed.
    Deployed,
    Hurried,
}

/// All of them, ended when dropped.
pub(crate) struct Town {
    pub(crate) stream: Option<Running>,
    pub(crate) prometheus: Serving,
    pub(crate) alertmanager: Serving,
    pub(crate) pager: Pager,
    address: String,
    deliveries: AtomicU64,
    _folder: TempDir,
}

/// A witness's socket.
pub(crate) type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl Town {
    /// A stream that is started with `arguments` and takes webhooks, and those who watch it, once they have scraped it.
    pub(crate) async fn start(pace: Pace, arguments: &[&str]) -> Self {
        let stream = Running::start_with(arguments, &[("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", stream::SECRET)]);
        let pager = Pager::start().await;
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).expect("it is written");
        let hurry = |text: String| if pace == Pace::Hurried { hurried(&text) } else { text };

        let routes = hurry(text("deploy/alertmanager/alertmanager.yml"));
        write("alertmanager.yml", &with_webhooks(&routes, &pager));
        let alertmanager = Serving::alertmanager(folder.path());

        std::fs::create_dir(folder.path().join("rules")).expect("a folder");
        write("rules/monkeytown.yml", &hurry(text("deploy/prometheus/rules/monkeytown.yml")));
        let watching = hurried(&text("deploy/prometheus/prometheus.yml"));
        let found = "    dns_sd_configs:\n      - names: [event-stream]\n        type: A\n        port: 8080\n        refresh_interval: 500ms\n";
        let one = format!("    static_configs:\n      - targets: [{:?}]\n", stream.address);
        let watching = put(&watching, found, &one);
        write("prometheus.yml", &put(&watching, "alertmanager:9093", &alertmanager.address));
        let prometheus = Serving::prometheus(folder.path());

        let address = stream.address.clone();
        let deliveries = AtomicU64::new(0);
        let town = Self { stream: Some(stream), prometheus, alertmanager, pager, address, deliveries, _folder: folder };
        town.finds("up{job=\"event-stream\"} == 1").await;
        town
    }

    /// An address on the stream.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits until Prometheus finds something for `query` that is a number.
    pub(crate) async fn finds(&self, query: &str) {
        let found = async {
            while !self.prometheus.query(query).await.iter().any(|(_, value)| !value.is_nan()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        if tokio::time::timeout(PATIENCE, found).await.is_err() {
            panic!("{query} finds nothing within {PATIENCE:?}: {:?}", self.prometheus.query(query).await);
        }
    }

    /// What a witness asks the stream for.
    pub(crate) fn subscription(&self) -> Request {
        let mut request = self.url("/ws").replacen("http", "ws", 1).into_client_request().expect("an address");
        let protocol = "monkeytown.v1.json".parse().expect("a value");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        request
    }

    /// A witness who is there until the socket is dropped.
    pub(crate) async fn witness(&self) -> Socket {
        tokio_tungstenite::connect_async(self.subscription()).await.expect("the stream has a place").0
    }

    /// Tells of a run of the workflow `build`, as GitHub does.
    pub(crate) async fn run(&self, number: u64, action: &str, conclusion: Option<&str>, hours: u64) {
        let payload = text("crates/stream/tests/hooks/payloads/workflow_run.completed.json");
        let mut payload: Value = serde_json::from_str(&payload).expect("GitHub's own example");
        let started = format!("2021-12-16T{:02}:37:22Z", 19 - hours);
        for (pointer, value) in [
            ("/action", json!(action)),
            ("/workflow_run/id", json!(number)),
            ("/workflow_run/name", json!("build")),
            ("/workflow_run/conclusion", json!(conclusion)),
            ("/workflow_run/run_started_at", json!(started)),
            ("/workflow_run/updated_at", json!("2021-12-16T19:39:22Z")),
        ] {
            *payload.pointer_mut(pointer).unwrap_or_else(|| panic!("GitHub's example has {pointer}")) = value;
        }
        let delivery = self.deliveries.fetch_add(1, Ordering::Relaxed);
        let delivery = format!("72d3162e-cc78-11e3-81ab-{delivery:012}");
        stream::deliver(&self.url(""), "workflow_run", &delivery, &payload).await;
    }

    /// The alert `name` as Alertmanager has it, once it keeps it back.
    pub(crate) async fn kept_back(&self, name: &str) {
        let kept_back = async {
            loop {
                let parameters =
                    [("filter", &*format!("alertname={name}")), ("inhibited", "true"), ("active", "false")];
                let alerts = self.alertmanager.get("/api/v2/alerts", &parameters).await;
                if alerts.as_array().is_some_and(|alerts| !alerts.is_empty()) {
                    return;
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, kept_back).await.unwrap_or_else(|_| panic!("{name} is not kept back"));
    }
}

/// `text` with `new` in the place of `old`, which must be there once.
fn put(text: &str, old: &str, new: &str) -> String {
    assert_eq!(text.matches(old).count(), 1, "{old} in {text}");
    text.replace(old, new)
}

/// The routes of `config`, each receiver a webhook that has its name.
fn with_webhooks(config: &str, pager: &Pager) -> String {
    let (routes, receivers) = config.split_once("\nreceivers:\n").expect("the receivers come last");
    let mut text = format!("{routes}\nreceivers:\n");
    for name in receivers.lines().filter_map(|line| line.strip_prefix("  - name: ")) {
        let url = format!("http://{}/{name}", pager.address);
        write!(text, "  - name: {name}\n    webhook_configs: [{{url: \"{url}\", send_resolved: true}}]\n")
            .expect("a String takes all");
    }
    text
}

/// `text` with every duration hurried, and its comments as they are.
fn hurried(text: &str) -> String {
    let lines =
        text.lines().map(|line| if line.trim_start().starts_with('#') { line.into() } else { hurried_line(line) });
    lines.fold(String::new(), |text, line| text + &line + "\n")
}

fn hurried_line(text: &str) -> String {
    let mut hurried = String::new();
    let is_part = |c: char| c.is_ascii_alphanumeric() || "_.-".contains(c);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let end = rest.find(|c: char| is_part(c) != is_part(first)).unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind;
        let number = word.trim_end_matches(['s', 'm', 'h', 'd']);
        if number.len() < word.len() && number.parse::<u32>().is_ok() {
            let known = HURRIED.iter().find(|(slow, _)| *slow == word);
            hurried.push_str(known.unwrap_or_else(|| panic!("what is {word} in a hurry?")).1);
        } else {
            hurried.push_str(word);
        }
    }
    hurried
}

#[test]
fn durations_are_hurried_and_nothing_else_is() {
    let slow = "for: 7h\nexpr: x{route!~\"/a\"}[5m] offset 10m > 0.5 # 5 minutes, 250 KB, le=\"18000\"\n  # 3y\n";
    let quick = "for: 10s\nexpr: x{route!~\"/a\"}[5s] offset 10s > 0.5 # 5 minutes, 250 KB, le=\"18000\"\n  # 3y\n";
    assert_eq!(hurried(slow), quick);
}
