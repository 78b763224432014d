//! `toolrl study`.

use std::io::IsTerminal;
use std::num::NonZeroUsize;
use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_eval::Rates;
use toolrl_kernels::is_cpu;
use toolrl_policy::DeviceChoice;
use toolrl_record::Summary;
use toolrl_study::{Plan, PlannedRun, Results, Study, StudyObserver, Test, When, Work, markdown};
use toolrl_train::{BenchmarkConfig, Observer, PolicySource, Recipe, Registry, Stop};

use crate::args::StudyArgs;
use crate::progress::Progress;
use crate::train::block_on;
use crate::{device, hub, recipes, signals, starter};

/// Name and text of every embedded study.
const EMBEDDED: [(&str, &str); 3] = [
    ("quick", include_str!("../studies/quick.toml")),
    ("paper", include_str!("../studies/paper.toml")),
    ("claim", include_str!("../studies/claim.toml")),
];

/// The embedded studies of the tiny policy.
const TINY: [&str; 2] = ["quick", "paper"];

/// Runs of these at a time, where `--jobs` does not say: each takes some 600 MB.
const MOST_JOBS: usize = 8;

/// Settings of stages that tests have in common with them, where the command line sets them.
const OF_TESTS: [&str; 4] = ["policy", "device", "slots", "precision"];

/// Does a study, or the rest of one; its tables go to standard output.
pub(crate) fn study(args: &StudyArgs, registry: &Registry) -> anyhow::Result<()> {
    let mut study = chosen(find(&args.study)?, args)?;
    leave_out_tests(&mut study, args)?;
    let out = args.out.clone().unwrap_or_else(|| Path::new("studies").join(&study.name));
    let start = out.join("start");
    let mut plan = Plan::of(study, &out, &start, &args.only, |name, set| with_data(name, set, args))?;
    for run in &plan.runs {
        run.recipe.parts(registry).with_context(|| run.title.clone())?;
    }
    if args.dry_run {
        print!("{}", toml::to_string(&plan.study)?);
        return Ok(());
    }
    for run in plan.runs.iter_mut().filter(|run| run.after.is_none()) {
        match &mut run.recipe.policy {
            Some(PolicySource::Dir(dir)) if *dir == start => {}
            Some(source) => hub::settle(source)?,
            None => {}
        }
    }
    let is_start = |run: &PlannedRun| run.recipe.policy == Some(PolicySource::Dir(start.clone()));
    if plan.runs.iter().any(is_start) && !start.join("model.safetensors").exists() {
        starter::unpack(&start)?;
    }
    let (work, stop) = (Work::of(&plan), signals::stop()?);
    match jobs(args) {
        1 => block_on(work.run(registry, &stop, &mut Lines::new()))?,
        jobs => side_by_side(jobs, &work, registry, &stop)?,
    }
    plan.write()?;
    print!("{}", markdown(&Results::read(&plan)?));
    println!("report {}", out.join("report.html").display());
    Ok(())
}

/// How many runs are done at a time: on a GPU one, since a step of decoding is recorded there while nothing else of the
/// process uses it.
fn jobs(args: &StudyArgs) -> usize {
    let on_cpu = args.device.unwrap_or(DeviceChoice::Auto).open().is_ok_and(|place| is_cpu(&place.device));
    if !on_cpu {
        return 1;
    }
    let default =
        if TINY.contains(&args.study.as_str()) { rayon::current_num_threads().min(MOST_JOBS) } else { 1 };
    args.jobs.map_or(default, NonZeroUsize::get)
}

/// Does a study's runs, `jobs` at a time, each on its share of the threads.
fn side_by_side(jobs: usize, work: &Work, registry: &Registry, stop: &Stop) -> anyhow::Result<()> {
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let worker = || {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
        pool.install(|| block_on(work.run(registry, stop, &mut Lines(Box::new(())))))
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..jobs).map(|_| scope.spawn(worker)).collect();
        // A worker that panics ends the program as it would alone.
        let joined = workers.into_iter().map(|w| w.join().unwrap_or_else(|e| std::panic::resume_unwind(e)));
        joined.collect::<Vec<_>>().into_iter().collect()
    })
}

/// A recipe with the folders of benchmarks that the command line names.
fn with_data(
    name: &str,
    set: &[String],
    args: &StudyArgs,
) -> Result<Recipe, Box<dyn std::error::Error + Send + Sync>> {
    let mut recipe = recipes::find_for_study(name, set)?;
    for benchmark in &mut recipe.eval.benchmarks {
        let (data, given) = match benchmark {
            BenchmarkConfig::Bfcl { data, .. } => (data, &args.bfcl),
            BenchmarkConfig::ApiBank { data, .. } => (data, &args.api_bank),
            BenchmarkConfig::Bamboogle { .. } => continue,
        };
        if let Some(given) = given {
            data.clone_from(given);
        }
    }
    Ok(recipe)
}

/// Leaves out tests on benchmarks whose data is not there, and says so; data that the command line names has to be there.
fn leave_out_tests(study: &mut Study, args: &StudyArgs) -> anyhow::Result<()> {
    let given = args.bfcl.iter().chain(&args.api_bank);
    if let Some(absent) = given.into_iter().find(|dir| !dir.exists()) {
        bail!("{}: no such folder", absent.display());
    }
    let benchmarks_of = |test: &Test| -> anyhow::Result<Vec<BenchmarkConfig>> {
        let set = [&study.set[..], &test.set].concat();
        let recipe = with_data(&test.recipe, &set, args)
            .map_err(anyhow::Error::from_boxed)
            .with_context(|| format!("test {:?}", test.name))?;
        Ok(recipe.eval.benchmarks)
    };
    let benchmarks = study.tests.iter().map(benchmarks_of).collect::<anyhow::Result<Vec<_>>>()?;
    let has = |is: fn(&BenchmarkConfig) -> bool| benchmarks.iter().flatten().any(is);
    if args.bfcl.is_some() && !has(|benchmark| matches!(benchmark, BenchmarkConfig::Bfcl { .. })) {
        bail!("--bfcl: the study {} has no test on BFCL", study.name);
    }
    if args.api_bank.is_some() && !has(|benchmark| matches!(benchmark, BenchmarkConfig::ApiBank { .. })) {
        bail!("--api-bank: the study {} has no test on API-Bank", study.name);
    }
    let mut absent = benchmarks.iter().map(|of_test| {
        let mut folders = of_test.iter().map(|benchmark| match benchmark {
            BenchmarkConfig::Bfcl { data, .. }
            | BenchmarkConfig::ApiBank { data, .. }
            | BenchmarkConfig::Bamboogle { data, .. } => data,
        });
        folders.find(|data| !data.exists())
    });
    study.tests.retain(|test| match absent.next().flatten() {
        Some(data) => {
            let data = data.display();
            tracing::warn!("test {:?} is left out: there is no {data} (--bfcl, --api-bank)", test.name);
            false
        }
        None => true,
    });
    Ok(())
}

fn find(name: &str) -> anyhow::Result<Study> {
    if let Some((_, text)) = EMBEDDED.iter().find(|(embedded, _)| *embedded == name) {
        return Ok(Study::parse(text)?);
    }
    if !name.ends_with(".toml") {
        let names: Vec<_> = EMBEDDED.iter().map(|(name, _)| *name).collect();
        bail!("no study {name:?}: expected a .toml file or one of {}", names.join(", "));
    }
    let text = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Study::parse(&text).with_context(|| name.to_owned())
}

/// The study with the seeds, arms and settings that were asked for.
fn chosen(mut study: Study, args: &StudyArgs) -> anyhow::Result<Study> {
    if !args.seeds.is_empty() {
        study.seeds = args.seeds.clone();
    }
    let mut overrides = device::among(&args.overrides, args.device);
    let policy = |dir: &String| format!("policy.dir={}", toml::Value::String(dir.clone()));
    overrides.extend(args.policy.as_ref().map(policy));
    // `policy.dir` of `policy.dir='x'`.
    let key = |set: &String| set.split('=').next().unwrap_or_default().trim().to_owned();
    let first = |set: &String| key(set).split('.').next().unwrap_or_default().to_owned();
    if overrides.iter().any(|set| key(set) == "seed") {
        bail!("--set seed: a study has several seeds; choose them with --seeds");
    }
    let of_tests = overrides.iter().filter(|set| OF_TESTS.contains(&first(set).as_str()));
    study.tests.iter_mut().for_each(|test| test.set.extend(of_tests.clone().cloned()));
    study
        .arms
        .iter_mut()
        .flat_map(|arm| &mut arm.stages)
        .for_each(|stage| stage.set.extend(overrides.clone()));
    if args.only.is_empty() {
        return Ok(study);
    }
    for name in &args.only {
        if !study.arms.iter().any(|arm| arm.name == *name) {
            let names: Vec<_> = study.arms.iter().map(|arm| arm.name.as_str()).collect();
            bail!("study {} has no arm {name:?}; it has {}", study.name, names.join(", "));
        }
    }
    let mut chosen = study.arms.iter().filter(|arm| args.only.contains(&arm.name));
    if chosen.all(|arm| arm.stages.is_empty()) {
        bail!("no arm of {} is trained", args.only.join(", "));
    }
    Ok(study)
}

/// A line a run on standard error; on a terminal the run's own bars too.
struct Lines(Box<dyn Observer>);

impl Lines {
    fn new() -> Self {
        if std::io::stderr().is_terminal() { Self(Box::new(Progress::new())) } else { Self(Box::new(())) }
    }
}

impl StudyObserver for Lines {
    fn of_run(&mut self) -> &mut dyn Observer {
        self.0.as_mut()
    }

    fn done(&mut self, done: usize, all: usize, title: &str, summary: &Summary, when: When, left: f64) {
        let (old, new) = (&summary.before.overall, &summary.after.overall);
        let when = match when {
            When::Before => "before".to_owned(),
            When::Now => format!("in {:.0} s", summary.seconds),
        };
        let rest = if done < all { format!("; about {:.0} min left", left / 60.0) } else { String::new() };
        let percent = |rates: &Rates| 100.0 * rates.exact_call_rate;
        let found = match (summary.steps, new.tasks) {
            (0, 0) => "asked".to_owned(),
            (0, _) => format!("reward {:.3}, exact {:.1} %", new.mean_reward, percent(new)),
            _ => {
                let (before, after) = (old.mean_reward, new.mean_reward);
                format!(
                    "reward {before:.3} -> {after:.3}, exact {:.1} -> {:.1} %",
                    percent(old),
                    percent(new)
                )
            }
        };
        eprintln!("{done}/{all} {title}: {found}, {when}{rest}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The paper changes at step 30 and moves over 150 steps, of the steps that its own recipe takes.
    #[test]
    fn schedules_stand_at_the_same_part_of_a_run_as_in_the_papers_recipe() {
        let steps = |recipe: &str| recipes::find(recipe, &[]).unwrap().train.steps().unwrap() as f64;
        let scaled = |of: f64| (of * steps("tiny-grpo") / steps("paper-grpo")).round();
        let study = find("paper").unwrap();
        let schedules = [("two-stage scale", "two_stage_at", 30.0), ("smooth scale", "smooth_over", 150.0)];
        for (arm, key, of_paper) in schedules {
            let arm = study.arms.iter().find(|found| found.name == arm).unwrap();
            let set = &arm.stages[0].set[0];
            assert_eq!(set.matches(&format!("{key} = {}", scaled(of_paper))).count(), 2, "{set}");
        }
    }
}
