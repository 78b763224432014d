//! The training reward of an arm, over its seeds.

use serde::Serialize;
use toolrl_record::StepMetrics;

/// An arm's training reward by step.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Curve(pub Vec<CurvePoint>);

/// One step of a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// The step, from 1.
    pub step: u64,
    /// Mean over the seeds of the step's mean reward.
    pub mean: f64,
    /// The least of the seeds.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

impl Curve {
    /// Of one run a seed; steps that some run lacks, or that sampled nothing, are left out.
    pub(crate) fn of(runs: &[Vec<StepMetrics>]) -> Self {
        let Some(first) = runs.first() else { return Self::default() };
        let reward = |rows: &[StepMetrics], step: u64| {
            rows.iter().find(|row| row.step == step)?.detail.sampled().map(|replies| replies.reward.mean)
        };
        let point = |step: u64| {
            let values = runs.iter().map(|rows| reward(rows, step)).collect::<Option<Vec<f64>>>()?;
            Some(CurvePoint {
                step,
                mean: values.iter().sum::<f64>() / values.len() as f64,
                min: values.iter().copied().fold(f64::INFINITY, f64::min),
                max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            })
        };
        Self(first.iter().filter_map(|row| point(row.step)).collect())
    }
}
