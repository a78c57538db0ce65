//! Who was here before: the identity (`source` + `id`) of every event held, as a keyed hash.
//!
//! Keyed, so that no publisher can make two identities collide; 128 bits, so that chance cannot either.

use monkeytown_protocol::{Event, Offset};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
};

/// Takes the low half of what is already a hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // The map's key is a u128, which arrives by `write_u128`; this serves any other key correctly too.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "half of a hash is a hash")]
    fn write_u128(&mut self, identity: u128) {
        self.0 = identity as u64;
    }
}

/// The offset of every identity held.
pub(super) struct Identities {
    key: [u8; 16],
    offsets: HashMap<u128, Offset, BuildHasherDefault<Hashed>>,
}

impl Identities {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self { key, offsets: HashMap::default() }
    }

    /// The identity of `event` and the offset it has: `next` when it is new, its old one otherwise.
    pub(super) fn claim(&mut self, event: &Event, next: Offset) -> (u128, Offset) {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(event.source.as_str().as_bytes());
        // No id holds a control character, so this ends the one and begins the other.
        hasher.write_u8(0);
        hasher.write(event.id.as_str().as_bytes());
        let identity = hasher.finish128().as_u128();
        match self.offsets.entry(identity) {
            Entry::Occupied(known) => (identity, *known.get()),
            Entry::Vacant(free) => (identity, *free.insert(next)),
        }
    }

    /// Forgets an event that is no longer held.
    pub(super) fn forget(&mut self, identity: u128) {
        self.offsets.remove(&identity);
    }
}
