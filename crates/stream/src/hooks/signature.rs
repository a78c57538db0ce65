//! `X-Hub-Signature-256`: whether a body comes from who knows the secret (GitHub, "Validating webhook deliveries").
//!
//! HMAC-SHA256 over the bytes as they came, compared in constant time. Exactly what GitHub writes is taken: `sha256=` and 64
//! digits in lower case, once. The secret is in no text that anybody prints.

use axum::http::HeaderMap;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;

const HEADER: &str = "x-hub-signature-256";
const PREFIX: &str = "sha256=";
/// Bytes of a SHA-256.
const DIGEST_BYTES: usize = 32;

/// The secret that GitHub signs deliveries with.
#[derive(Clone)]
pub struct WebhookSecret(Vec<u8>);

/// Why a secret is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret is empty")]
pub struct SecretError;

impl WebhookSecret {
    /// Takes a secret as it was given to GitHub.
    ///
    /// # Errors
    /// When it is empty: everybody knows that one.
    pub fn new(secret: &[u8]) -> Result<Self, SecretError> {
        if secret.is_empty() { Err(SecretError) } else { Ok(Self(secret.to_vec())) }
    }

    /// Whether `signature` is that of `body`.
    pub(super) fn signed(&self, body: &[u8], signature: &Signature) -> bool {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes keys of any length");
        mac.update(body);
        mac.verify_slice(&signature.0).is_ok()
    }
}

impl fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret")
    }
}

/// A signature that could be one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signature([u8; DIGEST_BYTES]);

impl Signature {
    /// The one that a request carries.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(HEADER).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let digits = value.as_bytes().strip_prefix(PREFIX.as_bytes())?;
        let (pairs, rest) = digits.as_chunks::<2>();
        if pairs.len() != DIGEST_BYTES || !rest.is_empty() {
            return None;
        }
        let mut digest = [0; DIGEST_BYTES];
        for (byte, [high, low]) in digest.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(digest))
    }
}

fn digit(letter: u8) -> Option<u8> {
    match letter {
        b'0'..=b'9' => Some(letter - b'0'),
        b'a'..=b'f' => Some(letter - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(value: &str) -> Option<Signature> {
        Signature::of(&HeaderMap::from_iter([(HEADER.parse().expect("a name"), value.parse().expect("a value"))]))
    }

    #[test]
    fn githubs_own_example_holds() {
        let secret = WebhookSecret::new(b"It's a Secret to Everybody").expect("a secret");
        let given = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let given = signature(given).expect("a signature");
        assert!(secret.signed(b"Hello, World!", &given));
        assert!(!secret.signed(b"Hello, World", &given));
        assert!(!WebhookSecret::new(b"It's a secret").expect("a secret").signed(b"Hello, World!", &given));
    }

    #[test]
    fn nothing_but_sixty_four_digits_in_lower_case_is_a_signature() {
        let digits = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert!(signature(&format!("sha256={digits}")).is_some());
        for wrong in [
            String::new(),
            digits.to_owned(),
            "sha256=".to_owned(),
            format!("sha1={digits}"),
            format!("SHA256={digits}"),
            format!("sha256={}", digits.to_uppercase()),
            format!("sha256={}", digits.get(..62).expect("64 digits")),
            format!("sha256={digits}00"),
            format!("sha256={}g", digits.get(..63).expect("64 digits")),
        ] {
            assert!(signature(&wrong).is_none(), "{wrong}");
        }
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(HEADER, format!("sha256={digits}").parse().expect("a value"));
        }
        assert!(Signature::of(&twice).is_none() && Signature::of(&HeaderMap::new()).is_none());
        assert!(WebhookSecret::new(b"").is_err());
        assert_eq!(format!("{:?}", WebhookSecret::new(b"open sesame").expect("a secret")), "a secret");
    }
}
