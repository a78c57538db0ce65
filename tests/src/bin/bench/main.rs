//! `cargo xtask bench [NAME] [--json]`: figures, each beside a floor or a peer measured in the same run.

mod git;
mod latency;

use serde_json::Value;
use std::process::ExitCode;

/// A benchmark: prints its table on stderr and gives its figures.
type Figures = Result<Value, String>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let json = arguments.iter().any(|argument| argument == "--json");
    let named: Vec<&str> = arguments.iter().map(String::as_str).filter(|argument| *argument != "--json").collect();
    let names = if named.is_empty() { vec!["latency", "git"] } else { named };
    for name in names {
        let figures = match name {
            "latency" => latency::measure().await,
            "git" => git::measure(),
            other => Err(format!("no benchmark is called {other}: there are latency and git")),
        };
        match figures {
            Ok(figures) if json => println!("{figures}"),
            Ok(_) => {}
            Err(why) => {
                eprintln!("broken: {why}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}
