//! When probes are made: in their turn, one at a time, and how much is told of them.

use crate::{
    peers::{Peer, heard, until_closed},
    support::{component, run},
};
use monkeytown_protocol::{EntityStatus, LogLevel};
use std::{
    collections::HashSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio::io::AsyncWriteExt;

const WELL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const UNAVAILABLE: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n";

#[tokio::test]
async fn probes_of_a_slow_component_never_pile_up() {
    let peer = Peer::new(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let slow = format!(
        "[[component]]\nid = \"slow\"\nprobe = \"http://{}/\"\nevery_seconds = 1\ntimeout_seconds = 5\n",
        peer.address
    );
    let other = Peer::saying(WELL).await;
    let running = run([slow, component("other", &format!("http://{}/", other.address), "")]);
    running.until_told("slow", "no answer within 5 s").await;
    assert_eq!(peer.at_once_max.load(Ordering::SeqCst), 1);
    assert!(peer.taken.load(Ordering::SeqCst) <= 4);
    let state = running.state();
    assert!(state.probes("other") > state.probes("slow"), "who is quick is not held up");
}

#[tokio::test]
async fn a_probe_that_is_lost_breaks_nothing_and_is_shown_as_what_it_is() {
    let peer = Peer::new(|mut stream, number| async move {
        heard(&mut stream).await;
        let answer = if matches!(number, 2 | 3) { UNAVAILABLE } else { WELL };
        let _ = stream.write_all(answer).await;
        until_closed(&mut stream).await;
    });
    let peer = peer.await;
    let needs = Peer::saying(WELL).await;
    let running = run([
        component("a", &format!("http://{}/", peer.address), ""),
        component("needs", &format!("http://{}/", needs.address), "depends_on = [\"a\"]"),
    ]);
    running.until_told("a", "a probe did not succeed: answered 503, not 200").await;
    assert_eq!(running.state().entity("a").status, EntityStatus::Active);
    running.until_told("a", "answers 200 in ").await;
    let state = running.state();
    assert_eq!(state.ended_flows(), ["needs>a"], "nothing broke for who needs it");
    let log = state.fold.log(&"a".to_owned().try_into().unwrap()).unwrap();
    let lines: Vec<_> = log.lines().map(|line| (line.level, line.message.to_string())).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[1], (LogLevel::Warn, "a probe did not succeed: answered 503, not 200".to_owned()));
    assert!(lines[2].1.ends_with(" again, after 2 probes without success"), "{lines:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_components_are_all_asked_and_what_does_not_change_is_told_once() {
    let peer = Peer::new(|mut stream, _| async move {
        heard(&mut stream).await;
        let _ = stream.write_all(WELL).await;
        until_closed(&mut stream).await;
    });
    let peer = peer.await;
    let id = |at: usize| format!("c{at}");
    // A second is enough for the answer of one, and not always for those of two hundred on a busy machine.
    let probe = format!("http://{}/", peer.address);
    let one = |at| component(&id(at), &probe, "").replace("timeout_seconds = 1", "timeout_seconds = 30");
    let running = run((0..200).map(one));
    running.until(|state| (0..200).all(|at| state.probes(&id(at)) >= 4)).await;
    let state = running.state();
    assert!((0..200).all(|at| state.entity(&id(at)).status == EntityStatus::Active));
    // Created, how it is, a line of its log.
    assert_eq!(state.events.len(), 3 * 200);
    let identities: HashSet<&str> = state.events.iter().map(|event| event.id.as_str()).collect();
    assert_eq!(identities.len(), state.events.len());
    assert!(state.events.iter().all(|event| event.source.as_str() == "/fleet/the%20fleet"));
    assert!(state.events.windows(2).all(|two| two[0].time <= two[1].time));
    assert!(peer.at_once_max.load(Ordering::SeqCst) <= 200);
}

#[tokio::test]
async fn after_many_ups_and_downs_a_component_is_told_as_it_is() {
    let is_well = Arc::new(AtomicBool::new(true));
    let asked = is_well.clone();
    let peer = Peer::new(move |mut stream, number| {
        // Up and down with every probe, until the test wants to see it well.
        let answer = if asked.load(Ordering::SeqCst) && number.is_multiple_of(2) { WELL } else { UNAVAILABLE };
        async move {
            heard(&mut stream).await;
            let _ = stream.write_all(answer).await;
            until_closed(&mut stream).await;
        }
    });
    let peer = peer.await;
    let running = run([component("flaps", &format!("http://{}/", peer.address), "")]);
    running.until(|state| state.probes("flaps") >= 7).await;
    is_well.store(false, Ordering::SeqCst);
    running.until_told("flaps", "answered 503, not 200").await;
    running.until(|state| state.probes("flaps") >= 9).await;
    assert_eq!(running.state().how("flaps"), "answered 503, not 200");
}
