//! A map in the order of its keys: a sorted vector.
//!
//! The maps of the fold are bounded to a few thousand entries and are read and updated far more often than
//! they grow, so a binary search and a short move do as well as a tree. In the browser each kind of tree map
//! costs some 5 KB of code where this costs 1 (see `ARCHITECTURE.md`, "Bytes").

use monkeytown_protocol::{FromJson, Json, Wrong};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};
use std::{borrow::Cow, fmt, marker::PhantomData};

/// Keys in order, each once. Values are boxed, so that making room moves pointers only.
#[derive(Debug, Clone, PartialEq)]
pub struct Keyed<K, V> {
    entries: Vec<(K, Box<V>)>,
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self { entries: Vec::new() }
    }
}

impl<K: Ord, V> Keyed<K, V> {
    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    fn find(&self, key: &K) -> Result<usize, usize> {
        self.entries.binary_search_by(|(held, _)| held.cmp(key))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of `key`, to be changed.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.find(key).ok()?;
        self.entries.get_mut(at).map(|(_, value)| &mut **value)
    }

    /// Whether `key` has an entry.
    pub fn contains_key(&self, key: &K) -> bool {
        self.find(key).is_ok()
    }

    /// The value of `key`.
    pub fn get(&self, key: &K) -> Option<&V> {
        let at = self.find(key).ok()?;
        self.entries.get(at).map(|(_, value)| &**value)
    }

    /// Puts `value` in the place of what `key` had.
    pub fn insert(&mut self, key: K, value: V) {
        match self.find(&key) {
            Ok(at) => {
                if let Some((_, held)) = self.entries.get_mut(at) {
                    **held = value;
                }
            }
            Err(at) => self.entries.insert(at, (key, Box::new(value))),
        }
    }

    /// Takes the entry of `key` out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.find(key).ok()?;
        Some(*self.entries.remove(at).1)
    }

    /// The entries in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (key, &**value))
    }

    /// The values in the order of their keys.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| &**value)
    }

    /// Changes every value.
    pub fn change_each(&mut self, mut change: impl FnMut(&mut V)) {
        self.entries.iter_mut().for_each(|(_, value)| change(value));
    }

    /// Keeps the entries of which `keep` is true.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| keep(key, value));
    }
}

impl<K: Serialize + Ord, V: Serialize> Serialize for Keyed<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Deserialize<'de> for Keyed<K, V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<K, V>(PhantomData<(K, V)>);

        impl<'de, K: Deserialize<'de> + Ord, V: Deserialize<'de>> Visitor<'de> for Entries<K, V> {
            type Value = Keyed<K, V>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            /// A snapshot's keys come in order; those of an edited one are put in order, the last of a key counts.
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut keyed = Keyed::default();
                while let Some((key, value)) = map.next_entry()? {
                    keyed.insert(key, value);
                }
                Ok(keyed)
            }
        }

        deserializer.deserialize_map(Entries(PhantomData))
    }
}

impl<'a, K: for<'k> FromJson<'k> + Ord, V: FromJson<'a>> FromJson<'a> for Keyed<K, V> {
    /// As above: in order, and the last of a key counts.
    fn from_json(json: &'a Json<'a>, wrong: &mut Wrong) -> Option<Self> {
        let mut keyed = Self::default();
        for (key, value) in json.members(wrong)? {
            let key = Json::Text(Cow::Borrowed(&**key));
            keyed.insert(K::from_json(&key, wrong)?, V::from_json(value, wrong)?);
        }
        Some(keyed)
    }
}

#[cfg(test)]
mod tests {
    use super::Keyed;
    use std::collections::BTreeMap;
    #[cfg(target_arch = "wasm32")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    proptest::proptest! {
        #[test]
        fn it_behaves_as_a_tree_map_does(steps in proptest::collection::vec((0_u8..4, 0_u8..40, 0_u16..), 0..200)) {
            let (mut ours, mut oracle) = (Keyed::default(), BTreeMap::new());
            for (step, key, value) in steps {
                match step {
                    0 | 1 => { ours.insert(key, value); oracle.insert(key, value); }
                    2 => proptest::prop_assert_eq!(ours.remove(&key), oracle.remove(&key)),
                    _ => proptest::prop_assert_eq!(ours.get(&key), oracle.get(&key)),
                }
                proptest::prop_assert!(ours.iter().eq(oracle.iter()));
            }
        }
    }
}
