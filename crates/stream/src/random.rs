//! Randomness from the operating system: epochs, connection ids and the key of the identity map.
//!
//! Nothing here is seeded or repeatable; what must be (the simulator) has its own generator.

use monkeytown_protocol::Epoch;

/// Letters that an epoch is made of. 64 of them, so that a byte maps onto them without bias.
const ALPHABET: [u8; 64] = *b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// Length of an epoch: 20 letters of 6 bits are 120 bits.
const EPOCH_LETTERS: usize = 20;

fn fill<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system gives random bytes once it has started");
    bytes
}

/// An epoch that no history had before.
pub(crate) fn epoch() -> Epoch {
    let letters: String = fill::<EPOCH_LETTERS>()
        .iter()
        .filter_map(|byte| ALPHABET.get(usize::from(byte % 64)).copied().map(char::from))
        .collect();
    Epoch::new(&letters).expect("the alphabet holds only what an epoch may hold")
}

/// The secret key of a keyed hash.
pub(crate) fn hash_key() -> [u8; 16] {
    fill()
}

/// The id of one connection, for the log lines about it: 16 hexadecimal digits.
pub(crate) fn connection_id() -> String {
    format!("{:016x}", u64::from_le_bytes(fill()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_epochs_are_never_the_same() {
        let (one, other) = (epoch(), epoch());
        assert_eq!(one.as_str().len(), EPOCH_LETTERS);
        assert_ne!(one, other);
    }
}
