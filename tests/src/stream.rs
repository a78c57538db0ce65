//! A real stream in this process, on a port of its own, with the built page.

use crate::{
    site,
    wait::{PATIENCE, soon},
};
use hmac::{Hmac, KeyInit, Mac};
use monkeytown_protocol::SourceKind;
use monkeytown_stream::{
    Log, Metrics, Options, RingBounds, Server, Timing, Tokens, WebhookOptions, WebhookSecret, now,
    sources::{
        git::{GitConfig, GitSource, GitSpeed},
        simulator::{Simulator, SimulatorConfig},
    },
};
use serde_json::Value;
use sha2::Sha256;
use std::{net::SocketAddr, path::Path, time::Duration};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

/// The token that publishers of these tests give.
pub const TOKEN: &str = "the-tests-own-token";
/// The secret with which these tests sign webhooks.
pub const SECRET: &str = "It's a Secret to Everybody";
/// The media type of one event.
pub const STRUCTURED: &str = "application/cloudevents+json";
/// The media type of many.
pub const BATCHED: &str = "application/cloudevents-batch+json";

/// Where a stream's events come from, beside publishers.
pub enum Source<'a> {
    /// Publishers alone.
    Publishers,
    /// Publishers alone, and the stream says of itself that it is of a kind.
    Claimed(SourceKind),
    /// The history of a repository at once, then what is committed to it.
    Git(&'a Path),
    /// Invented events, so many a second.
    Simulator(f64),
}

/// A running stream. Dropping it ends it without a word; [`Stream::end`] drains it.
pub struct Stream {
    /// Where it listens.
    pub address: SocketAddr,
    /// What it accepted.
    pub log: Log,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    telling: Option<JoinHandle<()>>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.serving.abort();
        self.telling.iter().for_each(JoinHandle::abort);
    }
}

impl Stream {
    /// A stream on loopback.
    ///
    /// # Panics
    /// When its source cannot be opened.
    pub async fn start(source: Source<'_>) -> Self {
        Self::on("127.0.0.1:0", source, &[]).await
    }

    /// A stream on `address` that pages of `origins` may use as well.
    ///
    /// # Panics
    /// When the address cannot be had or the source cannot be opened.
    pub async fn on(address: &str, source: Source<'_>, origins: &[&str]) -> Self {
        Self::beating(address, source, origins, Timing::default().heartbeat).await
    }

    /// A stream of publishers on loopback that serves the page in `site`.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn with_page(site: &Path) -> Self {
        let options = Options { site: Some(site.to_owned()), ..Options::default() };
        Self::serving("127.0.0.1:0", Source::Publishers, options).await
    }

    /// A stream of publishers on loopback whose page may be shown in a frame by the site `framed_by`.
    ///
    /// # Panics
    /// When there is no free port, or that is no origin.
    pub async fn framed_by(framed_by: &str) -> Self {
        let framed_by = vec![framed_by.parse().expect("an origin")];
        let options = Options { site: Some(site::folder()), framed_by, ..Options::default() };
        Self::serving("127.0.0.1:0", Source::Publishers, options).await
    }

    /// A stream of publishers on loopback that has places for so many subscribers.
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn with_places(places: usize) -> Self {
        let options = Options { site: Some(site::folder()), max_subscribers: places, ..Options::default() };
        Self::serving("127.0.0.1:0", Source::Publishers, options).await
    }

    /// A stream of publishers on loopback that takes GitHub's webhooks, signed with [`SECRET`].
    ///
    /// # Panics
    /// When there is no free port.
    pub async fn with_webhooks() -> Self {
        let secret = WebhookSecret::new(SECRET.as_bytes()).expect("a secret");
        let webhooks = Some(WebhookOptions { secret, domains: None, home: None });
        let options = Options { site: Some(site::folder()), webhooks, ..Options::default() };
        Self::serving("127.0.0.1:0", Source::Publishers, options).await
    }

    /// The same with another longest silence.
    ///
    /// # Panics
    /// When the address cannot be had or the source cannot be opened.
    pub async fn beating(address: &str, source: Source<'_>, origins: &[&str], heartbeat: Duration) -> Self {
        let options = Options {
            site: Some(site::folder()),
            allow_origins: origins.iter().map(|origin| origin.parse().expect("an origin")).collect(),
            timing: Timing { heartbeat, ..Timing::default() },
            ..Options::default()
        };
        Self::serving(address, source, options).await
    }

    async fn serving(address: &str, source: Source<'_>, options: Options) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let metrics = Metrics::new();
        let log = Log::new(RingBounds { max_events: 1_000_000, max_bytes: 1 << 30 }, metrics.clone());
        let source_kind = match source {
            Source::Publishers => SourceKind::Live,
            Source::Claimed(kind) => kind,
            Source::Git(_) => SourceKind::Git,
            Source::Simulator(_) => SourceKind::Simulated,
        };
        let options = Options { source_kind, tokens: Tokens::read(TOKEN).expect("a token"), ..options };
        let (stop, stopped) = oneshot::channel::<()>();
        let server = Server::new(log.clone(), metrics, options);
        let serving = tokio::spawn(async move {
            let shutdown = async move {
                // A stream that is dropped stops as well as one that is told to.
                let _ = stopped.await;
            };
            server.serve(listener, shutdown).await.expect("the listener works");
        });
        let telling = tell(source, log.clone());
        Self { address, log, stop: Some(stop), serving, telling }
    }

    /// An address on it.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.address.port())
    }

    /// How many events it has accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.log.head().map_or(0, |offset| offset.0 + 1)
    }

    /// What the stream answers to one event.
    ///
    /// # Panics
    /// When it does not answer.
    pub async fn post(&self, event: &Value) -> (u16, Value) {
        post(&self.url("/api/v1/events"), STRUCTURED, event).await
    }

    /// Publishes events that must be taken.
    ///
    /// # Panics
    /// When they are not.
    pub async fn publish(&self, events: &[Value]) -> Value {
        let (status, answer) = post(&self.url("/api/v1/events"), BATCHED, &Value::from(events)).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// Publishes events; false when they are too many for this second, and none was taken.
    ///
    /// # Panics
    /// When they are refused for anything else.
    pub async fn publishes(&self, events: &[Value]) -> bool {
        let (status, answer) = post(&self.url("/api/v1/events"), BATCHED, &Value::from(events)).await;
        assert!(status == 200 || status == 429, "{answer}");
        status == 200
    }

    /// Delivers a webhook that must be taken, as GitHub does.
    ///
    /// # Panics
    /// When it is not.
    pub async fn deliver(&self, event: &str, delivery: &str, payload: &Value) {
        deliver(&self.url(""), event, delivery, payload).await;
    }

    /// Drains it, as SIGTERM does.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn end(mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended on its own; then there is nothing left to stop.
            let _ = stop.send(());
        }
        soon("the end of the stream", &mut self.serving).await.expect("the stream drains");
    }
}

/// Delivers a webhook, signed with [`SECRET`], to the stream at `url`, which must take it.
///
/// # Panics
/// When it does not.
pub async fn deliver(url: &str, event: &str, delivery: &str, payload: &Value) {
    let answer = delivered(url, SECRET, event, delivery, payload).await;
    assert_eq!(answer.status().as_u16(), 200, "{:?}", answer.text().await);
}

/// What the stream at `url` answers to a webhook that is signed with `secret`.
///
/// # Panics
/// When it does not answer.
pub async fn delivered(url: &str, secret: &str, event: &str, delivery: &str, payload: &Value) -> reqwest::Response {
    let body = payload.to_string();
    let mut sum = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("any length will do");
    sum.update(body.as_bytes());
    let signature = sum.finalize().into_bytes().iter().fold("sha256=".to_owned(), |mut text, byte| {
        text.extend([byte >> 4, byte & 15].map(|digit| char::from_digit(digit.into(), 16).expect("a digit")));
        text
    });
    let request = reqwest::Client::new().post(format!("{url}/hooks/github")).timeout(PATIENCE);
    let request = request.header("content-type", "application/json").header("user-agent", "GitHub-Hookshot/044aadd");
    let request = request.header("x-github-event", event).header("x-github-delivery", delivery);
    request.header("x-hub-signature-256", signature).body(body).send().await.expect("an answer")
}

/// What the address `url` of a stream answers to a body from a publisher.
///
/// # Panics
/// When it does not answer.
pub async fn post(url: &str, media: &str, body: &Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(url).timeout(PATIENCE).bearer_auth(TOKEN);
    let answer = request.header("content-type", media).body(body.to_string()).send().await.expect("an answer");
    (answer.status().as_u16(), answer.json().await.expect("a JSON answer"))
}

fn tell(source: Source<'_>, log: Log) -> Option<JoinHandle<()>> {
    match source {
        Source::Publishers | Source::Claimed(_) => None,
        Source::Git(path) => {
            let config = GitConfig {
                repository: path.display().to_string(),
                branch: None,
                speed: GitSpeed::Max,
                domains: None,
                fetch_seconds: 60,
                cache: None,
            };
            let git = GitSource::open(config).expect("a repository");
            Some(tokio::spawn(async move { match git.run(log, now).await {} }))
        }
        Source::Simulator(rate) => {
            let simulator = Simulator::new(SimulatorConfig { rate, seed: 7 }).expect("a rate");
            Some(tokio::spawn(simulator.run(log, now)))
        }
    }
}
