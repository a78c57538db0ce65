//! One visit: what transports deliver is applied once per animation frame and written to the signals.
//!
//! Owns the fold, the queue before it and the order of things: nothing is drawn while the tab is hidden, events
//! are still applied. Carries the ingest's answers back to the connection. Knows nothing of components.

mod recent;
mod showing;

use recent::Recent;

use crate::{
    clock::{self, PageClock, PageEvent, Timer, monotonic_millis},
    config::Config,
    ingest::{Ingest, Intake, Terms},
    intent::Intent,
    signals::{Gaze, Signals, Tab},
    storage::last_known::{self, Record},
    terrarium::stage::Stage,
    transport::{Connection, ConnectionState, Handlers},
};
use monkeytown_civilization::{Changes, Civilization, Contradiction};
use monkeytown_protocol::{SourceKind, Timestamp};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};

/// How long decoding and folding may hold a frame, in milliseconds.
const FRAME_SHARE_MILLIS: f64 = 8.0;
/// Bytes that may wait to be applied. Over it the page resumes from where it stands: the stream holds what waits.
const QUEUE_MAX_BYTES: usize = 16_000_000;
/// The largest frame that is read, in bytes: four times the largest snapshot. A tree of it takes some twenty times as
/// much memory.
const FRAME_MAX_BYTES: usize = 32_000_000;
/// How often what is known is kept for the next visit, in milliseconds.
const KEEP_EVERY_MILLIS: f64 = 15_000.0;
/// Least time between two snapshots asked for to be kept, in milliseconds.
const RENEW_EVERY_MILLIS: f64 = 120_000.0;
/// Changed keys that a hidden tab remembers; past it everything is redrawn when it is shown again.
const HIDDEN_CHANGES_MAX: usize = 2_000;

/// What the connection is to do, once nothing of the session is borrowed any more.
enum Order {
    Greeted(u64),
    Bye(u32),
    Resume(&'static str),
}

struct Core {
    signals: Signals,
    stage: Stage,
    ingest: Ingest,
    state: Civilization,
    changes: Changes,
    queue: VecDeque<String>,
    queued_bytes: usize,
    frame_asked: bool,
    clock: PageClock,
    replaying: bool,
    standing: ConnectionState,
    greeted: bool,
    source: Option<SourceKind>,
    stored_at: Option<Timestamp>,
    remark: Option<(String, f64)>,
    /// From when to when no stream was heard, by the page's clock; the last may still be open.
    gaps: Vec<(Timestamp, Option<Timestamp>)>,
    toasted: u64,
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
    connection: Option<Connection>,
    config: Config,
}

/// The session. Cloning shares it.
#[derive(Clone)]
pub struct Session(Rc<RefCell<Core>>);

impl Session {
    /// Starts a visit: shows what was last known, then connects.
    pub fn start(config: Config, signals: Signals) -> Self {
        let now = monotonic_millis();
        signals.app_name.set(config.app_name.clone());
        let core = Core {
            signals,
            stage: Stage::default(),
            ingest: Ingest::default(),
            state: Civilization::default(),
            changes: Changes::default(),
            queue: VecDeque::new(),
            queued_bytes: 0,
            frame_asked: false,
            clock: PageClock::new(clock::wall(), now, 1.0),
            replaying: false,
            standing: ConnectionState::Connecting,
            greeted: false,
            source: None,
            stored_at: None,
            gaps: Vec::new(),
            toasted: 0,
            milestone_until: 0.0,
            summarised: false,
            contradictions: Vec::new(),
            unstaged: false,
            remark: config.complaint.clone().map(|complaint| (complaint, now)),
            lists_pending: false,
            lists_at: f64::NEG_INFINITY,
            lists_received: 0,
            slice: None,
            kept_at: now,
            record: Record::default(),
            recent: Recent::default(),
            renewed_at: now,
            everything: false,
            connection: None,
            config,
        };
        let session = Self(Rc::new(RefCell::new(core)));
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
            flush: Box::new(move || flush.work(f64::INFINITY)),
            report: Box::new(move |standing| report.report(standing)),
            position: Box::new(move || position.0.borrow().ingest.position().cloned()),
        };
        let connection = Connection::new(self.0.borrow().config.stream.clone(), handlers);
        self.0.borrow_mut().connection = Some(connection.clone());
        connection.start();
    }

    fn show_last_known(&self) {
        let mut core = self.0.borrow_mut();
        let Some(known) = last_known::load(&core.config.stream.rest) else { return };
        // Heard again by a reader of its own: what this visit receives is not what an earlier one did.
        let mut reader = Ingest::default();
        let mut state = Civilization::default();
        for frame in &known.frames {
            match reader.take(frame, &mut state, &mut Changes::default(), known.saved_at) {
                Intake::Greeted { terms, .. } => core.source = Some(terms.source_kind),
                Intake::Gap => break,
                _ => {}
            }
        }
        if core.source.is_none() {
            return;
        }
        core.changes.entities.extend(state.entities().map(|(id, _)| id.clone()));
        core.changes.history = true;
        core.state = state;
        core.stored_at = Some(known.saved_at);
        // What is stored does not run on: its clock stands where it was left.
        core.clock = PageClock::new(known.clock, monotonic_millis(), 0.0);
        core.flush();
        core.write_clock();
        core.write_pulse();
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
        } else if ask {
            self.ask_for_frame();
        }
        // One frame alone is never too much: dropped, it would come again, for ever.
        let behind = {
            let core = self.0.borrow();
            core.queued_bytes > QUEUE_MAX_BYTES && core.queue.len() > 1
        };
        if behind {
            self.0.borrow_mut().drop_queue();
            self.carry_out(vec![Order::Resume("this page fell behind")]);
        }
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
            } else if core.changes.entities.len() + core.changes.flows.len() > HIDDEN_CHANGES_MAX {
                core.changes = Changes::default();
                core.everything = true;
            }
            core.frame_asked = !core.queue.is_empty() || (core.lists_pending && !core.is_still());
            (orders, core.frame_asked)
        };
        self.carry_out(orders);
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

    fn carry_out(&self, orders: Vec<Order>) {
        let Some(connection) = self.0.borrow().connection.clone() else { return };
        for order in orders {
            match order {
                Order::Greeted(heartbeat_millis) => connection.greeted(heartbeat_millis),
                Order::Bye(reconnect_after_millis) => connection.bye(reconnect_after_millis),
                Order::Resume(why) => connection.resume(why),
            }
        }
    }

    /// Does what the witness wants. What only changes the view is written to the signals at once, so that it is
    /// seen in the next frame.
    pub fn intend(&self, intent: Intent) {
        let mut core = self.0.borrow_mut();
        let gaze = core.signals.gaze.clone();
        match intent {
            // Who has just gone cannot be looked at, and must not open the panel when somebody takes the name later.
            Intent::Open(id) if core.state.entity(&id).is_none() => {}
            Intent::Open(id) => gaze.change(|gaze| {
                (gaze.tab, gaze.raw) = (if gaze.entity.as_ref() == Some(&id) { gaze.tab } else { Tab::Status }, false);
                gaze.entity = Some(id);
            }),
            Intent::Close => {
                gaze.change(|gaze| {
                    gaze.raw = false;
                    gaze.close_last();
                });
                core.write_flows();
            }
            Intent::Back => {
                gaze.change(Gaze::close_last);
                core.write_flows();
            }
            Intent::Tab(tab) => gaze.change(|gaze| gaze.tab = tab),
            Intent::Raw => gaze.change(|gaze| gaze.raw = !gaze.raw),
            Intent::Search(words) => {
                gaze.change(|gaze| gaze.query = words);
                core.signals.write_ghosts(&core.state);
            }
            Intent::Dismiss(numbers) => gaze.change(|gaze| gaze.dismissed.extend(numbers)),
            Intent::Restore => gaze.change(|gaze| gaze.dismissed.clear()),
            Intent::Bundle(source, target) => {
                let named = Some((source, target));
                gaze.change(|gaze| gaze.bundle = if gaze.bundle == named { None } else { named });
                core.write_flows();
            }
            Intent::Everyone => gaze.change(|gaze| gaze.everyone = !gaze.everyone),
            Intent::History(shown) => gaze.change(|gaze| gaze.history = shown),
            Intent::Ignore(id) => {
                core.signals.toasts.change(|toasts| toasts.retain(|toast| toast.id != id));
                if let Some(since) = core.state.entity(&id).map(|entity| entity.since) {
                    gaze.change(|gaze| {
                        gaze.ignored.retain(|(held, _)| *held != id);
                        gaze.ignored.push((id, since));
                    });
                }
            }
            Intent::Pause => {
                let received = core.ingest.counters().received;
                gaze.change(|gaze| (gaze.paused, gaze.paused_at) = (!gaze.paused, received));
                if !core.is_still() {
                    core.lists_pending = true;
                    core.write_clock();
                    core.write_pulse();
                    core.flush();
                }
            }
        }
        core.write_detail();
    }

    fn report(&self, standing: ConnectionState) {
        let mut core = self.0.borrow_mut();
        // What a closed socket still had in the queue is in order and belongs to the position: it is kept.
        core.standing = standing;
        core.note_gap();
        core.write_connection();
    }

    fn tick_every_second(&self) {
        let session = self.clone();
        let timer = Timer::every(1_000, move || {
            let mut core = session.0.borrow_mut();
            if !clock::is_hidden() {
                core.write_clock();
                core.write_connection();
            }
            if !core.is_still() {
                core.write_pulse();
            }
            let now = monotonic_millis();
            if now - core.kept_at >= KEEP_EVERY_MILLIS {
                core.keep();
                drop(core);
                session.renew_record(now);
            }
        });
        // It lives as long as the page.
        std::mem::forget(timer);
    }

    /// Asks for a snapshot to keep when more has followed the kept one than is kept; seldom, and never while hidden.
    fn renew_record(&self, now: f64) {
        let rest = {
            let mut core = self.0.borrow_mut();
            if !core.record.is_full() || now - core.renewed_at < RENEW_EVERY_MILLIS || clock::is_hidden() {
                return;
            }
            core.renewed_at = now;
            core.config.stream.rest.clone()
        };
        let session = self.clone();
        wasm_bindgen_futures::spawn_local(async move {
            // Without an answer the older record stays, and says how old it is.
            if let Ok(frame) = crate::transport::snapshot(&rest, clock::wall()).await {
                session.0.borrow_mut().record.begin(frame);
            }
        });
    }

    fn on_page_event(&self, event: PageEvent) {
        let connection = self.0.borrow().connection.clone();
        match event {
            PageEvent::Online => connection.iter().for_each(Connection::start),
            PageEvent::Offline => connection.iter().for_each(Connection::offline),
            PageEvent::Leaving => {
                // A hidden tab gets no frames: what waits for one is applied now.
                self.work(f64::INFINITY);
                self.0.borrow_mut().keep();
            }
            PageEvent::Shown => {
                connection.iter().for_each(Connection::watch);
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
            match self.ingest.take(&frame, &mut self.state, &mut self.changes, clock::wall()) {
                Intake::Taken => {
                    if !self.record.is_full() {
                        self.record.follow(frame.clone());
                    }
                    self.recent.push(frame);
                }
                Intake::Unreadable => {}
                Intake::Greeted { terms, lost, fresh } => {
                    if fresh {
                        self.record.begin(frame);
                    }
                    self.greet(terms, lost);
                    orders.push(Order::Greeted(terms.heartbeat_millis));
                }
                Intake::CaughtUp => self.replaying = false,
                Intake::Heartbeat { clock, caught_up, .. } => {
                    self.replaying &= !caught_up;
                    if let Some((shown, rate)) = clock {
                        self.clock = PageClock::new(shown, monotonic_millis(), rate);
                    }
                }
                Intake::Bye { reconnect_after_millis } => orders.push(Order::Bye(reconnect_after_millis)),
                Intake::Gap => {
                    // What follows a gap belongs to a subscription that is given up.
                    self.drop_queue();
                    orders.push(Order::Resume("something was missing between two events"));
                    break;
                }
            }
            if monotonic_millis() - started > share_millis {
                break;
            }
        }
        orders
    }

    fn greet(&mut self, terms: Terms, lost: bool) {
        let (shown, rate) = terms.clock;
        self.clock = PageClock::new(shown, monotonic_millis(), rate);
        self.replaying = true;
        self.source = Some(terms.source_kind);
        self.stored_at = None;
        let first = !std::mem::replace(&mut self.greeted, true);
        if lost {
            self.summarised = true;
            // Another history counts from one again.
            self.signals.gaze.change(|gaze| gaze.dismissed.clear());
            let words = "the stream could not continue where this page stood: \
                         what happened between is only in the summary";
            self.remark = Some((words.to_owned(), monotonic_millis()));
        }
        if first && !clock::is_hidden() {
            self.write_clock();
            self.write_pulse();
        }
    }

    fn drop_queue(&mut self) {
        self.queue.clear();
        self.queued_bytes = 0;
    }

    /// Keeps what is known for a visit without a stream.
    fn keep(&mut self) {
        self.kept_at = monotonic_millis();
        let clock = self.clock.at(self.kept_at);
        if let Err(why) = self.record.save(&self.config.stream.rest, clock::wall(), clock) {
            self.remark = Some((why.to_string(), self.kept_at));
        }
    }
}
