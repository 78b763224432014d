//! Arguments of `toolrl study`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use toolrl_policy::DeviceChoice;

pub(super) const HELP: &str = "\
Embedded studies:
  quick   SFT, GRPO from a cold start, SFT then GRPO; three seeds; a quarter of an hour to half of
          one on two cores
  paper   the paper's whole comparison on the tiny policy: methods, length rewards, scales,
          granularity, GDPO, and the members of the GRPO family; three seeds; hours
  claim   the paper's claim on SmolLM2-135M-Instruct in the wide world: fine-tuning on 400 and
          on 4,000 demonstrations, GRPO and PPO after the 400, other rewards, controls; three
          seeds; days. A part of it in some hours (--policy DIR, --bfcl DIR, --api-bank DIR):
          toolrl study claim --only \"raw,SFT 400,SFT 400+GRPO\" --seeds 1

A study that is cut off goes on where it was when it is started again. The folder gets runs/ (a run directory \
each, as of toolrl train), study.json, report.html (tables, curves, findings), tables.md and curves-*.svg. Standard output \
gets the tables.

A study of your own is a TOML file: --dry-run prints an embedded one to begin with.";

/// Arguments of `toolrl study`.
#[derive(Debug, Args)]
pub struct StudyArgs {
    /// An embedded study's name, or a TOML file
    #[arg(default_value = "quick")]
    pub study: String,
    /// Where its files go [default: studies/NAME]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// The seeds, instead of the study's own
    #[arg(long, value_name = "N,N,...", value_delimiter = ',')]
    pub seeds: Vec<u64>,
    /// These arms alone, for instance --only "raw,GRPO,span credit"
    #[arg(long, value_name = "ARM,ARM,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Change a setting of every stage, over the stage's own, for instance sampling.temperature=0.8; may be repeated. A
    /// key that a stage's method lacks is refused: choose arms that have it by --only
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub overrides: Vec<String>,
    /// The policy that arms start from: a model directory, or a name on the Hub [default: the study's]
    #[arg(long, value_name = "DIR")]
    pub policy: Option<String>,
    /// The folder of BFCL's data, for a study with a test on it; without it such a test is left out
    #[arg(long, value_name = "DIR")]
    pub bfcl: Option<PathBuf>,
    /// The folder of API-Bank's data, likewise
    #[arg(long, value_name = "DIR")]
    pub api_bank: Option<PathBuf>,
    /// Where to compute: auto, cpu, cuda or cuda:N [default: the recipes']
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Runs at a time, each with its share of the cores, which tiny policies use better than runs one after another do
    /// [default: one a core, at most 8, for quick and paper; 1 for others; on a GPU always 1]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Print the study as it would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
