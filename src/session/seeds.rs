//! The witness's seeds in this visit: the form, planting, and what events said of those that are planted.
//!
//! Knows the fold and what is kept; nothing of how seeds look.

use super::{
    Core,
    keeping::{now_millis, seeds},
};
use crate::{
    clock::{self, monotonic_millis},
    intent::Field,
    signals::{Kept, Sheet},
};
use monkeytown_keepsakes::{Class, Seed, form::kinds, seed::UNDER_WAY_MAX};
use monkeytown_protocol::{Ratio, SeedId, SeedReport, SeedStatus, SeedType};

impl Core {
    pub(super) fn enter(&mut self, kept: &mut Kept, field: Field, words: String) {
        match field {
            Field::Type => {
                let types = [SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query];
                for known in types {
                    if known.as_str() == words {
                        if let Some(before) = kept.seconds.get_mut(kept.form.seed_type as usize) {
                            *before = std::mem::take(&mut kept.form.second);
                        }
                        kept.form.seed_type = known;
                        let second = kept.seconds.get(known as usize).filter(|second| !second.is_empty()).cloned();
                        let first_kind = || kinds(known).first().copied().unwrap_or_default().to_owned();
                        kept.form.second = second.unwrap_or_else(first_kind);
                    }
                }
                kept.tried = false;
            }
            Field::First => kept.form.first = words,
            Field::Second => kept.form.second = words,
        }
        self.search(kept);
    }

    /// What the query in the form finds now.
    pub(super) fn search(&self, kept: &mut Kept) {
        let is_asked = kept.form.seed_type == SeedType::Query && self.signals.gaze.peek().sheet == Some(Sheet::Seeds);
        let query = if is_asked { kept.form.first.as_str() } else { "" };
        kept.found = self.signals.find(self.state(), &self.beside_history, query, self.now());
    }

    pub(super) fn plant(&mut self, kept: &mut Kept) {
        let now = now_millis();
        kept.tried = true;
        self.keeping.refresh(kept, Some(Class::Seed));
        if kept.form.faults() != ["", ""] {
            return "look at what is said beside the fields".clone_into(&mut kept.answer);
        }
        if seeds(kept).iter().filter(|seed| seed.is_under_way(now)).count() >= UNDER_WAY_MAX {
            return "five seeds are under way, as many as may be: wait for one, or cancel one that nobody has found"
                .clone_into(&mut kept.answer);
        }
        let form = kept.form.clone();
        let id = [form.seed_type.as_str(), "-", &random_letters()].concat();
        let seed = Seed { id, planted_millis: now, form, status: SeedStatus::Pending, percent: 0, result: None };
        if self.keeping.put(kept, seed.to_record(now)) {
            kept.answer = self.keeping.in_words(&["planted: ", &seed.id].concat());
            kept.form.first.clear();
            if seed.form.seed_type == SeedType::Contract {
                kept.form.second.clear();
            }
            (kept.tried, kept.emptied) = (false, kept.emptied + 1);
            kept.found.clear();
        }
    }

    /// Tells the ingest which seeds events may name as their cause.
    pub(super) fn watch_seeds(&mut self, kept: &Kept) {
        let now = now_millis();
        let mut open = Vec::new();
        for seed in seeds(kept) {
            if seed.is_heard(now) {
                open.push(seed.id);
            }
        }
        self.ingest.watch(open);
    }

    /// Looks what events said of the witness's seeds, once a second. Whether one has moved on.
    pub(super) fn tend_seeds(&mut self, kept: &mut Kept) -> bool {
        let (caused, now) = (self.ingest.caused(), now_millis());
        let (mut expiring, mut any) = (false, false);
        for mut seed in seeds(kept) {
            let Some(id) = SeedId::new(&seed.id).ok().filter(|_| seed.is_heard(now)) else { continue };
            expiring |= seed.expires_in(now).is_some();
            let mut moved = self.live.state.seed(&id).is_some_and(|(report, _)| seed.hear(report));
            for (_, settled, url) in caused.iter().filter(|(cause, ..)| **cause == *id.as_str()) {
                let (status, progress) =
                    if *settled { (SeedStatus::Complete, 1.0) } else { (SeedStatus::Growing, 0.1) };
                moved |= seed.hear(&SeedReport {
                    id: id.clone(),
                    seed_type: seed.form.seed_type,
                    status,
                    progress: Ratio::clamped(progress),
                    result: url.clone(),
                });
            }
            if moved {
                // One that another tab has taken away meanwhile does not come back.
                self.keeping.refresh(kept, Some(Class::Seed));
                if kept.has(Class::Seed, &seed.id) {
                    let is_kept = self.keeping.put(kept, seed.to_record(now));
                    any |= is_kept;
                    if !is_kept {
                        // Nobody tells of it twice: it is tried again.
                        let again = caused.iter().filter(|(cause, ..)| **cause == *id.as_str());
                        self.ingest.keep_effects(again.cloned());
                    }
                }
            }
        }
        if expiring && !self.warned {
            let words = "a seed of yours that nothing has come of expires within the hour".to_owned();
            self.remark = Some((words, monotonic_millis()));
        }
        self.warned = expiring;
        any
    }
}

/// Ten letters and digits, some fifty bits: enough that no two seeds meet.
fn random_letters() -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 35")]
    let letter = |_| char::from_digit((clock::random() * 36.0) as u32, 36);
    (0..10).filter_map(letter).collect()
}
