//! Where alerts arrive: a webhook for each receiver, in the place of the pager and the channels. Keeps what came.

use axum::{
    Router,
    extract::{Json, Path, State},
    routing::post,
};
use serde_json::Value;
use std::{net::SocketAddr, time::Duration};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

/// Long enough for an alert to be noticed, wait, be grouped and sent on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// An alert as it arrived, and at whom.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    pub(crate) receiver: String,
    pub(crate) alert: Value,
}

impl Arrived {
    /// A text within the alert.
    pub(crate) fn text(&self, pointer: &str) -> &str {
        self.alert.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether it says that the alert `name` is `status`: `firing` or `resolved`.
    fn says(&self, name: &str, status: &str) -> bool {
        self.text("/labels/alertname") == name && self.text("/status") == status
    }
}

type Kept = watch::Sender<Vec<Arrived>>;

/// All receivers.
pub(crate) struct Pager {
    pub(crate) address: SocketAddr,
    arrived: watch::Receiver<Vec<Arrived>>,
    serving: JoinHandle<()>,
}

impl Drop for Pager {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(Path(receiver): Path<String>, State(kept): State<Kept>, Json(message): Json<Value>) {
    let alerts = message.get("alerts").and_then(Value::as_array).cloned().unwrap_or_default();
    kept.send_modify(|arrived| {
        arrived.extend(alerts.into_iter().map(|alert| Arrived { receiver: receiver.clone(), alert }));
    });
}

impl Pager {
    pub(crate) async fn start() -> Self {
        let (kept, arrived) = watch::channel(Vec::new());
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let router = Router::new().route("/{receiver}", post(take)).with_state(kept);
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("the listener works") });
        Self { address, arrived, serving }
    }

    /// Waits for `alert` to be told as `status`.
    pub(crate) async fn told(&self, alert: &str, status: &str) -> Arrived {
        self.arrives(&format!("{alert} as {status}"), |arrived| arrived.says(alert, status)).await
    }

    /// Waits for `receiver` to be told that `alert` fires.
    pub(crate) async fn told_to(&self, receiver: &str, alert: &str) -> Arrived {
        let is_it = |arrived: &Arrived| arrived.receiver == receiver && arrived.says(alert, "firing");
        self.arrives(&format!("{alert} at {receiver}"), is_it).await
    }

    async fn arrives(&self, what: &str, is_it: impl Fn(&Arrived) -> bool) -> Arrived {
        let mut arrived = self.arrived.clone();
        let waited = arrived.wait_for(|all| all.iter().any(&is_it));
        let Ok(found) = tokio::time::timeout(PATIENCE, waited).await else {
            panic!("{what} is not told within {PATIENCE:?}; told: {:#?}", *self.arrived.borrow());
        };
        let found = found.expect("the pager is there").iter().find(|arrived| is_it(arrived)).cloned();
        found.expect("it was there just now")
    }

    /// Whether anything arrived of `alert`.
    pub(crate) fn knows(&self, alert: &str) -> bool {
        self.arrived.borrow().iter().any(|arrived| arrived.text("/labels/alertname") == alert)
    }
}
