//! What a reward should promise, and whether it keeps it on a case.

use serde::Serialize;
use toolrl_grammar::parse;
use toolrl_reward::{Context, Reference, Rubric, Score};

use super::damage::{Damage, Edit};
use super::draft::Draft;

/// A promise of a reward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Property {
    /// Every term has a finite value: none fails.
    Finite,
    /// Every term's value is within the range that the term states.
    Range,
    /// The same reply gets the same score, to the bit.
    Deterministic,
    /// No damaged reply scores above the gold reply.
    ExactIsBest,
    /// One more damage never raises the score.
    Monotonic,
    /// Another way of writing the same reply has the same score.
    Equivalent,
}

impl Property {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Finite,
        Self::Range,
        Self::Deterministic,
        Self::ExactIsBest,
        Self::Monotonic,
        Self::Equivalent,
    ];

    /// Its name, and what it promises.
    pub fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Finite => ("finite", "every term has a finite value"),
            Self::Range => ("range", "every term stays within its range"),
            Self::Deterministic => ("deterministic", "the same reply gets the same score"),
            Self::ExactIsBest => ("exact_is_best", "no damaged reply scores above the gold reply"),
            Self::Monotonic => ("monotonic", "one more damage never raises the score"),
            Self::Equivalent => ("equivalent", "another way of writing the same has the same score"),
        }
    }
}

/// Damages in the order in which they are dealt, and another way of writing the reply.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Case {
    pub damages: Vec<Damage>,
    pub edit: Option<Edit>,
}

/// A gold reply with the rubric that it is looked at with.
pub(super) struct Subject<'s> {
    rubric: &'s Rubric,
    pub draft: &'s Draft,
    reference: Reference,
    pub gold: Score,
}

/// Totals and values within this are equal.
const TOLERANCE: f64 = 1e-9;

impl<'s> Subject<'s> {
    /// `None` for a gold reply that cannot be scored.
    pub fn new(rubric: &'s Rubric, draft: &'s Draft) -> Option<Self> {
        let text = draft.text(&[], None);
        let reference = Reference::parse(&text).ok()?;
        let gold = rubric.score(&parse(&text), &reference, &Context::evaluation()).ok()?;
        Some(Self { rubric, draft, reference, gold })
    }

    /// The score of the damaged reply; `None` where a failure stops it, which [`Property::Finite`] tells of.
    pub fn score(&self, damages: &[Damage], edit: Option<Edit>) -> Option<Score> {
        let text = self.draft.text(damages, edit);
        self.rubric.score(&parse(&text), &self.reference, &Context::evaluation()).ok()
    }

    /// Whether the last reply of a case breaks the promise.
    pub fn breaks(&self, property: Property, case: &Case) -> bool {
        let before = case.damages.split_last().and_then(|(_, before)| self.score(before, None));
        self.breaks_after(property, case, before.as_ref(), self.score(&case.damages, None).as_ref())
    }

    /// The same with the scores before and after the last damage.
    fn breaks_after(
        &self,
        property: Property,
        case: &Case,
        before: Option<&Score>,
        score: Option<&Score>,
    ) -> bool {
        let Some(score) = score else { return property == Property::Finite };
        match property {
            Property::Finite => score.failures().next().is_some(),
            Property::Range => score.terms.iter().any(|term| out_of_range(term.score.value, term.range)),
            Property::Deterministic => {
                self.score(&case.damages, None).is_none_or(|again| bits(&again) != bits(score))
            }
            Property::ExactIsBest => score.total > self.gold.total + TOLERANCE,
            Property::Monotonic => before.is_some_and(|before| score.total > before.total + TOLERANCE),
            Property::Equivalent => {
                let Some(edit) = case.edit else { return false };
                let other = self.score(&case.damages, Some(edit));
                other.is_some_and(|other| (other.total - score.total).abs() > TOLERANCE)
            }
        }
    }
}

pub(super) fn out_of_range(value: f64, (least, greatest): (f64, f64)) -> bool {
    value < least - TOLERANCE || value > greatest + TOLERANCE
}

fn bits(score: &Score) -> Vec<u64> {
    let values = score.terms.iter().map(|term| term.score.value.to_bits());
    std::iter::once(score.total.to_bits()).chain(values).collect()
}

/// Every promise on every reply of a case: the gold reply, and the reply after each damage. A broken one comes
/// with the case up to there.
pub(super) fn check(subject: &Subject<'_>, case: &Case) -> Vec<(Property, Option<Case>)> {
    let mut checks = Vec::new();
    let mut before = None;
    for dealt in 0..=case.damages.len() {
        let so_far = Case { damages: case.damages[..dealt].to_vec(), edit: case.edit };
        let score = subject.score(&so_far.damages, None);
        for property in Property::ALL {
            let applies = match property {
                Property::ExactIsBest | Property::Monotonic => dealt > 0,
                Property::Equivalent => case.edit.is_some(),
                Property::Finite | Property::Range | Property::Deterministic => true,
            };
            if applies {
                let broken = subject.breaks_after(property, &so_far, before.as_ref(), score.as_ref());
                checks.push((property, broken.then(|| so_far.clone())));
            }
        }
        before = score;
    }
    checks
}
