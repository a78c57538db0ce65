//! What the golden events mean, as values.

use monkeytown_protocol::{
    Alert, Domain, EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, EventId, Field, Files, Flow,
    FlowId, FlowKind, FlowStatus, FlowVerb, Health, HealthChange, HttpsUrl, LogLevel, LogLine, Metrics, Payload, Ratio,
    SeedId, SeedReport, SeedStatus, SeedType, SeedVerb, Severity, SourceUri, SystemMetrics, Text, Timestamp,
};

fn text(value: &str) -> Text {
    Text::fitted(value)
}

fn ratio(value: f32) -> Ratio {
    Ratio::try_from(value).expect("a share")
}

pub(crate) fn moment(value: &str) -> Timestamp {
    value.parse().expect("a moment")
}

fn entity_id(value: &str) -> EntityId {
    EntityId::new(value).expect("an id")
}

fn entity(verb: EntityVerb, say: impl FnOnce(&mut EntityPatch)) -> Payload {
    let mut patch = EntityPatch::of(entity_id("chaos-architect"));
    say(&mut patch);
    Payload::Entity(verb, Box::new(patch))
}

pub(crate) fn flow(verb: FlowVerb, kind: FlowKind, status: FlowStatus, progress: f32, reason: Option<&str>) -> Payload {
    let flow = Flow {
        id: FlowId::new("flow-1").expect("an id"),
        source: entity_id("chaos-architect"),
        target: entity_id("monkey-builder"),
        kind,
        status,
        progress: ratio(progress),
        reason: reason.map(text),
    };
    Payload::Flow(verb, flow)
}

pub(crate) fn seed(
    verb: SeedVerb,
    seed_type: SeedType,
    status: SeedStatus,
    progress: f32,
    result: Option<&str>,
) -> Payload {
    let id = SeedId::new("seed-1").expect("an id");
    let result = result.map(|url| HttpsUrl::new(url).expect("an address"));
    Payload::Seed(verb, SeedReport { id, seed_type, status, progress: ratio(progress), result })
}

/// What the file called `name` says.
fn payload(name: &str) -> Payload {
    match name {
        "entity_created" => entity(EntityVerb::Created, |patch| {
            patch.kind = Some(EntityKind::Agent);
            patch.status = Some(EntityStatus::Idle);
            patch.label = Some(text("ChaosArchitect"));
            patch.domain = Field::Set(Domain { path: text(".monkeytown/architecture/"), files: 86 });
        }),
        "entity_updated" => entity(EntityVerb::Updated, |patch| {
            patch.activity = Field::Set(text("reviewing pull request 42"));
            patch.progress = Field::Set(ratio(0.25));
            patch.parent = Field::Cleared;
        }),
        "entity_status_changed" => entity(EntityVerb::StatusChanged, |patch| {
            patch.status = Some(EntityStatus::Error);
            patch.reason = Field::Set(text("signature invalid"));
        }),
        "entity_metrics_updated" => entity(EntityVerb::MetricsUpdated, |patch| {
            patch.metrics = Field::Set(
                Metrics { efficiency: Some(ratio(0.75)), load: Some(ratio(0.5)), connections: Some(3) }.into(),
            );
        }),
        "entity_deleted" => entity(EntityVerb::Deleted, |_| {}),
        "flow_created" => flow(FlowVerb::Created, FlowKind::Message, FlowStatus::Pending, 0.0, None),
        "flow_started" => flow(FlowVerb::Started, FlowKind::Resource, FlowStatus::Active, 0.0, None),
        "flow_progress" => flow(FlowVerb::Progress, FlowKind::Contract, FlowStatus::Active, 0.5, None),
        "flow_complete" => flow(FlowVerb::Complete, FlowKind::Signal, FlowStatus::Complete, 1.0, None),
        "flow_failed" => {
            flow(FlowVerb::Failed, FlowKind::Message, FlowStatus::Error, 0.75, Some("the receiver is at rest"))
        }
        "seed_planted" => seed(SeedVerb::Planted, SeedType::Constraint, SeedStatus::Pending, 0.0, None),
        "seed_discovery" => seed(SeedVerb::Discovery, SeedType::Query, SeedStatus::Growing, 0.125, None),
        "seed_progress" => seed(SeedVerb::Progress, SeedType::Resource, SeedStatus::Growing, 0.5, None),
        "seed_complete" => {
            let result = Some("https://example.org/pull/42");
            seed(SeedVerb::Complete, SeedType::Contract, SeedStatus::Complete, 1.0, result)
        }
        "seed_failed" => seed(SeedVerb::Failed, SeedType::Constraint, SeedStatus::Error, 0.5, None),
        "system_metrics" => Payload::SystemMetrics(SystemMetrics {
            active_agents: Some(6),
            pending_flows: Some(3),
            contracts_settled: Some(318),
            load: Some(ratio(0.5)),
        }),
        "system_alert" => Payload::SystemAlert(Alert {
            id: text("alert-1"),
            severity: Severity::Critical,
            message: text("no runner answers"),
            resolved: false,
        }),
        "system_health_changed" => {
            Payload::SystemHealth(HealthChange { health: Health::Stressed, reason: Some(text("flows gather")) })
        }
        "log_line" => Payload::LogLine(LogLine {
            entity: entity_id("chaos-architect"),
            level: LogLevel::Warn,
            message: text("a test was tried twice"),
        }),
        "unknown_type" => Payload::Unknown("org.example.weather.changed".into()),
        "every_attribute" => Payload::Entity(
            EntityVerb::Updated,
            Box::new(EntityPatch {
                id: entity_id("pull-42"),
                kind: Some(EntityKind::Contract),
                status: Some(EntityStatus::Processing),
                label: Some(text("guard the event fold — “naïve” 🐒")),
                activity: Field::Set(text("waiting for review")),
                progress: Field::Set(Ratio::ONE),
                reason: Field::Cleared,
                metrics: Field::Set(
                    Metrics { efficiency: Some(Ratio::ZERO), load: Some(Ratio::ONE), connections: Some(0) }.into(),
                ),
                parent: Field::Set(entity_id("monkey-builder")),
                url: Field::Set(HttpsUrl::new("https://example.org/pull/42").expect("an address")),
                domain: Field::Set(Domain { path: text("web/src/"), files: 168 }),
                files: Field::Set(Files::fitted(["web/src/fold.rs", "web/src/guard.rs"].map(text))),
            }),
        ),
        other => panic!("nothing is said of what {other} means"),
    }
}

pub(crate) fn event(name: &str) -> Event {
    let full = name == "every_attribute";
    Event {
        id: EventId::new(if full { "delivery/0" } else { name }).expect("an id"),
        source: SourceUri::new(if full { "https://example.org/monkeytown" } else { "/agents/chaos-architect" })
            .expect("a source"),
        time: moment(if full { "2026-01-18T12:00:00.123Z" } else { "2026-01-18T12:00:00Z" }),
        recorded: full.then(|| moment("2026-01-18T12:00:00.456Z")),
        trace: full.then(|| "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        cause: full.then(|| "seed-1".into()),
        payload: payload(name),
    }
}
