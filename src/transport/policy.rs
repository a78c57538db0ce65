//! What to try next, and when: a pure state machine over how attempts ended.
//!
//! Knows nothing of sockets, requests, clocks or randomness; the connection reports endings and carries out
//! what this decides.

use super::Backoff;

/// A way to the stream, the best first (`events.md`, "Transports").
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Route {
    /// WebSocket.
    #[default]
    Socket,
    /// Server-sent events.
    Sse,
    /// REST, each answer held back until there is news.
    LongPoll,
    /// REST, answered at once: where something between ends what lasts.
    Poll,
}

impl Route {
    /// The next worse; from the last one the best again.
    #[must_use]
    pub fn below(self) -> Self {
        match self {
            Self::Socket => Self::Sse,
            Self::Sse => Self::LongPoll,
            Self::LongPoll => Self::Poll,
            Self::Poll => Self::Socket,
        }
    }
}

/// What the stream itself says when a way to it fails: a browser does not tell why a handshake was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// It answers and takes subscribers: the way is to blame.
    Ready,
    /// It answers and takes nobody now.
    Busy,
    /// It does not answer.
    Silent,
}

/// How an attempt or a connection ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Ending {
    /// The way was lost, or never opened.
    Lost {
        /// What the stream says when it had said nothing by this way; `None` when it had.
        reach: Option<Reach>,
        /// The close code; 1006 when there was none.
        code: u16,
        /// How long it held, in milliseconds.
        held_millis: f64,
        /// What `bye` or `Retry-After` asked for, in milliseconds.
        asked_millis: Option<u32>,
    },
    /// The client itself gave up the connection to resume from where it stands (a gap, a lost tail, a sleep).
    Resume {
        /// How long it had held, in milliseconds.
        held_millis: f64,
    },
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Take [`Policy::route`] after `wait_millis`.
    Try {
        /// How long to wait first, in milliseconds.
        wait_millis: u32,
    },
    /// The stream said not to come back (close codes 4000 to 4099).
    Stop,
}

/// Longest wait that a stream may ask for, in milliseconds: a lying peer must not silence the page for a day.
const ASKED_MAX_MILLIS: u32 = 120_000;
/// Attempts in a row on which the stream was silent before it counts as dead.
const SILENT_MAX: u32 = 3;

/// The state: the way in use, and failures so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    backoff: Backoff,
    route: Route,
    /// Attempts by this way that failed in a row.
    failed: u32,
    silent: u32,
    hasty_returns: u32,
}

impl Policy {
    /// Starts by the way that worked last, or was found beside the one in use.
    pub fn take(&mut self, route: Route) {
        (self.route, self.failed, self.silent) = (route, 0, 0);
    }

    /// The way in use.
    #[must_use]
    pub fn route(&self) -> Route {
        self.route
    }

    /// Attempts failed in a row.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.backoff.failures()
    }

    /// Whether the stream counts as dead; asking starts the count again.
    pub fn is_dead(&mut self) -> bool {
        let dead = self.silent >= SILENT_MAX;
        if dead {
            self.take(Route::Socket);
        }
        dead
    }

    /// Takes an ending and decides. `random` is uniform in 0..1.
    pub fn after(&mut self, ending: Ending, random: f64) -> Next {
        match ending {
            Ending::Lost { code: 4000..=4099, .. } => Next::Stop,
            Ending::Lost { reach, code, held_millis, asked_millis } => {
                self.weigh(reach);
                let at_once = reach.is_none() && (4200..=4299).contains(&code);
                self.wait(held_millis, asked_millis, at_once, reach.is_some(), random)
            }
            Ending::Resume { held_millis } => self.wait(held_millis, None, true, false, random),
        }
    }

    /// A way that fails while the stream is there is left soon; one that fails with the stream is hardly to blame.
    fn weigh(&mut self, reach: Option<Reach>) {
        let patience = match (self.route, reach) {
            (_, None | Some(Reach::Busy)) => {
                (self.failed, self.silent) = (0, 0);
                return;
            }
            (Route::Socket, Some(Reach::Ready)) => 2,
            (_, Some(Reach::Ready)) => 1,
            (Route::Socket, _) => 4,
            (_, _) => 2,
        };
        self.silent = if reach == Some(Reach::Silent) { self.silent.saturating_add(1) } else { 0 };
        self.failed = self.failed.saturating_add(1);
        if self.failed >= patience {
            (self.route, self.failed) = (self.route.below(), 0);
        }
    }

    /// A first return "at once" is; a peer that keeps asking for it meets the back-off like any other.
    fn wait(&mut self, held_millis: f64, asked: Option<u32>, at_once: bool, refused: bool, random: f64) -> Next {
        let backoff = self.backoff.next_millis(held_millis, random);
        if self.backoff.failures() == 1 {
            // A stable minute has made this the first failure again.
            self.hasty_returns = 0;
        }
        self.hasty_returns = if at_once { self.hasty_returns.saturating_add(1) } else { 0 };
        let wait_millis = match asked {
            // `Retry-After` is the same for everybody: the jitter keeps them apart.
            Some(asked) if refused => asked.min(ASKED_MAX_MILLIS) + backoff,
            // Believed once; a peer that goes on asking for less meets the back-off.
            Some(asked) if self.backoff.failures() <= 1 => asked.min(ASKED_MAX_MILLIS),
            Some(asked) => asked.clamp(backoff, ASKED_MAX_MILLIS),
            None if self.hasty_returns == 1 => 0,
            None => backoff,
        };
        Next::Try { wait_millis }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(code: u16) -> Ending {
        Ending::Lost { reach: None, code, held_millis: 0.0, asked_millis: None }
    }

    fn refused(reach: Reach) -> Ending {
        Ending::Lost { reach: Some(reach), code: 1006, held_millis: 0.0, asked_millis: None }
    }

    fn routes(reach: Reach, attempts: usize) -> Vec<Route> {
        let mut policy = Policy::default();
        let mut next = || {
            policy.after(refused(reach), 0.0);
            policy.route()
        };
        (0..attempts).map(|_| next()).collect()
    }

    #[test]
    fn a_lost_socket_is_tried_again_with_backoff() {
        let mut policy = Policy::default();
        assert_eq!(policy.after(closed(1006), 1.0), Next::Try { wait_millis: 500 });
        assert_eq!(policy.after(closed(1006), 1.0), Next::Try { wait_millis: 1_000 });
    }

    #[test]
    fn ways_that_fail_while_the_stream_is_ready_are_left_one_after_the_other_and_then_begun_again() {
        use Route::{LongPoll, Poll, Socket, Sse};
        assert_eq!(routes(Reach::Ready, 6), [Socket, Sse, LongPoll, Poll, Socket, Socket]);
    }

    #[test]
    fn a_stream_that_is_away_is_asked_longer_by_the_best_way() {
        use Route::{LongPoll, Poll, Socket, Sse};
        let tried = routes(Reach::Silent, 11);
        assert_eq!(tried, [Socket, Socket, Socket, Sse, Sse, LongPoll, LongPoll, Poll, Poll, Socket, Socket]);
    }

    #[test]
    fn a_stream_that_is_full_is_no_reason_to_leave_the_way() {
        assert_eq!(routes(Reach::Busy, 9), [Route::Socket; 9]);
    }

    #[test]
    fn a_stream_that_is_silent_three_times_is_dead_and_then_begun_anew() {
        let mut policy = Policy::default();
        for _ in 0..3 {
            assert!(!policy.is_dead());
            policy.after(refused(Reach::Silent), 0.0);
        }
        assert!(policy.is_dead());
        assert!(!policy.is_dead());
        policy.after(refused(Reach::Silent), 0.0);
        policy.after(refused(Reach::Ready), 0.0);
        policy.after(refused(Reach::Silent), 0.0);
        assert!(!policy.is_dead());
    }

    #[test]
    fn a_stream_that_says_stay_away_is_left_alone() {
        assert_eq!(Policy::default().after(closed(4003), 0.5), Next::Stop);
    }

    #[test]
    fn come_back_at_once_is_believed_once_and_then_meets_the_backoff() {
        let mut policy = Policy::default();
        assert_eq!(policy.after(closed(4200), 1.0), Next::Try { wait_millis: 0 });
        assert_eq!(policy.after(closed(4200), 1.0), Next::Try { wait_millis: 1_000 });
    }

    #[test]
    fn a_resume_after_a_stable_minute_is_not_punished_for_the_ones_before() {
        let mut policy = Policy::default();
        policy.take(Route::Sse);
        let resume = |held_millis| Ending::Resume { held_millis };
        for _ in 0..6 {
            policy.after(resume(0.0), 1.0);
        }
        assert_eq!(policy.after(resume(90_000.0), 1.0), Next::Try { wait_millis: 0 });
    }

    #[test]
    fn what_bye_asks_for_is_honoured_within_reason() {
        let mut policy = Policy::default();
        let bye = |asked| Ending::Lost { reach: None, code: 1001, held_millis: 0.0, asked_millis: Some(asked) };
        assert_eq!(policy.after(bye(0), 1.0), Next::Try { wait_millis: 0 });
        assert_eq!(policy.after(bye(0), 1.0), Next::Try { wait_millis: 1_000 });
        assert_eq!(policy.after(bye(7_000), 0.0), Next::Try { wait_millis: 7_000 });
        assert_eq!(policy.after(bye(u32::MAX), 0.0), Next::Try { wait_millis: ASKED_MAX_MILLIS });
    }

    #[test]
    fn retry_after_is_honoured_with_jitter_on_top() {
        let mut policy = Policy::default();
        let full =
            |asked| Ending::Lost { reach: Some(Reach::Busy), code: 1006, held_millis: 0.0, asked_millis: Some(asked) };
        assert_eq!(policy.after(full(3_000), 0.0), Next::Try { wait_millis: 3_000 });
        assert_eq!(policy.after(full(3_000), 1.0), Next::Try { wait_millis: 4_000 });
        let Next::Try { wait_millis } = policy.after(full(u32::MAX), 1.0) else { panic!("it may come back") };
        assert!(wait_millis <= ASKED_MAX_MILLIS + 15_000, "{wait_millis}");
    }
}
