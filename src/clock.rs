//! Time, animation frames and visibility: the one place that asks the browser for them.
//!
//! [`PageClock`] is pure: it is told what the source's clock showed and how fast it runs.

use monkeytown_protocol::Timestamp;
use std::cell::RefCell;
use wasm_bindgen::{JsCast, closure::Closure};

/// The source's own time on this page (`states.md`, "Clocks"): every age is measured against it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageClock {
    shown: Timestamp,
    at_millis: f64,
    rate: f64,
}

impl PageClock {
    /// A clock that showed `shown` at `at_millis` (monotonic) and runs at `rate`.
    #[must_use]
    pub fn new(shown: Timestamp, at_millis: f64, rate: f64) -> Self {
        Self { shown, at_millis, rate }
    }

    /// What it shows at `at_millis` on the monotonic clock.
    #[must_use]
    pub fn at(&self, at_millis: f64) -> Timestamp {
        #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest i64; timestamps clamp")]
        let passed = ((at_millis - self.at_millis) * self.rate) as i64;
        self.shown.plus_millis(passed)
    }

    /// Seconds of the source's time in a real second.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }
}

/// The witness's wall clock.
#[must_use]
pub fn wall() -> Timestamp {
    #[expect(clippy::cast_possible_truncation, reason = "Date.now() is a whole number of milliseconds")]
    Timestamp::from_millis(wall_millis() as i64)
}

/// The same, in milliseconds since 1970.
#[must_use]
pub fn wall_millis() -> f64 {
    js_sys::Date::now()
}

thread_local! {
    /// Found once: the way to it through the window takes the browser longer than the time itself.
    static PERFORMANCE: Option<web_sys::Performance> = web_sys::window().and_then(|window| window.performance());
}

/// Milliseconds since the page opened; never goes back.
#[must_use]
pub fn monotonic_millis() -> f64 {
    PERFORMANCE.with(|performance| performance.as_ref().map_or_else(js_sys::Date::now, web_sys::Performance::now))
}

/// Uniform in 0..1.
#[must_use]
pub fn random() -> f64 {
    js_sys::Math::random()
}

/// Whether the page is hidden: nothing is drawn then.
#[must_use]
pub fn is_hidden() -> bool {
    web_sys::window().and_then(|window| window.document()).is_some_and(|document| document.hidden())
}

/// Whether the browser believes that there is a network.
#[must_use]
pub fn is_online() -> bool {
    web_sys::window().is_none_or(|window| window.navigator().on_line())
}

/// Whether the witness asked for stillness.
#[must_use]
pub fn prefers_stillness() -> bool {
    web_sys::window()
        .and_then(|window| window.match_media("(prefers-reduced-motion: reduce)").ok().flatten())
        .is_some_and(|query| query.matches())
}

/// Calls `run` once, before the next paint.
pub fn on_next_frame(run: impl FnOnce(f64) + 'static) {
    if let Some(window) = web_sys::window() {
        // One type of call for the whole page (`ARCHITECTURE.md`, "Bytes"); so below.
        let run: Box<dyn FnOnce(f64)> = Box::new(run);
        let callback = Closure::once_into_js(run);
        // It fails only in a document that is gone, where nobody waits for a frame.
        let _ = window.request_animation_frame(callback.unchecked_ref());
    }
}

/// A call in the future; dropping it calls it off.
pub struct Timer {
    id: i32,
    _callback: Closure<dyn FnMut()>,
    repeats: bool,
}

impl Timer {
    /// Calls `run` after `millis`. `None` when there is no window left to wait in.
    #[must_use]
    pub fn after(millis: u32, run: impl FnOnce() + 'static) -> Option<Self> {
        let run: Box<dyn FnOnce()> = Box::new(run);
        let callback = Closure::once(run);
        let delay = i32::try_from(millis).unwrap_or(i32::MAX);
        let id = web_sys::window()?
            .set_timeout_with_callback_and_timeout_and_arguments_0(callback.as_ref().unchecked_ref(), delay)
            .ok()?;
        Some(Self { id, _callback: callback, repeats: false })
    }

    /// Calls `run` every `millis`.
    #[must_use]
    pub fn every(millis: u32, run: impl FnMut() + 'static) -> Option<Self> {
        let callback = Closure::<dyn FnMut()>::new(run);
        let delay = i32::try_from(millis).unwrap_or(i32::MAX);
        let id = web_sys::window()?
            .set_interval_with_callback_and_timeout_and_arguments_0(callback.as_ref().unchecked_ref(), delay)
            .ok()?;
        Some(Self { id, _callback: callback, repeats: true })
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        if let Some(window) = web_sys::window() {
            if self.repeats {
                window.clear_interval_with_handle(self.id);
            } else {
                window.clear_timeout_with_handle(self.id);
            }
        }
    }
}

/// Waits for `millis`.
pub async fn sleep(millis: u32) {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let delay = i32::try_from(millis).unwrap_or(i32::MAX);
        if let Some(window) = web_sys::window() {
            // It fails only in a document that is gone, where nobody waits for the rest.
            let _ = window.set_timeout_with_callback_and_timeout_and_arguments_0(&resolve, delay);
        }
    });
    // A timer's promise is never rejected.
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}

/// What the browser tells the page about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageEvent {
    /// It can be seen again.
    Shown,
    /// It is hidden or about to go: what must be kept is kept now.
    Leaving,
    /// It goes into the browser's cache or is frozen there, and may come back: nothing runs until then.
    Frozen,
    /// The network is back.
    Online,
    /// The network is gone.
    Offline,
    /// The window has another size.
    Resized,
}

/// Calls `run` for every [`PageEvent`], for as long as the page lives.
pub fn on_page_event(run: impl FnMut(PageEvent) + 'static) {
    let Some(window) = web_sys::window() else { return };
    let run: &'static RefCell<_> = Box::leak(Box::new(RefCell::new(run)));
    let listen = |target: &web_sys::EventTarget, name: &str, page_event: fn() -> PageEvent| {
        let callback = Closure::<dyn FnMut()>::new(move || {
            // A listener that causes another page event would find the first still running: it is left out.
            if let Ok(mut run) = run.try_borrow_mut() {
                run(page_event());
            }
        });
        let _ = target.add_event_listener_with_callback(name, callback.as_ref().unchecked_ref());
        callback.forget();
    };
    listen(&window, "online", || PageEvent::Online);
    listen(&window, "offline", || PageEvent::Offline);
    listen(&window, "pageshow", || PageEvent::Shown);
    listen(&window, "pagehide", || PageEvent::Frozen);
    listen(&window, "resize", || PageEvent::Resized);
    if let Some(document) = window.document() {
        listen(&document, "freeze", || PageEvent::Frozen);
        listen(&document, "resume", || PageEvent::Shown);
        listen(&document, "visibilitychange", || if is_hidden() { PageEvent::Leaving } else { PageEvent::Shown });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_clock_runs_at_its_sources_rate() {
        let start = Timestamp::from_millis(1_000_000);
        let clock = PageClock::new(start, 500.0, 3_600.0);
        assert_eq!(clock.at(500.0), start);
        assert_eq!(clock.at(1_500.0).since_millis(start), 3_600_000);
    }
}
