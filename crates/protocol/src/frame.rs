//! The frames of `monkeytown.v1.json`: hello, events, `caught_up`, heartbeat, bye.
//!
//! `E` is what the reader keeps of one undecoded event and `S` of a snapshot's state, so that one
//! malformed event costs that event and not its frame.

use crate::{
    Epoch, FromJson, Json, Offset, Position, Timestamp, Wrong,
    cursor::head::{self, from_wire},
    from_json::Place,
    object::ObjectOnly,
};
use crate::{record, words};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a stream's events come from; shown to the witness at all times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Publishers and webhooks.
    Live,
    /// A Git repository's history.
    Git,
    /// Invented, and said to be.
    Simulated,
}

words!(SourceKind { Live = "live", Git = "git", Simulated = "simulated" });

/// The state of the civilization at a place in the stream.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnapshotEnvelope<S> {
    /// The history that `offset` belongs to.
    pub epoch: Epoch,
    /// The newest event that is in it; -1 when none is.
    #[serde(with = "head")]
    pub offset: Option<Offset>,
    /// The fold of everything up to there.
    pub state: S,
}

/// A snapshot as it is written, its offset a plain number.
struct WrittenSnapshot<S> {
    epoch: Epoch,
    offset: i64,
    state: S,
}

record!(WrittenSnapshot<S> { epoch, offset, state; });

impl<'de, S: Deserialize<'de>> Deserialize<'de> for SnapshotEnvelope<S> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let written = WrittenSnapshot::deserialize(deserializer)?;
        let offset =
            from_wire(written.offset).ok_or_else(|| serde::de::Error::custom("an offset is -1 (none), 0 or more"))?;
        Ok(Self { epoch: written.epoch, offset, state: written.state })
    }
}

impl<'a, S: FromJson<'a>> FromJson<'a> for SnapshotEnvelope<S> {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        let mut places = const { [Place::of("epoch"), Place::of("offset"), Place::of("state")] };
        Place::find(json, &mut places, wrong)?;
        let [epoch, offset, state] = &places;
        Some(Self { epoch: epoch.need(wrong)?, offset: need_head(offset, wrong)?, state: state.need(wrong)? })
    }
}

/// The first frame of a subscription.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Hello<S> {
    /// The stream's present history.
    pub epoch: Epoch,
    /// Offset of the newest event, -1 when none.
    #[serde(with = "head")]
    pub head: Option<Offset>,
    /// The cursor really served: what follows comes after it.
    pub from: Position,
    /// Whether everything after the cursor that was asked for follows.
    pub recovered: bool,
    /// The state at `from`, when not recovered or asked for.
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<SnapshotEnvelope<S>>,
    /// Longest silence to be expected, in milliseconds.
    pub heartbeat_ms: u64,
    /// The server's clock, for latency.
    pub server_time: Timestamp,
    /// The source's own time (`states.md`, "Clocks").
    pub clock: Timestamp,
    /// How fast the source's time runs against real time.
    pub clock_rate: f64,
    /// The server's version.
    pub version: String,
    /// Where the events come from.
    pub source_kind: SourceKind,
}

/// One text frame.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Frame<E, S> {
    /// The subscription begins.
    Hello(Box<Hello<S>>),
    /// Events that cover `first..=last` without a hole after the frame before.
    Events {
        /// Their history.
        epoch: Epoch,
        /// First offset covered.
        first: Offset,
        /// Last offset covered.
        last: Offset,
        /// The events, in order; fewer than covered when an interest filter is set.
        events: Vec<E>,
    },
    /// Replay is over; what follows is live.
    CaughtUp {
        /// The last offset replayed, -1 when none.
        #[serde(with = "head")]
        offset: Option<Offset>,
    },
    /// The stream is alive and this is its newest event.
    Heartbeat {
        /// Offset of the newest event, -1 when none.
        #[serde(with = "head")]
        head: Option<Offset>,
        /// The server's clock.
        server_time: Timestamp,
        /// The source's own time. An extension of `events.md`: a playback's rate changes while it runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        clock: Option<Timestamp>,
        /// How fast the source's time runs.
        #[serde(skip_serializing_if = "Option::is_none")]
        clock_rate: Option<f64>,
    },
    /// The stream is about to close, on purpose.
    Bye {
        /// Why, in words.
        reason: String,
        /// When to come back, in milliseconds.
        reconnect_after_ms: u64,
    },
}

/// A frame whose parts are readable but do not make a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FrameError {
    /// A kind that this version does not know.
    UnknownKind(String),
    /// A field that its kind needs is absent or out of range.
    Field(&'static str),
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKind(kind) => write!(f, "a frame of unknown kind \"{kind}\""),
            Self::Field(name) => write!(f, "a frame without a usable \"{name}\""),
        }
    }
}

impl std::error::Error for FrameError {}

/// Every field of every kind. A tagged enum would buffer the whole frame to find its `kind` and lose the
/// raw events; this reads them in one pass, in whatever order the fields come.
struct AnyFrame<E, S> {
    kind: String,
    epoch: Option<Epoch>,
    head: Option<i64>,
    from: Option<Position>,
    recovered: Option<bool>,
    snapshot: Option<SnapshotEnvelope<S>>,
    heartbeat_ms: Option<u64>,
    server_time: Option<Timestamp>,
    clock: Option<Timestamp>,
    clock_rate: Option<f64>,
    version: Option<String>,
    source_kind: Option<SourceKind>,
    first: Option<Offset>,
    last: Option<Offset>,
    events: Option<Vec<E>>,
    offset: Option<i64>,
    reason: Option<String>,
    reconnect_after_ms: Option<u64>,
}

record!(AnyFrame<E, S> { kind; epoch, head, from, recovered, snapshot, heartbeat_ms, server_time, clock, clock_rate, version, source_kind, first, last, events, offset, reason, reconnect_after_ms });

/// A clock runs forward or stands still.
fn runs(rate: f64) -> Result<f64, FrameError> {
    if rate.is_finite() && rate >= 0.0 { Ok(rate) } else { Err(FrameError::Field("clock_rate")) }
}

/// A frame brings at most as many events as it covers.
fn covers(first: Offset, last: Offset, events: usize) -> Result<(), FrameError> {
    let covered = last.0.checked_sub(first.0).ok_or(FrameError::Field("last"))?;
    if events as u64 > covered.saturating_add(1) { Err(FrameError::Field("events")) } else { Ok(()) }
}

impl<E, S> TryFrom<AnyFrame<E, S>> for Frame<E, S> {
    type Error = FrameError;

    fn try_from(any: AnyFrame<E, S>) -> Result<Self, FrameError> {
        fn told<T>(value: Option<T>, name: &'static str) -> Result<T, FrameError> {
            value.ok_or(FrameError::Field(name))
        }
        let offset = |value: Option<i64>, name| told(value.and_then(from_wire), name);
        match any.kind.as_str() {
            "hello" => Ok(Self::Hello(Box::new(Hello {
                epoch: told(any.epoch, "epoch")?,
                head: offset(any.head, "head")?,
                from: told(any.from, "from")?,
                recovered: told(any.recovered, "recovered")?,
                snapshot: any.snapshot,
                heartbeat_ms: told(any.heartbeat_ms, "heartbeat_ms")?,
                server_time: told(any.server_time, "server_time")?,
                clock: told(any.clock, "clock")?,
                clock_rate: runs(told(any.clock_rate, "clock_rate")?)?,
                version: told(any.version, "version")?,
                source_kind: told(any.source_kind, "source_kind")?,
            }))),
            "events" => {
                let (first, last) = (told(any.first, "first")?, told(any.last, "last")?);
                let events = told(any.events, "events")?;
                covers(first, last, events.len())?;
                Ok(Self::Events { epoch: told(any.epoch, "epoch")?, first, last, events })
            }
            "caught_up" => Ok(Self::CaughtUp { offset: offset(any.offset, "offset")? }),
            "heartbeat" => Ok(Self::Heartbeat {
                head: offset(any.head, "head")?,
                server_time: told(any.server_time, "server_time")?,
                clock: any.clock,
                clock_rate: any.clock_rate.map(runs).transpose()?,
            }),
            "bye" => Ok(Self::Bye {
                reason: told(any.reason, "reason")?,
                reconnect_after_ms: told(any.reconnect_after_ms, "reconnect_after_ms")?,
            }),
            other => Err(FrameError::UnknownKind(other.chars().take(40).collect())),
        }
    }
}

impl From<FrameError> for Wrong {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::UnknownKind(_) => Self { field: "kind", why: "is none that this page knows" },
            FrameError::Field(field) => Self { field, why: "is missing or out of range" },
        }
    }
}

/// An offset of which -1 says that there is none.
fn need_head(place: &Place<'_>, wrong: &mut Wrong) -> Option<Option<Offset>> {
    from_wire(place.need(wrong)?).or_else(|| wrong.say("is an offset under -1"))
}

/// From a tree only the fields of the frame's own kind are looked at.
impl<'a, E: FromJson<'a>, S: FromJson<'a>> FromJson<'a> for Frame<E, S> {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        let mut places = const {
            [
                Place::of("kind"),
                Place::of("epoch"),
                Place::of("head"),
                Place::of("from"),
                Place::of("recovered"),
                Place::of("snapshot"),
                Place::of("heartbeat_ms"),
                Place::of("server_time"),
                Place::of("clock"),
                Place::of("clock_rate"),
                Place::of("version"),
                Place::of("source_kind"),
                Place::of("first"),
                Place::of("last"),
                Place::of("events"),
                Place::of("offset"),
                Place::of("reason"),
                Place::of("reconnect_after_ms"),
            ]
        };
        Place::find(json, &mut places, wrong)?;
        let [kind, epoch, head, from, recovered, snapshot, heartbeat_ms, server_time, rest @ ..] = &places;
        let [clock, clock_rate, version, source_kind, first, last, events, offset, reason, reconnect_after_ms] = rest;
        Some(match kind.need(wrong)? {
            "hello" => Self::Hello(Box::new(Hello {
                epoch: epoch.need(wrong)?,
                head: need_head(head, wrong)?,
                from: from.need(wrong)?,
                recovered: recovered.need(wrong)?,
                heartbeat_ms: heartbeat_ms.need(wrong)?,
                server_time: server_time.need(wrong)?,
                clock: clock.need(wrong)?,
                clock_rate: sound(runs(clock_rate.need(wrong)?), wrong)?,
                version: version.need(wrong)?,
                source_kind: source_kind.need(wrong)?,
                snapshot: snapshot.may(wrong)?,
            })),
            "events" => {
                let events: Vec<E> = events.need(wrong)?;
                let (first, last) = (first.need(wrong)?, last.need(wrong)?);
                sound(covers(first, last, events.len()), wrong)?;
                Self::Events { epoch: epoch.need(wrong)?, first, last, events }
            }
            "caught_up" => Self::CaughtUp { offset: need_head(offset, wrong)? },
            "heartbeat" => {
                let clock_rate: Option<f64> = clock_rate.may(wrong)?;
                Self::Heartbeat {
                    head: need_head(head, wrong)?,
                    server_time: server_time.need(wrong)?,
                    clock: clock.may(wrong)?,
                    clock_rate: sound(clock_rate.map(runs).transpose(), wrong)?,
                }
            }
            "bye" => Self::Bye { reason: reason.need(wrong)?, reconnect_after_ms: reconnect_after_ms.need(wrong)? },
            _ => return wrong.say("is a frame of a kind that this page does not know"),
        })
    }
}

fn sound<T>(checked: Result<T, FrameError>, wrong: &mut Wrong) -> Option<T> {
    match checked {
        Ok(value) => Some(value),
        Err(FrameError::Field(field)) => {
            *wrong = Wrong { field, why: "is out of range" };
            None
        }
        Err(FrameError::UnknownKind(_)) => wrong.say("is a frame of an unknown kind"),
    }
}

impl<'de, E: Deserialize<'de>, S: Deserialize<'de>> Deserialize<'de> for Frame<E, S> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        AnyFrame::deserialize(ObjectOnly(deserializer))?.try_into().map_err(serde::de::Error::custom)
    }
}
