//! Which form of the events a request would have: a batch, or a stream of server-sent events (RFC 9110, section
//! 12.5.1). Knows nothing of either form but its media type.

use axum::http::{HeaderMap, header};

/// A batch of events.
pub(crate) const BATCH_TYPE: &str = "application/cloudevents-batch+json";
/// Server-sent events.
pub(crate) const EVENT_STREAM_TYPE: &str = "text/event-stream";

/// A form of the events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Batch,
    EventStream,
}

/// The form that a request wants most; `None` when it wants neither. Whoever takes anything gets a batch: a stream
/// without end is for those who name it.
pub(crate) fn wanted(headers: &HeaderMap) -> Option<Form> {
    let mut values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).peekable();
    if values.peek().is_none() {
        return Some(Form::Batch);
    }
    let (mut batch, mut event_stream) = (0.0_f32, 0.0_f32);
    for range in values.flat_map(|value| value.split(',')) {
        let mut parts = range.split(';').map(str::trim);
        let essence = parts.next().unwrap_or_default().to_ascii_lowercase();
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let quality = quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0));
        match essence.as_str() {
            EVENT_STREAM_TYPE | "text/*" => event_stream = event_stream.max(quality),
            "*/*" | "application/*" | "application/json" | BATCH_TYPE => batch = batch.max(quality),
            _ => {}
        }
    }
    match () {
        () if event_stream > 0.0 && event_stream >= batch => Some(Form::EventStream),
        () if batch > 0.0 => Some(Form::Batch),
        () => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(accept: &[&str]) -> Option<Form> {
        let mut headers = HeaderMap::new();
        for accept in accept {
            headers.append(header::ACCEPT, accept.parse().expect("a header"));
        }
        wanted(&headers)
    }

    #[test]
    fn an_event_stream_is_for_those_who_name_it() {
        for accept in ["text/event-stream", "Text/Event-Stream; charset=utf-8", "text/event-stream, */*", "text/*"] {
            assert_eq!(of(&[accept]), Some(Form::EventStream), "{accept}");
        }
        for accept in ["*/*", "application/json", "text/html, */*;q=0.1", "text/event-stream;q=0, */*"] {
            assert_eq!(of(&[accept]), Some(Form::Batch), "{accept}");
        }
        assert_eq!(of(&[]), Some(Form::Batch));
    }

    #[test]
    fn of_both_the_one_wanted_more_is_given() {
        assert_eq!(of(&["text/event-stream;q=0.5, application/json"]), Some(Form::Batch));
        assert_eq!(of(&["text/event-stream", "application/json;q=0.9"]), Some(Form::EventStream));
    }

    #[test]
    fn what_is_wanted_by_nobody_is_not_given() {
        for accept in ["text/html", "", "application/json;q=0", "text/event-stream;q=0.000", "*/*;q=nan", "*/*;q=-1"] {
            assert_eq!(of(&[accept]), None, "{accept}");
        }
    }
}
