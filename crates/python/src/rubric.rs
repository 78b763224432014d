//! Rewards.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use serde::Deserialize;
use serde_json::Value;
use toolrl_grammar::dialect::named;
use toolrl_reward::{Context, Reference, Registry, RewardError, RubricConfig, Score, ScoredTerm, explain};

use crate::{message, refused, value_error};

/// Weighted terms.
#[pyclass(frozen)]
pub struct Rubric(toolrl_reward::Rubric);

/// The part of a recipe that names its reward.
#[derive(Deserialize)]
struct Rewarded {
    #[serde(default)]
    reward: RubricConfig,
}

/// Replies with what each is held against.
#[derive(FromPyObject)]
pub struct Replies {
    /// What the model wrote of its turn, in UTF-8 in which lone surrogates may stand.
    #[pyo3(item)]
    replies: Vec<PyBackedBytes>,
    /// The gold reply to each, in the same.
    #[pyo3(item)]
    golds: Vec<PyBackedBytes>,
    /// Each task's tools as a JSON list; for all alike where there is one.
    #[pyo3(item)]
    tools: Vec<String>,
    /// The dialect that all are written in.
    #[pyo3(item)]
    dialect: String,
    /// The training step and how many there are.
    #[pyo3(item)]
    progress: Option<(u64, u64)>,
}

#[pymethods]
impl Rubric {
    /// The reward of a recipe's text.
    #[new]
    fn new(recipe: &str) -> PyResult<Self> {
        let Rewarded { reward } = toml::from_str(recipe).map_err(value_error)?;
        let rubric = toolrl_reward::Rubric::from_config(&reward, &Registry::builtin());
        rubric.map(Self).map_err(|error| refused(&error))
    }

    /// The terms' names and weights.
    #[getter]
    fn terms(&self) -> Vec<(String, f64)> {
        self.0.terms().iter().map(|weighted| (weighted.term.id().to_owned(), weighted.weight)).collect()
    }

    /// The least and the greatest reward.
    #[getter]
    fn range(&self) -> (f64, f64) {
        self.0.range(&Context::evaluation())
    }

    /// The reward of each reply; `nan` of one that is to teach nothing.
    fn totals(&self, py: Python<'_>, replies: Replies) -> PyResult<Vec<f64>> {
        let total =
            |score: Score, _: &Reference, _: &[u8]| if score.skipped { f64::NAN } else { score.total };
        py.detach(|| self.each(&replies, total))
    }

    /// The reward of each reply with all that it is made of.
    fn scores(&self, py: Python<'_>, replies: Replies) -> PyResult<Vec<Scored>> {
        py.detach(|| self.each(&replies, |score, _, _| scored(score)))
    }

    /// What each reply's reward is made of, in words.
    fn explanations(&self, py: Python<'_>, replies: Replies) -> PyResult<Vec<String>> {
        let told = |score: Score, reference: &Reference, reply: &[u8]| {
            explain(&reference.read(reply), reference, &score)
        };
        py.detach(|| self.each(&replies, told))
    }
}

impl Rubric {
    /// Scores replies one by one; those with one gold reply and one list of tools share what was read of them.
    fn each<T>(&self, of: &Replies, then: impl Fn(Score, &Reference, &[u8]) -> T) -> PyResult<Vec<T>> {
        let dialect = named(&of.dialect).map_err(value_error)?;
        let count = of.replies.len();
        if of.golds.len() != count || (of.tools.len() > 1 && of.tools.len() != count) {
            let (golds, tools) = (of.golds.len(), of.tools.len());
            return Err(value_error(format!(
                "{count} replies, {golds} gold replies and {tools} lists of tools"
            )));
        }
        let context =
            of.progress.map_or_else(Context::evaluation, |(step, steps)| Context::training(step, steps));
        let mut references: HashMap<(&[u8], &str), Reference> = HashMap::new();
        let scored = of.replies.iter().zip(&of.golds).enumerate().map(|(index, (reply, gold))| {
            let place =
                |error: &dyn std::error::Error| value_error(format!("reply {index}: {}", message(error)));
            let tools = of.tools.get(index).or(of.tools.first()).map_or("[]", String::as_str);
            let key = (&gold[..], tools);
            let reference = match references.entry(key) {
                Entry::Occupied(read) => read.into_mut(),
                Entry::Vacant(empty) => {
                    let listed: Vec<Value> = serde_json::from_str(tools).map_err(|error| place(&error))?;
                    let reference =
                        Reference::of_task(&gold[..], dialect, &listed).map_err(|error| place(&error))?;
                    empty.insert(reference)
                }
            };
            let score: Result<Score, RewardError> = self.0.score(&reference.read(reply), reference, &context);
            Ok(then(score.map_err(|error| place(&error))?, reference, reply))
        });
        scored.collect()
    }
}

/// A term's id, value, weight, range, components and failure.
type Term = (String, f64, f64, (f64, f64), Vec<(String, f64)>, Option<String>);

/// The total, whether the reply is to teach nothing, and the terms.
type Scored = (f64, bool, Vec<Term>);

fn scored(score: Score) -> Scored {
    let term = |term: ScoredTerm| {
        let components = term.score.components.iter().map(|c| (c.name.to_string(), c.value)).collect();
        let failure = term.failure.map(|failure| failure.cause.to_string());
        (term.id, term.score.value, term.weight, term.range, components, failure)
    };
    (score.total, score.skipped, score.terms.into_iter().map(term).collect())
}
