//! The evaluations of a run's policy: before, every so many steps, and after.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use toolrl_chat::Chat;
use toolrl_eval::EvalReport;
use toolrl_policy::Policy;
use toolrl_record::EvaluationRow;

use super::records::Records;
use crate::evaluation::{Evaluated, LoadedBenchmark};
use crate::task::Data;
use crate::{Observer, Parts, Recipe, Subject, TrainError, evaluate_policy};

/// The name of the evaluation on held-out tasks.
pub(super) const HELD_OUT: &str = "held-out";
/// The name of its first score.
pub(super) const MEAN_REWARD: &str = "mean reward";

/// What a run's policies are evaluated on.
pub(super) struct Evaluations<'a> {
    pub recipe: &'a Recipe,
    pub data: &'a Data,
    pub parts: &'a Parts,
    pub chat: &'a Arc<Chat>,
    pub run_dir: &'a Path,
    pub benchmarks: Vec<LoadedBenchmark>,
}

impl Evaluations<'_> {
    /// The held-out tasks. A report of no task where none is held out, or `eval.limit` is 0.
    pub(super) async fn held_out(
        &self,
        (policy, version): (&Policy, u64),
        name: &str,
        observer: &mut dyn Observer,
    ) -> Result<EvalReport, TrainError> {
        let Self { recipe, data, parts, chat, .. } = self;
        let n = recipe.eval.limit.unwrap_or(usize::MAX).min(data.held_out.len());
        if n == 0 {
            return Ok(EvalReport::of(name, &[]));
        }
        let subject = Subject { name, policy, chat, version };
        Ok(evaluate_policy(subject, &data.held_out[..n], (recipe, parts), observer).await?.report)
    }

    /// Whether there are held-out tasks that are evaluated on.
    pub(super) fn has_held_out(&self) -> bool {
        !self.data.held_out.is_empty() && self.recipe.eval.limit != Some(0)
    }

    /// Whether the policy is evaluated after this step, one between the first and the last.
    pub(super) fn is_due(&self, step: u64) -> bool {
        let every = self.recipe.eval.every;
        every > 0 && step > 0 && step.is_multiple_of(every)
    }

    /// Everything, after a step in the middle of a run; what is recorded of it already is left as it is.
    pub(super) async fn in_training(
        &self,
        step: u64,
        policy: &Policy,
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        if self.has_held_out() && !records.is_evaluated(step, HELD_OUT) {
            let clock = Instant::now();
            let report = self.held_out((policy, step), &format!("step {step}"), observer).await?;
            records.evaluation(held_out_row(step, &report, clock.elapsed().as_secs_f64()))?;
        }
        self.on_benchmarks(step, policy, records, observer).await
    }

    /// The benchmarks; those that are recorded already are left as they are.
    pub(super) async fn on_benchmarks(
        &self,
        step: u64,
        policy: &Policy,
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let folder = self.run_dir.join(format!("evaluations/step-{step:05}"));
        let (chat, sampler) = (self.chat, &*self.parts.sampler);
        for benchmark in &self.benchmarks {
            if !records.is_evaluated(step, &benchmark.name) {
                let of = Evaluated { policy, chat, sampler, step, folder: &folder };
                records.evaluation(benchmark.evaluate(of, observer).await?)?;
            }
        }
        Ok(())
    }
}

/// The row of an evaluation on held-out tasks.
pub(super) fn held_out_row(step: u64, report: &EvalReport, seconds: f64) -> EvaluationRow {
    let rates = &report.overall;
    let scores = [
        (MEAN_REWARD, rates.mean_reward),
        ("format rate", rates.format_rate),
        ("exact-call rate", rates.exact_call_rate),
    ];
    let scores = scores.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    EvaluationRow { step, evaluation: HELD_OUT.to_owned(), cases: rates.tasks, seconds, scores }
}
