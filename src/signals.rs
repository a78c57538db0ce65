//! The reactive state and its only writer: changes in, keyed updates out.
//!
//! A component reads these and nothing else. Knows nothing of transports, storage or drawing.

pub use crate::{ingest::Counters, transport::ConnectionState};

use leptos::prelude::*;
use monkeytown_civilization::{
    AGENT_RECENT_MAX, Civilization, Contradiction, Entity, HistoryItem, HistoryKind, Keys, Line, MarkKind, Outcome,
    Pulse, Totals, Trend,
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityStatus, FlowId, FlowKind, FlowStatus, HttpsUrl, Offset, SourceKind, Text, Timestamp,
};
use std::{
    cell::{Ref, RefCell, RefMut},
    rc::Rc,
};

/// History items that the ghost column holds at once; the others are counted.
pub const GHOSTS_SHOWN_MAX: usize = 120;

/// A value that effects follow. Leptos' trigger beside a plain cell: a signal of its own for every type costs the page
/// kilobytes each (`ARCHITECTURE.md`, "Bytes").
pub struct Topic<T> {
    value: Rc<RefCell<T>>,
    changed: ArcTrigger,
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self { value: Rc::clone(&self.value), changed: self.changed.clone() }
    }
}

impl<T> Topic<T> {
    fn new(value: T) -> Self {
        Self { value: Rc::new(RefCell::new(value)), changed: ArcTrigger::new() }
    }

    /// What it is; an effect that asks runs again when it changes.
    pub fn read(&self) -> Ref<'_, T> {
        self.changed.track();
        self.value.borrow()
    }

    /// What it is; nobody runs again for having asked.
    pub fn peek(&self) -> Ref<'_, T> {
        self.value.borrow()
    }

    /// What it is, to be changed quietly; [`notify`](Self::notify) says so.
    pub fn peek_mut(&self) -> RefMut<'_, T> {
        self.value.borrow_mut()
    }

    /// Says that it has changed.
    pub fn notify(&self) {
        self.changed.notify();
    }

    /// Changes it and says so.
    pub fn change(&self, change: impl FnOnce(&mut T)) {
        change(&mut self.value.borrow_mut());
        self.changed.notify();
    }
}

impl<T: PartialEq> Topic<T> {
    /// Sets it, and says so only when that changes something: an equal value would redraw for nothing.
    pub fn set(&self, value: T) {
        if *self.value.borrow() != value {
            self.change(|held| *held = value);
        }
    }
}

/// A piece of an agent's recent work, below its card.
#[derive(Debug, Clone, PartialEq)]
pub struct Bead {
    /// A commit (filled, round) or a pull request (diamond).
    pub kind: HistoryKind,
    /// How it ended; `None` while it is open.
    pub outcome: Option<Outcome>,
    /// The short form of its id: `a3f9c21`, `#42`.
    pub short: String,
    /// Its subject or title.
    pub label: Text,
    /// Where it is to be seen.
    pub url: Option<HttpsUrl>,
}

/// An agent as its card shows it.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentView {
    /// Who it is.
    pub id: EntityId,
    /// What the fold says.
    pub entity: Entity,
    /// Its recent work, newest first.
    pub beads: Vec<Bead>,
    /// How many of its children are done, of how many; `None` without children.
    pub children: Option<(u32, u32)>,
    /// What it and another disagree on, in words.
    pub contradiction: Option<String>,
}

impl AgentView {
    fn new(id: EntityId, entity: Entity) -> Self {
        Self { id, entity, beads: Vec::new(), children: None, contradiction: None }
    }
}

/// A flow as the readable list tells it.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowRow {
    /// Its identity.
    pub id: FlowId,
    /// Where it comes from.
    pub source: EntityId,
    /// The name of that.
    pub source_name: Text,
    /// Where it goes.
    pub target: EntityId,
    /// The name of that.
    pub target_name: Text,
    /// What moves.
    pub kind: FlowKind,
    /// How far it has come.
    pub status: FlowStatus,
    /// Why it broke.
    pub reason: Option<Text>,
    /// When it leaves the stage, on the monotonic clock; `None` while it is under way.
    pub leaves_at: Option<f64>,
}

/// Flows that are not drawn one by one: those between the same two, or of the same source.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleRow {
    /// Where they come from; `None` for what is left of everybody.
    pub source: Option<EntityId>,
    /// Where they go; `None` for all the ways of one source.
    pub target: Option<EntityId>,
    /// From whom to whom, in words.
    pub between: String,
    /// What moves in most of them.
    pub kind: FlowKind,
    /// How many they are.
    pub count: usize,
    /// Whether the witness has opened it: its flows are told one by one.
    pub opened: Vec<FlowRow>,
}

/// Flows of an opened bundle that are told one by one.
pub const BUNDLE_TOLD_MAX: usize = 100;

/// The flows to be seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowsView {
    /// Those drawn.
    pub drawn: Vec<FlowRow>,
    /// The others, bundled; their counts add up to those not drawn.
    pub bundles: Vec<BundleRow>,
}

impl FlowsView {
    /// How many are not drawn one by one.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.bundles.iter().map(|bundle| bundle.count).sum()
    }
}

/// What was settled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GhostsView {
    /// The newest.
    pub items: Vec<Rc<HistoryItem>>,
    /// How many match what is looked for.
    pub matching: usize,
    /// How many the fold holds in all.
    pub held: usize,
}

/// How the connection stands, as the panel shows it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ConnectionView {
    /// The transport's word.
    pub state: ConnectionState,
    /// Whether a stream has greeted this page since it opened.
    pub greeted: bool,
    /// When what is shown was stored, by the witness's clock, if it comes from storage.
    pub stored_at: Option<Timestamp>,
    /// Newest offset applied.
    pub offset: Option<Offset>,
    /// What came in.
    pub counters: Counters,
    /// Deliveries that wait to be applied, in bytes.
    pub waiting_bytes: usize,
    /// Whether what arrives is replay.
    pub replaying: bool,
    /// The stream's address, as the witness would write it.
    pub address: String,
    /// Whether the address bar named it.
    pub chosen_by_address: bool,
    /// Something the page could not do and the witness should know.
    pub remark: Option<String>,
}

impl ConnectionView {
    /// Whether events arrive as they happen.
    #[must_use]
    pub fn is_live(&self) -> bool {
        matches!(self.state, ConnectionState::Live | ConnectionState::Polling)
    }
}

/// The clocks that the page shows or measures by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Times {
    /// The page's time, the source's own: every age is measured against it.
    pub now: Timestamp,
    /// How fast that runs.
    pub rate: f64,
    /// The witness's own clock, for what was stored.
    pub wall: Timestamp,
    /// Milliseconds since the page opened, for waits.
    pub monotonic: f64,
}

/// How the whole is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Figures {
    /// Entities that the fold holds.
    pub entity_count: usize,
    /// The pulse; `None` before anything is known.
    pub pulse: Option<Pulse>,
    /// Counts of the whole history.
    pub totals: Totals,
    /// When the newest event happened.
    pub last_time: Option<Timestamp>,
    /// Where the events come from.
    pub source: Option<SourceKind>,
}

/// The last hour on the time axis.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct HourView {
    /// Events in each half minute, oldest first.
    pub bins: Vec<u32>,
    /// The last minute against the hour.
    pub trend: Trend,
    /// What was opened, settled or broken, and how long ago.
    pub marks: Vec<(MarkKind, i64)>,
    /// From when to when no stream was heard, in milliseconds ago.
    pub gaps: Vec<(i64, i64)>,
    /// When each agent was at work.
    pub lanes: Vec<LaneView>,
}

/// A lane of the actogram.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneView {
    /// Whose it is.
    pub id: EntityId,
    /// The name of that.
    pub name: Text,
    /// In which half minutes of the hour it was at work, oldest first.
    pub bins: Vec<bool>,
}

/// Something that passes.
#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    /// Tells it from others.
    pub number: u64,
    /// Whom it is about.
    pub id: EntityId,
    /// What happened.
    pub what: String,
    /// Where.
    pub place: String,
    /// Why.
    pub why: String,
    /// When it goes, on the monotonic clock.
    pub until_millis: f64,
}

/// A tab of the detail panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tab {
    /// How it is.
    #[default]
    Status,
    /// What it says.
    Logs,
    /// With whom it works.
    Connections,
    /// What it has done.
    History,
}

/// What the witness looks at, and how. Lives as long as the page.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Gaze {
    /// Whose detail panel is open.
    pub entity: Option<EntityId>,
    /// Its tab.
    pub tab: Tab,
    /// Whether its raw event is shown.
    pub raw: bool,
    /// Words looked for in the ghost column.
    pub query: String,
    /// Ghosts that the witness has put away, by their numbers.
    pub dismissed: Vec<u64>,
    /// Whether the page stands still, while events go on being applied.
    pub paused: bool,
    /// Events that had been applied when it was paused.
    pub paused_at: u64,
    /// Whether those without room in the field are listed.
    pub everyone: bool,
    /// On a narrow screen: whether history stands in the place of the agents.
    pub history: bool,
    /// The bundle whose flows are told one by one: its source and its target.
    pub bundle: Option<(Option<EntityId>, Option<EntityId>)>,
    /// Broken agents whose words the witness has put aside.
    pub ignored: Vec<EntityId>,
}

impl Gaze {
    /// Closes what opened last.
    pub fn close_last(&mut self) {
        if self.raw {
            self.raw = false;
        } else if self.entity.is_some() {
            self.entity = None;
        } else if self.bundle.is_some() {
            self.bundle = None;
        } else if self.everyone {
            self.everyone = false;
        } else {
            self.query.clear();
        }
    }
}

/// Somebody looked at closely.
#[derive(Debug, Clone, PartialEq)]
pub struct DetailView {
    /// Who it is.
    pub id: EntityId,
    /// What the fold says of it; the last that was known when it is gone.
    pub entity: Entity,
    /// Whether the fold holds it no longer.
    pub gone: bool,
    /// The flows that it has a part in.
    pub flows: Vec<FlowRow>,
    /// What it has done, newest first.
    pub history: Vec<Rc<HistoryItem>>,
    /// How many log lines the page holds of it, and how many older ones it holds no longer.
    pub log_counts: (usize, u64),
    /// Its log lines, oldest first, when they are looked at.
    pub log: Vec<Line>,
    /// In which half hours of six days it was at work, oldest first.
    pub days: Vec<bool>,
    /// When asked for: its newest event as it came, empty when the page no longer holds it.
    pub raw: Option<String>,
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
    /// How the connection stands.
    pub connection: Topic<ConnectionView>,
    /// What the witness looks at.
    pub gaze: Topic<Gaze>,
    /// What is looked at closely.
    pub detail: Topic<Option<DetailView>>,
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
            times: Topic::new(Times { now: wall, rate: 1.0, wall, monotonic: 0.0 }),
            figures: Topic::new(Figures::default()),
            hour: Topic::new(HourView::default()),
            toasts: Topic::new(Vec::new()),
            milestone: Topic::new(None),
            connection: Topic::new(ConnectionView::default()),
            gaze: Topic::new(Gaze::default()),
            detail: Topic::new(None),
        }
    }

    /// Writes what `state` says of the agents in `touched`; what takes longer to find stays for
    /// [`write_work`](Self::write_work).
    pub fn write_agents(&self, state: &Civilization, touched: &Keys<EntityId>) {
        let mut changed = false;
        let mut agents = self.agents.peek_mut();
        for id in touched {
            let held = state.entity(id).filter(|entity| entity.kind == EntityKind::Agent);
            match (held, agents.binary_search_by(|agent| agent.id.cmp(id))) {
                (Some(entity), Ok(at)) => {
                    if let Some(agent) = agents.get_mut(at).filter(|agent| agent.entity != *entity) {
                        *agent = Rc::new(AgentView { entity: entity.clone(), ..AgentView::clone(agent) });
                        changed = true;
                    }
                }
                (Some(entity), Err(at)) => {
                    agents.insert(at, Rc::new(AgentView::new(id.clone(), entity.clone())));
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
        let bare = |agent: &Rc<AgentView>| AgentView::new(agent.id.clone(), agent.entity.clone());
        let mut work: Vec<AgentView> = self.agents.peek().iter().map(bare).collect();
        let find = |work: &[AgentView], id: &EntityId| work.binary_search_by(|agent| agent.id.cmp(id)).ok();
        for (id, entity) in state.entities() {
            let Some(at) = entity.parent.as_ref().and_then(|parent| find(&work, parent)) else { continue };
            let Some(agent) = work.get_mut(at) else { continue };
            let kind = match entity.kind {
                EntityKind::Agent => {
                    let (done, all) = agent.children.unwrap_or((0, 0));
                    let is_done = matches!(entity.status, EntityStatus::Complete | EntityStatus::Idle);
                    agent.children = Some((done + u32::from(is_done), all + 1));
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
                    agent.contradiction = Some(match a == b {
                        true => contradiction.over.to_string(),
                        false => format!("disagrees with {} on {}", short_id(other.as_str()), contradiction.over),
                    });
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

    /// Writes the ghost column: of all that the fold holds, what is looked for.
    pub fn write_ghosts(&self, state: &Civilization) {
        let query = lower(self.gaze.peek().query.trim());
        let mut ghosts = GhostsView { items: Vec::new(), matching: 0, held: state.history().len() };
        for item in state.history().filter(|item| is_about(item, &query, lower)) {
            ghosts.matching += 1;
            if ghosts.items.len() < GHOSTS_SHOWN_MAX {
                ghosts.items.push(Rc::new(item.clone()));
            }
        }
        self.ghosts.set(ghosts);
    }
}

/// Whether a history item has `query` in its label, its id or its agent's; `lower` makes letters small: the browser's
/// own on the page, where Rust's tables for it would cost 10 KB.
#[must_use]
pub fn is_about(item: &HistoryItem, query: &str, lower: fn(&str) -> String) -> bool {
    let has = |text: &str| lower(text).contains(query);
    query.is_empty()
        || has(item.label.as_str())
        || has(item.id.as_str())
        || item.agent.as_ref().is_some_and(|agent| has(agent.as_str()))
}

fn lower(text: &str) -> String {
    js_sys::JsString::from(text).to_lower_case().into()
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
