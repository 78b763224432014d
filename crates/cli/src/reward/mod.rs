//! `toolrl reward`: scores rows of replies, and shows what a reward does on them.

mod choice;
mod diff;
mod explain;
mod forecast;
mod fuzz;
mod rows;
mod score;

use std::io::{self, ErrorKind, Write};
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use toolrl_reward::Registry;

/// The commands on rewards.
#[derive(Debug, Subcommand)]
pub enum RewardCommand {
    /// Score each row; one JSON line a row
    #[command(after_help = choice::HELP)]
    Score(score::ScoreArgs),
    /// Say for each row what was matched with what and what cost each point
    #[command(after_help = choice::HELP)]
    Explain(explain::ExplainArgs),
    /// Compare two rewards: the rows they score differently, the pairs of a group they order differently
    #[command(after_help = choice::HELP)]
    Diff(diff::DiffArgs),
    /// Damage gold replies and look for those on which a reward breaks a promise
    #[command(after_help = fuzz::HELP)]
    Fuzz(fuzz::FuzzArgs),
    /// Tell from sampled replies what a reward will teach: groups without spread, each term's share
    #[command(after_help = forecast::HELP)]
    Forecast(forecast::ForecastArgs),
}

/// The rows that a command reads.
#[derive(Clone, Debug, Args)]
pub struct RowsArgs {
    /// Rows of `solution_str` and `ground_truth`, or of `completion` and `gold`, one JSON object a line, may be
    /// gzipped; or the Parquet files of a run: one of them, or its directory
    #[arg(long, value_name = "PATH")]
    pub rows: PathBuf,
    /// The field that replies to one prompt share [default: `group`, `prompt_index` with `step`, or `prompt`;
    /// else an `id` that repeats; else the prompt in `solution_str` and `ground_truth`]
    #[arg(long, value_name = "FIELD")]
    pub group_by: Option<String>,
}

/// Does one of the commands.
pub(crate) fn run(command: &RewardCommand, registry: &Registry) -> anyhow::Result<()> {
    // Terms that have to be waited for find the runtime that their clients need.
    let runtime = crate::train::runtime()?;
    let entered = runtime.enter();
    let done = match command {
        RewardCommand::Score(args) => score::score(args, registry),
        RewardCommand::Explain(args) => explain::explain(args, registry),
        RewardCommand::Diff(args) => diff::diff(args, registry),
        RewardCommand::Fuzz(args) => fuzz::fuzz(args, registry),
        RewardCommand::Forecast(args) => forecast::forecast(args, registry),
    };
    drop(entered);
    // A call that a term gave up on may hang for ever.
    runtime.shutdown_background();
    done
}

/// Writes a result to standard output. A reader that has gone away is no error.
fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write the result"),
    }
}

/// A report as text, or as one JSON object.
fn print_report<R: std::fmt::Display + serde::Serialize>(report: &R, json: bool) -> anyhow::Result<()> {
    print(&if json { serde_json::to_string(report)? + "\n" } else { report.to_string() })
}
