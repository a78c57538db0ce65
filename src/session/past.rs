//! The past in the place of the present: going to a moment, standing there, running on from there, coming back.
//!
//! What the stream tells goes on being applied to the present meanwhile (`Core::live`): coming back loses nothing. Knows
//! nothing of how the past looks; when what is due is `course`'s.

use super::{Core, FRAME_MAX_BYTES, Session, recent::Recent};
use crate::{
    clock::{self, PageClock, Timer, monotonic_millis},
    course::{Ahead, Course},
    ingest::{Ingest, Intake},
    intent::Moment,
    signals::Mode,
    transport::{self, Backoff, Polled},
};
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{Event, Position, Timestamp};

/// How fast the past runs until another speed is chosen.
const SPEED: f64 = 60.0;
/// How long reading and folding the past may hold a frame, in milliseconds: writing it takes some too.
const SHARE_MILLIS: f64 = 5.0;
/// Least time between two writings of what depends on the time alone, in milliseconds.
const CLOCK_MILLIS: f64 = 200.0;
/// How long a question about the past may take, in milliseconds.
const ANSWER_MILLIS: u32 = 20_000;

/// Why a moment that was asked for, or what follows the one that is shown, is not there yet.
const UNANSWERED: &str = "the stream does not answer";
const ASKING: &str = "the stream does not answer; asking again";
const WAITING: &str = "waiting for the stream";

/// A state, what of it is not written yet, and its time.
pub(super) struct World {
    pub state: Civilization,
    pub changes: Changes,
    pub clock: PageClock,
}

impl World {
    /// Nothing yet.
    pub fn new(clock: PageClock) -> Self {
        Self { state: Civilization::default(), changes: Changes::default(), clock }
    }
}

/// How the witness goes about in time.
pub(super) struct Travel {
    /// How often another moment was asked for: who is not the last does not hear the answer.
    asked: u32,
    /// The place that was asked for, when it was one.
    aim: Option<Position>,
    /// What was shown before that was.
    before: Mode,
    /// How fast the past runs, in the source's time.
    speed: f64,
    /// Whether a frame is asked for in which it does.
    playing: bool,
    /// The oldest moment that the stream holds, as far as it has said.
    pub earliest: Option<Timestamp>,
}

impl Default for Travel {
    fn default() -> Self {
        Self { asked: 0, aim: None, before: Mode::Following, speed: SPEED, playing: false, earliest: None }
    }
}

/// A moment of the past, and what follows it.
pub(super) struct Past {
    pub world: World,
    /// Reads by the same rules as the present's, and counts for itself.
    pub reader: Ingest,
    pub course: Course,
    /// The newest event applied.
    pub place: Position,
    pub recent: Recent,
    ahead: Ahead,
    /// The event that comes next, and its text.
    next: Option<(Event, String)>,
    /// The latest time that an event applied named.
    reached: Timestamp,
    /// Events to be applied whatever the time.
    steps: u32,
    /// Up to where events were fetched.
    fetched: Position,
    fetching: bool,
    backoff: Backoff,
    retry: Option<Timer>,
    written_at: f64,
    /// Tells it from other moments that were gone to.
    number: u32,
}

impl Past {
    /// Begins with a hello that brings a state. `None` when it does not.
    fn begin(hello: &str, wanted: Option<Timestamp>, speed: f64, number: u32) -> Option<Self> {
        let (mut reader, mut world) = (Ingest::default(), World::new(PageClock::new(Timestamp::default(), 0.0, 0.0)));
        let taken = reader.take(hello, &mut world.state, &mut world.changes, Timestamp::default());
        let Intake::Greeted { terms, .. } = taken else { return None };
        let place = reader.position()?.clone();
        // Between two events it is as late as was asked for.
        let moment = wanted.unwrap_or(terms.clock.0).max(terms.clock.0);
        world.clock = PageClock::new(moment, 0.0, 0.0);
        Some(Self {
            world,
            reader,
            course: Course::at(moment, speed),
            fetched: place.clone(),
            place,
            recent: Recent::default(),
            ahead: Ahead::default(),
            next: None,
            reached: terms.clock.0,
            steps: 0,
            fetching: false,
            backoff: Backoff::default(),
            retry: None,
            written_at: 0.0,
            number,
        })
    }

    /// Reads on to the event that comes next, and says when that happened.
    fn look(&mut self) -> Option<Timestamp> {
        while self.next.is_none() {
            let text = self.ahead.pop()?;
            match self.reader.take_alone(&text, self.reached) {
                Some(event) => self.next = Some((event, text)),
                // What cannot be read has its place all the same.
                None => self.place.after = Some(self.place.next()),
            }
        }
        self.next.as_ref().map(|(event, _)| event.recorded.map_or(event.time, |recorded| event.time.min(recorded)))
    }

    /// Applies the event that comes next.
    fn apply(&mut self, time: Timestamp) {
        let Some((event, text)) = self.next.take() else { return };
        self.world.state.apply(event, &mut self.world.changes);
        self.recent.push(["{\"events\":[", &text, "]}"].concat());
        self.place.after = Some(self.place.next());
        self.reached = self.reached.max(time);
        self.steps = self.steps.saturating_sub(1);
    }

    /// Whether nothing is held of what comes before `head`.
    fn lacks(&self, head: Option<&Position>) -> bool {
        head.is_some_and(|head| head.epoch != self.fetched.epoch || head.next() > self.fetched.next())
    }
}

impl Session {
    /// Lets time stand still, or run on.
    pub(super) fn pause(&self) {
        let mut core = self.0.borrow_mut();
        match core.mode() {
            Mode::Following => core.leave(Mode::Held),
            Mode::Held => core.follow(),
            Mode::Going => core.stay(String::new()),
            Mode::Replaying => {
                core.turn(Mode::Paused, String::new());
                // Lists go behind the cards while it runs.
                core.show();
            }
            Mode::Paused => core.run(),
        }
        drop(core);
        self.play();
    }

    /// Chooses how fast the past runs; `film` and so many seconds: all of it in these, from its beginning.
    pub(super) fn choose_speed(&self, named: &str) {
        if let Some(seconds) = named.strip_prefix("film") {
            return self.set_out("earliest".to_owned(), seconds.parse().ok());
        }
        let mut core = self.0.borrow_mut();
        core.travel.speed = named.parse().map_or(SPEED, |speed: u32| f64::from(speed));
        let speed = core.travel.speed;
        if let Some(past) = &mut core.past {
            past.course.speed = speed;
        }
        core.write_clock();
    }

    /// Goes to another moment.
    pub(super) fn go_to(&self, moment: Moment) {
        let at = {
            let mut core = self.0.borrow_mut();
            if core.signals.gaze.peek().sheet.is_some() {
                core.signals.gaze.change(|gaze| gaze.sheet = None);
            }
            let is_later =
                |at: &str| at.parse().is_ok_and(|at: Timestamp| at >= core.live.clock.at(monotonic_millis()));
            match moment {
                Moment::Present => return core.follow(),
                Moment::At(at) if is_later(&at) => return core.follow(),
                Moment::At(at) => at,
                Moment::On => {
                    if let Some(past) = &mut core.past {
                        past.steps += 1;
                        // A moment that is on its way is no longer wanted.
                        core.travel.asked += 1;
                        core.turn(Mode::Paused, String::new());
                    }
                    String::new()
                }
                Moment::Back => {
                    // Several presses count from where the one before leads to.
                    let aim = core.travel.aim.as_ref().filter(|_| core.mode() == Mode::Going);
                    let here = aim.or(core.past.as_ref().map(|past| &past.place)).or(core.ingest.position());
                    let before = here.and_then(|here| Some((&here.epoch, here.after?.0.checked_sub(1))));
                    before.map_or_else(String::new, |(epoch, after)| {
                        let after = after.map_or_else(|| "-1".to_owned(), |after| after.to_string());
                        [epoch.as_str(), ":", &after].concat()
                    })
                }
            }
        };
        if at.is_empty() {
            self.play();
        } else {
            self.set_out(at, None);
        }
    }

    /// Asks for the state at a moment; who has asked for another meanwhile does not hear the answer. Then it runs, when all
    /// of it is to take so many seconds.
    fn set_out(&self, at: String, film: Option<u32>) {
        let sound = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':' | '.');
        let mut core = self.0.borrow_mut();
        if !at.chars().all(sound) {
            return core.turn(core.mode(), "that is no moment".to_owned());
        }
        core.leave(Mode::Going);
        core.travel.aim = at.parse().ok();
        let (rest, number, session) = (core.stream.rest.clone(), core.travel.asked, self.clone());
        drop(core);
        wasm_bindgen_futures::spawn_local(async move {
            let answer = transport::ask_moment(&rest, &at, ANSWER_MILLIS).await;
            session.arrive(number, &at, film, answer);
        });
    }

    fn arrive(&self, number: u32, at: &str, film: Option<u32>, answer: Option<transport::Moment>) {
        let mut core = self.0.borrow_mut();
        if core.travel.asked != number {
            return;
        }
        let status = answer.as_ref().map_or(0, |answer| answer.status);
        let earliest = answer.as_ref().and_then(|answer| answer.earliest);
        core.travel.earliest = earliest.or(core.travel.earliest);
        let now = monotonic_millis();
        if let (Some(seconds), Some(first)) = (film, earliest) {
            // The present goes on while the film runs after it.
            core.travel.speed = Course::film(first, core.live.clock.at(now), seconds) + core.live.clock.rate();
        }
        let hello = answer.map(|answer| answer.hello).unwrap_or_default();
        let past = earliest.and_then(|_| Past::begin(&hello, at.parse().ok(), core.travel.speed, number));
        if let Some(past) = past {
            core.past = Some(past);
            core.everything = true;
            core.signals.toasts.set(Vec::new());
            let runs = film.is_some() || core.travel.before == Mode::Replaying;
            core.turn(Mode::Paused, String::new());
            if runs {
                core.run();
            }
            core.show();
        } else {
            let elsewhere = |epoch: &str| core.ingest.position().is_some_and(|here| here.epoch.as_str() != epoch);
            let words = match status {
                0 | 429 | 500.. => UNANSWERED,
                200 => "this stream tells nothing of its past",
                410 if at.split_once(':').is_some_and(|(epoch, _)| !epoch.contains('T') && elsewhere(epoch)) => {
                    "that moment belongs to a history that has ended"
                }
                410 => "the stream no longer holds that moment",
                404 => "that moment has not come yet",
                _ => "that is no moment",
            };
            core.stay(words.to_owned());
            core.write_clock();
        }
        drop(core);
        self.meet_wanted();
        self.write_address();
        self.play();
    }

    /// Shows what is due, and goes on with the next frame while the past runs.
    fn play(&self) {
        let (more, fetch) = self.0.borrow_mut().play_on();
        if fetch {
            self.fetch_ahead();
        }
        if more && !std::mem::replace(&mut self.0.borrow_mut().travel.playing, true) {
            let session = self.clone();
            clock::on_next_frame(move |_| {
                session.0.borrow_mut().travel.playing = false;
                session.play();
            });
        }
    }

    fn fetch_ahead(&self) {
        let mut core = self.0.borrow_mut();
        let rest = core.stream.rest.clone();
        let Some(past) = &mut core.past else { return };
        past.fetching = true;
        let (from, number, session) = (past.fetched.clone(), past.number, self.clone());
        drop(core);
        wasm_bindgen_futures::spawn_local(async move {
            let polled = transport::ask(&rest, Some(from), false, ANSWER_MILLIS, clock::wall()).await;
            let mut core = session.0.borrow_mut();
            let Some(past) = core.past.as_mut().filter(|past| past.number == number) else { return };
            past.fetching = false;
            match polled.unwrap_or(Polled { heartbeat: Some(String::new()), ..Polled::default() }) {
                Polled { frame: Some(frame), upto: Some(upto), .. } if frame.len() <= FRAME_MAX_BYTES => {
                    past.backoff = Backoff::default();
                    past.fetched = upto;
                    past.ahead.push(frame);
                }
                Polled { heartbeat: None, .. } => {
                    past.steps = 0;
                    if core.mode() != Mode::Going {
                        core.turn(Mode::Paused, "the stream no longer holds what came next".to_owned());
                        core.show();
                    }
                }
                _ => {
                    let wait = past.backoff.next_millis(0.0, clock::random());
                    let again = session.clone();
                    past.retry = Timer::after(wait, move || {
                        if let Some(past) = &mut again.0.borrow_mut().past {
                            past.retry = None;
                        }
                        again.play();
                    });
                    core.turn(core.mode(), ASKING.to_owned());
                }
            }
            drop(core);
            session.play();
        });
    }
}

impl Core {
    pub(super) fn mode(&self) -> Mode {
        self.signals.gaze.peek().mode
    }

    /// The moment that a link leads to; while time runs, the one of `before`: an address that changes with it is no address.
    pub(super) fn moment(&self, before: &str) -> String {
        match (self.mode(), &self.past) {
            (Mode::Paused, Some(past)) => past.place.to_string(),
            (Mode::Going | Mode::Replaying, _) => before.to_owned(),
            // Reloading asks again.
            _ if self.signals.gaze.peek().stuck == UNANSWERED => before.to_owned(),
            _ => String::new(),
        }
    }

    /// Changes the mode, and says why the past does not go on, if it does not.
    fn turn(&self, mode: Mode, stuck: String) {
        let gaze = self.signals.gaze.peek();
        if (gaze.mode, &gaze.stuck) != (mode, &stuck) {
            drop(gaze);
            self.signals.gaze.change(|gaze| (gaze.mode, gaze.stuck) = (mode, stuck));
        }
    }

    /// Leaves what is shown for something else. What was asked for before is not waited for.
    fn leave(&mut self, mode: Mode) {
        let before = self.mode();
        self.travel.asked += 1;
        if before != Mode::Going {
            self.travel.before = before;
        }
        if before == Mode::Following {
            let received = self.ingest.counters().received;
            self.signals.gaze.change(|gaze| gaze.left_at = received);
        }
        self.turn(mode, String::new());
    }

    /// Stays with what was shown before, and says why.
    fn stay(&mut self, why: String) {
        self.travel.asked += 1;
        self.turn(self.travel.before, why);
        if self.mode() == Mode::Following {
            self.show();
        }
    }

    /// Returns to the present.
    fn follow(&mut self) {
        self.travel.asked += 1;
        self.everything |= self.past.take().is_some();
        self.turn(Mode::Following, String::new());
        if !self.is_still() {
            self.show();
        }
    }

    fn run(&mut self) {
        if let Some(past) = &mut self.past {
            past.course.start(monotonic_millis());
            self.turn(Mode::Replaying, String::new());
        }
    }

    /// Writes all that is shown: it is another moment.
    fn show(&mut self) {
        (self.lists_pending, self.lists_at) = (true, f64::NEG_INFINITY);
        if self.everything {
            // Who is not there at this moment is not shown as at another.
            self.signals.detail.set(None);
            self.sought.begin();
        }
        self.write_clock();
        self.write_pulse();
        self.flush();
    }

    /// Shows what is due. Whether the past runs on, and whether more is to be fetched.
    fn play_on(&mut self) -> (bool, bool) {
        let now = monotonic_millis();
        let (runs, skips) = (self.mode() == Mode::Replaying, self.signals.gaze.peek().skips);
        let Some(past) = self.past.as_mut().filter(|past| runs || past.steps > 0) else { return (false, false) };
        let head = self.ingest.position();
        let mut next = past.look();
        let mut waits = false;
        if !runs {
            // A step takes no time.
        } else if next.is_some() || !past.lacks(head) {
            past.course.run_on(now, next, skips);
        } else {
            waits = past.course.wait(now);
        }
        let mut is_late = false;
        while let Some(time) = next.filter(|time| !is_late && (past.steps > 0 || runs && past.course.is_due(*time))) {
            is_late = monotonic_millis() - now > SHARE_MILLIS;
            let steps = past.steps > 0;
            past.apply(time);
            if steps || is_late {
                past.course.stand(past.reached);
            }
            next = past.look();
        }
        past.world.clock = PageClock::new(past.course.moment(), now, 0.0);
        let ends = next.is_none() && !past.lacks(head);
        let is_present = skips || past.course.moment() >= self.live.clock.at(now);
        if ends && (past.steps > 0 || is_present) {
            self.follow();
            return (false, false);
        }
        let fetch = past.lacks(head) && !past.ahead.is_full() && !past.fetching && past.retry.is_none();
        let is_written = !runs || now - past.written_at > CLOCK_MILLIS;
        if is_written {
            past.written_at = now;
        }
        if !runs {
            self.show();
        } else {
            let stuck = self.signals.gaze.peek().stuck.clone();
            // Why another moment could not be gone to stays said.
            if next.is_some() && (stuck == ASKING || stuck == WAITING) {
                self.turn(Mode::Replaying, String::new());
            } else if waits && stuck.is_empty() {
                self.turn(Mode::Replaying, WAITING.to_owned());
            }
            if is_written {
                self.write_clock();
                self.write_pulse();
            }
            self.flush();
        }
        (runs, fetch)
    }
}
