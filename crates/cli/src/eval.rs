//! `toolrl eval`.

use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_data::LoadConfig;
use toolrl_eval::{EvalReport, Evaluation};
use toolrl_record::TaskOutcomes;
use toolrl_train::{
    DataSource, EvalConfig, EvalSet, Recipe, Registry, Subject, evaluate_policy, held_out_of, in_dialect,
    load_data, load_set, worded,
};

use crate::args::EvalArgs;
use crate::loaded::Loaded;
use crate::progress::Progress;
use crate::train::block_on;
use crate::{benchmarks, device, recipes};

/// Evaluates a policy on held-out tasks, or on a benchmark; the table goes to standard output.
pub(crate) fn eval(args: &EvalArgs, registry: &Registry) -> anyhow::Result<()> {
    if let Some(benchmark) = &args.benchmark {
        return benchmarks::evaluate(benchmark);
    }
    let of_run = args.run.as_ref().map(|run| run.join("config.toml").display().to_string());
    let named = of_run.as_ref().unwrap_or(&args.recipe);
    let recipe = recipes::find(named, &device::among(&settings(args), args.device))?;
    let parts = recipe.parts(registry)?;
    let set = args.name.as_ref().filter(|name| *name != EvalConfig::HELD_OUT);
    let set = set.map(|name| named_set(name, &recipe)).transpose()?;
    let samples = match (&args.data, set, &args.run) {
        (Some(path), None, _) => toolrl_data::load_with(path, how_read(&recipe.data))?.samples,
        (Some(_), Some(set), _) => bail!("--data and the evaluation set {:?}: name one of them", set.name),
        (None, Some(set), _) => load_set(set)?,
        (None, None, Some(run)) => held_out_of(run, &recipe)?,
        (None, None, None) => load_data(&recipe.data, recipe.seed)?.held_out,
    };
    let limit = set.map_or(recipe.eval.limit, |set| set.limit);
    let n = args.limit.or(limit).unwrap_or(usize::MAX).min(samples.len());
    let before = args.before.as_deref().map(read_report).transpose()?;
    let of_run = args.run.as_ref().map(|run| run.join("final"));
    let given = args.policy.clone().or(of_run).context("--policy is missing")?;
    let (device, variables) = (device::open(recipe.device)?, args.template.over(recipe.template.clone()));
    let loaded = Loaded::of(&given, recipe.precision, &device, variables)?;
    let chat = worded(&recipe, samples.iter(), loaded.chat()?.clone())?;
    let samples = in_dialect(samples, chat.dialect())?;
    let name = given.display().to_string();
    let subject = Subject { name: &name, policy: &loaded.policy, chat: &chat, version: 0 };
    let progress = &mut Progress::new();
    let evaluation = block_on(evaluate_policy(subject, &samples[..n], (&recipe, &parts), progress))?;
    if let Some(dir) = &args.out {
        write(&evaluation, dir)?;
    }
    match before {
        Some(before) => print!("{}", EvalReport::comparison(&before, &evaluation.report)),
        None => print!("{}", evaluation.report.table()),
    }
    Ok(())
}

/// What the command line sets of the recipe, in the recipe's own words.
fn settings(args: &EvalArgs) -> Vec<String> {
    let own = [
        args.samples.map(|samples| format!("eval.samples={samples}")),
        args.temperature.map(|temperature| format!("eval.temperature={temperature:?}")),
        args.top_p.map(|top_p| format!("eval.top_p={top_p:?}")),
    ];
    args.overrides.iter().cloned().chain(own.into_iter().flatten()).collect()
}

/// How a file is read: as the recipe's own files are, where it has some.
fn how_read(data: &DataSource) -> LoadConfig {
    match data {
        DataSource::Files(files) => files.load(),
        _ => LoadConfig::default(),
    }
}

fn named_set<'r>(name: &str, recipe: &'r Recipe) -> anyhow::Result<&'r EvalSet> {
    let sets = &recipe.eval.sets;
    let known: String = sets.iter().map(|set| format!("{}, ", set.name)).collect();
    sets.iter().find(|set| set.name == name).with_context(|| {
        format!("no evaluation {name:?}: expected held-out, {known}bfcl, api-bank or bamboogle")
    })
}

fn read_report(path: &Path) -> anyhow::Result<EvalReport> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{}: not an eval.json", path.display()))
}

/// Writes `eval.json` and `outcomes.jsonl`.
fn write(evaluation: &Evaluation, dir: &Path) -> anyhow::Result<()> {
    let cannot = || format!("cannot write to {}", dir.display());
    std::fs::create_dir_all(dir).with_context(cannot)?;
    let mut report = serde_json::to_vec_pretty(&evaluation.report)?;
    report.push(b'\n');
    std::fs::write(dir.join("eval.json"), report).with_context(cannot)?;
    Ok(TaskOutcomes::write(&dir.join("outcomes.jsonl"), &evaluation.outcomes)?)
}
