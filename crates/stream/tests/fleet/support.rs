//! A fleet that runs in this process, and all that it has told so far.

use monkeytown_civilization::{Changes, Civilization, Entity};
use monkeytown_protocol::{EntityId, EntityStatus, Event, Flow, FlowStatus, Payload};
use monkeytown_stream::{
    now,
    sources::{
        Sink, SourceClock,
        fleet::{Fleet, FleetConfig, ProbeReport},
    },
};
use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::{sync::watch, task::JoinHandle};

/// Long enough that only what never comes is given up.
const PATIENCE: Duration = Duration::from_secs(180);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) events: Vec<Event>,
    pub(crate) reports: Vec<ProbeReport>,
    pub(crate) fold: Civilization,
}

impl State {
    pub(crate) fn entity(&self, id: &str) -> &Entity {
        self.fold.entity(&EntityId::new(id).expect("an id")).expect("it was told of")
    }

    /// How a component is, in one line.
    pub(crate) fn how(&self, id: &str) -> String {
        let entity = self.entity(id);
        match entity.status {
            EntityStatus::Idle => "idle".to_owned(),
            EntityStatus::Error => entity.reason.as_ref().expect("a reason").to_string(),
            _ => entity.activity.as_ref().expect("an activity").to_string(),
        }
    }

    /// How many probes of a component have ended.
    pub(crate) fn probes(&self, id: &str) -> usize {
        self.reports.iter().filter(|report| report.component.as_str() == id).count()
    }

    /// `SOURCE>TARGET` and how it ended, of every flow that did.
    pub(crate) fn ended_flows(&self) -> Vec<String> {
        let ended = self.events.iter().filter_map(|event| match &event.payload {
            Payload::Flow(_, Flow { source, target, status: FlowStatus::Complete, .. }) => {
                Some(format!("{source}>{target}"))
            }
            Payload::Flow(_, Flow { source, target, status: FlowStatus::Error, reason, .. }) => {
                Some(format!("{source}>{target}: {}", reason.as_ref().expect("a reason")))
            }
            _ => None,
        });
        ended.collect()
    }
}

/// Keeps everything; a test waits until what it has is what the test wants.
#[derive(Clone)]
struct Kept {
    state: Arc<Mutex<State>>,
    grown: watch::Sender<u64>,
}

impl Kept {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("no test panics while it holds this"));
        self.grown.send_modify(|grown| *grown += 1);
    }
}

impl Sink for Kept {
    async fn append(&self, events: Vec<Event>) {
        self.change(|state| {
            for event in events {
                state.fold.apply(event.clone(), &mut Changes::default());
                state.events.push(event);
            }
        });
    }

    fn set_clock(&self, _: SourceClock) {
        panic!("a fleet runs by the server's own clock");
    }
}

/// A fleet that runs until this is dropped.
pub(crate) struct Running {
    kept: Kept,
    task: JoinHandle<()>,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Running {
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.kept.state.lock().expect("no test panics while it holds this")
    }

    /// Waits for what must come.
    pub(crate) async fn until(&self, wanted: impl Fn(&State) -> bool) {
        let mut grown = self.kept.grown.subscribe();
        let waited = tokio::time::timeout(PATIENCE, async {
            while !wanted(&self.state()) {
                grown.changed().await.expect("the sender is held here");
            }
        });
        if waited.await.is_err() {
            let state = self.state();
            let told: Vec<String> =
                state.fold.entities().map(|(id, _)| format!("{id}: {}", state.how(id.as_str()))).collect();
            panic!("it does not come: {told:#?}, after {:?}", state.reports);
        }
    }

    /// Waits until `id` is told to be so, by the beginning of [`State::how`].
    pub(crate) async fn until_told(&self, id: &str, how: &str) {
        self.until(|state| !state.events.is_empty() && state.how(id).starts_with(how)).await;
    }
}

/// A component that is asked every second and given a second for its answer.
pub(crate) fn component(id: &str, probe: &str, rest: &str) -> String {
    format!("[[component]]\nid = \"{id}\"\nprobe = \"{probe}\"\nevery_seconds = 1\ntimeout_seconds = 1\n{rest}\n")
}

pub(crate) fn fleet(components: impl IntoIterator<Item = String>) -> String {
    let components: String = components.into_iter().collect();
    format!("name = \"the fleet\"\n{components}")
}

pub(crate) fn run(components: impl IntoIterator<Item = String>) -> Running {
    let config = FleetConfig::parse(&fleet(components), Path::new("fleet.toml"), |_| None).expect("a sound fleet");
    let fleet = Fleet::open(config).expect("it opens");
    let kept = Kept { state: Arc::default(), grown: watch::Sender::new(0) };
    let (sink, reports) = (kept.clone(), kept.clone());
    let heard = move |report: &ProbeReport| reports.change(|state| state.reports.push(report.clone()));
    let task = tokio::spawn(async move { match fleet.run(sink, now, heard).await {} });
    Running { kept, task }
}
