//! The embedded recipes, and recipes from files.

use anyhow::{Context as _, bail};
use toolrl_train::Recipe;

/// Name and text of every embedded recipe.
pub(crate) const EMBEDDED: [(&str, &str); 20] = [
    ("quickstart", include_str!("../recipes/quickstart.toml")),
    ("quickstart-sft", include_str!("../recipes/quickstart-sft.toml")),
    ("quickstart-start", include_str!("../recipes/quickstart-start.toml")),
    ("tiny-sft", include_str!("../recipes/tiny-sft.toml")),
    ("tiny-grpo", include_str!("../recipes/tiny-grpo.toml")),
    ("tiny-ppo", include_str!("../recipes/tiny-ppo.toml")),
    ("tiny-rejection", include_str!("../recipes/tiny-rejection.toml")),
    ("tiny-dpo", include_str!("../recipes/tiny-dpo.toml")),
    ("laptop-sft", include_str!("../recipes/laptop-sft.toml")),
    ("laptop", include_str!("../recipes/laptop.toml")),
    ("laptop-ppo", include_str!("../recipes/laptop-ppo.toml")),
    ("laptop-test", include_str!("../recipes/laptop-test.toml")),
    ("sft", include_str!("../recipes/sft.toml")),
    ("grpo", include_str!("../recipes/grpo.toml")),
    ("ppo", include_str!("../recipes/ppo.toml")),
    ("rejection", include_str!("../recipes/rejection.toml")),
    ("dpo", include_str!("../recipes/dpo.toml")),
    ("paper-sft", include_str!("../recipes/paper-sft.toml")),
    ("paper-grpo", include_str!("../recipes/paper-grpo.toml")),
    ("paper-ppo", include_str!("../recipes/paper-ppo.toml")),
];

/// The paper's models: what is added to the name of one of its recipes, and the model's name on the Hub.
const MODELS: [(&str, &str); 4] = [
    ("-qwen2.5-1.5b", "Qwen/Qwen2.5-1.5B-Instruct"),
    ("-qwen2.5-3b", "Qwen/Qwen2.5-3B-Instruct"),
    ("-qwen2.5-7b", "Qwen/Qwen2.5-7B-Instruct"),
    ("-llama-3.2-3b", "meta-llama/Llama-3.2-3B-Instruct"),
];

/// Reads the recipe of this name or file, with the overrides set.
pub(crate) fn find(name: &str, overrides: &[String]) -> anyhow::Result<Recipe> {
    if let Some((_, text)) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        return Ok(Recipe::parse(text, overrides)?);
    }
    if let Some((text, model)) = of_paper(name) {
        let own = [format!("name=\"{name}\""), format!("policy.dir=\"{model}\"")];
        return Ok(Recipe::parse(text, &[&own, overrides].concat())?);
    }
    if !name.ends_with(".toml") {
        let names: Vec<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        let models: Vec<_> = MODELS.iter().map(|(suffix, _)| *suffix).collect();
        bail!(
            "no recipe {name:?}: expected a .toml file or one of {}; those of the paper may end in {}",
            names.join(", "),
            models.join(", ")
        );
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Recipe::parse(&text, overrides).with_context(|| name.to_owned())
}

/// One of the paper's recipes with one of its models: the recipe's text and the model.
fn of_paper(name: &str) -> Option<(&'static str, &'static str)> {
    MODELS.iter().find_map(|(suffix, model)| {
        let recipe = name.strip_suffix(suffix).filter(|recipe| recipe.starts_with("paper-"))?;
        EMBEDDED.iter().find(|(embedded, _)| *embedded == recipe).map(|(_, text)| (*text, *model))
    })
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
    use toolrl_train::{Method, PolicySource};

    use super::*;

    #[test]
    fn every_embedded_recipe_is_valid_and_has_its_name() {
        for (name, _) in EMBEDDED {
            assert_eq!(find(name, &[]).unwrap().name, name);
        }
    }

    #[test]
    fn the_papers_recipes_are_there_for_each_of_its_models() {
        for (suffix, model) in MODELS {
            for method in ["sft", "grpo", "ppo"] {
                let name = format!("paper-{method}{suffix}");
                let recipe = find(&name, &["seed=5".to_owned()]).unwrap();
                assert_eq!((recipe.name, recipe.seed), (name, 5));
                assert_eq!(recipe.policy, Some(PolicySource::Dir(model.into())));
            }
        }
        // The settings of the released runs.
        let Method::Grpo(grpo) = find("paper-grpo", &[]).unwrap().train else { unreachable!() };
        assert_eq!((grpo.rl.prompts, grpo.group_size, grpo.rl.updates, grpo.rl.steps), (512, 4, 4, 105));
        assert_eq!((grpo.rl.optimizer.lr, grpo.rl.max_prompt_tokens), (1e-6, 2048));
        assert_eq!((grpo.rl.loss.kl, grpo.rl.kl_penalty, grpo.rl.loss.entropy_coef), (None, None, 0.001));
        let Method::Ppo(ppo) = find("paper-ppo", &[]).unwrap().train else { unreachable!() };
        assert_eq!((ppo.group_size, ppo.critic.optimizer.lr, ppo.critic.value_clip), (1, 1e-5, 0.5));
        assert_eq!((ppo.gae.gamma, ppo.gae.lambda), (1.0, 1.0));
    }

    #[test]
    fn an_unknown_recipe_lists_those_there_are() {
        for name in ["quick", "quickstart-qwen2.5-3b", "paper-dpo-qwen2.5-3b"] {
            let message = find(name, &[]).unwrap_err().to_string();
            assert!(message.contains("quickstart-sft") && message.contains("-qwen2.5-7b"), "{message}");
        }
        assert!(find("none.toml", &[]).unwrap_err().to_string().contains("none.toml"));
    }
}
