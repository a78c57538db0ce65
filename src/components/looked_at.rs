//! What is looked at, where the browser itself tells it: the page's title and description, in text alone, at most once a second; and
//! the words that are looked for in the field of the search, whoever brought them.

use crate::{
    components::agent_card,
    dom::{Piece, document, follow, value, write_value},
    signals::{Sheet, Signals},
    voice,
};

/// The longest name in a title, in letters.
const NAME_MAX: usize = 60;

/// Fills them.
pub fn bind(signals: &Signals) {
    let (searched, search) = (signals.clone(), Piece::section("search"));
    follow(move || {
        let words = &searched.gaze.read().query;
        // What is written there is not written again: the caret stays.
        if value(search.root()) != *words {
            write_value(search.root(), words);
        }
    });
    let signals = signals.clone();
    let description = document().query_selector("meta[name=description]").ok().flatten();
    let usual = description.as_ref().and_then(|meta| meta.get_attribute("content")).unwrap_or_default();
    follow(move || {
        // It ticks once a second, and nothing else is followed.
        let _ = signals.times.read();
        let (gaze, detail) = (signals.gaze.peek(), signals.detail.peek());
        let (mut shown, mut more) = (String::new(), usual.clone());
        if let Some(detail) = &*detail {
            let name: String = detail.entity.label.as_str().chars().take(NAME_MAX).collect();
            shown = [&*voice::name(&name), " is ", voice::status(detail.entity.status)].concat();
            let doing = agent_card::doing(&detail.entity);
            more = [&*shown, if doing.is_empty() { "" } else { ": " }, &doing].concat();
        } else if let Some(sheet) = gaze.sheet {
            shown.push_str(if sheet == Sheet::Seeds { "your seeds" } else { "what is kept here" });
        } else if !gaze.query.trim_ascii().is_empty() {
            let words: String = gaze.query.trim_ascii().chars().take(NAME_MAX).collect();
            shown = ["looking for ", &*voice::name(&words)].concat();
        }
        let alarm = signals.alarm.read();
        let called = if alarm.is_empty() { String::new() } else { ["✕ ", &**alarm, " · "].concat() };
        let title = [&*called, &*shown, if shown.is_empty() { "" } else { " · " }, &signals.app_name.peek()].concat();
        let document = document();
        // What stands there already is not written again.
        if document.title() != title {
            document.set_title(&title);
        }
        if let Some(meta) = description.as_ref().filter(|meta| meta.get_attribute("content").as_ref() != Some(&more)) {
            // The attribute's name is ours.
            let _ = meta.set_attribute("content", &more);
        }
    });
}
