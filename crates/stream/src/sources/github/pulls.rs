//! `pull_request` and `pull_request_review`: contracts, and what passes between their agents and the people.
//!
//! Opened: `active`. Ready for review, or a review asked for: `processing`, and a `contract` flow to the people, which ends
//! with the pull request. Merged: `complete`, and the flow that the Git source tells of the merge. Closed otherwise:
//! `error`, "not merged". A review is a `message` from the people to the agent.

use super::{
    GitHub, Scene, Untold, action_of,
    json::Json,
    telling::{Way, name, reason, set, url},
};
use crate::sources::domains::PEOPLE_ID;
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Field, FlowId, FlowKind, Timestamp,
};

/// A pull request as it was last heard of.
#[derive(Debug)]
pub(super) struct Pull {
    pub(super) agent: EntityId,
    /// The flow of its review, while that is under way.
    review: Option<Way>,
}

const NOT_MERGED: &str = "not merged";

impl GitHub {
    pub(super) fn pull_request(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let [pull, reviewer, team] = body.fields(["pull_request", "requested_reviewer", "requested_team"]);
        let pull = pull.ok_or(Untold::Missing("pull_request"))?;
        let [title, page, merged, text] = pull.fields(["title", "html_url", "merged", "body"]);
        let [created, updated, closed, commit] =
            pull.fields(["created_at", "updated_at", "closed_at", "merge_commit_sha"]);
        let contract = self.contract_of(pull, scene)?;
        let merged = merged.and_then(Json::flag).unwrap_or(false);
        let (given, status, activity) = match action.as_str() {
            "opened" | "reopened" => {
                let by = pull.text_at(&["user", "login"]).unwrap_or_else(|| "somebody".to_owned());
                let given = if action == "opened" { created } else { updated };
                (given, Some(EntityStatus::Active), Some(format!("opened by {by}")))
            }
            "ready_for_review" => (updated, Some(EntityStatus::Processing), Some("waiting for review".to_owned())),
            "review_requested" => {
                let whom = reviewer.and_then(|one| one.text_at(&["login"]));
                let whom = whom.or_else(|| team?.text_at(&["name"])).unwrap_or_else(|| "somebody".to_owned());
                (updated, Some(EntityStatus::Processing), Some(format!("waiting for a review by {whom}")))
            }
            "converted_to_draft" => (updated, Some(EntityStatus::Active), Some("being drafted again".to_owned())),
            "closed" if merged => (closed, Some(EntityStatus::Complete), None),
            "closed" => (closed, Some(EntityStatus::Error), None),
            "edited" | "synchronize" => (updated, None, None),
            _ => return Err(Untold::Nothing("this action changes no contract")),
        };
        let time = scene.telling.time(given.or(updated));
        let agent = self.agent_of_pull(pull, &contract, time, scene);
        let title = title.and_then(Json::text).filter(|title| !title.trim().is_empty());
        let patch = EntityPatch {
            kind: Some(EntityKind::Contract),
            status,
            label: Some(title.map_or_else(|| name(contract.as_str()), |title| name(&title))),
            activity: activity.map_or(Field::Absent, |activity| Field::Set(name(&activity))),
            reason: if status == Some(EntityStatus::Error) { Field::Set(reason(NOT_MERGED)) } else { Field::Absent },
            parent: Field::Set(agent.clone()),
            url: set(url(page)),
            ..EntityPatch::of(contract.clone())
        };
        let verb = match (action.as_str(), status) {
            ("opened", _) => EntityVerb::Created,
            (_, Some(_)) => EntityVerb::StatusChanged,
            (_, None) => EntityVerb::Updated,
        };
        scene.telling.entity(time, verb, patch);
        match status {
            Some(EntityStatus::Processing) => self.review_begins(&contract, &agent, time, scene),
            Some(EntityStatus::Complete) => {
                self.review_ends(&contract, None, time, scene);
                self.merge(commit, &contract, agent, time, scene);
            }
            Some(EntityStatus::Error) => self.review_ends(&contract, Some(NOT_MERGED), time, scene),
            Some(EntityStatus::Active) if action == "converted_to_draft" => {
                self.review_ends(&contract, Some("withdrawn"), time, scene);
            }
            _ => {}
        }
        let text = text.and_then(Json::text).unwrap_or_default();
        let result = url(page);
        match action.as_str() {
            "closed" => self.seeds_end(&text, contract.as_str(), merged, result, time, scene),
            "reopened" => self.seeds_again(&text, contract.as_str(), result, time, scene),
            _ => self.seeds_named(&text, contract.as_str(), result, time, scene),
        }
        Ok(())
    }

    pub(super) fn review(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let [pull, review] = body.fields(["pull_request", "review"]);
        let pull = pull.ok_or(Untold::Missing("pull_request"))?;
        let review = review.ok_or(Untold::Missing("review"))?;
        let [id, state, submitted] = review.fields(["id", "state", "submitted_at"]);
        let id = id.and_then(Json::number).ok_or(Untold::Missing("review.id"))?;
        let state = state.and_then(Json::text).ok_or(Untold::Missing("review.state"))?.to_lowercase();
        let broken = match (action.as_str(), state.as_str()) {
            ("submitted", "approved" | "commented") => None,
            ("submitted", "changes_requested") => Some("changes were asked for"),
            ("dismissed", _) => Some("dismissed"),
            _ => return Err(Untold::Nothing("this action changes no review")),
        };
        let contract = self.contract_of(pull, scene)?;
        // When it was dismissed is not said.
        let time = if action == "submitted" { scene.telling.time(submitted) } else { scene.telling.now() };
        let agent = self.agent_of_pull(pull, &contract, time, scene);
        let (Ok(flow), Ok(people)) = (FlowId::new(&format!("review:{id}")), EntityId::new(PEOPLE_ID)) else {
            return Err(Untold::Missing("review.id"));
        };
        let way = Way { id: flow, source: people, target: agent, kind: FlowKind::Message };
        if action == "submitted" {
            scene.telling.start(time, &way);
        }
        match broken {
            None => scene.telling.arrive(time, &way),
            Some(why) => scene.telling.fail(time, &way, why),
        }
        Ok(())
    }

    fn contract_of(&self, pull: Json<'_>, scene: &Scene) -> Result<EntityId, Untold> {
        let number = pull.field("number").and_then(Json::number).ok_or(Untold::Missing("pull_request.number"))?;
        self.contract_id(number, scene).ok_or(Untold::Missing("repository.full_name"))
    }

    /// Whose a pull request is: its newest commit's agent, its author's last one, who was said before, or the root's.
    fn agent_of_pull(&mut self, pull: Json<'_>, contract: &EntityId, time: Timestamp, scene: &mut Scene) -> EntityId {
        let commit = pull.text_at(&["head", "sha"]).and_then(|commit| self.commits.get(&commit).cloned());
        let author =
            || pull.text_at(&["user", "login"]).and_then(|login| self.people.get(&login.to_lowercase()).cloned());
        let known = self.pulls.get(contract).map(|pull| pull.agent.clone());
        let agent = commit.or(known).or_else(author).unwrap_or_else(|| self.root(time, scene));
        match self.pulls.get_mut(contract) {
            Some(pull) => pull.agent = agent.clone(),
            None => {
                let forgotten = self.pulls.insert(contract.clone(), Pull { agent: agent.clone(), review: None });
                // Nobody would hear of its end.
                if let Some(way) = forgotten.and_then(|pull| pull.review) {
                    scene.telling.fail(time, &way, "not followed any longer");
                }
            }
        }
        agent
    }

    fn review_begins(&mut self, contract: &EntityId, agent: &EntityId, time: Timestamp, scene: &mut Scene) {
        let Some(pull) = self.pulls.get_mut(contract).filter(|pull| pull.review.is_none()) else { return };
        let (Ok(id), Ok(people)) = (FlowId::new(&format!("{contract}/review")), EntityId::new(PEOPLE_ID)) else {
            return;
        };
        let way = Way { id, source: agent.clone(), target: people, kind: FlowKind::Contract };
        scene.telling.start(time, &way);
        pull.review = Some(way);
    }

    fn review_ends(&mut self, contract: &EntityId, broken: Option<&str>, time: Timestamp, scene: &mut Scene) {
        let review = self.pulls.get_mut(contract).and_then(|pull| pull.review.take());
        match (review, broken) {
            (Some(way), None) => scene.telling.arrive(time, &way),
            (Some(way), Some(why)) => scene.telling.fail(time, &way, why),
            (None, _) => {}
        }
    }

    /// The flow of a merge, as the Git source calls it when it reads the commit.
    fn merge(
        &self,
        commit: Option<Json<'_>>,
        contract: &EntityId,
        agent: EntityId,
        time: Timestamp,
        scene: &mut Scene,
    ) {
        let commit = commit.and_then(Json::text).filter(|commit| is_commit(commit));
        let named = commit.unwrap_or_else(|| contract.to_string());
        let (Ok(id), Ok(people)) = (FlowId::new(&format!("{named}/contract/{PEOPLE_ID}")), EntityId::new(PEOPLE_ID))
        else {
            return;
        };
        let way = Way { id, source: agent, target: people, kind: FlowKind::Contract };
        scene.telling.start(time, &way);
        scene.telling.arrive(time, &way);
    }
}

/// Whether `id` is a commit's: SHA-1 or SHA-256 in lower case.
pub(super) fn is_commit(id: &str) -> bool {
    matches!(id.len(), 40 | 64) && id.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}
