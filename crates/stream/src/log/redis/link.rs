//! The connections to Redis, and each script as a call: bounded in time, its answer read into types.
//!
//! Two connections: what waits for news must not stand before what is asked. Knows nothing of rings and folds.

use super::answer::{Answer, Entry};
use crate::time;
use monkeytown_protocol::Timestamp;
use redis::{AsyncConnectionConfig, Client, Cmd, RedisError, Value, aio::MultiplexedConnection};
use std::time::{Duration, Instant};

/// The four keys, in the order in which the scripts take them. What stands in braces puts them into one slot of a cluster.
const KEYS: [&str; 4] = ["{monkeytown}:log", "{monkeytown}:events", "{monkeytown}:identities", "{monkeytown}:state"];

macro_rules! script {
    ($name:literal) => {
        concat!(include_str!("scripts/standing.lua"), include_str!(concat!("scripts/", $name, ".lua")))
    };
}

/// Longest time for a state to be taken or given: up to 8 MiB.
const STATE_CALL: Duration = Duration::from_secs(10);
/// After this time it is asked again what time it is.
const CLOCK_AGAIN: Duration = Duration::from_secs(10);
/// Most events and enough bytes of one answer that gives events.
const PAGE: (u64, u64) = (512, 1 << 20);

/// Why a call came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// No answer, or none in time.
    #[error("it cannot be reached: {0}")]
    Away(String),
    /// An error for an answer.
    #[error("it refuses: {0}")]
    Refused(String),
    /// What lies there is not what was written.
    #[error("what it holds under {{monkeytown}} is not what was written: {0}")]
    Damaged(String),
    /// What lies there was written by a later version.
    #[error("its log is of format {0}, and this version reads no newer one than 1")]
    Newer(String),
    /// It has lost its newest events. The next offset that it knows, and the stamp before that.
    #[error("it has lost the events from {next} on")]
    Short { next: u64, stamp: Vec<u8> },
    /// This node's history cannot be continued.
    #[error("{0}")]
    Over(Over),
}

/// Why a history cannot be continued.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Over {
    #[error("Redis is empty, and held a history")]
    Empty,
    #[error("Redis holds another history")]
    Epoch,
    #[error("Redis holds other events at offsets that this node has served")]
    Diverged,
    #[error("Redis has lost more events than this node holds")]
    TooShort,
    #[error("this node has fallen behind what Redis holds")]
    Behind,
    #[error("Redis holds neither the state nor the events from the first on")]
    Stateless,
}

impl From<RedisError> for Trouble {
    fn from(error: RedisError) -> Self {
        // One line, since operators read lines.
        let words = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        match error.code() {
            Some(_) => Self::Refused(words),
            None if error.kind() == redis::ErrorKind::AuthenticationFailed => Self::Refused(words),
            None => Self::Away(words),
        }
    }
}

impl Trouble {
    /// Whether waiting cannot mend it.
    pub(super) fn is_lasting(&self) -> bool {
        const LASTING: [&str; 5] = ["NOAUTH", "WRONGPASS", "NOPERM", "Authentication", "WRONGTYPE"];
        match self {
            Self::Away(_) => false,
            Self::Refused(words) => LASTING.iter().any(|code| words.contains(code)),
            _ => true,
        }
    }
}

/// What a node knows: its history, and where it stands in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) epoch: String,
    /// The next offset.
    pub(super) next: u64,
    /// The stamp of the event before it.
    pub(super) stamp: Vec<u8>,
}

/// How much is held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) events: usize,
    pub(super) bytes: usize,
    /// What an event costs beside its JSON.
    pub(super) overhead: usize,
    /// After so many events the state is kept again.
    pub(super) state_every: u64,
}

/// An event on its way to Redis.
pub(super) struct Sent<'a> {
    pub(super) identity: [u8; 16],
    pub(super) stamp: u64,
    pub(super) json: &'a [u8],
}

/// What became of an append.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The next offset before it.
    pub(super) before: u64,
    /// The moment that its new events have.
    pub(super) recorded: Timestamp,
    /// More must go than went.
    pub(super) over: bool,
    /// The state is to be kept.
    pub(super) due: bool,
    /// Of each event.
    pub(super) offsets: Vec<u64>,
}

/// What a log of Redis is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) epoch: String,
    pub(super) first: u64,
    pub(super) next: u64,
    pub(super) stamp: Vec<u8>,
}

/// A state that was kept.
pub(super) struct State {
    pub(super) next: u64,
    pub(super) recorded: Timestamp,
    pub(super) json: Vec<u8>,
}

/// What a Redis says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Another one for every process.
    pub(super) run: String,
    pub(super) up: Duration,
    /// Whether it writes down every change, and not only now and then all it holds.
    pub(super) appends_to_file: bool,
    /// The moment of this, by its clock.
    pub(super) time: Timestamp,
}

/// Fingerprints of the scripts, as Redis keeps them.
struct Scripts {
    open: String,
    read: String,
    append: String,
    refill: String,
    keep_state: String,
    stamps: String,
    renew: String,
}

/// The connections.
pub(super) struct Link {
    calls: MultiplexedConnection,
    bell: MultiplexedConnection,
    scripts: Scripts,
    patience: Duration,
    pub(super) server: Server,
    /// When `server` was told.
    told_at: Instant,
}

async fn within<T>(patience: Duration, call: impl Future<Output = Result<T, RedisError>>) -> Result<T, Trouble> {
    match tokio::time::timeout(patience, call).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::Away(format!("no answer within {:.1} s", patience.as_secs_f64()))),
    }
}

async fn load(connection: &mut MultiplexedConnection, patience: Duration, code: &str) -> Result<String, Trouble> {
    within(patience, redis::cmd("SCRIPT").arg("LOAD").arg(code).query_async(connection)).await
}

impl Link {
    /// Connects. Each step takes at most `patience`.
    pub(super) async fn open(client: &Client, patience: Duration) -> Result<Self, Trouble> {
        // Time is bounded here, for all of a step at once.
        let config = || AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let mut calls = within(patience, client.get_multiplexed_async_connection_with_config(&config())).await?;
        let bell = within(patience, client.get_multiplexed_async_connection_with_config(&config())).await?;
        let told: String = within(patience, redis::cmd("INFO").query_async(&mut calls)).await?;
        let told_at = Instant::now();
        let scripts = Scripts {
            open: load(&mut calls, patience, script!("open")).await?,
            read: load(&mut calls, patience, script!("read")).await?,
            append: load(&mut calls, patience, script!("append")).await?,
            refill: load(&mut calls, patience, script!("refill")).await?,
            keep_state: load(&mut calls, patience, script!("keep_state")).await?,
            stamps: load(&mut calls, patience, script!("stamps")).await?,
            renew: load(&mut calls, patience, script!("renew")).await?,
        };
        Ok(Self { calls, bell, scripts, patience, server: server(&told, time::now()), told_at })
    }

    /// The present by Redis' clock, which is one for all nodes: one whose own is ahead would set `recordedtime` for all.
    ///
    /// It goes on by the monotonic clock until it is told again: that clock stands still while a machine sleeps.
    fn now(&self) -> Timestamp {
        self.server.time.plus_millis(i64::try_from(self.told_at.elapsed().as_millis()).unwrap_or(i64::MAX))
    }

    /// Asks again what time it is, when that was long ago. A user who may not ask goes on with what was told.
    pub(super) async fn set_clock(&mut self) -> Result<(), Trouble> {
        if self.told_at.elapsed() < CLOCK_AGAIN {
            return Ok(());
        }
        let told = within(self.patience, redis::cmd("TIME").query_async::<(i64, i64)>(&mut self.calls)).await;
        self.told_at = match told {
            Ok((seconds, micros)) => {
                let millis = seconds.saturating_mul(1_000).saturating_add(micros / 1_000);
                self.server.time = Timestamp::from_millis(millis);
                Instant::now()
            }
            Err(Trouble::Refused(_)) => {
                self.server.time = self.now();
                Instant::now()
            }
            Err(trouble) => return Err(trouble),
        };
        Ok(())
    }

    async fn call(&mut self, command: &Cmd, patience: Duration) -> Result<Answer, Trouble> {
        let value: Value = within(patience, command.query_async(&mut self.calls)).await?;
        Answer::read(value)
    }

    /// The log that is there; where there is none, an empty one of `epoch`.
    pub(super) async fn open_log(&mut self, epoch: &str) -> Result<Opened, Trouble> {
        let mut command = script(&self.scripts.open);
        let mut answer = self.call(command.arg(epoch), self.patience).await?;
        Ok(Opened { epoch: answer.text()?, first: answer.number()?, next: answer.number()?, stamp: answer.bytes()? })
    }

    /// Events from a place on: up to a page of them, none at or after the offset `to`. Without a stamp the place is believed.
    pub(super) async fn read(
        &mut self,
        place: &Place,
        to: Option<u64>,
        believed: bool,
    ) -> Result<(u64, Vec<Entry>), Trouble> {
        let stamp = if believed { b"*".as_slice() } else { &place.stamp };
        let mut command = script(&self.scripts.read);
        command.arg(&place.epoch).arg(place.next).arg(stamp);
        command.arg(to.map_or_else(String::new, |to| to.to_string())).arg(PAGE.0).arg(PAGE.1);
        let mut answer = self.call(&command, self.patience).await?;
        Ok((answer.number()?, answer.entries()?))
    }

    /// Appends what is not there.
    pub(super) async fn append(
        &mut self,
        place: &Place,
        bounds: Bounds,
        events: impl Iterator<Item = Sent<'_>>,
    ) -> Result<Taken, Trouble> {
        let mut command = script(&self.scripts.append);
        command.arg(&place.epoch).arg(place.next).arg(&place.stamp).arg(self.now().to_string());
        command.arg(bounds.events).arg(bounds.bytes).arg(bounds.overhead).arg(bounds.state_every);
        send(&mut command, events);
        let mut answer = self.call(&command, self.patience).await?;
        let before = answer.number()?;
        let recorded = answer.moment()?;
        let (over, due) = (answer.number()? > 0, answer.number()? > 0);
        Ok(Taken { before, recorded, over, due, offsets: answer.numbers()? })
    }

    /// Puts back what was lost from a place on; the next offset after that.
    pub(super) async fn refill(
        &mut self,
        place: &Place,
        recorded: Timestamp,
        overhead: usize,
        events: impl Iterator<Item = Sent<'_>>,
    ) -> Result<u64, Trouble> {
        let mut command = script(&self.scripts.refill);
        command.arg(&place.epoch).arg(place.next).arg(&place.stamp).arg(recorded.to_string()).arg(overhead);
        send(&mut command, events);
        self.call(&command, self.patience).await?.number()
    }

    /// Keeps the state at a place, unless a newer one is kept.
    pub(super) async fn keep_state(&mut self, place: &Place, recorded: Timestamp, json: &[u8]) -> Result<(), Trouble> {
        let mut command = script(&self.scripts.keep_state);
        command.arg(&place.epoch).arg(place.next).arg(&place.stamp).arg(recorded.to_string()).arg(json);
        self.call(&command, STATE_CALL).await.map(|_| ())
    }

    /// Stamps of events before a place, from an offset on: where they begin, and some in a row.
    pub(super) async fn stamps(&mut self, place: &Place, from: u64) -> Result<(u64, Vec<u8>), Trouble> {
        let mut command = script(&self.scripts.stamps);
        command.arg(&place.epoch).arg(place.next).arg(&place.stamp).arg(from);
        let mut answer = self.call(&command, self.patience).await?;
        Ok((answer.number()?, answer.bytes()?))
    }

    /// The state that is kept.
    pub(super) async fn state(&mut self) -> Result<Option<State>, Trouble> {
        let [_, _, _, key] = KEYS;
        let mut command = redis::cmd("HMGET");
        command.arg(key).arg("next").arg("recorded").arg("json");
        let value: Value = within(STATE_CALL, command.query_async(&mut self.calls)).await?;
        Answer::of(value)?.state()
    }

    /// Has what is there be of another epoch than one that cannot be continued.
    pub(super) async fn renew(&mut self, epoch: &str, another: &str) -> Result<(), Trouble> {
        let mut command = script(&self.scripts.renew);
        self.call(command.arg(epoch).arg(another), self.patience).await.map(|_| ())
    }

    /// Waits until something is there after the offset before `next`: the offset of the first of it. `None` after a while.
    /// What it says is a hint only, and is read for itself.
    pub(super) fn bell(&self, next: u64) -> impl Future<Output = Result<Option<u64>, Trouble>> + Send + use<> {
        let (mut bell, patience) = (self.bell.clone(), self.patience);
        let pause = patience / 2;
        async move {
            let [_, events, ..] = KEYS;
            let mut command = redis::cmd("XREAD");
            command.arg("COUNT").arg(1).arg("BLOCK").arg(u64::try_from(pause.as_millis()).unwrap_or(1).max(1));
            command.arg("STREAMS").arg(events).arg(format!("{next}-0"));
            let value: Value = within(pause + patience, command.query_async(&mut bell)).await?;
            Ok(Answer::first_id(&value).map(|id| id.saturating_sub(1)))
        }
    }
}

fn script(fingerprint: &str) -> Cmd {
    let mut command = redis::cmd("EVALSHA");
    command.arg(fingerprint).arg(KEYS.len()).arg(&KEYS);
    command
}

fn send<'a>(command: &mut Cmd, events: impl Iterator<Item = Sent<'a>>) {
    for Sent { identity, stamp, json } in events {
        command.arg(identity.as_slice()).arg(stamp.to_be_bytes().as_slice()).arg(json);
    }
}

/// Reads what `INFO` tells. Where it tells no time it is `now`.
fn server(told: &str, now: Timestamp) -> Server {
    let field = |name: &str| told.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
    let micros = field("server_time_usec").and_then(|text| text.parse::<i64>().ok());
    Server {
        time: micros.map_or(now, |micros| Timestamp::from_millis(micros / 1_000)),
        run: field("run_id").unwrap_or_default().to_owned(),
        up: Duration::from_secs(field("uptime_in_seconds").and_then(|text| text.parse().ok()).unwrap_or_default()),
        appends_to_file: field("aof_enabled") == Some("1"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_says_who_it_is_how_old_and_what_time_it_has() {
        let now = Timestamp::from_millis(7);
        let told =
            "# Server\r\nrun_id:f00\r\nserver_time_usec:1700000000123456\r\nuptime_in_seconds:61\r\naof_enabled:1\r\n";
        let time = Timestamp::from_millis(1_700_000_000_123);
        let whole = Server { run: "f00".to_owned(), up: Duration::from_secs(61), appends_to_file: true, time };
        assert_eq!(server(told, now), whole);
        // What is not told, or is none, is young, and has our time.
        let none = Server { run: String::new(), up: Duration::ZERO, appends_to_file: false, time: now };
        assert_eq!(server("server_time_usec:soon\r\nuptime_in_seconds:-1", now), none);
    }
}
