//! When a reply is scored.

/// When a reply is scored. Schedules read it, and nothing else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Context {
    progress: Option<Progress>,
}

/// How far a training run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// The training step: the trainer counts from 1.
    pub step: u64,
    /// The steps of the whole run.
    pub total_steps: u64,
}

impl Context {
    /// A step of training.
    pub fn training(step: u64, total_steps: u64) -> Self {
        Self { progress: Some(Progress { step, total_steps }) }
    }

    /// Evaluation: no schedule applies, so that validation scores of different steps compare.
    pub fn evaluation() -> Self {
        Self { progress: None }
    }

    /// How far training is; `None` in evaluation.
    pub fn progress(&self) -> Option<Progress> {
        self.progress
    }
}
