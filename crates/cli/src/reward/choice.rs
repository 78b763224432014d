//! Which reward a command looks at.

use anyhow::{Context as _, bail};
use toolrl_grammar::ToolRl;
use toolrl_grammar::dialect::named;
use toolrl_reward::{Registry, Rubric, RubricConfig};
use toolrl_train::{Method, Recipe};
use toolrl_workbench::{Reward, terms};

use crate::recipes;

/// How to name a reward, for `--help`.
pub(super) const HELP: &str = "\
A REWARD is one of
  released            the released code's reward, in the variant that each row names (the default)
  released:FLAG,FLAG  the same with these flags for every row: released:COARSEREWARD
  tool-n1, star       that of Tool-N1 (binary) or of STAR (rouge_values)
  NAME                that of an embedded recipe, such as grpo
  FILE.toml           that of a recipe, of a run's config.toml, or of a file of [[reward]] terms
  terms:TERM + TERM   terms in place: ID, ID*WEIGHT, ID:KEY=VALUE,KEY=VALUE
Terms that a binary of your own registers can be named like those built in.

A row that says its `step` is scored as in that step of training; others as in evaluation, and by the released \
reward as in step 0.

Examples:
  toolrl reward explain --rows replies.jsonl --html page.html
  toolrl reward explain --rows RUN --recipe RUN/config.toml --html page.html
  toolrl reward diff released \"terms:format + correctness:granularity=strict\" --rows replies.jsonl
  toolrl reward diff released tool-n1 --rows runs/quickstart-1";

/// The reward of a command that looks at one.
#[derive(Clone, Debug, clap::Args)]
pub struct RewardArgs {
    /// The reward: a recipe's name or TOML file, `released`, or as below
    #[arg(long, value_name = "REWARD", default_value = "released")]
    pub recipe: String,
    /// The reward as terms: "format + correctness:granularity=strict + length*0"
    #[arg(long, value_name = "TERMS", conflicts_with = "recipe")]
    pub terms: Option<String>,
}

impl RewardArgs {
    pub(super) fn reward(&self, registry: &Registry) -> anyhow::Result<Chosen> {
        match &self.terms {
            Some(text) => choose(&format!("terms:{text}"), registry),
            None => choose(&self.recipe, registry),
        }
    }
}

/// A reward, and the prompts a step of its recipe.
pub(super) struct Chosen {
    pub reward: Reward,
    pub prompts: Option<usize>,
}

/// The reward of this name.
pub(super) fn choose(name: &str, registry: &Registry) -> anyhow::Result<Chosen> {
    let alone = |reward| Chosen { reward, prompts: None };
    if name == "released" {
        return Ok(alone(Reward::per_row()));
    }
    if let Some(flags) = name.strip_prefix("released:") {
        return Ok(alone(Reward::released(flags)?));
    }
    if let Ok(config) = RubricConfig::preset(name) {
        let rubric = Rubric::from_config(&config, registry)?;
        return Ok(alone(Reward::fixed(name, rubric, DEFAULT_STEPS)));
    }
    if let Some(text) = name.strip_prefix("terms:") {
        let rubric = Rubric::from_config(&terms(text)?, registry)?;
        return Ok(alone(Reward::fixed(name, rubric, DEFAULT_STEPS)));
    }
    if let Some(config) = terms_alone(name)? {
        let rubric = Rubric::from_config(&config, registry).with_context(|| name.to_owned())?;
        return Ok(alone(Reward::fixed(name, rubric, DEFAULT_STEPS)));
    }
    let recipe = recipes::find(name, &[])?;
    let rubric = Rubric::from_config(&recipe.reward, registry).with_context(|| name.to_owned())?;
    let (steps, prompts) = of_training(&recipe);
    // A recipe that has not been run names no dialect where it is found by the data.
    let dialect = named(&recipe.dialect).unwrap_or(&ToolRl);
    Ok(Chosen { reward: Reward::fixed(name, rubric, steps).in_dialect(dialect), prompts })
}

/// The steps of a training run that terms alone do not tell: the paper's.
const DEFAULT_STEPS: u64 = 105;

fn of_training(recipe: &Recipe) -> (u64, Option<usize>) {
    let prompts = match &recipe.train {
        Method::Grpo(grpo) => Some(grpo.rl.prompts),
        Method::Ppo(ppo) => Some(ppo.rl.prompts),
        Method::Sft(_) | Method::Dpo(_) => None,
    };
    (recipe.train.steps().unwrap_or(DEFAULT_STEPS), prompts)
}

/// The terms of a file that holds nothing but a reward; none for a recipe.
fn terms_alone(name: &str) -> anyhow::Result<Option<RubricConfig>> {
    if !name.ends_with(".toml") {
        return Ok(None);
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    let Ok(mut table) = toml::from_str::<toml::Table>(&text) else { return Ok(None) };
    if table.contains_key("train") {
        return Ok(None);
    }
    let Some(reward) = table.remove("reward") else {
        bail!("{name}: neither a recipe, which has [train], nor terms, which are [[reward]]");
    };
    table.remove("name");
    if let Some(key) = table.keys().next() {
        bail!("{name}: unknown key {key:?} beside [[reward]]; a recipe needs [train]");
    }
    let config: Result<RubricConfig, _> = reward.try_into();
    config.map(Some).map_err(|error| anyhow::anyhow!("{name}: [[reward]]: {}", error.message()))
}
