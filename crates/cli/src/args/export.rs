//! Arguments of `toolrl export`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const HELP: &str = "\
For those who outgrow one machine (docs/scale.md). DIR gets
  train.parquet, held_out.parquet  the recipe's tasks in that trainer's columns; the prompts are
                                   those that toolrl samples from, to the token
  tokenizer/                       the policy's tokenizer and template
  reward.py, reward.toml           the recipe's reward, scored by the package toolrl for Python
                                   (cargo xtask wheel)
  trl: train.py, settings.py       a GRPOTrainer, or of sft an SFTTrainer (its tables are token
                                   ids); python train.py max_steps=10 changes a setting
  verl: run.sh, recipe.yaml        verl's main_ppo; GPUS=8 NODES=2 bash run.sh
  SETTINGS.md                      every setting of the recipe and its counterpart there, if any

Standard output gets the settings that have none and change what is learned. TRL takes recipes of sft and grpo, verl of \
grpo and ppo; a reward with terms that are not built in, an environment of your own and a policy that is not there yet are refused.

The model's directory has to be here, or on the Hub, of which its tokenizer is downloaded and not its weights. What is \
trained there is a Hugging Face directory, which toolrl takes as any other: toolrl eval --policy DIR.

Examples:
  toolrl export trl grpo --policy Qwen/Qwen2.5-1.5B-Instruct --data rows.jsonl --out trl
  toolrl export verl paper-grpo-qwen2.5-7b --data train.parquet --out verl
  toolrl export trl --out trl && python trl/train.py use_cpu=true max_steps=1";

/// Arguments of `toolrl export`.
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// The other trainer
    #[arg(value_name = "TRAINER")]
    pub trainer: TrainerName,
    /// An embedded recipe's name, or a TOML file, such as a run's config.toml
    #[arg(default_value = "quickstart")]
    pub recipe: String,
    /// The directory that gets the files
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// The policy to start from: a model directory in Hugging Face form, or its name on the Hub
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Training data: rows in any form that train reads (docs/data.md); a tenth is held out
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Change a setting of the recipe, for instance train.steps=10; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Write over the files of an earlier export
    #[arg(long)]
    pub force: bool,
}

/// Another trainer's name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TrainerName {
    /// TRL: train.py with a GRPOTrainer, or an SFTTrainer
    Trl,
    /// verl: a configuration for its main_ppo
    Verl,
}
