//! What the witness does beside looking: pins, notes, puts away, takes along, erases. Each act is kept, or refused in
//! words, before it is shown.

use super::{
    Core, Session,
    keeping::{now_millis, record},
};
use crate::{
    hands,
    intent::Act,
    signals::{Draft, FOR_THIS_VISIT, Kept, NOTICES, SOUND, Sheet, Undo},
    storage::last_known,
};
use monkeytown_keepsakes::{
    Class, Record, Seed, Writing, ghosts::identity, pack, parcel::NOTE_MAX_UNITS, record::words_of, units, unpack,
};
use monkeytown_protocol::{EntityId, SeedStatus};

/// Notes whose words wait for room.
const DRAFTS_MAX: usize = 20;
/// The longest words of a bookmark, in letters.
const BOOKMARK_MAX: usize = 100;

/// Says how a switch stands, unless something has been said of it: that it could not be kept, or what made room.
fn say_whether(kept: &mut Kept, name: &str) {
    if kept.answer.is_empty() {
        kept.answer = [name, if kept.has(Class::Preference, name) { ": on" } else { ": off" }].concat();
    }
}

impl Session {
    /// Does what the witness wants.
    pub fn act(&self, act: Act) {
        let topic = self.0.borrow().signals.kept.clone();
        if let Act::Ask(what, words) = &act {
            // The answer may come at once, as another act.
            return hands::ask(what, words);
        }
        if let Act::Prefer(name @ (SOUND | NOTICES)) = act
            && !topic.peek().has(Class::Preference, name)
        {
            // The browser may not let the page: it answers with another act.
            return hands::ask(name, "");
        }
        let mut out = None;
        // What is being typed changes nothing that is kept yet.
        let is_typed = matches!(act, Act::Enter(..) | Act::Note(_));
        // What is done anew is its own way back.
        let withdraws = matches!(
            act,
            Act::Pin(_)
                | Act::PinGhost(_)
                | Act::Mute(_)
                | Act::Bookmark
                | Act::KeepFilter
                | Act::Prefer(_)
                | Act::Plant
        );
        let mut found = None;
        let mut is_answered;
        {
            let mut core = self.0.borrow_mut();
            let kept = &mut *topic.peek_mut();
            is_answered = !kept.answer.is_empty();
            kept.answer.clear();
            kept.of_browser = matches!(act, Act::Told(_));
            if withdraws {
                kept.undo = Undo::default();
            }
            match act {
                Act::Sheet(sheet) => {
                    core.signals.gaze.change(|gaze| gaze.sheet = sheet);
                    kept.erasing = false;
                    core.search(kept);
                }
                Act::Find(key) => {
                    core.signals.gaze.change(|gaze| gaze.sheet = Some(Sheet::Seeds));
                    core.search(kept);
                    found = Some(key);
                }
                Act::Enter(field, words) => core.enter(kept, field, words),
                Act::Plant => core.plant(kept),
                Act::Pin(id) => core.toggle(kept, Class::Pin, id.as_str(), "{}"),
                Act::PinGhost(identity) => core.pin_ghost(kept, identity),
                Act::Mute(id) => {
                    core.signals.toasts.change(|toasts| toasts.retain(|toast| toast.id != id));
                    core.toggle(kept, Class::Mute, id.as_str(), "{}");
                }
                Act::Note(words) => core.note(kept, words),
                Act::Bookmark => core.bookmark(kept),
                Act::KeepFilter => core.keep_filter(kept),
                Act::Dismiss(identities) => core.dismiss(kept, &identities),
                Act::Restore => core.restore(kept),
                Act::Forget(key) => core.forget(kept, &key),
                Act::Undo => core.keeping.undo(kept),
                Act::TakeAlong => {
                    core.keep_drafts(kept, None);
                    out = Some(pack(&kept.store, now_millis()));
                }
                // What is chosen before everything is erased may arrive after it.
                Act::Bring(_) if core.keeping.is_over() => {}
                Act::Bring(file) => match unpack(&file, now_millis()) {
                    Ok(records) => kept.arrived = Some(records),
                    Err(why) => kept.answer = ["the file is not kept: ", why.0].concat(),
                },
                Act::Told(words) => kept.answer = words,
                Act::Adopt(Some(replace)) => core.keeping.adopt(kept, replace),
                Act::Adopt(None) => kept.arrived = None,
                Act::Erase(false) => kept.erasing ^= true,
                Act::Erase(true) => {
                    core.keeping.erase(kept);
                    out = Some(String::new());
                }
                Act::Allowed(name) => {
                    if !kept.has(Class::Preference, name) {
                        core.prefer(kept, name);
                    }
                    say_whether(kept, name);
                }
                Act::Prefer(name) => {
                    core.prefer(kept, name);
                    if matches!(name, SOUND | NOTICES) {
                        say_whether(kept, name);
                    }
                }
                Act::Ask(..) => {}
            }
            is_answered |= !kept.answer.is_empty();
            if !is_typed {
                core.watch_seeds(kept);
                core.keeping.read_pins(kept);
                core.keeping.told(kept);
            }
        }
        if !is_typed {
            self.0.borrow_mut().write_ghosts();
        }
        if is_typed && !is_answered {
            self.0.borrow().signals.typed.notify();
        } else {
            topic.notify();
        }
        if let Some(key) = found {
            hands::ask("find", &key);
        }
        if let Some(file) = out {
            hands::ask(if file.is_empty() { "erase" } else { "hand-out" }, &file);
        }
    }

    /// Reads everything that is kept again.
    pub(super) fn look_at_kept_again(&self) {
        let core = self.0.borrow();
        let kept = &mut *core.signals.kept.peek_mut();
        core.keeping.refresh(kept, None);
    }

    /// Another tab has written at a key, or has erased everything.
    pub(super) fn on_kept_elsewhere(&self, key: Option<&str>) {
        let mut core = self.0.borrow_mut();
        let core = &mut *core;
        let topic = core.signals.kept.clone();
        // Many lines may come at once: what they change is looked at once a second.
        core.heard_elsewhere |= core.keeping.hear(&mut topic.peek_mut(), key);
        // But who writes a note sees what it says by now: what is written is added to that.
        core.signals.typed.notify();
    }
}

fn body_of(name: &str, words: &str) -> String {
    let mut body = Writing::default();
    body.text(name, words);
    body.end()
}

impl Core {
    /// Looks after what the witness does and keeps, once a second.
    pub(super) fn tend_kept(&mut self) {
        let topic = self.signals.kept.clone();
        let kept = &mut *topic.peek_mut();
        let wrote = self.keep_drafts(kept, None);
        let heard = std::mem::take(&mut self.heard_elsewhere);
        if self.tend_seeds(kept) || wrote || heard {
            self.watch_seeds(kept);
            self.keeping.read_pins(kept);
            self.keeping.count(kept);
            topic.notify();
        }
        if heard {
            // A list of what is left over reads what is kept.
            self.lists_pending = true;
        }
    }

    fn toggle(&mut self, kept: &mut Kept, class: Class, id: &str, body: &str) {
        self.keeping.refresh(kept, Some(class));
        if kept.has(class, id) {
            self.keeping.take(kept, class, id, [class.word(), " taken away"].concat());
        } else {
            self.keeping.put(kept, record(class, id, body.to_owned()));
        }
    }

    /// Pins a ghost with its line, or lets it go.
    fn pin_ghost(&mut self, kept: &mut Kept, wanted: u64) {
        let mut items = self.state().history().chain(self.beside_history.iter().map(AsRef::as_ref));
        let item = items.find(|item| identity(item) == wanted);
        let pin = item.map(|item| self.keeping.pin(item));
        drop(items);
        if let Some(pin) = pin {
            self.toggle(kept, Class::Pin, &pin.id, &pin.body);
        }
    }

    fn note(&mut self, kept: &mut Kept, words: String) {
        let Some(id) = self.signals.gaze.peek().entity.clone() else { return };
        self.keep_drafts(kept, Some(&id));
        if let Some(draft) = kept.drafts.iter_mut().find(|draft| draft.id == id) {
            draft.words = words;
        } else if kept.drafts.len() < DRAFTS_MAX {
            let based_on = kept.store.get(Class::Note, id.as_str()).map(words_of).unwrap_or_default();
            kept.drafts.push(Draft { id, words, based_on });
        } else {
            "that was not kept: the notes before it find no room. take something away first"
                .clone_into(&mut kept.answer);
        }
    }

    /// Keeps the notes that are being written, but for the one on `but`. False when there was none.
    pub(super) fn keep_drafts(&mut self, kept: &mut Kept, but: Option<&EntityId>) -> bool {
        let mut any = false;
        for draft in std::mem::take(&mut kept.drafts) {
            if Some(&draft.id) == but {
                kept.drafts.push(draft);
            } else {
                any = true;
                self.keep_draft(kept, draft);
            }
        }
        any
    }

    /// Keeps a note; what another tab has written meanwhile stays in it. Words that are refused stay where they are written,
    /// and are tried again.
    fn keep_draft(&mut self, kept: &mut Kept, mut draft: Draft) {
        let id = draft.id.as_str().to_owned();
        self.keeping.refresh(kept, Some(Class::Note));
        let theirs = kept.store.get(Class::Note, &id).map(words_of).unwrap_or_default();
        if theirs != draft.based_on && !theirs.is_empty() && theirs != draft.words {
            draft.words = [&*theirs, "\n", &draft.words].concat();
        }
        if draft.words == theirs {
            kept.answer = self.keeping.in_words("the note is kept");
        } else if draft.words.trim_ascii().is_empty() {
            self.keeping.take(kept, Class::Note, &id, "note taken away".to_owned());
        } else if units(&draft.words) > NOTE_MAX_UNITS {
            "that was not kept: a note has at most 4,000 letters".clone_into(&mut kept.answer);
            draft.based_on = theirs;
            kept.drafts.push(draft);
        } else if self.keeping.put(kept, record(Class::Note, &id, body_of("words", &draft.words))) {
            kept.answer = self.keeping.in_words("the note is kept");
        } else {
            draft.based_on = theirs;
            kept.drafts.push(draft);
        }
    }

    fn bookmark(&mut self, kept: &mut Kept) {
        let Some(position) = self.past.as_ref().map(|past| &past.place).or(self.ingest.position()) else {
            return "there is no moment to keep yet: no stream has been heard".clone_into(&mut kept.answer);
        };
        let exact = self.now().to_string();
        let (day, time) = (exact.get(..10).unwrap_or_default(), exact.get(11..19).unwrap_or_default());
        let newest = self.state().history().next().map_or("", |item| item.label.as_str());
        let words: String = [day, " ", time, " after: ", newest].concat().chars().take(BOOKMARK_MAX).collect();
        let id = position.to_string();
        if self.keeping.put(kept, record(Class::Bookmark, &id, body_of("words", &words))) {
            kept.answer = self.keeping.in_words("the moment is kept");
        }
    }

    fn dismiss(&mut self, kept: &mut Kept, identities: &[u64]) {
        let mut undo = Undo { words: "put away".to_owned(), ..Undo::default() };
        for identity in identities {
            let id = identity.to_string();
            let mark = record(Class::Dismissed, &id, "{}".to_owned());
            if self.keeping.put(kept, mark.clone()) {
                undo.away.push(mark);
            }
        }
        if !undo.away.is_empty() {
            kept.undo = undo;
        }
    }

    fn restore(&mut self, kept: &mut Kept) {
        let back: Vec<Record> = kept.store.of(Class::Dismissed).cloned().collect();
        for record in &back {
            self.keeping.take(kept, Class::Dismissed, &record.id, String::new());
        }
        kept.undo = Undo { words: "all brought back".to_owned(), back, ..Undo::default() };
    }

    fn forget(&mut self, kept: &mut Kept, key: &str) {
        let Some((class, id)) = Record::named(key) else { return };
        self.keeping.refresh(kept, Some(class));
        let seed = kept.store.get(class, id).and_then(Seed::from_record);
        if seed.is_some_and(|seed| seed.status == SeedStatus::Growing && seed.is_under_way(now_millis())) {
            return "it was found, and grows: it can be taken away when something has come of it"
                .clone_into(&mut kept.answer);
        }
        self.keeping.take(kept, class, id, [class.word(), " taken away"].concat());
        if class == Class::Note {
            kept.drafts.retain(|draft| draft.id.as_str() != id);
        }
    }

    fn prefer(&mut self, kept: &mut Kept, name: &'static str) {
        self.toggle(kept, Class::Preference, name, &body_of("value", "on"));
        if name == FOR_THIS_VISIT && kept.has(Class::Preference, name) {
            last_known::forget();
            self.keeping.forget_ghosts(kept);
        }
    }
}
