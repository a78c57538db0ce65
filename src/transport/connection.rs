//! The connection of this page: carries out what the policy decides.
//!
//! Owns the one socket or the one poll under way, its deadlines and its watchdog. It asks where to resume from
//! at each attempt and never looks into what it hands over.

use super::{
    ConnectionState, Ending, Next, Policy, Route, polling,
    websocket::{Socket, SocketEvent},
};
use crate::{
    clock::{self, Timer, monotonic_millis},
    config::StreamAddress,
};
use monkeytown_protocol::Position;
use std::{
    cell::RefCell,
    rc::{Rc, Weak},
};

/// How long a socket may take until the stream says hello, in milliseconds.
const GREETING_MILLIS: u32 = 5_000;
/// How long polling must have worked before a socket is tried again, in milliseconds.
const POLLING_SETTLED_MILLIS: f64 = 60_000.0;
/// Longest time between two such looks: each one that fails doubles it.
const POLLING_SETTLED_MAX_MILLIS: f64 = 15.0 * 60_000.0;
/// How often the watchdog looks, in milliseconds.
const WATCHDOG_MILLIS: u32 = 5_000;
/// Least time between two polls that bring nothing: a proxy may answer a long poll at once, for ever.
const IDLE_POLL_MILLIS: u32 = 2_000;

/// Whom the connection talks to.
pub struct Handlers {
    /// Takes a frame; `true`: at once, for the next question depends on it.
    pub deliver: Box<dyn Fn(String, bool)>,
    /// Takes everything that was handed over in earnest, now: what was said before a closing counts.
    pub flush: Box<dyn Fn()>,
    /// Hears how the connection stands.
    pub report: Box<dyn Fn(ConnectionState)>,
    /// Says where to resume from.
    pub position: Box<dyn Fn() -> Option<Position>>,
}

/// The connection. Cloning shares it.
#[derive(Clone)]
pub struct Connection(Rc<Inner>);

struct Inner {
    stream: StreamAddress,
    handlers: Handlers,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    policy: Policy,
    /// Which attempt this is: an answer to an older one is nobody's.
    attempt: u64,
    socket: Option<Socket>,
    timer: Option<Timer>,
    watchdog: Option<Timer>,
    greeted_at: Option<f64>,
    heard_at: f64,
    silence_max_millis: f64,
    asked_millis: Option<u32>,
    /// Whether the socket under way is only a look, beside polling that works.
    probing: bool,
    /// How long polling lasts before the next look, in milliseconds.
    settled_millis: f64,
}

impl Connection {
    /// A connection to `stream` that has not started.
    #[must_use]
    pub fn new(stream: StreamAddress, handlers: Handlers) -> Self {
        Self(Rc::new(Inner { stream, handlers, state: RefCell::default() }))
    }

    /// Starts, or starts over at once: when the network is back, when the witness asks.
    pub fn start(&self) {
        if !clock::is_online() {
            return self.offline();
        }
        let first = self.0.state.borrow().attempt == 0;
        let failures = self.0.state.borrow().policy.failures();
        (self.0.handlers.report)(if first {
            ConnectionState::Connecting
        } else {
            let why = "the network is back".to_owned();
            ConnectionState::Reconnecting { failures, next_at_millis: None, why }
        });
        self.attempt(Route::Socket);
    }

    /// The browser says that there is no network: waits for [`Connection::start`].
    pub fn offline(&self) {
        self.silence();
        (self.0.handlers.report)(ConnectionState::Offline);
    }

    /// The stream said hello through the socket: what follows is its word.
    pub fn greeted(&self, heartbeat_millis: u64) {
        let mut state = self.0.state.borrow_mut();
        if state.socket.is_none() {
            return;
        }
        #[expect(clippy::cast_precision_loss, reason = "clamped to a day")]
        let heartbeat = heartbeat_millis.clamp(1_000, 86_400_000) as f64;
        state.silence_max_millis = heartbeat * 2.0;
        state.greeted_at = Some(monotonic_millis());
        (state.probing, state.settled_millis) = (false, POLLING_SETTLED_MILLIS);
        state.timer = None;
        let weak = Rc::downgrade(&self.0);
        state.watchdog = Timer::every(WATCHDOG_MILLIS, move || with(&weak, |connection| connection.watch()));
        drop(state);
        (self.0.handlers.report)(ConnectionState::Live);
    }

    /// The stream announced that it will close, and when to come back.
    pub fn bye(&self, reconnect_after_millis: u32) {
        self.0.state.borrow_mut().asked_millis = Some(reconnect_after_millis);
    }

    /// Subscribes again from where the page stands: something is missing.
    pub fn resume(&self, why: &str) {
        let held_millis = self.held_millis();
        self.ended(Ending::Resume { held_millis }, why.to_owned());
    }

    /// The page can be seen again: a socket that fell silent meanwhile is not waited for.
    pub fn watch(&self) {
        let silent = {
            let state = self.0.state.borrow();
            state.greeted_at.is_some() && monotonic_millis() - state.heard_at > state.silence_max_millis
        };
        if silent {
            self.socket_ended(1006, "the stream fell silent".to_owned());
        }
    }

    fn attempt(&self, route: Route) {
        let attempt = self.silence();
        match route {
            Route::Socket => self.attempt_socket(attempt),
            Route::Polling => {
                let connection = self.clone();
                wasm_bindgen_futures::spawn_local(async move { connection.poll(attempt).await });
            }
        }
    }

    /// Drops whatever is under way. Returns the number of the next attempt.
    fn silence(&self) -> u64 {
        let mut state = self.0.state.borrow_mut();
        state.attempt += 1;
        state.greeted_at = None;
        state.asked_millis = None;
        let dropped = (state.socket.take(), state.timer.take(), state.watchdog.take());
        let attempt = state.attempt;
        drop(state);
        drop(dropped);
        attempt
    }

    fn attempt_socket(&self, attempt: u64) {
        let url = match (self.0.handlers.position)() {
            Some(position) => format!("{}?after={position}", self.0.stream.socket),
            None => self.0.stream.socket.clone(),
        };
        let weak = Rc::downgrade(&self.0);
        let opened = Socket::open(&url, move |event| {
            with(&weak, |connection| {
                if connection.0.state.borrow().attempt != attempt {
                    return;
                }
                match event {
                    SocketEvent::Text(text) => {
                        connection.0.state.borrow_mut().heard_at = monotonic_millis();
                        (connection.0.handlers.deliver)(text, false);
                    }
                    SocketEvent::Closed(code) => {
                        // A hello or a bye that came just before still waits for a frame.
                        (connection.0.handlers.flush)();
                        if connection.0.state.borrow().attempt != attempt {
                            return;
                        }
                        let greeted = connection.0.state.borrow().greeted_at.is_some();
                        connection.socket_ended(code, closing_words(code, greeted));
                    }
                }
            });
        });
        match opened {
            Ok(socket) => {
                let weak = Rc::downgrade(&self.0);
                let mut state = self.0.state.borrow_mut();
                state.socket = Some(socket);
                state.heard_at = monotonic_millis();
                state.timer = Timer::after(GREETING_MILLIS, move || {
                    with(&weak, |connection| connection.socket_ended(1006, "no answer within 5 seconds".to_owned()));
                });
            }
            Err(why) => self.socket_ended(1006, why),
        }
    }

    fn socket_ended(&self, code: u16, why: String) {
        let held_millis = self.held_millis();
        let (greeted, asked_millis) = {
            let state = self.0.state.borrow();
            (state.greeted_at.is_some(), state.asked_millis)
        };
        self.ended(Ending::Socket { greeted, code, held_millis, asked_millis }, why);
    }

    fn held_millis(&self) -> f64 {
        self.0.state.borrow().greeted_at.map_or(0.0, |at| monotonic_millis() - at)
    }

    fn ended(&self, ending: Ending, why: String) {
        self.silence();
        let probed = std::mem::take(&mut self.0.state.borrow_mut().probing);
        if probed && matches!(ending, Ending::Socket { greeted: false, .. }) {
            // Polling works: a look at whether a socket can be had is no reason to alarm anybody.
            return self.attempt(Route::Polling);
        }
        if !clock::is_online() {
            return (self.0.handlers.report)(ConnectionState::Offline);
        }
        let next = self.0.state.borrow_mut().policy.after(ending, clock::random());
        match next {
            Next::Stop => (self.0.handlers.report)(ConnectionState::Refused { why }),
            Next::Try { route, wait_millis } => {
                let failures = self.0.state.borrow().policy.failures();
                let next_at_millis = Some(monotonic_millis() + f64::from(wait_millis));
                (self.0.handlers.report)(ConnectionState::Reconnecting { failures, next_at_millis, why });
                let weak = Rc::downgrade(&self.0);
                let timer = Timer::after(wait_millis, move || with(&weak, |connection| connection.attempt(route)));
                self.0.state.borrow_mut().timer = timer;
            }
        }
    }

    /// Polls until it fails, another attempt takes over, or a socket is worth another look.
    async fn poll(&self, attempt: u64) {
        let rest = &self.0.stream.rest;
        let started = monotonic_millis();
        let mut worked = false;
        loop {
            let asked_at = monotonic_millis();
            let polled = match (self.0.handlers.position)() {
                // The first answer comes at once, so that the page knows early whether polling works.
                Some(position) => polling::events(rest, &position, worked, clock::wall()).await,
                None => Ok(None),
            };
            let frames = match polled {
                Ok(Some(polled)) => Ok((polled.events, Some(polled.heartbeat))),
                Ok(None) => polling::snapshot(rest, clock::wall()).await.map(|hello| (Some(hello), None)),
                Err(error) => Err(error),
            };
            if self.0.state.borrow().attempt != attempt {
                return;
            }
            let held_millis = if worked { monotonic_millis() - started } else { 0.0 };
            let (events, heartbeat) = match frames {
                Ok(frames) => frames,
                Err(error) => {
                    let why = format!("neither socket nor polling: {}", error.why);
                    return self.ended(Ending::Polling { held_millis, asked_millis: error.retry_after_millis }, why);
                }
            };
            if !worked {
                worked = true;
                (self.0.handlers.report)(ConnectionState::Polling);
            }
            // A snapshot is no news: a stream that never lets this page catch up is not asked without a pause.
            let news = events.is_some() && heartbeat.is_some();
            events.into_iter().chain(heartbeat).for_each(|frame| (self.0.handlers.deliver)(frame, true));
            if !news && monotonic_millis() - asked_at < f64::from(IDLE_POLL_MILLIS) {
                clock::sleep(IDLE_POLL_MILLIS).await;
            }
            // What was delivered may have made the page ask for another attempt.
            if self.0.state.borrow().attempt != attempt {
                return;
            }
            let mut state = self.0.state.borrow_mut();
            let settled_millis = state.settled_millis.max(POLLING_SETTLED_MILLIS);
            if held_millis > settled_millis {
                state.probing = true;
                state.settled_millis = (settled_millis * 2.0).min(POLLING_SETTLED_MAX_MILLIS);
                drop(state);
                return self.attempt(Route::Socket);
            }
        }
    }
}

/// What a close code means to a person (RFC 6455, section 7.4.1).
fn closing_words(code: u16, greeted: bool) -> String {
    match code {
        1006 if greeted => "the connection was cut".to_owned(),
        1006 => "no connection could be made".to_owned(),
        1001 | 1012 => "the stream is going away for a moment".to_owned(),
        _ => format!("the stream closed the connection (code {code})"),
    }
}

fn with(weak: &Weak<Inner>, run: impl FnOnce(&Connection)) {
    if let Some(inner) = weak.upgrade() {
        run(&Connection(inner));
    }
}
