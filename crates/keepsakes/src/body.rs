//! What a record says: an object of JSON with texts and whole numbers. Read here, written by [`Writing`].
//!
//! Knows nothing of what they mean.

use crate::writing::Writing;
use monkeytown_protocol::Json;

/// A body, read. One that no page wrote is empty.
#[derive(Debug, Default)]
pub struct Body(Vec<(String, String)>);

impl Body {
    /// Reads a record's body.
    #[must_use]
    pub fn read(body: &str) -> Self {
        let Ok(json) = Json::parse(body) else { return Self::default() };
        Self::of(&json).unwrap_or_default()
    }

    /// Reads an object; `None` when it is none, or holds anything but texts and whole numbers.
    #[must_use]
    pub fn of(json: &Json<'_>) -> Option<Self> {
        let Json::Object(members) = json else { return None };
        let mut read = Vec::new();
        for (name, value) in members {
            let value = match value {
                Json::Text(text) => text.to_string(),
                Json::Whole(number) => number.to_string(),
                _ => return None,
            };
            read.push((name.to_string(), value));
        }
        Some(Self(read))
    }

    /// What it says under a name; `None` when it says nothing.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(held, _)| held == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The number that it says under a name.
    #[must_use]
    pub fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    /// The same, written down: all of it as texts.
    #[must_use]
    pub fn written(&self) -> String {
        let mut body = Writing::default();
        for (name, value) in &self.0 {
            body.text(name, value);
        }
        body.end()
    }
}
