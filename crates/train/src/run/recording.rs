//! What follows a step: its record, checkpoints, evaluations, and the end of the run.

use std::path::Path;

use toolrl_record::{DpoMetrics, StepDetail, StepMetrics};
use toolrl_trackers::Status;

use super::trainer::{CRITIC_STATE, STATE, TASKS, TRAINER, Trainer};
use crate::TrainError;
use crate::checkpoint::Checkpoints;
use crate::critic::CriticLearner;
use crate::curriculum::Curriculum;
use crate::learner::Learner;
use crate::rl::{Divergence, Replies, Rl};
use crate::task::Task;

/// What of a run's state stands beside the policy in training.
#[derive(Clone, Copy, Default)]
pub(super) struct Beside<'b> {
    pub(super) critic: Option<&'b CriticLearner>,
    pub(super) divergence: Option<&'b Divergence>,
    pub(super) tasks: Option<(&'b Curriculum, &'b [Task])>,
}

impl<'b> Beside<'b> {
    /// What reinforcement learning has.
    pub(super) fn of(rl: &'b Rl<'b>, curriculum: &'b Curriculum) -> Self {
        Self { critic: None, divergence: Some(&rl.divergence), tasks: Some((curriculum, rl.tasks)) }
    }
}

/// Whether the policy's state has a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Saved {
    Yes,
    No,
}

impl Trainer<'_, '_> {
    /// Begins the steps, with the evaluation that a run lacks which was cut off between a checkpoint and it.
    pub(super) async fn begin(
        &mut self,
        stage: &'static str,
        steps: u64,
        learner: &Learner,
        beside: Beside<'_>,
    ) -> Result<(), TrainError> {
        self.stage = (stage, steps);
        if self.evaluations.is_due(self.done) {
            self.evaluate(learner, beside, Saved::Yes).await?;
        }
        self.observer.begin(stage, steps);
        Ok(())
    }

    /// Writes a step's numbers, with a checkpoint and evaluations where they are due; stops where that was asked for.
    pub(super) async fn record(
        &mut self,
        metrics: &StepMetrics,
        learner: &Learner,
        beside: Beside<'_>,
    ) -> Result<(), TrainError> {
        let (step, (stage, steps)) = (metrics.step, self.stage);
        self.check_gap(metrics)?;
        self.records.step(metrics)?;
        self.done = step;
        self.observer.progress(step, &message(metrics));
        self.records.warn_of_standstill(&self.job.parts.rubrics.training, steps);
        if step == steps {
            return self.keep_last(learner, beside);
        }
        let every = self.job.recipe.train.checkpoint_every();
        let stops = self.job.stop.is_requested() || self.job.last_step == Some(step);
        let saves = stops || (every > 0 && step.is_multiple_of(every));
        if saves {
            self.checkpoint(learner, beside)?;
        }
        if stops {
            self.observer.end();
            self.records.end(Status::Stopped);
            return Err(TrainError::Stopped { step, dir: self.job.run_dir.to_owned() });
        }
        if self.evaluations.is_due(step) {
            self.observer.end();
            self.evaluate(learner, beside, if saves { Saved::Yes } else { Saved::No }).await?;
            self.observer.begin(stage, steps);
        }
        Ok(())
    }

    /// Evaluates the policy in the course of the run, saves it where it is the best that is to be kept, and ends the run
    /// where that is due.
    async fn evaluate(
        &mut self,
        learner: &Learner,
        beside: Beside<'_>,
        saved: Saved,
    ) -> Result<(), TrainError> {
        let (step, eval) = (self.done, &self.job.recipe.eval);
        let name = format!("step {step}");
        let of = self.evaluations.subject(learner.policy(), step, &name);
        self.evaluations.all(of, self.records, self.observer).await?;
        if step >= self.stage.1 {
            return Ok(());
        }
        if eval.saves_the_best() && saved == Saved::No && self.records.is_best_so_far(eval, step) {
            self.checkpoint(learner, beside)?;
        }
        self.stopped_early = self.records.stops_early(eval);
        if let Some(why) = &self.stopped_early {
            tracing::info!("stopping early after step {step}: {why}");
            self.keep_last(learner, beside)?;
        }
        Ok(())
    }

    fn checkpoint(&self, learner: &Learner, beside: Beside<'_>) -> Result<(), TrainError> {
        let checkpoints = Checkpoints::of(self.job.run_dir);
        checkpoints.save(self.done, |dir| self.fill(dir, learner, beside))?;
        let best = self.records.best(&self.job.recipe.eval, &checkpoints.steps());
        checkpoints.prune(self.job.recipe.train.checkpoint_keep(), best)
    }

    /// Keeps what a run takes that goes on from its last step, of a run with checkpoints.
    fn keep_last(&self, learner: &Learner, beside: Beside<'_>) -> Result<(), TrainError> {
        if self.job.recipe.train.checkpoint_every() == 0 {
            return Ok(());
        }
        Checkpoints::of(self.job.run_dir).save_last(self.done, |dir| self.fill(dir, learner, beside))
    }

    /// Writes the files of a checkpoint.
    fn fill(&self, dir: &Path, learner: &Learner, beside: Beside<'_>) -> Result<(), TrainError> {
        learner.policy().save(dir, |to| self.chat.save_files(to))?;
        let folder = dir.join("trainer/critic");
        std::fs::create_dir_all(&folder)
            .map_err(|source| TrainError::Write { path: folder.clone(), source })?;
        learner.state().write(&dir.join(STATE))?;
        let Beside { critic, divergence, tasks } = beside;
        tasks.map_or(Ok(()), |(curriculum, tasks)| curriculum.write(&dir.join(TASKS), tasks))?;
        critic.map_or(Ok(()), |critic| critic.state().write(&dir.join(CRITIC_STATE)))?;
        divergence.map_or(Ok(()), |divergence| divergence.save(&dir.join(TRAINER)))
    }

    /// The sampler holds the trainer's weights where it gives the sampled tokens the trainer's log-probabilities.
    fn check_gap(&self, metrics: &StepMetrics) -> Result<(), TrainError> {
        let most = self.job.recipe.train.guards().max_logprob_gap;
        let gap = metrics.detail.sampled().map_or(0.0, |replies| replies.logprob_gap.mean);
        let step = metrics.step;
        if gap <= most {
            return Ok(());
        }
        // A run that goes on should not read them again.
        Replies::of(self.job.run_dir).forget(|of| of >= step)?;
        Err(TrainError::LogprobGap { step, gap, most })
    }
}

/// A step in a few words.
fn message(metrics: &StepMetrics) -> String {
    match (&metrics.detail, metrics.detail.sampled()) {
        (_, Some(replies)) => {
            format!("reward {:.2}, length {:.0}", replies.reward.mean, replies.reply_length.mean)
        }
        (StepDetail::Dpo(DpoMetrics { margin, accuracy, .. }), _) => {
            format!("loss {:.3}, margin {margin:.3}, accuracy {accuracy:.2}", metrics.loss)
        }
        _ => format!("loss {:.3}", metrics.loss),
    }
}
