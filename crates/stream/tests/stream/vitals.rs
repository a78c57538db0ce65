//! What pages say of themselves: counted where that is wanted, within bounds, and nothing else.

use crate::harness::{ROOMY, Stream, soon, with_token};
use monkeytown_stream::Options;
use serde_json::{Value, json};

async fn stream() -> Stream {
    let allow_origins = vec!["https://page.example".parse().unwrap()];
    Stream::with(ROOMY, Options { vitals: true, allow_origins, ..with_token() }).await
}

async fn say(stream: &Stream, media: &str, body: impl Into<String>, origin: Option<&str>) -> reqwest::Response {
    let mut request = reqwest::Client::new().post(stream.url("/api/v1/vitals")).header("content-type", media);
    if let Some(origin) = origin {
        request = request.header("origin", origin);
    }
    soon(request.body(body.into()).send()).await.unwrap()
}

fn report(counts: [u32; 10]) -> String {
    json!({"render_duration_seconds": counts}).to_string()
}

#[tokio::test]
async fn a_report_is_counted_by_bucket_and_nothing_of_who_sent_it_is_left() {
    let stream = stream().await;
    let sent = report([5, 0, 3, 0, 0, 1, 0, 0, 0, 2]);
    let answer = say(&stream, "application/json", sent.clone(), Some("https://page.example")).await;
    assert_eq!(answer.status(), 204);
    assert!(answer.headers().get("set-cookie").is_none());
    assert_eq!(say(&stream, "application/json; charset=utf-8", sent, None).await.status(), 204);
    for (bound, count) in
        [("0.004", 10.0), ("0.008", 10.0), ("0.016", 16.0), ("0.1", 18.0), ("1", 18.0), ("+Inf", 22.0)]
    {
        let metric = format!("render_duration_seconds_bucket{{le=\"{bound}\"}}");
        assert_eq!(stream.metric(&metric).await, count, "{bound}");
    }
    let sum = stream.metric("render_duration_seconds_sum").await;
    let middles = 2.0 * (5.0 * 0.002 + 3.0 * 0.012 + 0.075 + 2.0 * 2.0);
    assert!((sum - middles).abs() < 0.001, "{sum}, and the middles are {middles}");
}

#[tokio::test]
async fn what_is_no_report_is_refused_in_words_and_counts_nothing() {
    let stream = stream().await;
    let full = report([10_001, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let json = "application/json";
    for (media, body, origin, status) in [
        (json, String::new(), None, 400),
        (json, "[]".to_owned(), None, 400),
        (json, json!({"render_duration_seconds": [1, 2, 3]}).to_string(), None, 400),
        (json, json!({"render_duration_seconds": [0, 0, 0, 0, 0, 0, 0, 0, 0, -1]}).to_string(), None, 400),
        (json, json!({"render_duration_seconds": [0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0]}).to_string(), None, 400),
        (
            json,
            json!({"render_duration_seconds": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0], "witness": "me"}).to_string(),
            None,
            400,
        ),
        (json, full, None, 400),
        (json, report([u32::MAX; 10]), None, 400),
        (json, format!("{}{}", report([1; 10]), " ".repeat(1_100)), None, 413),
        (json, " ".repeat(100_000), None, 413),
        ("text/plain", report([1; 10]), None, 415),
        (json, report([1; 10]), Some("https://elsewhere.example"), 403),
        (json, report([1; 10]), Some("null"), 403),
    ] {
        let shown: String = body.chars().take(60).collect();
        let answer = say(&stream, media, body, origin).await;
        assert_eq!(answer.status(), status, "{media} {shown} {origin:?}");
        let problem: Value = answer.json().await.unwrap();
        assert!(problem["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{problem}");
    }
    assert_eq!(stream.metric("render_duration_seconds_count").await, 0.0);
}

#[tokio::test]
async fn a_flood_of_reports_is_told_when_to_come_back() {
    let stream = stream().await;
    // Many at once: a machine that is slow would never be too fast with one after the other.
    let say = || say(&stream, "application/json", report([1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    let answers = futures_util::future::join_all((0..1_000).map(|_| say())).await;
    let refused = answers.into_iter().find(|answer| answer.status() != 204).expect("a hundred a second are taken");
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (429, &"1".parse().unwrap()));
}

#[tokio::test]
async fn without_the_flag_nothing_is_taken() {
    let stream = Stream::start().await;
    let answer = say(&stream, "application/json", report([1; 10]), None).await;
    assert_eq!(answer.status(), 404);
    assert!(answer.text().await.unwrap().contains("--vitals"));
    assert_eq!(stream.metric("render_duration_seconds_count").await, 0.0);
}
