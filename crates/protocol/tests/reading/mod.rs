//! Reads the wire as the stream does: the envelope first, then `data` as the type that it names.

use monkeytown_protocol::{Envelope, Event, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment};

/// Stands in for an absent `time`.
pub(crate) const FALLBACK_MILLIS: i64 = 1_768_737_600_000;

/// Where and why something was refused.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) pointer: String,
    pub(crate) message: String,
}

/// RFC 6901 of what the reader was at.
fn pointer(prefix: &str, path: &Path) -> String {
    path.iter().fold(prefix.to_owned(), |pointer, segment| match segment {
        Segment::Seq { index } => format!("{pointer}/{index}"),
        Segment::Map { key } => format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1")),
        Segment::Enum { .. } | Segment::Unknown => pointer,
    })
}

fn refusal(prefix: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> Refusal {
    Refusal { pointer: pointer(prefix, error.path()), message: error.inner().to_string() }
}

/// One event, or where it is wrong.
pub(crate) fn event(json: &str) -> Result<Event, Refusal> {
    let mut reader = serde_json::Deserializer::from_str(json);
    let envelope: Envelope<'_, &RawValue> =
        serde_path_to_error::deserialize(&mut reader).map_err(|error| refusal("", &error))?;
    reader.end().map_err(|error| Refusal { pointer: String::new(), message: error.to_string() })?;
    envelope.check().map_err(|error| Refusal { pointer: error.pointer().to_owned(), message: error.to_string() })?;
    let mut track = serde_path_to_error::Track::new();
    let decoded = envelope.decode(Timestamp::from_millis(FALLBACK_MILLIS), |data| {
        serde_path_to_error::Deserializer::new(*data, &mut track)
    });
    decoded.map_err(|error| Refusal { pointer: pointer("/data", &track.path()), message: error.to_string() })
}

/// Anything else that is read in one step.
#[allow(dead_code, reason = "each test binary uses what it needs of this module")]
pub(crate) fn value<T: DeserializeOwned>(json: &str) -> Result<T, Refusal> {
    let mut reader = serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(&mut reader).map_err(|error| refusal("", &error))
}
