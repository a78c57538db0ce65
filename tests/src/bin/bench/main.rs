//! The benchmarks: `bench [NAME] [--json] [--seconds N] [--rate N]`. Each prints one table and says what it was
//! measured on.
//!
//! A figure is the product's beside something simpler on the same machine in the same run; none is a test. `--seconds`
//! and `--rate` make `client`, `memory` and `attack` quicker, or look at one load.

mod attack;
mod client;
mod git;
mod history;
mod latency;
mod lighthouse;
mod publisher;
mod recovery;
mod stream;
mod table;

use anyhow::{Result, bail};
use client::Wishes;
use monkeytown_tests::words::{self, Words};
use serde_json::{Map, Value};
use std::process::ExitCode;

const NAMES: [&str; 14] = [
    "stream",
    "resume",
    "footprint",
    "rewind",
    "attack",
    "soak",
    "latency",
    "git",
    "client",
    "history",
    "memory",
    "recovery",
    "catch-up",
    "lighthouse",
];

#[derive(Default)]
struct Arguments {
    names: Vec<String>,
    json: bool,
    wishes: Wishes,
    asked: stream::Asked,
}

#[tokio::main]
async fn main() -> ExitCode {
    words::end("bench", run().await)
}

fn read() -> Result<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = Words::given();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--json" => arguments.json = true,
            "--seconds" => arguments.wishes.seconds = Some(words.number(&word)?),
            "--rate" => arguments.wishes.rate = Some(words.number(&word)?),
            "--subscribers" => arguments.asked.subscribers = Some(words.value(&word)?),
            "--subjects" => arguments.asked.subjects = Some(words.value(&word)?),
            "--bytes" => arguments.asked.bytes = Some(words.number(&word)?),
            flag if flag.starts_with('-') => {
                bail!("{flag:?} is not known; there are --json, --seconds, --rate, --subscribers, --subjects, --bytes")
            }
            _ => arguments.names.push(word),
        }
    }
    arguments.asked.seconds = arguments.wishes.seconds;
    arguments.asked.rate = arguments.wishes.rate;
    Ok(arguments)
}

async fn run() -> Result<()> {
    let Arguments { names, json, wishes, asked } = read()?;
    let mut figures = Map::new();
    let chosen: Vec<&str> = match names.as_slice() {
        // Half an hour is for those who ask for it.
        [] => NAMES.into_iter().filter(|name| *name != "soak").collect(),
        names => names.iter().map(String::as_str).collect(),
    };
    for name in chosen {
        let table = match name {
            "stream" => stream::measure(&asked).await?,
            "resume" => stream::resume().await?,
            "footprint" => stream::footprint().await?,
            "rewind" => stream::rewind().await?,
            "soak" => stream::soak(&asked).await?,
            "latency" => latency::measure().await?,
            "git" => git::measure().await?,
            "client" => client::measure(&wishes).await?,
            "history" => history::measure().await?,
            "memory" => client::remember(&wishes).await?,
            "recovery" => recovery::recover().await?,
            "catch-up" => recovery::catch_up().await?,
            "attack" => attack::measure(&wishes).await?,
            "lighthouse" => lighthouse::measure().await?,
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
