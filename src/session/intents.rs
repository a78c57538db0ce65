//! What becomes of a witness's intents. What only changes the view is written to the signals at once.

use super::Session;
use crate::{
    intent::Intent,
    signals::{Gaze, Tab},
};

impl Session {
    /// Does what the witness wants. What only changes the view is written to the signals at once, so that it is
    /// seen in the next frame.
    pub fn intend(&self, intent: Intent) {
        let intent = match intent {
            Intent::Act(act) => return self.act(act),
            intent => intent,
        };
        let mut core = self.0.borrow_mut();
        if matches!(intent, Intent::Open(_) | Intent::Close | Intent::Back | Intent::Tab(_)) {
            core.signals.kept.peek_mut().answer.clear();
        }
        core.tend_kept();
        let gaze = core.signals.gaze.clone();
        match intent {
            Intent::Act(_) => {}
            // Who has just gone cannot be looked at, and must not open the panel when somebody takes the name later.
            Intent::Open(id) if core.state.entity(&id).is_none() => {}
            Intent::Open(id) => gaze.change(|gaze| {
                (gaze.tab, gaze.raw) = (if gaze.entity.as_ref() == Some(&id) { gaze.tab } else { Tab::Status }, false);
                gaze.entity = Some(id);
            }),
            Intent::Close => {
                gaze.change(|gaze| {
                    gaze.raw = false;
                    gaze.close_last();
                });
                core.write_flows();
            }
            Intent::Back => {
                gaze.change(Gaze::close_last);
                core.write_flows();
            }
            Intent::Tab(tab) => gaze.change(|gaze| gaze.tab = tab),
            Intent::Raw => gaze.change(|gaze| gaze.raw = !gaze.raw),
            Intent::Search(words) => {
                gaze.change(|gaze| gaze.query = words);
                core.write_ghosts();
            }
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
            Intent::History(shown) => gaze.change(|gaze| gaze.history = shown),
            Intent::Ignore(id) => {
                core.signals.toasts.change(|toasts| toasts.retain(|toast| toast.id != id));
                if let Some(since) = core.state.entity(&id).map(|entity| entity.since) {
                    gaze.change(|gaze| {
                        gaze.ignored.retain(|(held, _)| *held != id);
                        gaze.ignored.push((id, since));
                    });
                }
            }
            Intent::Pause => {
                let received = core.ingest.counters().received;
                gaze.change(|gaze| (gaze.paused, gaze.paused_at) = (!gaze.paused, received));
                if !core.is_still() {
                    core.lists_pending = true;
                    core.write_clock();
                    core.write_pulse();
                    core.flush();
                }
            }
        }
        core.write_detail();
    }
}
