//! The address and what is looked at: a link that is followed, and the address that follows the witness.
//!
//! Knows what stands in an address; how the browser keeps it, and how often, is `src/hands.js`' matter.

use super::Session;
use crate::{
    address::{Address, Step, View},
    clock::monotonic_millis,
    dom::is_embedded,
    hands,
    intent::{Act, Intent, Moment},
    signals::{Mode, Sheet, Tab},
};
use monkeytown_protocol::EntityId;

/// How the address stands.
#[derive(Default)]
pub(super) struct Links {
    /// What it says.
    told: Address,
    /// Whom a link named who is not known yet, and the tab.
    wanted: Option<(EntityId, Tab)>,
}

impl Session {
    /// Looks at what the address names: at the start, and when somebody goes back, on, or elsewhere.
    pub(super) fn follow(&self, text: &str) {
        let mut address = Address::read(text);
        if is_embedded() {
            address = address.alone();
        }
        let (view, before, moment) = {
            let mut core = self.0.borrow_mut();
            core.links.wanted = None;
            core.signals.close_over();
            let gaze = core.signals.gaze.peek();
            let is_there = address.at == core.links.told.at;
            (address.view, (gaze.sheet, gaze.query.clone(), gaze.entity.clone()), !is_there)
        };
        if moment {
            let at = address.at.clone();
            self.carry(Intent::Moment(if at.is_empty() { Moment::Present } else { Moment::At(at) }));
        }
        let sheet = match view {
            View::Seeds => Some(Sheet::Seeds),
            View::Kept => Some(Sheet::Kept),
            _ => None,
        };
        if before.1 != address.filter {
            self.carry(Intent::Search(address.filter.clone()));
        }
        self.0.borrow().signals.gaze.change(|gaze| {
            // What lies under a sheet stays as it was.
            if sheet.is_none() {
                (gaze.history, gaze.listed) = (view == View::History, view == View::Flows);
            }
            gaze.depth = address.depth;
            if gaze.entity != address.entity {
                (gaze.entity, gaze.raw) = (None, false);
            }
        });
        {
            let core = self.0.borrow();
            core.write_hour(core.shown_at());
        }
        match address.entity.clone() {
            Some(id) => {
                self.0.borrow_mut().links.wanted = Some((id, address.tab));
                self.meet_wanted();
            }
            None => self.0.borrow().write_detail(),
        }
        if before.0 != sheet {
            self.act(Act::Sheet(sheet));
        }
        self.0.borrow_mut().links.told = address;
    }

    /// Opens whom a link named, as soon as the stream has told of them; says so when all is told and they are not there.
    pub(super) fn meet_wanted(&self) {
        let (id, tab) = {
            let mut core = self.0.borrow_mut();
            let Some((id, tab)) = core.links.wanted.take() else { return };
            if core.state().entity(&id).is_none() {
                // Whoever is meant may be there at the moment that is on its way.
                if core.greeted && !core.replaying && core.mode() != Mode::Going {
                    let words = "this link names an agent that the stream does not hold".to_owned();
                    core.remark = Some((words, monotonic_millis()));
                    core.write_connection();
                } else {
                    core.links.wanted = Some((id, tab));
                }
                return;
            }
            (id, tab)
        };
        if self.0.borrow().signals.gaze.peek().entity.as_ref() != Some(&id) {
            self.carry(Intent::Open(id));
        }
        self.carry(Intent::Tab(tab));
    }

    /// Has the address say what is looked at, when that is another than it says.
    pub(super) fn write_address(&self) {
        let (step, text) = {
            let mut core = self.0.borrow_mut();
            let mut now = Address::of(&core.signals.gaze.peek());
            now.at = core.moment(&core.links.told.at);
            // Who is waited for stays in it, until something else is looked at.
            if let Some((id, tab)) = core.links.wanted.clone().filter(|_| now.entity.is_none()) {
                (now.entity, now.tab) = (Some(id), tab);
            }
            if now == core.links.told {
                return;
            }
            let step = now.step(&core.links.told);
            let text = now.print();
            core.links.told = now;
            (step, text)
        };
        let what = match step {
            Step::On => "on",
            Step::Back => "back",
            Step::Here => "here",
        };
        hands::ask(what, &text);
    }

    /// Copies the address of what is looked at.
    pub(super) fn copy_link(&self) {
        let text = {
            let core = self.0.borrow();
            let mut now = Address::of(&core.signals.gaze.peek());
            now.at = match &core.past {
                Some(past) => past.place.to_string(),
                None if core.mode() == Mode::Going => core.moment(&core.links.told.at),
                None => String::new(),
            };
            now.print()
        };
        self.act(Act::Ask("link", text));
    }
}
