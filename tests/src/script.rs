//! Questions to a page that every browser is asked in the same words: conditions, places, how it stands.

use serde_json::Value;

/// How long a place to touch may take to come to rest and into the open, in milliseconds; it bounds a failure.
const TOUCH_MILLIS: u32 = 10_000;

/// The ids of the agents that have a card, in the order of the document.
pub(crate) const AGENTS: &str =
    "[...document.querySelectorAll('[data-testid=agent-card]')].map((card) => card.dataset.entityId)";

/// How the page stands, for whoever reads a failure.
pub(crate) const STANDING: &str = "(document.querySelector('[data-testid=connection]')?.outerHTML ?? 'no connection panel') \
     + '\\n' + (document.querySelector('.notice')?.textContent ?? 'no notice') \
     + '\\n' + document.body.innerText.slice(0, 1500)";

/// A script's literal.
#[must_use]
pub fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

/// A promise of whether `condition` comes to hold within `millis`, looked at whenever the document changes.
pub(crate) fn holds(condition: &str, millis: u64) -> String {
    format!(
        "new Promise((resolve) => {{
            const holds = () => {{ try {{ return Boolean({condition}); }} catch {{ return false; }} }};
            if (holds()) return resolve(true);
            const done = (held) => {{ observer.disconnect(); clearTimeout(clock); resolve(held); }};
            const observer = new MutationObserver(() => holds() && done(true));
            observer.observe(document, {{ subtree: true, childList: true, attributes: true, characterData: true }});
            const clock = setTimeout(() => done(holds()), {millis});
        }})"
    )
}

/// Whether an attribute of the element with a `data-testid` has a value.
pub(crate) fn attribute_is(test_id: &str, name: &str, value: &str) -> String {
    format!("document.querySelector('[data-testid={test_id}]').getAttribute('{name}') === {}", quoted(value))
}

/// Whether `text` stands in the card of an agent.
#[must_use]
pub fn card_says(agent: &str, text: &str) -> String {
    let card = "document.querySelector(`[data-testid=agent-card][data-entity-id=\"${CSS.escape(agent)}\"]`)";
    format!("((agent) => {card}.textContent.includes({}))({})", quoted(text), quoted(agent))
}

/// Whether `selector` finds something that is not hidden.
#[must_use]
pub fn is_seen(selector: &str) -> String {
    let selector = quoted(selector);
    format!(
        "[...document.querySelectorAll({selector})].some((one) => one.checkVisibility({{ visibilityProperty: true }}))"
    )
}

/// A promise of where somebody could point at `selector`, and why not: its middle, once it has come to rest and nothing
/// lies over it.
#[must_use]
pub fn place_to_touch(selector: &str) -> String {
    let selector = quoted(selector);
    format!(
        "new Promise((resolve) => {{
            let before;
            const begun = performance.now();
            const look = () => {{
                const element = document.querySelector({selector});
                element?.scrollIntoView({{ block: 'nearest' }});
                const box = element?.getBoundingClientRect();
                const [x, y] = box ? [box.x + box.width / 2, box.y + box.height / 2] : [0, 0];
                const above = box && document.elementFromPoint(x, y);
                if (above && element.contains(above) && before === `${{x}} ${{y}}`) return resolve([x, y, '']);
                if (performance.now() - begun > {TOUCH_MILLIS}) {{
                    return resolve([x, y, `at ${{x}} ${{y}}, before ${{before}}, lies ${{above?.outerHTML.slice(0, 200)}}`]);
                }}
                before = `${{x}} ${{y}}`;
                requestAnimationFrame(look);
            }};
            look();
        }})"
    )
}
