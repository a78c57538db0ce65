//! How fast publishers may publish: a rate for all together, a rate of each one's own, and a fair share of the first
//! for everybody who has something to say.
//!
//! Every publisher saves up its part of the common rate, one second's at most. What it cannot save any more is spread over
//! those who still can, and what nobody can save is there for whoever comes first. So one alone has the whole rate, all at
//! once have equal parts of it, and what somebody has saved is taken by nobody else. Knows nothing of tokens or requests.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Less than this is nothing: what is counted in fractions does not add up exactly.
const NEXT_TO_NOTHING: f64 = 1e-6;

/// Why events are not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The publisher has used up its own rate.
    Own(Duration),
    /// All publishers together have used up the common one, and this one its part of it.
    Common(Duration),
}

impl Wait {
    /// Whole seconds, as `Retry-After` has them; one at least.
    pub(crate) fn seconds(self) -> u64 {
        let (Self::Own(wait) | Self::Common(wait)) = self;
        (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
    }
}

/// One publisher's account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Account(usize);

/// The accounts of all publishers.
pub(crate) struct Shares {
    per_second: f64,
    books: Mutex<Books>,
}

struct Books {
    at: Instant,
    /// Events that are there for whoever comes first.
    spare: f64,
    accounts: Vec<Entry>,
}

struct Entry {
    /// Events a second that it may publish, and how many it may publish now.
    own_per_second: f64,
    own: f64,
    /// How much of the common rate it can save, and has saved; less than nothing when it took more at once.
    most: f64,
    saved: f64,
}

impl Shares {
    /// `per_second` events for all together, shared by accounts that each have a rate of their own; `None` is the common
    /// one. Everything is full at the beginning.
    pub(crate) fn new(per_second: u32, accounts: &[Option<u32>]) -> Self {
        let per_second = f64::from(per_second);
        #[expect(clippy::cast_precision_loss, reason = "there are far fewer publishers than f64 counts exactly")]
        let part = per_second / accounts.len().max(1) as f64;
        let accounts: Vec<Entry> = accounts
            .iter()
            .map(|own| {
                let own = own.map_or(per_second, f64::from).min(per_second);
                Entry { own_per_second: own, own, most: part.min(own), saved: part.min(own) }
            })
            .collect();
        let spare = per_second - accounts.iter().map(|entry| entry.most).sum::<f64>();
        Self { per_second, books: Mutex::new(Books { at: Instant::now(), spare, accounts }) }
    }

    /// The account of the publisher with this number.
    pub(crate) fn account(number: usize) -> Account {
        Account(number)
    }

    /// Takes `events` from an account, all or none.
    ///
    /// # Errors
    /// When there are not as many: how long until there may be.
    pub(crate) fn take(&self, account: Account, events: usize) -> Result<(), Wait> {
        self.with_books(|books| books.take(account, events, Instant::now(), self.per_second))
    }

    /// Takes `events` that have been let in already; where there are not as many, the account waits for longer next time.
    #[expect(clippy::cast_precision_loss, reason = "a delivery holds far fewer events than f64 counts exactly")]
    pub(crate) fn owe(&self, account: Account, events: usize) {
        self.with_books(|books| {
            if let Some(entry) = books.accounts.get_mut(account.0) {
                entry.own -= events as f64;
                entry.saved -= events as f64;
            }
        });
    }

    fn with_books<T>(&self, act: impl FnOnce(&mut Books) -> T) -> T {
        // Numbers alone: whatever a panic left of them is usable.
        act(&mut self.books.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Books {
    #[expect(clippy::cast_precision_loss, reason = "a batch holds far fewer events than f64 counts exactly")]
    fn take(&mut self, account: Account, events: usize, now: Instant, per_second: f64) -> Result<(), Wait> {
        self.fill(now, per_second);
        let filling = self.accounts.iter().filter(|entry| entry.room() > NEXT_TO_NOTHING).count().max(1) as f64;
        let Some(entry) = self.accounts.get_mut(account.0) else { return Ok(()) };
        let wanted = events as f64;
        let missing = wanted - entry.own;
        if missing > NEXT_TO_NOTHING {
            return Err(Wait::Own(seconds(missing / entry.own_per_second)));
        }
        // Whoever has saved all that it can has waited long enough for a batch that is larger.
        let missing = wanted.min(entry.most) - entry.saved - self.spare;
        if missing > NEXT_TO_NOTHING {
            return Err(Wait::Common(seconds(missing * filling / per_second)));
        }
        entry.own -= wanted;
        entry.saved -= wanted;
        let lent = self.spare.min(-entry.saved).max(0.0);
        entry.saved += lent;
        self.spare -= lent;
        Ok(())
    }

    /// Adds what the time since the last look has brought.
    fn fill(&mut self, now: Instant, per_second: f64) {
        let passed = now.saturating_duration_since(self.at).as_secs_f64();
        self.at = self.at.max(now);
        for entry in &mut self.accounts {
            entry.own = (entry.own + passed * entry.own_per_second).min(entry.own_per_second);
        }
        let mut left = passed * per_second;
        let mut filling: Vec<&mut Entry> = self.accounts.iter_mut().filter(|entry| entry.room() > 0.0).collect();
        // Those with the least room first: what they cannot take is for the others.
        filling.sort_by(|one, other| one.room().total_cmp(&other.room()));
        let mut others = filling.len();
        for entry in filling {
            #[expect(clippy::cast_precision_loss, reason = "there are far fewer publishers than f64 counts exactly")]
            let part = (left / others as f64).min(entry.room());
            entry.saved += part;
            left -= part;
            others -= 1;
        }
        let saved: f64 = self.accounts.iter().map(|entry| entry.saved.max(0.0)).sum();
        self.spare = (self.spare + left).min(per_second - saved).max(0.0);
    }
}

impl Entry {
    fn room(&self) -> f64 {
        self.most - self.saved
    }
}

fn seconds(number: f64) -> Duration {
    Duration::try_from_secs_f64(number).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Accounts at a moment that the test chooses.
    struct Town {
        shares: Shares,
        start: Instant,
    }

    impl Town {
        fn of(per_second: u32, accounts: &[Option<u32>]) -> Self {
            let shares = Shares::new(per_second, accounts);
            let start = shares.with_books(|books| books.at);
            Self { shares, start }
        }

        fn take(&self, account: usize, events: usize, at_millis: u64) -> Result<(), Wait> {
            let now = self.start + Duration::from_millis(at_millis);
            self.shares.with_books(|books| books.take(Account(account), events, now, self.shares.per_second))
        }

        fn wait(&self, account: usize, events: usize, at_millis: u64) -> u64 {
            self.take(account, events, at_millis).expect_err("there is not as much").seconds()
        }
    }

    #[test]
    fn one_alone_has_a_full_second_at_once_and_then_the_rate() {
        let town = Town::of(10, &[None]);
        assert_eq!(town.take(0, 10, 0), Ok(()));
        assert_eq!(town.wait(0, 1, 0), 1);
        assert_eq!(town.take(0, 5, 500), Ok(()));
        assert_eq!(town.wait(0, 10, 500), 1);
        assert_eq!(town.take(0, 10, 60_000), Ok(()));
        town.shares.owe(Account(0), 20);
        assert_eq!(town.wait(0, 1, 61_000), 2);
        assert_eq!(town.take(0, 1, 63_000), Ok(()));
    }

    #[test]
    fn one_alone_among_many_that_rest_has_the_whole_rate() {
        let town = Town::of(100, &[None; 10]);
        let mut taken = 0;
        for millis in 0..10_000 {
            taken += usize::from(town.take(3, 1, millis).is_ok());
        }
        // Its own part at once, then all that comes.
        assert!((1_000..=1_011).contains(&taken), "{taken}");
    }

    #[test]
    fn whoever_takes_all_it_can_get_takes_nothing_of_what_another_has_saved() {
        let town = Town::of(100, &[None, None]);
        let (mut greedy, mut modest) = (0, 0);
        for millis in 0..10_000_u64 {
            while town.take(0, 1, millis).is_ok() {
                greedy += 1;
            }
            // Forty a second, one at a time: under its half.
            if millis % 25 == 0 {
                assert_eq!(town.take(1, 1, millis), Ok(()), "at {millis} ms");
                modest += 1;
            }
        }
        assert_eq!(modest, 400);
        assert!((590..=660).contains(&greedy), "{greedy}: the rest of the rate, and one burst");
    }

    #[test]
    fn all_who_want_everything_have_equal_parts() {
        let town = Town::of(300, &[None, None, None]);
        let mut taken = [0_usize; 3];
        for millis in 0..20_000_u64 {
            for (account, taken) in taken.iter_mut().enumerate() {
                while town.take(account, 1, millis).is_ok() {
                    *taken += 1;
                }
            }
        }
        assert!(taken.iter().all(|taken| (1_999..=2_102).contains(taken)), "{taken:?}");
    }

    #[test]
    fn a_batch_larger_than_a_part_comes_through_too_and_is_paid_for() {
        let town = Town::of(100, &[None, None]);
        let mut large = 0;
        for millis in 0..20_000_u64 {
            while town.take(0, 1, millis).is_ok() {}
            large += usize::from(town.take(1, 100, millis).is_ok());
        }
        // Half the rate, and what was saved at the beginning.
        assert!((9..=11).contains(&large), "{large}");
    }

    #[test]
    fn a_rate_of_ones_own_holds_though_there_is_room() {
        let town = Town::of(1_000, &[Some(5), None]);
        assert_eq!(town.take(0, 5, 0), Ok(()));
        assert!(matches!(town.take(0, 1, 0), Err(Wait::Own(_))));
        assert_eq!(town.take(0, 1, 200), Ok(()));
        let mut taken = 0;
        for millis in 1_000..11_000 {
            taken += usize::from(town.take(1, 10, millis).is_ok()) * 10;
        }
        assert!((9_980..=11_000).contains(&taken), "{taken}: what the first cannot use is the second's");
        assert_eq!(town.take(0, 5, 11_000), Ok(()), "and none of what is the first's");
    }

    proptest! {
        #[test]
        fn all_together_never_have_more_than_the_rate_a_burst_and_one_batch_each(
            rates in proptest::collection::vec(proptest::option::of(1_u32..200), 1..6),
            asks in proptest::collection::vec((0_usize..6, 1_usize..100, 0_u64..300), 1..400),
        ) {
            let town = Town::of(100, &rates);
            let (mut millis, mut taken) = (0, 0);
            for (account, events, later) in asks {
                millis += later;
                let account = account % rates.len();
                taken += if town.take(account, events, millis).is_ok() { events } else { 0 };
                let most = 100.0 * (1.0 + f64::from(u32::try_from(millis).unwrap()) / 1_000.0);
                #[expect(clippy::cast_precision_loss, reason = "small numbers")]
                let (taken, batches) = (taken as f64, rates.len() as f64 * 100.0);
                prop_assert!(taken <= most + batches + 1.0, "{taken} after {millis} ms");
            }
        }
    }
}
