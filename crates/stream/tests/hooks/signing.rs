//! Whoever does not know the secret is not heard.

use crate::support::{SECRET, Stream, answer, options, payload, signature};
use monkeytown_stream::Options;

#[tokio::test]
async fn only_githubs_own_signature_of_these_very_bytes_opens() {
    let stream = Stream::start().await;
    let body = payload("push").to_string().into_bytes();
    let right = signature(&body);
    let digits = right.strip_prefix("sha256=").unwrap();
    let first = |length: usize| digits.chars().take(length).collect::<String>();
    let signed = |value: &str| stream.unsigned("push", "d-1").header("x-hub-signature-256", value).body(body.clone());
    let mut nearly = body.clone();
    nearly.push(b' ');
    for wrong in [
        signature(&nearly).as_str(),
        "",
        digits,
        "sha256=",
        &format!("sha256={}", digits.to_uppercase()),
        &format!("sha256={}", first(63)),
        &format!("sha256={}", first(62)),
        &format!("{right}0"),
        &format!("{right}00"),
        &format!(" {right},{right}"),
        &format!("sha1={}", first(40)),
        &format!("sha1={digits}"),
        &format!("sha256={}", "0".repeat(64)),
        &format!("sha256={}", "z".repeat(64)),
    ] {
        assert_eq!(answer(signed(wrong)).await.status, 401, "{wrong}");
    }
    let sha1_only = stream.unsigned("push", "d-1").header("x-hub-signature", format!("sha1={}", first(40)));
    assert_eq!(answer(sha1_only.body(body.clone())).await.status, 401);
    assert_eq!(answer(stream.unsigned("push", "d-1").body(body.clone())).await.status, 401, "without any");
    let twice = signed(&right).header("x-hub-signature-256", &right);
    assert_eq!(answer(twice).await.status, 401, "two of them");
    assert_eq!(stream.log.head(), None);
    assert_eq!(stream.metric("events_rejected_total{reason=\"unauthorized\"}").await, 17.0);
    // None of them was taken for the delivery, which comes at last.
    assert_eq!(answer(signed(&right)).await.status, 200);
}

#[tokio::test]
async fn a_wrong_signature_is_refused_before_anything_is_read_of_the_json() {
    let stream = Stream::start().await;
    for body in ["{", "", "[]", "\u{0}"] {
        let request = stream.unsigned("push", "d-1").header("x-hub-signature-256", signature(b"other"));
        assert_eq!(answer(request.body(body)).await.status, 401);
    }
    for (event, id) in [("", "d-1"), ("push", "")] {
        let request = stream.unsigned(event, id).body("{}");
        assert_eq!(answer(request).await.status, 401, "the signature first");
    }
}

#[tokio::test]
async fn without_a_secret_nobody_is_heard_and_the_variable_is_named() {
    let stream = Stream::with(Options::default()).await;
    let refused = stream.take("push", &payload("push")).await;
    assert_eq!(refused.status, 404);
    assert!(refused.body["detail"].as_str().unwrap().contains("MONKEYTOWN_GITHUB_WEBHOOK_SECRET"));
    assert!(!format!("{:?}", options()).contains(SECRET));
}
