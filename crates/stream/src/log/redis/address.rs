//! Where Redis is. What is shown of it never holds a password.

use redis::{ConnectionAddr, IntoConnectionInfo};
use std::{fmt, str::FromStr};

/// The address of a Redis, as it was given: `redis://[user:password@]host[:port][/db]` or `redis+unix:///path`. Whether it is
/// one is checked when it is used, so that no refusal repeats a password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl FromStr for RedisUrl {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RedisUrl(…)")
    }
}

/// An address that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RedisUrlError {
    /// No address.
    #[error("give redis://HOST:PORT, with USER:PASSWORD@ before the host and /DB after the port where they are needed")]
    Shape,
    /// TLS.
    #[error(
        "rediss:// is not spoken here: put what ends TLS beside this process, and give its address as redis://HOST:PORT"
    )]
    Tls,
}

impl RedisUrl {
    /// Checks it.
    ///
    /// # Errors
    /// When it is none that can be used.
    pub fn check(&self) -> Result<(), RedisUrlError> {
        self.client().map(|_| ())
    }

    /// What connects, and where to, in words.
    pub(super) fn client(&self) -> Result<(redis::Client, String), RedisUrlError> {
        let scheme = self.0.split_once("://").map(|(scheme, _)| scheme).ok_or(RedisUrlError::Shape)?;
        if ["rediss", "valkeys"].contains(&scheme) {
            return Err(RedisUrlError::Tls);
        }
        let info = self.0.as_str().into_connection_info().map_err(|_| RedisUrlError::Shape)?;
        let db = info.redis_settings().db();
        let place = match info.addr() {
            ConnectionAddr::Tcp(host, port) => format!("redis://{host}:{port}/{db}"),
            ConnectionAddr::Unix(path) => format!("redis+unix://{}", path.display()),
            _ => return Err(RedisUrlError::Tls),
        };
        let client = redis::Client::open(info).map_err(|_| RedisUrlError::Shape)?;
        Ok((client, place))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Result<String, RedisUrlError> {
        text.parse::<RedisUrl>().unwrap().client().map(|(_, place)| place)
    }

    #[test]
    fn an_address_is_shown_without_its_password() {
        assert_eq!(place("redis://me:secret@cache:7000/3").unwrap(), "redis://cache:7000/3");
        assert_eq!(place("redis://127.0.0.1").unwrap(), "redis://127.0.0.1:6379/0");
        assert_eq!(place("redis+unix:///run/redis.sock").unwrap(), "redis+unix:///run/redis.sock");
        let debug = format!("{:?}", "redis://me:secret@cache".parse::<RedisUrl>().unwrap());
        assert!(!debug.contains("secret"), "{debug}");
    }

    #[test]
    fn what_is_no_address_is_refused_without_being_repeated() {
        for text in ["", "cache:6379", "http://me:secret@cache", "redis://me:secret@cache/x", "redis://:secret@:x"] {
            let error = place(text).unwrap_err();
            assert!(error == RedisUrlError::Shape && !error.to_string().contains("secret"), "{text}: {error}");
        }
        assert_eq!(place("rediss://cache"), Err(RedisUrlError::Tls));
    }
}
