//! The files of a run that grow with it.

use std::path::{Path, PathBuf};

use toolrl_reward::Rubric;

use crate::examples::{completion, examples};
use crate::record::{
    EventWriter, MetricsLog, StepMetrics, Summary, completions_path, read_metrics, write_completions,
    write_whole,
};
use crate::report::{ReportInput, render};
use crate::rl::Credited;
use crate::task::Task;
use crate::{Recipe, Resume, TrainError};

/// The files of a run that grow with it.
pub(super) struct Records {
    dir: PathBuf,
    metrics: MetricsLog,
    events: EventWriter,
    rows: Vec<StepMetrics>,
}

impl Records {
    /// Begins them, or goes on with those of a run that was cut off: what it wrote after its checkpoint is written
    /// again.
    pub(super) fn open(recipe: &Recipe, dir: &Path, resume: Option<&Resume>) -> Result<Self, TrainError> {
        write_whole(&dir.join("config.toml"), recipe.to_toml()?.as_bytes())?;
        let path = dir.join("metrics.jsonl");
        let metrics = match resume {
            Some(resume) => MetricsLog::resume(&path, resume.step)?,
            None => MetricsLog::create(&path)?,
        };
        let rows = if resume.is_some() { read_metrics(&path)? } else { Vec::new() };
        Ok(Self { dir: dir.to_owned(), metrics, events: EventWriter::create(&dir.join("events"))?, rows })
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
        credited: &[Credited],
        tasks: &[Task],
    ) -> Result<(), TrainError> {
        let row = |reply: &Credited| completion(step, reply, &tasks[reply.measured.scored.task]);
        let rows: Vec<_> = credited.iter().map(row).collect();
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
            summary: Some(summary),
            examples: &examples,
            config: &config,
        };
        let path = self.dir.join("report.html");
        write_whole(&path, render(&input).as_bytes())?;
        Ok(path)
    }
}
