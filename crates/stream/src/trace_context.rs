//! The trace that a request belongs to, by its `traceparent` (W3C Trace Context, section 3.2).
//!
//! Log lines of a request and of the connection that it opens carry it. What is no such header is passed over, as the
//! standard has it. Knows nothing of requests.

use axum::http::{HeaderMap, HeaderName};

const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// Whose work a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TraceParent<'a> {
    pub(crate) trace_id: &'a str,
    pub(crate) span_id: &'a str,
}

impl<'a> TraceParent<'a> {
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(TRACEPARENT).iter();
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        Self::read(value.to_str().ok()?)
    }

    /// Reads one; `None` when it is none.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let mut parts = text.split('-');
        let (version, trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let sound = is_hex(version, 2)
            && version != "ff"
            && is_id(trace_id, 32)
            && is_id(span_id, 16)
            && is_hex(flags, 2)
            // Later versions may say more.
            && (version != "00" || parts.next().is_none());
        sound.then_some(Self { trace_id, span_id })
    }

    /// What log lines within it carry.
    pub(crate) fn span(&self) -> tracing::Span {
        tracing::info_span!("request", trace_id = self.trace_id, span_id = self.span_id)
    }
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// An id of zeros is none.
fn is_id(text: &str, length: usize) -> bool {
    is_hex(text, length) && text.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn a_trace_is_read_as_the_standard_has_it_and_nothing_else_is() {
        for text in [format!("00-{TRACE}-{SPAN}-01"), format!("cc-{TRACE}-{SPAN}-00-what-comes-later")] {
            assert_eq!(TraceParent::read(&text), Some(TraceParent { trace_id: TRACE, span_id: SPAN }), "{text}");
        }
        for text in [
            String::new(),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}0-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-1"),
            format!(" 00-{TRACE}-{SPAN}-01"),
        ] {
            assert_eq!(TraceParent::read(&text), None, "{text}");
        }
        let mut twice = HeaderMap::new();
        for _ in 0..2 {
            twice.append(TRACEPARENT, format!("00-{TRACE}-{SPAN}-01").parse().expect("a header"));
        }
        assert_eq!(TraceParent::of(&twice), None);
    }
}
