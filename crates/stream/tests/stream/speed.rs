//! Figures, not tests: they need a release build and a quiet machine, and they assert nothing about time.
//!
//! `cargo test --release -p monkeytown-stream --test stream -- --ignored --nocapture --test-threads=1 speed`

use crate::harness::{BATCHED, Stream, Subscriber, TOKEN, events, soon, with_token};
use futures_util::StreamExt;
use monkeytown_stream::Options;
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use tokio_tungstenite::tungstenite::Message;

async fn filled(count: u32) -> Stream {
    let options = Options { max_events_per_second: u32::MAX, max_subscribers: 2_000, ..with_token() };
    let ring = monkeytown_stream::RingBounds { max_events: 1_000_000, max_bytes: 1 << 30 };
    let stream = Stream::with(ring, options).await;
    for start in (0..count).step_by(5_000) {
        stream.publish(&events(start..(start + 5_000).min(count))).await;
    }
    stream
}

async fn by_socket(stream: &Stream) -> usize {
    let mut subscriber = stream.subscribe("?after=earliest").await;
    let mut bytes = 0;
    loop {
        let Message::Text(text) = soon(subscriber.socket.next()).await.unwrap().unwrap() else { continue };
        bytes += text.len();
        if text.starts_with(r#"{"kind":"caught_up""#) {
            return bytes;
        }
    }
}

async fn by_cloud_events(stream: &Stream, count: u32) -> usize {
    let url = format!("ws://{}/ws?after=earliest", stream.address);
    let (mut socket, _) = soon(tokio_tungstenite::connect_async(url)).await.unwrap();
    let (mut bytes, mut found) = (0, 0);
    while found < count {
        if let Message::Text(text) = soon(socket.next()).await.unwrap().unwrap() {
            bytes += text.len();
            found += 1;
        }
    }
    bytes
}

async fn by_sent_events(stream: &Stream) -> usize {
    let mut connection = TcpStream::connect(stream.address).await.unwrap();
    let request = "GET /api/v1/events?after=earliest HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n";
    connection.write_all(request.as_bytes()).await.unwrap();
    let (mut bytes, mut tail) = (0, Vec::new());
    let mut buffer = vec![0; 65_536];
    while !tail.windows(16).any(|window| window == b"event: caught_up") {
        let count = soon(connection.read(&mut buffer)).await.unwrap();
        assert!(count > 0);
        bytes += count;
        let keep = tail.len().saturating_sub(15);
        tail.drain(..keep);
        tail.extend_from_slice(&buffer[..count]);
    }
    bytes
}

async fn by_poll(stream: &Stream) -> usize {
    let client = reqwest::Client::new();
    let (mut after, mut bytes) = ("earliest".to_owned(), 0);
    loop {
        let request = client.get(stream.url(&format!("/api/v1/events?limit=10000&after={after}")));
        let answer = soon(request.send()).await.unwrap();
        after = answer.headers()["monkeytown-cursor"].to_str().unwrap().to_owned();
        let found = soon(answer.bytes()).await.unwrap().len();
        bytes += found;
        if found == 2 {
            return bytes;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_catching_up() {
    println!("  events  way            seconds   events/s      MB/s");
    for count in [10_000, 100_000, 300_000] {
        let stream = filled(count).await;
        for way in ["socket", "sent events", "cloudevents", "poll"] {
            let mut best = (f64::MAX, 0);
            for _ in 0..3 {
                let started = Instant::now();
                let bytes = match way {
                    "socket" => by_socket(&stream).await,
                    "sent events" => by_sent_events(&stream).await,
                    "cloudevents" => by_cloud_events(&stream, count).await,
                    _ => by_poll(&stream).await,
                };
                let took = started.elapsed().as_secs_f64();
                if took < best.0 {
                    best = (took, bytes);
                }
            }
            let (seconds, bytes) = best;
            let megabytes = bytes as f64 / 1e6;
            let rate = f64::from(count) / seconds;
            println!("{count:8}  {way:12}  {seconds:8.3}  {rate:9.0}  {:8.1}", megabytes / seconds);
        }
    }
}

fn share(times: &mut [Duration], per_mille: usize) -> f64 {
    times.sort_unstable();
    times[(times.len() - 1) * per_mille / 1_000].as_secs_f64() * 1_000.0
}

/// Others beside those that are measured, each far behind.
#[derive(Clone, Copy, PartialEq)]
enum Others {
    /// They take nothing any more.
    Stopped,
    /// They take 10 KB a second, 1 KB at a time, and their system holds little for them.
    Slow,
}

/// A subscriber by socket or by sent events that has asked for everything, and has read nothing.
async fn behind(stream: &Stream, number: usize) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 * 1024).unwrap();
    let mut connection = socket.connect(stream.address).await.unwrap();
    let request = if number.is_multiple_of(2) {
        "GET /ws?after=earliest HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         sec-websocket-protocol: monkeytown.v1.json\r\n\r\n"
    } else {
        "GET /api/v1/events?after=earliest HTTP/1.1\r\nhost: x\r\naccept: text/event-stream\r\n\r\n"
    };
    connection.write_all(request.as_bytes()).await.unwrap();
    connection
}

/// Reads slowly for as long as the server lets it; how many bytes so far.
async fn trickle(mut connection: TcpStream, taken: Arc<AtomicUsize>) {
    let mut buffer = [0; 1_024];
    let mut pace = tokio::time::interval(Duration::from_millis(100));
    loop {
        pace.tick().await;
        match connection.read(&mut buffer).await {
            Ok(count @ 1..) => taken.fetch_add(count, Ordering::Relaxed),
            _ => return,
        };
    }
}

/// R13: delays of those that read, without and with others that have stopped.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_delivery_beside_readers_that_stop() {
    println!("stopped  p50 ms  p99 ms  p99.9 ms  (50 readers, 1,000 events/s in batches of 10)");
    for others in [0, 50, 200, 0, 50, 200] {
        delivery_beside(Others::Stopped, others).await;
    }
}

/// R13: the same with others that go on reading, but far too slowly ever to catch up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_delivery_beside_readers_that_are_slow() {
    println!("   slow  p50 ms  p99 ms  p99.9 ms  (50 readers, 1,000 events/s in batches of 10)");
    for others in [0, 50, 200, 0, 50, 200] {
        delivery_beside(Others::Slow, others).await;
    }
}

async fn delivery_beside(others: Others, count: usize) {
    let stream = filled(100_000).await;
    let taken = Arc::new(AtomicUsize::new(0));
    let (mut deaf, mut slow) = (Vec::new(), Vec::new());
    for number in 0..count {
        let connection = behind(&stream, number).await;
        match others {
            Others::Stopped => deaf.push(connection),
            Others::Slow => slow.push(tokio::spawn(trickle(connection, Arc::clone(&taken)))),
        }
    }
    let published = Arc::new(Mutex::new(Vec::new()));
    let mut readers = Vec::new();
    for _ in 0..50 {
        let mut subscriber: Subscriber = stream.subscribe("?after=latest").await;
        subscriber.replay_from_hello().await;
        let published: Arc<Mutex<Vec<Instant>>> = Arc::clone(&published);
        readers.push(tokio::spawn(async move {
            let (mut delays, mut found) = (Vec::new(), 0_usize);
            while found < 5_000 {
                if let monkeytown_protocol::Frame::Events { events, .. } = subscriber.next().await.unwrap() {
                    let published = published.lock().unwrap();
                    delays.extend((found..found + events.len()).map(|number| published[number / 10].elapsed()));
                    found += events.len();
                }
            }
            delays
        }));
    }
    // One publisher with one connection: a new one for each batch would be most of what is measured.
    let publisher = reqwest::Client::new();
    let (begun, before) = (Instant::now(), taken.load(Ordering::Relaxed));
    let mut due = tokio::time::Instant::now();
    for batch in 0..500_u32 {
        let sent = serde_json::Value::from(events(200_000 + batch * 10..200_010 + batch * 10)).to_string();
        let request = publisher.post(stream.url("/api/v1/events")).header("content-type", BATCHED);
        let request = request.bearer_auth(TOKEN).body(sent);
        published.lock().unwrap().push(Instant::now());
        assert_eq!(soon(request.send()).await.unwrap().status(), 200);
        due += Duration::from_millis(10);
        tokio::time::sleep_until(due).await;
    }
    let each = (taken.load(Ordering::Relaxed) - before) as f64 / begun.elapsed().as_secs_f64() / count.max(1) as f64;
    let mut delays = Vec::new();
    for reader in readers {
        delays.extend(soon(reader).await.unwrap());
    }
    // Who was sent away would cost the others nothing, and measure nothing.
    assert!(slow.iter().all(|reader| !reader.is_finished()), "a slow reader was cut");
    print!("{count:7}  {:6.2}", share(&mut delays, 500));
    print!("  {:6.2}  {:8.2}", share(&mut delays, 990), share(&mut delays, 999));
    if others == Others::Slow && count > 0 {
        print!("  each took {:.1} KB/s", each / 1_000.0);
    }
    println!();
    slow.iter().for_each(tokio::task::JoinHandle::abort);
    drop(deaf);
}

/// What a thousand that come back within one moment wait for their hello, each a hundred events behind.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn speed_of_a_thousand_that_come_back_at_once() {
    let stream = Arc::new(filled(10_000).await);
    let after = format!("?after={}:9899", stream.log.epoch());
    let started = Instant::now();
    let returning: Vec<_> = (0..1_000)
        .map(|_| {
            let (stream, after) = (Arc::clone(&stream), after.clone());
            tokio::spawn(async move {
                let mut subscriber = stream.subscribe(&after).await;
                assert!(subscriber.hello().await.recovered);
                assert_eq!(subscriber.replay().await.0.len(), 100);
                (started.elapsed(), subscriber)
            })
        })
        .collect();
    let mut waits = Vec::new();
    let mut held = Vec::new();
    for one in returning {
        let (wait, subscriber) = soon(one).await.unwrap();
        waits.push(wait);
        held.push(subscriber);
    }
    println!(
        "1,000 back: p50 {:.0} ms, p99 {:.0} ms, all {:.0} ms",
        share(&mut waits, 500),
        share(&mut waits, 990),
        share(&mut waits, 1_000)
    );
}
