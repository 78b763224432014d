//! Steps in a row that teach nothing, and what can be done about them.

use crate::{GrpoMetrics, StepMetrics};

/// Why steps teach nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// Every reply earned the least that the reward gives.
    AtMinimum,
    /// The replies of each group earned the same.
    NoSpread,
    /// In no group did some replies succeed and some not, and the others are left out.
    NoMixedOutcome,
    /// No reply ended by itself.
    NeverEnds,
}

/// Steps in a row that teach nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standstill {
    /// Why.
    pub cause: Cause,
    /// The first such step.
    pub first: u64,
    /// The last one.
    pub last: u64,
}

impl Standstill {
    /// Steps in a row, at least: fewer are left to chance.
    pub const STEPS: usize = 5;

    /// Those of a run.
    ///
    /// # Arguments
    /// - `least`: the least that the reward gives at a step.
    pub fn all(rows: &[StepMetrics], least: impl Fn(u64) -> f64) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for row in rows {
            for cause in row.detail.sampled().into_iter().flat_map(|sampled| causes(sampled, least(row.step)))
            {
                match found.iter_mut().find(|still| still.cause == cause && still.last + 1 == row.step) {
                    Some(still) => still.last = row.step,
                    None => found.push(Self { cause, first: row.step, last: row.step }),
                }
            }
        }
        found.retain(|still| still.steps() >= Self::STEPS as u64);
        found
    }

    /// Those that have just become long enough to be told of, at the last of these rows.
    pub fn just_now(rows: &[StepMetrics], least: impl Fn(u64) -> f64) -> Vec<Self> {
        let recent = &rows[rows.len().saturating_sub(Self::STEPS + 1)..];
        let last = recent.last().map_or(0, |row| row.step);
        let is_new = |still: &Self| still.last == last && still.steps() == Self::STEPS as u64;
        Self::all(recent, least).into_iter().filter(is_new).collect()
    }

    /// How many steps.
    pub fn steps(&self) -> u64 {
        self.last - self.first + 1
    }

    /// What happened, its likely cause, and the next command. `run` is the run's directory.
    pub fn advice(&self, run: &str) -> String {
        let Self { cause, first, last } = self;
        let why = match cause {
            Cause::AtMinimum => format!(
                "every reply earned the least that the reward gives: this policy does not write what is asked for. \
                 `toolrl reward explain --rows {run}` shows why; train it by SFT first, or use a reward with a gradient"
            ),
            Cause::NoSpread => format!(
                "the replies of each group earned the same, so nothing was learned: the tasks are too easy or too hard, \
                 or the replies hardly differ. `toolrl reward forecast --rows {run} --recipe {run}/config.toml` shows \
                 what other settings would do; a higher sampling.temperature or train.group_size may help"
            ),
            Cause::NoMixedOutcome => {
                "in no group did some replies succeed and some not, and train.groups leaves the others out, so nothing was \
                 learned: success_rate in metrics.jsonl tells whether all or none succeed. Ask for less by train.success, \
                 train by SFT first, or begin with train.groups = \"with_spread\""
                    .to_owned()
            }
            Cause::NeverEnds => {
                "no reply ended by itself: raise sampling.max_new_tokens; where replies go on without an \
                                 end, this policy has not learned to end its turn, and SFT comes first"
                    .to_owned()
            }
        };
        format!("steps {first} to {last}: {why}")
    }
}

/// Why a step taught nothing. Where all earn the least there is no spread either, which needs no saying.
fn causes(sampled: &GrpoMetrics, least: f64) -> Vec<Cause> {
    let at_minimum = sampled.groups > 0 && sampled.reward.max <= least + 1e-9;
    let no_spread = sampled.groups > 0 && sampled.zero_variance_groups == sampled.groups;
    let all_left_out = sampled.groups > 0 && sampled.left_out_groups == sampled.groups;
    let no_mixed_outcome = sampled.mixed_outcome_groups == Some(0) && all_left_out;
    let never_ends = sampled.tokens_sampled > 0 && sampled.stop_rate == 0.0;
    [
        (Cause::AtMinimum, at_minimum),
        (Cause::NoSpread, no_spread && !at_minimum),
        (Cause::NoMixedOutcome, no_mixed_outcome && !no_spread && !at_minimum),
        (Cause::NeverEnds, never_ends),
    ]
    .into_iter()
    .filter_map(|(cause, holds)| holds.then_some(cause))
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Spread, StepDetail};

    fn row(step: u64, (max, flat, stop_rate): (f64, usize, f64)) -> StepMetrics {
        let reward = Spread { mean: max, std: 0.0, min: -3.0, max };
        let sampled = GrpoMetrics {
            reward,
            groups: 4,
            zero_variance_groups: flat,
            stop_rate,
            tokens_sampled: 9,
            ..GrpoMetrics::default()
        };
        StepMetrics {
            step,
            detail: StepDetail::Grpo(sampled),
            loss: 0.0,
            grad_norm: 0.0,
            lr: 0.0,
            tokens_trained: 0,
            skipped_updates: 0,
            weights: None,
            seconds: Default::default(),
        }
    }

    #[test]
    fn long_spells_are_found_with_their_cause_and_told_once() {
        // Three steps that learn, six at the minimum, one that learns, five without spread of which the last four are
        // without an end too.
        let (learns, lost, flat, endless) = ((2.0, 1, 1.0), (-3.0, 4, 1.0), (1.0, 4, 0.5), (1.0, 4, 0.0));
        let steps = [vec![learns; 3], vec![lost; 6], vec![learns], vec![flat], vec![endless; 4]].concat();
        let rows: Vec<_> = (1..).zip(steps).map(|(step, of)| row(step, of)).collect();
        let found = Standstill::all(&rows, |_| -3.0);
        let still = |cause, first, last| Standstill { cause, first, last };
        assert_eq!(found, [still(Cause::AtMinimum, 4, 9), still(Cause::NoSpread, 11, 15)]);
        let told = |n: usize| Standstill::just_now(&rows[..n], |_| -3.0);
        for n in 0..=rows.len() {
            let expected = match n {
                8 => vec![still(Cause::AtMinimum, 4, 8)],
                15 => vec![still(Cause::NoSpread, 11, 15)],
                _ => Vec::new(),
            };
            assert_eq!(told(n), expected, "{n}");
        }
        let advice = found[1].advice("runs/a");
        assert!(
            advice.contains("steps 11 to 15") && advice.contains("--rows runs/a --recipe runs/a/config.toml")
        );
    }
    #[test]
    fn groups_that_are_left_out_for_their_outcome_are_told() {
        let left_out = |step, mixed| {
            let mut row = row(step, (1.0, 1, 1.0));
            if let StepDetail::Grpo(grpo) = &mut row.detail {
                (grpo.left_out_groups, grpo.mixed_outcome_groups) = (4, mixed);
            }
            row
        };
        let rows: Vec<_> = (1..=5).map(|step| left_out(step, Some(0))).collect();
        let expected = Standstill { cause: Cause::NoMixedOutcome, first: 1, last: 5 };
        assert_eq!(Standstill::all(&rows, |_| -3.0), [expected]);
        assert!(expected.advice("a").contains("train.success"));
        let rows: Vec<_> = (1..=5).map(|step| left_out(step, None)).collect();
        assert_eq!(Standstill::all(&rows, |_| -3.0), []);
    }
}
