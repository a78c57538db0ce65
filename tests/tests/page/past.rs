//! Time: back to a moment by hand, by key and by bookmark; a replay and a film; steps; and the way back to the present, by
//! which nothing is lost.

use crate::{
    keepsakes::open_kept,
    keyboard::has_focus,
    witness::{
        click, flow, focus, publish, quoted, resize, settled, stream_of, texts, turns, until_caught_up, until_said,
        until_settled, until_unseen,
    },
};
use chromiumoxide::{
    cdp::browser_protocol::input::{
        DispatchKeyEventParams, DispatchKeyEventType, DispatchMouseEventParams, DispatchMouseEventType, MouseButton,
    },
    layout::Point,
};
use monkeytown_civilization::{Changes, Civilization};
use monkeytown_protocol::{EntityKind, Event, Json};
use monkeytown_tests::{
    axe,
    browser::{Browser, Page},
    proxy::Proxy,
    stream::Stream,
    wait::soon,
};
use serde_json::{Value, json};

pub(crate) const MINUTE: i64 = 60_000;

/// The same event, so many milliseconds ago.
pub(crate) fn ago(mut event: Value, millis: i64) -> Value {
    let fields = event.as_object_mut().expect("an object");
    fields.insert("time".to_owned(), json!(monkeytown_stream::now().plus_millis(-millis).to_string()));
    event
}

/// Four agents that take turns, an event every half minute of the last hour and a half, oldest first: 180 of them.
pub(crate) fn town() -> Vec<Value> {
    let agents = ["ada", "bob", "cleo", "dan"].into_iter().cycle();
    let statuses = ["active", "processing", "idle", "error", "complete"].into_iter().cycle();
    (0..180_u32)
        .zip(agents.zip(statuses))
        .map(|(at, (agent, status))| {
            let event = match at % 9 {
                7 => flow(&format!("flow-{at}"), "ada", agent),
                8 => settled(&format!("pull:{at}"), agent, &format!("agree on stone {at}")),
                _ => turns(&at.to_string(), agent, status, &format!("lays stone {at}")),
            };
            ago(event, (180 - i64::from(at)) * MINUTE / 2)
        })
        .collect()
}

/// The fold of the first `count` events.
fn fold(events: &[Value], count: usize) -> Civilization {
    let mut state = Civilization::default();
    for event in events.iter().take(count) {
        let text = event.to_string();
        let json = Json::parse(&text).expect("JSON");
        let event = Event::from_json(&json, monkeytown_stream::now()).expect("an event");
        state.apply(event, &mut Changes::default());
    }
    state
}

/// What that says of each agent: `id status`, in the order of the ids.
fn folded(events: &[Value], count: usize) -> Vec<String> {
    let state = fold(events, count);
    let agents = state.entities().filter(|(_, entity)| entity.kind == EntityKind::Agent);
    let mut said: Vec<String> =
        agents.map(|(id, entity)| format!("{} {}", id.as_str(), entity.status.as_str())).collect();
    said.sort();
    said
}

/// What the cards say, likewise.
pub(crate) async fn shown(page: &Page) -> Vec<String> {
    let mut said: Vec<String> = page
        .value(
            "[...document.querySelectorAll('[data-testid=agent-card]')]
                .map(({ dataset }) => `${dataset.entityId} ${dataset.status}`)",
        )
        .await;
    said.sort();
    said
}

/// Waits until the cards say what a fold of the first `count` events does.
pub(crate) async fn until_shown(page: &Page, events: &[Value], count: usize) {
    let wanted = folded(events, count);
    soon(&format!("the state after {count} events: {wanted:?}"), async { while shown(page).await != wanted {} }).await;
}

/// How many events led to what is shown, in the past.
pub(crate) async fn count_shown(page: &Page) -> usize {
    let next: String = page.value("document.querySelector('#travel').dataset.next").await;
    next.parse().unwrap_or_else(|_| panic!("the page shows the present, not the past: {next:?}"))
}

pub(crate) async fn until_mode(page: &Page, word: &str) {
    page.until(&format!("document.querySelector('.pace strong').textContent === {}", quoted(word))).await;
}

pub(crate) async fn until_past(page: &Page) {
    page.until("document.querySelector('#travel').dataset.next !== ''").await;
}

/// A page that shows the present of `events`.
pub(crate) async fn open(events: &[Value]) -> (Stream, Browser, Page) {
    let stream = stream_of(events).await;
    let browser = Browser::start().await;
    let page = browser.visit(&stream.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until_state("live").await;
    until_settled(&page).await;
    (stream, browser, page)
}

/// The page is in the present again, and every event was applied once: those that `came` since it opened, and by the state that
/// it began with those before.
pub(crate) async fn is_whole(page: &Page, stream: &Stream, events: &[Value], came: usize) {
    until_mode(page, "following").await;
    until_unseen(page, "#travel").await;
    page.until_attribute("connection", "data-offset", stream.accepted() - 1).await;
    page.until_attribute("connection", "data-received", came).await;
    assert_eq!(page.count("data-holes").await, 0);
    assert_eq!(page.count("data-duplicates").await, 0);
    until_shown(page, events, events.len()).await;
}

pub(crate) async fn mouse(page: &Page, kind: DispatchMouseEventType, at: Point) {
    let held = i64::from(kind != DispatchMouseEventType::MouseReleased);
    let event = DispatchMouseEventParams::builder().r#type(kind).x(at.x).y(at.y).button(MouseButton::Left);
    let event = event.buttons(held).click_count(1).build().expect("a mouse");
    page.driver().execute(event).await.expect("a mouse");
}

/// A place on the axis, by the share of its width.
pub(crate) async fn on_axis(page: &Page, share: f64) -> Point {
    let [left, top, width]: [f64; 3] = page
        .value(
            "(() => {
                const { left, top, width } = document.querySelector('#axis .scale').getBoundingClientRect();
                return [left, top, width];
            })()",
        )
        .await;
    Point::new(left + width * share, top + 20.0)
}

/// Presses a key with Shift.
async fn press_shifted(page: &Page, key: &str) {
    for kind in [DispatchKeyEventType::RawKeyDown, DispatchKeyEventType::KeyUp] {
        let code = if key == "ArrowLeft" { 37 } else { 39 };
        let event = DispatchKeyEventParams::builder().r#type(kind).key(key).code(key).modifiers(8);
        let event = event.windows_virtual_key_code(code).build().expect("a key");
        page.driver().execute(event).await.expect("a key");
    }
}

#[tokio::test]
async fn a_drag_along_the_axis_leads_to_the_state_of_that_moment_and_the_way_back_loses_nothing() {
    let mut events = town();
    let (stream, browser, page) = open(&events).await;
    mouse(&page, DispatchMouseEventType::MousePressed, on_axis(&page, 0.9).await).await;
    for share in [0.8, 0.7, 0.6, 0.5] {
        mouse(&page, DispatchMouseEventType::MouseMoved, on_axis(&page, share).await).await;
    }
    // Where the hand is, it is told which moment that is.
    page.until("/^\\d\\d:\\d\\d:\\d\\d$/.test(document.querySelector('#axis').dataset.hand)").await;
    mouse(&page, DispatchMouseEventType::MouseReleased, on_axis(&page, 0.5).await).await;
    until_past(&page).await;
    until_mode(&page, "paused").await;
    // Half an hour back: sixty events, give or take the time that the test has taken.
    page.until("Number(document.querySelector('#travel').dataset.next) < 130").await;
    let count = count_shown(&page).await;
    assert!((115..=125).contains(&count), "{count}");
    until_shown(&page, &events, count).await;
    page.until("/, (29|30)m ago$/.test(document.querySelector('#travel [data-p=when]').textContent)").await;

    // Meanwhile the present goes on, and is counted.
    let news: Vec<Value> = (0..30).map(|at| turns(&format!("new-{at}"), "eve", "active", "joins")).collect();
    publish(&stream, &news).await;
    events.extend(news);
    until_said(&page, "#travel [data-p=new]", "30 events since").await;
    assert_eq!(shown(&page).await, folded(&events, count), "the past stays as it was");
    assert!(texts(&page, ".toast").await.is_empty());
    click(&page, "#travel [data-p=latest]").await;
    is_whole(&page, &stream, &events, 30).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn keys_on_the_axis_lead_back_by_bins_and_by_events_to_the_oldest_and_to_the_present() {
    let events = town();
    let (stream, browser, page) = open(&events).await;
    focus(&page, "#pause").await;
    page.press("Tab").await;
    has_focus(&page, ".depth").await;
    page.press("Tab").await;
    has_focus(&page, "#axis").await;
    let now: i64 = page.value("Number(document.querySelector('#axis').getAttribute('aria-valuenow'))").await;
    for _ in 0..4 {
        page.press("ArrowLeft").await;
    }
    until_past(&page).await;
    // Two minutes: four events, less those that are older by the time that the test has taken.
    let there = format!("Number(document.querySelector('#axis').getAttribute('aria-valuenow')) <= {}", now - 118);
    page.until(&there).await;
    until_mode(&page, "paused").await;
    let count = count_shown(&page).await;
    assert!((174..=179).contains(&count), "{count}");
    until_shown(&page, &events, count).await;
    for back in 1..=5 {
        press_shifted(&page, "ArrowLeft").await;
        page.until(&format!("document.querySelector('#travel').dataset.next === '{}'", count - back)).await;
        until_shown(&page, &events, count - back).await;
    }
    for on in 1..=7 {
        press_shifted(&page, "ArrowRight").await;
        let at = count - 5 + on;
        if at == events.len() {
            break;
        }
        page.until(&format!("document.querySelector('#travel').dataset.next === '{at}'")).await;
        until_shown(&page, &events, at).await;
    }
    page.press("Home").await;
    page.until("document.querySelector('#travel').dataset.next === '0'").await;
    page.until("document.querySelector('#axis').getAttribute('aria-valuetext').startsWith('at ')").await;
    until_shown(&page, &events, 0).await;
    page.press("End").await;
    is_whole(&page, &stream, &events, 0).await;
    has_focus(&page, "#axis").await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_bookmark_leads_to_its_moment_and_one_of_a_history_that_has_ended_says_so() {
    let mut events = town();
    let (stream, browser, page) = open(&events).await;
    open_kept(&page).await;
    click(&page, "#bookmark").await;
    until_said(&page, "#sheet [data-p=answer]", "the moment is kept").await;
    page.press("Escape").await;
    until_unseen(&page, "#sheet").await;
    let news: Vec<Value> = (0..20).map(|at| turns(&format!("new-{at}"), "ada", "error", "falls")).collect();
    publish(&stream, &news).await;
    events.extend(news);
    until_caught_up(&page, &stream).await;
    open_kept(&page).await;
    click(&page, "#keepsakes [data-p=moment]").await;
    until_past(&page).await;
    until_unseen(&page, "#sheet").await;
    assert_eq!(count_shown(&page).await, 180);
    until_shown(&page, &events, 180).await;
    click(&page, "#travel [data-p=latest]").await;
    is_whole(&page, &stream, &events, 20).await;

    page.value::<bool>(
        "(() => {
            const hands = document.querySelector('#hands');
            hands.name = 'moment';
            hands.value = 'another-epoch:7';
            return hands.dispatchEvent(new Event('input', { bubbles: true }));
        })()",
    )
    .await;
    until_said(&page, "#travel [data-p=stuck]", "that moment belongs to a history that has ended").await;
    until_mode(&page, "following").await;
    assert_eq!(shown(&page).await, folded(&events, events.len()));
    browser.close().await;
}

#[tokio::test]
async fn a_moment_that_is_held_no_longer_is_said_and_the_oldest_one_is_offered() {
    let events = town();
    let stream = stream_of(&events).await;
    let proxy = Proxy::before(stream.address).await;
    let browser = Browser::start().await;
    let page = browser.visit(&proxy.url("/")).await;
    until_caught_up(&page, &stream).await;
    page.until_state("live").await;
    // What the stream does not tell at all.
    for (moment, words) in [
        (format!("{}:1000000", stream.log.epoch()), "that moment has not come yet"),
        ("yesterday, about noon".to_owned(), "that is no moment"),
        ("yesterday".to_owned(), "that is no moment"),
        ("gone:5".to_owned(), "a history that has ended"),
    ] {
        page.value::<bool>(&format!(
            "(() => {{
                const hands = document.querySelector('#hands');
                hands.name = 'moment';
                hands.value = {};
                return hands.dispatchEvent(new Event('input', {{ bubbles: true }}));
            }})()",
            quoted(&moment)
        ))
        .await;
        until_said(&page, "#travel [data-p=stuck]", words).await;
        until_mode(&page, "following").await;
    }
    // From what is said there the oldest moment is a press away.
    click(&page, "#travel [data-p=earliest]").await;
    page.until("document.querySelector('#travel').dataset.next === '0'").await;
    until_unseen(&page, "#travel [data-p=stuck]:not(:empty)").await;
    browser.close().await;
}

#[tokio::test]
async fn space_pauses_and_goes_on_but_not_where_it_presses_or_writes() {
    let events = town();
    let (_stream, browser, page) = open(&events).await;
    page.value::<bool>("document.activeElement.blur(); true").await;
    page.press(" ").await;
    until_mode(&page, "paused").await;
    page.press(" ").await;
    until_mode(&page, "following").await;
    focus(&page, "#search").await;
    page.press(" ").await;
    assert_eq!(page.value::<String>("document.querySelector('#search').value").await, " ");
    until_mode(&page, "following").await;
    browser.close().await;
}

#[tokio::test]
async fn what_is_said_of_the_past_breaks_no_rule_of_accessibility_and_fits_wide_or_narrow() {
    let events = town();
    let (_stream, browser, page) = open(&events).await;
    focus(&page, "#axis").await;
    page.press("PageDown").await;
    until_past(&page).await;
    for (width, height) in [(390, 844), (768, 1_024), (1_024, 768), (1_280, 800), (1_920, 1_080)] {
        resize(&page, (width, height)).await;
        until_settled(&page).await;
        let broken = axe::violations(&page).await;
        assert!(broken.is_empty(), "at {width}: {broken:#?}");
        let out: Vec<String> = page
            .value(
                "[...document.querySelectorAll('#travel :is(button, select, .when), #pause, #axis')].filter((one) => {
                    const { left, right, top, bottom, height } = one.getBoundingClientRect();
                    const small = !one.matches('.when') && height < 43.9;
                    return small || left < 0 || right > innerWidth + 0.5 || top < 0 || bottom > innerHeight + 0.5;
                }).map((one) => one.outerHTML)",
            )
            .await;
        assert!(out.is_empty(), "at {width}: {out:#?}");
    }
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn what_happened_after_the_moment_is_nowhere_on_the_page() {
    let mut events = town();
    events.push(ago(settled("pull:late", "ada", "the late agreement"), 1_000));
    events.push(ago(flow("late-flow", "ada", "bob"), 900));
    events.push(ago(turns("late", "zoe", "active", "comes late"), 800));
    let (_stream, browser, page) = open(&events).await;
    page.until_card("zoe", "comes late").await;
    focus(&page, "#axis").await;
    page.press("PageDown").await;
    until_past(&page).await;
    let count = count_shown(&page).await;
    until_shown(&page, &events, count).await;
    until_settled(&page).await;
    let words: String = page.value("document.querySelector('#page').textContent").await;
    for late in ["zoe", "comes late", "the late agreement"] {
        assert!(!words.contains(late), "{late} is still there");
    }
    let entities = fold(&events, count).entities().len().to_string();
    assert_eq!(page.attribute("terrarium", "data-entities").await, entities);
    browser.close().await;
}

#[tokio::test]
async fn what_happened_at_one_moment_is_stepped_through_one_by_one_and_steps_back_add_up() {
    let mut events = town();
    let moment = events[100]["time"].clone();
    for event in &mut events[101..110] {
        event["time"] = moment.clone();
    }
    let stream = stream_of(&events).await;
    let browser = Browser::start().await;
    let at = format!("/#at={}:99", stream.log.epoch().as_str());
    let page = browser.visit(&stream.url(&at)).await;
    until_shown(&page, &events, 100).await;
    for count in 101..=105 {
        click(&page, "#travel [data-p=on]").await;
        page.until(&format!("document.querySelector('#travel').dataset.next === '{count}'")).await;
        until_shown(&page, &events, count).await;
    }
    // Faster than any stream answers.
    page.value::<bool>(
        "for (let press = 0; press < 4; press++) document.querySelector('#travel [data-p=back]').click(); true",
    )
    .await;
    page.until("document.querySelector('#travel').dataset.next === '101'").await;
    until_shown(&page, &events, 101).await;
    // A step on calls off a moment that is on its way.
    page.value::<bool>(
        "document.querySelector('#travel [data-p=back]').click(), document.querySelector('#travel [data-p=on]').click(), true",
    )
    .await;
    page.until("document.querySelector('#travel').dataset.next === '102'").await;
    until_mode(&page, "paused").await;
    until_shown(&page, &events, 102).await;
    page.complains_of_nothing().await;
    browser.close().await;
}

#[tokio::test]
async fn a_film_of_a_young_stream_ends_and_leaves_the_focus_on_the_page() {
    let events: Vec<Value> =
        (0..20).map(|at| ago(turns(&at.to_string(), "ada", "active", "begins"), 20_000 - at * 1_000)).collect();
    let (stream, browser, page) = open(&events).await;
    let at = format!("location.hash = 'at={}:9'; true", stream.log.epoch().as_str());
    page.value::<bool>(&at).await;
    until_past(&page).await;
    page.value::<bool>(
        "(speed => { speed.focus(); speed.value = 'film30'; speed.dispatchEvent(new Event('input', { bubbles: true }));
            return true; })(document.querySelector('#speed'))",
    )
    .await;
    until_mode(&page, "replaying").await;
    let end = async {
        while page.value::<bool>("document.querySelector('.pace strong').textContent === 'replaying'").await {
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    };
    // It takes thirty seconds, however young the stream is.
    tokio::time::timeout(std::time::Duration::from_secs(60), end).await.expect("the film ends");
    is_whole(&page, &stream, &events, 0).await;
    assert!(!page.value::<bool>("document.activeElement === document.body").await, "the focus is somewhere");
    browser.close().await;
}
