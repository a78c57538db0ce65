//! `check_run` and `check_suite`: a `signal` from who checks to whose work is checked.
//!
//! Who checks is the agent whose run the suite belongs to, else the application, as an agent of its own. Whose work it is:
//! the pull request's agent, else the commit's; where that is who checks, or nobody is known, the people hear of it.

use super::{
    GitHub, Scene, Untold, action_of,
    json::Json,
    runs::Ending,
    telling::{Way, plain},
};
use crate::sources::domains::PEOPLE_ID;
use monkeytown_protocol::{EntityId, FlowId, FlowKind, Timestamp};

impl GitHub {
    pub(super) fn check_run(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let check = body.field("check_run").ok_or(Untold::Missing("check_run"))?;
        let [id, name, app, suite, pulls] = check.fields(["id", "name", "app", "check_suite", "pull_requests"]);
        let [commit, started, completed] = check.fields(["head_sha", "started_at", "completed_at"]);
        let id = id.and_then(Json::number).ok_or(Untold::Missing("check_run.id"))?;
        let suite = suite.and_then(|suite| suite.field("id"));
        let name = name.and_then(Json::text).unwrap_or_default();
        let check = Check { flow: format!("check:{id}"), name, conclusion: check.field("conclusion") };
        let whose = Whose { app, suite, pulls, commit };
        match action.as_str() {
            "created" | "rerequested" => self.check(check, whose, false, started, scene),
            "completed" => self.check(check, whose, true, completed, scene),
            _ => Err(Untold::Nothing("this action changes no check")),
        }
    }

    pub(super) fn check_suite(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let suite = body.field("check_suite").ok_or(Untold::Missing("check_suite"))?;
        let [id, app, pulls, commit, updated] = suite.fields(["id", "app", "pull_requests", "head_sha", "updated_at"]);
        let number = id.and_then(Json::number).ok_or(Untold::Missing("check_suite.id"))?;
        let conclusion = suite.field("conclusion");
        let check = Check { flow: format!("suite:{number}"), name: String::new(), conclusion };
        let whose = Whose { app, suite: id, pulls, commit };
        match action.as_str() {
            "requested" | "rerequested" => self.check(check, whose, false, updated, scene),
            "completed" => self.check(check, whose, true, updated, scene),
            _ => Err(Untold::Nothing("this action changes no suite")),
        }
    }

    fn check(
        &mut self,
        check: Check<'_>,
        whose: Whose<'_>,
        ended: bool,
        given: Option<Json<'_>>,
        scene: &mut Scene,
    ) -> Result<(), Untold> {
        let time = scene.telling.time(given);
        let people = || EntityId::new(PEOPLE_ID).map_err(|_| Untold::Nothing("nobody hears of it"));
        let source = self.who_checks(&whose, time, scene).ok_or(Untold::Missing("app"))?;
        let target = self.whose_work(&whose, scene).filter(|target| *target != source);
        let target = target.map_or_else(people, Ok)?;
        let id = FlowId::new(&check.flow).map_err(|_| Untold::Missing("id"))?;
        let way = Way { id, source, target, kind: FlowKind::Signal };
        match (ended, Ending::of(check.conclusion.and_then(Json::text).as_deref())) {
            (false, _) => scene.telling.start(time, &way),
            (true, Ending::Broken(word)) if check.name.is_empty() => scene.telling.fail(time, &way, word),
            (true, Ending::Broken(word)) => {
                scene.telling.fail(time, &way, &format!("{}: {word}", plain(&check.name)));
            }
            (true, Ending::Well | Ending::Nothing) => scene.telling.arrive(time, &way),
        }
        Ok(())
    }

    fn who_checks(&mut self, whose: &Whose<'_>, time: Timestamp, scene: &mut Scene) -> Option<EntityId> {
        let of_run = whose.suite.and_then(Json::number).and_then(|suite| self.suites.get(&suite).cloned());
        of_run.or_else(|| {
            let [slug, name] = whose.app?.fields(["slug", "name"]);
            let given = |json: Option<Json<'_>>| json.and_then(Json::text).filter(|name| !name.trim().is_empty());
            let (slug, name) = (given(slug), given(name));
            let called = slug.clone().or_else(|| name.clone())?;
            let label = name.clone().unwrap_or_else(|| called.clone());
            let names: Vec<String> = [slug, name].into_iter().flatten().map(|name| name.to_lowercase()).collect();
            Some(self.worker(&names, &called, &label, time, scene))
        })
    }

    fn whose_work(&self, whose: &Whose<'_>, scene: &Scene) -> Option<EntityId> {
        let (pulls, _) = whose.pulls.map(|pulls| pulls.list(1)).unwrap_or_default();
        let number = pulls.first().and_then(|pull| pull.field("number")).and_then(Json::number);
        let contract = number.and_then(|number| self.contract_id(number, scene));
        let pull = contract.and_then(|contract| self.pulls.get(&contract)).map(|pull| pull.agent.clone());
        pull.or_else(|| self.commits.get(&whose.commit?.text()?).cloned())
    }
}

/// What is checked, and how it ended.
struct Check<'a> {
    flow: String,
    name: String,
    conclusion: Option<Json<'a>>,
}

/// What tells who checks whom.
struct Whose<'a> {
    app: Option<Json<'a>>,
    suite: Option<Json<'a>>,
    pulls: Option<Json<'a>>,
    commit: Option<Json<'a>>,
}
