//! The files of a run that grow with it.

use std::path::{Path, PathBuf};

use toolrl_chat::Chat;
use toolrl_data::Sample;
use toolrl_grammar::Dialect;
use toolrl_record::report::{ReportInput, render};
use toolrl_record::{
    Course, EvaluationRow, EventWriter, Standstill, StepLog, StepMetrics, StoppedEarly, Summary,
    completions_path, read_rows, write_completions, write_whole,
};
use toolrl_reward::{Context, Rubric};
use toolrl_rollout::{Group, Prompt};
use toolrl_trackers::{Mirrors, Point, Status, now};

use super::track;
use crate::examples::{completion, examples};
use crate::rl::Credited;
use crate::task::Task;
use crate::{EvalConfig, Recipe, Resume, TrainError};

/// The files of a run that grow with it.
pub(super) struct Records {
    dir: PathBuf,
    metrics: StepLog<StepMetrics>,
    evaluations: StepLog<EvaluationRow>,
    events: EventWriter,
    rows: Vec<StepMetrics>,
    evaluated: Vec<EvaluationRow>,
    /// Seconds of the steps and evaluations that were there when it was opened.
    earlier: f64,
    mirrors: Mirrors,
}

impl Drop for Records {
    /// What nobody ended ends by an error.
    fn drop(&mut self) {
        self.end(Status::Failed);
    }
}

impl Records {
    /// Begins them, or goes on with those of a run that was cut off: what it wrote after its checkpoint is written
    /// again.
    pub(super) fn open(recipe: &Recipe, dir: &Path, resume: Option<&Resume>) -> Result<Self, TrainError> {
        // First: what is another run to trackers by what is set anew is so though it is killed here.
        let tracked = track::tracked(recipe, dir, resume.is_some_and(|resume| resume.is_other))?;
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
        if resume.is_some_and(|resume| !resume.same_evaluation) {
            forget(&dir.join("evaluations"))?;
        }
        let (rows, evaluated): (Vec<StepMetrics>, Vec<EvaluationRow>) =
            (read_rows(&path)?, read_rows(&of_evaluations)?);
        // What was sampled ahead took no time of its own.
        let of_steps = rows.iter().flat_map(|row| &row.seconds).filter(|(stage, _)| *stage != "sample_ahead");
        let of_evaluations = evaluated.iter().map(|row| row.seconds);
        let earlier = of_steps.map(|(_, seconds)| *seconds).chain(of_evaluations).sum();
        let events = dir.join("events");
        let events = match resume {
            Some(Resume { step, same_evaluation, .. }) => EventWriter::resume(&events, |of, tag| {
                of <= *step && (*same_evaluation || !tag.starts_with(EvaluationRow::GROUP))
            })?,
            None => EventWriter::create(&events)?,
        };
        let mirrors = track::mirrors(recipe, dir, tracked.as_ref())?;
        let dir = dir.to_owned();
        Ok(Self { dir, metrics, evaluations, events, rows, evaluated, earlier, mirrors })
    }

    /// Seconds of what was done of the run before it was gone on with.
    pub(super) fn earlier(&self) -> f64 {
        self.earlier
    }

    /// Tells the trackers how the run ended.
    pub(super) fn end(&mut self, status: Status) {
        self.mirrors.end(status, &format!("toolrl track {} sends the rest", self.dir.display()));
    }

    /// Writes down an evaluation.
    pub(super) fn evaluation(&mut self, row: EvaluationRow) -> Result<(), TrainError> {
        self.evaluations.append(&row)?;
        self.events.append_scalars(row.step, &row.scalars())?;
        self.mirrors.point(|| Point::of_evaluation(&row, now()));
        self.evaluated.push(row);
        Ok(())
    }

    /// Whether an evaluation after a step is written down.
    pub(super) fn is_evaluated(&self, step: u64, evaluation: &str) -> bool {
        self.evaluated.iter().any(|row| row.step == step && row.evaluation == evaluation)
    }

    pub(super) fn step(&mut self, metrics: &StepMetrics) -> Result<(), TrainError> {
        self.metrics.append(metrics)?;
        self.events.append_scalars(metrics.step, &metrics.scalars())?;
        self.mirrors.point(|| Point::of_step(metrics, now()));
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

    /// The best of these checkpoints: by evaluation ([`Records::best_evaluated`]), where any was evaluated. Otherwise of SFT
    /// that with the lowest mean loss over the steps since the one before it; the rewards of training are of other tasks
    /// each step, and schedules move them.
    pub(super) fn best(&self, eval: &EvalConfig, checkpoints: &[u64]) -> Option<u64> {
        let by_loss = |(after, &until): (u64, &u64)| {
            let rows = self.rows.iter().filter(|row| after < row.step && row.step <= until);
            let losses: Vec<f64> =
                rows.filter(|row| row.detail.sampled().is_none()).map(|row| row.loss).collect();
            (!losses.is_empty()).then(|| (-losses.iter().sum::<f64>() / losses.len() as f64, until))
        };
        let before = std::iter::once(0).chain(checkpoints.iter().copied());
        let by_training = before.zip(checkpoints).filter_map(by_loss);
        let best = || by_training.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, step)| step);
        self.best_evaluated(eval, checkpoints, None).or_else(best)
    }

    /// Of these checkpoints that with the highest figure of `eval.best` at an evaluation in the course of the run, or the
    /// run's last step; of equals the first; none where none was evaluated.
    pub(super) fn best_evaluated(
        &self,
        eval: &EvalConfig,
        checkpoints: &[u64],
        last: Option<u64>,
    ) -> Option<u64> {
        let counts = |step| Some(step) == last || (eval.is_due(step) && checkpoints.contains(&step));
        self.course(eval, counts).best.map(|(step, _)| step)
    }

    /// Whether the policy of this step is better than those that were evaluated in the course of the run before it.
    pub(super) fn is_best_so_far(&self, eval: &EvalConfig, step: u64) -> bool {
        self.course(eval, |of| eval.is_due(of)).best.is_some_and(|(best, _)| best == step)
    }

    /// Why the run ends now, where its evaluations end it: those that `eval.every` asks for count.
    pub(super) fn stops_early(&self, eval: &EvalConfig) -> Option<StoppedEarly> {
        let stop = eval.stop?;
        let course = self.course(eval, |of| eval.is_due(of));
        let (best_step, best) = course.best?;
        let (by, score, without_gain) = (eval.best.by.clone(), eval.best_score(), course.without_gain);
        (without_gain >= stop.patience).then_some(StoppedEarly { by, score, without_gain, best_step, best })
    }

    /// The figure of `eval.best` over the steps that count.
    fn course(&self, eval: &EvalConfig, counts: impl Fn(u64) -> bool) -> Course {
        let rows = self.evaluated.iter().filter(|row| counts(row.step));
        let min_delta = eval.stop.map_or(0.0, |stop| stop.min_delta);
        Course::of(rows, (&eval.best.by, &eval.best_score()), min_delta)
    }

    pub(super) fn report(
        &self,
        recipe: &Recipe,
        summary: &Summary,
        (rubric, dialect): (&Rubric, &'static dyn Dialect),
        samples: &[Sample],
    ) -> Result<PathBuf, TrainError> {
        let config = recipe.to_toml()?;
        let run = self.dir.display().to_string();
        let standstills = Standstill::all(&self.rows, least(rubric, summary.steps));
        let notes: Vec<String> = standstills.iter().map(|still| still.advice(&run)).collect();
        let examples = examples(&self.dir, summary.steps, (rubric, dialect), samples)?;
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

/// Removes what evaluations of another kind left.
fn forget(folder: &Path) -> Result<(), TrainError> {
    match std::fs::remove_dir_all(folder) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(TrainError::Write { path: folder.to_owned(), source })
        }
        _ => Ok(()),
    }
}

/// The least that a rubric gives at a step of so many.
fn least(rubric: &Rubric, steps: u64) -> impl Fn(u64) -> f64 + '_ {
    move |step| rubric.range(&Context::training(step, steps)).0
}
