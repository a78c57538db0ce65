//! A server that hears webhooks, and what stands in for GitHub.

use crate::documents::Documents;
use hmac::{Hmac, KeyInit, Mac};
use monkeytown_stream::{
    Log, Metrics, Options, RingBounds, Server, Timing, WebhookOptions, WebhookSecret, sources::domains::DomainMap,
};
use serde_json::Value;
use sha2::Sha256;
use std::{
    fmt::Write,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use tokio::{net::TcpListener, task::JoinHandle};

pub(crate) const SECRET: &str = "It's a Secret to Everybody";

/// Long enough that only what never comes is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for what must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what).await.expect("it comes")
}

/// A running server.
pub(crate) struct Stream {
    pub(crate) address: SocketAddr,
    pub(crate) log: Log,
    running: JoinHandle<()>,
    client: reqwest::Client,
    delivered: AtomicU32,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// What a delivery was answered.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) retry_after: Option<String>,
}

pub(crate) fn options() -> Options {
    let secret = WebhookSecret::new(SECRET.as_bytes()).unwrap();
    Options { webhooks: Some(WebhookOptions { secret, domains: None, home: None }), ..Options::default() }
}

pub(crate) fn with_map(text: &str) -> Options {
    let secret = WebhookSecret::new(SECRET.as_bytes()).unwrap();
    let domains = Some(DomainMap::parse(text, Path::new("domains.toml")).unwrap());
    Options { webhooks: Some(WebhookOptions { secret, domains, home: None }), ..Options::default() }
}

pub(crate) fn rested_at_once() -> Options {
    let timing = Timing { rest_after: Duration::ZERO, ..Timing::default() };
    Options { timing, ..options() }
}

pub(crate) fn signature(body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold("sha256=".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

impl Stream {
    pub(crate) async fn start() -> Self {
        Self::with(options()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new();
        let log = Log::new(RingBounds { max_events: 100_000, max_bytes: 1 << 28 }, metrics.clone());
        let server = Server::new(log.clone(), metrics, options);
        let running = tokio::spawn(async move { server.serve(listener, std::future::pending()).await.unwrap() });
        Self { address, log, running, client: reqwest::Client::new(), delivered: AtomicU32::new(0) }
    }

    /// A request with everything but the signature and the body.
    pub(crate) fn unsigned(&self, event: &str, id: &str) -> reqwest::RequestBuilder {
        let request = self.client.post(format!("http://{}/hooks/github", self.address));
        let request =
            request.header("content-type", "application/json").header("user-agent", "GitHub-Hookshot/044aadd");
        request.header("x-github-event", event).header("x-github-delivery", id)
    }

    pub(crate) async fn deliver_bytes(&self, event: &str, id: &str, body: Vec<u8>) -> Answer {
        let request = self.unsigned(event, id).header("x-hub-signature-256", signature(&body));
        answer(request.body(body)).await
    }

    pub(crate) async fn deliver_as(&self, event: &str, id: &str, payload: &Value) -> Answer {
        self.deliver_bytes(event, id, payload.to_string().into_bytes()).await
    }

    /// Delivers what must be taken, and tells something.
    pub(crate) async fn deliver(&self, event: &str, payload: &Value) {
        let answer = self.take(event, payload).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_ne!(answer.body["events"], 0, "{answer:?}");
    }

    /// Delivers under an id of its own.
    pub(crate) async fn take(&self, event: &str, payload: &Value) -> Answer {
        let number = self.delivered.fetch_add(1, Ordering::Relaxed);
        self.deliver_as(event, &format!("72d3162e-cc78-11e3-81ab-{number:012}"), payload).await
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let answer = soon(self.client.get(format!("http://{}{path}", self.address)).send()).await.unwrap();
        Documents::get().hold_answer("get", answer).await
    }

    /// The state after everything so far.
    pub(crate) async fn state(&self) -> Value {
        let head = self.log.head().map_or(-1, |head| i64::try_from(head.0).unwrap());
        loop {
            let snapshot: Value = self.get("/api/v1/snapshot").await.json().await.unwrap();
            // A snapshot may be as old as a second.
            if snapshot["offset"].as_i64().unwrap_or(-1) >= head {
                return snapshot["state"].clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn entity(&self, id: &str) -> Value {
        self.state().await["entities"][id].clone()
    }

    /// The item of history of this id that is the newest.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        let state = self.state().await;
        let items = state["history"].as_array().unwrap();
        items.iter().rev().find(|item| item["id"] == id).cloned().unwrap_or_default()
    }

    pub(crate) async fn events(&self) -> Vec<Value> {
        self.get("/api/v1/events?after=earliest&limit=10000").await.json().await.unwrap()
    }

    /// `WORD SOURCE>TARGET` of every event of a flow, with its reason.
    pub(crate) async fn flows(&self) -> Vec<String> {
        let events = self.events().await;
        let flows = events.iter().filter_map(|event| {
            let word = event["type"].as_str()?.strip_prefix("monkeytown.flow.")?;
            let data = &event["data"];
            let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
            let why = data["reason"].as_str().map(|why| format!(" ({why})")).unwrap_or_default();
            Some(format!("{} {word} {}>{}{why}", text("kind"), text("source"), text("target")))
        });
        flows.collect()
    }

    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let found = text.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{line} is not in:\n{text}")).parse().unwrap()
    }
}

pub(crate) async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let answer = soon(request.send()).await.unwrap();
    let answer = Documents::get().hold_answer("post", answer).await;
    let status = answer.status().as_u16();
    let media = answer.headers()["content-type"].to_str().unwrap().to_owned();
    let retry_after = answer.headers().get("retry-after").map(|wait| wait.to_str().unwrap().to_owned());
    let body: Value = answer.json().await.unwrap();
    if status >= 400 {
        assert_eq!((media.as_str(), &body["status"]), ("application/problem+json", &Value::from(status)));
        assert!(!body["detail"].as_str().unwrap().is_empty());
    }
    Answer { status, body, retry_after }
}

/// One of the payloads beside this file.
pub(crate) fn payload(name: &str) -> Value {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hooks/payloads");
    let text = std::fs::read_to_string(folder.join(format!("{name}.json"))).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The same with values changed, each by its JSON pointer.
pub(crate) fn changed(mut payload: Value, changes: &[(&str, Value)]) -> Value {
    for (pointer, value) in changes {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        payload.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    payload
}
