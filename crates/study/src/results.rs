//! What the runs of a study left, gathered.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;
use toolrl_eval::EvalReport;
use toolrl_train::record::{StepMetrics, Summary, read_rows, write_whole};

use crate::plan::slug;
use crate::{Curve, FindingResult, Measure, Plan, Statistic, Study, StudyError, page};

/// The results of a study, as far as it is done: `study.json`.
#[derive(Clone, Debug, Serialize)]
pub struct Results {
    /// The study.
    pub study: Study,
    /// Runs that are done.
    pub done: usize,
    /// Runs that it asks for.
    pub planned: usize,
    /// Seconds of the runs that are done.
    pub seconds: f64,
    /// One per arm, in the study's order.
    pub arms: Vec<ArmResult>,
    /// What was found of each claim.
    pub findings: Vec<FindingResult>,
}

/// An arm's results.
#[derive(Clone, Debug, Serialize)]
pub struct ArmResult {
    /// The arm.
    pub name: String,
    /// One per seed that is done.
    pub runs: Vec<ArmRun>,
    /// Every measure over these seeds.
    pub measures: BTreeMap<Measure, Statistic>,
    /// The training reward of the last stage.
    pub curve: Curve,
}

/// An arm with one seed.
#[derive(Clone, Debug, Serialize)]
pub struct ArmRun {
    /// The seed.
    pub seed: u64,
    /// The last stage's directory; none of the policy that is not trained.
    pub dir: Option<PathBuf>,
    /// Seconds of all its stages.
    pub seconds: f64,
    /// The evaluation of the policy that it made.
    pub after: EvalReport,
    /// Mean over the last stage's steps of the mean reward of their replies; none where it sampled none.
    pub learning: Option<f64>,
}

impl Results {
    /// Reads what is done of a plan.
    ///
    /// # Errors
    /// [`StudyError`] for a record that cannot be read, or a run of other settings.
    pub fn read(plan: &Plan) -> Result<Self, StudyError> {
        let summaries: Vec<Option<Summary>> =
            plan.runs.iter().map(|run| run.finished()).collect::<Result<_, _>>()?;
        let of_arm = |(number, arm): (usize, &crate::Arm)| {
            let chains = plan.study.seeds.iter().zip(&plan.chains[number]);
            let mut runs = Vec::new();
            let mut metrics = Vec::new();
            for (&seed, chain) in chains {
                let stages: Option<Vec<&Summary>> = chain.iter().map(|&i| summaries[i].as_ref()).collect();
                let Some(stages) = stages else { continue };
                let Some((&last, summary)) = chain.last().zip(stages.last()) else {
                    runs.extend(untrained(plan, &summaries, seed));
                    continue;
                };
                let steps: Vec<StepMetrics> = read_rows(&plan.runs[last].dir.join("metrics.jsonl"))?;
                let rewards = steps.iter().filter_map(|step| Some(step.detail.sampled()?.reward.mean));
                let learning = Statistic::of(rewards.collect()).map(|over_steps| over_steps.mean);
                metrics.push(steps);
                runs.push(ArmRun {
                    seed,
                    dir: Some(plan.runs[last].dir.clone()),
                    seconds: stages.iter().map(|s| s.seconds).sum(),
                    after: summary.after.clone(),
                    learning,
                });
            }
            Ok(ArmResult::of(&arm.name, runs, Curve::of(&metrics)))
        };
        let arms: Vec<_> =
            plan.study.arms.iter().enumerate().map(of_arm).collect::<Result<_, StudyError>>()?;
        let done = || summaries.iter().flatten();
        Ok(Self {
            study: plan.study.clone(),
            done: done().count(),
            planned: plan.runs.len(),
            seconds: done().map(|s| s.seconds).sum(),
            findings: plan.study.findings.iter().map(|f| FindingResult::of(f, &arms)).collect(),
            arms,
        })
    }

    /// Writes `study.json`, `report.html`, `tables.md` and a picture of each table's curves into a folder.
    ///
    /// # Errors
    /// [`StudyError::Record`] and [`StudyError::Page`].
    pub fn write(&self, dir: &Path) -> Result<(), StudyError> {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_whole(&dir.join("study.json"), &json)?;
        write_whole(&dir.join("tables.md"), page::markdown(self)?.as_bytes())?;
        write_whole(&dir.join("report.html"), page::page(self)?.as_bytes())?;
        for table in self.study.tables() {
            if let Some(chart) = page::chart(self, &table) {
                let name = format!("curves-{}.svg", slug(&table.title));
                write_whole(&dir.join(name), chart.file().as_bytes())?;
            }
        }
        Ok(())
    }

    /// The arm of this name.
    pub fn arm(&self, name: &str) -> Option<&ArmResult> {
        self.arms.iter().find(|arm| arm.name == name)
    }
}

/// The policy that the first stages start from: its evaluation before the first run with this seed. An evaluation does
/// not depend on a seed, so that the seeds' values are equal where the policy is.
fn untrained(plan: &Plan, summaries: &[Option<Summary>], seed: u64) -> Option<ArmRun> {
    let place = plan.study.seeds.iter().position(|&s| s == seed)?;
    let first = plan.chains.iter().find_map(|chains| chains[place].first())?;
    let summary = summaries[*first].as_ref()?;
    Some(ArmRun { seed, dir: None, seconds: 0.0, after: summary.before.clone(), learning: None })
}

impl ArmResult {
    fn of(name: &str, runs: Vec<ArmRun>, curve: Curve) -> Self {
        let over = |m: Measure| {
            let values = runs.iter().filter_map(|run| m.of(run)).collect();
            Some((m, Statistic::of(values)?))
        };
        let measures = Measure::all().filter_map(over).collect();
        Self { name: name.to_owned(), runs, measures, curve }
    }

    /// A measure over its seeds.
    pub fn statistic(&self, measure: Measure) -> Option<Statistic> {
        self.measures.get(&measure).cloned()
    }

    /// Mean seconds of a seed's stages.
    pub fn seconds(&self) -> f64 {
        self.runs.iter().map(|run| run.seconds).sum::<f64>() / self.runs.len().max(1) as f64
    }
}
