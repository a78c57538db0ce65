//! History: what settled or broke, newest last, bounded; found by id.

use crate::{
    bounds::{HISTORY_BYTES_MAX, HISTORY_MAX, ITEM_BYTES, NAME_MAX_BYTES, REASON_MAX_BYTES, bytes_of, shorten},
    keyed::Keyed,
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, FromJson, HttpsUrl, Json, Text, Timestamp, Wrong,
};
use monkeytown_protocol::{record, words};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a history item was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HistoryKind {
    /// An agent's finished run. The agent itself never becomes history.
    Run,
    /// A pull request.
    Contract,
    /// A commit.
    Transaction,
}

words!(HistoryKind { Run = "run", Contract = "contract", Transaction = "transaction" });

impl HistoryKind {
    pub(crate) fn of(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Agent => Self::Run,
            EntityKind::Contract => Self::Contract,
            EntityKind::Transaction => Self::Transaction,
        }
    }
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// It came to something.
    Settled,
    /// It broke.
    Broken,
}

words!(Outcome { Settled = "settled", Broken = "broken" });

impl Outcome {
    pub(crate) fn of(status: EntityStatus) -> Option<Self> {
        match status {
            EntityStatus::Complete => Some(Self::Settled),
            EntityStatus::Error => Some(Self::Broken),
            EntityStatus::Idle | EntityStatus::Active | EntityStatus::Processing => None,
        }
    }
}

/// One thing that ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct HistoryItem {
    /// Its place in this civilization's history: 1, 2, 3 … Unlike the id it is never used twice.
    pub number: u64,
    /// What it was.
    pub kind: HistoryKind,
    /// How it ended.
    pub outcome: Outcome,
    /// Whom it is about.
    pub id: EntityId,
    /// The agent whose work it was, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<EntityId>,
    /// Its name: a subject, a title, what a run was doing.
    pub label: Text,
    /// Why it broke.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// Where the result is to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<HttpsUrl>,
    /// When it ended, by its source's clock.
    pub time: Timestamp,
}

record!(HistoryItem { number, kind, outcome, id, label, time; agent, reason, url });

impl HistoryItem {
    fn fit(&mut self) {
        self.label = self.label.clone().shortened(NAME_MAX_BYTES);
        shorten(&mut self.reason, REASON_MAX_BYTES);
    }

    /// What it counts, in bytes.
    fn bytes(&self) -> usize {
        let url = self.url.as_ref().map_or(0, |url| url.as_str().len());
        ITEM_BYTES + bytes_of(Some(&self.label)) + bytes_of(self.reason.as_ref()) + url
    }
}

/// The newest [`HISTORY_MAX`] items. Index and bytes are derived: they are made again, never stored.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "VecDeque<HistoryItem>", into = "VecDeque<HistoryItem>")]
pub(crate) struct History {
    items: VecDeque<HistoryItem>,
    /// Number of the newest item of an entity; contracts and transactions only, for runs repeat.
    by_id: Keyed<EntityId, u64>,
    bytes: usize,
}

impl History {
    pub(crate) fn items(&self) -> &VecDeque<HistoryItem> {
        &self.items
    }

    pub(crate) fn push(&mut self, mut item: HistoryItem) {
        item.number = self.items.back().map_or(1, |newest| newest.number.saturating_add(1));
        self.keep(item);
    }

    fn keep(&mut self, mut item: HistoryItem) {
        item.fit();
        self.bytes += item.bytes();
        if item.kind != HistoryKind::Run {
            self.by_id.insert(item.id.clone(), item.number);
        }
        self.items.push_back(item);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.items.len() > HISTORY_MAX || self.bytes > HISTORY_BYTES_MAX {
            let Some(oldest) = self.items.pop_front() else { break };
            self.bytes -= oldest.bytes();
            if self.by_id.get(&oldest.id) == Some(&oldest.number) {
                self.by_id.remove(&oldest.id);
            }
        }
    }

    /// The item of a settled contract or transaction.
    pub(crate) fn item(&mut self, id: &EntityId) -> Option<&mut HistoryItem> {
        let number = self.by_id.get(id).copied()?;
        let at = self.items.binary_search_by_key(&number, |item| item.number).ok()?;
        self.items.get_mut(at)
    }

    /// Whether `id` ended so, as far back as items are held. A walk over all of them: for what is opened again only.
    pub(crate) fn ended(&self, id: &EntityId, outcome: Outcome) -> bool {
        self.items.iter().any(|item| item.outcome == outcome && item.kind != HistoryKind::Run && item.id == *id)
    }

    /// Takes late words on a settled contract or transaction into its item. False when there is none.
    pub(crate) fn amend(&mut self, id: &EntityId, patch: &EntityPatch) -> bool {
        let Some(item) = self.item(id) else {
            return false;
        };
        let before = item.bytes();
        if let Some(label) = &patch.label {
            item.label = label.clone();
        }
        patch.reason.clone().merge_into(&mut item.reason);
        patch.parent.clone().merge_into(&mut item.agent);
        patch.url.clone().merge_into(&mut item.url);
        item.fit();
        let after = item.bytes();
        self.bytes = self.bytes + after - before;
        self.shrink();
        true
    }
}

impl<'a> FromJson<'a> for History {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        VecDeque::<HistoryItem>::from_json(json, wrong).map(Self::from)
    }
}

impl From<VecDeque<HistoryItem>> for History {
    fn from(items: VecDeque<HistoryItem>) -> Self {
        let mut history = Self::default();
        for mut item in items {
            // Stored items may be torn or edited: numbers must rise, or the search above would lie.
            let floor = history.items.back().map_or(0, |newest| newest.number);
            item.number = item.number.max(floor.saturating_add(1));
            history.keep(item);
        }
        history
    }
}

impl From<History> for VecDeque<HistoryItem> {
    fn from(history: History) -> Self {
        history.items
    }
}
