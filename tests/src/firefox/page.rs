//! A page in a tab of Firefox.

use super::{CHANNEL, remote::plain, socket::Socket};
use crate::{
    script,
    wait::{PATIENCE, soon},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// One question to the page; an answer that takes longer is asked for again.
const SLICE_MILLIS: u64 = 5_000;
/// The event by which a page is asked to say that all before it has been said.
const MARK: &str = "mark-of-the-tests";

/// Runs in every document before its own scripts: what goes wrong in it is told at once.
pub(super) const EARS: &str = "(tell) => {
    const words = (error) => error instanceof Error ? `${error.name}: ${error.message} ${error.stack}` : String(error);
    addEventListener('error', (event) => {
        const failed = event.target instanceof Element ? `${event.target.outerHTML} does not load` : words(event.error);
        tell(`error: ${event.message ?? ''} ${failed}`);
    }, true);
    addEventListener('unhandledrejection', (event) => tell(`rejection: ${words(event.reason)}`));
    addEventListener('securitypolicyviolation', (event) => {
        tell(`security policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}:${event.lineNumber}`);
    });
    addEventListener('mark-of-the-tests', (event) => tell(event.detail));
}";

/// A page in a tab.
pub struct Page {
    socket: Arc<Socket>,
    context: String,
    marks: AtomicU64,
}

/// The code point by which WebDriver means a key, as `KeyboardEvent.key` names it.
fn code_point(key: &str) -> String {
    let code = match key {
        "Backspace" => '\u{e003}',
        "Tab" => '\u{e004}',
        "Enter" => '\u{e007}',
        "Shift" => '\u{e008}',
        "Control" => '\u{e009}',
        "Alt" => '\u{e00a}',
        "Escape" => '\u{e00c}',
        "PageUp" => '\u{e00e}',
        "PageDown" => '\u{e00f}',
        "End" => '\u{e010}',
        "Home" => '\u{e011}',
        "ArrowLeft" => '\u{e012}',
        "ArrowUp" => '\u{e013}',
        "ArrowRight" => '\u{e014}',
        "ArrowDown" => '\u{e015}',
        "Delete" => '\u{e017}',
        _ => {
            assert_eq!(key.chars().count(), 1, "no key is called {key}");
            return key.to_owned();
        }
    };
    code.to_string()
}

impl Page {
    pub(super) fn new(socket: Arc<Socket>, context: String) -> Self {
        Self { socket, context, marks: AtomicU64::new(0) }
    }

    async fn told(&self, method: &str, mut params: Value) -> Value {
        let fields = params.as_object_mut().expect("parameters have names");
        fields.insert("context".to_owned(), Value::from(self.context.clone()));
        self.socket.ask(method, params).await.unwrap_or_else(|why| panic!("{why}"))
    }

    /// Runs `script` in every document of this tab before its own scripts.
    ///
    /// # Panics
    /// When the browser refuses.
    pub async fn before_everything(&self, script: &str) {
        let params = json!({"functionDeclaration": format!("() => {{ {script} }}"), "contexts": [self.context]});
        self.socket.ask("script.addPreloadScript", params).await.expect("a script for every document");
    }

    /// Goes to `url`.
    ///
    /// # Panics
    /// When it does not load.
    pub async fn go(&self, url: &str) {
        self.told("browsingContext.navigate", json!({"url": url, "wait": "complete"})).await;
    }

    /// Loads it again.
    ///
    /// # Panics
    /// When it does not load.
    pub async fn reload(&self) {
        self.told("browsingContext.reload", json!({"wait": "complete"})).await;
    }

    /// Brings its tab to the front.
    ///
    /// # Panics
    /// When the browser refuses.
    pub async fn show(&self) {
        self.told("browsingContext.activate", json!({})).await;
    }

    /// Closes its tab.
    ///
    /// # Panics
    /// When the browser refuses.
    pub async fn close(self) {
        self.told("browsingContext.close", json!({})).await;
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
        let target = json!({"context": self.context});
        let params = json!({"expression": expression, "target": target, "awaitPromise": true});
        let answer = self.socket.ask("script.evaluate", params).await?;
        match (answer.get("result"), answer.pointer("/exceptionDetails/text")) {
            (Some(result), None) => Ok(plain(result)),
            (_, why) => Err(why.and_then(Value::as_str).unwrap_or("thrown").to_owned()),
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
        while begun.elapsed() < PATIENCE && !self.socket.is_gone() {
            // A document that is left while it is asked answers with an error, and the next one is asked.
            match self.ask(&script).await {
                Ok(Value::Bool(true)) => return,
                Ok(_) => {}
                Err(why) => last = why,
            }
        }
        let standing = self.ask(script::STANDING).await.unwrap_or_else(Value::from);
        let standing = standing.as_str().unwrap_or_default();
        panic!("it does not come to hold that {condition}\n{last}\n{standing}\n{:#?}", self.so_far());
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

    /// Waits until `text` stands in the line of what is wrong.
    pub async fn until_notice(&self, text: &str) {
        let text = script::quoted(text);
        self.until(&format!("document.querySelector('#notice:not([hidden])').innerText.includes({text})")).await;
    }

    /// Waits until `selector` finds something that is not hidden.
    pub async fn until_seen(&self, selector: &str) {
        self.until(&script::is_seen(selector)).await;
    }

    /// Waits until `selector` finds nothing but what is hidden.
    pub async fn until_unseen(&self, selector: &str) {
        self.until(&format!("!{}", script::is_seen(selector))).await;
    }

    /// The ids of the agents that have a card, in the order of the document.
    pub async fn agents(&self) -> Vec<String> {
        self.value(script::AGENTS).await
    }

    /// Presses a key, as `KeyboardEvent.key` names it.
    ///
    /// # Panics
    /// When there is no such key.
    pub async fn press(&self, key: &str) {
        self.strike(&[code_point(key)]).await;
    }

    /// Types words where the focus is.
    pub async fn write(&self, words: &str) {
        let keys: Vec<String> = words.chars().map(String::from).collect();
        self.strike(&keys).await;
    }

    async fn strike(&self, keys: &[String]) {
        let strokes = keys.iter().flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key})));
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<_>>()});
        self.told("input.performActions", json!({"actions": [keyboard]})).await;
    }

    /// Clicks what `selector` finds, as a mouse does: once it has come to rest and nothing lies over it.
    ///
    /// # Panics
    /// When it cannot be touched.
    pub async fn click(&self, selector: &str) {
        let (x, y, why): (f64, f64, String) = self.value(&script::place_to_touch(selector)).await;
        assert!(why.is_empty(), "{selector} cannot be touched: {why}");
        let actions = json!([
            {"type": "pointerMove", "x": x.round(), "y": y.round()},
            {"type": "pointerDown", "button": 0},
            {"type": "pointerUp", "button": 0},
        ]);
        self.told("input.performActions", json!({"actions": [{"type": "pointer", "id": "mouse", "actions": actions}]}))
            .await;
    }

    /// What has been complained of so far: errors, rejections, violations of the security policy, as the page is told
    /// them; and errors in the console, as the browser words them.
    ///
    /// # Panics
    /// When the browser does not answer.
    pub async fn complaints(&self) -> Vec<String> {
        // Both ways say it in order: when the mark is heard on both, so is all before it.
        let mark = format!("{MARK} {} {}", self.context, self.marks.fetch_add(1, Ordering::Relaxed));
        let words = script::quoted(&mark);
        let say = format!("console.debug({words}); dispatchEvent(new CustomEvent('{MARK}', {{ detail: {words} }}))");
        self.value::<bool>(&say).await;
        let mut told = self.socket.told();
        let marked = |events: &Vec<Value>| events.iter().filter(|event| self.words(event) == Some(&mark)).count() == 2;
        drop(soon("the mark", told.wait_for(marked)).await.expect("the browser goes on telling"));
        self.so_far()
    }

    fn so_far(&self) -> Vec<String> {
        let told = self.socket.told();
        let told = told.borrow();
        let mine = told.iter().filter(|event| {
            let is_grave = event.pointer("/params/level").is_none_or(|level| level == "error");
            is_grave && self.words(event).is_some_and(|words| !words.starts_with(MARK))
        });
        mine.map(|event| {
            let kind = event.pointer("/params/type").and_then(Value::as_str).unwrap_or_default();
            format!("{kind} {}", self.words(event).unwrap_or_default()).trim_start().to_owned()
        })
        .collect()
    }

    /// What an event says, when it is of this page.
    fn words<'a>(&self, event: &'a Value) -> Option<&'a str> {
        let field = |path: &str| event.pointer(path).and_then(Value::as_str);
        let is_mine = field("/params/source/context") == Some(&self.context);
        let is_heard = field("/params/channel").is_none_or(|channel| channel == CHANNEL);
        field("/params/text").or_else(|| field("/params/data/value")).filter(|_| is_mine && is_heard)
    }

    /// Asserts that nothing went wrong in the page itself. A connection that fails, or a worker that may not be
    /// installed, the browser puts into its console however well the page takes it.
    ///
    /// # Panics
    /// When something did.
    pub async fn makes_no_mistake(&self) {
        let mut complaints = self.complaints().await;
        complaints.retain(|complaint| !complaint.starts_with("javascript"));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }

    /// Asserts that nothing was complained of.
    ///
    /// # Panics
    /// When something was.
    pub async fn complains_of_nothing(&self) {
        let complaints = self.complaints().await;
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}
