//! Accuracy and mean searches over questions.

/// Sums over the questions that were asked.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Tally {
    questions: usize,
    right: usize,
    f1: f64,
    calls: usize,
}

/// Means over the questions that were asked.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Totals {
    /// How many questions.
    pub questions: usize,
    /// The share that a judge, or exact match, found right: from 0 to 1.
    pub accuracy: f64,
    /// The mean F1, from 0 to 1.
    pub f1: f64,
    /// The mean number of searches a question.
    pub calls: f64,
}

impl Tally {
    /// Counts a question: whether its answer was found right, its F1, and its searches.
    pub fn count(&mut self, right: bool, f1: f64, calls: usize) {
        self.questions += 1;
        self.right += usize::from(right);
        self.f1 += f1;
        self.calls += calls;
    }

    /// The means; `None` over no question.
    pub fn totals(&self) -> Option<Totals> {
        let questions = Some(self.questions).filter(|questions| *questions > 0)?;
        let mean = |sum: f64| sum / questions as f64;
        let (accuracy, calls) = (mean(self.right as f64), mean(self.calls as f64));
        Some(Totals { questions, accuracy, f1: mean(self.f1), calls })
    }
}
