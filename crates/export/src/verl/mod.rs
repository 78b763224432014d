//! A recipe of GRPO or PPO in the words of verl's configuration.

mod critic;
mod files;
mod loss;

use serde_json::json;
use toolrl_grpo::{AdvantageKind, Decay, KlEstimator, KlPenalty};
use toolrl_policy::{Activations, LoraConfig, Precision};
use toolrl_train::{
    GroupFilter, GrpoConfig, Method, MomentStorage, OptimizerConfig, PassOrder, PpoConfig, Prompted, Recipe,
    ResampleBy, RlConfig, Truncated,
};

use crate::ExportError;
use crate::settings::{Mapping, Settings, number};
use crate::shared;

pub(crate) use files::write;

/// The release whose settings these are.
pub(crate) const RELEASE: &str = "verl 0.9.1";

const ACTOR: &str = "actor_rollout_ref.actor";
const MODEL: &str = "actor_rollout_ref.model";
const ROLLOUT: &str = "actor_rollout_ref.rollout";

/// Every setting with its counterpart.
///
/// # Errors
/// [`ExportError::Unsupported`] for advantages and steps that verl does not have.
pub(crate) fn settings(prompted: &Prompted) -> Result<Settings, ExportError> {
    let recipe = &prompted.recipe;
    let mut map = Mapping::default();
    shared::common(&mut map, recipe);
    if recipe.reward.follows_the_step() {
        map.lost(
            "reward",
            "no schedule moves: rewards are those of an evaluation, for nothing tells the step",
        );
    }
    map.there("name", "trainer.experiment_name", recipe.name.as_str());
    map.there("seed", "data.seed", recipe.seed).there("seed", &format!("{ROLLOUT}.seed"), recipe.seed);
    match &recipe.train {
        Method::Grpo(grpo) => {
            map.met("train.method", "algorithm.adv_estimator, as train.advantage says");
            rl(&mut map, prompted, &grpo.rl, grpo.group_size)?;
            advantage(&mut map, recipe, grpo)?;
        }
        Method::Ppo(ppo @ PpoConfig { rl: shared, group_size, .. }) => {
            map.there("train.method", "algorithm.adv_estimator", "gae");
            rl(&mut map, prompted, shared, *group_size)?;
            critic::map(&mut map, ppo, recipe.precision);
        }
        // Refused before.
        Method::Sft(_) | Method::Dpo(_) => {}
    }
    precision(&mut map, recipe.precision);
    sampling(&mut map, recipe);
    evaluation(&mut map, recipe);
    given(&mut map);
    map.over(recipe)
}

/// What verl has to be told whatever the recipe is.
fn given(map: &mut Mapping) {
    map.given("trainer.project_name", "toolrl");
    map.given(&format!("{ROLLOUT}.name"), "vllm");
    map.given(&format!("{ROLLOUT}.tensor_model_parallel_size"), 1);
    map.given("data.filter_overlong_prompts", false);
    map.given("data.truncation", "error");
    map.given("reward.custom_reward_function.name", "compute_score");
}

fn precision(map: &mut Mapping, precision: Precision) {
    let dtype = if precision == Precision::Bf16 { "bfloat16" } else { "float32" };
    for place in
        [format!("{ACTOR}.fsdp_config"), "actor_rollout_ref.ref.fsdp_config".to_owned(), ROLLOUT.to_owned()]
    {
        map.there("precision", &format!("{place}.dtype"), dtype);
    }
    map.there("precision", &format!("{ACTOR}.fsdp_config.model_dtype"), "fp32");
    map.but("masters of the weights are f32 in either");
}

fn sampling(map: &mut Mapping, recipe: &Recipe) {
    let params = &recipe.sampling;
    map.there("sampling.temperature", &format!("{ROLLOUT}.temperature"), number(params.temperature));
    let top_k = if params.top_k == 0 { json!(-1) } else { json!(params.top_k) };
    map.there("sampling.top_k", &format!("{ROLLOUT}.top_k"), top_k);
    map.there("sampling.top_p", &format!("{ROLLOUT}.top_p"), number(params.top_p));
    map.lost_unless(params.min_p == 0.0, "sampling.min_p", "no token is left out by it");
    map.there("sampling.max_new_tokens", "data.max_response_length", params.max_new_tokens);
    let tokens = "a reply ends with the eos tokens of the model's files alone";
    map.lost_unless(params.stop.is_empty(), "sampling.stop", tokens);
    map.lost_unless(!params.include_stop_str_in_output, "sampling.include_stop_str_in_output", tokens);
}

fn evaluation(map: &mut Mapping, recipe: &Recipe) {
    let eval = &recipe.eval;
    shared::eval(map, recipe);
    map.there("eval.every", "trainer.test_freq", if eval.every > 0 { json!(eval.every) } else { json!(-1) });
    map.there("eval.every", "trainer.val_before_train", true);
    map.there("eval.limit", "data.val_max_samples", eval.limit.map_or(json!(-1), |limit| json!(limit)));
    if eval.limit.is_some() {
        map.but("drawn by data.seed, not the first ones");
    }
    let same = eval.max_new_tokens == recipe.sampling.max_new_tokens;
    map.lost_unless(same, "eval.max_new_tokens", "evaluations have the training's data.max_response_length");
    let none = eval.samples == 0;
    for key in ["eval.samples", "eval.temperature", "eval.top_p"] {
        map.lost_unless(
            none,
            key,
            "evaluations take the greedy reply alone (actor_rollout_ref.rollout.val_kwargs)",
        );
    }
    shared::trackers(map, recipe, "trainer.logger");
}

fn rl(map: &mut Mapping, prompted: &Prompted, rl: &RlConfig, group_size: usize) -> Result<(), ExportError> {
    shared::tasks(map, rl);
    batch(map, prompted, rl, group_size)?;
    let keeps = rl.activations == Activations::Keep;
    map.there("train.activations", &format!("{MODEL}.enable_gradient_checkpointing"), !keeps);
    lora(map, rl.lora.as_ref());
    loss::map(map, rl);
    kl_penalty(map, rl.kl_penalty.as_ref());
    overlong(map, rl, &prompted.recipe);
    map.lost_unless(
        rl.truncated == Truncated::Keep,
        "train.truncated",
        "cut replies are trained on as the others are",
    );
    optimizer(map, "train.optimizer", ACTOR, &rl.optimizer);
    map.there("train.optimizer.max_grad_norm", &format!("{ACTOR}.grad_clip"), rl.optimizer.max_grad_norm);
    shared::guards(map);
    let every = if rl.checkpoint_every == 0 { prompted.steps } else { rl.checkpoint_every };
    map.there("train.checkpoint_every", "trainer.save_freq", every);
    if rl.checkpoint_every == 0 {
        map.but("the last policy is a checkpoint there");
    }
    map.there("train.checkpoint_keep", "trainer.max_actor_ckpt_to_keep", rl.checkpoint_keep);
    map.but("the best one is not kept beside them");
    Ok(())
}

fn batch(
    map: &mut Mapping,
    prompted: &Prompted,
    rl: &RlConfig,
    group_size: usize,
) -> Result<(), ExportError> {
    if !rl.prompts.is_multiple_of(rl.updates) {
        let what = format!(
            "all updates are of one size there, and train.prompts = {} is no multiple of it",
            rl.prompts
        );
        let value = rl.updates.to_string();
        return Err(ExportError::Unsupported { trainer: RELEASE, key: "train.updates", value, what });
    }
    // The last prompts of a pass that do not fill a step are left out there.
    let steps_a_pass = (prompted.train.len() / rl.prompts).max(1) as u64;
    let (decides, other) =
        if rl.epochs.is_some() { ("train.epochs", "train.steps") } else { ("train.steps", "train.epochs") };
    map.there(decides, "trainer.total_training_steps", prompted.steps);
    map.there(decides, "trainer.total_epochs", prompted.steps.div_ceil(steps_a_pass));
    map.met(other, format!("{decides} decides"));
    map.there("train.prompts", "data.train_batch_size", rl.prompts);
    map.there("train.updates", &format!("{ACTOR}.ppo_mini_batch_size"), rl.prompts / rl.updates);
    map.but("counted in prompts");
    map.there("train.passes", &format!("{ACTOR}.ppo_epochs"), rl.passes);
    map.there("train.pass_order", &format!("{ACTOR}.shuffle"), rl.pass_order == PassOrder::Shuffled);
    map.there("train.group_size", &format!("{ROLLOUT}.n"), group_size);
    let longest = prompted.train.iter().chain(&prompted.held_out).map(|task| task.prompt.tokens.len()).max();
    let longest = rl.max_prompt_tokens.max(longest.unwrap_or_default());
    map.there("train.max_prompt_tokens", "data.max_prompt_length", longest);
    map.but("or that of the longest held-out prompt; longer ones are not in the table");
    let tokens = rl.micro_tokens.max(longest + prompted.recipe.sampling.max_new_tokens);
    map.there("train.micro_tokens", &format!("{ACTOR}.use_dynamic_bsz"), true);
    map.there("train.micro_tokens", &format!("{ACTOR}.ppo_max_token_len_per_gpu"), tokens);
    map.but("at least the longest prompt with its reply");
    Ok(())
}

fn lora(map: &mut Mapping, lora: Option<&LoraConfig>) {
    let Some(LoraConfig { rank, alpha, dropout, target_modules }) = lora else {
        map.there("train.lora", &format!("{MODEL}.lora_rank"), 0);
        return;
    };
    map.there("train.lora.rank", &format!("{MODEL}.lora_rank"), *rank);
    map.there("train.lora.alpha", &format!("{MODEL}.lora_alpha"), alpha.round() as i64);
    if alpha.fract() != 0.0 {
        map.but("a whole number there");
    }
    map.lost_unless(*dropout == 0.0, "train.lora.dropout", "adapters have none");
    map.there("train.lora.target_modules", &format!("{MODEL}.target_modules"), json!(target_modules));
}

fn kl_penalty(map: &mut Mapping, penalty: Option<&KlPenalty>) {
    let Some(penalty) = penalty else {
        map.there("train.kl_penalty", "algorithm.use_kl_in_reward", false);
        return;
    };
    map.there("train.kl_penalty.coef", "algorithm.use_kl_in_reward", true);
    map.there("train.kl_penalty.coef", "algorithm.kl_ctrl.kl_coef", penalty.coef);
    let estimator = match penalty.estimator {
        KlEstimator::K1 => "kl",
        KlEstimator::K2 => "mse",
        KlEstimator::K3 => "low_var_kl",
    };
    map.there("train.kl_penalty.estimator", "algorithm.kl_penalty", estimator);
    let adaptive = penalty.adaptive();
    let kind = if adaptive.is_some() { "adaptive" } else { "fixed" };
    map.there("train.kl_penalty.target", "algorithm.kl_ctrl.type", kind);
    match adaptive {
        Some(adaptive) => {
            map.there("train.kl_penalty.target", "algorithm.kl_ctrl.target_kl", adaptive.target);
            map.there("train.kl_penalty.horizon", "algorithm.kl_ctrl.horizon", adaptive.horizon);
        }
        None => map.met("train.kl_penalty.horizon", "the coefficient stays"),
    }
}

fn overlong(map: &mut Mapping, rl: &RlConfig, recipe: &Recipe) {
    let Some(overlong) = rl.overlong else {
        map.met("train.overlong", "as there");
        return;
    };
    if matches!(&recipe.train, Method::Grpo(grpo) if grpo.advantage == AdvantageKind::RewardDecoupled) {
        map.lost("train.overlong", "nothing is taken off the reward: gdpo has a reward manager of its own");
        return;
    }
    let name = |name: &str| format!("reward.reward_kwargs.{name}");
    map.there("train.overlong.buffer", "reward.reward_manager.name", "dapo");
    map.there("train.overlong.buffer", &name("max_resp_len"), recipe.sampling.max_new_tokens);
    map.there("train.overlong.buffer", &name("overlong_buffer_cfg.enable"), true);
    map.there("train.overlong.buffer", &name("overlong_buffer_cfg.log"), true);
    map.there("train.overlong.buffer", &name("overlong_buffer_cfg.len"), overlong.buffer);
    map.there("train.overlong.penalty", &name("overlong_buffer_cfg.penalty_factor"), overlong.penalty);
}

/// AdamW of the actor or the critic, whose place there this is.
fn optimizer(map: &mut Mapping, key: &str, place: &str, of: &OptimizerConfig) {
    let (key, name) = (|of: &str| format!("{key}.{of}"), |of: &str| format!("{place}.optim.{of}"));
    map.there(&key("lr"), &name("lr"), of.lr);
    let (optimizer, module) = match of.moments {
        MomentStorage::F32 => ("AdamW", "torch.optim"),
        MomentStorage::EightBit => ("AdamW8bit", "bitsandbytes.optim"),
    };
    map.there(&key("moments"), &name("optimizer"), optimizer).there(
        &key("moments"),
        &name("optimizer_impl"),
        module,
    );
    map.there(&key("adamw.beta1"), &name("betas"), json!([of.adamw.beta1, of.adamw.beta2]));
    map.met(&key("adamw.beta2"), "in betas");
    map.there(&key("adamw.epsilon"), &name("override_optimizer_config.eps"), of.adamw.epsilon);
    map.there(&key("adamw.weight_decay"), &name("weight_decay"), of.adamw.weight_decay);
    map.there(&key("max_grad_norm"), &name("clip_grad"), of.max_grad_norm);
    let schedule = &of.schedule;
    match schedule.decay {
        Decay::Constant => drop(map.there(&key("schedule.decay"), &name("lr_scheduler_type"), "constant")),
        Decay::Cosine => drop(map.there(&key("schedule.decay"), &name("lr_scheduler_type"), "cosine")),
        Decay::Linear => {
            map.lost(&key("schedule.decay"), "the rate is constant: verl has constant and cosine alone")
        }
    }
    map.there(&key("schedule.warmup"), &name("lr_warmup_steps_ratio"), schedule.warmup);
    map.there(&key("schedule.floor"), &name("min_lr_ratio"), schedule.floor);
}

fn advantage(map: &mut Mapping, recipe: &Recipe, grpo: &GrpoConfig) -> Result<(), ExportError> {
    let key = "train.advantage";
    let name = "algorithm.adv_estimator";
    let mut by_std = None;
    match grpo.advantage {
        AdvantageKind::GroupNormalized => by_std = Some(true),
        AdvantageKind::MeanCentered => by_std = Some(false),
        AdvantageKind::LeaveOneOut => drop(map.there(key, name, "rloo")),
        AdvantageKind::BatchNormalized => {
            map.there(key, name, "reinforce_plus_plus")
                .but("normalised over the step's tokens, not its replies");
        }
        AdvantageKind::BatchWhitened => {
            map.there(key, name, "reinforce_plus_plus_baseline")
                .but("whitened over the step's tokens, not its replies");
        }
        AdvantageKind::RewardDecoupled => decoupled(map, key, recipe),
        _ => {
            return Err(ExportError::Unsupported {
                trainer: RELEASE,
                key,
                value: shared::shown(&grpo.advantage),
                what: "it has the others".to_owned(),
            });
        }
    }
    if let Some(by_std) = by_std {
        map.there(key, name, "grpo").there(key, "algorithm.norm_adv_by_std_in_grpo", by_std);
    }
    let same = (grpo.advantage_epsilon - 1e-6).abs() < 1e-12 || by_std == Some(false);
    map.lost_unless(same, "train.advantage_epsilon", "0.000001 is added to the standard deviation");
    shared::credit(map, grpo);
    groups(map, grpo.groups);
    Ok(())
}

/// GDPO: compute_score tells each term's value by its name.
fn decoupled(map: &mut Mapping, key: &str, recipe: &Recipe) {
    let terms = &recipe.reward.terms;
    let names: Vec<&str> = terms.iter().map(|term| term.id.as_str()).collect();
    let weights: Vec<f64> = terms.iter().map(|term| term.weight).collect();
    map.there(key, "algorithm.adv_estimator", "gdpo");
    map.there(key, "algorithm.gdpo_reward_keys", json!(names));
    map.there(key, "algorithm.gdpo_reward_weights", json!(weights));
    map.there(key, "reward.reward_manager.name", "gdpo");
    map.but("whitened over the step's tokens, not its replies");
}

fn groups(map: &mut Mapping, filter: GroupFilter) {
    let name = |name: &str| format!("algorithm.filter_groups.{name}");
    match filter {
        GroupFilter::All => drop(map.there("train.groups", &name("enable"), false)),
        GroupFilter::Resample { by: ResampleBy::Reward, .. } => {
            map.there("train.groups", &name("enable"), true).there("train.groups", &name("metric"), "reward");
            map.but("without a limit on the rounds");
        }
        _ => map
            .lost("train.groups", "all groups are trained on, those of equal rewards with an advantage of 0"),
    }
}
