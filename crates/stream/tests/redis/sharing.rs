//! What nodes share: one epoch, one order, the same bytes, one state.

use crate::{
    node::{Node, ROOMY, event, events, id_of, patience, soon, until},
    server::{EVENTS, IDENTITIES, LOG, Redis},
};
use monkeytown_stream::{
    Log, RedisPatience, RingBounds,
    sources::simulator::{Simulator, SimulatorConfig},
};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_give_the_same_epoch_offsets_and_bytes() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let first = one.publish(&events(0..30)).await;
    let second = other.publish(&events(30..50)).await;
    let third = one.publish(&[event("last")]).await;
    assert_eq!((&first["epoch"], &first["epoch"]), (&second["epoch"], &third["epoch"]));
    assert_eq!((&second["first"], &second["last"], &third["first"]), (&json!(30), &json!(49), &json!(50)));
    assert_eq!(first["offsets"], json!((0..30).collect::<Vec<_>>()));
    one.reaches(50).await;
    other.reaches(50).await;
    let all = one.read("earliest".to_owned()).await;
    assert_eq!(all, other.read("earliest".to_owned()).await);
    assert_eq!(all.0.len(), 51);
    let recorded: Vec<String> = all.0.iter().map(|json| moment(json)).collect();
    assert!(recorded.is_sorted(), "{recorded:?}");
    assert_eq!(one.state(), other.state());
    assert_eq!(
        (one.metric("events_published_total").await, other.metric("events_published_total").await),
        (31.0, 20.0)
    );
    assert!(one.metric("redis_append_seconds_count").await >= 2.0);
    let health = one.get("/health").await;
    assert_eq!((&health["status"], &health["checks"]["redis"]["status"]), (&json!("healthy"), &json!("ok")));
}

fn moment(json: &str) -> String {
    serde_json::from_str::<Value>(json).unwrap()["recordedtime"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duplicate_over_two_nodes_is_one_event_with_one_offset() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let first = one.publish(&[event("a"), event("a"), event("b")]).await;
    assert_eq!((&first["offsets"], &first["duplicates"]), (&json!([0, 0, 1]), &json!(1)));
    let again = other.publish(&[event("b"), event("c"), event("a")]).await;
    assert_eq!((&again["offsets"], &again["duplicates"]), (&json!([1, 2, 0]), &json!(2)));
    // Both at once, many times: each event has one offset, whoever was faster.
    for round in 0..20 {
        let same: Vec<Value> = (0..50).map(|number| event(&format!("{round}-{number}"))).collect();
        let (here, there) = tokio::join!(one.publish(&same), other.publish(&same));
        assert_eq!(here["offsets"], there["offsets"]);
        assert_eq!(here["duplicates"].as_u64().unwrap() + there["duplicates"].as_u64().unwrap(), 50);
    }
    one.reaches(1_002).await;
    assert_eq!(one.ids().await.len(), 1_003);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_resumes_on_another_node_even_one_that_is_behind_by_a_moment() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let mut cursor = "earliest".to_owned();
    let mut heard = Vec::new();
    for round in 0..40 {
        let (near, far) = if round % 2 == 0 { (&one, &other) } else { (&other, &one) };
        near.publish(&events(round * 10..round * 10 + 10)).await;
        // At once, where it was not published.
        while heard.len() < usize::try_from(round * 10 + 10).unwrap() {
            let (new, next) = far.read(cursor).await;
            heard.extend(new.iter().map(|json| id_of(json)));
            cursor = next;
        }
        cursor = near.read(cursor).await.1;
    }
    assert_eq!(heard, (0..400).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_ahead_of_a_node_is_waited_for_on_every_way_in() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let epoch = one.publish(&events(0..5)).await["epoch"].as_str().unwrap().to_owned();
    other.reaches(4).await;
    for (number, accept) in [(5_u64, "text/event-stream"), (6, "application/cloudevents-batch+json")] {
        let asked = reqwest::Client::new().get(format!("{}/api/v1/events?after={epoch}:{number}", other.base));
        let asked = tokio::spawn(asked.header("accept", accept).send());
        // It asks for what no node has yet.
        tokio::task::yield_now().await;
        one.publish(&events(number..number + 1)).await;
        let mut answer = soon(asked).await.unwrap().unwrap();
        if accept == "text/event-stream" {
            let mut text = String::new();
            while !text.contains("event: hello") || !text.trim_start().contains("recovered") {
                text += &String::from_utf8_lossy(&soon(answer.chunk()).await.unwrap().unwrap());
            }
            assert!(text.contains("\"recovered\":true"), "{text}");
        } else {
            assert_eq!(answer.headers()["monkeytown-recovered"], "true");
        }
    }
    // What never comes is lost, as it is on a node alone.
    let asked = soon(reqwest::get(format!("{}/api/v1/events?after={epoch}:99", other.base))).await.unwrap();
    assert_eq!(asked.headers()["monkeytown-recovered"], "false");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_waits_for_a_young_redis_to_settle_hears_what_others_append() {
    let redis = Redis::start();
    let one = Node::start(&redis).await;
    let epoch = one.publish(&events(0..5)).await["epoch"].as_str().unwrap().to_owned();
    // Longer than a cursor that is ahead is waited for: a subscriber who comes from the other is not turned away meanwhile.
    let late = Node::with(&redis, ROOMY, RedisPatience { settle: Duration::from_secs(30), ..patience() }).await;
    for number in [5, 6, 7] {
        // Past what it looks at before it waits.
        tokio::time::sleep(Duration::from_secs(1)).await;
        one.publish(&events(number..number + 1)).await;
        let asked = reqwest::get(format!("{}/api/v1/events?after={epoch}:{number}", late.base));
        assert_eq!(soon(asked).await.unwrap().headers()["monkeytown-recovered"], "true", "{number}");
    }
}

/// Appends as a source does that invents.
async fn invent(log: &Log, simulator: &mut Simulator, count: usize) {
    use monkeytown_stream::sources::Sink;
    for _ in 0..count.div_ceil(100) {
        let events = (0..100).map(|_| simulator.next_event()).collect();
        soon(log.append(events)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_comes_late_has_the_state_and_the_events_of_one_that_was_there_from_the_start() {
    let redis = Redis::start();
    let small = RingBounds { max_events: 3_000, max_bytes: 1 << 30 };
    let early = Node::with(&redis, small, patience()).await;
    let mut simulator = Simulator::new(SimulatorConfig { rate: 10.0, seed: 5 }).unwrap();
    for events in [500, 2_000, 1_300, 4_000, 700] {
        invent(&early.log, &mut simulator, events).await;
        let late = Node::with(&redis, small, patience()).await;
        assert_eq!(late.log.epoch(), early.log.epoch());
        assert_eq!(late.head(), early.head());
        assert_eq!(late.read("earliest".to_owned()).await, early.read("earliest".to_owned()).await);
        assert_eq!(late.state(), early.state());
        // And goes on as it does.
        invent(&late.log, &mut simulator, 100).await;
        early.reaches(late.head().unwrap()).await;
        assert_eq!(late.state(), early.state());
        late.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_holds_a_ring_and_forgets_the_identities_of_what_has_gone() {
    for ring in
        [RingBounds { max_events: 1_500, max_bytes: 1 << 30 }, RingBounds { max_events: 1_000_000, max_bytes: 700_000 }]
    {
        let redis = Redis::start();
        let node = Node::with(&redis, ring, patience()).await;
        for from in (0..9_000).step_by(450) {
            node.publish(&events(from..from + 450)).await;
            // Exactly what the node's ring holds, as soon as what has gone may go.
            let ids = node.ids().await;
            until(async || redis.ask::<usize>(&["XLEN", EVENTS]) == ids.len()).await;
            assert_eq!(redis.ask::<usize>(&["HLEN", IDENTITIES]), ids.len());
            assert_eq!(ids.first(), Some(&redis.ask::<String>(&["HGET", LOG, "first"])));
        }
        // Who has gone is new again, who is held is not.
        let again = node.publish(&[event("3"), event("8999")]).await;
        assert_eq!((&again["offsets"], &again["duplicates"]), (&json!([9_000, 8_999]), &json!(1)));
    }
    // A ring that holds nothing at all.
    let redis = Redis::start();
    let nothing = RingBounds { max_events: 10, max_bytes: 1 };
    let node = Node::with(&redis, nothing, patience()).await;
    node.publish(&events(0..5)).await;
    until(async || redis.ask::<u64>(&["XLEN", EVENTS]) == 0).await;
    assert_eq!((redis.ask::<u64>(&["HLEN", IDENTITIES]), node.head()), (0, Some(4)));
    let late = Node::with(&redis, nothing, patience()).await;
    assert_eq!(late.publish(&[event("5")]).await["first"], 5);
    // What it has not seen is gone: it cannot go on.
    node.ended().await;
    assert_eq!(Node::with(&redis, ROOMY, patience()).await.head(), Some(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_largest_request_is_one_append() {
    let redis = Redis::start();
    let (one, other) = (Node::start(&redis).await, Node::start(&redis).await);
    let (many, two) = (events(0..10_000), [event("x"), event("y")]);
    let (all, few) = tokio::join!(one.publish(&many), other.publish(&two));
    let first = all["first"].as_u64().unwrap();
    assert_eq!(all["offsets"], json!((first..first + 10_000).collect::<Vec<_>>()), "nothing comes between");
    assert!([0, 10_000].contains(&few["first"].as_u64().unwrap()));
    let padding = "x".repeat(15_000);
    let large = |number: u32| {
        json!({"specversion": "1.0", "id": format!("large-{number}"), "source": "/s", "type": "org.example.large",
            "data": padding})
    };
    one.publish(&(0..250).map(large).collect::<Vec<_>>()).await;
    other.reaches(10_251).await;
    assert_eq!(one.read("earliest".to_owned()).await, other.read("earliest".to_owned()).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_gives_the_same_state_at_a_moment_and_one_that_joins_late_goes_back_to_where_it_began() {
    let ring = RingBounds { max_events: 4_000, max_bytes: 1 << 26 };
    let redis = Redis::start();
    let (one, other) = (Node::with(&redis, ring, patience()).await, Node::with(&redis, ring, patience()).await);
    for first in (0..7_000).step_by(500) {
        one.publish(&events(first..first + 500)).await;
    }
    other.reaches(6_999).await;
    let late = Node::with(&redis, ring, patience()).await;
    let epoch = one.log.epoch().to_string();
    let at = |offset: u64| format!("/api/v1/snapshot?at={epoch}:{offset}");
    let earliest = async |node: &Node| node.get("/api/v1/snapshot").await["earliest"]["offset"].as_u64().unwrap();
    let (oldest, began) = (earliest(&one).await, earliest(&late).await);
    assert_eq!((oldest, earliest(&other).await), (2_999, 2_999));
    assert!((oldest..6_999).contains(&began), "it joined with a state, and not with the newest: {began}");
    for offset in (oldest..7_000).step_by(321).chain([began, 6_999]) {
        let here = one.get(&at(offset)).await;
        assert_eq!(here["state"]["totals"]["events"], offset + 1);
        let there = other.get(&at(offset)).await;
        assert_eq!((&here["state"], &here["clock"]), (&there["state"], &there["clock"]), "{offset}");
        let there = late.get(&at(offset)).await;
        if offset < began {
            assert_eq!((&there["status"], &there["earliest"]), (&json!(410), &json!(format!("{epoch}:{began}"))));
        } else {
            assert_eq!((&here["state"], &here["clock"]), (&there["state"], &there["clock"]), "{offset}");
        }
    }
    // A moment that another node has told already is waited for; one that nobody has is not there.
    let asked = at(7_000);
    let (there, ()) = tokio::join!(other.get(&asked), async {
        one.publish(&events(7_000..7_001)).await;
    });
    assert_eq!(there["offset"], 7_000);
    assert_eq!(other.get(&at(9_999)).await["status"], 404);
}
