//! The benchmarks that a recipe names, on a policy in training.

use std::path::Path;
use std::time::Instant;

use toolrl_bamboogle::DialogueSettings;
use toolrl_benchmarks::{
    ApiBank, Bamboogle, Benchmark, Bfcl, BfclSettings, ExactMatch, Header, LocalIndex, LocalPolicy,
    OutcomeLog, RunSettings, Wording, run,
};
use toolrl_bfcl::{BfclError, Category, Handler, PromptFile, Sources};
use toolrl_chat::Chat;
use toolrl_grammar::{Dialect, ToolRl};
use toolrl_policy::Policy;
use toolrl_record::EvaluationRow;
use toolrl_rollout::SamplerSource;

use crate::{ApiBankHandler, BenchmarkConfig, Observer, Recipe, TrainError};

/// A benchmark with its data in memory.
pub(crate) struct LoadedBenchmark {
    /// Its name, with a number where a recipe names it several times.
    pub name: String,
    benchmark: Box<dyn Benchmark>,
    settings: RunSettings,
}

/// Who is evaluated, and where the outcomes go.
#[derive(Clone, Copy)]
pub(crate) struct Evaluated<'a> {
    pub policy: &'a Policy,
    pub chat: &'a Chat,
    pub sampler: &'a dyn SamplerSource<Policy>,
    pub step: u64,
    pub folder: &'a Path,
}

impl LoadedBenchmark {
    /// Reads the data of every benchmark of a recipe.
    pub(crate) fn all(recipe: &Recipe, dialect: &'static dyn Dialect) -> Result<Vec<Self>, TrainError> {
        let mut loaded: Vec<Self> = Vec::new();
        for config in &recipe.eval.benchmarks {
            let benchmark = load(config, dialect)?;
            let own = benchmark.name();
            let before = loaded.iter().filter(|other| other.benchmark.name() == own).count();
            let name = if before == 0 { own.to_owned() } else { format!("{own}-{}", before + 1) };
            let settings = RunSettings {
                params: recipe.sampling.greedily(config.max_new_tokens()),
                open_cases: 4 * recipe.slots,
                limit: config.limit(),
                ..RunSettings::default()
            };
            loaded.push(Self { name, benchmark, settings });
        }
        Ok(loaded)
    }

    /// Asks every case. The outcomes are written to the folder, in the place of older ones.
    pub(crate) async fn evaluate(
        &self,
        of: Evaluated<'_>,
        observer: &mut dyn Observer,
    ) -> Result<EvaluationRow, TrainError> {
        let clock = Instant::now();
        let path = of.folder.join(format!("{}.jsonl", self.name));
        if path.exists() {
            std::fs::remove_file(&path).map_err(|source| TrainError::Write { path: path.clone(), source })?;
        }
        let benchmark = self.benchmark.as_ref();
        let header = Header::new(benchmark, format!("step {} of a run", of.step), &self.settings);
        let mut log = OutcomeLog::open(&path, &header)?;
        let sampler = of.sampler.at(of.policy, of.chat, of.step)?;
        let mut replier = LocalPolicy::new(sampler, of.chat, of.policy.config().max_positions);
        let cases = benchmark.cases().len().min(self.settings.limit.unwrap_or(usize::MAX));
        observer.begin(&self.name, cases as u64);
        let shown = |done: usize, _| observer.progress(done as u64, "");
        let ran = run(benchmark, &mut replier, &mut log, &self.settings, shown).await;
        observer.end();
        ran?;
        let scores = benchmark.scores(log.outcomes()).into_iter();
        Ok(EvaluationRow {
            step: of.step,
            evaluation: self.name.clone(),
            cases: log.outcomes().len(),
            seconds: clock.elapsed().as_secs_f64(),
            scores: scores.filter_map(|score| Some((score.name, score.value?))).collect(),
        })
    }
}

fn load(config: &BenchmarkConfig, dialect: &'static dyn Dialect) -> Result<Box<dyn Benchmark>, TrainError> {
    Ok(match config {
        BenchmarkConfig::Bfcl { data, categories, per_category, drawn, handler, prompt, .. } => {
            let settings = bfcl_settings(categories, (handler, dialect), prompt.as_deref())?;
            let settings = BfclSettings { per_category: *per_category, drawn: *drawn, ..settings };
            Box::new(Bfcl::load(&Sources::new(data), settings)?)
        }
        BenchmarkConfig::ApiBank { data, handler, .. } => {
            Box::new(ApiBank::load(data)?.worded(match handler {
                ApiBankHandler::Toolrl => Wording::Released,
                ApiBankHandler::Native => Wording::Native(dialect),
            }))
        }
        BenchmarkConfig::Bamboogle { data, documents, .. } => {
            let search = Box::new(LocalIndex::of_folder(documents)?);
            Box::new(Bamboogle::load(data, DialogueSettings::default(), search, Box::new(ExactMatch))?)
        }
    })
}

fn bfcl_settings(
    categories: &[String],
    (handler, dialect): (&str, &'static dyn Dialect),
    prompt: Option<&Path>,
) -> Result<BfclSettings, TrainError> {
    let of_bfcl = |error: BfclError| TrainError::Recipe(format!("eval.benchmarks: {error}"));
    let mut settings = BfclSettings::new().map_err(of_bfcl)?;
    settings.handler = match handler {
        "native" if dialect.name() != ToolRl.name() => Handler::Dialect(dialect),
        name => name.parse().map_err(of_bfcl)?,
    };
    if !categories.is_empty() {
        settings.categories = Category::of_names(categories).map_err(of_bfcl)?;
    }
    if let Some(path) = prompt {
        let bytes = std::fs::read(path)
            .map_err(|e| TrainError::Recipe(format!("eval.benchmarks: {}: {e}", path.display())))?;
        settings.prompts = PromptFile::parse(&bytes).map_err(of_bfcl)?;
    }
    Ok(settings)
}
