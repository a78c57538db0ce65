//! A payload's JSON, read where it lies: an object is gone through once for the fields that are asked for, the rest is
//! passed over and never built.
//!
//! So a body of 25 MB costs no more memory than its bytes. What is absent, `null` or of another type is none: a webhook
//! has hundreds of fields, and few of them matter. Knows nothing of what the fields mean.

use serde::{
    Deserializer, Serialize,
    de::{Deserialize, DeserializeOwned, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;
use std::{collections::VecDeque, fmt};

/// A value that is well-formed JSON and has not been read yet.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Json<'a>(&'a RawValue);

impl<'a> Json<'a> {
    /// Checks that `text` is one JSON object.
    pub(super) fn object(text: &'a str) -> Result<Self, serde_json::Error> {
        let raw: &'a RawValue = serde_json::from_str(text)?;
        if raw.get().starts_with('{') { Ok(Self(raw)) } else { Err(serde_json::Error::custom("it is no object")) }
    }

    /// The values under `names`, in one pass; of a name that is there twice, the last.
    pub(super) fn fields<const N: usize>(self, names: [&str; N]) -> [Option<Self>; N] {
        let found = serde_json::Deserializer::from_str(self.0.get()).deserialize_map(Fields(names));
        found.unwrap_or([None; N])
    }

    /// The value under `name`.
    pub(super) fn field(self, name: &str) -> Option<Self> {
        let [found] = self.fields([name]);
        found
    }

    /// The text that is found by going through the objects along `path`.
    pub(super) fn text_at(self, path: &[&str]) -> Option<String> {
        path.iter().try_fold(self, |at, name| at.field(name))?.text()
    }

    pub(super) fn text(self) -> Option<String> {
        self.read()
    }

    pub(super) fn number(self) -> Option<u64> {
        self.read()
    }

    pub(super) fn flag(self) -> Option<bool> {
        self.read()
    }

    /// The last `max` values of a list, and how many came before them.
    pub(super) fn list(self, max: usize) -> (Vec<Self>, usize) {
        let found = serde_json::Deserializer::from_str(self.0.get()).deserialize_seq(Last(max));
        found.unwrap_or_default()
    }

    fn read<T: DeserializeOwned>(self) -> Option<T> {
        serde_json::from_str(self.0.get()).ok()
    }

    fn present(raw: &'a RawValue) -> Option<Self> {
        (raw.get() != "null").then_some(Self(raw))
    }
}

struct Fields<'n, const N: usize>([&'n str; N]);

impl<'de, const N: usize> Visitor<'de> for Fields<'_, N> {
    type Value = [Option<Json<'de>>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(key) = map.next_key::<String>()? {
            match self.0.iter().zip(found.iter_mut()).find(|(name, _)| **name == key) {
                Some((_, place)) => *place = Json::present(map.next_value()?),
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(found)
    }
}

struct Last(usize);

impl<'de> Visitor<'de> for Last {
    type Value = (Vec<Json<'de>>, usize);

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let (mut last, mut before) = (VecDeque::new(), 0);
        while let Some(raw) = list.next_element::<Raw<'de>>()? {
            if last.len() >= self.0 {
                last.pop_front();
                before += 1;
            }
            last.push_back(Json(raw.0));
        }
        Ok((last.into(), before))
    }
}

/// `&RawValue` as an element of a list.
struct Raw<'a>(&'a RawValue);

impl<'de> Deserialize<'de> for Raw<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&RawValue>::deserialize(deserializer).map(Raw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(text: &str) -> Json<'_> {
        Json::object(text).expect(text)
    }

    #[test]
    fn fields_are_found_wherever_they_stand_and_null_is_none() {
        let json = object(r#"{"x": {"deep": [1, {"a": 0}]}, "a": "one", "n": null, "a": "two", "\u0062": 7}"#);
        let [a, b, n, none] = json.fields(["a", "b", "n", "none"]);
        assert_eq!(a.and_then(Json::text).as_deref(), Some("two"));
        assert_eq!(b.and_then(Json::number), Some(7));
        assert!(n.is_none() && none.is_none());
        assert_eq!(json.text_at(&["x", "deep", "a"]), None);
    }

    #[test]
    fn what_is_of_another_type_is_none() {
        let json = object(r#"{"a": [], "b": -1, "c": "\ud800", "d": 1.5}"#);
        let [a, b, c, d] = json.fields(["a", "b", "c", "d"]);
        assert!(a.and_then(Json::text).is_none() && a.and_then(|a| a.field("x")).is_none());
        assert!(b.and_then(Json::number).is_none() && b.is_some_and(|b| b.list(3).0.is_empty()));
        assert!(c.and_then(Json::text).is_none() && d.and_then(Json::number).is_none());
    }

    #[test]
    fn of_a_long_list_the_end_is_kept() {
        let json = object(r#"{"l": [1, 2, 3, 4]}"#);
        let (last, before) = json.field("l").expect("there").list(2);
        assert_eq!((last.into_iter().filter_map(Json::number).collect::<Vec<_>>(), before), (vec![3, 4], 2));
    }

    #[test]
    fn what_is_no_object_is_refused_however_deep() {
        for text in ["", "[]", "null", "\"{\"", "{", "{\"a\":}", "{} {}", &"[".repeat(200_000)] {
            assert!(Json::object(text).is_err());
        }
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(200_000), "]".repeat(200_000));
        assert!(object(&deep).field("a").is_some());
    }
}
