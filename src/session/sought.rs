//! What the filter finds in this visit: in the fold's lists whenever they are written, in logs in slices, since those may
//! hold a hundred thousand lines. What has been looked at is not looked at again: a line never changes.
//!
//! Knows nothing of how what is found looks.

use super::{
    Core, Session,
    keeping::{now_millis, record},
};
use crate::{
    clock::{self, Timer, monotonic_millis},
    filter::{Filter, LETTERS_MAX},
    signals::{Kept, SoughtView, lower},
    voice,
};
use monkeytown_civilization::Civilization;
use monkeytown_keepsakes::{Class, Seed, Writing, record::words_of, units};
use monkeytown_protocol::{EntityId, EntityKind, Timestamp};

/// How long looking through logs may hold the page at once, in milliseconds: half of what a frame may take.
const SLICE_MILLIS: f64 = 4.0;
/// Lines between two looks at the clock. The longest takes some 20 µs.
const LINES_AT_ONCE: usize = 32;
/// In whose logs something was found that is told by name.
const LOGS_TOLD_MAX: usize = 24;
/// Filters that are kept.
pub(super) const FILTERS_MAX: usize = 6;

/// What has been found of one log.
struct Tally {
    id: EntityId,
    /// The first line that has not been looked at, counted from the first ever.
    next: u64,
    /// Those that were found and are held, and when they were written.
    found: Vec<(u64, Timestamp)>,
}

/// The filter, and what it has found.
pub(super) struct Sought {
    pub filter: Filter,
    /// In the order of ids, as the logs are.
    tallies: Vec<Tally>,
    /// Whether all lines have been looked at.
    is_whole: bool,
    /// What the page's clock showed then: a clock that goes back makes young again what was too old.
    seen_at: Timestamp,
    /// Whether the lists have been written since it was said what is found.
    pub is_due: bool,
    /// The next slice.
    slice: Option<Timer>,
}

impl Sought {
    /// A filter that leaves nothing out.
    pub fn new() -> Self {
        let filter = Filter::read("", lower);
        let tallies = Vec::new();
        Self { filter, tallies, is_whole: true, seen_at: Timestamp::default(), is_due: false, slice: None }
    }

    /// Forgets what was found: the logs are others.
    pub fn begin(&mut self) {
        self.tallies.clear();
    }

    /// Lines found of one log that are held, in order.
    pub fn lines_of(&self, id: &EntityId) -> Vec<u64> {
        let at = self.tallies.binary_search_by(|tally| tally.id.cmp(id));
        let tally = at.ok().and_then(|at| self.tallies.get(at));
        tally.map(|tally| tally.found.iter().map(|(number, _)| *number).collect()).unwrap_or_default()
    }

    /// Looks at lines that have not been looked at until `is_over`.
    fn look(&mut self, state: &Civilization, now: Timestamp, is_over: &dyn Fn() -> bool) {
        if now < std::mem::replace(&mut self.seen_at, now) {
            self.begin();
        }
        self.is_whole = true;
        if !self.filter.is_on() {
            return;
        }
        let ages = self.filter.ages();
        let mut at = 0;
        for (id, log) in state.logs().iter() {
            while self.tallies.get(at).is_some_and(|tally| tally.id < *id) {
                self.tallies.remove(at);
            }
            if self.tallies.get(at).is_none_or(|tally| tally.id != *id) {
                self.tallies.insert(at, Tally { id: id.clone(), next: 0, found: Vec::new() });
            }
            let Some(tally) = self.tallies.get_mut(at) else { continue };
            at += 1;
            let missing = log.missing();
            let heard = missing + log.lines().len() as u64;
            if tally.next > heard {
                (tally.next, tally.found) = (0, Vec::new());
            }
            if ages || tally.found.first().is_some_and(|(number, _)| *number < missing) {
                tally.found.retain(|(number, time)| *number >= missing && self.filter.is_young(*time, now));
            }
            if tally.next == heard || !self.is_whole {
                continue;
            }
            tally.next = tally.next.max(missing);
            let name = state.entity(id).map_or("", |entity| entity.label.as_str());
            let skipped = usize::try_from(tally.next - missing).unwrap_or_default();
            for (count, line) in log.lines().skip(skipped).enumerate() {
                if count % LINES_AT_ONCE == LINES_AT_ONCE - 1 && is_over() {
                    self.is_whole = false;
                    break;
                }
                if self.filter.takes_line(&[id.as_str(), name], line, now) {
                    tally.found.push((tally.next, line.time));
                }
                tally.next += 1;
            }
        }
        self.tallies.truncate(at);
    }
}

impl Session {
    /// Looks through logs soon, in slices of their own: what else is done in a frame holds the page long enough.
    pub(super) fn look_soon(&self) {
        let mut core = self.0.borrow_mut();
        let is_due = std::mem::take(&mut core.sought.is_due);
        if is_due && core.sought.slice.is_none() && core.sought.filter.is_on() {
            let session = self.clone();
            core.sought.slice = Timer::after(0, move || session.look_through());
        }
    }

    fn look_through(&self) {
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        let begun = monotonic_millis();
        let now = core.now();
        let state = &core.past.as_ref().map_or(&core.live, |past| &past.world).state;
        core.sought.look(state, now, &|| monotonic_millis() - begun > SLICE_MILLIS);
        core.tell_sought();
        if core.past.is_some() || !core.is_still() {
            // Lines that are looked at closely are marked as they are found.
            core.write_detail();
        }
        core.sought.slice = None;
        if !core.sought.is_whole {
            let session = self.clone();
            core.sought.slice = Timer::after(0, move || session.look_through());
        }
    }
}

impl Core {
    /// Takes another filter: everything is looked at anew.
    pub(super) fn seek(&mut self, words: String) {
        // What no field holds is not looked for.
        let words: String = words.chars().filter(|letter| *letter >= ' ').collect();
        self.sought.filter = Filter::read(&words, lower);
        self.sought.begin();
        self.sought.is_whole = false;
        self.signals.gaze.change(|gaze| gaze.query = words);
        self.dim_agents();
        self.write_flows();
        self.write_ghosts();
        self.tell_sought();
    }

    /// Dims those that the filter leaves out.
    pub(super) fn dim_agents(&self) {
        let now = self.now();
        self.signals.dim_agents(&|id, entity| !self.sought.filter.takes_entity(self.state(), (id, entity), now));
    }

    /// Says what the filter finds.
    fn tell_sought(&self) {
        let filter = &self.sought.filter;
        let mut view = SoughtView { is_on: filter.is_on(), fault: filter.fault().to_owned(), ..SoughtView::default() };
        if view.is_on {
            let now = self.now();
            let (mut contracts, mut commits) = (0, 0);
            for (id, entity) in self.state().entities().filter(|(_, entity)| entity.kind != EntityKind::Agent) {
                let taken = usize::from(filter.takes_entity(self.state(), (id, entity), now));
                *(if entity.kind == EntityKind::Contract { &mut contracts } else { &mut commits }) += taken;
            }
            let flows = self.signals.flows.peek();
            let bundled: usize = flows.bundles.iter().map(|bundle| bundle.count - bundle.dim).sum();
            let mut seeds = 0;
            for record in self.signals.kept.peek().store.of(Class::Seed) {
                if Seed::from_record(record).is_some_and(|seed| filter.takes_seed(&seed, clock::wall())) {
                    seeds += 1;
                } else {
                    view.seeds_out.push(record.key());
                }
            }
            let mut lines = 0;
            for tally in self.sought.tallies.iter().filter(|tally| !tally.found.is_empty()) {
                lines += tally.found.len();
                // Of whom the fold holds nothing no panel opens.
                if let Some(entity) = self.state().entity(&tally.id).filter(|_| view.logs.len() < LOGS_TOLD_MAX) {
                    view.logs.push((tally.id.clone(), entity.label.to_string(), tally.found.len()));
                }
            }
            let counts = [
                (self.signals.agents.peek().iter().filter(|agent| !agent.dim).count(), "agent"),
                (contracts, "open contract"),
                (commits, "open commit"),
                (flows.drawn.iter().filter(|flow| !flow.dim).count() + bundled, "flow"),
                (self.signals.ghosts.peek().matching, "settled"),
                (lines, "log line"),
                (seeds, "seed"),
            ];
            let mut one = 0;
            for (count, noun) in counts.into_iter().filter(|(count, _)| *count > 0) {
                let plain = [&*voice::grouped(count as u64), " ", noun].concat();
                view.told.push_str(if view.told.is_empty() { "" } else { ", " });
                view.told.push_str(&if noun == "settled" { plain } else { voice::numbered(count, noun) });
                one += count;
            }
            view.told.push_str(match one {
                0 => "nothing matches now",
                1 => " matches",
                _ => " match",
            });
            view.told.push_str(if self.sought.is_whole { "" } else { "; still looking through the logs" });
        }
        self.signals.sought.set(view);
    }

    /// Keeps the filter as it is.
    pub(super) fn keep_filter(&mut self, kept: &mut Kept) {
        let gaze = self.signals.gaze.peek();
        let words = gaze.query.trim_ascii();
        self.keeping.refresh(kept, Some(Class::Filter));
        if words.is_empty() || kept.store.of(Class::Filter).any(|held| words_of(held) == words) {
            return;
        }
        if kept.store.of(Class::Filter).count() >= FILTERS_MAX || units(words) > LETTERS_MAX {
            return "that was not kept: six filters of 200 letters at most are. forget one first"
                .clone_into(&mut kept.answer);
        }
        let mut body = Writing::default();
        body.text("words", words);
        // In the order in which they were kept.
        if self.keeping.put(kept, record(Class::Filter, &now_millis().to_string(), body.end())) {
            kept.answer = self.keeping.in_words("the filter is kept");
        }
    }
}
