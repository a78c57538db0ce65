//! A server in this process, and the other ends of its connections.

use crate::documents::Documents;
use futures_util::{SinkExt, StreamExt};
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Envelope, Frame, Hello, Timestamp};
use monkeytown_stream::{Log, Metrics, Options, RingBounds, Server, Tokens};
use serde_json::{Value, json, value::RawValue};
use std::{net::SocketAddr, time::Duration};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, protocol::CloseFrame},
};

pub(crate) const TOKEN: &str = "the-token";
pub(crate) const STRUCTURED: &str = "application/cloudevents+json";
pub(crate) const BATCHED: &str = "application/cloudevents-batch+json";

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
    stop: Option<oneshot::Sender<()>>,
    running: JoinHandle<()>,
}

pub(crate) fn with_token() -> Options {
    Options { tokens: Tokens::read(TOKEN).unwrap(), ..Options::default() }
}

pub(crate) const ROOMY: RingBounds = RingBounds { max_events: 100_000, max_bytes: 1 << 28 };

impl Stream {
    pub(crate) async fn start() -> Self {
        Self::with(ROOMY, with_token()).await
    }

    pub(crate) async fn with(ring: RingBounds, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let metrics = Metrics::new();
        let log = Log::new(ring, metrics.clone());
        let server = Server::new(log.clone(), metrics, options);
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(async move {
            let shutdown = async move {
                let _ = stopped.await;
            };
            server.serve(listener, shutdown).await.unwrap();
        });
        Self { address, log, stop: Some(stop), running }
    }

    pub(crate) fn begin_drain(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }

    pub(crate) async fn ended(self) {
        soon(self.running).await.unwrap();
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) async fn get(&self, path: &str) -> reqwest::Response {
        let answer = soon(reqwest::get(self.url(path))).await.unwrap();
        Documents::get().hold_answer("get", answer).await
    }

    pub(crate) async fn metric(&self, line: &str) -> f64 {
        let text = self.get("/metrics").await.text().await.unwrap();
        let found = text.lines().find_map(|known| known.strip_prefix(line)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("{line} is not in:\n{text}")).parse().unwrap()
    }

    pub(crate) fn post(&self, content_type: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        let request = reqwest::Client::new().post(self.url("/api/v1/events")).header("content-type", content_type);
        request.bearer_auth(TOKEN).body(body)
    }

    /// Publishes events that must be taken.
    pub(crate) async fn publish(&self, events: &[Value]) -> Value {
        let answer = soon(self.post(BATCHED, Value::from(events).to_string()).send()).await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer = Documents::get().hold_answer("post", answer).await;
        answer.json().await.unwrap()
    }

    pub(crate) async fn subscribe(&self, query: &str) -> Subscriber {
        self.subscribe_with(query, &[]).await.unwrap()
    }

    pub(crate) async fn subscribe_with(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Subscriber, Error> {
        let mut request = format!("ws://{}/ws{query}", self.address).into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "monkeytown.v1.json".parse().unwrap());
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = soon(tokio_tungstenite::connect_async(request)).await?;
        Ok(Subscriber { socket })
    }

    /// The status and problem of a subscription that must be refused.
    pub(crate) async fn refused(&self, query: &str, headers: &[(&'static str, &str)]) -> (u16, Value) {
        match self.subscribe_with(query, headers).await {
            Err(Error::Http(response)) => {
                let body = response.body().as_deref().unwrap_or_default();
                let (status, problem) = (response.status().as_u16(), serde_json::from_slice(body).unwrap_or_default());
                let documents = Documents::get();
                assert!(
                    documents.openapi["paths"]["/ws"]["get"]["responses"][status.to_string()].is_object(),
                    "{status}"
                );
                documents.hold(&Documents::named("Problem"), &problem, "a refusal");
                (status, problem)
            }
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("the subscription is not refused"),
        }
    }
}

pub(crate) type Received = Frame<Box<RawValue>, Box<RawValue>>;

/// One end of a WebSocket subscription.
pub(crate) struct Subscriber {
    pub(crate) socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

/// What a subscriber has pieced together.
pub(crate) struct Picture {
    pub(crate) hello: Hello<Box<RawValue>>,
    pub(crate) state: Civilization,
    pub(crate) ids: Vec<String>,
    next: u64,
}

impl Subscriber {
    /// The next frame, or how the connection was closed.
    pub(crate) async fn next(&mut self) -> Result<Received, Option<CloseFrame>> {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    Documents::get().hold_frame(&text);
                    return Ok(serde_json::from_str(&text).unwrap());
                }
                Some(Ok(Message::Close(close))) => {
                    Documents::get().hold_close(close.as_ref().map_or(0, |close| close.code.into()));
                    return Err(close);
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub(crate) async fn hello(&mut self) -> Hello<Box<RawValue>> {
        match self.next().await.unwrap() {
            Frame::Hello(hello) => *hello,
            other => panic!("{other:?} instead of hello"),
        }
    }

    pub(crate) async fn send(&mut self, message: Message) {
        self.socket.send(message).await.unwrap();
    }

    /// Reads until closed; the close code.
    pub(crate) async fn closed(&mut self) -> u16 {
        loop {
            match self.next().await {
                Ok(_) => {}
                Err(close) => return close.map_or(0, |close| close.code.into()),
            }
        }
    }

    pub(crate) async fn picture(&mut self) -> Picture {
        let hello = self.hello().await;
        let state = hello.snapshot.as_ref().map(|snapshot| {
            assert_eq!(snapshot.offset, hello.from.after);
            serde_json::from_str(snapshot.state.get()).unwrap()
        });
        Picture { next: hello.from.next().0, state: state.unwrap_or_default(), ids: Vec::new(), hello }
    }

    /// Takes events in until `offset` is covered.
    pub(crate) async fn follow(&mut self, picture: &mut Picture, offset: u64) {
        while picture.next <= offset {
            if let Frame::Events { epoch, first, last, events } = self.next().await.unwrap() {
                assert_eq!(epoch, picture.hello.epoch);
                assert_eq!(first.0, picture.next, "no hole and nothing twice");
                picture.next = last.0 + 1;
                for event in events {
                    picture.ids.push(apply(&mut picture.state, event.get()));
                }
            }
        }
    }

    /// Reads up to the end of replay: the frames before it and its offset.
    pub(crate) async fn replay(&mut self) -> (Vec<String>, Option<u64>) {
        let mut ids = Vec::new();
        loop {
            match self.next().await.unwrap() {
                Frame::Events { events, .. } => ids.extend(events.iter().map(|event| id_of(event.get()))),
                Frame::CaughtUp { offset } => return (ids, offset.map(|offset| offset.0)),
                Frame::Heartbeat { .. } => {}
                other => panic!("{other:?} during replay"),
            }
        }
    }
}

pub(crate) fn id_of(json: &str) -> String {
    serde_json::from_str::<Value>(json).unwrap()["id"].as_str().unwrap().to_owned()
}

/// Applies an event as the browser does; its id.
pub(crate) fn apply(state: &mut Civilization, json: &str) -> String {
    let envelope: Envelope<'_, &RawValue> = serde_json::from_str(json).unwrap();
    envelope.check().unwrap();
    let mut data = serde_json::Deserializer::from_str(envelope.data.map_or("null", RawValue::get));
    let event = envelope.decode(Timestamp::default(), |_| &mut data).unwrap();
    let id = event.id.to_string();
    state.apply(event, &mut Changes::default());
    id
}

/// An agent at work.
pub(crate) fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/agents/a", "type": "monkeytown.entity.updated",
        "time": "2026-01-18T12:00:00.000Z",
        "data": {"id": "a", "kind": "agent", "status": "active", "activity": format!("does {id}")},
    })
}

pub(crate) fn events(range: std::ops::Range<u32>) -> Vec<Value> {
    range.map(|number| event(&number.to_string())).collect()
}

/// A large event of a type that nobody draws.
pub(crate) fn large(id: &str, bytes: usize) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/s", "type": "org.example.large", "data": "x".repeat(bytes)})
}

impl Subscriber {
    /// Reads past hello and replay: what follows is live.
    pub(crate) async fn replay_from_hello(&mut self) {
        self.hello().await;
        self.replay().await;
    }
}
