//! A recipe of GRPO in the words of TRL's `GRPOConfig`.

mod batch;
mod eval;
mod files;
mod loss;
pub(crate) mod sft;

use serde_json::{Value, json};
use toolrl_grpo::{AdvantageKind, Decay, LrSchedule};
use toolrl_policy::{Activations, LoraConfig, Precision};
use toolrl_train::{GroupFilter, GrpoConfig, MomentStorage, OptimizerConfig, Prompted, RlConfig};

use crate::ExportError;
use crate::settings::{Mapping, Settings, number};
use crate::shared;

use batch::Batch;
pub(crate) use files::write;

/// The release whose settings these are.
pub(crate) const RELEASE: &str = "TRL 1.16.0";

/// Names of settings that are no arguments of `GRPOConfig` have a dot. These begin those of PEFT's `LoraConfig`, and of a
/// second reward function.
const LORA: &str = "settings.PEFT.";
const OVERLONG: &str = "settings.OVERLONG.";

/// Every setting with its counterpart.
///
/// # Errors
/// [`ExportError::Unsupported`] for advantages and steps that TRL does not have.
pub(crate) fn settings(prompted: &Prompted, grpo: &GrpoConfig) -> Result<Settings, ExportError> {
    let recipe = &prompted.recipe;
    let batch = Batch::of(grpo)?;
    let mut map = Mapping::default();
    shared::common(&mut map, recipe);
    map.there("name", "run_name", recipe.name.as_str());
    map.there("seed", "seed", recipe.seed);
    let bf16 = recipe.precision == Precision::Bf16;
    map.there("precision", "bf16", bf16);
    if bf16 {
        map.but("weights are loaded and kept in f32, as the masters here, and multiplied in bf16");
    }
    sampling(&mut map, prompted);
    map.met("train.method", "GRPOTrainer");
    batch.map(&mut map, grpo, prompted.steps);
    eval::map(&mut map, recipe, &batch);
    rl(&mut map, &grpo.rl, &batch);
    loss::map(&mut map, grpo, recipe.sampling.max_new_tokens);
    advantage(&mut map, grpo)?;
    optimizer(&mut map, &grpo.rl.optimizer);
    map.given("remove_unused_columns", false);
    map.over(recipe)
}

fn sampling(map: &mut Mapping, prompted: &Prompted) {
    let params = &prompted.recipe.sampling;
    map.there("sampling.temperature", "temperature", number(params.temperature));
    map.there("sampling.top_k", "top_k", params.top_k);
    map.there("sampling.top_p", "top_p", number(params.top_p));
    let min_p = (params.min_p > 0.0).then(|| number(params.min_p));
    map.there("sampling.min_p", "min_p", min_p.unwrap_or_default());
    map.there("sampling.max_new_tokens", "max_completion_length", params.max_new_tokens);
    map.lost_unless(
        params.stop.is_empty(),
        "sampling.stop",
        "a reply ends with the tokens in train.py alone",
    );
    map.lost_unless(
        !params.include_stop_str_in_output,
        "sampling.include_stop_str_in_output",
        "a reply ends with the tokens in train.py alone",
    );
}

fn rl(map: &mut Mapping, rl: &RlConfig, batch: &Batch) {
    shared::tasks(map, rl);
    map.there("train.activations", "gradient_checkpointing", rl.activations == Activations::Recompute);
    lora(map, rl.lora.as_ref());
    match rl.kl_penalty {
        None => map.met("train.kl_penalty", "as there"),
        Some(_) => map.lost(
            "train.kl_penalty",
            "no divergence is taken off the reward: train.loss.kl has a counterpart",
        ),
    }
    match rl.overlong {
        None => map.met("train.overlong", "as there"),
        Some(overlong) => {
            map.there("train.overlong.buffer", &format!("{OVERLONG}soft_punish_cache"), overlong.buffer);
            map.there("train.overlong.penalty", &format!("{OVERLONG}weight"), overlong.penalty);
        }
    }
    map.there("train.truncated", "mask_truncated_completions", rl.truncated == toolrl_train::Truncated::Mask);
    shared::guards(map);
    saves(map, (rl.checkpoint_every, rl.checkpoint_keep), batch.updates_a_step());
}

/// Checkpoints every so many steps of so many updates, and how many are kept.
fn saves(map: &mut Mapping, (every, keep): (u64, usize), updates: u64) {
    map.there("train.checkpoint_every", "save_strategy", if every > 0 { "steps" } else { "no" });
    if every > 0 {
        map.there("train.checkpoint_every", "save_steps", every * updates);
        map.but("counted in updates");
    }
    map.there("train.checkpoint_keep", "save_total_limit", keep);
    map.but("the best one is not kept beside them");
}

fn lora(map: &mut Mapping, lora: Option<&LoraConfig>) {
    let Some(LoraConfig { rank, alpha, dropout, target_modules }) = lora else {
        map.met("train.lora", "none, as there");
        return;
    };
    let name = |name: &str| format!("{LORA}{name}");
    map.there("train.lora.rank", &name("r"), *rank);
    map.there("train.lora.alpha", &name("lora_alpha"), *alpha);
    map.there("train.lora.dropout", &name("lora_dropout"), *dropout);
    map.there("train.lora.target_modules", &name("target_modules"), json!(target_modules));
}

fn advantage(map: &mut Mapping, grpo: &GrpoConfig) -> Result<(), ExportError> {
    let key = "train.advantage";
    match grpo.advantage {
        AdvantageKind::GroupNormalized => map.there(key, "scale_rewards", "group"),
        AdvantageKind::MeanCentered => map.there(key, "scale_rewards", "none"),
        AdvantageKind::BatchScaled => map.there(key, "scale_rewards", "batch"),
        _ => {
            return Err(ExportError::Unsupported {
                trainer: RELEASE,
                key,
                value: shared::shown(&grpo.advantage),
                what: "its GRPOTrainer has group_normalized, mean_centered and batch_scaled; verl has others"
                    .to_owned(),
            });
        }
    };
    let divides = grpo.advantage != AdvantageKind::MeanCentered;
    map.lost_unless(!divides, "train.advantage_epsilon", "0.0001 is added to the standard deviation");
    shared::credit(map, grpo);
    match grpo.groups {
        GroupFilter::All => map.met("train.groups", "all, as there"),
        _ => map
            .lost("train.groups", "all groups are trained on, those of equal rewards with an advantage of 0"),
    }
    Ok(())
}

fn optimizer(map: &mut Mapping, of: &OptimizerConfig) {
    let key = |name: &str| format!("train.optimizer.{name}");
    map.there(&key("lr"), "learning_rate", of.lr);
    let optim = if of.moments == MomentStorage::EightBit { "adamw_bnb_8bit" } else { "adamw_torch" };
    map.there(&key("moments"), "optim", optim);
    map.there(&key("adamw.beta1"), "adam_beta1", of.adamw.beta1);
    map.there(&key("adamw.beta2"), "adam_beta2", of.adamw.beta2);
    map.there(&key("adamw.epsilon"), "adam_epsilon", of.adamw.epsilon);
    map.there(&key("adamw.weight_decay"), "weight_decay", of.adamw.weight_decay);
    map.but("biases and norms do not decay there");
    map.there(&key("max_grad_norm"), "max_grad_norm", of.max_grad_norm);
    schedule(map, &of.schedule, of.lr);
}

fn schedule(map: &mut Mapping, of: &LrSchedule, lr: f64) {
    let (name, more) = match (of.decay, of.floor > 0.0, of.warmup > 0.0) {
        (Decay::Constant, _, false) => ("constant", Value::Null),
        (Decay::Constant, _, true) => ("constant_with_warmup", Value::Null),
        (Decay::Cosine, false, _) => ("cosine", Value::Null),
        (Decay::Cosine, true, _) => ("cosine_with_min_lr", json!({ "min_lr_rate": of.floor })),
        (Decay::Linear, false, _) => ("linear", Value::Null),
        (Decay::Linear, true, _) => ("polynomial", json!({ "lr_end": lr * of.floor, "power": 1.0 })),
    };
    map.there("train.optimizer.schedule.decay", "lr_scheduler_type", name);
    map.but("the rate changes with each update, not with each step");
    map.there("train.optimizer.schedule.floor", "lr_scheduler_kwargs", more);
    map.there("train.optimizer.schedule.warmup", "warmup_steps", of.warmup);
    map.but("a share, rounded up in updates; the first update there has a rate of 0");
}
