//! Arguments of `toolrl study`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;
use toolrl_policy::DeviceChoice;

pub(super) const HELP: &str = "\
Embedded studies:
  quick   SFT, GRPO from a cold start, SFT then GRPO; three seeds; a quarter of an hour to half of
          one on two cores
  paper   the paper's whole comparison on the tiny policy: methods, length rewards, scales, granularity, GDPO,
          and the members of the GRPO family; three seeds; hours

A study that is cut off goes on where it was when it is started again. The folder gets runs/ (a run directory
each, as of toolrl train), study.json, report.html (tables, curves, findings), tables.md and curves-*.svg. Standard output
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
    /// Where to compute: auto, cpu, cuda or cuda:N [default: the recipes']
    #[arg(long, value_name = "DEVICE")]
    pub device: Option<DeviceChoice>,
    /// Runs at a time, each with its share of the cores, which tiny policies use better than runs one after another do
    /// [default: one a core, at most 8, for an embedded study; 1 for a file's; on a GPU always 1]
    #[arg(long, value_name = "N")]
    pub jobs: Option<NonZeroUsize>,
    /// Print the study as it would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
