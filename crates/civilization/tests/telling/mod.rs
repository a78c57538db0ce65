//! Arbitrary events for the laws of the fold.

use crate::saying::told;
use monkeytown_protocol::{
    Alert, EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, Field, Files, Flow, FlowId, FlowKind,
    FlowStatus, FlowVerb, Health, HealthChange, LogLevel, LogLine, MetricsPatch, Payload, Ratio, SeedId, SeedReport,
    SeedStatus, SeedType, SeedVerb, Severity, SourceUri, SystemMetrics, Text, Timestamp,
};
use proptest::{option, prelude::*, sample::select};

/// Half an hour of source time, in milliseconds.
pub(crate) const TIMES_MILLIS: std::ops::Range<i64> = 1_768_737_600_000..1_768_739_400_000;

fn entity_id(number: u16) -> EntityId {
    EntityId::new(&format!("e{number}")).expect("a short plain string is an id")
}

fn flow_id(number: u16) -> FlowId {
    FlowId::new(&format!("f{number}")).expect("a short plain string is an id")
}

fn seed_id(number: u16) -> SeedId {
    SeedId::new(&format!("s{number}")).expect("a short plain string is an id")
}

fn text(number: u16) -> Text {
    Text::fitted(&format!("words {number}"))
}

fn ratio() -> impl Strategy<Value = Ratio> {
    (0.0f32..=1.0).prop_map(Ratio::clamped)
}

fn field<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Field<T>> {
    prop_oneof![Just(Field::Absent), Just(Field::Cleared), value.prop_map(Field::Set)]
}

fn entity(ids: u16) -> impl Strategy<Value = Payload> {
    use EntityStatus::{Active, Complete, Error, Idle, Processing};
    use EntityVerb::{Created, Deleted, MetricsUpdated, StatusChanged, Updated};
    let kinds = vec![EntityKind::Agent, EntityKind::Contract, EntityKind::Transaction];
    let metrics = (field(ratio()), field(ratio()), field(any::<u32>()))
        .prop_map(|(efficiency, load, connections)| MetricsPatch { efficiency, load, connections });
    (
        select(vec![Created, Updated, Updated, StatusChanged, StatusChanged, MetricsUpdated, Deleted]),
        0..ids,
        option::of(select(kinds)),
        option::of(select(vec![Idle, Active, Processing, Complete, Error])),
        option::of(any::<u16>().prop_map(text)),
        field(metrics),
        (field(any::<u16>().prop_map(text)), field(ratio()), field(any::<u16>().prop_map(text))),
        field((0..ids).prop_map(entity_id)),
        field(prop::collection::vec((0..ids).prop_map(text), 0..4).prop_map(Files::fitted)),
    )
        .prop_map(|(verb, id, kind, status, label, metrics, (activity, progress, reason), parent, files)| {
            let unsaid = EntityPatch::of(entity_id(id));
            let patch =
                EntityPatch { kind, status, label, metrics, activity, progress, reason, parent, files, ..unsaid };
            Payload::Entity(verb, Box::new(patch))
        })
}

fn flow(ids: u16) -> impl Strategy<Value = Payload> {
    let said = select(vec![
        (FlowVerb::Created, FlowStatus::Pending),
        (FlowVerb::Started, FlowStatus::Active),
        (FlowVerb::Progress, FlowStatus::Active),
        (FlowVerb::Complete, FlowStatus::Complete),
        (FlowVerb::Failed, FlowStatus::Error),
    ]);
    let kinds = select(vec![FlowKind::Message, FlowKind::Resource, FlowKind::Contract, FlowKind::Signal]);
    (said, 0..ids, 0..ids, 0..ids, kinds, ratio(), option::of(any::<u16>().prop_map(text))).prop_map(
        |((verb, status), id, source, target, kind, progress, reason)| {
            let (source, target) = (entity_id(source), entity_id(target));
            Payload::Flow(verb, Flow { id: flow_id(id), source, target, kind, status, progress, reason })
        },
    )
}

fn others(ids: u16) -> impl Strategy<Value = Payload> {
    let said = select(vec![
        (SeedVerb::Planted, SeedStatus::Pending),
        (SeedVerb::Progress, SeedStatus::Growing),
        (SeedVerb::Complete, SeedStatus::Complete),
    ]);
    let seed = (said, 0..ids, ratio()).prop_map(|((verb, status), id, progress)| {
        let seed_type = SeedType::Query;
        Payload::Seed(verb, SeedReport { id: seed_id(id), seed_type, status, progress, result: None })
    });
    let severity = select(vec![Severity::Info, Severity::Warning, Severity::Critical]);
    let alert = (0..ids, severity, any::<bool>()).prop_map(|(id, severity, resolved)| {
        Payload::SystemAlert(Alert { id: text(id), severity, message: text(id), resolved })
    });
    let metrics = (option::of(any::<u32>()), option::of(any::<u64>()), option::of(ratio())).prop_map(
        |(active_agents, contracts_settled, load)| {
            Payload::SystemMetrics(SystemMetrics { active_agents, contracts_settled, load, pending_flows: None })
        },
    );
    let rest = (0..ids).prop_map(|id| match id % 3 {
        0 => Payload::SystemHealth(HealthChange { health: Health::Stressed, reason: None }),
        1 => Payload::LogLine(LogLine { entity: entity_id(id), level: LogLevel::Info, message: text(id) }),
        _ => Payload::Unknown("org.example.other".into()),
    });
    prop_oneof![3 => seed, 2 => alert, 1 => metrics, 1 => rest]
}

/// Any event, about one of `ids` ids of each kind.
pub(crate) fn event(ids: u16) -> impl Strategy<Value = Event> {
    let payload = prop_oneof![5 => entity(ids), 4 => flow(ids), 2 => others(ids)];
    (TIMES_MILLIS, payload, select(vec!["/s", "/t", "/u"])).prop_map(|(millis, payload, source)| Event {
        source: SourceUri::new(source).expect("a source"),
        ..told(Timestamp::from_millis(millis), payload)
    })
}

/// One event of a flood: plain, of one of very many ids, and cheap to make.
pub(crate) fn flooding(bits: u64) -> Event {
    let [kind, verb, low, high, ..] = bits.to_le_bytes();
    let id = u16::from_le_bytes([low, high]);
    let payload = match kind % 12 {
        0..5 => {
            let mut patch = EntityPatch::of(entity_id(id));
            patch.kind = Some(if verb % 2 == 0 { EntityKind::Agent } else { EntityKind::Contract });
            patch.status = Some(if verb % 8 < 6 { EntityStatus::Active } else { EntityStatus::Complete });
            Payload::Entity(EntityVerb::Created, Box::new(patch))
        }
        5..9 => {
            let (verb, status) = match verb % 8 {
                0 => (FlowVerb::Complete, FlowStatus::Complete),
                _ => (FlowVerb::Started, FlowStatus::Active),
            };
            let (source, target, kind) = (entity_id(1), entity_id(2), FlowKind::Signal);
            let progress = Ratio::ZERO;
            Payload::Flow(verb, Flow { id: flow_id(id), source, target, kind, status, progress, reason: None })
        }
        9 | 10 => {
            let (seed_type, status, progress) = (SeedType::Query, SeedStatus::Growing, Ratio::ZERO);
            Payload::Seed(SeedVerb::Progress, SeedReport { id: seed_id(id), seed_type, status, progress, result: None })
        }
        _ => Payload::SystemAlert(Alert {
            id: text(id),
            severity: Severity::Info,
            message: text(id),
            resolved: verb % 8 == 0,
        }),
    };
    told(Timestamp::from_millis(TIMES_MILLIS.start), payload)
}
