//! Streams that are not there, slow, busy, back again, or no streams: the run goes on, in time, and is told what was lost.

use crate::{
    peer::{Does, Peer, answer},
    runner::{Job, Step},
};
use monkeytown_tests::stream::{Source, Stream, TOKEN};
use serde_json::json;
use std::{
    net::TcpListener,
    time::{Duration, Instant},
};

/// The receipt of a run's two events, as a stream gives it.
const RECEIPT: &str = r#"{"epoch":"e","first":0,"last":1,"offsets":[0,1],"duplicates":0}"#;

/// An address at which nobody is.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").to_string()
}

fn published(url: &str, seconds: &str) -> Step {
    let mut job = Job::new(url, TOKEN);
    job.set("PUBLISH_SECONDS", seconds);
    job.publish()
}

fn lost(step: &Step, words: &str) {
    assert_eq!((step.output("published"), step.output("left-out")), ("0", "2"), "{}", step.log);
    step.warns(words);
    assert!(!step.log.contains(TOKEN), "{}", step.log);
}

#[test]
fn nobody_there() {
    let step = published(&format!("http://{}", nowhere()), "3");
    lost(&step, "ECONNREFUSED");
    assert!(step.took < Duration::from_secs(8), "{:?}", step.took);
}

#[test]
fn a_stream_that_stalls_is_left_in_time() {
    let peer = Peer::new(&[Does::Stall]);
    let step = published(&peer.url, "3");
    lost(&step, "no answer within");
    assert!(step.took < Duration::from_secs(8), "{:?}", step.took);
}

#[test]
fn without_a_word_publishing_ends_after_twenty_seconds() {
    let peer = Peer::new(&[Does::Stall]);
    let step = Job::new(&peer.url, TOKEN).publish();
    lost(&step, "no answer within");
    assert!((10..30).contains(&step.took.as_secs()), "{:?}", step.took);
    assert!(peer.heard().len() > 1, "it is tried again");
}

#[test]
fn a_stream_that_breaks_off_is_tried_again_with_the_same_events() {
    let peer = Peer::new(&[Does::HangUp, answer("502 Bad Gateway", "", "<html>"), answer("200 OK", "", RECEIPT)]);
    let step = published(&peer.url, "20");
    assert_eq!((step.output("published"), step.output("left-out")), ("2", "0"), "{}", step.log);
    assert_eq!(step.warnings(), Vec::<&str>::new());
    let bodies: Vec<String> =
        peer.heard().iter().map(|request| request.split_once("\r\n\r\n").expect("a body").1.to_owned()).collect();
    assert!(bodies.len() == 3 && bodies.windows(2).all(|two| two[0] == two[1]), "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_comes_back_is_told_all() {
    let dying = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = dying.local_addr().expect("an address").to_string();
    let job = Job::new(&format!("http://{address}"), TOKEN);
    let publishing = tokio::task::spawn_blocking(move || job.publish());
    // It goes in the middle of the first try, and comes again a while later.
    tokio::task::block_in_place(|| drop(dying.accept().expect("the first try")));
    drop(dying);
    let stream = Stream::on(&address, Source::Publishers, &[]).await;
    let step = publishing.await.expect("the step ends");
    assert_eq!((step.output("published"), step.output("left-out")), ("2", "0"), "{}", step.log);
    assert!(step.log.contains("; again in"), "{}", step.log);
    assert_eq!(stream.accepted(), 2);
}

#[test]
fn who_is_asked_to_wait_waits_when_there_is_time() {
    let busy = answer("429 Too Many Requests", "retry-after: 2\r\n", "{}");
    let peer = Peer::new(&[busy, answer("200 OK", "", RECEIPT)]);
    let begun = Instant::now();
    assert_eq!(published(&peer.url, "20").output("published"), "2");
    assert!(begun.elapsed() >= Duration::from_secs(2));

    let busy = answer("503 Service Unavailable", "retry-after: 3600\r\n", r#"{"detail":"this stream is draining"}"#);
    let step = published(&Peer::new(&[busy]).url, "20");
    lost(&step, "the stream takes nothing at present (503): this stream is draining, after 1 try");
    assert!(step.took < Duration::from_secs(5), "{:?}", step.took);
}

#[test]
fn what_will_not_pass_is_not_tried_again() {
    for (status, words) in [
        ("401 Unauthorized", "the stream refuses the token (401)"),
        ("404 Not Found", "there is no stream at this address (404)"),
        ("405 Method Not Allowed", "the stream answers 405"),
        ("418 I'm a teapot", "the stream answers 418"),
    ] {
        let peer = Peer::new(&[answer(status, "", "")]);
        let step = published(&peer.url, "20");
        lost(&step, words);
        assert_eq!(peer.heard().len(), 1, "{status}");
    }
    for (status, words) in [
        ("403 Forbidden", "the token may not speak for this source (403)"),
        ("413 Payload Too Large", "it is too large for the stream (413)"),
    ] {
        // Where nothing is pointed at, each is tried alone.
        let peer = Peer::new(&[answer(status, "", "")]);
        lost(&published(&peer.url, "20"), words);
        assert_eq!(peer.heard().len(), 3, "{status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_stream_refuses_another_token() {
    let stream = Stream::start(Source::Publishers).await;
    let step = Job::new(&stream.url(""), "another-token").publish();
    step.warns("the stream refuses the token (401)");
    assert!(!step.log.contains("another-token"), "{}", step.log);
    let step = Job::new(&stream.url("/nowhere"), TOKEN).publish();
    assert_eq!(step.output("published"), "0", "{}", step.log);
    assert_eq!(stream.accepted(), 0);
}

#[test]
fn what_is_no_stream_is_not_believed() {
    let page = answer("200 OK", "content-type: text/html\r\n", "<!doctype html><title>a portal</title>");
    lost(&published(&Peer::new(&[page]).url, "20"), "what answers 200 is no stream");
    let other = answer("200 OK", "", &json!({"offsets": [0, 1, 2]}).to_string());
    lost(&published(&Peer::new(&[other]).url, "20"), "what answers 200 is no stream");
    let endless = published(&Peer::new(&[Does::Flood("[[[[[[[[[[[[[[[[")]).url, "2");
    lost(&endless, "its answer is too long");
    lost(&published(&Peer::new(&[Does::Say("SSH-2.0-OpenSSH_9.2\r\n".to_owned())]).url, "2"), "cannot be reached");
}

#[test]
fn a_token_is_taken_nowhere_else() {
    let other = Peer::new(&[answer("200 OK", "", RECEIPT)]);
    let away = answer("307 Temporary Redirect", &format!("location: {}/api/v1/events\r\n", other.url), "");
    lost(&published(&Peer::new(&[away]).url, "20"), "the stream answers 307");
    assert_eq!(other.heard(), Vec::<String>::new());
    for (stream, words) in [
        ("http://stream.example.org", "must begin with https://"),
        ("ftp://127.0.0.1", "must begin with https://"),
        ("https://me:secret@stream.example.org", "no name, password or query"),
        ("https://stream.example.org/?token=secret", "no name, password or query"),
        ("stream.example.org", "is no address"),
        ("", "is no address"),
    ] {
        let step = published(stream, "20");
        lost(&step, words);
        assert!(!step.log.contains("secret"), "{}", step.log);
    }
}

#[test]
fn an_answer_is_no_command_to_the_runner() {
    let detail = "no\n::error::taken over\r\n%0A::set-output name=x::y\u{85}\u{2028}::add-mask::a";
    let refusal = answer("401 Unauthorized", "", &json!({"detail": detail}).to_string());
    let step = published(&Peer::new(&[refusal]).url, "20");
    lost(&step, "taken over");
    let warning = step.warnings().into_iter().find(|warning| warning.contains("taken over")).expect("it is there");
    assert!(warning.contains("%250A"), "{warning}");
    // 1 MB of it is cut.
    let refusal = answer("401 Unauthorized", "", &json!({"detail": "x".repeat(200_000)}).to_string());
    assert!(published(&Peer::new(&[refusal]).url, "20").log.len() < 2_000);
}
