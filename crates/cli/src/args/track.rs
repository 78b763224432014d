//! Arguments of `toolrl track`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

pub(super) const HELP: &str = "\
Without --to the trackers are those of the run's recipe ([[trackers]]), which it could not reach or which lack the end of \
a run that was cut off. A point that a tracker has is not sent again. Standard output gets a line a tracker.

  toolrl track runs/grpo-1 --to mlflow --url http://127.0.0.1:5000
  toolrl track runs/grpo-1 --to trackio --dir ~/.cache/huggingface/trackio
  toolrl track runs/grpo-1 --to wandb --dir wandb && wandb sync wandb/offline-run-*";

/// Arguments of `toolrl track`.
#[derive(Clone, Debug, Args)]
pub struct TrackArgs {
    /// The run's directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Another tracker than those of its recipe
    #[arg(long, value_name = "TRACKER")]
    pub to: Option<TrackerName>,
    /// The address of the tracker's server
    #[arg(long, value_name = "URL", requires = "to")]
    pub url: Option<String>,
    /// The tracker's folder
    #[arg(long, value_name = "DIR", requires = "to")]
    pub dir: Option<PathBuf>,
    /// The project, which MLflow calls experiment
    #[arg(long, value_name = "NAME", default_value = "toolrl", requires = "to")]
    pub project: String,
    /// The run's name there [default: that of its directory]
    #[arg(long, value_name = "NAME", requires = "to")]
    pub name: Option<String>,
    /// A file with the server's token
    #[arg(long, value_name = "FILE", requires = "to")]
    pub key_file: Option<PathBuf>,
}

/// A tracker's name.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum TrackerName {
    /// A server of MLflow (--url)
    Mlflow,
    /// A server of Trackio (--url), or its folder (--dir)
    Trackio,
    /// A folder that `wandb sync` takes (--dir)
    Wandb,
}
