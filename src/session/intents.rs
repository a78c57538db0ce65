//! What becomes of a witness's intents. What only changes the view is written to the signals at once.

use super::Session;
use crate::{hands, intent::Intent, signals::Tab};
use monkeytown_civilization::Depth;

impl Session {
    /// Does what the witness wants. What only changes the view is written to the signals at once, so that it is
    /// seen in the next frame.
    pub fn intend(&self, intent: Intent) {
        match intent {
            // The address says already what is looked at by it.
            Intent::Follow(address) => self.follow(&address),
            intent => {
                self.carry(intent);
                self.write_address();
            }
        }
    }

    pub(super) fn carry(&self, intent: Intent) {
        let intent = match intent {
            Intent::Act(act) => return self.act(act),
            Intent::Command(command) => return self.command(command),
            Intent::Type(words) => return self.type_in(&words),
            Intent::Choose(at) => return self.choose(at),
            Intent::Over(over) => return self.open_over(over),
            Intent::Link => return self.copy_link(),
            Intent::Pause => return self.pause(),
            Intent::Moment(moment) => return self.go_to(moment),
            Intent::Speed(named) => return self.choose_speed(&named),
            intent => intent,
        };
        if matches!(intent, Intent::Close | Intent::Back) && self.0.borrow().signals.close_over() {
            return;
        }
        let mut core = self.0.borrow_mut();
        if matches!(intent, Intent::Open(_) | Intent::Close | Intent::Back | Intent::Tab(_)) {
            core.signals.kept.peek_mut().answer.clear();
        }
        core.tend_kept();
        let gaze = core.signals.gaze.clone();
        match intent {
            Intent::Act(_)
            | Intent::Command(_)
            | Intent::Type(_)
            | Intent::Choose(_)
            | Intent::Over(_)
            | Intent::Link
            | Intent::Follow(_)
            | Intent::Pause
            | Intent::Moment(_)
            | Intent::Speed(_) => {}
            Intent::Mark(on) => core.signals.mark_offer(on),
            Intent::SkipIdle => gaze.change(|gaze| gaze.skips ^= true),
            // Who has just gone cannot be looked at, and must not open the panel when somebody takes the name later.
            Intent::Open(id) | Intent::Sift(id) if core.state().entity(&id).is_none() => {}
            Intent::Open(id) => gaze.change(|gaze| {
                (gaze.tab, gaze.raw) = (if gaze.entity.as_ref() == Some(&id) { gaze.tab } else { Tab::Status }, false);
                (gaze.entity, gaze.sifted) = (Some(id), false);
            }),
            Intent::Close | Intent::Back => {
                let listed = gaze.peek().listed;
                gaze.change(|gaze| {
                    gaze.raw &= intent == Intent::Back;
                    gaze.close_last();
                });
                core.write_flows();
                if listed && !gaze.peek().listed {
                    // What had it is out of sight.
                    hands::ask("unfocus", "");
                }
            }
            Intent::Tab(tab) => gaze.change(|gaze| (gaze.tab, gaze.sifted) = (tab, false)),
            Intent::Raw => gaze.change(|gaze| gaze.raw = !gaze.raw),
            Intent::Search(words) => core.seek(words),
            Intent::Sift(id) => gaze.change(|gaze| {
                (gaze.tab, gaze.raw, gaze.sifted) = (Tab::Logs, false, true);
                gaze.entity = Some(id);
            }),
            Intent::Peek(named) => {
                gaze.change(|gaze| gaze.bundle = named);
                core.write_flows();
            }
            Intent::Bundle(named) => {
                let named = Some(named);
                gaze.change(|gaze| gaze.bundle = if gaze.bundle == named { None } else { named });
                core.write_flows();
            }
            Intent::Proof => gaze.change(|gaze| gaze.proof = !gaze.proof),
            Intent::Everyone => gaze.change(|gaze| gaze.everyone = !gaze.everyone),
            Intent::Depth => {
                gaze.change(|gaze| {
                    gaze.depth = match gaze.depth {
                        Depth::Hour => Depth::Day,
                        Depth::Day => Depth::Week,
                        Depth::Week => Depth::All,
                        Depth::All => Depth::Hour,
                    };
                });
                core.write_hour(core.shown_at());
            }
            Intent::History(shown) => gaze.change(|gaze| gaze.history = shown),
            Intent::Ignore(id) => {
                core.signals.toasts.change(|toasts| toasts.retain(|toast| toast.id != id));
                if let Some(since) = core.state().entity(&id).map(|entity| entity.since) {
                    gaze.change(|gaze| {
                        gaze.ignored.retain(|(held, _)| *held != id);
                        gaze.ignored.push((id, since));
                    });
                }
            }
        }
        core.write_detail();
        drop(core);
        self.look_soon();
    }
}
