//! One repository and how far it has been told: looks for what is new, and reads it into steps.
//!
//! Everything here blocks and belongs on a thread of its own. Knows no pace and no sink.

use super::{
    error::GitError,
    plan::{self, Plan, Told},
    read,
    record::Recorder,
    repository::Repository,
    translate::{Step, Translator},
};
use gix::ObjectId;
use monkeytown_protocol::{Event, Timestamp};
use std::ops::ControlFlow;

/// A repository, and what was told of it.
#[derive(Debug)]
pub(super) struct Teller {
    pub(super) repository: Repository,
    pub(super) translator: Translator,
    told: Told,
    tip: Option<ObjectId>,
}

/// What the branch holds that was not told yet.
#[derive(Debug)]
pub(super) struct News {
    pub(super) plan: Plan,
    /// The branch no longer holds what it did.
    pub(super) rewritten: bool,
    /// New numbers of files that no commit brings.
    pub(super) recounted: Vec<Event>,
}

impl Teller {
    pub(super) fn new(repository: Repository, translator: Translator) -> Self {
        Self { repository, translator, told: Told::default(), tip: None }
    }

    /// What is new; it counts as told from now on.
    ///
    /// # Errors
    /// When the repository cannot be read, or the branch is gone. Asking again is safe.
    pub(super) fn look(&mut self, now: Timestamp) -> Result<Option<News>, GitError> {
        let tip = match self.repository.tip() {
            Ok(tip) => tip,
            // Packs or references may have been replaced while they were read.
            Err(_) => {
                self.repository.reopen()?;
                self.repository.tip()?
            }
        };
        let Some(tip) = tip else {
            return match self.tip {
                Some(_) => Err(GitError::BranchGone {
                    repository: self.repository.name.clone(),
                    branch: self.repository.branch_name().to_owned(),
                }),
                None => Ok(None),
            };
        };
        if self.tip == Some(tip) {
            return Ok(None);
        }
        self.repository.reopen()?;
        let repository = self.repository.handle().to_thread_local();
        self.told.latest = self.translator.latest();
        let plan = Plan::new(&repository, tip, &self.told, now)?;
        let rewritten = self.tip.is_some_and(|before| !plan::descends(&repository, tip, before));
        let recounted = match plan.recount {
            Some((before, after)) => {
                let domains = self.translator.domains().clone();
                let counts = Recorder::new(repository, &domains)
                    .counts_between(before, after)
                    .map_err(|error| GitError::unreadable(&self.repository.name, error))?;
                let named = format!("{tip}/{}", now.millis());
                self.translator.recount(&counts, &named, now)
            }
            None => Vec::new(),
        };
        self.told.commits.extend(plan.commits.iter().map(|planned| planned.id));
        self.told.counted = plan.tip_tree;
        self.tip = Some(tip);
        Ok(Some(News { plan, rewritten, recounted }))
    }

    /// Reads `plan` into steps, in order, until `take` breaks off. `followed` is the clock when the commits are
    /// told as they come; in a history each is told at its own time.
    pub(super) fn read(
        &mut self,
        plan: &Plan,
        followed: Option<Timestamp>,
        mut take: impl FnMut(Step) -> ControlFlow<()>,
    ) {
        let domains = self.translator.domains().clone();
        let translator = &mut self.translator;
        read::read(self.repository.handle(), plan, &domains, |record| {
            for step in translator.rest_until(record.time) {
                take(step)?;
            }
            take(translator.commit(&record, followed.unwrap_or(record.time)))
        });
    }
}
