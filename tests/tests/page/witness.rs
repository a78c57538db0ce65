//! A witness's hand and eyes: pointing, clicking and typing as a person does, and what stands where; and agents as their
//! publishers tell of them now.

use chromiumoxide::{
    cdp::browser_protocol::{
        emulation::{MediaFeature, SetDeviceMetricsOverrideParams, SetEmulatedMediaParams},
        input::InsertTextParams,
        page::{FontSizes, SetFontSizesParams},
    },
    layout::Point,
};
use monkeytown_tests::{
    browser::{Browser, Page},
    script,
    stream::{Source, Stream},
    wait::soon,
};
use serde_json::{Value, json};

pub(crate) use monkeytown_tests::script::quoted;

/// The browser's own size of text, and of text of equal width, in pixels; twice that is 200 %.
const TEXT_PIXELS: (i64, i64) = (16, 13);
/// Events of one request.
const BATCH: usize = 250;

/// The selector of an agent's card.
pub(crate) fn card(agent: &str) -> String {
    format!("[data-testid=agent-card][data-entity-id=\"{agent}\"]")
}

/// The selector of the button in a card that opens the panel.
pub(crate) fn opener(agent: &str) -> String {
    format!("{} [data-p=name]", card(agent))
}

/// What somebody sees of `selector` and could point at: its middle, once it has come to rest and nothing lies over it.
async fn middle(page: &Page, selector: &str) -> Point {
    let script = script::place_to_touch(selector);
    let (x, y, why): (f64, f64, String) = soon(&format!("a place to touch {selector}"), page.value(&script)).await;
    assert!(why.is_empty(), "{selector} cannot be touched: {why}");
    Point::new(x, y)
}

/// Clicks it, as a mouse does.
pub(crate) async fn click(page: &Page, selector: &str) {
    // What slides in is pressed where it comes to rest.
    let rests = format!(
        "!document.querySelector({})?.closest('.panel')?.getAnimations().some((one) => one.playState === 'running')",
        quoted(selector)
    );
    page.until(&rests).await;
    let point = middle(page, selector).await;
    page.driver().click(point).await.expect("a click");
}

/// Clicks whatever lies there.
pub(crate) async fn click_at(page: &Page, x: f64, y: f64) {
    page.driver().click(Point::new(x, y)).await.expect("a click");
}

/// Moves the mouse over it.
pub(crate) async fn point_at(page: &Page, selector: &str) {
    let point = middle(page, selector).await;
    page.driver().move_mouse(point).await.expect("a mouse");
}

/// Follows what may move with the mouse until it is under it, as a hand does. From then on it stays. Gives its middle.
pub(crate) async fn point_until_there(page: &Page, selector: &str) -> (f64, f64) {
    let script = format!(
        "(() => {{
            const box = document.querySelector({:?} + ':hover')?.getBoundingClientRect();
            return box ? [box.x + box.width / 2, box.y + box.height / 2] : null;
        }})()",
        selector
    );
    for _ in 0..20 {
        point_at(page, selector).await;
        if let Some(place) = page.value::<Option<(f64, f64)>>(&script).await {
            return place;
        }
    }
    panic!("{selector} is never where the mouse goes");
}

/// Types words where the focus is.
pub(crate) async fn write(page: &Page, words: &str) {
    let body = page.driver().find_element("body").await.expect("a body");
    body.type_str(words).await.expect("keys");
}

/// Puts words where the focus is at once, as pasting does: letters for which no key stands.
pub(crate) async fn paste(page: &Page, words: &str) {
    page.driver().execute(InsertTextParams::new(words)).await.expect("words");
}

/// Gives it the focus.
pub(crate) async fn focus(page: &Page, selector: &str) {
    page.value::<bool>(&format!("document.querySelector({}).focus(); true", quoted(selector))).await;
    assert!(is_focused(page, selector).await, "{selector} takes no focus");
}

/// Whether it has the focus itself.
pub(crate) async fn is_focused(page: &Page, selector: &str) -> bool {
    page.value(&format!("document.activeElement === document.querySelector({})", quoted(selector))).await
}

/// What has the focus, for whoever reads a failure.
pub(crate) async fn focused(page: &Page) -> String {
    page.value("document.activeElement.outerHTML.slice(0, 200)").await
}

/// The text that somebody sees of the first that `selector` finds.
pub(crate) async fn text(page: &Page, selector: &str) -> String {
    page.value(&format!("document.querySelector({}).innerText", quoted(selector))).await
}

/// The texts of all that `selector` finds and that is not hidden.
pub(crate) async fn texts(page: &Page, selector: &str) -> Vec<String> {
    let found = format!("[...document.querySelectorAll({})]", quoted(selector));
    page.value(&format!(
        "{found}.filter((one) => one.checkVisibility({{ visibilityProperty: true }})).map((one) => one.textContent)"
    ))
    .await
}

/// Waits until `words` stand in what is seen of `selector`.
pub(crate) async fn until_said(page: &Page, selector: &str, words: &str) {
    let (selector, words) = (quoted(selector), quoted(words));
    page.until(&format!(
        "[...document.querySelectorAll({selector})].some((one) => one.checkVisibility({{ visibilityProperty: true }}) && one.textContent.includes({words}))"
    ))
    .await;
}

/// Waits until `selector` finds something that is not hidden.
pub(crate) async fn until_seen(page: &Page, selector: &str) {
    page.until(&script::is_seen(selector)).await;
}

/// Waits until `selector` finds nothing but what is hidden.
pub(crate) async fn until_unseen(page: &Page, selector: &str) {
    page.until(&format!("!{}", script::is_seen(selector))).await;
}

/// Waits until the cards stand where they are going: no transition runs, and two frames show the same.
pub(crate) async fn until_settled(page: &Page) {
    let settled = "new Promise((resolve) => {
        let before;
        const look = () => {
            const moving = document.getAnimations().some((one) => one instanceof CSSTransition || isFinite(one.effect?.getComputedTiming().endTime));
            const places = [...document.querySelectorAll('[data-testid=agent-card]')].map((one) => {
                const box = one.getBoundingClientRect();
                return `${one.dataset.entityId} ${one.dataset.seat} ${box.x} ${box.y}`;
            }).join();
            if (!moving && places === before) return resolve(true);
            before = places;
            requestAnimationFrame(look);
        };
        look();
    })";
    assert!(soon("rest", page.value::<bool>(settled)).await);
}

/// A tab of another size.
pub(crate) async fn resize(page: &Page, (width, height): (i64, i64)) {
    let metrics = SetDeviceMetricsOverrideParams::new(width, height, 1.0, false);
    page.driver().execute(metrics).await.expect("a viewport");
    page.until_script(&format!("innerWidth === {width} && innerHeight === {height}")).await;
}

/// A browser whose owner has set a preference, such as `prefers-reduced-motion: reduce`.
pub(crate) async fn prefer(page: &Page, name: &str, value: &str) {
    let preference = SetEmulatedMediaParams::builder().feature(MediaFeature::new(name, value)).build();
    page.driver().execute(preference).await.expect("a preference");
}

/// A browser whose owner has set text to twice its size.
pub(crate) async fn double_text(page: &Page) {
    let (standard, fixed) = TEXT_PIXELS;
    let sizes = FontSizes::builder().standard(standard * 2).fixed(fixed * 2).build();
    page.driver().execute(SetFontSizesParams::new(sizes)).await.expect("sizes of text");
}

/// An event about `data` that happens now; its source is `source`.
pub(crate) fn told_by(source: &str, id: &str, kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": source, "type": kind,
        "time": monkeytown_stream::now().to_string(), "data": data,
    })
}

/// An event about `data` that happens now.
pub(crate) fn told(id: &str, kind: &str, data: &Value) -> Value {
    told_by("/tests", id, kind, data)
}

/// An agent's status, now. `step` tells one such event from another.
pub(crate) fn turns(step: &str, agent: &str, status: &str, activity: &str) -> Value {
    let data = json!({
        "id": agent, "kind": "agent", "label": agent, "status": status, "activity": activity,
        "reason": if status == "error" { json!("out of stones") } else { Value::Null },
    });
    told(&format!("{agent}/{step}"), "monkeytown.entity.updated", &data)
}

/// Something that an agent settled, now.
pub(crate) fn settled(id: &str, agent: &str, label: &str) -> Value {
    let kind = if id.starts_with("pull") { "contract" } else { "transaction" };
    let data = json!({"id": id, "kind": kind, "label": label, "status": "complete", "parent": agent});
    told(&format!("{id}/settled"), "monkeytown.entity.created", &data)
}

/// A flow that is under way, now.
pub(crate) fn flow(id: &str, source: &str, target: &str) -> Value {
    let data = json!({
        "id": id, "source": source, "target": target, "kind": "message", "status": "active", "progress": 0.5,
    });
    told(&format!("{id}/started"), "monkeytown.flow.started", &data)
}

/// `count` agents in every status, every third with a folder, every fifth with a parent, every seventh with work done.
pub(crate) fn crowd(count: usize) -> Vec<Value> {
    let mut events = Vec::new();
    let statuses = ["active", "idle", "processing", "idle", "complete", "idle", "idle", "error"];
    for (at, status) in (0..count).zip(statuses.into_iter().cycle()) {
        let agent = format!("agent-{at:03}");
        let mut data = json!({
            "id": agent, "kind": "agent", "label": format!("Agent {at:03}"), "status": status,
            "activity": format!("lays stone {at}"), "reason": "out of stones",
        });
        let fields = data.as_object_mut().expect("an object");
        if at % 3 == 0 {
            fields.insert("domain".to_owned(), json!({"path": format!("fields/{at}/"), "files": at}));
        }
        if at % 4 == 0 {
            fields.insert("progress".to_owned(), json!(0.4));
        }
        if at % 5 == 1 {
            fields.insert("parent".to_owned(), json!(format!("agent-{:03}", at - 1)));
        }
        events.push(told(&agent, "monkeytown.entity.created", &data));
        if at % 7 == 0 {
            events.push(settled(&format!("commit:{at}"), &agent, "lay a stone"));
            events.push(settled(&format!("pull:{at}"), &agent, "agree on a stone"));
        }
    }
    events
}

/// A stream that has been told `events`.
pub(crate) async fn stream_of(events: &[Value]) -> Stream {
    let stream = Stream::start(Source::Publishers).await;
    publish(&stream, events).await;
    stream
}

/// A page, in a browser of its own, of a stream that has been told `events`.
pub(crate) async fn visit(events: &[Value]) -> (Stream, Browser, Page) {
    let stream = stream_of(events).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    (stream, browser, page)
}

/// Publishes however many.
pub(crate) async fn publish(stream: &Stream, events: &[Value]) {
    for batch in events.chunks(BATCH) {
        // One who publishes very many is told to wait, as anybody is.
        while !stream.publishes(batch).await {
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
    }
}

/// Waits until the page has applied all that the stream has accepted, and has seated somebody.
pub(crate) async fn until_caught_up(page: &Page, stream: &Stream) {
    let accepted = i64::try_from(stream.accepted()).expect("small");
    page.until_attribute("connection", "data-offset", accepted - 1).await;
    until_seen(page, "[data-testid=agent-card]").await;
}
