//! The correctness term: are the calls those of the reference?

mod assign;
mod compare;
mod names;
mod pair;

use serde::{Deserialize, Serialize};
use toolrl_grammar::{Parsed, SyntaxError};

use crate::scale::{Range, Scaled};
use crate::{
    AnyCall, Breakdown, CallPoints, Comparison, Context, Outcome, Points, Reference, RewardError, Scale,
    Term, TermScore,
};

/// How finely calls that differ from the reference's are scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Granularity {
    /// Names, parameter names and values each earn points, and lists of names that overlap earn a
    /// part. The released code's default; the paper's tables call it the original.
    #[default]
    FineGrained,
    /// As fine-grained, but a list of names that is not equal, order included, earns nothing.
    /// Released as `REFINEDREWARD`; the paper's ablation calls this one "finegrained".
    Strict,
    /// A call earns its point as a whole or not at all; the tools' names overlap as in
    /// fine-grained. Released as `INTERMEDIATEREWARD`.
    Intermediate,
    /// Intermediate, with the tools' names as in strict. Released as both flags together.
    StrictIntermediate,
    /// All calls right or nothing. Released as `COARSEREWARD`.
    Coarse,
}

impl Granularity {
    /// Whether lists of names must be equal to earn anything.
    fn wants_equal_lists(self) -> bool {
        matches!(self, Self::Strict | Self::StrictIntermediate)
    }

    /// Whether a call is scored as a whole.
    fn scores_whole_calls(self) -> bool {
        matches!(self, Self::Intermediate | Self::StrictIntermediate)
    }
}

/// How the reply's calls are matched with the reference's, and how lists of names are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Matching {
    /// As the released code, to the bit: greedy in the reference's order, and tool names compared
    /// as multisets.
    #[default]
    Parity,
    /// As parity, but with the assignment that earns the most points.
    BestAssignment,
    /// As the paper's text: the assignment with the most points, and tool names compared as sets.
    Paper,
}

/// Settings of [`Correctness`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CorrectnessSettings {
    /// How finely differences are scored.
    pub granularity: Granularity,
    /// How calls are matched.
    pub matching: Matching,
    /// Changes of the range [-3, 3], applied in order.
    pub scale: Vec<Scale>,
}

/// (max - min) R / S + min, R the points that the reply's calls earn and S those that there are:
/// one for the tools' names, and for each call of the reference one for its parameters' names and
/// one for each value (arXiv 2504.13958, section 3.3). Calls equal to the reference's earn the
/// maximum, and a reference without calls gives 0.
#[derive(Clone, Debug, Default)]
pub struct Correctness {
    settings: CorrectnessSettings,
}

impl Correctness {
    /// The term's id.
    pub const ID: &'static str = "correctness";

    /// The term with these settings.
    pub fn new(settings: CorrectnessSettings) -> Self {
        Self { settings }
    }

    fn outcome(
        &self,
        predicted: Result<Vec<AnyCall<'_>>, SyntaxError>,
        gold: &[AnyCall<'static>],
        range: Range,
    ) -> Outcome {
        let predicted = match predicted {
            Ok(predicted) => predicted,
            Err(error) => return Outcome::Unreadable(error),
        };
        let equal = gold.len() == predicted.len() && gold.iter().zip(&predicted).all(|(a, b)| a.same(b));
        if equal {
            return Outcome::Equal;
        }
        if predicted.is_empty() {
            return Outcome::NoCalls;
        }
        if self.settings.granularity == Granularity::Coarse {
            return Outcome::Different;
        }
        match compare::compare(gold, &predicted, &self.settings, range) {
            Ok(comparison) => Outcome::Compared(comparison),
            Err(unscorable) => Outcome::Unscorable(unscorable),
        }
    }
}

impl Term for Correctness {
    fn id(&self) -> &str {
        Self::ID
    }

    fn range(&self, context: &Context) -> (f64, f64) {
        Scaled::Correctness.range(&self.settings.scale, context)
    }

    fn score(
        &self,
        parsed: &Parsed<'_>,
        reference: &Reference,
        context: &Context,
    ) -> Result<TermScore, RewardError> {
        let (min, max) = self.range(context);
        let outcome = match reference.calls() {
            None => Outcome::NoCallsWanted,
            Some(gold) => self.outcome(reference.calls_of(parsed), gold, (min, max)),
        };
        let value = match &outcome {
            Outcome::NoCallsWanted => 0.0,
            Outcome::Equal => max,
            Outcome::Different | Outcome::NoCalls | Outcome::Unreadable(_) | Outcome::Unscorable(_) => min,
            Outcome::Compared(comparison) => {
                let Points { gained, possible } = comparison.points;
                ((max - min) * gained) / possible + min
            }
        };
        let score = with_fractions(TermScore::new(value), &outcome);
        Ok(TermScore { breakdown: Breakdown::Correctness(outcome), ..score })
    }
}

/// Adds the fractions of points that names, parameter names and values earned.
fn with_fractions(score: TermScore, outcome: &Outcome) -> TermScore {
    let parts = match outcome {
        Outcome::NoCallsWanted => return score,
        Outcome::Equal => [1.0; 3],
        Outcome::Different | Outcome::NoCalls | Outcome::Unreadable(_) | Outcome::Unscorable(_) => [0.0; 3],
        Outcome::Compared(comparison) => fractions(comparison),
    };
    ["names", "keys", "values"]
        .into_iter()
        .zip(parts)
        .fold(score, |score, (name, fraction)| score.with_component(name, fraction))
}

/// A call that is scored as a whole counts among both its parameters' names and its values.
fn fractions(comparison: &Comparison) -> [f64; 3] {
    let none = Points { gained: 0.0, possible: 0.0 };
    let (mut all_keys, mut all_values) = (none, none);
    for call in &comparison.calls {
        let (keys, values) = match call.points {
            CallPoints::Parts { keys, values } => (keys, values),
            CallPoints::Whole(points) => (points, points),
        };
        all_keys.gained += keys.gained;
        all_keys.possible += keys.possible;
        all_values.gained += values.gained;
        all_values.possible += values.possible;
    }
    [comparison.names.fraction(), all_keys.fraction(), all_values.fraction()]
}
