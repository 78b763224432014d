//! What a run measured at a step.

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use toolrl_record::{EvaluationRow, StepMetrics, read_rows};

use crate::TrackerError;

/// The numbers of a step, or of an evaluation after one.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Steps done.
    pub step: u64,
    /// `step`, or the name of the evaluation: with the step it names the point.
    pub of: String,
    /// When, in seconds since 1970.
    pub time: f64,
    /// Name and value, as TensorBoard has them.
    pub scalars: Vec<(String, f64)>,
}

impl Point {
    /// Of a training step.
    pub fn of_step(row: &StepMetrics, time: f64) -> Self {
        Self { step: row.step, of: "step".to_owned(), time, scalars: row.scalars() }
    }

    /// Of an evaluation.
    pub fn of_evaluation(row: &EvaluationRow, time: f64) -> Self {
        Self { step: row.step, of: row.evaluation.clone(), time, scalars: row.scalars() }
    }

    /// When, in whole milliseconds.
    pub(crate) fn milliseconds(&self) -> u64 {
        (self.time * 1000.0) as u64
    }
}

/// Now, in seconds since 1970.
pub fn now() -> f64 {
    seconds(SystemTime::now())
}

pub(crate) fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs_f64()
}

/// Every point that a run's `metrics.jsonl` and `evaluations.jsonl` hold, by step. The files have no times: a point's is
/// `begun` and the seconds that the rows up to it took.
///
/// # Errors
/// [`TrackerError::Record`].
pub fn history(run_dir: &Path, begun: f64) -> Result<Vec<Point>, TrackerError> {
    let (metrics, evaluations) = (run_dir.join("metrics.jsonl"), run_dir.join("evaluations.jsonl"));
    let steps: Vec<StepMetrics> = if metrics.exists() { read_rows(&metrics)? } else { Vec::new() };
    let evaluations: Vec<EvaluationRow> =
        if evaluations.exists() { read_rows(&evaluations)? } else { Vec::new() };
    let of_steps = steps.iter().map(|row| (seconds_of(row), Point::of_step(row, 0.0)));
    let of_evaluations = evaluations.iter().map(|row| (row.seconds, Point::of_evaluation(row, 0.0)));
    let mut points: Vec<(f64, Point)> = of_steps.chain(of_evaluations).collect();
    // Stable: a step before the evaluations after it.
    points.sort_by_key(|(_, point)| point.step);
    let mut time = begun;
    for (seconds, point) in &mut points {
        time += *seconds;
        point.time = time;
    }
    Ok(points.into_iter().map(|(_, point)| point).collect())
}

/// The seconds that a step took: of its stages, but for what a thread sampled of a later step beside them.
fn seconds_of(row: &StepMetrics) -> f64 {
    row.seconds.iter().filter(|(stage, _)| *stage != "sample_ahead").map(|(_, seconds)| seconds).sum()
}

#[cfg(test)]
mod tests {
    use toolrl_record::{StepDetail, StepLog};

    use super::*;

    #[test]
    fn what_was_sampled_beside_a_step_took_none_of_its_time() {
        let dir = tempfile::tempdir().unwrap();
        let mut log = StepLog::create(&dir.path().join("metrics.jsonl")).unwrap();
        let seconds = [("sample", 1.0), ("sample_ahead", 50.0), ("update", 2.0)];
        for step in 1..=2 {
            log.append(&StepMetrics {
                step,
                detail: StepDetail::Sft(Default::default()),
                loss: 0.0,
                grad_norm: 0.0,
                lr: 0.0,
                tokens_trained: 0,
                skipped_updates: 0,
                weights: None,
                seconds: seconds.map(|(stage, seconds)| (stage.to_owned(), seconds)).into(),
            })
            .unwrap();
        }
        let times: Vec<f64> = history(dir.path(), 100.0).unwrap().iter().map(|point| point.time).collect();
        assert_eq!(times, [103.0, 106.0]);
    }
}
