//! What the workflows' own programs do when a part of them fails: releases, the agent of the example, images that are
//! tried. Each is started as it stands in its file, with a cluster, a registry or an engine that is played by a script.

use crate::{
    readers::yaml,
    runner::file,
    workflows::{EXAMPLE, object, steps},
};
use monkeytown_tests::stream::{Source, Stream};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
};
use tempfile::TempDir;

const PUT: &str = ".github/workflows/put.yml";
const CD: &str = ".github/workflows/cd.yml";

/// The program of a workflow's step.
fn program(path: &str, step: &str) -> String {
    let steps = steps(&yaml(path));
    let found = steps.iter().find(|one| one.get("name").and_then(Value::as_str) == Some(step));
    found.and_then(|one| one.get("run")?.as_str()).unwrap_or_else(|| panic!("{path} has no {step}")).to_owned()
}

/// A runner's machine, on which `name` is a program that notes how it was called and does as `script` says.
struct Machine {
    folder: TempDir,
}

impl Machine {
    fn with(name: &str, script: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        let text = format!("#!/bin/bash\necho \"$*\" >> {}/calls\n{script}\n", folder.path().display());
        fs::write(&path, text).expect("it is written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it may be started");
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// As a runner starts a step whose shell is bash.
    fn run(&self, program: &str, environment: &[(&str, &str)]) -> Output {
        let path = format!("{}:{}", self.path().display(), std::env::var("PATH").expect("a PATH"));
        let mut bash = Command::new("bash");
        bash.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", program]).current_dir(self.path());
        bash.env("PATH", path).env("RUNNER_TEMP", self.path()).env("GITHUB_OUTPUT", self.path().join("output"));
        bash.envs(environment.iter().copied()).output().expect("bash")
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap_or_default()
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_deployment_is_taken_back_to_what_it_was_whatever_becomes_of_the_others() {
    let machine = Machine::with("kubectl", r#"[[ "$*" != *deployment/web* ]]"#);
    fs::write(machine.path().join("before"), "deployment/web 4\ndeployment/event-stream 7\ndeployment/hooks 2\n")
        .expect("it is written");
    let output = machine.run(&program(PUT, "take them back"), &[("NAMESPACE", "here")]);
    let calls = machine.read("calls");
    let lines: Vec<&str> = calls.lines().collect();
    assert_eq!(lines.len(), 6, "{calls}");
    for (line, revision) in lines.iter().zip(["web --namespace here --to-revision=4", "event-stream", "hooks"]) {
        assert!(line.starts_with(&format!("rollout undo deployment/{revision}")), "{calls}");
    }
    assert!(lines[3..].iter().all(|line| line.starts_with("rollout status ")), "first all, then the waiting: {calls}");
    assert!(calls.contains("hooks --namespace here --to-revision=2"), "{calls}");
    assert!(!output.status.success() && said(&output).contains("::error::deployment/web"), "{}", said(&output));
}

#[test]
fn what_runs_is_noted_before_anything_is_put_there() {
    let machine = Machine::with(
        "kubectl",
        r#"echo '{"items":[{"metadata":{"name":"web","annotations":{"deployment.kubernetes.io/revision":"4"}}}]}'"#,
    );
    let overlay = machine.path().join("deploy/kubernetes/overlays/staging");
    fs::create_dir_all(&overlay).expect("a folder");
    fs::write(overlay.join("kustomization.yaml"), "namespace: here\n").expect("it is written");
    let note = program(PUT, "note what runs there");
    let environment = [("ENVIRONMENT", "staging"), ("OURS", "some")];
    let output = machine.run(&note, &environment);
    assert!(output.status.success(), "{}", said(&output));
    assert_eq!(machine.read("before"), "deployment/web 4\n");
    assert_eq!(machine.read("output"), "namespace=here\n");
    // A cluster that does not answer is not one in which nothing runs.
    let silent = Machine::with("kubectl", "exit 1");
    fs::create_dir_all(silent.path().join("deploy/kubernetes/overlays/staging")).expect("a folder");
    let kustomization = silent.path().join("deploy/kubernetes/overlays/staging/kustomization.yaml");
    fs::write(kustomization, "namespace: here\n").expect("it is written");
    assert!(!silent.run(&note, &environment).status.success());
    assert_eq!(silent.read("output"), "");
}

#[test]
fn an_environment_without_a_cluster_is_passed_by_unless_it_must_be_there() {
    let learn = program(PUT, "learn the way to the cluster");
    let machine = Machine::with("kubectl", "exit 1");
    let kubeconfig = machine.path().join("kubeconfig");
    let kubeconfig = kubeconfig.to_str().expect("text");
    let run = |text: &str, must: &str, page: &str| {
        let output = machine.run(
            &learn,
            &[("TEXT", text), ("MUST", must), ("PAGE", page), ("KUBECONFIG", kubeconfig), ("ENVIRONMENT", "staging")],
        );
        (output.status.success(), machine.read("output"))
    };
    assert_eq!(run("", "false", ""), (true, String::new()));
    assert_eq!(run("", "true", "https://page.example.org"), (false, String::new()));
    assert_eq!(run("secret", "false", ""), (false, String::new()), "there is no page to ask");
    assert_eq!(run("secret", "false", "https://page.example.org"), (true, "known=true\n".to_owned()));
    let mode = fs::metadata(kubeconfig).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o077, 0, "it is nobody else's");
}

#[test]
fn a_tag_is_released_only_where_ci_has_passed() {
    let see = program(CD, "see that ci has passed on this commit");
    let ends = |runs: &str| {
        let machine = Machine::with("gh", &format!("echo '{{\"workflow_runs\":[{runs}]}}'"));
        let output = machine.run(&see, &[("GITHUB_REPOSITORY", "owner/name"), ("GITHUB_SHA", "abc")]);
        assert!(
            machine.read("calls").contains("head_sha=abc -f branch=main -f event=push"),
            "{}",
            machine.read("calls")
        );
        (output.status.success(), said(&output))
    };
    assert!(ends(r#"{"status":"completed","conclusion":"failure"},{"status":"completed","conclusion":"success"}"#).0);
    let (passed, text) = ends(r#"{"status":"completed","conclusion":"failure"}"#);
    assert!(!passed && text.contains("failure"), "{text}");
    let (passed, text) = ends(r#"{"status":"in_progress","conclusion":null}"#);
    assert!(!passed && text.contains("in_progress"), "{text}");
    let (passed, text) = ends("");
    assert!(!passed && text.contains("it has not run"), "{text}");
    let silent = Machine::with("gh", "exit 1");
    assert!(!silent.run(&see, &[("GITHUB_REPOSITORY", "owner/name"), ("GITHUB_SHA", "abc")]).status.success());
    assert_eq!(yaml(CD).pointer("/jobs/build/needs"), Some(&Value::from("passed")), "nothing is built before");
}

#[test]
fn who_puts_a_version_back_waits_for_no_release() {
    assert!(yaml(CD).get("concurrency").is_none());
    let group = yaml(PUT).pointer("/jobs/put/concurrency/group").and_then(Value::as_str).map(str::to_owned);
    assert_eq!(group.as_deref(), Some("put-${{ inputs.environment }}"));
}

#[test]
fn the_agents_program_shares_a_job_with_no_secret() {
    let document = yaml(EXAMPLE);
    let mut agents = 0;
    for (name, job) in object(&document, "jobs") {
        let text = job.to_string();
        let starts = job.get("steps").and_then(Value::as_array).expect("steps").iter();
        // What the repository holds is started in the agent's job alone.
        if starts.filter_map(|step| step.get("run")?.as_str()).any(|run| run.contains("./")) {
            agents += 1;
            assert!(!text.contains("secrets.") && !text.contains("github.token"), "{name}: {text}");
            assert_eq!(job.get("permissions").map(Value::to_string).as_deref(), Some("{}"), "{name}");
        } else {
            assert!(text.contains("secrets."), "{name}");
        }
    }
    assert_eq!(agents, 1);
}

#[test]
fn only_plain_files_of_its_folder_become_a_proposal() {
    let propose = program(EXAMPLE, "propose what it wrote");
    let proposed = |write: &str| {
        let machine = Machine::with("gh", "exit 0");
        let begin = "git init -q --bare origin && git clone -q origin work 2>/dev/null && cd work && mkdir mine &&
            printf '#!/bin/sh\\n' > mine/old && chmod +x mine/old && echo kept > other && git add . &&
            git -c user.name=a -c user.email=a@example.org commit -qm first";
        let begun = machine.run(&format!("{begin} && cd .. && mkdir -p written/folder && {write}"), &[]);
        assert!(begun.status.success(), "{}", said(&begun));
        let environment = [
            ("FOLDER", "mine"),
            ("AGENT", "architect"),
            ("TITLE", "Update"),
            ("TRAILER", "Trace-Id: 1"),
            ("GITHUB_RUN_ID", "7"),
            ("GITHUB_RUN_ATTEMPT", "1"),
        ];
        let output = machine.run(&format!("cd work\n{propose}"), &environment);
        let shown = machine.run("cd origin && git show --format=%s --summary --name-status architect/7-1", &[]);
        let summary = machine.run("cd origin && git show --format= --summary architect/7-1", &[]);
        let shown = String::from_utf8_lossy(&shown.stdout).into_owned() + &String::from_utf8_lossy(&summary.stdout);
        (output.status.success(), shown, said(&output))
    };
    let (ended, shown, log) =
        proposed("cp work/mine/old written/folder/ && chmod -x written/folder/old && echo new > written/folder/new");
    assert!(ended && shown.starts_with("Update\n") && shown.contains("A\tmine/new"), "{shown}{log}");
    assert!(!shown.contains("old") && !shown.contains("other"), "modes and other files stay: {shown}");
    let (ended, shown, log) = proposed("cp work/mine/old written/folder/");
    assert!(ended && shown.is_empty() && log.contains("nothing has changed"), "{shown}{log}");
    for odd in
        ["ln -s /etc/passwd written/folder/link", "mkdir -p written/folder/a/.GIT/hooks", "mkfifo written/folder/pipe"]
    {
        let (ended, shown, log) = proposed(odd);
        assert!(!ended && shown.is_empty() && log.contains("no plain file"), "{odd}: {shown}{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_tried_has_to_be_healthy_and_to_answer() {
    let site = tempfile::tempdir().expect("a folder");
    fs::create_dir(site.path().join("assets")).expect("a folder");
    fs::write(site.path().join("index.html"), "<link href=\"/assets/page-1.wasm\">").expect("it is written");
    fs::write(site.path().join("assets/page-1.wasm"), vec![0; 200_000]).expect("it is written");
    let page = Stream::with_page(site.path()).await;
    let stream = Stream::start(Source::Publishers).await;
    let tried = |kind: &str, of: &Stream, state: &str| {
        let machine = Machine::with("docker", &format!("case $1 in run) echo it ;; inspect) echo {state} ;; esac"));
        let url = of.url("");
        let port = url.rsplit(':').next().expect("a port").trim_end_matches('/');
        let output = machine.run(
            &format!("bash {} {kind} image", file("deploy/docker/try.sh").display()),
            &[("PORT", port), ("PATIENCE", "1")],
        );
        let calls = machine.read("calls");
        assert!(
            calls.lines().next().is_some_and(|run| run.contains("--read-only --tmpfs /tmp --cap-drop ALL")),
            "{calls}"
        );
        assert!(calls.contains("rm --force --volumes it"), "nothing is left: {calls}");
        (output.status.code(), said(&output))
    };
    let is_healthy = |(code, log): (Option<i32>, String)| assert_eq!(code, Some(0), "{log}");
    is_healthy(tried("web", &page, "running healthy"));
    is_healthy(tried("stream", &stream, "running healthy"));
    // A page whose program was left behind.
    fs::remove_file(site.path().join("assets/page-1.wasm")).expect("it was there");
    let incomplete = Stream::with_page(site.path()).await;
    let (code, log) = tried("web", &incomplete, "running healthy");
    assert!(code == Some(1) && log.contains("page-1.wasm"), "{log}");
    for (state, why) in [("exited unhealthy", "does not run"), ("running starting", "not healthy after 1 s")] {
        let (code, log) = tried("stream", &stream, state);
        assert!(code == Some(1) && log.contains(why), "{state}: {log}");
    }
}
