//! What events are about, each said once: most are about what others were about before.
//!
//! Knows nothing of which events are held: a topic that nobody holds any more is forgotten when room is needed.

use super::interest::Topic;
use std::{collections::HashSet, sync::Arc};

/// So many are remembered before it is looked whether somebody holds them.
const LEAST: usize = 1_024;

/// The topics of the events held.
pub(super) struct Topics {
    known: HashSet<Arc<Topic>>,
    /// When so many are known, those that nobody holds are forgotten.
    full: usize,
}

impl Default for Topics {
    fn default() -> Self {
        Self { known: HashSet::new(), full: LEAST }
    }
}

impl Topics {
    /// `topic`, as all events that are about the same share it.
    pub(super) fn share(&mut self, topic: Topic) -> Arc<Topic> {
        if let Some(known) = self.known.get(&topic) {
            return Arc::clone(known);
        }
        if self.known.len() >= self.full {
            self.known.retain(|known| Arc::strong_count(known) > 1);
            // Twice what is held, so that looking through all of them is paid for by as many that came.
            self.full = (self.known.len() * 2).max(LEAST);
        }
        let topic = Arc::new(topic);
        self.known.insert(Arc::clone(&topic));
        topic
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_held_once_and_forgotten_when_nobody_holds_it() {
        let mut topics = Topics::default();
        let held: Vec<_> = (0..LEAST * 3).map(|number| topics.share(Topic::untold(&format!("t{number}")))).collect();
        assert!(held.iter().all(|topic| Arc::ptr_eq(topic, &topics.share(Topic::clone(topic)))));
        assert_eq!(topics.known.len(), held.len(), "what is held is not forgotten");
        drop(held);
        for number in 0..LEAST * 20 {
            topics.share(Topic::untold(&format!("u{number}")));
        }
        assert!(topics.known.len() <= LEAST * 6, "{} are remembered for nobody", topics.known.len());
    }
}
