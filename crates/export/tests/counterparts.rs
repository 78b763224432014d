//! No setting is dropped in silence; counterparts have the names and values that they should.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;

use serde_json::{Value, json};
use toolrl_chat::Chat;
use toolrl_export::{Model, Tasks, Trainer, UNKNOWN};
use toolrl_train::{Demonstrated, Method, Prompted, Recipe};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/quickstart");

/// A recipe with every setting that all methods have.
const SHARED: &str = r#"
name = "full"
seed = 3
precision = "bf16"
device = "cpu"
dialect = "hermes"
prompt = "native"
slots = 8
[policy]
dir = "model"
[template]
date = "2026-01-02"
values = { enable_thinking = false }
[[data.mix]]
name = "mine"
weight = 2
files = { train = "a.jsonl", eval = "b.jsonl", turns = "last", faulty = "leave_out" }
[[data.mix]]
name = "made"
weight = 1
world = {}
[[reward]]
id = "format"
on_failure = "zero"
[[reward]]
id = "correctness"
weight = 0.5
scale = ["equal_max"]
[sampling]
temperature = 0.7
top_k = 20
top_p = 0.95
min_p = 0.05
max_new_tokens = 100
stop = ["END"]
include_stop_str_in_output = true
[sampler]
kind = "local"
[environment]
kind = "gold"
max_turns = 4
[eval]
max_new_tokens = 90
limit = 5
every = 2
samples = 3
temperature = 0.5
top_p = 0.9
final = "best"
best = { by = "held-out", measure = "exact_call_rate" }
stop = { patience = 2 }
reward = "star"
[[eval.sets]]
name = "more"
data = "c.jsonl"
limit = 3
[[eval.benchmarks]]
benchmark = "bamboogle"
data = "d"
documents = "e"
limit = 2
[[trackers]]
kind = "trackio"
dir = "t"
name = "n"
"#;

/// What GRPO and PPO share, all of it set.
const RL: &str = r#"
steps = 11
epochs = 2.0
prompts = 8
updates = 2
passes = 3
pass_order = "shuffled"
max_prompt_tokens = 300
overlong_prompts = "cut"
micro_tokens = 900
activations = "recompute"
start_adapters = "merge"
truncated = "mask"
checkpoint_every = 5
checkpoint_keep = 2
success = { reward = 1.0 }
reference = { every = 4, moving_average = 0.5 }
overlong = { buffer = 20, penalty = 0.5 }
kl_penalty = { coef = 0.01, estimator = "k3", target = 6.0, horizon = 20000.0 }
lora = { rank = 8, alpha = 16.0, dropout = 0.1, target_modules = ["q_proj"] }
guards = { on_fault = "skip", max_skips = 1, grad_spike = 9.0, max_logprob_gap = 0.2 }
[train.tasks]
difficulty = { target = 0.4, temperature = 0.9, uniform = 0.2, decay = 0.6 }
rest = { solved = { steps = 3 }, failed = { passes = 0.5 } }
[train.optimizer]
lr = 2e-5
max_grad_norm = 0.5
moments = "8bit"
schedule = { decay = "cosine", warmup = 0.1, floor = 0.2 }
adamw = { beta1 = 0.8, beta2 = 0.99, epsilon = 1e-7, weight_decay = 0.02 }
[train.loss]
surrogate = "token_ratio"
clip_low = 0.1
clip_high = 0.3
dual_clip = 3.5
aggregation = { fixed_length = { max_tokens = 100 } }
entropy_coef = 0.002
sampler_ratio_cap = 2.5
sampler_ratio_mode = "token_mask"
sampler_ratio_floor = 0.5
kl = { coef = 0.02, estimator = "k3", weighting = "ratio", target = 3.0, horizon = 20000.0 }
"#;

const GRPO: &str = "[train]\nmethod = \"grpo\"\ngroup_size = 4\nadvantage = \"group_normalized\"\nadvantage_epsilon = 1e-5\n\
                    credit = \"spans\"\ngroups = { resample = { max_rounds = 3, by = \"outcome\" } }\n";
const PPO: &str = "[train]\nmethod = \"ppo\"\ngroup_size = 2\nadvantage = \"as_estimated\"\ngae = { gamma = 0.9, lambda = 0.8 }\n";
const CRITIC: &str = "[train.critic]\nvalue_clip = 0.4\nwarmup_steps = 2\n[train.critic.optimizer]\nlr = 3e-5\n\
                      schedule = { decay = \"linear\", warmup = 0.2, floor = 0.1 }\n";

const SFT: &str = r#"
[train]
method = "sft"
prompt_loss = 0.5
epochs = 2.0
steps = 7
batch = 4
max_tokens = 200
overlong_prompts = "leave_out"
micro_tokens = 400
activations = "recompute"
start_adapters = "merge"
checkpoint_every = 3
checkpoint_keep = 2
lora = { rank = 8, alpha = 16.0, dropout = 0.1, target_modules = ["q_proj"] }
guards = { on_fault = "skip", max_skips = 1, grad_spike = 9.0, max_logprob_gap = 0.2 }
[train.optimizer]
lr = 2e-5
schedule = { decay = "linear", warmup = 0.1, floor = 0.2 }
"#;

fn full(method: &str) -> String {
    if method == SFT {
        return format!("{SHARED}{SFT}");
    }
    let critic = if method == PPO { CRITIC } else { "" };
    format!("{SHARED}{method}{RL}{critic}")
}

fn tasks(text: &str, set: &[&str]) -> Tasks {
    let set: Vec<String> = set.iter().map(|set| set.to_string()).collect();
    let recipe = Recipe::parse(text, &set).unwrap();
    let (chat, stops) = (Chat::load(Path::new(FIXTURE)).unwrap(), vec![1]);
    match recipe.train {
        Method::Sft(_) => Tasks::Shown(Demonstrated {
            recipe,
            chat,
            stops,
            steps: 10,
            train: Vec::new(),
            held_out: Vec::new(),
        }),
        _ => Tasks::Sampled(Prompted {
            recipe,
            chat,
            stops,
            steps: 10,
            train: Vec::new(),
            held_out: Vec::new(),
        }),
    }
}

const PLAIN: &str = "name = \"plain\"\n[train]\nmethod = \"grpo\"\n";

#[test]
fn every_setting_is_mapped_or_named_as_one_that_is_not() {
    let recipes = concat!(env!("CARGO_MANIFEST_DIR"), "/../cli/recipes");
    let files = std::fs::read_dir(recipes)
        .unwrap()
        .map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let mut seen = 0;
    for text in files.chain([full(GRPO), full(PPO), full(SFT)]) {
        let Ok(recipe) = Recipe::parse(&text, &[]) else { panic!("{text}") };
        for trainer in [Trainer::Trl, Trainer::Verl] {
            let Ok(settings) = trainer.settings(&tasks(&text, &[])) else { continue };
            seen += 1;
            let unknown: Vec<_> =
                settings.lost().filter(|(_, how)| *how == UNKNOWN).map(|(row, _)| &row.key).collect();
            assert!(unknown.is_empty(), "{} to {trainer:?}: {unknown:?}", recipe.name);
        }
    }
    assert!(seen > 10, "{seen}");
}

/// So that the test above sees a setting that is added.
#[test]
fn the_full_recipes_leave_nothing_out() {
    fn nulls(path: &str, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Null => found.push(path.to_owned()),
            Value::Object(table) => {
                table.iter().for_each(|(key, value)| nulls(&format!("{path}.{key}"), value, found))
            }
            Value::Array(items) => items.iter().for_each(|value| nulls(path, value, found)),
            _ => {}
        }
    }
    for method in [GRPO, PPO, SFT] {
        let recipe = Recipe::parse(&full(method), &[]).unwrap();
        let mut found = Vec::new();
        nulls("", &serde_json::to_value(&recipe).unwrap(), &mut found);
        // A tracker has either a folder or an address.
        found.retain(|path| !path.starts_with(".trackers"));
        assert_eq!(found, [""; 0], "{method}");
    }
}

#[test]
fn settings_have_their_counterparts() {
    let trl = |set: &[&str], name: &str, expected: Value| check(Trainer::Trl, PLAIN, set, name, &expected);
    let verl = |set: &[&str], name: &str, expected: Value| check(Trainer::Verl, PLAIN, set, name, &expected);
    trl(&[], "learning_rate", json!(1e-6));
    trl(&["train.updates=4", "train.passes=2"], "max_steps", json!(80));
    trl(&["train.updates=4", "train.prompts=8"], "settings.REPLIES_PER_UPDATE", json!(8));
    trl(&["train.prompts=8"], "generation_batch_size", json!(32));
    trl(&["sampling.temperature=0.7"], "temperature", json!(0.7));
    trl(&["train.loss.surrogate=cispo"], "epsilon_high", json!(1.2));
    trl(&["train.loss.surrogate=cispo"], "loss_type", json!("cispo"));
    trl(&["train.loss.surrogate=sequence_ratio"], "importance_sampling_level", json!("sequence"));
    trl(&["train.loss.aggregation=sequence_mean"], "loss_type", json!("grpo"));
    trl(&["train.loss.aggregation.fixed_length.max_tokens=256"], "loss_type", json!("dr_grpo"));
    trl(&["train.advantage=mean_centered"], "scale_rewards", json!("none"));
    trl(&["train.lora.rank=8"], "settings.PEFT.r", json!(8));
    trl(
        &["train.loss.kl.coef=0.1", "train.reference.every=3", "train.updates=2"],
        "ref_model_sync_steps",
        json!(6),
    );
    verl(&[], "algorithm.adv_estimator", json!("grpo"));
    verl(&[], "actor_rollout_ref.actor.clip_ratio_c", json!(1e6));
    verl(&["train.updates=4"], "actor_rollout_ref.actor.ppo_mini_batch_size", json!(4));
    verl(&["train.advantage=leave_one_out"], "algorithm.adv_estimator", json!("rloo"));
    verl(
        &["train.advantage=reward_decoupled"],
        "algorithm.gdpo_reward_keys",
        json!(["format", "correctness"]),
    );
    verl(
        &["train.loss.aggregation=sequence_sum"],
        "actor_rollout_ref.actor.loss_agg_mode",
        json!("seq-mean-token-sum"),
    );
    verl(&["train.kl_penalty.target=6.0"], "algorithm.kl_ctrl.type", json!("adaptive"));
    verl(&["sampling.max_new_tokens=3000"], "actor_rollout_ref.actor.ppo_max_token_len_per_gpu", json!(5048));
    check(Trainer::Trl, &full(SFT), &[], "lr_scheduler_type", &json!("polynomial"));
    check(Trainer::Trl, &full(SFT), &[], "settings.REPLIES_PER_UPDATE", &json!(4));
    check(Trainer::Verl, &full(PPO), &[], "algorithm.lam", &json!(0.8));
    check(Trainer::Verl, &full(PPO), &[], "critic.optim.lr", &json!(3e-5));
}

fn check(trainer: Trainer, text: &str, set: &[&str], name: &str, expected: &Value) {
    let settings = trainer.settings(&tasks(text, set)).unwrap();
    let found: Vec<_> =
        settings.there().filter(|(there, _)| *there == name).map(|(_, value)| value).collect();
    assert_eq!(found, [expected], "{trainer:?} {set:?} {name}");
}

#[test]
fn what_has_no_counterpart_is_named() {
    let lost = |trainer: Trainer, set: &[&str]| {
        let settings = trainer.settings(&tasks(PLAIN, set)).unwrap();
        settings.lost().map(|(row, _)| row.key.clone()).collect::<Vec<_>>()
    };
    assert_eq!(lost(Trainer::Trl, &[]), ["train.guards", "train.advantage_epsilon"]);
    assert_eq!(lost(Trainer::Verl, &[]), ["train.guards"]);
    for (set, key) in [
        ("sampling.stop=[\"a\"]", "sampling.stop"),
        ("train.credit=spans", "train.credit"),
        ("train.groups=with_spread", "train.groups"),
        ("train.tasks.rest.solved.steps=2", "train.tasks.rest.solved"),
        ("eval.stop.patience=2", "eval.stop"),
    ] {
        for trainer in [Trainer::Trl, Trainer::Verl] {
            assert!(
                lost(trainer, &[set, "eval.every=1"]).iter().any(|lost| lost == key),
                "{trainer:?} {set}"
            );
        }
    }
    assert!(lost(Trainer::Trl, &["train.kl_penalty.coef=0.1"]).contains(&"train.kl_penalty".to_owned()));
    let moving = lost(Trainer::Verl, &["reward=[{id=\"length\", target=\"dynamic\"}]"]);
    assert!(moving.contains(&"reward".to_owned()), "{moving:?}");
}

#[test]
fn another_method_is_refused_by_the_setting() {
    for (trainer, text, set, part) in [
        (Trainer::Trl, PLAIN, "train.advantage=leave_one_out", "train.advantage = \"leave_one_out\""),
        (Trainer::Trl, PLAIN, "train.group_size=1", "train.group_size = 1"),
        (Trainer::Trl, PLAIN, "train.updates=5", "train.updates = 5"),
        (Trainer::Verl, PLAIN, "train.updates=5", "train.prompts = 16 is no multiple"),
        (Trainer::Verl, PLAIN, "train.advantage=batch_scaled", "verl 0.9.1 has nothing for train.advantage"),
        (Trainer::Trl, &*full(PPO), "seed=1", "train.method = ppo"),
        (Trainer::Verl, "name = \"a\"\n[train]\nmethod = \"sft\"\n", "seed=1", "supported are grpo and ppo"),
    ] {
        let message = trainer.settings(&tasks(text, &[set])).unwrap_err().to_string();
        assert!(message.contains(part), "{set}: {message}");
    }
}

#[test]
fn a_reward_of_another_program_is_refused_and_nothing_is_written() {
    let set = "reward=[{id=\"python\", file=\"a.py\", function=\"f\", range=[0.0, 1.0]}]";
    let (dir, model) = (tempfile::tempdir().unwrap(), Model { name: "m".to_owned(), revision: None });
    let out = dir.path().join("out");
    let message = Trainer::Trl.export(&tasks(PLAIN, &[set]), &model, &out).unwrap_err().to_string();
    assert!(message.contains("built-in terms alone") && message.contains("python"), "{message}");
    assert!(!out.exists());
}
