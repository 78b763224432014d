//! Advantages: how much better a reply did than the other replies to its prompt.
//!
//! Notation: `r_i` is the reward of member `i` of a group of `G` replies to one prompt.

/// Which advantage is computed from a group's rewards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdvantageKind {
    /// [`group_normalized`]: GRPO, the ToolRL paper's setting.
    #[default]
    GroupNormalized,
    /// [`mean_centered`]: Dr. GRPO.
    MeanCentered,
    /// [`leave_one_out`]: RLOO.
    LeaveOneOut,
}

impl AdvantageKind {
    /// Advantages of one group.
    ///
    /// # Arguments
    /// - `rewards`: one per member.
    /// - `epsilon`: added to the standard deviation where the kind divides by one.
    pub fn of_group(self, rewards: &[f64], epsilon: f64) -> Vec<f64> {
        match self {
            Self::GroupNormalized => group_normalized(rewards, epsilon),
            Self::MeanCentered => mean_centered(rewards),
            Self::LeaveOneOut => leave_one_out(rewards),
        }
    }
}

/// `(r_i - mean) / (std + epsilon)` with the `G - 1` standard deviation (DeepSeekMath, arXiv
/// 2402.03300, equation of its outcome supervision; ToolRL, arXiv 2504.13958, with `epsilon` 1e-6).
///
/// A group of one, which has nothing to be compared with, gets 0; so does a group without spread.
pub fn group_normalized(rewards: &[f64], epsilon: f64) -> Vec<f64> {
    scaled(mean_centered(rewards), sample_std(rewards) + epsilon)
}

/// `r_i - mean` (Dr. GRPO, arXiv 2503.20783): no division, so that a prompt whose replies hardly
/// differ does not weigh as much as one whose replies differ a lot.
pub fn mean_centered(rewards: &[f64]) -> Vec<f64> {
    let mean = mean(rewards);
    rewards.iter().map(|r| r - mean).collect()
}

/// `r_i - mean of the others` (RLOO, arXiv 2402.14740), which is `G / (G - 1) * (r_i - mean)`.
/// A group of one gets 0.
pub fn leave_one_out(rewards: &[f64]) -> Vec<f64> {
    let size = rewards.len() as f64;
    let factor = if rewards.len() > 1 { size / (size - 1.0) } else { 0.0 };
    mean_centered(rewards).into_iter().map(|a| a * factor).collect()
}

/// `(r_i - mean of its group) / (std over the batch + epsilon)`: the group gives the baseline and
/// the whole batch the scale (the "batch" scaling of "Tricks or Traps", arXiv 2508.08221).
pub fn batch_scaled(groups: &[Vec<f64>], epsilon: f64) -> Vec<Vec<f64>> {
    let scale = sample_std(&groups.concat()) + epsilon;
    groups.iter().map(|rewards| scaled(mean_centered(rewards), scale)).collect()
}

/// Whether all rewards of a group are equal, to 1e-9: such a group has no advantage and so no
/// gradient. A group of one or none has no spread either.
pub fn has_no_spread(rewards: &[f64]) -> bool {
    rewards.iter().all(|r| (r - rewards[0]).abs() <= 1e-9)
}

fn mean(values: &[f64]) -> f64 {
    if values.is_empty() { 0.0 } else { values.iter().sum::<f64>() / values.len() as f64 }
}

/// Standard deviation with `n - 1`; 0 for fewer than two values.
fn sample_std(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = mean(values);
    let squares: f64 = values.iter().map(|v| (v - mean).powi(2)).sum();
    (squares / (values.len() - 1) as f64).sqrt()
}

/// Divides, and leaves zeros alone, so that an `epsilon` of 0 makes no NaN of a group without spread.
fn scaled(centered: Vec<f64>, scale: f64) -> Vec<f64> {
    centered.into_iter().map(|a| if a == 0.0 { 0.0 } else { a / scale }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_without_comparison_have_no_advantage() {
        for kind in [AdvantageKind::GroupNormalized, AdvantageKind::MeanCentered, AdvantageKind::LeaveOneOut]
        {
            assert_eq!(kind.of_group(&[], 1e-6), Vec::<f64>::new());
            assert_eq!(kind.of_group(&[3.0], 0.0), [0.0], "{kind:?}");
            assert_eq!(kind.of_group(&[2.0; 4], 0.0), [0.0; 4], "{kind:?}");
        }
    }

    #[test]
    fn leave_one_out_is_the_difference_from_the_others() {
        let rewards = [3.0, -2.0, 0.5, 4.0];
        for (i, advantage) in leave_one_out(&rewards).into_iter().enumerate() {
            let others: f64 = (0..4).filter(|&j| j != i).map(|j| rewards[j]).sum::<f64>() / 3.0;
            assert!((advantage - (rewards[i] - others)).abs() < 1e-12);
        }
    }

    #[test]
    fn spread_is_seen() {
        assert!(has_no_spread(&[]));
        assert!(has_no_spread(&[1.0, 1.0, 1.0 + 1e-12]));
        assert!(!has_no_spread(&[1.0, 1.0, 1.001]));
        assert!(!has_no_spread(&[1.0, f64::NAN]), "a NaN is no equal reward");
    }
}
