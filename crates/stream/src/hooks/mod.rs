//! `POST /hooks/github`: GitHub's deliveries, from a request to events in the log.
//!
//! Owns who may deliver, how much at once, what a delivery is answered, and that one that comes again adds nothing and is
//! answered the same. In this order: a signature that could be one, the headers, a place, the body within its bounds, the
//! signature itself, and only then JSON. What a payload means is `sources::github`'s; where events go is the log's.
//!
//! GitHub signs the body and not its headers, so the delivery's id is only as good as TLS: it tells redeliveries, not
//! forgeries. Deliveries are remembered by it; of those long past the log still knows the events.

mod signature;

pub use signature::{SecretError, WebhookSecret};

use crate::{
    address::Client,
    body::{self, BodyBounds, BodyError, BodyPlaces},
    metrics::{DeliveryOutcome, Metrics, Origin, Rejection},
    pool::PlaceBounds,
    problem::Refusal,
    recent::Recent,
    server::App,
    sources::{
        Sink,
        domains::DomainMap,
        github::{Delivery, DeliveryId, EVENTS, GitHub, GitHubConfig, Told, Untold},
    },
    time,
};
use axum::{
    Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use monkeytown_protocol::SourceUri;
use serde::Serialize;
use signature::Signature;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    runtime::Handle,
    sync::{Mutex, Notify, OwnedMutexGuard},
};

/// Largest body of a delivery, in bytes: GitHub sends none that is larger.
const BODY_MAX_BYTES: usize = 25 * 1024 * 1024;
/// Up to this a body is small.
const SMALL_MAX_BYTES: u64 = 1024 * 1024;
/// Small bodies under way at once, 64 MB, and of one address: anybody may send some, and be refused only at their end.
const SMALL: PlaceBounds = PlaceBounds { all: 64, of_one: 16 };
/// Large ones: 100 MB.
const LARGE: PlaceBounds = PlaceBounds { all: 4, of_one: 2 };
/// Longest time for a place and a body together: GitHub waits for 10 s in all.
const READ_MAX: Duration = Duration::from_secs(8);
/// Longest time for the delivery before to be kept, and for this one.
const KEPT_WITHIN: Duration = Duration::from_secs(1);
/// Deliveries remembered with their answers.
const DELIVERIES_MAX: usize = 20_000;
/// Longest name of an event, in bytes.
const EVENT_MAX_BYTES: usize = 64;
/// Seconds after which a delivery that found no room may come again.
const RETRY_SECONDS: u64 = 5;

/// What deliveries are taken by.
#[derive(Debug, Clone)]
pub struct WebhookOptions {
    /// What GitHub signs with.
    pub secret: WebhookSecret,
    /// Whose workflow and folder is whose.
    pub domains: Option<DomainMap>,
    /// The source of the repository that another source tells of, so that both call its pull requests the same.
    pub home: Option<SourceUri>,
}

/// What takes deliveries.
pub(crate) struct Hooks {
    secret: WebhookSecret,
    places: BodyPlaces<Client>,
    /// One at a time, until its events are kept: the same delivery twice at once is one.
    heard: Arc<Mutex<Heard>>,
    /// There is something new to be told later.
    later: Notify,
}

struct Heard {
    github: GitHub,
    answers: Recent<DeliveryId, Answer>,
}

/// What a delivery is answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = Delivery)]
struct Answer {
    /// Its id.
    delivery: String,
    /// The name of GitHub's event.
    event: String,
    /// How many events it gave.
    events: usize,
    /// What was not told, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    detail: Option<String>,
    #[serde(skip)]
    accepted_only: bool,
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let status = if self.accepted_only { StatusCode::ACCEPTED } else { StatusCode::OK };
        (status, [(header::CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

/// A delivery of GitHub's webhooks
///
/// Any event; those that this stream tells of become events. The same delivery again is answered the same and adds nothing.
#[utoipa::path(post, path = "/hooks/github", tag = "webhooks",
    params(
        ("X-Hub-Signature-256" = String, Header, pattern = "^sha256=[0-9a-f]{64}$", description = "`sha256=` and the HMAC-SHA256 of the body with the stream's secret."),
        ("X-GitHub-Event" = String, Header, pattern = "^[A-Za-z0-9_]{1,64}$", description = "The event's name."),
        ("X-GitHub-Delivery" = String, Header, max_length = 128, description = "The delivery's id."),
    ),
    request_body(content = Object, content_type = "application/json", description = "The payload, at most 25 MiB."),
    responses(
        (status = 200, description = "Heard; `events` says how many events it gave.", body = Answer),
        (status = 202, description = "Accepted, with nothing to tell.", body = Answer),
        (status = 400, description = "A header is missing or wrong, or the payload is no JSON object.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 401, description = "No signature, or another secret's.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 404, description = "This stream was started without a secret and hears no webhooks.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 408, description = "The body took too long.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 413, description = "The payload is too large.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 415, description = "Another content type than application/json, or a compressed body.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 500, description = "The delivery could not be taken.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json"),
        (status = 503, description = "Draining, too many under way, too fast, or nothing can be kept at present; deliver it again.", body = ref("#/components/schemas/Problem"), content_type = "application/problem+json", headers(("Retry-After" = u64, description = "Seconds."))),
    ))]
pub(crate) async fn github(State(app): State<Arc<App>>, request: Request) -> Result<Response, Refusal> {
    match accept(&app, request).await {
        Ok(answer) => Ok(answer.into_response()),
        Err((reason, refusal)) => {
            if let Some(reason) = reason {
                app.metrics.rejected(reason, 1);
            }
            tracing::debug!(status = refusal.status().as_u16(), "a delivery is refused");
            Err(refusal)
        }
    }
}

type Outcome<T> = Result<T, (Option<Rejection>, Refusal)>;

fn refused<T>(reason: Rejection, status: StatusCode, detail: impl Into<String>) -> Outcome<T> {
    Err((Some(reason), Refusal::new(status, detail)))
}

async fn accept(app: &Arc<App>, request: Request) -> Outcome<Answer> {
    let Some(hooks) = app.hooks.clone() else {
        let detail = "this stream was started without MONKEYTOWN_GITHUB_WEBHOOK_SECRET, and hears no webhooks";
        return Err((None, Refusal::new(StatusCode::NOT_FOUND, detail)));
    };
    not_draining(app)?;
    let (parts, body) = request.into_parts();
    let Some(signature) = Signature::of(&parts.headers) else {
        return unsigned();
    };
    let (event, id) = named(&parts.headers)?;
    let client = Client::of(app, &parts.extensions, &parts.headers);
    let announced = body::announced(&parts.headers);
    let bounds = BodyBounds { max_bytes: BODY_MAX_BYTES, discard_max_bytes: 2 * BODY_MAX_BYTES };
    let within = READ_MAX.min(app.options.timing.body_read);
    let begun = Instant::now();
    let Ok(place) = tokio::time::timeout(within, hooks.places.take(client, announced)).await else {
        let detail = "too many large deliveries are under way; deliver it again";
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS);
        return Err((Some(Rejection::RateLimited), refusal));
    };
    let left = within.saturating_sub(begun.elapsed());
    let body = match body::read(&parts.headers, body, bounds, left).await {
        Ok(body) => body,
        Err(error) => {
            let detail = match error {
                BodyError::TooLarge => format!("a delivery holds at most {BODY_MAX_BYTES} bytes"),
                BodyError::BrokeOff | BodyError::TooSlow => error.to_string(),
            };
            return refused(error.reason(), error.status(), detail);
        }
    };
    // 25 MB to hash and to look through are no work for a thread that others wait for.
    let app = Arc::clone(app);
    let taking = tokio::task::spawn_blocking(move || {
        let taken = hooks.take(&app, &event, &id, &body, &signature);
        drop(place);
        taken
    });
    taking.await.unwrap_or_else(|error| {
        tracing::error!(%error, "a delivery could not be taken");
        let refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "this delivery could not be taken");
        Err((None, refusal))
    })
}

fn unsigned<T>() -> Outcome<T> {
    let detail = "a delivery carries X-Hub-Signature-256: sha256=, and the HMAC of its body with this stream's secret";
    refused(Rejection::Unauthorized, StatusCode::UNAUTHORIZED, detail)
}

fn not_draining(app: &App) -> Outcome<()> {
    if app.is_draining() {
        let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "this stream is draining; deliver it again");
        return Err((Some(Rejection::Draining), refusal.retry_after(1)));
    }
    Ok(())
}

/// The event's name and the delivery's id, and that the body is JSON.
fn named(headers: &HeaderMap) -> Outcome<(String, DeliveryId)> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let plain = |name: &&str| {
        !name.is_empty()
            && name.len() <= EVENT_MAX_BYTES
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    let Some(event) = header("x-github-event").filter(plain) else {
        return refused(Rejection::Malformed, StatusCode::BAD_REQUEST, "X-GitHub-Event names the event, in one word");
    };
    let Some(id) = header("x-github-delivery").and_then(DeliveryId::new) else {
        let detail = "X-GitHub-Delivery is the delivery's id, in at most 128 visible ASCII characters";
        return refused(Rejection::Malformed, StatusCode::BAD_REQUEST, detail);
    };
    let json = |media: &str| {
        media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
    };
    if headers.contains_key(header::CONTENT_TYPE) && !header("content-type").is_some_and(json) {
        let detail = "choose application/json as the webhook's content type";
        return refused(Rejection::MediaType, StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    if body::is_encoded(headers) {
        let detail = "a delivery comes as it is, without Content-Encoding";
        return refused(Rejection::MediaType, StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    }
    Ok((event.to_owned(), id))
}

impl Hooks {
    pub(crate) fn new(options: &WebhookOptions, rest_after: Duration, silence: Duration) -> Self {
        let WebhookOptions { secret, domains, home } = options.clone();
        let github = GitHub::new(GitHubConfig { domains, home, rest_after, silence });
        Self {
            secret,
            places: BodyPlaces::new(SMALL_MAX_BYTES, SMALL, LARGE),
            heard: Arc::new(Mutex::new(Heard { github, answers: Recent::new(DELIVERIES_MAX) })),
            later: Notify::new(),
        }
    }

    /// Tells, for ever, what deliveries have left to be told later.
    pub(crate) async fn tell_later(&self, log: &impl Sink, metrics: &Metrics) {
        loop {
            let due = {
                let mut heard = self.heard.lock().await;
                for told in heard.github.due(time::now(), Instant::now()) {
                    publish(told, log, metrics).await;
                }
                heard.github.next_due()
            };
            match due {
                Some(due) => tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    () = self.later.notified() => {}
                },
                None => self.later.notified().await,
            }
        }
    }

    fn take(&self, app: &App, event: &str, id: &DeliveryId, body: &Bytes, signature: &Signature) -> Outcome<Answer> {
        if !self.secret.signed(body, signature) {
            return unsigned();
        }
        let delivery = std::str::from_utf8(body).ok().and_then(|text| Delivery::read(id, event, text).ok());
        let Some(delivery) = delivery else {
            return refused(Rejection::Malformed, StatusCode::BAD_REQUEST, "the payload is one JSON object, in UTF-8");
        };
        // The body may have taken a while.
        not_draining(app)?;
        kept(app)?;
        let runtime = Handle::current();
        let mut heard = runtime.block_on(self.turn(app))?;
        if let Some(answer) = heard.answers.get(id) {
            app.metrics.delivered_by_webhook(event, DeliveryOutcome::Repeated);
            return Ok(answer.clone());
        }
        let publishers = app.publishers();
        publishers.take_for_webhooks(1).map_err(|wait| {
            let detail = "this stream has as many events as it takes in a second; deliver it again";
            let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(wait.seconds());
            (Some(Rejection::RateLimited), refusal)
        })?;
        let told = heard.github.hear(delivery, time::now(), Instant::now());
        let answer = answer(event, id, &told);
        let outcome = DeliveryOutcome::of(told.untold);
        app.metrics.delivered_by_webhook(event, outcome);
        log_what_is_left_out(event, &told);
        publishers.owe_for_webhooks(told.events.len().saturating_sub(1));
        let (log, metrics, answered, id) =
            (app.log.entry(Origin::Webhook), app.metrics.clone(), answer.clone(), id.clone());
        // Goes on when nobody waits any more: what was heard is not forgotten, and heard again adds nothing.
        let keeping = runtime.spawn(async move {
            publish(told, &log, &metrics).await;
            heard.answers.insert(id, answered);
        });
        let kept = runtime.block_on(tokio::time::timeout(KEPT_WITHIN, keeping));
        self.later.notify_one();
        match kept {
            Ok(Ok(())) => Ok(answer),
            Ok(Err(_)) | Err(_) => Err(unkept(app)),
        }
    }

    /// Waits for the delivery before this one.
    async fn turn(&self, app: &App) -> Outcome<OwnedMutexGuard<Heard>> {
        tokio::time::timeout(KEPT_WITHIN, Arc::clone(&self.heard).lock_owned()).await.map_err(|_| unkept(app))
    }
}

/// Refuses while nothing can be kept.
fn kept(app: &App) -> Outcome<()> {
    if app.log.trouble().is_some() { Err(unkept(app)) } else { Ok(()) }
}

fn unkept(app: &App) -> (Option<Rejection>, Refusal) {
    let detail = format!("{}; deliver it again", app.unkept());
    let refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, detail).retry_after(RETRY_SECONDS);
    (Some(Rejection::Unwritten), refusal)
}

async fn publish(told: Told, log: &impl Sink, metrics: &Metrics) {
    let Told { events, runs, .. } = told;
    for report in &runs {
        metrics.agents.count(report);
    }
    if !events.is_empty() {
        log.append(events).await;
    }
}

fn answer(event: &str, id: &DeliveryId, told: &Told) -> Answer {
    let detail = match told.untold {
        Some(Untold::Ignored) => Some(format!("accepted and ignored: this stream tells nothing of `{event}`")),
        Some(Untold::Nothing(why)) => Some(format!("nothing to tell: {why}")),
        Some(Untold::Missing(field)) => Some(format!("nothing to tell: `{field}` is missing or of another type")),
        None if told.left_out > 0 => Some(format!("{} things were left out", told.left_out)),
        None => None,
    };
    // A ping asks whether anybody is there.
    let accepted_only = told.untold.is_some() && event != "ping";
    Answer {
        delivery: id.as_str().to_owned(),
        event: event.to_owned(),
        events: told.events.len(),
        detail,
        accepted_only,
    }
}

/// By name only: no payload is in a log line.
fn log_what_is_left_out(event: &str, told: &Told) {
    let event = EVENTS.into_iter().find(|known| *known == event).unwrap_or("another");
    match told.untold {
        Some(Untold::Missing(field)) => tracing::warn!(event, field, "a webhook lacks what it would have to say"),
        _ if told.left_out > 0 => tracing::warn!(event, left_out = told.left_out, "a webhook says more than is told"),
        _ => tracing::debug!(event, events = told.events.len(), "a webhook is heard"),
    }
}
