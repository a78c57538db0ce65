//! What the fold says, written to the signals: agents once a frame, lists five times a second, figures every second.

use super::{Core, past::World};
use crate::{
    clock::{self, monotonic_millis},
    signals::{
        BUNDLE_TOLD_MAX, BundleRow, ConnectionView, DetailView, FlowRow, FlowsView, HourView, LaneView, Tab, Times,
        Toast, name_of,
    },
    terrarium::stage::{Stage, Staged},
    voice,
};
use monkeytown_civilization::{CONTRADICTIONS_MAX, Civilization, Depth, Entity, Keys};
use monkeytown_keepsakes::Class;
use monkeytown_protocol::{EntityId, EntityStatus, Flow, FlowId, Text, Timestamp};
use std::rc::Rc;

/// Least time between two writings of a list (ghosts, flows, recent work), in milliseconds.
const LISTS_EVERY_MILLIS: f64 = 200.0;
/// The same under load, when a list would be another each time and nobody could read it.
const LISTS_UNDER_LOAD_MILLIS: f64 = 1_000.0;
/// Events since the last writing that are load.
const LOAD_EVENTS: u64 = 200;
/// How long a remark stays, in milliseconds.
const REMARK_MILLIS: f64 = 60_000.0;
/// History items of one entity that the detail panel shows.
const DETAIL_HISTORY_MAX: usize = 200;

/// How long a toast stays, in milliseconds.
const TOAST_MILLIS: f64 = 9_000.0;
/// Toasts at once.
const TOASTS_MAX: usize = 3;
/// A storm is over when no more flows than this run: those that come and go about fifty move nobody to and fro.
const STORM_OVER: usize = 35;
/// Gaps remembered.
const GAPS_MAX: usize = 20;
/// Bins of the axis, whatever its depth.
const AXIS_BINS: i64 = 120;

impl Core {
    /// What is shown: the past, or what the stream tells.
    pub(super) fn shown(&self) -> &World {
        self.past.as_ref().map_or(&self.live, |past| &past.world)
    }

    /// The state that is shown.
    pub(super) fn state(&self) -> &Civilization {
        &self.shown().state
    }

    /// The time that is shown.
    pub(super) fn now(&self) -> Timestamp {
        self.shown().clock.at(monotonic_millis())
    }

    /// Whether what comes is not to be shown now: the tab is hidden, or the witness has paused it, or is elsewhere in time.
    pub(super) fn is_still(&self) -> bool {
        clock::is_hidden() || self.past.is_some() || self.signals.gaze.peek().mode.is_still()
    }

    /// Writes what changed since the last frame.
    pub(super) fn flush(&mut self) {
        let now = monotonic_millis();
        let is_past = self.past.is_some();
        let replaying = self.replaying && !is_past;
        let world = self.past.as_mut().map_or(&mut self.live, |past| &mut past.world);
        let mut changes = std::mem::take(&mut world.changes);
        let unseen = std::mem::take(&mut self.everything);
        if unseen {
            changes.entities.extend(world.state.entities().map(|(id, _)| id.clone()));
            changes.flows.extend(world.state.flows().map(|(id, _)| id.clone()));
            changes.entities.extend(self.signals.agents.peek().iter().map(|agent| agent.id.clone()));
            (changes.history, changes.system) = (true, true);
            self.stage = Stage::default();
        }
        if replaying {
            // What is open at some instant of a catch-up is no news: what is open at its end is.
            self.unstaged |= !changes.flows.is_empty();
        } else if self.unstaged || !changes.flows.is_empty() {
            self.stage.sweep(now);
            let caught_up = std::mem::take(&mut self.unstaged);
            if caught_up {
                let open: Vec<FlowId> = world.state.flows().map(|(id, _)| id.clone()).collect();
                self.stage.update(&world.state, open.iter(), now, true);
            }
            self.stage.update(&world.state, changes.flows.iter(), now, unseen || caught_up);
            self.lists_pending = true;
        }
        if !changes.is_empty() {
            self.lists_pending = true;
            // What was is no news either.
            let is_news = !replaying && !unseen && !is_past;
            if is_news {
                self.toast_broken(&changes.entities, now);
            }
            let at = self.now();
            let is_out =
                |id: &EntityId, entity: &Entity| !self.sought.filter.takes_entity(self.state(), (id, entity), at);
            self.signals.write_agents(self.state(), &changes.entities, &is_out);
            if changes.milestone.is_some() && is_news {
                self.signals.milestone.set(changes.milestone);
                self.milestone_until = now + TOAST_MILLIS;
            }
        }
        let received = self.past.as_ref().map_or(&self.ingest, |past| &past.reader).counters().received;
        let loaded = received.abs_diff(self.lists_received) > LOAD_EVENTS;
        let every = if loaded { LISTS_UNDER_LOAD_MILLIS } else { LISTS_EVERY_MILLIS };
        if self.lists_pending && now - self.lists_at >= every {
            self.lists_received = received;
            self.write_lists();
            (self.lists_pending, self.lists_at) = (false, now);
        }
    }

    fn write_lists(&mut self) {
        self.write_flows();
        self.signals.write_work(self.state(), &self.contradictions);
        self.write_ghosts();
        self.write_detail();
        let mut figures = *self.signals.figures.peek();
        figures.entity_count = self.state().entities().len();
        figures.totals = self.state().totals();
        figures.last_time = self.state().last_time();
        self.signals.figures.set(figures);
        self.write_connection();
    }

    /// Writes the ghost column, with what this browser has kept and the stream no longer holds.
    pub(super) fn write_ghosts(&mut self) {
        let now = self.now();
        self.beside_history = self.keeping.beside(&self.signals.kept.peek(), self.state(), now);
        self.signals.write_ghosts(self.state(), &self.beside_history, &self.sought.filter, now);
    }

    pub(super) fn write_flows(&mut self) {
        let state = &self.past.as_ref().map_or(&self.live, |past| &past.world).state;
        let now = self.now();
        let (cast, bundles) = self.stage.cast();
        let storm = !bundles.is_empty() || (self.signals.flows.peek().storm && cast.len() > STORM_OVER);
        let filter = &self.sought.filter;
        let is_out = |flow: &Flow| {
            let open = || state.flow(&flow.id).map(|open| open.since);
            let ended = || state.finished_flows().find(|ended| ended.flow.id == flow.id).map(|ended| ended.time);
            // One that the fold has let go of was here just now.
            let time = || open().or_else(ended).unwrap_or(now);
            filter.is_on() && !filter.takes_flow(state, (flow, time()), now)
        };
        let row = |staged: &&Staged| FlowRow {
            leaves_at: staged.leaves_at(),
            dim: is_out(&staged.flow),
            ..row_of(state, &staged.flow)
        };
        let open = self.signals.gaze.peek().bundle.clone();
        let mut opened = Vec::new();
        if let Some((source, target)) = &open {
            let is_of = |flow: &Flow| {
                source.as_ref().is_none_or(|id| *id == flow.source)
                    && target.as_ref().is_none_or(|id| *id == flow.target)
            };
            // Where it is gathered with others by now, its flows are found among them.
            let own = bundles.iter().position(|bundle| bundle.source == *source && bundle.target == *target);
            let hidden = bundles.iter().enumerate().filter(|(at, _)| own.is_none_or(|own| own == *at));
            let hidden = hidden.flat_map(|(_, bundle)| &bundle.flows).filter(|staged| is_of(&staged.flow));
            opened.extend(hidden.take(BUNDLE_TOLD_MAX).map(row));
        }
        let name = |id: &Option<EntityId>| id.as_ref().map(|id| voice::name(name_of(state, id).as_str()));
        let bundles = bundles.into_iter().map(|bundle| {
            let between = match (name(&bundle.source), name(&bundle.target)) {
                (Some(source), Some(target)) => format!("from {source} to {target}"),
                (Some(source), None) => format!("from {source} to several"),
                (None, Some(target)) => format!("from several to {target}"),
                (None, None) => "between others".to_owned(),
            };
            let count = bundle.flows.len();
            let dim = bundle.flows.iter().filter(|staged| is_out(&staged.flow)).count();
            BundleRow { source: bundle.source, target: bundle.target, between, kind: bundle.kind, count, dim }
        });
        let bundles = bundles.collect();
        self.signals.flows.set(FlowsView { drawn: cast.iter().map(row).collect(), bundles, storm, open, opened });
        self.sought.is_due = true;
    }

    /// Says what has just broken, to those who look elsewhere; at most three at once.
    fn toast_broken(&mut self, touched: &Keys<EntityId>, now_millis: f64) {
        let agents = self.signals.agents.peek();
        let is_new = |id: &&EntityId| {
            let before = agents.binary_search_by(|agent| agent.id.cmp(id)).ok().and_then(|at| agents.get(at));
            // Who broke, was mended and broke again within a frame has broken anew.
            let since = |id| self.live.state.entity(id).map(|entity| entity.since);
            before.is_some_and(|agent| {
                agent.entity.status != EntityStatus::Error || Some(agent.entity.since) != since(id)
            })
        };
        let mut toasts = self.signals.toasts.peek().clone();
        for id in touched.iter().filter(is_new) {
            let Some(entity) = self.live.state.entity(id).filter(|entity| entity.status == EntityStatus::Error) else {
                continue;
            };
            if self.signals.kept.peek().has(Class::Mute, id.as_str()) {
                continue;
            }
            self.toasted += 1;
            let text = |text: &Option<Text>| text.as_ref().map(ToString::to_string).unwrap_or_default();
            toasts.push(Toast {
                number: self.toasted,
                id: id.clone(),
                what: format!("{} broke", voice::name(entity.label.as_str())),
                place: entity.domain.as_ref().map(|domain| domain.path.to_string()).unwrap_or_default(),
                why: text(&entity.reason),
                until_millis: now_millis + TOAST_MILLIS,
                held_since: None,
            });
        }
        while toasts.len() > TOASTS_MAX {
            // The oldest goes that nobody is at.
            toasts.remove(toasts.iter().position(|toast| toast.held_since.is_none()).unwrap_or_default());
        }
        drop(agents);
        self.signals.toasts.set(toasts);
    }

    /// Notes when no stream is heard any more, and when one is again.
    pub(super) fn note_gap(&mut self) {
        let live = self.standing.is_live();
        let now = self.live.clock.at(monotonic_millis());
        match self.gaps.last_mut() {
            Some((_, until @ None)) if live => *until = Some(now),
            Some((_, None)) => {}
            _ if live || !self.greeted => {}
            _ => self.gaps.push((now, None)),
        }
        let excess = self.gaps.len().saturating_sub(GAPS_MAX);
        self.gaps.drain(..excess);
    }

    /// The moment shown. A pause holds the page's time; waits and ages of what is stored are the witness's, and go on.
    pub(super) fn shown_at(&self) -> Timestamp {
        if self.is_still() && self.past.is_none() { self.signals.times.peek().now } else { self.now() }
    }

    /// Writes the last hour, and what the axis shows.
    pub(super) fn write_hour(&self, now: Timestamp) {
        let activity = self.state().activity();
        let depth = self.signals.gaze.peek().depth;
        let span = activity.bin_millis(depth, now) * AXIS_BINS;
        let lanes = activity.lanes().filter_map(|id| {
            let bins = activity.lane(id, depth, now)?.collect();
            Some(LaneView { id: id.clone(), name: name_of(self.state(), id), bins })
        });
        let ago = |time: Timestamp| now.since_millis(time);
        // A gap is when this page heard nothing; the past is asked for as a whole.
        let gaps = self.gaps.iter().filter(|_| self.past.is_none());
        let gaps = gaps.map(|(from, until)| (ago(*from), until.map_or(0, ago)));
        self.signals.hour.set(HourView {
            bins: activity.bins(Depth::Hour, now).collect(),
            depth,
            span,
            axis: activity.bins(depth, now).collect(),
            trend: self.state().trend(now),
            marks: self.state().marks(now).map(|mark| (mark.kind, ago(mark.time))).collect(),
            gaps: gaps.filter(|(_, until)| *until < span).collect(),
            lanes: lanes.collect(),
            untold: self.untold(now),
        });
    }

    /// What the fold's bounds keep from the axis and the cards.
    fn untold(&self, now: Timestamp) -> String {
        let mut words = String::new();
        if self.state().marks_missing_until(now).is_some() {
            words.push_str("; older marks are not held");
        }
        if self.state().activity().lanes_forgotten() > 0 {
            words.push_str("; not every agent's lane is held");
        }
        if self.contradictions.len() >= CONTRADICTIONS_MAX {
            words.push_str("; not every contradiction is marked");
        }
        words
    }

    /// Writes who is looked at closely. Who is gone stays as it was last known, and is said to be gone.
    pub(super) fn write_detail(&self) {
        let gaze = self.signals.gaze.peek().clone();
        let Some(id) = gaze.entity else { return self.signals.detail.set(None) };
        let held = self.state().entity(&id).cloned();
        let before = self.signals.detail.peek().as_ref().filter(|detail| detail.id == id).map(|d| d.entity.clone());
        let gone = held.is_none();
        let Some(entity) = held.or(before) else { return self.signals.detail.set(None) };
        let of_it = |source: &EntityId, target: &EntityId| *source == id || *target == id;
        let open = self.state().flows().map(|(_, open)| &open.flow);
        let finished = self.state().finished_flows().map(|finished| &finished.flow);
        let flows = open.chain(finished).filter(|flow| of_it(&flow.source, &flow.target));
        let history = self.state().history().filter(|item| item.agent.as_ref() == Some(&id) || item.id == id);
        let read = self.signals.detail.peek().as_ref().filter(|detail| detail.id == id).and_then(|d| d.raw.clone());
        let log = self.state().log(&id);
        let held = log.map_or(0, |log| log.lines().len());
        let days = self.state().activity().days(&id, self.now());
        let told = if gaze.tab == Tab::Logs { held } else { 0 };
        let detail = DetailView {
            entity,
            gone,
            log_counts: (held, log.map_or(0, |log| log.missing())),
            log: log.map(|log| log.lines().take(told).cloned().collect()).unwrap_or_default(),
            found: self.sought.lines_of(&id),
            days: days.map(Iterator::collect).unwrap_or_default(),
            flows: flows.take(100).map(|flow| row_of(self.state(), flow)).collect(),
            history: history.take(DETAIL_HISTORY_MAX).cloned().map(Rc::new).collect(),
            // What is being read does not change under the reader: another event needs another press.
            raw: gaze.raw.then(|| {
                read.unwrap_or_else(|| {
                    self.past
                        .as_ref()
                        .map_or(&self.recent, |past| &past.recent)
                        .newest_event_of(&id)
                        .unwrap_or_default()
                })
            }),
            id,
        };
        self.signals.detail.set(Some(detail));
    }

    pub(super) fn write_clock(&mut self) {
        let now = monotonic_millis();
        if self.stage.sweep(now) && (!self.is_still() || self.past.is_some()) {
            self.write_flows();
        }
        let past = self.past.as_ref();
        let still = self.is_still() && past.is_none();
        let times = Times {
            now: self.shown_at(),
            rate: past.map_or(self.live.clock.rate(), |past| past.course.speed),
            wall: clock::wall(),
            monotonic: now,
            present: self.live.clock.at(now),
            earliest: self.travel.earliest,
            next: past.map(|past| past.place.next()),
        };
        self.signals.times.set(times);
        if now >= self.milestone_until {
            self.signals.milestone.set(None);
        }
        if still {
            return;
        }
        if self.sought.filter.ages() {
            self.dim_agents();
            self.write_flows();
            self.write_ghosts();
        }
        // They depend on the time, and on every open contract: once a second.
        let contradictions = self.state().contradictions(times.now);
        if contradictions != self.contradictions {
            self.contradictions = contradictions;
            self.signals.write_work(self.state(), &self.contradictions);
        }
        self.write_hour(times.now);
        if self.signals.toasts.peek().iter().any(|toast| toast.until_millis < now) {
            self.signals.toasts.change(|toasts| toasts.retain(|toast| toast.until_millis >= now));
        }
    }

    pub(super) fn write_pulse(&self) {
        let known = self.greeted || self.stored_at.is_some();
        let mut figures = *self.signals.figures.peek();
        figures.pulse = known.then(|| self.state().pulse(self.now()));
        figures.source = self.source;
        self.signals.figures.set(figures);
    }

    /// The words of the gravest open alert, of equals the newest, and how many others are open.
    fn gravest_alert(&self) -> Option<(String, usize)> {
        let mut alerts = self.live.state.alerts();
        let others = alerts.len().checked_sub(1)?;
        let mut gravest = alerts.next()?.1;
        for (_, alert) in alerts {
            if (alert.severity, alert.since) >= (gravest.severity, gravest.since) {
                gravest = alert;
            }
        }
        Some((gravest.message.to_string(), others))
    }

    pub(super) fn write_connection(&mut self) {
        let now = monotonic_millis();
        if self.remark.as_ref().is_some_and(|(_, since)| now - since > REMARK_MILLIS) {
            self.remark = None;
        }
        self.signals.connection.set(ConnectionView {
            state: self.standing.clone(),
            greeted: self.greeted,
            stored_at: self.stored_at,
            beside: self.beside == Some(true),
            away_since: self.away_since,
            epoch: self.ingest.position().map(|position| position.epoch.clone()),
            offset: self.ingest.position().and_then(|position| position.after),
            counters: self.ingest.counters().clone(),
            waiting_bytes: self.queued_bytes,
            replaying: self.replaying,
            address: self.stream.rest.clone(),
            chosen_by_address: self.stream.chosen_by_address,
            heartbeat_at: self.heartbeat_at,
            behind_millis: self.latency.about_millis(),
            summarised: self.summarised,
            remark: self.remark.as_ref().map(|(remark, _)| remark.clone()),
            alert: self.gravest_alert(),
        });
    }
}

fn row_of(state: &Civilization, flow: &Flow) -> FlowRow {
    FlowRow {
        id: flow.id.clone(),
        source: flow.source.clone(),
        source_name: name_of(state, &flow.source),
        target: flow.target.clone(),
        target_name: name_of(state, &flow.target),
        kind: flow.kind,
        status: flow.status,
        reason: flow.reason.clone(),
        leaves_at: None,
        dim: false,
    }
}
