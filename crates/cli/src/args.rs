//! The command line.

mod bench;
mod benchmarks;
mod data;
mod doctor;
mod export;
mod gpu;
mod policy;
mod sampling;
mod study;
mod template;
mod track;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use toolrl_cpu::Isa;
use toolrl_policy::DeviceChoice;

use crate::calls::CallsCommand;
use crate::reward::RewardCommand;

pub use bench::{BenchCommand, BenchGemmArgs, BenchStepArgs, ModelShapes};
pub use benchmarks::{ApiBankArgs, BamboogleArgs, BenchmarkCommand, BfclArgs, ModelArgs, RunArgs};
pub use data::{
    DataBuildArgs, DataCommand, DataConvertArgs, DataInspectArgs, DataWorldArgs, FileAndCount, PartArg,
    Target,
};
pub use doctor::DoctorArgs;
pub use export::{ExportArgs, TrainerName};
pub use gpu::{GpuCheckArgs, GpuCommand, Scale, Stage};
pub use policy::{GenerateArgs, InspectArgs, LogprobsArgs, MergeArgs, PolicyCommand};
pub use sampling::SamplingArgs;
pub use study::StudyArgs;
pub use template::TemplateArgs;
pub use track::{TrackArgs, TrackerName};

/// Trains language models to call tools by reinforcement learning.
#[derive(Debug, Parser)]
#[command(name = "toolrl", version, after_help = EXAMPLES)]
pub struct Cli {
    /// Say more on standard error
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// Compute on the CPU with these vector instructions and no better ones: scalar, neon, neon-bf16, avx2, avx512,
    /// avx512-bf16, amx-bf16. A run is the same to the bit on every machine that computes with the same ones
    #[arg(long, value_name = "SET", global = true, value_parser = isa)]
    pub isa: Option<Isa>,
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

fn isa(name: &str) -> Result<Isa, String> {
    Isa::named(name)
        .ok_or_else(|| "expected scalar, neon, neon-bf16, avx2, avx512, avx512-bf16 or amx-bf16".to_owned())
}

const EXAMPLES: &str = "\
Examples:
  toolrl train                                     train the tiny starting policy, in minutes
  toolrl train --set train.steps=5                 the same, five steps
  toolrl train grpo --policy DIR --data FILE       your own model and data
  toolrl eval --policy runs/quickstart-1/final     evaluate a policy on the held-out tasks
  toolrl data inspect FILE                         what a dataset holds
  toolrl eval bfcl --policy DIR --data DIR --out DIR   a benchmark (also api-bank, bamboogle)
  toolrl reward explain --rows FILE.jsonl          what each point of a reward was given for

Standard output holds results; progress and logs go to standard error.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a policy by a recipe, and evaluate it before and after
    #[command(after_help = TRAIN_HELP)]
    Train(TrainArgs),
    /// Evaluate a policy on held-out tasks, or on a benchmark
    #[command(after_help = EVAL_HELP)]
    Eval(Box<EvalArgs>),
    /// Compute a step of a run again, and compare it with what was written down
    Replay(ReplayArgs),
    /// Send what a tracker lacks of a run: MLflow, Trackio, a folder for Weights & Biases
    #[command(after_help = track::HELP)]
    Track(TrackArgs),
    /// Write a recipe's data, reward and settings as files for another trainer: TRL, verl
    #[command(after_help = export::HELP)]
    Export(ExportArgs),
    /// Run a grid of recipes over seeds, and compare what comes of them
    #[command(after_help = study::HELP)]
    Study(StudyArgs),
    /// Make training data from public datasets, or say what a dataset holds
    #[command(subcommand)]
    Data(DataCommand),
    /// Score replies; explain, compare, attack and forecast rewards
    #[command(subcommand)]
    Reward(RewardCommand),
    /// Read and write replies in the dialects of models
    #[command(subcommand)]
    Calls(CallsCommand),
    /// Ask a policy for replies or log-probabilities, inspect it, merge its adapters
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Say what can be computed on here, and what would go wrong
    #[command(after_help = doctor::HELP)]
    Doctor(DoctorArgs),
    /// Check a GPU against the CPU, and measure it
    #[command(subcommand)]
    Gpu(GpuCommand),
    /// Time what training is made of
    #[command(subcommand)]
    Bench(BenchCommand),
}

const TRAIN_HELP: &str = "\
Embedded recipes:
  quickstart        GRPO of a tiny policy on the synthetic tool world (the default)
  quickstart-sft    the same start, by more supervised fine-tuning instead: GRPO's rival
  quickstart-start  that start's first stage: a tokenizer, fresh weights, fine-tuning
  sft, grpo, ppo    your model on your data, much by ToolRL's settings, in smaller batches
                    (--policy, --data)
  paper-sft, paper-grpo, paper-ppo
                    the paper's settings whole; with -qwen2.5-1.5b, -qwen2.5-3b, -qwen2.5-7b or
                    -llama-3.2-3b after the name, of that model from the Hub (--data)
  rejection, dpo    your model on what a finished run sampled: fine-tuning on the best reply of
                    each group, or DPO on the best and the worst (--run; docs/offline.md)
  laptop-sft, laptop
                    your model of up to half a billion parameters on a laptop's CPU, overnight
                    (docs/claim.md); laptop-ppo is the same by PPO
  tiny-sft, tiny-grpo, tiny-ppo, tiny-rejection, tiny-dpo
                    the same scaled to the tiny policy: what toolrl study compares

SFT then GRPO:      toolrl train sft --then grpo --policy DIR --data FILE
DPO on its replies: toolrl train dpo --run RUN

--dry-run prints the recipe with every setting, ready to be saved, changed and given back.

Servers sample:     [sampler] kind = \"vllm\" or \"sglang\", urls, model, and sync = \"lora\"
                    (adapters) or \"disk\" (whole models); docs/servers.md

Ctrl-C finishes the step, saves a checkpoint and tells how to go on; a second one ends at once. A run that was \
cut off goes on from its last checkpoint (train.checkpoint_every) by --resume RUN, to the same weights as if it \
had not been.

A run that is over goes on by --resume RUN --set train.steps=N, with more steps than it had, where it kept its last \
state (train.checkpoint_every above 0). eval.every with eval.stop.patience ends a run that gains nothing any more.

The run directory gets config.toml, metrics.jsonl, completions/*.parquet, evaluations/ (each task's outcome), \
events/ (TensorBoard), checkpoints/ and final/ (Hugging Face form), summary.json, and report.html. [[trackers]] in the \
recipe sends the same numbers to MLflow, Trackio or a folder for Weights & Biases (docs/trackers.md). Standard output \
gets the table of the evaluations before and after.";

/// Arguments of `toolrl train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// An embedded recipe's name, or a TOML file [default: quickstart]
    pub recipe: Option<String>,
    /// Go on with the run in this directory from its last checkpoint
    #[arg(long, value_name = "RUN", conflicts_with_all = ["recipe", "policy", "data", "run", "run_dir", "then"])]
    pub resume: Option<PathBuf>,
    /// With --resume: from the checkpoint of this step
    #[arg(long, value_name = "N", requires = "resume")]
    pub from_step: Option<u64>,
    /// With --resume: go on though the recipe, the data or the program is not what it was; the changes are
    /// recorded in resumes.jsonl
    #[arg(long, requires = "resume")]
    pub allow_changes: bool,
    /// The policy to start from: a model directory in Hugging Face form, or its name on the Hub
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// Training data: rows of OpenAI's chat, ShareGPT's, TRL's, verl's and other forms, in JSON, JSON lines or Parquet
    /// (docs/data.md); a tenth is held out
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// With rejection and dpo: the run of GRPO or PPO whose replies are learned from. What the recipe leaves out (the
    /// policy to start from, the reward, the evaluation) is that run's; what it held out is held out again
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "then"])]
    pub run: Option<PathBuf>,
    /// Go on with this recipe from the policy that the one before leaves; may be repeated
    #[arg(long, value_name = "RECIPE")]
    pub then: Vec<String>,
    /// Change a setting of the recipe, for instance train.steps=10; may be repeated. With --then it is
    /// set in each recipe
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// Where the run's files go [default: runs/NAME-NUMBER]; with --then each recipe's go into a folder in it
    #[arg(long, value_name = "DIR")]
    pub run_dir: Option<PathBuf>,
    /// Where to compute: auto, cpu, cuda or cuda:N [default: the recipe's, which is auto]. On several GPUs, from that one on:
    /// --set devices=N (docs/gpu.md)
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Print the resolved recipe and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `toolrl replay`.
#[derive(Debug, Args)]
pub struct ReplayArgs {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// The step, from 1; it is computed from the last checkpoint before it
    #[arg(long, value_name = "N")]
    pub step: u64,
    /// Where to compute: auto, cpu, cuda or cuda:N [default: the run's recipe's]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
}

const EVAL_HELP: &str = "\
Without --data the tasks are the recipe's held-out ones: the synthetic tool world's for the default. \
With --run they are those that a run held out of its data, with the run's recipe, policy and reward. \
With --data every reply in the file is a task, up to the recipe's eval.limit or --limit: give it rows that were not trained on. Standard output gets the table; --out gets eval.json and \
outcomes.jsonl, every reply with its score.

With --samples 8 eight replies of each task are sampled beside the greedy one: avg@8 is the share of them that make the \
gold calls, pass@8 the share of tasks that one of them solves. The recipe's seed decides what is drawn (--set seed=N).

The paper's benchmarks: toolrl eval bfcl --help, and likewise api-bank and bamboogle.";

/// Arguments of `toolrl eval`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct EvalArgs {
    /// A benchmark of the paper, instead of held-out tasks
    #[command(subcommand)]
    pub benchmark: Option<BenchmarkCommand>,
    /// What to evaluate on where it is no benchmark: held-out, or one of the recipe's eval.sets
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// The model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR", required_unless_present = "run")]
    pub policy: Option<PathBuf>,
    /// A finished run: its last policy on what it held out, as it evaluates (with --policy another one)
    #[arg(long, value_name = "RUN", conflicts_with_all = ["data", "recipe"])]
    pub run: Option<PathBuf>,
    /// Tasks in any form that train reads, instead of the recipe's held-out ones
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    /// Write eval.json and outcomes.jsonl there
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The recipe whose tasks, reward and limits apply: a name or a TOML file
    #[arg(long, default_value = "quickstart")]
    pub recipe: String,
    /// Change a setting of that recipe; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// An earlier eval.json to compare with
    #[arg(long, value_name = "FILE")]
    pub before: Option<PathBuf>,
    /// Evaluate on the first N tasks
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Sample N replies of each task beside the greedy one, for avg@N and pass@N [default: the recipe's, which is none]
    #[arg(long, value_name = "N")]
    pub samples: Option<usize>,
    /// With --samples: divides the logits of sampled replies [default: the recipe's, which is 1]
    #[arg(long, value_name = "T")]
    pub temperature: Option<f32>,
    /// With --samples: sample from the most probable tokens that together reach this probability [default: the
    /// recipe's, which is 1]
    #[arg(long, value_name = "P")]
    pub top_p: Option<f32>,
    /// Where to compute: auto, cpu, cuda or cuda:N [default: the recipe's, which is auto]
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// What the chat template reads beside the messages
    #[command(flatten)]
    pub template: TemplateArgs,
}
