//! What a repository's history says is what is told: agents, transactions, contracts, flows, numbers of files.

use crate::support::{
    BEGIN, Repo, alerts, config, created, entities, files, flow_events, flows, git_as, git_in, history, ids, later,
    map, run, statuses, work,
};
use monkeytown_protocol::{EntityKind, EntityStatus, EntityVerb, Event, Field, FlowVerb, Payload, Timestamp};
use monkeytown_stream::sources::git::GitSource;
use std::collections::{BTreeSet, HashSet};

fn lines(text: &str) -> Vec<String> {
    text.lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn a_commit_is_a_transaction_of_the_agent_with_most_changed_files() {
    let repo = Repo::new();
    repo.write("README.md", "a town");
    repo.write("src/a.rs", "a");
    repo.write("src/b.rs", "b");
    let first = repo.commit("found the town", 0);
    repo.change("docs/guide.md", "guide", "write the guide", 1);
    let events = history(config(repo.path())).await;
    assert_eq!(work(&events), ["src: found the town", "docs: write the guide"]);
    assert_eq!(ids(&created(&events, EntityKind::Agent)), ["src", "root", "docs"]);
    let root = created(&events, EntityKind::Agent)[1];
    assert_eq!(root.label.as_ref().map(ToString::to_string).as_deref(), Some("town"));
    assert_eq!(flows(&events), ["resource src>root"]);
    assert_eq!((files(&events, "src"), files(&events, "root"), files(&events, "docs")), (2, 1, 1));
    let transaction = created(&events, EntityKind::Transaction)[0];
    assert_eq!(transaction.id.as_str(), format!("commit:{first}"));
    assert_eq!((transaction.status, &transaction.url), (Some(EntityStatus::Complete), &Field::Absent));
    assert!(events.iter().all(|event| event.source.as_str() == "/git/town" && event.recorded.is_none()));
}

#[tokio::test]
async fn of_two_domains_with_as_many_files_the_one_with_the_first_path_acts() {
    let repo = Repo::new();
    repo.write("zoo/a", "a");
    repo.write("bar/z", "b");
    repo.commit("both", 0);
    assert_eq!(work(&history(config(repo.path())).await), ["bar: both"]);
}

#[tokio::test]
async fn a_merge_settles_a_contract_and_brings_its_files_once() {
    let repo = Repo::new();
    repo.change("src/a", "a", "begin", 0);
    repo.git(&["checkout", "--quiet", "-b", "feature"]);
    repo.change("lib/x", "x", "add x", 1);
    repo.change("lib/y", "see src/a", "add y", 2);
    repo.git(&["checkout", "--quiet", "main"]);
    repo.change("src/b", "b", "add b", 3);
    let merge = repo.merge("feature", &["Merge pull request #12 from a/feature", "the lib arrives"], 4);
    repo.git(&["remote", "add", "origin", "git@github.com:monkey/town.git"]);

    let events = history(config(repo.path())).await;
    assert_eq!(
        work(&events),
        ["src: begin", "lib: add x", "lib: add y", "src: add b", "lib: Merge pull request #12 from a/feature"]
    );
    let contracts = created(&events, EntityKind::Contract);
    assert_eq!(ids(&contracts), ["pull:12"]);
    assert_eq!(contracts[0].label.as_ref().map(ToString::to_string).as_deref(), Some("the lib arrives"));
    assert_eq!(contracts[0].status, Some(EntityStatus::Complete));
    let url = |patch: &monkeytown_protocol::EntityPatch| match &patch.url {
        Field::Set(url) => url.as_str().to_owned(),
        _ => String::new(),
    };
    assert_eq!(url(contracts[0]), "https://github.com/monkey/town/pull/12");
    let last = created(&events, EntityKind::Transaction)[4];
    assert_eq!(url(last), format!("https://github.com/monkey/town/commit/{merge}"));
    assert!(events.iter().all(|event| event.source.as_str() == "https://github.com/monkey/town"));
    assert_eq!(flows(&events), ["message lib>src", "contract lib>people"]);
    assert_eq!((files(&events, "src"), files(&events, "lib")), (2, 2));
    assert!(!ids(&created(&events, EntityKind::Agent)).contains(&"people".to_owned()));
}

#[tokio::test]
async fn a_squashed_pull_request_settles_a_contract_and_one_picked_again_another() {
    let repo = Repo::new();
    repo.change("src/a", "a", "add a (#7)", 0);
    let again = repo.change("src/b", "b", "add a (#7)", 1);
    repo.git(&["checkout", "--quiet", "-b", "plain", "HEAD~1"]);
    repo.change("src/c", "c", "add c", 2);
    repo.git(&["checkout", "--quiet", "main"]);
    let merge = repo.merge("plain", &["Merge branch 'plain'"], 3);
    let events = history(config(repo.path())).await;
    let contracts = created(&events, EntityKind::Contract);
    assert_eq!(ids(&contracts), ["pull:7".to_owned(), format!("merge:{again}"), format!("merge:{merge}")]);
    let labels: Vec<_> = contracts.iter().map(|patch| patch.label.as_ref().expect("a label").to_string()).collect();
    assert_eq!(labels, ["add a", "add a", "Merge branch 'plain'"]);
}

#[tokio::test]
async fn a_rename_is_one_file_within_a_domain_and_one_in_each_of_two() {
    let repo = Repo::new();
    repo.write("src/a", "the text of a, see docs/");
    repo.write("docs/x", "the text of x");
    repo.write("docs/y", "the text of y");
    repo.commit("begin", 0);
    repo.git(&["mv", "src/a", "src/b"]);
    repo.change("docs/x", "changed", "move within, change one", 1);
    repo.git(&["mv", "docs/y", "src/y"]);
    repo.commit("move across", 2);
    let events = history(config(repo.path())).await;
    // As many files in each: the first path decides, and a move within is not two files.
    assert_eq!(work(&events), ["docs: begin", "docs: move within, change one", "docs: move across"]);
    assert_eq!(flows(&events), ["resource docs>src", "resource docs>src", "resource docs>src"]);
    assert_eq!((files(&events, "src"), files(&events, "docs")), (2, 1));
}

#[tokio::test]
async fn an_empty_commit_is_of_its_authors_last_agent_else_of_the_root() {
    let repo = Repo::new();
    repo.commit("nothing yet", 0);
    repo.change("src/a", "a", "add a", 1);
    repo.commit("nothing more", 2);
    let work = work(&history(config(repo.path())).await);
    assert_eq!(work, ["root: nothing yet", "src: add a", "src: nothing more"]);
}

#[tokio::test]
async fn a_changed_text_that_newly_refers_to_a_domain_sends_it_a_message() {
    let repo = Repo::new();
    repo.write("docs/guide.md", "guide");
    repo.write("tests/t", "t");
    repo.write("src/a", "a");
    repo.commit("begin", 0);
    repo.change("src/a", "see docs/guide.md and mytests/", "refer to docs", 1);
    repo.change("src/a", "see docs/guide.md, again docs/", "refer to it still", 2);
    repo.change("src/b", "b\0docs/", "binary", 3);
    repo.git(&["mv", "src/a", "tests/a"]);
    repo.commit("move", 4);
    repo.change("src/b", &format!("tests/{}", " ".repeat(300_000)), "too long to read", 5);
    let events = history(config(repo.path())).await;
    let messages: Vec<_> = flows(&events).into_iter().filter(|flow| flow.starts_with("message")).collect();
    assert_eq!(messages, ["message src>docs"]);
}

#[tokio::test]
async fn names_that_are_not_utf8_are_told_with_replacement_characters() {
    use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
    let repo = Repo::new();
    let folder = repo.path().join(OsStr::from_bytes(b"caf\xe9"));
    std::fs::create_dir(&folder).expect("a folder");
    std::fs::write(folder.join(OsStr::from_bytes(b"\xff\xfe")), "x").expect("written");
    std::fs::write(folder.join("control\u{1}"), "x").expect("written");
    let message = repo.beside("message");
    std::fs::write(&message, b"a subject in latin-1: \xe9\x07").expect("written");
    repo.git(&["add", "--all"]);
    repo.git(&["-c", "i18n.commitEncoding=latin1", "commit", "--quiet", "-F", &message.display().to_string()]);
    let events = history(config(repo.path())).await;
    assert_eq!(work(&events), ["caf\u{fffd}: a subject in latin-1: \u{fffd}\u{fffd}"]);
    assert_eq!(files(&events, "caf\u{fffd}"), 2);
}

#[tokio::test]
async fn a_shallow_clones_edge_is_told_without_flows() {
    let repo = Repo::new();
    for at in 0..5 {
        repo.write(&format!("src/{at}"), "see docs/");
        repo.change(&format!("docs/{at}"), "see src/", &format!("change {at}"), at);
    }
    let shallow = repo.beside("shallow");
    let url = format!("file://{}", repo.path().display());
    repo.git(&["clone", "--quiet", "--depth", "2", &url, &shallow.display().to_string()]);
    let events = history(config(&shallow)).await;
    assert_eq!(work(&events), ["docs: change 3", "docs: change 4"]);
    assert_eq!(flows(&events), ["resource docs>src", "message docs>src"], "those of the last commit alone");
    assert_eq!(files(&events, "docs"), 5, "what lies there is counted");
    assert_eq!(alerts(&events).len(), 0);
}

#[tokio::test]
async fn objects_that_are_lost_are_said_and_the_rest_is_told() {
    let repo = Repo::new();
    repo.change("src/a", "a", "lost", 0);
    let lost = repo.git(&["rev-parse", "HEAD"]);
    repo.change("src/b", "b", "kept", 1);
    let lost_tree = repo.change("docs/c", "c", "tree lost", 2);
    let lost_tree = repo.git(&["rev-parse", &format!("{lost_tree}:docs")]);
    for id in [&lost, &lost_tree] {
        let (folder, file) = id.split_at(2);
        std::fs::remove_file(repo.path().join(".git/objects").join(folder).join(file)).expect("a loose object");
    }
    let events = history(config(repo.path())).await;
    assert_eq!(work(&events), ["src: kept", "src: tree lost"]);
    let alerts = alerts(&events);
    assert_eq!(alerts.len(), 1);
    assert!(alerts[0].message.as_str().starts_with("2 commits cannot be read whole"), "{:?}", alerts[0]);
}

#[tokio::test]
async fn times_that_lie_are_taken_between_the_commit_before_and_now() {
    let repo = Repo::new();
    let at = |subject: &str, seconds: i64| {
        git_in(&repo.path(), &["commit", "--quiet", "--allow-empty", "-m", subject], seconds);
    };
    at("never set", 0);
    at("honest", BEGIN);
    at("back", BEGIN - 5_000);
    at("far future", 4_000_000_000);
    at("honest again", BEGIN + 60);
    let events = history(config(repo.path())).await;
    let times: Vec<_> = events
        .iter()
        .filter(|event| event.id.as_str().ends_with("/tx"))
        .map(|event| event.time.millis() / 1_000 - BEGIN)
        .collect();
    assert_eq!(times, [0, 0, 0, 0, 60]);
    let work: Vec<_> = work(&events).iter().map(|line| line.trim_start_matches("root: ").to_owned()).collect();
    assert_eq!(work, ["never set", "honest", "back", "far future", "honest again"]);
}

#[tokio::test]
async fn flows_are_under_way_until_their_agent_commits_again_or_rests() {
    let repo = Repo::new();
    repo.write("src/a", "a");
    repo.write("src/b", "a");
    let first = repo.change("docs/a", "a", "one", 0);
    repo.write("src/a", "b");
    repo.write("src/b", "b");
    let second = repo.change("docs/a", "b", "two", 5);
    let third = repo.change("docs/a", "c", "three", 60);
    let events = history(config(repo.path())).await;
    let told: Vec<_> = events
        .iter()
        .filter(|event| matches!(event.payload, Payload::Flow(..)) || event.id.as_str().ends_with("/rest"))
        .map(|event| (event.id.as_str().to_owned(), (event.time.millis() / 1_000 - BEGIN) / 60))
        .collect();
    let flow = |id: &str, what: &str| format!("{id}/resource/docs/{what}");
    let expected = [
        (flow(&first, "started"), 0),
        (flow(&first, "complete"), 5),
        (flow(&second, "started"), 5),
        (flow(&second, "complete"), 15),
        (format!("{second}/rest"), 15),
        (format!("{third}/rest"), 70),
    ];
    assert_eq!(told, expected);
    assert_eq!(statuses(&events).last(), Some(&("docs".to_owned(), EntityStatus::Idle)));
    assert_eq!(flow_events(&events, FlowVerb::Started).len(), flow_events(&events, FlowVerb::Complete).len());
}

const MAP: &str = r#"
    [[agent]]
    id = "founder"
    paths = ["town/"]
    [[agent]]
    id = "architect"
    label = "The Architect"
    paths = ["town/plans/"]
    parent = "founder"
    authors = ["architect@example.org"]
    workflows = ["Plan the town"]
    [[agent]]
    id = "keeper"
    paths = [".github/"]
"#;

#[tokio::test]
async fn a_domain_map_says_whose_the_work_is() {
    let repo = Repo::new();
    repo.change("town/square", "x", "lay the square", 0);
    repo.change("town/plans/a", "see town/square", "plan", 1);
    repo.change("elsewhere", "x", "wander", 2);
    repo.write("town/square", "see .github/workflows");
    repo.git(&["add", "--all"]);
    git_as(&repo.path(), &["commit", "--quiet", "-m", "by hand"], BEGIN + 180, "Architect@Example.org");
    repo.change(".github/workflows/plan.yml", "name: Plan the Town\non: push\n", "automate", 4);
    repo.change(".github/workflows/other.yml", "name: Other\n", "automate more", 5);
    let mut config = config(repo.path());
    config.domains = map(MAP);
    let events = history(config).await;
    let agents = created(&events, EntityKind::Agent);
    assert_eq!(ids(&agents), ["founder", "architect", "keeper", "elsewhere"]);
    assert_eq!(agents[1].label.as_ref().map(ToString::to_string).as_deref(), Some("The Architect"));
    assert!(matches!(&agents[1].parent, Field::Set(parent) if parent.as_str() == "founder"));
    assert_eq!(
        work(&events),
        [
            "founder: lay the square",
            "architect: plan",
            "elsewhere: wander",
            "architect: by hand",
            "keeper: automate",
            "keeper: automate more"
        ]
    );
    assert_eq!(
        flows(&events),
        [
            "message architect>founder",
            "resource architect>founder",
            "message architect>keeper",
            "signal keeper>architect",
            "signal keeper>elsewhere"
        ]
    );
    let first = events[0].time;
    assert!(events.iter().take(3).all(|event| event.time == first), "a map's agents are there from the start");
}

/// What `git` says of the same history, counted in ways of its own.
#[tokio::test]
async fn the_counts_are_those_that_git_tells() {
    let repo = Repo::new();
    for at in 0..60_i64 {
        let folder = ["src", "docs", "lib"][usize::try_from(at % 3).expect("small")];
        let subject = if at % 7 == 0 { format!("change {at} (#{at})") } else { format!("change {at}") };
        repo.change(&format!("{folder}/deep/{at}"), &format!("see docs/{at}"), &subject, at * 3);
        if at % 10 == 5 {
            repo.git(&["checkout", "--quiet", "-b", &format!("side{at}")]);
            repo.git(&["rm", "--quiet", "-r", &format!("{folder}/deep")]);
            repo.change(&format!("side/{at}"), "x", "beside", at * 3 + 1);
            repo.git(&["checkout", "--quiet", "main"]);
            repo.change("README.md", &at.to_string(), "meanwhile", at * 3 + 1);
            repo.merge(&format!("side{at}"), &[&format!("Merge branch 'side{at}'")], at * 3 + 2);
        }
    }
    let events = history(config(repo.path())).await;
    let told: HashSet<_> = ids(&created(&events, EntityKind::Transaction)).into_iter().collect();
    let listed: HashSet<_> = lines(&repo.git(&["rev-list", "HEAD"])).iter().map(|id| format!("commit:{id}")).collect();
    assert_eq!(told, listed);
    assert_eq!(created(&events, EntityKind::Transaction).len(), listed.len());

    let merges = lines(&repo.git(&["rev-list", "--merges", "HEAD"])).len();
    let squashed =
        lines(&repo.git(&["log", "--no-merges", "--extended-regexp", "--grep= \\(#[0-9]+\\)$", "--format=%H"]));
    assert!(merges > 0 && squashed.len() > 5);
    assert_eq!(created(&events, EntityKind::Contract).len(), merges + squashed.len());

    let paths = lines(&repo.git(&["log", "--name-only", "--format="]));
    let domains: BTreeSet<_> =
        paths.iter().map(|path| path.split_once('/').map_or("root", |(folder, _)| folder).to_owned()).collect();
    let agents: BTreeSet<_> = ids(&created(&events, EntityKind::Agent)).into_iter().collect();
    assert_eq!(agents, domains);

    for agent in &agents {
        let here = lines(&repo.git(&["ls-tree", "-r", "--name-only", "HEAD"]));
        let own = |path: &&String| path.split_once('/').map_or("root", |(folder, _)| folder) == agent;
        assert_eq!(files(&events, agent) as usize, here.iter().filter(own).count(), "{agent}");
    }

    // Parents before children, and no time goes back.
    let order: Vec<_> = ids(&created(&events, EntityKind::Transaction));
    let place = |id: &str| order.iter().position(|other| other.ends_with(id)).expect("told");
    for line in lines(&repo.git(&["rev-list", "--parents", "HEAD"])) {
        let mut ids = line.split(' ');
        let child = place(ids.next().expect("a commit"));
        assert!(ids.all(|parent| place(parent) < child));
    }
    assert!(events.is_sorted_by_key(|event| event.time));
}

#[tokio::test]
async fn the_same_history_gives_the_same_events_each_with_its_own_id() {
    let repo = Repo::new();
    for at in 0..200 {
        repo.write(&format!("src/{at}"), "see docs/");
        repo.change(&format!("docs/{at}"), "x", &format!("change {at}"), at);
    }
    let (once, again) = (history(config(repo.path())).await, history(config(repo.path())).await);
    assert_eq!(once, again);
    let different: HashSet<_> = once.iter().map(|event| event.id.clone()).collect();
    assert_eq!(different.len(), once.len());
}

#[tokio::test]
async fn bare_repositories_linked_work_trees_and_packed_ones_are_told_alike() {
    let repo = Repo::new();
    for at in 0..3 {
        repo.change("src/a", &at.to_string(), &format!("change {at}"), at);
    }
    let bare = repo.beside("bare.git");
    repo.git(&["clone", "--quiet", "--bare", &repo.path().display().to_string(), &bare.display().to_string()]);
    let linked = repo.beside("linked");
    repo.git(&["worktree", "add", "--quiet", "-b", "linked", &linked.display().to_string()]);
    git_in(&bare, &["repack", "-adq"], BEGIN);
    git_in(&bare, &["pack-refs", "--all"], BEGIN);
    let expected = ["src: change 0", "src: change 1", "src: change 2"];
    for path in [bare, linked, repo.path().join(".git")] {
        assert_eq!(work(&history(config(&path)).await), expected, "{}", path.display());
    }
}

/// Two thousand commits come from `git fast-import`, so that making them takes no longer than telling them.
#[tokio::test]
async fn two_thousand_commits_are_told_at_once_in_batches_of_a_thousand_at_most() {
    use std::{fmt::Write as _, io::Write as _};
    let repo = Repo::new();
    let mut script = String::new();
    for mark in 1..=2_000 {
        let (time, folder) =
            (BEGIN + mark * 90, ["src", "docs", "lib", "api"][usize::try_from(mark % 4).expect("small")]);
        let content = format!("see lib/{mark}");
        writeln!(
            script,
            "commit refs/heads/main\ncommitter C <c@example.org> {time} +0000\ndata <<E\nchange {mark}\nE\n\
             M 100644 inline {folder}/{}/f\ndata {}\n{content}\n",
            mark % 50,
            content.len()
        )
        .expect("to a string");
    }
    let mut import = std::process::Command::new("git")
        .current_dir(repo.path())
        .args(["fast-import", "--quiet"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .expect("git runs");
    import.stdin.take().expect("piped").write_all(script.as_bytes()).expect("it reads");
    assert!(import.wait().expect("it ends").success());

    let running = run(config(repo.path()), later);
    running.kept.until(|state| state.clocks.len() >= 2).await;
    let state = running.kept.state();
    assert!(state.batches.iter().all(|(_, size)| (1..=1_000).contains(size)));
    let work = work(&state.events);
    assert_eq!(work.len(), 2_000);
    assert_eq!(work.last().map(String::as_str), Some("src: change 2000"));
    assert_eq!(state.clocks.last().map(|clock| (clock.shows, clock.rate)), Some((later(), 1.0)));
}

#[test]
fn a_source_names_its_repository_and_branch() {
    let repo = Repo::new();
    repo.change("a", "a", "a", 0);
    repo.git(&["checkout", "--quiet", "-b", "topic/x"]);
    let source = GitSource::open(config(repo.path())).expect("it opens");
    assert_eq!((source.source().as_str(), source.branch()), ("/git/town", "topic/x"));
}

#[test]
fn events_are_well_formed_on_the_wire() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let repo = Repo::new();
    repo.change("src/a", "see docs/", &"é".repeat(3_000), 0);
    repo.change("docs/a", "see src/", "second", 1);
    let events: Vec<Event> = runtime.block_on(history(config(repo.path())));
    assert!(!entities(&events, EntityVerb::Updated).is_empty());
    for event in events {
        let json = serde_json::to_vec(&event).expect("it is written");
        assert!(json.len() <= monkeytown_protocol::limits::EVENT_MAX_BYTES);
        assert!(event.time <= Timestamp::from_millis(later().millis()));
    }
}
