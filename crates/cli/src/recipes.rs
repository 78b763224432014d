//! The embedded recipes, and recipes from files.

use anyhow::{Context as _, bail};
use toolrl_train::Recipe;

/// Name and text of every embedded recipe.
pub(crate) const EMBEDDED: [(&str, &str); 8] = [
    ("quickstart", include_str!("../recipes/quickstart.toml")),
    ("quickstart-sft", include_str!("../recipes/quickstart-sft.toml")),
    ("quickstart-start", include_str!("../recipes/quickstart-start.toml")),
    ("tiny-sft", include_str!("../recipes/tiny-sft.toml")),
    ("tiny-grpo", include_str!("../recipes/tiny-grpo.toml")),
    ("tiny-ppo", include_str!("../recipes/tiny-ppo.toml")),
    ("sft", include_str!("../recipes/sft.toml")),
    ("grpo", include_str!("../recipes/grpo.toml")),
];

/// Reads the recipe of this name or file, with the overrides set.
pub(crate) fn find(name: &str, overrides: &[String]) -> anyhow::Result<Recipe> {
    if let Some((_, text)) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        return Ok(Recipe::parse(text, overrides)?);
    }
    if !name.ends_with(".toml") {
        let names: Vec<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        bail!("no recipe {name:?}: expected a .toml file or one of {}", names.join(", "));
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Recipe::parse(&text, overrides).with_context(|| name.to_owned())
}

/// The same for a stage of a study.
pub(crate) fn find_for_study(
    name: &str,
    overrides: &[String],
) -> Result<Recipe, Box<dyn std::error::Error + Send + Sync>> {
    Ok(find(name, overrides)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_recipe_is_valid_and_has_its_name() {
        for (name, _) in EMBEDDED {
            assert_eq!(find(name, &[]).unwrap().name, name);
        }
    }

    #[test]
    fn an_unknown_recipe_lists_those_there_are() {
        let message = find("quick", &[]).unwrap_err().to_string();
        assert!(message.contains("quickstart-sft"), "{message}");
        assert!(find("none.toml", &[]).unwrap_err().to_string().contains("none.toml"));
    }
}
