//! The files of a run that grow with it.

use std::path::{Path, PathBuf};

use toolrl_chat::Chat;
use toolrl_record::report::{ReportInput, render};
use toolrl_record::{
    EvaluationRow, EventWriter, StepLog, StepMetrics, Summary, completions_path, read_rows,
    write_completions, write_whole,
};
use toolrl_reward::Rubric;
use toolrl_rollout::{Group, Prompt};

use crate::examples::{completion, examples};
use crate::rl::Credited;
use crate::task::Task;
use crate::{Recipe, Resume, TrainError};

/// The files of a run that grow with it.
pub(super) struct Records {
    dir: PathBuf,
    metrics: StepLog<StepMetrics>,
    evaluations: StepLog<EvaluationRow>,
    events: EventWriter,
    rows: Vec<StepMetrics>,
    evaluated: Vec<EvaluationRow>,
}

impl Records {
    /// Begins them, or goes on with those of a run that was cut off: what it wrote after its checkpoint is written
    /// again.
    pub(super) fn open(recipe: &Recipe, dir: &Path, resume: Option<&Resume>) -> Result<Self, TrainError> {
        write_whole(&dir.join("config.toml"), recipe.to_toml()?.as_bytes())?;
        let (path, of_evaluations) = (dir.join("metrics.jsonl"), dir.join("evaluations.jsonl"));
        let metrics = match resume {
            Some(resume) => StepLog::resume(&path, resume.step)?,
            None => StepLog::create(&path)?,
        };
        let evaluations = match resume {
            Some(resume) if resume.same_evaluation => StepLog::resume(&of_evaluations, resume.step)?,
            _ => StepLog::create(&of_evaluations)?,
        };
        let (rows, evaluated) = (read_rows(&path)?, read_rows(&of_evaluations)?);
        let events = dir.join("events");
        let events = match resume {
            Some(Resume { step, same_evaluation, .. }) => EventWriter::resume(&events, |of, tag| {
                of <= *step && (*same_evaluation || !tag.starts_with(EvaluationRow::GROUP))
            })?,
            None => EventWriter::create(&events)?,
        };
        Ok(Self { dir: dir.to_owned(), metrics, evaluations, events, rows, evaluated })
    }

    /// Writes down an evaluation.
    pub(super) fn evaluation(&mut self, row: EvaluationRow) -> Result<(), TrainError> {
        self.evaluations.append(&row)?;
        self.events.append_scalars(row.step, &row.scalars())?;
        self.evaluated.push(row);
        Ok(())
    }

    /// Writes down that of the policy that the run began with, unless it is there.
    pub(super) fn first_evaluation(&mut self, row: EvaluationRow) -> Result<(), TrainError> {
        if self.is_evaluated(0, &row.evaluation) { Ok(()) } else { self.evaluation(row) }
    }

    /// Whether an evaluation after a step is written down.
    pub(super) fn is_evaluated(&self, step: u64, evaluation: &str) -> bool {
        self.evaluated.iter().any(|row| row.step == step && row.evaluation == evaluation)
    }

    pub(super) fn step(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        self.metrics.append(metrics)?;
        self.events.append_scalars(metrics.step, &metrics.scalars())?;
        self.rows.push(metrics.clone());
        Ok(())
    }

    pub(super) fn completions(
        &self,
        step: u64,
        credited: &[Group<Credited>],
        (tasks, chat): (&[Task], &Chat),
    ) -> Result<(), TrainError> {
        let members =
            credited.iter().flat_map(|group| group.members.iter().map(move |m| (&*group.prompt, m)));
        let row = |of: (&Prompt, &Credited)| completion(step, of, &tasks[of.0.task], chat);
        let rows = members.map(row).collect::<Result<Vec<_>, _>>()?;
        Ok(write_completions(&completions_path(&self.dir, step), &rows)?)
    }

    /// The best of these checkpoints, by the steps since the one before each.
    pub(super) fn best(&self, checkpoints: &[u64]) -> Option<u64> {
        let merit = |row: &StepMetrics| row.detail.sampled().map_or(-row.loss, |replies| replies.reward.mean);
        let mean = |after: u64, until: u64| {
            let rows = self.rows.iter().filter(|row| after < row.step && row.step <= until);
            let merits: Vec<f64> = rows.map(merit).collect();
            merits.iter().sum::<f64>() / merits.len().max(1) as f64
        };
        let before = std::iter::once(0).chain(checkpoints.iter().copied());
        let scored = before.zip(checkpoints).map(|(after, &step)| (mean(after, step), step));
        scored.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, step)| step)
    }

    pub(super) fn report(
        &self,
        recipe: &Recipe,
        summary: &Summary,
        rubric: &Rubric,
    ) -> Result<PathBuf, TrainError> {
        let config = recipe.to_toml()?;
        let examples = examples(&self.dir, summary.steps, rubric)?;
        let input = ReportInput {
            title: &recipe.name,
            metrics: &self.rows,
            evaluations: &self.evaluated,
            summary: Some(summary),
            examples: &examples,
            config: &config,
        };
        let path = self.dir.join("report.html");
        write_whole(&path, render(&input)?.as_bytes())?;
        Ok(path)
    }
}
