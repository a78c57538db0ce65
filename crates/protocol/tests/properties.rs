//! Laws of the wire: no input makes a reader panic, and whatever can be said survives writing and reading.

mod reading;

use monkeytown_protocol::limits::FILES_MAX;
use monkeytown_protocol::{
    Alert, Cursor, Domain, EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Epoch, Event, EventId, Field,
    Files, Flow, FlowId, FlowKind, FlowStatus, FlowVerb, Frame, Health, HealthChange, HttpsUrl, LogLevel, LogLine,
    MetricsPatch, Offset, Payload, Position, Problem, PublishReceipt, Ratio, SeedId, SeedReport, SeedStatus, SeedType,
    SeedVerb, Severity, SourceUri, SystemMetrics, Text, Timestamp,
};
use proptest::{option, prelude::*, sample::select};
use serde_json::{Value, value::RawValue};
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

/// Every reader, on whatever is given.
fn read_all_ways(text: &str) {
    let _ = reading::event(text);
    let _ = reading::value::<Frame<Value, Value>>(text);
    let _ = serde_json::from_str::<Frame<&RawValue, &RawValue>>(text);
    let _ = reading::value::<Cursor>(text);
    let _ = reading::value::<Problem>(text);
    let _ = reading::value::<PublishReceipt>(text);
    let _ = text.parse::<Cursor>();
    let _ = text.parse::<Timestamp>();
}

const SOUND: [&str; 6] = [
    include_str!("golden/events/every_attribute.json"),
    include_str!("golden/events/flow_failed.json"),
    include_str!("golden/events/seed_complete.json"),
    include_str!("golden/frames/hello_with_snapshot.json"),
    include_str!("golden/frames/events.json"),
    include_str!("golden/frames/heartbeat_with_clock.json"),
];

fn text() -> impl Strategy<Value = Text> {
    any::<String>().prop_map(|text| Text::fitted(&text))
}

fn id_text() -> impl Strategy<Value = String> {
    "[^\\p{Cc}]{1,40}"
}

fn entity_id() -> impl Strategy<Value = EntityId> {
    id_text().prop_map(|id| EntityId::new(&id).expect("1 to 160 bytes without control characters"))
}

fn ratio() -> impl Strategy<Value = Ratio> {
    (0.0f32..=1.0).prop_map(Ratio::clamped)
}

fn url() -> impl Strategy<Value = HttpsUrl> {
    "https://[a-z0-9.]{1,20}(/[a-zA-Z0-9?&=#%]{0,20})?".prop_map(|url| HttpsUrl::new(&url).expect("a plain address"))
}

fn moment() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn field<T: std::fmt::Debug + Clone>(value: impl Strategy<Value = T>) -> impl Strategy<Value = Field<T>> {
    prop_oneof![Just(Field::Absent), Just(Field::Cleared), value.prop_map(Field::Set)]
}

fn metrics() -> impl Strategy<Value = MetricsPatch> {
    (field(ratio()), field(ratio()), field(any::<u32>())).prop_map(|(efficiency, load, connections)| MetricsPatch {
        efficiency,
        load,
        connections,
    })
}

fn kind() -> impl Strategy<Value = EntityKind> {
    select(vec![EntityKind::Agent, EntityKind::Contract, EntityKind::Transaction])
}

fn status() -> impl Strategy<Value = EntityStatus> {
    use EntityStatus::{Active, Complete, Error, Idle, Processing};
    select(vec![Idle, Active, Processing, Complete, Error])
}

fn entity() -> impl Strategy<Value = Payload> {
    use EntityVerb::{Created, Deleted, MetricsUpdated, StatusChanged, Updated};
    let files = field(prop::collection::vec(text(), 0..=FILES_MAX).prop_map(Files::fitted));
    let domain = field((text(), any::<u32>()).prop_map(|(path, files)| Domain { path, files }));
    (
        select(vec![Created, Updated, StatusChanged, MetricsUpdated, Deleted]),
        (entity_id(), kind(), status(), metrics()),
        (option::of(kind()), option::of(status()), option::of(text()), field(metrics())),
        (field(text()), field(ratio()), field(text()), field(entity_id()), field(url()), domain, files),
    )
        .prop_map(|(verb, (id, kind, status, metrics), optional, fields)| {
            // What a type needs is there whatever was drawn.
            let patch = EntityPatch {
                id,
                kind: if verb == Created { Some(kind) } else { optional.0 },
                status: if verb == StatusChanged { Some(status) } else { optional.1 },
                label: optional.2,
                metrics: if verb == MetricsUpdated { Field::Set(metrics) } else { optional.3 },
                activity: fields.0,
                progress: fields.1,
                reason: fields.2,
                parent: fields.3,
                url: fields.4,
                domain: fields.5,
                files: fields.6,
            };
            Payload::Entity(verb, Box::new(patch))
        })
}

fn flow() -> impl Strategy<Value = Payload> {
    use FlowStatus::{Active, Complete, Error, Pending};
    let told = select(vec![
        (FlowVerb::Created, Pending),
        (FlowVerb::Created, Active),
        (FlowVerb::Created, Complete),
        (FlowVerb::Created, Error),
        (FlowVerb::Started, Active),
        (FlowVerb::Progress, Active),
        (FlowVerb::Complete, Complete),
        (FlowVerb::Failed, Error),
    ]);
    let kinds = select(vec![FlowKind::Message, FlowKind::Resource, FlowKind::Contract, FlowKind::Signal]);
    (told, id_text(), entity_id(), entity_id(), kinds, ratio(), option::of(text())).prop_map(
        |((verb, status), id, source, target, kind, progress, reason)| {
            let id = FlowId::new(&id).expect("1 to 160 bytes without control characters");
            Payload::Flow(verb, Flow { id, source, target, kind, status, progress, reason })
        },
    )
}

fn seed() -> impl Strategy<Value = Payload> {
    let told = select(vec![
        (SeedVerb::Planted, SeedStatus::Pending),
        (SeedVerb::Discovery, SeedStatus::Growing),
        (SeedVerb::Progress, SeedStatus::Growing),
        (SeedVerb::Complete, SeedStatus::Complete),
        (SeedVerb::Failed, SeedStatus::Error),
    ]);
    let types = select(vec![SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query]);
    (told, id_text(), types, ratio(), option::of(url())).prop_map(
        |((verb, status), id, seed_type, progress, result)| {
            let id = SeedId::new(&id).expect("1 to 160 bytes without control characters");
            Payload::Seed(verb, SeedReport { id, seed_type, status, progress, result })
        },
    )
}

fn system() -> impl Strategy<Value = Payload> {
    let figures = (option::of(any::<u32>()), option::of(any::<u32>()), option::of(any::<u64>()), option::of(ratio()))
        .prop_map(|(active_agents, pending_flows, contracts_settled, load)| {
            Payload::SystemMetrics(SystemMetrics { active_agents, pending_flows, contracts_settled, load })
        });
    let severity = select(vec![Severity::Info, Severity::Warning, Severity::Critical]);
    let alert = (text(), severity, text(), any::<bool>())
        .prop_map(|(id, severity, message, resolved)| Payload::SystemAlert(Alert { id, severity, message, resolved }));
    let health = (select(vec![Health::Healthy, Health::Stressed, Health::Critical]), option::of(text()))
        .prop_map(|(health, reason)| Payload::SystemHealth(HealthChange { health, reason }));
    let levels = select(vec![LogLevel::Debug, LogLevel::Info, LogLevel::Warn, LogLevel::Error]);
    let line = (entity_id(), levels, text())
        .prop_map(|(entity, level, message)| Payload::LogLine(LogLine { entity, level, message }));
    let unknown = "org\\.example\\.[a-z]{1,20}".prop_map(|name| Payload::Unknown(name.into()));
    prop_oneof![figures, alert, health, line, unknown]
}

fn event() -> impl Strategy<Value = Event> {
    let attribute = || option::of("[ -~]{0,100}".prop_map(|text| text.into()));
    let payload = prop_oneof![entity(), flow(), seed(), system()];
    (id_text(), id_text(), moment(), option::of(moment()), attribute(), attribute(), payload).prop_map(
        |(id, source, time, recorded, trace, cause, payload)| Event {
            id: EventId::new(&id).expect("1 to 160 bytes without control characters"),
            source: SourceUri::new(&source).expect("1 to 160 bytes without control characters"),
            time,
            recorded,
            trace,
            cause,
            payload,
        },
    )
}

proptest! {
    #[test]
    fn whatever_an_event_says_survives_writing_and_reading(event in event()) {
        // A subject that is an alert's id may be longer than an attribute may be.
        prop_assume!(event.payload.subject().is_none_or(|subject| subject.len() <= 512));
        let json = serde_json::to_string(&event).expect("an event is JSON");
        prop_assert_eq!(reading::event(&json), Ok(event), "{}", json);
    }

    #[test]
    fn whatever_a_cursor_says_survives_writing_and_reading(epoch in "[a-zA-Z0-9_-]{1,64}", after in option::of(any::<u64>())) {
        let epoch = Epoch::new(&epoch).expect("letters, digits, - and _");
        let cursor = Cursor::At(Position { epoch, after: after.map(Offset) });
        prop_assert_eq!(cursor.to_string().parse(), Ok(cursor.clone()));
        let json = serde_json::to_string(&cursor).expect("a cursor is JSON");
        prop_assert_eq!(reading::value(&json), Ok(cursor));
    }

    #[test]
    fn arbitrary_text_makes_no_reader_panic(text in any::<String>()) {
        read_all_ways(&text);
    }

    #[test]
    fn arbitrary_bytes_make_no_reader_panic(bytes in any::<Vec<u8>>()) {
        let _ = serde_json::from_slice::<Frame<Value, Value>>(&bytes);
        let _ = serde_json::from_slice::<monkeytown_protocol::Envelope<'_, &RawValue>>(&bytes);
        read_all_ways(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn sound_input_that_is_cut_or_has_a_byte_changed_makes_no_reader_panic(
        sound in select(&SOUND[..]), at in any::<proptest::sample::Index>(), byte: u8, cut: bool
    ) {
        let mut bytes = sound.as_bytes().to_vec();
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else if let Some(changed) = bytes.get_mut(at) {
            *changed = byte;
        }
        let _ = serde_json::from_slice::<Frame<&RawValue, &RawValue>>(&bytes);
        read_all_ways(&String::from_utf8_lossy(&bytes));
    }
}
