//! The `CloudEvents` 1.0 envelope as it comes off the wire, before anybody knows what `data` holds.
//!
//! `D` is whatever the reader keeps for undecoded data (for JSON: a raw value), so that `data` is read
//! once, as the type that the envelope names.

use crate::{
    Event, EventId, FromJson, Json, Payload, SourceUri, Timestamp, Wrong,
    from_json::{fields, may, need},
    object::ObjectOnly,
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

impl<'a, D: FromJson<'a>> FromJson<'a> for Envelope<'a, D> {
    fn from_json(json: &'a Json<'a>) -> Result<Self, Wrong> {
        const NAMES: [&str; 11] = [
            "specversion",
            "id",
            "source",
            "type",
            "time",
            "subject",
            "datacontenttype",
            "traceparent",
            "causationid",
            "recordedtime",
            "data",
        ];
        let [version, id, source, event_type, time, subject, media, trace, cause, recorded, data] =
            fields(json, &NAMES)?;
        Ok(Self {
            specversion: need(version, "specversion")?,
            id: need(id, "id")?,
            source: need(source, "source")?,
            event_type: need(event_type, "type")?,
            time: may(time, "time")?,
            subject: may(subject, "subject")?,
            datacontenttype: may(media, "datacontenttype")?,
            traceparent: may(trace, "traceparent")?,
            causationid: may(cause, "causationid")?,
            recordedtime: may(recorded, "recordedtime")?,
            data: may(data, "data")?,
        })
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
        if self.specversion != "1.0" {
            return Err(EnvelopeError::SpecVersion);
        }
        if self.event_type.is_empty() || self.event_type.len() > ATTRIBUTE_MAX_BYTES {
            return Err(EnvelopeError::Type);
        }
        for (pointer, value) in [
            ("/subject", self.subject.as_deref()),
            ("/datacontenttype", self.datacontenttype.as_deref()),
            ("/traceparent", self.traceparent.as_deref()),
            ("/causationid", self.causationid.as_deref()),
        ] {
            if value.is_some_and(|value| value.len() > ATTRIBUTE_MAX_BYTES) {
                return Err(EnvelopeError::AttributeTooLong(pointer));
            }
        }
        if crate::EventType::parse(&self.event_type) == crate::EventType::Unknown {
            return Ok(());
        }
        if self.datacontenttype.as_deref().is_some_and(|media| !is_json(media)) {
            return Err(EnvelopeError::ContentType);
        }
        if self.data.is_none() { Err(EnvelopeError::NoData) } else { Ok(()) }
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
        Ok(self.join(payload, fallback_time))
    }

    fn join(&self, payload: Payload, fallback_time: Timestamp) -> Event {
        Event {
            id: self.id.clone(),
            source: self.source.clone(),
            time: self.time.unwrap_or(fallback_time),
            recorded: self.recordedtime,
            trace: self.traceparent.clone(),
            cause: self.causationid.clone(),
            payload,
        }
    }
}

impl<'a> Envelope<'a, &'a Json<'a>> {
    /// Reads one event out of a tree: its envelope, what that says together, and `data` by its type. `fallback_time`
    /// stands in for an absent `time`.
    ///
    /// # Errors
    /// When any of the three is wrong; with the event's id as soon as it is known.
    pub fn event(json: &'a Json<'a>, fallback_time: Timestamp) -> Result<Event, (Option<EventId>, Wrong)> {
        let envelope = Self::from_json(json).map_err(|wrong| (None, wrong))?;
        let told = envelope.check().map_err(EnvelopeError::wrong).and_then(|()| match envelope.data {
            Some(data) => Payload::from_json(&envelope.event_type, data),
            None => Ok(Payload::Unknown(Arc::from(&*envelope.event_type))),
        });
        match told {
            Ok(payload) => Ok(envelope.join(payload, fallback_time)),
            Err(wrong) => Err((Some(envelope.id), wrong)),
        }
    }
}

fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}
