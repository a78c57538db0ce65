//! Blue-green on one machine, while one publishes and one listens: what each kind of store keeps, and what is taken back.

use crate::{
    listener::{Heard, Listener, Publisher},
    machine::{Machine, Store},
};
use monkeytown_tests::browser::Browser;
use std::time::Instant;

const SWITCHES: usize = 20;

/// Nothing missed, nothing twice, and told so every time: it went on where it stood.
fn unbroken(heard: &Heard, acknowledged: u64) {
    assert_eq!((heard.holes, heard.doubled, heard.begun_anew), (0, 0, 0), "{} connections", heard.connections);
    assert_eq!(heard.ids.len() as u64, acknowledged, "all that was acknowledged, and nothing else");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_twenty_switches_with_redis_nothing_is_missed_and_nothing_comes_twice() {
    let machine = Machine::new(Store::Redis).await;
    let releases = [machine.release("one"), machine.release("other")];
    machine.deployed(&releases[0]).await;
    let (publisher, listener) = (Publisher::start(machine.url("/api/v1/events")), Listener::start(machine.address()));
    let browser = Browser::start().await;
    let page = browser.visit(&machine.url("/")).await;
    page.until_card("ada", "counts").await;
    let begun = Instant::now();
    for round in 1..=SWITCHES {
        let before = machine.active().await;
        machine.deployed(&releases[round % 2]).await;
        assert_ne!(machine.active().await, before);
    }
    let took = begun.elapsed() / u32::try_from(SWITCHES).expect("a few");
    let published = publisher.end().await;
    let heard = listener.until(published.acknowledged).await;
    unbroken(&heard, published.acknowledged);
    assert!(heard.connections > SWITCHES as u64, "each switch sent it away: {}", heard.connections);
    page.until_state("live").await;
    page.until(&format!(
        "document.querySelector('[data-testid=connection]').dataset.offset == {}",
        published.acknowledged - 1
    ))
    .await;
    assert_eq!(page.count("data-holes").await, 0);
    browser.close().await;
    eprintln!(
        "{SWITCHES} switches, {took:?} each: {} events, {} holes, {} doubled; {} tries to publish refused, the longest wait {:?}; \
         longest without a connection {:?}",
        published.acknowledged,
        heard.holes,
        heard.doubled,
        published.refused,
        published.longest,
        listener.longest_away()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_a_check_is_taken_back_by_itself_and_nothing_is_missed() {
    let machine = Machine::new(Store::Redis).await;
    let good = machine.release("good");
    machine.deployed(&good).await;
    let (publisher, listener) = (Publisher::start(machine.url("/api/v1/events")), Listener::start(machine.address()));
    listener.until(10).await;
    let has_traffic = format!("grep -q 'active: green' {}", machine.path("nginx/local/http-traffic.conf").display());
    for (name, script, told) in [
        ("mended", "echo 'a flag is wrong' >&2; exit 2".to_owned(), "has ended: a flag is wrong"),
        ("silent", "exec sleep 600".to_owned(), "does not answer /health"),
        // It does not know where the events are.
        ("empty", "unset MONKEYTOWN_REDIS; exec \"$REAL\"".to_owned(), "hears nothing"),
        // It fails once it has the traffic.
        (
            "brittle",
            format!("\"$REAL\" \"$@\" & until {has_traffic}; do sleep 0.1; done; sleep 2; kill -KILL $!; exit 2"),
            "did not stay ready",
        ),
    ] {
        // Patience only where it is not to be rewarded: the machine may be busy.
        let patience = |with: &str| if name == with { 4 } else { 30 };
        machine.configure(&format!(
            "START_SECONDS={} SUBSCRIPTION_SECONDS={} WATCH_SECONDS=6",
            patience("silent"),
            patience("empty")
        ));
        let release = machine.release_with(name, &script);
        let connections = listener.heard().connections;
        let (code, said) = machine.switched(&["deploy", &release]).await;
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains(told) && said.contains("taken back: blue has the traffic"), "{name}: {said}");
        assert_eq!(machine.active().await, "blue");
        assert!(!said.contains("could not"), "{said}");
        if name != "brittle" {
            assert_eq!(listener.heard().connections, connections, "{name}: the traffic was never touched");
        }
    }
    let published = publisher.end().await;
    unbroken(&listener.until(published.acknowledged).await, published.acknowledged);
    // It is as able to switch as before.
    machine.deployed(&machine.release("better")).await;
    assert_eq!(machine.active().await, "green");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_is_handed_over_and_nothing_is_missed() {
    let machine = Machine::new(Store::Journal).await;
    let releases = [machine.release("one"), machine.release("other")];
    machine.deployed(&releases[0]).await;
    let (publisher, listener) = (Publisher::start(machine.url("/api/v1/events")), Listener::start(machine.address()));
    listener.until(10).await;
    for round in 1..=3 {
        let said = machine.deployed(&releases[round % 2]).await;
        let unserved = said.lines().find(|line| line.contains("nobody was served for"));
        eprintln!("{}", unserved.expect("it says how long nobody was served"));
    }
    // One that works until it is given the journal, and one that leaves it torn as well.
    for (name, script) in [
        ("picky", "[ -z \"$MONKEYTOWN_JOURNAL\" ] || exit 2; exec \"$REAL\""),
        (
            "rough",
            "[ -z \"$MONKEYTOWN_JOURNAL\" ] || { for file in \"$MONKEYTOWN_JOURNAL\"/*; do echo torn >\"$file\"; done; exit 2; }; exec \"$REAL\"",
        ),
    ] {
        let before = machine.active().await;
        let (code, said) = machine.switched(&["deploy", &machine.release_with(name, script)]).await;
        assert_eq!(code, Some(1), "{name}: {said}");
        assert!(said.contains("taken back"), "{name}: {said}");
        assert_eq!(said.contains("what it was before is put back"), name == "rough", "{said}");
        assert_eq!(machine.active().await, before);
    }
    let published = publisher.end().await;
    unbroken(&listener.until(published.acknowledged).await, published.acknowledged);
    eprintln!("{} events over 5 exchanges, the longest wait {:?}", published.acknowledged, published.longest);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_memory_a_switch_begins_another_epoch_and_a_listener_is_told() {
    let machine = Machine::new(Store::Memory).await;
    let releases = [machine.release("one"), machine.release("other")];
    machine.deployed(&releases[0]).await;
    let (publisher, listener) = (Publisher::start(machine.url("/api/v1/events")), Listener::start(machine.address()));
    listener.until(10).await;
    machine.deployed(&releases[1]).await;
    // What is published from now on is in the new one.
    let heard = listener.heard().ids.len() as u64;
    let after = listener.until(heard + 20).await;
    assert_eq!((after.holes, after.begun_anew), (0, 1), "{} connections", after.connections);
    publisher.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_canary_is_promoted_or_withdrawn_and_nothing_is_missed() {
    let machine = Machine::new(Store::Redis).await;
    let releases = [machine.release("one"), machine.release("other")];
    machine.deployed(&releases[0]).await;
    let (publisher, listener) = (Publisher::start(machine.url("/api/v1/events")), Listener::start(machine.address()));
    listener.until(10).await;
    for (end, active) in [("withdraw", "blue"), ("promote", "green")] {
        let (code, said) = machine.switched(&["canary", &releases[1], "50"]).await;
        assert_eq!(code, Some(0), "{said}");
        let (code, said) = machine.switched(&["deploy", &releases[1]]).await;
        assert_eq!(code, Some(2), "one after the other: {said}");
        let (_, said) = machine.switched(&["status"]).await;
        assert!(
            said.contains("green: runs") && said.contains("canary: green") && said.contains("percent: 50"),
            "{said}"
        );
        let (code, said) = machine.switched(&[end]).await;
        assert_eq!(code, Some(0), "{said}");
        assert_eq!(machine.active().await, active);
        let (_, said) = machine.switched(&["status"]).await;
        // What was withdrawn is not what was deployed before.
        assert!(end == "promote" || said.contains("green: does not run, \n"), "{said}");
    }
    let published = publisher.end().await;
    unbroken(&listener.until(published.acknowledged).await, published.acknowledged);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_switch_is_taken_back_and_two_at_once_are_refused() {
    let machine = Machine::new(Store::Redis).await;
    machine.configure("WATCH_SECONDS=60");
    let releases = [machine.release("one"), machine.release("other")];
    let mut child =
        tokio::process::Command::from(machine.switch(&["deploy", &releases[0]])).spawn().expect("it starts");
    let traffic = machine.path("nginx/local/http-traffic.conf");
    let has = async |words: &str| {
        let there = async {
            while !std::fs::read_to_string(&traffic).is_ok_and(|text| text.contains(words)) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        monkeytown_tests::wait::soon(words, there).await;
    };
    has("active: blue").await;
    let (code, said) = machine.switched(&["deploy", &releases[1]]).await;
    assert_eq!((code, said.trim()), (Some(2), "switch: another switch is under way"));
    let id = child.id().expect("it runs").to_string();
    std::process::Command::new("kill").args(["-TERM", &id]).status().expect("it is told");
    let code = monkeytown_tests::wait::soon("its end", child.wait()).await.expect("it ends").code();
    assert_eq!(code, Some(1));
    assert_eq!(machine.active().await, "none");
}

#[tokio::test]
async fn what_an_operator_must_mend_is_said_and_touches_nothing() {
    let machine = Machine::new(Store::Memory).await;
    let release = machine.release("one");
    for (arguments, told) in [
        (vec!["deploy", "/nowhere"], "no program; give the folder of a release"),
        (vec!["canary", &release, "10"], "that takes --redis"),
        (vec!["canary", &release, "51"], "1 to 50"),
        (vec!["back"], "nothing was deployed before"),
        (vec!["promote"], "no canary is out"),
        (vec!["prepare"], "is there already"),
        (vec!["up"], "nothing was deployed"),
        (vec![], "deploy RELEASE"),
    ] {
        let (code, said) = machine.switched(&arguments).await;
        assert_eq!(code, Some(2), "{arguments:?}: {said}");
        assert!(said.contains(told), "{arguments:?}: {said}");
    }
    assert_eq!(machine.active().await, "none");
}
