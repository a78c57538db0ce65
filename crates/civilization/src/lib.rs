//! The fold: events in, the state of the civilization out. The browser draws it, the stream snapshots it.
//!
//! Owns what an event does to the state, what becomes history, what is counted, and the bounds of all of it.
//!
//! Absent here: JSON, clocks, sockets, browsers. A moment is an argument or an event's own; the same events
//! in the same order give the same state everywhere, and a snapshot followed by the events after it gives
//! the same state as all events from the start (a property that the tests hold). One thing is left out of that: of
//! log lines a snapshot takes only the newest.

mod activity;
mod bins;
mod bounds;
mod changes;
mod contradictions;
mod entities;
mod flows;
mod history;
mod keyed;
mod logs;
mod marks;
mod pulse;
mod state;

pub use activity::{Activity, BIN_MILLIS, DAY_BIN_MILLIS, DAY_BINS, DAYS, Depth, HALF_HOUR_MILLIS, WEEK_BIN_MILLIS};
pub use bins::HOUR_BINS;
pub use bounds::{
    AGENT_RECENT_MAX, ALERTS_MAX, ENTITIES_BYTES_MAX, ENTITIES_MAX, FINISHED_FLOWS_MAX, FLOWS_BYTES_MAX, FLOWS_MAX,
    HISTORY_BYTES_MAX, HISTORY_MAX, LANES_MAX, NAME_MAX_BYTES, REASON_MAX_BYTES, SEEDS_MAX,
};
pub use changes::{Changes, Keys};
pub use contradictions::{CONTRADICTIONS_MAX, Contradiction};
pub use entities::Entity;
pub use flows::{FinishedFlow, OpenFlow};
pub use history::{HistoryItem, HistoryKind, Outcome};
pub use keyed::Keyed;
pub use logs::{
    LOG_BYTES_MAX, LOG_LINES_MAX, LOGS_BYTES_MAX, LOGS_MAX, Line, Log, SNAPSHOT_BYTES_MAX, SNAPSHOT_LINES_MAX,
};
pub use marks::{MARKS_MAX, Mark, MarkKind};
pub use pulse::{Pulse, Trend};
pub use state::{Civilization, OpenAlert, Totals};
