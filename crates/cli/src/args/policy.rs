//! Arguments of `toolrl policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use toolrl_policy::{DeviceChoice, ReferenceCopy};

use super::{SamplingArgs, TemplateArgs};

/// The commands on policies.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Reply to each row of messages or input_ids; one JSON line a row
    Generate(GenerateArgs),
    /// Log-probabilities of each row's input_ids; one JSON line a row
    Logprobs(LogprobsArgs),
    /// What a model directory holds, and the memory that it will take, before anything is loaded
    Inspect(InspectArgs),
    /// Add adapters to the weights that they stand beside, and write the whole model
    Merge(MergeArgs),
}

/// Arguments of `toolrl policy generate`.
#[derive(Debug, Args)]
pub struct GenerateArgs {
    /// The model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR")]
    pub policy: PathBuf,
    /// Rows with `messages` (a list of role and content) and, if the template lists any, `tools` (a list of JSON
    /// schemas), or with `input_ids`; may be gzipped
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// The limit on new tokens of a reply
    #[arg(long, value_name = "N")]
    pub max_new_tokens: usize,
    /// How replies are drawn
    #[command(flatten)]
    pub sampling: SamplingArgs,
    /// Replies computed together, at most
    #[arg(long, value_name = "N", default_value_t = 32)]
    pub slots: usize,
    /// Hold weights, activations and the cache in bf16
    #[arg(long)]
    pub bf16: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
    /// What the chat template reads beside the messages
    #[command(flatten)]
    pub template: TemplateArgs,
}

/// Arguments of `toolrl policy logprobs`.
#[derive(Debug, Args)]
pub struct LogprobsArgs {
    /// The model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(long, value_name = "DIR")]
    pub policy: PathBuf,
    /// Rows with `input_ids`; may be gzipped
    #[arg(long, value_name = "FILE")]
    pub rows: PathBuf,
    /// Hold weights, activations and the cache in bf16
    #[arg(long)]
    pub bf16: bool,
    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
}

/// Which policy divergences are measured from.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum ReferenceKind {
    /// None: there is no divergence
    #[default]
    None,
    /// The policy that training begins with
    Start,
    /// The policy of an earlier step
    Every,
    /// A moving average of the policy
    MovingAverage,
}

impl From<ReferenceKind> for ReferenceCopy {
    fn from(kind: ReferenceKind) -> Self {
        match kind {
            ReferenceKind::None => Self::None,
            ReferenceKind::Start => Self::Start,
            ReferenceKind::Every => Self::Every,
            ReferenceKind::MovingAverage => Self::MovingAverage,
        }
    }
}

/// Arguments of `toolrl policy inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// The model directory in Hugging Face form, or its name on the Hub (ORG/NAME, ORG/NAME@REVISION)
    #[arg(value_name = "DIR")]
    pub policy: PathBuf,
    /// Tokens of one forward and backward pass: train.micro_tokens
    #[arg(long, value_name = "N", default_value_t = 4096)]
    pub micro_tokens: usize,
    /// As with precision = "bf16"
    #[arg(long)]
    pub bf16: bool,
    /// As with train.lora.rank: adapters are trained, not the weights
    #[arg(long, value_name = "N")]
    pub lora_rank: Option<usize>,
    /// As with a divergence, and with train.reference = "start", { every = N }, or with a moving average
    #[arg(long, value_enum, default_value_t)]
    pub reference: ReferenceKind,
    /// As with train.activations = "recompute"
    #[arg(long)]
    pub recompute: bool,
    /// Memory, in MiB, for what sampling keeps of prompts on the CPU: train.kept_prompts_mib
    #[arg(long, value_name = "MIB", default_value_t = 2048)]
    pub kept_prompts_mib: u64,
    /// Replies in progress at a time
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub slots: usize,
    /// Tokens of the longest prompt
    #[arg(long, value_name = "N", default_value_t = 1024)]
    pub prompt_tokens: usize,
    /// Tokens of the longest reply
    #[arg(long, value_name = "N", default_value_t = 512)]
    pub reply_tokens: usize,
    /// Print one JSON object, sizes in bytes
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `toolrl policy merge`.
#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The directory of the adapters, in PEFT's form; with --untie also of a model without any
    #[arg(long, value_name = "DIR")]
    pub policy: PathBuf,
    /// Write the output head as a tensor of its own where it is the embedding table, for servers that need one
    /// (docs/servers.md)
    #[arg(long)]
    pub untie: bool,
    /// The directory to write, in Hugging Face form
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}
