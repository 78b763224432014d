//! The arguments of `toolrl doctor`.

use std::path::PathBuf;

use clap::Args;
use toolrl_policy::DeviceChoice;

pub(super) const HELP: &str = "\
The exit code is 0 where the device can be used, and the policy, if one is given, has room on it.";

/// Arguments of `toolrl doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// The device that is asked about: auto, cpu, cuda or cuda:N
    #[arg(long, value_name = "DEVICE", default_value_t)]
    pub device: DeviceChoice,
    /// Say whether this policy has room there, in training and in sampling: a model directory
    #[arg(long, value_name = "DIR")]
    pub policy: Option<PathBuf>,
    /// As with precision = "bf16"
    #[arg(long)]
    pub bf16: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
