//! What a switch asks before it touches anything, and what is as it was after it has failed.

use crate::{
    listener::Listener,
    machine::{Machine, Store},
    web::{ROOT, free_port},
};
use monkeytown_tests::wait::soon;
use std::{fs, net::IpAddr, process::Command, time::Duration};

/// One whose streams have something to say from the first moment on.
async fn machine(store: Store) -> Machine {
    let machine = Machine::new(store).await;
    machine.give("MONKEYTOWN_SIMULATE=5");
    machine
}

/// What is at `/traffic` for who asks from `address`.
async fn traffic(machine: &Machine, address: [u8; 4]) -> (u16, String) {
    let client = reqwest::Client::builder().local_address(IpAddr::from(address)).build().expect("a client");
    let answer = client.get(machine.url("/traffic")).send().await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("a body"))
}

/// Kills what runs as `colour`, as a machine that loses its power does.
async fn killed(machine: &Machine, colour: &str) {
    let id = fs::read_to_string(machine.path(&format!("state/{colour}.pid"))).expect("its number");
    let group = format!("-{}", id.trim());
    assert!(Command::new("kill").args(["-KILL", "--", &group]).status().expect("it runs").success());
    let gone = async {
        while machine.switched(&["status"]).await.1.contains(&format!("{colour}: runs")) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("its end", gone).await;
}

#[tokio::test]
async fn where_no_nginx_answers_nothing_is_started() {
    let machine = machine(Store::Memory).await;
    let release = machine.release("one");
    machine.configure(&format!("PUBLIC=http://127.0.0.1:{}", free_port()));
    let (code, said) = machine.switched(&["deploy", &release]).await;
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no nginx answers /traffic there"), "{said}");
    let left = ["blue", "blue.pid", "blue.log", "blue.env"].map(|name| machine.path(&format!("state/{name}")).exists());
    assert_eq!(left, [false; 4]);
    assert_eq!(machine.active().await, "none");
}

#[tokio::test]
async fn who_has_the_traffic_is_told_to_this_machine_alone() {
    let machine = machine(Store::Memory).await;
    let (status, said) = traffic(&machine, [127, 0, 0, 1]).await;
    assert!(status == 200 && said.starts_with("none-"), "{status} {said}");
    let (status, said) = traffic(&machine, [127, 0, 0, 2]).await;
    assert!(status == 403 && !said.contains("none-"), "{status} {said}");
}

#[tokio::test]
async fn a_stream_does_not_run_as_root() {
    let machine = machine(Store::Memory).await;
    let release = machine.release("one");
    machine.deployed(&release).await;
    let id = fs::read_to_string(machine.path("state/blue.pid")).expect("its number");
    let status = fs::read_to_string(format!("/proc/{}/status", id.trim())).expect("it runs");
    let user = status.lines().find(|line| line.starts_with("Uid:")).expect("its user");
    assert!(!user.split_whitespace().any(|id| id == "0"), "{user}");
    if *ROOT {
        for (user, told) in [("root", "does not run as root"), ("no-such-user", "there is no such user")] {
            machine.configure(&format!("RUN_AS={user}"));
            let (code, said) = machine.switched(&["deploy", &release]).await;
            assert!(code == Some(2) && said.contains(told), "{code:?} {said}");
        }
    }
}

#[tokio::test]
async fn a_full_house_is_no_failure() {
    let machine = machine(Store::Memory).await;
    machine.give("MONKEYTOWN_MAX_SUBSCRIBERS=1");
    // Whoever comes first to the new one takes its only place, and keeps it.
    let first = Listener::start(format!("127.0.0.1:{}", machine.setting("PORT_BLUE")));
    let said = machine.deployed(&machine.release("one")).await;
    assert!(first.heard().connections > 0, "{said}");
    let answer = reqwest::get(machine.url("/ready")).await.expect("an answer");
    assert_eq!(answer.status(), 503);
    assert!(answer.text().await.expect("a body").contains("full"));
}

#[tokio::test]
async fn after_a_deploy_that_failed_back_leads_to_what_was_there_before_it() {
    let machine = machine(Store::Memory).await;
    let releases = ["one", "other"].map(|name| machine.release(name));
    for release in &releases {
        machine.deployed(release).await;
    }
    let (code, said) = machine.switched(&["deploy", &machine.release_with("bad", "exit 2")]).await;
    assert_eq!(code, Some(1), "{said}");
    // What nobody foresaw ends the script, and is taken back as well.
    fs::create_dir(machine.path("state/blue.env.new")).expect("a folder in its way");
    let (code, said) = machine.switched(&["deploy", &machine.release("third")]).await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("cannot be written") && said.contains("taken back: green has the traffic"), "{said}");
    fs::remove_dir(machine.path("state/blue.env.new")).expect("it was in the way");
    let (code, said) = machine.switched(&["back"]).await;
    assert_eq!(code, Some(0), "{said}");
    let (_, said) = machine.switched(&["status"]).await;
    assert!(said.contains(&format!("blue: runs, {}\n", releases[0])) && said.contains("active: blue"), "{said}");
}

#[tokio::test]
async fn a_disk_without_room_for_a_journals_copy_stops_nobody() {
    let machine = machine(Store::Journal).await;
    let releases = ["one", "other"].map(|name| machine.release(name));
    machine.deployed(&releases[0]).await;
    let id = fs::read_to_string(machine.path("state/blue.pid")).expect("its number");
    machine.configure("df() { echo head; echo 'disk 9 9 9 9% /'; }");
    let (code, said) = machine.switched(&["deploy", &releases[1]]).await;
    assert!(code == Some(2) && said.contains("and 9 are free: make room"), "{code:?} {said}");
    assert_eq!(fs::read_to_string(machine.path("state/blue.pid")).expect("its number"), id, "it was let alone");
    // It fills while it is copied.
    machine.configure("unset -f df; cp() { case $1 in -a) mkdir \"$4\"; return 1 ;; *) command cp \"$@\" ;; esac; }");
    let (code, said) = machine.switched(&["deploy", &releases[1]]).await;
    assert!(code == Some(1) && said.contains("the journal cannot be copied"), "{code:?} {said}");
    assert!(!machine.path("journal.before").exists(), "what was copied of it is gone");
    let variables = fs::read_to_string(machine.path("state/blue.env")).expect("its variables");
    assert!(variables.contains("MONKEYTOWN_JOURNAL="), "{variables}");
    assert_eq!(reqwest::get(machine.url("/ready")).await.expect("an answer").status(), 200);
}

#[tokio::test]
async fn after_the_machine_was_started_a_canary_runs_again_or_is_withdrawn() {
    let machine = machine(Store::Redis).await;
    machine.deployed(&machine.release("one")).await;
    let (code, said) = machine.switched(&["canary", &machine.release("other"), "50"]).await;
    assert_eq!(code, Some(0), "{said}");
    for works in [true, false] {
        for colour in ["blue", "green"] {
            killed(&machine, colour).await;
        }
        if !works {
            fs::write(machine.path("other/monkeytown-stream"), "#!/bin/sh\nexit 2\n").expect("it is written");
        }
        let (code, said) = machine.switched(&["up"]).await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(said.contains("it is withdrawn"), !works, "{said}");
        let (_, said) = machine.switched(&["status"]).await;
        assert!(said.contains("blue: runs") && said.contains("green: runs") == works, "{said}");
        assert_eq!(said.contains("canary: green"), works, "{said}");
    }
}
