//! Entities: merged field by field, last write wins in stream order.

use crate::{
    Changes, Civilization, HistoryItem, HistoryKind, MarkKind, Outcome,
    bounds::{
        ENTITIES_BYTES_MAX, ENTITIES_MAX, ITEM_BYTES, NAME_MAX_BYTES, REASON_MAX_BYTES, Touched, bytes_of, make_room,
        shorten,
    },
    contradictions::Claim,
    state::count,
};
use monkeytown_protocol::record;
use monkeytown_protocol::{
    Domain, EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Field, Files, HttpsUrl, Metrics, Ratio,
    SourceUri, Text, Timestamp,
};
use serde::Serialize;

/// An entity as the events so far tell it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// How it is.
    pub status: EntityStatus,
    /// Its name; its id until an event names it.
    pub label: Text,
    /// What it is doing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub activity: Option<Text>,
    /// How far it has come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<Ratio>,
    /// Why it is broken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Text>,
    /// Its figures.
    pub metrics: Metrics,
    /// Whose it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent: Option<EntityId>,
    /// Where its result is to be seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<HttpsUrl>,
    /// The folder it owns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<Domain>,
    /// The files that it changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub files: Option<Files>,
    /// Since when it has its status, by its source's clock.
    pub since: Timestamp,
    /// When it was last heard of, by its source's clock.
    pub updated: Timestamp,
    /// When an agent's present run began, or its last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub began: Option<Timestamp>,
    /// When an agent's last run ended; `None` while it is at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<Timestamp>,
    /// Whether that run ended without breaking.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub ended_well: bool,
    /// The last two sources that claimed it, the latest last.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) claims: Vec<Claim>,
    /// Whether it settled before, and was opened again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) settled_before: bool,
    /// Whether it broke before, and was opened again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) broken_before: bool,
    pub(crate) touched: u64,
}

record!(Entity { kind, status, label, since, updated, touched; activity, progress, reason, metrics, parent, url, domain, began, ended, ended_well, files, claims, settled_before, broken_before });

impl Touched for Entity {
    fn touched(&self) -> u64 {
        self.touched
    }
}

impl Entity {
    /// An entity of which nothing is known but that it is spoken of.
    fn unknown(id: &EntityId, time: Timestamp) -> Self {
        Self {
            kind: EntityKind::Agent,
            status: EntityStatus::Idle,
            label: Text::fitted(id.as_str()),
            activity: None,
            progress: None,
            reason: None,
            metrics: Metrics::default(),
            parent: None,
            url: None,
            domain: None,
            files: None,
            since: time,
            updated: time,
            began: None,
            ended: None,
            ended_well: false,
            claims: Vec::new(),
            settled_before: false,
            broken_before: false,
            touched: 0,
        }
    }

    /// Whether it is an agent that works or thinks.
    #[must_use]
    pub fn is_at_work(&self) -> bool {
        self.kind == EntityKind::Agent && matches!(self.status, EntityStatus::Active | EntityStatus::Processing)
    }

    /// Keeps of its texts what anybody reads, and of what an edited snapshot holds what is asked for.
    pub(crate) fn fit(&mut self) {
        if is_long(&self.label) {
            self.label = self.label.clone().shortened(NAME_MAX_BYTES);
        }
        shorten(&mut self.activity, NAME_MAX_BYTES);
        shorten(&mut self.reason, REASON_MAX_BYTES);
        if let Some(domain) = self.domain.as_mut().filter(|domain| is_long(&domain.path)) {
            domain.path = domain.path.clone().shortened(NAME_MAX_BYTES);
        }
        if let Some(files) = self.files.as_mut().filter(|files| files.names().iter().any(is_long)) {
            *files = Files::fitted(files.names().iter().map(|name| name.clone().shortened(NAME_MAX_BYTES)));
        }
        self.fit_claims();
    }

    /// What it counts, in bytes.
    pub(crate) fn bytes(&self) -> usize {
        let texts = [Some(&self.label), self.activity.as_ref(), self.reason.as_ref()];
        let files = self.files.as_ref().map(Files::names).unwrap_or_default();
        ITEM_BYTES
            + texts.into_iter().map(bytes_of).sum::<usize>()
            + files.iter().map(|name| name.as_str().len() + 16).sum::<usize>()
            + self.url.as_ref().map_or(0, |url| url.as_str().len())
            + self.domain.as_ref().map_or(0, |domain| domain.path.as_str().len())
    }

    fn merge(&mut self, patch: EntityPatch, time: Timestamp) {
        self.updated = time;
        let (status_before, at_work_before) = (self.status, self.is_at_work());
        if let Some(status) = patch.status {
            if status != self.status {
                self.since = time;
                if status != EntityStatus::Error {
                    self.reason = None;
                }
            }
            self.status = status;
        }
        self.kind = patch.kind.unwrap_or(self.kind);
        // A name that shows nothing names nobody; the one before, or the id, stays.
        let shows = |label: &Text| label.as_str().chars().any(|c| !c.is_whitespace() && c != '\u{200b}');
        if let Some(label) = patch.label.filter(shows) {
            self.label = label;
        }
        match patch.metrics {
            Field::Absent => {}
            Field::Cleared => self.metrics = Metrics::default(),
            Field::Set(metrics) => metrics.merge_into(&mut self.metrics),
        }
        patch.activity.merge_into(&mut self.activity);
        patch.progress.merge_into(&mut self.progress);
        patch.reason.merge_into(&mut self.reason);
        patch.parent.merge_into(&mut self.parent);
        patch.url.merge_into(&mut self.url);
        patch.domain.merge_into(&mut self.domain);
        patch.files.merge_into(&mut self.files);
        self.fit();
        let outcome = Outcome::of(self.status).filter(|_| self.status != status_before);
        match (at_work_before, self.is_at_work()) {
            (false, true) => (self.began, self.ended, self.ended_well) = (Some(time), None, false),
            // Some sources tell of no outcome: their agents just rest.
            (true, false) => (self.ended, self.ended_well) = (Some(time), outcome != Some(Outcome::Broken)),
            // A run of which only the end was heard.
            (false, false) if outcome.is_some() => {
                (self.ended, self.ended_well) = (Some(time), outcome == Some(Outcome::Settled));
            }
            _ => {}
        }
    }
}

impl Civilization {
    pub(crate) fn apply_entity(
        &mut self,
        verb: EntityVerb,
        patch: EntityPatch,
        source: SourceUri,
        time: Timestamp,
        changes: &mut Changes,
    ) {
        let id = patch.id.clone();
        if verb == EntityVerb::Deleted {
            if let Some(deleted) = self.entities.remove(&id) {
                self.entity_bytes -= deleted.bytes();
                changes.entities.extend(deleted.parent);
                self.activity.tell(&id, false, time, self.totals.events);
                changes.entities.insert(id);
            }
            return;
        }
        let held = self.entities.remove(&id);
        self.entity_bytes -= held.as_ref().map_or(0, Entity::bytes);
        let kind_before = held.as_ref().map(|entity| entity.kind);
        let mut entity = match held {
            Some(entity) => entity,
            // Late words on what is already history belong to the item, unless they open it again.
            None if !patch.status.is_some_and(is_open) && self.history.amend(&id, &patch) => {
                changes.history = true;
                changes.entities.extend(self.history.item(&id).and_then(|item| item.agent.clone()));
                return;
            }
            None => {
                self.forget_entities(ENTITIES_MAX, time, changes);
                let mut entity = Entity::unknown(&id, time);
                // What is opened again is what it was: history knows it.
                if let Some(item) = self.history.item(&id) {
                    entity.kind = match item.kind {
                        HistoryKind::Contract => EntityKind::Contract,
                        HistoryKind::Transaction => EntityKind::Transaction,
                        HistoryKind::Run => EntityKind::Agent,
                    };
                    entity.label = item.label.clone();
                    entity.parent = item.agent.clone();
                    entity.url = item.url.clone();
                    entity.settled_before = self.history.ended(&id, Outcome::Settled);
                    entity.broken_before = self.history.ended(&id, Outcome::Broken);
                }
                entity
            }
        };
        let before = entity.status;
        let parent_before = entity.parent.clone();
        // Figures may come from anywhere; who says what it is, or how, claims it.
        if patch.kind.is_some() || patch.status.is_some() {
            entity.claim(source, time);
        }
        entity.merge(patch, time);
        entity.touched = self.totals.events;
        changes.entities.insert(id.clone());
        if entity.kind == EntityKind::Agent || kind_before == Some(EntityKind::Agent) {
            self.activity.tell(&id, entity.is_at_work(), time, self.totals.events);
            // Its parent tells how many of its children are done.
            if before != entity.status || parent_before != entity.parent {
                changes.entities.extend(parent_before);
                changes.entities.extend(entity.parent.clone());
            }
        }
        if entity.kind == EntityKind::Contract && kind_before != Some(entity.kind) && is_open(entity.status) {
            self.marks.push(MarkKind::Opened, time, id.clone());
        }
        if let Some(outcome) = Outcome::of(entity.status) {
            let kind = HistoryKind::of(entity.kind);
            if kind != HistoryKind::Run || before != entity.status {
                self.settle(kind, outcome, &id, &entity, time, changes);
                changes.history = true;
                // Whose work it was shows it too.
                changes.entities.extend(entity.parent.clone());
            }
            if kind != HistoryKind::Run {
                return;
            }
        }
        self.entity_bytes += entity.bytes();
        self.entities.insert(id, entity);
        if self.entity_bytes > ENTITIES_BYTES_MAX {
            self.forget_entities(self.entities.len(), time, changes);
        }
    }

    /// Makes room for one more of `max` entities.
    fn forget_entities(&mut self, max: usize, time: Timestamp, changes: &mut Changes) {
        let gone = make_room(&mut self.entities, max);
        if gone.is_empty() {
            return;
        }
        self.entity_bytes = self.entities.values().map(Entity::bytes).sum();
        count(&mut self.totals.forgotten, gone.len());
        for gone in gone {
            // Nobody will hear of its end.
            self.activity.tell(&gone, false, time, self.totals.events);
            changes.entities.insert(gone);
        }
    }

    /// How many of an agent's sub-agents are done, and how many it has; `None` when it has none.
    ///
    /// Done is whose last run ended without breaking, after its parent's present run (or last one) began. Contracts and
    /// transactions are no children here: they become history when they end.
    #[must_use]
    pub fn children_done(&self, parent: &EntityId) -> Option<(u32, u32)> {
        let began = self.entities.get(parent).and_then(|parent| parent.began);
        let (mut done, mut all) = (0, 0);
        for child in self.entities.values() {
            if child.kind == EntityKind::Agent && child.parent.as_ref() == Some(parent) {
                all += 1;
                done += u32::from(child.ended_well && child.ended >= began);
            }
        }
        (all > 0).then_some((done, all))
    }

    fn settle(
        &mut self,
        kind: HistoryKind,
        outcome: Outcome,
        id: &EntityId,
        entity: &Entity,
        time: Timestamp,
        changes: &mut Changes,
    ) {
        match (kind, outcome) {
            // What was opened again has been counted, as far back as history is held.
            (HistoryKind::Contract, Outcome::Settled) if entity.settled_before => {}
            (HistoryKind::Contract, Outcome::Broken) if entity.broken_before => {}
            (HistoryKind::Transaction, _) if entity.settled_before || entity.broken_before => {}
            (HistoryKind::Contract, Outcome::Settled) => {
                count(&mut self.totals.contracts_settled, 1);
                changes.milestone = Some(self.totals.contracts_settled).filter(is_milestone).or(changes.milestone);
            }
            (HistoryKind::Contract, Outcome::Broken) => count(&mut self.totals.contracts_broken, 1),
            (HistoryKind::Transaction, _) => count(&mut self.totals.transactions, 1),
            (HistoryKind::Run, _) => count(&mut self.totals.runs, 1),
        }
        match (kind, outcome) {
            (_, Outcome::Broken) => self.marks.push(MarkKind::Broken, time, id.clone()),
            (HistoryKind::Contract, Outcome::Settled) => self.marks.push(MarkKind::Settled, time, id.clone()),
            _ => {}
        }
        let (agent, label) = match kind {
            HistoryKind::Run => (Some(id.clone()), entity.activity.as_ref().unwrap_or(&entity.label)),
            HistoryKind::Contract | HistoryKind::Transaction => (entity.parent.clone(), &entity.label),
        };
        self.history.push(HistoryItem {
            number: 0,
            kind,
            outcome,
            id: id.clone(),
            agent,
            label: label.clone(),
            reason: entity.reason.clone(),
            url: entity.url.clone(),
            time,
        });
    }
}

/// A hundred or more, and one or five with nothing but noughts.
fn is_milestone(settled: &u64) -> bool {
    let mut rest = *settled;
    while rest >= 10 && rest.is_multiple_of(10) {
        rest /= 10;
    }
    *settled >= 100 && matches!(rest, 1 | 5)
}

fn is_long(name: &Text) -> bool {
    name.as_str().len() > NAME_MAX_BYTES
}

fn is_open(status: EntityStatus) -> bool {
    Outcome::of(status).is_none()
}
