//! BFCL V3: a single turn, or several against simulated services.

mod export;
mod multi_turn;
mod single;
mod text;

use toolrl_bfcl::{
    BfclError, Case, Category, Exec, FunctionDoc, Group, Handler, Leaderboard, Missing, Names, PromptFile,
    Rule, Sources, Tallies, Target,
};
use toolrl_services::{Context, LongContext};

use crate::fingerprint::of_text;
use crate::{Benchmark, BenchmarkError, CaseKey, Outcome, Score, of_data};
pub use export::export;
use multi_turn::MultiTurn;

/// How BFCL is run.
#[derive(Clone, Debug)]
pub struct BfclSettings {
    /// The categories, in their order: the 17 that the leaderboard counts.
    pub categories: Vec<Category>,
    /// Who words the prompts and reads the replies.
    pub handler: Handler,
    /// The texts of [`Handler::Toolrl`]'s prompts.
    pub prompts: PromptFile,
    /// Whether a dot in a function's name is an underscore for the model. Some servers refuse tools with
    /// dots in their names, so it is for a native handler behind such a server.
    pub names: Names,
    /// The most cases of a category; they are the first, unless they are drawn.
    pub per_category: Option<usize>,
    /// The seed by which these are drawn. Neighbours in a category's file are often of one kind, and so the first of all.
    pub drawn: Option<u64>,
}

impl BfclSettings {
    /// The defaults: ToolRL's handler with the texts that come with `toolrl-bfcl`.
    ///
    /// # Errors
    /// As [`PromptFile::builtin`].
    pub fn new() -> Result<Self, BfclError> {
        Ok(Self {
            categories: Category::of_groups(&[Group::NonLive, Group::Live, Group::MultiTurn]),
            handler: Handler::Toolrl,
            prompts: PromptFile::builtin()?,
            names: Names::Dotted,
            per_category: None,
            drawn: None,
        })
    }
}

/// BFCL V3 on some categories.
#[derive(Clone, Debug)]
pub struct Bfcl {
    settings: BfclSettings,
    cases: Vec<Case>,
    keys: Vec<CaseKey>,
    data: String,
    /// The context that cases of [`Category::MultiTurnLongContext`] run in.
    long_context: Context,
}

impl Bfcl {
    /// Reads the cases of the settings' categories.
    ///
    /// # Errors
    /// As [`toolrl_bfcl::Benchmark::load`]; a missing file's error says where the data comes from.
    /// [`BfclError::NotSingleTurn`] for the category `rest`, which needs the network.
    /// [`BenchmarkError::LongContext`] where the texts of that category's cases are missing or none.
    pub fn load(sources: &Sources, settings: BfclSettings) -> Result<Self, BenchmarkError> {
        let benchmark = toolrl_bfcl::Benchmark::load(sources, &settings.categories)?;
        let most = settings.per_category.unwrap_or(usize::MAX);
        let mut cases: Vec<Case> = Vec::new();
        for category in &settings.categories {
            let of_category: Vec<&Case> =
                benchmark.cases().filter(|case| case.category == *category).collect();
            cases.extend(taken(of_category, most, settings.drawn).into_iter().cloned());
        }
        if let Some(case) = cases.iter().find(|case| case.category.rule() == Rule::NotRun) {
            let (id, category) = (case.id.clone(), case.category);
            return Err(BfclError::NotSingleTurn { id, category }.into());
        }
        let long_context = match cases.iter().any(|case| case.category == Category::MultiTurnLongContext) {
            true => Context::Long(LongContext::of_data(&sources.data).map_err(BenchmarkError::LongContext)?),
            false => Context::Plain,
        };
        let key = |case: &Case| CaseKey { id: case.id.clone(), group: case.category.name().into() };
        let retired = settings.categories.iter().any(|category| category.group() == Group::RetiredExec);
        let folders = [sources.data.as_path(), sources.retired.as_path()];
        let data = of_data(&folders[..if retired { 2 } else { 1 }])?;
        Ok(Self { keys: cases.iter().map(key).collect(), settings, cases, data, long_context })
    }

    /// The handler.
    pub fn settings(&self) -> &BfclSettings {
        &self.settings
    }

    /// Whether functions are shown as bfcl-eval's handlers of models that it runs itself show them. Servers take tools in
    /// JSON schema alone.
    fn is_official(&self) -> bool {
        matches!((self.settings.handler, self.settings.names), (Handler::Native(_), Names::Dotted))
    }

    /// Functions as a model's own template or a server takes them.
    fn tools(
        &self,
        id: &str,
        functions: &[FunctionDoc],
        category: Category,
    ) -> Result<Tools, BenchmarkError> {
        let mut functions = functions.to_vec();
        if self.settings.names == Names::Underscored {
            functions.iter_mut().for_each(|function| function.name = function.name.replace('.', "_"));
        }
        let shown = if self.is_official() { toolrl_bfcl::documents } else { toolrl_bfcl::tools };
        let tools = shown(&functions, category.language());
        let tools = tools.iter().map(|tool| serde_json::from_str(&tool.to_string()));
        tools.collect::<Result<_, _>>().map_err(|source| BenchmarkError::Tool { id: id.into(), source })
    }
}

/// At most so many cases, in their order: the first, or those of which a hash with the seed is least, so that fewer are among
/// more.
fn taken(cases: Vec<&Case>, most: usize, drawn: Option<u64>) -> Vec<&Case> {
    let Some(seed) = drawn else { return cases.into_iter().take(most).collect() };
    let hash = |case: &&Case| of_text(&format!("{seed} {}", case.id));
    let mut ranked: Vec<usize> = (0..cases.len()).collect();
    ranked.sort_by_cached_key(|&place| hash(&cases[place]));
    ranked.truncate(most);
    ranked.sort_unstable();
    ranked.into_iter().map(|place| cases[place]).collect()
}

/// Tools as a template or a server takes them.
type Tools = Vec<serde_json::Value>;

impl Benchmark for Bfcl {
    fn name(&self) -> &'static str {
        "bfcl"
    }

    fn handler(&self) -> String {
        let Self { settings: BfclSettings { handler, prompts, names, .. }, .. } = self;
        match (handler, names) {
            (Handler::Toolrl, _) => format!("{handler}, prompt file {}", of_text(&format!("{prompts:?}"))),
            (_, Names::Dotted) => handler.to_string(),
            (_, Names::Underscored) => format!("{handler}, dots as underscores"),
        }
    }

    fn data(&self) -> String {
        self.data.clone()
    }

    fn cases(&self) -> &[CaseKey] {
        &self.keys
    }

    fn open(&self, index: usize) -> Result<Box<dyn crate::Case + '_>, BenchmarkError> {
        let case = &self.cases[index];
        Ok(match &case.target {
            Target::MultiTurn(target) => Box::new(MultiTurn::new(self, case, target)?),
            _ => Box::new(single::open(self, case)?),
        })
    }

    fn scores(&self, outcomes: &[Outcome]) -> Vec<Score> {
        let mut tallies = Tallies::default();
        let mut exec = Exec::NotRun;
        for outcome in outcomes {
            if let Ok(category) = outcome.group.parse::<Category>() {
                tallies.count(category, outcome.right);
                if category.group() == Group::RetiredExec {
                    exec = Exec::AsCalls;
                }
            }
        }
        let board = Leaderboard::of(&tallies, Missing::LeftOut, exec);
        let columns = board.columns().into_iter().map(|column| {
            let notes: Vec<String> =
                column.note.map(str::to_owned).into_iter().chain(left_out(&column.missing)).collect();
            Score { note: notes.join("; "), ..Score::share(column.name, column.value) }
        });
        columns.collect()
    }
}

/// What a column leaves out, in words; the first few by name.
fn left_out(missing: &[Category]) -> Option<String> {
    const NAMED: usize = 4;
    let names: Vec<&str> = missing.iter().take(NAMED).map(|category| category.name()).collect();
    match missing.len().checked_sub(NAMED) {
        _ if missing.is_empty() => None,
        None | Some(0) => Some(format!("without {}", names.join(", "))),
        Some(more) => Some(format!("without {} and {more} more", names.join(", "))),
    }
}
