//! The address of what is looked at: the part behind `#`, read and printed. `#entity=ID&tab=logs&filter=TEXT&view=history&depth=day&at=MOMENT`.
//!
//! Pure. Whatever stands there, something harmless comes of it: keys that nobody knows and what cannot be read are passed over, so
//! that links of a later page lead as far as this one goes. Knows neither the browser nor what is shown.

use crate::signals::{Gaze, Sheet, Tab};
use monkeytown_civilization::Depth;
use monkeytown_protocol::EntityId;

/// The longest address that is read, in bytes; of a longer one nothing is.
const ADDRESS_MAX_BYTES: usize = 4_096;
/// The longest filter, and the longest moment, in letters; the rest is left out.
const TEXT_MAX: usize = 200;
/// Bytes of a value that stand for themselves: unreserved ones of RFC 3986, and those that a fragment may hold and ids do.
const PLAIN: &[u8] = b"-._~:/@";

/// What stands in the place of the field, or over it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum View {
    /// The agents.
    #[default]
    Agents,
    /// What settled.
    History,
    /// The flows, one by one.
    Flows,
    /// The witness's seeds.
    Seeds,
    /// What is kept.
    Kept,
}

const VIEWS: [(&str, View); 5] = [
    ("agents", View::Agents),
    ("history", View::History),
    ("flows", View::Flows),
    ("seeds", View::Seeds),
    ("kept", View::Kept),
];
const DEPTHS: [(&str, Depth); 4] =
    [("hour", Depth::Hour), ("day", Depth::Day), ("week", Depth::Week), ("all", Depth::All)];
const TABS: [(&str, Tab); 4] =
    [("status", Tab::Status), ("logs", Tab::Logs), ("connections", Tab::Connections), ("history", Tab::History)];

/// What an address holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Address {
    /// Whose panel is open.
    pub entity: Option<EntityId>,
    /// Its tab.
    pub tab: Tab,
    /// Words looked for.
    pub filter: String,
    /// What is in view.
    pub view: View,
    /// How far back the axis goes.
    pub depth: Depth,
    /// A moment, as it is written there: an epoch and an offset.
    pub at: String,
}

/// How the browser's history takes an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Something opened: one step more, which Back undoes.
    On,
    /// Something closed: back to where it was opened, if that is in the history.
    Back,
    /// In the place of what is there.
    Here,
}

impl Address {
    /// The address of what `gaze` looks at.
    #[must_use]
    pub fn of(gaze: &Gaze) -> Self {
        let view = match gaze.sheet {
            Some(Sheet::Seeds) => View::Seeds,
            Some(Sheet::Kept) => View::Kept,
            None if gaze.listed => View::Flows,
            None if gaze.history => View::History,
            None => View::Agents,
        };
        let (entity, filter) = (gaze.entity.clone(), fitted(&gaze.query));
        let tab = if entity.is_some() { gaze.tab } else { Tab::Status };
        Self { entity, tab, filter, view, depth: gaze.depth, at: String::new() }
    }

    /// Reads what stands behind the `#`, which may be there too.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut address = Self::default();
        if text.len() > ADDRESS_MAX_BYTES {
            return address;
        }
        for pair in text.trim_start_matches('#').split('&') {
            let Some((key, value)) = pair.split_once('=') else { continue };
            let Some(value) = decoded(value) else { continue };
            match key {
                "entity" => address.entity = EntityId::new(&value).ok(),
                "filter" => address.filter = fitted(&value),
                "at" => address.at = fitted(&value),
                "view" => address.view = known(&VIEWS, &value),
                "depth" => address.depth = known(&DEPTHS, &value),
                "tab" => address.tab = known(&TABS, &value),
                _ => {}
            }
        }
        if address.entity.is_none() {
            address.tab = Tab::Status;
        }
        address
    }

    /// As far as the terrarium alone shows it.
    #[must_use]
    pub fn alone(self) -> Self {
        let view = if self.view == View::Flows { View::Flows } else { View::Agents };
        Self { view, ..self }
    }

    /// As it stands in the browser's address: empty, or with its `#`.
    #[must_use]
    pub fn print(&self) -> String {
        let mut text = String::new();
        let mut put = |key: &str, value: &str| {
            if !value.is_empty() {
                text.push(if text.is_empty() { '#' } else { '&' });
                text.push_str(key);
                encode(value, &mut text);
            }
        };
        put("entity=", self.entity.as_ref().map_or("", EntityId::as_str));
        put("tab=", word(&TABS, self.tab));
        put("view=", word(&VIEWS, self.view));
        put("filter=", &self.filter);
        put("depth=", word(&DEPTHS, self.depth));
        put("at=", &self.at);
        text
    }

    /// What kind of step it is from `before`.
    #[must_use]
    pub fn step(&self, before: &Self) -> Step {
        let lies_over = |address: &Self| match address.view {
            View::Agents | View::History => 0,
            View::Flows => 1,
            View::Seeds | View::Kept => 2,
        };
        let depth = |address: &Self| 2 * usize::from(address.entity.is_some()) + lies_over(address);
        if (&self.entity, self.view) == (&before.entity, before.view) {
            if self.depth == before.depth { Step::Here } else { Step::On }
        } else if depth(self) < depth(before) {
            Step::Back
        } else {
            Step::On
        }
    }
}

fn known<T: Copy + Default>(names: &[(&str, T)], name: &str) -> T {
    names.iter().find(|(known, _)| *known == name).map(|(_, value)| *value).unwrap_or_default()
}

/// Its word; what is usual needs none.
fn word<T: PartialEq + Default>(names: &[(&'static str, T)], value: T) -> &'static str {
    names.iter().find(|(_, known)| *known == value && value != T::default()).map_or("", |(name, _)| name)
}

/// What can be looked for: without letters that nobody can see, and of a bounded length.
fn fitted(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control()).take(TEXT_MAX).collect()
}

fn encode(value: &str, text: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || PLAIN.contains(&byte) {
            text.push(byte.into());
        } else {
            text.push('%');
            for half in [byte >> 4, byte & 15] {
                text.push(DIGITS.get(usize::from(half)).copied().unwrap_or_default().into());
            }
        }
    }
}

/// What `value` stands for; `None` when a `%` is followed by no byte, or the bytes are no text.
fn decoded(value: &str) -> Option<String> {
    let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(if byte == b'%' { digit(rest.next())? << 4 | digit(rest.next())? } else { byte });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn somebody(id: &str) -> Option<EntityId> {
        Some(EntityId::new(id).expect("an id"))
    }

    #[test]
    fn what_is_printed_is_read_again() {
        let whole = Address {
            entity: somebody("agents/mossy mapper #1 & co=100%"),
            tab: Tab::Logs,
            filter: "grüße + \u{1f412}?#&=%41".to_owned(),
            view: View::Kept,
            depth: Depth::Week,
            at: "a3f9:42".to_owned(),
        };
        let one_at_a_time = [
            (Address::default(), ""),
            (Address { entity: somebody("mossy-mapper"), ..Address::default() }, "#entity=mossy-mapper"),
            (
                Address { entity: somebody("pull:42"), tab: Tab::History, ..Address::default() },
                "#entity=pull:42&tab=history",
            ),
            (Address { filter: "two words".to_owned(), ..Address::default() }, "#filter=two%20words"),
            (Address { view: View::History, ..Address::default() }, "#view=history"),
            (Address { view: View::Flows, ..Address::default() }, "#view=flows"),
            (Address { view: View::Seeds, ..Address::default() }, "#view=seeds"),
            (Address { at: "e:7".to_owned(), ..Address::default() }, "#at=e:7"),
        ];
        for (address, text) in one_at_a_time {
            assert_eq!(address.print(), text);
            assert_eq!(Address::read(text), address, "{text}");
        }
        let text = whole.print();
        assert!(text.bytes().all(|byte| byte.is_ascii_graphic()), "{text}");
        assert_eq!(Address::read(&text), whole, "{text}");
    }

    #[test]
    fn what_cannot_be_read_is_passed_over_and_the_rest_counts() {
        let ada = Address { entity: somebody("ada"), ..Address::default() };
        for text in [
            "#entity=ada",
            "entity=ada",
            "#speed=60&entity=ada&colour=red",
            "#&&=&x&entity=ada&filter=%",
            "#entity=ada&filter=%f0%28&at=%zz&tab=&view=nowhere&tab=raw",
            "#entity=bob&entity=ada",
            "#entity=%61d%61",
            "#filter=%e",
        ] {
            let wanted = if text.contains("ad") || text.contains("%61") { ada.clone() } else { Address::default() };
            assert_eq!(Address::read(text), wanted, "{text}");
        }
        // A tab of nobody is none, and a plus is a plus.
        assert_eq!(Address::read("#tab=logs"), Address::default());
        assert_eq!(Address::read("#filter=a+b").filter, "a+b");
    }

    #[test]
    fn the_terrarium_alone_shows_neither_history_nor_what_a_witness_keeps() {
        for (text, alone) in [
            ("#entity=ada&view=kept&filter=x&at=e:7", "#entity=ada&filter=x&at=e:7"),
            ("#view=history", ""),
            ("#view=seeds", ""),
            ("#view=flows", "#view=flows"),
        ] {
            assert_eq!(Address::read(text).alone().print(), alone);
        }
    }

    #[test]
    fn hostile_addresses_come_to_nothing_that_is_long_or_unseen() {
        let long = ["#filter=", &"x".repeat(ADDRESS_MAX_BYTES)].concat();
        assert_eq!(Address::read(&long), Address::default());
        let many = ["#filter=", &"%F0%9F%90%92".repeat(300)].concat();
        assert_eq!(Address::read(&many).filter.chars().count(), TEXT_MAX);
        assert_eq!(Address::read("#filter=a%00b%0a%7f").filter, "ab");
        for text in ["#entity=", "#entity=%00", &*["#entity=", &"y".repeat(257)].concat(), "#entity=<img src=x>%0d"] {
            assert_eq!(Address::read(text).entity, None, "{text}");
        }
        // Every byte that an address may hold, alone and behind a percent sign.
        for byte in 0..=127_u8 {
            for text in [format!("#filter={}", char::from(byte)), format!("#filter=%{}", char::from(byte))] {
                let read = Address::read(&text);
                assert_eq!(Address::read(&read.print()), read, "{text}");
            }
        }
    }

    #[test]
    fn opening_is_a_step_closing_is_one_back_and_typing_is_none() {
        let nothing = Address::default();
        let ada = Address { entity: somebody("ada"), ..Address::default() };
        let bob = Address { entity: somebody("bob"), ..Address::default() };
        let logs = Address { tab: Tab::Logs, ..ada.clone() };
        let typed = Address { filter: "x".to_owned(), ..Address::default() };
        let history = Address { view: View::History, ..Address::default() };
        let flows = Address { view: View::Flows, ..Address::default() };
        let kept_over_ada = Address { view: View::Kept, ..ada.clone() };
        for (before, after, step) in [
            (&nothing, &ada, Step::On),
            (&ada, &bob, Step::On),
            (&ada, &logs, Step::Here),
            (&logs, &nothing, Step::Back),
            (&nothing, &typed, Step::Here),
            (&nothing, &history, Step::On),
            (&history, &nothing, Step::On),
            (&nothing, &flows, Step::On),
            (&flows, &nothing, Step::Back),
            (&ada, &kept_over_ada, Step::On),
            (&kept_over_ada, &ada, Step::Back),
            (&kept_over_ada, &kept_over_ada, Step::Here),
        ] {
            assert_eq!(after.step(before), step, "{} to {}", before.print(), after.print());
        }
    }
}
