//! A whole run: evaluation, training, evaluation, report, all in one directory.

mod evaluations;
mod prepared;
mod records;
mod trainer;

use std::path::{Path, PathBuf};
use std::time::Instant;

use toolrl_eval::EvalReport;
use toolrl_record::{Summary, write_whole};

use crate::checkpoint::sync;
use crate::identity::Identity;
use crate::lock::RunLock;
use crate::task::write_held_out;
use crate::{Observer, Parts, Recipe, Resume, Stop, TrainError};
use evaluations::{Evaluations, held_out_row};
use prepared::Prepared;
use records::Records;
use trainer::Trainer;

/// What is to be run.
#[derive(Clone)]
pub struct Job<'a> {
    /// Everything that decides the run.
    pub recipe: &'a Recipe,
    /// What it names.
    pub parts: &'a Parts,
    /// Where its files go.
    pub run_dir: &'a Path,
    /// The evaluation of the policy that the run begins with, where it is known already.
    pub before: Option<EvalReport>,
    /// Where the run goes on, if it is one that was cut off.
    pub resume: Option<&'a Resume>,
    /// Asked after every step.
    pub stop: Stop,
    /// The step to stop after, where it is not the recipe's last.
    pub last_step: Option<u64>,
}

/// What a run made.
#[derive(Clone, Debug)]
pub struct RunOutcome {
    /// The evaluations before and after.
    pub summary: Summary,
    /// The trained policy's directory.
    pub policy: PathBuf,
    /// The report.
    pub report: PathBuf,
}

/// Does a recipe, or the rest of one, with everything it leaves behind in the run directory.
///
/// # Errors
/// [`TrainError`]; what was written until then stays, and is whole. [`TrainError::Stopped`] when it was asked to stop.
pub async fn run(job: Job<'_>, observer: &mut dyn Observer) -> Result<RunOutcome, TrainError> {
    // Taken first, so that of runs that begin at once one has the directory.
    let lock = RunLock::take(job.run_dir)?;
    let run_dir = job.run_dir;
    let done = locked(job, observer).await;
    if done.is_err() && !run_dir.join(Identity::NAME).exists() {
        lock.leave_nothing(run_dir);
    }
    done
}

/// The same in a directory that is this process's.
async fn locked(job: Job<'_>, observer: &mut dyn Observer) -> Result<RunOutcome, TrainError> {
    let (clock, run_dir) = (Instant::now(), job.run_dir);
    if job.resume.is_none() {
        refuse_used(run_dir)?;
    }
    let prepared = Prepared::of(&job)?;
    let Prepared { recipe, place, data, start, trained, stage, benchmarks, identity } = prepared;
    let (recipe, parts) = (&recipe, job.parts);
    let job = Job { recipe, ..job };
    // From here on the directory is written to.
    match job.resume {
        Some(resume) => resume.check(run_dir, &identity)?,
        None => identity.write(run_dir)?,
    }
    write_held_out(run_dir, &data)?;
    let mut records = Records::open(recipe, run_dir, job.resume)?;
    tracing::info!(
        policy = %start.dir.display(),
        device = %place.name,
        parameters = start.policy.num_params(),
        train = data.train.len(),
        held_out = data.held_out.len(),
        unscorable = data.gold.unscorable.len(),
        done = job.resume.map_or(0, |resume| resume.step),
        "starting"
    );
    let chat = start.chat.clone();
    let evaluations = Evaluations { recipe, data: &data, parts, chat: &chat, run_dir, benchmarks };
    // One that lies there is of this run only where this run goes on, and evaluates as it did.
    let goes_on = job.resume.is_some_and(|resume| resume.same_evaluation);
    let before = match job.before.clone().or_else(|| goes_on.then(|| known(run_dir)).flatten()) {
        Some(known) => known,
        None => evaluations.held_out((&start.policy, 0), &start.dir.display().to_string(), observer).await?,
    };
    let json = serde_json::to_vec_pretty(&before).unwrap_or_default();
    write_whole(&run_dir.join(BEFORE), &json)?;
    if evaluations.has_held_out() {
        tracing::info!("before training\n{}", before.table());
        records.first_evaluation(held_out_row(0, &before, 0.0))?;
    }
    evaluations.on_benchmarks(0, &start.policy, &mut records, observer).await?;

    let trainer =
        Trainer { job: &job, chat: chat.clone(), records: &mut records, evaluations: &evaluations, observer };
    let (policy, steps) = trainer.train(stage, (start.policy, trained), &place.device).await?;
    let final_dir = run_dir.join("final");
    policy.save(&final_dir, |dir| chat.save_files(dir))?;
    sync(&final_dir).map_err(|source| TrainError::Write { path: final_dir.clone(), source })?;
    let after = evaluations.held_out((&policy, steps), &final_dir.display().to_string(), observer).await?;
    if evaluations.has_held_out() {
        records.evaluation(held_out_row(steps, &after, 0.0))?;
    }
    evaluations.on_benchmarks(steps, &policy, &mut records, observer).await?;
    let seconds = clock.elapsed().as_secs_f64();
    let summary = Summary { recipe: recipe.name.clone(), seed: recipe.seed, steps, seconds, before, after };
    let report = records.report(recipe, &summary, (&parts.rubrics.training, chat.dialect()))?;
    // Last: what has a summary is finished.
    summary.write(&run_dir.join("summary.json"))?;
    Ok(RunOutcome { summary, policy: final_dir, report })
}

/// Refuses a directory that holds a run, before anything is written there.
///
/// # Errors
/// [`TrainError::RunDirInUse`].
pub fn refuse_used(run_dir: &Path) -> Result<(), TrainError> {
    if run_dir.join("metrics.jsonl").exists() {
        return Err(TrainError::RunDirInUse { dir: run_dir.to_owned() });
    }
    Ok(())
}

/// The evaluation of the policy that a run begins with.
const BEFORE: &str = "before.json";

/// The evaluation that this run made before it was cut off.
fn known(run_dir: &Path) -> Option<EvalReport> {
    serde_json::from_slice(&std::fs::read(run_dir.join(BEFORE)).ok()?).ok()
}
