//! What becomes of settings in any other trainer.

use serde::Serialize;
use serde_json::{Value, json};
use toolrl_train::{
    CreditKind, DataSource, GrpoConfig, Method, Recipe, RestConfig, RlConfig, Success, TrackerKind,
};

use crate::settings::Mapping;

/// A method's name in recipes.
pub(crate) fn method(method: &Method) -> &'static str {
    match method {
        Method::Sft(_) => "sft",
        Method::Dpo(_) => "dpo",
        Method::Grpo(_) => "grpo",
        Method::Ppo(_) => "ppo",
    }
}

/// A value as a recipe has it.
pub(crate) fn shown(value: &impl Serialize) -> String {
    serde_json::to_value(value).unwrap_or_default().to_string()
}

/// What the exported files hold, and what is of a run of toolrl alone.
pub(crate) fn common(map: &mut Mapping, recipe: &Recipe) {
    map.own(&["device", "devices", "slots", "sampler"], "where and how a run here computes");
    map.met("policy", "the model that the files name");
    map.met("dialect", "gold replies are written in it, and reward.py reads replies by it");
    map.met("prompt", "the prompts are rendered by it");
    map.met("template", "the prompts are rendered with it");
    map.met("data", "train.parquet and held_out.parquet");
    if let DataSource::Mix(_) = recipe.data {
        map.lost("data.mix", "the rows of all sources stand in one table, and none is drawn by its weight");
    }
    map.met("reward", "reward.toml, read by reward.py");
    map.met("environment.kind", "a reply is compared with the gold one");
    map.met("environment.max_turns", "an episode is one turn");
}

/// Which tasks a step takes, and how long they may be.
pub(crate) fn tasks(map: &mut Mapping, rl: &RlConfig) {
    map.met(
        "train.max_prompt_tokens",
        "longer prompts are left out of train.parquet, or cut there, as the recipe says",
    );
    map.met("train.overlong_prompts", "done in the tables");
    map.own(&["train.kept_prompts_mib"], "memory for a run here");
    map.met("train.start_adapters", "the start has none");
    let whole = |key: &str| format!("train.tasks.{key}");
    map.lost_unless(rl.tasks.difficulty.is_none(), &whole("difficulty"), "every task comes once a pass");
    let RestConfig { solved, failed } = rl.tasks.rest;
    map.lost_unless(solved.is_none(), &whole("rest.solved"), "every task comes once a pass");
    map.lost_unless(failed.is_none(), &whole("rest.failed"), "every task comes once a pass");
    map.lost_unless(rl.success == Success::default(), "train.success", "nothing there asks for it");
}

/// Which tokens a reply's advantage goes to.
pub(crate) fn credit(map: &mut Mapping, grpo: &GrpoConfig) {
    let same = grpo.credit == CreditKind::Reply;
    map.lost_unless(same, "train.credit", "all tokens of a reply get its advantage");
}

/// What ends a run here whose numbers go wrong.
pub(crate) fn guards(map: &mut Mapping) {
    map.lost("train.guards", "nothing watches the loss, the gradient and the sampler's log-probabilities");
}

/// What of evaluations no other trainer has.
pub(crate) fn eval(map: &mut Mapping, recipe: &Recipe) {
    let eval = &recipe.eval;
    map.lost_unless(eval.reward.is_none(), "eval.reward", "evaluations report the training's reward");
    for (key, absent, how) in [
        ("eval.final", eval.final_policy.is_none(), "the last policy is what is left"),
        ("eval.stop", eval.stop.is_none(), "the run goes on to its last step"),
        ("eval.sets", eval.sets.is_empty(), "evaluated by toolrl eval --data, on what is trained there"),
        (
            "eval.benchmarks",
            eval.benchmarks.is_empty(),
            "evaluated by toolrl eval bfcl and its like, on what is trained there",
        ),
    ] {
        map.lost_unless(absent, key, how);
    }
    map.own(&["eval.best"], "names the best of the policies that a run here keeps");
}

/// The trackers by their names, which are the same everywhere.
pub(crate) fn trackers(map: &mut Mapping, recipe: &Recipe, name: &str) {
    let kind = |kind| match kind {
        TrackerKind::Mlflow => "mlflow",
        TrackerKind::Trackio => "trackio",
        TrackerKind::Wandb => "wandb",
    };
    let kinds: Vec<&str> = recipe.trackers.iter().map(|tracker| kind(tracker.kind)).collect();
    map.there("trackers", name, with_console(name, &kinds));
    if !kinds.is_empty() {
        map.but("their addresses and folders are told there by environment variables");
    }
}

/// verl prints to the console by a logger of that name.
fn with_console(name: &str, kinds: &[&str]) -> Value {
    if name.starts_with("trainer.") { json!([&["console"][..], kinds].concat()) } else { json!(kinds) }
}
