//! The connection where nothing lasts: one question after another, each from where the last answer ended. Knows no sockets.

use super::{Connection, ConnectionState, HEARTBEAT_MILLIS, IDLE_POLL_MILLIS};
use crate::{
    clock::{self, monotonic_millis},
    transport::{
        policy::{Reach, Route},
        polling,
    },
};

impl Connection {
    /// Polls until it fails or another attempt takes over.
    pub(super) async fn poll(&self, attempt: u64, route: Route) {
        let rest = &self.stream().rest;
        let deadline_millis = self.0.state.borrow().patience_millis();
        let mut answers = 0;
        loop {
            let asked_at = monotonic_millis();
            let position = (self.0.handlers.position)().filter(|_| !self.0.state.borrow().afresh);
            // The first answer comes at once, so that the page knows early whether polling works.
            let wait = answers > 0 && route == Route::LongPoll;
            let polled = polling::ask(rest, position, wait, deadline_millis, clock::wall()).await;
            if !self.is_current(attempt) {
                return;
            }
            let polled = match polled {
                Ok(polled) => polled,
                Err(error) => {
                    let reach = match error.status {
                        // A long poll has shown what it is for only when one has lasted.
                        _ if answers > 1 || (answers > 0 && route == Route::Poll) => None,
                        Some(429 | 503) => Some(Reach::Busy),
                        None if answers == 0 => Some(Reach::Silent),
                        _ => Some(Reach::Ready),
                    };
                    let why = format!("polling brought nothing: {}", error.why);
                    return self.lost(reach, 1006, why, error.retry_after_millis);
                }
            };
            answers += 1;
            if answers == 1 {
                let poll_millis = u64::from(self.0.streams.poll_millis);
                self.0.state.borrow_mut().stand(HEARTBEAT_MILLIS.max(poll_millis));
                (self.0.handlers.report)(ConnectionState::Polling);
            }
            self.0.state.borrow_mut().heard_at = monotonic_millis();
            if polled.frame.is_none() && polled.heartbeat.is_none() {
                self.0.state.borrow_mut().afresh = true;
                continue;
            }
            // A snapshot is no news: a stream that never lets this page catch up is not asked without a pause.
            let news = polled.frame.is_some() && polled.heartbeat.is_some();
            if polled.heartbeat.is_none() {
                self.0.state.borrow_mut().afresh = false;
            }
            polled.frame.into_iter().chain(polled.heartbeat).for_each(|frame| (self.0.handlers.deliver)(frame, true));
            let soon = monotonic_millis() - asked_at < f64::from(IDLE_POLL_MILLIS);
            let pause = if route == Route::Poll && answers > 1 {
                self.0.streams.poll_millis
            } else if soon {
                IDLE_POLL_MILLIS
            } else {
                0
            };
            if !news && pause > 0 {
                clock::sleep(pause).await;
            }
            // What was delivered may have made the page ask for another attempt.
            if !self.is_current(attempt) {
                return;
            }
        }
    }
}
