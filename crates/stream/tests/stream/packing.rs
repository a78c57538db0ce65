//! Compressed messages: who offers gets them, reads the same as everybody, and may compress what it says.

use crate::harness::{Stream, event, events, large, soon};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const OFFER: &str = "permessage-deflate; client_max_window_bits";
const PLAIN_TEXT: u8 = 0x81;
const PACKED_TEXT: u8 = 0xC1;
const CLOSE: u8 = 0x88;

/// A client that shakes hands and reads frames itself: the library of the other tests knows no compression.
struct Client {
    connection: TcpStream,
    /// The head of the answer to its handshake.
    answer: String,
    /// How many messages were compressed.
    packed: usize,
    /// Bytes of payload, as they came.
    bytes: usize,
}

impl Client {
    async fn connect(stream: &Stream, query: &str, protocol: &str, offer: &str) -> Self {
        let mut connection = TcpStream::connect(stream.address).await.unwrap();
        let request = format!(
            "GET /ws{query} HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: {protocol}\r\nsec-websocket-extensions: {offer}\r\n\r\n"
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            answer.push(soon(connection.read_u8()).await.unwrap());
        }
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 101"), "{answer}");
        Self { connection, answer, packed: 0, bytes: 0 }
    }

    /// The next message's first byte and what it says.
    async fn message(&mut self) -> (u8, Vec<u8>) {
        let connection = &mut self.connection;
        let first = soon(connection.read_u8()).await.unwrap();
        let length = match soon(connection.read_u8()).await.unwrap() {
            126 => usize::from(soon(connection.read_u16()).await.unwrap()),
            127 => usize::try_from(soon(connection.read_u64()).await.unwrap()).unwrap(),
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        soon(connection.read_exact(&mut payload)).await.unwrap();
        self.bytes += length;
        if first != PACKED_TEXT {
            return (first, payload);
        }
        self.packed += 1;
        payload.extend([0x00, 0x00, 0xFF, 0xFF]);
        let mut text = Vec::with_capacity(4_000_000);
        // Nothing is remembered from one message to the next, as was agreed.
        Decompress::new(false).decompress_vec(&payload, &mut text, FlushDecompress::Sync).unwrap();
        (first, text)
    }

    /// The next frame.
    async fn frame(&mut self) -> Value {
        let (first, text) = self.message().await;
        assert!(matches!(first, PLAIN_TEXT | PACKED_TEXT), "{first:#x} is no text");
        serde_json::from_slice(&text).unwrap()
    }

    /// Reads up to the event `last`; hello, and the events with all that they say.
    async fn read_up_to(&mut self, last: &str) -> (Value, Vec<Value>) {
        let hello = self.frame().await;
        assert_eq!(hello["kind"], "hello");
        let mut heard: Vec<Value> = Vec::new();
        while heard.last().is_none_or(|event| event["id"] != last) {
            let frame = self.frame().await;
            heard.extend(frame["events"].as_array().cloned().unwrap_or_default());
        }
        (hello, heard)
    }

    /// Says something, in a frame that begins with `first`.
    async fn say(&mut self, first: u8, payload: &[u8]) {
        let mut frame = vec![first, 0x80 | 126];
        frame.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
        frame.extend([0; 4]);
        frame.extend(payload);
        // The other side may have closed already.
        let _ = self.connection.write_all(&frame).await;
    }

    /// Reads until it is closed; the code.
    async fn closed(&mut self) -> u16 {
        loop {
            let (first, payload) = self.message().await;
            if first == CLOSE {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

const OURS: &str = "monkeytown.v1.json";

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packed = Vec::with_capacity(text.len() + 100);
    Compress::new(Compression::best(), false).compress_vec(text, &mut packed, FlushCompress::Sync).unwrap();
    packed.truncate(packed.len() - 4);
    packed
}

#[tokio::test]
async fn who_offers_compression_reads_the_same_in_a_fraction_of_the_bytes() {
    let stream = Stream::start().await;
    stream.publish(&events(0..500)).await;
    for query in ["?after=earliest", "?after=latest&snapshot=1", ""] {
        let mut offering = Client::connect(&stream, query, OURS, OFFER).await;
        let mut plain = Client::connect(&stream, query, OURS, "").await;
        assert!(offering.answer.contains("sec-websocket-extensions: permessage-deflate; server_no_context_takeover"));
        assert!(!plain.answer.contains("sec-websocket-extensions"), "{}", plain.answer);
        // Two that are alike share what is packed once.
        let mut alike = Client::connect(&stream, query, OURS, OFFER).await;
        let last = format!("last{query}");
        stream.publish(&[events(500..900), vec![event(&last)]].concat()).await;
        let (hello, heard) = offering.read_up_to(&last).await;
        let (plain_hello, plainly_heard) = plain.read_up_to(&last).await;
        assert_eq!(heard, plainly_heard, "{query}");
        assert_eq!(alike.read_up_to(&last).await.1, heard, "{query}");
        assert_eq!(hello["snapshot"], plain_hello["snapshot"], "{query}");
        assert!(offering.packed > 0 && plain.packed == 0, "{query}");
        if query == "?after=earliest" {
            assert!(offering.bytes * 4 < plain.bytes, "{} of {} bytes", offering.bytes, plain.bytes);
        }
    }
}

#[tokio::test]
async fn what_is_short_or_does_not_shrink_comes_as_it_is() {
    let stream = Stream::start().await;
    let mut client = Client::connect(&stream, "?after=latest", OURS, OFFER).await;
    stream.publish(&[event("short")]).await;
    client.read_up_to("short").await;
    assert_eq!(client.packed, 0);
    stream.publish(&[large("long", 8_000)]).await;
    let frame = client.frame().await;
    assert_eq!(frame["events"][0]["id"], "long");
    assert_eq!(client.packed, 1);
}

#[tokio::test]
async fn an_offer_that_cannot_be_kept_or_another_framing_is_served_plainly() {
    let stream = Stream::start().await;
    for (protocol, offer) in
        [(OURS, "permessage-deflate; server_max_window_bits=9"), (OURS, "x-unheard-of"), ("cloudevents.json", OFFER)]
    {
        let mut client = Client::connect(&stream, "?after=latest", protocol, offer).await;
        assert!(!client.answer.contains("sec-websocket-extensions"), "{}", client.answer);
        stream.publish(&[large(&format!("{protocol}{offer}"), 8_000)]).await;
        while !String::from_utf8(client.message().await.1).unwrap().contains("org.example.large") {}
        assert_eq!(client.packed, 0);
        // A message that says it is compressed breaks what was agreed on.
        client.say(PACKED_TEXT, &packed(b"hello")).await;
        assert_eq!(client.closed().await, 1002);
    }
}

#[tokio::test]
async fn compressed_messages_of_a_subscriber_are_counted_like_others_and_not_unpacked() {
    let stream = Stream::start().await;
    let mut client = Client::connect(&stream, "?after=latest", OURS, OFFER).await;
    for _ in 0..8 {
        client.say(PACKED_TEXT, &packed(b"hello")).await;
    }
    // A bomb is as long as it came.
    let bomb = packed(&vec![b'x'; 2_000_000]);
    assert!(bomb.len() < 16_000);
    stream.publish(&[event("heard")]).await;
    client.read_up_to("heard").await;
    client.say(PACKED_TEXT, &bomb).await;
    assert_eq!(client.closed().await, 1008, "nine messages are too many");

    let mut client = Client::connect(&stream, "?after=latest", OURS, OFFER).await;
    client.say(PACKED_TEXT, &vec![0x55; 20_000]).await;
    assert_eq!(client.closed().await, 1009, "one of twenty thousand bytes is too big");
    // What breaks the protocol is refused, agreed on or not: a compressed ping.
    let mut client = Client::connect(&stream, "?after=latest", OURS, OFFER).await;
    client.say(0xC9, b"").await;
    assert_eq!(client.closed().await, 1002);
}

#[tokio::test]
async fn the_documents_tell_what_is_offered_and_agreed_on() {
    let stream = Stream::start().await;
    let openapi: Value = stream.get("/api/openapi.json").await.json().await.unwrap();
    let told = &openapi["paths"]["/ws"]["get"];
    let is_offer = |told: &&Value| told["name"] == "Sec-WebSocket-Extensions" && told["in"] == "header";
    let offer = told["parameters"].as_array().unwrap().iter().find(is_offer).expect("what may be offered");
    assert_eq!(offer["required"], json!(false));
    assert!(told["responses"]["101"]["headers"]["Sec-WebSocket-Extensions"].is_object(), "what is agreed on");
    let asyncapi: Value = stream.get("/api/asyncapi.json").await.json().await.unwrap();
    let header = |channel: &str| {
        asyncapi["channels"][channel]["bindings"]["ws"]["headers"]["properties"]["Sec-WebSocket-Extensions"].clone()
    };
    let (frames, cloud_events) = (header("frames"), header("cloudEvents"));
    assert_eq!(cloud_events, Value::Null);
    let examples = frames["examples"].as_array().unwrap();
    assert!(examples.len() > 1);
    for offer in examples {
        let offer = offer.as_str().unwrap();
        let agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
        let client = Client::connect(&stream, "", "monkeytown.v1.json", offer).await;
        assert!(client.answer.contains(&format!("sec-websocket-extensions: {agreed}\r\n")), "{}", client.answer);
        assert!(frames["description"].as_str().unwrap().contains(agreed.split_once("; ").unwrap().1));
        let client = Client::connect(&stream, "", "cloudevents.json", offer).await;
        assert!(!client.answer.contains("sec-websocket-extensions"), "{}", client.answer);
    }
}
