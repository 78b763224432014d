//! What the tests share: fixtures, and a replier that says what a test writes down.

#![allow(dead_code, reason = "not every test needs all of it")]

use std::path::{Path, PathBuf};

use toolrl_benchmarks::{
    Benchmark, BenchmarkError, Header, Outcome, OutcomeLog, Replier, Replies, RunSettings, Talk, run,
};
use toolrl_rollout::{Opening, Reply};

/// A folder of the small set of our own.
pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures").join(name)
}

/// Copies a folder of data with the folders in it.
pub fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            std::fs::copy(from, to).unwrap();
        }
    }
}

/// Replies by the place of the case, the number of replies before, and what is asked.
pub struct Script<F> {
    pub reply: F,
    /// The case's place and the number of replies before, of everything asked.
    pub asked: Vec<(usize, usize)>,
}

impl<F: FnMut(usize, usize, &Opening) -> Result<Reply, BenchmarkError>> Script<F> {
    pub fn new(reply: F) -> Self {
        Self { reply, asked: Vec::new() }
    }
}

impl<F: FnMut(usize, usize, &Opening) -> Result<Reply, BenchmarkError>> Replier for Script<F> {
    async fn replies(&mut self, talks: &mut [Talk], _: &RunSettings) -> Result<Replies, BenchmarkError> {
        self.asked.extend(talks.iter().map(|talk| (talk.case, talk.step)));
        Ok(talks.iter().map(|talk| (self.reply)(talk.case, talk.step, &talk.asked())).collect())
    }
}

/// Runs work to its end.
pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

/// Runs a whole benchmark with a replier, and returns the outcomes in the order of the cases.
pub fn outcomes(
    benchmark: &dyn Benchmark,
    replier: &mut impl Replier,
    settings: &RunSettings,
) -> Vec<Outcome> {
    let dir = tempfile::tempdir().unwrap();
    let header = Header::new(benchmark, "test", settings);
    let mut log = OutcomeLog::open(&dir.path().join("outcomes.jsonl"), &header).unwrap();
    block_on(run(benchmark, replier, &mut log, settings, |_, _| ())).unwrap();
    let mut outcomes = log.outcomes().to_vec();
    let place = |outcome: &Outcome| benchmark.cases().iter().position(|case| case.id == outcome.id);
    outcomes.sort_by_key(place);
    outcomes
}

/// Calls in ToolRL's form.
pub fn calls(calls: &[&str]) -> Reply {
    Reply::of_text(&format!("<think> so </think>\n<tool_call>\n{}\n</tool_call>", calls.join("\n")))
}

/// An answer in ToolRL's form.
pub fn answer(text: &str) -> Reply {
    Reply::of_text(&format!("<think> so </think>\n<response> {text} </response>"))
}
