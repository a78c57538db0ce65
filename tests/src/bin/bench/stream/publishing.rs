//! The publisher of the load generator: it publishes by a timetable, not when the other side is ready for more, so that
//! what a busy server delays is seen as delay.

use super::socket;
use anyhow::{Context, Result, ensure};
use monkeytown_tests::stream::{BATCHED, TOKEN};
use std::{
    fmt::Write as _,
    net::SocketAddr,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::ReadHalf},
    time::MissedTickBehavior,
};

/// How often what is due is published.
const PACE: Duration = Duration::from_millis(5);
/// Most events of one request.
const BATCH_MAX: u64 = 2_000;
const AGENTS: u64 = 24;

/// When each event is due.
#[derive(Debug)]
pub(crate) struct Schedule {
    begun: OnceLock<Instant>,
    per_second: f64,
    /// The number of the first.
    first: u64,
}

impl Schedule {
    /// `first` is the number of the first event, before which others may have been published.
    pub(crate) fn new(per_second: u32, first: u64) -> Self {
        Self { begun: OnceLock::new(), per_second: f64::from(per_second), first }
    }

    /// The number of the event that is due next.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of events")]
    fn due(&self) -> u64 {
        self.first + (self.begun.get_or_init(Instant::now).elapsed().as_secs_f64() * self.per_second) as u64
    }

    /// How long ago event `number` was due.
    #[expect(clippy::cast_precision_loss, reason = "far fewer events than f64 counts exactly")]
    pub(crate) fn since_due(&self, number: u64) -> Duration {
        let due = Duration::from_secs_f64(number.saturating_sub(self.first) as f64 / self.per_second);
        self.begun.get_or_init(Instant::now).elapsed().saturating_sub(due)
    }
}

/// Event `number`, `bytes` long: an agent says what it does.
pub(crate) fn event(number: u64, bytes: usize) -> String {
    let mut event = format!(
        r#"{{"specversion":"1.0","id":"{number:010}","source":"/b","type":"monkeytown.entity.updated","time":"2026-01-18T12:00:00.000Z","data":{{"id":"agent-{:02}","kind":"agent","activity":"lays stone {number}"#,
        number % AGENTS
    );
    let missing = bytes.saturating_sub(event.len() + 3);
    event.extend(std::iter::repeat_n('.', missing));
    event.push_str("\"}}");
    event
}

/// How a subject is published to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Post {
    /// Batches of `CloudEvents` by HTTP, each answered.
    Http(SocketAddr),
    /// A line each.
    Lines(SocketAddr),
    /// NATS' own protocol.
    Nats(SocketAddr),
    /// Many events in one message of NATS.
    NatsBatched(SocketAddr),
    /// A message of a WebSocket each.
    Socket(SocketAddr, &'static str),
}

impl Post {
    /// Opens the connection.
    async fn open(self) -> Result<TcpStream> {
        match self {
            Self::Http(address) | Self::Lines(address) => Ok(TcpStream::connect(address).await?),
            Self::Nats(address) | Self::NatsBatched(address) => {
                let mut stream = TcpStream::connect(address).await?;
                stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n").await?;
                Ok(stream)
            }
            Self::Socket(address, path) => Ok(socket::open(address, path, None, false).await?.0),
        }
    }

    /// The bytes by which `events` are published.
    fn write(self, events: &[String], first: u64) -> Vec<u8> {
        let mut text = String::new();
        match self {
            Self::Http(address) => {
                let body = format!("[{}]", events.join(","));
                let length = body.len();
                return format!(
                    "POST /api/v1/events HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
                     Content-Type: {BATCHED}\r\nContent-Length: {length}\r\n\r\n{body}"
                )
                .into_bytes();
            }
            Self::Lines(_) => events.iter().for_each(|event| text.extend([event, "\n"])),
            Self::Nats(_) => {
                for event in events {
                    // Memory takes what is written to it.
                    let _ = write!(text, "PUB e {}\r\n{event}\r\n", event.len());
                }
            }
            Self::NatsBatched(_) => {
                let last = first + events.len() as u64 - 1;
                let body = format!("[{first},{last},{}]", events.join(","));
                let _ = write!(text, "PUB e {}\r\n{body}\r\n", body.len());
            }
            Self::Socket(..) => {
                return events.iter().flat_map(|event| socket::message(false, event.as_bytes())).collect();
            }
        }
        text.into_bytes()
    }
}

/// A running publisher.
pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    thread: JoinHandle<Result<TcpStream>>,
}

impl Publisher {
    /// Begins to publish events of `bytes` by `schedule`.
    ///
    /// # Errors
    /// When there is no thread for it.
    pub(crate) fn start(post: Post, schedule: Arc<Schedule>, bytes: usize) -> Result<Self> {
        let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(schedule.first)));
        let (stopped, counted) = (Arc::clone(&stop), Arc::clone(&sent));
        let thread = std::thread::Builder::new().name("publisher".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(publish(post, &schedule, bytes, &stopped, &counted))
        })?;
        Ok(Self { stop, sent, thread })
    }

    /// Ends it; gives the number of the event that would have come next, and its connection: what has not been read of
    /// it would go with it.
    ///
    /// # Errors
    /// When the other side did not take them.
    pub(crate) fn end(self) -> Result<(u64, TcpStream)> {
        self.stop.store(true, Ordering::Relaxed);
        let connection = self.thread.join().map_err(|_| anyhow::anyhow!("the publisher's thread panicked"))??;
        Ok((self.sent.load(Ordering::Relaxed), connection))
    }
}

async fn publish(
    post: Post,
    schedule: &Schedule,
    bytes: usize,
    stop: &AtomicBool,
    sent: &AtomicU64,
) -> Result<TcpStream> {
    let mut stream = post.open().await.context("a publisher connects")?;
    stream.set_nodelay(true)?;
    let (mut reading, mut writing) = stream.split();
    let mut pace = tokio::time::interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut next = schedule.first;
    while !stop.load(Ordering::Relaxed) {
        pace.tick().await;
        let due = schedule.due().min(next + BATCH_MAX);
        if due == next {
            continue;
        }
        let events: Vec<String> = (next..due).map(|number| event(number, bytes)).collect();
        let request = post.write(&events, next);
        // A server that takes no more must not keep the benchmark from its end.
        tokio::select! {
            written = writing.write_all(&request) => written.context("publishing")?,
            () = ended(stop) => break,
        }
        match post {
            Post::Http(_) => answer(&mut reading).await?,
            // What is said to a publisher that waits for no answer is read away.
            _ => while reading.try_read(&mut [0; 4_096]).is_ok_and(|read| read > 0) {},
        }
        next = due;
        sent.store(next, Ordering::Relaxed);
    }
    Ok(stream)
}

/// Publishes events `0..count` of `bytes` to the stream at `address`, as fast as it takes them.
///
/// # Errors
/// When it does not take them.
pub(crate) async fn publish_all(address: SocketAddr, count: u64, bytes: usize) -> Result<()> {
    let post = Post::Http(address);
    let mut stream = post.open().await.context("a publisher connects")?;
    let (mut reading, mut writing) = stream.split();
    let mut first = 0;
    while first < count {
        let end = (first + BATCH_MAX).min(count);
        let events: Vec<String> = (first..end).map(|number| event(number, bytes)).collect();
        writing.write_all(&post.write(&events, first)).await.context("publishing")?;
        answer(&mut reading).await?;
        first = end;
    }
    Ok(())
}

async fn ended(stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        tokio::time::sleep(PACE).await;
    }
}

/// Reads the answer to one request.
async fn answer(reading: &mut ReadHalf<'_>) -> Result<()> {
    let mut answer = Vec::new();
    loop {
        let read = reading.read_buf(&mut answer).await.context("an answer")?;
        ensure!(read > 0, "the publisher was sent away");
        let text = std::str::from_utf8(&answer).context("an answer is text")?;
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        ensure!(head.starts_with("HTTP/1.1 200"), "the publisher was refused: {text}");
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
        let length: usize = length.context("an answer without a length")?;
        if body.len() >= length {
            return Ok(());
        }
    }
}
