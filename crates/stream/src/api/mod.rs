//! The documents of the API: OpenAPI 3.1 of all that is asked by HTTP, made of the routes and of the types that are read
//! and written; and AsyncAPI 3 of the socket and the event stream, which people write (`docs/asyncapi.json`).
//!
//! Made once, at the start. Knows no request but the two for these documents.

mod schemas;

use axum::{
    Extension,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

/// Frames, channels and close codes, in words of people and of JSON Schema.
const ASYNCAPI: &str = include_str!("../../../../docs/asyncapi.json");

/// OpenAPI 3.1, as it is served.
#[derive(Debug, Clone)]
pub(crate) struct Document(Bytes);

impl Document {
    /// Completes what the routes tell: with who this is, how one shows a token, and how events look.
    pub(crate) fn of(routes: &OpenApi) -> Self {
        let mut document = serde_json::to_value(routes).expect("a document has string keys and finite numbers");
        let info = json!({
            "title": "Monkeytown Witness: the event stream",
            "version": env!("CARGO_PKG_VERSION"),
            "license": {"name": "MIT OR Apache-2.0"},
            "description": "Events of autonomous agents at work on a repository: published, polled, subscribed to. What is \
                said on /ws and in text/event-stream is in /api/asyncapi.json. Every refusal is a problem (RFC 9457); \
                an address that takes another method answers 405 with one, and names its methods in Allow.",
        });
        members(&mut document).insert("info".to_owned(), info);
        let components = members(&mut document).entry("components").or_insert_with(|| json!({}));
        let token =
            json!({"type": "http", "scheme": "bearer", "description": "A token that the stream's operator gave out."});
        members(components).insert("securitySchemes".to_owned(), json!({"token": token}));
        let schemas = members(components).entry("schemas").or_insert_with(|| json!({}));
        members(schemas).extend(schemas::all());
        Self(Bytes::from(document.to_string()))
    }
}

fn members(value: &mut Value) -> &mut Map<String, Value> {
    value.as_object_mut().expect("a document and its parts are objects")
}

/// This document
///
/// OpenAPI 3.1 of everything that is asked by HTTP.
#[utoipa::path(get, path = "/api/openapi.json", tag = "documents", responses(
    (status = 200, description = "The document.", body = Object, content_type = "application/json"),
))]
pub(crate) async fn openapi(Extension(Document(document)): Extension<Document>) -> Response {
    answer(document)
}

/// What is said on a subscription
///
/// AsyncAPI 3 of the WebSocket and of server-sent events.
#[utoipa::path(get, path = "/api/asyncapi.json", tag = "documents", responses(
    (status = 200, description = "The document.", body = Object, content_type = "application/json"),
))]
pub(crate) async fn asyncapi() -> Response {
    answer(Bytes::from_static(ASYNCAPI.as_bytes()))
}

fn answer(document: Bytes) -> Response {
    let mut response = document.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}
