//! Scores: by category, and the leaderboard's columns.

mod leaderboard;
mod tally;

pub use leaderboard::{Column, Exec, Leaderboard, Missing};
pub use tally::{Tallies, Tally};
