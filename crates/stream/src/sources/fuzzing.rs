//! What people and GitHub write, for fuzzing.

use super::{
    commit_message,
    github::{Delivery, DeliveryId, EVENTS, GitHub, GitHubConfig},
    seed_lines,
};
use monkeytown_protocol::{Event, Json, Timestamp};
use std::time::{Duration, Instant};

/// Most events of one delivery, and those that end what it left open.
const EVENTS_MAX: usize = 1_100;

/// A commit's message: its subject, its body, and the seeds that it names.
pub fn commit(bytes: &[u8]) {
    let subject = commit_message::subject(bytes);
    assert!(!subject.contains('\n'));
    let seeds = seed_lines::named(commit_message::body(bytes));
    assert!(seeds.len() <= 8 && seeds.iter().all(|seed| seed.as_str().len() <= 64));
    for seed in &seeds {
        let _ = seed_lines::type_of(seed);
    }
}

/// Deliveries one after the other, each a byte that chooses the event, its payload, and a byte of zero.
pub fn webhook(bytes: &[u8]) {
    let (rest_after, silence) = (Duration::from_secs(60), Duration::from_secs(600));
    let mut github = GitHub::new(GitHubConfig { domains: None, home: None, rest_after, silence });
    let (now, at) = ("2026-01-18T12:00:00Z".parse().expect("a moment"), Instant::now());
    for (number, delivery) in bytes.split(|byte| *byte == 0).take(4).enumerate() {
        let Some((event, payload)) = delivery.split_first() else { continue };
        let Ok(payload) = std::str::from_utf8(payload) else { continue };
        let event = EVENTS.get(usize::from(*event) % (EVENTS.len() + 1)).copied().unwrap_or("another");
        let id = DeliveryId::new(&format!("delivery-{number}")).expect("an id");
        let Ok(delivery) = Delivery::read(&id, event, payload) else { continue };
        let told = github.hear(delivery, now, at);
        assert!(told.events.len() <= EVENTS_MAX);
        told.events.iter().for_each(|event| hold(event, now));
    }
    for told in github.due(now, at + silence * 2) {
        told.events.iter().for_each(|event| hold(event, now));
    }
}

/// What a source tells must be read by the page.
fn hold(event: &Event, now: Timestamp) {
    let text = serde_json::to_string(event).expect("an event is JSON");
    let tree = Json::parse(&text).expect("an event is JSON for the page");
    let read = Event::from_json(&tree, now).expect("an event is one for the page");
    assert_eq!(read.id, event.id);
}
