//! `toolrl eval bfcl`: a run, verdicts on rows, hashes of prompts.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_benchmarks::{Bfcl, BfclSettings, export};
use toolrl_bfcl::rows::{Row, prompt_hash};
use toolrl_bfcl::{Benchmark, Category, Handler, Names, PromptFile, Sources};
use toolrl_services::Cases;

use super::{model, rows};
use crate::args::BfclArgs;
use crate::hub;
use crate::loaded::words;

/// Runs BFCL, or answers rows, or hashes prompts.
pub(super) fn evaluate(args: &BfclArgs) -> anyhow::Result<()> {
    let mut sources = Sources::new(&args.run.data);
    if let Some(retired) = &args.retired {
        sources.retired.clone_from(retired);
    }
    if let Some(path) = &args.verdicts {
        let mut verdicts = Verdicts { sources, benchmarks: HashMap::new(), multi_turn: None };
        return rows::answer_each(path, |line| verdicts.of(line));
    }
    let prompts = match &args.prompt {
        Some(path) => prompt_file(path)?,
        None => PromptFile::builtin()?,
    };
    let settings = settings(args, prompts)?;
    if args.prompts {
        if settings.handler != Handler::Toolrl {
            bail!(
                "--prompts prints the prompts of the toolrl handler; those of {} come from the template of a model \
                 (toolrl template --policy DIR shows what it renders)",
                settings.handler
            );
        }
        return print_prompts(&sources, &settings.prompts, args);
    }
    let bfcl = Bfcl::load(&sources, settings)?;
    let outcomes = model::run(&bfcl, &args.run, &args.model)?;
    if let Some(folder) = &args.export {
        for path in export(&bfcl, &outcomes, folder)? {
            println!("result {}", path.display());
        }
    }
    Ok(())
}

fn settings(args: &BfclArgs, prompts: PromptFile) -> anyhow::Result<BfclSettings> {
    let handler = handler(args)?;
    if args.prompt.is_some() && handler != Handler::Toolrl {
        bail!("--prompt is for the toolrl handler; {handler} has the prompt of the model's own template");
    }
    // Servers check the names of tools, and OpenAI's own refuses dots in them.
    let is_served = args.model.endpoint.is_some() && handler != Handler::Toolrl;
    let names = if is_served { Names::Underscored } else { Names::Dotted };
    let defaults = BfclSettings::new()?;
    let categories = categories(&args.categories)?.unwrap_or(defaults.categories);
    Ok(BfclSettings { categories, handler, prompts, names, per_category: args.per_category })
}

/// The handler; of `native` that of the dialect which the policy's own template writes. A server's is not to be seen, and
/// most have Hermes' form.
fn handler(args: &BfclArgs) -> anyhow::Result<Handler> {
    match (args.handler.as_str(), &args.model.policy) {
        ("native", Some(policy)) => {
            let chat = words(&hub::find(policy)?, args.model.template.variables())?;
            let (dialect, rendered) = chat.detect_dialect().context("--handler native")?;
            tracing::info!("dialect {}: the policy's template writes a call as {rendered:?}", dialect.name());
            Ok(Handler::Dialect(dialect))
        }
        (name, _) => name.parse().context("--handler"),
    }
}

/// The categories that were asked for; `None` for no name.
fn categories(names: &[String]) -> anyhow::Result<Option<Vec<Category>>> {
    let found = Category::of_names(names)
        .context("--categories (or a group: non_live, live, single_turn, multi_turn, exec)")?;
    Ok(Some(found).filter(|found| !found.is_empty()))
}

fn prompt_file(path: &Path) -> anyhow::Result<PromptFile> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    PromptFile::parse(&bytes).with_context(|| path.display().to_string())
}

/// Prints the hash of the first prompt of each case: of the 13 single-turn categories, or those asked for.
fn print_prompts(sources: &Sources, prompts: &PromptFile, args: &BfclArgs) -> anyhow::Result<()> {
    let categories = categories(&args.categories)?.unwrap_or_else(Category::single_turn);
    let benchmark = Benchmark::load(sources, &categories)?;
    let mut cases = benchmark.cases().take(args.run.limit.unwrap_or(usize::MAX));
    rows::write_each(|| Ok(cases.next().map(|case| prompt_hash(case, prompts).to_string())))
}

/// Answers rows; the data of a category is read when its first row comes.
struct Verdicts {
    sources: Sources,
    benchmarks: HashMap<Option<Category>, Benchmark>,
    multi_turn: Option<Cases>,
}

impl Verdicts {
    fn of(&mut self, line: &[u8]) -> anyhow::Result<String> {
        let row = Row::parse(line)?;
        let category = match &row {
            Row::MultiTurn(_) => return Ok(toolrl_services::rows::answer(line, self.multi_turn()?)?),
            Row::Decode { .. } => None,
            Row::Ast { id, .. } => Category::of_id(id),
        };
        Ok(row.verdict(self.benchmark(category)?)?.to_string())
    }

    /// The cases of a category; of `None`, no case.
    fn benchmark(&mut self, category: Option<Category>) -> anyhow::Result<&Benchmark> {
        use std::collections::hash_map::Entry;
        match self.benchmarks.entry(category) {
            Entry::Occupied(loaded) => Ok(loaded.into_mut()),
            Entry::Vacant(empty) => Ok(empty.insert(Benchmark::load(&self.sources, category.as_slice())?)),
        }
    }

    fn multi_turn(&mut self) -> anyhow::Result<&Cases> {
        if self.multi_turn.is_none() {
            // Its error says where the data comes from.
            self.benchmark(Some(Category::MultiTurnBase))?;
            self.multi_turn = Some(Cases::load(&self.sources.data)?);
        }
        self.multi_turn.as_ref().context("the multi-turn cases")
    }
}
