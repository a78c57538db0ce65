//! What an event is about, and what a subscriber wants to hear of (`events.md`, "Interest").
//!
//! Within one parameter any value is enough; between parameters all must hold. An event whose kind nobody has told
//! passes `kinds`: a narrowed subscription may hear too much, never too little.

use monkeytown_civilization::Civilization;
use monkeytown_protocol::{EntityId, EntityKind, Event, EventType, FlowKind, Payload};
use serde::Deserialize;
use std::{collections::BTreeSet, sync::Arc};

/// Most values of one parameter.
const VALUES_MAX: usize = 100;

/// Kinds of entities and flows; both know contracts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    Agent,
    Contract,
    Transaction,
    Message,
    Resource,
    Signal,
}

const KINDS: [(&str, Kind); 6] = [
    ("agent", Kind::Agent),
    ("contract", Kind::Contract),
    ("transaction", Kind::Transaction),
    ("message", Kind::Message),
    ("resource", Kind::Resource),
    ("signal", Kind::Signal),
];

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum KindTold {
    /// It is of this kind.
    Is(Kind),
    /// It has one, which no event held has told.
    Untold,
    /// Nothing of a kind is in it.
    Without,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum TypeName {
    Known(&'static str),
    Other(Arc<str>),
}

/// What an event is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Topic {
    type_name: TypeName,
    /// An entity and whose it is, or a flow's two ends.
    about: [Option<EntityId>; 2],
    kind: KindTold,
}

impl Topic {
    /// What `event` is about, given the state before it.
    pub(crate) fn of(event: &Event, before: &Civilization) -> Self {
        let known = EventType::known().iter().find(|(_, name)| *name == event.payload.type_name());
        let type_name = known
            .map_or_else(|| TypeName::Other(Arc::from(event.payload.type_name())), |(_, name)| TypeName::Known(name));
        let (about, kind) = match &event.payload {
            Payload::Entity(_, patch) => {
                let held = before.entity(&patch.id);
                let parent = match &patch.parent {
                    monkeytown_protocol::Field::Set(parent) => Some(parent.clone()),
                    _ => held.and_then(|entity| entity.parent.clone()),
                };
                let kind = patch.kind.or(held.map(|entity| entity.kind));
                ([Some(patch.id.clone()), parent], kind.map_or(KindTold::Untold, |kind| KindTold::Is(kind.into())))
            }
            Payload::Flow(_, flow) => {
                ([Some(flow.source.clone()), Some(flow.target.clone())], KindTold::Is(flow.kind.into()))
            }
            Payload::LogLine(line) => ([Some(line.entity.clone()), None], KindTold::Without),
            _ => ([None, None], KindTold::Without),
        };
        Self { type_name, about, kind }
    }

    #[cfg(test)]
    pub(crate) fn untold(type_name: &str) -> Self {
        Self { type_name: TypeName::Other(Arc::from(type_name)), about: [None, None], kind: KindTold::Without }
    }

    fn type_name(&self) -> &str {
        match &self.type_name {
            TypeName::Known(name) => name,
            TypeName::Other(name) => name,
        }
    }
}

impl From<EntityKind> for Kind {
    fn from(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Agent => Self::Agent,
            EntityKind::Contract => Self::Contract,
            EntityKind::Transaction => Self::Transaction,
        }
    }
}

impl From<FlowKind> for Kind {
    fn from(kind: FlowKind) -> Self {
        match kind {
            FlowKind::Message => Self::Message,
            FlowKind::Resource => Self::Resource,
            FlowKind::Contract => Self::Contract,
            FlowKind::Signal => Self::Signal,
        }
    }
}

/// The interest of a subscription, as the address gives it: values separated by commas.
#[derive(Debug, Clone, Default, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct InterestQuery {
    /// Ids of agents (or other entities), at most 100, separated by commas: their own events, those of what is theirs, and
    /// their flows.
    agents: Option<String>,
    /// Event types, at most 100, separated by commas; a `*` at the end stands for anything.
    types: Option<String>,
    /// Kinds of entities and flows, separated by commas: agent, contract, transaction, message, resource, signal.
    kinds: Option<String>,
}

/// What a subscriber wants to hear of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    agents: Option<BTreeSet<String>>,
    types: Option<Vec<String>>,
    kinds: Option<BTreeSet<Kind>>,
}

/// Why an interest cannot be served, in words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InterestError {
    #[error("{0} takes at most {VALUES_MAX} values")]
    TooMany(&'static str),
    #[error("{0:?} is no kind: agent, contract, transaction, message, resource or signal")]
    Kind(String),
}

impl Interest {
    /// Wants everything.
    #[cfg(test)]
    pub(crate) fn everything() -> Self {
        Self::default()
    }

    /// Reads what the address says. A parameter without a value narrows nothing.
    pub(crate) fn read(query: &InterestQuery) -> Result<Self, InterestError> {
        let kinds = values("kinds", query.kinds.as_deref())?
            .map(|names| {
                let kind = |name: String| {
                    let known = KINDS.iter().find(|(known, _)| *known == name);
                    known.map(|(_, kind)| *kind).ok_or(InterestError::Kind(name))
                };
                names.into_iter().map(kind).collect()
            })
            .transpose()?;
        Ok(Self {
            agents: values("agents", query.agents.as_deref())?.map(BTreeSet::from_iter),
            types: values("types", query.types.as_deref())?,
            kinds,
        })
    }

    /// Whether it wants to hear of `topic`.
    pub(crate) fn covers(&self, topic: &Topic) -> bool {
        let agent = |wanted: &BTreeSet<String>| topic.about.iter().flatten().any(|id| wanted.contains(id.as_str()));
        let event_type = |wanted: &Vec<String>| {
            wanted.iter().any(|wanted| match wanted.strip_suffix('*') {
                Some(prefix) => topic.type_name().starts_with(prefix),
                None => topic.type_name() == wanted,
            })
        };
        let kind = |wanted: &BTreeSet<Kind>| match topic.kind {
            KindTold::Is(kind) => wanted.contains(&kind),
            KindTold::Untold => true,
            KindTold::Without => false,
        };
        self.agents.as_ref().is_none_or(agent)
            && self.types.as_ref().is_none_or(event_type)
            && self.kinds.as_ref().is_none_or(kind)
    }
}

fn values(name: &'static str, given: Option<&str>) -> Result<Option<Vec<String>>, InterestError> {
    let Some(given) = given else { return Ok(None) };
    let values: Vec<String> =
        given.split(',').map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect();
    match values.len() {
        0 => Ok(None),
        1..=VALUES_MAX => Ok(Some(values)),
        _ => Err(InterestError::TooMany(name)),
    }
}
