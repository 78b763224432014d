//! Samples from public datasets: ToolACE, xLAM-function-calling-60k, and Hammer's masking of the latter, mixed
//! as in ToolRL (arXiv 2504.13958).
//!
//! A dialogue becomes one [`Sample`] for each of its replies, with the turns before it in the user message.
//! What cannot be converted is counted by its [`Cause`].

mod cause;
mod config;
mod hammer;
mod read;
mod render;
mod report;
mod step;
mod toolace;
mod tools;
mod xlam;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::Hash;

use crate::random::Rng;
use crate::{DataError, Sample};
use read::ReadSource;
use step::Step;

pub(crate) use render::{Renderer, listed_tools};
pub(crate) use step::{CALL_THOUGHT, RESPONSE_THOUGHT};
pub(crate) use xlam::NO_TOOL;

pub use cause::Cause;
pub use config::{BuildConfig, NamedTake, SourceConfig, SourceForm, Take};
pub use report::{BuildReport, Example, Refused, SourceReport};

/// What a build made.
#[derive(Clone, Debug, PartialEq)]
pub struct Built {
    /// The samples of all sources, in a random order that follows from the seed. Empty when nothing could be
    /// converted or nothing was asked for.
    pub samples: Vec<Sample>,
    /// Whole rows kept apart from `samples`, to evaluate on: [`BuildConfig::held_out`] or a little more.
    pub held_out: Vec<Sample>,
    /// What became of every row.
    pub report: BuildReport,
}

/// The keys of the random numbers: which steps are taken, how their names are masked, the order of all.
const CHOICE: u64 = 0;
const MASKS: u64 = 1;
const ORDER: u64 = 2;

/// Reads the sources and mixes their samples.
///
/// # Errors
/// [`DataError::Build`] for settings out of range, [`DataError::Template`] for a prompt template that cannot
/// be used, and whatever a file that cannot be read gives.
pub fn build(config: &BuildConfig) -> Result<Built, DataError> {
    config.check()?;
    let renderer = Renderer::new(config.prompt.as_deref())?;
    let mut used = HashSet::new();
    let mut samples = Vec::new();
    let mut sources = Vec::new();
    for (index, source) in config.sources.iter().enumerate() {
        let name = name(config, index);
        let read = ReadSource::of(source, &name)?;
        let (chosen, report) = choose(config, index, name, read, &mut used);
        for step in &chosen {
            samples.push(((index, step.row), renderer.sample(step)?));
        }
        tracing::debug!(source = report.name, taken = report.taken, "read a source");
        sources.push(report);
    }
    Rng::new(config.seed, &[ORDER]).shuffle(&mut samples);
    let (held_out, samples) = hold_out(samples, config.held_out);
    let mut by_kind = BTreeMap::new();
    for sample in &samples {
        *by_kind.entry(sample.kind).or_insert(0) += 1;
    }
    let (seed, counts) = (config.seed, (samples.len(), held_out.len()));
    let report = BuildReport { seed, samples: counts.0, held_out: counts.1, by_kind, sources };
    Ok(Built { samples, held_out, report })
}

/// Divides samples with their rows into those of the first rows, until there are `count`, and the others. A
/// later reply of a dialogue shows the earlier ones, so that a row must not be on both sides.
fn hold_out<R: Copy + Eq + Hash>(samples: Vec<(R, Sample)>, count: usize) -> (Vec<Sample>, Vec<Sample>) {
    let mut replies = HashMap::new();
    samples.iter().for_each(|(row, _)| *replies.entry(*row).or_insert(0) += 1);
    let (mut rows, mut held) = (HashSet::new(), 0);
    for (row, _) in &samples {
        if held < count && rows.insert(*row) {
            held += replies[row];
        }
    }
    let (held_out, rest): (Vec<_>, Vec<_>) = samples.into_iter().partition(|(row, _)| rows.contains(row));
    let sample = |(_, sample)| sample;
    (held_out.into_iter().map(sample).collect(), rest.into_iter().map(sample).collect())
}

/// A name for the ids of a source's samples, unlike those before it: `xlam`, `xlam-2`.
fn name(config: &BuildConfig, index: usize) -> String {
    let form = config.sources[index].form;
    let earlier = config.sources[..index].iter().filter(|source| source.form == form).count();
    if earlier == 0 { form.to_string() } else { format!("{form}-{}", earlier + 1) }
}

/// Takes what was asked for, among the steps that no earlier source took.
fn choose(
    config: &BuildConfig,
    index: usize,
    name: String,
    mut read: ReadSource,
    used: &mut HashSet<u64>,
) -> (Vec<Step>, SourceReport) {
    let source = &config.sources[index];
    let steps = std::mem::take(&mut read.steps);
    let distinct = steps.len();
    let mut free: Vec<_> = steps.into_iter().filter(|(hash, _)| !used.contains(hash)).collect();
    let available = free.len();
    Rng::new(config.seed, &[CHOICE, index as u64]).shuffle(&mut free);
    let asked = source.take.count(source.form);
    let count = asked.unwrap_or(available).min(available);
    let (chosen, irrelevance) = match source.form {
        SourceForm::Hammer => augmented(config, index, free, count),
        SourceForm::Toolace | SourceForm::Xlam => {
            free.truncate(count);
            (free, 0)
        }
    };
    used.extend(chosen.iter().map(|(hash, _)| hash));
    let report = SourceReport {
        name,
        form: source.form,
        file: source.file.clone(),
        rows: read.rows,
        rows_refused: read.rows_refused,
        replies: read.replies,
        replies_refused: read.replies - read.duplicates - distinct,
        duplicates: read.duplicates,
        used: distinct - available,
        asked,
        taken: chosen.len(),
        irrelevance,
        left_over: available - chosen.len(),
        passed_over: std::mem::take(&mut read.passed_over),
        refused: read.refused(),
    };
    (chosen.into_iter().map(|(_, step)| step).collect(), report)
}

/// `count` of the steps with Hammer's augmentation, and how many of them lost their tools: the share of the
/// settings, or fewer where too few steps have a tool to spare.
fn augmented(
    config: &BuildConfig,
    index: usize,
    steps: Vec<(u64, Step)>,
    count: usize,
) -> (Vec<(u64, Step)>, usize) {
    let irrelevant = (config.irrelevance * count as f64).round() as usize;
    let mut chosen = Vec::with_capacity(count);
    let mut whole = Vec::new();
    for (hash, step) in steps {
        if chosen.len() < irrelevant && hammer::can_lose_its_tools(&step) {
            chosen.push((hash, hammer::without_its_tools(step)));
        } else {
            whole.push((hash, step));
        }
    }
    let lost = chosen.len();
    chosen.extend(whole.into_iter().take(count - lost));
    let mask = |(hash, step)| {
        let mut rng = Rng::new(config.seed, &[MASKS, index as u64, hash]);
        (hash, hammer::masked(step, &mut rng))
    };
    (chosen.into_iter().map(mask).collect(), lost)
}
