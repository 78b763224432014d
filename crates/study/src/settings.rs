//! Whether a run that lies in a folder is the one that is planned.

use std::path::absolute;

use toolrl_train::{CompletionsConfig, DataSource, Recipe};

/// Whether a recipe that a run left is the planned one, but for where its policy lies, as the folder may have been moved,
/// and for the day that it was done on.
pub(crate) fn same_settings(found: &Recipe, planned: &Recipe) -> bool {
    let mut planned = planned.clone();
    planned.template.date = planned.template.date.or(found.template.date);
    planned.dialect.clone_from(&found.dialect);
    let bare = |recipe: &Recipe| Recipe { policy: None, trackers: Vec::new(), ..recipe.clone() };
    let (found, planned) = (bare(found), bare(&planned));
    match (found.resolved(), planned.resolved()) {
        (Ok(found), Ok(planned)) => found == planned,
        _ => same_without_completions(found, planned),
    }
}

/// The same of recipes on completions that are no longer there: the last step that was learned from, where the planned one
/// does not say it, stands in what was found alone.
fn same_without_completions(mut found: Recipe, mut planned: Recipe) -> bool {
    let (DataSource::Completions(was), DataSource::Completions(is)) =
        (std::mem::take(&mut found.data), std::mem::take(&mut planned.data))
    else {
        return false;
    };
    let is = CompletionsConfig { last_step: is.last_step.or(was.last_step), ..is };
    let (Ok(from), Ok(of)) = (absolute(&was.run), absolute(&is.run)) else { return false };
    let same_data = from == of && was == CompletionsConfig { run: was.run.clone(), ..is };
    match (found.resolved(), planned.resolved()) {
        (Ok(found), Ok(planned)) => same_data && found == planned,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Recipes on what a run sampled that is not there are not the same for that.
    #[test]
    fn settings_differ_where_completions_are_gone() {
        let text = "name = \"d\"\n[template]\ndate = \"2026-01-02\"\n[data.completions]\nrun = \"gone\"\n\
                    [train]\nmethod = \"sft\"\n";
        let recipe = |set: &[&str]| {
            let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
            Recipe::parse(text, &set).unwrap()
        };
        let run = format!("data.completions.run={:?}", absolute("gone").unwrap().display().to_string());
        let found = recipe(&[run.as_str(), "data.completions.last_step=3"]);
        assert!(found.resolved().is_err());
        assert!(same_settings(&found, &recipe(&[])), "a path and a step that the run filled in");
        for other in [
            "slots=4",
            "data.completions.run=lost",
            "data.completions.last_step=2",
            "data.completions.min_margin=1.0",
            "data.world.seed=2",
        ] {
            let other = recipe(&[other]);
            assert!(!same_settings(&found, &other), "{other:?}");
        }
    }
}
