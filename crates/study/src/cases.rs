//! The tasks and cases that a measure is a mean over.

use std::collections::BTreeMap;

use toolrl_eval::significance::{Interval, Stratum, bootstrap, sign_flip};

use crate::{ArmRun, Measure};

/// What a run, or the mean of an arm's runs, came to on the tasks that count alike in a measure.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cases<'r> {
    /// What their mean counts in the measure.
    pub weight: f64,
    /// By id of a task.
    pub values: BTreeMap<&'r str, f64>,
}

/// A part of a benchmark's score: groups of cases whose means it is the mean of.
type Columns = &'static [&'static [&'static str]];

impl Measure {
    /// The benchmark that it is of and its parts there, as the benchmark's own score has them: non-live AST is the mean of
    /// four parts, of which the first is the mean over three languages.
    fn columns(self) -> Option<(&'static str, Columns)> {
        Some(match self {
            Self::BfclNonLiveAst => (
                "bfcl",
                &[&["simple", "java", "javascript"], &["multiple"], &["parallel"], &["parallel_multiple"]],
            ),
            Self::BfclIrrelevance => ("bfcl", &[&["irrelevance"]]),
            Self::BfclLiveSimple => ("bfcl", &[&["live_simple"]]),
            Self::BfclLiveIrrelevance => ("bfcl", &[&["live_irrelevance"]]),
            Self::ApiBankLevel1 => ("api-bank", &[&["level_1"]]),
            _ => return None,
        })
    }

    /// What a run came to by it, case by case; none where it is of no single case, or the run was not asked. Categories that
    /// were not run are left out of the means.
    pub(crate) fn cases(self, run: &ArmRun) -> Option<Vec<Cases<'_>>> {
        let Some((benchmark, columns)) = self.columns() else {
            let outcomes = run.outcomes.as_ref()?.tasks.iter();
            let of_task = outcomes.filter_map(|outcome| Some((outcome.id.as_str(), self.of_task(outcome)?)));
            let values: BTreeMap<_, _> = of_task.collect();
            return (!values.is_empty()).then(|| vec![Cases { weight: 1.0, values }]);
        };
        let outcomes = run.benchmarks.get(benchmark)?;
        let of_group = |group: &&str| {
            let of_group = outcomes.iter().filter(|outcome| outcome.group == *group);
            of_group.map(|outcome| (outcome.id.as_str(), f64::from(outcome.right))).collect()
        };
        let of_column = |groups: &&[&str]| {
            let all = groups.iter().map(of_group);
            all.filter(|values: &BTreeMap<_, _>| !values.is_empty()).collect::<Vec<_>>()
        };
        let columns: Vec<_> =
            columns.iter().map(of_column).filter(|groups: &Vec<_>| !groups.is_empty()).collect();
        let each = 1.0 / columns.len() as f64;
        let weighed = columns.into_iter().flat_map(|groups| {
            let weight = each / groups.len() as f64;
            groups.into_iter().map(move |values| Cases { weight, values })
        });
        Some(weighed.collect()).filter(|cases: &Vec<_>| !cases.is_empty())
    }
}

impl Cases<'_> {
    /// The figure that some cases are.
    pub(crate) fn figure(all: &[Self]) -> f64 {
        let mean = |values: &BTreeMap<&str, f64>| values.values().sum::<f64>() / values.len() as f64;
        all.iter().map(|cases| cases.weight * mean(&cases.values)).sum()
    }

    /// The 95 % interval of that figure, over which cases were asked.
    pub(crate) fn interval(all: &[Self]) -> Option<Interval> {
        let stratum =
            |cases: &Self| Stratum { weight: cases.weight, values: cases.values.values().copied().collect() };
        bootstrap(&all.iter().map(stratum).collect::<Vec<_>>())
    }

    /// The p of the paired test of two arms' figures, over the cases that both were asked.
    pub(crate) fn paired(better: &[Self], worse: &[Self]) -> Option<f64> {
        let differences = better.iter().zip(worse).flat_map(|(better, worse)| {
            let both = |(id, value): (&&str, &f64)| Some(value - worse.values.get(id)?);
            let both: Vec<f64> = better.values.iter().filter_map(both).collect();
            let each = better.weight / both.len() as f64;
            both.into_iter().map(move |difference| each * difference)
        });
        (better.len() == worse.len()).then(|| sign_flip(&differences.collect::<Vec<_>>()))?
    }
}

/// The mean of each case over an arm's runs, over those that all were asked; none where a run has none.
pub(crate) fn over_seeds(measure: Measure, runs: &[ArmRun]) -> Option<Vec<Cases<'_>>> {
    let mut all = runs.iter().map(|run| measure.cases(run)).collect::<Option<Vec<_>>>()?.into_iter();
    let mut first = all.next()?;
    for other in all {
        let parts = first.iter_mut().zip(&other);
        parts.for_each(|(cases, other)| {
            cases.values.retain(|id, _| other.values.contains_key(id));
            cases.values.iter_mut().for_each(|(id, sum)| *sum += other.values[id]);
        });
    }
    let means = first.iter_mut().flat_map(|cases| cases.values.values_mut());
    means.for_each(|sum| *sum /= runs.len() as f64);
    Some(first)
}

#[cfg(test)]
mod tests {
    use toolrl_benchmarks::Outcome;

    use super::*;

    /// Right cases by category, as `1` and `0`.
    fn run(categories: &[(&str, &str)]) -> ArmRun {
        let of_category = |(group, rights): &(&str, &str)| -> Vec<Outcome> {
            let case = |(number, right)| Outcome {
                id: format!("{group}_{number}"),
                group: (*group).to_owned(),
                right: right == '1',
                ..Outcome::default()
            };
            rights.chars().enumerate().map(case).collect()
        };
        let outcomes = categories.iter().flat_map(of_category).collect();
        ArmRun { benchmarks: [("bfcl".to_owned(), outcomes)].into(), ..ArmRun::default() }
    }

    #[test]
    fn a_score_of_several_categories_is_the_mean_of_their_means() {
        let categories = [("simple", "1100"), ("java", "10"), ("multiple", "1"), ("irrelevance", "1110")];
        let run = run(&categories);
        // (mean of 1/2 and 1/2, and 1) / 2; the parallel categories were not run.
        assert_eq!(Measure::BfclNonLiveAst.of(&run), Some(0.75));
        assert_eq!(Measure::BfclIrrelevance.of(&run), Some(0.75));
        assert_eq!((Measure::BfclLiveSimple.of(&run), Measure::ApiBankLevel1.of(&run)), (None, None));
        let cases = Measure::BfclNonLiveAst.cases(&run).unwrap();
        let weights: Vec<f64> = cases.iter().map(|cases| cases.weight).collect();
        assert_eq!(weights, [0.25, 0.25, 0.5]);
        let Interval { low, high } = Cases::interval(&cases).unwrap();
        assert!(low < 0.75 && high > 0.75, "{low} {high}");
    }

    #[test]
    fn arms_are_compared_case_by_case_over_their_seeds() {
        let better = [
            run(&[("multiple", "111101"), ("parallel", "11")]),
            run(&[("multiple", "111100"), ("parallel", "11")]),
        ];
        let worse = [
            run(&[("multiple", "000000"), ("parallel", "11")]),
            run(&[("multiple", "0000"), ("parallel", "11")]),
        ];
        let [better, worse] =
            [&better, &worse].map(|runs| over_seeds(Measure::BfclNonLiveAst, runs).unwrap());
        assert_eq!(worse[0].values.len(), 4, "cases that every seed was asked");
        assert_eq!(better[0].values["multiple_5"], 0.5);
        // Four cases of four differ, by as much: 2 of 16 assignments of signs are as far from 0.
        assert_eq!(Cases::paired(&better, &worse), Some(0.125));
        assert_eq!(over_seeds(Measure::ApiBankLevel1, &[run(&[("multiple", "1")])]), None);
    }
}
