//! The program: reads what it is told, opens the sources, listens, serves, drains.
//!
//! The one place that knows every source. Exit codes: 0 after a drain, 2 when the operator must mend something.

use monkeytown_stream::{Config, ConfigError, Invocation, Log, Metrics, Server, logging};
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
    if let Err(error) = open_sources(&config) {
        return give_up(MEND, &error);
    }
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
    let server = Server::new(log, metrics, config.options());
    let shutdown = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            // An interrupt that cannot be listened for leaves SIGTERM.
            Ok(()) = tokio::signal::ctrl_c() => {}
        }
    };
    match server.serve(listener, shutdown).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => give_up(FAILED, &error),
    }
}

/// Opens what the flags name.
// The Git source and the simulator are opened here and their `run(log.clone())` spawned once the log exists.
fn open_sources(config: &Config) -> Result<(), ConfigError> {
    let not_built = |flag: &str| Err(ConfigError::Flag(format!("{flag} is not built in yet; publish over HTTP")));
    if config.git.is_some() {
        return not_built("--git");
    }
    if config.simulate.is_some() {
        return not_built("--simulate");
    }
    Ok(())
}
