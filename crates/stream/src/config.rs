//! Flags, environment and secrets, read once and checked before anything starts.
//!
//! Everything that an operator must mend is a [`ConfigError`]: one line that says what to give.

use crate::sources::{
    git::{GitError, GitSpeed},
    simulator::RateError,
};
use crate::{
    address::TrustedProxy,
    door,
    hooks::{SecretError, WebhookSecret},
    log::{RedisUrl, RedisUrlError, RingBounds},
    origin::AllowedOrigin,
    publish::{TokenError, Tokens},
    server::{Options, Timing},
    written::WrittenError,
};
use clap::{Parser, ValueEnum, error::ErrorKind};
use monkeytown_protocol::SourceKind;
use std::{ffi::OsString, io, path::PathBuf, str::FromStr, time::Duration};
use tracing::Level;

/// The event stream of Monkeytown Witness: agents' events in, witnesses' pages out.
#[derive(Debug, Clone, Parser)]
#[command(name = "monkeytown-stream", version)]
pub struct Config {
    /// Address to listen on; port 0 picks one
    #[arg(long, env = "MONKEYTOWN_LISTEN", value_name = "ADDR", default_value = "127.0.0.1:8080")]
    pub listen: String,
    /// Folder of the built page
    #[arg(long, env = "MONKEYTOWN_SITE", value_name = "DIR")]
    pub site: Option<PathBuf>,
    /// Repository whose history is told and whose branch is followed
    #[arg(long, env = "MONKEYTOWN_GIT", value_name = "PATH or URL")]
    pub git: Option<String>,
    /// Branch to follow; without it, the one that HEAD names
    #[arg(long, env = "MONKEYTOWN_GIT_BRANCH", value_name = "NAME")]
    pub git_branch: Option<String>,
    /// Times real time, `max`, or `auto` (the whole history in about 90 s)
    #[arg(long, env = "MONKEYTOWN_GIT_SPEED", value_name = "N", default_value = "max")]
    pub git_speed: GitSpeed,
    /// Seconds between two fetches of a repository given by URL
    #[arg(long, env = "MONKEYTOWN_GIT_FETCH_SECONDS", value_name = "N", default_value_t = 60,
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub git_fetch_seconds: u64,
    /// Domain map: which paths are whose
    #[arg(long, env = "MONKEYTOWN_DOMAINS", value_name = "FILE")]
    pub domains: Option<PathBuf>,
    /// Components that are probed and told of
    #[arg(long, env = "MONKEYTOWN_FLEET", value_name = "FILE")]
    pub fleet: Option<PathBuf>,
    /// Invent events, so many a second; the page says so
    #[arg(long, env = "MONKEYTOWN_SIMULATE", value_name = "RATE")]
    pub simulate: Option<f64>,
    /// Seed of the invented events: the same seed, the same events
    #[arg(long, env = "MONKEYTOWN_SIMULATE_SEED", value_name = "N", default_value_t = 1)]
    pub simulate_seed: u64,
    /// Most subscribers
    #[arg(long, env = "MONKEYTOWN_MAX_SUBSCRIBERS", value_name = "N", default_value_t = 1_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_subscribers: u32,
    /// Most subscribers of one address, an IPv6 /64 counting as one; 0 bounds none
    #[arg(long, env = "MONKEYTOWN_MAX_PER_ADDRESS", value_name = "N", default_value_t = 0)]
    pub max_per_address: u32,
    /// Network of proxies whose X-Forwarded-For or Forwarded is believed (repeatable)
    #[arg(long, env = "MONKEYTOWN_TRUST_PROXY", value_name = "CIDR", value_delimiter = ',')]
    pub trust_proxy: Vec<TrustedProxy>,
    /// Most published events a second
    #[arg(long, env = "MONKEYTOWN_MAX_EVENTS_PER_SECOND", value_name = "N", default_value_t = 10_000,
          value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_events_per_second: u32,
    /// Largest event, in bytes of its JSON
    #[arg(long, env = "MONKEYTOWN_MAX_EVENT_BYTES", value_name = "N", default_value_t = 16_384,
          value_parser = clap::value_parser!(u32).range(256..=1_048_576))]
    pub max_event_bytes: u32,
    /// Most events held
    #[arg(long, env = "MONKEYTOWN_RING_EVENTS", value_name = "N", default_value_t = 1_000_000,
          value_parser = clap::value_parser!(u32).range(1..))]
    pub ring_events: u32,
    /// Most bytes of events held: 1GiB, 512MiB, 64MB or a plain number
    #[arg(long, env = "MONKEYTOWN_RING_BYTES", value_name = "SIZE", default_value = "1GiB")]
    pub ring_bytes: ByteSize,
    /// Folder in which events outlive the process; without it they are held in memory only
    #[arg(long, env = "MONKEYTOWN_JOURNAL", value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Redis that holds the events for several nodes: redis://[USER:PASSWORD@]HOST[:PORT][/DB]
    #[arg(long, env = "MONKEYTOWN_REDIS", value_name = "URL", hide_env_values = true)]
    pub redis: Option<RedisUrl>,
    /// Origin of a page elsewhere that may use this stream (repeatable)
    #[arg(long, env = "MONKEYTOWN_ALLOW_ORIGIN", value_name = "ORIGIN", value_delimiter = ',')]
    pub allow_origin: Vec<AllowedOrigin>,
    /// Origin of a site elsewhere that may show the terrarium in a frame (repeatable)
    #[arg(long, env = "MONKEYTOWN_FRAMED_BY", value_name = "ORIGIN", value_delimiter = ',')]
    pub framed_by: Vec<AllowedOrigin>,
    /// Take what pages say of how long they draw (POST /api/v1/vitals): counts, and nothing of who sends them
    #[arg(long, env = "MONKEYTOWN_VITALS", value_parser = clap::builder::BoolishValueParser::new())]
    pub vitals: bool,
    /// Longest drain after SIGTERM, in seconds
    #[arg(long, env = "MONKEYTOWN_DRAIN_SECONDS", value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(0..=3_600))]
    pub drain_seconds: u64,
    /// Least grave log lines written
    #[arg(long, env = "MONKEYTOWN_LOG_LEVEL", value_name = "LEVEL", default_value = "info")]
    pub log_level: LogLevel,
    /// Who may publish; from the environment and the file that it names, only.
    #[arg(skip)]
    pub tokens: Tokens,
    /// The file of tokens.
    #[arg(skip)]
    pub tokens_file: Option<PathBuf>,
    /// What GitHub signs webhooks with; from the environment only.
    #[arg(skip)]
    pub webhook_secret: Option<WebhookSecret>,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteSize(pub usize);

/// Least grave log lines written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Everything.
    Debug,
    /// What happens.
    Info,
    /// What may go wrong.
    Warn,
    /// What went wrong.
    Error,
}

/// What the command line asks for.
#[derive(Debug)]
pub enum Invocation {
    /// To serve.
    Serve(Box<Config>),
    /// To be told something, on stdout.
    Tell(String),
}

/// What an operator must mend. Its text is one line.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A flag or its variable.
    #[error("{0}")]
    Flag(String),
    /// The tokens.
    #[error("MONKEYTOWN_PUBLISH_TOKENS: {0}; give tokens separated by commas")]
    Tokens(#[from] TokenError),
    /// The file of tokens.
    #[error("MONKEYTOWN_PUBLISH_TOKENS_FILE: {0}")]
    TokensFile(#[source] WrittenError),
    /// The fleet.
    #[error("--fleet {0}")]
    Fleet(#[source] WrittenError),
    /// The secret of the webhooks.
    #[error("MONKEYTOWN_GITHUB_WEBHOOK_SECRET: {0}; give the one that GitHub was given")]
    WebhookSecret(#[from] SecretError),
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The simulator.
    #[error(transparent)]
    Simulator(#[from] RateError),
    /// The address of Redis.
    #[error("--redis: {0}")]
    Redis(#[from] RedisUrlError),
    /// Two places for one log.
    #[error("--redis and --journal: events are kept in one place; give --journal for one node, --redis for several")]
    RedisAndJournal,
    /// A ring that other nodes outrun.
    #[error(
        "--ring-events and --ring-bytes: with --redis a node holds at least {REDIS_RING_EVENTS_LEAST} events and 32MiB, since \
         others may append as many before it has looked"
    )]
    RedisRing,
    /// Nothing to tell.
    #[error(
        "no source of events: give --git PATH, --fleet FILE, --simulate RATE, tokens for publishers in MONKEYTOWN_PUBLISH_TOKENS or \
         MONKEYTOWN_PUBLISH_TOKENS_FILE, or the secret of GitHub's webhooks in MONKEYTOWN_GITHUB_WEBHOOK_SECRET"
    )]
    NoSource,
    /// A domain map without a repository.
    #[error("--domains says whose a repository's paths are: give --git or MONKEYTOWN_GITHUB_WEBHOOK_SECRET too")]
    DomainsWithoutGit,
    /// No page in the folder.
    #[error("--site {folder}: {error}; give the folder that `cargo xtask build` writes", folder = .0.display(), error = .1)]
    Site(PathBuf, #[source] io::Error),
    /// The address.
    #[error("cannot listen on {0}: {1}; give another with --listen HOST:PORT")]
    Listen(String, #[source] io::Error),
}

/// Two of the largest requests to publish: a node whose ring is outrun while it looks away begins anew.
const REDIS_RING_EVENTS_LEAST: u32 = 20_000;
const REDIS_RING_BYTES_LEAST: usize = 32 << 20;

impl Invocation {
    /// Reads arguments (the program's name first) and the environment.
    ///
    /// # Errors
    /// When there is something to mend.
    pub fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, ConfigError> {
        let mut config = match Config::try_parse_from(arguments) {
            Ok(config) => config,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Ok(Self::Tell(error.render().to_string())),
                    _ => Err(ConfigError::Flag(one_line(&error.render().to_string()))),
                };
            }
        };
        config.tokens_file = std::env::var_os("MONKEYTOWN_PUBLISH_TOKENS_FILE").map(PathBuf::from);
        config.tokens = config.read_tokens()?;
        if let Some(secret) = std::env::var_os("MONKEYTOWN_GITHUB_WEBHOOK_SECRET") {
            config.webhook_secret = Some(WebhookSecret::new(secret.as_encoded_bytes())?);
        }
        config.check()?;
        Ok(Self::Serve(Box::new(config)))
    }
}

impl Config {
    /// Who may publish, read anew: the environment stays as it was, the file may not.
    ///
    /// # Errors
    /// When there is something to mend.
    pub fn read_tokens(&self) -> Result<Tokens, ConfigError> {
        let mut tokens = Tokens::default();
        if let Some(list) = std::env::var_os("MONKEYTOWN_PUBLISH_TOKENS") {
            tokens = Tokens::read(list.to_str().ok_or(TokenError::Unsendable)?)?;
        }
        if let Some(file) = &self.tokens_file {
            tokens = tokens.and(Tokens::read_file(file).map_err(ConfigError::TokensFile)?)?;
        }
        Ok(tokens)
    }

    fn check(&self) -> Result<(), ConfigError> {
        if self.git.is_none() && self.webhook_secret.is_none() && self.domains.is_some() {
            return Err(ConfigError::DomainsWithoutGit);
        }
        if let Some(redis) = &self.redis {
            redis.check()?;
            if self.journal.is_some() {
                return Err(ConfigError::RedisAndJournal);
            }
            if self.ring_events < REDIS_RING_EVENTS_LEAST || self.ring_bytes.0 < REDIS_RING_BYTES_LEAST {
                return Err(ConfigError::RedisRing);
            }
        }
        // With Redis another node may be the one that hears.
        let hears = !self.tokens.is_empty() || self.webhook_secret.is_some() || self.redis.is_some();
        if self.git.is_none() && self.fleet.is_none() && self.simulate.is_none() && !hears {
            return Err(ConfigError::NoSource);
        }
        if let Some(folder) = &self.site {
            std::fs::File::open(folder.join("index.html")).map_err(|error| ConfigError::Site(folder.clone(), error))?;
        }
        Ok(())
    }

    /// How much the ring holds.
    #[must_use]
    pub fn ring(&self) -> RingBounds {
        RingBounds { max_events: as_size(self.ring_events), max_bytes: self.ring_bytes.0 }
    }

    /// What the server is told, but for the webhooks: what they are taken by is read from files and sources.
    #[must_use]
    pub fn options(&self) -> Options {
        // Invented events among real ones make the whole invented; the page must say so.
        let source_kind = match (&self.simulate, &self.git) {
            (Some(_), _) => SourceKind::Simulated,
            (None, Some(_)) => SourceKind::Git,
            (None, None) => SourceKind::Live,
        };
        Options {
            site: self.site.clone(),
            source_kind,
            tokens: self.tokens.clone(),
            webhooks: None,
            max_subscribers: as_size(self.max_subscribers),
            max_per_address: door::bound(self.max_per_address),
            trusted_proxies: self.trust_proxy.iter().cloned().collect(),
            max_events_per_second: self.max_events_per_second,
            max_event_bytes: as_size(self.max_event_bytes),
            allow_origins: self.allow_origin.clone(),
            framed_by: self.framed_by.clone(),
            vitals: self.vitals,
            drain: Duration::from_secs(self.drain_seconds),
            timing: Timing::default(),
        }
    }
}

fn as_size(number: u32) -> usize {
    usize::try_from(number).expect("a usize holds 32 bits on every system with sockets")
}

/// What clap says of an error, without its hints on usage.
fn one_line(rendered: &str) -> String {
    let told = rendered.lines().take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let words: Vec<&str> = told.flat_map(str::split_whitespace).collect();
    let line = words.join(" ");
    format!("{}; --help lists the flags", line.strip_prefix("error: ").unwrap_or(&line))
}

impl From<LogLevel> for Level {
    fn from(level: LogLevel) -> Self {
        match level {
            LogLevel::Debug => Self::DEBUG,
            LogLevel::Info => Self::INFO,
            LogLevel::Warn => Self::WARN,
            LogLevel::Error => Self::ERROR,
        }
    }
}

impl FromStr for ByteSize {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "a size is a number over 0, alone or with KB, MB, GB, KiB, MiB or GiB";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or(SHAPE)?;
        let unit: usize = match unit.trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            "kib" => 1 << 10,
            "mib" => 1 << 20,
            "gib" => 1 << 30,
            _ => return Err(SHAPE),
        };
        let bytes = number.parse::<usize>().ok().and_then(|number| number.checked_mul(unit)).filter(|bytes| *bytes > 0);
        bytes.map(Self).ok_or(SHAPE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, bytes) in [("1", 1), ("64KB", 64_000), ("1 KiB", 1_024), ("512MiB", 536_870_912), ("1GiB", 1 << 30)]
        {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
        for text in ["", "0", "-1", "1.5GiB", "GiB", "1TiB", "99999999999999999999", "9999999999999999GiB"] {
            assert!(text.parse::<ByteSize>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_speed_is_more_than_nothing() {
        assert_eq!("3600".parse(), Ok(GitSpeed::Times(3_600.0)));
        assert_eq!("auto".parse(), Ok(GitSpeed::Auto));
        for text in ["0", "-1", "NaN", "inf", "fast", ""] {
            assert!(text.parse::<GitSpeed>().is_err(), "{text}");
        }
    }
}
