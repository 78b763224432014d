//! An arm with one seed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toolrl_benchmarks::{Outcome as CaseOutcome, OutcomeLog};
use toolrl_eval::EvalReport;
use toolrl_record::{StepMetrics, Summary, TaskOutcomes, outcomes_path, read_rows};
use toolrl_train::EvalConfig;

use crate::{Statistic, StudyError};

/// A finished run: its directory and what it left.
pub(crate) type Stage<'a> = (&'a Path, &'a Summary);

/// An arm with one seed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ArmRun {
    /// The seed.
    pub seed: u64,
    /// The last stage's directory; none of the policy that is not trained.
    pub dir: Option<PathBuf>,
    /// Seconds of all its stages.
    pub seconds: f64,
    /// Seconds that the cores computed in all its stages, their evaluations included; none where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// Tokens that had a gradient.
    pub tokens_trained: u64,
    /// Tokens that were sampled in training.
    pub tokens_sampled: u64,
    /// The evaluation of the policy that it made: by the study's first test, or the last stage's own where there is none.
    pub after: EvalReport,
    /// Its outcomes, task by task; none of runs that left none.
    #[serde(skip)]
    pub outcomes: Option<TaskOutcomes>,
    /// By name of a benchmark, what became of its cases in the study's tests.
    #[serde(skip)]
    pub benchmarks: BTreeMap<String, Vec<CaseOutcome>>,
    /// Mean over the last stage's steps of the mean reward of their replies; none where it sampled none.
    pub learning: Option<f64>,
}

impl ArmRun {
    /// The figures of an arm's stages, of which there is one at least, and the steps of the last.
    pub(crate) fn read(seed: u64, stages: &[Stage<'_>]) -> Result<(Self, Vec<StepMetrics>), StudyError> {
        let mut run = Self { seed, cpu_seconds: Some(0.0), ..Self::default() };
        let mut steps = Vec::new();
        for &(dir, summary) in stages {
            steps = read_rows(&dir.join("metrics.jsonl"))?;
            run.seconds += summary.seconds;
            run.cpu_seconds = run.cpu_seconds.zip(summary.cpu_seconds).map(|(before, own)| before + own);
            run.tokens_trained += steps.iter().map(|step: &StepMetrics| step.tokens_trained).sum::<u64>();
            let sampled = steps.iter().filter_map(|step| step.detail.sampled());
            run.tokens_sampled += sampled.map(|replies| replies.tokens_sampled).sum::<u64>();
            run.after = summary.after.clone();
            run.dir = Some(dir.to_owned());
            run.outcomes = outcomes(dir, summary.final_step.unwrap_or(summary.steps))?;
        }
        let rewards = steps.iter().filter_map(|step| Some(step.detail.sampled()?.reward.mean));
        run.learning = Statistic::of(rewards.collect()).map(|over_steps| over_steps.mean);
        Ok((run, steps))
    }

    /// The same run measured by the study's tests; none while the first is not done.
    pub(crate) fn tested(mut self, tests: &[Option<Stage<'_>>]) -> Result<Option<Self>, StudyError> {
        match tests.first() {
            None => return Ok(Some(self)),
            Some(None) => return Ok(None),
            Some(Some((dir, summary))) => {
                self.after = summary.after.clone();
                self.outcomes = outcomes(dir, 0)?;
            }
        }
        for (dir, _) in tests.iter().flatten() {
            for benchmark in BENCHMARKS {
                let names = std::iter::once(benchmark.to_owned())
                    .chain((2..).map(|place| format!("{benchmark}-{place}")));
                let paths = names.map(|name| outcomes_path(dir, 0, &name)).take_while(|path| path.exists());
                for path in paths {
                    self.benchmarks.entry(benchmark.to_owned()).or_default().extend(OutcomeLog::read(&path)?);
                }
            }
        }
        Ok(Some(self))
    }
}

/// The benchmarks that measures are of, by their names in files; a second one of a test is `bfcl-2`.
const BENCHMARKS: [&str; 2] = ["bfcl", "api-bank"];

/// A run's outcomes on the held-out tasks after a step; none of runs that left none.
pub(crate) fn outcomes(run_dir: &Path, step: u64) -> Result<Option<TaskOutcomes>, StudyError> {
    let path = outcomes_path(run_dir, step, EvalConfig::HELD_OUT);
    Ok(if path.exists() { Some(TaskOutcomes::read(&path)?) } else { None })
}
