//! The detail panel: somebody looked at closely. What is being read never moves, and who is gone stays to be read.

use super::{
    agent_card,
    drawer::{Drawer, focus},
    foot, mask,
    reading::{Newest, Reading},
};
use crate::{
    dom::{Piece, Rows, follow},
    signals::{DetailView, FlowRow, Gaze, Kept, Signals, Tab, short_id},
    voice,
};
use monkeytown_civilization::Line;
use monkeytown_keepsakes::Class;
use monkeytown_protocol::{EntityId, FlowStatus, Timestamp};
use std::cell::RefCell;
use wasm_bindgen::JsCast;

/// Tabs: the tab's element, its panel's, and which it is.
const TABS: [(&str, &str, Tab); 4] = [
    ("tab-status", "view-status", Tab::Status),
    ("tab-logs", "view-logs", Tab::Logs),
    ("tab-connections", "view-connections", Tab::Connections),
    ("tab-history", "view-history", Tab::History),
];
/// Half hours of a day.
const DAY_BINS: usize = 48;

struct Panel {
    piece: Piece,
    tabs: Vec<(Piece, Piece, Tab)>,
    drawer: Drawer,
    lists: RefCell<Lists>,
    shown: RefCell<Option<EntityId>>,
}

struct Lists {
    works: Rows,
    connections: Rows,
    lines: Rows,
    past: Rows,
    lines_read: Reading,
    past_read: Reading,
}

/// Fills it.
pub fn bind(signals: &Signals) {
    let signals = signals.clone();
    let piece = Piece::section("panel");
    let list = |part| Rows::new(piece.part(part).unwrap_or_else(|| piece.root().clone()));
    let (lines, past) = (list("lines"), list("past"));
    let read = |rows: &Rows, newest| {
        let list = rows.list();
        Reading::new(list.parent_element().unwrap_or_else(|| list.clone()), newest)
    };
    let (lines_read, past_read) = (read(&lines, Newest::Last), read(&past, Newest::First));
    let (works, connections) = (list("works"), list("connections-list"));
    let lists = Lists { works, connections, lines, past, lines_read, past_read };
    let panel = Panel {
        tabs: TABS.map(|(tab, view, which)| (Piece::section(tab), Piece::section(view), which)).into(),
        drawer: Drawer::new("data-panel", &["field", "ghosts", "plot", "foot"]),
        lists: RefCell::new(lists),
        piece,
        shown: RefCell::default(),
    };
    follow(move || {
        let detail = signals.detail.read();
        let gaze = signals.gaze.read();
        panel.open(detail.as_ref().map(|detail| &detail.id));
        if let Some(detail) = &*detail {
            panel.fill(detail, (&gaze, &signals.kept.read()), signals.times.read().now);
        }
    });
}

impl Panel {
    /// Opens for somebody, or closes; the focus goes along and comes back.
    fn open(&self, id: Option<&EntityId>) {
        let before = self.shown.replace(id.cloned());
        if before.as_ref() == id {
            return;
        }
        if let Some(id) = id {
            self.piece.set("", "data-entity-id", id.as_str());
            let mut lists = self.lists.borrow_mut();
            lists.lines.keep(&[], |_| "t-line", &|_, _| {});
            lists.lines_read.begin();
            lists.past_read.begin();
            if let Some(place) = self.piece.part("mask") {
                place.set_text_content(None);
                mask::wear(&place, "t-mask", id.as_str());
                self.piece.renew(&["face", "y"]);
            }
        }
        self.drawer.set(&self.piece, id.is_some());
        if before.is_some() && id.is_some() {
            focus(self.piece.root().dyn_ref());
        }
    }

    fn fill(&self, detail: &DetailView, (gaze, kept): (&Gaze, &Kept), now: Timestamp) {
        let (piece, entity) = (&self.piece, &detail.entity);
        let status = entity.status.as_str();
        piece.set("", "data-status", status);
        mask::look(piece, status);
        piece.say("name", &entity.label.to_string());
        let path = entity.domain.as_ref().map_or_else(String::new, |domain| {
            format!("{} {} files", domain.path, voice::grouped(domain.files.into()))
        });
        piece.say("path", &path);
        piece.say("word", voice::status(entity.status));
        piece.say("since", &voice::span(now.since_millis(entity.since)));
        piece.set("since", "title", &entity.since.to_string());
        piece.say("ended", if detail.gone { "it has ended; this is what was known last" } else { "" });
        piece.say("logs-count", &voice::grouped(detail.log_counts.0 as u64));
        piece.say("connections-count", &voice::grouped(detail.flows.len() as u64));
        piece.say("history-count", &voice::grouped(detail.history.len() as u64));
        let mut lists = self.lists.borrow_mut();
        for (tab, view, which) in &self.tabs {
            let chosen = *which == gaze.tab;
            if chosen && view.root().has_attribute("hidden") {
                lists.lines_read.show();
            }
            tab.set("", "aria-selected", if chosen { "true" } else { "false" });
            tab.set("", "tabindex", if chosen { "0" } else { "-1" });
            view.show("", chosen);
        }
        match gaze.tab {
            Tab::Status => self.fill_status(detail, &mut lists),
            Tab::Logs => self.fill_logs(detail, &mut lists, gaze.sifted && !gaze.query.trim_ascii().is_empty()),
            Tab::Connections => fill_works(&mut lists.connections, &detail.flows, &detail.id),
            Tab::History => {
                let Lists { past, past_read, .. } = &mut *lists;
                let seen = past_read.look(past);
                fill_past(past, detail, now);
                past_read.stay(&seen);
            }
        }
        piece.say("linked", if kept.of_browser { &kept.answer } else { "" });
        for (part, class) in [("pin", Class::Pin), ("mute", Class::Mute)] {
            piece.set(part, "aria-pressed", if kept.has(class, detail.id.as_str()) { "true" } else { "false" });
        }
        piece.set("raw-button", "aria-expanded", if gaze.raw { "true" } else { "false" });
        piece.show("raw", detail.raw.is_some());
        let raw = match detail.raw.as_deref() {
            Some("") => "its newest event came before what this page still holds",
            Some(raw) => raw,
            None => "",
        };
        piece.say("raw", raw);
    }

    fn fill_status(&self, detail: &DetailView, lists: &mut Lists) {
        let (piece, entity) = (&self.piece, &detail.entity);
        let doing = agent_card::doing(entity);
        piece.say("doing", if doing.is_empty() { "resting" } else { &doing });
        let was = entity.activity.as_ref().filter(|_| entity.reason.is_some());
        piece.say_if("why", &was.map_or_else(String::new, |activity| voice::was(&activity.to_string())));
        let percent = agent_card::share(piece, entity);
        piece.say("percent", &percent);
        agent_card::figures(piece, entity);
        for (ruler, value) in [("efficiency-ruler", entity.metrics.efficiency), ("load-ruler", entity.metrics.load)] {
            piece.show(ruler, value.is_some());
            if let Some(value) = value {
                piece.style(ruler, "--done", &voice::percent(value.get()));
            }
        }
        let few: Vec<FlowRow> = detail.flows.iter().take(6).cloned().collect();
        fill_works(&mut lists.works, &few, &detail.id);
        const DAYS: [&str; 6] = ["day5", "day4", "day3", "day2", "day1", "day0"];
        let mut busy = 0;
        for (day, bins) in DAYS.iter().zip(detail.days.chunks(DAY_BINS)) {
            // Half hours in units of a quarter.
            let quarters: Vec<bool> = bins.iter().flat_map(|bin| [*bin, *bin]).collect();
            piece.set(day, "d", &foot::ticks(&quarters));
            busy += bins.iter().filter(|bin| **bin).count();
        }
        piece.set("days", "aria-label", &format!("at work in {busy} half hours of six days"));
    }

    fn fill_logs(&self, detail: &DetailView, lists: &mut Lists, is_sifted: bool) {
        let (held, missing) = detail.log_counts;
        self.piece.mark("lines", "data-sifted", if is_sifted { "yes" } else { "" });
        let words = match (held, missing) {
            _ if is_sifted => {
                let found = voice::grouped(detail.found.len() as u64);
                format!("{found} of {} lines, as the filter takes them", voice::grouped(held as u64))
            }
            (0, 0) => "it has said nothing".to_owned(),
            // Always a line, so that none that comes moves what is below it.
            (_, 0) => "from its first line on".to_owned(),
            (_, missing) => format!("{} older lines are not held", voice::grouped(missing)),
        };
        let Lists { lines, lines_read, .. } = lists;
        let seen = lines_read.look(lines);
        self.piece.say("dropped", &words);
        // A line is what it is for ever, so that it is written once. Another history counts from one again.
        let key = |(line, number): (&Line, u64)| [&*number.to_string(), &*line.time.to_string()].concat();
        let keys: Vec<String> = detail.log.iter().zip(missing..).map(key).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        lines.keep(&keys, |_| "t-line", &|_, _| {});
        for (piece, line) in lines.pieces().zip(&detail.log) {
            if piece.is_blank() {
                write_line(piece, line);
            }
        }
        for (piece, number) in lines.pieces().zip(missing..) {
            let is_found = detail.found.binary_search(&number).is_ok();
            piece.mark("", "data-found", if is_found { "yes" } else { "" });
        }
        lines_read.stay(&seen);
    }
}

fn write_line(piece: &Piece, line: &Line) {
    let time = line.time.to_string();
    piece.set("", "data-level", line.level.as_str());
    piece.say("time", voice::time_of_day(&time));
    piece.set("time", "datetime", &time);
    piece.set("time", "title", &time);
    piece.say("level", line.level.as_str());
    piece.say("text", &line.message.to_string());
}

/// With whom it works: what moves, who the other is, and how it stands.
fn fill_works(rows: &mut Rows, flows: &[FlowRow], id: &EntityId) {
    let keys: Vec<&str> = flows.iter().map(|flow| flow.id.as_str()).collect();
    rows.keep(&keys, |_| "t-work", &|_, _| {});
    for (piece, flow) in rows.pieces().zip(flows) {
        let out = flow.source == *id;
        let (other, name) = if out { (&flow.target, &flow.target_name) } else { (&flow.source, &flow.source_name) };
        piece.set("", "data-kind", flow.kind.as_str());
        piece.mark("", "data-out", if out { "yes" } else { "" });
        piece.set("kind", "href", &["#k-", flow.kind.as_str()].concat());
        if let Some(place) = piece.part("mask").filter(|place| place.child_element_count() == 0) {
            mask::wear(&place, "t-mask-small", other.as_str());
            mask::look(piece, "idle");
        }
        piece.say("name", &name.to_string());
        let words = match (flow.status, &flow.reason) {
            (FlowStatus::Pending, _) => format!("{} waiting", flow.kind.as_str()),
            (FlowStatus::Active, _) => format!("{} on its way", flow.kind.as_str()),
            (FlowStatus::Complete, _) => format!("{} arrived", flow.kind.as_str()),
            (FlowStatus::Error, Some(reason)) => format!("broken: {reason}"),
            (FlowStatus::Error, None) => "broken".to_owned(),
        };
        piece.say("words", &words);
    }
}

/// What it has done.
fn fill_past(rows: &mut Rows, detail: &DetailView, now: Timestamp) {
    let keys: Vec<String> = detail.history.iter().map(|item| item.number.to_string()).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    rows.keep(&keys, |_| "t-past", &|_, _| {});
    for (piece, item) in rows.pieces().zip(&detail.history) {
        piece.set("", "data-kind", agent_card::kind(item.kind));
        piece.set("", "data-outcome", agent_card::outcome(Some(item.outcome)));
        agent_card::link(piece, "id", &short_id(item.id.as_str()), item.url.as_ref());
        piece.say("label", &item.label.to_string());
        piece.say("time", &voice::ago(now.since_millis(item.time)));
        piece.set("time", "title", &item.time.to_string());
    }
}
