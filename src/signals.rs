//! The reactive state and its only writer: changes in, keyed updates out.
//!
//! A component reads these and nothing else. Knows nothing of transports, storage or drawing.

pub use crate::{ingest::Counters, transport::ConnectionState};

use crate::terrarium::layout::{Posture, Sitter};
use leptos::prelude::*;
use monkeytown_civilization::{
    AGENT_RECENT_MAX, Changes, Civilization, Entity, HistoryItem, HistoryKind, Outcome, Pulse, Totals,
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityStatus, FlowId, FlowKind, FlowStatus, HttpsUrl, Offset, SourceKind, Text, Timestamp,
};
use std::sync::Arc;

/// History items that the ghost column holds at once; the others are counted.
pub const GHOSTS_SHOWN_MAX: usize = 120;

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
}

/// An agent's place in the list and its own signal, so that one event redraws one card.
#[derive(Debug, Clone)]
pub struct AgentSlot {
    /// Who it is.
    pub id: EntityId,
    /// What its card shows.
    pub view: ArcRwSignal<AgentView>,
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
}

/// The flows to be seen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowsView {
    /// Those drawn.
    pub drawn: Vec<FlowRow>,
    /// How many are not.
    pub hidden: usize,
}

/// What was settled.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GhostsView {
    /// The newest.
    pub items: Vec<Arc<HistoryItem>>,
    /// How many the fold holds in all.
    pub held: usize,
}

/// How the connection stands, as the panel shows it.
#[derive(Debug, Clone, PartialEq)]
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

/// The clocks that the page shows or measures by. Few signals of few types: each type costs kilobytes.
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

/// Every signal of the page.
#[derive(Clone, Copy)]
pub struct Signals {
    /// The name in the wordmark.
    pub app_name: RwSignal<String>,
    /// Agents in the order of their ids.
    pub agents: RwSignal<Vec<AgentSlot>>,
    /// The same as the layout sees them.
    pub roster: RwSignal<Vec<Sitter>>,
    /// Flows to be seen.
    pub flows: RwSignal<FlowsView>,
    /// What was settled.
    pub ghosts: RwSignal<GhostsView>,
    /// What time it is; ticks once a second.
    pub times: RwSignal<Times>,
    /// How the whole is doing.
    pub figures: RwSignal<Figures>,
    /// How the connection stands.
    pub connection: RwSignal<ConnectionView>,
}

impl Signals {
    /// Signals of a page that knows nothing yet.
    #[must_use]
    pub fn new(wall: Timestamp) -> Self {
        Self {
            app_name: RwSignal::new("monkeytown".to_owned()),
            agents: RwSignal::default(),
            roster: RwSignal::default(),
            flows: RwSignal::default(),
            ghosts: RwSignal::default(),
            times: RwSignal::new(Times { now: wall, rate: 1.0, wall, monotonic: 0.0 }),
            figures: RwSignal::default(),
            connection: RwSignal::new(ConnectionView {
                state: ConnectionState::Connecting,
                greeted: false,
                stored_at: None,
                offset: None,
                counters: Counters::default(),
                waiting_bytes: 0,
                replaying: false,
                address: String::new(),
                chosen_by_address: false,
                remark: None,
            }),
        }
    }

    /// Writes what `changes` names of `state`, each key once.
    pub fn write(&self, state: &Civilization, changes: &Changes) {
        let mut touched = changes.entities.clone();
        // A contract or transaction that changed shows below its agent.
        touched.extend(changes.entities.iter().filter_map(|id| state.entity(id)?.parent.clone()));
        let mut membership = false;
        self.agents.with_untracked(|agents| {
            for id in &touched {
                let held = state.entity(id).filter(|entity| entity.kind == EntityKind::Agent);
                match (held, find(agents, id)) {
                    (Some(entity), Some(slot)) => {
                        let view = view_of(state, id, entity);
                        if slot.view.with_untracked(|before| *before != view) {
                            slot.view.set(view);
                        }
                    }
                    (Some(_), None) | (None, Some(_)) => membership = true,
                    (None, None) => {}
                }
            }
        });
        if membership {
            self.write_membership(state);
        }
        if !touched.is_empty() {
            set_if_other(self.roster, roster_of(state));
        }
        let mut figures = self.figures.get_untracked();
        figures.entity_count = state.entities().len();
        figures.totals = state.totals();
        figures.last_time = state.last_time();
        set_if_other(self.figures, figures);
    }

    fn write_membership(&self, state: &Civilization) {
        let agents = state.entities().filter(|(_, entity)| entity.kind == EntityKind::Agent);
        let slots = self.agents.with_untracked(|before| {
            let slot = |(id, entity): (&EntityId, &Entity)| {
                find(before, id)
                    .cloned()
                    .unwrap_or_else(|| AgentSlot { id: id.clone(), view: ArcRwSignal::new(view_of(state, id, entity)) })
            };
            agents.map(slot).collect()
        });
        self.agents.set(slots);
    }

    /// Writes the ghost column.
    pub fn write_ghosts(&self, state: &Civilization) {
        let items: Vec<Arc<HistoryItem>> = state.history().take(GHOSTS_SHOWN_MAX).cloned().map(Arc::new).collect();
        set_if_other(self.ghosts, GhostsView { items, held: state.history().len() });
    }
}

/// Sets a signal only when that changes something: an equal value would redraw for nothing.
pub fn set_if_other<T: PartialEq + Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    if signal.with_untracked(|before| *before != value) {
        signal.set(value);
    }
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

/// The slot of an agent among those in the order of ids.
fn find<'a>(agents: &'a [AgentSlot], id: &EntityId) -> Option<&'a AgentSlot> {
    agents.get(agents.binary_search_by(|slot| slot.id.cmp(id)).ok()?)
}

fn view_of(state: &Civilization, id: &EntityId, entity: &Entity) -> AgentView {
    AgentView { id: id.clone(), entity: entity.clone(), beads: recent_work(state, id) }
}

fn roster_of(state: &Civilization) -> Vec<Sitter> {
    let agents = state.entities().filter(|(_, entity)| entity.kind == EntityKind::Agent);
    agents.map(|(id, entity)| Sitter { id: id.clone(), posture: posture_of(entity) }).collect()
}

fn posture_of(entity: &Entity) -> Posture {
    match entity.status {
        EntityStatus::Idle => Posture::Rest,
        EntityStatus::Error => Posture::Broken,
        EntityStatus::Active | EntityStatus::Processing if entity.progress.is_some() => Posture::Measured,
        EntityStatus::Active | EntityStatus::Processing | EntityStatus::Complete => Posture::Card,
    }
}

/// The newest work of an agent: open contracts and transactions first, then what settled.
fn recent_work(state: &Civilization, agent: &EntityId) -> Vec<Bead> {
    let open =
        state.entities().filter(|(_, entity)| entity.parent.as_ref() == Some(agent)).filter_map(|(id, entity)| {
            let kind = match entity.kind {
                EntityKind::Agent => return None,
                EntityKind::Contract => HistoryKind::Contract,
                EntityKind::Transaction => HistoryKind::Transaction,
            };
            let (short, label) = (short_id(id.as_str()), entity.label.clone());
            Some(Bead { kind, outcome: None, short, label, url: entity.url.clone() })
        });
    // Far enough back to find something of almost everybody, near enough to be done in every frame.
    let settled = state.history().take(300).filter(|item| item.kind != HistoryKind::Run);
    let settled = settled.filter(|item| item.agent.as_ref() == Some(agent)).map(|item| Bead {
        kind: item.kind,
        outcome: Some(item.outcome),
        short: short_id(item.id.as_str()),
        label: item.label.clone(),
        url: item.url.clone(),
    });
    open.chain(settled).take(AGENT_RECENT_MAX).collect()
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
