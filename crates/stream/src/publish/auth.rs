//! Tokens of publishers: kept as SHA-256 digests, compared in constant time; each with a name, and what it is good for.
//!
//! The name is what logs, metrics and refusals say; neither a token nor its digest is ever told. Knows nothing of what is
//! published.

use axum::http::{HeaderMap, header};
use monkeytown_protocol::{SourceUri, Timestamp};
use sha2::{Digest, Sha256};
use std::{fmt, sync::Arc};
use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Tokens that are given without a name are called by their place.
pub(super) const UNNAMED_PREFIX: &str = "environment-";

/// A token's digest.
pub(super) type TokenDigest = [u8; 32];

/// The tokens that may publish. None at all: nobody publishes.
#[derive(Clone, Default)]
pub struct Tokens(Vec<Token>);

/// One token, and what it is good for.
#[derive(Clone)]
pub(crate) struct Token {
    /// What it is called.
    pub(crate) name: Arc<str>,
    pub(super) digest: TokenDigest,
    /// The sources that it speaks for; `None` is every source.
    pub(super) sources: Option<Arc<[SourceUri]>>,
    /// Events a second that may be published with it; `None` is as many as the stream takes.
    pub(super) events_per_second: Option<u32>,
    /// From when on it is good for nothing.
    pub(super) expires: Option<Timestamp>,
}

/// Why a list of tokens is refused. Never holds a token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Two commas in a row, one at an end, or nothing at all.
    #[error("one of the tokens is empty")]
    Empty,
    /// A token that no `Authorization` header could carry.
    #[error("a token holds visible ASCII characters only, without blanks")]
    Unsendable,
    /// Which of two names would it be?
    #[error("`{0}` and `{1}` are the same token; take one of them away")]
    Twice(Arc<str>, Arc<str>),
}

/// Why a request may not publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denied {
    /// It gives no token, or not in the one way.
    Absent,
    /// It is none of these.
    Unknown,
    /// It is the one at this place, and its time is over.
    Expired(usize),
}

impl Tokens {
    /// Reads tokens separated by commas. Each is good for every source, for ever.
    ///
    /// # Errors
    /// When one is empty or cannot be sent, or is there twice.
    pub fn read(list: &str) -> Result<Self, TokenError> {
        let digest = |(place, token): (usize, &str)| {
            let token = token.trim();
            if token.is_empty() {
                return Err(TokenError::Empty);
            }
            if !token.chars().all(|c| c.is_ascii_graphic()) {
                return Err(TokenError::Unsendable);
            }
            Ok(Token {
                name: format!("{UNNAMED_PREFIX}{}", place + 1).into(),
                digest: Sha256::digest(token).into(),
                sources: None,
                events_per_second: None,
                expires: None,
            })
        };
        let tokens: Vec<Token> = list.split(',').enumerate().map(digest).collect::<Result<_, _>>()?;
        Self::default().and(Self(tokens))
    }

    pub(super) fn of(tokens: Vec<Token>) -> Self {
        Self(tokens)
    }

    /// These and others.
    ///
    /// # Errors
    /// When a token is there twice.
    pub fn and(mut self, others: Self) -> Result<Self, TokenError> {
        for token in others.0 {
            if let Some(same) = self.0.iter().find(|known| known.digest == token.digest) {
                return Err(TokenError::Twice(Arc::clone(&same.name), token.name));
            }
            self.0.push(token);
        }
        Ok(self)
    }

    /// Whether anybody may publish.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Token> {
        self.0.iter()
    }

    pub(super) fn get(&self, place: usize) -> Option<&Token> {
        self.0.get(place)
    }

    /// The place of the token that a request carries (RFC 6750, section 2.1) and that is good `now`.
    pub(super) fn authorize(&self, headers: &HeaderMap, now: Timestamp) -> Result<usize, Denied> {
        let mut values = headers.get_all(header::AUTHORIZATION).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return Err(Denied::Absent) };
        let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return Err(Denied::Absent);
        };
        let token = token.trim();
        if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() {
            return Err(Denied::Absent);
        }
        let presented: TokenDigest = Sha256::digest(token).into();
        // Every token is compared, so that the time taken does not tell which one was near.
        let found = self.0.iter().zip(1_u32..).fold(0_u32, |found, (known, place)| {
            u32::conditional_select(&found, &place, known.digest.ct_eq(&presented))
        });
        let place = found.checked_sub(1).and_then(|place| usize::try_from(place).ok()).ok_or(Denied::Unknown)?;
        match self.get(place).and_then(|token| token.expires) {
            Some(expires) if expires <= now => Err(Denied::Expired(place)),
            _ => Ok(place),
        }
    }
}

impl Token {
    /// Whether it may speak for `source`, which is compared as a whole and as it is written.
    pub(super) fn speaks_for(&self, source: &SourceUri) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.contains(source))
    }

    /// Whether its time is over.
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|token| &token.name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(value: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().expect("a header"))])
    }

    fn authorize(tokens: &Tokens, value: &str) -> Result<usize, Denied> {
        tokens.authorize(&with(value), Timestamp::default())
    }

    #[test]
    fn each_of_several_tokens_opens_and_nothing_else_does() {
        let tokens = Tokens::read("old, new").expect("tokens");
        assert_eq!((authorize(&tokens, "Bearer old"), authorize(&tokens, "bearer new")), (Ok(0), Ok(1)));
        for wrong in ["Bearer ol", "Bearer olds", "Bearer old,new", "Bearer environment-1"] {
            assert_eq!(authorize(&tokens, wrong), Err(Denied::Unknown), "{wrong}");
        }
        for absent in ["Bearer", "Bearer ", "Bearer  ", "Basic old", "old"] {
            assert_eq!(authorize(&tokens, absent), Err(Denied::Absent), "{absent}");
        }
        let mut twice = with("Bearer old");
        twice.append(header::AUTHORIZATION, "Bearer old".parse().expect("a header"));
        for absent in [HeaderMap::new(), twice] {
            assert_eq!(tokens.authorize(&absent, Timestamp::default()), Err(Denied::Absent));
        }
        assert_eq!(authorize(&Tokens::default(), "Bearer old"), Err(Denied::Unknown));
        assert_eq!(format!("{tokens:?}"), r#"["environment-1", "environment-2"]"#);
    }

    #[test]
    fn an_empty_token_is_refused_and_so_is_one_that_is_there_twice() {
        for list in ["", " ", "a,", ",a", "a,,b"] {
            assert_eq!(Tokens::read(list).err(), Some(TokenError::Empty), "{list:?}");
        }
        assert_eq!(Tokens::read("a b").err(), Some(TokenError::Unsendable));
        let twice = Tokens::read("secret,other,secret").expect_err("the same twice").to_string();
        assert!(twice.contains("environment-1") && twice.contains("environment-3") && !twice.contains("secret"));
    }

    #[test]
    fn a_token_opens_until_its_time_is_over() {
        let expires = "2026-01-18T12:00:00Z".parse::<Timestamp>().expect("a moment");
        let mut tokens = Tokens::read("one").expect("a token");
        tokens.0[0].expires = Some(expires);
        let at = |millis| tokens.authorize(&with("Bearer one"), expires.plus_millis(millis));
        assert_eq!((at(-1), at(0), at(1)), (Ok(0), Err(Denied::Expired(0)), Err(Denied::Expired(0))));
    }
}
