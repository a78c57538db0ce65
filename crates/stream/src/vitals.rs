//! `POST /api/v1/vitals`: how long witnesses' pages take to draw, where a deployment switches that on (`limits.md`, "Metrics").
//!
//! A report is numbers by bucket and no more: they are added up, and nothing of it is kept or logged, nor who sent it. Anybody
//! may send some, so what they add up to is anybody's word; reports are bounded in bytes, in what they count, and in all.

use crate::{
    body::{self, BodyBounds, BodyError},
    metrics::RENDER_BUCKETS,
    origin,
    problem::Refusal,
    publish::shares::Shares,
    server::App,
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

/// A report has some hundred bytes.
const BODY: BodyBounds = BodyBounds { max_bytes: 1_024, discard_max_bytes: 16_384 };
/// Most draws of one report: a page that reports each minute has 3,600.
const DRAWS_MAX: u32 = 10_000;
/// Most reports of all pages together.
const REPORTS_PER_SECOND: u32 = 100;
/// Numbers of a report: one for each bucket, and one for what took longer.
const COUNTS: usize = RENDER_BUCKETS.len() + 1;

/// What pages say of themselves.
pub(crate) struct Vitals {
    reports: Shares,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { reports: Shares::new(REPORTS_PER_SECOND, &[None]) }
    }
}

/// What a page has measured since its last report.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Report {
    /// How many draws took up to 4, 8, 16, 33, 50, 100, 250, 500, 1,000 ms, each counted once, and how many longer; at most
    /// 10,000 in all.
    #[schema(value_type = Vec<u32>, min_items = 10, max_items = 10)]
    render_duration_seconds: [u32; COUNTS],
}

/// Say how long a page takes to draw
///
/// Numbers by bucket, and nothing of who sends them. Taken by a stream that was started with `--vitals`.
#[utoipa::path(post, path = "/api/v1/vitals", tag = "operation",
    request_body(content = Report, content_type = "application/json", description = "At most 1,024 bytes."),
    responses(
        (status = 204, description = "Counted."),
        (status = 400, description = "No such report, or it counts too much.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 403, description = "A page of this origin may not report.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 404, description = "This stream was started without `--vitals`.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 408, description = "The body took too long.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 413, description = "The report is too large.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 415, description = "Another content type than application/json, or a compressed body.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 429, description = "Too many reports.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
    ))]
pub(crate) async fn report(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    let Some(vitals) = &app.vitals else {
        return Err(Refusal::new(StatusCode::NOT_FOUND, "this stream takes no vitals; --vitals has it take them"));
    };
    let (parts, body) = request.into_parts();
    if !origin::permitted(&parts.headers, &app.options.allow_origins) {
        app.refused_origins.tell(&parts.headers);
        return Err(Refusal::new(StatusCode::FORBIDDEN, "a page of this origin may not report to this stream"));
    }
    if let Err(wait) = vitals.reports.take(Shares::account(0), 1) {
        let refusal = Refusal::new(StatusCode::TOO_MANY_REQUESTS, "more reports than are taken in a second");
        return Err(refusal.retry_after(wait.seconds()));
    }
    let Report { render_duration_seconds: counts } = read(&app, &parts.headers, body).await?;
    app.metrics.drawn(&counts);
    Ok((StatusCode::NO_CONTENT, [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))]).into_response())
}

async fn read(app: &App, headers: &HeaderMap, body: Body) -> Result<Report, Refusal> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|media| media.to_str().ok()).unwrap_or_default();
    let is_json = media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"));
    if !is_json || body::is_encoded(headers) {
        let detail = "a report is application/json, without Content-Encoding";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let body = body::read(headers, body, BODY, app.options.timing.body_read).await;
    let body = body.map_err(|error: BodyError| Refusal::new(error.status(), error.to_string()))?;
    let report: Report = serde_json::from_slice(&body).map_err(|_| {
        let detail = format!("a report is {{\"render_duration_seconds\": [{COUNTS} numbers]}}");
        Refusal::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let draws = report.render_duration_seconds.iter().map(|count| u64::from(*count)).sum::<u64>();
    if draws > u64::from(DRAWS_MAX) {
        let refusal = Refusal::new(StatusCode::BAD_REQUEST, format!("a report counts at most {DRAWS_MAX} draws"));
        return Err(refusal.at("/render_duration_seconds"));
    }
    Ok(report)
}
