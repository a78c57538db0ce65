//! Faults by chance: Redis killed, stopped, stalled and made to forget, nodes that go and come, all under load.

use crate::{
    load::{Load, Told},
    node::{Node, ROOMY, quick, until},
    server::Redis,
};
use fastrand::Rng;
use std::time::Duration;

/// How many seeds; a variable asks for more.
fn seeds() -> u64 {
    std::env::var("REDIS_SEEDS").map_or(10, |seeds| seeds.parse().unwrap())
}

/// Faults of one seed.
const FAULTS: u32 = 6;

/// Events that are acknowledged between two faults.
const BETWEEN: usize = 40;

async fn run(seed: u64) -> Told {
    let mut rng = Rng::with_seed(seed);
    let mut redis = Redis::start();
    let mut nodes = vec![Node::with(&redis, ROOMY, quick()).await, Node::with(&redis, ROOMY, quick()).await];
    // What was written before is that there is a log; without that nothing comes back.
    let begun = redis.written();
    let load = Load::start(&[&nodes[0], &nodes[1]], 3, 2, seed);
    for _ in 0..FAULTS {
        let before = load.acknowledged();
        until(async || load.acknowledged() >= before + BETWEEN).await;
        tokio::time::sleep(Duration::from_millis(rng.u64(0..40))).await;
        let pause = Duration::from_millis(rng.u64(0..300));
        match rng.u8(0..6) {
            0 => {
                redis.kill();
                tokio::time::sleep(pause).await;
                redis.run();
            }
            1 => {
                redis.stop();
                tokio::time::sleep(pause).await;
                redis.run();
            }
            2 => {
                redis.stall();
                tokio::time::sleep(pause * 5).await;
                redis.go_on();
            }
            3 => {
                // Up to some 200 events that it had not written down.
                redis.kill();
                redis.forget(redis.written().saturating_sub(rng.u64(0..80_000)).max(begun));
                redis.run();
            }
            _ => {
                // One goes, another comes; clients go on with whoever is there.
                let gone = nodes.swap_remove(rng.usize(0..nodes.len()));
                load.over(&nodes.iter().collect::<Vec<_>>());
                gone.stop().await;
                nodes.push(Node::with(&redis, ROOMY, quick()).await);
                load.over(&nodes.iter().collect::<Vec<_>>());
            }
        }
    }
    let told = load.finish(&nodes[0]).await;
    let late = Node::with(&redis, ROOMY, quick()).await;
    for node in &nodes {
        node.reaches(late.head().unwrap()).await;
        assert_eq!(node.read("earliest".to_owned()).await, late.read("earliest".to_owned()).await);
        assert_eq!(node.state(), late.state());
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_nothing_acknowledged_is_lost_or_doubled() {
    let (mut acknowledged, mut refused, mut moves) = (0, 0, 0);
    let only = std::env::var("REDIS_SEED").ok().map(|seed| seed.parse().unwrap());
    for seed in only.map_or(0..seeds(), |seed: u64| seed..seed + 1) {
        println!("seed {seed}");
        let told = run(seed).await;
        acknowledged += told.acknowledged.len();
        refused += told.refused;
        moves += told.moves;
    }
    println!("{acknowledged} acknowledged, {refused} answers were none, readers moved {moves} times");
}
