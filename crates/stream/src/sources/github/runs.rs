//! `workflow_run` and `workflow_job`: how agents are.
//!
//! Requested: `active`. In progress, or one of its jobs is: `processing`, with the job and its step as what it does.
//! Completed: `complete`, and a rest later; or `error` with the reason; a run that was skipped leaves its agent at rest.
//! An agent with another run under way goes on with that one. Deliveries come in any order: what an attempt says after
//! its end is passed over.

use super::{
    GitHub, RunOutcome, RunReport, Scene, Untold, action_of,
    json::Json,
    telling::{Later, name, reason, set, url},
};
use crate::sources::domains::workflow_names;
use gix::bstr::BStr;
use monkeytown_protocol::{
    EntityId, EntityKind, EntityPatch, EntityStatus, EntityVerb, Field, HttpsUrl, Text, Timestamp,
};
use std::time::{Duration, Instant};

/// Most steps of a job that are looked at.
const STEPS_MAX: usize = 200;

/// A run as it was last heard of.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) agent: EntityId,
    /// What its workflow is called.
    pub(super) name: Text,
    attempt: u64,
    pub(super) ended: bool,
    /// What it does; none before it is in progress.
    does: Option<Text>,
    /// The job and step that failed.
    failed_at: Option<Text>,
    url: Option<HttpsUrl>,
    pub(super) heard: Instant,
    /// What is told when no more is heard.
    pub(super) later: Later,
}

/// Which run a delivery speaks of.
struct Spoken {
    number: u64,
    attempt: u64,
    name: String,
    names: Vec<String>,
    url: Option<HttpsUrl>,
    time: Timestamp,
}

impl GitHub {
    pub(super) fn workflow_run(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let [run, workflow] = body.fields(["workflow_run", "workflow"]);
        let run = run.ok_or(Untold::Missing("workflow_run"))?;
        let [id, attempt, own_name, path, page, suite, run_number] =
            run.fields(["id", "run_attempt", "name", "path", "html_url", "check_suite_id", "run_number"]);
        let [created, started, updated, conclusion] =
            run.fields(["created_at", "run_started_at", "updated_at", "conclusion"]);
        let [workflow_name, workflow_path] = workflow.map(|found| found.fields(["name", "path"])).unwrap_or_default();
        let path = path.or(workflow_path).and_then(Json::text).unwrap_or_default();
        let files = workflow_names(BStr::new(path.split('@').next().unwrap_or_default()));
        let names = [own_name, workflow_name].into_iter().flatten().filter_map(Json::text);
        let called = names.chain(files.last().cloned()).find(|name| !name.trim().is_empty());
        let started = started.or(created);
        let mut spoken = Spoken {
            number: id.and_then(Json::number).ok_or(Untold::Missing("workflow_run.id"))?,
            attempt: attempt.and_then(Json::number).unwrap_or(1),
            name: called.ok_or(Untold::Missing("workflow_run.name"))?,
            names: files,
            url: url(page),
            time: scene.telling.time(updated),
        };
        match action.as_str() {
            "requested" => {
                spoken.time = scene.telling.time(started);
                self.current(&spoken)?;
                if self.runs.get(&spoken.number).is_some_and(|run| run.attempt == spoken.attempt && run.does.is_some())
                {
                    return Err(Untold::Nothing("the run is in progress already"));
                }
                self.begin(&spoken, suite, scene);
                self.say_starting(&spoken, scene);
            }
            "in_progress" => {
                self.current(&spoken)?;
                self.begin(&spoken, suite, scene);
                let does = name(&format!("running {}", spoken.name));
                // A job may have been heard of first, and says more.
                let known = self.runs.get(&spoken.number).and_then(|run| run.does.clone());
                self.say_processing(&spoken, known.unwrap_or(does), scene);
            }
            "completed" => {
                self.current(&spoken)?;
                self.begin(&spoken, suite, scene);
                let label = match run_number.and_then(Json::number) {
                    Some(number) => format!("{} #{number}", spoken.name),
                    None => spoken.name.clone(),
                };
                let took = took(started, updated);
                let ending = Ending::of(conclusion.and_then(Json::text).as_deref());
                self.end(&spoken, &label, ending, took, scene);
            }
            _ => return Err(Untold::Nothing("this action changes no agent")),
        }
        Ok(())
    }

    pub(super) fn workflow_job(&mut self, body: Json<'_>, scene: &mut Scene) -> Result<(), Untold> {
        let action = action_of(body)?;
        let job = body.field("workflow_job").ok_or(Untold::Missing("workflow_job"))?;
        let [run, attempt, job_name, workflow_name, steps, conclusion] =
            job.fields(["run_id", "run_attempt", "name", "workflow_name", "steps", "conclusion"]);
        let [created, started, completed] = job.fields(["created_at", "started_at", "completed_at"]);
        let number = run.and_then(Json::number).ok_or(Untold::Missing("workflow_job.run_id"))?;
        let job_name = job_name.and_then(Json::text).ok_or(Untold::Missing("workflow_job.name"))?;
        let known = self.runs.get(&number);
        let called = known.map(|run| run.name.to_string()).or_else(|| workflow_name.and_then(Json::text));
        let given = match action.as_str() {
            "completed" => completed,
            "in_progress" => started,
            _ => created.or(started),
        };
        let spoken = Spoken {
            number,
            attempt: attempt.and_then(Json::number).or(known.map(|run| run.attempt)).unwrap_or(1),
            name: called.filter(|name| !name.trim().is_empty()).unwrap_or_else(|| job_name.clone()),
            names: Vec::new(),
            // A job's page is not its run's.
            url: known.and_then(|run| run.url.clone()),
            time: scene.telling.time(given),
        };
        self.current(&spoken)?;
        let is_known = known_attempt(self.runs.get(&number), spoken.attempt);
        let (steps, _) = steps.map(|steps| steps.list(STEPS_MAX)).unwrap_or_default();
        match action.as_str() {
            "queued" | "waiting" if !is_known => {
                self.begin(&spoken, None, scene);
                self.say_starting(&spoken, scene);
            }
            "in_progress" => {
                self.begin(&spoken, None, scene);
                let step = step_that(&steps, "status", "in_progress");
                self.say_processing(&spoken, job_and_step(&job_name, step), scene);
            }
            "completed" if is_known => {
                let failed = conclusion.and_then(Json::text).is_some_and(|word| Ending::of(Some(&word)).is_broken());
                if failed && let Some(run) = self.runs.get_mut(&number) {
                    run.failed_at = Some(job_and_step(&job_name, step_that(&steps, "conclusion", "failure")));
                }
                let word = if failed { "failed" } else { "finished" };
                self.say_processing(&spoken, name(&format!("{word} {job_name}")), scene);
            }
            _ => return Err(Untold::Nothing("the run says so itself")),
        }
        Ok(())
    }

    /// Refuses what a run says too late.
    fn current(&self, spoken: &Spoken) -> Result<(), Untold> {
        match self.runs.get(&spoken.number) {
            Some(run) if run.attempt > spoken.attempt => Err(Untold::Nothing("the run was begun again since")),
            Some(run) if run.attempt == spoken.attempt && run.ended => Err(Untold::Nothing("the run has ended")),
            _ => Ok(()),
        }
    }

    /// Remembers a run of which nothing was heard before, or a new attempt of one.
    fn begin(&mut self, spoken: &Spoken, suite: Option<Json<'_>>, scene: &mut Scene) {
        if let Some(run) = self.runs.get_mut(&spoken.number).filter(|run| run.attempt == spoken.attempt) {
            run.heard = scene.at;
            run.url = spoken.url.clone().or(run.url.take());
            return;
        }
        let mut names = spoken.names.clone();
        names.push(spoken.name.trim().to_lowercase());
        let agent = self.worker(&names, &spoken.name, &spoken.name, spoken.time, scene);
        if let Some(suite) = suite.and_then(Json::number) {
            self.suites.insert(suite, agent.clone());
        }
        let before = self.runs.get_mut(&spoken.number).filter(|run| !run.ended);
        if let Some(run) = before {
            run.ended = true;
            scene.runs.push(RunReport::Ended { agent: run.agent.clone(), outcome: None, took: None });
        }
        let run = Run {
            agent: agent.clone(),
            name: name(&spoken.name),
            attempt: spoken.attempt,
            ended: false,
            does: None,
            failed_at: None,
            url: spoken.url.clone(),
            heard: scene.at,
            later: scene.telling.later(),
        };
        scene.runs.push(RunReport::Began(agent));
        if let Some(forgotten) = self.runs.insert(spoken.number, run).filter(|run| !run.ended) {
            scene.runs.push(RunReport::Ended { agent: forgotten.agent, outcome: None, took: None });
        }
        self.rests.push_silence(scene.at + self.config.silence, spoken.number);
    }

    fn say_starting(&mut self, spoken: &Spoken, scene: &mut Scene) {
        let activity = name(&format!("starting {}", spoken.name));
        self.say(spoken, EntityStatus::Active, activity, scene);
    }

    fn say_processing(&mut self, spoken: &Spoken, activity: Text, scene: &mut Scene) {
        if let Some(run) = self.runs.get_mut(&spoken.number) {
            run.does = Some(activity.clone());
        }
        self.say(spoken, EntityStatus::Processing, activity, scene);
    }

    fn say(&mut self, spoken: &Spoken, status: EntityStatus, activity: Text, scene: &mut Scene) {
        let Some(agent) = self.runs.get(&spoken.number).map(|run| run.agent.clone()) else { return };
        // Whoever is at work does not lie down.
        if let Some(woken) = self.agents.get_mut(&agent) {
            *woken += 1;
        }
        let url = set(self.runs.get(&spoken.number).and_then(|run| run.url.clone()));
        let patch = EntityPatch {
            kind: Some(EntityKind::Agent),
            status: Some(status),
            activity: Field::Set(activity),
            url,
            ..EntityPatch::of(agent)
        };
        scene.telling.entity(spoken.time, EntityVerb::StatusChanged, patch);
        if let Some(run) = self.runs.get_mut(&spoken.number) {
            run.heard = scene.at;
            run.later = scene.telling.later();
        }
    }

    fn end(&mut self, spoken: &Spoken, label: &str, ending: Ending, took: Option<Duration>, scene: &mut Scene) {
        let Some(run) = self.runs.get_mut(&spoken.number) else { return };
        run.ended = true;
        let (agent, failed_at) = (run.agent.clone(), run.failed_at.take());
        if let Some(woken) = self.agents.get_mut(&agent) {
            *woken += 1;
        }
        scene.runs.push(RunReport::Ended { agent: agent.clone(), outcome: ending.outcome(), took });
        let (status, why) = match ending {
            Ending::Well => (EntityStatus::Complete, Field::Absent),
            Ending::Broken(word) => {
                let why = failed_at.map_or_else(|| word.to_owned(), |place| format!("{word} at {place}"));
                (EntityStatus::Error, Field::Set(reason(&why)))
            }
            Ending::Nothing => (EntityStatus::Idle, Field::Absent),
        };
        let other = self.at_work(&agent).map(|run| (run.does.clone(), run.name.clone(), run.url.clone()));
        // One that did nothing, beside one that works, is not worth a word.
        if ending != Ending::Nothing || other.is_none() {
            let patch = EntityPatch {
                kind: Some(EntityKind::Agent),
                status: Some(status),
                activity: Field::Set(name(label)),
                reason: why,
                url: set(spoken.url.clone()),
                ..EntityPatch::of(agent.clone())
            };
            scene.telling.entity(spoken.time, EntityVerb::StatusChanged, patch);
        }
        match other {
            Some((does, called, url)) => {
                let (status, starting) = match &does {
                    Some(_) => (EntityStatus::Processing, None),
                    None => (EntityStatus::Active, Some(name(&format!("starting {called}")))),
                };
                let patch = EntityPatch {
                    status: Some(status),
                    activity: set(does.or(starting)),
                    url: set(url),
                    ..EntityPatch::of(agent)
                };
                scene.telling.entity(spoken.time, EntityVerb::StatusChanged, patch);
            }
            None if ending == Ending::Well => self.rest_later(&agent, scene),
            None => {}
        }
    }

    /// A run that `agent` has under way, the last one heard of.
    pub(super) fn at_work(&self, agent: &EntityId) -> Option<&Run> {
        self.runs.values().filter(|run| run.agent == *agent && !run.ended).max_by_key(|run| run.heard)
    }
}

fn known_attempt(run: Option<&Run>, attempt: u64) -> bool {
    run.is_some_and(|run| run.attempt == attempt)
}

fn job_and_step(job: &str, step: Option<String>) -> Text {
    step.map_or_else(|| name(job), |step| name(&format!("{job}: {step}")))
}

/// The name of the first step whose `field` says `word`.
fn step_that(steps: &[Json<'_>], field: &str, word: &str) -> Option<String> {
    steps.iter().find_map(|step| {
        let [name, said] = step.fields(["name", field]);
        name?.text().filter(|_| said.and_then(Json::text).as_deref() == Some(word))
    })
}

fn took(from: Option<Json<'_>>, until: Option<Json<'_>>) -> Option<Duration> {
    let moment = |json: Option<Json<'_>>| json?.text()?.parse::<Timestamp>().ok();
    u64::try_from(moment(until)?.since_millis(moment(from)?)).ok().map(Duration::from_millis)
}

/// How a run or check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    Well,
    /// In words.
    Broken(&'static str),
    /// It never ran, or nothing is said.
    Nothing,
}

impl Ending {
    /// Reads GitHub's `conclusion`.
    pub(super) fn of(conclusion: Option<&str>) -> Self {
        match conclusion {
            Some("success" | "neutral") => Self::Well,
            Some("failure") => Self::Broken("failed"),
            Some("timed_out") => Self::Broken("timed out"),
            Some("cancelled") => Self::Broken("cancelled"),
            Some("startup_failure") => Self::Broken("could not start"),
            Some("action_required") => Self::Broken("somebody has to act"),
            Some("stale") => Self::Broken("given up by GitHub"),
            Some("skipped") | None => Self::Nothing,
            Some(_) => Self::Broken("ended in a way that is not known here"),
        }
    }

    pub(super) fn is_broken(self) -> bool {
        matches!(self, Self::Broken(_))
    }

    fn outcome(self) -> Option<RunOutcome> {
        match self {
            Self::Well => Some(RunOutcome::Well),
            Self::Broken(_) => Some(RunOutcome::Broken),
            Self::Nothing => None,
        }
    }
}
