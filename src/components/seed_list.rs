//! The witness's seeds: sprouts along the bottom of the terrarium, and the list of them with what can be done.

use super::agent_card;
use crate::{
    dom::{Piece, Rows, follow},
    signals::Signals,
    voice,
};
use monkeytown_keepsakes::{Class, Seed, Stage};
use monkeytown_protocol::SeedStatus;
use std::cell::RefCell;

/// Fills both, and says in the header how many are under way.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let (strip, count, button) = (Piece::section("plot"), Piece::section("seed-count"), Piece::section("plant-seed"));
    let lists = RefCell::new([Rows::of("seeds"), Rows::of("garden")]);
    follow(move || {
        let kept = signals.kept.read();
        let sought = signals.sought.read();
        let now = u64::try_from(signals.times.read().wall.millis()).unwrap_or_default();
        let mut seeds = Vec::new();
        let mut under_way = 0_u64;
        for record in kept.store.of(Class::Seed) {
            if let Some(seed) = Seed::from_record(record) {
                under_way += u64::from(seed.is_under_way(now));
                // The newest first; there are few.
                let at = seeds.iter().position(|(other, _): &(Seed, _)| other.planted_millis < seed.planted_millis);
                seeds.insert(at.unwrap_or(seeds.len()), (seed, record.key()));
            }
        }
        strip.show("", !seeds.is_empty());
        let of = [&*under_way.to_string(), " of 5"].concat();
        count.say("seeds", &of);
        button.say("count", &of);
        let keys: Vec<&str> = seeds.iter().map(|(_, key)| key.as_str()).collect();
        for (rows, template) in lists.borrow_mut().iter_mut().zip([sprout as fn(&str) -> &'static str, row]) {
            rows.keep(&keys, template, &|_, _| {});
            for (piece, (seed, key)) in rows.pieces().zip(&seeds) {
                fill(piece, seed, key, now);
                let is_out = sought.seeds_out.iter().any(|out| out == key);
                piece.mark("", "data-dim", if is_out { "yes" } else { "" });
                let issue = seed.issue_address(&kept.repository);
                piece.mark("issue", "href", issue.as_deref().unwrap_or_default());
                piece.show("issue", issue.is_some());
                piece.show("copy", issue.is_none());
            }
        }
    });
}

fn sprout(_: &str) -> &'static str {
    "t-sprout"
}

fn row(_: &str) -> &'static str {
    "t-seed"
}

fn fill(piece: &Piece, seed: &Seed, key: &str, now: u64) {
    let stage = seed.stage(now);
    let ago = |millis: u64| voice::span(i64::try_from(millis).unwrap_or_default());
    let is_settled = seed.status == SeedStatus::Complete;
    let mut words = match (stage, seed.status) {
        (Stage::Outcome, SeedStatus::Complete) => "something has come of it".to_owned(),
        (Stage::Outcome, SeedStatus::Error) => "broken: nothing has come of it".to_owned(),
        (Stage::Outcome, _) => "expired: nothing came of it within a day".to_owned(),
        (Stage::Germinating, _) => {
            ["germinating, found by nobody yet, planted ", &ago(now - seed.planted_millis.min(now)), " ago"].concat()
        }
        _ => [stage.as_str(), ", ", &seed.percent.to_string(), "%"].concat(),
    };
    if let Some(left) = seed.expires_in(now) {
        words.push_str(&[", expires in ", &ago(left)].concat());
    }
    let end = match stage {
        Stage::Germinating => "cancel",
        Stage::Outcome => "take away",
        _ => "",
    };
    piece.set("", "data-seed-id", &seed.id);
    piece.set("", "data-key", key);
    piece.set("", "data-seed-stage", stage.as_str());
    piece.mark("", "data-broken", if stage == Stage::Outcome && !is_settled { "yes" } else { "" });
    piece.say("title", seed.form.title());
    piece.say("kind", seed.form.seed_type.as_str());
    piece.say("words", &words);
    piece.say("id", &seed.id);
    piece.style("stages", "--done", &[&*seed.percent.to_string(), "%"].concat());
    piece.set("copy", "data-copy", &seed.text());
    piece.say_if("forget", end);
    let result = seed.result.as_ref();
    agent_card::link(piece, "result", if result.is_some() { "see what came of it" } else { "" }, result);
}
