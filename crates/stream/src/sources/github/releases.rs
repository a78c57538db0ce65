//! `release`: a transaction that has settled, once it is to be seen. What was released and taken back stays told.

use super::{
    GitHub, Scene, Untold, action_of,
    json::Json,
    telling::{name, set, url},
};
use monkeytown_protocol::{EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Field};

impl GitHub {
    pub(super) fn release(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let release = body.field("release").ok_or(Untold::Missing("release"))?;
        let [id, title, tag, page, draft, published] =
            release.fields(["id", "name", "tag_name", "html_url", "draft", "published_at"]);
        let id = id.and_then(Json::number).ok_or(Untold::Missing("release.id"))?;
        // GitHub tells of one release up to three times; it is one thing by its id.
        if !matches!(action.as_str(), "published" | "released" | "prereleased") {
            return Err(Untold::Nothing("this action releases nothing"));
        }
        if draft.and_then(Json::flag) == Some(true) {
            return Err(Untold::Nothing("a draft is not released"));
        }
        let time = scene.telling.time(published);
        let word = |json: Option<Json<'_>>| json.and_then(Json::text).filter(|text| !text.trim().is_empty());
        let label = match (word(title), word(tag)) {
            (Some(title), Some(tag)) if title != tag => format!("release {title} ({tag})"),
            (Some(called), _) | (None, Some(called)) => format!("release {called}"),
            (None, None) => format!("release {id}"),
        };
        let agent = self.root(time, scene);
        let entity = EntityId::new(&format!("release:{id}")).map_err(|_| Untold::Missing("release.id"))?;
        let patch = EntityPatch {
            kind: Some(EntityKind::Transaction),
            status: Some(EntityStatus::Complete),
            label: Some(name(&label)),
            parent: Field::Set(agent),
            url: set(url(page)),
            ..EntityPatch::of(entity)
        };
        scene.telling.entity(time, EntityVerb::Created, patch);
        Ok(())
    }
}
