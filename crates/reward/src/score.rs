//! A reward with all that it is made of.

use crate::{Component, TermFailure, TermScore};

/// A reward with all that it is made of.
#[derive(Clone, Debug)]
pub struct Score {
    /// The sum over the terms of weight times value, in their order. Nothing is normalised.
    pub total: f64,
    /// One entry per term, in the rubric's order.
    pub terms: Vec<ScoredTerm>,
    /// Whether a failed term asks that the reply teach nothing ([`crate::OnFailure::SkipReply`]); `total` is
    /// then the sum of the other terms, and no reward to train on.
    pub skipped: bool,
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
    /// What it said; where it failed, the value that it counts for instead.
    pub score: TermScore,
    /// How it failed, if it did.
    pub failure: Option<TermFailure>,
}

impl Score {
    /// The value of a term, before its weight.
    pub fn value(&self, id: &str) -> Option<f64> {
        self.terms.iter().find(|term| term.id == id).map(|term| term.score.value)
    }

    /// The terms that failed.
    pub fn failures(&self) -> impl Iterator<Item = (&str, &TermFailure)> {
        self.terms.iter().filter_map(|term| Some((term.id.as_str(), term.failure.as_ref()?)))
    }

    /// Every number worth a metric: each term's value under its id, and its components under
    /// `id/component`. A term that is only logged and failed has none.
    pub fn metrics(&self) -> impl Iterator<Item = (String, f64)> + '_ {
        let has_value = |term: &&ScoredTerm| term.weight != 0.0 || term.failure.is_none();
        self.terms.iter().filter(has_value).flat_map(|term| {
            let component = |c: &Component| (format!("{}/{}", term.id, c.name), c.value);
            std::iter::once((term.id.clone(), term.score.value))
                .chain(term.score.components.iter().map(component))
        })
    }
}
