//! What a run's replies are scored by.

use toolrl_reward::Rubric;

/// What replies are scored by.
#[derive(Debug)]
pub struct Rubrics {
    /// In training.
    pub training: Rubric,
    /// In evaluations, where it is another.
    pub evaluation: Option<Rubric>,
}

impl Rubrics {
    /// What evaluations report.
    pub fn of_evaluation(&self) -> &Rubric {
        self.evaluation.as_ref().unwrap_or(&self.training)
    }
}

impl From<Rubric> for Rubrics {
    /// One rubric for both.
    fn from(training: Rubric) -> Self {
        Self { training, evaluation: None }
    }
}
