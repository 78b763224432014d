//! Terms that add up to a reward.

use serde::{Deserialize, Serialize};
use toolrl_grammar::Parsed;

use crate::{Context, Correctness, Format, Reference, Registry, RewardError, Term, TermScore};

/// Weighted terms in order.
pub struct Rubric {
    terms: Vec<(f64, Box<dyn Term>)>,
}

/// A reward with all that it is made of.
#[derive(Clone, Debug)]
pub struct Score {
    /// The sum over the terms of weight times value, in their order. Nothing is normalised.
    pub total: f64,
    /// One entry per term, in the rubric's order.
    pub terms: Vec<ScoredTerm>,
}

/// One term of a [`Score`].
#[derive(Clone, Debug)]
pub struct ScoredTerm {
    /// The term's id.
    pub id: String,
    /// Its weight; with 0 it is only a metric.
    pub weight: f64,
    /// The least and the greatest value it could have had.
    pub range: (f64, f64),
    /// What it said.
    pub score: TermScore,
}

impl Rubric {
    /// A rubric of these terms, each with its weight.
    ///
    /// # Errors
    /// [`RewardError::NoTerms`], [`RewardError::RepeatedTerm`] or [`RewardError::Weight`].
    pub fn new(terms: Vec<(f64, Box<dyn Term>)>) -> Result<Self, RewardError> {
        if terms.is_empty() {
            return Err(RewardError::NoTerms);
        }
        for (i, (weight, term)) in terms.iter().enumerate() {
            let id = || term.id().to_string();
            if !weight.is_finite() {
                return Err(RewardError::Weight { id: id(), weight: *weight });
            }
            if terms[..i].iter().any(|(_, earlier)| earlier.id() == term.id()) {
                return Err(RewardError::RepeatedTerm { id: id() });
            }
        }
        Ok(Self { terms })
    }

    /// The rubric of a recipe.
    ///
    /// # Errors
    /// As [`Rubric::new`]; [`RewardError::UnknownTerm`]; or what a term says of its settings.
    pub fn from_config(config: &RubricConfig, registry: &Registry) -> Result<Self, RewardError> {
        let build = |term: &TermConfig| Ok((term.weight, registry.build(&term.id, &term.settings)?));
        Self::new(config.terms.iter().map(build).collect::<Result<_, RewardError>>()?)
    }

    /// The paper's reward, in [-3, 4]: format and correctness with their default settings.
    pub fn toolrl() -> Self {
        let format: Box<dyn Term> = Box::new(Format::default());
        Self { terms: vec![(1.0, format), (1.0, Box::new(Correctness::default()))] }
    }

    /// The terms' ids, in order.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        self.terms.iter().map(|(_, term)| term.id())
    }

    /// The least and the greatest total in this context.
    pub fn range(&self, context: &Context) -> (f64, f64) {
        self.terms.iter().fold((0.0, 0.0), |(least, greatest), (weight, term)| {
            let (min, max) = term.range(context);
            let (a, b) = (weight * min, weight * max);
            (least + a.min(b), greatest + a.max(b))
        })
    }

    /// Scores a reply.
    ///
    /// # Errors
    /// The first error of a term.
    ///
    /// ```
    /// use toolrl_reward::{Context, Reference, Rubric};
    ///
    /// let gold = "<think>a</think>\n<tool_call>\n\
    ///             {\"name\": \"weather\", \"parameters\": {\"city\": \"Rome\"}}\n</tool_call>";
    /// let reference = Reference::parse(gold).unwrap();
    /// let reply = gold.replace("Rome", "Oslo");
    /// let parsed = toolrl_grammar::parse(&reply);
    ///
    /// let score = Rubric::toolrl().score(&parsed, &reference, &Context::evaluation()).unwrap();
    /// assert_eq!((score.value("format"), score.value("correctness")), (Some(1.0), Some(1.0)));
    /// assert_eq!(score.total, 2.0);
    /// ```
    pub fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<Score, RewardError> {
        let mut total = 0.0;
        let mut terms = Vec::with_capacity(self.terms.len());
        for (weight, term) in &self.terms {
            let score = term.score(parsed, reference, context)?;
            if *weight != 0.0 {
                total += weight * score.value;
            }
            let range = term.range(context);
            terms.push(ScoredTerm { id: term.id().to_string(), weight: *weight, range, score });
        }
        Ok(Score { total, terms })
    }
}

impl std::fmt::Debug for Rubric {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.terms.iter().map(|(weight, term)| (term.id(), weight))).finish()
    }
}

impl Score {
    /// The value of a term, before its weight.
    pub fn value(&self, id: &str) -> Option<f64> {
        self.terms.iter().find(|term| term.id == id).map(|term| term.score.value)
    }

    /// Every number worth a metric: each term's value under its id, and its components under
    /// `id/component`.
    pub fn metrics(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        self.terms.iter().flat_map(|term| {
            let component = |c: &crate::Component| (format!("{}/{}", term.id, c.name), c.value);
            std::iter::once((term.id.clone(), term.score.value))
                .chain(term.score.components.iter().map(component))
        })
    }
}

/// A rubric as a recipe states it: a list of terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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
    /// Every other key: the term's own settings, which the term checks.
    #[serde(flatten)]
    pub settings: toml::Table,
}

fn unit_weight() -> f64 {
    1.0
}

impl Default for RubricConfig {
    /// The rubric of [`Rubric::toolrl`].
    fn default() -> Self {
        let term =
            |id: &str| TermConfig { id: id.to_string(), weight: unit_weight(), settings: toml::Table::new() };
        Self { terms: vec![term(Format::ID), term(Correctness::ID)] }
    }
}
