//! Those who would take the stream down: they are refused within bounds, and others are served meanwhile.

use crate::harness::{BATCHED, ROOMY, STRUCTURED, Stream, Subscriber, TOKEN, event, large, soon, with_token};
use monkeytown_stream::{Options, Timing, TrustedProxy};
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// A megabyte.
const MB: usize = 1_000_000;

/// What a stream still does for others.
async fn serves_others(stream: &Stream, id: &str) {
    let mut subscriber = stream.subscribe("?after=latest").await;
    subscriber.replay_from_hello().await;
    stream.publish(&[event(id)]).await;
    let monkeytown_protocol::Frame::Events { events, .. } = subscriber.next().await.unwrap() else {
        panic!("not the event");
    };
    assert_eq!(events.len(), 1);
}

/// Everything that is answered, until the other side closes.
async fn rest(connection: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    // Whoever is cut while it still sends may find the connection reset.
    let _ = soon(connection.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn head(authorization: &str, body: &str) -> String {
    format!(
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\nauthorization: {authorization}\r\ncontent-type: {STRUCTURED}\r\n{body}\r\n\r\n"
    )
}

/// The head of a client's frame: masked with zeros, so that what follows is sent as it is.
fn frame(first: u8, length: usize) -> Vec<u8> {
    let mut frame = vec![first];
    match u16::try_from(length) {
        Ok(short @ 0..=125) => frame.push(0x80 | u8::try_from(short).unwrap()),
        Ok(length) => {
            frame.push(0x80 | 126);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame
}

/// Sends until the other side takes no more; how many bytes it took.
async fn flood(subscriber: &mut Subscriber, piece: &[u8], most: usize) -> usize {
    let mut sent = 0;
    while sent < most {
        match tokio::time::timeout(Duration::from_secs(10), subscriber.socket.get_mut().write_all(piece)).await {
            Ok(Ok(())) => sent += piece.len(),
            _ => break,
        }
    }
    sent
}

#[tokio::test]
async fn a_frame_of_a_hundred_megabytes_is_refused_by_its_head() {
    let stream = Stream::start().await;
    for first in [0x81, 0x82, 0x01] {
        let mut subscriber = stream.subscribe("").await;
        subscriber.hello().await;
        subscriber.socket.get_mut().write_all(&frame(first, 100 * MB)).await.unwrap();
        // Nothing of its content has been sent.
        assert_eq!(subscriber.closed().await, 1009);
    }
    serves_others(&stream, "1").await;
    assert_eq!(stream.metric("subscribers_evicted_total{reason=\"oversized\"}").await, 3.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_without_end_are_cut_at_the_size_of_a_message() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.hello().await;
    subscriber.socket.get_mut().write_all(&frame(0x01, 0)).await.unwrap();
    let mut piece = frame(0x00, 1_000);
    piece.extend(vec![b'x'; 1_000]);
    let sent = flood(&mut subscriber, &piece, 100 * MB).await;
    // What the sockets between the two hold is all that can be sent beyond.
    assert!(sent < 100 * MB, "{sent} bytes were taken");
    while stream.metric("subscribers_evicted_total{reason=\"oversized\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    serves_others(&stream, "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fragments_that_hold_nothing_are_bounded_by_how_much_a_subscriber_may_say() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.hello().await;
    subscriber.socket.get_mut().write_all(&frame(0x01, 0)).await.unwrap();
    let piece = frame(0x00, 0).repeat(1_000);
    let sent = flood(&mut subscriber, &piece, 100 * MB).await;
    assert!(sent < 100 * MB, "{sent} bytes were taken");
    while stream.metric("subscribers_evicted_total{reason=\"unruly\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
    serves_others(&stream, "1").await;
}

#[tokio::test]
async fn pings_without_end_are_cut() {
    let stream = Stream::start().await;
    let mut subscriber = stream.subscribe("").await;
    subscriber.hello().await;
    flood(&mut subscriber, &frame(0x89, 0).repeat(100), 100 * MB).await;
    while stream.metric("subscribers_evicted_total{reason=\"unruly\"}").await < 1.0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_body_of_a_hundred_megabytes_is_refused_by_its_head() {
    let stream = Stream::start().await;
    for (authorization, status) in [("Bearer wrong", "401"), ("", "401"), (&format!("Bearer {TOKEN}"), "413")] {
        let mut connection = TcpStream::connect(stream.address).await.unwrap();
        let head = head(authorization, &format!("content-length: {}", 100 * MB));
        connection.write_all(head.as_bytes()).await.unwrap();
        let answer = rest(&mut connection).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{authorization}: {answer}");
    }
    serves_others(&stream, "1").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_say_its_size_is_cut_at_a_bound() {
    let stream = Stream::start().await;
    for authorization in ["Bearer wrong", &format!("Bearer {TOKEN}")] {
        let mut connection = TcpStream::connect(stream.address).await.unwrap();
        connection.write_all(head(authorization, "transfer-encoding: chunked").as_bytes()).await.unwrap();
        let mut chunk = format!("{MB:x}\r\n").into_bytes();
        chunk.extend(vec![b' '; MB]);
        chunk.extend(b"\r\n");
        let mut taken = 0;
        while taken < 100 && soon(connection.write_all(&chunk)).await.is_ok() {
            taken += 1;
        }
        assert!(taken < 100, "{authorization}: all of it was taken");
    }
    serves_others(&stream, "1").await;
}

#[tokio::test]
async fn heads_and_bodies_that_come_a_byte_at_a_time_have_one_deadline_for_all_of_them() {
    let short = Duration::from_millis(300);
    let timing = Timing { header_read: short, body_read: short, ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    let body = head(&format!("Bearer {TOKEN}"), "content-length: 100000");
    for (begin, drip, status) in
        [("GET /health HTTP/1.1\r\nhost: x\r\nx-slow: ".to_owned(), b'x', ""), (body, b' ', "HTTP/1.1 408 ")]
    {
        let connection = TcpStream::connect(stream.address).await.unwrap();
        let (mut read, mut write) = connection.into_split();
        write.write_all(begin.as_bytes()).await.unwrap();
        // A byte at a time, for as long as it is taken.
        let dripping = tokio::spawn(async move {
            let mut pace = tokio::time::interval(Duration::from_millis(20));
            while write.write_all(&[drip]).await.is_ok() {
                pace.tick().await;
            }
        });
        let mut answer = Vec::new();
        let _ = soon(read.read_to_end(&mut answer)).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(status) && !answer.contains("HTTP/1.1 200"), "{answer}");
        dripping.abort();
    }
    serves_others(&stream, "1").await;
}

#[tokio::test]
async fn heads_that_are_no_heads_are_refused_and_none_of_them_comes_back_in_an_answer() {
    let stream = Stream::start().await;
    let huge = format!("GET /health HTTP/1.1\r\nhost: x\r\nx-huge: {}\r\n\r\n", "x".repeat(MB));
    let many = format!("GET /health HTTP/1.1\r\nhost: x\r\n{}\r\n", "x-many: 1\r\n".repeat(1_000));
    for request in [
        huge.as_str(),
        &many,
        "GET /health HTTP/1.1\r\nhost: x\r\nx-split: a\rset-cookie: injected=1\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\nx-nul: a\0b\r\n\r\n",
        "GET /health\r\nset-cookie: injected=1 HTTP/1.1\r\nhost: x\r\n\r\n",
        "GET /health HTTP/1.1\r\nhost: x\r\n folded: injected\r\n\r\n",
        "POST /api/v1/events HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        "\0\0\0\0\r\n\r\n",
    ] {
        let mut connection = TcpStream::connect(stream.address).await.unwrap();
        // It may be refused before all of it is sent.
        let _ = connection.write_all(request.as_bytes()).await;
        let answer = rest(&mut connection).await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{request:.80}: {answer}");
        assert!(!answer.contains("injected"), "{answer}");
    }
    // What can be sent in an address and in headers is in no header of the answer.
    let hostile = "/api/v1/events?after=a%0d%0aset-cookie:%20injected=1&types=%0d%0ainjected";
    let answer = stream.get(hostile).await;
    assert_eq!(answer.status(), 400);
    assert!(!format!("{:?}", answer.headers()).contains("injected"));
    serves_others(&stream, "1").await;
}

/// Asks for all there is with little room for what comes, and reads nothing.
async fn asks_and_does_not_read(stream: &Stream, client: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut connection = socket.connect(stream.address).await.unwrap();
    let request = format!("GET /api/v1/events?after=earliest HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\n\r\n");
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_answers_that_are_not_read_are_few_and_others_have_theirs() {
    let proxy: TrustedProxy = "127.0.0.1".parse().unwrap();
    let timing = Timing { answer_room: Duration::from_millis(200), ..Timing::default() };
    let options = Options { timing, trusted_proxies: [proxy].into_iter().collect(), ..with_token() };
    let stream = Stream::with(ROOMY, options).await;
    for number in 0..30 {
        let batch: Vec<_> = (0..10).map(|part| large(&format!("{number}/{part}"), 16_000)).collect();
        stream.publish(&batch).await;
    }
    let asked = |client: &'static str| {
        let request = reqwest::Client::new().get(stream.url("/api/v1/events?after=earliest"));
        async move { soon(request.header("x-forwarded-for", client).send()).await.unwrap() }
    };
    let mut held = Vec::new();
    // 4 MiB each, of which one address may have 64 on their way.
    while asked("203.0.113.9").await.status() == 200 {
        assert!(held.len() < 100, "one address has any number of answers on their way");
        held.push(asks_and_does_not_read(&stream, "203.0.113.9").await);
    }
    let refused = asked("203.0.113.9").await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    let other = asked("203.0.113.10").await;
    assert_eq!(other.status(), 200);
    assert!(other.bytes().await.unwrap().len() > 4_000_000);
    drop(held);
    while asked("203.0.113.9").await.status() != 200 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn wrong_tokens_without_end_take_nothing_from_a_right_one() {
    let stream = Stream::start().await;
    let client = reqwest::Client::new();
    for number in 0..500 {
        let request = client.post(stream.url("/api/v1/events")).bearer_auth(format!("guess-{number}"));
        let answer = soon(request.header("content-type", BATCHED).body("[").send()).await.unwrap();
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(stream.metric("events_rejected_total{reason=\"unauthorized\"}").await, 500.0);
    serves_others(&stream, "1").await;
}
