//! R5: events published while a history is replayed, on every transport at once, with clients that are cut and come
//! back at moments that a seed gives. And R13: readers that stop, beside readers that do not.

use crate::{
    event_source::EventSource,
    harness::{ROOMY, Stream, events, id_of, large, soon, with_token},
};
use fastrand::Rng;
use futures_util::StreamExt;
use monkeytown_protocol::Frame;
use monkeytown_stream::{Options, Timing};
use serde_json::{Value, value::RawValue};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

#[derive(Debug, Clone, Copy)]
enum Way {
    Socket,
    CloudEvents,
    SentEvents,
    Poll,
}

const WAYS: [Way; 4] = [Way::Socket, Way::CloudEvents, Way::SentEvents, Way::Poll];

/// Seeds tried; `MONKEYTOWN_SEEDS` tries another number of them.
const SEEDS: u64 = 6;

/// A client that knows nothing but its last offset.
struct Client<'a> {
    stream: &'a Stream,
    next: u64,
    ids: Vec<String>,
    connections: u32,
}

impl Client<'_> {
    fn cursor(&self) -> String {
        let epoch = self.stream.log.epoch();
        self.next.checked_sub(1).map_or(format!("{epoch}:-1"), |last| format!("{epoch}:{last}"))
    }

    fn take(&mut self, first: u64, last: u64, ids: impl Iterator<Item = String>) {
        assert_eq!(first, self.next, "no hole and nothing twice");
        self.next = last + 1;
        self.ids.extend(ids);
    }

    /// Listens until `end` is reached or `messages` have come, and goes without a word.
    async fn listen(&mut self, way: Way, end: u64, messages: usize) {
        self.connections += 1;
        match way {
            Way::Socket => self.by_socket(end, messages).await,
            Way::CloudEvents => self.by_cloud_events(end, messages).await,
            Way::SentEvents => self.by_sent_events(end, messages).await,
            Way::Poll => self.by_poll(end, messages).await,
        }
    }

    fn take_frame(&mut self, frame: crate::harness::Received, replay: &mut Option<u64>) {
        match frame {
            Frame::Hello(hello) => {
                assert!(hello.recovered);
                *replay = hello.head.map(|head| head.0);
            }
            Frame::Events { first, last, events, .. } => {
                self.take(first.0, last.0, events.iter().map(|event| id_of(event.get())));
            }
            Frame::CaughtUp { offset } => {
                assert!(offset.map(|offset| offset.0) >= *replay, "replay ends after all of it");
                assert_eq!(offset.map(|offset| offset.0 + 1).unwrap_or_default(), self.next);
            }
            Frame::Heartbeat { .. } => {}
            other @ Frame::Bye { .. } => panic!("{other:?}"),
        }
    }

    async fn by_socket(&mut self, end: u64, messages: usize) {
        let mut subscriber = self.stream.subscribe(&format!("?after={}", self.cursor())).await;
        let mut replay = None;
        for _ in 0..messages {
            if self.next == end {
                return;
            }
            let frame = subscriber.next().await.unwrap();
            self.take_frame(frame, &mut replay);
        }
    }

    async fn by_cloud_events(&mut self, end: u64, messages: usize) {
        let url = format!("ws://{}/ws?after={}", self.stream.address, self.cursor());
        let (mut socket, _) = soon(tokio_tungstenite::connect_async(url.into_client_request().unwrap())).await.unwrap();
        // One event a message: as many as the others get with theirs.
        for _ in 0..messages * 50 {
            if self.next == end {
                return;
            }
            if let Message::Text(text) = soon(socket.next()).await.unwrap().unwrap() {
                let event: Value = serde_json::from_str(&text).unwrap();
                let offset = event["sequence"].as_str().unwrap().parse().unwrap();
                self.take(offset, offset, std::iter::once(event["id"].as_str().unwrap().to_owned()));
            }
        }
    }

    async fn by_sent_events(&mut self, end: u64, messages: usize) {
        let request = reqwest::Client::new().get(self.stream.url("/api/v1/events?after=latest"));
        let request = request.header("accept", "text/event-stream").header("last-event-id", self.cursor());
        let mut source = EventSource::new(soon(request.send()).await.unwrap());
        let mut replay = None;
        for _ in 0..messages {
            if self.next == end {
                return;
            }
            let message = source.next().await.unwrap();
            self.take_frame(message.frame(), &mut replay);
            assert_eq!(message.last_id, self.cursor());
        }
    }

    async fn by_poll(&mut self, end: u64, messages: usize) {
        for _ in 0..messages {
            if self.next == end {
                return;
            }
            let path = format!("/api/v1/events?after={}&wait=30&limit=100", self.cursor());
            let answer = self.stream.get(&path).await;
            assert_eq!(answer.headers()["monkeytown-recovered"], "true");
            let cursor = answer.headers()["monkeytown-cursor"].to_str().unwrap().to_owned();
            let events: Vec<Box<RawValue>> = answer.json().await.unwrap();
            let last: u64 = cursor.split_once(':').unwrap().1.parse().unwrap();
            assert_eq!(events.len() as u64, last + 1 - self.next);
            self.take(self.next, last, events.iter().map(|event| id_of(event.get())));
        }
    }
}

async fn race(seed: u64) -> u32 {
    let mut rng = Rng::with_seed(seed);
    let stream = Stream::start().await;
    let (before, after) = (rng.u32(0..3_000), rng.u32(200..2_000));
    stream.publish(&events(0..before.max(1))).await;
    let before = before.max(1);
    let end = u64::from(before + after);
    let publishing = {
        let (mut rng, stream) = (rng.fork(), &stream);
        async move {
            let mut start = before;
            while start < before + after {
                let count = rng.u32(1..80).min(before + after - start);
                stream.publish(&events(start..start + count)).await;
                start += count;
                for _ in 0..rng.u32(0..40) {
                    tokio::task::yield_now().await;
                }
            }
        }
    };
    let listening = WAYS.map(|way| {
        let (mut rng, stream) = (rng.fork(), &stream);
        async move {
            let start = rng.u64(0..=u64::from(before));
            let mut client = Client { stream, next: start, ids: Vec::new(), connections: 0 };
            while client.next < end {
                let messages = rng.usize(1..25);
                // In whatever way it can be had now: cursors are the same.
                let way = if rng.bool() { way } else { WAYS[rng.usize(..WAYS.len())] };
                client.listen(way, end, messages).await;
            }
            let expected: Vec<String> = (start..end).map(|id| id.to_string()).collect();
            assert!(client.ids == expected, "{way:?} has {} of {} events", client.ids.len(), expected.len());
            client.connections
        }
    });
    let (connections, ()) =
        soon(Box::pin(async { tokio::join!(futures_util::future::join_all(listening), publishing) })).await;
    connections.iter().sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replay_and_what_is_published_meanwhile_meet_without_loss_on_every_transport() {
    let seeds = std::env::var("MONKEYTOWN_SEEDS").map_or(SEEDS, |seeds| seeds.parse().unwrap());
    let mut cuts = 0;
    for seed in 0..seeds {
        println!("seed {seed}");
        cuts += race(seed).await;
    }
    println!("{seeds} seeds, {cuts} connections");
    assert!(u64::from(cuts) > 8 * seeds, "clients come and go");
}

/// R13 without a clock; what the slow ones cost the others in time is measured in `speed`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_that_stop_take_nothing_from_those_that_read() {
    let timing = Timing { write_stall: Duration::from_millis(500), ..Timing::default() };
    let stream = Stream::with(ROOMY, Options { timing, ..with_token() }).await;
    // Each asks for everything, and reads nothing.
    let (mut sockets, mut answers) = (Vec::new(), Vec::new());
    for _ in 0..8 {
        sockets.push(stream.subscribe("?after=earliest").await.socket);
        let url = format!("ws://{}/ws?after=earliest", stream.address);
        sockets.push(soon(tokio_tungstenite::connect_async(url)).await.unwrap().0);
        let request = reqwest::Client::new().get(stream.url("/api/v1/events?after=earliest"));
        answers.push(soon(request.header("accept", "text/event-stream").send()).await.unwrap());
    }
    assert_eq!(stream.metric("subscriber_count").await, 24.0);
    let batches = 120_u32;
    let publishing = async {
        for number in 0..batches {
            let batch: Vec<Value> = (0..10).map(|part| large(&(number * 10 + part).to_string(), 16_000)).collect();
            stream.publish(&batch).await;
        }
    };
    let end = u64::from(batches * 10);
    let reading = WAYS.map(|way| {
        let mut client = Client { stream: &stream, next: 0, ids: Vec::new(), connections: 0 };
        async move {
            while client.next < end {
                client.listen(way, end, usize::MAX / 100).await;
            }
            assert_eq!(client.ids, (0..end).map(|id| id.to_string()).collect::<Vec<_>>(), "{way:?}");
            assert_eq!(client.connections, 1, "{way:?} is not sent away");
        }
    });
    soon(Box::pin(async { tokio::join!(futures_util::future::join_all(reading), publishing) })).await;
    while stream.metric("subscriber_count").await > 0.0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.metric("subscribers_evicted_total{reason=\"stalled\"}").await, 24.0);
}
