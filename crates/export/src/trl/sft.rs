//! A recipe of SFT in the words of TRL's `SFTConfig`.

use toolrl_policy::{Activations, Precision};
use toolrl_train::{Demonstrated, Recipe, SftConfig};

use crate::ExportError;
use crate::settings::{Mapping, Settings};
use crate::shared;

use super::batch::{MICRO, UPDATE};
use super::{lora, optimizer};

/// Every setting with its counterpart.
pub(crate) fn settings(shown: &Demonstrated, sft: &SftConfig) -> Result<Settings, ExportError> {
    let recipe = &shown.recipe;
    let mut map = Mapping::default();
    shared::common(&mut map, recipe);
    map.there("name", "run_name", recipe.name.as_str());
    map.there("seed", "seed", recipe.seed);
    map.there("precision", "bf16", recipe.precision == Precision::Bf16);
    map.met("train.method", "SFTTrainer");
    let none = "nothing is sampled in training";
    map.own(&["sampling", "reward"], none);
    let offline = &sft.offline;
    let decides = if offline.steps.is_some() { "train.steps" } else { "train.epochs" };
    map.there(decides, "max_steps", shown.steps);
    map.met(
        if offline.steps.is_some() { "train.epochs" } else { "train.steps" },
        format!("{decides} decides"),
    );
    map.there("train.batch", UPDATE, offline.batch);
    map.but("train.py divides it by the micro-batch and the processes: gradient_accumulation_steps");
    let micro = (offline.micro_tokens / offline.max_tokens.max(1)).clamp(1, offline.batch);
    map.there("train.micro_tokens", MICRO, micro);
    map.but("counted in rows of train.max_tokens, padded; at least one");
    map.there("train.max_tokens", "max_length", offline.max_tokens);
    map.met("train.overlong_prompts", "done in the tables");
    map.met("train.start_adapters", "the start has none");
    map.there("train.activations", "gradient_checkpointing", offline.activations == Activations::Recompute);
    map.lost_unless(sft.prompt_loss == 0.0, "train.prompt_loss", "prompts have no loss");
    lora(&mut map, offline.lora.as_ref());
    optimizer(&mut map, &offline.optimizer);
    shared::guards(&mut map);
    super::saves(&mut map, (offline.checkpoint_every, offline.checkpoint_keep), 1);
    evaluation(&mut map, recipe);
    map.given("packing", false);
    map.given("completion_only_loss", true);
    map.over(recipe)
}

fn evaluation(map: &mut Mapping, recipe: &Recipe) {
    shared::eval(map, recipe);
    let every = recipe.eval.every;
    map.there("eval.every", "eval_strategy", if every > 0 { "steps" } else { "no" });
    if every > 0 {
        map.there("eval.every", "eval_steps", every);
    }
    map.but("the loss on gold replies; toolrl eval has replies to held-out tasks, and their reward");
    map.there("eval.limit", super::eval::LIMIT, recipe.eval.limit);
    map.own(
        &["eval.max_new_tokens", "eval.samples", "eval.temperature", "eval.top_p"],
        "no reply is drawn there",
    );
    shared::trackers(map, recipe, "report_to");
}
