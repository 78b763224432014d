//! Mirrors of a run where experiments are kept: MLflow, Trackio, offline folders of Weights & Biases.
//!
//! Invariant: a tracker holds what the run's own files hold, no point of a step twice, however often it is filled in; and
//! one that fails never ends a run, nor holds up a step.
//!
//! [`TrackerConfig`] names a tracker. [`Mirrors`] follow a run in progress, each on a thread of its own; [`fill_in`] sends what
//! a tracker lacks of a run that has ended. Both begin with [`history`], what the run's files hold.

mod config;
mod error;
mod files;
mod mirrors;
mod mlflow;
mod point;
mod tracked;
mod tracker;
mod trackio;
mod wandb;

pub use config::{TrackerConfig, TrackerKind};
pub use error::TrackerError;
pub use mirrors::Mirrors;
pub use point::{Point, history, now};
pub use tracked::{TrackedRun, run_ids};
pub use tracker::{Status, fill_in};
