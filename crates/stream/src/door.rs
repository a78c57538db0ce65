//! Which connections are let in: how many in all, how many of one address, and what becomes of the others.
//!
//! In all: whoever finds no room waits to be accepted. Of one address: the first few over the bound are let in as far as
//! it takes to tell them so, the rest is closed at once and costs nothing. A trusted proxy is no address of this kind, for
//! many come by it. Knows nothing of what is said on a connection.

use crate::{
    address::TrustedProxies,
    crowd::{Crowd, Share},
    metrics::{Metrics, TurnedAway},
    server::Options,
};
use std::{io, net::IpAddr, num::NonZeroUsize, sync::Arc};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
};

/// Connections beyond those of subscribers: for publishers, probes and the page's files.
const SPARE_CONNECTIONS: usize = 1_024;
/// Connections of one address beyond those of its subscribers: a browser opens up to six for the page's files.
const SPARE_OF_ONE_ADDRESS: usize = 16;
/// Connections over the bound of their address that are told so, at once.
const TOLD_AT_ONCE: usize = 64;

/// Lets connections in.
pub(crate) struct Door {
    room: Arc<Semaphore>,
    crowd: Crowd,
    telling: Arc<Semaphore>,
    proxies: TrustedProxies,
    metrics: Metrics,
}

/// A connection that was let in; its room is given back when dropped.
pub(crate) struct Guest {
    pub(crate) stream: TcpStream,
    pub(crate) peer: IpAddr,
    pub(crate) welcome: Welcome,
    pub(crate) stay: Stay,
}

/// What a connection takes for as long as it lasts.
pub(crate) struct Stay {
    _room: OwnedSemaphorePermit,
    _share: Option<Share>,
    _telling: Option<OwnedSemaphorePermit>,
}

/// How far a connection is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Welcome {
    /// It may ask for anything.
    In,
    /// It is told that its address has enough of them.
    TooMany,
}

impl Door {
    pub(crate) fn new(options: &Options, metrics: Metrics) -> Self {
        let of_one = options.max_per_address.map(|max| max.saturating_add(SPARE_OF_ONE_ADDRESS));
        Self {
            room: Arc::new(Semaphore::new(connections_max(options))),
            crowd: Crowd::new(of_one),
            telling: Arc::new(Semaphore::new(TOLD_AT_ONCE)),
            proxies: options.trusted_proxies.clone(),
            metrics,
        }
    }

    /// The next connection that is let in, once there is room for one.
    ///
    /// # Errors
    /// When the system has none to give.
    pub(crate) async fn next(&self, listener: &TcpListener) -> io::Result<Guest> {
        loop {
            let room = Arc::clone(&self.room).acquire_owned().await.map_err(io::Error::other)?;
            let (stream, peer) = listener.accept().await?;
            let peer = peer.ip().to_canonical();
            if let Some((welcome, share, telling)) = self.welcome(peer) {
                let stay = Stay { _room: room, _share: share, _telling: telling };
                return Ok(Guest { stream, peer, welcome, stay });
            }
            self.metrics.turned_away(TurnedAway::Closed);
        }
    }

    fn welcome(&self, peer: IpAddr) -> Option<(Welcome, Option<Share>, Option<OwnedSemaphorePermit>)> {
        if self.proxies.hold(peer) {
            return Some((Welcome::In, None, None));
        }
        match self.crowd.take(peer.into()) {
            Ok(share) => Some((Welcome::In, share, None)),
            Err(_) => {
                let telling = Arc::clone(&self.telling).try_acquire_owned().ok()?;
                self.metrics.turned_away(TurnedAway::Told);
                Some((Welcome::TooMany, None, Some(telling)))
            }
        }
    }
}

/// Most connections at once.
pub(crate) fn connections_max(options: &Options) -> usize {
    options.max_subscribers.saturating_add(SPARE_CONNECTIONS)
}

/// `--max-per-address`: 0 is no bound.
pub(crate) fn bound(max_per_address: u32) -> Option<NonZeroUsize> {
    usize::try_from(max_per_address).ok().and_then(NonZeroUsize::new)
}
