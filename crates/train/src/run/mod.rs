//! A whole run: evaluation, training, evaluation, report, all in one directory.

mod cpu;
mod evaluations;
mod finish;
mod prepared;
mod recording;
mod records;
mod track;
mod trainer;

use std::path::{Path, PathBuf};
use std::time::Instant;

use toolrl_eval::Evaluation;
use toolrl_record::Summary;
use toolrl_trackers::Status;

use crate::checkpoint::Checkpoints;
use crate::identity::Identity;
use crate::lock::RunLock;
use crate::task::write_held_out;
use crate::{EvalConfig, Observer, Parts, Recipe, Resume, Stop, TrainError};
use evaluations::Evaluations;
use finish::{FINAL, Finish, Finished};
use prepared::Prepared;
use records::Records;
pub use track::{Tracked, track};
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
    /// The evaluation on held-out tasks of the policy that the run begins with, where it is known already.
    pub before: Option<Evaluation>,
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
    let (clock, cpu, run_dir) = (Instant::now(), cpu::seconds(), job.run_dir);
    if job.resume.is_none() {
        refuse_used(run_dir)?;
    }
    let prepared = Prepared::of(&job)?;
    let Prepared { recipe, place, others, data, start, trained, stage, sets, benchmarks, identity } =
        prepared;
    let (recipe, parts) = (&recipe, &job.parts.of_run(run_dir));
    // From here on the directory is written to.
    let resume = match job.resume {
        Some(resume) => {
            let resume = resume.checked(run_dir, &identity)?;
            // Those of a line that was left would be taken up again if this one is cut off before its first checkpoint.
            Checkpoints::of(run_dir).drop_after(resume.step)?;
            Some(resume)
        }
        None => None,
    };
    if resume.is_none() {
        identity.write(run_dir)?;
    }
    let job = Job { recipe, parts, resume: resume.as_ref(), ..job };
    write_held_out(run_dir, &data)?;
    let mut records = Records::open(recipe, run_dir, job.resume)?;
    tracing::info!(
        policy = %start.dir.display(),
        device = %place.name,
        devices = 1 + others.len(),
        parameters = start.policy.num_params(),
        train = data.train.len(),
        held_out = data.held_out.len(),
        unscorable = data.gold.unscorable.len(),
        done = job.resume.map_or(0, |resume| resume.step),
        "starting"
    );
    let chat = start.chat.clone();
    let evaluations = Evaluations { recipe, data: &data, parts, chat: &chat, run_dir, sets, benchmarks };
    if let Some(known) = job.before.as_ref().filter(|_| !records.is_evaluated(0, EvalConfig::HELD_OUT)) {
        evaluations.record((EvalConfig::HELD_OUT, 0), known, 0.0, &mut records)?;
    }
    let name = start.dir.display().to_string();
    let begun = evaluations.subject(&start.policy, 0, &name);
    let before = evaluations.all(begun, &mut records, observer).await?;
    if let Some(held_out) = before.first().filter(|report| report.overall.tasks > 0) {
        tracing::info!("before training\n{}", held_out.table());
    }
    let stop_tokens = start.policy.generation().stop_tokens.clone();
    let trainer = Trainer::new(&job, &chat, &others, &mut records, &evaluations, observer);
    let trained = trainer.train(stage, (start.policy, trained), &place.device).await?;
    let finish = Finish { evaluations: &evaluations, device: &place.device, stop_tokens };
    let Finished { after, final_step } = finish.leave(&trained, &mut records, observer).await?;
    let mut summary = Summary {
        recipe: recipe.name.clone(),
        seed: recipe.seed,
        steps: trained.steps,
        seconds: records.earlier() + clock.elapsed().as_secs_f64(),
        cpu_seconds: cpu::seconds().zip(cpu).map(|(end, begun)| end - begun).filter(|_| job.resume.is_none()),
        stopped_early: trained.stopped_early,
        final_step,
        ..Summary::default()
    };
    (summary.before, summary.after, summary.sets) = evaluations.compared(before, after);
    let report = records.report(recipe, &summary, (&parts.rubrics.training, chat.dialect()), &data.train)?;
    // Last: what has a summary is finished.
    summary.write(&run_dir.join("summary.json"))?;
    records.end(Status::Finished);
    Ok(RunOutcome { summary, policy: run_dir.join(FINAL), report })
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

#[cfg(test)]
#[path = "remote_tests.rs"]
mod tests;
