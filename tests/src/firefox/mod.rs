//! A real Firefox, driven by WebDriver: geckodriver opens the session, `BiDi` asks its pages. Its pages answer the same
//! questions as those of [`crate::browser`].

mod driver;
mod page;
mod remote;
mod socket;

pub use page::Page;

use driver::Driver;
use page::EARS;
use serde_json::{Map, Value, json};
use socket::Socket;
use std::sync::Arc;
use tempfile::TempDir;

/// Names of the program.
const PROGRAMS: [&str; 2] = ["firefox-esr", "firefox"];
/// What a browser would ask of the world unasked, beside what geckodriver switches off.
const QUIET: [&str; 4] = [
    "app.normandy.enabled",
    "messaging-system.rsexperimentloader.enabled",
    "network.captive-portal-service.enabled",
    "network.connectivity-service.enabled",
];
/// The address of no server.
const NOWHERE: &str = "data:,#remote-settings-dummy/v1";
/// Where the listeners in the page send what they hear.
const CHANNEL: &str = "complaints";

/// A browser. Dropping it kills it.
pub struct Firefox {
    driver: Driver,
    socket: Arc<Socket>,
    profile: TempDir,
}

impl Firefox {
    /// Starts one with a profile that nobody has used.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub async fn start() -> Self {
        Self::preferring(&[]).await
    }

    /// Starts one whose owner has set preferences, as `about:config` names them.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub async fn preferring(preferences: &[(&str, Value)]) -> Self {
        Self::with(tempfile::tempdir().expect("a folder for a profile"), preferences).await
    }

    /// Starts one with the profile that another has left.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub async fn again(profile: TempDir) -> Self {
        Self::with(profile, &[]).await
    }

    async fn with(profile: TempDir, preferences: &[(&str, Value)]) -> Self {
        let quiet = QUIET.map(|name| (name, Value::from(false)));
        let own = [("network.proxy.type", Value::from(0)), ("services.settings.server", Value::from(NOWHERE))];
        let all = own.iter().chain(&quiet).chain(preferences);
        let all: Map<_, _> = all.map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let driver = Driver::start(profile.path(), &Value::from(all)).await;
        let driver = driver.unwrap_or_else(|why| panic!("no Firefox: {why:#}"));
        let socket = Socket::connect(&driver.socket).await;
        let socket =
            Arc::new(socket.unwrap_or_else(|why| panic!("{}: {why:#}\n{}", driver.socket, driver.last_words())));
        let firefox = Self { driver, socket, profile };
        firefox.told("session.subscribe", json!({"events": ["log.entryAdded", "script.message"]})).await;
        let channel = json!({"type": "channel", "value": {"channel": CHANNEL}});
        firefox.told("script.addPreloadScript", json!({"functionDeclaration": EARS, "arguments": [channel]})).await;
        firefox
    }

    /// What the browser answers to a command that it must take.
    async fn told(&self, method: &str, params: Value) -> Value {
        self.socket.ask(method, params).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Its version.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.driver.version
    }

    /// Opens a tab in front that shows nothing yet, 1,280 by 800 CSS pixels.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub async fn tab(&self) -> Page {
        let made = self.told("browsingContext.create", json!({"type": "tab"})).await;
        let context = made.get("context").and_then(Value::as_str).expect("a tab has a name").to_owned();
        let viewport = json!({"width": 1_280, "height": 800});
        self.told("browsingContext.setViewport", json!({"context": context, "viewport": viewport})).await;
        Page::new(Arc::clone(&self.socket), context)
    }

    /// Opens a page.
    ///
    /// # Panics
    /// When it does not load.
    pub async fn visit(&self, url: &str) -> Page {
        let page = self.tab().await;
        page.go(url).await;
        page
    }

    /// Ends it as its owner does, and gives its profile.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn close(self) -> TempDir {
        self.driver.close().await.unwrap_or_else(|why| panic!("{why:#}"));
        self.profile
    }

    /// Kills it where it stands, and gives its profile.
    #[must_use]
    pub fn kill(self) -> TempDir {
        self.profile
    }
}
