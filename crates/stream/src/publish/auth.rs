//! Tokens of publishers: kept as SHA-256 digests, compared in constant time.

use axum::http::{HeaderMap, header};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::{Choice, ConstantTimeEq};

/// The tokens that may publish; each speaks for every source. None at all: nobody publishes.
#[derive(Clone, Default)]
pub struct Tokens(Vec<[u8; 32]>);

/// Why a list of tokens is refused. Never holds a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Two commas in a row, one at an end, or nothing at all.
    #[error("one of the tokens is empty")]
    Empty,
    /// A token that no `Authorization` header could carry.
    #[error("a token holds visible ASCII characters only, without blanks")]
    Unsendable,
}

impl Tokens {
    /// Reads tokens separated by commas.
    ///
    /// # Errors
    /// When one is empty or cannot be sent.
    pub fn read(list: &str) -> Result<Self, TokenError> {
        let digest = |token: &str| {
            let token = token.trim();
            if token.is_empty() {
                return Err(TokenError::Empty);
            }
            if !token.chars().all(|c| c.is_ascii_graphic()) {
                return Err(TokenError::Unsendable);
            }
            Ok(Sha256::digest(token).into())
        };
        list.split(',').map(digest).collect::<Result<_, _>>().map(Self)
    }

    /// Whether anybody may publish.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a request carries one of them (RFC 6750, section 2.1).
    pub(crate) fn authorize(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return false };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return false };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return false;
        }
        let presented: [u8; 32] = Sha256::digest(token.trim()).into();
        // Every token is compared, so that the time taken does not tell which one was near.
        let found = self.0.iter().fold(Choice::from(0), |found, known| found | known.ct_eq(&presented));
        found.into()
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header"))])
    }

    #[test]
    fn each_of_several_tokens_opens_and_nothing_else_does() {
        let tokens = Tokens::read("old, new").expect("tokens");
        assert!(tokens.authorize(&with("Bearer old")) && tokens.authorize(&with("bearer new")));
        for wrong in ["Bearer", "Bearer ", "Bearer ol", "Bearer olds", "Basic old", "old", "Bearer old,new"] {
            assert!(!tokens.authorize(&with(wrong)), "{wrong}");
        }
        assert!(!tokens.authorize(&HeaderMap::new()));
        assert!(!Tokens::default().authorize(&with("Bearer old")));
        assert!(!format!("{tokens:?}").contains("old"));
    }

    #[test]
    fn an_empty_token_is_refused() {
        for list in ["", " ", "a,", ",a", "a,,b"] {
            assert_eq!(Tokens::read(list).err(), Some(TokenError::Empty), "{list:?}");
        }
        assert_eq!(Tokens::read("a b").err(), Some(TokenError::Unsendable));
    }
}
