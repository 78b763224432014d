//! `toolrl eval bfcl`, `api-bank` and `bamboogle`.

mod bfcl;
mod model;
mod rows;

use anyhow::{Context as _, bail};
use toolrl_api_bank::Level;
use toolrl_api_bank::rows::Row;
use toolrl_bamboogle::DialogueSettings;
use toolrl_benchmarks::{
    ApiBank, Bamboogle, ExactMatch, Judge, LocalIndex, ModelJudge, Search, SearchService,
};

use crate::args::{ApiBankArgs, BamboogleArgs, BenchmarkCommand};
pub(crate) use rows::answer_each;

/// Evaluates on a benchmark; the scores go to standard output.
pub(crate) fn evaluate(command: &BenchmarkCommand) -> anyhow::Result<()> {
    match command {
        BenchmarkCommand::Bfcl(args) => bfcl::evaluate(args),
        BenchmarkCommand::ApiBank(args) => api_bank(args),
        BenchmarkCommand::Bamboogle(args) => bamboogle(args),
    }
}

fn api_bank(args: &ApiBankArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.verdicts {
        let cases = toolrl_api_bank::load(&args.run.data, &Level::ALL)?;
        return answer_each(path, |line| Ok(Row::parse(line)?.scored(&cases)?.to_string()));
    }
    let benchmark = ApiBank::load(&args.run.data)?;
    model::run(&benchmark, &args.run, &args.model).map(|_| ())
}

fn bamboogle(args: &BamboogleArgs) -> anyhow::Result<()> {
    if args.rounds == 0 {
        bail!("--rounds should be at least 1");
    }
    let search: Box<dyn Search> = match (&args.documents, &args.search) {
        (Some(folder), _) => Box::new(LocalIndex::of_folder(folder)?),
        (None, Some(url)) => Box::new(SearchService::new(model::client(url, None, &args.model)?)),
        (None, None) => {
            bail!("give --documents with a folder to search, or --search with a service's address")
        }
    };
    let judge: Box<dyn Judge> = match (&args.judge, &args.judge_model) {
        (Some(url), Some(name)) => {
            let key = args.judge_key_env.as_deref().map(model::key_of_variable).transpose()?;
            Box::new(ModelJudge::new(model::client(url, key, &args.model)?, name))
        }
        _ => Box::new(ExactMatch),
    };
    let settings = DialogueSettings { rounds: args.rounds, ..DialogueSettings::default() };
    let benchmark = Bamboogle::load(&args.run.data, settings, search, judge).context("Bamboogle")?;
    model::run(&benchmark, &args.run, &args.model).map(|_| ())
}
