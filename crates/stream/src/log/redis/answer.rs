//! What Redis answers, read into types. Anything may lie in its keys, so nothing of it is believed.

use super::{
    link::{Over, State, Trouble},
    stamps,
};
use crate::log::{append, append::KeptEvent, identity::Identity};
use bytes::Bytes;
use monkeytown_protocol::Timestamp;
use redis::Value;

/// Longest state that is read, in bytes; the fold is under half of it.
const STATE_MAX_BYTES: usize = 16 << 20;

/// An id that is further ahead is none that this log gave.
const LEAP: u64 = 1 << 32;

/// The answer of a script, part by part.
#[derive(Debug)]
pub(super) struct Answer(std::vec::IntoIter<Value>);

/// An entry of the stream, as it lies there.
#[derive(Debug)]
pub(super) struct Entry {
    id: String,
    fields: Vec<(Vec<u8>, Vec<u8>)>,
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    String::from_utf8(bytes(value)?).ok()
}

fn strange() -> Trouble {
    Trouble::Damaged("an answer is of another shape than the scripts give".to_owned())
}

impl Answer {
    /// An answer that begins with how things stand.
    pub(super) fn read(value: Value) -> Result<Self, Trouble> {
        let mut answer = Self::of(value)?;
        let standing = answer.text()?;
        let mut word = || answer.text().unwrap_or_default();
        Err(match standing.as_str() {
            "ok" => return Ok(answer),
            "empty" => Trouble::Over(Over::Empty),
            "epoch" => Trouble::Over(Over::Epoch),
            "diverged" => Trouble::Over(Over::Diverged),
            "behind" => Trouble::Over(Over::Behind),
            "newer" => Trouble::Newer(word()),
            "damaged" => Trouble::Damaged(word()),
            "short" => Trouble::Short { next: answer.number()?, stamp: answer.bytes()? },
            _ => strange(),
        })
    }

    /// An answer of parts.
    pub(super) fn of(value: Value) -> Result<Self, Trouble> {
        match value {
            Value::Array(parts) => Ok(Self(parts.into_iter())),
            _ => Err(strange()),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<Vec<u8>, Trouble> {
        self.0.next().and_then(bytes).ok_or_else(strange)
    }

    pub(super) fn text(&mut self) -> Result<String, Trouble> {
        self.0.next().and_then(text).ok_or_else(strange)
    }

    pub(super) fn number(&mut self) -> Result<u64, Trouble> {
        self.text()?.parse().map_err(|_| strange())
    }

    pub(super) fn moment(&mut self) -> Result<Timestamp, Trouble> {
        self.text()?.parse().map_err(|_| strange())
    }

    /// All that is left, as numbers.
    pub(super) fn numbers(self) -> Result<Vec<u64>, Trouble> {
        self.0.map(|value| text(value).and_then(|text| text.parse().ok()).ok_or_else(strange)).collect()
    }

    /// The next part, as entries of the stream.
    pub(super) fn entries(&mut self) -> Result<Vec<Entry>, Trouble> {
        let Some(Value::Array(entries)) = self.0.next() else { return Err(strange()) };
        entries.into_iter().map(|entry| entry_of(entry).ok_or_else(strange)).collect()
    }

    /// The whole, as a state that is kept or is not.
    pub(super) fn state(mut self) -> Result<Option<State>, Trouble> {
        let damaged = |what: &str| Trouble::Damaged(format!("the state that is kept has no {what}"));
        let Some(next) = self.0.next().filter(|value| *value != Value::Nil) else { return Ok(None) };
        let next = text(next).and_then(|text| text.parse().ok()).ok_or_else(|| damaged("offset"))?;
        let recorded = self.text().ok().and_then(|text| text.parse().ok()).ok_or_else(|| damaged("moment"))?;
        let json = self.bytes().map_err(|_| damaged("content"))?;
        if json.len() > STATE_MAX_BYTES {
            return Err(Trouble::Damaged(format!("the state that is kept is over {STATE_MAX_BYTES} bytes long")));
        }
        Ok(Some(State { next, recorded, json }))
    }

    /// The first number of the first id in an answer of `XREAD`.
    pub(super) fn first_id(value: &Value) -> Option<u64> {
        let first = |value: &Value| match value {
            Value::Array(parts) => parts.first().cloned(),
            _ => None,
        };
        let Some(Value::Array(stream)) = first(value) else { return None };
        let entry = first(stream.get(1)?)?;
        let id = text(first(&entry)?)?;
        id.split('-').next()?.parse().ok()
    }
}

fn entry_of(value: Value) -> Option<Entry> {
    let Value::Array(parts) = value else { return None };
    let mut parts = parts.into_iter();
    let id = text(parts.next()?)?;
    let Value::Array(fields) = parts.next()? else { return None };
    let mut fields = fields.into_iter();
    let mut read = Vec::new();
    while let (Some(name), Some(value)) = (fields.next(), fields.next()) {
        read.push((bytes(name)?, bytes(value)?));
    }
    Some(Entry { id, fields: read })
}

impl Entry {
    /// Whether it is one that comes after the event with this offset: that one has gone.
    pub(super) fn follows(&self, offset: u64) -> bool {
        let number = self.id.strip_suffix("-0").and_then(|number| number.parse::<u64>().ok());
        number.is_some_and(|number| number > offset.saturating_add(1) && number < offset.saturating_add(LEAP))
    }

    /// The event that must lie here, and its stamp.
    pub(super) fn event(self, offset: u64) -> Result<(KeptEvent, u64), Trouble> {
        let damaged = |why: String| Trouble::Damaged(format!("the entry {} is not event {offset}: {why}", self.id));
        if self.id != format!("{}-0", offset + 1) {
            return Err(damaged("it has another id".to_owned()));
        }
        let field = |name: &[u8]| {
            let found = self.fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_slice());
            found.ok_or_else(|| damaged(format!("it has no field `{}`", String::from_utf8_lossy(name))))
        };
        let stamp = stamps::read(field(b"s")?).ok_or_else(|| damaged("its stamp is none".to_owned()))?;
        let identity = Identity::read(field(b"i")?).ok_or_else(|| damaged("its identity is none".to_owned()))?;
        let json = field(b"j")?;
        let event = append::decoded(json).map_err(|why| damaged(format!("its content is no event: {why}")))?;
        if Identity::common(&event) != identity {
            return Err(damaged("its identity is another event's".to_owned()));
        }
        Ok((KeptEvent { event, json: Bytes::copy_from_slice(json), identity }, stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Nil),
            Just(Value::Okay),
            any::<i64>().prop_map(Value::Int),
            proptest::collection::vec(any::<u8>(), 0..12).prop_map(Value::BulkString),
            prop_oneof!["ok", "short", "damaged", "1-0", "s", "i", "j"].prop_map(Value::SimpleString),
        ];
        leaf.prop_recursive(4, 40, 6, |inner| proptest::collection::vec(inner, 0..6).prop_map(Value::Array))
    }

    proptest! {
        #[test]
        fn no_answer_makes_reading_panic(value in any_value()) {
            let _ = Answer::first_id(&value);
            let _ = Answer::of(value.clone()).and_then(Answer::state);
            let _ = Answer::read(value.clone()).and_then(Answer::numbers);
            if let Ok(mut answer) = Answer::of(value) {
                for entry in answer.entries().into_iter().flatten() {
                    let _ = entry.event(0);
                }
            }
        }
    }

    #[test]
    fn what_is_not_the_event_that_must_lie_there_is_named() {
        let entry = |id: &str, fields: &[(&str, &[u8])]| Entry {
            id: id.to_owned(),
            fields: fields.iter().map(|(name, value)| (name.as_bytes().to_vec(), value.to_vec())).collect(),
        };
        let why = |entry: Entry| entry.event(4).map(|_| ()).unwrap_err().to_string();
        let (stamp, identity) = ([1; 8], [2; 16]);
        assert!(why(entry("1700000000000-0", &[])).contains("1700000000000-0 is not event 4"));
        assert!(why(entry("5-0", &[("x", b"y")])).contains("no field `s`"));
        assert!(why(entry("5-0", &[("s", &stamp), ("i", b"short"), ("j", b"{}")])).contains("identity"));
        assert!(why(entry("5-0", &[("s", &stamp), ("i", &identity), ("j", b"{}")])).contains("no event"));
        let json =
            br#"{"specversion":"1.0","id":"1","source":"/s","type":"org.example.x","time":"2026-01-18T12:00:00.000Z"}"#;
        assert!(why(entry("5-0", &[("s", &stamp), ("i", &identity), ("j", json)])).contains("another event's"));
    }
}
