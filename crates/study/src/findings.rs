//! Which claims hold.

use serde::Serialize;
use toolrl_eval::significance::{holm, welch};

use crate::cases::{Cases, over_seeds};
use crate::{ArmResult, Finding, Measure, Statistic};

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
    /// How likely such a difference is by chance.
    pub p: Chance,
    /// What follows.
    pub verdict: Verdict,
}

/// How likely a difference as great as the one that was found is where there is none, two-sided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Chance {
    /// By the seeds that were trained with: Welch's test of the arms' means over their seeds. None with fewer than two seeds of
    /// either, and where nothing has a spread.
    pub seeds: Option<f64>,
    /// By the tasks that were asked: the paired permutation test of each task's mean over the seeds. None of runs that kept no
    /// outcomes, and of measures that are no task's.
    pub tasks: Option<f64>,
    /// The greater of the two, with Holm's correction for all claims of the study.
    pub corrected: Option<f64>,
}

/// What a study says of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Chance is ruled out at 5 %, among all claims of the study.
    Holds,
    /// It would be if this were the only claim.
    Alone,
    /// It is not: nothing can be said.
    NotShown,
    /// The other way round, and chance is ruled out among all claims.
    Reversed,
    /// Fewer than two seeds of either are done, which have no spread.
    TooFewSeeds,
}

/// The p below which chance is ruled out.
const LEVEL: f64 = 0.05;

impl Verdict {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::Alone => "by itself, not among all claims",
            Self::NotShown => "not shown",
            Self::Reversed => "does not hold: the other way round",
            Self::TooFewSeeds => "too few seeds",
        }
    }
}

impl Chance {
    /// Of both kinds before correction: the greater, as a claim on ways to train has to stand against both.
    fn raw(&self) -> Option<f64> {
        self.seeds.map(|seeds| seeds.max(self.tasks.unwrap_or(0.0)))
    }

    fn verdict(&self, difference: f64) -> Verdict {
        // Without a p neither arm has a spread.
        let (Some(raw), Some(corrected)) = (self.raw(), self.corrected) else { return Verdict::NotShown };
        match (corrected < LEVEL, difference > 0.0) {
            (true, true) => Verdict::Holds,
            (true, false) => Verdict::Reversed,
            (false, true) if raw < LEVEL => Verdict::Alone,
            (false, _) => Verdict::NotShown,
        }
    }
}

impl FindingResult {
    /// What was found of a study's claims.
    pub(crate) fn all(findings: &[Finding], arms: &[ArmResult]) -> Vec<Self> {
        let of = |finding: &Finding| {
            let arm = |name: &str| arms.iter().find(|arm| arm.name == name);
            let (better, worse) = (arm(&finding.better), arm(&finding.worse));
            let statistic = |arm: Option<&ArmResult>| arm?.statistic(finding.by);
            let tasks = better.zip(worse).and_then(|arms| by_tasks(finding.by, arms));
            Self::one(finding, statistic(better), statistic(worse), tasks)
        };
        Self::corrected(findings.iter().map(of).collect())
    }

    /// A claim by its arms' figures, before it is seen among others.
    fn one(
        finding: &Finding,
        of_better: Option<Statistic>,
        of_worse: Option<Statistic>,
        tasks: Option<f64>,
    ) -> Self {
        let moments = of_better.as_ref().zip(of_worse.as_ref()).map(|(a, b)| (a.moments(), b.moments()));
        let seeds = moments.and_then(|(better, worse)| welch(better, worse));
        let p = Chance { seeds, tasks, corrected: None };
        Self { finding: finding.clone(), of_better, of_worse, p, verdict: Verdict::TooFewSeeds }
    }

    /// The claims of a study with the correction for their number.
    fn corrected(mut findings: Vec<Self>) -> Vec<Self> {
        let raw: Vec<f64> = findings.iter().filter_map(|finding| finding.p.raw()).collect();
        let mut corrected = holm(&raw).into_iter();
        for finding in &mut findings {
            finding.p.corrected = finding.p.raw().and_then(|_| corrected.next());
            if let (Some(better), Some(worse)) = (&finding.of_better, &finding.of_worse)
                && better.values.len().min(worse.values.len()) > 1
            {
                finding.verdict = finding.p.verdict(better.mean - worse.mean);
            }
        }
        findings
    }
}

/// The p by tasks, over those that every run of both arms was asked.
fn by_tasks(measure: Measure, (better, worse): (&ArmResult, &ArmResult)) -> Option<f64> {
    Cases::paired(&over_seeds(measure, &better.runs)?, &over_seeds(measure, &worse.runs)?)
}

#[cfg(test)]
#[path = "findings_tests.rs"]
mod tests;
