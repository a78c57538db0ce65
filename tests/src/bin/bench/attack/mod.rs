//! The stream under attack: what honest subscribers and newcomers notice of it, and what it costs the stream.
//!
//! Each attack meets a stream of its own, in the release profile, with honest subscribers from one address and the
//! attackers from another. Attackers do what they do as fast as the machine lets them, on the same processors: so a figure
//! is to be read beside that of the first row, where nobody attacks, and beside the processor that is left.

mod attackers;
mod honest;
mod process;

use crate::{
    client::Wishes,
    table::{Table, quantile},
};
use anyhow::{Context, Result};
use attackers::{Attack, Attackers};
use honest::Town;
use monkeytown_tests::program::Running;
use process::Watched;
use std::time::Duration;

const SECONDS: u64 = 10;
/// How long a stream runs before it is attacked.
const CALM: Duration = Duration::from_secs(2);
/// Subscribers of one address in the rows that bound it.
const PER_ADDRESS: &str = "50";
/// Connections of attackers and of honest people.
const FILES: usize = 14_000;

const COLUMNS: [&str; 9] = [
    "p50_ms",
    "p99_ms",
    "max_ms",
    "lost",
    "newcomer_p50_ms",
    "newcomer_max_ms",
    "rss_before_mib",
    "rss_peak_mib",
    "tries_per_s",
];

/// Measures every attack.
///
/// # Errors
/// When a stream does not start, or honest people are not served at all.
pub(crate) async fn measure(wishes: &Wishes) -> Result<Table> {
    monkeytown_stream::open_files::allow(FILES);
    let seconds = wishes.seconds.unwrap_or(SECONDS);
    let mut rows = Vec::new();
    for attack in Attack::ALL {
        eprintln!("measuring {}, {seconds} s", attack.name());
        rows.push((attack.name().to_owned(), row(attack, seconds).await.with_context(|| attack.name())?));
    }
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let notes = vec![
        format!(
            "{cores} processors shared by the stream, the honest and the attackers; {} honest subscribers",
            honest::SUBSCRIBERS
        ),
        format!(
            "{} events a second; latency from sending the request to the frame in a subscriber",
            honest::EVENTS_PER_SECOND
        ),
        "newcomer: from connecting to hello, one after the other; those that took over 5 s count as 5 s".to_owned(),
        format!("bounded: --max-per-address {PER_ADDRESS}; all others without it"),
        "tries: connections, requests or messages that attackers began; rss_before after 2 s of honest use".to_owned(),
    ];
    let title = format!("the stream under attack, {seconds} s each");
    Ok(Table { title, columns: COLUMNS.map(str::to_owned).to_vec(), rows, notes })
}

#[expect(clippy::cast_precision_loss, reason = "counts of some millions")]
async fn row(attack: Attack, seconds: u64) -> Result<Vec<f64>> {
    let bound = ["--max-per-address", PER_ADDRESS];
    let arguments: &[&str] = if attack.is_bounded() { &bound } else { &[] };
    let stream = Running::start_with(arguments, &[("MONKEYTOWN_GITHUB_WEBHOOK_SECRET", attackers::SECRET)]);
    let address = stream.address.parse()?;
    let town = Town::open(address).await?;
    tokio::time::sleep(CALM).await;
    let watched = Watched::begin(stream.id())?;
    town.measure_from_now();
    let attackers = Attackers::begin(attack, address);
    let newcomers = honest::newcomers(address, Duration::from_secs(seconds)).await;
    let tries = attackers.end();
    let memory = watched.end().await?;
    let mut found = town.close().await?;
    found.millis.sort_unstable_by(f64::total_cmp);
    let mut newcomers = newcomers;
    newcomers.sort_unstable_by(f64::total_cmp);
    Ok(vec![
        quantile(&found.millis, 0.5),
        quantile(&found.millis, 0.99),
        quantile(&found.millis, 1.0),
        found.lost as f64,
        quantile(&newcomers, 0.5),
        quantile(&newcomers, 1.0),
        memory.before_mib,
        memory.peak_mib,
        tries as f64 / seconds as f64,
    ])
}
