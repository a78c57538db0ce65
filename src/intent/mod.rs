//! What a witness means by a click or a key: from the page's events to intents, in one place.
//!
//! Buttons say what they are for by their name in the markup, pieces whom they stand for (`data-entity-id`). Knows nothing of what
//! an intent does; the composition root hands it to the session.

mod acts;
mod keys;

pub use acts::{Act, Field};

use crate::{
    clock::Timer,
    commands::Command,
    dom::{document, leaked, listen, value},
    signals::{BundleName, Over, Tab},
};
use js_sys::Reflect;
use monkeytown_protocol::EntityId;
use std::cell::{Cell, RefCell};
use wasm_bindgen::JsCast;
use web_sys::{Element, Event, HtmlElement, KeyboardEvent};

/// What a witness wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Intent {
    /// To look at an entity closely.
    Open(EntityId),
    /// To look away: the panel closes, or else what opened last.
    Close,
    /// A step back: what opened last closes.
    Back,
    /// Another tab of the detail panel.
    Tab(Tab),
    /// The raw event, or no longer.
    Raw,
    /// How the connection is proven, or no longer.
    Proof,
    /// Time to stand still, or to run on: the page follows again, or replays.
    Pause,
    /// Another moment.
    Moment(Moment),
    /// Another speed of replaying, as the field names it.
    Speed(String),
    /// Idle stretches to be left out of a replay, or no longer.
    SkipIdle,
    /// Everything, filtered by this text; all of it again by an empty one.
    Search(String),
    /// To look at those lines of somebody's log that the filter takes.
    Sift(EntityId),
    /// To do something beside looking.
    Act(Act),
    /// The flows of a bundle one by one, or no longer: its source and target.
    Bundle(BundleName),
    /// The same while a bundle is pointed at; none when the pointer has left.
    Peek(Option<BundleName>),
    /// The list of those without room in the field, or no longer.
    Everyone,
    /// The axis as far back as comes after what it shows.
    Depth,
    /// On a narrow screen: the agents, or the history.
    History(bool),
    /// What broke, put aside; it stays broken on its card.
    Ignore(EntityId),
    /// A line of the table of commands.
    Command(Command),
    /// The palette or the list of keys, or no longer.
    Over(Over),
    /// What can be done, where these words are in it.
    Type(String),
    /// The next line of the palette to be marked, or the one before.
    Mark(bool),
    /// To do what a line of the palette says: this one, or the one that is marked.
    Choose(Option<usize>),
    /// To copy the address of what is looked at.
    Link,
    /// To look at what an address names.
    Follow(String),
}

/// Where in time a witness wants to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// The present, followed.
    Present,
    /// One event back.
    Back,
    /// One event on.
    On,
    /// A place or a moment as the stream takes it: `EPOCH:OFFSET`, `earliest`, RFC 3339.
    At(String),
}

/// The moment that is named so.
fn moment(name: &str) -> Intent {
    Intent::Moment(match name {
        "latest" => Moment::Present,
        "back" => Moment::Back,
        "on" => Moment::On,
        at => Moment::At(at.to_owned()),
    })
}

/// How long a bundle is pointed at before it opens, in milliseconds.
const PEEK_MILLIS: u32 = 300;

/// What the pointer has opened, or is about to.
#[derive(Default)]
struct Peeking {
    soon: RefCell<Option<Timer>>,
    open: Cell<bool>,
}

/// Which bundle a count stands for.
fn bundle(count: &Element) -> BundleName {
    let whom = |attribute: &str| {
        let row = count.closest(&["[", attribute, "]"].concat()).ok()??;
        EntityId::new(&row.get_attribute(attribute)?).ok()
    };
    (whom("data-source"), whom("data-target"))
}

/// Hears clicks, keys and words typed anywhere on the page.
pub fn on_intent(run: impl Fn(Intent) + 'static) {
    let run: &'static dyn Fn(Intent) = leaked(run);
    let document = document();
    let peeking = leaked(Peeking::default());
    listen(&document, "click", move |event| {
        let Some(intent) = meant_by_click(&event) else { return };
        peeking.soon.borrow_mut().take();
        // What pointing has opened stays open when it is pressed.
        if !(matches!(intent, Intent::Bundle(..)) && peeking.open.replace(false)) {
            let focused = focused();
            run(intent);
            mind_the_focus(focused);
        }
    });
    listen(&document, "pointerover", move |event| {
        let target = event.target().and_then(|target| target.dyn_into::<Element>().ok());
        let over = |selector| target.as_ref().and_then(|target| target.closest(selector).ok().flatten());
        if peeking.open.get() && over("#flows,#bundles [aria-expanded=true]").is_none() {
            peeking.open.set(false);
            run(Intent::Peek(None));
        }
        let count = over("#bundles button:not([aria-expanded=true])");
        let named = count.map(|count| bundle(&count));
        *peeking.soon.borrow_mut() = named.and_then(|named| {
            Timer::after(PEEK_MILLIS, move || {
                peeking.open.set(true);
                run(Intent::Peek(Some(named)));
            })
        });
    });
    listen(&document, "input", move |event| {
        let Some(field) = event.target().and_then(|target| target.dyn_into::<Element>().ok()) else { return };
        let intent = match &*field.id() {
            "search" => Some(Intent::Search(value(&field))),
            "typed" => Some(Intent::Type(value(&field))),
            "hands" if field.get_attribute("name").as_deref() == Some("address") => Some(Intent::Follow(value(&field))),
            "speed" => Some(Intent::Speed(value(&field))),
            "hands" if field.get_attribute("name").as_deref() == Some("moment") => Some(moment(&value(&field))),
            _ => acts::meant_by_field(&field).map(Intent::Act),
        };
        intent.into_iter().for_each(run);
    });
    acts::on_plant(move |act| run(Intent::Act(act)));
    listen(&document, "keydown", move |event| {
        let Ok(key) = event.dyn_into::<KeyboardEvent>() else { return };
        if let Some(intent) = keys::meant_by_key(&key) {
            let focused = focused();
            run(intent);
            mind_the_focus(focused);
        }
    });
}

/// After a press, in milliseconds: longer than a card waits to be written.
const FOCUS_MILLIS: u32 = 160;

/// What has the focus; the page as a whole is nothing.
fn focused() -> Option<Element> {
    document().active_element().filter(|element| element.tag_name() != "BODY")
}

/// What had the focus may be gone by what was meant: then who is in the same row has it, or what can be focused nearest
/// to it, so that nobody is at the top of the page again.
fn mind_the_focus(focused: Option<Element>) {
    let Some(target) = focused else { return };
    let closest = |selector| target.closest(selector).ok().flatten();
    let row = closest("li").or_else(|| closest("p,div"));
    let (Some(row), Some(region)) = (row, closest("aside,section,main,footer")) else { return };
    // By then it is hidden or taken away, and the browser has taken the focus from it.
    let timer = Timer::after(FOCUS_MILLIS, move || {
        let in_row = row.query_selector("button").ok().flatten().filter(|_| row.is_connected());
        let in_region = region.query_selector("[tabindex='0']").ok().flatten();
        let last = document().get_element_by_id("pause");
        for element in [in_row, in_region, Some(region), last].into_iter().flatten() {
            if self::focused().is_some() {
                break;
            }
            // One that is hidden does not take it.
            let _ = element.unchecked_into::<HtmlElement>().focus();
        }
    });
    // It is called once, and not called off.
    std::mem::forget(timer);
}

fn meant_by_click(event: &Event) -> Option<Intent> {
    let target: Element = event.target()?.dyn_into().ok()?;
    // A link leads elsewhere, whatever it lies on.
    if target.closest("a[href]").ok()?.is_some() {
        return None;
    }
    if let Some(offer) = target.closest("#offers li").ok()? {
        let at: u64 = offer.get_attribute("data-at")?.parse().ok()?;
        return Some(Intent::Choose(usize::try_from(at).ok()));
    }
    let Some(pressed) = target.closest("button,#scrim").ok()? else {
        // A card is pressed wherever it is touched.
        let card = target.closest(".agent").ok()??;
        return EntityId::new(&card.get_attribute("data-entity-id")?).ok().map(Intent::Open);
    };
    let near = |attribute: &str| pressed.closest(&["[", attribute, "]"].concat()).ok()??.get_attribute(attribute);
    let whom = |attribute: &str| EntityId::new(&near(attribute)?).ok();
    let name = pressed.get_attribute("data-p").unwrap_or_else(|| pressed.id());
    // Rows close up under the pointer: the second press of two quick ones would take another away.
    let presses = Reflect::get(event, &"detail".into()).ok().and_then(|detail| detail.as_f64()).unwrap_or_default();
    if presses > 1.0 && matches!(&*name, "forget" | "dismiss") {
        return None;
    }
    match name.as_str() {
        "name" | "inspect" => whom("data-entity-id").map(Intent::Open),
        "ignore" => whom("data-entity-id").map(Intent::Ignore),
        "close" | "scrim" => Some(Intent::Close),
        "tab-status" => Some(Intent::Tab(Tab::Status)),
        "tab-logs" => Some(Intent::Tab(Tab::Logs)),
        "tab-connections" => Some(Intent::Tab(Tab::Connections)),
        "tab-history" => Some(Intent::Tab(Tab::History)),
        "raw-button" => Some(Intent::Raw),
        "connection" => Some(Intent::Proof),
        "pause" => Some(Intent::Pause),
        "unseek" => {
            // The button goes, and who pressed it writes on.
            focus_search();
            Some(Intent::Search(String::new()))
        }
        "seek" => near("data-query").map(Intent::Search),
        "sift" => whom("data-entity-id").map(Intent::Sift),
        "back" | "on" | "earliest" | "latest" => Some(moment(&name)),
        "moment" => near("data-at").map(|at| moment(&at)),
        "depth" => Some(Intent::Depth),
        "skip" => Some(Intent::SkipIdle),
        "more" => Some(Intent::Everyone),
        "agents" => Some(Intent::History(false)),
        "history" => Some(Intent::History(true)),
        "count" => Some(Intent::Bundle(bundle(&pressed))),
        "to-palette" => Some(Intent::Over(Over::Palette)),
        "to-keys" => Some(Intent::Over(Over::Keys)),
        "copy-link" => Some(Intent::Link),
        name => acts::meant_by_button(name, &near).map(Intent::Act),
    }
}

/// Goes to the filter's field, unless something lies over it.
fn focus_search() -> Option<()> {
    let search = document().query_selector("input[type=search]").ok()??;
    if search.closest("[inert]").ok()?.is_some() {
        return None;
    }
    // An element that cannot be focused is left as it is.
    search.unchecked_into::<HtmlElement>().focus().ok()
}

fn dismiss(numbers: &str) -> Act {
    Act::Dismiss(numbers.split(' ').filter_map(|number| number.parse().ok()).collect())
}

const TABS: [(&str, Tab); 4] = [
    ("tab-status", Tab::Status),
    ("tab-logs", Tab::Logs),
    ("tab-connections", Tab::Connections),
    ("tab-history", Tab::History),
];
