//! Which claims hold.

use serde::Serialize;

use crate::{ArmResult, Finding, Statistic};

/// A claim with what was found of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FindingResult {
    /// The claim.
    #[serde(flatten)]
    pub finding: Finding,
    /// The arm that is said to do better.
    pub of_better: Option<Statistic>,
    /// The other.
    pub of_worse: Option<Statistic>,
    /// What follows.
    pub verdict: Verdict,
}

/// What a study says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The worst seed of the one is above the best of the other.
    Holds,
    /// The ranges over the seeds overlap: nothing can be said.
    WithinSpread,
    /// The other way round, the ranges apart.
    Reversed,
    /// Fewer than two seeds of either are done, which have no spread.
    TooFewSeeds,
}

impl Verdict {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::WithinSpread => "within the spread of seeds",
            Self::Reversed => "does not hold: the other way round",
            Self::TooFewSeeds => "too few seeds",
        }
    }

    fn of(better: Option<&Statistic>, worse: Option<&Statistic>) -> Self {
        let (Some(better), Some(worse)) = (better, worse) else { return Self::TooFewSeeds };
        if better.values.len() < 2 || worse.values.len() < 2 {
            return Self::TooFewSeeds;
        }
        let ((least, most), (other_least, other_most)) = (better.range(), worse.range());
        if least > other_most {
            Self::Holds
        } else if most < other_least {
            Self::Reversed
        } else {
            Self::WithinSpread
        }
    }
}

impl FindingResult {
    pub(crate) fn of(finding: &Finding, arms: &[ArmResult]) -> Self {
        let statistic = |name: &str| arms.iter().find(|arm| arm.name == name)?.statistic(finding.by);
        let (of_better, of_worse) = (statistic(&finding.better), statistic(&finding.worse));
        let verdict = Verdict::of(of_better.as_ref(), of_worse.as_ref());
        Self { finding: finding.clone(), of_better, of_worse, verdict }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_holds_where_the_seeds_are_apart() {
        let of = |values: &[f64]| Statistic::of(values.to_vec());
        let cases = [
            (of(&[1.2, 1.3, 1.5]), of(&[0.9, 1.1, 1.19]), Verdict::Holds),
            (of(&[1.2, 1.3, 1.5]), of(&[0.9, 1.25, 1.0]), Verdict::WithinSpread),
            (of(&[0.1, 0.2]), of(&[0.3, 0.4]), Verdict::Reversed),
            (of(&[0.1, 0.2]), of(&[0.1, 0.2]), Verdict::WithinSpread),
            (of(&[1.0]), of(&[0.5]), Verdict::TooFewSeeds),
            (of(&[1.2, 1.3]), of(&[0.5]), Verdict::TooFewSeeds),
            (of(&[1.0, 1.1]), None, Verdict::TooFewSeeds),
        ];
        for (better, worse, expected) in cases {
            assert_eq!(Verdict::of(better.as_ref(), worse.as_ref()), expected, "{better:?} {worse:?}");
        }
    }
}
