//! One visit: what transports deliver is applied once per animation frame and written to the signals.
//!
//! Owns the fold, the queue before it and the order of things: nothing is drawn while the tab is hidden, events
//! are still applied. Carries the ingest's answers back to the connection. Knows nothing of components.

mod acts;
mod attention;
mod intents;
mod keeping;
mod latency;
mod links;
mod palette;
mod past;
mod recent;
mod seeds;
mod showing;
mod sought;
mod standing;

use attention::Attention;
use keeping::Keeping;
use latency::Latency;
use links::Links;
use past::{Past, Travel, World};
use recent::Recent;
use standing::{Order, RESTED};

use crate::{
    clock::{self, PageClock, PageEvent, Timer, monotonic_millis},
    config::{Config, StreamAddress},
    ingest::{Ingest, Intake},
    signals::{FOR_THIS_VISIT, Signals},
    storage::{
        choices, kept,
        last_known::{self, Occasion, Record},
    },
    tabs::Tabs,
    terrarium::stage::Stage,
    transport::{ConnectionState, Handlers, Route},
};
use monkeytown_civilization::{Changes, Civilization, Contradiction, HistoryItem};
use monkeytown_keepsakes::Class;
use monkeytown_protocol::{SourceKind, Timestamp};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// How long decoding and folding may hold a frame, in milliseconds.
const FRAME_SHARE_MILLIS: f64 = 8.0;
/// The largest frame that is read, in bytes: four times the largest snapshot. A tree of it takes some twenty times as
/// much memory.
const FRAME_MAX_BYTES: usize = 32_000_000;
/// How often what is known is kept for the next visit while the page is looked at, in milliseconds: Chromium puts sixty
/// changes an hour on the disk, and half of them are the witness's own.
const KEEP_EVERY_MILLIS: f64 = 120_000.0;
/// How soon after the beginning, so that whoever keeps nothing is told in time.
const KEEP_FIRST_MILLIS: f64 = 15_000.0;
/// How long what waits is worked off when a connection ends, in milliseconds.
const CLOSING_SHARE_MILLIS: f64 = 200.0;
/// Changed keys that a hidden tab remembers; past it everything is redrawn when it is shown again.
const HIDDEN_CHANGES_MAX: usize = 2_000;

struct Core {
    signals: Signals,
    stage: Stage,
    ingest: Ingest,
    /// What the stream tells: the present.
    live: World,
    /// What is shown in its place.
    past: Option<Past>,
    travel: Travel,
    queue: VecDeque<String>,
    queued_bytes: usize,
    frame_asked: bool,
    replaying: bool,
    standing: ConnectionState,
    greeted: bool,
    source: Option<SourceKind>,
    stored_at: Option<Timestamp>,
    /// Whether a snapshot beside the page is shown; `None` before it was looked for.
    beside: Option<bool>,
    /// Since when no stream is heard, by the witness's clock.
    away_since: Option<Timestamp>,
    hidden_since: Option<f64>,
    latency: Latency,
    heartbeat_at: Option<f64>,
    /// Whether the page has let go of the stream until what waits is applied.
    holding: bool,
    /// Whether it has since it last caught up, and how far behind it was then.
    held: bool,
    behind: u64,
    /// Whether the snapshot that comes stands in for what was too much.
    overrun: bool,
    stream: StreamAddress,
    remark: Option<(String, f64)>,
    /// From when to when no stream was heard, by the page's clock; the last may still be open.
    gaps: Vec<(Timestamp, Option<Timestamp>)>,
    toasted: u64,
    attention: Attention,
    /// When the milestone on show goes, on the monotonic clock.
    milestone_until: f64,
    summarised: bool,
    contradictions: Vec<Contradiction>,
    /// Whether flows have changed in a catch-up and are not on stage.
    unstaged: bool,
    lists_pending: bool,
    lists_at: f64,
    /// Events that had been applied when the lists were written.
    lists_received: u64,
    /// The next slice of a backlog, between two frames.
    slice: Option<Timer>,
    kept_at: f64,
    record: Record,
    recent: Recent,
    renewed_at: f64,
    /// Whether so much changed unseen that everything is to be redrawn.
    everything: bool,
    connection: Option<Tabs>,
    config: Config,
    keeping: Keeping,
    sought: sought::Sought,
    /// Ghosts that the fold does not hold, newest first.
    beside_history: Vec<Rc<HistoryItem>>,
    /// Whether it has been said that a seed expires soon.
    warned: bool,
    /// Whether another tab has changed something that is kept.
    heard_elsewhere: bool,
    links: Links,
}

/// The session. Cloning shares it.
#[derive(Clone)]
pub struct Session(&'static RefCell<Core>);

impl Session {
    /// Starts a visit: shows what was last known, then connects.
    pub fn start(config: Config, signals: Signals) -> Self {
        let now = monotonic_millis();
        signals.app_name.set(config.app_name.clone());
        let keeping = {
            let mut kept = signals.kept.peek_mut();
            kept.repository.clone_from(&config.repository);
            // The witness's town is known by its first stream, whichever shard is heard.
            Keeping::open(&mut kept, config.streams.at(0).rest.clone())
        };
        let core = Core {
            signals,
            stage: Stage::default(),
            ingest: Ingest::default(),
            live: World::new(PageClock::new(clock::wall(), now, 1.0)),
            past: None,
            travel: Travel::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            frame_asked: false,
            replaying: false,
            standing: ConnectionState::Connecting,
            greeted: false,
            source: None,
            stored_at: None,
            beside: None,
            away_since: Some(clock::wall()),
            hidden_since: None,
            latency: Latency::default(),
            heartbeat_at: None,
            holding: false,
            held: false,
            behind: 0,
            overrun: false,
            stream: config.streams.at(config.streams.home).clone(),
            gaps: Vec::new(),
            toasted: 0,
            attention: Attention::default(),
            milestone_until: 0.0,
            summarised: false,
            contradictions: Vec::new(),
            unstaged: false,
            remark: config.complaint.clone().map(|complaint| (complaint, now)),
            lists_pending: false,
            lists_at: f64::NEG_INFINITY,
            lists_received: 0,
            slice: None,
            kept_at: now - KEEP_EVERY_MILLIS + KEEP_FIRST_MILLIS,
            record: Record::default(),
            recent: Recent::default(),
            renewed_at: now,
            everything: false,
            connection: None,
            config,
            keeping,
            sought: sought::Sought::new(),
            beside_history: Vec::new(),
            warned: false,
            heard_elsewhere: false,
            links: Links::default(),
        };
        let session = Self(Box::leak(Box::new(RefCell::new(core))));
        {
            let mut core = session.0.borrow_mut();
            let topic = core.signals.kept.clone();
            core.watch_seeds(&topic.peek());
            topic.notify();
        }
        let elsewhere = session.clone();
        kept::on_change(move |key| elsewhere.on_kept_elsewhere(key.as_deref()));
        session.show_last_known();
        session.connect();
        session.tick_every_second();
        let listener = session.clone();
        clock::on_page_event(move |event| listener.on_page_event(event));
        session
    }

    fn connect(&self) {
        let (deliver, flush, report, position) = (self.clone(), self.clone(), self.clone(), self.clone());
        let handlers = Handlers {
            deliver: Box::new(move |frame, at_once| deliver.deliver(frame, at_once)),
            flush: Box::new(move || flush.work(CLOSING_SHARE_MILLIS)),
            report: Box::new(move |standing| report.report(standing)),
            position: Box::new(move || position.0.borrow().ingest.position().cloned()),
        };
        let route = match choices::route(clock::wall_millis()) {
            0 => Route::Socket,
            1 => Route::Sse,
            _ => Route::LongPoll,
        };
        let connection = Tabs::new(self.0.borrow().config.streams.clone(), route, handlers);
        self.0.borrow_mut().connection = Some(connection);
        connection.start();
    }

    fn show_last_known(&self) {
        let mut core = self.0.borrow_mut();
        let Some(known) = last_known::load(&core.stream.rest) else { return };
        core.show_stored(&known.frames, Some((known.saved_at, known.clock)));
    }

    /// Takes a frame: it waits for the next animation frame, unless nobody sees one or somebody waits for it.
    fn deliver(&self, frame: String, at_once: bool) {
        if frame.len() > FRAME_MAX_BYTES {
            self.0.borrow_mut().ingest.refuse("a frame larger than any that a stream writes".to_owned());
            return;
        }
        let at_once = at_once || clock::is_hidden();
        let ask = {
            let mut core = self.0.borrow_mut();
            core.queued_bytes += frame.len();
            core.queue.push_back(frame);
            !std::mem::replace(&mut core.frame_asked, !at_once) && !at_once
        };
        if at_once {
            self.work(f64::INFINITY);
            // Timers of a page that nobody sees may run once a minute.
            self.0.borrow_mut().attend();
        } else if ask {
            self.ask_for_frame();
        }
        self.bound_queue();
    }

    fn ask_for_frame(&self) {
        let session = self.clone();
        clock::on_next_frame(move |_| session.work(FRAME_SHARE_MILLIS));
    }

    /// Applies what waits, for at most `share_millis`, and writes what changed.
    fn work(&self, share_millis: f64) {
        let (orders, more) = {
            let mut core = self.0.borrow_mut();
            let orders = core.drain(share_millis);
            if !core.is_still() {
                core.flush();
            } else if core.live.changes.entities.len() + core.live.changes.flows.len() > HIDDEN_CHANGES_MAX {
                core.live.changes = Changes::default();
                // Who comes back from the past sees everything anew in any case.
                core.everything |= core.past.is_none();
            }
            core.frame_asked = !core.queue.is_empty() || (core.lists_pending && !core.is_still());
            (orders, core.frame_asked)
        };
        self.look_soon();
        self.carry_out(orders);
        self.meet_wanted();
        if more && !clock::is_hidden() {
            self.work_between_frames();
            self.ask_for_frame();
        } else if more {
            // A hidden tab gets no frames; the next delivery or its return goes on.
            self.0.borrow_mut().frame_asked = false;
        }
    }

    /// Works a backlog off between frames too, in slices that let input and frames through: where drawing is slow, a
    /// slice a frame would fall behind for ever.
    fn work_between_frames(&self) {
        let session = self.clone();
        let mut core = self.0.borrow_mut();
        if core.queue.is_empty() || core.slice.is_some() {
            return;
        }
        core.slice = Timer::after(0, move || {
            let orders = {
                let mut core = session.0.borrow_mut();
                core.slice = None;
                core.drain(FRAME_SHARE_MILLIS)
            };
            session.carry_out(orders);
            session.work_between_frames();
        });
    }

    fn tick_every_second(&self) {
        let session = self.clone();
        let timer = Timer::every(1_000, move || {
            session.keep_watch();
            session.0.borrow_mut().attend();
            // A page that is seen by its own account may get no frames all the same (frozen, or in a frame out of sight).
            let waiting = !session.0.borrow().queue.is_empty();
            if waiting {
                session.work(FRAME_SHARE_MILLIS);
            }
            session.look_soon();
            let mut core = session.0.borrow_mut();
            if !clock::is_hidden() {
                core.write_clock();
            }
            core.write_connection();
            if !core.is_still() || core.past.is_some() {
                core.write_pulse();
            }
            core.tend_kept();
            let now = monotonic_millis();
            if now - core.kept_at >= KEEP_EVERY_MILLIS {
                core.keep(Occasion::Meanwhile);
                drop(core);
                session.renew_record(now);
            } else {
                drop(core);
            }
            session.write_address();
        });
        // It lives as long as the page.
        std::mem::forget(timer);
    }

    fn on_page_event(&self, event: PageEvent) {
        let connection = self.0.borrow().connection;
        match event {
            PageEvent::Online => connection.into_iter().for_each(Tabs::start),
            PageEvent::Offline => connection.into_iter().for_each(Tabs::offline),
            PageEvent::Leaving | PageEvent::Frozen => {
                if event == PageEvent::Frozen {
                    // What runs no more hears no more; and with an open socket a page is not kept at all.
                    connection.into_iter().for_each(Tabs::rest);
                }
                // A hidden tab gets no frames: what waits for one is applied now.
                self.work(f64::INFINITY);
                let mut core = self.0.borrow_mut();
                core.tend_kept();
                core.keep(Occasion::Leaving);
            }
            PageEvent::Shown if clock::is_hidden() => connection.into_iter().for_each(|c| c.wake(RESTED)),
            PageEvent::Shown => {
                // A page that comes back from a cache has heard of no change.
                self.look_at_kept_again();
                connection.into_iter().for_each(|connection| connection.wake(RESTED));
                self.work(FRAME_SHARE_MILLIS);
                let mut core = self.0.borrow_mut();
                if !core.is_still() {
                    core.write_clock();
                    core.write_pulse();
                }
            }
            PageEvent::Resized => {}
        }
    }
}

impl Core {
    fn drain(&mut self, share_millis: f64) -> Vec<Order> {
        let mut orders = Vec::new();
        let started = monotonic_millis();
        while let Some(frame) = self.queue.pop_front() {
            self.queued_bytes = self.queued_bytes.saturating_sub(frame.len());
            match self.ingest.take(&frame, &mut self.live.state, &mut self.live.changes, clock::wall()) {
                Intake::Taken => {
                    if let Some(recorded) = self.ingest.recorded().filter(|_| !self.replaying) {
                        self.latency.hear(recorded, monotonic_millis());
                    }
                    if !self.record.is_full() {
                        self.record.follow(frame.clone());
                    }
                    self.recent.push(frame);
                }
                Intake::Unreadable => {}
                Intake::Greeted { terms, loss, replaced } => {
                    let fresh = replaced.is_some();
                    if let Some(before) = replaced {
                        self.record.begin(frame);
                        self.sought.begin();
                        let kept = &mut self.signals.kept.peek_mut();
                        self.keeping.keep_ghosts(kept, &before, &self.live.state, terms.clock.0);
                    }
                    self.greet(terms, loss);
                    orders.push(Order::Greeted(terms.heartbeat_millis));
                    // It has let go once to take its time, and is no nearer to the present: it never will be.
                    if self.held && !fresh && terms.behind >= self.behind && self.behind > 0 {
                        self.overrun = true;
                        orders.push(Order::Resume { why: "this page falls ever further behind", afresh: true });
                    }
                    self.behind = terms.behind;
                }
                Intake::CaughtUp => {
                    self.attend();
                    (self.replaying, self.held) = (false, false);
                    // What a catch-up brought is told at its end, not when a list is next due.
                    (self.lists_pending, self.lists_at) = (true, f64::NEG_INFINITY);
                }
                Intake::Heartbeat { server_time, clock, caught_up } => {
                    if self.replaying && caught_up {
                        self.attend();
                        self.replaying = false;
                    }
                    self.hear_of(server_time);
                    if let Some((shown, rate)) = clock {
                        self.live.clock = PageClock::new(shown, monotonic_millis(), rate);
                    }
                }
                Intake::Bye { reconnect_after_millis } => orders.push(Order::Bye(reconnect_after_millis)),
                Intake::Gap => {
                    // What follows a gap belongs to a subscription that is given up.
                    self.drop_queue();
                    let why = "something was missing between two events";
                    orders.push(Order::Resume { why, afresh: false });
                    break;
                }
            }
            if monotonic_millis() - started > share_millis {
                break;
            }
        }
        if self.queue.is_empty() && std::mem::take(&mut self.holding) {
            orders.push(Order::GoOn);
        }
        orders
    }

    /// Shows what was known earlier, `at` some moment of the witness's clock and of the source's. When nobody says, it is
    /// as old as its newest event at least, and the source's clock shows what the frame says, if it does. False when it
    /// cannot be read.
    fn show_stored(&mut self, frames: &[String], at: Option<(Timestamp, Timestamp)>) -> bool {
        // Heard by a reader of its own: what this visit receives is not what an earlier one did.
        let mut reader = Ingest::default();
        let mut state = Civilization::default();
        let mut greeted = None;
        for frame in frames {
            match reader.take(frame, &mut state, &mut Changes::default(), clock::wall()) {
                Intake::Greeted { terms, .. } => greeted = Some(terms),
                Intake::Gap => break,
                _ => {}
            }
        }
        let Some(terms) = greeted else { return false };
        let newest = state.last_time().unwrap_or_else(clock::wall);
        let says = terms.clock.0 != Timestamp::default();
        let (saved_at, shown) = at.unwrap_or((newest, if says { terms.clock.0 } else { newest }));
        if at.is_some() || says {
            self.source = Some(terms.source_kind);
        }
        self.live.changes.entities.extend(state.entities().map(|(id, _)| id.clone()));
        self.live.changes.history = true;
        self.live.state = state;
        self.sought.begin();
        self.stored_at = Some(saved_at);
        // What is stored does not run on: its clock stands where it was left.
        self.live.clock = PageClock::new(shown, monotonic_millis(), 0.0);
        self.flush();
        self.write_clock();
        self.write_pulse();
        true
    }

    fn drop_queue(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Keeps what is known for a visit without a stream.
    fn keep(&mut self, occasion: Occasion) {
        self.kept_at = monotonic_millis();
        if self.signals.kept.peek().has(Class::Preference, FOR_THIS_VISIT) {
            return;
        }
        let clock = self.live.clock.at(self.kept_at);
        if let Err(why) = self.record.save(&self.stream.rest, (clock::wall(), clock), (occasion, self.kept_at)) {
            self.remark = Some((why.to_string(), self.kept_at));
        }
        self.keeping.count(&mut self.signals.kept.peek_mut());
    }
}
