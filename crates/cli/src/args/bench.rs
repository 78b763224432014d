//! The arguments of `toolrl bench`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use toolrl_policy::DeviceChoice;

/// What is timed.
#[derive(Debug, Subcommand)]
pub enum BenchCommand {
    /// Whole GRPO steps: sampling, rewards, forward and backward, update
    #[command(after_help = STEP_HELP)]
    Step(BenchStepArgs),
    /// The matrix products of real models beside burn's and the gemm crate's, and beside what the machine could do
    #[command(after_help = GEMM_HELP)]
    Gemm(BenchGemmArgs),
}

const GEMM_HELP: &str = "\
In GFLOP/s, on all threads: of every program the best of many short runs in turn, as what else runs on the machine only \
takes. The peak is that of multiply-adds in registers, measured in the same turns. bf16 is of numbers that are stored so, \
by the processor's instructions for them where it has some. --isa measures with other vector instructions than the best; \
the others' products keep to theirs.";

/// Arguments of `toolrl bench gemm`.
#[derive(Debug, Args)]
pub struct BenchGemmArgs {
    /// Shapes of these models alone
    #[arg(long, value_name = "NAME")]
    pub model: Option<ModelShapes>,
    /// Runs of each program
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rounds: usize,
    /// Print one JSON object a product
    #[arg(long)]
    pub json: bool,
}

/// A model whose layers are multiplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ModelShapes {
    /// The quickstart's policy of a million parameters
    Tiny,
    /// SmolLM2-135M
    Smollm2,
    /// Qwen2.5-0.5B
    Qwen2,
}

const STEP_HELP: &str = "\
The reward is the number of distinct words / 50: cheap, and hardly ever equal for a whole group. Prompts are taken \
in the file's order, again from its beginning after its end. Each step updates the weights, which are not saved.

With --compare plain every step is run twice, the second time as most trainers do it: a prompt is computed for each \
of its replies, in sampling and in training, and sequences are padded. The ratios of the medians come last.";

/// Arguments of `toolrl bench step`.
#[derive(Debug, Args)]
pub struct BenchStepArgs {
    /// The model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR")]
    pub policy: PathBuf,
    /// Rows with `messages` (a list of role and content) or `input_ids`; may be gzipped
    #[arg(long, value_name = "FILE")]
    pub prompts: PathBuf,
    /// Prompts a step
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub groups: usize,
    /// Replies a prompt
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub group_size: usize,
    /// The limit on new tokens of a reply
    #[arg(long, value_name = "N", default_value_t = 96)]
    pub max_new_tokens: usize,
    /// Steps
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub steps: usize,
    /// Tokens of one forward and backward pass, at most
    #[arg(long, value_name = "N", default_value_t = 1536)]
    pub micro_tokens: usize,
    /// Divides the logits
    #[arg(long, value_name = "T", default_value_t = 1.0)]
    pub temperature: f32,
    /// AdamW's learning rate
    #[arg(long, value_name = "LR", default_value_t = 1e-6)]
    pub lr: f64,
    /// Train adapters of this rank, and not the weights: as with train.lora.rank
    #[arg(long, value_name = "N")]
    pub lora_rank: Option<usize>,
    /// Compute layers again in the backward pass instead of keeping their activations
    #[arg(long)]
    pub recompute: bool,
    /// Memory, in MiB, for prompts' activations that sampling keeps for the update: train.kept_prompts_mib
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub kept_prompts_mib: u64,
    /// Hold weights, activations and the cache in bf16
    #[arg(long)]
    pub bf16: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
    /// Where the random numbers come from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Run each step in another way as well
    #[arg(long, value_name = "WAY")]
    pub compare: Option<Compared>,
    /// Print one JSON object a step
    #[arg(long)]
    pub json: bool,
}

/// What a step is compared with.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Compared {
    /// Prompts computed for each reply, sequences padded
    Plain,
}
