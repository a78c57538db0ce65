//! The palette in this visit: what fits what is typed, what a choice does, and what the lines of the table of commands do here.
//!
//! Knows the table, who is there and what is kept; nothing of how a palette looks.

use super::{Core, Session};
use crate::{
    commands::{COMMANDS, Command, Line, Place, When},
    fuzzy::cost,
    hands,
    intent::{Act, Intent, Moment},
    signals::{Choice, FOR_THIS_VISIT, KEYLESS, Mode, NOTICES, Offer, Over, Palette, SOUND, STILL, Sheet, lower, of},
    voice,
};
use monkeytown_keepsakes::Class;
use monkeytown_protocol::{EntityId, EntityStatus};
use monkeytown_terrain::rising;

/// Lines shown at once; the others are counted.
const OFFERS_MAX: usize = 12;
/// The longest words that are looked at, in letters.
const TYPED_MAX: usize = 200;

impl Session {
    /// Opens a dialog over the page; the one that is open closes.
    pub(super) fn open_over(&self, over: Over) {
        let core = self.0.borrow();
        let palette = core.signals.palette.clone();
        let over = if palette.peek().over == over { Over::Nothing } else { over };
        let mut next = Palette { over, ..Palette::default() };
        if over == Over::Palette {
            core.offer(&mut next);
        }
        *palette.peek_mut() = next;
        palette.notify();
    }

    /// What is typed is another.
    pub(super) fn type_in(&self, words: &str) {
        let core = self.0.borrow();
        core.signals.palette.change(|palette| {
            palette.typed = words.chars().take(TYPED_MAX).collect();
            core.offer(palette);
        });
    }

    /// Does what is chosen: the line `at`, or the one that is marked. The palette closes first, so that the focus is where it
    /// was before anything else takes it.
    pub(super) fn choose(&self, at: Option<usize>) {
        let palette = self.0.borrow().signals.palette.clone();
        let Palette { offers, at: marked, .. } = std::mem::take(&mut *palette.peek_mut());
        palette.notify();
        let Some(offer) = offers.into_iter().nth(at.unwrap_or(marked)) else { return };
        match offer.choice {
            Choice::Somebody(id) => {
                self.uncover();
                self.carry(Intent::Open(id));
            }
            Choice::Find(words) => {
                self.carry(Intent::Search(words));
                self.go(Place::History);
            }
            Choice::Command(line) => {
                let Some(line) = COMMANDS.get(line) else { return };
                self.command(line.command);
                // Where nothing in sight says what came of it, it is said.
                let on = self.0.borrow().is_on(line.command);
                // The browser is still asked for those, and they say it themselves.
                let is_asked = matches!(line.command, Command::Sound | Command::Notices);
                if let Some(on) = on.filter(|_| !is_asked) {
                    self.act(Act::Told([&*offer.name, if on { ": on" } else { ": off" }].concat()));
                }
            }
        }
    }

    /// Does a line of the table, if it can be done now.
    pub(super) fn command(&self, command: Command) {
        let (id, over) = {
            let core = self.0.borrow();
            let line = COMMANDS.iter().find(|line| line.command == command && core.can(line.when));
            if line.is_none() {
                return;
            }
            (core.signals.gaze.peek().entity.clone(), core.signals.palette.peek().over)
        };
        if over != Over::Nothing && !matches!(command, Command::Close | Command::Keys) {
            return;
        }
        let whom = |intent: fn(EntityId) -> Intent| id.clone().map(intent);
        let intent = match command {
            Command::Palette => return self.open_over(Over::Palette),
            Command::Keys => return self.open_over(Over::Keys),
            Command::Go(place) => return self.go(place),
            Command::Note => {
                self.carry(Intent::Tab(Default::default()));
                return hands::ask("focus", "#note");
            }
            Command::Pause => Some(Intent::Pause),
            Command::Depth => Some(Intent::Depth),
            Command::Present => Some(Intent::Moment(Moment::Present)),
            Command::Oldest => Some(Intent::Moment(Moment::At("earliest".to_owned()))),
            Command::Pin => whom(|id| Intent::Act(Act::Pin(id))),
            Command::Mute => whom(|id| Intent::Act(Act::Mute(id))),
            Command::Ignore => whom(Intent::Ignore),
            Command::Tab(tab) => Some(Intent::Tab(tab)),
            Command::Raw => Some(Intent::Raw),
            Command::Link => Some(Intent::Link),
            Command::Bookmark => Some(Intent::Act(Act::Bookmark)),
            Command::Proof => {
                self.uncover();
                Some(Intent::Proof)
            }
            Command::Kept => Some(Intent::Act(Act::Sheet(Some(Sheet::Kept)))),
            Command::Export => Some(Intent::Act(Act::TakeAlong)),
            Command::Restore => Some(Intent::Act(Act::Restore)),
            Command::Still => Some(Intent::Act(Act::Prefer(STILL))),
            Command::ForThisVisit => Some(Intent::Act(Act::Prefer(FOR_THIS_VISIT))),
            Command::Keyless => Some(Intent::Act(Act::Prefer(KEYLESS))),
            Command::Sound => Some(Intent::Act(Act::Prefer(SOUND))),
            Command::Notices => Some(Intent::Act(Act::Prefer(NOTICES))),
            Command::Close => Some(Intent::Back),
            // What has the focus knows them.
            Command::Arrows | Command::Dismiss => None,
        };
        intent.into_iter().for_each(|intent| self.carry(intent));
    }

    /// Closes the sheet, which would lie over what opens.
    fn uncover(&self) {
        self.0.borrow().signals.gaze.change(|gaze| gaze.sheet = None);
    }

    /// Goes somewhere: what lies over it closes, and the focus lands there.
    pub(super) fn go(&self, place: Place) {
        if place == Place::Seeds {
            return self.act(Act::Sheet(Some(Sheet::Seeds)));
        }
        let mut core = self.0.borrow_mut();
        core.tend_kept();
        core.signals.gaze.change(|gaze| {
            (gaze.entity, gaze.sheet, gaze.raw, gaze.proof) = (None, None, false, false);
            gaze.listed = place == Place::Flows;
            gaze.history = matches!(place, Place::History | Place::Search);
        });
        core.write_flows();
        core.write_detail();
        drop(core);
        let there = match place {
            Place::Flows => "#flows",
            Place::History => "#ghost-list",
            Place::Search => "#search",
            _ => "#agents button",
        };
        hands::ask("focus", there);
    }
}

impl Core {
    /// Whether something can be done now.
    fn can(&self, when: When) -> bool {
        let gaze = self.signals.gaze.peek();
        let somebody = gaze.entity.as_ref().filter(|_| gaze.sheet.is_none());
        match when {
            When::Always | When::ByKey => true,
            When::Following => !gaze.mode.is_still(),
            When::Paused => gaze.mode.is_still(),
            When::Past => gaze.mode != Mode::Following,
            When::Somebody => somebody.is_some(),
            When::Broken => somebody
                .and_then(|id| Some(of(&self.signals.agents.peek(), id)?.clone()))
                .is_some_and(|agent| agent.entity.status == EntityStatus::Error && !gaze.ignores(&agent)),
        }
    }

    /// Of what is on or off: which.
    fn is_on(&self, command: Command) -> Option<bool> {
        let gaze = self.signals.gaze.peek();
        let id = gaze.entity.as_ref().map_or("", EntityId::as_str);
        let (class, name) = match command {
            Command::Pin => (Class::Pin, id),
            Command::Mute => (Class::Mute, id),
            Command::Still => (Class::Preference, STILL),
            Command::ForThisVisit => (Class::Preference, FOR_THIS_VISIT),
            Command::Keyless => (Class::Preference, KEYLESS),
            Command::Sound => (Class::Preference, SOUND),
            Command::Notices => (Class::Preference, NOTICES),
            _ => return None,
        };
        Some(self.signals.kept.peek().has(class, name))
    }

    /// Finds what fits what is typed, best first.
    fn offer(&self, palette: &mut Palette) {
        let typed = lower(palette.typed.trim_ascii());
        let agents = self.signals.agents.peek();
        let gaze = self.signals.gaze.peek();
        let whom =
            gaze.entity.as_ref().map(|id| of(&agents, id).map_or(id.as_str(), |agent| agent.entity.label.as_str()));
        let name_of = |line: &Line| match (line.when, whom) {
            (When::Somebody, Some(whom)) => [line.name, " ", &voice::name(whom)].concat(),
            _ => line.name.to_owned(),
        };
        // What it costs, and its place in the table, or behind that among the agents.
        let mut found = Vec::new();
        let mut try_on = |name: &str, at: usize| {
            // In the order of the table, while nothing is typed.
            let cost = if typed.is_empty() { Some(0) } else { cost(&lower(name), &typed) };
            found.extend(cost.map(|cost| u64::from(cost) << 32 | at as u64));
        };
        for (at, line) in COMMANDS.iter().enumerate() {
            if line.when != When::ByKey && self.can(line.when) {
                try_on(&name_of(line), at);
            }
        }
        for (at, agent) in agents.iter().enumerate().filter(|_| !typed.is_empty()) {
            try_on(agent.entity.label.as_str(), COMMANDS.len() + at);
        }
        let words = palette.typed.trim_ascii();
        let words = words.strip_prefix("find:").map_or(words, str::trim_ascii).to_owned();
        palette.fitting = found.len();
        palette.offers.clear();
        palette.at = 0;
        let is_keyless = self.signals.kept.peek().has(Class::Preference, KEYLESS);
        let room = OFFERS_MAX - usize::from(!words.is_empty());
        for number in rising(found).into_iter().take(room) {
            let at = (number & 0xffff_ffff) as usize;
            if let Some(line) = COMMANDS.get(at) {
                let beside = match self.is_on(line.command) {
                    Some(true) => "on",
                    _ if is_keyless => "",
                    _ => line.key,
                };
                palette.offers.push(Offer { choice: Choice::Command(at), name: name_of(line), beside, status: "" });
            } else if let Some(agent) = agents.get(at - COMMANDS.len()) {
                let (name, status) = (agent.entity.label.to_string(), agent.entity.status);
                let (choice, beside) = (Choice::Somebody(agent.id.clone()), voice::status(status));
                palette.offers.push(Offer { choice, name, beside, status: status.as_str() });
            }
        }
        if !words.is_empty() {
            palette.fitting += 1;
            let name = ["find: ", &words].concat();
            palette.offers.push(Offer { choice: Choice::Find(words), name, beside: "", status: "" });
        }
    }
}
