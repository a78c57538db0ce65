//! The honest: subscribers that are there, newcomers, and a publisher whom they hear.

use crate::publisher::{send, wall_millis};
use anyhow::{Context, Result, ensure};
use futures_util::StreamExt;
use monkeytown_tests::{events::works, wait::soon};
use serde_json::Value;
use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    net::TcpStream,
    task::JoinHandle,
    time::{MissedTickBehavior, interval},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest},
};

pub(super) const SUBSCRIBERS: usize = 20;
pub(super) const EVENTS_PER_SECOND: u64 = 100;
/// Longest wait of a newcomer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The event after which nothing comes.
const LAST: &str = "last";

/// Probes by their number, each with the milliseconds that it took.
type Heard = Vec<(u64, f64)>;
type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Subscribers and their publisher.
pub(super) struct Town {
    address: SocketAddr,
    publishing: JoinHandle<Result<u64>>,
    stop: Arc<AtomicBool>,
    /// The first probe that counts.
    from: Arc<AtomicU64>,
    next: Arc<AtomicU64>,
    hearing: Vec<JoinHandle<Result<Heard>>>,
}

/// What they noticed.
pub(super) struct Found {
    /// Of each probe and subscriber.
    pub(super) millis: Vec<f64>,
    /// Probes that a subscriber has not had, over all subscribers.
    pub(super) lost: u64,
}

impl Town {
    pub(super) async fn open(address: SocketAddr) -> Result<Self> {
        let mut hearing = Vec::new();
        for _ in 0..SUBSCRIBERS {
            let socket = subscribe(address).await?;
            hearing.push(tokio::spawn(hear(socket)));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let next = Arc::new(AtomicU64::new(0));
        let publishing = tokio::spawn(publish(address, Arc::clone(&stop), Arc::clone(&next)));
        Ok(Self { address, publishing, stop, from: Arc::default(), next, hearing })
    }

    /// What came before is left out.
    pub(super) fn measure_from_now(&self) {
        self.from.store(self.next.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    pub(super) async fn close(self) -> Result<Found> {
        self.stop.store(true, Ordering::Relaxed);
        let (from, sent) = (self.from.load(Ordering::Relaxed), self.publishing.await??);
        send(&reqwest::Client::new(), &self.address.to_string(), &[works(LAST, "ada", "ends")]).await?;
        let mut found = Found { millis: Vec::new(), lost: 0 };
        for one in self.hearing {
            let heard = soon("the last event", one).await??;
            let counted = heard.into_iter().filter(|(number, _)| *number >= from).map(|(_, millis)| millis);
            let before = found.millis.len();
            found.millis.extend(counted);
            found.lost += (sent - from).saturating_sub((found.millis.len() - before) as u64);
        }
        Ok(found)
    }
}

async fn subscribe(address: SocketAddr) -> Result<Socket> {
    let mut request = format!("ws://{address}/ws?after=latest").into_client_request()?;
    request.headers_mut().insert("sec-websocket-protocol", "monkeytown.v1.json".parse()?);
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let first = socket.next().await.context("a first frame")??;
    ensure!(first.into_text()?.contains("\"hello\""), "the first frame is hello");
    Ok(socket)
}

/// Notes of each probe when it came, until the last event.
async fn hear(mut socket: Socket) -> Result<Heard> {
    let mut heard = Vec::new();
    loop {
        let message = socket.next().await.context("the subscription ended")??;
        let at = wall_millis();
        let Message::Text(text) = message else { continue };
        let frame: Value = serde_json::from_str(&text)?;
        for event in frame.get("events").and_then(Value::as_array).into_iter().flatten() {
            let id = event.get("id").and_then(Value::as_str).unwrap_or_default();
            if id == LAST {
                return Ok(heard);
            }
            if let Some((number, sent)) = id.split_once('@') {
                heard.push((number.parse()?, at - sent.parse::<f64>()?));
            }
        }
    }
}

/// Publishes probes, whose ids hold their number and when they were sent; how many there were.
async fn publish(address: SocketAddr, stop: Arc<AtomicBool>, next: Arc<AtomicU64>) -> Result<u64> {
    let mut pace = interval(Duration::from_millis(1_000 / EVENTS_PER_SECOND));
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (client, address) = (reqwest::Client::new(), address.to_string());
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let number = next.fetch_add(1, Ordering::Relaxed);
        let id = format!("{number}@{}", wall_millis());
        send(&client, &address, &[works(&id, "ada", &format!("lays stone {number}"))]).await?;
    }
    Ok(next.load(Ordering::Relaxed))
}

/// How long those waited who came one after the other, in milliseconds.
pub(super) async fn newcomers(address: SocketAddr, within: Duration) -> Vec<f64> {
    let begun = Instant::now();
    let mut pace = interval(Duration::from_millis(250));
    let mut waits = Vec::new();
    while begun.elapsed() < within {
        pace.tick().await;
        let asked = Instant::now();
        let came = matches!(tokio::time::timeout(PATIENCE, subscribe(address)).await, Ok(Ok(_)));
        let wait = if came { asked.elapsed() } else { PATIENCE };
        waits.push(wait.as_secs_f64() * 1_000.0);
    }
    waits
}
