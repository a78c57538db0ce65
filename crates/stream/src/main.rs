//! The program: reads what it is told, opens the sources, listens, serves, drains.
//!
//! The one place that knows every source. Exit codes: 0 after a drain, 1 when a source or the system fails, 2 when the
//! operator must mend something.

use monkeytown_stream::{
    Config, ConfigError, Invocation, Joined, Log, Metrics, Options, Origin, RedisPatience, Restored, Server,
    TokensHandle, WebhookOptions, logging, now, open_files,
    sources::{
        domains::DomainMap,
        fleet::{Fleet, FleetConfig},
        git::{GitConfig, GitSource},
        simulator::{Simulator, SimulatorConfig},
    },
};
use std::{error::Error, io::Write, pin::Pin, process::ExitCode};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};

/// The operator must mend something.
const MEND: u8 = 2;
/// Something failed that nobody could have set right beforehand.
const FAILED: u8 = 1;

/// A source that is open: told the log, it tells until it is dropped.
type Source = Box<dyn FnOnce(Log) -> Pin<Box<dyn Future<Output = ()> + Send>>>;

fn main() -> ExitCode {
    let config = match Invocation::read(std::env::args_os()) {
        Ok(Invocation::Serve(config)) => config,
        Ok(Invocation::Tell(text)) => {
            // Whoever asked may have stopped listening, as `head` does.
            let _ = std::io::stdout().write_all(text.as_bytes());
            return ExitCode::SUCCESS;
        }
        Err(error) => return give_up(MEND, &error),
    };
    if let Err(error) = logging::start(config.log_level.into()) {
        return give_up(FAILED, &error);
    }
    // Sources are opened before the port is, so that a wrong path is told and not served.
    let metrics = Metrics::new();
    let (sources, options) = match open_sources(&config, &metrics) {
        Ok(opened) => opened,
        Err(error) => return give_up(MEND, error.as_ref()),
    };
    let (log, found) = match open_log(&config, &metrics) {
        Ok(opened) => opened,
        Err(error) => return give_up(MEND, error.as_ref()),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(FAILED, &error),
    };
    let code = runtime.block_on(run(*config, options, sources, Opened { log, metrics, found }));
    // A source may be in the middle of a read that nothing can interrupt.
    runtime.shutdown_background();
    code
}

fn give_up(code: u8, error: &dyn Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "monkeytown-stream: {error}");
    ExitCode::from(code)
}

/// Opens what the flags name, so that a wrong path is told and not served. What the server is told comes with it, since it
/// hears the webhooks itself.
fn open_sources(config: &Config, metrics: &Metrics) -> Result<(Vec<Source>, Options), Box<dyn Error>> {
    let mut sources: Vec<Source> = Vec::new();
    let domains = config.domains.as_deref().map(DomainMap::read).transpose()?;
    let mut home = None;
    if let Some(repository) = &config.git {
        let git = GitSource::open(GitConfig {
            repository: repository.clone(),
            branch: config.git_branch.clone(),
            speed: config.git_speed,
            domains: domains.clone(),
            fetch_seconds: config.git_fetch_seconds,
            cache: None,
        })?;
        // A repository without a page on a forge is none that webhooks come from.
        home = Some(git.source().clone()).filter(|source| source.as_str().starts_with("https://"));
        sources.push(Box::new(move |log| {
            Box::pin(async move {
                git.run(log.entry(Origin::Git), now).await;
            })
        }));
    }
    if let Some(file) = &config.fleet {
        let fleet = Fleet::open(FleetConfig::read(file).map_err(ConfigError::Fleet)?)?;
        metrics.fleet(fleet.ids());
        let metrics = metrics.clone();
        sources.push(Box::new(move |log| {
            Box::pin(async move {
                fleet.run(log.entry(Origin::Fleet), now, move |report| metrics.probed(report)).await;
            })
        }));
    }
    if let Some(rate) = config.simulate {
        let simulator = Simulator::new(SimulatorConfig { rate, seed: config.simulate_seed })?;
        sources.push(Box::new(move |log| Box::pin(simulator.run(log.entry(Origin::Simulator), now))));
    }
    let webhooks = config.webhook_secret.clone().map(|secret| WebhookOptions { secret, domains, home });
    Ok((sources, Options { webhooks, ..config.options() }))
}

/// A log, and what was found of it.
struct Opened {
    log: Log,
    metrics: Metrics,
    found: Found,
}

/// What was found at the start.
enum Found {
    Nothing,
    Journal(Restored),
    Redis(Joined),
}

/// Reads what is kept before the port is open: whoever asks meanwhile finds nobody, rather than half a history.
fn open_log(config: &Config, metrics: &Metrics) -> Result<(Log, Found), Box<dyn Error>> {
    let metrics = metrics.clone();
    if let Some(url) = &config.redis {
        let (log, joined) = Log::join(config.ring(), metrics, url, RedisPatience::default())?;
        return Ok((log, Found::Redis(joined)));
    }
    if let Some(folder) = &config.journal {
        let (log, restored) = Log::open(config.ring(), metrics, folder)?;
        return Ok((log, Found::Journal(restored)));
    }
    Ok((Log::new(config.ring(), metrics), Found::Nothing))
}

async fn run(config: Config, options: Options, sources: Vec<Source>, opened: Opened) -> ExitCode {
    let Opened { log, metrics, found } = opened;
    let listener = match TcpListener::bind(&config.listen).await {
        Ok(listener) => listener,
        Err(error) => return give_up(MEND, &ConfigError::Listen(config.listen, error)),
    };
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return give_up(FAILED, &error),
    };
    match listener.local_addr() {
        Ok(address) => logging::listening(address),
        Err(error) => return give_up(FAILED, &error),
    }
    match found {
        Found::Nothing => {}
        Found::Journal(restored) => restored.tell(),
        Found::Redis(joined) => joined.tell(),
    }
    let mut telling = JoinSet::new();
    for source in sources {
        telling.spawn(source(log.clone()));
    }
    let mut reading = JoinSet::new();
    let written = log.clone();
    let mut broken = false;
    let shutdown = async {
        tokio::select! {
            _ = terminate.recv() => {}
            // An interrupt that cannot be listened for leaves SIGTERM.
            Ok(()) = tokio::signal::ctrl_c() => {}
            // A page that shows the past as if it were the present is worse than a restart.
            Some(_) = telling.join_next() => {
                tracing::error!("a source has ended; so does the stream");
                broken = true;
            }
            () = written.stopped() => {
                tracing::error!("events are kept no longer; the stream ends");
                broken = true;
            }
        }
    };
    let server = Server::new(log, metrics, options);
    open_files::allow(server.connections_max());
    if config.tokens_file.is_some() {
        reading.spawn(read_tokens_again(config, server.tokens()));
    }
    match server.serve(listener, shutdown).await {
        Ok(()) if broken => ExitCode::from(FAILED),
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(FAILED, &error),
    }
}

/// Reads the file of tokens again whenever SIGHUP says so. What is wrong in it changes nothing.
async fn read_tokens_again(config: Config, handle: TokensHandle) {
    let mut hangup = match signal(SignalKind::hangup()) {
        Ok(hangup) => hangup,
        Err(error) => {
            tracing::warn!(%error, "SIGHUP cannot be listened for: a restart reads the file of tokens again");
            return;
        }
    };
    while hangup.recv().await.is_some() {
        match config.read_tokens() {
            Ok(tokens) => {
                tracing::info!("the file of tokens is read again");
                handle.replace(tokens);
            }
            Err(error) => tracing::error!(%error, "the tokens stay as they were"),
        }
    }
}
