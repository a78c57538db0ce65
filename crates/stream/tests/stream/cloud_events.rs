//! The CloudEvents WebSocket binding: one event a message, for clients that know nothing of this project.

use crate::documents::Documents;
use crate::harness::{BATCHED, ROOMY, Stream, event, events, large, soon, with_token};
use futures_util::StreamExt;
use monkeytown_stream::RingBounds;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest},
};

/// Longer events are not held against the document; what is in them is none of its.
const LOOKED_AT_MAX_BYTES: usize = 4_096;
const OFFERED: Option<&str> = Some("cloudevents.json");

/// A client, and the subprotocol that it was told.
struct Client {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    told: Option<String>,
}

impl Client {
    async fn connect(stream: &Stream, query: &str, offered: Option<&str>) -> Result<Self, Error> {
        let mut request = format!("ws://{}/ws{query}", stream.address).into_client_request()?;
        if let Some(offered) = offered {
            request.headers_mut().insert("sec-websocket-protocol", offered.parse().unwrap());
        }
        let (socket, answer) = soon(tokio_tungstenite::connect_async(request)).await?;
        let told = answer.headers().get("sec-websocket-protocol").map(|told| told.to_str().unwrap().to_owned());
        Ok(Self { socket, told })
    }

    /// The next event, or the code of the close.
    async fn next(&mut self) -> Result<Value, u16> {
        loop {
            match soon(self.socket.next()).await {
                Some(Ok(Message::Text(text))) => {
                    let event = serde_json::from_str(&text).unwrap();
                    // A reader that is slow on purpose is not to be slowed down more.
                    if text.len() <= LOOKED_AT_MAX_BYTES {
                        Documents::get().hold_event(&event);
                    }
                    return Ok(event);
                }
                Some(Ok(Message::Close(close))) => return Err(close.map_or(0, |close| close.code.into())),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn take(&mut self, count: usize) -> Vec<Value> {
        let mut taken = Vec::new();
        while taken.len() < count {
            taken.push(self.next().await.unwrap());
        }
        taken
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["id"].as_str().unwrap()).collect()
}

/// The refusal of a client that must be refused: status, problem, `Link`.
async fn refused(stream: &Stream, query: &str, offered: Option<&str>) -> (u16, Value, String) {
    match Client::connect(stream, query, offered).await {
        Err(Error::Http(answer)) => {
            let header = |name| answer.headers().get(name).map_or("", |value| value.to_str().unwrap());
            assert_eq!(header("content-type"), "application/problem+json");
            let link = header("link").to_owned();
            (answer.status().as_u16(), serde_json::from_slice(answer.body().as_deref().unwrap()).unwrap(), link)
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it is not refused"),
    }
}

#[tokio::test]
async fn every_message_is_one_event_that_says_where_it_stands() {
    let stream = Stream::start().await;
    let sent = events(0..12);
    stream.publish(&sent).await;
    // With the header that was offered, or with none.
    for offered in [OFFERED, None] {
        let mut client = Client::connect(&stream, "?after=earliest", offered).await.unwrap();
        assert_eq!(client.told.as_deref(), offered);
        for (offset, mut event) in client.take(12).await.into_iter().enumerate() {
            let members = event.as_object_mut().unwrap();
            assert_eq!(members.remove("sequence"), Some(json!(format!("{offset:020}"))));
            assert_eq!(members.remove("streamepoch"), Some(json!(stream.log.epoch().as_str())));
            assert!(members.remove("recordedtime").is_some());
            assert_eq!(event, sent[offset]);
        }
    }
}

#[tokio::test]
async fn without_a_cursor_it_hears_what_happens_from_now_on() {
    let stream = Stream::start().await;
    stream.publish(&events(0..5)).await;
    let mut client = Client::connect(&stream, "", OFFERED).await.unwrap();
    while stream.metric("resume_total{outcome=\"recovered\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    stream.publish(&[event("live")]).await;
    let live = client.next().await.unwrap();
    assert_eq!((&live["id"], &live["sequence"]), (&json!("live"), &json!("00000000000000000005")));
}

#[tokio::test]
async fn what_an_event_says_of_its_place_is_the_cursor_to_come_back_with() {
    let stream = Stream::start().await;
    stream.publish(&events(0..10)).await;
    let mut client = Client::connect(&stream, "?after=earliest", OFFERED).await.unwrap();
    let last = client.take(4).await.pop().unwrap();
    drop(client);
    stream.publish(&events(10..20)).await;
    let offset: u64 = last["sequence"].as_str().unwrap().parse().unwrap();
    let cursor = format!("?after={}:{offset}", last["streamepoch"].as_str().unwrap());
    let mut client = Client::connect(&stream, &cursor, OFFERED).await.unwrap();
    let expected: Vec<String> = (4..20).map(|id| id.to_string()).collect();
    assert_eq!(ids(&client.take(16).await), expected);
}

#[tokio::test]
async fn a_lost_cursor_is_refused_before_the_upgrade_and_the_snapshot_is_named() {
    let stream = Stream::with(RingBounds { max_events: 5, ..ROOMY }, with_token()).await;
    stream.publish(&events(0..12)).await;
    let epoch = stream.log.epoch().clone();
    for after in ["another-epoch:3".to_owned(), format!("{epoch}:5"), format!("{epoch}:12"), format!("{epoch}:-1")] {
        for offered in [OFFERED, None] {
            let (status, problem, link) = refused(&stream, &format!("?after={after}"), offered).await;
            assert_eq!((status, &problem["status"]), (410, &json!(410)), "{after}");
            assert!(problem["detail"].as_str().unwrap().contains("/api/v1/snapshot"), "{problem}");
            assert_eq!(link, "</api/v1/snapshot>; rel=\"related\"");
        }
    }
    assert_eq!(stream.metric("resume_total{outcome=\"other_epoch\"}").await, 2.0);
    // What the snapshot says is where it goes on.
    let snapshot: Value = stream.get("/api/v1/snapshot").await.json().await.unwrap();
    let after = format!("?after={epoch}:{}", snapshot["offset"]);
    let mut client = Client::connect(&stream, &after, OFFERED).await.unwrap();
    stream.publish(&[event("next")]).await;
    assert_eq!(client.next().await.unwrap()["id"], "next");
}

#[tokio::test]
async fn what_cannot_be_said_in_this_framing_is_refused() {
    let stream = Stream::start().await;
    for (query, offered) in
        [("", Some("graphql-ws")), ("?snapshot=1", OFFERED), ("?after=x", OFFERED), ("?after=x", None)]
    {
        assert_eq!(refused(&stream, query, offered).await.0, 400, "{query} {offered:?}");
    }
    // Of both, the stream's own.
    for offered in ["cloudevents.json, monkeytown.v1.json", "monkeytown.v1.json,cloudevents.json"] {
        let client = Client::connect(&stream, "", Some(offered)).await.unwrap();
        assert_eq!(client.told.as_deref(), Some("monkeytown.v1.json"), "{offered}");
    }
}

#[tokio::test]
async fn interest_narrows_it_too() {
    let stream = Stream::start().await;
    let mut history = events(0..600);
    history.push(large("wanted", 10));
    stream.publish(&history).await;
    let mut client = Client::connect(&stream, "?after=earliest&types=org.example.large", OFFERED).await.unwrap();
    let wanted = client.next().await.unwrap();
    assert_eq!((&wanted["id"], &wanted["sequence"]), (&json!("wanted"), &json!("00000000000000000600")));
}

#[tokio::test]
async fn nothing_but_events_is_sent_before_the_close_of_a_drain() {
    let mut stream = Stream::start().await;
    stream.publish(&events(0..3)).await;
    let mut client = Client::connect(&stream, "?after=earliest", OFFERED).await.unwrap();
    client.take(3).await;
    stream.begin_drain();
    assert_eq!(client.next().await, Err(1001));
    stream.ended().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_too_slow_for_the_ring_is_closed_and_its_cursor_is_gone() {
    let stream = Stream::with(RingBounds { max_events: 50, ..ROOMY }, with_token()).await;
    let mut slow = Client::connect(&stream, "?after=earliest", OFFERED).await.unwrap();
    while stream.metric("resume_total{outcome=\"recovered\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    for number in 0..200 {
        let batch: Vec<Value> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
        assert_eq!(soon(stream.post(BATCHED, Value::from(batch).to_string()).send()).await.unwrap().status(), 200);
    }
    let mut next = 0;
    let code = loop {
        match slow.next().await {
            Ok(event) => {
                assert_eq!(event["sequence"], format!("{next:020}"), "what is sent has no hole");
                next += 1;
            }
            Err(code) => break code,
        }
    };
    assert_eq!(code, 4200);
    let after = format!("?after={}:{}", stream.log.epoch(), next - 1);
    assert_eq!(refused(&stream, &after, OFFERED).await.0, 410);
}
