//! An event, decoded: its envelope's attributes and what its type says that `data` holds.
//!
//! Knows nothing of order or offsets (those are the stream's) and nothing of what an event does to the
//! state (that is the fold's).

use crate::shape::{Shape, Shaped};
use crate::shaped_record;
use crate::{
    Alert, EntityId, EntityPatch, EventId, Flow, FlowId, FlowStatus, FromJson, HealthChange, Json, LogLine, RunFigures,
    SeedId, SeedReport, SeedStatus, SourceUri, SystemMetrics, Text, Timestamp, Wrong, object::ObjectOnly,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use std::{fmt, sync::Arc};

/// What is said of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntityVerb {
    /// It exists.
    Created,
    /// Something of it changed.
    Updated,
    /// Its status changed.
    StatusChanged,
    /// Its figures changed.
    MetricsUpdated,
    /// It is gone.
    Deleted,
}

/// What is said of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlowVerb {
    /// Announced.
    Created,
    /// Moving.
    Started,
    /// Has moved on.
    Progress,
    /// Arrived.
    Complete,
    /// Broken.
    Failed,
}

/// What is said of a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeedVerb {
    /// Planted.
    Planted,
    /// An agent has found it.
    Discovery,
    /// It grows.
    Progress,
    /// It has come to something.
    Complete,
    /// It has come to nothing.
    Failed,
}

/// The types of `events.md`, and every other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventType {
    /// `monkeytown.entity.*`
    Entity(EntityVerb),
    /// `monkeytown.flow.*`
    Flow(FlowVerb),
    /// `monkeytown.seed.*`
    Seed(SeedVerb),
    /// `monkeytown.system.metrics`
    SystemMetrics,
    /// `monkeytown.system.alert`
    SystemAlert,
    /// `monkeytown.system.health_changed`
    SystemHealth,
    /// `monkeytown.log.line`
    LogLine,
    /// Of somebody else: stored, delivered, listed, not drawn.
    Unknown,
}

/// Every known type with its name; the one table that reading and writing share.
const TYPES: [(EventType, &str); 19] = [
    (EventType::Entity(EntityVerb::Created), "monkeytown.entity.created"),
    (EventType::Entity(EntityVerb::Updated), "monkeytown.entity.updated"),
    (EventType::Entity(EntityVerb::StatusChanged), "monkeytown.entity.status_changed"),
    (EventType::Entity(EntityVerb::MetricsUpdated), "monkeytown.entity.metrics_updated"),
    (EventType::Entity(EntityVerb::Deleted), "monkeytown.entity.deleted"),
    (EventType::Flow(FlowVerb::Created), "monkeytown.flow.created"),
    (EventType::Flow(FlowVerb::Started), "monkeytown.flow.started"),
    (EventType::Flow(FlowVerb::Progress), "monkeytown.flow.progress"),
    (EventType::Flow(FlowVerb::Complete), "monkeytown.flow.complete"),
    (EventType::Flow(FlowVerb::Failed), "monkeytown.flow.failed"),
    (EventType::Seed(SeedVerb::Planted), "monkeytown.seed.planted"),
    (EventType::Seed(SeedVerb::Discovery), "monkeytown.seed.discovery"),
    (EventType::Seed(SeedVerb::Progress), "monkeytown.seed.progress"),
    (EventType::Seed(SeedVerb::Complete), "monkeytown.seed.complete"),
    (EventType::Seed(SeedVerb::Failed), "monkeytown.seed.failed"),
    (EventType::SystemMetrics, "monkeytown.system.metrics"),
    (EventType::SystemAlert, "monkeytown.system.alert"),
    (EventType::SystemHealth, "monkeytown.system.health_changed"),
    (EventType::LogLine, "monkeytown.log.line"),
];

impl EventType {
    /// Reads a `CloudEvents` type. A name this project does not define is [`EventType::Unknown`].
    #[must_use]
    pub fn parse(name: &str) -> Self {
        TYPES.iter().find(|(_, known)| *known == name).map_or(Self::Unknown, |(event_type, _)| *event_type)
    }

    /// The known types and their names, in the order of `events.md`.
    #[must_use]
    pub fn known() -> &'static [(Self, &'static str)] {
        &TYPES
    }
}

/// What an event says, by its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Payload {
    /// Of an entity.
    Entity(EntityVerb, Box<EntityPatch>),
    /// Of a flow.
    Flow(FlowVerb, Flow),
    /// Of a seed.
    Seed(SeedVerb, SeedReport),
    /// Figures of the whole.
    SystemMetrics(SystemMetrics),
    /// An alert.
    SystemAlert(Alert),
    /// A source's word on health.
    SystemHealth(HealthChange),
    /// A line of a log.
    LogLine(LogLine),
    /// Of a type that this project does not define: its name. The data stays with the bytes.
    Unknown(Arc<str>),
}

/// An event, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// With `source` its identity.
    pub id: EventId,
    /// Who says it.
    pub source: SourceUri,
    /// When it happened, by the source's clock.
    pub time: Timestamp,
    /// When the stream accepted it (`recordedtime`).
    pub recorded: Option<Timestamp>,
    /// W3C Trace Context `traceparent`, as it came.
    pub trace: Option<Arc<str>>,
    /// The event or seed that caused this one (`causationid`).
    pub cause: Option<Arc<str>>,
    /// What it says.
    pub payload: Payload,
}

/// Data of a flow event: the status may be left to the type.
struct FlowData {
    id: FlowId,
    source: EntityId,
    target: EntityId,
    kind: crate::FlowKind,
    status: Option<FlowStatus>,
    progress: Option<crate::Ratio>,
    reason: Option<Text>,
}

shaped_record!(FlowData { id, source, target, kind; status, progress, reason });

/// Data of a seed event: the status may be left to the type.
struct SeedData {
    id: SeedId,
    seed_type: crate::SeedType,
    status: Option<SeedStatus>,
    progress: crate::Ratio,
    result: Option<crate::HttpsUrl>,
}

shaped_record!(SeedData { id, seed_type as "type"; status, progress, result });

impl FlowVerb {
    fn status(self) -> FlowStatus {
        match self {
            Self::Created => FlowStatus::Pending,
            Self::Started | Self::Progress => FlowStatus::Active,
            Self::Complete => FlowStatus::Complete,
            Self::Failed => FlowStatus::Error,
        }
    }

    /// A flow may be announced in any state; the other verbs say which.
    fn agrees_with(self, status: FlowStatus) -> bool {
        self == Self::Created || self.status() == status
    }
}

impl SeedVerb {
    fn status(self) -> SeedStatus {
        match self {
            Self::Planted => SeedStatus::Pending,
            Self::Discovery | Self::Progress => SeedStatus::Growing,
            Self::Complete => SeedStatus::Complete,
            Self::Failed => SeedStatus::Error,
        }
    }
}

/// A status in `data` that the event's type denies.
const CONTRADICTION: Wrong = Wrong { field: "status", why: "contradicts the event's type" };

impl EntityVerb {
    /// The field that the verb is about.
    fn needs(self) -> Option<&'static str> {
        match self {
            Self::Created => Some("kind"),
            Self::StatusChanged => Some("status"),
            Self::MetricsUpdated => Some("metrics"),
            Self::Updated | Self::Deleted => None,
        }
    }

    /// The payload, when `patch` has what the verb is about.
    fn tell(self, patch: EntityPatch) -> Result<Payload, Wrong> {
        let lacks = match self {
            Self::Created => patch.kind.is_none(),
            Self::StatusChanged => patch.status.is_none(),
            Self::MetricsUpdated => patch.metrics.is_absent(),
            Self::Updated | Self::Deleted => false,
        };
        match self.needs() {
            Some(field) if lacks => Err(Wrong::missing(field)),
            _ => Ok(Payload::Entity(self, Box::new(patch))),
        }
    }
}

impl FlowVerb {
    /// The payload, with what the verb says where `data` does not.
    fn tell(self, data: FlowData) -> Result<Payload, Wrong> {
        let FlowData { id, source, target, kind, status, progress, reason } = data;
        let status = status.unwrap_or(self.status());
        if !self.agrees_with(status) {
            return Err(CONTRADICTION);
        }
        let arrived = if status == FlowStatus::Complete { crate::Ratio::ONE } else { crate::Ratio::ZERO };
        let progress = progress.unwrap_or(arrived);
        Ok(Payload::Flow(self, Flow { id, source, target, kind, status, progress, reason }))
    }
}

impl SeedVerb {
    /// The payload, with the status that the verb says.
    fn tell(self, data: SeedData) -> Result<Payload, Wrong> {
        let SeedData { id, seed_type, status: said, progress, result } = data;
        let status = self.status();
        if said.is_some_and(|said| said != status) {
            return Err(CONTRADICTION);
        }
        Ok(Payload::Seed(self, SeedReport { id, seed_type, status, progress, result }))
    }
}

impl EventType {
    /// What `data` of this type looks like; `None` when that is for others to say.
    #[must_use]
    pub fn data_shape(self) -> Option<Shape> {
        let said_by_type = |shape: Shape, words: Vec<&'static str>| {
            shape.with("status", |status| status.shape = Shape::OrNull(Box::new(Shape::Word(words.clone()))))
        };
        Some(match self {
            Self::Entity(verb) => match verb.needs() {
                Some(field) => EntityPatch::shape().with(field, |shape| {
                    shape.needed = true;
                    // Figures may all be taken away; a kind and a status are said or not.
                    shape.shape = match field {
                        "metrics" => shape.shape.clone().and(RunFigures::shape()),
                        _ => shape.shape.clone().certain(),
                    };
                }),
                None => EntityPatch::shape(),
            },
            Self::Flow(FlowVerb::Created) => FlowData::shape(),
            Self::Flow(verb) => said_by_type(FlowData::shape(), vec![verb.status().as_str()]),
            Self::Seed(verb) => said_by_type(SeedData::shape(), vec![verb.status().as_str()]),
            Self::SystemMetrics => SystemMetrics::shape(),
            Self::SystemAlert => Alert::shape(),
            Self::SystemHealth => HealthChange::shape(),
            Self::LogLine => LogLine::shape(),
            Self::Unknown => return None,
        })
    }
}

impl Payload {
    /// Reads `data` as the type called `name` defines it.
    ///
    /// # Errors
    /// When `data` is not what the type defines. A type that this project does not define reads nothing.
    pub fn deserialize<'de, D: Deserializer<'de>>(name: &str, data: D) -> Result<Self, D::Error> {
        let data = ObjectOnly(data);
        match EventType::parse(name) {
            EventType::Entity(verb) => verb.tell(EntityPatch::deserialize(data)?),
            EventType::Flow(verb) => verb.tell(FlowData::deserialize(data)?),
            EventType::Seed(verb) => verb.tell(SeedData::deserialize(data)?),
            EventType::SystemMetrics => Ok(Self::SystemMetrics(SystemMetrics::deserialize(data)?)),
            EventType::SystemAlert => Ok(Self::SystemAlert(Alert::deserialize(data)?)),
            EventType::SystemHealth => Ok(Self::SystemHealth(HealthChange::deserialize(data)?)),
            EventType::LogLine => Ok(Self::LogLine(LogLine::deserialize(data)?)),
            EventType::Unknown => Ok(Self::Unknown(Arc::from(name))),
        }
        .map_err(de::Error::custom)
    }

    /// The same from a tree.
    pub(crate) fn from_json(event_type: EventType, name: &str, data: &Json<'_>, wrong: &mut Wrong) -> Option<Self> {
        let told = match event_type {
            EventType::Entity(verb) => verb.tell(EntityPatch::from_json(data, wrong)?),
            EventType::Flow(verb) => verb.tell(FlowData::from_json(data, wrong)?),
            EventType::Seed(verb) => verb.tell(SeedData::from_json(data, wrong)?),
            EventType::SystemMetrics => Ok(Self::SystemMetrics(SystemMetrics::from_json(data, wrong)?)),
            EventType::SystemAlert => Ok(Self::SystemAlert(Alert::from_json(data, wrong)?)),
            EventType::SystemHealth => Ok(Self::SystemHealth(HealthChange::from_json(data, wrong)?)),
            EventType::LogLine => Ok(Self::LogLine(LogLine::from_json(data, wrong)?)),
            EventType::Unknown => Ok(Self::Unknown(Arc::from(name))),
        };
        told.map_err(|contradiction| *wrong = contradiction).ok()
    }

    /// The `CloudEvents` type.
    #[must_use]
    pub fn type_name(&self) -> &str {
        let event_type = match self {
            Self::Entity(verb, _) => EventType::Entity(*verb),
            Self::Flow(verb, _) => EventType::Flow(*verb),
            Self::Seed(verb, _) => EventType::Seed(*verb),
            Self::SystemMetrics(_) => EventType::SystemMetrics,
            Self::SystemAlert(_) => EventType::SystemAlert,
            Self::SystemHealth(_) => EventType::SystemHealth,
            Self::LogLine(_) => EventType::LogLine,
            Self::Unknown(name) => return name,
        };
        TYPES
            .iter()
            .find(|(known, _)| *known == event_type)
            .map(|(_, name)| *name)
            .expect("every known type is in the table: a test walks it")
    }

    /// The `CloudEvents` subject: whom the event is about.
    #[must_use]
    pub fn subject(&self) -> Option<&str> {
        match self {
            Self::Entity(_, patch) => Some(patch.id.as_str()),
            Self::Flow(_, flow) => Some(flow.id.as_str()),
            Self::Seed(_, seed) => Some(seed.id.as_str()),
            Self::LogLine(line) => Some(line.entity.as_str()),
            Self::SystemAlert(alert) => Some(alert.id.as_str()),
            Self::SystemMetrics(_) | Self::SystemHealth(_) | Self::Unknown(_) => None,
        }
    }
}

impl Serialize for Payload {
    /// Writes `data`.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Entity(_, patch) => patch.serialize(serializer),
            Self::Flow(_, flow) => flow.serialize(serializer),
            Self::Seed(_, seed) => seed.serialize(serializer),
            Self::SystemMetrics(metrics) => metrics.serialize(serializer),
            Self::SystemAlert(alert) => alert.serialize(serializer),
            Self::SystemHealth(health) => health.serialize(serializer),
            Self::LogLine(line) => line.serialize(serializer),
            Self::Unknown(_) => serializer.serialize_map(Some(0))?.end(),
        }
    }
}

impl Serialize for Event {
    /// Writes the whole envelope.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("specversion", "1.0")?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("source", &self.source)?;
        map.serialize_entry("type", self.payload.type_name())?;
        map.serialize_entry("time", &self.time)?;
        if let Some(subject) = self.payload.subject() {
            map.serialize_entry("subject", subject)?;
        }
        if let Some(trace) = &self.trace {
            map.serialize_entry("traceparent", trace)?;
        }
        if let Some(cause) = &self.cause {
            map.serialize_entry("causationid", cause)?;
        }
        if let Some(recorded) = &self.recorded {
            map.serialize_entry("recordedtime", recorded)?;
        }
        map.serialize_entry("data", &self.payload)?;
        map.end()
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TYPES.iter().find(|(known, _)| known == self).map_or("unknown", |(_, name)| name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn every_type_is_known_by_its_own_name() {
        for (event_type, name) in EventType::known() {
            assert_eq!(EventType::parse(name), *event_type);
            assert_eq!(event_type.to_string(), *name);
        }
        assert_eq!(EventType::parse("org.example.other"), EventType::Unknown);
    }
}
