//! Scores by level.

use std::collections::BTreeMap;

use crate::{Level, Score};

/// How many replies are right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LevelTally {
    /// Right by the released matching.
    pub released: usize,
    /// Right by hard match.
    pub hard: usize,
    /// All replies.
    pub total: usize,
}

/// The tallies of the levels that were run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<Level, LevelTally>);

impl Tally {
    /// Counts a reply.
    pub fn count(&mut self, level: Level, score: Score) {
        let tally = self.0.entry(level).or_default();
        tally.released += usize::from(score.by(Score::Released));
        tally.hard += usize::from(score.by(Score::Hard));
        tally.total += 1;
    }

    /// The tally of a level.
    pub fn level(&self, level: Level) -> LevelTally {
        self.0.get(&level).copied().unwrap_or_default()
    }

    /// The tally of all levels together: each case counts the same.
    pub fn overall(&self) -> LevelTally {
        self.0.values().fold(LevelTally::default(), |sum, level| LevelTally {
            released: sum.released + level.released,
            hard: sum.hard + level.hard,
            total: sum.total + level.total,
        })
    }
}
