//! `toolrl reward fuzz`.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::bail;
use toolrl_data::world::{World, WorldConfig};
use toolrl_reward::{Registry, Rubric};
use toolrl_workbench::FuzzSettings;

use super::RowsArgs;
use super::choice::RewardArgs;
use super::rows::Chunks;

/// What is looked for, for `--help`.
pub(super) const HELP: &str = "\
Gold replies are taken from --rows, from --data, or else from the synthetic tool world. Each is damaged up to four \
times (drop_call, duplicate_call, rename_tool, break_json, add_key, drop_key, rename_key, change_value, break_tag, \
extra_text) and written in other ways that say the same (call_order, key_order, name_last, spaces, number_type, \
escapes). The promises:
  finite          every term has a finite value: none fails, panics or times out
  range           every term stays within the range that it states
  deterministic   the same reply gets the same score, to the bit
  exact_is_best   no damaged reply scores above the gold reply
  monotonic       one more damage never raises the score
  equivalent      another way of writing the same has the same score
A broken promise is a finding, to be judged: --strict makes it an error. Counter-examples are the smallest of \
their kind. REWARD is as for `reward explain`; `released` is the released reward without a flag.

Examples:
  toolrl reward fuzz
  toolrl reward fuzz --terms \"correctness:granularity=strict\" --cases 20000 --seed 1
  toolrl reward fuzz --recipe my.toml --rows replies.jsonl --strict";

/// Arguments of `toolrl reward fuzz`.
#[derive(Clone, Debug, clap::Args)]
pub struct FuzzArgs {
    /// Rows whose references are the gold replies, in the forms of `reward explain`
    #[arg(long, value_name = "PATH", conflicts_with = "data")]
    pub rows: Option<PathBuf>,
    /// Training data whose gold replies are taken (docs/data.md)
    #[arg(long, value_name = "PATH")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) reward: RewardArgs,
    /// Cases to try
    #[arg(long, value_name = "N", default_value_t = 5_000)]
    pub cases: usize,
    /// Where the random numbers come from
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Show N kinds of counter-examples of each promise at most
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub limit: usize,
    /// Fail when a promise is broken
    #[arg(long)]
    pub strict: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Tasks of the synthetic world that gold replies are taken from.
const WORLD_TASKS: usize = 500;

/// Looks for counter-examples to a reward's promises.
pub(super) fn fuzz(args: &FuzzArgs, registry: &Registry) -> anyhow::Result<()> {
    let chosen = args.reward.reward(registry)?.reward;
    let released = Rubric::toolrl();
    let rubric = chosen.rubric().unwrap_or(&released);
    let golds = golds(args)?;
    let settings = FuzzSettings { cases: args.cases, seed: args.seed, limit: args.limit };
    let report = toolrl_workbench::fuzz(rubric, golds.iter().map(Vec::as_slice), settings)?;
    super::print_report(&report, args.json)?;
    let broken = report.properties.iter().filter(|property| property.failures > 0).count();
    if args.strict && broken > 0 {
        bail!("{broken} of {} promises are broken, {} times", report.properties.len(), report.failures());
    }
    Ok(())
}

/// The gold replies, each once.
fn golds(args: &FuzzArgs) -> anyhow::Result<BTreeSet<Vec<u8>>> {
    let mut golds = BTreeSet::new();
    if let Some(path) = &args.rows {
        let mut chunks = Chunks::open(&RowsArgs { rows: path.clone(), group_by: None })?;
        loop {
            let rows = chunks.next()?;
            if rows.is_empty() {
                return Ok(golds);
            }
            golds.extend(rows.into_iter().map(|row| row.gold));
        }
    }
    let samples = match &args.data {
        Some(path) => toolrl_data::load(path)?.samples,
        None => {
            let config =
                WorldConfig { seed: args.seed, train: WORLD_TASKS, held_out: 1, ..WorldConfig::default() };
            World::generate(&config)?.train
        }
    };
    golds.extend(samples.into_iter().map(|sample| sample.gold.text().into()));
    Ok(golds)
}
