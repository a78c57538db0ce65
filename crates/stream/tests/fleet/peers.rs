//! Peers made for a test: each does one thing to whoever connects.

use socket2::{Domain, Socket, Type};
use std::{
    future::Future,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

/// Listens until it is dropped.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// Connections taken.
    pub(crate) taken: Arc<AtomicUsize>,
    /// Most connections that were open at once.
    pub(crate) at_once_max: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

impl Peer {
    /// A peer that does `what` with each connection, the first being number 0.
    pub(crate) async fn new<F: Future<Output = ()> + Send + 'static>(
        what: impl Fn(TcpStream, usize) -> F + Send + 'static,
    ) -> Self {
        Self::at(any_port(), what).await
    }

    pub(crate) async fn at<F: Future<Output = ()> + Send + 'static>(
        address: SocketAddr,
        what: impl Fn(TcpStream, usize) -> F + Send + 'static,
    ) -> Self {
        let socket = bound(address);
        socket.listen(1_024).expect("listens");
        socket.set_nonblocking(true).expect("set");
        let listener = TcpListener::from_std(socket.into()).expect("a listener");
        let address = listener.local_addr().expect("bound");
        let (taken, at_once_max) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let mut serving = JoinSet::new();
        let counts = (taken.clone(), at_once_max.clone());
        serving.spawn(async move {
            let open = Arc::<AtomicUsize>::default();
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let number = counts.0.fetch_add(1, Ordering::SeqCst);
                counts.1.fetch_max(open.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let (done, open) = (what(stream, number), open.clone());
                connections.spawn(async move {
                    done.await;
                    open.fetch_sub(1, Ordering::SeqCst);
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self { address, taken, at_once_max, _serving: serving }
    }

    /// A peer that waits for the first bytes, says `answer` and closes.
    pub(crate) async fn saying(answer: &'static [u8]) -> Self {
        Self::new(move |mut stream, _| async move {
            heard(&mut stream).await;
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
            until_closed(&mut stream).await;
        })
        .await
    }

    /// A peer that says `beginning`, then `again` for as long as it is listened to.
    pub(crate) async fn endless(beginning: &'static [u8], again: &'static [u8]) -> Self {
        Self::new(move |mut stream, _| async move {
            heard(&mut stream).await;
            let mut more = stream.write_all(beginning).await;
            while more.is_ok() {
                more = stream.write_all(again).await;
            }
        })
        .await
    }
}

/// Waits for the first bytes, and gives what came.
pub(crate) async fn heard(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = vec![0; 4_096];
    let read = stream.read(&mut bytes).await.unwrap_or_default();
    bytes.truncate(read);
    bytes
}

/// Waits until the other end is gone.
pub(crate) async fn until_closed(stream: &mut TcpStream) {
    let mut bytes = [0; 1_024];
    while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
}

/// A port that swallows whoever comes: its queue is full, and nobody takes anybody out of it.
pub(crate) struct BlackHole {
    pub(crate) address: SocketAddr,
    _queue: (Socket, Vec<Socket>),
}

impl BlackHole {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        listener.bind(&any_port().into()).expect("a port");
        listener.listen(0).expect("listens");
        let address = listener.local_addr().expect("bound").as_socket().expect("an address");
        let waiting = (0..4).map(|_| {
            let waiting = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
            waiting.set_nonblocking(true).expect("set");
            // Under way, which is all that it is to be.
            let _ = waiting.connect(&address.into());
            waiting
        });
        let waiting = waiting.collect();
        Self { address, _queue: (listener, waiting) }
    }
}

/// A port at which nobody listens, and that nobody else is given for as long as this is held.
pub(crate) struct Nobody {
    pub(crate) address: SocketAddr,
    _bound: Socket,
}

impl Nobody {
    pub(crate) fn new() -> Self {
        let bound = bound(any_port());
        let address = bound.local_addr().expect("bound").as_socket().expect("an address");
        Self { address, _bound: bound }
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

/// A socket at `address`, which a [`Nobody`] may have too.
fn bound(address: SocketAddr) -> Socket {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_reuse_address(true).expect("set");
    socket.set_reuse_port(true).expect("set");
    socket.bind(&address.into()).expect("a port");
    socket
}
