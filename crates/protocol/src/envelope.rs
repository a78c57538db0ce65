//! The `CloudEvents` 1.0 envelope as it comes off the wire, before anybody knows what `data` holds.
//!
//! `D` is whatever the reader keeps for undecoded data (for JSON: a raw value), so that `data` is read
//! once, as the type that the envelope names.

use crate::{
    Event, EventId, EventType, Json, Payload, SourceUri, Timestamp, Wrong, from_json::Place, object::ObjectOnly,
};
use serde::{Deserialize, Deserializer};
use std::{borrow::Cow, fmt, sync::Arc};

/// Longest `type`, `traceparent`, `causationid` and so on, in bytes.
const ATTRIBUTE_MAX_BYTES: usize = 512;

/// Attributes of an event (`CloudEvents` 1.0, "Context Attributes"), checked on their own.
#[derive(Debug, Clone, Deserialize)]
#[serde(remote = "Self")]
pub struct Envelope<'a, D> {
    /// Always `1.0`.
    #[serde(borrow)]
    pub specversion: Cow<'a, str>,
    /// With `source` the identity.
    pub id: EventId,
    /// Who says it.
    pub source: SourceUri,
    /// What kind of thing it says.
    #[serde(rename = "type", borrow)]
    pub event_type: Cow<'a, str>,
    /// When it happened. `CloudEvents` leaves it optional; who accepts an event without one puts its own clock there.
    pub time: Option<Timestamp>,
    /// Whom it is about.
    #[serde(default, borrow)]
    pub subject: Option<Cow<'a, str>>,
    /// Media type of `data`; JSON when absent.
    #[serde(default, borrow)]
    pub datacontenttype: Option<Cow<'a, str>>,
    /// W3C Trace Context.
    #[serde(default)]
    pub traceparent: Option<Arc<str>>,
    /// What caused this event.
    #[serde(default)]
    pub causationid: Option<Arc<str>>,
    /// When the stream accepted it.
    #[serde(default)]
    pub recordedtime: Option<Timestamp>,
    /// What it says, undecoded.
    #[serde(default = "Option::default")]
    pub data: Option<D>,
}

impl<'de: 'a, 'a, D: Deserialize<'de>> Deserialize<'de> for Envelope<'a, D> {
    fn deserialize<R: Deserializer<'de>>(deserializer: R) -> Result<Self, R::Error> {
        Self::deserialize(ObjectOnly(deserializer))
    }
}

/// An envelope whose attributes are readable one by one but wrong as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeError {
    /// Another version of `CloudEvents` than 1.0.
    SpecVersion,
    /// No type, or one that is too long.
    Type,
    /// Data of another media type than JSON, under a type that this project defines.
    ContentType,
    /// A type that this project defines, without data.
    NoData,
    /// An attribute over its bound: which, as a JSON pointer.
    AttributeTooLong(&'static str),
}

impl EnvelopeError {
    /// Where it is wrong, as a JSON pointer (RFC 6901).
    #[must_use]
    pub fn pointer(self) -> &'static str {
        match self {
            Self::SpecVersion => "/specversion",
            Self::Type => "/type",
            Self::ContentType => "/datacontenttype",
            Self::NoData => "/data",
            Self::AttributeTooLong(pointer) => pointer,
        }
    }
}

impl EnvelopeError {
    /// The same for who reads a tree.
    fn wrong(self) -> Wrong {
        let field = self.pointer().strip_prefix('/').unwrap_or_default();
        let why = match self {
            Self::SpecVersion => "must be 1.0",
            Self::Type => "must name what the event says",
            Self::ContentType => "must be application/json",
            Self::NoData => "is missing",
            Self::AttributeTooLong(_) => "is too long",
        };
        Wrong { field, why }
    }
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SpecVersion => f.write_str("specversion must be \"1.0\""),
            Self::Type => f.write_str("type must name what the event says"),
            Self::ContentType => f.write_str("data must be application/json"),
            Self::NoData => f.write_str("this type needs data"),
            Self::AttributeTooLong(_) => write!(f, "an attribute holds at most {ATTRIBUTE_MAX_BYTES} bytes"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

impl<D> Envelope<'_, D> {
    /// Checks what the attributes say together.
    ///
    /// # Errors
    /// When they are not `CloudEvents` 1.0, or not what this project can decode.
    pub fn check(&self) -> Result<(), EnvelopeError> {
        let optional = [&self.subject, &self.datacontenttype].map(|value| value.as_deref());
        let shared = [&self.traceparent, &self.causationid].map(|value| value.as_deref());
        let ([subject, media], [trace, cause]) = (optional, shared);
        let attributes = [subject, media, trace, cause];
        check(&self.specversion, &self.event_type, attributes, self.data.is_some()).map(|_| ())
    }

    /// Decodes `data` with the reader that `open` makes of it, and joins both. `fallback_time` stands in
    /// for an absent `time`.
    ///
    /// # Errors
    /// When `data` is not what the type defines. Call [`Envelope::check`] first: an envelope without data
    /// yields an event without payload only for types that this project does not define.
    pub fn decode<'de, R, F>(&self, fallback_time: Timestamp, open: F) -> Result<Event, R::Error>
    where
        R: Deserializer<'de>,
        F: FnOnce(&D) -> R,
    {
        let payload = match &self.data {
            Some(data) => Payload::deserialize(&self.event_type, open(data))?,
            None => Payload::Unknown(Arc::from(&*self.event_type)),
        };
        Ok(Event {
            id: self.id.clone(),
            source: self.source.clone(),
            time: self.time.unwrap_or(fallback_time),
            recorded: self.recordedtime,
            trace: self.traceparent.clone(),
            cause: self.causationid.clone(),
            payload,
        })
    }
}

impl Event {
    /// Reads one event out of a tree: its envelope, what that says together, and `data` by its type. `fallback_time`
    /// stands in for an absent `time`.
    ///
    /// # Errors
    /// When any of the three is wrong.
    pub fn from_json(json: &Json<'_>, fallback_time: Timestamp) -> Result<Self, Wrong> {
        let mut wrong = Wrong::default();
        Self::read(json, fallback_time, &mut wrong).ok_or(wrong)
    }

    fn read(json: &Json<'_>, fallback_time: Timestamp, wrong: &mut Wrong) -> Option<Self> {
        let mut places = const {
            [
                Place::of("specversion"),
                Place::of("id"),
                Place::of("source"),
                Place::of("type"),
                Place::of("time"),
                Place::of("recordedtime"),
                Place::of("data"),
                Place::of("subject"),
                Place::of("datacontenttype"),
                Place::of("traceparent"),
                Place::of("causationid"),
            ]
        };
        Place::find(json, &mut places, wrong)?;
        let [version, id, source, event_type, time, recorded, data, attributes @ ..] = &places;
        let mut texts = [None; 4];
        for (text, place) in texts.iter_mut().zip(attributes) {
            *text = place.may(wrong)?;
        }
        let [_, _, trace, cause] = texts;
        let name: &str = event_type.need(wrong)?;
        let data: Option<&Json<'_>> = data.may(wrong)?;
        let event_type = match check(version.need(wrong)?, name, texts, data.is_some()) {
            Ok(event_type) => event_type,
            Err(error) => {
                *wrong = error.wrong();
                return None;
            }
        };
        let time: Option<Timestamp> = time.may(wrong)?;
        Some(Self {
            id: id.need(wrong)?,
            source: source.need(wrong)?,
            time: time.unwrap_or(fallback_time),
            recorded: recorded.may(wrong)?,
            trace: trace.map(Arc::from),
            cause: cause.map(Arc::from),
            payload: Payload::from_json(event_type, name, data.unwrap_or(&Json::Null), wrong)?,
        })
    }

    /// The id of an event that cannot be read as a whole.
    #[must_use]
    pub fn id_in(json: &Json<'_>) -> Option<EventId> {
        let mut places = const { [Place::of("id")] };
        Place::find(json, &mut places, &mut Wrong::default())?;
        let [id] = &places;
        id.need(&mut Wrong::default())
    }
}

/// Checks what the attributes say together: subject, media type, trace and cause where they are there.
fn check(version: &str, name: &str, attributes: [Option<&str>; 4], has_data: bool) -> Result<EventType, EnvelopeError> {
    if version != "1.0" {
        return Err(EnvelopeError::SpecVersion);
    }
    if name.is_empty() || name.len() > ATTRIBUTE_MAX_BYTES {
        return Err(EnvelopeError::Type);
    }
    const POINTERS: [&str; 4] = ["/subject", "/datacontenttype", "/traceparent", "/causationid"];
    for (value, pointer) in attributes.into_iter().zip(POINTERS) {
        if value.is_some_and(|value| value.len() > ATTRIBUTE_MAX_BYTES) {
            return Err(EnvelopeError::AttributeTooLong(pointer));
        }
    }
    let event_type = EventType::parse(name);
    let [_, media, ..] = attributes;
    match event_type {
        EventType::Unknown => Ok(event_type),
        _ if media.is_some_and(|media| !is_json(media)) => Err(EnvelopeError::ContentType),
        _ if has_data => Ok(event_type),
        _ => Err(EnvelopeError::NoData),
    }
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}
