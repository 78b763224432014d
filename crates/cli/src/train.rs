//! `toolrl train`.

use std::path::{Path, PathBuf};

use toolrl_eval::EvalReport;
use toolrl_train::{
    Changes, DataSource, FilesConfig, Job, Parts, PolicySource, Recipe, Registry, Resume, refuse_used, run,
};

use crate::args::TrainArgs;
use crate::progress::Progress;
use crate::{device, hub, recipes, signals, starter};

/// Runs a recipe, and those that follow it, each from the policy that the one before left; or goes on with a run. The
/// tables of the evaluations go to standard output.
pub(crate) fn train(args: &TrainArgs, registry: &Registry) -> anyhow::Result<()> {
    if let Some(run_dir) = &args.resume {
        return resume(run_dir, args, registry);
    }
    let mut policy = args.policy.clone();
    let overrides = device::among(&args.overrides, args.device);
    // Everything that is asked for is read before anything is done.
    let mut stages = Vec::new();
    let named = args.recipe.as_deref().unwrap_or("quickstart");
    for (place, name) in std::iter::once(named).chain(args.then.iter().map(String::as_str)).enumerate() {
        let mut recipe = recipes::find(name, &overrides)?;
        apply(&mut recipe, policy.as_deref(), args.data.as_deref());
        let parts = recipe.parts(registry)?;
        let run_dir = match &args.run_dir {
            Some(dir) if args.then.is_empty() => dir.clone(),
            Some(dir) => dir.join(format!("{}-{}", place + 1, recipe.name)),
            None => {
                let namesakes = |(earlier, ..): &&(Recipe, Parts, PathBuf)| earlier.name == recipe.name;
                next_run_dir(&recipe.name, stages.iter().filter(namesakes).count())
            }
        };
        policy = Some(run_dir.join("final"));
        if args.dry_run {
            print!("{}", recipe.to_toml()?);
            continue;
        }
        refuse_used(&run_dir)?;
        stages.push((recipe, parts, run_dir));
    }
    let stop = signals::stop()?;
    for (mut recipe, parts, run_dir) in stages {
        match &mut recipe.policy {
            None => {
                let dir = run_dir.join("start");
                starter::unpack(&dir)?;
                recipe.policy = Some(PolicySource::Dir(dir));
            }
            Some(PolicySource::Dir(dir)) => *dir = hub::directory(dir)?,
            Some(PolicySource::Fresh(_)) => {}
        }
        tracing::info!("run directory {}", run_dir.display());
        let (before, resume, last_step) = (None, None, None);
        let (recipe, parts, run_dir) = (&recipe, &parts, run_dir.as_path());
        finish(Job { recipe, parts, run_dir, before, resume, stop: stop.clone(), last_step })?;
    }
    Ok(())
}

/// Goes on with a run that was stopped or cut off.
fn resume(run_dir: &Path, args: &TrainArgs, registry: &Registry) -> anyhow::Result<()> {
    let changes = if args.allow_changes { Changes::Record } else { Changes::Refuse };
    let resume = Resume::of(run_dir, &device::among(&args.overrides, args.device), args.from_step, changes)?;
    let recipe = &resume.recipe;
    if args.dry_run {
        print!("{}", recipe.to_toml()?);
        return Ok(());
    }
    let parts = recipe.parts(registry)?;
    tracing::info!("resuming {} after step {}", run_dir.display(), resume.step);
    let stop = signals::stop()?;
    let (parts, before, resume) = (&parts, None, Some(&resume));
    finish(Job { recipe, parts, run_dir, before, resume, stop, last_step: None })
}

fn finish(job: Job<'_>) -> anyhow::Result<()> {
    let outcome = block_on(run(job, &mut Progress::new()))?;
    let summary = &outcome.summary;
    print!("{}", EvalReport::comparison(&summary.before, &summary.after));
    println!("policy {}", outcome.policy.display());
    println!("report {}", outcome.report.display());
    Ok(())
}

/// Puts the user's own model and data into a recipe.
pub(crate) fn apply(recipe: &mut Recipe, policy: Option<&Path>, data: Option<&Path>) {
    if let Some(dir) = policy {
        recipe.policy = Some(PolicySource::Dir(dir.to_owned()));
    }
    if let Some(path) = data {
        // Settings of the recipe for files, such as a separate evaluation set, stay.
        match &mut recipe.data {
            DataSource::Files(files) => files.train = path.to_owned(),
            DataSource::World(_) => recipe.data = DataSource::Files(FilesConfig::new(path.to_owned())),
        }
    }
}

/// Drives the asynchronous parts on this thread: the local sampler computes where it is called.
pub(crate) fn block_on<T, E>(work: impl Future<Output = Result<T, E>>) -> anyhow::Result<T>
where
    E: Into<anyhow::Error>,
{
    let runtime = runtime()?;
    let done = runtime.block_on(work);
    // A call that a reward term gave up on may hang for ever.
    runtime.shutdown_background();
    done.map_err(Into::into)
}

/// A runtime whose one thread of its own serves the timers and sockets of reward terms that wait.
pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?)
}

/// The first `runs/NAME-NUMBER` that is not there, `others` of them left out.
fn next_run_dir(name: &str, others: usize) -> PathBuf {
    let numbered = |n: usize| Path::new("runs").join(format!("{name}-{n}"));
    (1..).map(numbered).filter(|dir| !dir.exists()).nth(others).unwrap_or_else(|| numbered(0))
}
