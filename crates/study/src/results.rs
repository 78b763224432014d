//! What the runs of a study left, gathered.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use toolrl_eval::significance::Interval;
use toolrl_record::{Summary, write_whole};
use toolrl_train::PolicySource;

use crate::arm_run::{Stage, outcomes};
use crate::cases::{Cases, over_seeds};
use crate::plan::slug;
use crate::{ArmRun, Curve, FindingResult, Measure, Plan, Statistic, Study, StudyError, page};

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
    /// The 95 % interval of each over which tasks were asked: the bootstrap of each task's mean over the seeds. None of what is
    /// no single task's.
    pub intervals: BTreeMap<Measure, Interval>,
    /// The training reward of the last stage.
    pub curve: Curve,
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
            let mut runs = Vec::new();
            let mut metrics = Vec::new();
            for (place, &seed) in plan.study.seeds.iter().enumerate() {
                let of = |&run: &usize| Some((&*plan.runs[run].dir, summaries[run].as_ref()?));
                let stages: Option<Vec<Stage<'_>>> = plan.chains[number][place].iter().map(of).collect();
                let tests: Vec<Option<Stage<'_>>> = plan.tests[number][place].iter().map(of).collect();
                let read = match stages {
                    None => None,
                    Some(stages) if !stages.is_empty() => Some(ArmRun::read(seed, &stages)?),
                    Some(_) if tests.is_empty() => {
                        untrained(plan, &summaries, seed)?.map(|run| (run, Vec::new()))
                    }
                    Some(_) => Some((ArmRun { seed, ..ArmRun::default() }, Vec::new())),
                };
                let Some((run, steps)) = read else { continue };
                runs.extend(run.tested(&tests)?);
                metrics.extend((!steps.is_empty()).then_some(steps));
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
            findings: FindingResult::all(&plan.study.findings, &arms),
            arms,
        })
    }

    /// Writes `study.json`, `report.html`, `tables.md` and a picture of each table's curves into a folder.
    ///
    /// # Errors
    /// [`StudyError::Record`].
    pub fn write(&self, dir: &Path) -> Result<(), StudyError> {
        let json = serde_json::to_vec_pretty(self).unwrap_or_default();
        write_whole(&dir.join("study.json"), &json)?;
        write_whole(&dir.join("tables.md"), page::markdown(self).as_bytes())?;
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

/// The policy that the first stages start from: its evaluation before the first run with this seed that is given one. An
/// evaluation does not depend on a seed, so that the seeds' values are equal where the policy is.
fn untrained(plan: &Plan, summaries: &[Option<Summary>], seed: u64) -> Result<Option<ArmRun>, StudyError> {
    let place = plan.study.seeds.iter().position(|&s| s == seed);
    let is_given = |run: &&usize| !matches!(plan.runs[**run].recipe.policy, Some(PolicySource::Fresh(_)));
    let firsts = place.map(|place| plan.chains.iter().filter_map(move |chains| chains[place].first()));
    let first = firsts.and_then(|mut firsts| firsts.find(is_given));
    let Some((&first, summary)) = first.and_then(|first| Some((first, summaries[*first].as_ref()?))) else {
        return Ok(None);
    };
    let outcomes = outcomes(&plan.runs[first].dir, 0)?;
    Ok(Some(ArmRun { seed, after: summary.before.clone(), outcomes, ..ArmRun::default() }))
}

impl ArmResult {
    fn of(name: &str, runs: Vec<ArmRun>, curve: Curve) -> Self {
        let over = |m: Measure| {
            let values = runs.iter().filter_map(|run| m.of(run)).collect();
            Some((m, Statistic::of(values)?))
        };
        let measures = Measure::all().filter_map(over).collect();
        let interval = |m: Measure| Some((m, Cases::interval(&over_seeds(m, &runs)?)?));
        let intervals = Measure::all().filter_map(interval).collect();
        Self { name: name.to_owned(), measures, intervals, runs, curve }
    }

    /// A measure over its seeds.
    pub fn statistic(&self, measure: Measure) -> Option<Statistic> {
        self.measures.get(&measure).cloned()
    }

    /// The mean over its runs, for instance of their seconds; none where a run has no such figure, or there is none.
    pub fn mean(&self, of: impl Fn(&ArmRun) -> Option<f64>) -> Option<f64> {
        let values: Option<Vec<f64>> = self.runs.iter().map(of).collect();
        Statistic::of(values?).map(|statistic| statistic.mean)
    }
}

#[cfg(test)]
mod tests {
    use toolrl_record::{GrpoMetrics, Spread, StepDetail, StepLog, StepMetrics, outcomes_path};

    use super::*;
    use crate::plan::tests::{plan, summary, tested_plan};
    use crate::{CurvePoint, Verdict};

    fn row(step: u64, detail: StepDetail) -> StepMetrics {
        StepMetrics {
            step,
            detail,
            loss: 0.0,
            grad_norm: 0.0,
            lr: 0.0,
            tokens_trained: 7,
            skipped_updates: 0,
            weights: None,
            seconds: BTreeMap::new(),
        }
    }

    /// Puts a finished run's files in place; `rewards` are those of its steps where it samples.
    fn finish(plan: &Plan, run: usize, evaluated: [f64; 2], rewards: &[f64]) {
        let planned = &plan.runs[run];
        write_whole(&planned.dir.join("config.toml"), planned.recipe.to_toml().unwrap().as_bytes()).unwrap();
        let mut log = StepLog::create(&planned.dir.join("metrics.jsonl")).unwrap();
        for (step, &reward) in (1..).zip(rewards) {
            let reward = Spread::of(&[reward]);
            let replies = GrpoMetrics { reward, tokens_sampled: 7, ..GrpoMetrics::default() };
            log.append(&row(step, StepDetail::Grpo(replies))).unwrap();
        }
        if rewards.is_empty() {
            log.append(&row(1, StepDetail::Sft(Default::default()))).unwrap();
        }
        let seconds = 10 * (run as u64 + 1);
        summary(planned.recipe.seed, seconds, evaluated).write(&planned.dir.join("summary.json")).unwrap();
    }

    #[test]
    fn arms_are_gathered_over_the_seeds_that_are_done() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path());
        finish(&plan, 0, [0.5, 1.0], &[]);
        finish(&plan, 1, [1.0, 2.0], &[1.5, 2.5]);
        finish(&plan, 2, [0.5, 1.25], &[]);
        let results = Results::read(&plan).unwrap();
        assert_eq!((results.done, results.planned, results.seconds), (3, 4, 60.0));
        let rewards = |arm: &str| results.arm(arm).unwrap().statistic(Measure::Reward).unwrap().values;
        assert_eq!(rewards("raw"), [0.5, 0.5], "what the first stages began with");
        assert_eq!(rewards("SFT"), [1.0, 1.25]);
        assert_eq!(rewards("SFT+GRPO"), [2.0], "the second seed lacks a stage");
        let run = &results.arm("SFT+GRPO").unwrap().runs[0];
        assert_eq!((run.seed, run.seconds, run.learning), (1, 30.0, Some(2.0)), "both stages' seconds");
        assert_eq!((run.cpu_seconds, run.tokens_trained, run.tokens_sampled), (Some(60.0), 21, 14));
        let minutes = |arm: &str| results.arm(arm).unwrap().mean(|run| run.cpu_seconds);
        assert_eq!((minutes("SFT"), minutes("raw")), (Some(40.0), None), "nothing is computed for the start");
        assert_eq!(results.arm("SFT").unwrap().runs[0].learning, None, "fine-tuning samples nothing");
        assert_eq!(results.findings[0].verdict, Verdict::TooFewSeeds);
    }

    #[test]
    fn curves_and_findings_are_over_all_seeds() {
        let dir = tempfile::tempdir().unwrap();
        let plan = plan(dir.path());
        for (seed, first) in [0, 2].into_iter().enumerate() {
            let more = seed as f64;
            finish(&plan, first, [0.5, 1.0 + more / 4.0], &[]);
            finish(&plan, first + 1, [1.0, 2.0 + more], &[1.0 + more, 2.0 - more]);
        }
        let results = Results::read(&plan).unwrap();
        assert!(results.arm("SFT").unwrap().curve.0.is_empty());
        let [first, second] = [
            CurvePoint { step: 1, mean: 1.5, min: 1.0, max: 2.0 },
            CurvePoint { step: 2, mean: 1.5, min: 1.0, max: 2.0 },
        ];
        assert_eq!(results.arm("SFT+GRPO").unwrap().curve.0, [first, second]);
        let finding = &results.findings[0];
        // SciPy's ttest_ind([2, 3], [1, 1.25], equal_var=False).
        assert_eq!(finding.verdict, Verdict::NotShown);
        assert!((finding.p.seeds.unwrap() - 0.205_449_150_730_888_74).abs() < 1e-9, "{:?}", finding.p);
        results.write(dir.path()).unwrap();
        for name in ["study.json", "tables.md", "report.html", "curves-small.svg"] {
            assert!(dir.path().join(name).exists(), "{name}");
        }
    }

    #[test]
    fn an_arm_is_measured_by_the_studys_tests_once_the_first_is_done() {
        let dir = tempfile::tempdir().unwrap();
        let plan = tested_plan(dir.path());
        let arms = |plan: &Plan| {
            let results = Results::read(plan).unwrap();
            let rewards = |arm: &ArmResult| arm.statistic(Measure::Reward).map(|reward| reward.values);
            results.arms.iter().map(rewards).collect::<Vec<_>>()
        };
        // Fine-tuning with the first seed, its second test, and the test of the start.
        for run in [2, 4, 0] {
            finish(&plan, run, [0.0, 9.0], &[]);
        }
        assert_eq!(arms(&plan), [Some(vec![9.0, 9.0]), None, None], "the start is tested once for all seeds");
        finish(&plan, 3, [0.5, 0.5], &[]);
        let log = outcomes_path(&plan.runs[4].dir, 0, "bfcl");
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        let case = |id: &str, right: bool| {
            format!(
                r#"{{"id": "{id}", "group": "live_simple", "right": {right}, "failure": null, "asked": "", "expected": "",
                    "replies": [], "tokens": 1, "cut": 0, "refused": 0}}"#
            )
            .replace('\n', " ")
        };
        let header =
            r#"{"form": "", "benchmark": "bfcl", "model": "", "handler": "", "data": "", "sampling": ""}"#;
        let lines =
            [header.to_owned(), case("a", true), case("b", true), case("c", false), "{\"torn".to_owned()];
        std::fs::write(&log, lines.join("\n")).unwrap();
        assert_eq!(arms(&plan)[1], Some(vec![0.5]), "the run's own evaluation is for choices");
        let results = Results::read(&plan).unwrap();
        let arm = results.arm("SFT").unwrap();
        assert_eq!((arm.runs[0].seconds, arm.runs[0].tokens_trained), (30.0, 7), "what training cost");
        let live = arm.statistic(Measure::BfclLiveSimple).unwrap();
        assert_eq!(live.values, [2.0 / 3.0]);
        assert!(arm.intervals[&Measure::BfclLiveSimple].low < live.mean);
        let table = page::markdown(&results);
        assert!(table.contains("BFCL live simple") && table.contains("66.7 % ["), "{table}");
        // A second entry of the benchmark in the same test adds its cases.
        std::fs::write(log.with_file_name("bfcl-2.jsonl"), format!("{header}\n{}\n", case("d", false)))
            .unwrap();
        let results = Results::read(&plan).unwrap();
        let both = results.arm("SFT").unwrap().statistic(Measure::BfclLiveSimple).unwrap();
        assert_eq!(both.values, [0.5]);
    }
}
