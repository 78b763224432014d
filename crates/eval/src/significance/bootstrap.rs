//! The percentile bootstrap.

use serde::{Deserialize, Serialize};

use super::split_mix::SplitMix;

/// Resamples that are drawn: the ends of the interval then lie within some hundredths of its length of where more would put them.
const RESAMPLES: usize = 2_000;

/// The share of resampled means beyond either end.
const TAIL: f64 = 0.025;

/// The values of tasks that count alike: of a mean over tasks all of them, of a mean over groups one group's.
#[derive(Clone, Debug, PartialEq)]
pub struct Stratum {
    /// What its mean counts in the figure.
    pub weight: f64,
    /// One a task.
    pub values: Vec<f64>,
}

impl Stratum {
    /// Values whose mean is the figure.
    pub fn whole(values: Vec<f64>) -> Self {
        Self { weight: 1.0, values }
    }
}

/// Where a figure lies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// The 95 % interval of the sum over strata of `weight * mean`, by the percentile bootstrap (Efron, 1979; Efron and Tibshirani,
/// 1993, chapter 13): in each of 2,000 resamples every stratum's tasks are drawn anew, as many and with replacement, and the
/// ends are the 2.5th and the 97.5th percentile of the figures that these give, between which numpy's `linear` method
/// interpolates. It tells of the chance in which tasks were asked, and of no other. None where a stratum has no value.
pub fn bootstrap(strata: &[Stratum]) -> Option<Interval> {
    if strata.is_empty() || strata.iter().any(|stratum| stratum.values.is_empty()) {
        return None;
    }
    let mut random = SplitMix(0);
    let mut mean = |values: &[f64]| {
        let sum: f64 = values.iter().map(|_| values[random.below(values.len())]).sum();
        sum / values.len() as f64
    };
    let mut resample = || strata.iter().map(|stratum| stratum.weight * mean(&stratum.values)).sum();
    let mut figures: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    figures.sort_by(f64::total_cmp);
    Some(Interval { low: quantile(&figures, TAIL), high: quantile(&figures, 1.0 - TAIL) })
}

/// The quantile of sorted values, which are there.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let place = q * (sorted.len() - 1) as f64;
    let (below, part) = (place.floor() as usize, place.fract());
    let above = sorted[(below + 1).min(sorted.len() - 1)];
    sorted[below] + part * (above - sorted[below])
}
