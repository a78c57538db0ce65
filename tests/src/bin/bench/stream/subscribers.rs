//! The subscribers of the load generator: all of them on one thread, with one buffer.

use super::{
    publishing::Schedule,
    reading::{Dialect, Heard, Reader},
    socket,
};
use anyhow::{Context, Result, anyhow, ensure};
use std::{
    cell::RefCell,
    future::poll_fn,
    net::SocketAddr,
    pin::Pin,
    rc::Rc,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Poll, ready},
    thread::JoinHandle,
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::{oneshot, watch},
    task::{JoinSet, LocalSet},
};

/// What is read at once from a socket.
const BUFFER_BYTES: usize = 256 * 1024;

/// How one subscribes.
#[derive(Debug, Clone)]
pub(crate) struct Way {
    pub(crate) address: SocketAddr,
    pub(crate) path: String,
    pub(crate) protocol: Option<&'static str>,
    pub(crate) dialect: Dialect,
    /// What is said after the handshake, if anything.
    pub(crate) greeting: Option<Vec<u8>>,
    /// Whether the other side says when the subscription stands.
    pub(crate) settles: bool,
    /// How many subscribe at the same time.
    pub(crate) at_once: usize,
}

/// What all of them have heard so far.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    pub(crate) events: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Whether the clock is looked at.
    pub(crate) sampling: AtomicBool,
    /// How long events took, in milliseconds.
    waits: Mutex<Vec<f64>>,
}

/// Running subscribers.
pub(crate) struct Subscribers {
    pub(crate) progress: Arc<Progress>,
    stop: watch::Sender<bool>,
    thread: JoinHandle<Result<()>>,
}

impl Subscribers {
    /// Connects `count` of them, and waits until all are there.
    ///
    /// # Errors
    /// When one is refused.
    pub(crate) async fn connect(way: Way, count: usize, schedule: Arc<Schedule>) -> Result<Self> {
        let progress = Arc::new(Progress::default());
        let (stop, stopped) = watch::channel(false);
        let (ready, told) = oneshot::channel();
        let shared = Arc::clone(&progress);
        let thread = std::thread::Builder::new().name("subscribers".to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            let listening = listen(way, count, schedule, shared, stopped, ready);
            LocalSet::new().block_on(&runtime, listening)
        })?;
        if told.await.is_err() {
            let ended = thread.join().map_err(|_| anyhow!("the subscribers' thread panicked"))?;
            return Err(ended.err().context("the subscribers ended before they were there")?);
        }
        Ok(Self { progress, stop, thread })
    }

    /// How long events took that were heard since this was asked last, in milliseconds.
    pub(crate) fn waits(&self) -> Vec<f64> {
        std::mem::take(&mut self.progress.waits.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Ends them.
    ///
    /// # Errors
    /// When one was cut off, or heard something out of order.
    pub(crate) fn end(self) -> Result<()> {
        // It may have ended by then; joining says why.
        let _ = self.stop.send(true);
        self.thread.join().map_err(|_| anyhow!("the subscribers' thread panicked"))?
    }

    /// Whether one has come to an end that it should not.
    pub(crate) fn broken(&self) -> bool {
        self.thread.is_finished()
    }
}

/// What the subscribers of the thread share.
struct Ears {
    buffer: RefCell<Vec<u8>>,
    schedule: Arc<Schedule>,
    progress: Arc<Progress>,
}

async fn listen(
    way: Way,
    count: usize,
    schedule: Arc<Schedule>,
    progress: Arc<Progress>,
    mut stopped: watch::Receiver<bool>,
    ready: oneshot::Sender<()>,
) -> Result<()> {
    let ears = Rc::new(Ears { buffer: RefCell::new(vec![0; BUFFER_BYTES]), schedule, progress });
    let mut sockets = Vec::new();
    let mut opening = JoinSet::new();
    while sockets.len() < count {
        while opening.len() < way.at_once && sockets.len() + opening.len() < count {
            opening.spawn_local(subscribe(way.clone(), Rc::clone(&ears)));
        }
        sockets.push(opening.join_next().await.context("handshakes are under way")???);
    }
    let mut following = JoinSet::new();
    for (stream, reader) in sockets {
        following.spawn_local(follow(stream, reader, Rc::clone(&ears)));
    }
    // Whoever asked may have given up.
    let _ = ready.send(());
    tokio::select! {
        ended = following.join_next() => ended.context("there are subscribers")???,
        stopped = stopped.wait_for(|stopped| *stopped) => { stopped?; }
    }
    Ok(())
}

/// Opens a socket, and waits until the subscription stands.
async fn subscribe(way: Way, ears: Rc<Ears>) -> Result<(TcpStream, Reader)> {
    let (mut stream, rest) =
        socket::open(way.address, &way.path, way.protocol, way.dialect == Dialect::PackedFrames).await?;
    let mut reader = Reader::new(way.dialect);
    let heard = reader.take(&rest)?;
    let mut settled = !way.settles || heard.settled;
    ears.note(&heard, rest.len());
    if let Some(greeting) = &way.greeting {
        stream.write_all(greeting).await?;
    }
    while !settled {
        settled = ears.read(&mut stream, &mut reader).await?.settled;
    }
    Ok((stream, reader))
}

async fn follow(mut stream: TcpStream, mut reader: Reader, ears: Rc<Ears>) -> Result<()> {
    loop {
        let heard = ears.read(&mut stream, &mut reader).await?;
        if heard.asked {
            stream.write_all(&socket::message(false, b"3")).await?;
        }
        if heard.pinged {
            stream.write_all(&socket::PONG).await?;
        }
    }
}

impl Ears {
    /// Reads once.
    async fn read(&self, stream: &mut TcpStream, reader: &mut Reader) -> Result<Heard> {
        let (read, heard) = poll_fn(|context| {
            // One buffer for all: it is taken when there is something to be read, not while one waits.
            let mut buffer = self.buffer.borrow_mut();
            let mut room = ReadBuf::new(&mut buffer);
            ready!(Pin::new(&mut *stream).poll_read(context, &mut room)).context("a subscriber was cut off")?;
            Poll::Ready(reader.take(room.filled()).map(|heard| (room.filled().len(), heard)))
        })
        .await?;
        ensure!(read > 0, "a subscriber was sent away");
        self.note(&heard, read);
        Ok(heard)
    }

    fn note(&self, heard: &Heard, bytes: usize) {
        self.progress.events.fetch_add(heard.events, Ordering::Relaxed);
        self.progress.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        if let Some((first, last)) = heard.ends.filter(|_| self.progress.sampling.load(Ordering::Relaxed)) {
            let mut waits = self.progress.waits.lock().unwrap_or_else(PoisonError::into_inner);
            for number in [first, last] {
                waits.push(millis(self.schedule.since_due(number)));
            }
        }
    }
}

fn millis(wait: Duration) -> f64 {
    wait.as_secs_f64() * 1_000.0
}
