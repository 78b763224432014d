//! What a run leaves: its last policy, or its best, evaluated.

use burn::tensor::Device;
use toolrl_eval::EvalReport;
use toolrl_policy::Policy;

use super::evaluations::Evaluations;
use super::records::Records;
use super::trainer::Trained;
use crate::checkpoint::{Checkpoints, sync};
use crate::{Observer, TrainError};

/// The folder of the policy that a run leaves.
pub(super) const FINAL: &str = "final";

/// How a run that is trained is finished.
pub(super) struct Finish<'a> {
    pub evaluations: &'a Evaluations<'a>,
    pub device: &'a Device,
    /// What ends a turn of the run's policies.
    pub stop_tokens: Vec<u32>,
}

/// What was left.
pub(super) struct Finished {
    /// The evaluations of the final policy, as [`Evaluations::all`] gives them.
    pub after: Vec<EvalReport>,
    /// The step that it is of, where it is not the last.
    pub final_step: Option<u64>,
}

impl Finish<'_> {
    /// Saves and evaluates the last policy, and puts the best in its place where the recipe asks for that.
    pub(super) async fn leave(
        &self,
        trained: &Trained,
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<Finished, TrainError> {
        let last = self.left(&trained.policy, trained.steps, records, observer).await?;
        let recipe = self.evaluations.recipe;
        if !recipe.eval.leaves_the_best() {
            return Ok(Finished { after: last, final_step: None });
        }
        let checkpoints = Checkpoints::of(self.evaluations.run_dir);
        let best = records.best_evaluated(&recipe.eval, &checkpoints.steps(), Some(trained.steps));
        let best = best.filter(|step| *step != trained.steps);
        let Some(step) = best else { return Ok(Finished { after: last, final_step: None }) };
        let (_, dir) = checkpoints.verified(Some(step))?;
        let policy = Policy::load(&dir, recipe.precision, self.device)?.stopping_at(self.stop_tokens.clone());
        let after = self.left(&policy, step, records, observer).await?;
        tracing::info!("the final policy is that after step {step}, the best one");
        Ok(Finished { after, final_step: Some(step) })
    }

    /// Puts a policy into the folder, in the place of another, and evaluates it.
    async fn left(
        &self,
        policy: &Policy,
        step: u64,
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<Vec<EvalReport>, TrainError> {
        let Evaluations { chat, run_dir, .. } = *self.evaluations;
        let dir = run_dir.join(FINAL);
        policy.save(&dir, |to| chat.save_files(to))?;
        sync(&dir).map_err(|source| TrainError::Write { path: dir.clone(), source })?;
        let name = dir.display().to_string();
        self.evaluations.all(self.evaluations.subject(policy, step, &name), records, observer).await
    }
}
