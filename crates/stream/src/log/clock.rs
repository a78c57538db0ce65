//! The clock that the page shows: the source's own, or the server's when no source has one (`states.md`, "Clocks").

use crate::{sources::SourceClock, time};
use monkeytown_protocol::Timestamp;
use std::time::Instant;

/// A clock that was read once and has run since.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) enum RunningClock {
    /// The server's own, rate 1.
    #[default]
    Server,
    /// A source's.
    Source { shows: Timestamp, at: Instant, rate: f64 },
}

impl RunningClock {
    /// A source's clock from now on. A rate that is no rate stands still.
    pub(crate) fn started(clock: SourceClock) -> Self {
        let rate = if clock.rate.is_finite() { clock.rate.max(0.0) } else { 0.0 };
        Self::Source { shows: clock.shows, at: Instant::now(), rate }
    }

    /// What it shows now.
    #[expect(clippy::cast_possible_truncation, reason = "a float too large for i64 saturates, as moments do")]
    pub(crate) fn read(&self) -> SourceClock {
        match *self {
            Self::Server => SourceClock { shows: time::now(), rate: 1.0 },
            Self::Source { shows, at, rate } => {
                let passed_millis = at.elapsed().as_secs_f64() * 1_000.0 * rate;
                SourceClock { shows: shows.plus_millis(passed_millis as i64), rate }
            }
        }
    }
}
