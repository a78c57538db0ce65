//! One socket for all tabs of a witness: one tab leads and has the connection, the others hear what it hears.
//!
//! Owns who leads (a Web Lock; taken from a leader that no longer answers) and the channel between tabs. By it come the
//! leader's frames, undecoded, and how its connection stands; what came before, or is missing between, each tab asks of
//! the stream itself. Where the browser has neither locks nor channels, each tab connects for itself. Knows nothing of
//! what frames mean.

mod standing;

use crate::{
    clock::{self, monotonic_millis},
    config::{StreamAddress, Streams},
    transport::{Backoff, Connection, ConnectionState, Handlers, Polled, Route, ask},
};
use js_sys::{Function, Object, Promise, Reflect};
use monkeytown_protocol::Position;
use standing::{said, told};
use std::cell::{Cell, OnceCell, RefCell};
use wasm_bindgen::{JsCast, JsValue, closure::Closure, prelude::wasm_bindgen};
use wasm_bindgen_futures::{JsFuture, spawn_local};
use web_sys::{BroadcastChannel, MessageEvent};

#[wasm_bindgen]
extern "C" {
    /// Throws where there are no locks.
    #[wasm_bindgen(js_namespace = ["navigator", "locks"], js_name = request, catch)]
    fn request_lock(name: &str, options: &Object, granted: &JsValue) -> Result<Promise, JsValue>;
}

/// Looks, of a second each, without a word of the leader after which it is asked whether it is there.
const SILENT_LOOKS: u32 = 2;
/// The same after which it counts as frozen, and this tab takes the lead.
const SILENT_LOOKS_MAX: u32 = 8;
/// Bytes that may wait until what came before them is there. Past it they are dropped, and asked for.
const WAITING_MAX_BYTES: usize = 4_000_000;
/// An answer that moves a tab on by so many events may be followed by more.
const WHOLE_ANSWER: u64 = 1_000;
/// How long an answer may take, in milliseconds.
const ANSWER_MILLIS: u32 = 5_000;
/// Least time between two catch-ups, in milliseconds: a stream may contradict itself for ever.
const CATCH_UP_MILLIS: u32 = 1_000;

/// What a tab asks the leader: is anybody there?
const ASK: &str = "?";
/// Begins how the leader's connection stands: in an answer to that, and when it has changed.
const ANSWER: char = '=';
const CHANGE: char = '!';

#[derive(Clone, Copy, PartialEq)]
enum Role {
    /// Hears another tab, or waits for one.
    Follows,
    /// Hears nobody, until it is woken.
    Rests,
    /// Has the connection, and the lock.
    Leads,
    /// Has the connection and knows of no other tab.
    Alone,
}

struct Inner {
    name: String,
    handlers: Handlers,
    connection: OnceCell<Connection>,
    channel: Option<BroadcastChannel>,
    role: Cell<Role>,
    /// Whether the lock is waited for.
    queued: Cell<bool>,
    /// Gives the lock back.
    release: RefCell<Option<Function>>,
    /// Why this tab has no stream, for when it leads again.
    why: Cell<&'static str>,
    /// Whether other tabs follow: nobody is told nothing.
    followed: Cell<bool>,
    /// Looks since the leader was heard.
    silent_looks: Cell<u32>,
    /// Whether any leader was heard since the page was loaded.
    heard: Cell<bool>,
    /// How the leader's connection stands.
    standing: RefCell<ConnectionState>,
    /// Whether something is missing between this tab's place and what the leader tells; and whether so much that a
    /// snapshot is to stand in for it.
    behind: Cell<bool>,
    afresh: Cell<bool>,
    /// Frames that wait for what came before them; `None` while that is not asked for.
    waiting: RefCell<Option<Vec<String>>>,
    waiting_bytes: Cell<usize>,
    caught_up_at: Cell<f64>,
    /// Which catch-up is under way: an answer to another is nobody's.
    asking: Cell<u32>,
}

/// What this tab knows the stream by. It lives as long as the page.
#[derive(Clone, Copy)]
pub struct Tabs(&'static Inner);

impl Tabs {
    /// The tabs of a witness of `streams`; nothing has started. `route` worked last.
    #[must_use]
    pub fn new(streams: Streams, route: Route, handlers: Handlers) -> Self {
        let name = format!("monkeytown {}", streams.at(streams.home).rest);
        let channel = BroadcastChannel::new(&name).ok();
        let tabs = Self(Box::leak(Box::new(Inner {
            name,
            handlers,
            connection: OnceCell::new(),
            role: Cell::new(if channel.is_some() { Role::Follows } else { Role::Alone }),
            channel,
            queued: Cell::default(),
            release: RefCell::default(),
            why: Cell::default(),
            followed: Cell::default(),
            silent_looks: Cell::default(),
            heard: Cell::default(),
            standing: RefCell::default(),
            behind: Cell::new(true),
            afresh: Cell::default(),
            waiting: RefCell::default(),
            waiting_bytes: Cell::default(),
            caught_up_at: Cell::new(f64::NEG_INFINITY),
            asking: Cell::default(),
        })));
        let own = Handlers {
            deliver: Box::new(move |frame, at_once| {
                // A hello is about the leader's own place: the others stand where they stand.
                if tabs.0.followed.get() && frame.starts_with('{') && !frame.starts_with("{\"kind\":\"hello\"") {
                    tabs.post(&frame);
                }
                (tabs.0.handlers.deliver)(frame, at_once);
            }),
            flush: Box::new(move || (tabs.0.handlers.flush)()),
            report: Box::new(move |standing| {
                tabs.0.standing.replace(standing.clone());
                tabs.tell(CHANGE);
                (tabs.0.handlers.report)(standing);
            }),
            position: Box::new(move || (tabs.0.handlers.position)()),
        };
        // It is empty: it was made above.
        let _ = tabs.0.connection.set(Connection::new(streams, route, own));
        if let Some(channel) = &tabs.0.channel {
            let on_message = Closure::<dyn FnMut(_)>::new(move |message: MessageEvent| {
                tabs.hear(message.data().as_string().unwrap_or_default());
            });
            channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
            on_message.forget();
        }
        tabs
    }

    fn connection(self) -> &'static Connection {
        self.0.connection.get().expect("it is made with the tabs")
    }

    /// The connection, when it is this tab's to use.
    fn own(self) -> Option<&'static Connection> {
        matches!(self.0.role.get(), Role::Leads | Role::Alone).then(|| self.connection())
    }

    /// The stream that is heard.
    #[must_use]
    pub fn stream(self) -> &'static StreamAddress {
        self.connection().stream()
    }

    /// Starts, or starts over at once: when the network is back.
    pub fn start(self) {
        match self.own() {
            Some(connection) => connection.start(),
            None => self.wake(""),
        }
    }

    /// The browser says that there is no network.
    pub fn offline(self) {
        self.own().into_iter().for_each(Connection::offline);
    }

    /// The stream said hello.
    pub fn greeted(self, heartbeat_millis: u64) {
        self.own().into_iter().for_each(|connection| connection.greeted(heartbeat_millis));
    }

    /// The stream announced that it will close, and when to come back.
    pub fn bye(self, reconnect_after_millis: u32) {
        self.own().into_iter().for_each(|connection| connection.bye(reconnect_after_millis));
    }

    /// Something is missing: it is asked for. `afresh`: with a snapshot, for it is more than the page can hold.
    pub fn resume(self, why: &str, afresh: bool) {
        if let Some(connection) = self.own() {
            return connection.resume(why, afresh);
        }
        self.0.afresh.set(self.0.afresh.get() | afresh);
        self.0.behind.set(true);
        // What is missing is known: until it has come this is no live page.
        (self.0.handlers.report)(ConnectionState::trying(0, None, why.to_owned()));
        self.catch_up();
    }

    /// Lets go of the stream, and of the lead: another tab may need it. The cursor loses nothing.
    pub fn rest(self) {
        self.connection().rest();
        if self.0.role.get() != Role::Alone {
            self.step_down(Role::Rests);
        }
    }

    /// Goes on after [`Tabs::rest`]; `why` it had rested, unless nobody is to be told.
    pub fn wake(self, why: &'static str) {
        match self.own() {
            Some(connection) => connection.wake(why),
            None if self.0.queued.get() && self.0.role.get() == Role::Follows => self.watch(),
            None => {
                self.0.role.set(Role::Follows);
                self.0.why.set(why);
                // Nobody is heard until somebody is.
                self.0.silent_looks.set(0);
                // A stream that said not to come back is not asked again for that.
                if !self.is_refused() {
                    self.0.standing.take();
                    if !why.is_empty() {
                        (self.0.handlers.report)(ConnectionState::trying(0, None, why.to_owned()));
                    }
                }
                self.queue(false);
                self.post(ASK);
            }
        }
    }

    /// Looks whether the stream, or the leader, is still heard. To be called every second, and whenever the page can
    /// be seen again. Counted, not timed: a page that has slept asks before it takes anybody for lost.
    pub fn watch(self) {
        if let Some(connection) = self.own() {
            return connection.watch();
        }
        if self.0.role.get() == Role::Rests {
            return;
        }
        let looks = self.0.silent_looks.get() + 1;
        self.0.silent_looks.set(looks % SILENT_LOOKS_MAX);
        if looks == SILENT_LOOKS_MAX {
            self.queue(true);
        } else if looks >= SILENT_LOOKS {
            self.post(ASK);
        }
    }

    /// Asks for the lead: when it is free, or at once.
    fn queue(self, steal: bool) {
        if !steal && self.0.queued.replace(true) {
            return;
        }
        let options = Object::new();
        // A new object takes any property.
        let _ = Reflect::set(&options, &"steal".into(), &steal.into());
        let granted = Closure::once_into_js(move || -> Promise {
            if !steal {
                self.0.queued.set(false);
            }
            if self.0.role.get() == Role::Rests {
                return Promise::resolve(&JsValue::NULL);
            }
            // The lock is held until that is called, the page is gone, or another tab takes it.
            let held = Promise::new(&mut |release, _| drop(self.0.release.replace(Some(release))));
            self.lead(Role::Leads);
            held
        });
        match request_lock(&self.0.name, &options, &granted) {
            Ok(held) => spawn_local(async move {
                if JsFuture::from(held).await.is_ok() {
                    return;
                }
                // Another tab took the lead from this one, or there are no locks to be had after all.
                self.0.queued.set(false);
                match self.0.role.get() {
                    Role::Leads => {
                        self.connection().rest();
                        self.step_down(Role::Follows);
                        self.wake("");
                    }
                    Role::Rests => {}
                    Role::Follows | Role::Alone => self.lead(Role::Alone),
                }
            }),
            Err(_) => self.lead(Role::Alone),
        }
    }

    fn lead(self, role: Role) {
        self.0.role.set(role);
        self.forget_waiting();
        let (connection, why) = (self.connection(), self.0.why.take());
        let standing = self.0.standing.borrow().clone();
        if let ConnectionState::Refused { why } = standing {
            return connection.refuse(why);
        }
        if clock::is_online() { connection.wake(why) } else { connection.offline() }
    }

    fn step_down(self, role: Role) {
        self.0.role.set(role);
        self.0.behind.set(true);
        self.forget_waiting();
        if let Some(release) = self.0.release.take() {
            // It is a promise's own function, which never throws.
            let _ = release.call0(&JsValue::NULL);
        }
    }

    fn is_refused(self) -> bool {
        matches!(*self.0.standing.borrow(), ConnectionState::Refused { .. })
    }

    fn forget_waiting(self) {
        self.0.waiting.take();
        self.0.asking.set(self.0.asking.get().wrapping_add(1));
    }

    fn post(self, words: &str) {
        if let Some(channel) = &self.0.channel {
            // It fails only when the channel is closed, which it never is.
            let _ = channel.post_message(&words.into());
        }
    }

    /// Tells the other tabs how the connection stands.
    fn tell(self, occasion: char) {
        if self.0.role.get() != Role::Leads {
            return;
        }
        self.post(&said(occasion, &self.0.standing.borrow(), self.connection().at(), monotonic_millis()));
    }

    fn hear(self, words: String) {
        match self.0.role.get() {
            Role::Leads if words == ASK => {
                self.0.followed.set(true);
                return self.tell(ANSWER);
            }
            Role::Follows if words != ASK => {}
            _ => return,
        }
        self.0.silent_looks.set(0);
        if words.starts_with('{') {
            return self.take(words);
        }
        let Some((standing, at)) = told(&words, monotonic_millis()) else { return };
        let connection = self.connection();
        connection.turn_to(at);
        if standing.is_live() {
            connection.forgive();
        }
        let is_first = !self.0.heard.replace(true) && !connection.has_asked();
        if is_first && matches!(standing, ConnectionState::Refused { .. }) {
            // To load a page is to ask for another try.
            return self.queue(true);
        }
        self.0.standing.replace(standing.clone());
        if words.starts_with(CHANGE) {
            // So that a leader that has just begun knows that it has somebody to tell.
            self.post(ASK);
            if standing.is_live() {
                self.0.behind.set(true);
            }
        }
        if !(self.0.behind.get() && standing.is_live()) {
            (self.0.handlers.report)(standing);
        }
        self.catch_up();
    }

    fn take(self, frame: String) {
        if let Some(waiting) = &mut *self.0.waiting.borrow_mut() {
            let bytes = self.0.waiting_bytes.get() + frame.len();
            if bytes > WAITING_MAX_BYTES {
                waiting.clear();
                return self.0.waiting_bytes.set(0);
            }
            waiting.push(frame);
            return self.0.waiting_bytes.set(bytes);
        }
        // What comes while the leader has no stream is asked for when it has one.
        if !self.0.behind.get() {
            (self.0.handlers.deliver)(frame, false);
        }
    }

    fn hears_of_a_stream(self) -> bool {
        self.0.role.get() == Role::Follows && self.0.standing.borrow().is_live()
    }

    /// Asks the stream for what is between this tab's place and what the leader tells, which waits meanwhile.
    fn catch_up(self) {
        let mut waiting = self.0.waiting.borrow_mut();
        if self.0.behind.get() && self.hears_of_a_stream() && waiting.is_none() {
            *waiting = Some(Vec::new());
            self.0.waiting_bytes.set(0);
            let asking = self.0.asking.get().wrapping_add(1);
            self.0.asking.set(asking);
            spawn_local(self.ask_for_the_rest(asking));
        }
    }

    async fn ask_for_the_rest(self, asking: u32) {
        let mut backoff = Backoff::default();
        if monotonic_millis() - self.0.caught_up_at.get() < f64::from(CATCH_UP_MILLIS) {
            clock::sleep(CATCH_UP_MILLIS).await;
        }
        while self.hears_of_a_stream() && self.0.asking.get() == asking {
            let before = (self.0.handlers.position)();
            let afresh = self.0.afresh.take();
            let from = before.clone().filter(|_| !afresh);
            let asked = ask(&self.stream().rest, from, false, ANSWER_MILLIS, clock::wall()).await;
            if !self.hears_of_a_stream() || self.0.asking.get() != asking {
                break;
            }
            match asked {
                // The cursor is lost: a snapshot is to stand in.
                Ok(Polled { frame: None, heartbeat: None, .. }) => {
                    self.0.afresh.set(true);
                    continue;
                }
                Ok(Polled { frame, heartbeat, .. }) => {
                    frame.into_iter().chain(heartbeat).for_each(|frame| (self.0.handlers.deliver)(frame, true));
                }
                Err(error) => {
                    let wait = error.retry_after_millis.unwrap_or_else(|| backoff.next_millis(0.0, clock::random()));
                    (self.0.handlers.report)(ConnectionState::Reconnecting {
                        failures: backoff.failures(),
                        next_at_millis: Some(monotonic_millis() + f64::from(wait)),
                        why: error.why,
                    });
                    clock::sleep(wait.max(CATCH_UP_MILLIS)).await;
                    continue;
                }
            }
            let next = |position: Option<Position>| position.map_or(0, |position| position.next().0);
            if next((self.0.handlers.position)()) < next(before) + WHOLE_ANSWER {
                self.0.behind.set(false);
                break;
            }
        }
        if self.0.asking.get() != asking {
            return;
        }
        self.0.caught_up_at.set(monotonic_millis());
        let waiting = self.0.waiting.take();
        if !self.0.behind.get() && self.0.role.get() == Role::Follows {
            waiting.into_iter().flatten().for_each(|frame| (self.0.handlers.deliver)(frame, false));
            // One of those may have shown that more is missing.
            if !self.0.behind.get() {
                let standing = self.0.standing.borrow().clone();
                (self.0.handlers.report)(standing);
            }
        }
    }
}
