//! What to try next, and when: a pure state machine over how attempts ended.
//!
//! Knows nothing of sockets, requests, clocks or randomness; the connection reports endings and carries out
//! what this decides.

use super::Backoff;

/// A way to the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// WebSocket: preferred.
    Socket,
    /// REST with long poll, when a socket cannot be had.
    Polling,
}

/// How an attempt or a connection ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// The socket closed, or never opened.
    Socket {
        /// Whether the stream had said hello.
        greeted: bool,
        /// The close code; 1006 when there was none.
        code: u16,
        /// How long it held, in milliseconds.
        held_millis: f64,
        /// What `bye` asked for, in milliseconds.
        asked_millis: Option<u32>,
    },
    /// A poll failed.
    Polling {
        /// How long polling had worked, in milliseconds.
        held_millis: f64,
        /// `Retry-After`, in milliseconds.
        asked_millis: Option<u32>,
    },
    /// The client itself gave up the connection to resume from where it stands (a gap, a lost tail).
    Resume {
        /// How long it had held, in milliseconds.
        held_millis: f64,
    },
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Take `route` after `wait_millis`.
    Try {
        /// Which way.
        route: Route,
        /// How long to wait first, in milliseconds.
        wait_millis: u32,
    },
    /// The stream said not to come back (close codes 4000 to 4099).
    Stop,
}

/// Sockets that must fail in a row, without a hello, before polling is tried.
const SOCKET_FAILURES_BEFORE_POLLING: u32 = 2;
/// Longest wait that a stream may ask for, in milliseconds: a lying peer must not silence the page for a day.
const ASKED_MAX_MILLIS: u32 = 120_000;

/// The state: failures so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    backoff: Backoff,
    ungreeted_sockets: u32,
    hasty_returns: u32,
}

impl Policy {
    /// Attempts failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Takes an ending and decides. `random` is uniform in 0..1.
    pub fn after(&mut self, ending: Ending, random: f64) -> Next {
        match ending {
            Ending::Socket { code: 4000..=4099, .. } => Next::Stop,
            Ending::Socket { greeted, code, held_millis, asked_millis } => {
                self.ungreeted_sockets = if greeted { 0 } else { self.ungreeted_sockets.saturating_add(1) };
                let at_once = greeted && (4200..=4299).contains(&code);
                self.wait(self.socket_or_polling(), held_millis, asked_millis, at_once, random)
            }
            // One look at whether a socket can be had now, then polling again.
            Ending::Polling { held_millis, asked_millis } => {
                self.wait(Route::Socket, held_millis, asked_millis, false, random)
            }
            Ending::Resume { held_millis } => self.wait(self.socket_or_polling(), held_millis, None, true, random),
        }
    }

    fn socket_or_polling(&self) -> Route {
        if self.ungreeted_sockets >= SOCKET_FAILURES_BEFORE_POLLING { Route::Polling } else { Route::Socket }
    }

    /// A first return "at once" is; a peer that keeps asking for it meets the back-off like any other.
    fn wait(&mut self, route: Route, held_millis: f64, asked: Option<u32>, at_once: bool, random: f64) -> Next {
        let backoff = self.backoff.next_millis(held_millis, random);
        if self.backoff.failures() == 1 {
            // A stable minute has made this the first failure again.
            self.hasty_returns = 0;
        }
        self.hasty_returns = if at_once { self.hasty_returns.saturating_add(1) } else { 0 };
        let wait_millis = match asked {
            // Believed once; a peer that goes on asking for less meets the back-off.
            Some(asked) if self.backoff.failures() <= 1 => asked.min(ASKED_MAX_MILLIS),
            Some(asked) => asked.clamp(backoff, ASKED_MAX_MILLIS),
            None if self.hasty_returns == 1 => 0,
            None => backoff,
        };
        Next::Try { route, wait_millis }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(greeted: bool, code: u16) -> Ending {
        Ending::Socket { greeted, code, held_millis: 0.0, asked_millis: None }
    }

    #[test]
    fn a_lost_socket_is_tried_again_with_backoff() {
        let mut policy = Policy::default();
        assert_eq!(policy.after(closed(true, 1006), 1.0), Next::Try { route: Route::Socket, wait_millis: 500 });
        assert_eq!(policy.after(closed(true, 1006), 1.0), Next::Try { route: Route::Socket, wait_millis: 1_000 });
    }

    #[test]
    fn polling_is_tried_when_no_socket_can_be_had_and_a_socket_again_after_it() {
        let mut policy = Policy::default();
        policy.after(closed(false, 1006), 0.0);
        assert_eq!(policy.after(closed(false, 1006), 0.0), Next::Try { route: Route::Polling, wait_millis: 0 });
        let failed = Ending::Polling { held_millis: 0.0, asked_millis: Some(3_000) };
        assert_eq!(policy.after(failed, 0.0), Next::Try { route: Route::Socket, wait_millis: 3_000 });
        assert_eq!(policy.after(closed(false, 1006), 0.0), Next::Try { route: Route::Polling, wait_millis: 0 });
    }

    #[test]
    fn a_stream_that_says_stay_away_is_left_alone() {
        assert_eq!(Policy::default().after(closed(true, 4003), 0.5), Next::Stop);
    }

    #[test]
    fn come_back_at_once_is_believed_once_and_then_meets_the_backoff() {
        let mut policy = Policy::default();
        assert_eq!(policy.after(closed(true, 4200), 1.0), Next::Try { route: Route::Socket, wait_millis: 0 });
        assert_eq!(policy.after(closed(true, 4200), 1.0), Next::Try { route: Route::Socket, wait_millis: 1_000 });
    }

    #[test]
    fn a_resume_after_a_stable_minute_is_not_punished_for_the_ones_before() {
        let mut policy = Policy::default();
        let resume = |held_millis| Ending::Resume { held_millis };
        for _ in 0..6 {
            policy.after(resume(0.0), 1.0);
        }
        assert_eq!(policy.after(resume(90_000.0), 1.0), Next::Try { route: Route::Socket, wait_millis: 0 });
    }

    #[test]
    fn what_bye_asks_for_is_honoured_within_reason() {
        let mut policy = Policy::default();
        let bye = |asked| Ending::Socket { greeted: true, code: 1001, held_millis: 0.0, asked_millis: Some(asked) };
        assert_eq!(policy.after(bye(0), 1.0), Next::Try { route: Route::Socket, wait_millis: 0 });
        assert_eq!(policy.after(bye(0), 1.0), Next::Try { route: Route::Socket, wait_millis: 1_000 });
        assert_eq!(policy.after(bye(7_000), 0.0), Next::Try { route: Route::Socket, wait_millis: 7_000 });
        assert_eq!(policy.after(bye(u32::MAX), 0.0), Next::Try { route: Route::Socket, wait_millis: ASKED_MAX_MILLIS });
    }
}
