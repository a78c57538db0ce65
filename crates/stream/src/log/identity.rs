//! Who was here before: the identity (`source` + `id`) of every event held, as a keyed hash.
//!
//! Keyed, so that no publisher can make two identities collide; 128 bits, so that chance cannot either. Nodes that share a
//! log must agree, so theirs is half of a SHA-256, without a key.

use monkeytown_protocol::{Event, Offset};
use sha2::{Digest, Sha256};
use siphasher::sip128::{Hasher128, SipHasher13};
use std::{
    collections::{HashMap, hash_map::Entry},
    hash::{BuildHasherDefault, Hash, Hasher},
};

/// `source` and `id` of an event, as a keyed hash. Two halves, since a whole would be aligned to its own size, and a
/// third of the map would be empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity(u64, u64);

impl Hash for Identity {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.0);
    }
}

/// Takes half of what is already a hash.
#[derive(Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        // The map's key is an identity, which arrives by `write_u64`; this serves any other key correctly too.
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, half: u64) {
        self.0 = half;
    }
}

impl Identity {
    /// The same on every node.
    pub(super) fn common(event: &Event) -> Self {
        let mut hasher = Sha256::new();
        hasher.update(event.source.as_str());
        // No id holds a control character, so this ends the one and begins the other.
        hasher.update([0]);
        hasher.update(event.id.as_str());
        let digest = hasher.finalize();
        digest.first_chunk::<16>().and_then(|half| Self::read(half)).expect("a SHA-256 has 32 bytes")
    }

    /// As it is written.
    pub(super) fn bytes(self) -> [u8; 16] {
        (u128::from(self.0) << 64 | u128::from(self.1)).to_be_bytes()
    }

    /// Reads it as it is written.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (high, low) = bytes.split_at_checked(8)?;
        Some(Self(u64::from_be_bytes(high.try_into().ok()?), u64::from_be_bytes(low.try_into().ok()?)))
    }
}

#[cfg(test)]
impl Identity {
    pub(crate) fn of_test(number: u64) -> Self {
        Self(number, 0)
    }
}

/// The offset of every identity held.
pub(super) struct Identities {
    key: [u8; 16],
    offsets: HashMap<Identity, Offset, BuildHasherDefault<Hashed>>,
}

impl Identities {
    pub(super) fn new(key: [u8; 16]) -> Self {
        Self { key, offsets: HashMap::default() }
    }

    /// The identity of `event` and the offset it has: `next` when it is new, its old one otherwise.
    pub(super) fn claim(&mut self, event: &Event, next: Offset) -> (Identity, Offset) {
        let identity = self.of(event);
        match self.offsets.entry(identity) {
            Entry::Occupied(known) => (identity, *known.get()),
            Entry::Vacant(free) => (identity, *free.insert(next)),
        }
    }

    /// The identity of `event`, which has `offset` whoever had it before: so it was written when another ring held less.
    pub(super) fn restore(&mut self, event: &Event, offset: Offset) -> Identity {
        let identity = self.of(event);
        self.offsets.insert(identity, offset);
        identity
    }

    fn of(&self, event: &Event) -> Identity {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(event.source.as_str().as_bytes());
        // No id holds a control character, so this ends the one and begins the other.
        hasher.write_u8(0);
        hasher.write(event.id.as_str().as_bytes());
        let hash = hasher.finish128();
        Identity(hash.h1, hash.h2)
    }

    /// Forgets an event that has an offset and was never held.
    pub(super) fn unclaim(&mut self, identity: Identity) {
        self.offsets.remove(&identity);
    }

    /// Forgets an event that is no longer held at `offset`.
    pub(super) fn forget(&mut self, identity: Identity, offset: Offset) {
        if let Entry::Occupied(known) = self.offsets.entry(identity)
            && *known.get() == offset
        {
            known.remove();
        }
    }
}
