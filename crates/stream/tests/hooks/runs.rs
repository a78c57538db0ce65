//! Runs of workflows, and the agents that they are.

use crate::support::{Stream, changed, options, payload, rested_at_once, with_map};
use monkeytown_stream::{Options, Timing};
use serde_json::{Value, json};
use std::time::Duration;

const RUN: u64 = 1_589_141_559;

/// A run of the workflow `build` at some point.
fn run(action: &str, changes: &[(&str, Value)]) -> Value {
    let payload = changed(
        payload("workflow_run.completed"),
        &[
            ("/action", json!(action)),
            ("/workflow_run/name", json!("build")),
            ("/workflow_run/conclusion", Value::Null),
        ],
    );
    changed(payload, changes)
}

fn ended(conclusion: &str) -> Value {
    run("completed", &[("/workflow_run/conclusion", json!(conclusion))])
}

fn job(action: &str, changes: &[(&str, Value)]) -> Value {
    let payload = changed(
        payload("workflow_job.completed"),
        &[
            ("/action", json!(action)),
            ("/workflow_job/run_id", json!(RUN)),
            ("/workflow_job/workflow_name", json!("build")),
        ],
    );
    changed(payload, changes)
}

#[tokio::test]
async fn a_run_makes_its_agent_start_work_settle_and_rest() {
    let stream = Stream::with(rested_at_once()).await;
    stream.deliver("workflow_run", &run("requested", &[])).await;
    let agent = stream.entity("build").await;
    assert_eq!((&agent["kind"], &agent["status"]), (&json!("agent"), &json!("active")));
    assert_eq!((&agent["label"], &agent["activity"]), (&json!("build"), &json!("starting build")));
    assert_eq!(agent["url"], "https://github.com/octo-org/octo-repo/actions/runs/1589141559");

    stream.deliver("workflow_run", &run("in_progress", &[])).await;
    let agent = stream.entity("build").await;
    assert_eq!((&agent["status"], &agent["activity"]), (&json!("processing"), &json!("running build")));

    let steps = json!([{"name": "Set up job", "status": "completed", "conclusion": "success"},
        {"name": "Run cargo test", "status": "in_progress", "conclusion": null}]);
    let at_work = job("in_progress", &[("/workflow_job/name", json!("tests")), ("/workflow_job/steps", steps)]);
    stream.deliver("workflow_job", &at_work).await;
    let agent = stream.entity("build").await;
    assert_eq!((&agent["status"], &agent["activity"]), (&json!("processing"), &json!("tests: Run cargo test")));

    let taken = stream.take("workflow_run", &ended("success")).await;
    assert_eq!(taken.status, 200);
    while stream.entity("build").await["status"] != "idle" {
        tokio::task::yield_now().await;
    }
    let settled = stream.settled("build").await;
    assert_eq!((&settled["kind"], &settled["outcome"]), (&json!("run"), &json!("settled")));
    assert_eq!((&settled["label"], &settled["url"]), (&json!("build #36"), &agent["url"]));
    let last = stream.events().await.pop().unwrap();
    assert_eq!(last["id"], format!("{}/1", taken.body["delivery"].as_str().unwrap()), "the delivery's next number");
    assert_eq!(last["causationid"], taken.body["delivery"]);
}

#[tokio::test]
async fn a_run_that_breaks_leaves_its_agent_broken_with_the_reason() {
    for (conclusion, why) in [
        ("failure", "failed"),
        ("timed_out", "timed out"),
        ("cancelled", "cancelled"),
        ("startup_failure", "could not start"),
    ] {
        let stream = Stream::with(rested_at_once()).await;
        stream.deliver("workflow_run", &run("requested", &[])).await;
        stream.deliver("workflow_run", &ended(conclusion)).await;
        let agent = stream.entity("build").await;
        assert_eq!((&agent["status"], &agent["reason"]), (&json!("error"), &json!(why)), "{conclusion}");
        let settled = stream.settled("build").await;
        assert_eq!((&settled["outcome"], &settled["reason"]), (&json!("broken"), &json!(why)));
    }
}

#[tokio::test]
async fn the_job_and_step_that_failed_are_named() {
    let stream = Stream::start().await;
    stream.deliver("workflow_run", &run("in_progress", &[])).await;
    let steps =
        json!([{"name": "Set up job", "conclusion": "success"}, {"name": "Run cargo test", "conclusion": "failure"}]);
    let failed = [("/workflow_job/name", json!("tests")), ("/workflow_job/steps", steps)];
    stream.deliver("workflow_job", &job("completed", &failed)).await;
    assert_eq!(stream.entity("build").await["activity"], "failed tests");
    stream.deliver("workflow_run", &ended("failure")).await;
    assert_eq!(stream.entity("build").await["reason"], "failed at tests: Run cargo test");
}

#[tokio::test]
async fn who_starts_again_does_not_rest() {
    let timing = Timing { rest_after: Duration::from_millis(300), ..Timing::default() };
    let stream = Stream::with(Options { timing, ..options() }).await;
    stream.deliver("workflow_run", &ended("success")).await;
    let other = [("/workflow_run/id", json!(7)), ("/workflow_run/name", json!("build"))];
    stream.deliver("workflow_run", &run("requested", &other)).await;
    // Another agent's rest, which is due later, has come: so the first one's has been passed over.
    let another = [
        ("/workflow_run/id", json!(8)),
        ("/workflow_run/name", json!("docs")),
        ("/workflow_run/conclusion", json!("success")),
    ];
    stream.deliver("workflow_run", &run("completed", &another)).await;
    while stream.entity("docs").await["status"] != "idle" {
        tokio::task::yield_now().await;
    }
    assert_eq!(stream.entity("build").await["status"], "active");
}

#[tokio::test]
async fn an_agent_with_another_run_under_way_goes_on_with_that_one() {
    let stream = Stream::with(rested_at_once()).await;
    stream.deliver("workflow_run", &run("in_progress", &[("/workflow_run/id", json!(7))])).await;
    stream.deliver("workflow_run", &run("requested", &[])).await;
    stream.deliver("workflow_run", &ended("success")).await;
    assert_eq!(stream.entity("build").await["status"], "processing");
    assert_eq!(stream.settled("build").await["outcome"], "settled");
}

#[tokio::test]
async fn what_an_attempt_says_too_late_changes_nothing() {
    let stream = Stream::start().await;
    stream.deliver("workflow_run", &run("in_progress", &[])).await;
    assert_eq!(stream.take("workflow_run", &run("requested", &[])).await.status, 202);
    stream.deliver("workflow_run", &ended("failure")).await;
    for (event, late) in [
        ("workflow_run", run("in_progress", &[])),
        ("workflow_run", ended("success")),
        ("workflow_job", job("in_progress", &[])),
        ("workflow_job", job("completed", &[])),
    ] {
        assert_eq!(stream.take(event, &late).await.status, 202);
    }
    assert_eq!(stream.entity("build").await["status"], "error");
    // Made again, it works again; what the first attempt still says is passed over.
    stream.deliver("workflow_run", &run("requested", &[("/workflow_run/run_attempt", json!(2))])).await;
    assert_eq!(stream.take("workflow_run", &ended("failure")).await.status, 202);
    let agent = stream.entity("build").await;
    assert_eq!((&agent["status"], &agent["reason"]), (&json!("active"), &Value::Null));
}

#[tokio::test]
async fn a_run_that_was_skipped_leaves_its_agent_at_rest_and_settles_nothing() {
    let stream = Stream::start().await;
    stream.deliver("workflow_run", &run("requested", &[])).await;
    stream.deliver("workflow_run", &ended("skipped")).await;
    assert_eq!(stream.entity("build").await["status"], "idle");
    assert_eq!(stream.settled("build").await, Value::Null);
}

#[tokio::test]
async fn a_run_of_which_no_more_is_heard_is_given_up() {
    let timing = Timing { run_silence: Duration::from_millis(50), ..Timing::default() };
    let stream = Stream::with(Options { timing, ..options() }).await;
    stream.deliver("workflow_run", &run("in_progress", &[])).await;
    while stream.entity("build").await["status"] != "error" {
        tokio::task::yield_now().await;
    }
    assert!(stream.entity("build").await["reason"].as_str().unwrap().starts_with("nothing was heard of build"));
    assert_eq!(stream.metric("agent_runs_active{agent_type=\"build\"}").await, 0.0);
}

#[tokio::test]
async fn a_map_gives_workflows_to_agents_by_name_and_by_file() {
    let map = "[[agent]]\nid = \"founder\"\npaths = [\"/\"]\n[[agent]]\nid = \"architect\"\nlabel = \"Architect\"\n\
               parent = \"founder\"\nworkflows = [\"Build\", \"release.yml\"]";
    let stream = Stream::with(with_map(map)).await;
    stream.deliver("workflow_run", &run("requested", &[])).await;
    let agent = stream.entity("architect").await;
    assert_eq!((&agent["label"], &agent["parent"]), (&json!("Architect"), &json!("founder")));
    assert_eq!(agent["activity"], "starting build");
    assert_eq!(stream.entity("founder").await["status"], "idle", "the map's agents are there from the start");
    let by_file = [
        ("/workflow_run/id", json!(7)),
        ("/workflow_run/name", json!("Something else")),
        ("/workflow_run/path", json!(".github/workflows/release.yml@refs/heads/main")),
    ];
    stream.deliver("workflow_run", &run("requested", &by_file)).await;
    assert_eq!(stream.entity("architect").await["activity"], "starting Something else");
    let nobodys =
        [("/workflow_run/id", json!(8)), ("/workflow_run/name", json!("CodeQL")), ("/workflow/path", json!(""))];
    stream.deliver("workflow_run", &run("requested", &nobodys)).await;
    assert_eq!(stream.entity("CodeQL").await["status"], "active");
}
