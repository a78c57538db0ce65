//! All payloads of `@octokit/webhooks-examples`, when somebody has fetched the package.
//!
//! `npm pack @octokit/webhooks-examples@7.6.1`, unpack it, and
//! `MONKEYTOWN_PAYLOADS=$PWD/package cargo test -p monkeytown-stream --test hooks packaged -- --ignored --nocapture`

use crate::support::{Stream, options};
use serde_json::Value;
use std::{collections::BTreeMap, path::PathBuf};

/// How often each answer was given for an event.
#[derive(Default)]
struct Tally {
    payloads: usize,
    told: usize,
    events: u64,
    details: BTreeMap<String, usize>,
}

#[tokio::test]
#[ignore = "needs the package that MONKEYTOWN_PAYLOADS names"]
async fn every_payload_of_the_package_is_taken() {
    let package = PathBuf::from(std::env::var_os("MONKEYTOWN_PAYLOADS").unwrap());
    let mut tallies: BTreeMap<String, Tally> = BTreeMap::new();
    for folder in std::fs::read_dir(&package).unwrap() {
        let index = folder.unwrap().path().join("index.json");
        let Ok(text) = std::fs::read_to_string(&index) else { continue };
        // Each folder is GitHub at another time: what one tells again is news.
        let stream = Stream::with(options()).await;
        let events: Vec<Value> = serde_json::from_str(&text).unwrap();
        for event in &events {
            let name = event["name"].as_str().unwrap();
            for payload in event["examples"].as_array().unwrap() {
                let taken = stream.take(name, payload).await;
                assert!(taken.status == 200 || taken.status == 202, "{name}: {taken:?}");
                let tally = tallies.entry(name.to_owned()).or_default();
                let events = taken.body["events"].as_u64().unwrap();
                tally.payloads += 1;
                tally.told += usize::from(events > 0);
                tally.events += events;
                if let Some(detail) = taken.body["detail"].as_str() {
                    *tally.details.entry(detail.to_owned()).or_default() += 1;
                }
            }
        }
        assert_eq!(stream.metric("events_rejected_total{reason=\"too_large\"}").await, 0.0);
        stream.state().await;
    }
    assert!(!tallies.is_empty(), "{} holds no payloads", package.display());
    for (name, tally) in tallies {
        let Tally { payloads, told, events, details } = tally;
        println!("{name}: {payloads} payloads, {told} told, {events} events; {details:?}");
    }
}
