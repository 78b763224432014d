//! Learning rates over the steps of a run.

use std::f64::consts::PI;

/// How the rate falls after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Not at all: ToolRL's GRPO.
    #[default]
    Constant,
    /// Half a cosine down to `floor` (SGDR, arXiv 1608.03983): ToolRL's SFT.
    Cosine,
    /// A straight line down to `floor`.
    Linear,
}

/// A learning rate's factor over a run. `lr * factor(step, steps)` is the rate of a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LrSchedule {
    /// How the rate falls after the warm-up.
    pub decay: Decay,
    /// Share of the run's steps in which the rate rises in equal parts to its full value.
    pub warmup: f64,
    /// The factor that the decay ends at.
    pub floor: f64,
}

impl LrSchedule {
    /// The factor of optimiser step `step` (from 0) of a run of `steps`.
    ///
    /// With `w = ceil(warmup * steps)` it is `(step + 1) / w` for the first `w` steps, so that the
    /// first step is not wasted on a rate of 0; the decay's progress is `(step - w) / (steps - w)`.
    pub fn factor(&self, step: usize, steps: usize) -> f64 {
        let warmup = (self.warmup.clamp(0.0, 1.0) * steps as f64).ceil() as usize;
        if step < warmup {
            return (step + 1) as f64 / warmup as f64;
        }
        let length = steps.saturating_sub(warmup).max(1);
        let progress = ((step - warmup) as f64 / length as f64).min(1.0);
        let remaining = match self.decay {
            Decay::Constant => return 1.0,
            Decay::Cosine => 0.5 * (1.0 + (PI * progress).cos()),
            Decay::Linear => 1.0 - progress,
        };
        self.floor + (1.0 - self.floor) * remaining
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factors() {
        let cases = [
            (Decay::Constant, 0.0, 0.0, [1.0, 1.0, 1.0, 1.0, 1.0]),
            (Decay::Constant, 0.2, 0.0, [0.5, 1.0, 1.0, 1.0, 1.0]),
            (Decay::Linear, 0.2, 0.0, [0.5, 1.0, 1.0, 0.5, 0.125]),
            (Decay::Linear, 0.2, 0.5, [0.5, 1.0, 1.0, 0.75, 0.5625]),
            (Decay::Cosine, 0.2, 0.0, [0.5, 1.0, 1.0, 0.5, 0.038_060_233_744_356_6]),
        ];
        for (decay, warmup, floor, expected) in cases {
            let schedule = LrSchedule { decay, warmup, floor };
            for (step, expected) in [0, 1, 2, 6, 9].into_iter().zip(expected) {
                let found = schedule.factor(step, 10);
                assert!((found - expected).abs() < 1e-12, "{schedule:?} {step}: {found}");
            }
        }
    }

    #[test]
    fn steps_outside_the_run_have_a_factor() {
        let schedule = LrSchedule { decay: Decay::Cosine, warmup: 1.0, floor: 0.1 };
        assert_eq!(schedule.factor(0, 0), 1.0);
        assert!((schedule.factor(50, 10) - 0.1).abs() < 1e-12);
        assert_eq!(schedule.factor(9, 10), 1.0);
    }
}
