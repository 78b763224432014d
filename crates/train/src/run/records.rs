//! The files of a run that grow with it.

use std::path::{Path, PathBuf};

use toolrl_chat::Chat;
use toolrl_grammar::Dialect;
use toolrl_record::report::{ReportInput, render};
use toolrl_record::{
    EvaluationRow, EventWriter, Standstill, StepLog, StepMetrics, Summary, completions_path, read_rows,
    write_completions, write_whole,
};
use toolrl_reward::{Context, Rubric};
use toolrl_rollout::{Group, Prompt};

use super::evaluations::{HELD_OUT, MEAN_REWARD};
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

    /// Warns where the last steps of so many taught nothing.
    pub(super) fn warn_of_standstill(&self, rubric: &Rubric, steps: u64) {
        for still in Standstill::just_now(&self.rows, least(rubric, steps)) {
            tracing::warn!("{}", still.advice(&self.dir.display().to_string()));
        }
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

    /// The best of these checkpoints: that with the highest mean reward on the held-out tasks, where any was evaluated
    /// (`eval.every`). Otherwise of SFT that with the lowest mean loss over the steps since the one before it; the
    /// rewards of training are of other tasks each step, and schedules move them.
    pub(super) fn best(&self, checkpoints: &[u64]) -> Option<u64> {
        let evaluated = |&step: &u64| {
            let of = |row: &&EvaluationRow| row.step == step && row.evaluation == HELD_OUT;
            Some((*self.evaluated.iter().find(of)?.scores.get(MEAN_REWARD)?, step))
        };
        let by_loss = |after: u64, until: u64| {
            let rows = self.rows.iter().filter(|row| after < row.step && row.step <= until);
            let losses: Vec<f64> =
                rows.filter(|row| row.detail.sampled().is_none()).map(|row| row.loss).collect();
            (!losses.is_empty()).then(|| (-losses.iter().sum::<f64>() / losses.len() as f64, until))
        };
        let highest = |a: &(f64, u64), b: &(f64, u64)| a.0.total_cmp(&b.0);
        let before = std::iter::once(0).chain(checkpoints.iter().copied());
        let by_training = before.zip(checkpoints).filter_map(|(after, &until)| by_loss(after, until));
        let best = checkpoints.iter().filter_map(evaluated).max_by(highest);
        best.or_else(|| by_training.max_by(highest)).map(|(_, step)| step)
    }

    pub(super) fn report(
        &self,
        recipe: &Recipe,
        summary: &Summary,
        (rubric, dialect): (&Rubric, &'static dyn Dialect),
    ) -> Result<PathBuf, TrainError> {
        let config = recipe.to_toml()?;
        let run = self.dir.display().to_string();
        let standstills = Standstill::all(&self.rows, least(rubric, summary.steps));
        let notes: Vec<String> = standstills.iter().map(|still| still.advice(&run)).collect();
        let examples = examples(&self.dir, summary.steps, (rubric, dialect))?;
        let input = ReportInput {
            title: &recipe.name,
            metrics: &self.rows,
            evaluations: &self.evaluated,
            summary: Some(summary),
            examples: &examples,
            notes: &notes,
            config: &config,
        };
        let path = self.dir.join("report.html");
        write_whole(&path, render(&input)?.as_bytes())?;
        Ok(path)
    }
}

/// The least that a rubric gives at a step of so many.
fn least(rubric: &Rubric, steps: u64) -> impl Fn(u64) -> f64 + '_ {
    move |step| rubric.range(&Context::training(step, steps)).0
}
