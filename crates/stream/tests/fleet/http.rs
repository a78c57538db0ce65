//! Components that speak HTTP, or that take connections: well, and broken in every way.

use crate::{
    peers::{BlackHole, Nobody, Peer, heard, until_closed},
    support::{component, run},
};
use monkeytown_protocol::EntityStatus;
use std::sync::{Arc, Mutex, atomic::Ordering};
use tokio::io::AsyncWriteExt;

const WELL: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn every_way_of_answering_is_told_in_words() {
    let silent = Peer::new(|mut stream, _| async move { until_closed(&mut stream).await }).await;
    let stalls = Peer::new(|mut stream, _| async move {
        heard(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
        until_closed(&mut stream).await;
    });
    let stalls = stalls.await;
    let hangs_up = Peer::new(|stream, _| async move { drop(stream) }).await;
    let (black_hole, nobody) = (BlackHole::new(), Nobody::new());
    let mut peers = Vec::new();
    for answer in [
        WELL,
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2p1\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nuntil the end",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        peers.push(Peer::saying(answer).await);
    }
    let endless = Peer::endless(b"HTTP/1.1 200 OK\r\n\r\n", &[b'x'; 4_096]).await;
    let endless_head = Peer::endless(b"HTTP/1.1 200 OK\r\n", b"x-more: of the same\r\n").await;
    let endless_waiting = Peer::endless(b"", b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
    let http = |at: usize| format!("http://{}/health", peers[at].address);
    let cases = [
        ("well", http(0), "", "answers 200 in "),
        ("no-content", http(1), "expect_status = 204", "answers 204 in "),
        ("unavailable", http(2), "", "answered 503, not 200"),
        ("redirected", http(3), "", "answered 302, not 200"),
        ("expected-redirect", http(3), "expect_status = 302", "answers 302 in "),
        ("another-protocol", http(4), "", "answered what is no HTTP/1.1"),
        ("half", http(5), "", "closed the connection before it answered"),
        ("no-chunks", http(6), "", "answered what is no HTTP/1.1"),
        ("old", http(7), "", "answers 200 in "),
        ("tls", http(8), "", "answered what is no HTTP/1.1"),
        ("silent", format!("http://{}/", silent.address), "", "no answer within 1 s"),
        ("stalls", format!("http://{}/", stalls.address), "", "no answer within 1 s"),
        ("hangs-up", format!("http://{}/", hangs_up.address), "", "closed the connection before it answered"),
        ("nobody", format!("http://{}/", nobody.address), "", "refused the connection"),
        ("nameless", "http://no-such-name.invalid/".to_owned(), "", "its name is not found"),
        ("black-hole", format!("http://{}/", black_hole.address), "", "no connection within 1 s"),
        ("endless", format!("http://{}/", endless.address), "", "answers 200 in "),
        ("endless-head", format!("http://{}/", endless_head.address), "", "answered what is no HTTP/1.1"),
        ("endless-waiting", format!("http://{}/", endless_waiting.address), "", "answered without end"),
        ("by-name", format!("http://localhost:{}/", peers[0].address.port()), "", "answers 200 in "),
        ("port", format!("tcp://{}", peers[0].address), "", "takes connections in "),
        ("no-port", format!("tcp://{}", nobody.address), "", "refused the connection"),
        ("swallowed-port", format!("tcp://{}", black_hole.address), "", "no connection within 1 s"),
    ];
    let running = run(cases.iter().map(|(id, probe, rest, _)| component(id, probe, rest)));
    for (id, _, _, how) in &cases {
        running.until_told(id, how).await;
    }
}

#[tokio::test]
async fn what_is_asked_is_a_get_with_the_credentials_of_the_address_and_is_never_followed() {
    let asked = Arc::new(Mutex::new(String::new()));
    let elsewhere = Peer::saying(WELL).await;
    let (kept, target) = (asked.clone(), elsewhere.address);
    let peer = Peer::new(move |mut stream, _| {
        let kept = kept.clone();
        async move {
            let request = heard(&mut stream).await;
            *kept.lock().unwrap() = String::from_utf8(request).unwrap();
            let redirect = format!("HTTP/1.1 307 Elsewhere\r\nlocation: http://{target}/\r\ncontent-length: 0\r\n\r\n");
            let _ = stream.write_all(redirect.as_bytes()).await;
        }
    });
    let peer = peer.await;
    let probe = format!("http://watcher:pass%20word@{}/health?deep=1", peer.address);
    let running = run([component("a", &probe, "")]);
    running.until_told("a", "answered 307, not 200").await;
    running.until(|state| state.probes("a") >= 2).await;
    assert_eq!(elsewhere.taken.load(Ordering::SeqCst), 0);
    let asked = asked.lock().unwrap().to_lowercase();
    assert!(asked.starts_with("get /health?deep=1 http/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("host: {}\r\n", peer.address)), "{asked}");
    assert!(asked.contains("authorization: basic d2f0y2hlcjpwyxnzihdvcmq=\r\n"), "{asked}");
}

#[tokio::test]
async fn a_component_that_goes_away_and_returns_is_told_with_those_that_need_it() {
    let well = |mut stream: tokio::net::TcpStream, _| async move {
        heard(&mut stream).await;
        let _ = stream.write_all(WELL).await;
        until_closed(&mut stream).await;
    };
    let reserved = Nobody::new();
    let address = reserved.address;
    let (front, peer) = (Peer::new(well).await, Peer::at(address, well).await);
    // Who is slow on a busy machine is not broken here.
    let patient = |component: String| component.replace("timeout_seconds = 1", "timeout_seconds = 60");
    let running = run([
        patient(component("front", &format!("http://{}/", front.address), "depends_on = [\"back\"]")),
        patient(component("back", &format!("http://{address}/"), "label = \"back end\"")),
    ]);
    running.until_told("back", "answers 200").await;
    running.until_told("front", "answers 200").await;
    assert_eq!(running.state().ended_flows(), ["front>back"]);
    drop(peer);
    running.until_told("back", "refused the connection").await;
    {
        let state = running.state();
        assert_eq!(state.ended_flows(), ["front>back", "front>back: refused the connection"]);
        assert_eq!(state.entity("front").status, EntityStatus::Active, "it still answers for itself");
        assert_eq!(
            (state.entity("back").label.as_str(), state.entity("back").metrics.connections),
            ("back end", Some(1))
        );
        assert_eq!(state.fold.pulse(monkeytown_stream::now()).pending_flows, 0, "no flow stays open");
    }
    let peer = Peer::at(address, well).await;
    running.until_told("back", "answers 200").await;
    let state = running.state();
    assert_eq!(state.ended_flows(), ["front>back", "front>back: refused the connection", "front>back"]);
    assert_eq!(state.entity("back").reason, None);
    let lines: Vec<String> = state
        .fold
        .log(&"back".to_owned().try_into().unwrap())
        .unwrap()
        .lines()
        .map(|line| line.message.to_string())
        .collect();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[1..3], ["a probe did not succeed: refused the connection", "refused the connection"]);
    assert!(lines[3].starts_with("answers 200 in ") && lines[3].contains(" again, after "), "{lines:?}");
    drop((peer, front));
}
