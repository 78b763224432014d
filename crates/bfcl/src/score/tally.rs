//! How many replies of each category are right.

use std::collections::BTreeMap;

use crate::Category;

/// How many replies are right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Tally {
    /// Right replies.
    pub right: usize,
    /// All replies.
    pub total: usize,
}

impl Tally {
    /// The share of right replies, from 0 to 1; `None` of none.
    pub fn accuracy(self) -> Option<f64> {
        (self.total > 0).then(|| self.right as f64 / self.total as f64)
    }
}

/// The tallies of the categories that were run.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
#[serde(transparent)]
pub struct Tallies(BTreeMap<Category, Tally>);

impl Tallies {
    /// Counts a reply.
    pub fn count(&mut self, category: Category, right: bool) {
        let tally = self.0.entry(category).or_default();
        tally.right += usize::from(right);
        tally.total += 1;
    }

    /// The tally of a category; `None` where it was not run.
    pub fn get(&self, category: Category) -> Option<Tally> {
        self.0.get(&category).copied()
    }

    /// The categories that were run, in the leaderboard's order.
    pub fn iter(&self) -> impl Iterator<Item = (Category, Tally)> + '_ {
        self.0.iter().map(|(category, tally)| (*category, *tally))
    }
}
