//! The leaderboard's columns: means of means, as `bfcl-eval` 2025.8.6.2 takes them.
//!
//! | column | mean of |
//! |---|---|
//! | Simple AST | simple, java, javascript |
//! | Non-Live AST | Simple AST, multiple, parallel, parallel_multiple |
//! | Simple Exec | exec_simple, rest |
//! | Non-Live Exec | Simple Exec, exec_multiple, exec_parallel, exec_parallel_multiple |
//! | Non-Live | Simple AST, multiple, parallel, parallel_multiple, irrelevance; with [`Exec::AsCalls`] the four parts of Non-Live Exec too |
//! | Live | its six categories, weighted by their cases |
//! | Multi-Turn | its four categories |
//! | Relevance | live_relevance |
//! | Irrelevance | irrelevance, live_irrelevance |
//! | Overall | Non-Live, Live, Multi-Turn |
//!
//! Non-Live Exec is of the leaderboard's days before that release, which paper tables quote. All
//! means but that of Live are unweighted.

use super::{Tallies, Tally};
use crate::Category;

/// What becomes of a category that was not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Missing {
    /// It counts as 0, as in the official scorer.
    #[default]
    AsZero,
    /// It is left out of its means: for a chosen subset.
    LeftOut,
}

/// What becomes of the retired categories, whose calls were once executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Exec {
    /// They count nowhere, as in the official scorer since they were retired.
    #[default]
    NotRun,
    /// Their replies were held against the ground-truth calls, as those of the other categories,
    /// instead of being executed; `rest`, which needs the network, is left out.
    AsCalls,
}

/// A column of the leaderboard.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// Its share, from 0 to 1; `None` where nothing that it counts was run.
    pub value: Option<f64>,
    /// The categories that it should count and that were not run.
    pub missing: Vec<Category>,
    /// What it counts otherwise than the official leaderboard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<&'static str>,
}

/// The leaderboard's columns; `docs/benchmarks.md` has the table of what each counts. Papers quote all
/// but Non-Live and Simple AST.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Leaderboard {
    /// Overall.
    pub overall: Column,
    /// Non-Live.
    pub non_live: Column,
    /// Non-Live AST.
    pub non_live_ast: Column,
    /// Simple AST.
    pub simple_ast: Column,
    /// Non-Live Exec.
    pub non_live_exec: Column,
    /// Live.
    pub live: Column,
    /// Multi-Turn.
    pub multi_turn: Column,
    /// Relevance.
    pub relevance: Column,
    /// Irrelevance.
    pub irrelevance: Column,
}

impl Leaderboard {
    /// The columns of some tallies.
    pub fn of(tallies: &Tallies, missing: Missing, exec: Exec) -> Self {
        use Category as C;
        let of = |category| Part::of(tallies, category);
        let mean = |parts: &[Part]| Part::mean(parts, missing);
        let simple = mean(&[of(C::Simple), of(C::Java), of(C::Javascript)]);
        let ast = [simple.clone(), of(C::Multiple), of(C::Parallel), of(C::ParallelMultiple)];
        let executed =
            [of(C::ExecSimple), of(C::ExecMultiple), of(C::ExecParallel), of(C::ExecParallelMultiple)];
        let live = [C::LiveSimple, C::LiveMultiple, C::LiveParallel, C::LiveParallelMultiple];
        let live = live.into_iter().chain([C::LiveIrrelevance, C::LiveRelevance]).map(of);
        let live = Part::weighted(&live.collect::<Vec<_>>(), missing);
        let multi_turn = [C::MultiTurnBase, C::MultiTurnMissFunc, C::MultiTurnMissParam];
        let multi_turn = multi_turn.into_iter().chain([C::MultiTurnLongContext]).map(of);
        let multi_turn = mean(&multi_turn.collect::<Vec<_>>());
        let irrelevance = of(C::Irrelevance);

        let (non_live, non_live_exec, note) = match exec {
            Exec::NotRun => {
                let non_live = [&ast[..], std::slice::from_ref(&irrelevance)].concat();
                (mean(&non_live), Part::default(), NOT_RUN)
            }
            Exec::AsCalls => {
                let non_live = [&ast[..], &executed, std::slice::from_ref(&irrelevance)].concat();
                (mean(&non_live), mean(&executed), AS_CALLS)
            }
        };
        let total_irrelevance = mean(&[irrelevance, of(C::LiveIrrelevance)]);
        Self {
            overall: mean(&[non_live.clone(), live.clone(), multi_turn.clone()])
                .column("Overall")
                .noted(note),
            non_live: non_live.column("Non-Live").noted(note),
            non_live_ast: mean(&ast).column("Non-Live AST"),
            simple_ast: simple.column("Simple AST"),
            non_live_exec: non_live_exec.column("Non-Live Exec").noted(note),
            live: live.column("Live"),
            multi_turn: multi_turn.column("Multi-Turn"),
            relevance: of(C::LiveRelevance).column("Relevance"),
            irrelevance: total_irrelevance.column("Irrelevance"),
        }
    }

    /// The columns in order.
    pub fn columns(&self) -> [&Column; 9] {
        [
            &self.overall,
            &self.non_live,
            &self.non_live_ast,
            &self.simple_ast,
            &self.non_live_exec,
            &self.live,
            &self.multi_turn,
            &self.relevance,
            &self.irrelevance,
        ]
    }
}

const NOT_RUN: &str = "without the retired execution categories";
const AS_CALLS: &str = "execution categories by their ground-truth calls, not executed; without rest";

impl Column {
    fn noted(self, note: &'static str) -> Self {
        Self { note: Some(note), ..self }
    }
}

/// A share that goes into a mean.
#[derive(Clone, Debug, Default)]
struct Part {
    value: Option<f64>,
    cases: usize,
    missing: Vec<Category>,
}

impl Part {
    fn of(tallies: &Tallies, category: Category) -> Self {
        let tally = tallies.get(category).filter(|tally| tally.total > 0);
        match tally {
            Some(Tally { total, .. }) => {
                Self { value: tally.and_then(Tally::accuracy), cases: total, missing: Vec::new() }
            }
            None => Self { value: None, cases: category.size(), missing: vec![category] },
        }
    }

    /// The mean in which each part counts the same.
    fn mean(parts: &[Self], missing: Missing) -> Self {
        Self::mean_by(parts, missing, |_| 1.0)
    }

    /// The mean in which each part counts by its cases.
    fn weighted(parts: &[Self], missing: Missing) -> Self {
        Self::mean_by(parts, missing, |part| part.cases as f64)
    }

    fn mean_by(parts: &[Self], missing: Missing, weight: impl Fn(&Self) -> f64) -> Self {
        let counted = |part: &&Self| missing == Missing::AsZero || part.value.is_some();
        let total: f64 = parts.iter().filter(counted).map(&weight).sum();
        let sum: f64 = parts.iter().map(|part| part.value.unwrap_or(0.0) * weight(part)).sum();
        Self {
            value: parts.iter().any(|part| part.value.is_some()).then(|| sum / total),
            cases: parts.iter().map(|part| part.cases).sum(),
            missing: parts.iter().flat_map(|part| part.missing.iter().copied()).collect(),
        }
    }

    fn column(self, name: &'static str) -> Column {
        Column { name, value: self.value, missing: self.missing, note: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Group;

    /// Tallies of so many right replies in a hundred of each category.
    fn tallies(right: impl Fn(Category) -> usize, groups: &[Group]) -> Tallies {
        let mut tallies = Tallies::default();
        for category in Category::of_groups(groups) {
            for index in 0..100 {
                tallies.count(category, index < right(category));
            }
        }
        tallies
    }

    fn percent(column: &Column) -> f64 {
        (column.value.unwrap() * 1e4).round() / 100.0
    }

    #[test]
    fn columns_are_means_of_means() {
        let right = |category| match category {
            Category::Simple => 90,
            Category::Java => 60,
            Category::Javascript => 30,
            Category::Multiple | Category::ExecMultiple => 80,
            Category::Irrelevance => 50,
            Category::LiveIrrelevance => 70,
            Category::LiveRelevance => 100,
            Category::MultiTurnBase => 8,
            _ => 0,
        };
        let groups = [Group::NonLive, Group::Live, Group::MultiTurn, Group::RetiredExec];
        let tallies = tallies(right, &groups);
        let board = Leaderboard::of(&tallies, Missing::AsZero, Exec::NotRun);
        // Simple AST is 60; Non-Live (60 + 80 + 0 + 0 + 50) / 5 = 38; Live 170 / 6; Multi-Turn 2.
        assert_eq!(
            board.columns().map(|column| column.value.is_some()),
            [true, true, true, true, false, true, true, true, true]
        );
        assert_eq!(percent(&board.non_live_ast), 35.0);
        assert_eq!((percent(&board.simple_ast), percent(&board.non_live)), (60.0, 38.0));
        assert_eq!(percent(&board.live), 28.33);
        assert_eq!(percent(&board.multi_turn), 2.0);
        assert_eq!(percent(&board.relevance), 100.0);
        assert_eq!(percent(&board.irrelevance), 60.0);
        assert_eq!(percent(&board.overall), 22.78);
        assert_eq!(board.overall.note, Some(NOT_RUN));
        // With Exec, Non-Live is (60 + 80 + 0 + 0 + 0 + 80 + 0 + 0 + 50) / 9 = 30.
        let board = Leaderboard::of(&tallies, Missing::AsZero, Exec::AsCalls);
        assert_eq!(percent(&board.non_live_exec), 20.0);
        assert_eq!(percent(&board.overall), 20.11);
        assert_eq!(board.overall.note, Some(AS_CALLS));
    }

    #[test]
    fn live_is_weighted_by_cases() {
        let mut tallies = Tallies::default();
        (0..258).for_each(|_| tallies.count(Category::LiveSimple, true));
        let board = Leaderboard::of(&tallies, Missing::AsZero, Exec::NotRun);
        assert_eq!(percent(&board.live), 11.46); // 258 of 2,251
        assert_eq!(percent(&board.overall), 3.82);
        assert_eq!(board.live.missing.len(), 5);
        let board = Leaderboard::of(&tallies, Missing::LeftOut, Exec::NotRun);
        assert_eq!((percent(&board.live), percent(&board.overall)), (100.0, 100.0));
        assert_eq!(board.multi_turn.value, None);
    }
}
