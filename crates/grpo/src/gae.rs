//! Generalised advantage estimation, for a policy with a critic.

use serde::{Deserialize, Serialize};

/// Settings of [`gae`]. The default is ToolRL's PPO: both 1, so that an advantage is the return less the value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gae {
    /// Discount of a token's later rewards, 0 to 1.
    pub gamma: f64,
    /// Between the critic's word alone (0) and the sampled return alone (1).
    pub lambda: f64,
}

impl Default for Gae {
    fn default() -> Self {
        Self { gamma: 1.0, lambda: 1.0 }
    }
}

/// Advantages and returns of a reply's tokens (Schulman et al., "High-Dimensional Continuous Control Using Generalized
/// Advantage Estimation", arXiv 1506.02438):
/// `delta_t = r_t + gamma V_{t+1} - V_t`, `A_t = delta_t + gamma lambda A_{t+1}`, `R_t = A_t + V_t`; after the last
/// token the value is 0.
///
/// # Arguments
/// - `rewards`: what each token earned; of an outcome reward all stands at the last.
/// - `values`: the critic's estimate before each token, of the state in which it was drawn.
pub fn gae(rewards: &[f64], values: &[f64], settings: Gae) -> (Vec<f64>, Vec<f64>) {
    let mut advantages = vec![0.0; rewards.len().min(values.len())];
    let (mut next_value, mut next_advantage) = (0.0, 0.0);
    for t in (0..advantages.len()).rev() {
        let delta = rewards[t] + settings.gamma * next_value - values[t];
        advantages[t] = delta + settings.gamma * settings.lambda * next_advantage;
        (next_value, next_advantage) = (values[t], advantages[t]);
    }
    let returns = advantages.iter().zip(values).map(|(a, v)| a + v).collect();
    (advantages, returns)
}

/// `(A - mean) / (std + epsilon)` over all tokens of a step, with the `n - 1` standard deviation: what PPO does to its
/// advantages. One token, or none, is left as it is.
pub fn whiten(advantages: &mut [Vec<f64>], epsilon: f64) {
    let n: usize = advantages.iter().map(Vec::len).sum();
    if n < 2 {
        return;
    }
    let sum = |f: &dyn Fn(f64) -> f64| advantages.iter().flatten().map(|&a| f(a)).sum::<f64>();
    let mean = sum(&|a| a) / n as f64;
    let scale = (sum(&|a| (a - mean).powi(2)) / (n - 1) as f64).sqrt() + epsilon;
    for a in advantages.iter_mut().flatten() {
        *a = if *a == mean { 0.0 } else { (*a - mean) / scale };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REWARDS: [f64; 5] = [0.1, -0.2, 0.0, 0.05, 3.0];
    const VALUES: [f64; 5] = [1.0, 0.5, -0.25, 2.0, 1.5];

    /// The sum of the definition: `A_t = sum_l (gamma lambda)^l delta_{t+l}`.
    #[test]
    fn is_the_discounted_sum_of_the_errors() {
        for (gamma, lambda) in [(1.0, 1.0), (0.9, 0.95), (1.0, 0.0), (0.0, 0.7), (0.99, 1.0)] {
            let (advantages, returns) = gae(&REWARDS, &VALUES, Gae { gamma, lambda });
            for t in 0..5 {
                let value = |i: usize| if i < 5 { VALUES[i] } else { 0.0 };
                let delta = |i: usize| REWARDS[i] + gamma * value(i + 1) - value(i);
                let expected: f64 = (t..5).map(|i| (gamma * lambda).powi((i - t) as i32) * delta(i)).sum();
                assert!((advantages[t] - expected).abs() < 1e-12, "{gamma} {lambda} {t}");
                assert!((returns[t] - expected - VALUES[t]).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn without_discount_the_returns_are_the_rewards_to_go() {
        let (_, returns) = gae(&REWARDS, &VALUES, Gae::default());
        for t in 0..5 {
            assert!((returns[t] - REWARDS[t..].iter().sum::<f64>()).abs() < 1e-12);
        }
        assert_eq!(gae(&[], &[], Gae::default()), (vec![], vec![]));
    }

    #[test]
    fn whitened_advantages_have_mean_0_and_deviation_1() {
        let mut advantages = vec![vec![1.0, 2.5], vec![], vec![-3.0, 0.25, 7.0]];
        let order = advantages.concat();
        whiten(&mut advantages, 0.0);
        let flat = advantages.concat();
        let mean = flat.iter().sum::<f64>() / 5.0;
        let square: f64 = flat.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 4.0;
        assert!(mean.abs() < 1e-12 && (square - 1.0).abs() < 1e-12);
        assert!(flat.iter().zip(&order).all(|(a, b)| (a - flat[0]) * (b - order[0]) >= 0.0));
        for mut few in [vec![], vec![vec![2.0]]] {
            let before = few.clone();
            whiten(&mut few, 1e-8);
            assert_eq!(few, before);
        }
        let mut equal = vec![vec![2.0; 3]];
        whiten(&mut equal, 0.0);
        assert_eq!(equal, [[0.0; 3]]);
    }
}
