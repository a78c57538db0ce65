//! How the session and the connection deal with each other: orders one way, reports the other; when to let go of the
//! stream, and what is said when something was missed.

use super::{Core, Session, latency::Latency};
use crate::{
    clock::{self, PageClock, monotonic_millis},
    ingest::{Loss, Terms},
    signals::{NOTICES, SOUND},
    storage::choices,
    tabs::Tabs,
    transport::{self, ConnectionState},
    voice,
};
use monkeytown_keepsakes::Class;
use monkeytown_protocol::Timestamp;

/// Bytes and frames that may wait to be applied: `onmessage` knows no back-pressure. Over it, in a catch-up, the page lets
/// go of the stream until they are; live, it is too slow for the stream and drops to a snapshot.
const QUEUE_MAX_BYTES: usize = 16_000_000;
const QUEUE_MAX_FRAMES: usize = 20_000;
/// How long a page may be hidden before it lets go of the stream, in milliseconds: from then on browsers run its timers
/// once a minute, and it could not keep watch. It returns with its cursor, so nothing is left out.
const HIDDEN_MAX_MILLIS: f64 = 300_000.0;
/// Attempts that fail before a snapshot beside the page is looked for.
const FAILURES_BEFORE_BESIDE: u32 = 4;
/// Least time between two snapshots asked for to be kept, in milliseconds.
const RENEW_EVERY_MILLIS: f64 = 120_000.0;
/// How long a snapshot that is asked for to be kept may take, in milliseconds.
const RENEW_MILLIS: u32 = 20_000;
/// Why a page that was hidden for long has no stream.
pub(super) const RESTED: &str = "this page rests while nobody looks at it";

/// What the connection is to do, once nothing of the session is borrowed any more.
pub(super) enum Order {
    Greeted(u64),
    Bye(u32),
    Resume {
        why: &'static str,
        afresh: bool,
    },
    /// What waited is applied.
    GoOn,
}

impl Session {
    pub(super) fn carry_out(&self, orders: Vec<Order>) {
        let Some(connection) = self.0.borrow().connection else { return };
        for order in orders {
            match order {
                Order::Greeted(heartbeat_millis) => connection.greeted(heartbeat_millis),
                Order::Bye(reconnect_after_millis) => connection.bye(reconnect_after_millis),
                Order::Resume { why, afresh } => connection.resume(why, afresh),
                Order::GoOn => connection.wake(""),
            }
        }
    }

    /// One frame alone is never too much: dropped, it would come again, for ever.
    pub(super) fn bound_queue(&self) {
        let mut core = self.0.borrow_mut();
        let much = core.queued_bytes > QUEUE_MAX_BYTES || core.queue.len() > QUEUE_MAX_FRAMES;
        if !much || core.queue.len() < 2 {
            return;
        }
        if core.replaying {
            (core.holding, core.held) = (true, true);
            let connection = core.connection;
            drop(core);
            return connection.into_iter().for_each(Tabs::rest);
        }
        core.overrun = true;
        core.drop_queue();
        drop(core);
        self.carry_out(vec![Order::Resume { why: "this page fell behind", afresh: true }]);
    }

    pub(super) fn report(&self, mut standing: ConnectionState) {
        let mut core = self.0.borrow_mut();
        if let ConnectionState::Reconnecting { why, .. } = &mut standing
            && let Some(complaint) = core.config.complaint.as_ref().filter(|_| !core.greeted)
        {
            // It may be why: a remark waits behind what is graver, and is over after a while.
            *why = [why, ". ", complaint].concat();
        }
        let asked = core.connection.map(|connection| connection.stream().clone());
        if let Some(stream) = asked.filter(|stream| *stream != core.stream) {
            let words = format!("{} does not answer, so {} stands in for it", core.stream.rest, stream.rest);
            core.remark = Some((words, monotonic_millis()));
            core.stream = stream;
        }
        if standing.is_live() {
            core.away_since = None;
            let route = match standing {
                ConnectionState::Live => 0,
                ConnectionState::Sse => 1,
                _ => 2,
            };
            choices::keep_route(route, clock::wall_millis());
        } else {
            core.away_since.get_or_insert_with(clock::wall);
            // Until the stream says that this page has caught up, what comes is no news.
            core.replaying = true;
        }
        let failing =
            matches!(standing, ConnectionState::Reconnecting { failures, .. } if failures >= FAILURES_BEFORE_BESIDE);
        let alone = failing && !core.greeted && core.stored_at.is_none() && core.beside.is_none();
        // What a closed socket still had in the queue is in order and belongs to the position: it is kept.
        core.standing = standing;
        core.note_gap();
        core.write_connection();
        drop(core);
        if alone {
            self.show_what_is_beside();
        }
    }

    /// Looks after the connection; lets go of it when nobody has looked at the page for long.
    pub(super) fn keep_watch(&self) {
        let Some(connection) = self.0.borrow().connection else { return };
        let now = monotonic_millis();
        let unseen = {
            let mut core = self.0.borrow_mut();
            let since = core.hidden_since.filter(|_| clock::is_hidden());
            core.hidden_since = clock::is_hidden().then_some(since.unwrap_or(now));
            // Who wants to be called is heard for.
            let kept = core.signals.kept.peek();
            let calls = [SOUND, NOTICES].iter().any(|name| kept.has(Class::Preference, name));
            since.is_some_and(|since| now - since > HIDDEN_MAX_MILLIS) && core.standing.is_live() && !calls
        };
        if unseen {
            connection.rest();
            let why = RESTED.to_owned();
            self.report(ConnectionState::Reconnecting { failures: 0, next_at_millis: None, why });
        } else {
            connection.watch();
        }
    }

    /// Asks for a snapshot to keep when more has followed the kept one than is kept; seldom, and never while hidden.
    pub(super) fn renew_record(&self, now: f64) {
        let rest = {
            let mut core = self.0.borrow_mut();
            if !core.record.is_full() || now - core.renewed_at < RENEW_EVERY_MILLIS || clock::is_hidden() {
                return;
            }
            core.renewed_at = now;
            core.stream.rest.clone()
        };
        let session = self.clone();
        wasm_bindgen_futures::spawn_local(async move {
            // Without an answer the older record stays, and says how old it is.
            let asked = transport::ask(&rest, None, false, RENEW_MILLIS, clock::wall()).await;
            if let Some(frame) = asked.ok().and_then(|polled| polled.frame) {
                session.0.borrow_mut().record.begin(frame);
            }
        });
    }

    /// Shows the snapshot beside the page, if the deployment brought one and nothing better is known.
    fn show_what_is_beside(&self) {
        let session = self.clone();
        self.0.borrow_mut().beside = Some(false);
        wasm_bindgen_futures::spawn_local(async move {
            let Some(hello) = transport::beside_the_page().await else { return };
            let mut core = session.0.borrow_mut();
            if !core.greeted && core.show_stored(&[hello], None) {
                core.beside = Some(true);
                core.write_connection();
            }
        });
    }
}

impl Core {
    /// The stream's clock is heard, by itself or in a heartbeat. What polling tells of it is the page's own.
    pub(super) fn hear_of(&mut self, server_time: Timestamp) {
        let now = monotonic_millis();
        self.heartbeat_at = Some(now);
        if !matches!(self.standing, ConnectionState::Polling) {
            self.latency.hear(server_time, now);
        }
    }

    pub(super) fn greet(&mut self, terms: Terms, loss: Loss) {
        // Another stream has another clock.
        self.latency = Latency::default();
        self.hear_of(terms.server_time);
        let (shown, rate) = terms.clock;
        self.live.clock = PageClock::new(shown, monotonic_millis(), rate);
        self.replaying = true;
        self.source = Some(terms.source_kind);
        self.stored_at = None;
        let first = !std::mem::replace(&mut self.greeted, true);
        if loss != Loss::Nothing {
            self.summarised = true;
            let before =
                if std::mem::take(&mut self.overrun) { "this page fell behind" } else { "you were away too long" };
            let words = match loss {
                Loss::Events(count) => format!("{before}: {} events are only in the summary", voice::grouped(count)),
                _ => "the stream could not continue where this page stood: \
                      what happened between is only in the summary"
                    .to_owned(),
            };
            self.remark = Some((words, monotonic_millis()));
        }
        if first && !clock::is_hidden() {
            self.write_clock();
            self.write_pulse();
        }
    }
}
