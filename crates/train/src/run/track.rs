//! The trackers of a run.

use std::path::Path;

use toolrl_trackers::{Mirrors, Status, TrackedRun, TrackerConfig, TrackerError, fill_in, history};

use crate::identity::Identity;
use crate::lock::RunLock;
use crate::resume::settings;
use crate::{Recipe, TrainError};

/// What a tracker has of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tracked {
    /// The tracker and where it is.
    pub place: String,
    /// The run's name there.
    pub name: String,
    /// Steps and evaluations.
    pub points: usize,
}

/// A run in progress as the recipe's trackers know it, where it has any. One that goes on otherwise is another run to them.
pub(super) fn tracked(
    recipe: &Recipe,
    run_dir: &Path,
    is_other: bool,
) -> Result<Option<TrackedRun>, TrainError> {
    if recipe.trackers.is_empty() { Ok(None) } else { of_run(recipe, run_dir, is_other).map(Some) }
}

/// The recipe's trackers beside it, with what its files hold.
pub(super) fn mirrors(
    recipe: &Recipe,
    run_dir: &Path,
    tracked: Option<&TrackedRun>,
) -> Result<Mirrors, TrainError> {
    let Some(run) = tracked else { return Ok(Mirrors::default()) };
    Ok(Mirrors::open(&recipe.trackers, run, &history(run_dir, run.begun)?)?)
}

fn of_run(recipe: &Recipe, run_dir: &Path, is_other: bool) -> Result<TrackedRun, TrainError> {
    let Identity { program, device, .. } = Identity::read(run_dir)?;
    let tags = vec![("program".to_owned(), program), ("computed on".to_owned(), device)];
    let params = settings(recipe)?.into_iter().filter(|(key, _)| key != "trackers");
    let params = params.map(|(key, value)| (key, serde_json::to_value(value).unwrap_or_default())).collect();
    Ok(TrackedRun::of(run_dir, is_other, params, tags)?)
}

/// Sends what trackers lack of a run that has ended, or was cut off: those of its recipe, or another one.
///
/// # Errors
/// [`TrainError::NoRun`]; [`TrainError::Locked`] for a run in progress; [`TrainError::Tracker`].
pub fn track(run_dir: &Path, other: Option<&TrackerConfig>) -> Result<Vec<Tracked>, TrainError> {
    let config = run_dir.join("config.toml");
    let text = std::fs::read_to_string(&config).map_err(|_| TrainError::NoRun { dir: run_dir.to_owned() })?;
    let recipe = Recipe::parse(&text, &[])?;
    let trackers = other.map_or(&*recipe.trackers, std::slice::from_ref);
    if trackers.is_empty() {
        let problem = "the run's recipe has none: say which".to_owned();
        return Err(TrackerError::Settings { key: "trackers", problem }.into());
    }
    let _lock = RunLock::take(run_dir)?;
    let run = of_run(&recipe, run_dir, false)?;
    let points = history(run_dir, run.begun)?;
    let status = if run_dir.join("summary.json").exists() { Status::Finished } else { Status::Stopped };
    let send = |tracker: &TrackerConfig| {
        fill_in(tracker, &run, &points, status)?;
        let name = tracker.name.clone().unwrap_or_else(|| run.name.clone());
        Ok(Tracked { place: tracker.place(), name, points: points.len() })
    };
    trackers.iter().map(send).collect()
}
