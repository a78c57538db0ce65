//! Refusals, as RFC 9457 has them. Every answer of 400 and more that is not the site's is one of these.

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use monkeytown_protocol::{Position, Problem};

/// A refusal on its way out.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    detail: String,
    pointer: Option<String>,
    earliest: Option<Position>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Refusal {
    /// Refuses with `status`; `detail` says what is wrong this time, and what can be done.
    pub(crate) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self { status, detail: detail.into(), pointer: None, earliest: None, headers: Vec::new() }
    }

    /// Where in the request it is wrong (RFC 6901).
    pub(crate) fn at(mut self, pointer: impl Into<String>) -> Self {
        self.pointer = Some(pointer.into());
        self
    }

    /// The oldest that can be asked for in its place.
    pub(crate) fn earliest(mut self, position: Position) -> Self {
        self.earliest = Some(position);
        self
    }

    /// When to come back.
    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let problem = Problem {
            problem_type: "about:blank".to_owned(),
            title: self.status.canonical_reason().unwrap_or("refused").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail,
            pointer: self.pointer,
            earliest: self.earliest,
        };
        let body = serde_json::to_vec(&problem).expect("a problem has string keys and no floats");
        let mut response = (self.status, body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.extend(self.headers);
        response
    }
}
