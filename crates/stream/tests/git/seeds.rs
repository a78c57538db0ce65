//! A witness's seed, named in commits: found, moved on, and come to something when it is on the branch.

use crate::support::{BEGIN, Repo, config, history};
use monkeytown_protocol::{Event, HttpsUrl, Payload, SeedStatus, SeedType, Timestamp};

/// What is told of seeds: id, word, status, and where to see it.
fn told(events: &[Event]) -> Vec<(String, String, SeedStatus, String)> {
    let told = events.iter().filter_map(|event| {
        let Payload::Seed(_, seed) = &event.payload else { return None };
        let word = event.payload.type_name().rsplit('.').next().unwrap_or_default().to_owned();
        let result = seed.result.as_ref().map(HttpsUrl::as_str).unwrap_or_default().to_owned();
        Some((seed.id.to_string(), word, seed.status, result))
    });
    told.collect()
}

fn words(events: &[Event]) -> Vec<String> {
    told(events).into_iter().map(|(id, word, ..)| format!("{id} {word}")).collect()
}

#[tokio::test]
async fn a_seed_that_a_commit_on_the_branch_names_is_found_and_complete_with_its_address() {
    let repo = Repo::new();
    repo.git(&["remote", "add", "origin", "https://github.com/monkey/town.git"]);
    repo.change("src/a", "a", "begin", 0);
    let answer = repo.change("src/b", "b", "mend the walls\n\nas was asked\n\nSeed: query-7k2m", 1);
    repo.change("src/c", "c", "more of it\n\nSeed: query-7k2m", 2);
    let events = history(config(repo.path())).await;
    let at = format!("https://github.com/monkey/town/commit/{answer}");
    assert_eq!(
        told(&events),
        [
            ("query-7k2m".to_owned(), "discovery".to_owned(), SeedStatus::Growing, at.clone()),
            ("query-7k2m".to_owned(), "complete".to_owned(), SeedStatus::Complete, at),
        ]
    );
    for event in events.iter().filter(|event| matches!(event.payload, Payload::Seed(..))) {
        assert_eq!(event.time, Timestamp::from_millis((BEGIN + 60) * 1_000));
        assert!(matches!(&event.payload, Payload::Seed(_, seed) if seed.seed_type == SeedType::Query));
    }
}

#[tokio::test]
async fn one_that_commits_beside_the_branch_name_grows_until_a_merge_brings_it() {
    let repo = Repo::new();
    repo.change("src/a", "a", "begin", 0);
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    repo.change("lib/x", "x", "try\n\nSeed: resource-1", 1);
    repo.change("lib/y", "y", "try again\n\nSeed: resource-1", 2);
    repo.git(&["checkout", "--quiet", "-b", "other", "main"]);
    repo.change("doc/x", "x", "something else\n\nSeed: contract-2", 3);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.change("src/b", "b", "meanwhile", 4);
    repo.merge("feature", &["Merge branch 'feature'"], 5);
    let events = history(config(repo.path())).await;
    assert_eq!(words(&events), ["resource-1 discovery", "resource-1 progress", "resource-1 complete"]);
    repo.merge("other", &["Merge branch 'other'"], 6);
    let events = history(config(repo.path())).await;
    assert!(words(&events).ends_with(&["contract-2 complete".to_owned()]), "{:?}", words(&events));
}
