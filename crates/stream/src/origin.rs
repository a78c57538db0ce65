//! Which pages may talk to this stream: none named, the stream's own, or those allowed by flag (RFC 6454).

use axum::http::{HeaderMap, HeaderValue, header};
use std::str::FromStr;

/// An origin allowed by flag: `https://example.org`, exactly as a browser sends it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowedOrigin(String);

/// Text that is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an origin is http://HOST[:PORT] or https://HOST[:PORT], without a path; null and * are refused")]
pub struct OriginError;

impl FromStr for AllowedOrigin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let (_, authority) = split(text).ok_or(OriginError)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '[' | ']' | '_');
        if authority.is_empty() || !authority.chars().all(plain) {
            return Err(OriginError);
        }
        // Browsers send schemes and hosts in lower case.
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl AllowedOrigin {
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

#[cfg(test)]
mod tests {
    use super::*;

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
        for foreign in
            ["https://evil.example", "http://example.org:81", "null", "file://", "https://example.org.evil", ""]
        {
            assert!(!asks(Some(foreign), "example.org", &[]), "{foreign}");
        }
    }

    #[test]
    fn an_allowed_origin_is_compared_as_a_whole() {
        assert!(asks(Some("https://page.example"), "stream.example", &["https://page.example"]));
        assert!(!asks(Some("https://page.example.evil"), "stream.example", &["https://page.example"]));
        assert!(!asks(Some("http://page.example"), "stream.example", &["https://page.example"]));
    }

    #[test]
    fn what_is_no_origin_cannot_be_allowed() {
        for text in ["null", "*", "example.org", "https://", "https://example.org/", "ftp://example.org", "https://a b"]
        {
            assert!(text.parse::<AllowedOrigin>().is_err(), "{text}");
        }
    }
}
