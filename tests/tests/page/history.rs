//! A repository's history on the page, counted against what `git` says of it.

use monkeytown_tests::{
    browser::{Browser, Page},
    repository::Repository,
    stream::{Source, Stream},
};
use std::collections::BTreeSet;

/// Two folders and the root, two merges, a squashed pull request, a commit over two folders.
fn town() -> Repository {
    let town = Repository::new();
    town.commit(0, "begin", &[("README.md", "a town")]);
    town.commit(1, "lay the first stone", &[("src/a", "1"), ("src/b", "1")]);
    town.commit(2, "tell of it (#3)", &[("docs/a", "1"), ("docs/b", "1"), ("src/b", "2")]);
    for side in ["north", "south"] {
        town.git(3, &["checkout", "--quiet", "-b", side]);
        town.commit(4, &format!("look {side}"), &[(&format!("src/{side}"), "1")]);
        town.git(5, &["checkout", "--quiet", "main"]);
        town.commit(6, &format!("meanwhile, before {side}"), &[("docs/a", side)]);
        town.git(7, &["merge", "--quiet", "--no-ff", side, "-m", &format!("Merge branch '{side}'")]);
    }
    town
}

/// The folder that a path is in, as the page names its agent.
fn domain(path: &str) -> &str {
    path.split_once('/').map_or("root", |(folder, _)| folder)
}

/// A sum in the foot, by its label.
async fn sum(page: &Page, label: &str) -> usize {
    let find = format!("[...document.querySelectorAll('#sums dt')].find((dt) => dt.textContent === '{label}')");
    let text: String = page.value(&format!("{find}.parentElement.querySelector('dd').textContent")).await;
    text.replace(',', "").parse().expect("a number")
}

/// Ids in the ghost column.
async fn ghosts(page: &Page) -> BTreeSet<String> {
    let items = "document.querySelectorAll('[data-testid=ghost-item]')";
    page.value(&format!("[...{items}].map((item) => item.dataset.entityId)")).await
}

#[tokio::test]
async fn agents_transactions_contracts_and_flows_are_those_that_git_tells() {
    let town = town();
    let stream = Stream::start(Source::Git(town.path())).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;

    let commits = town.lines(&["rev-list", "HEAD"]);
    let merges = town.lines(&["rev-list", "--merges", "HEAD"]);
    let squashed = town.lines(&["log", "--no-merges", "--grep= (#[0-9]*)$", "--format=%H"]);
    assert_eq!((commits.len(), merges.len(), squashed.len()), (9, 2, 1));
    let labelled =
        |label: &str| format!("[...document.querySelectorAll('#sums dt')].find((dt) => dt.textContent === '{label}')");
    let count = commits.len();
    page.until(&format!("{}.parentElement.querySelector('dd').textContent === '{count}'", labelled("commits"))).await;

    let paths = town.lines(&["log", "--name-only", "--format="]);
    let domains: BTreeSet<String> = paths.iter().map(|path| domain(path).to_owned()).collect();
    page.until("document.querySelector('[data-testid=agent-card]')").await;
    let agents: BTreeSet<String> = page.agents().await.into_iter().collect();
    assert_eq!(agents, domains);

    let told = ghosts(&page).await;
    let listed: BTreeSet<String> = commits.iter().map(|commit| format!("commit:{commit}")).collect();
    let transactions: BTreeSet<String> = told.iter().filter(|id| id.starts_with("commit:")).cloned().collect();
    assert_eq!(transactions, listed);
    assert_eq!(told.len() - transactions.len(), merges.len() + squashed.len());
    assert_eq!(sum(&page, "settled").await, merges.len() + squashed.len());

    // One flow to every other domain that a commit changed, and one to the people for every contract.
    let across = commits.iter().map(|commit| {
        let files = town.lines(&["diff-tree", "--root", "--no-commit-id", "--name-only", "-r", commit]);
        files.iter().map(|path| domain(path)).collect::<BTreeSet<_>>().len().saturating_sub(1)
    });
    let contracts = merges.len() + squashed.len();
    assert_eq!(sum(&page, "flows arrived").await, across.sum::<usize>() + contracts);
    assert_eq!(sum(&page, "broken").await, 0);

    assert_eq!(page.attribute("source-badge", "data-source-kind").await, "git");
    let shown: String = page.value("document.querySelector('[data-testid=source-badge]').innerText").await;
    assert!(shown.to_lowercase().contains("git"), "{shown}");
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_new_commit_is_on_the_page_without_a_reload() {
    let town = town();
    let stream = Stream::start(Source::Git(town.path())).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    page.until_state("live").await;
    page.until("document.querySelector('[data-testid=agent-card]')").await;
    page.value::<bool>("window.sameVisit = true").await;
    let commit = town.commit(9, "build a bridge", &[("bridge/arch", "1")]);
    page.until_card("bridge", "build a bridge").await;
    page.until(&format!("document.querySelector('[data-testid=ghost-item][data-entity-id=\"commit:{commit}\"]')"))
        .await;
    assert!(page.value::<bool>("window.sameVisit").await, "the page was loaded again");
    browser.close().await;
}
