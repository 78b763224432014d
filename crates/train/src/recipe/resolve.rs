//! A recipe that means the same anywhere and on any day.

use std::path::PathBuf;

use toolrl_chat::TemplateDate;
use toolrl_scorers::settle;
use toolrl_trackers::TrackerConfig;

use super::{AdaptersOn, BenchmarkConfig, CHATML, DataSource, NATIVE, PolicySource, Recipe, TOOLRL};
use crate::TrainError;

impl Recipe {
    /// The same with absolute paths and a date for templates, so that a run can go on from any working directory and on
    /// any day.
    ///
    /// # Errors
    /// [`TrainError::Recipe`] where there is no working directory.
    pub fn resolved(&self) -> Result<Self, TrainError> {
        let mut recipe = self.clone();
        recipe.template.date.get_or_insert_with(TemplateDate::now);
        let of_policy = match &mut recipe.policy {
            Some(PolicySource::Dir(dir)) => vec![dir],
            Some(PolicySource::Adapters(AdaptersOn { dir, base })) => vec![dir, base],
            _ => Vec::new(),
        };
        if let DataSource::Completions(completions) = &mut recipe.data {
            completions.last_step = completions.steps()?.last().copied();
        }
        let of_data = recipe.data.paths();
        let mut of_prompt = PathBuf::from(&recipe.prompt);
        let is_file = ![NATIVE, TOOLRL, CHATML].contains(&recipe.prompt.as_str());
        let of_benchmarks = recipe.eval.benchmarks.iter_mut().flat_map(BenchmarkConfig::paths);
        let of_sets = recipe.eval.sets.iter_mut().map(|set| &mut set.data);
        let of_eval = of_sets.chain(of_benchmarks);
        let of_prompt_file = is_file.then_some(&mut of_prompt);
        let of_trackers = recipe.trackers.iter_mut().flat_map(TrackerConfig::paths);
        let of_sampler = recipe.sampler.paths();
        let paths =
            of_policy.into_iter().chain(of_data).chain(of_eval).chain(of_prompt_file).chain(of_sampler);
        for path in paths.chain(of_trackers) {
            let shown = path.display();
            *path = std::path::absolute(&*path).map_err(|e| TrainError::Recipe(format!("{shown}: {e}")))?;
        }
        recipe.prompt = of_prompt.display().to_string();
        let of_evaluation = recipe.eval.reward.iter_mut().flat_map(|reward| &mut reward.terms);
        for term in recipe.reward.terms.iter_mut().chain(of_evaluation) {
            settle(term).map_err(|e| TrainError::Recipe(format!("reward {:?}: {e}", term.id)))?;
        }
        Ok(recipe)
    }
}
