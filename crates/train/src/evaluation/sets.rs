//! The evaluation sets of a recipe beside its held-out tasks.

use toolrl_chat::Chat;
use toolrl_data::Sample;

use crate::words::check_tools_shown;
use crate::{EvalSet, Recipe, TrainError, in_dialect, load_set};

/// An evaluation set with its tasks, in the policy's dialect.
pub(crate) struct LoadedSet {
    pub name: String,
    pub samples: Vec<Sample>,
    /// The first so many of them are evaluated on.
    limit: Option<usize>,
}

impl LoadedSet {
    /// Reads every set of a recipe.
    ///
    /// # Errors
    /// [`TrainError`] of a file that cannot be read or has no task, of tools that the chat's template does not show, and of a
    /// gold reply that the dialect cannot say.
    pub(crate) fn all(recipe: &Recipe, chat: &Chat) -> Result<Vec<Self>, TrainError> {
        let load = |set: &EvalSet| {
            let samples = load_set(set)?;
            check_tools_shown(recipe, &samples, chat)?;
            let samples = in_dialect(samples, chat.dialect())?;
            Ok(Self { name: set.name.clone(), samples, limit: set.limit })
        };
        recipe.eval.sets.iter().map(load).collect()
    }

    /// What is evaluated on.
    pub(crate) fn tasks(&self) -> &[Sample] {
        &self.samples[..self.limit.unwrap_or(usize::MAX).min(self.samples.len())]
    }
}
