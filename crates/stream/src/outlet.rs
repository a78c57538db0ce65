//! A way past the protocol's library for bytes that are ready: frames that many connections share go from where they
//! were made to the system, and are copied into no buffer on the way.
//!
//! What waits in the outlet goes out when the connection is flushed, and before anything that is written after it. So
//! a frame is never torn by another, however the library writes. Knows nothing of WebSocket: whoever puts bytes in
//! has flushed what the library held, and gives whole frames.

use bytes::{Buf, Bytes};
use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, ready},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What goes out next on a connection. Clones are the same outlet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outlet(Arc<Mutex<Bytes>>);

impl Outlet {
    /// Puts `bytes` behind what waits already; they go with the next flush.
    pub(crate) fn put(&self, bytes: Bytes) {
        let mut waiting = self.waiting();
        if waiting.is_empty() {
            *waiting = bytes;
        } else {
            // Whoever flushes between two frames never comes here.
            *waiting = [waiting.as_ref(), bytes.as_ref()].concat().into();
        }
    }

    /// `io`, before whose own bytes those of the outlet go.
    pub(crate) fn before<T>(self, io: T) -> WithOutlet<T> {
        WithOutlet { io, outlet: self }
    }

    fn waiting(&self) -> MutexGuard<'_, Bytes> {
        // It holds what has not been written yet, whatever became of whoever held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection with an outlet.
pub(crate) struct WithOutlet<T> {
    io: T,
    outlet: Outlet,
}

impl<T: AsyncWrite + Unpin> WithOutlet<T> {
    /// Writes what waits in the outlet.
    fn empty(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut waiting = self.outlet.waiting();
        while !waiting.is_empty() {
            let written = ready!(Pin::new(&mut self.io).poll_write(context, &waiting))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            waiting.advance(written);
        }
        // What has been sent must not be held on to until the next frame.
        *waiting = Bytes::new();
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for WithOutlet<T> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buffer)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for WithOutlet<T> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.empty(context))?;
        Pin::new(&mut this.io).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.empty(context))?;
        Pin::new(&mut this.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.empty(context))?;
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.empty(context))?;
        Pin::new(&mut this.io).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn what_waits_goes_before_what_is_written_after_it_and_is_never_torn() {
        // Room for three bytes: whatever is longer goes in pieces.
        let (near, mut far) = tokio::io::duplex(3);
        let outlet = Outlet::default();
        let mut near = outlet.clone().before(near);
        let writing = async move {
            near.write_all(b"library ").await.expect("written");
            near.flush().await.expect("flushed");
            outlet.put(Bytes::from_static(b"shared frame "));
            // Given up when the frame is half on its way, as the end of a server does.
            let given_up = std::future::poll_fn(|context| Poll::Ready(Pin::new(&mut near).poll_flush(context))).await;
            assert!(given_up.is_pending());
            outlet.put(Bytes::from_static(b"another "));
            near.write_all(b"close").await.expect("written");
            near.shutdown().await.expect("shut down");
        };
        let mut heard = String::new();
        let (heard_all, ()) = tokio::join!(far.read_to_string(&mut heard), writing);
        heard_all.expect("read");
        assert_eq!(heard, "library shared frame another close");
    }
}
