//! An agent: name, state, what it is doing, how far it has come, its recent work; where it broke, what can be done.

use super::mask;
use crate::{
    dom::Piece,
    signals::{AgentView, Gaze, Kept},
    terrarium::seats::{Form, Seat},
    voice,
};
use monkeytown_civilization::{Entity, HistoryKind, Outcome};
use monkeytown_keepsakes::Class;
use monkeytown_protocol::{EntityStatus, HttpsUrl, Ratio, Text, Timestamp};
use std::rc::Rc;

/// How often who is awake blinks, in seconds of the source's clock since it woke.
const BLINKS_EVERY_SECONDS: i64 = 9;

/// What a card was filled with, and when.
pub struct Filled {
    /// As it was then.
    pub agent: Rc<AgentView>,
    /// Where it sat.
    pub seat: Seat,
    /// On the monotonic clock.
    pub at_millis: f64,
}

/// Where somebody's card is among `filled`: mostly at `near`, where it stood.
pub fn find(filled: &[Filled], near: usize, agent: &AgentView) -> Option<usize> {
    let is_it = |card: &Filled| card.agent.id == agent.id;
    if filled.get(near).is_some_and(is_it) { Some(near) } else { filled.iter().position(is_it) }
}

/// What a card does once, when it is made.
pub fn make(id: &str, piece: &Piece) {
    piece.set("", "data-entity-id", id);
    if let Some(card) = piece.part("card") {
        mask::wear(&card, "t-mask", id);
    }
}

/// The line that says what it is doing, or what broke.
pub fn doing(entity: &Entity) -> String {
    match entity.status {
        EntityStatus::Idle => String::new(),
        EntityStatus::Error => match entity.reason.as_ref() {
            Some(reason) => format!("broken: {reason}"),
            None => "broken, without a reason".to_owned(),
        },
        _ => entity.activity.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// Its state in a word; of one at rest that waits, what for.
pub fn word(entity: &Entity) -> String {
    let waits = |activity: &&Text| entity.status == EntityStatus::Idle && activity.as_str().starts_with("waiting ");
    match entity.activity.as_ref().filter(waits) {
        Some(activity) => activity.to_string(),
        None => voice::status(entity.status).to_owned(),
    }
}

/// Writes a card. With `facts`, also what only shows when it is pointed at, which once a second is often enough.
pub fn fill(piece: &Piece, agent: &AgentView, seat: &Seat, (gaze, kept): (&Gaze, &Kept), now: Timestamp, facts: bool) {
    let entity = &agent.entity;
    let status = entity.status.as_str();
    let rect = seat.rect;
    piece.set("", "data-seat", seat.form.as_str());
    piece.set("", "data-status", status);
    piece.stand(rect.x, rect.y);
    piece.measure("width", rect.width);
    piece.measure("height", rect.height);
    // Of a column only a part is in the page: a screen reader is told which.
    for (attribute, number) in [("aria-posinset", seat.row.0), ("aria-setsize", seat.row.1)] {
        piece.mark("", attribute, &if number > 0 { number.to_string() } else { String::new() });
    }
    piece.mark("", "data-selected", if gaze.entity.as_ref() == Some(&agent.id) { "yes" } else { "" });
    piece.mark("", "data-dim", if agent.dim { "yes" } else { "" });
    piece.mark("name", "aria-description", if agent.dim { "left out by the filter" } else { "" });
    piece.mark("", "data-contradiction", if agent.contradiction.is_some() { "yes" } else { "" });
    let mut marks = String::new();
    for (class, word) in [(Class::Pin, "pinned"), (Class::Mute, "muted"), (Class::Note, "noted")] {
        if kept.has(class, agent.id.as_str()) {
            marks.push_str(if marks.is_empty() { "" } else { " " });
            marks.push_str(word);
        }
    }
    piece.mark("", "data-kept", &marks);
    piece.say_if("kept", &marks);
    mask::look(piece, status);
    let label = entity.label.to_string();
    piece.say("name", &label);
    piece.say("word", &word(entity));
    piece.say("since", &voice::span(now.since_millis(entity.since)));
    let doing = doing(entity);
    piece.say("doing", &doing);
    if facts {
        let since = entity.since.to_string();
        piece.set("name", "title", &label);
        piece.set("state", "title", &since);
        piece.set("doing", "title", &doing);
        piece.say("since-exact", voice::time_of_day(&since));
        // Rarely, and for a moment: an animation that runs all the time costs the browser every frame.
        let seconds = now.since_millis(entity.since) / 1_000;
        piece.mark("", "data-blink", if seconds % BLINKS_EVERY_SECONDS == 1 { "yes" } else { "" });
        figures(piece, entity);
    }
    let percent = share(piece, entity);
    piece.say("percent", &percent);
    piece.say_if("contradiction", agent.contradiction.as_deref().unwrap_or_default());
    if seat.form == Form::Mask || seat.form == Form::Rest {
        return;
    }
    let path = entity
        .domain
        .as_ref()
        .map_or_else(String::new, |domain| format!("{} {}", domain.path, voice::grouped(domain.files.into())));
    piece.say("path", &path);
    let children = agent.children.map_or_else(String::new, |(done, all)| format!("{done} of {all} done"));
    piece.say_if("children", &children);
    let broken = entity.status == EntityStatus::Error && !gaze.ignores(agent);
    piece.show("broken", broken);
    if broken {
        let was = entity.activity.as_ref().map_or_else(String::new, |activity| voice::was(&activity.to_string()));
        piece.say("was", &was);
    }
    beads(piece, agent, seat.beads);
}

/// Shows how far it has come as a ruler and in figures, and says the figures.
pub fn share(piece: &Piece, entity: &Entity) -> String {
    let working = matches!(entity.status, EntityStatus::Active | EntityStatus::Processing);
    let percent = entity.progress.map(Ratio::get).filter(|_| working).map(voice::percent).unwrap_or_default();
    piece.show("ruler", !percent.is_empty());
    if !percent.is_empty() {
        piece.style("ruler", "--done", &percent);
        piece.set("ruler", "aria-label", &format!("{percent} done"));
    }
    percent
}

/// Efficiency, load and connections in figures.
pub fn figures(piece: &Piece, entity: &Entity) {
    let share = |share: Option<Ratio>| share.map_or("–".to_owned(), |share| voice::percent(share.get()));
    piece.say("efficiency", &share(entity.metrics.efficiency));
    piece.say("load", &share(entity.metrics.load));
    let connections = entity.metrics.connections.map_or("–".to_owned(), |count| voice::grouped(count.into()));
    piece.say("connections", &connections);
}

fn beads(piece: &Piece, agent: &AgentView, room: usize) {
    const PARTS: [(&str, &str, &str); 2] = [("bead0", "id0", "label0"), ("bead1", "id1", "label1")];
    piece.show("beads", !agent.beads.is_empty() && room > 0);
    for (at, (bead, id, label)) in PARTS.into_iter().enumerate() {
        let held = agent.beads.get(at).filter(|_| at < room);
        piece.show(bead, held.is_some());
        let Some(held) = held else { continue };
        piece.set(bead, "data-kind", kind(held.kind));
        piece.set(bead, "data-outcome", outcome(held.outcome));
        link(piece, id, &held.short, held.url.as_ref());
        let words = held.label.to_string();
        piece.say(label, &words);
        piece.set(label, "title", &words);
    }
}

/// The short name of a piece of work: a link where its result can be seen.
pub fn link(piece: &Piece, part: &'static str, short: &str, url: Option<&HttpsUrl>) {
    piece.say(part, short);
    piece.mark(part, "href", url.map(HttpsUrl::as_str).unwrap_or_default());
    // What leads nowhere is no link.
    piece.mark(part, "role", if url.is_some() { "" } else { "none" });
}

/// What a piece of work was, as the markup says it.
pub fn kind(kind: HistoryKind) -> &'static str {
    match kind {
        HistoryKind::Run => "run",
        HistoryKind::Contract => "pull",
        HistoryKind::Transaction => "commit",
    }
}

/// How it ended, as the markup says it.
pub fn outcome(outcome: Option<Outcome>) -> &'static str {
    match outcome {
        None => "open",
        Some(Outcome::Settled) => "settled",
        Some(Outcome::Broken) => "broken",
    }
}
