//! What a component's `probe` says: which protocol is spoken, where, and as whom.
//!
//! Owns credentials: no message, `Debug` or `Display` of what is here holds one, nor the address that it came in. Knows
//! nothing of files and of how a probe is made.

use axum::http::Uri;
use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use std::fmt;

/// What a probe begins with, for refusals.
const SCHEMES: &str = "http://, https://, tcp://, postgres://, redis:// or rediss://";

/// Where a component is asked, and what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// A name or an address, without the brackets of IPv6.
    pub(super) host: String,
    pub(super) port: u16,
    /// Whether TLS is spoken.
    pub(super) secure: bool,
    pub(super) question: Question,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Question {
    /// `GET`, and which status is well.
    Http {
        /// Path and query.
        path: String,
        /// The `Host` header.
        host: String,
        /// The `Authorization` header.
        authorization: Option<Secret>,
        /// The status that is well.
        expect: u16,
    },
    /// Whether connections are taken.
    Tcp,
    /// `SELECT 1`.
    Postgres {
        /// Who asks.
        user: String,
        password: Option<Secret>,
        /// Which database; the user's own without.
        database: Option<String>,
    },
    /// `PING`.
    Redis {
        /// Who asks, where Redis knows users.
        user: Option<String>,
        password: Option<Secret>,
        /// Which database; the first without.
        database: Option<u32>,
    },
}

/// What is never shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret(String);

impl Secret {
    pub(super) fn new(secret: &str) -> Self {
        Self(secret.to_owned())
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Why an address is refused. It never repeats the address: that may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum TargetError {
    #[error("`probe` begins with {SCHEMES}")]
    Scheme,
    #[error(
        "`probe` is no address such as https://host:8443/health; in a user or password write @ as %40, : as %3A, / as %2F, # as %23"
    )]
    Address,
    #[error("`probe` is no address: its port is a number from 1 to 65535")]
    Port,
    #[error("`probe` has no port: tcp://host:port")]
    NoPort,
    #[error("a tcp:// probe is a host and a port: tcp://host:port, without user, path and query")]
    Tcp,
    #[error("a postgres:// probe is postgres://user:password@host:port/database, without more")]
    Postgres,
    #[error("a postgres:// probe names who asks: postgres://user:password@host:port/database")]
    PostgresUser,
    #[error("a redis:// probe is redis://user:password@host:port/0, where the path is the number of a database")]
    Redis,
    #[error("`${{{0}}}` stands for a variable of the environment, and there is none of that name; set {0}")]
    Unset(String),
    #[error("`${{` begins the name of a variable of the environment: ${{NAME}}, in letters, digits and _")]
    Variable,
    #[error("the status that is well can be said of an http:// or https:// probe only")]
    NoStatus,
}

impl Target {
    /// Reads an address. `expect` is the status that is well, where one is given; `variable` the environment, in which
    /// `${NAME}` is looked up.
    pub(super) fn parse(
        text: &str,
        expect: Option<u16>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, TargetError> {
        let address = filled_in(text, variable)?;
        let (scheme, _) = address.split_once("://").ok_or(TargetError::Scheme)?;
        let (secure, usual_port) = match scheme {
            "http" => (false, Some(80)),
            "https" => (true, Some(443)),
            "tcp" => (false, None),
            "postgres" | "postgresql" => (false, Some(5432)),
            "redis" => (false, Some(6379)),
            "rediss" => (true, Some(6379)),
            _ => return Err(TargetError::Scheme),
        };
        if !scheme.starts_with("http") && expect.is_some() {
            return Err(TargetError::NoStatus);
        }
        // A fragment is never sent: whoever writes one means part of a password.
        if address.contains('#') {
            return Err(TargetError::Address);
        }
        let uri: Uri = address.parse().map_err(|_| TargetError::Address)?;
        let place = Place::of(&uri)?;
        let port = place.port.or(usual_port).ok_or(TargetError::NoPort)?;
        let question = match scheme {
            "tcp" => place.tcp(&uri)?,
            "postgres" | "postgresql" => place.postgres(&uri)?,
            "redis" | "rediss" => place.redis(&uri)?,
            _ => place.http(&uri, usual_port, expect.unwrap_or(200)),
        };
        Ok(Self { host: place.bare_host().to_owned(), port, secure, question })
    }
}

/// The parts of an authority.
struct Place<'a> {
    host: &'a str,
    port: Option<u16>,
    user: Option<String>,
    password: Option<String>,
}

impl<'a> Place<'a> {
    fn of(uri: &'a Uri) -> Result<Self, TargetError> {
        let authority = uri.authority().ok_or(TargetError::Address)?;
        let (user_info, place) = match authority.as_str().rsplit_once('@') {
            Some((user_info, place)) => (Some(user_info), place),
            None => (None, authority.as_str()),
        };
        let host = authority.host();
        if host.is_empty() || host.contains('%') {
            return Err(TargetError::Address);
        }
        let port = match place.strip_prefix(host) {
            Some("") => None,
            Some(port) => {
                let port = port.strip_prefix(':').and_then(|port| port.parse().ok()).filter(|port| *port > 0);
                Some(port.ok_or(TargetError::Port)?)
            }
            None => return Err(TargetError::Address),
        };
        let (user, password) = match user_info.map(|info| info.split_once(':').unwrap_or((info, ""))) {
            Some((user, password)) => (Some(decoded(user)?), Some(decoded(password)?)),
            None => (None, None),
        };
        let given = |word: Option<String>| word.filter(|word| !word.is_empty());
        Ok(Self { host, port, user: given(user), password: given(password) })
    }

    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }

    fn secret(&self) -> Option<Secret> {
        self.password.clone().map(Secret)
    }

    fn http(&self, uri: &Uri, usual_port: Option<u16>, expect: u16) -> Question {
        let host = match self.port.filter(|port| Some(*port) != usual_port) {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.to_owned(),
        };
        let authorization = (self.user.is_some() || self.password.is_some()).then(|| {
            let (user, password) = (self.user.as_deref(), self.password.as_deref());
            let pair = format!("{}:{}", user.unwrap_or_default(), password.unwrap_or_default());
            Secret(format!("Basic {}", BASE64_STANDARD.encode(pair)))
        });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let path = if path.starts_with('/') { path } else { format!("/{path}") };
        Question::Http { path, host, authorization, expect }
    }

    fn tcp(&self, uri: &Uri) -> Result<Question, TargetError> {
        let bare = self.user.is_none() && self.password.is_none() && path_of(uri).is_empty() && uri.query().is_none();
        if bare { Ok(Question::Tcp) } else { Err(TargetError::Tcp) }
    }

    fn postgres(&self, uri: &Uri) -> Result<Question, TargetError> {
        if uri.query().is_some() || path_of(uri).contains('/') {
            return Err(TargetError::Postgres);
        }
        let database = decoded(path_of(uri))?;
        Ok(Question::Postgres {
            user: self.user.clone().ok_or(TargetError::PostgresUser)?,
            password: self.secret(),
            database: Some(database).filter(|database| !database.is_empty()),
        })
    }

    fn redis(&self, uri: &Uri) -> Result<Question, TargetError> {
        let database = match path_of(uri) {
            "" => None,
            number => Some(number.parse().map_err(|_| TargetError::Redis)?),
        };
        // Without a password there is nobody to be.
        if uri.query().is_some() || (self.user.is_some() && self.password.is_none()) {
            return Err(TargetError::Redis);
        }
        Ok(Question::Redis { user: self.user.clone(), password: self.secret(), database })
    }
}

fn path_of(uri: &Uri) -> &str {
    uri.path().trim_matches('/')
}

fn decoded(text: &str) -> Result<String, TargetError> {
    let word = percent_decode_str(text).decode_utf8().map_err(|_| TargetError::Address)?;
    // Neither protocol can carry one.
    if word.contains('\0') { Err(TargetError::Address) } else { Ok(word.into_owned()) }
}

/// `text` with every `${NAME}` replaced by what the environment holds, escaped so that it stays one word.
fn filled_in(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, TargetError> {
    let mut pieces = text.split("${");
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}').ok_or(TargetError::Variable)?;
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') {
            return Err(TargetError::Variable);
        }
        let value = variable(name).ok_or_else(|| TargetError::Unset(name.to_owned()))?;
        filled.extend(utf8_percent_encode(&value, NON_ALPHANUMERIC));
        filled.push_str(rest);
    }
    Ok(filled)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Target, TargetError> {
        Target::parse(text, None, |name| (name == "WORD").then(|| "a b@c:d/#%".to_owned()))
    }

    #[test]
    fn addresses_are_read_with_the_usual_ports() {
        for (text, host, port, secure) in [
            ("http://h.example", "h.example", 80, false),
            ("https://h.example/a?b=c", "h.example", 443, true),
            ("http://[::1]:8000/health", "::1", 8000, false),
            ("tcp://127.0.0.1:22", "127.0.0.1", 22, false),
            ("postgres://watcher@db/app", "db", 5432, false),
            ("postgresql://watcher@db:6432", "db", 6432, false),
            ("redis://cache", "cache", 6379, false),
            ("rediss://cache:6380/3", "cache", 6380, true),
        ] {
            let target = parse(text).expect(text);
            assert_eq!((target.host.as_str(), target.port, target.secure), (host, port, secure), "{text}");
        }
    }

    #[test]
    fn what_is_asked_is_read_with_its_escapes() {
        let asked = |text: &str| parse(text).expect(text).question;
        let Question::Http { path, host, authorization, expect } = asked("http://u:p%40ss@h.example:80/a?b=c") else {
            panic!("it is HTTP")
        };
        assert_eq!((path.as_str(), host.as_str(), expect), ("/a?b=c", "h.example", 200));
        assert_eq!(authorization.expect("credentials").reveal(), "Basic dTpwQHNz");
        let Question::Postgres { user, password, database } = asked("postgres://u%3A1:${WORD}@db/my%20app") else {
            panic!("it is PostgreSQL")
        };
        assert_eq!((user.as_str(), database.as_deref()), ("u:1", Some("my app")));
        assert_eq!(password.expect("a password").reveal(), "a b@c:d/#%");
        let Question::Redis { user, password, database } = asked("redis://:word@cache/2") else {
            panic!("it is Redis")
        };
        assert_eq!((user, password.expect("a password").reveal(), database), (None, "word", Some(2)));
    }

    #[test]
    fn what_is_no_address_is_refused_and_no_password_is_repeated() {
        for (text, why) in [
            ("h.example/health", TargetError::Scheme),
            ("ftp://h", TargetError::Scheme),
            ("HTTP//h", TargetError::Scheme),
            ("http://", TargetError::Address),
            ("http:///health", TargetError::Address),
            ("http://a b/", TargetError::Address),
            ("http://h:0/", TargetError::Port),
            ("http://h:/", TargetError::Port),
            ("postgres://u:hunter2#x@db/app", TargetError::Address),
            ("postgres://u:hunter2@db/app?sslmode=require", TargetError::Postgres),
            ("postgres://db/app", TargetError::PostgresUser),
            ("postgres://u:%ff@db/app", TargetError::Address),
            ("postgres://u:%00@db/app", TargetError::Address),
            ("tcp://h", TargetError::NoPort),
            ("tcp://h:1/path", TargetError::Tcp),
            ("tcp://u:hunter2@h:1", TargetError::Tcp),
            ("redis://h/first", TargetError::Redis),
            ("redis://u@h", TargetError::Redis),
            ("redis://:${NOT_SET}@h", TargetError::Unset("NOT_SET".to_owned())),
            ("redis://:${WORD@h", TargetError::Variable),
            ("redis://:${}@h", TargetError::Variable),
        ] {
            let refused = parse(text).expect_err(text);
            assert_eq!(refused, why, "{text}");
            assert!(!refused.to_string().contains("hunter2"), "{refused}");
        }
        for text in ["http://h:70000/", "http://h:x/"] {
            assert!(matches!(parse(text), Err(TargetError::Address | TargetError::Port)), "{text}");
        }
        assert_eq!(Target::parse("redis://h", Some(200), |_| None), Err(TargetError::NoStatus));
    }

    #[test]
    fn a_target_as_programs_print_it_holds_no_password() {
        for text in ["postgres://u:hunter2@db/a", "redis://:hunter2@h", "http://u:hunter2@h/"] {
            let shown = format!("{:?}", parse(text).expect(text));
            assert!(!shown.contains("hunter2") && !shown.contains("dTpodW50ZXIy"), "{shown}");
        }
    }

    proptest::proptest! {
        #[test]
        fn hostile_text_is_refused_without_a_panic(
            text in "(https?|tcp|postgres|redis)?(://|:|/|@|\\$\\{|\\}|%|#|\\[|\\]|[a-z0-9é ]){0,30}"
        ) {
            let _ = parse(&text);
        }
    }
}
