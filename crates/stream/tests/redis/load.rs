//! Publishers that come again until they are acknowledged, and readers that move from node to node, and what must hold of
//! all that they were told.

use crate::node::{Node, event, publish};
use fastrand::Rng;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::JoinSet;

/// What publishers and readers were told; all of one epoch.
#[derive(Default)]
pub(crate) struct Told {
    epoch: Option<String>,
    pub(crate) acknowledged: BTreeMap<u64, String>,
    /// What each reader was served, in order, from the first event on.
    served: BTreeMap<usize, Vec<String>>,
    /// Answers that were no receipt.
    pub(crate) refused: u64,
    /// Times that a reader resumed on another node than before.
    pub(crate) moves: u64,
}

/// Publishers and readers under way.
pub(crate) struct Load {
    pub(crate) told: Arc<Mutex<Told>>,
    bases: Arc<Mutex<Vec<String>>>,
    stop: Arc<AtomicBool>,
    stop_reading: Arc<AtomicBool>,
    publishing: JoinSet<()>,
    reading: JoinSet<()>,
}

/// Epoch and next offset of a cursor.
fn split(cursor: &str) -> (String, u64) {
    let (epoch, offset) = cursor.rsplit_once(':').unwrap();
    let next = offset.parse::<i64>().unwrap() + 1;
    (epoch.to_owned(), next.try_into().unwrap())
}

impl Load {
    pub(crate) fn start(nodes: &[&Node], publishers: usize, readers: usize, seed: u64) -> Self {
        let bases = nodes.iter().map(|node| node.base.clone()).collect();
        let mut load = Self {
            told: Arc::default(),
            bases: Arc::new(Mutex::new(bases)),
            stop: Arc::default(),
            stop_reading: Arc::default(),
            publishing: JoinSet::new(),
            reading: JoinSet::new(),
        };
        let mut rng = Rng::with_seed(seed);
        for number in 0..publishers {
            load.publishing.spawn(load.publisher(format!("{seed:x}-{number}"), rng.fork()));
        }
        for number in 0..readers {
            load.reading.spawn(load.reader(number, rng.fork()));
        }
        load
    }

    /// The nodes are others from now on.
    pub(crate) fn over(&self, nodes: &[&Node]) {
        *self.bases.lock().unwrap() = nodes.iter().map(|node| node.base.clone()).collect();
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.told.lock().unwrap().acknowledged.len()
    }

    fn publisher(&self, name: String, mut rng: Rng) -> impl Future<Output = ()> + Send + use<> {
        let (told, bases, stop) = (self.told.clone(), self.bases.clone(), self.stop.clone());
        async move {
            let client = reqwest::Client::new();
            for number in 0_u64.. {
                let ids: Vec<String> = (0..rng.u64(1..20)).map(|part| format!("{name}-{number}-{part}")).collect();
                let events: Vec<Value> = ids.iter().map(|id| event(id)).collect();
                let receipt: Value = loop {
                    let base = rng.choice(bases.lock().unwrap().iter()).unwrap().clone();
                    match publish(&client, &base, &events).await {
                        Ok(answer) if answer.status() == 200 => {
                            if let Ok(receipt) = answer.json().await {
                                break receipt;
                            }
                        }
                        Ok(answer) => assert_eq!(answer.status(), 503),
                        Err(_) => {}
                    }
                    told.lock().unwrap().refused += 1;
                    tokio::time::sleep(Duration::from_millis(rng.u64(1..30))).await;
                };
                let mut told = told.lock().unwrap();
                let epoch = receipt["epoch"].as_str().unwrap().to_owned();
                assert_eq!(*told.epoch.get_or_insert(epoch.clone()), epoch, "one history");
                for (id, offset) in ids.into_iter().zip(receipt["offsets"].as_array().unwrap()) {
                    let before = told.acknowledged.insert(offset.as_u64().unwrap(), id);
                    assert_eq!(before, None, "offset {offset} is given twice");
                }
                // All of a batch is acknowledged, or it is asked for again.
                if stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        }
    }

    fn reader(&self, number: usize, mut rng: Rng) -> impl Future<Output = ()> + Send + use<> {
        let (told, bases, stop) = (self.told.clone(), self.bases.clone(), self.stop_reading.clone());
        async move {
            let client = reqwest::Client::new();
            let (mut cursor, mut last) = ("earliest".to_owned(), String::new());
            while !stop.load(Ordering::Relaxed) {
                let base = rng.choice(bases.lock().unwrap().iter()).unwrap().clone();
                let request = client.get(format!("{base}/api/v1/events?after={cursor}&limit=300&wait=1"));
                let Ok(answer) = request.send().await else { continue };
                if answer.status() != 200 {
                    assert_eq!(answer.status(), 503, "a node that ends sends its readers away");
                    continue;
                }
                assert_eq!(answer.headers()["monkeytown-recovered"], "true", "after {cursor}");
                let next = answer.headers()["monkeytown-cursor"].to_str().unwrap().to_owned();
                let Ok(events) = answer.json::<Vec<Value>>().await else { continue };
                let mut told = told.lock().unwrap();
                told.moves += u64::from(!last.is_empty() && last != base);
                last = base;
                let epoch = split(&next).0;
                assert_eq!(*told.epoch.get_or_insert(epoch.clone()), epoch, "one history");
                let served = told.served.entry(number).or_default();
                served.extend(events.iter().map(|event| event["id"].as_str().unwrap().to_owned()));
                if !events.is_empty() {
                    assert_eq!(split(&next).1, served.len() as u64, "no hole, and nothing twice");
                    cursor = next;
                }
            }
        }
    }

    /// Has every publisher finish, and every reader read all; holds all that was told against what a node has.
    pub(crate) async fn finish(mut self, node: &Node) -> Told {
        self.stop.store(true, Ordering::Relaxed);
        crate::node::soon(async {
            while let Some(ended) = self.publishing.join_next().await {
                ended.unwrap();
            }
        })
        .await;
        // Another node may have answered last, and this one may be behind it by a moment.
        let newest = self.told.lock().unwrap().acknowledged.keys().max().copied();
        if let Some(newest) = newest {
            node.reaches(newest).await;
        }
        let all = node.ids().await;
        let told = Arc::clone(&self.told);
        let readers = self.reading.len();
        crate::node::until(async || {
            let told = told.lock().unwrap();
            told.served.values().filter(|served| served.len() >= all.len()).count() == readers
        })
        .await;
        self.stop_reading.store(true, Ordering::Relaxed);
        while let Some(ended) = self.reading.join_next().await {
            ended.unwrap();
        }
        let told = std::mem::take(&mut *self.told.lock().unwrap());
        assert_eq!(told.epoch.as_deref(), Some(node.log.epoch().as_str()));
        assert_eq!(node.head().map(|head| head + 1), Some(all.len() as u64), "no hole");
        for (offset, id) in &told.acknowledged {
            assert_eq!(all.get(usize::try_from(*offset).unwrap()), Some(id), "offset {offset}");
        }
        assert_eq!(told.acknowledged.len(), all.len(), "nothing is there that was not published, nothing twice");
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len(), "nothing is there twice");
        for served in told.served.values() {
            assert_eq!(served, &all, "what was served is what is there");
        }
        told
    }
}
