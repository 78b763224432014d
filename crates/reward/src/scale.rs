//! The range of a term, and how it moves with training.

use serde::{Deserialize, Serialize};

use crate::Context;

/// Changes a term's range. A list of them is applied in order; an empty list is the paper's own
/// range: format in [0, 1], correctness in [-3, 3]. In evaluation only [`Scale::EqualMax`] applies,
/// because the others are schedules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Scale {
    /// "Equal max": correctness in [-1, 1]. Released as `CORRECTMAX1`.
    EqualMax,
    /// "Two-stage": correctness counts a third before step 30, format a half from it on. Released
    /// as `MAX1STEP30MAX3`.
    TwoStage,
    /// "Smooth dynamic": format shrinks from [-2, 2] and correctness grows from it over 150 steps.
    /// Released as `SCHEDULEREWARD`.
    Smooth,
    /// [`Scale::TwoStage`], changing at this step: for a run of another length than the paper's.
    TwoStageAt(u64),
    /// [`Scale::Smooth`] over this many steps.
    SmoothOver(u64),
}

/// Whose range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scaled {
    Format,
    Correctness,
}

/// The least and the greatest value.
pub(crate) type Range = (f64, f64);

/// The step at which [`Scale::TwoStage`] changes.
const STAGE_STEP: u64 = 30;

/// The steps over which [`Scale::Smooth`] moves.
const SMOOTH_STEPS: u64 = 150;

impl Scaled {
    /// The range after all `scales`. The order of operations is the released code's.
    pub(crate) fn range(self, scales: &[Scale], context: &Context) -> Range {
        let unscaled = match self {
            Self::Format => (0.0, 1.0),
            Self::Correctness => (-3.0, 3.0),
        };
        scales.iter().fold(unscaled, |range, scale| match (*scale, context.progress()) {
            (Scale::EqualMax, _) => self.equal_max(range),
            (_, None) => range,
            (Scale::TwoStage, Some(progress)) => self.two_stage(range, progress.step, STAGE_STEP),
            (Scale::TwoStageAt(change), Some(progress)) => self.two_stage(range, progress.step, change),
            (Scale::Smooth, Some(progress)) => self.smooth(range, progress.step, SMOOTH_STEPS),
            (Scale::SmoothOver(steps), Some(progress)) => self.smooth(range, progress.step, steps),
        })
    }

    fn equal_max(self, range: Range) -> Range {
        match self {
            Self::Format => range,
            Self::Correctness => (-1.0, 1.0),
        }
    }

    fn two_stage(self, (min, max): Range, step: u64, change: u64) -> Range {
        match self {
            Self::Format if step >= change => (min / 2.0, max / 2.0),
            Self::Correctness if step < change => (min / 3.0, max / 3.0),
            _ => (min, max),
        }
    }

    /// Format: max = 2 - (2 - max) t, at least 1; min = -2 + (2 + min) t, at most -1.
    /// Correctness: max = 2 + (max - 2) t, at most 3; min = -2 + (min + 2) t, at least -3.
    /// t = step / steps, not bounded.
    fn smooth(self, (min, max): Range, step: u64, steps: u64) -> Range {
        let (step, steps) = (step as f64, steps.max(1) as f64);
        match self {
            Self::Format => {
                ((-2.0 + (2.0 + min) * step / steps).min(-1.0), (2.0 - (2.0 - max) * step / steps).max(1.0))
            }
            Self::Correctness => {
                (((min + 2.0) * step / steps - 2.0).max(-3.0), ((max - 2.0) * step / steps + 2.0).min(3.0))
            }
        }
    }
}
