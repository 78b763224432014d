//! A step of a run computed again, and compared with what was written down.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use toolrl_policy::DeviceChoice;
use toolrl_record::{
    Completion, StepMetrics, completions_path, read_completions, read_rows, replied_rounds, replies_path,
};

use crate::checkpoint::Checkpoints;
use crate::identity::Identity;
use crate::resume::copy_files;
use crate::{Changes, EvalConfig, Job, Observer, Recipe, Registry, Resume, Stop, TrainError, run};

/// What a replay found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replay {
    /// The step.
    pub step: u64,
    /// The step of the checkpoint that it began with; 0 for the run's beginning.
    pub from: u64,
    /// Replies that were compared; 0 for a step that samples none.
    pub replies: usize,
    /// What is not the same to the bit.
    pub differences: Vec<String>,
    /// Where the replayed files are, if anything differs.
    pub kept: Option<PathBuf>,
}

/// Computes a step of a run again from the last checkpoint before it, and compares its replies, rewards and metrics
/// with those that the run wrote down. `device` is where, instead of the run's own choice. The run is not touched.
///
/// # Errors
/// [`TrainError`], as of a run; [`TrainError::NoRow`] for a step that the run has not done.
pub async fn replay(
    run_dir: &Path,
    step: u64,
    device: Option<DeviceChoice>,
    registry: &Registry,
    observer: &mut dyn Observer,
) -> Result<Replay, TrainError> {
    let logged = row(run_dir, step)?;
    let config = run_dir.join("config.toml");
    let text = std::fs::read_to_string(&config).map_err(|_| TrainError::NoRun { dir: run_dir.to_owned() })?;
    let mut recipe = Recipe::parse(&text, &[])?;
    // A replay compares steps: evaluations change none.
    recipe.eval = EvalConfig { limit: Some(0), ..EvalConfig::default() };
    recipe.device = device.unwrap_or(recipe.device);
    recipe.trackers.clear();
    let checkpoints = Checkpoints::of(run_dir);
    let from = checkpoints.steps().into_iter().rfind(|&saved| saved < step);
    let checkpoint = from.map(|from| checkpoints.verified(Some(from))).transpose()?.map(|(_, dir)| dir);
    let scratch = run_dir.join(format!("replay-step-{step:05}"));
    copy_files(run_dir, &scratch, &["config.toml", Identity::NAME])?;
    let from = from.unwrap_or(0);
    copy_replies((run_dir, &scratch), from + 1..=step + recipe.sampler.stale)?;
    let resume = Resume::at(recipe, from, checkpoint, Changes::Refuse);
    let parts = resume.recipe.parts(registry)?;
    let job = Job {
        recipe: &resume.recipe,
        parts: &parts,
        run_dir: &scratch,
        before: None,
        resume: Some(&resume),
        stop: Stop::default(),
        last_step: Some(step),
    };
    match run(job, observer).await {
        // The last step of a run ends it.
        Ok(_) | Err(TrainError::Stopped { .. }) => {}
        Err(error) => return Err(error),
    }
    let mut differences = compared(&logged, &row(&scratch, step)?);
    let (was, now) = (replies(run_dir, step)?, replies(&scratch, step)?);
    differences.extend(different_replies(&was, &now));
    let kept = if differences.is_empty() {
        std::fs::remove_dir_all(&scratch)
            .map_err(|source| TrainError::Write { path: scratch.clone(), source })?;
        None
    } else {
        Some(scratch)
    };
    Ok(Replay { step, from, replies: now.len(), differences, kept })
}

/// Copies what servers said in some steps: they may not say it again.
fn copy_replies((from, to): (&Path, &Path), steps: RangeInclusive<u64>) -> Result<(), TrainError> {
    for (step, round) in replied_rounds(from)?.into_iter().filter(|(step, _)| steps.contains(step)) {
        let [was, now] = [from, to].map(|dir| replies_path(dir, step, round));
        let folder = now.parent().unwrap_or(to);
        let copied = std::fs::create_dir_all(folder).and_then(|()| std::fs::copy(&was, &now));
        copied.map_err(|source| TrainError::Write { path: now, source })?;
    }
    Ok(())
}

fn row(run_dir: &Path, step: u64) -> Result<StepMetrics, TrainError> {
    let path = run_dir.join("metrics.jsonl");
    let rows: Vec<StepMetrics> = read_rows(&path)?;
    rows.into_iter().find(|row| row.step == step).ok_or(TrainError::NoRow { path, step })
}

fn replies(run_dir: &Path, step: u64) -> Result<Vec<Completion>, TrainError> {
    let path = completions_path(run_dir, step);
    if path.exists() { Ok(read_completions(&path)?) } else { Ok(Vec::new()) }
}

/// The numbers of two rows that differ; how long it took, and what servers did meanwhile, left out.
fn compared(was: &StepMetrics, now: &StepMetrics) -> Vec<String> {
    let numbers = |row: &StepMetrics| {
        let mut scalars = StepMetrics { seconds: Default::default(), ..row.clone() }.scalars();
        scalars.retain(|(name, _)| !name.starts_with("sampler/") || name == "sampler/lag");
        scalars
    };
    let (was_numbers, now_numbers) = (numbers(was), numbers(now));
    let mut differences = Vec::new();
    if was.weights != now.weights {
        let text = |weights: &Option<String>| weights.clone().unwrap_or_else(|| "none".to_owned());
        differences.push(format!("weights: {} -> {}", text(&was.weights), text(&now.weights)));
    }
    for (name, value) in &was_numbers {
        match now_numbers.iter().find(|(other, _)| other == name) {
            Some((_, other)) if other.to_bits() == value.to_bits() => {}
            Some((_, other)) => differences.push(format!("{name}: {value} -> {other}")),
            None => differences.push(format!("{name}: {value} -> none")),
        }
    }
    differences
}

/// The replies that differ.
fn different_replies(was: &[Completion], now: &[Completion]) -> Vec<String> {
    if was.len() != now.len() {
        return vec![format!("replies: {} -> {}", was.len(), now.len())];
    }
    // Runs of earlier versions wrote no episodes.
    let known = |a: &Completion, b: &Completion| Completion {
        episode: a.episode.as_ref().and(b.episode.clone()),
        ..b.clone()
    };
    let differ = was.iter().zip(now).filter(|(a, b)| **a != known(a, b));
    differ.map(|(a, _)| format!("the reply of sample {}, member {}", a.sample_id, a.member)).collect()
}
