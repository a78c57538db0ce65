//! The session's socket: WebDriver `BiDi`, commands with their answers and what the browser tells unasked.

use crate::wait::PATIENCE;
use futures_util::{SinkExt, StreamExt, stream::SplitSink};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::{
    net::TcpStream,
    sync::{Mutex as Turn, oneshot, watch},
    task::JoinHandle,
    time::timeout,
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

type Answer = Result<Value, String>;
type Waiting = Arc<Mutex<HashMap<u64, oneshot::Sender<Answer>>>>;

/// The end of the socket, as an answer.
const GONE: &str = "the browser has gone";

/// One connection to a session.
pub(super) struct Socket {
    outgoing: Turn<SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>>,
    waiting: Waiting,
    next: AtomicU64,
    told: watch::Sender<Vec<Value>>,
    reading: JoinHandle<()>,
}

impl Socket {
    /// Connects.
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let (socket, _) = timeout(PATIENCE, tokio_tungstenite::connect_async(url)).await??;
        let (outgoing, mut incoming) = socket.split();
        let waiting = Waiting::default();
        let told = watch::Sender::new(Vec::new());
        let (answers, events) = (Arc::clone(&waiting), told.clone());
        let reading = tokio::spawn(async move {
            while let Some(Ok(message)) = incoming.next().await {
                let Ok(message) = serde_json::from_slice::<Value>(&message.into_data()) else { continue };
                take(message, &answers, &events);
            }
            for (_, answer) in answers.lock().unwrap_or_else(PoisonError::into_inner).drain() {
                let _ = answer.send(Err(GONE.to_owned()));
            }
        });
        Ok(Self { outgoing: Turn::new(outgoing), waiting, next: AtomicU64::new(1), told, reading })
    }

    /// What the browser answers to a command.
    pub(super) async fn ask(&self, method: &str, params: Value) -> Answer {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (tell, answer) = oneshot::channel();
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).insert(id, tell);
        let command = json!({"id": id, "method": method, "params": params}).to_string();
        let exchange = async {
            self.outgoing.lock().await.send(Message::text(command)).await.map_err(|why| format!("{GONE}: {why}"))?;
            answer.await.unwrap_or_else(|_| Err(GONE.to_owned()))
        };
        let answer = timeout(PATIENCE, exchange).await;
        let answer = answer.unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")));
        answer.map_err(|why| format!("{method}: {why}"))
    }

    /// Whether nothing will be answered any more.
    pub(super) fn is_gone(&self) -> bool {
        self.reading.is_finished()
    }

    /// What the browser has told unasked so far, and what it will.
    pub(super) fn told(&self) -> watch::Receiver<Vec<Value>> {
        self.told.subscribe()
    }
}

fn take(message: Value, waiting: &Waiting, events: &watch::Sender<Vec<Value>>) {
    let Some(id) = message.get("id").and_then(Value::as_u64) else {
        events.send_modify(|events| events.push(message));
        return;
    };
    let Some(tell) = waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&id) else { return };
    let said = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default();
    let answer = match message.get("result") {
        Some(result) => Ok(result.clone()),
        None => Err(format!("{}: {}", said("error"), said("message"))),
    };
    // Whoever asked may have given up.
    let _ = tell.send(answer);
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reading.abort();
    }
}
