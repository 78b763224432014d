//! `toolrl train`.

use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_eval::EvalReport;
use toolrl_policy::PolicyPlace;
use toolrl_train::{
    Changes, DataSource, FilesConfig, Job, Parts, PolicySource, Recipe, Registry, Resume, Stop, count_groups,
    load_data, refuse_used, run, worded,
};

use crate::args::TrainArgs;
use crate::loaded::words;
use crate::progress::Progress;
use crate::{device, hub, recipes, run_dir, signals, starter};

/// Runs a recipe, and those that follow it, each from the policy that the one before left; or goes on with a run. The
/// tables of the evaluations go to standard output.
pub(crate) fn train(args: &TrainArgs, registry: &Registry) -> anyhow::Result<()> {
    if let Some(run_dir) = &args.resume {
        return resume(run_dir, args, registry);
    }
    let mut overrides = device::among(&args.overrides, args.device);
    // Everything that is asked for is read before anything is done.
    let mut stages = Vec::new();
    let named = args.recipe.as_deref().unwrap_or("quickstart");
    if let Some(run) = &args.run {
        overrides.insert(0, of_run(run, named, &overrides)?);
    }
    for name in std::iter::once(named).chain(args.then.iter().map(String::as_str)) {
        let mut recipe = recipes::find(name, &overrides)?;
        if !args.then.is_empty() && matches!(recipe.data, DataSource::Completions(_)) {
            bail!("{name} learns from a finished run: give it --run by itself, without --then");
        }
        apply(&mut recipe, None, args.data.as_deref());
        let parts = recipe.parts(registry)?;
        stages.push((recipe, parts));
    }
    let several = !args.then.is_empty();
    let given = |place: usize, recipe: &Recipe| {
        let dir = args.run_dir.as_ref()?;
        Some(if several { dir.join(format!("{}-{}", place + 1, recipe.name)) } else { dir.clone() })
    };
    if args.dry_run {
        let mut policy = args.policy.clone();
        for (place, (mut recipe, _)) in stages.into_iter().enumerate() {
            apply(&mut recipe, policy.as_deref(), None);
            find_dialect(&mut recipe)?;
            if let DataSource::Completions(completions) = &recipe.data {
                match count_groups(completions, &recipe.train) {
                    Ok(counts) => tracing::info!("{}", counts.told(&completions.run.display().to_string())),
                    Err(error) => tracing::warn!("{error}"),
                }
            }
            print!("{}", recipe.to_toml()?);
            policy = Some(given(place, &recipe).unwrap_or_else(|| run_dir::free(&recipe.name)).join("final"));
        }
        return Ok(());
    }
    let places: Vec<_> = stages.iter().enumerate().map(|(place, (recipe, _))| given(place, recipe)).collect();
    places.iter().flatten().try_for_each(|dir| refuse_used(dir))?;
    let stop = signals::stop()?;
    let mut policy = args.policy.clone();
    for ((mut recipe, parts), place) in stages.into_iter().zip(places) {
        apply(&mut recipe, policy.as_deref(), None);
        let run = |dir: &Path| stage(&recipe, &parts, dir, stop.clone());
        let run_dir = match place {
            Some(dir) => run(&dir).map(|()| dir),
            None => run_dir::in_a_new_one(&recipe.name, run),
        };
        policy = Some(run_dir?.join("final"));
    }
    Ok(())
}

/// The setting that has a recipe learn from a run's completions.
fn of_run(run: &Path, named: &str, overrides: &[String]) -> anyhow::Result<String> {
    let plain = recipes::find(named, overrides);
    if plain.is_ok_and(|recipe| !matches!(recipe.data, DataSource::Completions(_))) {
        bail!("--run: {named} does not learn from a run's completions; rejection and dpo do");
    }
    let run = run.to_str().with_context(|| format!("{}: a path that is not Unicode", run.display()))?;
    // A string of JSON is one of TOML.
    Ok(format!("data.completions.run={}", serde_json::to_string(run)?))
}

/// Puts the dialect that would be found into a recipe, where its policy and its data are there; why is logged.
fn find_dialect(recipe: &mut Recipe) -> anyhow::Result<()> {
    let Some(PolicySource::Dir(dir)) = &recipe.policy else { return Ok(()) };
    let place = PolicyPlace::from(dir);
    let made = matches!(recipe.data, DataSource::Wide(_));
    let files = recipe.data.paths();
    let there = made || (!files.is_empty() && files.iter().all(|path| path.exists()));
    if there && dir.is_dir() && place.base()?.is_none_or(|base| base.is_dir()) {
        let data = load_data(&recipe.data, recipe.seed)?;
        let chat = words(&place, recipe.template.clone())?;
        recipe.dialect = worded(recipe, data.train.iter(), chat)?.dialect().name().to_owned();
    }
    Ok(())
}

/// One recipe of those that follow each other.
fn stage(recipe: &Recipe, parts: &Parts, run_dir: &Path, stop: Stop) -> anyhow::Result<()> {
    let mut recipe = recipe.clone();
    match &mut recipe.policy {
        None => {
            if matches!(recipe.data, DataSource::Files(_)) {
                tracing::warn!("no --policy: the quickstart's tiny policy is trained on your data");
            }
            let dir = run_dir.join("start");
            starter::unpack(&dir)?;
            recipe.policy = Some(PolicySource::Dir(dir));
        }
        Some(source) => hub::settle(source)?,
    }
    tracing::info!("run directory {}", run_dir.display());
    let recipe = &recipe;
    finish(Job { recipe, parts, run_dir, before: None, resume: None, stop, last_step: None })
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
    if summary.after.overall.tasks > 0 {
        print!("{}", EvalReport::comparison(&summary.before, &summary.after));
    } else {
        println!("no evaluation: no task is held out");
    }
    for set in &summary.sets {
        print!("\n{}\n{}", set.name, EvalReport::comparison(&set.before, &set.after));
    }
    summary.ending().iter().for_each(|sentence| println!("{sentence}"));
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
            _ => recipe.data = DataSource::Files(FilesConfig::new(path.to_owned())),
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
