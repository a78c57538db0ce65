//! A witness's seed, from the issue that it was planted by to what came of it.

use crate::support::{Stream, changed, payload};
use serde_json::{Value, json};

const ISSUE: &str = "https://github.com/Codertocat/Hello-World/issues/1";
const PULL: &str = "https://github.com/Codertocat/Hello-World/pull/2";

fn issue(action: &str, reason: Option<&str>) -> Value {
    let body = "Please do.\n\nSeed: query-7k2m\r\nThank you.";
    changed(
        payload("issues.opened"),
        &[("/action", json!(action)), ("/issue/body", json!(body)), ("/issue/state_reason", json!(reason))],
    )
}

fn pull(name: &str, body: &str, merged: bool) -> Value {
    let pull = payload(&format!("pull_request.{name}"));
    changed(pull, &[("/pull_request/body", json!(body)), ("/pull_request/merged", json!(merged))])
}

/// `ID WORD RESULT` of every event of a seed.
async fn told(stream: &Stream) -> Vec<String> {
    let events = stream.events().await;
    let seeds = events.iter().filter_map(|event| {
        let word = event["type"].as_str()?.strip_prefix("monkeytown.seed.")?;
        let (id, result) = (event["data"]["id"].as_str()?, event["data"]["result"].as_str().unwrap_or("nowhere"));
        Some(format!("{id} {word} {result}"))
    });
    seeds.collect()
}

#[tokio::test]
async fn an_issue_finds_a_seed_a_comment_and_a_pull_request_move_it_on_and_closing_completes_it() {
    let stream = Stream::start().await;
    stream.deliver("issues", &issue("opened", None)).await;
    assert_eq!(stream.take("issues", &issue("edited", None)).await.status, 202, "the same words again are no news");
    assert_eq!(stream.take("issues", &issue("labeled", None)).await.status, 202);
    let comment = changed(payload("issue_comment.created"), &[("/comment/body", json!("seed: query-7k2m"))]);
    stream.deliver("issue_comment", &comment).await;
    stream.deliver("pull_request", &pull("opened", "Seed: query-7k2m", false)).await;
    stream.deliver("issues", &issue("closed", Some("completed"))).await;
    assert_eq!(
        told(&stream).await,
        [
            format!("query-7k2m discovery {ISSUE}"),
            format!("query-7k2m progress {ISSUE}#issuecomment-492700400"),
            format!("query-7k2m progress {PULL}"),
            format!("query-7k2m complete {ISSUE}"),
        ]
    );
    let seed = stream.state().await["seeds"]["query-7k2m"].clone();
    let seed = seed.get("report").cloned().unwrap_or(seed);
    assert_eq!((&seed["type"], &seed["status"], &seed["progress"]), (&json!("query"), &json!("complete"), &json!(1.0)));
    // Complete is final.
    assert_eq!(stream.take("issues", &issue("closed", Some("not_planned"))).await.status, 202);
}

#[tokio::test]
async fn an_issue_that_is_not_planned_fails_its_seed_until_it_is_opened_again() {
    let stream = Stream::start().await;
    stream.deliver("issues", &issue("opened", None)).await;
    stream.deliver("issues", &issue("closed", Some("not_planned"))).await;
    stream.deliver("issues", &issue("reopened", None)).await;
    stream.deliver("issues", &issue("closed", None)).await;
    let words: Vec<String> =
        told(&stream).await.iter().map(|told| told.split(' ').nth(1).unwrap().to_owned()).collect();
    assert_eq!(words, ["discovery", "failed", "progress", "complete"]);
}

#[tokio::test]
async fn a_pull_request_that_is_merged_completes_and_one_that_is_not_fails_what_it_names() {
    for (merged, word) in [(true, "complete"), (false, "failed")] {
        let stream = Stream::start().await;
        stream.deliver("pull_request", &pull("opened", "why\n\nSeed: resource-1", false)).await;
        stream.deliver("pull_request", &pull("closed", "why\n\nSeed: resource-1", merged)).await;
        assert_eq!(told(&stream).await, [format!("resource-1 discovery {PULL}"), format!("resource-1 {word} {PULL}")]);
    }
}

#[tokio::test]
async fn a_commit_completes_on_the_default_branch_and_finds_elsewhere() {
    let stream = Stream::start().await;
    let commit = payload("push")["commits"][0]["url"].as_str().unwrap().to_owned();
    let message = json!("mend the walls\n\nSeed: contract-9");
    let beside = [("/ref", json!("refs/heads/feature")), ("/commits/0/message", message.clone())];
    stream.deliver("push", &changed(payload("push"), &beside)).await;
    // Merged, it comes again, as one that was pushed before.
    let on_branch = [("/commits/0/message", message), ("/commits/0/distinct", json!(false))];
    stream.deliver("push", &changed(payload("push"), &on_branch)).await;
    assert_eq!(
        told(&stream).await,
        [format!("contract-9 discovery {commit}"), format!("contract-9 complete {commit}")]
    );
    // A subject is no line of the message's body.
    let subject = [("/commits/0/message", json!("Seed: contract-10")), ("/commits/0/id", json!("a".repeat(40)))];
    stream.deliver("push", &changed(payload("push"), &subject)).await;
    assert_eq!(told(&stream).await.len(), 2);
}
