//! What is told of a fleet: its components as agents, what becomes of them, and the needs between them as flows.
//!
//! A flow from one component to another that it needs says what a probe of the other has found: that it answered, or why
//! it did not. What really runs between them nobody here sees, so no flow stays open and none is told in between.

use super::{
    Component,
    health::{Health, News},
    probe::Broken,
};
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Event, EventId, Field, Flow, FlowId, FlowKind,
    FlowStatus, FlowVerb, LogLevel, LogLine, MetricsPatch, Payload, Ratio, SourceUri, Text, Timestamp,
};
use std::time::Duration;
use tokio::time::Instant;

/// A component as it is told of.
#[derive(Debug)]
struct Member {
    id: EntityId,
    label: Text,
    /// What it does when all is well.
    answers: String,
    needs: Vec<usize>,
    needed_by: Vec<EntityId>,
    health: Health,
    /// When the first of the probes in a row was made that did not succeed, and for as long as it is told broken.
    broken_since: Option<Timestamp>,
}

/// Makes events of what is found.
#[derive(Debug)]
pub(super) struct Telling {
    source: SourceUri,
    /// The moment of the start and a number by chance: ids of another process are others.
    run: String,
    told: u64,
    members: Vec<Member>,
}

impl Telling {
    /// `answers` says of each component what it does when all is well.
    pub(super) fn new(source: SourceUri, began: Timestamp, components: &[Component], answers: Vec<String>) -> Self {
        let needed_by = |at: usize| {
            let needing = components.iter().filter(|other| other.needs.contains(&at));
            needing.map(|other| other.id.clone()).collect()
        };
        let members = components.iter().zip(answers).enumerate();
        let members = members.map(|(at, (component, answers))| Member {
            id: component.id.clone(),
            label: component.label.clone(),
            answers,
            needs: component.needs.clone(),
            needed_by: needed_by(at),
            health: Health::default(),
            broken_since: None,
        });
        let run = format!("{:x}-{:x}", began.millis(), fastrand::u32(..));
        Self { source, run, told: 0, members: members.collect() }
    }

    /// That there is each of them. How it is nobody knows yet; whoever kept events from before knows how it was.
    pub(super) fn introduce(&mut self, now: Timestamp) -> Vec<Event> {
        let patches = self.members.iter().map(|member| {
            let mut patch = EntityPatch::of(member.id.clone());
            patch.kind = Some(EntityKind::Agent);
            patch.label = Some(member.label.clone());
            patch.activity = Field::Set(Text::fitted("waits for its first probe"));
            let connections = u32::try_from(member.needs.len() + member.needed_by.len()).unwrap_or(u32::MAX);
            let figures = MetricsPatch { connections: Field::Set(connections), ..MetricsPatch::default() };
            patch.metrics = Field::Set(figures);
            Payload::Entity(EntityVerb::Created, Box::new(patch))
        });
        let payloads: Vec<Payload> = patches.collect();
        self.events(payloads, now)
    }

    /// What there is to tell once the component `at` was found so.
    pub(super) fn hear(
        &mut self,
        at: usize,
        found: &Result<Duration, Broken>,
        instant: Instant,
        now: Timestamp,
    ) -> Vec<Event> {
        let Some(member) = self.members.get_mut(at) else { return Vec::new() };
        if found.is_err() {
            member.broken_since.get_or_insert(now);
        }
        let news = member.health.hear(found, instant);
        let payloads = match news {
            None => Vec::new(),
            Some(News::Changed { wrong, was_broken, untold }) => {
                member.changed(wrong.as_ref(), was_broken, untold, now)
            }
            Some(News::Missed { wrong, untold }) => {
                let others = match untold {
                    0 => String::new(),
                    1 => "; so did one before".to_owned(),
                    untold => format!("; so did {untold} before"),
                };
                vec![member.figures(), member.line(LogLevel::Warn, &format!("{}{others}", missed(&wrong)))]
            }
            Some(News::Back { missed }) => {
                let after = if missed == 1 { "one probe".to_owned() } else { format!("{missed} probes") };
                let line =
                    format!("{} again, after {after} without success", member.answers_in(member.health.latency()));
                vec![member.figures(), member.line(LogLevel::Info, &line)]
            }
            Some(News::Slower { before }) => {
                let latency = member.health.latency();
                let line = format!("{}, before in {}", member.answers_in(latency), said(before));
                vec![member.figures(), member.line(LogLevel::Info, &line)]
            }
            Some(News::Reminder) => {
                let mut payloads = vec![member.standing()];
                if member.health.is_told_well() {
                    payloads.extend(member.flows(None));
                }
                payloads
            }
        };
        if found.is_ok() && member.health.told_broken() != Some(true) {
            member.broken_since = None;
        }
        self.events(payloads, now)
    }

    fn events(&mut self, payloads: Vec<Payload>, time: Timestamp) -> Vec<Event> {
        let events = payloads.into_iter().map(|payload| {
            let id = format!("{}-{}", self.run, self.told);
            self.told += 1;
            Event {
                id: EventId::new(&id).expect("three numbers and dashes are a short id"),
                source: self.source.clone(),
                time,
                recorded: None,
                trace: None,
                cause: None,
                payload,
            }
        });
        events.collect()
    }
}

impl Member {
    fn changed(&self, wrong: Option<&Broken>, was_broken: Option<bool>, untold: u32, now: Timestamp) -> Vec<Payload> {
        let mut patch = self.patch();
        let reason = wrong.map(|wrong| Text::fitted(&wrong.to_string()));
        patch.status = Some(if wrong.is_some() { EntityStatus::Error } else { EntityStatus::Active });
        patch.reason = reason.clone().into();
        let often = match untold {
            0 => String::new(),
            1 => "; it changed once in between".to_owned(),
            untold => format!("; it changed {untold} times in between"),
        };
        let (level, line) = match wrong {
            Some(wrong) => (LogLevel::Error, format!("{wrong}{often}")),
            None => {
                let lasted =
                    self.broken_since.filter(|_| was_broken == Some(true)).map(|since| now.since_millis(since));
                let lasted = lasted.and_then(|millis| u64::try_from(millis).ok()).map(Duration::from_millis);
                let after = lasted.map(|lasted| format!(" again, after {}", said(lasted))).unwrap_or_default();
                (LogLevel::Info, format!("{}{after}{often}", self.answers_in(self.health.latency())))
            }
        };
        let mut payloads = vec![Payload::Entity(EntityVerb::StatusChanged, Box::new(patch)), self.line(level, &line)];
        // Broken in another way, it is as little there for those who need it.
        if was_broken != Some(wrong.is_some()) || wrong.is_none() {
            payloads.extend(self.flows(reason));
        }
        payloads
    }

    /// A report with its figures and what it does.
    fn patch(&self) -> EntityPatch {
        let mut patch = EntityPatch::of(self.id.clone());
        patch.activity = match self.health.told_missed() {
            Some(wrong) => Field::Set(Text::fitted(&missed(wrong))),
            None if self.health.is_told_well() => Field::Set(Text::fitted(&self.answers_in(self.health.latency()))),
            None => Field::Cleared,
        };
        let efficiency = Field::Set(Ratio::clamped(self.health.went_well()));
        patch.metrics = Field::Set(MetricsPatch { efficiency, ..MetricsPatch::default() });
        patch
    }

    /// Who it is and how, whole: another who told of it may have gone, or the state may have let it go.
    fn standing(&self) -> Payload {
        let wrong = self.health.told_wrong();
        let mut patch = self.patch();
        patch.kind = Some(EntityKind::Agent);
        patch.label = Some(self.label.clone());
        let status = |is_broken| if is_broken { EntityStatus::Error } else { EntityStatus::Active };
        patch.status = self.health.told_broken().map(status);
        patch.reason = wrong.map(|wrong| Text::fitted(&wrong.to_string())).into();
        Payload::Entity(EntityVerb::Updated, Box::new(patch))
    }

    fn figures(&self) -> Payload {
        Payload::Entity(EntityVerb::MetricsUpdated, Box::new(self.patch()))
    }

    fn line(&self, level: LogLevel, message: &str) -> Payload {
        Payload::LogLine(LogLine { entity: self.id.clone(), level, message: Text::fitted(message) })
    }

    /// What was found, to each that needs it. Each flow begins and ends at once: the probe is over.
    fn flows(&self, reason: Option<Text>) -> impl Iterator<Item = Payload> {
        let ended = if reason.is_some() { FlowVerb::Failed } else { FlowVerb::Complete };
        let flow = move |source: &EntityId, status, progress, reason| Flow {
            id: FlowId::new(&format!("needs:{source}>{}", self.id)).expect("two short ids make an id"),
            source: source.clone(),
            target: self.id.clone(),
            kind: FlowKind::Signal,
            status,
            progress,
            reason,
        };
        self.needed_by.iter().flat_map(move |source| {
            let (status, progress) = match reason {
                Some(_) => (FlowStatus::Error, Ratio::ZERO),
                None => (FlowStatus::Complete, Ratio::ONE),
            };
            let begun = flow(source, FlowStatus::Active, Ratio::ZERO, None);
            let over = flow(source, status, progress, reason.clone());
            [Payload::Flow(FlowVerb::Started, begun), Payload::Flow(ended, over)]
        })
    }

    fn answers_in(&self, latency: Duration) -> String {
        format!("{} in {}", self.answers, said(latency))
    }
}

/// What is said of one that is not broken yet.
fn missed(wrong: &Broken) -> String {
    format!("a probe did not succeed: {wrong}")
}

/// A duration as people say it.
fn said(duration: Duration) -> String {
    let (millis, seconds) = (duration.as_millis(), duration.as_secs());
    match seconds {
        0 if millis == 0 => "under 1 ms".to_owned(),
        0 => format!("{millis} ms"),
        1..10 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        10..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_a_person_says_them() {
        for (millis, words) in [
            (0, "under 1 ms"),
            (12, "12 ms"),
            (1_250, "1.2 s"),
            (59_000, "59 s"),
            (180_000, "3 min"),
            (7_200_000, "2 h"),
        ] {
            assert_eq!(said(Duration::from_millis(millis)), words);
        }
    }
}
