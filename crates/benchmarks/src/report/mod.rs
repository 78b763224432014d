//! What runs came to: one beside the other, and beside the paper's table.

mod page;
mod paper;

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::outcome::excerpt;
use crate::{Benchmark, BenchmarkError, Header, Outcome, Score};
pub use paper::PaperTable;

/// Failures of a kind whose text a report shows.
const EXAMPLES: usize = 10;

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    /// What it is a run of.
    pub header: Header,
    /// Cases that were run.
    pub cases: usize,
    /// The benchmark's scores, the most important first.
    pub scores: Vec<Score>,
    /// Right and all cases by group.
    pub groups: BTreeMap<String, GroupRates>,
    /// Failures by kind, the most frequent first.
    pub failures: Vec<Failures>,
    /// Mean new tokens a case.
    pub mean_tokens: f64,
    /// Replies that the limit on new tokens ended.
    pub cut: usize,
    /// Cases that did not fit into the model's context.
    pub refused: usize,
}

/// Right and all cases of a group.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRates {
    /// Right ones.
    pub right: usize,
    /// All.
    pub total: usize,
}

/// The failures of a kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failures {
    /// What is wrong, as the benchmark's scorer names it.
    pub kind: String,
    /// How many.
    pub count: usize,
    /// The first of them.
    pub examples: Vec<Example>,
}

/// A case that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Example {
    /// The case.
    pub id: String,
    /// What was asked.
    pub asked: String,
    /// What would have been right.
    pub expected: String,
    /// The replies, shortened.
    pub reply: String,
}

impl RunReport {
    /// What a run's outcomes come to.
    pub fn of(benchmark: &(impl Benchmark + ?Sized), header: &Header, outcomes: &[Outcome]) -> Self {
        let mut groups: BTreeMap<String, GroupRates> = BTreeMap::new();
        let mut kinds: BTreeMap<&str, Vec<&Outcome>> = BTreeMap::new();
        for outcome in outcomes {
            let group = groups.entry(outcome.group.clone()).or_default();
            group.right += usize::from(outcome.right);
            group.total += 1;
            if let Some(kind) = &outcome.failure {
                kinds.entry(kind).or_default().push(outcome);
            }
        }
        let mut failures: Vec<Failures> =
            kinds.into_iter().map(|(kind, all)| Failures::of(kind, &all)).collect();
        failures.sort_by_key(|failures| std::cmp::Reverse(failures.count));
        let tokens: usize = outcomes.iter().map(|outcome| outcome.tokens).sum();
        Self {
            header: header.clone(),
            cases: outcomes.len(),
            scores: benchmark.scores(outcomes),
            groups,
            failures,
            mean_tokens: tokens as f64 / outcomes.len().max(1) as f64,
            cut: outcomes.iter().map(|outcome| outcome.cut).sum(),
            refused: outcomes.iter().filter(|outcome| outcome.refused > 0).count(),
        }
    }

    /// The scores and groups as a text table.
    pub fn table(&self) -> String {
        let mut table = format!("{:<28}{:>10}\n", self.header.benchmark, "score");
        for score in self.scores.iter().filter(|score| score.value.is_some()) {
            let note = if score.note.is_empty() { String::new() } else { format!("  ({})", score.note) };
            table += &format!("{:<28}{:>10}{note}\n", score.name, score.shown());
        }
        table += &format!("\n{:<28}{:>10}{:>10}\n", "", "right", "of");
        for (name, group) in &self.groups {
            table += &format!("{name:<28}{:>10}{:>10}\n", group.right, group.total);
        }
        table
    }
}

impl Failures {
    fn of(kind: &str, outcomes: &[&Outcome]) -> Self {
        let example = |outcome: &&Outcome| Example {
            id: outcome.id.clone(),
            asked: outcome.asked.clone(),
            expected: outcome.expected.clone(),
            reply: excerpt(&outcome.replies.concat().join("\n\n")),
        };
        let examples = outcomes.iter().take(EXAMPLES).map(example).collect();
        Self { kind: kind.into(), count: outcomes.len(), examples }
    }
}

/// A run beside others and the paper's table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The run.
    pub run: RunReport,
    /// Other runs of the same benchmark.
    pub others: Vec<RunReport>,
    /// The paper's results on it.
    pub paper: PaperTable,
}

/// A run beside others of the same benchmark and the paper's table. Runs of other benchmarks are left out.
pub fn compare(run: RunReport, others: Vec<RunReport>) -> Report {
    let same = |other: &RunReport| other.header.benchmark == run.header.benchmark;
    let others = others.into_iter().filter(same).collect();
    let paper = PaperTable::of(&run.header.benchmark);
    Report { run, others, paper }
}

impl Report {
    /// Writes `report.json` and `report.html` into a folder.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`].
    pub fn write(&self, folder: &Path) -> Result<(), BenchmarkError> {
        std::fs::create_dir_all(folder).map_err(BenchmarkError::io(folder))?;
        let path = folder.join("report.json");
        let json = serde_json::to_vec_pretty(self).map_err(std::io::Error::from);
        let json = json.and_then(|json| std::fs::write(&path, [&json[..], b"\n"].concat()));
        json.map_err(BenchmarkError::io(&path))?;
        let path = folder.join("report.html");
        std::fs::write(&path, page::render(self)?).map_err(BenchmarkError::io(&path))
    }

    /// Reads the `report.json` of a folder.
    ///
    /// # Errors
    /// [`BenchmarkError::Io`], and [`BenchmarkError::Log`] where it is no report.
    pub fn read(folder: &Path) -> Result<Self, BenchmarkError> {
        let path = folder.join("report.json");
        let bytes = std::fs::read(&path).map_err(BenchmarkError::io(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| {
            let (line, problem) = (error.line(), format!("no report of a benchmark: {error}"));
            BenchmarkError::Log { path, line, problem }
        })
    }
}
