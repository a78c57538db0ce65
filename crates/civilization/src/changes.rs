//! What a run of events changed, gathered so that each thing is redrawn once however often it changed.

use monkeytown_protocol::{EntityId, FlowId, SeedId};

/// Keys whose state changed. A key that the fold no longer holds was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Entities created, changed or gone.
    pub entities: Keys<EntityId>,
    /// Flows created, changed, arrived, broken or gone.
    pub flows: Keys<FlowId>,
    /// Seeds reported on.
    pub seeds: Keys<SeedId>,
    /// Entities whose logs have new lines, or lost old ones.
    pub logs: Keys<EntityId>,
    /// Whether history has new or changed items.
    pub history: bool,
    /// Whether figures, alerts or counts changed that no key stands for.
    pub system: bool,
    /// The number of settled contracts worth marking that was reached: 100, 500, 1,000, 5,000 and so on. A snapshot
    /// that is taken over reaches none.
    pub milestone: Option<u64>,
}

impl Changes {
    /// Whether nothing changed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A set of keys, in order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys<K>(Vec<K>);

impl<K> Default for Keys<K> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: Ord> Keys<K> {
    /// Adds a key, if it is not there yet.
    pub fn insert(&mut self, key: K) {
        if let Err(at) = self.0.binary_search(&key) {
            self.0.insert(at, key);
        }
    }

    /// Takes a key out. False when it was not there.
    pub fn remove(&mut self, key: &K) -> bool {
        let found = self.0.binary_search(key);
        found.is_ok_and(|at| {
            self.0.remove(at);
            true
        })
    }

    /// Adds several.
    pub fn extend(&mut self, keys: impl IntoIterator<Item = K>) {
        keys.into_iter().for_each(|key| self.insert(key));
    }

    /// Its place in the order.
    pub fn position(&self, key: &K) -> Option<usize> {
        self.0.binary_search(key).ok()
    }

    /// Whether it is there.
    pub fn contains(&self, key: &K) -> bool {
        self.0.binary_search(key).is_ok()
    }

    /// The keys in order.
    pub fn iter(&self) -> std::slice::Iter<'_, K> {
        self.0.iter()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl<'a, K: Ord> IntoIterator for &'a Keys<K> {
    type Item = &'a K;
    type IntoIter = std::slice::Iter<'a, K>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
