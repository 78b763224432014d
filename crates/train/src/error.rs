//! Why a run stopped.

use std::path::PathBuf;

/// Everything that can end a run. What it had written until then is whole.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The recipe is not readable TOML, or has an unknown key or a value out of range.
    #[error("recipe: {0}")]
    Recipe(String),
    /// A term of the reward does not exist, or refuses its settings.
    #[error("recipe: {0}")]
    Rubric(#[from] toolrl_reward::RewardError),
    /// A dataset could not be read or made.
    #[error(transparent)]
    Data(#[from] toolrl_data::DataError),
    /// No task is left to train on or to evaluate.
    #[error("{what}: no task is left ({why})")]
    NoTasks {
        /// Which part of the data.
        what: &'static str,
        /// What was left out.
        why: String,
    },
    /// A run has no completions that another could be trained on.
    #[error("{dir} has no completions to learn from: {why}")]
    NoCompletions {
        /// The run's directory.
        dir: PathBuf,
        /// What is missing.
        why: String,
    },
    /// A recorded reply that the policy's own template and tokenizer would write otherwise.
    #[error(
        "{dir}, step {step}: the {what} of sample {id} is not what the policy's template and tokenizer make of it. Its \
         completions can be learned from by a policy with the tokenizer of the run, with the run's prompt, template and \
         environment"
    )]
    OtherWords {
        /// The run that sampled it.
        dir: PathBuf,
        /// The step of that run.
        step: u64,
        /// The sample's id.
        id: String,
        /// Its prompt or a reply to it.
        what: &'static str,
    },
    /// The start has other adapters than the recipe asks for.
    #[error(
        "{dir} has adapters of rank {} and alpha {}, and train.lora asks for rank {} and alpha {}: give it theirs to go on \
         with them, or set train.start_adapters = \"merge\" to add them to the weights first", has.0, has.1, asked.0, asked.1
    )]
    Adapters {
        /// The model directory.
        dir: PathBuf,
        /// Rank and alpha of its adapters.
        has: (usize, f64),
        /// Those of the recipe.
        asked: (usize, f64),
    },
    /// A gold reply that the policy's dialect cannot say.
    #[error("sample {id}: its gold reply cannot be written in the dialect {dialect}: {source}")]
    Unsayable {
        /// The sample's id.
        id: String,
        /// The dialect.
        dialect: &'static str,
        /// Why.
        source: toolrl_grammar::WriteError,
    },
    /// Samples have tools, and the policy's template passes them over.
    #[error(
        "{dir}: the chat template does not show tools, which the data has: the policy would not see them. Set prompt = \
         \"chatml\" for a model that knows ChatML, or prompt to a file with a chat template that shows them"
    )]
    ToolsNotShown {
        /// The model directory.
        dir: PathBuf,
    },
    /// A sample is longer than the recipe allows, and it does not say what becomes of such.
    #[error(
        "sample {id} has {tokens} tokens, and {setting} = {limit} ({count} of {of} training samples are longer): raise the \
         limit, or set train.overlong_prompts to \"leave_out\" or \"cut\""
    )]
    Overlong {
        /// The first such sample's id.
        id: String,
        /// Its tokens.
        tokens: usize,
        /// What sets the limit.
        setting: &'static str,
        /// The limit.
        limit: usize,
        /// How many samples are longer.
        count: usize,
        /// Of how many.
        of: usize,
    },
    /// A gold reply that cannot be scored against.
    #[error("sample {id}: its gold reply cannot be scored: {source}")]
    Gold {
        /// The sample's id.
        id: String,
        /// What is wrong with it.
        source: toolrl_reward::RewardError,
    },
    /// A model directory could not be read or written.
    #[error(transparent)]
    Policy(#[from] toolrl_policy::PolicyError),
    /// A tokenizer or a chat template failed.
    #[error(transparent)]
    Chat(#[from] toolrl_chat::ChatError),
    /// A sample has no prompt.
    #[error(transparent)]
    Prompt(#[from] toolrl_rollout::RolloutError),
    /// Sampling failed.
    #[error("step {step}: {source}")]
    Sample {
        /// The step, from 1.
        step: u64,
        /// What failed; a prompt's number is its place among the training tasks.
        source: toolrl_rollout::RolloutError,
    },
    /// A term of the rubric failed on a reply.
    #[error("step {step}, sample {id}: {source}")]
    Reward {
        /// The step, from 1.
        step: u64,
        /// The sample's id.
        id: String,
        /// What failed.
        source: toolrl_reward::RewardError,
    },
    /// The rubric gave fewer scores than it was asked for.
    #[error("step {step}: a reply has no score")]
    NoScore {
        /// The step, from 1.
        step: u64,
    },
    /// The loss has no value.
    #[error("step {step}: {source}")]
    Loss {
        /// The step, from 1.
        step: u64,
        /// What failed.
        source: toolrl_grpo::GrpoError,
    },
    /// The gradient has no finite norm; the policy was not changed by this update.
    #[error("step {step}: the gradient's norm is {norm}; the policy is as it was before this step")]
    Gradient {
        /// The step, from 1.
        step: u64,
        /// Its norm.
        norm: f64,
    },
    /// An evaluation failed.
    #[error(transparent)]
    Eval(#[from] toolrl_eval::EvalError),
    /// A benchmark's data could not be read, or its evaluation failed.
    #[error(transparent)]
    Benchmark(#[from] toolrl_benchmarks::BenchmarkError),
    /// A record of the run could not be written.
    #[error(transparent)]
    Record(#[from] toolrl_record::RecordError),
    /// A tracker's settings, or the run's files for trackers.
    #[error(transparent)]
    Tracker(#[from] toolrl_trackers::TrackerError),
    /// A file of a checkpoint that its manifest calls whole is not what this program writes.
    #[error("{path}: {what}")]
    CheckpointFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// Replies that were written down are not those of a step as it is now.
    #[error(
        "{path} has other replies than the step asks for: {what}; without the file they are sampled again"
    )]
    OtherReplies {
        /// The file.
        path: PathBuf,
        /// What is other.
        what: String,
    },
    /// There is no such checkpoint.
    #[error("{dir}: {}", no_checkpoint(*.step, .steps))]
    NoCheckpoint {
        /// The folder of the run's checkpoints.
        dir: PathBuf,
        /// The step that was asked for; the last where it is none.
        step: Option<u64>,
        /// Those that are there.
        steps: Vec<u64>,
    },
    /// A checkpoint is not what was written.
    #[error("{dir} is damaged: {what}{}", offered(*.previous))]
    Damaged {
        /// The checkpoint.
        dir: PathBuf,
        /// What is damaged.
        what: String,
        /// The step of the last whole checkpoint before it.
        previous: Option<u64>,
    },
    /// There is no run to go on with.
    #[error("{dir} holds no run to resume: it has no config.toml")]
    NoRun {
        /// The directory.
        dir: PathBuf,
    },
    /// The run has no such step.
    #[error("{path}: there is no step {step}")]
    NoRow {
        /// The run's metrics.
        path: PathBuf,
        /// The step.
        step: u64,
    },
    /// The run is over, and nothing is set that it would go on for.
    #[error("{dir} is finished{}: its policy is in final, and there is nothing to resume; {way_on}", if *.early { " early" } else { "" })]
    Finished {
        /// The directory.
        dir: PathBuf,
        /// Whether its evaluations ended it.
        early: bool,
        /// How its policy is trained on.
        way_on: String,
    },
    /// A finished run would go on, and did not keep what that takes.
    #[error(
        "{dir} keeps no state of its last step to go on from: a run does where train.checkpoint_every is above 0. \
         Its policy can be trained further by a run of its own: --policy {dir}/final"
    )]
    NoLastState {
        /// The directory.
        dir: PathBuf,
    },
    /// Something that decides a run's results is not what it was.
    #[error("{dir} would go on otherwise than it began: {} (--allow-changes goes on, and records it)", what.join("; "))]
    Changed {
        /// The run's directory.
        dir: PathBuf,
        /// What changed, each with its old and its new value.
        what: Vec<String>,
    },
    /// Another process is at work in the run directory.
    #[error("{dir} is in use by another process")]
    Locked {
        /// The directory.
        dir: PathBuf,
    },
    /// The run was asked to stop. Its state is saved.
    #[error("stopped after step {step}; go on with: toolrl train --resume {dir}")]
    Stopped {
        /// The last step that is done.
        step: u64,
        /// The run's directory.
        dir: PathBuf,
    },
    /// The gradient is far larger than those before it; the policy was not changed by this update.
    #[error(
        "step {step}: the gradient's norm is {norm}, above {limit}, which train.guards.grad_spike allows"
    )]
    Spike {
        /// The step, from 1.
        step: u64,
        /// Its norm.
        norm: f64,
        /// What is allowed.
        limit: f64,
    },
    /// Weights that an update should have changed are what they were.
    #[error("step {step}: an update with a gradient of norm {norm} changed no weight")]
    Unchanged {
        /// The step, from 1.
        step: u64,
        /// The gradient's norm.
        norm: f64,
    },
    /// Devices that should have the same weights after an update have others.
    #[error(
        "step {step}: after the same update the weights of the {} devices differ, by their checksums {}: the run cannot go on; \
         resume it from its last checkpoint", checksums.len(), in_hex(checksums)
    )]
    DevicesDiffer {
        /// The step, from 1.
        step: u64,
        /// The checksum of the trained values on each device.
        checksums: Vec<u32>,
    },
    /// Sampler and trainer give the sampled tokens different log-probabilities.
    #[error(
        "step {step}: sampler and trainer differ by {gap} nats a token, more than train.guards.max_logprob_gap = {most}"
    )]
    LogprobGap {
        /// The step, from 1.
        step: u64,
        /// Mean over tokens of the difference.
        gap: f64,
        /// What the recipe allows.
        most: f64,
    },
    /// Updates were left out one after the other.
    #[error("step {step}: {skipped} updates in a row were left out, the last because {last}")]
    TooManySkips {
        /// The step, from 1.
        step: u64,
        /// How many.
        skipped: u32,
        /// Why the last was.
        last: String,
    },
    /// A run directory that holds another run.
    #[error("{dir} is not empty: name another run directory, or remove it")]
    RunDirInUse {
        /// The directory.
        dir: PathBuf,
    },
    /// A file of the run directory could not be written.
    #[error("cannot write {path}: {source}")]
    Write {
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
}

impl TrainError {
    /// Whether an update's numbers are at fault: nothing was changed by it, and the run could go on without it.
    pub(crate) fn is_fault(&self) -> bool {
        matches!(self, Self::Loss { .. } | Self::Gradient { .. } | Self::Spike { .. })
    }
}

fn in_hex(checksums: &[u32]) -> String {
    checksums.iter().map(|crc| format!("{crc:08x}")).collect::<Vec<_>>().join(", ")
}

fn no_checkpoint(step: Option<u64>, steps: &[u64]) -> String {
    let there: Vec<String> = steps.iter().map(u64::to_string).collect();
    match (step, there.is_empty()) {
        (_, true) => "there is no checkpoint".to_owned(),
        (Some(step), false) => {
            format!("there is no checkpoint of step {step}; there are {}", there.join(", "))
        }
        (None, false) => format!("there are {}", there.join(", ")),
    }
}

fn offered(previous: Option<u64>) -> String {
    match previous {
        Some(step) => format!("; that of step {step} is whole (--from-step {step})"),
        None => "; there is no whole one before it".to_owned(),
    }
}
