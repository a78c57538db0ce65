//! What is asked at which address, and what every answer has in common: headers, compression, counting, refusals.
//!
//! A route is here once, with what `api` tells of it: the document is made of the routes that are served.

use crate::{
    accept::{self, BATCH_TYPE, EVENT_STREAM_TYPE, Form},
    address::Client,
    api::{self, Document},
    connection::Stalled,
    headers, health, hooks,
    log::InterestQuery,
    metrics,
    origin::AllowedOrigin,
    problem::Refusal,
    publish, rest,
    server::App,
    site, sse,
    trace_context::TraceParent,
    vitals, ws,
};
use axum::{
    Extension, Router,
    extract::{MatchedPath, Query, Request, State},
    http::{HeaderValue, Method, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::any,
};
use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
    cors::{AllowHeaders, CorsLayer},
};
use tracing::Instrument;
use utoipa_axum::{router::OpenApiRouter, routes};

/// Everything that a server at `address` answers.
pub(crate) fn router(app: &Arc<App>, address: SocketAddr) -> Router {
    let (api, document) = documented().split_for_parts();
    let mut api = api
        .route("/api/{*rest}", any(missing))
        .method_not_allowed_fallback(not_allowed)
        .layer(Extension(Document::of(&document)));
    if !app.options.allow_origins.is_empty() {
        api = api.layer(cors(&app.options.allow_origins));
    }
    let api = api.with_state(Arc::clone(app));
    let all = match &app.options.site {
        Some(folder) => api.fallback_service(site::router(folder)),
        None => api.fallback(missing),
    };
    headers::on_all(all, address.ip().is_loopback(), &app.options.framed_by)
        .layer(middleware::from_fn_with_state(Arc::clone(app), measured))
}

/// The routes, with what is told of them.
fn documented() -> OpenApiRouter<Arc<App>> {
    let compressible = DefaultPredicate::new().and(NotForContentType::const_new(EVENT_STREAM_TYPE));
    let read = OpenApiRouter::new()
        .routes(routes!(rest::snapshot))
        .routes(routes!(events, publish::publish))
        .routes(routes!(vitals::report))
        .routes(routes!(api::openapi))
        .routes(routes!(api::asyncapi))
        .layer(CompressionLayer::new().compress_when(compressible));
    OpenApiRouter::new()
        .routes(routes!(ws::subscribe))
        .routes(routes!(hooks::github))
        .routes(routes!(health::health))
        .routes(routes!(health::ready))
        .routes(routes!(health::version))
        .routes(routes!(health::metrics))
        .merge(read)
}

fn cors(origins: &[AllowedOrigin]) -> CorsLayer {
    CorsLayer::new()
        .allow_origin(origins.iter().map(AllowedOrigin::header).collect::<Vec<_>>())
        .allow_methods([Method::GET, Method::POST])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers(rest::EXPOSED)
        .max_age(Duration::from_secs(600))
}

/// Events after a cursor
///
/// As a batch, at once or by a long poll; or, for those who name `text/event-stream` in `Accept`, as server-sent events
/// that do not end (`/api/asyncapi.json`, channel `sentEvents`). A batch whose cursor is lost is answered with `[]`,
/// `Monkeytown-Recovered: false` and the cursor of the snapshot that must come first.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(
        rest::EventsQuery,
        InterestQuery,
        ("Last-Event-ID" = Option<String>, Header, description = "Server-sent events: the cursor of a browser that comes back; stronger than `after`."),
    ),
    responses(
        (status = 200, description = "The events after the cursor, or the beginning of server-sent events.",
            content(
                (ref("#/components/schemas/Batch") = "application/cloudevents-batch+json"),
                (String = "text/event-stream"),
            ),
            headers(
                ("Monkeytown-Cursor" = String, description = "Batch: the cursor to go on after."),
                ("Monkeytown-Recovered" = String, description = "Batch: `false` when the cursor is lost, else `true`."),
                ("Monkeytown-Head" = String, description = "Batch: the offset of the newest event, -1 for none."),
                ("Monkeytown-Source-Kind" = String, description = "Batch: `live`, `git` or `simulated`."),
                ("Monkeytown-Clock" = String, description = "Batch: the source's own time."),
                ("Monkeytown-Clock-Rate" = String, description = "Batch: how fast that time runs."),
                ("Link" = String, description = "Batch: where the snapshot is, when the cursor is lost."),
            )),
        (status = 400, description = "A parameter cannot be read.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 403, description = "Server-sent events: a page of this origin may not subscribe.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 406, description = "`Accept` takes neither form.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 429, description = "This address has as many subscribers as it may have.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
        (status = 503, description = "Full, or draining.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
    ))]
async fn events(State(app): State<Arc<App>>, request: Request) -> Response {
    let client = Client::of(&app, request.extensions(), request.headers());
    let answer = match accept::wanted(request.headers()) {
        Some(Form::Batch) => rest::poll(app, client, Query::try_from_uri(request.uri())).await,
        Some(Form::EventStream) => {
            let stalled = request.extensions().get::<Stalled>().cloned().unwrap_or_default();
            sse::subscribe(app, request.headers(), client, Query::try_from_uri(request.uri()), stalled)
        }
        None => {
            let detail = format!("events are answered as {BATCH_TYPE} or as {EVENT_STREAM_TYPE}");
            Err(Refusal::new(StatusCode::NOT_ACCEPTABLE, detail))
        }
    };
    let mut response = answer.into_response();
    response.headers_mut().append(header::VARY, HeaderValue::from_static("accept"));
    response
}

async fn missing() -> Refusal {
    Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this address")
}

async fn not_allowed() -> Refusal {
    Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "this address takes another method; Allow names it")
}

async fn measured(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
    let span = TraceParent::of(request.headers()).map(|parent| parent.span());
    let response = match span {
        Some(span) => next.run(request).instrument(span).await,
        None => next.run(request).await,
    };
    let waited = response.extensions().get::<rest::Waited>().map_or(Duration::ZERO, |waited| waited.0);
    let route = matched.as_deref().unwrap_or_default();
    let route = metrics::ROUTES.iter().find(|known| **known == route).copied().unwrap_or("site");
    app.metrics.answered(route, response.status().as_u16(), started.elapsed().saturating_sub(waited));
    response
}
