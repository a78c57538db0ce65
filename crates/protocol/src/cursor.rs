//! Where a subscriber stands in a stream: epoch, offset, and the exclusive cursor made of both.

use crate::{FromJson, Json, Wrong, from_json::text_from_json};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::{fmt, str::FromStr, sync::Arc};

/// Longest epoch, in bytes.
const EPOCH_MAX_BYTES: usize = 64;

/// One unbroken history. A new one is drawn whenever history cannot be continued; offsets of two epochs
/// have nothing to do with each other. Letters, digits, `-` and `_`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Epoch(Arc<str>);

/// The place of an accepted event in its epoch: 0, 1, 2 …
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Offset(pub u64);

/// A place between two events of an epoch: after `after`, or before everything when there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The history that the offset belongs to.
    pub epoch: Epoch,
    /// The last event that has been seen; `None` before any (written `EPOCH:-1`).
    pub after: Option<Offset>,
}

/// Where a subscription asks to start. It is exclusive: "after this one".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cursor {
    /// Before the oldest event still held.
    Earliest,
    /// After the newest event.
    Latest,
    /// After a certain event.
    At(Position),
}

/// Text that is no epoch, position or cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CursorError;

impl fmt::Display for CursorError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cursor is EPOCH:OFFSET, earliest or latest")
    }
}

impl std::error::Error for CursorError {}

impl Epoch {
    /// Checks `value`.
    ///
    /// # Errors
    /// When it is empty, over 64 bytes, or holds anything but letters, digits, `-` and `_`.
    pub fn new(value: &str) -> Result<Self, CursorError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if value.is_empty() || value.len() > EPOCH_MAX_BYTES || !value.chars().all(plain) {
            return Err(CursorError);
        }
        Ok(Self(Arc::from(value)))
    }

    /// The epoch as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Offset {
    /// The offset that follows this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl Position {
    /// The offset of the next event to be seen.
    #[must_use]
    pub fn next(&self) -> Offset {
        self.after.map_or(Offset(0), Offset::next)
    }
}

impl TryFrom<String> for Epoch {
    type Error = CursorError;
    fn try_from(value: String) -> Result<Self, CursorError> {
        Self::new(&value)
    }
}

impl From<Epoch> for String {
    fn from(epoch: Epoch) -> Self {
        epoch.0.as_ref().to_owned()
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.after {
            Some(offset) => write!(f, "{}:{}", self.epoch, offset.0),
            None => write!(f, "{}:-1", self.epoch),
        }
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::At(position) => position.fmt(f),
        }
    }
}

impl FromStr for Position {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        let (epoch, offset) = text.split_once(':').ok_or(CursorError)?;
        let after = match offset {
            "-1" => None,
            digits if digits.starts_with('+') => return Err(CursorError),
            digits => Some(Offset(digits.parse().map_err(|_| CursorError)?)),
        };
        Ok(Self { epoch: Epoch::new(epoch)?, after })
    }
}

impl FromStr for Cursor {
    type Err = CursorError;
    fn from_str(text: &str) -> Result<Self, CursorError> {
        match text {
            "earliest" => Ok(Self::Earliest),
            "latest" => Ok(Self::Latest),
            position => position.parse().map(Self::At),
        }
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(Position);
as_text!(Cursor);

text_from_json! {
    Epoch: Epoch::new, "must be 1 to 64 letters, digits, - and _";
    Position: str::parse, "must be EPOCH:OFFSET";
}

impl<'a> FromJson<'a> for Offset {
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        json.whole(wrong).map(Self)
    }
}

/// The wire's way to write the offset of the newest event: -1 when there is none.
pub mod head {
    use super::Offset;
    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes `-1` for none.
    ///
    /// # Errors
    /// When the serializer fails.
    pub fn serialize<S: Serializer>(head: &Option<Offset>, serializer: S) -> Result<S::Ok, S::Error> {
        match head {
            Some(offset) => serializer.serialize_u64(offset.0),
            None => serializer.serialize_i8(-1),
        }
    }

    /// Reads `-1` as none.
    ///
    /// # Errors
    /// When it is no whole number, or under -1.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Offset>, D::Error> {
        from_wire(i64::deserialize(deserializer)?).ok_or_else(|| de::Error::custom("an offset is -1 (none), 0 or more"))
    }

    /// What `-1`, 0, 1 … mean; `None` for anything less.
    #[must_use]
    pub fn from_wire(value: i64) -> Option<Option<Offset>> {
        match value {
            -1 => Some(None),
            _ => u64::try_from(value).ok().map(|offset| Some(Offset(offset))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    #[test]
    fn cursors_survive_writing_and_reading() {
        for text in ["earliest", "latest", "k3_A-9:-1", "k3:0", "k3:18446744073709551615"] {
            assert_eq!(text.parse::<Cursor>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        for text in ["", ":", "k3", "k3:", ":3", "k3:-2", "k3:+3", "k3:1:2", "k 3:1", "k3:18446744073709551616"] {
            assert!(text.parse::<Cursor>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_position_before_everything_is_followed_by_offset_zero() {
        let start: Position = "k3:-1".parse().expect("a position");
        assert_eq!(start.next(), Offset(0));
    }
}
