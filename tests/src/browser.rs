//! A real Chromium and the pages in it, asked as a person looks: by what is in the document.
//!
//! Keeps what the browser complains of (errors in the console, exceptions, violations of the security policy) and
//! what it asked of whom.

use crate::{
    script,
    wait::{PATIENCE, soon},
};
use chromiumoxide::{
    Browser as Driver, BrowserConfig, Page as Tab,
    cdp::{
        browser_protocol::{
            audits,
            log::{self, LogEntryLevel},
            network,
            page::AddScriptToEvaluateOnNewDocumentParams,
            system_info::GetProcessInfoParams,
            target::SetAutoAttachParams,
        },
        js_protocol::runtime::{self, ConsoleApiCalledType, EvaluateParams},
    },
    handler::viewport::Viewport,
    listeners::EventStream,
};
use futures_util::{FutureExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{path::PathBuf, time::Instant};
use tempfile::TempDir;
use tokio::{sync::Mutex, task::JoinHandle};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
const FLAGS: [&str; 9] = [
    "disable-gpu",
    "disable-quic",
    "no-first-run",
    "no-default-browser-check",
    "disable-background-networking",
    "disable-component-update",
    "disable-sync",
    "disable-breakpad",
    "disable-dev-shm-usage",
];
/// One question to the page; an answer that takes longer is asked for again.
const SLICE_MILLIS: u64 = 5_000;

/// A browser with a profile that nobody has used.
pub struct Browser {
    driver: Driver,
    listening: JoinHandle<()>,
    _profile: TempDir,
}

/// The browser to drive.
///
/// # Panics
/// When there is none: a test that is skipped would be a test that passes.
#[must_use]
pub fn executable() -> PathBuf {
    if let Some(named) = std::env::var_os("CHROME") {
        return named.into();
    }
    on_path(&NAMES).expect("no Chromium on the PATH: apt-get install chromium, or name one with CHROME=")
}

/// The first program on the `PATH` that has one of the names.
pub(crate) fn on_path(names: &[&str]) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut programs =
        std::env::split_paths(&folders).flat_map(|folder| names.iter().map(move |name| folder.join(name)));
    programs.find(|program| program.is_file())
}

impl Browser {
    /// Starts one.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub async fn start() -> Self {
        Self::sized(1_280, 800).await
    }

    /// Starts one whose pages are `width` by `height` CSS pixels.
    ///
    /// # Panics
    /// When there is none, or it does not start.
    pub async fn sized(width: u32, height: u32) -> Self {
        let profile = tempfile::tempdir().expect("a folder for a profile");
        let viewport = Viewport { width, height, ..Viewport::default() };
        let config = BrowserConfig::builder()
            .chrome_executable(executable())
            .new_headless_mode()
            .no_sandbox()
            .disable_default_args()
            .args(FLAGS)
            .user_data_dir(profile.path())
            .launch_timeout(PATIENCE)
            // An audit of hundreds of agents on a machine that has other work: what waits for less says so itself.
            .request_timeout(PATIENCE * 6)
            .viewport(viewport)
            .window_size(width, height)
            .enable_cache()
            .build()
            .expect("a whole configuration");
        let (driver, mut handler) = Driver::launch(config).await.expect("Chromium starts");
        let listening = tokio::spawn(async move { while handler.next().await.is_some() {} });
        Self { driver, listening, _profile: profile }
    }

    /// Opens a tab in front that shows nothing yet.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub async fn tab(&self) -> Page {
        let tab = soon("a tab", self.driver.new_page("about:blank")).await.expect("a tab");
        // The driver would hold each service worker until it is told to run, and never tells it.
        tab.execute(SetAutoAttachParams::new(false, false)).await.expect("workers that nobody holds");
        tab.execute(log::EnableParams::default()).await.expect("the log is told");
        tab.execute(audits::EnableParams::default()).await.expect("audits are told");
        let ears = Ears {
            console: tab.event_listener().await.expect("the console is told"),
            exceptions: tab.event_listener().await.expect("exceptions are told"),
            entries: tab.event_listener().await.expect("the log is told"),
            issues: tab.event_listener().await.expect("audits are told"),
            requests: tab.event_listener().await.expect("requests are told"),
            sockets: tab.event_listener().await.expect("sockets are told"),
            heard: Heard::default(),
        };
        Page { tab, ears: Mutex::new(ears) }
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

    /// Names and values of every cookie.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub async fn cookies(&self) -> Vec<String> {
        let cookies = self.driver.get_cookies().await.expect("the cookies");
        cookies.into_iter().map(|cookie| format!("{}={}", cookie.name, cookie.value)).collect()
    }

    /// Seconds that its processes have run on a processor, by what they are for (`renderer`, `GPU`, `browser` …).
    ///
    /// # Panics
    /// When the browser does not answer.
    pub async fn processor_seconds(&self) -> Vec<(String, f64)> {
        let told = self.driver.execute(GetProcessInfoParams::default()).await.expect("the browser's processes");
        told.result.process_info.iter().map(|process| (process.r#type.clone(), process.cpu_time)).collect()
    }

    /// Ends it.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn close(mut self) {
        soon("the end of the browser", self.driver.close()).await.expect("the browser closes");
        soon("the end of the browser", self.driver.wait()).await.expect("the browser ends");
        self.listening.abort();
    }
}

/// What a browser had to say of a page.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// Errors in the console, exceptions, violations of the security policy, as the browser words them.
    pub complaints: Vec<String>,
    /// Every address that was asked for.
    pub requests: Vec<String>,
}

struct Ears {
    console: EventStream<runtime::EventConsoleApiCalled>,
    exceptions: EventStream<runtime::EventExceptionThrown>,
    entries: EventStream<log::EventEntryAdded>,
    issues: EventStream<audits::EventIssueAdded>,
    requests: EventStream<network::EventRequestWillBeSent>,
    sockets: EventStream<network::EventWebSocketCreated>,
    heard: Heard,
}

/// What has come so far, without waiting for more.
fn ready<T: chromiumoxide::cdp::IntoEventKind + Unpin>(events: &mut EventStream<T>) -> Vec<std::sync::Arc<T>> {
    std::iter::from_fn(|| events.next().now_or_never().flatten()).collect()
}

impl Ears {
    fn note(&mut self, call: &runtime::EventConsoleApiCalled) {
        if matches!(call.r#type, ConsoleApiCalledType::Error | ConsoleApiCalledType::Assert) {
            let words: Vec<String> =
                call.args.iter().map(|arg| format!("{:?} {:?}", arg.value, arg.description)).collect();
            self.heard.complaints.push(format!("console: {}", words.join(" ")));
        }
    }

    fn drain(&mut self) {
        for call in ready(&mut self.console) {
            self.note(&call);
        }
        let heard = &mut self.heard;
        for thrown in ready(&mut self.exceptions) {
            heard.complaints.push(format!("exception: {:?}", thrown.exception_details));
        }
        let graves = ready(&mut self.entries).into_iter().filter(|added| added.entry.level == LogEntryLevel::Error);
        heard.complaints.extend(graves.map(|added| format!("log: {} {:?}", added.entry.text, added.entry.url)));
        for added in ready(&mut self.issues) {
            if let Some(details) = &added.issue.details.content_security_policy_issue_details {
                heard.complaints.push(format!("security policy: {details:?}"));
            }
        }
        heard.requests.extend(ready(&mut self.requests).iter().map(|sent| sent.request.url.clone()));
        heard.requests.extend(ready(&mut self.sockets).iter().map(|created| created.url.clone()));
    }
}

/// A page in a tab.
pub struct Page {
    tab: Tab,
    ears: Mutex<Ears>,
}

impl Page {
    /// Runs `script` in every document of this tab before its own scripts.
    ///
    /// # Panics
    /// When the browser refuses.
    pub async fn before_everything(&self, script: &str) {
        let script = AddScriptToEvaluateOnNewDocumentParams::new(script);
        self.tab.execute(script).await.expect("a script for every document");
    }

    /// Goes to `url`.
    ///
    /// # Panics
    /// When it does not load.
    pub async fn go(&self, url: &str) {
        soon(url, self.tab.goto(url)).await.expect("the page loads");
    }

    /// Loads it again.
    ///
    /// # Panics
    /// When it does not load.
    pub async fn reload(&self) {
        soon("the page, again", self.tab.reload()).await.expect("the page loads again");
    }

    /// Brings its tab to the front.
    ///
    /// # Panics
    /// When the browser refuses.
    pub async fn show(&self) {
        self.tab.bring_to_front().await.expect("a tab in front");
    }

    /// Presses a key, as `KeyboardEvent.key` names it.
    ///
    /// # Panics
    /// When there is no such key.
    pub async fn press(&self, key: &str) {
        let body = self.tab.find_element("body").await.expect("a body");
        body.press_key(key).await.expect("a key");
    }

    /// The driver's own tab, for what only one test needs.
    #[must_use]
    pub fn driver(&self) -> &Tab {
        &self.tab
    }

    /// What a JavaScript expression comes to; promises are awaited.
    ///
    /// # Panics
    /// When it throws, or comes to something else.
    pub async fn value<T: DeserializeOwned>(&self, expression: &str) -> T {
        let value = self.ask(expression).await.unwrap_or_else(|why| panic!("{expression}: {why}"));
        serde_json::from_value(value.clone()).unwrap_or_else(|why| panic!("{expression} is {value}: {why}"))
    }

    async fn ask(&self, expression: &str) -> Result<Value, String> {
        let builder = EvaluateParams::builder().expression(expression).await_promise(true).return_by_value(true);
        let answer = self.tab.execute(builder.build()?).await.map_err(|error| error.to_string())?;
        match &answer.result.exception_details {
            Some(thrown) => Err(format!("{:?}", thrown.exception)),
            None => Ok(answer.result.result.value.clone().unwrap_or_default()),
        }
    }

    /// Waits until a JavaScript condition holds, looked at whenever the document changes.
    ///
    /// # Panics
    /// When it does not come to hold; says how the page stands.
    pub async fn until(&self, condition: &str) {
        let script = script::holds(condition, SLICE_MILLIS);
        let begun = Instant::now();
        let mut last = String::new();
        while begun.elapsed() < PATIENCE {
            // A document that is left while it is asked answers with an error, and the next one is asked.
            match soon(condition, self.ask(&script)).await {
                Ok(Value::Bool(true)) => return,
                Ok(_) => {}
                Err(why) => last = why,
            }
        }
        panic!("it does not come to hold that {condition}\n{last}\n{}", self.standing().await);
    }

    /// Waits until a JavaScript condition holds that the document says nothing of, looked at before every frame.
    ///
    /// # Panics
    /// When it does not come to hold.
    pub async fn until_script(&self, condition: &str) {
        let script = format!(
            "new Promise((resolve) => {{
                const look = () => ({condition}) ? resolve(true) : requestAnimationFrame(look);
                look();
            }})"
        );
        assert!(soon(condition, self.value::<bool>(&script)).await, "{condition}");
    }

    /// How the page stands, for whoever reads a failure.
    async fn standing(&self) -> String {
        let told = self.ask(script::STANDING).await.unwrap_or_else(Value::from);
        let heard = self.heard().await;
        format!("{}\n{:#?}", told.as_str().unwrap_or_default(), heard.complaints)
    }

    /// An attribute of the element with a `data-testid`.
    ///
    /// # Panics
    /// When there is no such element or attribute.
    pub async fn attribute(&self, test_id: &str, name: &str) -> String {
        self.value(&format!("document.querySelector('[data-testid={test_id}]').getAttribute('{name}')")).await
    }

    /// A count in an attribute of the connection panel: `data-offset` and its kin.
    ///
    /// # Panics
    /// When there is no number.
    pub async fn count(&self, name: &str) -> i64 {
        self.attribute("connection", name).await.parse().expect("a number")
    }

    /// Waits until an attribute of the element with a `data-testid` has a value.
    pub async fn until_attribute(&self, test_id: &str, name: &str, value: impl ToString + Send) {
        self.until(&script::attribute_is(test_id, name, &value.to_string())).await;
    }

    /// Waits until the connection says `state`.
    pub async fn until_state(&self, state: &str) {
        self.until_attribute("connection", "data-state", state).await;
    }

    /// Waits until `text` stands in the card of an agent.
    pub async fn until_card(&self, agent: &str, text: &str) {
        self.until(&script::card_says(agent, text)).await;
    }

    /// The ids of the agents that have a card, in the order of the document.
    pub async fn agents(&self) -> Vec<String> {
        self.value(script::AGENTS).await
    }

    /// What the browser has said of this page so far.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub async fn heard(&self) -> Heard {
        let mut ears = self.ears.lock().await;
        // What the browser says comes in order: when the mark is heard, so is all before it.
        let mark = format!("mark {}", ears.heard.requests.len());
        self.ask(&format!("console.debug({})", Value::from(mark.clone()))).await.expect("a mark in the console");
        loop {
            let call = soon("the mark", ears.console.next()).await.expect("the console is told");
            ears.note(&call);
            if call.args.first().and_then(|arg| arg.value.as_ref()) == Some(&Value::from(mark.clone())) {
                break;
            }
        }
        ears.drain();
        ears.heard.clone()
    }

    /// Asserts that the browser complained of nothing.
    ///
    /// # Panics
    /// When it did.
    pub async fn complains_of_nothing(&self) {
        let complaints = self.heard().await.complaints;
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}
