//! The server: connections, how they begin and how they end.
//!
//! Listener and shutdown are passed in. Draining means: no new connections, a word to every subscriber, the requests
//! under way finished, all within a bound.

use crate::{
    address::{Peer, TrustedProxies},
    answers::Answers,
    connection::{self, StallGuard, Stalled},
    door::{self, Door, Guest, Welcome},
    fanout::Fanout,
    headers,
    hooks::{Hooks, WebhookOptions},
    log::{Kept, Log},
    metrics::{Metrics, Origin},
    origin::{AllowedOrigin, Refused},
    problem::Refusal,
    publish::{Publishers, Tokens},
    rewind::Rewinds,
    routes, site,
    subscribers::{self, Places, RETRY_SECONDS},
    vitals::Vitals,
    ws::{PackingBudget, Wire},
};
use axum::{
    Extension, Router,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use monkeytown_protocol::{SourceKind, limits};
use std::{
    io,
    num::NonZeroUsize,
    path::PathBuf,
    pin::pin,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tower::Layer;

/// Most bytes that wait to be written to a connection, beside one frame; also the most of a request's head.
const WRITE_BUFFER_MAX_BYTES: usize = 256 * 1024;
/// How long to wait when the system has no more sockets to give.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Times that a server holds to.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// Longest silence towards a subscriber.
    pub heartbeat: Duration,
    /// Longest time in which a peer may take nothing of what is written to it.
    pub write_stall: Duration,
    /// Longest time in which a connection that is new may say nothing.
    pub first_byte: Duration,
    /// Longest time for a request's head to arrive, and for a connection to rest between requests.
    pub header_read: Duration,
    /// Longest time for a request's body to arrive.
    pub body_read: Duration,
    /// Longest time for which a large answer waits until others have been read.
    pub answer_room: Duration,
    /// How long after a run that went well an agent of GitHub's webhooks rests.
    pub rest_after: Duration,
    /// After how long without a word such a run is given up.
    pub run_silence: Duration,
}

/// Heartbeats that may pass without a sign of the other end.
const SILENT_HEARTBEATS: u32 = 3;

impl Timing {
    /// Longest time without a sign of a subscriber.
    pub(crate) fn silence(&self) -> Duration {
        self.heartbeat * SILENT_HEARTBEATS
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_millis(limits::HEARTBEAT_MILLIS),
            write_stall: Duration::from_secs(30),
            first_byte: Duration::from_secs(5),
            header_read: Duration::from_secs(10),
            body_read: Duration::from_secs(10),
            answer_room: Duration::from_secs(5),
            rest_after: Duration::from_secs(60),
            run_silence: Duration::from_secs(6 * 3_600),
        }
    }
}

/// What a server is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Folder of the page; `None` serves no page.
    pub site: Option<PathBuf>,
    /// Where the events come from, as the page shows it.
    pub source_kind: SourceKind,
    /// Who may publish.
    pub tokens: Tokens,
    /// What GitHub's webhooks are taken by; `None` takes none.
    pub webhooks: Option<WebhookOptions>,
    /// Most subscribers, of every transport.
    pub max_subscribers: usize,
    /// Most subscribers of one address, and a few connections more; `None` bounds no address.
    pub max_per_address: Option<NonZeroUsize>,
    /// Proxies that are believed whom they speak for.
    pub trusted_proxies: TrustedProxies,
    /// Most published events a second.
    pub max_events_per_second: u32,
    /// Largest event, in bytes of its JSON as it was sent; also the largest message of a subscriber.
    pub max_event_bytes: usize,
    /// Pages elsewhere that may subscribe and ask.
    pub allow_origins: Vec<AllowedOrigin>,
    /// Sites elsewhere that may show the page in a frame.
    pub framed_by: Vec<AllowedOrigin>,
    /// Whether pages may say how long they take to draw.
    pub vitals: bool,
    /// Longest drain.
    pub drain: Duration,
    /// Times.
    pub timing: Timing,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            site: None,
            source_kind: SourceKind::Live,
            tokens: Tokens::default(),
            webhooks: None,
            max_subscribers: 1_000,
            max_per_address: None,
            trusted_proxies: TrustedProxies::default(),
            max_events_per_second: 10_000,
            max_event_bytes: limits::EVENT_MAX_BYTES,
            allow_origins: Vec::new(),
            framed_by: Vec::new(),
            vitals: false,
            drain: Duration::from_secs(10),
            timing: Timing::default(),
        }
    }
}

/// Why a server ended without being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The listener has no address: it is no listener any more.
    #[error("the listener cannot tell its address: {0}")]
    Listener(#[source] io::Error),
}

/// What every request sees.
pub(crate) struct App {
    pub(crate) log: Log,
    pub(crate) metrics: Metrics,
    pub(crate) options: Options,
    pub(crate) places: Places,
    pub(crate) fanout: Fanout,
    pub(crate) hooks: Option<Arc<Hooks>>,
    /// Pages elsewhere that were refused, for the log.
    pub(crate) refused_origins: Refused,
    publishers: RwLock<Arc<Publishers>>,
    pub(crate) answers: Answers,
    pub(crate) rewinds: Rewinds,
    pub(crate) packing: PackingBudget,
    pub(crate) vitals: Option<Vitals>,
    /// How many subscribers there were when the drain began; `None` before that.
    draining: watch::Sender<Option<usize>>,
}

impl App {
    pub(crate) fn new(log: Log, metrics: Metrics, options: Options) -> Self {
        Self {
            places: Places::new(options.max_subscribers, options.max_per_address, metrics.clone()),
            answers: Answers::default(),
            rewinds: Rewinds::default(),
            packing: PackingBudget::default(),
            vitals: options.vitals.then(Vitals::default),
            fanout: Fanout::default(),
            publishers: RwLock::new(Arc::new(Publishers::new(options.tokens.clone(), &options, &metrics))),
            hooks: options
                .webhooks
                .as_ref()
                .map(|webhooks| Arc::new(Hooks::new(webhooks, options.timing.rest_after, options.timing.run_silence))),
            refused_origins: Refused::default(),
            draining: watch::Sender::new(None),
            log,
            metrics,
            options,
        }
    }

    /// Who may publish, as of now.
    pub(crate) fn publishers(&self) -> Arc<Publishers> {
        // One pointer: it is the old one or the new one.
        Arc::clone(&self.publishers.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.borrow().is_some()
    }

    /// Waits until the server drains.
    pub(crate) async fn drained(&self) {
        // The sender lives in `self`, so waiting ends only when it says so.
        let _ = self.draining.subscribe().wait_for(Option::is_some).await;
    }

    /// Waits until the server drains, and then for one subscriber's own moment to go.
    pub(crate) async fn leave(&self) {
        self.drained().await;
        let subscribers = self.draining.borrow().unwrap_or_default();
        tokio::time::sleep(subscribers::goodbye_after(subscribers, self.options.drain)).await;
    }

    /// Why events cannot be kept at present, for those who brought some.
    pub(crate) fn unkept(&self) -> &'static str {
        match self.log.kept() {
            Kept::InRedis(_) => "this stream cannot reach the Redis that keeps its events at present",
            Kept::OnDisk | Kept::InMemory => "this stream cannot keep events at present, its disk may be full",
        }
    }

    /// How long one subscriber that is sent away waits before it comes back.
    pub(crate) fn returning_after(&self) -> Duration {
        let leaving = *self.draining.borrow();
        subscribers::return_after(leaving.unwrap_or_else(|| self.places.taken()))
    }
}

/// Changes who may publish while a server runs.
#[derive(Clone)]
pub struct TokensHandle(Arc<App>);

impl TokensHandle {
    /// From the next request on these tokens open, and no others. Rates begin anew.
    pub fn replace(&self, tokens: Tokens) {
        let publishers = Arc::new(Publishers::new(tokens, &self.0.options, &self.0.metrics));
        *self.0.publishers.write().unwrap_or_else(PoisonError::into_inner) = publishers;
    }
}

/// A server over a log.
pub struct Server {
    app: Arc<App>,
}

impl Server {
    /// A server that serves `log` as `options` say.
    #[must_use]
    pub fn new(log: Log, metrics: Metrics, options: Options) -> Self {
        Self { app: Arc::new(App::new(log, metrics, options)) }
    }

    /// How many connections there may be at once.
    #[must_use]
    pub fn connections_max(&self) -> usize {
        door::connections_max(&self.app.options)
    }

    /// What changes who may publish.
    #[must_use]
    pub fn tokens(&self) -> TokensHandle {
        TokensHandle(Arc::clone(&self.app))
    }

    /// Serves until `shutdown` completes, then drains.
    ///
    /// # Errors
    /// When the listener is unusable from the start.
    pub async fn serve(self, listener: TcpListener, shutdown: impl Future<Output = ()>) -> Result<(), ServeError> {
        let address = listener.local_addr().map_err(ServeError::Listener)?;
        let app = self.app;
        if let Some(folder) = &app.options.site {
            app.metrics.bundle_size_bytes.set(site::first_visit_bytes(folder));
        }
        let service = routes::router(&app, address);
        let turning_away =
            headers::on_all(Router::new().fallback(too_many), address.ip().is_loopback(), &app.options.framed_by);
        let door = Door::new(&app.options, app.metrics.clone());
        let mut tasks = JoinSet::new();
        // Ends with this call, not with the drain: whoever lies down meanwhile is still told of.
        let mut telling = JoinSet::new();
        let ticking = Arc::clone(&app);
        telling.spawn(async move { match ticking.fanout.run(&ticking.log).await {} });
        if let Some(hooks) = app.hooks.clone() {
            let app = Arc::clone(&app);
            telling.spawn(async move { hooks.tell_later(&app.log.entry(Origin::Webhook), &app.metrics).await });
        }
        let mut shutdown = pin!(shutdown);
        loop {
            let accepted = tokio::select! {
                () = &mut shutdown => break,
                Some(_) = tasks.join_next() => continue,
                accepted = door.next(&listener) => accepted,
            };
            match accepted {
                Ok(guest) => {
                    let service = match guest.welcome {
                        Welcome::In => service.clone(),
                        Welcome::TooMany => turning_away.clone(),
                    };
                    tasks.spawn(converse(guest, service, Arc::clone(&app)));
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
        drop(listener);
        drain(&app, tasks).await;
        Ok(())
    }
}

/// One connection, from its first request to its last.
pub(crate) async fn converse(guest: Guest, service: Router, app: Arc<App>) {
    let Guest { stream, peer, stay, .. } = guest;
    let mut first = [0];
    let spoken = tokio::select! {
        spoken = tokio::time::timeout(app.options.timing.first_byte, stream.peek(&mut first)) => spoken,
        () = app.drained() => return,
    };
    // Whoever says nothing gets no buffers.
    if !matches!(spoken, Ok(Ok(1..))) {
        return;
    }
    // Small frames must not wait for large ones; a socket that refuses the option works without it.
    let _ = stream.set_nodelay(true);
    if let Err(error) = connection::break_unacknowledged(&stream, app.options.timing.silence()) {
        tracing::debug!(%error, "a connection keeps the system's own patience");
    }
    let (stalled, wire) = (Stalled::default(), Wire::default());
    let stall = app.options.timing.write_stall;
    let guarded = StallGuard::new(stream, stall, stalled.clone(), wire.allowance.clone(), stay);
    let io = TokioIo::new(wire.outlet.clone().before(wire.inlet.clone().behind(guarded)));
    // Whoever writes an answer without end learns by the one why the end came, and a socket goes below its library by the
    // other.
    let service = Extension(wire).layer(Extension(stalled).layer(Extension(Peer(peer)).layer(service)));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.options.timing.header_read)
        .max_buf_size(WRITE_BUFFER_MAX_BYTES)
        .serve_connection(io, TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.drained() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection breaks off");
    }
}

async fn drain(app: &App, mut tasks: JoinSet<()>) {
    let subscribers = app.places.taken();
    tracing::info!(subscribers, "draining");
    app.draining.send_replace(Some(subscribers));
    let finished = async {
        while tasks.join_next().await.is_some() {}
        app.places.emptied().await;
    };
    match tokio::time::timeout(app.options.drain, finished).await {
        Ok(()) => tracing::info!("drained"),
        Err(_) => {
            let cut = app.places.taken();
            tracing::warn!(subscribers = cut, "the drain takes too long; what is left is cut");
            tasks.abort_all();
        }
    }
}

/// What a connection is told that its address may not have.
async fn too_many() -> Response {
    let detail = "your address has as many connections as one may have here; close some and come back";
    let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(RETRY_SECONDS);
    let mut response = refusal.into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
