//! What Redis answers, for fuzzing: bytes as they come from its socket, read by the library and then by `answer`.

use super::answer::Answer;

/// An answer, as any of those that are waited for.
pub fn redis_answer(bytes: &[u8]) {
    let Ok(value) = redis::parse_redis_value(bytes) else { return };
    let _ = Answer::first_id(&value);
    let _ = Answer::of(value.clone()).and_then(Answer::state);
    let _ = Answer::read(value.clone()).and_then(Answer::numbers);
    if let Ok(mut answer) = Answer::read(value.clone()) {
        let _ = (answer.moment(), answer.number(), answer.text(), answer.bytes());
    }
    let Ok(mut answer) = Answer::of(value) else { return };
    for (offset, entry) in (0..).zip(answer.entries().into_iter().flatten()) {
        let _ = entry.follows(offset);
        let Ok((kept, _)) = entry.event(offset) else { continue };
        let json = serde_json::from_slice::<serde_json::Value>(&kept.json);
        assert!(json.is_ok_and(|json| json.is_object()), "what is held is what readers are sent");
    }
}
