//! What calls a witness who looks elsewhere: somebody who broke, a contract that settled.
//!
//! Decides what is worth a call; how it sounds and is shown, and by which of several tabs, is `src/hands.js`' matter. The
//! pinned who are broken stand in the page's title and icon, which need nobody's leave; sound and notices are off until
//! the witness switches them on.

use super::Core;
use crate::{
    hands,
    signals::{NOTICES, SOUND},
    voice,
};
use monkeytown_civilization::Keys;
use monkeytown_keepsakes::Class;
use monkeytown_protocol::{EntityId, EntityKind, EntityStatus};

/// The longest name in a title, in letters.
const NAME_MAX: usize = 60;

/// How things stood when they were looked at last. Who is mended and breaks again between two looks was broken all along.
#[derive(Default)]
pub(super) struct Attention {
    broken: Keys<EntityId>,
    /// Contracts settled.
    settled: u64,
}

impl Core {
    /// Looks whether there is something to call for. What is told in a catch-up, at whose end this is asked too, is no news, and nothing sounds while the
    /// witness is elsewhere in time; but who is broken is told as it is.
    pub(super) fn attend(&mut self) {
        let kept = self.signals.kept.peek();
        let prefers = |name| kept.has(Class::Preference, name);
        let is_news = self.greeted && !self.replaying;
        let settled = self.live.state.totals().contracts_settled;
        let mut broken = Keys::default();
        let (mut pinned, mut told) = (0, String::new());
        // Nothing, a contract settled, or somebody broke.
        let mut call = (settled > self.attention.settled).then_some("");
        for (id, entity) in self.live.state.entities() {
            if entity.kind != EntityKind::Agent || entity.status != EntityStatus::Error {
                continue;
            }
            let is_new = is_news && !self.attention.broken.contains(id) && !kept.has(Class::Mute, id.as_str());
            broken.insert(id.clone());
            if is_new {
                call = Some("broken");
            }
            if kept.has(Class::Pin, id.as_str()) {
                pinned += 1;
                told = voice::name(&entity.label.as_str().chars().take(NAME_MAX).collect::<String>());
                if is_new && prefers(NOTICES) {
                    let reason = entity.reason.as_ref().map(ToString::to_string).unwrap_or_default();
                    hands::ask("notify", &[id.as_str(), "\n", &told, " broke\n", &reason].concat());
                }
            }
        }
        let is_here = is_news && self.past.is_none() && !self.signals.gaze.peek().mode.is_still();
        if let Some(call) = call.filter(|_| is_here && prefers(SOUND)) {
            hands::ask("chime", call);
        }
        self.attention = Attention { broken, settled };
        if pinned > 1 {
            told = [&*voice::grouped(pinned), " broken"].concat();
        }
        if told.is_empty() != self.signals.alarm.peek().is_empty() {
            hands::ask("icon", &told);
        }
        self.signals.alarm.set(told);
    }
}
