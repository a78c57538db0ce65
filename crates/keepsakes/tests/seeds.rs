//! What a witness meets when planting: plain words for every fault, stages that only go forward, an end after a day.

use monkeytown_keepsakes::{
    Form, Seed, Stage,
    form::kinds,
    seed::{ISSUE_MAX_BYTES, LIVES_MILLIS, NOTICE_MILLIS},
};
use monkeytown_protocol::{HttpsUrl, Ratio, SeedId, SeedReport, SeedStatus, SeedType};
use proptest::prelude::*;
#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

const TYPES: [SeedType; 4] = [SeedType::Contract, SeedType::Constraint, SeedType::Resource, SeedType::Query];

fn form(seed_type: SeedType, first: &str, second: &str) -> Form {
    Form { seed_type, first: first.to_owned(), second: second.to_owned() }
}

fn seed(seed_type: SeedType) -> Seed {
    let second = kinds(seed_type).first().copied().unwrap_or_default();
    Seed {
        id: "seed-1".into(),
        planted_millis: 1_000,
        form: form(seed_type, "words", second),
        status: SeedStatus::Pending,
        percent: 0,
        result: None,
    }
}

fn report(status: SeedStatus, progress: f32) -> SeedReport {
    let result = HttpsUrl::new("https://example.org/pull/7").ok();
    let id = SeedId::new("seed-1").expect("an id");
    let progress = Ratio::clamped(progress);
    SeedReport { id, seed_type: SeedType::Query, status, progress, result }
}

#[test]
fn a_form_with_its_first_field_in_plain_words_can_be_planted() {
    for seed_type in TYPES {
        assert_eq!(seed(seed_type).form.faults(), ["", ""], "{seed_type:?}");
        let [blank, _] = form(seed_type, " \n ", &seed(seed_type).form.second).faults();
        assert!(!blank.is_empty() && blank.starts_with(char::is_lowercase), "{seed_type:?}: {blank}");
    }
}

#[test]
fn what_is_no_plain_word_is_refused_in_plain_words() {
    let first = |seed_type, words: &str| form(seed_type, words, &seed(seed_type).form.second).faults()[0];
    for markup in ["<script>alert(1)</script>", "a <b>bold</b> word", "<!-- -->", "</x>"] {
        assert_eq!(first(SeedType::Query, markup), "plain words only, no tags", "{markup}");
    }
    assert_eq!(first(SeedType::Query, "1 < 2 and a <3"), "");
    for unseen in ["a\0b", "a\u{202e}b", "a\u{2066}b", "a\u{1b}[31m", "a\u{200b}b", "a\u{ad}b", "a\u{2028}b"] {
        assert_eq!(first(SeedType::Constraint, unseen), "there are letters in it that nobody can see", "{unseen:?}");
    }
    assert_eq!(first(SeedType::Query, &"x".repeat(201)), "that is more than 200 letters");
    assert_eq!(
        first(SeedType::Resource, &"x".repeat(8_001)),
        "that is more than 8,000 letters: give its https address"
    );
    for address in ["http://example.org/", "ftp://x", "javascript://%0aalert(1)"] {
        assert_eq!(first(SeedType::Resource, address), "an address has to begin with https://", "{address}");
    }
    for address in ["HTTPS://example.org", "https://user@example.org/", "https://user:word@example.org/", "https://"] {
        let why = "an address is https:// in small letters and a host, without a name or password";
        assert_eq!(first(SeedType::Resource, address), why, "{address}");
    }
    for content in ["https://example.org/a?b#c", "fn main() { let x: Vec<T> = vec![]; }", "see http://x for more"] {
        assert_eq!(first(SeedType::Resource, content), "", "{content}");
    }
    assert_eq!(form(SeedType::Contract, " , ,", "").faults()[0], "name who takes part, with commas between them");
    assert_eq!(form(SeedType::Contract, "Ada", "deadline: friday\n\nbudget: 3").faults(), ["", ""]);
    assert!(!form(SeedType::Contract, "Ada", "deadline friday").faults()[1].is_empty());
    assert_eq!(form(SeedType::Constraint, "x", "vast").faults()[1], "choose a kind");
}

#[test]
fn it_sprouts_grows_matures_and_comes_to_something_with_its_link() {
    let mut seed = seed(SeedType::Query);
    assert_eq!(seed.stage(2_000), Stage::Germinating);
    for (progress, stage) in
        [(0.0, Stage::Sprouting), (0.35, Stage::Growing), (0.75, Stage::Maturing), (1.0, Stage::Maturing)]
    {
        seed.hear(&report(SeedStatus::Growing, progress));
        assert_eq!(seed.stage(2_000), stage, "{progress}");
    }
    assert!(seed.hear(&report(SeedStatus::Complete, 1.0)));
    assert_eq!((seed.stage(2_000), seed.percent), (Stage::Outcome, 100));
    assert_eq!(seed.result.as_ref().map(HttpsUrl::as_str), Some("https://example.org/pull/7"));
    assert!(!seed.hear(&report(SeedStatus::Error, 0.0)), "an outcome stands");
}

#[test]
fn it_lives_for_a_day_and_says_so_in_its_last_hour() {
    let seed = seed(SeedType::Contract);
    assert_eq!(seed.expires_in(1_000 + LIVES_MILLIS - NOTICE_MILLIS - 1), None);
    assert_eq!(seed.expires_in(1_000 + LIVES_MILLIS - 60_000), Some(60_000));
    assert!(seed.is_under_way(1_000 + LIVES_MILLIS - 1));
    assert!(seed.is_expired(1_000 + LIVES_MILLIS) && seed.stage(1_000 + LIVES_MILLIS) == Stage::Outcome);
    // A clock that was set back does not end it.
    assert!(seed.is_under_way(0));
}

proptest! {
    #[test]
    fn no_seed_shrinks_whatever_is_told_in_whatever_order(
        told in prop::collection::vec((0_usize..4, 0.0_f32..=1.0), 0..30),
    ) {
        let statuses = [SeedStatus::Pending, SeedStatus::Growing, SeedStatus::Complete, SeedStatus::Error];
        let mut seed = seed(SeedType::Query);
        let mut before = (seed.stage(0) as u8, 0);
        for (status, progress) in told {
            seed.hear(&report(statuses[status], progress));
            let now = (seed.stage(0) as u8, seed.percent);
            prop_assert!(now.0 >= before.0 && now.1 >= before.1, "{before:?} {now:?}");
            before = now;
        }
    }

    #[test]
    fn a_seed_is_read_as_it_was_written(first in any::<String>(), second in any::<String>(), percent in 0_u64..=100) {
        let mut whole = seed(SeedType::Resource);
        (whole.form.first, whole.form.second, whole.percent) = (first, second, percent);
        let record = whole.to_record(5);
        prop_assert_eq!(Seed::from_record(&record), Some(whole));
    }
}

#[test]
fn an_issue_is_filled_in_with_the_seeds_words_and_its_line() {
    let mut seed = seed(SeedType::Contract);
    seed.form = form(SeedType::Contract, "ada, babbage", "deadline: friday & no later\nprice: 3 %");
    let address = seed.issue_address("https://github.com/owner/name/").expect("a repository on GitHub");
    assert!(address.starts_with("https://github.com/owner/name/issues/new?title=ada%2C%20babbage&body="), "{address}");
    assert!(address.contains("friday%20%26%20no%20later%0Aprice%3A%203%20%25%0A%0ASeed%3A%20seed-1%0A"), "{address}");
    assert!(address.bytes().all(|byte| byte.is_ascii_graphic()));
    assert_eq!(seed.text(), "contract: ada, babbage\ndeadline: friday & no later\nprice: 3 %\n\nSeed: seed-1\n");
}

#[test]
fn a_token_is_in_no_issue_and_not_in_what_is_copied() {
    let mut seed = seed(SeedType::Resource);
    seed.form = form(SeedType::Resource, "ghp_secret", "token");
    let address = seed.issue_address("https://github.com/owner/name").expect("a repository on GitHub");
    assert!(!address.contains("ghp_secret"), "{address}");
    assert_eq!(seed.text(), "token resource: a token, which is not written here\n\nSeed: seed-1\n");
    // On the page, where it was pasted, it is what it is.
    assert_eq!(seed.form.preview(), "token resource: ghp_secret");
    seed.form.second = "code".to_owned();
    assert!(seed.text().contains("ghp_secret"));
}

#[test]
fn no_issue_is_offered_where_there_is_none_or_the_address_would_be_too_long() {
    let mut seed = seed(SeedType::Resource);
    for elsewhere in [
        "",
        "https://example.org/a/b",
        "https://github.com/owner",
        "https://github.com/a/b/c",
        "https://github.com/a/b?x",
    ] {
        assert_eq!(seed.issue_address(elsewhere), None, "{elsewhere}");
    }
    seed.form.first = "é".repeat(1_000);
    assert!(seed.issue_address("https://github.com/a/b").is_some_and(|address| address.len() <= ISSUE_MAX_BYTES));
    seed.form.first = "é".repeat(2_000);
    assert_eq!(seed.issue_address("https://github.com/a/b"), None);
}

#[test]
fn a_preview_says_in_words_what_would_be_planted() {
    for (seed_type, first, second, words) in [
        (SeedType::Contract, " ada , babbage", "deadline: friday", "contract: ada , babbage\ndeadline: friday"),
        (SeedType::Constraint, "under 120 KB ", "performance", "performance constraint: under 120 KB"),
        (SeedType::Resource, "fn main() {}", "code", "code resource: fn main() {}"),
        (SeedType::Query, "granite", "", "query: granite"),
    ] {
        assert_eq!(form(seed_type, first, second).preview(), words);
    }
}

#[test]
fn what_came_to_nothing_may_still_come_to_something_and_a_link_may_come_later() {
    let mut seed = seed(SeedType::Query);
    assert!(seed.hear(&report(SeedStatus::Error, 0.2)));
    assert!(!seed.hear(&report(SeedStatus::Growing, 0.5)), "{seed:?}");
    let bare = SeedReport { result: None, ..report(SeedStatus::Complete, 1.0) };
    seed.result = None;
    assert!(seed.hear(&bare) && seed.status == SeedStatus::Complete && seed.result.is_none());
    assert!(seed.hear(&report(SeedStatus::Complete, 1.0)) && seed.result.is_some());
    assert!(!seed.hear(&report(SeedStatus::Complete, 1.0)) && !seed.hear(&report(SeedStatus::Error, 0.0)));
}

#[test]
fn a_seed_from_the_end_of_time_does_not_overflow() {
    let mut seed = seed(SeedType::Query);
    seed.planted_millis = u64::MAX;
    assert!(seed.expires_in(0).is_none());
}
