//! `/health`, `/ready`, `/version`, `/metrics`: how the server itself is doing (`limits.md`, "Health and readiness").

use crate::{address::Client, log::Kept, metrics, problem::Refusal, server::App, subscribers::RETRY_SECONDS, time};
use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use monkeytown_protocol::Timestamp;
use serde::Serialize;
use std::{sync::Arc, time::Instant};
use utoipa::ToSchema;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What was built, and when that was committed, so that the same source gives the same binary: whoever builds says it.
const COMMIT: Option<&str> = option_env!("MONKEYTOWN_COMMIT");
const BUILT: Option<&str> = option_env!("MONKEYTOWN_BUILT");
const UNKNOWN: &str = "unknown";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Overall {
    Healthy,
    Degraded,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum CheckStatus {
    Ok,
    Warning,
}

#[derive(Serialize, ToSchema)]
struct Check {
    status: CheckStatus,
    latency_ms: f64,
    message: String,
}

/// Components that are configured. What can fail without the process failing is mended by no restart, so none of these
/// reports an error and the whole is never down. The journal is what makes the event buffer last, and is told there.
#[derive(Serialize, ToSchema)]
struct Checks {
    #[serde(skip_serializing_if = "Option::is_none")]
    redis: Option<Check>,
    ws_connections: Check,
    event_buffer: Check,
}

#[derive(Serialize, ToSchema)]
struct Health {
    status: Overall,
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    version: &'static str,
    checks: Checks,
}

fn check(look: impl FnOnce() -> (CheckStatus, String)) -> Check {
    let started = Instant::now();
    let (status, message) = look();
    Check { status, latency_ms: started.elapsed().as_secs_f64() * 1_000.0, message }
}

fn ws_connections(app: &App) -> (CheckStatus, String) {
    let (taken, max) = (app.places.taken(), app.options.max_subscribers);
    let status = if app.places.full() { CheckStatus::Warning } else { CheckStatus::Ok };
    (status, format!("{taken} of {max} places for subscribers are taken"))
}

fn event_buffer(app: &App) -> (CheckStatus, String) {
    let (first, share) = app.log.retention();
    let percent = share * 100.0;
    if app.log.kept() == Kept::OnDisk
        && let Some(why) = app.log.trouble()
    {
        let message =
            format!("the journal cannot be written ({why}); events are served, and none is taken until it can");
        return (CheckStatus::Warning, message);
    }
    if first.0 > 0 {
        // Nothing is broken, and a restart would lose more: those who come late get a snapshot.
        return (CheckStatus::Warning, format!("the ring is full; events before offset {} have gone", first.0));
    }
    (CheckStatus::Ok, format!("{percent:.0} % of the ring is in use"))
}

/// Redis, where it keeps the events: as long as its last append took.
fn redis(app: &App) -> Option<Check> {
    let Kept::InRedis(answered_in) = app.log.kept() else { return None };
    let (status, message) = match app.log.trouble() {
        None => (CheckStatus::Ok, "Redis keeps the events".to_owned()),
        Some(why) => {
            let message =
                format!("Redis keeps no events ({why}); what is held is served, and none is taken until it does");
            (CheckStatus::Warning, message)
        }
    };
    Some(Check { status, latency_ms: answered_in.as_secs_f64() * 1_000.0, message })
}

/// How the components are
///
/// Degraded answers 200: a restart mends none of the warnings.
#[utoipa::path(get, path = "/health", tag = "operation", responses(
    (status = 200, description = "How each of them is.", body = Health),
))]
pub(crate) async fn health(State(app): State<Arc<App>>) -> Response {
    let checks = Checks {
        redis: redis(&app),
        ws_connections: check(|| ws_connections(&app)),
        event_buffer: check(|| event_buffer(&app)),
    };
    let always = [&checks.ws_connections, &checks.event_buffer];
    let all_ok = always.into_iter().chain(&checks.redis).all(|check| check.status == CheckStatus::Ok);
    let status = if all_ok { Overall::Healthy } else { Overall::Degraded };
    fresh(Json(Health { status, timestamp: time::now(), version: VERSION, checks }))
}

#[derive(Serialize, ToSchema)]
struct Ready {
    ready: bool,
    status: &'static str,
}

/// Whether new subscribers are welcome, of this address
///
/// A browser that was refused a WebSocket asks here why.
#[utoipa::path(get, path = "/ready", tag = "operation", responses(
    (status = 200, description = "They are.", body = Ready),
    (status = 503, description = "They are not: `status` says why.", body = Ready, headers(("Retry-After" = u64, description = "Seconds."))),
))]
pub(crate) async fn ready(State(app): State<Arc<App>>, client: Client) -> Response {
    let status = match () {
        () if app.is_draining() => "draining",
        () if app.places.full() => "full",
        () if app.places.full_for(client) => "full_for_your_address",
        () => return fresh(Json(Ready { ready: true, status: "ready" })),
    };
    let mut response = fresh((StatusCode::SERVICE_UNAVAILABLE, Json(Ready { ready: false, status })));
    response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(RETRY_SECONDS));
    response
}

#[derive(Serialize, ToSchema)]
struct Version {
    version: &'static str,
    commit: &'static str,
    built: &'static str,
}

/// Which build this is
#[utoipa::path(get, path = "/version", tag = "operation", responses(
    (status = 200, description = "Version, commit, and when that was committed.", body = Version),
))]
pub(crate) async fn version() -> Response {
    fresh(Json(Version { version: VERSION, commit: COMMIT.unwrap_or(UNKNOWN), built: BUILT.unwrap_or(UNKNOWN) }))
}

/// Everything measured, for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operation", responses(
    (status = 200, description = "The text format, version 0.0.4.", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8"),
    (status = 500, description = "The metrics cannot be written.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
))]
pub(crate) async fn metrics(State(app): State<Arc<App>>) -> Result<Response, Refusal> {
    app.metrics.buffer_size.set(app.log.retention().1);
    let is_away = matches!(app.log.kept(), Kept::InRedis(_)) && app.log.trouble().is_some();
    app.metrics.redis_away.set(i64::from(is_away));
    let text = app.metrics.render().map_err(|error| {
        tracing::error!(%error, "metrics cannot be written");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written")
    })?;
    Ok(fresh(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text)))
}

fn fresh(answer: impl IntoResponse) -> Response {
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}
