//! After the history: the branch is followed, whatever happens to it. And the pace at which a history is told.

use crate::support::{
    BEGIN, Kept, Repo, alerts, config, created, entities, files, later, map, refusal, run, statuses, work,
};
use monkeytown_protocol::{EntityKind, EntityStatus, EntityVerb, Field, Timestamp};
use monkeytown_stream::sources::git::{GitSource, GitSpeed};
use std::fs;
use tokio::time::Instant;

async fn told(kept: &Kept, transactions: usize) {
    kept.until(|state| created(&state.events, EntityKind::Transaction).len() >= transactions).await;
}

#[tokio::test]
async fn an_empty_repository_waits_for_its_first_commit() {
    let repo = Repo::new();
    let running = run(config(repo.path()), later);
    running.kept.until(|state| !state.clocks.is_empty()).await;
    repo.change("src/a", "a", "the first", 0);
    told(&running.kept, 1).await;
    repo.change("src/b", "a", "the second", 1);
    told(&running.kept, 2).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["src: the first", "src: the second"]);
    assert_eq!(alerts(&events).len(), 0);
}

#[tokio::test]
async fn a_new_commit_is_told_and_its_agent_stays_awake_though_it_was_made_long_ago() {
    let repo = Repo::new();
    repo.change("src/a", "a", "history", 0);
    let running = run(config(repo.path()), later);
    told(&running.kept, 1).await;
    repo.change("docs/a", "a", "new", 1);
    told(&running.kept, 2).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["src: history", "docs: new"]);
    let last = statuses(&events);
    assert_eq!(last.last(), Some(&("docs".to_owned(), EntityStatus::Active)));
    assert!(last.contains(&("src".to_owned(), EntityStatus::Idle)));
}

#[tokio::test]
async fn commits_that_reach_the_branch_by_packs_and_packed_references_are_told() {
    let repo = Repo::new();
    repo.change("src/a", "a", "history", 0);
    let running = run(config(repo.path()), later);
    told(&running.kept, 1).await;
    repo.change("src/b", "b", "packed", 1);
    repo.git(&["repack", "-adq"]);
    repo.git(&["pack-refs", "--all", "--prune"]);
    told(&running.kept, 2).await;
    repo.git(&["checkout", "--quiet", "-b", "side"]);
    repo.change("src/c", "c", "beside", 2);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.merge("side", &["Merge branch 'side'"], 3);
    told(&running.kept, 4).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["src: history", "src: packed", "src: beside", "src: Merge branch 'side'"]);
    assert_eq!(files(&events, "src"), 3);
    assert_eq!(alerts(&events).len(), 0);
}

#[tokio::test]
async fn a_rewritten_branch_is_said_and_no_commit_is_told_twice() {
    let repo = Repo::new();
    repo.change("src/a", "a", "kept", 0);
    repo.change("src/b", "b", "thrown away", 1);
    let thrown = repo.git(&["rev-parse", "HEAD"]);
    let running = run(config(repo.path()), later);
    told(&running.kept, 2).await;
    running.kept.until(|state| state.clocks.len() >= 2).await;
    repo.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    running.kept.until(|state| alerts(&state.events).len() >= 2).await;
    assert_eq!(files(&running.kept.events(), "src"), 1, "what is gone is not counted");
    repo.write("src/c", "c");
    repo.change("src/d", "d", "instead", 2);
    told(&running.kept, 3).await;
    let before = alerts(&running.kept.events()).len();
    assert_eq!(before, 2, "going on from there rewrites nothing");
    repo.git(&["reset", "--quiet", "--hard", &thrown]);
    running.kept.until(|state| alerts(&state.events).len() >= 4).await;
    repo.change("src/e", "e", "goes on", 3);
    told(&running.kept, 4).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["src: kept", "src: thrown away", "src: instead", "src: goes on"]);
    assert_eq!(files(&events, "src"), 3);
    let alerts = alerts(&events);
    assert!(alerts.iter().all(|alert| alert.id.as_str() == "git-source/force-push"));
    assert_eq!(alerts.iter().map(|alert| alert.resolved).collect::<Vec<_>>(), [false, true, false, true]);
}

#[tokio::test]
async fn a_history_without_a_common_ancestor_takes_over() {
    let repo = Repo::new();
    repo.change("src/a", "a", "old world", 0);
    let running = run(config(repo.path()), later);
    running.kept.until(|state| state.clocks.len() >= 2).await;
    repo.git(&["checkout", "--quiet", "--orphan", "new"]);
    repo.git(&["rm", "--quiet", "-r", "-f", "."]);
    repo.change("docs/a", "a", "new world", 1);
    repo.git(&["branch", "--quiet", "--force", "main", "new"]);
    told(&running.kept, 2).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["src: old world", "docs: new world"]);
    assert_eq!((files(&events, "src"), files(&events, "docs")), (0, 1));
}

#[tokio::test]
async fn a_branch_that_is_deleted_is_missed_until_it_is_back() {
    let repo = Repo::new();
    repo.change("src/a", "a", "history", 0);
    let running = run(config(repo.path()), later);
    running.kept.until(|state| state.clocks.len() >= 2).await;
    repo.git(&["checkout", "--quiet", "-b", "other"]);
    repo.git(&["branch", "--quiet", "-D", "main"]);
    running.kept.until(|state| alerts(&state.events).len() == 1).await;
    repo.change("src/b", "b", "while it was gone", 1);
    repo.git(&["branch", "--quiet", "main", "other"]);
    told(&running.kept, 2).await;
    let events = running.kept.events();
    let alerts: Vec<_> = alerts(&events).iter().map(|alert| (alert.message.to_string(), alert.resolved)).collect();
    assert_eq!(alerts.len(), 2);
    assert!(alerts[0].0.ends_with("the branch `main` is gone") && !alerts[0].1, "{alerts:?}");
    assert!(alerts[1].1, "{alerts:?}");
    assert_eq!(work(&events), ["src: history", "src: while it was gone"]);
}

#[tokio::test]
async fn a_repository_that_vanishes_is_missed_until_it_is_back() {
    let repo = Repo::new();
    repo.change("src/a", "a", "history", 0);
    let running = run(config(repo.path()), later);
    running.kept.until(|state| state.clocks.len() >= 2).await;
    let away = repo.beside("away");
    fs::rename(repo.path(), &away).expect("moved");
    running.kept.until(|state| alerts(&state.events).len() == 1).await;
    fs::rename(&away, repo.path()).expect("moved back");
    running.kept.until(|state| alerts(&state.events).len() == 2).await;
    assert!(alerts(&running.kept.events())[1].resolved);
    repo.change("src/b", "b", "after", 1);
    told(&running.kept, 2).await;
}

/// The wall clock of a test: `later()`, moving with the runtime's own clock.
fn paced_clock() -> impl Fn() -> Timestamp + Send + Sync + 'static {
    let begun = Instant::now();
    move || later().plus_millis(i64::try_from(begun.elapsed().as_millis()).expect("a short test"))
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_after_a_followed_commit_its_agent_rests() {
    let repo = Repo::new();
    repo.change("docs/a", "a", "history", 0);
    let running = run(config(repo.path()), paced_clock());
    running.kept.until(|state| state.clocks.len() >= 2).await;
    repo.write("src/a", "b");
    let followed = repo.commit("followed", 1);
    told(&running.kept, 2).await;
    assert_eq!(statuses(&running.kept.events()).last(), Some(&("src".to_owned(), EntityStatus::Active)));
    let awake_since = Instant::now();
    running.kept.until(|state| statuses(&state.events).last() == Some(&("src".to_owned(), EntityStatus::Idle))).await;
    let minutes = awake_since.elapsed().as_secs_f64() / 60.0;
    assert!((9.9..10.2).contains(&minutes), "{minutes}");
    let events = running.kept.events();
    assert_eq!(events.last().map(|event| event.id.as_str().to_owned()), Some(format!("{followed}/rest")));
}

#[tokio::test(start_paused = true)]
async fn a_whole_history_plays_in_a_minute_and_a_half_with_idle_stretches_skipped() {
    let repo = Repo::new();
    // Bursts of work, one a month.
    for at in 0..60 {
        repo.change("src/a", &at.to_string(), &format!("change {at}"), at / 10 * 43_200 + at % 10 * 7);
    }
    let mut config = config(repo.path());
    config.speed = GitSpeed::Auto;
    let begun = Instant::now();
    let running = run(config, paced_clock());
    running.kept.until(|state| state.clocks.last().is_some_and(|clock| clock.shows > later())).await;
    let played = begun.elapsed().as_secs_f64();
    assert!((10.0..=91.0).contains(&played), "{played}");
    let state = running.kept.state();
    assert_eq!(work(&state.events).len(), 60);
    let mut before = begun;
    for (at, _) in &state.batches {
        assert!((*at - before).as_secs_f64() <= 2.1);
        before = *at;
    }
    // The present, the beginning, the five months that are skipped, the present again.
    let shown: Vec<_> = state.clocks.iter().map(|clock| (clock.shows.millis() / 1_000 - BEGIN) / 60).collect();
    assert_eq!(shown.get(1..7), Some([0, 43_200, 86_400, 129_600, 172_800, 216_000].as_slice()));
    assert_eq!((shown.len(), state.clocks.last().map(|clock| clock.rate)), (8, Some(1.0)));
    assert_eq!(statuses(&state.events).iter().filter(|(_, status)| *status == EntityStatus::Idle).count(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_short_history_is_not_drawn_out() {
    let repo = Repo::new();
    for at in 0..5 {
        repo.change("src/a", &at.to_string(), &format!("change {at}"), at * 10_000);
    }
    let mut config = config(repo.path());
    config.speed = GitSpeed::Auto;
    let begun = Instant::now();
    let running = run(config, paced_clock());
    told(&running.kept, 5).await;
    let played = begun.elapsed().as_secs_f64();
    assert!((1.0..=8.1).contains(&played), "{played}");
}

#[tokio::test(start_paused = true)]
async fn at_an_hour_a_second_a_day_takes_24_seconds() {
    let repo = Repo::new();
    repo.change("src/a", "a", "morning", 0);
    repo.change("src/a", "b", "next morning", 24 * 60);
    let mut config = config(repo.path());
    config.speed = GitSpeed::Times(3_600.0);
    let begun = Instant::now();
    let running = run(config, paced_clock());
    told(&running.kept, 2).await;
    let played = begun.elapsed().as_secs_f64();
    assert!((23.9..24.2).contains(&played), "{played}");
    let rest = running.kept.events().into_iter().find(|event| event.id.as_str().ends_with("/rest")).expect("it rested");
    assert_eq!(rest.time.millis() / 1_000 - BEGIN, 600, "between the two, at its time");
}

#[tokio::test]
async fn a_url_is_cloned_and_fetched() {
    let repo = Repo::new();
    repo.change("src/a", "a", "history", 0);
    let cache = tempfile::tempdir().expect("a folder");
    let mut config = config(format!("file://{}", repo.path().display()));
    config.fetch_seconds = 1;
    config.cache = Some(cache.path().to_owned());
    let running = run(config.clone(), later);
    told(&running.kept, 1).await;
    repo.change("src/b", "b", "fetched", 1);
    told(&running.kept, 2).await;
    fs::rename(repo.path(), repo.beside("away")).expect("moved");
    running.kept.until(|state| alerts(&state.events).len() == 1).await;
    // Opened again while the remote is away: what the clone holds is told.
    let again = run(config, later);
    told(&again.kept, 2).await;
    fs::rename(repo.beside("away"), repo.path()).expect("moved back");
    running.kept.until(|state| alerts(&state.events).len() == 2).await;
    let events = running.kept.events();
    let alerts = alerts(&events);
    assert!(
        alerts[0].message.as_str().starts_with("git fetch ") && !alerts[0].message.as_str().contains("file://"),
        "{:?}",
        alerts[0]
    );
    assert!(alerts[1].resolved);
}

#[test]
fn what_is_no_repository_is_refused_in_one_line_that_says_what_to_do() {
    let repo = Repo::new();
    repo.change("src/a", "a", "history", 0);
    repo.git(&["branch", "stable"]);
    let folder = repo.beside("plain");
    fs::create_dir(&folder).expect("a folder");
    fs::write(repo.beside("file"), "x").expect("written");
    let broken = repo.beside("broken");
    fs::create_dir_all(broken.join(".git")).expect("a folder");
    let branch = |name: &str| {
        let mut config = config(repo.path());
        config.branch = Some(name.to_owned());
        config
    };
    let empty = Repo::new();
    let mut of_empty = config(empty.path());
    of_empty.branch = Some("main".to_owned());
    for (config, said) in [
        (config(repo.beside("missing")), "no such folder"),
        (config(&folder), "give the path of one, or run `git init`"),
        (config(repo.beside("file")), "it is a file"),
        (config(repo.path().join("src")), "it lies within one: give "),
        (config(&broken), "broken"),
        (branch("stabel"), "no branch `stabel`; it has main, stable"),
        (branch("not a name"), "no branch `not a name`"),
        (of_empty, "it has none yet"),
    ] {
        let refused = refusal(config);
        assert!(refused.contains(said), "{refused}");
        assert!(!refused.contains('\n'), "one line: {refused}");
    }
    assert!(GitSource::open(branch("stable")).is_ok());
    assert!(GitSource::open(config(empty.path())).is_ok());
}

#[tokio::test]
async fn an_empty_map_root_owns_everything_that_nobody_else_does() {
    let repo = Repo::new();
    repo.change("a/b", "x", "deep", 0);
    let mut config = config(repo.path());
    config.domains = map("[[agent]]\nid = \"all\"\npaths = [\"/\"]");
    let running = run(config, later);
    told(&running.kept, 1).await;
    let events = running.kept.events();
    assert_eq!(work(&events), ["all: deep"]);
    let path = entities(&events, EntityVerb::Created)[0].domain.clone();
    assert!(matches!(path, Field::Set(domain) if domain.path.as_str() == "/"));
}
