//! What the stream says of itself: how long its live frames took from acceptance to their sockets, by `/metrics`.
//!
//! A load generator on the same processors feels its own waits too; the stream's histogram does not hold them.

use anyhow::{Context, Result};
use std::net::SocketAddr;

/// The histogram's buckets, each with its upper bound in seconds and how much lies in it or below.
pub(crate) struct Delivered(Vec<(f64, f64)>);

impl Delivered {
    /// As it is now.
    ///
    /// # Errors
    /// When the stream does not tell.
    pub(crate) async fn at(address: SocketAddr) -> Result<Self> {
        let text = reqwest::get(format!("http://{address}/metrics")).await?.text().await?;
        let bucket = |line: &str| {
            let (bound, count) = line.strip_prefix("event_latency_seconds_bucket{le=\"")?.split_once("\"} ")?;
            let bound = if bound == "+Inf" { f64::INFINITY } else { bound.parse().ok()? };
            Some((bound, count.parse().ok()?))
        };
        let buckets: Vec<_> = text.lines().filter_map(bucket).collect();
        (!buckets.is_empty()).then_some(Self(buckets)).context("/metrics without event_latency_seconds")
    }

    /// The bucket's bound, in milliseconds, under which `share` of what was told since `before` lie: the true value is
    /// no larger.
    pub(crate) fn millis_at_most(&self, before: &Self, share: f64) -> f64 {
        let told: Vec<_> = self.0.iter().zip(&before.0).map(|((bound, now), (_, then))| (*bound, now - then)).collect();
        let all = told.last().map_or(0.0, |(_, count)| *count);
        let found = told.iter().find(|(_, count)| all > 0.0 && *count >= all * share);
        found.map_or(f64::NAN, |(bound, _)| bound * 1_000.0)
    }
}
