//! The built page in a real Chromium, by way of nginx.

use crate::web::{Web, deploy};
use monkeytown_tests::{
    browser::Browser,
    events::works,
    program::Running,
    stream::{STRUCTURED, post},
    wait::soon,
};
use std::{fs, process::Command};

#[tokio::test]
async fn a_witness_sees_the_page_live_over_its_socket_and_the_browser_complains_of_nothing() {
    let stream = Running::start(&["--trust-proxy", "127.0.0.1"]);
    let web = Web::before(&stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&web.url("/")).await;
    page.until_state("live").await;
    let (status, _) = post(&web.url("/api/v1/events"), STRUCTURED, &works("1", "ada", "draws a map")).await;
    assert_eq!(status, 200);
    page.until_card("ada", "draws a map").await;
    assert_eq!(page.count("data-holes").await, 0);
    soon("the page is kept", page.value::<bool>("navigator.serviceWorker.ready.then(() => true)")).await;
    // Nothing was asked of anybody else, and what is not packed by itself, as the program is, came packed.
    let heard = page.heard().await;
    let elsewhere: Vec<_> = heard.requests.iter().filter(|url| !url.contains(&web.address())).collect();
    assert!(elsewhere.iter().all(|url| url.starts_with("data:") || url.starts_with("blob:")), "{elsewhere:?}");
    page.complains_of_nothing().await;
    assert_eq!(browser.cookies().await, Vec::<String>::new());
    let style = web.log().into_iter().find(|line| {
        line.pointer("/context/path").and_then(|path| path.as_str()).is_some_and(|path| path.ends_with(".css"))
    });
    let style = style.expect("the style sheet was asked for");
    assert_ne!(style.pointer("/context/encoding"), Some(&"".into()), "{style}");
    browser.close().await;
}

#[tokio::test]
async fn without_a_stream_the_page_shows_the_snapshot_beside_it_and_its_age() {
    let stream = Running::start(&[]);
    let (status, _) =
        post(&format!("http://{}/api/v1/events", stream.address), STRUCTURED, &works("1", "ada", "draws a map")).await;
    assert_eq!(status, 200);
    let web = Web::before("127.0.0.1:1").await;
    let file = web.folder.path("page/snapshot.json");
    let laid = |from: &str| {
        let mut command = Command::new("sh");
        let output = command.arg(deploy().join("snapshot.sh")).arg(from).arg(&file).output().expect("it runs");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    assert_eq!(laid(&format!("http://{}/", stream.address)), (Some(0), String::new()));
    let text = fs::read_to_string(&file).expect("it is there");
    assert!(text.contains("draws a map"), "{text}");
    // No stream answers, and what answers in its place is none.
    for elsewhere in [web.url(""), "http://127.0.0.1:1".to_owned()] {
        let (code, said) = laid(&elsewhere);
        assert!(code == Some(1) && said.contains("is as it was"), "{code:?} {said}");
        assert_eq!(fs::read_to_string(&file).expect("it is there"), text);
    }
    let browser = Browser::start().await;
    let page = browser.visit(&web.url("/")).await;
    page.until_card("ada", "draws a map").await;
    page.until_state("snapshot").await;
    browser.close().await;
}
