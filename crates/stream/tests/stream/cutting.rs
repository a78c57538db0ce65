//! Connections that break: everything is had once and in order by whoever comes back with the last cursor it has,
//! wherever the cut was.

use crate::{
    event_source::Parser,
    harness::{ROOMY, Received, Stream, Subscriber, event, events, id_of, soon, with_token},
};
use futures_util::StreamExt;
use monkeytown_protocol::Frame;
use monkeytown_stream::{Options, Timing};
use serde_json::Value;
use std::{
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

/// What a client has that comes back again and again.
#[derive(Debug, Default)]
struct Held {
    cursor: Option<String>,
    next: u64,
    ids: Vec<String>,
    caught_up: bool,
}

impl Held {
    fn take(&mut self, frame: Received) {
        match frame {
            Frame::Hello(hello) => {
                assert!(hello.recovered && hello.snapshot.is_none());
                assert_eq!(hello.from.next().0, self.next);
                self.caught_up = false;
            }
            Frame::Events { epoch, first, last, events } => {
                assert_eq!(first.0, self.next, "no hole and nothing twice");
                self.next = last.0 + 1;
                self.cursor = Some(format!("{epoch}:{}", last.0));
                self.ids.extend(events.iter().map(|event| id_of(event.get())));
            }
            Frame::CaughtUp { .. } => self.caught_up = true,
            Frame::Heartbeat { .. } => {}
            other @ Frame::Bye { .. } => panic!("{other:?}"),
        }
    }
}

/// Takes server-sent events in, up to the end of replay or to `cut` bytes of the body; how many bytes came.
async fn sent_events(stream: &Stream, held: &mut Held, cut: usize) -> usize {
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let last_id = held.cursor.as_ref().map(|cursor| format!("last-event-id: {cursor}\r\n")).unwrap_or_default();
    // HTTP/1.0: the body comes as it is, without chunks.
    let request =
        format!("GET /api/v1/events?after=earliest HTTP/1.0\r\nhost: x\r\naccept: text/event-stream\r\n{last_id}\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(soon(connection.read_u8()).await.unwrap());
    }
    let (mut parser, mut read, mut bytes) = (Parser::default(), 0, [0; 4_096]);
    loop {
        let most = bytes.len().min(cut - read);
        let Some(room) = bytes.get_mut(..most).filter(|room| !room.is_empty()) else { return read };
        let count = soon(connection.read(room)).await.unwrap();
        assert!(count > 0, "the answer ends by itself");
        read += count;
        for message in parser.feed(&bytes[..count]) {
            held.take(message.frame());
            if let Some(cursor) = &held.cursor {
                assert_eq!(cursor, &message.last_id, "the id is the cursor");
            }
        }
        if held.caught_up {
            return read;
        }
    }
}

/// A connection that ends after so many bytes have been read.
struct Cut {
    io: TcpStream,
    left: usize,
}

impl AsyncRead for Cut {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let mut bytes = vec![0; into.remaining().min(self.left)];
        if bytes.is_empty() {
            return Poll::Ready(Ok(()));
        }
        let mut limited = ReadBuf::new(&mut bytes);
        std::task::ready!(Pin::new(&mut self.io).poll_read(context, &mut limited))?;
        into.put_slice(limited.filled());
        self.left -= limited.filled().len();
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Cut {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }
    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// The same by a socket; `cut` counts the bytes of its handshake too.
async fn socket(stream: &Stream, held: &mut Held, cut: usize) -> usize {
    let after = held.cursor.as_deref().unwrap_or("earliest");
    let mut request = format!("ws://{}/ws?after={after}", stream.address).into_client_request().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", "monkeytown.v1.json".parse().unwrap());
    let mut io = Cut { io: TcpStream::connect(stream.address).await.unwrap(), left: cut };
    let mut read_up = false;
    if let Ok((mut socket, _)) = soon(tokio_tungstenite::client_async(request, &mut io)).await {
        while let Some(Ok(message)) = soon(socket.next()).await {
            if let Message::Text(text) = message {
                held.take(serde_json::from_str(&text).unwrap());
            }
            if held.caught_up {
                read_up = true;
                break;
            }
        }
    }
    assert!(read_up || io.left == 0, "it ends at the cut, and nowhere else");
    cut - io.left
}

/// Cuts at every byte between the first and the end of replay, and comes back. Of the first `$dull` bytes, which say
/// nothing, some are enough.
macro_rules! cut_everywhere {
    ($way:ident, $dull:expr) => {{
        let stream = Stream::start().await;
        stream.publish(&events(0..3)).await;
        stream.publish(&events(3..6)).await;
        let expected: Vec<String> = (0..6).map(|id| id.to_string()).collect();
        let whole = $way(&stream, &mut Held::default(), usize::MAX).await;
        let mut in_between = 0;
        let cuts: Vec<usize> = (1..whole).filter(|cut| *cut > $dull || cut % 97 == 0).collect();
        println!("{} cuts", cuts.len());
        for cut in cuts {
            let mut held = Held::default();
            $way(&stream, &mut held, cut).await;
            in_between += usize::from(!held.ids.is_empty());
            $way(&stream, &mut held, usize::MAX).await;
            assert_eq!(held.ids, expected, "cut after {cut} bytes");
            assert!(held.caught_up);
        }
        assert!(in_between > 10, "some cuts come after events");
    }};
}

#[tokio::test]
async fn a_socket_cut_at_any_byte_is_resumed_without_a_hole() {
    cut_everywhere!(socket, 0);
}

#[tokio::test]
async fn sent_events_cut_at_any_byte_are_resumed_without_a_hole() {
    cut_everywhere!(sent_events, 2_040);
}

/// R1: away while things happen, and back while they are still held.
#[tokio::test]
async fn what_happened_during_a_cut_comes_whole_and_then_the_end_of_replay() {
    let stream = Stream::start().await;
    let (mut by_socket, mut by_sent_events) = (Held::default(), Held::default());
    for round in 0..12 {
        // Nobody is connected.
        stream.publish(&events(round * 500..(round + 1) * 500)).await;
        socket(&stream, &mut by_socket, usize::MAX).await;
        sent_events(&stream, &mut by_sent_events, usize::MAX).await;
    }
    let expected: Vec<String> = (0..6_000).map(|id| id.to_string()).collect();
    for held in [by_socket, by_sent_events] {
        assert!(held.caught_up);
        assert_eq!(held.ids, expected);
    }
}

/// R4: frames that vanish between two that arrive leave a hole; those that vanish at the end leave none, and only the
/// next heartbeat tells.
#[tokio::test]
async fn a_tail_that_was_lost_without_a_word_is_named_by_the_next_heartbeat() {
    let timing = Timing { heartbeat: Duration::from_millis(100), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    stream.publish(&events(0..5)).await;
    let mut subscriber = stream.subscribe("?after=earliest").await;
    subscriber.hello().await;
    assert_eq!(subscriber.replay().await.0.len(), 5);
    stream.publish(&events(5..9)).await;
    // Whatever is between the two loses what was published.
    let head = loop {
        match subscriber.next().await.unwrap() {
            Frame::Heartbeat { head, .. } if head.unwrap().0 > 4 => break head.unwrap().0,
            _ => {}
        }
    };
    assert_eq!(head, 8);
    let mut back = stream.subscribe(&format!("?after={}:4", stream.log.epoch())).await;
    assert!(back.hello().await.recovered);
    assert_eq!(back.replay().await, (["5", "6", "7", "8"].map(str::to_owned).to_vec(), Some(8)));
}

/// R15: a publisher whose answer was lost sends again.
#[tokio::test]
async fn a_publish_that_is_sent_again_after_a_cut_is_delivered_once() {
    let stream = Stream::start().await;
    let mut live: Subscriber = stream.subscribe("?after=earliest").await;
    live.hello().await;
    for number in 0..20 {
        let body = Value::from(vec![event(&number.to_string())]).to_string();
        let head = format!(
            "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: {}\r\ncontent-length: {}\r\n\r\n",
            crate::harness::TOKEN,
            crate::harness::BATCHED,
            body.len()
        );
        let mut connection = TcpStream::connect(stream.address).await.unwrap();
        connection.write_all(head.as_bytes()).await.unwrap();
        connection.write_all(body.as_bytes()).await.unwrap();
        while stream.log.head().is_none_or(|head| head.0 < number) {
            tokio::task::yield_now().await;
        }
        // It was taken, and the answer is never read.
        drop(connection);
        for _ in 0..3 {
            let receipt = stream.publish(&[event(&number.to_string())]).await;
            assert_eq!((&receipt["offsets"], &receipt["duplicates"]), (&Value::from(vec![number]), &Value::from(1)));
        }
    }
    let mut held = Held::default();
    while held.ids.len() < 20 {
        held.take(live.next().await.unwrap());
    }
    let mut again = Held::default();
    sent_events(&stream, &mut again, usize::MAX).await;
    let expected: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    assert_eq!((&held.ids, &again.ids), (&expected, &expected));
    assert_eq!(stream.log.head().unwrap().0, 19);
}
