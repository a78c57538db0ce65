//! A connection that gives up on a peer which takes nothing, or which says more than it was allowed.
//!
//! A write that makes no progress for too long fails with [`io::ErrorKind::TimedOut`]: a stalled reader costs one
//! frame and one place, for a bounded time. A read over the allowance fails with [`io::ErrorKind::InvalidData`]. Knows
//! nothing of HTTP or WebSocket.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};

/// Has the system break a connection whose other end acknowledges nothing for so long. Small writes to a peer that has
/// vanished disappear in the system's buffer for a quarter of an hour; whoever only listens is asked nothing that
/// would tell earlier.
///
/// # Errors
/// When the socket refuses the option.
pub(crate) fn break_unacknowledged(stream: &TcpStream, after: Duration) -> io::Result<()> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket2::SockRef::from(stream).set_tcp_user_timeout(Some(after))
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = (stream, after);
        Ok(())
    }
}

/// Whether a connection was given up because its peer takes nothing. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Stalled(Arc<AtomicBool>);

impl Stalled {
    pub(crate) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// How much a peer may still say. Everything, until somebody sets a bound. Clones tell the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Allowance(Arc<Mutex<Option<Said>>>);

/// What a peer has said, of what it may say.
#[derive(Debug)]
struct Said {
    max_bytes: usize,
    within: Duration,
    since: Instant,
    bytes: usize,
    exceeded: bool,
}

impl Allowance {
    /// From now on the peer may say `max_bytes` in each span of time `within`.
    pub(crate) fn bound(&self, max_bytes: usize, within: Duration) {
        let said = Said { max_bytes, within, since: Instant::now(), bytes: 0, exceeded: false };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(said);
    }

    /// Whether the peer was given up because it said more.
    pub(crate) fn is_exceeded(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|said| said.exceeded)
    }

    /// Counts what the peer says; whether it still may.
    fn count(&self, bytes: usize) -> bool {
        // Every field is written on its own: whatever is there is usable.
        let mut said = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(said) = said.as_mut() else { return true };
        if said.since.elapsed() >= said.within {
            (said.since, said.bytes) = (Instant::now(), 0);
        }
        said.bytes = said.bytes.saturating_add(bytes);
        said.exceeded |= said.bytes > said.max_bytes;
        !said.exceeded
    }
}

/// `T`, whose writes must get on, and whose reads are counted.
pub(crate) struct StallGuard<T, H> {
    /// What the connection takes for as long as it lasts; given back before its other end learns that it is over.
    _held: H,
    io: T,
    stall: Duration,
    deadline: Pin<Box<Sleep>>,
    stalled: bool,
    given_up: Stalled,
    allowance: Allowance,
}

impl<T, H> StallGuard<T, H> {
    /// `given_up` is set when the peer is given up for taking nothing; `allowance` says how much it may say; `held` is
    /// dropped with the connection.
    pub(crate) fn new(io: T, stall: Duration, given_up: Stalled, allowance: Allowance, held: H) -> Self {
        let deadline = Box::pin(tokio::time::sleep(stall));
        Self { _held: held, io, stall, deadline, stalled: false, given_up, allowance }
    }

    /// The system gives up too.
    fn noted<R>(&self, done: io::Result<R>) -> io::Result<R> {
        if done.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::TimedOut) {
            self.given_up.0.store(true, Ordering::Relaxed);
        }
        done
    }

    /// Turns a pending write into a failure once it has been pending for too long.
    fn watch<R>(&mut self, context: &mut Context<'_>, result: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if let Poll::Ready(done) = result {
            self.stalled = false;
            return Poll::Ready(self.noted(done));
        }
        if !self.stalled {
            self.stalled = true;
            self.deadline.as_mut().reset(Instant::now() + self.stall);
        }
        match self.deadline.as_mut().poll(context) {
            Poll::Ready(()) => {
                Poll::Ready(self.noted(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes nothing"))))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin, H: Unpin> AsyncRead for StallGuard<T, H> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.io).poll_read(context, buffer).map(|done| this.noted(done));
        if this.allowance.count(buffer.filled().len() - before) {
            read
        } else {
            Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "the peer says more than it may")))
        }
    }
}

impl<T: AsyncWrite + Unpin, H: Unpin> AsyncWrite for StallGuard<T, H> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write(context, bytes);
        this.watch(context, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.io).poll_write_vectored(context, slices);
        this.watch(context, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}
