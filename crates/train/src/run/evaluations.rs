//! The evaluations of a run's policy: before, every so many steps, and after.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_eval::{EvalReport, Evaluation};
use toolrl_policy::Policy;
use toolrl_record::{EvaluationRow, SetSummary, TaskOutcomes, evaluations_dir, outcomes_path};

use super::records::Records;
use crate::evaluation::{Evaluated, LoadedBenchmark, LoadedSet, report_of};
use crate::task::Data;
use crate::{EvalConfig, Observer, Parts, Recipe, Subject, TrainError, evaluate_policy};

/// What a run's policies are evaluated on.
pub(super) struct Evaluations<'a> {
    pub recipe: &'a Recipe,
    pub data: &'a Data,
    pub parts: &'a Parts,
    pub chat: &'a Arc<Chat>,
    pub run_dir: &'a Path,
    pub sets: Vec<LoadedSet>,
    pub benchmarks: Vec<LoadedBenchmark>,
}

impl Evaluations<'_> {
    /// Whether the policy is evaluated after this step, one between the first and the last.
    pub(super) fn is_due(&self, step: u64) -> bool {
        step > 0 && self.recipe.eval.is_due(step)
    }

    /// The policy that so many steps made.
    pub(super) fn subject<'s>(&'s self, policy: &'s Policy, version: u64, name: &'s str) -> Subject<'s> {
        Subject { name, policy, chat: self.chat, version }
    }

    /// Everything; what is recorded of the policy already is left as it is. Gives the reports on the sets of tasks: first
    /// that on the held-out ones, of no task where none is held out or `eval.limit` is 0, then those of the recipe's sets.
    pub(super) async fn all(
        &self,
        of: Subject<'_>,
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<Vec<EvalReport>, TrainError> {
        let limit = self.recipe.eval.limit.unwrap_or(usize::MAX).min(self.data.held_out.len());
        let held_out = (EvalConfig::HELD_OUT, &self.data.held_out[..limit]);
        let sets = self.sets.iter().map(|set| (set.name.as_str(), set.tasks()));
        let mut reports = Vec::new();
        for set in std::iter::once(held_out).chain(sets) {
            reports.push(self.on_set(of, set, records, observer).await?);
        }
        self.on_benchmarks(of, records, observer).await?;
        Ok(reports)
    }

    /// One set of tasks, unless it is recorded.
    async fn on_set(
        &self,
        of: Subject<'_>,
        (set, tasks): (&str, &[Sample]),
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<EvalReport, TrainError> {
        if tasks.is_empty() {
            return Ok(EvalReport::of(of.name, &[]));
        }
        let path = outcomes_path(self.run_dir, of.version, set);
        if records.is_evaluated(of.version, set) && path.exists() {
            return Ok(report_of(of.name, &TaskOutcomes::read(&path)?.tasks, self.recipe));
        }
        let clock = Instant::now();
        let evaluation = evaluate_policy(of, tasks, (self.recipe, self.parts), observer).await?;
        self.record((set, of.version), &evaluation, clock.elapsed().as_secs_f64(), records)?;
        Ok(evaluation.report)
    }

    /// The reports before and after: on the held-out tasks, and on each of the recipe's sets.
    pub(super) fn compared(
        &self,
        before: Vec<EvalReport>,
        after: Vec<EvalReport>,
    ) -> (EvalReport, EvalReport, Vec<SetSummary>) {
        let (mut before, mut after) = (before.into_iter(), after.into_iter());
        let held_out = (before.next().unwrap_or_default(), after.next().unwrap_or_default());
        let of_set =
            |(set, (before, after)): (&LoadedSet, _)| SetSummary { name: set.name.clone(), before, after };
        let sets = self.sets.iter().zip(before.zip(after)).map(of_set).collect();
        (held_out.0, held_out.1, sets)
    }

    /// Writes down the outcomes of an evaluation, then its row, unless that is there.
    pub(super) fn record(
        &self,
        (set, step): (&str, u64),
        evaluation: &Evaluation,
        seconds: f64,
        records: &mut Records,
    ) -> Result<(), TrainError> {
        TaskOutcomes::write(&outcomes_path(self.run_dir, step, set), &evaluation.outcomes)?;
        if records.is_evaluated(step, set) {
            return Ok(());
        }
        let rates = &evaluation.report.overall;
        let (evaluation, cases, scores) = (set.to_owned(), rates.tasks, EvaluationRow::scores_of(rates));
        records.evaluation(EvaluationRow { step, evaluation, cases, seconds, scores })
    }

    /// The benchmarks; those that are recorded already are left as they are.
    async fn on_benchmarks(
        &self,
        of: Subject<'_>,
        records: &mut Records,
        observer: &mut dyn Observer,
    ) -> Result<(), TrainError> {
        let (policy, step, chat) = (of.policy, of.version, of.chat);
        let folder = evaluations_dir(self.run_dir, step);
        for benchmark in &self.benchmarks {
            if !records.is_evaluated(step, &benchmark.name) {
                let of = Evaluated { policy, chat, sampler: &*self.parts.sampler, step, folder: &folder };
                records.evaluation(benchmark.evaluate(of, observer).await?)?;
            }
        }
        Ok(())
    }
}
