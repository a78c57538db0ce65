//! What a filter looks at: an entity, a flow, something that settled, a log line or a seed, as its terms ask for it.
//!
//! Knows the fold's words and the page's own for a status; nothing of terms.

use super::Filter;
use crate::voice;
use monkeytown_civilization::{Civilization, Entity, HistoryItem, HistoryKind, Line, Outcome};
use monkeytown_keepsakes::Seed;
use monkeytown_protocol::{EntityId, EntityKind, Flow, FlowStatus, SeedStatus, Text, Timestamp};

/// Something that a filter takes or leaves.
pub struct Subject<'a> {
    /// What is said of it.
    pub texts: &'a [&'a str],
    /// Whose it is: ids and names.
    pub whose: &'a [&'a str],
    /// Of what kind.
    pub kind: &'a str,
    /// How it stands, in the wire's word and the page's.
    pub statuses: [&'a str; 2],
    /// What sort of thing it is.
    pub sort: &'a str,
    /// When it was last another.
    pub time: Timestamp,
}

fn text(text: &Option<Text>) -> &str {
    text.as_ref().map_or("", Text::as_str)
}

fn label<'a>(state: &'a Civilization, id: &EntityId) -> &'a str {
    state.entity(id).map_or("", |entity| entity.label.as_str())
}

impl Filter {
    /// Whether it takes an entity.
    #[must_use]
    pub fn takes_entity(&self, state: &Civilization, (id, entity): (&EntityId, &Entity), now: Timestamp) -> bool {
        let (id, name) = (id.as_str(), entity.label.as_str());
        let parent = entity.parent.as_ref();
        let of = [parent.map_or("", EntityId::as_str), parent.map_or("", |id| label(state, id)), id, name];
        let is_agent = entity.kind == EntityKind::Agent;
        self.takes(
            &Subject {
                texts: &[name, id, text(&entity.activity), text(&entity.reason)],
                // An agent is its own, and of those above it.
                whose: if is_agent { &of } else { &of[..2] },
                kind: entity.kind.as_str(),
                statuses: [entity.status.as_str(), voice::status(entity.status)],
                sort: if entity.kind == EntityKind::Transaction { "commit" } else { entity.kind.as_str() },
                time: entity.updated,
            },
            now,
        )
    }

    /// Whether it takes a flow of that moment.
    #[must_use]
    pub fn takes_flow(&self, state: &Civilization, (flow, time): (&Flow, Timestamp), now: Timestamp) -> bool {
        let (from, to) = (&flow.source, &flow.target);
        let ends = [from.as_str(), label(state, from), to.as_str(), label(state, to)];
        let [a, b, c, d] = ends;
        let word = match flow.status {
            FlowStatus::Complete => "settled",
            FlowStatus::Error => "broken",
            open => open.as_str(),
        };
        self.takes(
            &Subject {
                texts: &[flow.id.as_str(), text(&flow.reason), a, b, c, d],
                whose: &ends,
                kind: flow.kind.as_str(),
                statuses: [flow.status.as_str(), word],
                sort: "flow",
                time,
            },
            now,
        )
    }

    /// Whether it takes something that settled or broke.
    #[must_use]
    pub fn takes_item(&self, state: &Civilization, item: &HistoryItem, now: Timestamp) -> bool {
        let agent = item.agent.as_ref();
        let whose = [agent.map_or("", EntityId::as_str), agent.map_or("", |id| label(state, id)), item.id.as_str()];
        let [of, ..] = whose;
        let (kind, sort) = match item.kind {
            HistoryKind::Run => ("agent", "run"),
            HistoryKind::Contract => ("contract", "contract"),
            HistoryKind::Transaction => ("transaction", "commit"),
        };
        self.takes(
            &Subject {
                texts: &[item.label.as_str(), item.id.as_str(), text(&item.reason), of],
                whose: if item.kind == HistoryKind::Run { &whose } else { &whose[..2] },
                kind,
                statuses: match item.outcome {
                    Outcome::Settled => ["settled", "complete"],
                    Outcome::Broken => ["broken", "error"],
                },
                sort,
                time: item.time,
            },
            now,
        )
    }

    /// Whether it takes a line of somebody's log.
    #[must_use]
    pub fn takes_line(&self, whose: &[&str], line: &Line, now: Timestamp) -> bool {
        self.takes(
            &Subject {
                texts: &[line.message.as_str()],
                whose,
                kind: "",
                statuses: [line.level.as_str(), ""],
                sort: "log",
                time: line.time,
            },
            now,
        )
    }

    /// Whether it takes one of the witness's seeds. Those are planted by the witness's clock: `wall` is what it shows.
    #[must_use]
    pub fn takes_seed(&self, seed: &Seed, wall: Timestamp) -> bool {
        let planted = i64::try_from(seed.planted_millis).unwrap_or_default();
        self.takes(
            &Subject {
                texts: &[&seed.form.first, &seed.form.second, &seed.id],
                whose: &[],
                kind: seed.form.seed_type.as_str(),
                statuses: [
                    seed.status.as_str(),
                    match seed.status {
                        SeedStatus::Complete => "settled",
                        SeedStatus::Error => "broken",
                        _ => "",
                    },
                ],
                sort: "seed",
                time: Timestamp::from_millis(planted),
            },
            wall,
        )
    }
}
