//! One `GET` with a deadline, through the browser's own `fetch`: the wrappers cost kilobytes for what this does.
//!
//! Knows nothing of what is asked or answered.

use crate::clock::Timer;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortController, Headers, Request, RequestCache, RequestInit, Response};

/// A whole answer.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers that the page may read.
    pub headers: Headers,
    /// The body as text.
    pub body: String,
}

impl Answer {
    /// Whether the status is 200 to 299.
    #[must_use]
    pub fn is_ok(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// A header, when there is one that may be read.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.get(name).ok().flatten()
    }

    /// `Retry-After`, in milliseconds.
    #[must_use]
    pub fn retry_after_millis(&self) -> Option<u32> {
        let seconds: u64 = self.header("retry-after")?.parse().ok()?;
        Some(u32::try_from(seconds).unwrap_or(u32::MAX).saturating_mul(1_000))
    }
}

/// Asks for `url`, never from a cache. `None` when no whole answer comes within `deadline_millis`: browsers do not
/// say why.
pub async fn get(url: &str, deadline_millis: u32) -> Option<Answer> {
    fetch(url, deadline_millis).await.ok()
}

async fn fetch(url: &str, deadline_millis: u32) -> Result<Answer, JsValue> {
    let abort = AbortController::new()?;
    let init = RequestInit::new();
    init.set_cache(RequestCache::NoStore);
    init.set_signal(Some(&abort.signal()));
    let request = Request::new_with_str_and_init(url, &init)?;
    request.headers().set("accept", "application/cloudevents-batch+json, application/json")?;
    // Held until the body is read: an answer may stall after its head.
    let _deadline = Timer::after(deadline_millis, move || abort.abort());
    let window = web_sys::window().ok_or(JsValue::NULL)?;
    let response: Response = JsFuture::from(window.fetch_with_request(&request)).await?.dyn_into()?;
    let body = JsFuture::from(response.text()?).await?.as_string().unwrap_or_default();
    Ok(Answer { status: response.status(), headers: response.headers(), body })
}
