//! Terms whose values other programs give, well-behaved and not.

#![allow(clippy::unwrap_used, reason = "a failed step fails the test")]

mod command;
mod docs;
mod http;
mod python;

use std::path::Path;

use pollster::block_on;
use serde_json::json;
use toolrl_grammar::dialect::named;
use toolrl_reward::{
    Asked, Context, Reference, Registry, RewardError, Rubric, RubricConfig, Score, TermConfig,
};

/// A directory for scripts; none where there is no Python.
fn python() -> Option<tempfile::TempDir> {
    toolrl_testing::has_program("python3").then(|| tempfile::tempdir().unwrap())
}

/// The rubric of one term, whose paths start in a directory.
fn rubric(dir: &Path, term: &str) -> Result<Rubric, RewardError> {
    let mut term: TermConfig = toml::from_str(term).unwrap();
    if term.id != "http" {
        term.settings.insert("directory".to_owned(), dir.to_str().unwrap().into());
    }
    let mut registry = Registry::builtin();
    toolrl_scorers::register(&mut registry);
    Rubric::from_config(&RubricConfig { terms: vec![term] }, &registry)
}

/// What a term refuses to begin with.
fn refusal(dir: &Path, term: &str) -> String {
    rubric(dir, term).unwrap_err().to_string()
}

/// Replies that answer by a text each, of the tasks t:0, t:1, … in Hermes' dialect.
fn scores(rubric: &Rubric, replies: &[&str], context: Context) -> Vec<Score> {
    let reference = |number: usize| {
        let messages = json!([{"role": "user", "content": format!("question {number}")}]).to_string();
        Reference::in_dialect("gold", named("hermes").unwrap())
            .with_asked(Asked { id: format!("t:{number}"), messages })
    };
    let references: Vec<_> = (0..replies.len()).map(reference).collect();
    let read: Vec<_> =
        replies.iter().zip(&references).map(|(reply, gold)| (gold.read(reply.as_bytes()), gold)).collect();
    block_on(rubric.score_batch(&read, &context)).into_iter().map(Result::unwrap).collect()
}

/// The values, or the causes of failures: `Ok(1.0)`, `Err("…")`.
fn outcomes(rubric: &Rubric, replies: &[&str]) -> Vec<Result<f64, String>> {
    let outcome = |score: Score| {
        let term = &score.terms[0];
        term.failure.as_ref().map_or(Ok(term.score.value), |failure| Err(failure.cause.to_string()))
    };
    scores(rubric, replies, Context::evaluation()).into_iter().map(outcome).collect()
}

fn values(rubric: &Rubric, replies: &[&str]) -> Vec<f64> {
    outcomes(rubric, replies).into_iter().map(Result::unwrap).collect()
}

fn write(dir: &Path, name: &str, text: impl AsRef<[u8]>) {
    std::fs::write(dir.join(name), text).unwrap();
}

/// Whether a process of this id runs; one that nobody has waited for yet does not.
fn runs(pid: &str) -> bool {
    let told = std::process::Command::new("ps").args(["-o", "stat=", "-p", pid]).output().unwrap();
    !told.stdout.trim_ascii().is_empty() && !told.stdout.starts_with(b"Z")
}
