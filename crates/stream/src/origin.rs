//! Which pages may talk to this stream: none named, the stream's own, or those allowed by flag (RFC 6454).

use axum::http::{HeaderMap, HeaderValue, header};
use std::{
    str::FromStr,
    sync::{Mutex, PoisonError},
};

/// Refused origins that are told by name. Whoever asks chooses what it says it is, so more would let anybody fill the
/// log.
const TOLD_MAX: usize = 32;
/// Longest origin that is told, in bytes: a name has 253 at most (RFC 1035, section 2.3.4).
const TOLD_MAX_BYTES: usize = 300;

/// An origin allowed by flag: `https://example.org`, held exactly as a browser sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin(String);

/// Text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is http://HOST[:PORT] or https://HOST[:PORT], without a path; null and * are refused")]
pub struct OriginError;

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (scheme, authority) = split(text).ok_or(OriginError)?;
        // Browsers leave out the port that the scheme means.
        let authority = without_default_port(scheme, authority);
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
        if authority.is_empty() || !authority.chars().all(plain) {
            return Err(OriginError);
        }
        // And they send schemes and hosts in lower case.
        Ok(Self(format!("{scheme}://{authority}").to_ascii_lowercase()))
    }
}

impl AllowedOrigin {
    /// As it is written.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// As a header has it.
    pub(crate) fn header(&self) -> HeaderValue {
        HeaderValue::from_str(&self.0).expect("an origin holds visible ASCII only")
    }
}

/// Scheme and authority of an origin.
fn split(origin: &str) -> Option<(&str, &str)> {
    let (scheme, authority) = origin.split_once("://")?;
    (scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")).then_some((scheme, authority))
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme.eq_ignore_ascii_case("https") { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}

/// Whether a subscription may come from where it says it comes from.
pub(crate) fn permitted(headers: &HeaderMap, allowed: &[AllowedOrigin]) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let Some(origin) = origins.next() else { return true };
    let (None, Ok(origin)) = (origins.next(), origin.to_str()) else { return false };
    if allowed.iter().any(|allowed| allowed.0 == origin) {
        return true;
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    match (split(origin), host) {
        (Some((scheme, authority)), Some(host)) => {
            without_default_port(scheme, authority).eq_ignore_ascii_case(without_default_port(scheme, host))
        }
        _ => false,
    }
}

/// The origins whose pages were refused, each told to the operator once for as long as the process runs.
#[derive(Debug, Default)]
pub(crate) struct Refused(Mutex<Vec<String>>);

/// What the operator is told of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// Of this origin for the first time. Empty: of what cannot be allowed, such as `null` and what is no origin; that
    /// is never repeated.
    First(String),
    /// That origins beyond those remembered are told no more.
    NoMore,
    /// Nothing: it was told before.
    Nothing,
}

impl Refused {
    /// Tells the operator that a page was refused, and by which flag it is allowed. Of the request nothing but scheme,
    /// host and port of its `Origin` is told.
    pub(crate) fn tell(&self, headers: &HeaderMap) {
        match self.note(headers) {
            Told::First(origin) if origin.is_empty() => {
                tracing::warn!("a page is refused whose origin is null or no origin; it cannot be allowed");
            }
            Told::First(origin) => {
                tracing::warn!(origin, flag = "--allow-origin", "a page elsewhere is refused; the flag allows it");
            }
            Told::NoMore => {
                tracing::warn!(origins = TOLD_MAX, "pages of more origins are refused; the others are not told");
            }
            Told::Nothing => {}
        }
    }

    fn note(&self, headers: &HeaderMap) -> Told {
        let mut given = headers.get_all(header::ORIGIN).iter();
        let origin = match (given.next().map(HeaderValue::to_str), given.next()) {
            (Some(Ok(origin)), None) if origin.len() <= TOLD_MAX_BYTES => origin.parse::<AllowedOrigin>().ok(),
            _ => None,
        };
        let origin = origin.map(|origin| origin.0).unwrap_or_default();
        let mut told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One more is held than is told by name: the one at which that was said.
        if told.len() > TOLD_MAX || told.contains(&origin) {
            return Told::Nothing;
        }
        told.push(origin.clone());
        if told.len() > TOLD_MAX { Told::NoMore } else { Told::First(origin) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(origin: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, origin.parse().expect("a header"))])
    }

    #[test]
    fn a_refused_origin_is_told_once_and_what_is_none_is_not_repeated() {
        let refused = Refused::default();
        assert_eq!(refused.note(&from("https://Page.example:8443")), Told::First("https://page.example:8443".into()));
        assert_eq!(refused.note(&from("https://page.example:8443")), Told::Nothing);
        assert_eq!(refused.note(&from("http://page.example:8443")), Told::First("http://page.example:8443".into()));
        assert_eq!(refused.note(&from("https://page.example/?token=secret")), Told::First(String::new()));
        let long = format!("https://{}", "x".repeat(TOLD_MAX_BYTES));
        for none in ["null", "file://", "https://user:secret@page.example", &long] {
            assert_eq!(refused.note(&from(none)), Told::Nothing, "{none}");
        }
        let mut twice = from("https://a.example");
        twice.append(header::ORIGIN, HeaderValue::from_static("https://b.example"));
        assert_eq!(refused.note(&twice), Told::Nothing);
    }

    #[test]
    fn origins_without_end_fill_neither_memory_nor_log() {
        let refused = Refused::default();
        let told = |range: std::ops::Range<usize>| -> Vec<Told> {
            range.map(|number| refused.note(&from(&format!("https://page-{number}.example")))).collect()
        };
        assert!(told(0..TOLD_MAX).iter().all(|told| matches!(told, Told::First(_))));
        assert_eq!(told(TOLD_MAX..TOLD_MAX + 1), [Told::NoMore]);
        assert!(told(0..10_000).iter().all(|told| *told == Told::Nothing));
        assert_eq!(refused.0.lock().expect("no thread has panicked").len(), TOLD_MAX + 1);
    }

    fn asks(origin: Option<&str>, host: &str, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().expect("a header"));
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        }
        let allowed: Vec<AllowedOrigin> = allowed.iter().map(|origin| origin.parse().expect("an origin")).collect();
        permitted(&headers, &allowed)
    }

    #[test]
    fn a_page_of_this_host_and_no_other_may_subscribe() {
        assert!(asks(None, "example.org", &[]));
        assert!(asks(Some("https://example.org"), "example.org", &[]));
        assert!(asks(Some("https://example.org"), "EXAMPLE.org:443", &[]));
        assert!(asks(Some("http://127.0.0.1:8080"), "127.0.0.1:8080", &[]));
        for foreign in [
            "https://evil.example",
            "http://example.org:81",
            "null",
            "NULL",
            "file://",
            "https://example.org.evil",
            "https://evilexample.org",
            "https://sub.example.org",
            "https://example.org.",
            "https://example.org/",
            "https://example.org:443:443",
            "https://example.org@evil.example",
            "https://evil.example@example.org",
            "https://example.org, https://evil.example",
            "https://",
            "//example.org",
            "example.org",
            "wss://example.org",
            "",
        ] {
            assert!(!asks(Some(foreign), "example.org", &[]), "{foreign}");
        }
        // A host that ends in a dot is another, whoever says it.
        assert!(!asks(Some("https://example.org"), "example.org.", &[]));
        assert!(asks(Some("http://[::1]:8080"), "[::1]:8080", &[]) && !asks(Some("http://[::1]"), "[::1]:8080", &[]));
    }

    #[test]
    fn an_allowed_origin_is_compared_as_a_whole() {
        assert!(asks(Some("https://page.example"), "stream.example", &["https://page.example"]));
        assert!(!asks(Some("https://page.example.evil"), "stream.example", &["https://page.example"]));
        for foreign in [
            "http://page.example",
            "https://page.example:8443",
            "https://page.example.",
            "https://page.example/",
            "https://PAGE.example",
            "https://a.page.example",
            "https://evilpage.example",
            "https://page.exampl",
            "https://page.example%2eevil",
            "null",
        ] {
            assert!(!asks(Some(foreign), "stream.example", &["https://page.example"]), "{foreign}");
        }
        let elsewhere =
            |origin| asks(Some(origin), "stream.example", &["https://Page.example:443", "http://b.example:8080"]);
        assert!(elsewhere("https://page.example") && elsewhere("http://b.example:8080"));
        assert!(!elsewhere("https://page.example:443") && !elsewhere("http://b.example"), "as a browser sends it");
    }

    #[test]
    fn what_is_no_origin_cannot_be_allowed() {
        for text in [
            "null",
            "*",
            "https://*.example.org",
            "example.org",
            "https://",
            "https://:443",
            "https://example.org/",
            "https://user@example.org",
            "ftp://example.org",
            "https://a b",
        ] {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
    }
}
