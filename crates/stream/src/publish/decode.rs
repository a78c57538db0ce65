//! From a publisher's bytes to an event that may be appended, or to the place where they are wrong.
//!
//! The bytes are kept as they came, extension attributes and data that this project does not know included; only
//! blanks between tokens go, `recordedtime` is the stream's own, and an absent `time` is filled in.

use crate::log::Draft;
use monkeytown_protocol::{Envelope, Event, Timestamp};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use serde_path_to_error::{Path, Segment, Track};
use std::{borrow::Cow, fmt};

/// Most attributes of one event.
const ATTRIBUTES_MAX: usize = 64;
/// Deepest nesting of an event's data: readers that recurse must not run out of stack.
const DEPTH_MAX: usize = 64;

/// Why a publisher's bytes are refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum DecodeError {
    #[error("{detail}")]
    Malformed { pointer: String, detail: String },
    #[error("a batch holds at least one event")]
    EmptyBatch,
    #[error("a batch holds at most {max} events here; this one has {found}")]
    BatchTooLong { max: usize, found: usize },
    #[error("in binary mode the body is application/json")]
    MediaType,
    #[error("an event of {found} bytes is too large")]
    EventTooLarge { pointer: String, found: usize },
    #[error("{detail}")]
    Invalid { pointer: String, detail: String },
}

impl DecodeError {
    pub(super) fn malformed(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Malformed { pointer: pointer.into(), detail: detail.into() }
    }

    pub(super) fn invalid(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Invalid { pointer: pointer.into(), detail: detail.into() }
    }

    /// Where it is wrong; `None` when it is no place in the request.
    pub(super) fn pointer(&self) -> Option<&str> {
        match self {
            Self::Malformed { pointer, .. } | Self::EventTooLarge { pointer, .. } | Self::Invalid { pointer, .. } => {
                Some(pointer)
            }
            Self::EmptyBatch | Self::BatchTooLong { .. } => Some(""),
            Self::MediaType => None,
        }
    }
}

/// Whether a media type is JSON.
pub(super) fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || essence.ends_with("+json")
}

/// Reads events.
pub(super) struct Decoder {
    /// Largest event, in bytes of its JSON as it was sent.
    pub(super) event_max_bytes: usize,
    /// Stands in for an absent `time`.
    pub(super) now: Timestamp,
}

impl Decoder {
    /// Reads a batch of at most `max` events, all or none.
    pub(super) fn batch(&self, text: &str, max: usize) -> Result<Vec<Draft>, DecodeError> {
        let events: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|error| DecodeError::malformed("", error.to_string()))?;
        if events.is_empty() {
            return Err(DecodeError::EmptyBatch);
        }
        if events.len() > max {
            return Err(DecodeError::BatchTooLong { max, found: events.len() });
        }
        events.iter().enumerate().map(|(index, event)| self.one(event.get(), &format!("/{index}"))).collect()
    }

    /// Reads one event; `base` points at it.
    pub(super) fn one(&self, text: &str, base: &str) -> Result<Draft, DecodeError> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if text.len() > self.event_max_bytes {
            return Err(DecodeError::EventTooLarge { pointer: base.to_owned(), found: text.len() });
        }
        let value: &RawValue =
            serde_json::from_str(text).map_err(|error| DecodeError::malformed(base, error.to_string()))?;
        let attributes: Attributes<'_> =
            serde_json::from_str(value.get()).map_err(|error| DecodeError::invalid(base, words(&error)))?;
        attributes.check(base)?;
        let event = self.event(text, base)?;
        Ok(Draft { open_json: attributes.written(event.time), event })
    }

    fn event(&self, text: &str, base: &str) -> Result<Event, DecodeError> {
        let mut track = Track::new();
        let mut reader = serde_json::Deserializer::from_str(text);
        let envelope =
            Envelope::<&RawValue>::deserialize(serde_path_to_error::Deserializer::new(&mut reader, &mut track))
                .map_err(|error| at(base, &track.path(), &error))?;
        envelope
            .check()
            .map_err(|error| DecodeError::invalid(format!("{base}{}", error.pointer()), error.to_string()))?;

        let mut track = Track::new();
        let mut reader = serde_json::Deserializer::from_str(envelope.data.map_or("null", RawValue::get));
        envelope
            .decode(self.now, |_| serde_path_to_error::Deserializer::new(&mut reader, &mut track))
            .map_err(|error| at(&format!("{base}/data"), &track.path(), &error))
    }
}

/// What is wrong at `path` under `base`.
pub(super) fn at(base: &str, path: &Path, error: &serde_json::Error) -> DecodeError {
    DecodeError::invalid(pointer(base, path), words(error))
}

/// What serde_json says, without its line and column: they count within a part of the request.
fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.as_str(), |(words, _)| words).to_owned()
}

/// `path` under `base`, as a JSON pointer (RFC 6901, section 3).
fn pointer(base: &str, path: &Path) -> String {
    path.iter().fold(base.to_owned(), |mut pointer, segment| {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } => push_token(&mut pointer, key),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
        pointer
    })
}

fn push_token(pointer: &mut String, token: &str) {
    pointer.push('/');
    pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
}

/// The members of an event, in order, undecoded.
struct Attributes<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Attributes<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = Attributes<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an event, which is a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Attributes(members))
            }
        }

        deserializer.deserialize_map(Members)
    }
}

impl Attributes<'_> {
    /// Checks what holds for attributes of any name (CloudEvents 1.0, "Naming Conventions" and "Type System").
    fn check(&self, base: &str) -> Result<(), DecodeError> {
        if self.0.len() > ATTRIBUTES_MAX {
            return Err(DecodeError::invalid(base, format!("an event holds at most {ATTRIBUTES_MAX} attributes")));
        }
        let has = |name: &str| self.0.iter().any(|(known, value)| known == name && !is_null(value));
        if has("data") && has("data_base64") {
            return Err(DecodeError::invalid(
                format!("{base}/data_base64"),
                "an event has data or data_base64, not both",
            ));
        }
        for (index, (name, value)) in self.0.iter().enumerate() {
            let refuse = |detail: &str| {
                let mut pointer = base.to_owned();
                push_token(&mut pointer, name);
                Err(DecodeError::invalid(pointer, detail))
            };
            if self.0.iter().take(index).any(|(earlier, _)| earlier == name) {
                return refuse("the attribute is given more than once");
            }
            if matches!(name.as_str(), "data" | "data_base64") {
                match unfit(value.get()) {
                    Some(why) => return refuse(why),
                    None => continue,
                }
            }
            if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
                return refuse("an attribute's name holds lower-case letters and digits only");
            }
            if value.get().starts_with(['{', '[']) {
                return refuse("an attribute is text, a number or a boolean");
            }
            if let Some(why) = wrong_text(name, value) {
                return refuse(why);
            }
        }
        Ok(())
    }

    /// The event without `recordedtime` and the closing brace, with a `time`.
    fn written(&self, time: Timestamp) -> Vec<u8> {
        let mut json = String::from("{");
        let mut timed = false;
        for (name, value) in &self.0 {
            // `null` is how the JSON format says that an attribute is absent.
            let absent = is_null(value) && name != "data";
            if absent || name == "recordedtime" {
                continue;
            }
            timed |= name == "time";
            if json.len() > 1 {
                json.push(',');
            }
            // Checked: a name needs no escaping.
            json.push('"');
            json.push_str(name);
            json.push_str("\":");
            push_compact(&mut json, value.get());
        }
        if !timed {
            json.push_str(&format!(",\"time\":\"{time}\""));
        }
        json.into_bytes()
    }
}

/// What is wrong with an attribute's text, if it is one (CloudEvents 1.0, "Type System" and "Context Attributes").
fn wrong_text(name: &str, value: &RawValue) -> Option<&'static str> {
    if !value.get().starts_with('"') {
        return None;
    }
    let Ok(text) = serde_json::from_str::<Cow<'_, str>>(value.get()) else {
        return Some("the text holds half of a surrogate pair");
    };
    match name {
        "subject" if text.is_empty() => Some("a subject is absent or says something"),
        _ if text.contains(char::is_control) => Some("an attribute holds no control characters"),
        _ => None,
    }
}

/// Why data that is JSON is not served on: not every reader can read it (RFC 7493, section 2.1), or it nests too deep.
fn unfit(json: &str) -> Option<&'static str> {
    const HALF: &str = "data holds half of a surrogate pair";
    let (mut depth, mut in_string, mut high) = (0_usize, false, false);
    let mut rest = json.chars();
    while let Some(c) = rest.next() {
        let low_wanted = std::mem::take(&mut high);
        let mut low = false;
        match c {
            '\\' if in_string && rest.next() == Some('u') => {
                let unit = u16::from_str_radix(&rest.by_ref().take(4).collect::<String>(), 16).ok();
                (high, low) = match unit {
                    Some(0xd800..=0xdbff) => (true, false),
                    Some(0xdc00..=0xdfff) => (false, true),
                    _ => (false, false),
                };
            }
            '"' => in_string = !in_string,
            '{' | '[' if !in_string => depth += 1,
            '}' | ']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if low != low_wanted {
            return Some(HALF);
        }
        if depth > DEPTH_MAX {
            return Some("data nests too deep");
        }
    }
    None
}

fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// Copies a JSON value without the blanks between its tokens.
fn push_compact(into: &mut String, value: &str) {
    let (mut in_string, mut escaped) = (false, false);
    for c in value.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if matches!(c, ' ' | '\t' | '\r' | '\n') {
            continue;
        } else {
            in_string = c == '"';
        }
        into.push(c);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn decoder() -> Decoder {
        Decoder { event_max_bytes: 16_384, now: Timestamp::from_millis(0) }
    }

    fn kept(text: &str) -> String {
        let draft = decoder().one(text, "").expect("an event");
        String::from_utf8(draft.open_json).expect("text") + "}"
    }

    #[test]
    fn what_this_project_does_not_know_is_kept_as_it_came() {
        let text = r#"{ "specversion": "1.0", "id": "1", "source": "/a", "type": "org.example",
            "time": "2026-01-18T12:00:00Z", "strange1": 1.50, "recordedtime": "2020-01-01T00:00:00Z",
            "subject": null, "data": {"b": [1, 2.0e3 ], "a": " \" \\", "a": "twice"} }"#;
        let expected = concat!(
            r#"{"specversion":"1.0","id":"1","source":"/a","type":"org.example","time":"2026-01-18T12:00:00Z","#,
            r#""strange1":1.50,"data":{"b":[1,2.0e3],"a":" \" \\","a":"twice"}}"#
        );
        assert_eq!(kept(text), expected);
    }

    #[test]
    fn text_of_any_script_and_nesting_within_bounds_are_kept() {
        let deep = format!("{}\"[{{\\\\\"{}", "[".repeat(64), "]".repeat(64));
        let text = format!(
            r#"{{"specversion":"1.0","id":"1","source":"https://beispiel.example/ä?b=1#c","type":"t","time":"2026-01-18T12:00:00Z","subject":"\ud83d\ude00 日本","data":{deep}}}"#
        );
        assert_eq!(kept(&text), text);
    }

    #[test]
    fn an_absent_time_is_filled_in() {
        let text = r#"{"specversion":"1.0","id":"1","source":"/a","type":"org.example","time":null}"#;
        assert!(kept(text).ends_with(r#""type":"org.example","time":"1970-01-01T00:00:00.000Z"}"#));
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let of = |rest: &str| format!(r#"{{"specversion":"1.0","id":"1","source":"/a",{rest}}}"#);
        let entity = |data: &str| of(&format!(r#""type":"monkeytown.entity.created","data":{data}"#));
        for (text, pointer) in [
            ("[]".to_owned(), ""),
            ("7".to_owned(), ""),
            (of(r#""type":7"#), "/type"),
            (of(r#""type":"t","id":"2""#), "/id"),
            (of(r#""type":"t","extra":1,"extra":2"#), "/extra"),
            (of(r#""type":"t","Extra":1"#), "/Extra"),
            (of(r#""type":"t","a/b~c":1"#), "/a~1b~0c"),
            (of(r#""type":"t","extra":{}"#), "/extra"),
            (of(r#""type":"t","time":"yesterday""#), "/time"),
            (of(r#""type":"t","data":1,"data_base64":"AA==""#), "/data_base64"),
            (of(r#""type":"monkeytown.log.line""#), "/data"),
            (of(r#""type":"t","subject":"""#), "/subject"),
            (of(r#""type":"t","subject":"a\u0007b""#), "/subject"),
            (of(r#""type":"t","extra":"\ud800""#), "/extra"),
            (of(r#""type":"t","data":{"a":["\ud83d"]}"#), "/data"),
            (of(r#""type":"t","data":"\udc00\ud83d""#), "/data"),
            (of(r#""type":"t","data":"\ud83d\ud83d\ude00""#), "/data"),
            (of(&format!(r#""type":"t","data":{}1{}"#, "[".repeat(65), "]".repeat(65))), "/data"),
            (entity("[]"), "/data"),
            (entity(r#"{"id":"a"}"#), "/data"),
            (entity(r#"{"id":"","kind":"agent"}"#), "/data/id"),
            (entity(r#"{"id":"a","kind":"agent","metrics":{"load":2}}"#), "/data/metrics/load"),
        ] {
            match decoder().one(&text, "") {
                Err(DecodeError::Invalid { pointer: found, .. }) => assert_eq!(found, pointer, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    proptest! {
        #[test]
        fn compacting_changes_no_value(value in any_json()) {
            let pretty = serde_json::to_string_pretty(&value).expect("JSON");
            let mut compact = String::new();
            push_compact(&mut compact, &pretty);
            prop_assert_eq!(compact, serde_json::to_string(&value).expect("JSON"));
        }
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf =
            prop_oneof![any::<i64>().prop_map(serde_json::Value::from), ".{0,12}".prop_map(serde_json::Value::from)];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::vec((".{0,6}", inner), 0..4)
                    .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
            ]
        })
    }
}
