//! How much each address holds at once. An address that holds nothing is not remembered, so the table is never longer
//! than what is held, whoever comes.
//!
//! Knows nothing of what is held.

use crate::address::Client;
use std::{
    collections::HashMap,
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What is held, by address. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Crowd {
    max: Option<NonZeroUsize>,
    held: Arc<Mutex<HashMap<Client, usize>>>,
}

/// One thing held by an address, given back when dropped.
#[derive(Debug)]
pub(crate) struct Share {
    crowd: Crowd,
    client: Client,
}

impl Crowd {
    /// Each address may hold `max`; `None` counts nobody.
    pub(crate) fn new(max: Option<NonZeroUsize>) -> Self {
        Self { max, held: Arc::default() }
    }

    /// Has `client` hold one more. `Err` when it holds as many as it may; `None` where nobody is counted.
    pub(crate) fn take(&self, client: Client) -> Result<Option<Share>, Crowded> {
        let Some(max) = self.max else { return Ok(None) };
        let mut held = self.held();
        let now = held.get(&client).copied().unwrap_or_default();
        if now >= max.get() {
            return Err(Crowded);
        }
        held.insert(client, now + 1);
        Ok(Some(Share { crowd: self.clone(), client }))
    }

    /// Whether `client` holds as many as it may.
    pub(crate) fn is_full(&self, client: Client) -> bool {
        self.max.is_some_and(|max| self.held().get(&client).is_some_and(|held| *held >= max.get()))
    }

    fn held(&self) -> MutexGuard<'_, HashMap<Client, usize>> {
        // A count cannot be left half-made: whatever is there is usable.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An address holds as many as it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Crowded;

impl Drop for Share {
    fn drop(&mut self) {
        let mut held = self.crowd.held();
        match held.get_mut(&self.client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => {
                held.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    fn client(number: u32) -> Client {
        Client::new(Ipv4Addr::from_bits(number).into())
    }

    fn at_most(max: usize) -> Crowd {
        Crowd::new(NonZeroUsize::new(max))
    }

    #[test]
    fn an_address_holds_as_many_as_it_may_and_takes_nothing_from_others() {
        let crowd = at_most(2);
        let (first, second) = (crowd.take(client(1)), crowd.take(client(1)));
        assert!(first.is_ok() && second.is_ok());
        assert_eq!(crowd.take(client(1)).err(), Some(Crowded));
        assert!(crowd.is_full(client(1)) && !crowd.is_full(client(2)));
        let other = crowd.take(client(2));
        assert!(other.is_ok());
        drop(first);
        assert!(crowd.take(client(1)).is_ok());
    }

    #[test]
    fn addresses_without_end_are_not_remembered() {
        let crowd = at_most(1);
        let holding = crowd.take(client(0));
        for number in 0..100_000 {
            drop(crowd.take(client(number)));
        }
        assert_eq!(crowd.held().len(), 1);
        assert!(crowd.held().capacity() < 16, "{}", crowd.held().capacity());
        drop(holding);
        assert!(crowd.held().is_empty());
    }

    #[test]
    fn where_nobody_is_counted_nobody_is_refused() {
        let crowd = Crowd::new(None);
        let all: Vec<_> = (0..1_000).map(|_| crowd.take(client(1))).collect();
        assert!(all.iter().all(|taken| matches!(taken, Ok(None))) && crowd.held().is_empty());
    }
}
