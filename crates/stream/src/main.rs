//! The program: reads what it is told, opens the sources, listens, serves, drains.
//!
//! The one place that knows every source. Exit codes: 0 after a drain, 2 when the operator must mend something.

use monkeytown_stream::{
    Config, ConfigError, Invocation, Log, Metrics, Server, logging,
    sources::{
        git::{DomainMap, GitConfig, GitSource},
        simulator::{Simulator, SimulatorConfig},
    },
    time,
};
use std::{io::Write, process::ExitCode};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// The operator must mend something.
const MEND: u8 = 2;
/// Something failed that nobody could have set right beforehand.
const FAILED: u8 = 1;

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
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(FAILED, &error),
    };
    let code = runtime.block_on(run(*config));
    // A source may be in the middle of a read that nothing can interrupt.
    runtime.shutdown_background();
    code
}

fn give_up(code: u8, error: &dyn std::error::Error) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "monkeytown-stream: {error}");
    ExitCode::from(code)
}

async fn run(config: Config) -> ExitCode {
    // Sources are opened before the port is, so that a wrong path is told and not served.
    let sources = match Sources::open(&config) {
        Ok(sources) => sources,
        Err(error) => return give_up(MEND, &error),
    };
    let listener = match TcpListener::bind(&config.listen).await {
        Ok(listener) => listener,
        Err(error) => return give_up(MEND, &ConfigError::Listen(config.listen, error)),
    };
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => return give_up(FAILED, &error),
    };
    if let Err(error) = logging::start(config.log_level.into()) {
        return give_up(FAILED, &error);
    }
    let metrics = Metrics::new();
    let log = Log::new(config.ring(), metrics.clone());
    let server = Server::new(log.clone(), metrics, config.options());
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            // An interrupt that cannot be listened for leaves SIGTERM.
            Ok(()) = tokio::signal::ctrl_c() => {}
        }
    };
    sources.start(&log);
    match server.serve(listener, shutdown).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(FAILED, &error),
    }
}

/// What the flags name, opened and not yet running.
struct Sources {
    git: Option<GitSource>,
    simulator: Option<Simulator>,
}

impl Sources {
    fn open(config: &Config) -> Result<Self, ConfigError> {
        let simulator = match config.simulate {
            Some(rate) => Some(Simulator::new(SimulatorConfig { rate, seed: config.simulate_seed })?),
            None => None,
        };
        let git = match &config.git {
            Some(repository) => Some(GitSource::open(GitConfig {
                repository: repository.clone(),
                branch: config.git_branch.clone(),
                speed: config.git_speed,
                domains: config.domains.as_deref().map(DomainMap::read).transpose()?,
                fetch_seconds: config.git_fetch_seconds,
                cache: None,
            })?),
            None => None,
        };
        Ok(Self { git, simulator })
    }

    /// Lets every source append to `log`, for as long as the program runs.
    fn start(self, log: &Log) {
        if let Some(git) = self.git {
            tokio::spawn(git.run(log.clone(), time::now));
        }
        if let Some(simulator) = self.simulator {
            tokio::spawn(simulator.run(log.clone(), time::now));
        }
    }
}
