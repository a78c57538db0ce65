//! A node in this process, and what its clients ask.

use crate::server::Redis;
use monkeytown_stream::{Log, Metrics, Options, RedisError, RedisPatience, RingBounds, Server, Timing, Tokens};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::{
    net::TcpListener,
    sync::oneshot,
    task::{JoinHandle, spawn_blocking},
};

const TOKEN: &str = "the-token";
const BATCHED: &str = "application/cloudevents-batch+json";

/// Long enough that only what never comes is given up.
const NEVER: Duration = Duration::from_secs(120);

/// Waits for what must come.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(NEVER, what).await.expect("it comes")
}

/// Waits until it is so.
pub(crate) async fn until(mut so: impl AsyncFnMut() -> bool) {
    soon(async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) const ROOMY: RingBounds = RingBounds { max_events: 1_000_000, max_bytes: 1 << 30 };

/// More than a process is told to have, for a machine that is busy; but a Redis that was just started is believed sooner.
pub(crate) fn patience() -> RedisPatience {
    RedisPatience {
        start: Duration::from_secs(100),
        answer: Duration::from_secs(5),
        append: Duration::from_secs(60),
        settle: Duration::from_secs(1),
    }
}

/// Less, for tests in which somebody is to be refused.
pub(crate) fn quick() -> RedisPatience {
    RedisPatience { answer: Duration::from_secs(1), append: Duration::from_secs(2), ..patience() }
}

/// Joins without serving.
pub(crate) async fn join(redis: &Redis, ring: RingBounds, patience: RedisPatience) -> Result<Log, RedisError> {
    let url = redis.url();
    spawn_blocking(move || Log::join(ring, Metrics::new(), &url, patience)).await.unwrap().map(|(log, _)| log)
}

/// A running node.
pub(crate) struct Node {
    pub(crate) base: String,
    pub(crate) log: Log,
    client: reqwest::Client,
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

impl Drop for Node {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Node {
    pub(crate) async fn start(redis: &Redis) -> Self {
        Self::with(redis, ROOMY, patience()).await
    }

    pub(crate) async fn with(redis: &Redis, ring: RingBounds, patience: RedisPatience) -> Self {
        let (url, metrics) = (redis.url(), Metrics::new());
        let counted = metrics.clone();
        let joined = spawn_blocking(move || Log::join(ring, counted, &url, patience));
        let (log, _) = joined.await.unwrap().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let options = Options {
            tokens: Tokens::read(TOKEN).unwrap(),
            max_events_per_second: 1_000_000,
            drain: Duration::from_secs(2),
            // A busy machine takes its time.
            timing: Timing { body_read: NEVER, ..Timing::default() },
            ..Options::default()
        };
        let server = Server::new(log.clone(), metrics, options);
        let (stop, stopped) = oneshot::channel::<()>();
        let over = log.clone();
        let running = tokio::spawn(async move {
            let shutdown = async {
                tokio::select! {
                    _ = stopped => {}
                    () = over.stopped() => {}
                }
            };
            server.serve(listener, shutdown).await.unwrap();
        });
        Self { base, log, client: reqwest::Client::new(), stop: Some(stop), running }
    }

    /// Stops it as SIGTERM does.
    pub(crate) async fn stop(mut self) {
        let _ = self.stop.take().unwrap().send(());
        soon(&mut self.running).await.unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(mut self) {
        let _kept = self.stop.take();
        soon(&mut self.running).await.unwrap();
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        soon(reqwest::get(format!("{}{path}", self.base))).await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn try_publish(&self, events: &[Value]) -> reqwest::Response {
        soon(publish(&self.client, &self.base, events)).await.unwrap()
    }

    pub(crate) async fn publish(&self, events: &[Value]) -> Value {
        let answer = self.try_publish(events).await;
        assert_eq!(answer.status(), 200);
        answer.json().await.unwrap()
    }

    /// Everything after a cursor as it is served, byte by byte, and the last cursor; the whole must be recovered.
    pub(crate) async fn read(&self, mut cursor: String) -> (Vec<String>, String) {
        let mut all = Vec::new();
        loop {
            let asked = format!("{}/api/v1/events?after={cursor}&limit=10000", self.base);
            let answer = soon(reqwest::get(asked)).await.unwrap();
            assert_eq!(answer.headers()["monkeytown-recovered"], "true", "after {cursor}");
            cursor = answer.headers()["monkeytown-cursor"].to_str().unwrap().to_owned();
            let events: Vec<Box<serde_json::value::RawValue>> = answer.json().await.unwrap();
            if events.is_empty() {
                return (all, cursor);
            }
            all.extend(events.iter().map(|event| event.get().to_owned()));
        }
    }

    pub(crate) async fn ids(&self) -> Vec<String> {
        self.read("earliest".to_owned()).await.0.iter().map(|json| id_of(json)).collect()
    }

    /// The fold, as everybody is given it.
    pub(crate) fn state(&self) -> Value {
        serde_json::to_value(self.log.state()).unwrap()
    }

    pub(crate) fn head(&self) -> Option<u64> {
        self.log.head().map(|head| head.0)
    }

    pub(crate) async fn reaches(&self, head: u64) {
        until(async || self.head() >= Some(head)).await;
    }

    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let text = reqwest::get(format!("{}/metrics", self.base)).await.unwrap().text().await.unwrap();
        let found = text.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{line} is not in:\n{text}")).parse().unwrap()
    }
}

pub(crate) async fn publish(
    client: &reqwest::Client,
    base: &str,
    events: &[Value],
) -> reqwest::Result<reqwest::Response> {
    let request = client.post(format!("{base}/api/v1/events")).bearer_auth(TOKEN).header("content-type", BATCHED);
    request.body(Value::from(events).to_string()).send().await
}

pub(crate) fn id_of(json: &str) -> String {
    serde_json::from_str::<Value>(json).unwrap()["id"].as_str().unwrap().to_owned()
}

/// An agent at work, some 200 bytes.
pub(crate) fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/agents/a", "type": "monkeytown.entity.updated",
        "time": "2026-01-18T12:00:00.000Z",
        "data": {"id": "a", "kind": "agent", "status": "active", "activity": format!("does {id}")},
    })
}

pub(crate) fn events(range: std::ops::Range<u64>) -> Vec<Value> {
    range.map(|number| event(&number.to_string())).collect()
}
