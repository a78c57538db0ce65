//! The newest frames as they came, so that an entity's raw event can be shown: the last level of detail.
//!
//! Bounded in bytes. Knows nothing of what events mean: it finds them by their identity's place in the text.

use crate::voice::holds;
use js_sys::{Array, JSON, Reflect};
use monkeytown_protocol::EntityId;
use std::collections::VecDeque;
use wasm_bindgen::{JsCast, JsValue};

/// Frames held, in bytes of text.
const RECENT_MAX_BYTES: usize = 1_000_000;

/// Frames, oldest first.
#[derive(Debug, Default)]
pub struct Recent {
    frames: VecDeque<String>,
    bytes: usize,
}

impl Recent {
    /// Takes the newest frame.
    pub fn push(&mut self, frame: String) {
        self.bytes += frame.len();
        self.frames.push_back(frame);
        while self.bytes > RECENT_MAX_BYTES {
            let Some(oldest) = self.frames.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }

    /// The newest event about `id`, laid out for reading; `None` when it came before what is held.
    #[must_use]
    pub fn newest_event_of(&self, id: &EntityId) -> Option<String> {
        let quoted = JSON::stringify(&JsValue::from_str(id.as_str())).ok()?.as_string()?;
        let holding = self.frames.iter().rev().filter(|frame| holds(frame, &quoted));
        holding.filter_map(|frame| event_in(frame, id)).next()
    }
}

/// The browser's own JSON: this is asked for by a click, seldom.
fn event_in(frame: &str, id: &EntityId) -> Option<String> {
    let frame = JSON::parse(frame).ok()?;
    let events: Array = Reflect::get(&frame, &"events".into()).ok()?.dyn_into().ok()?;
    let is_about = |event: &JsValue| {
        let data = Reflect::get(event, &"data".into()).ok()?;
        Reflect::get(&data, &"id".into()).ok()?.as_string().filter(|held| held == id.as_str())
    };
    let event = events.iter().rev().find(|event| is_about(event).is_some())?;
    JSON::stringify_with_replacer_and_space(&event, &JsValue::NULL, &JsValue::from_f64(2.0)).ok()?.as_string()
}
