//! One who publishes all the time and one who listens all the time, by way of nginx, whatever is exchanged behind it. The
//! listener comes back with its cursor, as the page does, and counts what it misses or hears twice.

use futures_util::StreamExt;
use monkeytown_tests::{
    events::works,
    stream::{STRUCTURED, TOKEN},
    wait::soon,
};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{client::IntoClientRequest, http::HeaderValue},
};

/// Between two events, and between two tries.
const PACE: Duration = Duration::from_millis(10);

/// Publishes one event after the other, each until it is acknowledged.
pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    publishing: JoinHandle<Published>,
}

/// What was published.
pub(crate) struct Published {
    pub(crate) acknowledged: u64,
    /// Tries that were answered with something else, or not at all.
    pub(crate) refused: u64,
    /// Longest time until an event was acknowledged.
    pub(crate) longest: Duration,
}

impl Publisher {
    pub(crate) fn start(url: String) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let publishing = tokio::spawn(async move {
            let client = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().expect("a client");
            let mut published = Published { acknowledged: 0, refused: 0, longest: Duration::ZERO };
            while !stopped.load(Ordering::Relaxed) {
                let event = works(&published.acknowledged.to_string(), "ada", "counts").to_string();
                let begun = Instant::now();
                loop {
                    let request = client.post(&url).bearer_auth(TOKEN).header("content-type", STRUCTURED);
                    match request.body(event.clone()).send().await {
                        Ok(answer) if answer.status() == 200 => break,
                        _ => published.refused += 1,
                    }
                    tokio::time::sleep(PACE).await;
                }
                published.longest = published.longest.max(begun.elapsed());
                published.acknowledged += 1;
                tokio::time::sleep(PACE).await;
            }
            published
        });
        Self { stop, publishing }
    }

    pub(crate) async fn end(self) -> Published {
        self.stop.store(true, Ordering::Relaxed);
        soon("the last acknowledgement", self.publishing).await.expect("it does not panic")
    }
}

/// What a listener has heard.
#[derive(Debug, Default, Clone)]
pub(crate) struct Heard {
    /// Ids of events.
    pub(crate) ids: BTreeSet<String>,
    /// Offsets that were jumped over.
    pub(crate) holes: u64,
    /// Events that came again.
    pub(crate) doubled: u64,
    /// Times that it was told that it cannot go on where it stood, and was given the state instead.
    pub(crate) begun_anew: u64,
    /// Connections.
    pub(crate) connections: u64,
    /// Where it stands.
    cursor: Option<(String, i64)>,
}

/// Listens until it is dropped.
pub(crate) struct Listener {
    heard: Arc<Mutex<Heard>>,
    listening: JoinHandle<()>,
    /// The longest time between two connections that held, in milliseconds.
    longest_away_millis: Arc<AtomicU64>,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Listener {
    pub(crate) fn start(address: String) -> Self {
        let heard = Arc::new(Mutex::new(Heard::default()));
        let longest_away_millis = Arc::new(AtomicU64::new(0));
        let (into, longest) = (Arc::clone(&heard), Arc::clone(&longest_away_millis));
        let listening = tokio::spawn(async move {
            let mut left: Option<Instant> = None;
            loop {
                if subscribe(&address, &into, || {
                    let away = left.map_or(0, |left| u64::try_from(left.elapsed().as_millis()).unwrap_or(u64::MAX));
                    longest.fetch_max(away, Ordering::Relaxed);
                })
                .await
                {
                    left = Some(Instant::now());
                }
                tokio::time::sleep(PACE).await;
            }
        });
        Self { heard, listening, longest_away_millis }
    }

    pub(crate) fn heard(&self) -> Heard {
        self.heard.lock().expect("nobody panics with it").clone()
    }

    pub(crate) fn longest_away(&self) -> Duration {
        Duration::from_millis(self.longest_away_millis.load(Ordering::Relaxed))
    }

    /// Waits until it has heard so many events.
    pub(crate) async fn until(&self, events: u64) -> Heard {
        let all = async {
            while (self.heard().ids.len() as u64) < events {
                tokio::time::sleep(PACE).await;
            }
        };
        soon("the last event", all).await;
        self.heard()
    }
}

/// One connection, from where it stands to its end. Whether there was one.
async fn subscribe(address: &str, heard: &Mutex<Heard>, opened: impl FnOnce()) -> bool {
    let cursor = heard.lock().expect("nobody panics with it").cursor.clone();
    let after = cursor.as_ref().map_or_else(|| "earliest".to_owned(), |(epoch, offset)| format!("{epoch}:{offset}"));
    let mut request = format!("ws://{address}/ws?after={after}").into_client_request().expect("an address");
    request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("monkeytown.v1.json"));
    let Ok((mut socket, _)) = connect_async(request).await else { return false };
    opened();
    heard.lock().expect("nobody panics with it").connections += 1;
    while let Some(Ok(message)) = socket.next().await {
        let Some(frame) = message.to_text().ok().and_then(|text| serde_json::from_str::<Value>(text).ok()) else {
            continue;
        };
        heard.lock().expect("nobody panics with it").take(&frame);
    }
    true
}

impl Heard {
    fn take(&mut self, frame: &Value) {
        let number = |name: &str| frame[name].as_i64().expect("a number");
        match frame["kind"].as_str() {
            Some("hello") => {
                let (epoch, after) = frame["from"].as_str().and_then(|from| from.rsplit_once(':')).expect("a cursor");
                let from = (epoch.to_owned(), after.parse().expect("a number"));
                if frame["recovered"] == false && self.cursor.is_some() {
                    self.begun_anew += 1;
                } else if let Some(stood) = self.cursor.as_ref().filter(|stood| **stood != from) {
                    panic!("it stood at {stood:?} and goes on after {from:?}");
                }
                self.cursor = Some(from);
            }
            Some("events") => {
                let (first, last) = (number("first"), number("last"));
                let (_, stood) = self.cursor.as_mut().expect("the hello came first");
                self.holes += u64::try_from(first - *stood - 1).unwrap_or(0);
                *stood = last;
                for event in frame["events"].as_array().expect("events") {
                    self.doubled += u64::from(!self.ids.insert(event["id"].as_str().expect("an id").to_owned()));
                }
            }
            _ => {}
        }
    }
}

#[test]
fn a_hole_and_a_double_are_counted() {
    let mut heard = Heard::default();
    let events = |first: i64, ids: &[&str]| {
        let events: Vec<_> = ids.iter().map(|id| serde_json::json!({ "id": id })).collect();
        serde_json::json!({ "kind": "events", "first": first, "last": first + events.len() as i64 - 1, "events": events })
    };
    heard.take(&serde_json::json!({ "kind": "hello", "from": "a:-1", "recovered": true }));
    heard.take(&events(0, &["x", "y"]));
    assert_eq!((heard.holes, heard.doubled), (0, 0));
    heard.take(&events(4, &["y", "z"]));
    assert_eq!((heard.holes, heard.doubled, heard.ids.len()), (2, 1, 3));
    heard.take(&serde_json::json!({ "kind": "hello", "from": "b:-1", "recovered": false }));
    assert_eq!(heard.begun_anew, 1);
}
