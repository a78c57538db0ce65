//! The connection of this page: carries out what the policy decides.
//!
//! Owns the one link or the one poll under way, its deadlines, and the look at a better way beside it. It asks where to
//! resume from at each attempt and never looks into what it hands over.

mod polls;

use super::{
    ConnectionState, Ending, Next, Policy, Reach, Route, http,
    link::{Link, LinkEvent, closing_words},
    polling,
};
use crate::{
    clock::{self, Timer, monotonic_millis},
    config::{StreamAddress, Streams},
};
use monkeytown_protocol::{Position, limits::HEARTBEAT_MILLIS};
use std::cell::{Cell, RefCell};

/// How long a link may take until the stream says hello, in milliseconds; longer each time that every way has failed,
/// for a snapshot takes its time where the network is slow.
const GREETING_MILLIS: u32 = 5_000;
/// How many ways there are.
const CHAIN: u32 = 4;
/// Most of such times that are waited.
const GREETINGS_MAX: u32 = 6;
/// How long `/ready` may take, in milliseconds.
const READY_MILLIS: u32 = 2_000;
/// How long a worse way must have worked before a better one is looked for beside it, in milliseconds.
const LOOK_MILLIS: f64 = 10_000.0;
/// Longest time between two such looks: each one that fails doubles it.
const LOOK_MAX_MILLIS: f64 = 15.0 * 60_000.0;
/// Least time between two polls that bring nothing: a proxy may answer a long poll at once, for ever.
const IDLE_POLL_MILLIS: u32 = 2_000;
/// How far the wall clock may run ahead of the monotonic one between two looks before this device has slept, in
/// milliseconds: timers of a hidden page come once a minute, and both clocks run on meanwhile.
const SLEPT_MILLIS: f64 = 30_000.0;

/// Where server-sent events and polls are asked for.
const EVENTS: &str = "/api/v1/events";

/// Whom the connection talks to.
pub struct Handlers {
    /// Takes a frame; `true`: at once, for the next question depends on it.
    pub deliver: Box<dyn Fn(String, bool)>,
    /// Takes what was handed over in earnest, now: what was said before a closing counts.
    pub flush: Box<dyn Fn()>,
    /// Hears how the connection stands.
    pub report: Box<dyn Fn(ConnectionState)>,
    /// Says where to resume from.
    pub position: Box<dyn Fn() -> Option<Position>>,
}

/// The connection. It lives as long as the page.
#[derive(Clone, Copy)]
pub struct Connection(&'static Inner);

struct Inner {
    streams: Streams,
    /// Which of the streams is asked.
    at: Cell<usize>,
    handlers: Handlers,
    state: RefCell<State>,
}

#[derive(Default)]
struct State {
    policy: Policy,
    /// Attempts and looks made so far.
    made: u64,
    /// Which of them is under way: an answer to another is nobody's.
    attempt: u64,
    /// Whether anything is to be tried at all: the page neither rests nor is offline.
    awake: bool,
    /// The stream said not to come back, in these words.
    refused: Option<String>,
    link: Option<Link>,
    timer: Option<Timer>,
    greeted_at: Option<f64>,
    heard_at: f64,
    /// When [`Connection::watch`] looked last, or this was made, by the monotonic clock and by the wall clock.
    watched_at: (f64, f64),
    silence_max_millis: f64,
    asked_millis: Option<u32>,
    /// A look at a better way, beside the one that works.
    look: Option<(u64, Route, Link)>,
    look_timer: Option<Timer>,
    looked_at: f64,
    look_millis: f64,
    /// The better way that was looked at last.
    looked: Route,
    /// Whether the next attempt is to begin with a snapshot.
    afresh: bool,
}

impl State {
    /// The way in use works.
    fn stand(&mut self, heartbeat_millis: u64) {
        #[expect(clippy::cast_precision_loss, reason = "clamped to a day")]
        let heartbeat = heartbeat_millis.clamp(1_000, 86_400_000) as f64;
        self.silence_max_millis = heartbeat * 2.0;
        self.heard_at = monotonic_millis();
        self.greeted_at = Some(self.heard_at);
        self.looked_at = self.heard_at;
        if self.policy.route() == Route::Socket || self.look_millis < LOOK_MILLIS {
            self.look_millis = LOOK_MILLIS;
        }
        self.afresh = false;
        self.timer = None;
    }

    fn patience_millis(&self) -> u32 {
        GREETING_MILLIS * (self.policy.failures() / CHAIN + 1).min(GREETINGS_MAX)
    }
}

impl Connection {
    /// A connection to the home of `streams` that has not started; `route` worked last.
    #[must_use]
    pub fn new(streams: Streams, route: Route, handlers: Handlers) -> Self {
        let at = Cell::new(streams.home);
        let mut state = State::default();
        state.policy.take(route);
        // A sleep before the first look is one too.
        state.watched_at = (monotonic_millis(), clock::wall_millis());
        Self(Box::leak(Box::new(Inner { streams, at, handlers, state: RefCell::new(state) })))
    }

    /// The stream that is asked.
    #[must_use]
    pub fn stream(&self) -> &StreamAddress {
        self.0.streams.at(self.0.at.get())
    }

    /// Which of the streams that is.
    #[must_use]
    pub fn at(&self) -> usize {
        self.0.at.get()
    }

    /// The next attempt is to ask that one.
    pub fn turn_to(&self, at: usize) {
        if at < self.0.streams.len() {
            self.0.at.set(at);
        }
    }

    /// Starts, or starts over at once: when the network is back.
    pub fn start(&self) {
        let first = self.0.state.borrow().made == 0;
        self.begin(Some(if first {
            ConnectionState::Connecting
        } else {
            ConnectionState::trying(0, None, "the network is back".to_owned())
        }));
    }

    /// Lets go of the stream, without a word to anybody, until [`Connection::wake`]: the cursor loses nothing.
    pub fn rest(&self) {
        self.silence();
        self.0.state.borrow_mut().awake = false;
    }

    /// Goes on after [`Connection::rest`]; `why` it had rested, unless nobody is to be told.
    pub fn wake(&self, why: &str) {
        if self.0.state.borrow().awake {
            self.watch();
        } else {
            self.begin((!why.is_empty()).then(|| ConnectionState::trying(0, None, why.to_owned())));
        }
    }

    fn begin(&self, report: Option<ConnectionState>) {
        let refused = self.0.state.borrow().refused.clone();
        if let Some(why) = refused {
            return self.refuse(why);
        }
        if !clock::is_online() {
            return self.offline();
        }
        report.into_iter().for_each(|report| (self.0.handlers.report)(report));
        self.attempt();
    }

    /// Whether this page has asked the stream since it was loaded.
    #[must_use]
    pub fn has_asked(&self) -> bool {
        self.0.state.borrow().made > 0
    }

    /// Another tab hears the stream: it takes guests again.
    pub fn forgive(&self) {
        self.0.state.borrow_mut().refused = None;
    }

    /// The stream said not to come back, to this page or to another tab: it is not asked again.
    pub fn refuse(&self, why: String) {
        self.rest();
        self.0.state.borrow_mut().refused = Some(why.clone());
        (self.0.handlers.report)(ConnectionState::Refused { why });
    }

    /// The browser says that there is no network: waits for [`Connection::start`].
    pub fn offline(&self) {
        self.rest();
        if self.0.state.borrow().refused.is_none() {
            (self.0.handlers.report)(ConnectionState::Offline);
        }
    }

    /// The stream said hello: what follows is its word.
    pub fn greeted(&self, heartbeat_millis: u64) {
        let route = {
            let mut state = self.0.state.borrow_mut();
            if state.link.is_none() {
                return;
            }
            state.stand(heartbeat_millis);
            state.policy.route()
        };
        (self.0.handlers.report)(if route == Route::Socket { ConnectionState::Live } else { ConnectionState::Sse });
    }

    /// The stream announced that it will close, and when to come back.
    pub fn bye(&self, reconnect_after_millis: u32) {
        self.0.state.borrow_mut().asked_millis = Some(reconnect_after_millis);
    }

    /// Subscribes again from where the page stands: something is missing. `afresh`: with a snapshot, for what waits
    /// is more than the page can hold.
    pub fn resume(&self, why: &str, afresh: bool) {
        {
            let mut state = self.0.state.borrow_mut();
            if !state.awake {
                return;
            }
            state.afresh |= afresh;
        }
        let held_millis = self.held_millis();
        self.ended(Ending::Resume { held_millis }, why.to_owned());
    }

    /// Looks whether the stream is still heard, by what came and by what the clocks say, and whether there is a better
    /// way to it. To be called every second, and whenever the page can be seen again.
    pub fn watch(&self) {
        let now = (monotonic_millis(), clock::wall_millis());
        let (slept, silent, look) = {
            let mut state = self.0.state.borrow_mut();
            let before = std::mem::replace(&mut state.watched_at, now);
            let slept = (now.1 - before.1) - (now.0 - before.0) > SLEPT_MILLIS;
            let greeted = state.greeted_at.is_some();
            let silent = greeted && now.0 - state.heard_at > state.silence_max_millis;
            let worse = greeted && state.policy.route() != Route::Socket && state.look.is_none();
            (slept, silent, worse && now.0 - state.looked_at > state.look_millis)
        };
        if slept {
            self.resume("this device slept", false);
        } else if silent {
            self.lost(Some(Reach::Ready), 1006, "the stream fell silent".to_owned(), None);
        } else if look {
            self.look();
        }
    }

    /// Tries a better way beside the one that works, each in turn.
    fn look(&self) {
        let (id, route) = {
            let mut state = self.0.state.borrow_mut();
            let polls = state.policy.route() >= Route::LongPoll;
            // A poll is no better than another for what it costs to find out.
            state.looked = if polls && state.looked == Route::Socket { Route::Sse } else { Route::Socket };
            state.looked_at = monotonic_millis();
            state.look_millis = (state.look_millis * 2.0).min(LOOK_MAX_MILLIS);
            state.made += 1;
            (state.made, state.looked)
        };
        let Ok(link) = self.open(id, route) else { return };
        let connection = *self;
        let timer = Timer::after(GREETING_MILLIS, move || drop(connection.stop_looking()));
        let mut state = self.0.state.borrow_mut();
        (state.look, state.look_timer) = (Some((id, route, link)), timer);
    }

    fn stop_looking(&self) -> Option<(u64, Route, Link)> {
        self.0.state.borrow_mut().look.take()
    }

    fn attempt(&self) {
        self.silence();
        let (attempt, route) = {
            let mut state = self.0.state.borrow_mut();
            state.awake = true;
            (state.attempt, state.policy.route())
        };
        if route >= Route::LongPoll {
            let connection = *self;
            wasm_bindgen_futures::spawn_local(async move { connection.poll(attempt, route).await });
            return;
        }
        match self.open(attempt, route) {
            Ok(link) => self.expect_greeting(link),
            Err(why) => self.lost(Some(Reach::Ready), 1006, why, None),
        }
    }

    fn expect_greeting(&self, link: Link) {
        let connection = *self;
        let mut state = self.0.state.borrow_mut();
        state.link = Some(link);
        let patience = state.patience_millis();
        state.timer = Timer::after(patience, move || connection.refused("no answer in time".to_owned()));
    }

    /// Drops whatever is under way.
    fn silence(&self) {
        let mut state = self.0.state.borrow_mut();
        state.made += 1;
        state.attempt = state.made;
        state.greeted_at = None;
        state.asked_millis = None;
        let dropped = (state.link.take(), state.timer.take(), state.look.take(), state.look_timer.take());
        drop(state);
        drop(dropped);
    }

    fn open(&self, id: u64, route: Route) -> Result<Link, String> {
        let stream = self.stream();
        let mut url = if route == Route::Socket { stream.socket.clone() } else { format!("{}{EVENTS}", stream.rest) };
        if let Some(position) = (self.0.handlers.position)() {
            let afresh = if self.0.state.borrow().afresh { "&snapshot=1" } else { "" };
            url = format!("{url}?after={position}{afresh}");
        }
        let connection = *self;
        Link::open(route, &url, Box::new(move |event| connection.hear(id, event)))
    }

    fn is_current(&self, id: u64) -> bool {
        self.0.state.borrow().attempt == id
    }

    fn hear(&self, id: u64, event: LinkEvent) {
        let found = self.0.state.borrow_mut().look.take_if(|(look, ..)| *look == id);
        if let Some((_, route, link)) = found {
            if let LinkEvent::Closed(_) = event {
                return;
            }
            // The better way speaks: it goes on from where the other one was, and what both brought is known.
            self.silence();
            {
                let mut state = self.0.state.borrow_mut();
                state.policy.take(route);
                state.attempt = id;
            }
            self.expect_greeting(link);
        }
        if !self.is_current(id) {
            return;
        }
        let code = match event {
            LinkEvent::Text(text) => {
                self.0.state.borrow_mut().heard_at = monotonic_millis();
                return (self.0.handlers.deliver)(text, false);
            }
            LinkEvent::Closed(code) => code,
        };
        // A hello or a bye that came just before still waits for a frame.
        (self.0.handlers.flush)();
        if !self.is_current(id) {
            return;
        }
        let (greeted, asked_millis) = {
            let state = self.0.state.borrow();
            (state.greeted_at.is_some(), state.asked_millis)
        };
        let why = closing_words(code, greeted);
        if greeted || (4000..=4099).contains(&code) {
            self.lost(None, code, why, asked_millis);
        } else {
            self.refused(why);
        }
    }

    /// A link that never greeted: the stream itself is asked why.
    fn refused(&self, why: String) {
        self.silence();
        let (attempt, failures) = {
            let state = self.0.state.borrow();
            (state.attempt, state.policy.failures())
        };
        (self.0.handlers.report)(ConnectionState::trying(failures, None, why.clone()));
        let connection = *self;
        wasm_bindgen_futures::spawn_local(async move {
            let answer = http::get(&format!("{}/ready", connection.stream().rest), READY_MILLIS).await;
            if !connection.is_current(attempt) {
                return;
            }
            match answer {
                Some(answer) if answer.status == 503 => {
                    let why = polling::NO_PLACE.to_owned();
                    connection.lost(Some(Reach::Busy), 1006, why, answer.retry_after_millis());
                }
                Some(answer) if answer.is_ok() => connection.lost(Some(Reach::Ready), 1006, why, None),
                _ => connection.lost(Some(Reach::Silent), 1006, why, None),
            }
        });
    }

    fn lost(&self, reach: Option<Reach>, code: u16, why: String, asked_millis: Option<u32>) {
        let held_millis = self.held_millis();
        self.ended(Ending::Lost { reach, code, held_millis, asked_millis }, why);
    }

    fn held_millis(&self) -> f64 {
        self.0.state.borrow().greeted_at.map_or(0.0, |at| monotonic_millis() - at)
    }

    fn ended(&self, ending: Ending, mut why: String) {
        self.silence();
        if !clock::is_online() {
            return self.offline();
        }
        let streams = self.0.streams.len();
        let (next, failures) = {
            let mut state = self.0.state.borrow_mut();
            let next = state.policy.after(ending, clock::random());
            state.awake = true;
            if self.0.streams.failover && streams > 1 && state.policy.is_dead() {
                why = format!("{} does not answer, so the next one is asked", self.stream().rest);
                self.0.at.set((self.0.at.get() + 1) % streams);
            }
            (next, state.policy.failures())
        };
        let Next::Try { wait_millis } = next else {
            return self.refuse(why);
        };
        let next_at_millis = Some(monotonic_millis() + f64::from(wait_millis));
        (self.0.handlers.report)(ConnectionState::trying(failures, next_at_millis, why));
        let connection = *self;
        let timer = Timer::after(wait_millis, move || connection.attempt());
        self.0.state.borrow_mut().timer = timer;
    }
}
