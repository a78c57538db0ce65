//! The way to a component: its name looked up, a connection, TLS where it is spoken, and no more bytes than a probe needs.
//!
//! Knows nothing of what is asked once it is there.

use super::Broken;
use rustls::{ClientConfig, RootCertStore, pki_types::ServerName};
use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::Mutex,
    task::JoinHandle,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// Most that is read of one connection, in bytes.
const BYTES_MAX: usize = 256 * 1024;
/// Addresses of one name that are tried.
const ADDRESSES_MAX: usize = 4;

/// Why nothing can be asked over TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// This system names nobody to trust.
    #[error(
        "https:// and rediss:// need certificates to trust, and none is found{reason}; install ca-certificates, or set SSL_CERT_FILE"
    )]
    NobodyToTrust {
        /// What was in the way, where something was.
        reason: String,
    },
    /// The library's word.
    #[error("TLS cannot be spoken: {0}")]
    Library(String),
}

/// Speaks TLS with whom this system trusts.
///
/// # Errors
/// When it trusts nobody.
pub(in crate::sources::fleet) fn trusting_the_system() -> Result<TlsConnector, TlsError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let reason = found.errors.first().map(|error| format!(" ({error})")).unwrap_or_default();
        return Err(TlsError::NobodyToTrust { reason });
    }
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| TlsError::Library(error.to_string()))?;
    Ok(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth())))
}

/// Where a component is.
#[derive(Debug)]
pub(super) struct Place {
    host: String,
    port: u16,
    /// Nothing can end a look-up that the system does not answer. So that none pile up, the next probe waits for its end
    /// before it begins its own: what an earlier probe asked for may be an address that is no longer right.
    looking_up: Mutex<Option<JoinHandle<io::Result<Vec<SocketAddr>>>>>,
}

impl Place {
    pub(super) fn new(host: &str, port: u16) -> Self {
        Self { host: host.to_owned(), port, looking_up: Mutex::default() }
    }

    /// A connection. `patience` is shared among the addresses of a name, so that one that swallows everything leaves time
    /// for the others.
    pub(super) async fn connect(&self, patience: Duration) -> Result<TcpStream, Broken> {
        let addresses = self.addresses().await?;
        let tried = addresses.len().clamp(1, ADDRESSES_MAX);
        let share = patience / u32::try_from(tried).unwrap_or(1);
        let mut why = Broken::NotFound;
        for address in addresses.into_iter().take(ADDRESSES_MAX) {
            why = match timeout(share, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    // A probe is a few bytes each way; without it, it is only slower.
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => Broken::of_connecting(&error),
                Err(_) => Broken::NoConnection(patience),
            };
        }
        Err(why)
    }

    async fn addresses(&self) -> Result<Vec<SocketAddr>, Broken> {
        if let Ok(address) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, self.port)]);
        }
        let mut looking_up = self.looking_up.lock().await;
        if let Some(earlier) = looking_up.as_mut() {
            let _ = earlier.await;
            *looking_up = None;
        }
        let (host, port) = (self.host.clone(), self.port);
        let begun = tokio::task::spawn_blocking(move || Ok((host.as_str(), port).to_socket_addrs()?.collect()));
        let found = looking_up.insert(begun).await;
        *looking_up = None;
        match found {
            Ok(Ok(addresses)) => Ok(addresses),
            Ok(Err(error)) => Err(Broken::of_ours(&error).or_else(lacking_files).unwrap_or(Broken::NotFound)),
            Err(_) => Err(Broken::NotFound),
        }
    }

    /// TLS over `stream`.
    pub(super) async fn secure<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        tls: &TlsConnector,
        stream: S,
    ) -> Result<tokio_rustls::client::TlsStream<S>, Broken> {
        let name = ServerName::try_from(self.host.clone()).map_err(|_| Broken::NotFound)?;
        tls.connect(name, stream).await.map_err(|error| Broken::of_talking(&error))
    }
}

/// The system's resolver needs files, and says of a name that it is not found where it has none.
fn lacking_files() -> Option<Broken> {
    std::fs::File::open("/dev/null").err().as_ref().and_then(Broken::of_ours)
}

/// A connection of which no more than [`BYTES_MAX`] is read, whatever the peer sends.
#[derive(Debug)]
pub(super) struct Bounded<S> {
    stream: S,
    left: usize,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, left: BYTES_MAX }
    }
}

/// More was sent than any answer has.
#[derive(Debug, thiserror::Error)]
#[error("more than an answer")]
pub(super) struct Flood;

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        let read = buf.filled().len() - before;
        match self.left.checked_sub(read) {
            Some(left) => self.left = left,
            None => return Poll::Ready(Err(io::Error::other(Flood))),
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[tokio::test]
    async fn a_look_up_that_hangs_is_waited_for_again_and_never_doubled() {
        let (place, outdated) = (Place::new("localhost", 1), SocketAddr::from(([192, 0, 2, 1], 1)));
        let (answer, answered) = mpsc::sync_channel(1);
        let hanging = tokio::task::spawn_blocking(move || Ok(answered.recv().unwrap_or_default()));
        *place.looking_up.lock().await = Some(hanging);
        for _ in 0..3 {
            assert!(timeout(Duration::from_millis(1), place.addresses()).await.is_err());
        }
        answer.send(vec![outdated]).expect("it is still waited for");
        let found = place.addresses().await.expect("it is a name that every system knows");
        assert!(!found.is_empty() && !found.contains(&outdated), "the answer is its own: {found:?}");
        assert!(place.looking_up.lock().await.is_none(), "the next probe looks anew");
    }
}
