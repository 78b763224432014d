//! Doing a study's runs, one or several at a time.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use toolrl_eval::Evaluation;
use toolrl_record::{Summary, TaskOutcomes, outcomes_path};
use toolrl_train::{
    Changes, DataSource, EvalConfig, Job, Observer, PolicySource, Recipe, Registry, Resume, Stop, clear_run,
    run,
};

use crate::plan::Began;
use crate::settings::same_settings;
use crate::{Checkpoints, Plan, PlannedRun, Purpose, StudyError};

/// When a run of a plan was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before this work began: its files were there.
    Before,
    /// By this work.
    Now,
}

/// Hears what a study does.
pub trait StudyObserver {
    /// Who hears of the runs' own stages.
    fn of_run(&mut self) -> &mut dyn Observer;

    /// A run is done, the `done`th of `all`; `seconds_left` is a guess by those before it.
    fn done(
        &mut self,
        done: usize,
        all: usize,
        title: &str,
        summary: &Summary,
        when: When,
        seconds_left: f64,
    );
}

/// A plan's runs, as workers take them. A worker is a call of [`Work::run`]; each needs a thread of its own.
pub struct Work<'a> {
    plan: &'a Plan,
    state: Mutex<State>,
    /// A run was done, or a worker failed.
    changed: Condvar,
    clock: Instant,
}

#[derive(Clone, Copy, PartialEq)]
enum Place {
    Waiting,
    Taken,
    Done,
}

/// What the workers share.
struct State {
    /// By run.
    places: Vec<Place>,
    evaluated: Evaluated,
    /// Runs that were done by these workers.
    fresh: u32,
    /// Whether a worker failed: the others finish what they do, and take no more.
    failed: bool,
}

impl<'a> Work<'a> {
    /// All runs of a plan.
    pub fn of(plan: &'a Plan) -> Self {
        let places = vec![Place::Waiting; plan.runs.len()];
        let state = State { places, evaluated: Evaluated::default(), fresh: 0, failed: false };
        Self { plan, state: Mutex::new(state), changed: Condvar::new(), clock: Instant::now() }
    }

    /// A worker: does runs that are not done until none is left, each after the one that it starts from, and writes the
    /// results after each. A run that was cut off goes on from its last checkpoint; without one it begins anew.
    ///
    /// # Errors
    /// [`StudyError`]; runs that are done stay, and the next call goes on after them.
    pub async fn run(
        &self,
        registry: &Registry,
        stop: &Stop,
        observer: &mut dyn StudyObserver,
    ) -> Result<(), StudyError> {
        while let Some(taken) = self.take() {
            let planned = &self.plan.runs[taken.run];
            let (summary, when, start) = match planned.finished()? {
                Some(summary) => (summary, When::Before, planned.check_start()?),
                None => {
                    let known = self.state().evaluated.of(&planned.recipe);
                    let summary = planned.run(registry, known, stop, observer.of_run()).await?;
                    (summary, When::Now, Began::WithTheSame)
                }
            };
            planned.leave(self.plan.study.checkpoints)?;
            taken.done(&summary, (when, start), observer)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next run that can begin; waits where one may be able to later.
    fn take(&self) -> Option<Taken<'_>> {
        let mut state = self.state();
        loop {
            if state.failed {
                return None;
            }
            let can_begin = |run: &PlannedRun| run.after.is_none_or(|i| state.places[i] == Place::Done);
            let mut waiting =
                (0..self.plan.runs.len()).filter(|&i| state.places[i] == Place::Waiting).peekable();
            waiting.peek()?;
            if let Some(run) = waiting.find(|&i| can_begin(&self.plan.runs[i])) {
                drop(waiting);
                state.places[run] = Place::Taken;
                return Some(Taken { work: self, run });
            }
            drop(waiting);
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// A run that a worker does.
struct Taken<'a> {
    work: &'a Work<'a>,
    run: usize,
}

impl Taken<'_> {
    fn done(
        self,
        summary: &Summary,
        (when, start): (When, Began),
        observer: &mut dyn StudyObserver,
    ) -> Result<(), StudyError> {
        let (work, runs) = (self.work, &self.work.plan.runs);
        let mut state = work.state();
        state.places[self.run] = Place::Done;
        if runs[self.run].purpose == Purpose::Training && start == Began::WithTheSame {
            state.evaluated.keep(&runs[self.run], summary);
        }
        state.fresh += u32::from(when == When::Now);
        let left = runs.iter().filter(|run| !run.dir.join("summary.json").exists()).count();
        let each = work.clock.elapsed().as_secs_f64() / f64::from(state.fresh.max(1));
        let done = state.places.iter().filter(|&&place| place == Place::Done).count();
        observer.done(done, runs.len(), &runs[self.run].title, summary, when, each * left as f64);
        match when {
            When::Before => Ok(()),
            When::Now => work.plan.write(),
        }
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        let mut state = self.work.state();
        // An error, or a panic.
        state.failed |= state.places[self.run] == Place::Taken;
        self.work.changed.notify_all();
    }
}

impl PlannedRun {
    /// Removes what a finished run has no use for: a test's copy of the policy, and checkpoints where the study drops them.
    fn leave(&self, checkpoints: Checkpoints) -> Result<(), StudyError> {
        let of_test = (self.purpose == Purpose::Test).then_some("final");
        let dropped: &[&str] = match checkpoints {
            Checkpoints::Keep => &[],
            // `last` has the state of the last step.
            Checkpoints::Drop => &["checkpoints", "last"],
        };
        for dir in of_test.iter().chain(dropped).map(|name| self.dir.join(name)) {
            if dir.exists() {
                std::fs::remove_dir_all(&dir).map_err(StudyError::io(&dir))?;
            }
        }
        Ok(())
    }

    /// Does the run, or the rest of it.
    async fn run(
        &self,
        registry: &Registry,
        before: Option<Evaluation>,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<Summary, StudyError> {
        let failed = |source| StudyError::Run { dir: self.dir.clone(), source: Box::new(source) };
        let begun = self.dir.join("config.toml").exists();
        let resume =
            begun.then(|| Resume::of(&self.dir, &[], None, Changes::Refuse)).transpose().map_err(failed)?;
        // Without a checkpoint there is nothing to go on with, and what was cut off may be of other settings.
        let resume = resume.filter(|resume| resume.step > 0 && same_settings(&resume.recipe, &self.recipe));
        if begun && resume.is_none() {
            tracing::info!("{} was cut off: it begins anew", self.dir.display());
            clear_run(&self.dir).map_err(failed)?;
        }
        let mut recipe = self.recipe.clone();
        // A template that tells the date goes on telling that of the first day.
        recipe.template.date =
            recipe.template.date.or(resume.as_ref().and_then(|of| of.recipe.template.date));
        let parts = recipe.parts(registry).map_err(failed)?;
        let (recipe, run_dir, stop) = (&recipe, self.dir.as_path(), stop.clone());
        let (parts, resume) = (&parts, resume.as_ref());
        let job = Job { recipe, parts, run_dir, before, resume, stop, last_step: None };
        let outcome = run(job, observer).await.map_err(failed)?;
        Ok(outcome.summary)
    }
}

/// Evaluations that are known already: the same policy over the same tasks by the same reward.
#[derive(Default)]
struct Evaluated(HashMap<String, Evaluation>);

impl Evaluated {
    fn of(&self, recipe: &Recipe) -> Option<Evaluation> {
        self.0.get(&key(recipe)).cloned()
    }

    fn keep(&mut self, planned: &PlannedRun, summary: &Summary) {
        let last = PolicySource::Dir(planned.dir.join("final"));
        let last = Recipe { policy: Some(last), ..planned.recipe.clone() };
        let of_final = summary.final_step.unwrap_or(summary.steps);
        for (recipe, report, step) in
            [(&planned.recipe, &summary.before, 0), (&last, &summary.after, of_final)]
        {
            // A run of an earlier version has none.
            let path = outcomes_path(&planned.dir, step, EvalConfig::HELD_OUT);
            if let Ok(TaskOutcomes { tasks }) = TaskOutcomes::read(&path) {
                self.0.insert(key(recipe), Evaluation { report: report.clone(), outcomes: tasks });
            }
        }
    }
}

/// Everything that decides an evaluation of a recipe's policy.
fn key(recipe: &Recipe) -> String {
    let Recipe { policy, data, eval, precision, device, prompt, dialect, template, environment, .. } = recipe;
    let reward = eval.reward.as_ref().unwrap_or(&recipe.reward);
    // Which rows of a file are held out depends on the seed, and so do fresh weights and what is drawn of sampled replies.
    let is_seeded = !matches!(data, DataSource::World(_) | DataSource::Wide(_))
        || matches!(policy, Some(PolicySource::Fresh(_)))
        || eval.samples > 0;
    let seed = is_seeded.then_some(recipe.seed);
    // What evaluations take from training: who samples, where a turn ends, and what prompts are cut to.
    let (sampler, ends) = (&recipe.sampler.kind, recipe.sampling.greedily(eval.max_new_tokens));
    let cut = recipe.train.cut_prompts_to(usize::MAX);
    format!(
        "{policy:?} {data:?} {seed:?} {eval:?} {reward:?} {precision:?} {device:?} {prompt:?} {dialect:?} \
         {template:?} {environment:?} {sampler:?} {ends:?} {cut:?}"
    )
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use pollster::block_on;
    use toolrl_train::TrainError;

    use super::*;
    use crate::plan::tests::plan;

    /// Hears nothing.
    struct Deaf(());

    impl StudyObserver for Deaf {
        fn of_run(&mut self) -> &mut dyn Observer {
            &mut self.0
        }

        fn done(&mut self, _: usize, _: usize, _: &str, _: &Summary, _: When, _: f64) {}
    }

    #[test]
    fn a_run_that_another_process_does_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path());
        let PlannedRun { dir: run_dir, recipe, .. } = &plan.runs[0];
        std::fs::create_dir_all(run_dir).unwrap();
        let config = run_dir.join("config.toml");
        std::fs::write(&config, recipe.to_toml().unwrap()).unwrap();
        // What another process holds while it has no checkpoint.
        let lock = File::create(run_dir.join("lock")).unwrap();
        lock.try_lock().unwrap();
        let done = block_on(Work::of(&plan).run(&Registry::default(), &Stop::default(), &mut Deaf(())));
        match done {
            Err(StudyError::Run { dir, source }) if matches!(*source, TrainError::Locked { .. }) => {
                assert_eq!(&dir, run_dir);
            }
            other => panic!("{other:?}"),
        }
        assert!(config.exists(), "it was removed");
    }

    #[test]
    fn an_evaluation_is_another_ones_where_nothing_that_decides_it_differs() {
        let text = "name = \"r\"\nseed = 1\n[policy]\ndir = \"p\"\n[train]\nmethod = \"grpo\"\n";
        let of = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| s.to_string()).collect();
            key(&Recipe::parse(text, &set).unwrap())
        };
        for set in ["seed=2", "train.optimizer.lr=0.5", "sampling.temperature=0.5", "slots=4"] {
            assert_eq!(of(&[set]), of(&[]), "{set}");
        }
        for set in [
            "prompt=toolrl",
            "dialect=hermes",
            "template.values.enable_thinking=false",
            "environment.max_turns=3",
            "sampling.stop=['END']",
            "train.overlong_prompts=cut",
            "eval.samples=4",
            "eval.max_new_tokens=7",
            "data.world.seed=9",
            "reward=star",
        ] {
            assert_ne!(of(&[set]), of(&[]), "{set}");
        }
        let drawn = |seed: &str| of(&["eval.samples=4", seed]);
        assert_ne!(drawn("seed=2"), drawn("seed=3"), "replies are drawn by the seed");
        let fresh = |seed: &str| of(&["policy={ fresh = {} }", seed]);
        assert_ne!(fresh("seed=2"), fresh("seed=3"), "so are fresh weights");
    }
}
