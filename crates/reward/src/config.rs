//! A rubric as a recipe states it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{AnyTerm, Correctness, Format, OnFailure, RewardError};

/// A rubric as a recipe states it: a list of terms, or the name of a preset ([`crate::PRESETS`]), which is read and
/// written as its terms.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub struct RubricConfig {
    /// The terms, in the order in which they are summed.
    pub terms: Vec<TermConfig>,
}

/// A term as a recipe states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermConfig {
    /// The id it is registered under.
    pub id: String,
    /// Its weight, 1 when left out; with 0 it is only a metric.
    #[serde(default = "unit_weight")]
    pub weight: f64,
    /// What a reply counts for on which it fails.
    #[serde(default, skip_serializing_if = "is_default")]
    pub on_failure: OnFailure,
    /// Seconds that one score of an asynchronous term may take, or that one of batches may wait for its next answer; 30
    /// when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<f64>,
    /// Scores of an asynchronous term under way at a time, or batches; 16 scores when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<usize>,
    /// Every other key: the term's own settings, which the term checks.
    #[serde(flatten)]
    pub settings: toml::Table,
}

/// A day, in seconds.
const LONGEST_TIMEOUT: f64 = 86_400.0;

fn unit_weight() -> f64 {
    1.0
}

fn is_default(on_failure: &OnFailure) -> bool {
    *on_failure == OnFailure::default()
}

impl RubricConfig {
    /// Whether a score by it depends on the step of training: by a range that moves, or a length target that does.
    pub fn follows_the_step(&self) -> bool {
        let moves = |target: &toml::Value| {
            target.as_str().is_some_and(|name| name.starts_with("dynamic"))
                || target.get("growing_words").is_some()
        };
        let changes = |scale: &toml::Value| {
            scale.as_array().is_some_and(|of| of.iter().any(|s| s.as_str() != Some("equal_max")))
        };
        self.terms.iter().map(|term| &term.settings).any(|settings| {
            settings.get("target").is_some_and(moves) || settings.get("scale").is_some_and(changes)
        })
    }

    /// Whether a length target of it grows with the share of a run's steps that is done, and so depends on their number.
    pub fn grows_over_the_run(&self) -> bool {
        let grows = |target: &toml::Value| {
            target.as_str() == Some("dynamic_paper") || target.get("growing_words").is_some()
        };
        self.terms.iter().any(|term| term.settings.get("target").is_some_and(grows))
    }
}

impl TermConfig {
    /// The term of this id with weight 1 and its default settings.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            weight: unit_weight(),
            on_failure: OnFailure::default(),
            timeout_seconds: None,
            concurrency: None,
            settings: toml::Table::new(),
        }
    }

    /// The term with the limits that are stated here.
    pub(crate) fn with_limits(&self, mut term: AnyTerm) -> Result<AnyTerm, RewardError> {
        let refused = |message: String| RewardError::Settings { id: self.id.clone(), source: message.into() };
        let limits = match &mut term {
            AnyTerm::Async(_, limits) | AnyTerm::Batch(_, limits) => limits,
            AnyTerm::Sync(_) if self.timeout_seconds.is_none() && self.concurrency.is_none() => {
                return Ok(term);
            }
            AnyTerm::Sync(_) => {
                let message = "timeout_seconds and concurrency are for asynchronous terms; this one is none";
                return Err(refused(message.to_owned()));
            }
        };
        if let Some(seconds) = self.timeout_seconds {
            if !(seconds > 0.0 && seconds <= LONGEST_TIMEOUT) {
                let wanted = format!("should be above 0 and at most {LONGEST_TIMEOUT}");
                return Err(refused(format!("timeout_seconds = {seconds} {wanted}")));
            }
            limits.timeout = Duration::from_secs_f64(seconds);
        }
        if let Some(concurrency) = self.concurrency {
            if concurrency == 0 {
                return Err(refused("concurrency should be at least 1".to_owned()));
            }
            limits.concurrency = concurrency;
        }
        Ok(term)
    }
}

impl Default for RubricConfig {
    /// The rubric of [`crate::Rubric::toolrl`].
    fn default() -> Self {
        Self { terms: [Format::ID, Correctness::ID].map(TermConfig::new).into() }
    }
}
