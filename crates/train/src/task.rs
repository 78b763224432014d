//! The data of a run: samples ready to be trained on, and those held out.

use std::path::Path;
use std::sync::Arc;

use toolrl_chat::Chat;
use toolrl_data::wide::WideWorld;
use toolrl_data::world::World;
use toolrl_data::{GoldReport, Sample, load_with};
use toolrl_grammar::{Dialect, ToolRl};
use toolrl_record::write_whole;
use toolrl_reward::Reference;
use toolrl_rollout::{Environment, Prompt};

use crate::identity::{Identity, of_conversations};
use crate::limit::{OverlongCounts, TokenLimit, WithLength};
use crate::{CompletionsConfig, DataSource, EvalSet, Recipe, TrainError, in_dialect};

/// The samples of a run.
#[derive(Clone, Debug)]
pub struct Data {
    /// To train on, source after source.
    pub train: Vec<Sample>,
    /// To evaluate on: of several sources evenly mixed, so that the first few are of each.
    pub held_out: Vec<Sample>,
    /// Training samples whose gold reply cannot be scored; RL leaves them out.
    pub gold: GoldReport,
    /// Where they are from.
    pub sources: Vec<Source>,
}

/// One of the sources of a run's samples.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// What it is called: of the one source that is no mix's, nothing.
    pub name: String,
    /// Its share against the others'.
    pub weight: f64,
    /// How many of the training samples are its.
    pub train: usize,
}

/// Reads or makes the samples of a run. Those of a mix have the name of their source before their ids.
///
/// # Errors
/// [`TrainError::Data`] naming file and row; [`TrainError::NoTasks`] where a source has nothing to train on or, though it
/// should, holds nothing out.
pub fn load_data(source: &DataSource, seed: u64) -> Result<Data, TrainError> {
    if let DataSource::Completions(completions) = source {
        return of_completions(completions);
    }
    let (mut train, mut held_out, mut sources) = (Vec::new(), Vec::new(), Vec::new());
    let mut add = |name: String, weight: f64, of: &DataSource| {
        let (mut own, mut out) = split_of(of, seed)?;
        for (what, part) in [("training data", &own), ("held-out data", &out)] {
            if part.is_empty() && !(what == "held-out data" && of.holds_nothing_out()) {
                let whose = if name.is_empty() { String::new() } else { format!("data.mix {name:?}: ") };
                return Err(TrainError::NoTasks {
                    what,
                    why: format!("{whose}the split left nothing to this part"),
                });
            }
        }
        if !name.is_empty() {
            own.iter_mut().chain(&mut out).for_each(|sample| sample.id = format!("{name}/{}", sample.id));
        }
        sources.push(Source { name, weight, train: own.len() });
        train.extend(own);
        held_out.push(out);
        Ok(())
    };
    match source {
        DataSource::Mix(parts) => parts.iter().try_for_each(|p| add(p.name(), p.weight, &p.source))?,
        one => add(String::new(), 1.0, one)?,
    }
    let gold = GoldReport::of(&train);
    Ok(Data { train, held_out: interleaved(held_out), gold, sources })
}

/// What is trained on and what is held out of a source that is no mix.
fn split_of(source: &DataSource, seed: u64) -> Result<(Vec<Sample>, Vec<Sample>), TrainError> {
    Ok(match source {
        DataSource::World(config) => {
            let tasks = World::generate(config)?;
            (tasks.train, tasks.held_out)
        }
        DataSource::Wide(config) => {
            let tasks = WideWorld::generate(config)?;
            (tasks.train, tasks.held_out)
        }
        DataSource::Files(files) => {
            let train = load_with(&files.train, files.load())?;
            match &files.eval {
                Some(eval) => (train.samples, load_with(eval, files.load())?.samples),
                None => {
                    let parts = train.split(files.hold_out, seed)?;
                    (parts.train, parts.held_out)
                }
            }
        }
        DataSource::Mix(_) | DataSource::Completions(_) => {
            return Err(TrainError::Recipe("data.mix: expected world, wide or files".to_owned()));
        }
    })
}

/// Several lists as one, in which each is spread evenly.
pub(crate) fn interleaved<T>(parts: Vec<Vec<T>>) -> Vec<T> {
    let place = |at: usize, len: usize| (at as f64 + 0.5) / len as f64;
    let placed = |part: Vec<T>| {
        let len = part.len();
        part.into_iter().enumerate().map(move |(at, item)| (place(at, len), item))
    };
    let mut all: Vec<(f64, T)> = parts.into_iter().flat_map(placed).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    all.into_iter().map(|(_, item)| item).collect()
}

/// Reads the tasks of an evaluation set.
///
/// # Errors
/// [`TrainError::Data`] naming file and row; [`TrainError::NoTasks`] for a file without one.
pub fn load_set(set: &EvalSet) -> Result<Vec<Sample>, TrainError> {
    let samples = load_with(&set.data, set.load())?.samples;
    if samples.is_empty() {
        let why = format!("{} has none that can be read", set.data.display());
        return Err(TrainError::NoTasks { what: "an evaluation set", why });
    }
    Ok(samples)
}

/// The samples of the run that sampled some completions.
fn of_completions(completions: &CompletionsConfig) -> Result<Data, TrainError> {
    completions.steps()?;
    let (dir, config) = (&completions.run, completions.run.join("config.toml"));
    let text = std::fs::read_to_string(&config).map_err(|_| TrainError::NoRun { dir: dir.clone() })?;
    let recipe = Recipe::parse(&text, &[])?;
    if matches!(recipe.data, DataSource::Completions(_)) {
        let why = "it sampled none: its own data are completions".to_owned();
        return Err(TrainError::NoCompletions { dir: dir.clone(), why });
    }
    let data = load_data(&recipe.data, recipe.seed)?;
    check_held_out(dir, &data.held_out)?;
    // The groups are one source, whatever the tasks were of.
    let sources = vec![Source { name: String::new(), weight: 1.0, train: data.train.len() }];
    Ok(Data { sources, ..data })
}

impl Data {
    /// The same in a dialect.
    pub(crate) fn in_dialect(self, dialect: &'static dyn Dialect) -> Result<Self, TrainError> {
        let (train, held_out) = (in_dialect(self.train, dialect)?, in_dialect(self.held_out, dialect)?);
        // The gold check is of ToolRL's text.
        let gold = if dialect.name() == ToolRl.name() { self.gold } else { GoldReport::default() };
        Ok(Self { train, held_out, gold, ..self })
    }

    /// The source of each training sample, by its position among the sources.
    pub(crate) fn source_of_each(&self) -> impl Iterator<Item = usize> {
        self.sources.iter().enumerate().flat_map(|(at, source)| std::iter::repeat_n(at, source.train))
    }
}

/// The ids of the samples that a run holds out.
const HELD_OUT: &str = "held_out.json";

/// Writes down which samples a run holds out.
pub(crate) fn write_held_out(run_dir: &Path, data: &Data) -> Result<(), TrainError> {
    let ids: Vec<&str> = data.held_out.iter().map(|sample| sample.id.as_str()).collect();
    Ok(write_whole(&run_dir.join(HELD_OUT), &serde_json::to_vec(&ids).unwrap_or_default())?)
}

/// The samples that a run held out: those that its recipe gives, compared with what it wrote down.
///
/// # Errors
/// As [`load_data`]; [`TrainError::Changed`] where other samples are held out now.
pub fn held_out_of(run_dir: &Path, recipe: &Recipe) -> Result<Vec<Sample>, TrainError> {
    let held_out = load_data(&recipe.data, recipe.seed)?.held_out;
    check_held_out(run_dir, &held_out)?;
    Ok(held_out)
}

/// Refuses samples that are not those that a run held out.
fn check_held_out(run_dir: &Path, held_out: &[Sample]) -> Result<(), TrainError> {
    let path = run_dir.join(HELD_OUT);
    let broken = |what: String| TrainError::CheckpointFile { path: path.clone(), what };
    let bytes = std::fs::read(&path).map_err(|e| broken(e.to_string()))?;
    let ids: Vec<String> = serde_json::from_slice(&bytes).map_err(|e| broken(e.to_string()))?;
    let was = run_dir.join(Identity::NAME).exists().then(|| Identity::read(run_dir)).transpose()?;
    let was = was.and_then(|identity| identity.held_out);
    let are_same = was.is_none_or(|was| was == of_conversations(held_out));
    if are_same && held_out.iter().map(|sample| &sample.id).eq(&ids) {
        return Ok(());
    }
    let what =
        vec![format!("held-out samples: {} then, {} now, and not the same", ids.len(), held_out.len())];
    Err(TrainError::Changed { dir: run_dir.to_owned(), what })
}

/// A training task of RL: a sample, its prompt, and what replies are scored against.
#[derive(Debug)]
pub(crate) struct Task {
    /// Which of the run's sources it is of.
    pub source: usize,
    pub sample: Sample,
    pub prompt: Arc<Prompt>,
    pub reference: Reference,
}

/// The scorable samples as tasks, in what becomes of those that are too long.
pub(crate) fn tasks(
    data: &Data,
    (chat, environment): (&Chat, &dyn Environment),
    limit: TokenLimit,
) -> Result<(Vec<Task>, OverlongCounts), TrainError> {
    let scorable = data.gold.scorable(data.source_of_each().zip(data.train.iter().cloned()).collect());
    if scorable.is_empty() {
        let why = format!("{} samples have gold replies that cannot be scored", data.gold.unscorable.len());
        return Err(TrainError::NoTasks { what: "training data", why });
    }
    let prompted = |(source, sample): (usize, Sample)| {
        let prompt = Prompt::of_sample(chat, environment, &sample, 0)?;
        let (id, tokens) = (sample.id.clone(), prompt.tokens.len());
        Ok(WithLength { id, tokens, sample: (source, sample, prompt) })
    };
    let prompted = scorable.into_iter().map(prompted).collect::<Result<Vec<_>, TrainError>>()?;
    let cut = |(source, sample, prompt): (usize, Sample, Prompt)| {
        Ok((source, sample, prompt.keep_last(chat, limit.tokens)?))
    };
    let (prompted, counts) = limit.apply(prompted, cut)?;
    let task = |(task, (source, sample, prompt)): (usize, (usize, Sample, Prompt))| {
        let reference = Reference::of_task(&sample.gold, chat.dialect(), &sample.tools)
            .map_err(|error| TrainError::Gold { id: sample.id.clone(), source: error })?;
        let prompt = Arc::new(Prompt { task, index: task as u64, ..prompt });
        Ok(Task { source, sample, prompt, reference })
    };
    Ok((prompted.into_iter().enumerate().map(task).collect::<Result<_, TrainError>>()?, counts))
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
