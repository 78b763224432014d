//! `toolrl train`.

use std::path::{Path, PathBuf};

use toolrl_eval::EvalReport;
use toolrl_reward::Registry;
use toolrl_train::{DataSource, FilesConfig, PolicySource, Recipe, Rubrics, refuse_used, run};

use crate::args::TrainArgs;
use crate::progress::Progress;
use crate::{hub, recipes, starter};

/// Runs a recipe, and those that follow it, each from the policy that the one before left; the tables of the
/// evaluations go to standard output.
pub(crate) fn train(args: &TrainArgs, registry: &Registry) -> anyhow::Result<()> {
    let mut policy = args.policy.clone();
    // Everything that is asked for is read before anything is done.
    let mut stages = Vec::new();
    for (place, name) in std::iter::once(&args.recipe).chain(&args.then).enumerate() {
        let mut recipe = recipes::find(name, &args.overrides)?;
        apply(&mut recipe, policy.as_deref(), args.data.as_deref());
        let rubrics = recipe.rubrics(registry)?;
        let run_dir = match &args.run_dir {
            Some(dir) if args.then.is_empty() => dir.clone(),
            Some(dir) => dir.join(format!("{}-{}", place + 1, recipe.name)),
            None => {
                let namesakes = |(earlier, ..): &&(Recipe, Rubrics, PathBuf)| earlier.name == recipe.name;
                next_run_dir(&recipe.name, stages.iter().filter(namesakes).count())
            }
        };
        policy = Some(run_dir.join("final"));
        if args.dry_run {
            print!("{}", recipe.to_toml()?);
            continue;
        }
        refuse_used(&run_dir)?;
        stages.push((recipe, rubrics, run_dir));
    }
    stages.into_iter().try_for_each(|(recipe, rubrics, run_dir)| stage(recipe, &rubrics, &run_dir))
}

fn stage(mut recipe: Recipe, rubrics: &Rubrics, run_dir: &Path) -> anyhow::Result<()> {
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
    let outcome = block_on(run(&recipe, rubrics, run_dir, None, &mut Progress::new()))?;
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
