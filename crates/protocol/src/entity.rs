//! Entities: agents, contracts and transactions, as an event reports them.
//!
//! Knows nothing of how reports are merged; that is the fold's.

use crate::{EntityId, FromJson, HttpsUrl, Json, Ratio, Text, Wrong, limits::FILES_MAX};
use crate::{record, shaped_record, words};
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityKind {
    /// Acts, and owns a domain.
    Agent,
    /// An agreement between an agent and the people who filter: a pull request.
    Contract,
    /// One atomic change of state: a commit.
    Transaction,
}

words!(EntityKind { Agent = "agent", Contract = "contract", Transaction = "transaction" });

/// How an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EntityStatus {
    /// Rests.
    Idle,
    /// Works.
    Active,
    /// Thinks.
    Processing,
    /// Has settled.
    Complete,
    /// Is broken.
    Error,
}

words!(EntityStatus { Idle = "idle", Active = "active", Processing = "processing", Complete = "complete", Error = "error" });

/// A field of a merge: left as it is, taken away (`null`), or set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Field<T> {
    /// The event says nothing of it.
    #[default]
    Absent,
    /// The event says that there is none any more (`null`).
    Cleared,
    /// The event's value.
    Set(T),
}

impl<T> Field<T> {
    /// Whether the event says nothing of it.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// Merges into `target`: last write wins.
    pub fn merge_into(self, target: &mut Option<T>) {
        match self {
            Self::Absent => {}
            Self::Cleared => *target = None,
            Self::Set(value) => *target = Some(value),
        }
    }
}

impl<T> From<Option<T>> for Field<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Cleared, Self::Set)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Field<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::from)
    }
}

impl<'a, T: FromJson<'a>> FromJson<'a> for Field<T> {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Option::from_json(json, wrong).map(Self::from)
    }
}

impl<T: Serialize> Serialize for Field<T> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(value) => serializer.serialize_some(value),
            Self::Cleared | Self::Absent => serializer.serialize_none(),
        }
    }
}

/// Figures of an entity; each is merged on its own.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct Metrics {
    /// Share of effort that came to something.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub efficiency: Option<Ratio>,
    /// Share of its capacity in use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<Ratio>,
    /// How many others it works with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
}

record!(Metrics { ; efficiency, load, connections });

/// What an entity event says of figures; `null` takes one away.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct MetricsPatch {
    /// Share of effort that came to something.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub efficiency: Field<Ratio>,
    /// Share of its capacity in use.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub load: Field<Ratio>,
    /// How many others it works with.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub connections: Field<u32>,
}

shaped_record!(MetricsPatch { ; efficiency, load, connections });

impl From<Metrics> for MetricsPatch {
    /// Says the figures that there are, and nothing of the others.
    fn from(metrics: Metrics) -> Self {
        Self {
            efficiency: metrics.efficiency.map_or(Field::Absent, Field::Set),
            load: metrics.load.map_or(Field::Absent, Field::Set),
            connections: metrics.connections.map_or(Field::Absent, Field::Set),
        }
    }
}

impl MetricsPatch {
    /// Merges each figure: last write wins.
    pub fn merge_into(self, metrics: &mut Metrics) {
        self.efficiency.merge_into(&mut metrics.efficiency);
        self.load.merge_into(&mut metrics.load);
        self.connections.merge_into(&mut metrics.connections);
    }
}

/// What a run of an agent wrote and asked. It stands among the figures of `monkeytown.entity.metrics_updated`; the stream
/// measures it, and the fold and the page pass it over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunFigures {
    /// Bytes of the files that the run wrote.
    pub output_bytes: Option<u64>,
    /// Calls of an API that the run made.
    pub api_calls: Option<u32>,
}

shaped_record!(RunFigures { ; output_bytes, api_calls });

/// The folder that an agent owns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Domain {
    /// Path in the repository, as people write it (`.monkeytown/architecture/`).
    pub path: Text,
    /// Files under it.
    pub files: u32,
}

shaped_record!(Domain { path, files;  });

/// Names of files that an entity changes, as its source writes them: at most [`FILES_MAX`]. Cloning shares them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Text>")]
pub struct Files(std::sync::Arc<[Text]>);

/// More than [`FILES_MAX`] names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyFiles;

impl fmt::Display for TooManyFiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an entity names at most {FILES_MAX} files")
    }
}

impl std::error::Error for TooManyFiles {}

impl Files {
    /// The first [`FILES_MAX`] of `names`.
    #[must_use]
    pub fn fitted(names: impl IntoIterator<Item = Text>) -> Self {
        Self(names.into_iter().take(FILES_MAX).collect())
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[Text] {
        &self.0
    }
}

impl<'a> FromJson<'a> for Files {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        Self::try_from(Vec::from_json(json, wrong)?).ok().or_else(|| wrong.say("names too many files"))
    }
}

impl TryFrom<Vec<Text>> for Files {
    type Error = TooManyFiles;
    fn try_from(names: Vec<Text>) -> Result<Self, TooManyFiles> {
        if names.len() > FILES_MAX { Err(TooManyFiles) } else { Ok(Self(names.into())) }
    }
}

/// What an entity event says. Everything but the id may be left out; `null` takes an optional field away.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EntityPatch {
    /// Whom it is about.
    pub id: EntityId,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<EntityKind>,
    /// How it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<EntityStatus>,
    /// Its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Text>,
    /// What it is doing, verb and object.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub activity: Field<Text>,
    /// How far it has come.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub progress: Field<Ratio>,
    /// Why it is broken.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub reason: Field<Text>,
    /// Its figures.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub metrics: Field<MetricsPatch>,
    /// Whose it is: a sub-agent's agent, a transaction's or contract's author.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub parent: Field<EntityId>,
    /// Where its result is to be seen.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub url: Field<HttpsUrl>,
    /// The folder it owns.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub domain: Field<Domain>,
    /// The files that it changes: what two open contracts may contradict each other over.
    #[serde(skip_serializing_if = "Field::is_absent")]
    pub files: Field<Files>,
}

shaped_record!(EntityPatch { id; kind, status, label, activity, progress, reason, metrics, parent, url, domain, files });

impl EntityPatch {
    /// A report on `id` that says nothing yet.
    #[must_use]
    pub fn of(id: EntityId) -> Self {
        Self {
            id,
            kind: None,
            status: None,
            label: None,
            activity: Field::Absent,
            progress: Field::Absent,
            reason: Field::Absent,
            metrics: Field::Absent,
            parent: Field::Absent,
            url: Field::Absent,
            domain: Field::Absent,
            files: Field::Absent,
        }
    }
}
