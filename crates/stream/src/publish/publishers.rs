//! Who may publish: the tokens, and for each its rate, its part of the stream's, and places for what it sends.
//!
//! Knows nothing of what is published.

use super::{
    auth::{Denied, Token, Tokens},
    shares::{Account, Shares, Wait},
};
use crate::{
    body::BodyPlaces,
    metrics::Metrics,
    pool::{Held, PlaceBounds},
    server::Options,
    time,
};
use axum::http::HeaderMap;
use monkeytown_protocol::{SourceUri, Timestamp};
use std::sync::atomic::{AtomicBool, Ordering};

/// Most events in one batch.
const BATCH_MAX_EVENTS: u32 = 10_000;
/// Up to this a body is small.
const SMALL_MAX_BYTES: u64 = 256 * 1024;
/// Small bodies under way at once, 64 MB, and of one publisher.
const SMALL: PlaceBounds = PlaceBounds { all: 256, of_one: 128 };
/// Large ones: 64 MB.
const LARGE: PlaceBounds = PlaceBounds { all: 16, of_one: 8 };

/// All who may publish.
pub(crate) struct Publishers {
    tokens: Tokens,
    per_second: u32,
    shares: Shares,
    /// The account of GitHub's webhooks, which are a publisher like any other.
    webhooks: Account,
    places: BodyPlaces<usize>,
    /// By token: whether the log has said that somebody still uses it though its time is over.
    told: Vec<AtomicBool>,
}

/// One of them, with a request.
pub(super) struct Publisher<'a> {
    publishers: &'a Publishers,
    place: usize,
    token: &'a Token,
}

impl Publishers {
    pub(crate) fn new(tokens: Tokens, options: &Options, metrics: &Metrics) -> Self {
        let mut accounts: Vec<Option<u32>> = tokens.iter().map(|token| token.events_per_second).collect();
        let told = tokens.iter().map(|_| AtomicBool::new(false)).collect();
        let webhooks = Shares::account(accounts.len());
        accounts.extend(options.webhooks.as_ref().map(|_| None));
        let now = time::now();
        if !tokens.is_empty() {
            tracing::info!(publishers = ?tokens, "who may publish");
        }
        for token in tokens.iter() {
            metrics.publisher(&token.name);
            if token.is_over(now) {
                tracing::warn!(publisher = &*token.name, "the time of this token is over; it opens nothing");
            }
        }
        let per_second = options.max_events_per_second;
        Self {
            shares: Shares::new(per_second, &accounts),
            places: BodyPlaces::new(SMALL_MAX_BYTES, SMALL, LARGE),
            tokens,
            per_second,
            webhooks,
            told,
        }
    }

    /// Who sends a request.
    pub(super) fn admit(&self, headers: &HeaderMap, now: Timestamp) -> Result<Publisher<'_>, Denied> {
        let admitted = self.tokens.authorize(headers, now);
        if let Err(Denied::Expired(place)) = admitted {
            self.tell_of(place);
        }
        let place = admitted?;
        let token = self.tokens.get(place).ok_or(Denied::Unknown)?;
        Ok(Publisher { publishers: self, place, token })
    }

    /// Tells the operator, once, that somebody uses a token whose time is over.
    fn tell_of(&self, place: usize) {
        let first = self.told.get(place).is_some_and(|told| !told.swap(true, Ordering::Relaxed));
        if let Some(token) = self.tokens.get(place).filter(|_| first) {
            tracing::warn!(publisher = &*token.name, "a publisher uses a token whose time is over, and is refused");
        }
    }

    /// Takes events for what a webhook tells.
    pub(crate) fn take_for_webhooks(&self, events: usize) -> Result<(), Wait> {
        self.shares.take(self.webhooks, events)
    }

    /// Takes events that a webhook has told already.
    pub(crate) fn owe_for_webhooks(&self, events: usize) {
        self.shares.owe(self.webhooks, events);
    }
}

impl<'a> Publisher<'a> {
    /// What logs, metrics and refusals call it.
    pub(super) fn name(&self) -> &'a str {
        &self.token.name
    }

    pub(super) fn speaks_for(&self, source: &SourceUri) -> bool {
        self.token.speaks_for(source)
    }

    /// How many events a second it may publish at most.
    pub(super) fn events_per_second(&self) -> u32 {
        self.token.events_per_second.map_or(self.publishers.per_second, |own| own.min(self.publishers.per_second))
    }

    /// Most events in one batch: one larger than a second's events would never be let through.
    pub(super) fn batch_max(&self) -> usize {
        usize::try_from(self.events_per_second().min(BATCH_MAX_EVENTS)).unwrap_or(usize::MAX)
    }

    /// A place for a body that is announced to have so many bytes, once there is one.
    pub(super) async fn place(&self, announced: Option<u64>) -> Held<usize> {
        self.publishers.places.take(self.place, announced).await
    }

    /// Takes `events`, all or none.
    pub(super) fn take(&self, events: usize) -> Result<(), Wait> {
        self.publishers.shares.take(Shares::account(self.place), events)
    }
}
