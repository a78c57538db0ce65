//! The benchmarks: `bench [NAME] [--json]`. Each prints one table and says what it was measured on.
//!
//! A figure is the product's beside something simpler on the same machine in the same run; neither is a test.

mod git;
mod latency;
mod table;

use anyhow::{Result, bail};
use serde_json::{Map, Value};
use std::process::ExitCode;

const NAMES: [&str; 2] = ["latency", "git"];

#[tokio::main]
async fn main() -> ExitCode {
    let mut names: Vec<String> = std::env::args().skip(1).collect();
    let before = names.len();
    names.retain(|argument| argument != "--json");
    let json = names.len() < before;
    match run(&names, json).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(names: &[String], json: bool) -> Result<()> {
    let mut figures = Map::new();
    let chosen: Vec<&str> = match names {
        [] => NAMES.to_vec(),
        names => names.iter().map(String::as_str).collect(),
    };
    for name in chosen {
        let table = match name {
            "latency" => latency::measure().await?,
            "git" => git::measure().await?,
            other => bail!("no benchmark is named {other:?}; there are {}", NAMES.join(", ")),
        };
        if json {
            figures.insert(name.to_owned(), table.json());
        } else {
            print!("{table}");
        }
    }
    if json {
        println!("{}", Value::from(figures));
    }
    Ok(())
}
