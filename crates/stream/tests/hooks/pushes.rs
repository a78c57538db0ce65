//! Commits that are pushed.

use crate::support::{Stream, changed, payload, with_map};
use serde_json::{Value, json};

const COMMIT: &str = "6113728f27ae82c7b1a177c8d03f9e96e0adf246";

fn commit(id: &str, message: &str, files: &[&str]) -> Value {
    let template = payload("push")["commits"][0].clone();
    let url = format!("https://github.com/Codertocat/Hello-World/commit/{id}");
    let (added, none) = (json!(files), json!([]));
    changed(
        template,
        &[
            ("/id", json!(id)),
            ("/message", json!(message)),
            ("/url", json!(url)),
            ("/added", added),
            ("/removed", none.clone()),
            ("/modified", none),
        ],
    )
}

fn push(commits: Vec<Value>) -> Value {
    changed(payload("push"), &[("/commits", Value::Array(commits))])
}

#[tokio::test]
async fn a_pushed_commit_is_a_transaction_as_the_git_source_calls_it() {
    let stream = Stream::start().await;
    stream.deliver("push", &payload("push")).await;
    let settled = stream.settled(&format!("commit:{COMMIT}")).await;
    assert_eq!((&settled["kind"], &settled["outcome"]), (&json!("transaction"), &json!("settled")));
    assert_eq!((&settled["label"], &settled["agent"]), (&json!("Initial commit"), &json!("root")));
    assert_eq!(settled["url"], format!("https://github.com/Codertocat/Hello-World/commit/{COMMIT}"));
    assert_eq!(settled["time"], "2019-05-15T15:19:25.000Z");
    let root = stream.entity("root").await;
    assert_eq!((&root["label"], &root["status"]), (&json!("Hello-World"), &json!("idle")));
}

#[tokio::test]
async fn a_commit_is_of_the_folder_most_of_it_is_in_and_reaches_the_others() {
    let stream = Stream::start().await;
    let files = ["src/a.rs", "src/b.rs", "docs/a.md", "README.md"];
    stream.deliver("push", &push(vec![commit(COMMIT, "mend\n\nwhy", &files)])).await;
    assert_eq!(stream.settled(&format!("commit:{COMMIT}")).await["agent"], "src");
    assert_eq!(
        stream.flows().await,
        [
            "resource started src>root",
            "resource complete src>root",
            "resource started src>docs",
            "resource complete src>docs",
        ]
    );
    let flow = stream.events().await.pop().unwrap();
    assert_eq!(flow["data"]["id"], format!("{COMMIT}/resource/docs"));
}

#[tokio::test]
async fn a_map_says_whose_a_commit_is_and_whom_a_workflow_concerns() {
    let map = "[[agent]]\nid = \"writer\"\npaths = [\"docs/\"]\n[[agent]]\nid = \"builder\"\npaths = [\"src/\"]\n\
               workflows = [\"build\"]\n[[agent]]\nid = \"cat\"\nauthors = [\"Cat@example.org\"]";
    let stream = Stream::with(with_map(map)).await;
    let by_cat =
        changed(commit(&"a".repeat(40), "by the cat", &["docs/a"]), &[("/author/email", json!("cat@Example.org"))]);
    let workflow = commit(&"b".repeat(40), "build anew", &["docs/a", "docs/b", ".github/workflows/build.yml"]);
    let nothing = changed(commit(&"c".repeat(40), "nothing", &[]), &[("/author/email", json!("cat@example.org"))]);
    stream.deliver("push", &push(vec![by_cat, workflow, nothing])).await;
    for (id, agent) in [("a", "cat"), ("b", "writer"), ("c", "cat")] {
        assert_eq!(stream.settled(&format!("commit:{}", id.repeat(40))).await["agent"], agent);
    }
    let flows = stream.flows().await;
    assert!(flows.contains(&"signal complete writer>builder".to_owned()), "{flows:?}");
    assert!(flows.contains(&"resource complete cat>writer".to_owned()), "{flows:?}");
}

#[tokio::test]
async fn a_pull_request_is_of_its_newest_commits_agent() {
    let stream = Stream::start().await;
    let opened = payload("pull_request.opened");
    let head = opened["pull_request"]["head"]["sha"].as_str().unwrap().to_owned();
    stream.deliver("push", &push(vec![commit(&head, "work", &["src/a"])])).await;
    stream.deliver("pull_request", &opened).await;
    assert_eq!(stream.entity("pull:2").await["parent"], "src");
}

#[tokio::test]
async fn what_was_pushed_before_and_tags_are_not_told_again() {
    let stream = Stream::start().await;
    let known = changed(commit(COMMIT, "known", &["src/a"]), &[("/distinct", json!(false))]);
    let tag = changed(payload("push"), &[("/ref", json!("refs/tags/v1"))]);
    let gone = changed(push(vec![]), &[("/deleted", json!(true))]);
    for nothing in [push(vec![known]), tag, gone] {
        assert_eq!(stream.take("push", &nothing).await.status, 202);
    }
    assert!(stream.events().await.iter().all(|event| event["data"]["kind"] != "transaction"));
}

#[tokio::test]
async fn of_a_push_without_end_the_newest_commits_are_told_and_the_rest_is_counted() {
    let stream = Stream::start().await;
    let commits = (0..2_000).map(|number| commit(&format!("{number:040x}"), "one of many", &["src/a"])).collect();
    let taken = stream.take("push", &push(commits)).await;
    assert_eq!(taken.status, 200);
    assert!(taken.body["detail"].as_str().unwrap().contains("1750"), "{taken:?}");
    assert_eq!(stream.state().await["totals"]["transactions"], 250);
    assert_eq!(stream.settled(&format!("commit:{:040x}", 1_999)).await["outcome"], "settled");
}
