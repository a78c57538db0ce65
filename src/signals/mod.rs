//! The reactive state and its only writer: changes in, keyed updates out.
//!
//! A component reads these and nothing else. Knows nothing of transports, storage or drawing.

mod kept;
mod palette;
mod views;

use crate::{filter::Filter, voice};
pub use crate::{ingest::Counters, transport::ConnectionState};
pub use kept::{Draft, FOR_THIS_VISIT, KEYLESS, Kept, NOTICES, SOUND, STILL, Undo};
pub use palette::{Choice, Offer, Over, Palette};
pub use views::{
    AgentView, BUNDLE_TOLD_MAX, Bead, BundleName, BundleRow, ConnectionView, DetailView, Figures, FlowRow, FlowsView,
    Gaze, GhostsView, HourView, LaneView, Mode, Sheet, SoughtView, Tab, Times, Toast,
};

use leptos::prelude::*;
use monkeytown_civilization::{AGENT_RECENT_MAX, Civilization, Contradiction, Entity, HistoryItem, HistoryKind, Keys};
use monkeytown_keepsakes::{Class, ghosts::identity};
use monkeytown_protocol::{EntityId, EntityKind, Text, Timestamp};
use std::{
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
};

/// History items that the ghost column holds at once; the others are counted.
pub const GHOSTS_SHOWN_MAX: usize = 120;

/// What a query finds that is told by name.
const FOUND_TOLD_MAX: usize = 5;

/// A value that effects follow. Leptos' trigger beside a plain cell: a signal of its own for every type costs the page
/// kilobytes each (`ARCHITECTURE.md`, "Bytes"). It lives for as long as the page, so that nobody counts who has it: that
/// would be written out wherever one is handed on or let go.
pub struct Topic<T: 'static>(&'static Followed<T>);

struct Followed<T> {
    value: RefCell<T>,
    changed: ArcTrigger,
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<T> Topic<T> {
    fn new(value: T) -> Self {
        Self(Box::leak(Box::new(Followed { value: RefCell::new(value), changed: ArcTrigger::new() })))
    }

    /// What it is; an effect that asks runs again when it changes.
    pub fn read(&self) -> Ref<'_, T> {
        self.0.changed.track();
        self.0.value.borrow()
    }

    /// What it is; nobody runs again for having asked.
    pub fn peek(&self) -> Ref<'_, T> {
        self.0.value.borrow()
    }

    /// What it is, to be changed quietly; [`notify`](Self::notify) says so.
    pub fn peek_mut(&self) -> RefMut<'_, T> {
        self.0.value.borrow_mut()
    }

    /// Says that it has changed.
    pub fn notify(&self) {
        self.0.changed.notify();
    }

    /// Changes it and says so.
    pub fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.0.value.borrow_mut());
        self.0.changed.notify();
    }
}

impl<T: PartialEq> Topic<T> {
    /// Sets it, and says so only when that changes something: an equal value would redraw for nothing.
    pub fn set(&self, value: T) {
        if *self.0.value.borrow() != value {
            self.change(|held| *held = value);
        }
    }
}

/// Every signal of the page.
#[derive(Clone)]
pub struct Signals {
    /// The name in the wordmark.
    pub app_name: Topic<String>,
    /// Agents in the order of their ids.
    pub agents: Topic<Vec<Rc<AgentView>>>,
    /// Flows to be seen.
    pub flows: Topic<FlowsView>,
    /// What was settled.
    pub ghosts: Topic<GhostsView>,
    /// What time it is; ticks once a second.
    pub times: Topic<Times>,
    /// How the whole is doing.
    pub figures: Topic<Figures>,
    /// The last hour.
    pub hour: Topic<HourView>,
    /// What passes.
    pub toasts: Topic<Vec<Toast>>,
    /// Contracts settled, each time another round number of them is reached.
    pub milestone: Topic<Option<u64>>,
    /// Who of the pinned is broken, in words; empty while nobody is.
    pub alarm: Topic<String>,
    /// How the connection stands.
    pub connection: Topic<ConnectionView>,
    /// What the witness looks at.
    pub gaze: Topic<Gaze>,
    /// What the filter finds.
    pub sought: Topic<SoughtView>,
    /// What is looked at closely.
    pub detail: Topic<Option<DetailView>>,
    /// What the witness does and keeps.
    pub kept: Topic<Kept>,
    /// That something was typed into the seed's form or a note (they are in `kept`): a key pressed changes nothing else.
    pub typed: Topic<()>,
    /// What lies over everything: the palette, or the list of keys.
    pub palette: Topic<Palette>,
}

impl Signals {
    /// Signals of a page that knows nothing yet.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self {
            app_name: Topic::new("monkeytown".to_owned()),
            agents: Topic::new(Vec::new()),
            flows: Topic::new(FlowsView::default()),
            ghosts: Topic::new(GhostsView::default()),
            times: Topic::new(Times {
                now: wall,
                rate: 1.0,
                wall,
                monotonic: 0.0,
                present: wall,
                earliest: None,
                next: None,
            }),
            figures: Topic::new(Figures::default()),
            hour: Topic::new(HourView::default()),
            toasts: Topic::new(Vec::new()),
            milestone: Topic::new(None),
            alarm: Topic::new(String::new()),
            connection: Topic::new(ConnectionView::default()),
            gaze: Topic::new(Gaze::default()),
            sought: Topic::new(SoughtView::default()),
            detail: Topic::new(None),
            kept: Topic::new(Kept::default()),
            typed: Topic::new(()),
            palette: Topic::new(Palette::default()),
        }
    }

    /// Writes what `state` says of the agents in `touched`, and whether the filter leaves them out; what takes longer to find stays for
    /// [`write_work`](Self::write_work).
    pub fn write_agents(
        &self,
        state: &Civilization,
        touched: &Keys<EntityId>,
        is_out: &dyn Fn(&EntityId, &Entity) -> bool,
    ) {
        let mut changed = false;
        let mut agents = self.agents.peek_mut();
        for id in touched {
            let held = state.entity(id).filter(|entity| entity.kind == EntityKind::Agent);
            match (held, position(&agents, id)) {
                (Some(entity), Ok(at)) => {
                    if let Some(agent) = agents.get_mut(at).filter(|agent| agent.entity != *entity) {
                        let dim = is_out(id, entity);
                        *agent = Rc::new(AgentView { entity: entity.clone(), dim, ..AgentView::clone(agent) });
                        changed = true;
                    }
                }
                (Some(entity), Err(at)) => {
                    let dim = is_out(id, entity);
                    agents.insert(at, Rc::new(AgentView { dim, ..AgentView::new(id.clone(), entity.clone()) }));
                    changed = true;
                }
                (None, Ok(at)) => {
                    agents.remove(at);
                    changed = true;
                }
                (None, Err(_)) => {}
            }
        }
        drop(agents);
        if changed {
            self.agents.notify();
        }
    }

    /// Writes recent work, children and contradictions of every agent: one pass over what the fold holds.
    pub fn write_work(&self, state: &Civilization, contradictions: &[Contradiction]) {
        let bare = |agent: &Rc<AgentView>| AgentView {
            dim: agent.dim,
            ..AgentView::new(agent.id.clone(), agent.entity.clone())
        };
        let mut work: Vec<AgentView> = self.agents.peek().iter().map(bare).collect();
        let find = |work: &[AgentView], id: &EntityId| work.binary_search_by(|agent| agent.id.cmp(id)).ok();
        for (id, entity) in state.entities() {
            let Some(at) = entity.parent.as_ref().and_then(|parent| find(&work, parent)) else { continue };
            let Some(agent) = work.get_mut(at) else { continue };
            let kind = match entity.kind {
                EntityKind::Agent => {
                    agent.children = Some((0, 0));
                    continue;
                }
                EntityKind::Contract => HistoryKind::Contract,
                EntityKind::Transaction => HistoryKind::Transaction,
            };
            if agent.beads.len() < AGENT_RECENT_MAX {
                let (short, label) = (short_id(id.as_str()), entity.label.clone());
                agent.beads.push(Bead { kind, outcome: None, short, label, url: entity.url.clone() });
            }
        }
        for agent in work.iter_mut().filter(|agent| agent.children.is_some()) {
            agent.children = state.children_done(&agent.id);
        }
        // Far enough back to find something of almost everybody, near enough to be done five times a second.
        for item in state.history().take(300).filter(|item| item.kind != HistoryKind::Run) {
            let at = item.agent.as_ref().and_then(|id| find(&work, id));
            if let Some(agent) = at.and_then(|at| work.get_mut(at)).filter(|agent| agent.beads.len() < AGENT_RECENT_MAX)
            {
                agent.beads.push(Bead {
                    kind: item.kind,
                    outcome: Some(item.outcome),
                    short: short_id(item.id.as_str()),
                    label: item.label.clone(),
                    url: item.url.clone(),
                });
            }
        }
        for contradiction in contradictions {
            // A contract's contradiction is told on the card of whose it is.
            let whose = |id: &EntityId| match state.entity(id) {
                Some(entity) if entity.kind != EntityKind::Agent => entity.parent.clone(),
                _ => Some(id.clone()),
            };
            let (a, b) = (&contradiction.a, &contradiction.b);
            for (one, other) in [(a, b), (b, a)] {
                let at = whose(one).and_then(|id| find(&work, &id));
                if let Some(agent) = at.and_then(|at| work.get_mut(at)) {
                    let words = match a == b {
                        true => contradiction.over.to_string(),
                        false => format!("disagrees with {} on {}", short_id(other.as_str()), contradiction.over),
                    };
                    // All that it disagrees on.
                    match &mut agent.contradiction {
                        Some(before) => before.push_str(&["; ", &words].concat()),
                        none => *none = Some(words),
                    }
                    if let Some(other) = whose(other).filter(|other| agent.id < *other) {
                        agent.dispute = Some((other, format!("disagree on {}", contradiction.over)));
                    }
                }
            }
        }
        let mut changed = false;
        for (held, found) in self.agents.peek_mut().iter_mut().zip(work) {
            if **held != found {
                *held = Rc::new(found);
                changed = true;
            }
        }
        if changed {
            self.agents.notify();
        }
    }

    /// Dims everybody anew: the filter is another, or time has passed.
    pub fn dim_agents(&self, is_out: &dyn Fn(&EntityId, &Entity) -> bool) {
        let mut changed = false;
        for agent in self.agents.peek_mut().iter_mut() {
            let dim = is_out(&agent.id, &agent.entity);
            if agent.dim != dim {
                *agent = Rc::new(AgentView { dim, ..AgentView::clone(agent) });
                changed = true;
            }
        }
        if changed {
            self.agents.notify();
        }
    }

    /// Writes the ghost column: of all that the fold holds, and of what this browser has `kept` beside that, what the
    /// filter takes. The pinned are always among those shown.
    pub fn write_ghosts(&self, state: &Civilization, kept: &[Rc<HistoryItem>], filter: &Filter, now: Timestamp) {
        let kept_here = self.kept.peek();
        let newest = state.history().next().cloned().map(Rc::new);
        let held = state.history().len() + kept.len();
        let mut ghosts = GhostsView { items: Vec::new(), newest, matching: 0, held };
        for item in state.history().chain(kept.iter().map(Rc::as_ref)) {
            if filter.takes_item(state, item, now) {
                ghosts.matching += 1;
                if ghosts.items.len() < GHOSTS_SHOWN_MAX || kept_here.has(Class::Pin, &identity(item).to_string()) {
                    ghosts.items.push(Rc::new(item.clone()));
                }
            }
        }
        self.ghosts.set(ghosts);
    }

    /// Closes what lies over everything. False when nothing does.
    pub fn close_over(&self) -> bool {
        let is_open = self.palette.peek().over != Over::Nothing;
        if is_open {
            self.palette.change(|palette| *palette = Palette::default());
        }
        is_open
    }

    /// Marks the next line of the palette, or the one before.
    pub fn mark_offer(&self, next: bool) {
        self.palette.change(|palette| {
            let count = palette.offers.len().max(1);
            palette.at = (palette.at + if next { 1 } else { count - 1 }) % count;
        });
    }

    /// What `query` finds among agents and history, in words.
    #[must_use]
    pub fn find(&self, state: &Civilization, kept: &[Rc<HistoryItem>], query: &str, now: Timestamp) -> String {
        let filter = Filter::read(query, lower);
        if !filter.is_on() {
            return filter.fault().to_owned();
        }
        let mut names: Vec<String> = Vec::new();
        let (mut agents, mut items) = (0, 0);
        for agent in self.agents.peek().iter() {
            if filter.takes_entity(state, (&agent.id, &agent.entity), now) {
                agents += 1;
                names.push(voice::name(agent.entity.label.as_str()));
            }
        }
        for item in state.history().chain(kept.iter().map(Rc::as_ref)) {
            if filter.takes_item(state, item, now) {
                items += 1;
                if names.len() < FOUND_TOLD_MAX {
                    names.push(voice::name(item.label.as_str()));
                }
            }
        }
        names.truncate(FOUND_TOLD_MAX);
        let found = [&*voice::counted(agents, "agent"), " and ", &voice::grouped(items), " of what settled match now"];
        [&*found.concat(), if names.is_empty() { "" } else { ": " }, &names.join("; ")].concat()
    }
}

/// With small letters, by the browser: Rust's tables for them cost 10 KB.
pub fn lower(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
}

/// Where an agent stands among `agents`, which are in the order of their ids; or where it would.
pub fn position(agents: &[Rc<AgentView>], id: &EntityId) -> Result<usize, usize> {
    agents.binary_search_by(|agent| agent.id.cmp(id))
}

/// That agent.
pub fn of<'a>(agents: &'a [Rc<AgentView>], id: &EntityId) -> Option<&'a Rc<AgentView>> {
    agents.get(position(agents, id).ok()?)
}

/// The name of an entity, or its id when the fold does not hold it.
#[must_use]
pub fn name_of(state: &Civilization, id: &EntityId) -> Text {
    state.entity(id).map_or_else(|| Text::fitted(id.as_str()), |entity| entity.label.clone())
}

/// A commit's hash or a pull request's number, short, from an id such as `commit:a3f9…` or `pull:42`.
#[must_use]
pub fn short_id(id: &str) -> String {
    let name = id.rsplit_once([':', '/', '-']).map_or(id, |(_, name)| name);
    let is_hash = name.len() >= 12 && name.chars().all(|c| c.is_ascii_hexdigit());
    let is_number = !name.is_empty() && name.chars().all(|c| c.is_ascii_digit());
    if is_hash {
        name.chars().take(7).collect()
    } else if is_number && id.starts_with("pull") {
        format!("#{name}")
    } else if id.starts_with("commit") {
        name.chars().take(16).collect()
    } else {
        id.chars().take(16).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_as_people_know_them() {
        assert_eq!(short_id("commit:a3f9c21d0b1e4f5a6b7c8d9e0f1a2b3c4d5e6f70"), "a3f9c21");
        assert_eq!(short_id("pull:42"), "#42");
        assert_eq!(short_id("merge:a3f9c21d0b1e4f5a6b7c8d9e0f1a2b3c4d5e6f70"), "a3f9c21");
        assert_eq!(short_id("commit:0000000"), "0000000");
        assert_eq!(short_id("pull-61"), "#61");
        assert_eq!(short_id("release-2"), "release-2");
    }
}
