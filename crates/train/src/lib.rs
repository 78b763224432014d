//! Recipes: SFT, DPO, GRPO and PPO; scoring, batching, update, checkpoint; a whole run with its records.
//!
//! Invariant: one type a stage and nothing half-filled; what a run writes is whole at every moment,
//! and the resolved recipe lies beside it. With the same recipe, seed and machine a run gives the
//! same numbers.
//!
//! [`run()`] does a whole recipe: evaluation, training, evaluation, report. `grpo.rs` and
//! `ppo.rs` read as the stages of a step.

mod bench;
mod checkpoint;
mod completions;
mod critic;
mod curriculum;
mod dpo;
mod error;
mod evaluation;
mod examples;
#[cfg(test)]
mod golden_tests;
mod grpo;
mod guard;
mod identity;
mod learner;
mod limit;
mod lock;
mod loss;
mod moments;
mod observer;
mod optimizer;
mod order;
mod pack;
mod pair;
mod parts;
mod ppo;
mod prompted;
mod recipe;
mod replay;
mod replicas;
mod resume;
mod rl;
mod run;
mod score;
mod served;
mod sft;
mod stage;
mod start;
mod stop;
mod task;
#[cfg(test)]
mod test_fixtures;
mod words;

pub use bench::{Bench, BenchSettings, BenchStep, Layout};
pub use checkpoint::Manifest;
pub use completions::{GroupCounts, count_groups};
pub use error::TrainError;
pub use evaluation::{Subject, evaluate_policy};
pub use identity::began_with;
pub use lock::clear_run;
pub use observer::Observer;
pub(crate) use parts::Setting;
pub use parts::{LocalSampler, Parts, Registry, SharedSampler};
pub use prompted::{Demonstrated, Prompted, PromptedTask, Shown};
pub use recipe::{
    AdaptersOn, ApiBankHandler, BenchmarkConfig, BestBy, CompletionsConfig, CreditKind, CriticConfig,
    DataSource, DifficultyConfig, DpoConfig, EarlyStop, EnvironmentConfig, EvalConfig, EvalMeasure, EvalSet,
    FilesConfig, FinalPolicy, FreshPolicy, GroupFilter, GrpoConfig, GuardConfig, KlReference, Method,
    MixPart, MomentStorage, OfflineConfig, OnFault, OptimizerConfig, Overlong, OverlongPrompts, PassOrder,
    PolicySource, PpoAdvantage, PpoConfig, Recipe, Renewal, ResampleBy, RestConfig, RestLength, RlConfig,
    Rubrics, SamplerConfig, ServedWeights, SftConfig, StartAdapters, Success, TasksConfig, Truncated,
};
pub use replay::{Replay, replay};
pub use resume::{Changes, Resume};
pub use run::{Job, RunOutcome, Tracked, refuse_used, run, track};
pub use stop::Stop;
pub use task::{Data, Source, held_out_of, load_data, load_set};
pub use toolrl_trackers::{TrackerConfig, TrackerKind};
pub use words::{in_dialect, worded};
