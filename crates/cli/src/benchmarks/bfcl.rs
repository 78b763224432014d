//! `toolrl eval bfcl`: a run, verdicts on rows, hashes of prompts.

use std::collections::HashMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use toolrl_benchmarks::{Benchmark as _, Bfcl, BfclSettings, CaseKey, export};
use toolrl_bfcl::rows::{Row, prompt_hash};
use toolrl_bfcl::{Benchmark, Case, Category, Handler, Names, PromptFile, Sources};
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
        return match settings.handler {
            Handler::Toolrl => print_prompts(&sources, &settings.prompts, args),
            _ => print_rendered(&sources, settings, args),
        };
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
    let (per_category, drawn) = (args.per_category, args.drawn);
    Ok(BfclSettings { categories, handler, prompts, names, per_category, drawn })
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

/// Prints the hash of the first prompt of each case as the policy's own template renders it: of the 13 single-turn
/// categories, or those asked for.
fn print_rendered(sources: &Sources, settings: BfclSettings, args: &BfclArgs) -> anyhow::Result<()> {
    let Some(policy) = &args.model.policy else {
        bail!(
            "--prompts: the prompts of {} come from a model's template: name it by --policy",
            settings.handler
        );
    };
    let chat = words(&hub::find(policy)?, args.model.template.variables())?;
    let categories = categories(&args.categories)?.unwrap_or_else(Category::single_turn);
    let bfcl = Bfcl::load(sources, BfclSettings { categories, ..settings })?;
    let mut keys = bfcl.cases().iter().take(args.run.limit.unwrap_or(usize::MAX)).enumerate();
    rows::write_each(|| {
        let Some((index, CaseKey { id, group })) = keys.next() else { return Ok(None) };
        let opening = bfcl.open(index)?.opening();
        let text =
            chat.render_with_tools(&opening.messages, &opening.tools, true).with_context(|| id.clone())?;
        Ok(Some(prompt_hash((group, id), &text).to_string()))
    })
}

/// Prints the hash of the first prompt of each case: of the 13 single-turn categories, or those asked for.
fn print_prompts(sources: &Sources, prompts: &PromptFile, args: &BfclArgs) -> anyhow::Result<()> {
    let categories = categories(&args.categories)?.unwrap_or_else(Category::single_turn);
    let benchmark = Benchmark::load(sources, &categories)?;
    let mut cases = benchmark.cases().take(args.run.limit.unwrap_or(usize::MAX));
    rows::write_each(|| {
        let hash = |case: &Case| {
            let text = prompts.first_turn(case).chatml();
            prompt_hash((case.category.name(), &case.id), &text).to_string()
        };
        Ok(cases.next().map(hash))
    })
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
