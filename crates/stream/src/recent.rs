//! A map that remembers a bounded number of things and forgets the oldest. Knows nothing of what it holds.

use std::{
    borrow::Borrow,
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// What was heard lately, by key.
#[derive(Debug)]
pub(crate) struct Recent<K, V> {
    max: usize,
    held: HashMap<K, V>,
    /// The keys held, the oldest first.
    order: VecDeque<K>,
}

impl<K: Clone + Eq + Hash, V> Recent<K, V> {
    pub(crate) fn new(max: usize) -> Self {
        Self { max, held: HashMap::new(), order: VecDeque::new() }
    }

    pub(crate) fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.held.get(key)
    }

    pub(crate) fn get_mut<Q: Eq + Hash + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.held.get_mut(key)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.held.values()
    }

    /// Remembers `value`; what had to go for it is given back.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        if self.held.insert(key.clone(), value).is_some() {
            return None;
        }
        self.order.push_back(key);
        if self.order.len() <= self.max {
            return None;
        }
        self.order.pop_front().and_then(|oldest| self.held.remove(&oldest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_goes_and_is_given_back() {
        let mut recent = Recent::new(2);
        assert_eq!((recent.insert("a", 1), recent.insert("b", 2), recent.insert("a", 3)), (None, None, None));
        assert_eq!(recent.insert("c", 4), Some(3));
        assert_eq!((recent.get("a"), recent.get("b"), recent.get("c")), (None, Some(&2), Some(&4)));
        assert_eq!((recent.held.len(), recent.order.len()), (2, 2));
    }
}
