//! `issues` and `issue_comment`: seeds that are named in them, and what comes of those.
//!
//! An issue's own text may end a seed; a comment can only find it or move it on, since anybody may comment.

use super::{GitHub, Scene, Untold, action_of, json::Json, telling::url};

impl GitHub {
    pub(super) fn issue(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let issue = body.field("issue").ok_or(Untold::Missing("issue"))?;
        let [number, text, page, reason, updated] =
            issue.fields(["number", "body", "html_url", "state_reason", "updated_at"]);
        let number = number.and_then(Json::number).ok_or(Untold::Missing("issue.number"))?;
        let text = text.and_then(Json::text).unwrap_or_default();
        let (place, result) = (format!("{}/issues/{number}", scene.telling.source), url(page));
        let time = scene.telling.time(updated);
        match action.as_str() {
            "closed" => {
                // Older payloads give no reason: a closed issue was completed before GitHub told them apart.
                let reason = reason.and_then(Json::text);
                let completed = reason.is_none_or(|reason| reason == "completed");
                self.seeds_end(&text, &place, completed, result, time, scene);
            }
            "reopened" => self.seeds_again(&text, &place, result, time, scene),
            "deleted" | "transferred" => {}
            _ => self.seeds_named(&text, &place, result, time, scene),
        }
        if scene.telling.events.is_empty() { Err(Untold::Nothing("no seed is newly named")) } else { Ok(()) }
    }

    pub(super) fn comment(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let comment = body.field("comment").ok_or(Untold::Missing("comment"))?;
        let [id, text, page, updated] = comment.fields(["id", "body", "html_url", "updated_at"]);
        let id = id.and_then(Json::number).ok_or(Untold::Missing("comment.id"))?;
        if action != "deleted" {
            let text = text.and_then(Json::text).unwrap_or_default();
            let time = scene.telling.time(updated);
            self.seeds_named(&text, &format!("comment:{id}"), url(page), time, scene);
        }
        if scene.telling.events.is_empty() { Err(Untold::Nothing("no seed is newly named")) } else { Ok(()) }
    }
}
