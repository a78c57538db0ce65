//! Pull requests, their reviews, checks and releases.

use crate::support::{Stream, changed, options, payload, with_map};
use monkeytown_protocol::SourceUri;
use monkeytown_stream::WebhookOptions;
use serde_json::{Value, json};

const MERGED: &str = "34c5c7793cb3b279e22454cb6750c80560547b3a";

fn pull(action: &str) -> Value {
    payload(&format!("pull_request.{action}"))
}

fn merged() -> Value {
    changed(pull("closed"), &[("/pull_request/merged", json!(true)), ("/pull_request/merge_commit_sha", json!(MERGED))])
}

#[tokio::test]
async fn a_pull_request_is_a_contract_until_it_is_merged() {
    let stream = Stream::start().await;
    stream.deliver("pull_request", &pull("opened")).await;
    let contract = stream.entity("pull:2").await;
    assert_eq!((&contract["kind"], &contract["status"]), (&json!("contract"), &json!("active")));
    assert_eq!(contract["label"], "Update the README with new information.");
    assert_eq!(contract["url"], "https://github.com/Codertocat/Hello-World/pull/2");
    assert_eq!((&contract["parent"], &contract["activity"]), (&json!("root"), &json!("opened by Codertocat")));

    stream.deliver("pull_request", &pull("ready_for_review")).await;
    assert_eq!(stream.entity("pull:2").await["status"], "processing");
    let asked = changed(pull("review_requested"), &[("/requested_reviewer", json!({"login": "octocat"}))]);
    stream.deliver("pull_request", &asked).await;
    let contract = stream.entity("pull:2").await;
    assert_eq!(contract["status"], "processing");
    assert_eq!(contract["activity"], "waiting for a review by octocat");

    stream.deliver("pull_request_review", &payload("pull_request_review.submitted")).await;
    stream.deliver("pull_request", &merged()).await;
    let settled = stream.settled("pull:2").await;
    assert_eq!((&settled["kind"], &settled["outcome"]), (&json!("contract"), &json!("settled")));
    assert_eq!((&settled["url"], &settled["agent"]), (&contract["url"], &json!("root")));
    assert_eq!(
        stream.flows().await,
        [
            "contract started root>people",
            "message started people>root",
            "message complete people>root",
            "contract complete root>people",
            "contract started root>people",
            "contract complete root>people",
        ]
    );
    let merge = stream.events().await.pop().unwrap();
    assert_eq!(merge["data"]["id"], format!("{MERGED}/contract/people"), "as the Git source calls it");
    assert_eq!(stream.state().await["totals"]["contracts_settled"], 1);
}

#[tokio::test]
async fn one_that_is_closed_unmerged_breaks_and_its_review_with_it() {
    let stream = Stream::start().await;
    stream.deliver("pull_request", &pull("ready_for_review")).await;
    stream.deliver("pull_request", &pull("closed")).await;
    let settled = stream.settled("pull:2").await;
    assert_eq!((&settled["outcome"], &settled["reason"]), (&json!("broken"), &json!("not merged")));
    assert_eq!(stream.flows().await, ["contract started root>people", "contract failed root>people (not merged)"]);
    // Opened again, it is a contract again.
    let again = changed(pull("opened"), &[("/action", json!("reopened"))]);
    stream.deliver("pull_request", &again).await;
    assert_eq!(stream.entity("pull:2").await["status"], "active");
}

#[tokio::test]
async fn a_review_that_asks_for_changes_breaks_on_its_way() {
    let stream = Stream::start().await;
    let review = |action: &str, state: &str| {
        let review = payload("pull_request_review.submitted");
        changed(review, &[("/action", json!(action)), ("/review/state", json!(state))])
    };
    stream.deliver("pull_request_review", &review("submitted", "APPROVED")).await;
    stream.deliver("pull_request_review", &review("submitted", "changes_requested")).await;
    stream.deliver("pull_request_review", &review("dismissed", "dismissed")).await;
    assert_eq!(stream.take("pull_request_review", &review("edited", "approved")).await.status, 202);
    assert_eq!(
        stream.flows().await,
        [
            "message started people>root",
            "message complete people>root",
            "message started people>root",
            "message failed people>root (changes were asked for)",
            "message failed people>root (dismissed)",
        ]
    );
}

#[tokio::test]
async fn pull_requests_of_a_second_repository_are_others() {
    let stream = Stream::start().await;
    stream.deliver("pull_request", &pull("opened")).await;
    let elsewhere = [
        ("/repository/html_url", json!("https://github.com/octo-org/other")),
        ("/repository/full_name", json!("octo-org/other")),
    ];
    stream.deliver("pull_request", &changed(pull("opened"), &elsewhere)).await;
    let entities = stream.state().await["entities"].clone();
    assert!(entities["pull:2"].is_object() && entities["pull:octo-org/other#2"].is_object(), "{entities}");
}

#[tokio::test]
async fn the_repository_that_the_git_source_tells_of_keeps_its_name_and_numbers() {
    let mut options = options();
    let home = Some(SourceUri::new("https://github.com/codertocat/hello-world").unwrap());
    options.webhooks = options.webhooks.map(|webhooks| WebhookOptions { home, ..webhooks });
    let stream = Stream::with(options).await;
    let elsewhere = [
        ("/repository/html_url", json!("https://github.com/octo-org/other")),
        ("/repository/full_name", json!("octo-org/other")),
    ];
    stream.deliver("pull_request", &changed(pull("opened"), &elsewhere)).await;
    stream.deliver("pull_request", &pull("opened")).await;
    let entities = stream.state().await["entities"].clone();
    assert!(entities["pull:2"].is_object() && entities["pull:octo-org/other#2"].is_object(), "{entities}");
    assert_eq!(stream.events().await.pop().unwrap()["source"], "https://github.com/codertocat/hello-world");
}

#[tokio::test]
async fn a_check_is_a_signal_from_who_checks_to_whose_work_it_is() {
    let stream = Stream::start().await;
    stream.deliver("check_run", &payload("check_run.created")).await;
    stream.deliver("check_run", &payload("check_run.completed")).await;
    stream.deliver("check_suite", &payload("check_suite.completed")).await;
    assert_eq!(
        stream.flows().await,
        [
            "signal started octocoders-linter>people",
            "signal failed github-actions>people (Octocoders-linter: failed)",
            "signal complete octocoders-linter>people",
        ]
    );
    assert_eq!(stream.entity("octocoders-linter").await["kind"], "agent");
}

#[tokio::test]
async fn a_check_of_a_known_pull_request_goes_to_its_agent() {
    let stream = Stream::with(with_map("[[agent]]\nid = \"all\"\npaths = [\"/\"]")).await;
    stream.deliver("pull_request", &pull("opened")).await;
    let check = changed(payload("check_run.created"), &[("/check_run/pull_requests", json!([{"number": 2}]))]);
    stream.deliver("check_run", &check).await;
    assert_eq!(stream.flows().await, ["signal started octocoders-linter>all"]);
}

#[tokio::test]
async fn a_release_is_settled_once_however_often_it_is_told() {
    let stream = Stream::start().await;
    let release = |action: &str| changed(payload("release.published"), &[("/action", json!(action))]);
    stream.deliver("release", &release("published")).await;
    stream.deliver("release", &release("released")).await;
    assert_eq!(stream.take("release", &release("deleted")).await.status, 202);
    let settled = stream.settled("release:17372790").await;
    assert_eq!((&settled["kind"], &settled["outcome"]), (&json!("transaction"), &json!("settled")));
    assert_eq!(settled["label"], "release 0.0.1");
    assert_eq!(settled["url"], "https://github.com/Codertocat/Hello-World/releases/tag/0.0.1");
    assert_eq!(stream.state().await["totals"]["transactions"], 1);
    let draft = changed(release("published"), &[("/release/id", json!(5)), ("/release/draft", json!(true))]);
    assert_eq!(stream.take("release", &draft).await.status, 202);
}
