//! `cargo xtask`: builds, runs, tests and measures the project, and installs what that needs.
//!
//! One file a command. It knows the packages by their names only and depends on none of them.
//! All that is said goes to stderr; stdout holds what a program may read (`--json`).

#[cfg(not(unix))]
compile_error!("xtask runs on Linux and macOS; on Windows use it inside WSL");

mod assets;
mod autobahn;
mod bench;
mod browsers;
mod budget;
mod build;
mod compose;
mod compress;
mod documents;
mod fuzz;
mod glue;
#[cfg(test)]
mod headers;
mod module;
mod monitors;
mod order;
mod parted;
mod peers;
mod process;
mod python;
mod run;
mod shell;
mod shrink;
mod test;
mod tidy;
mod tools;
mod workspace;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::workspace::Workspace;

/// Builds, runs, tests and measures the project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Build the site, start the stream with it on <http://127.0.0.1:8080>, this repository as its source
    Run(run::Arguments),
    /// Build the release site into dist/, with compressed copies
    Build,
    /// Run every stage: format, tidy, lints, tests on host and WebAssembly, site, budget, whole system
    Test(test::Arguments),
    /// Measure what a first visit loads; exits 1 over the budget
    Budget(budget::Arguments),
    /// Run the benchmarks, or the one that is named
    Bench(bench::Arguments),
    /// Let libFuzzer loose on every decoder, or on the one that is named
    Fuzz(fuzz::Arguments),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = Workspace::find().and_then(|workspace| match arguments.command {
        Command::Run(arguments) => run::run(&workspace, &arguments),
        Command::Build => build::build(&workspace).map(drop),
        Command::Test(arguments) => test::test(&workspace, &arguments),
        Command::Budget(arguments) => budget::budget(&workspace, &arguments),
        Command::Bench(arguments) => bench::bench(&workspace, &arguments),
        Command::Fuzz(arguments) => fuzz::fuzz(&workspace, &arguments),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("broken: {error:#}");
            ExitCode::FAILURE
        }
    }
}
