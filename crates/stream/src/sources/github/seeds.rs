//! What becomes of seeds that issues, comments, pull requests and pushed commits name.
//!
//! The first place that names a seed finds it, each other place moves it on, once. It comes to something, or to nothing,
//! with the place; what came to nothing may still come to something elsewhere, and what is opened again grows again.

use super::{GitHub, Scene};
use crate::{recent::Recent, sources::seed_lines};
use monkeytown_protocol::{HttpsUrl, Payload, Ratio, SeedId, SeedReport, SeedStatus, SeedVerb, Timestamp};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Seeds remembered.
const SEEDS_MAX: usize = 5_000;
/// Places of a seed that are told apart; others move it on no more.
const PLACES_MAX: usize = 16;

/// What a place says of a seed that it names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Open,
    /// It is open again.
    Again,
    Complete,
    Failed,
}

#[derive(Debug)]
struct Seed {
    /// Hashes of the places that named it.
    places: Vec<u64>,
    /// None while it grows.
    ended: Option<Outcome>,
}

#[derive(Debug)]
pub(super) struct Seeds(Recent<SeedId, Seed>);

impl Default for Seeds {
    fn default() -> Self {
        Self(Recent::new(SEEDS_MAX))
    }
}

impl Seeds {
    /// What is new when `place` names `seed` with this `outcome`.
    fn hear(&mut self, seed: &SeedId, place: &str, outcome: Outcome) -> Vec<(SeedVerb, f32)> {
        let mut hasher = DefaultHasher::new();
        place.hash(&mut hasher);
        let place = hasher.finish();
        let mut news = Vec::new();
        if self.0.get(seed).is_none() {
            news.push((SeedVerb::Discovery, 0.1));
            self.0.insert(seed.clone(), Seed { places: vec![place], ended: None });
        }
        let Some(known) = self.0.get_mut(seed) else { return news };
        let is_new = !known.places.contains(&place) && known.places.len() < PLACES_MAX;
        if is_new {
            known.places.push(place);
        }
        let places = u8::try_from(known.places.len()).unwrap_or(u8::MAX);
        // Half way at the second place, and never quite there.
        let moved_on = (SeedVerb::Progress, (0.3 + 0.1 * f32::from(places)).min(0.9));
        match (outcome, known.ended) {
            (Outcome::Complete, Some(Outcome::Complete)) | (Outcome::Failed, Some(_)) => {}
            (Outcome::Complete, _) => {
                known.ended = Some(outcome);
                news.push((SeedVerb::Complete, 1.0));
            }
            (Outcome::Failed, None) => {
                known.ended = Some(outcome);
                news.push((SeedVerb::Failed, 1.0));
            }
            (Outcome::Again, Some(_)) => {
                known.ended = None;
                news.push(moved_on);
            }
            // What is complete is not moved on by being named again.
            (Outcome::Open, Some(Outcome::Complete)) => {}
            (Outcome::Open | Outcome::Again, _) if is_new => {
                known.ended = None;
                news.push(moved_on);
            }
            (Outcome::Open | Outcome::Again, _) => {}
        }
        news
    }
}

impl GitHub {
    /// Seeds that a text at `place` names.
    pub(super) fn seeds_named(
        &mut self,
        text: &str,
        place: &str,
        result: Option<HttpsUrl>,
        time: Timestamp,
        scene: &mut Scene,
    ) {
        self.seeds_of(text, place, Outcome::Open, result, time, scene);
    }

    /// The same, where the place is opened again.
    pub(super) fn seeds_again(
        &mut self,
        text: &str,
        place: &str,
        result: Option<HttpsUrl>,
        time: Timestamp,
        scene: &mut Scene,
    ) {
        self.seeds_of(text, place, Outcome::Again, result, time, scene);
    }

    /// The same, where the place is closed, `well` or not.
    pub(super) fn seeds_end(
        &mut self,
        text: &str,
        place: &str,
        well: bool,
        result: Option<HttpsUrl>,
        time: Timestamp,
        scene: &mut Scene,
    ) {
        let outcome = if well { Outcome::Complete } else { Outcome::Failed };
        self.seeds_of(text, place, outcome, result, time, scene);
    }

    fn seeds_of(
        &mut self,
        text: &str,
        place: &str,
        outcome: Outcome,
        result: Option<HttpsUrl>,
        time: Timestamp,
        scene: &mut Scene,
    ) {
        for seed in seed_lines::named(text.lines().map(|line| line.trim().as_bytes())) {
            self.seed(&seed, place, outcome, result.clone(), time, scene);
        }
    }

    /// Tells what is new of one seed.
    pub(super) fn seed(
        &mut self,
        seed: &SeedId,
        place: &str,
        outcome: Outcome,
        result: Option<HttpsUrl>,
        time: Timestamp,
        scene: &mut Scene,
    ) {
        for (verb, progress) in self.seeds.hear(seed, place, outcome) {
            let status = match verb {
                SeedVerb::Planted => SeedStatus::Pending,
                SeedVerb::Discovery | SeedVerb::Progress => SeedStatus::Growing,
                SeedVerb::Complete => SeedStatus::Complete,
                SeedVerb::Failed => SeedStatus::Error,
            };
            let report = SeedReport {
                id: seed.clone(),
                seed_type: seed_lines::type_of(seed),
                status,
                progress: Ratio::clamped(progress),
                result: result.clone(),
            };
            scene.telling.tell(time, Payload::Seed(verb, report));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_is_found_once_moved_on_by_other_places_and_ends() {
        let id = SeedId::new("query-1").expect("an id");
        let mut seeds = Seeds::default();
        let mut words = |place: &str, outcome| -> Vec<SeedVerb> {
            seeds.hear(&id, place, outcome).into_iter().map(|(verb, _)| verb).collect()
        };
        assert_eq!(words("issue", Outcome::Open), [SeedVerb::Discovery]);
        assert_eq!(words("issue", Outcome::Open), []);
        assert_eq!(words("pull", Outcome::Open), [SeedVerb::Progress]);
        assert_eq!(words("pull", Outcome::Failed), [SeedVerb::Failed]);
        assert_eq!(words("pull", Outcome::Failed), []);
        assert_eq!(words("pull", Outcome::Again), [SeedVerb::Progress]);
        assert_eq!(words("issue", Outcome::Complete), [SeedVerb::Complete]);
        assert_eq!(words("pull", Outcome::Complete), []);
        assert_eq!(words("other", Outcome::Open), []);
        assert_eq!(words("pull", Outcome::Failed), []);
        assert_eq!(words("issue", Outcome::Again), [SeedVerb::Progress]);
    }

    #[test]
    fn one_that_ends_where_it_is_first_heard_of_is_found_too() {
        let id = SeedId::new("query-1").expect("an id");
        let words = Seeds::default().hear(&id, "issue", Outcome::Failed);
        assert_eq!(
            words.into_iter().map(|(verb, _)| verb).collect::<Vec<_>>(),
            [SeedVerb::Discovery, SeedVerb::Failed]
        );
    }
}
