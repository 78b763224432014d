//! Who replies: a policy or an endpoint; and the run, its files and its table.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;
use toolrl_benchmarks::{
    Benchmark, Endpoint, Header, LocalPolicy, Outcome, OutcomeLog, Replier, Report, RunReport, RunSettings,
    compare, of_policy, run as run_cases,
};
use toolrl_chat::TemplateVariables;
use toolrl_engine::Engine;
use toolrl_remote::{Client, Key, Settings};
use toolrl_train::Observer;

use crate::args::{ModelArgs, RunArgs};
use crate::device;
use crate::loaded::Loaded;
use crate::policy::precision;
use crate::progress::Progress;
use crate::train::block_on;

/// Runs a benchmark, writes its files and prints its scores; returns the outcomes in the order of the cases.
pub(super) fn run(
    benchmark: &dyn Benchmark,
    args: &RunArgs,
    model: &ModelArgs,
) -> anyhow::Result<Vec<Outcome>> {
    let Some(out) = &args.out else {
        bail!("--out is missing: the folder that the outcomes and the report go to");
    };
    let others = args.compare.iter().map(|dir| Report::read(dir).map(|report| report.run));
    let others = others.collect::<Result<Vec<_>, _>>()?;
    let settings = settings(args, model)?;
    let (header, outcomes) = match (&model.policy, &model.endpoint) {
        (Some(policy), _) => by_policy(benchmark, policy, out, &settings, model)?,
        (None, Some(url)) => by_endpoint(benchmark, url, out, &settings, model)?,
        (None, None) => bail!("give --policy with a model directory, or --endpoint with a server's address"),
    };
    let report = RunReport::of(benchmark, &header, &outcomes);
    print!("{}", report.table());
    compare(report, others).write(out)?;
    println!("\nreport {}", out.join("report.html").display());
    Ok(outcomes)
}

fn settings(args: &RunArgs, model: &ModelArgs) -> anyhow::Result<RunSettings> {
    let params = model.sampling.params(model.max_new_tokens)?;
    let together = if model.policy.is_some() { model.slots } else { model.threads };
    Ok(RunSettings {
        params,
        seed: model.sampling.seed,
        open_cases: 4 * together.max(1),
        threads: model.threads.max(1),
        limit: args.limit,
    })
}

/// What a run is a run of, and its outcomes.
type Came = (Header, Vec<Outcome>);

fn by_policy(
    benchmark: &dyn Benchmark,
    policy: &Path,
    out: &Path,
    settings: &RunSettings,
    args: &ModelArgs,
) -> anyhow::Result<Came> {
    let variables = args.template.variables();
    let loaded = Loaded::of(policy, precision(args.bf16), &device::open(args.device)?, variables.clone())?;
    let (dir, policy, chat) = (&loaded.dir, &loaded.policy, loaded.chat()?);
    let place = dir.canonicalize().unwrap_or(dir.clone());
    let in_bf16 = if args.bf16 { " in bf16" } else { "" };
    let asked = asked(&variables, chat.tells_date());
    let name = format!("{} {}{in_bf16}{asked}", place.display(), of_policy(dir)?);
    let engine = Engine::new(policy, args.slots.max(1)).with_chat(chat);
    let mut replier = LocalPolicy::new(Box::new(engine), chat, policy.config().max_positions);
    run_logged(benchmark, &name, &mut replier, out, settings)
}

/// What the chat template read beside the messages, where it is anything: it decides prompts.
fn asked(variables: &TemplateVariables, tells_date: bool) -> String {
    let values = (!variables.values.is_empty()).then(|| Value::from(variables.values.clone()).to_string());
    let day =
        variables.date.filter(|_| tells_date).map(|date| date.to_string()[.."2024-07-26".len()].to_owned());
    [day, values].into_iter().flatten().map(|part| format!(" {part}")).collect()
}

fn by_endpoint(
    benchmark: &dyn Benchmark,
    url: &str,
    out: &Path,
    settings: &RunSettings,
    args: &ModelArgs,
) -> anyhow::Result<Came> {
    let model = args.model.as_deref().context("--model is missing: the model's name on the server")?;
    let key = match (&args.api_key_file, &args.api_key_env) {
        (Some(path), _) => Some(key_of_file(path)?),
        (None, Some(name)) => Some(key_of_variable(name)?),
        (None, None) => None,
    };
    let mut replier = Endpoint::new(client(url, key, args)?, model);
    run_logged(benchmark, &format!("{model} at {}", url.trim_end_matches('/')), &mut replier, out, settings)
}

/// Runs the cases that the log lacks; returns the outcomes of all wanted cases in their order.
fn run_logged(
    benchmark: &dyn Benchmark,
    model: &str,
    replier: &mut impl Replier,
    out: &Path,
    settings: &RunSettings,
) -> anyhow::Result<Came> {
    let header = Header::new(benchmark, model, settings);
    let mut log = OutcomeLog::open(&out.join("outcomes.jsonl"), &header)?;
    let mut progress = Progress::new();
    let mut is_begun = false;
    let shown = |done: usize, of: usize| {
        if !std::mem::replace(&mut is_begun, true) {
            progress.begin(benchmark.name(), of as u64);
        }
        progress.progress(done as u64, "");
    };
    let result = block_on(run_cases(benchmark, replier, &mut log, settings, shown));
    progress.end();
    result.with_context(|| format!("stopped; started again with --out {} it goes on", out.display()))?;
    let cases = benchmark.cases();
    let wanted = &cases[..settings.limit.unwrap_or(cases.len()).min(cases.len())];
    let by_id: std::collections::HashMap<&str, &Outcome> =
        log.outcomes().iter().map(|outcome| (outcome.id.as_str(), outcome)).collect();
    Ok((header, wanted.iter().filter_map(|case| by_id.get(case.id.as_str()).copied().cloned()).collect()))
}

/// A client of a server, as patient as the arguments say.
pub(super) fn client(url: &str, key: Option<Key>, args: &ModelArgs) -> anyhow::Result<Client> {
    let settings = Settings {
        key,
        timeout: Duration::from_secs(args.timeout.max(1)),
        threads: args.threads.max(1),
        proxy: args.proxy.clone(),
        ..Settings::new(url)
    };
    Ok(Client::new(settings)?)
}

/// The API key that a file holds.
fn key_of_file(path: &Path) -> anyhow::Result<Key> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(Key::new(&text))
}

/// The API key that an environment variable holds.
pub(super) fn key_of_variable(name: &str) -> anyhow::Result<Key> {
    let text = std::env::var(name).with_context(|| format!("the environment variable {name}"))?;
    Ok(Key::new(&text))
}
