//! How hard a task is for the policy as it is now, and how likely it is to be the next that is trained on.

/// How often replies to a task succeeded of late: the counts of a Beta posterior over one prior success and one prior
/// failure, of which earlier ones fade as the policy changes (MoPPS, arXiv 2507.04632, and `recipe/mopps` in verl).
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SuccessRate {
    /// Successes, faded.
    pub successes: f64,
    /// Failures, faded.
    pub failures: f64,
}

impl SuccessRate {
    /// Takes in the outcomes of a group: `s <- decay s + successes`, and failures likewise. In MoPPS' terms, with
    /// `alpha = 1 + s`: `alpha <- decay alpha + (1 - decay) + successes`.
    ///
    /// # Arguments
    /// - `decay`: what earlier counts keep of their weight, 0 to 1.
    pub fn observe(&mut self, successes: usize, failures: usize, decay: f64) {
        self.successes = decay * self.successes + successes as f64;
        self.failures = decay * self.failures + failures as f64;
    }

    /// `(1 + s) / (2 + s + f)`, the posterior's mean; 1/2 without a reply.
    pub fn mean(self) -> f64 {
        (1.0 + self.successes) / (2.0 + self.successes + self.failures)
    }
}

/// What a task of success rate `p` is worth: `(p / t)^(2 t) ((1 - p) / (1 - t))^(2 (1 - t))`, 1 at the target `t` and 0
/// where all or none succeed. For `t` = 1/2 it is `4 p (1 - p)`, the variance of the outcome: what a policy learns from
/// a group is bounded below by it (arXiv 2504.03380), and it chooses tasks in "Learning to reason at the frontier of
/// learnability" (arXiv 2502.12272). Other targets move its maximum and are this crate's own.
///
/// # Arguments
/// - `rate`: `p`, 0 to 1.
/// - `target`: `t`, between 0 and 1.
pub fn learnability(rate: f64, target: f64) -> f64 {
    (rate / target).powf(2.0 * target) * ((1.0 - rate) / (1.0 - target)).powf(2.0 * (1.0 - target))
}

/// Probabilities `(1 - u) w_i^(1/T) / sum w^(1/T) + u / n`: in proportion to what is prioritised, mixed with a floor, so
/// that nothing is lost for good (prioritised level replay, arXiv 2010.03934, has such a mixture).
///
/// # Arguments
/// - `worth`: `w`, 0 or more each.
/// - `temperature`: `T`, above 0; below 1 sharpens, above 1 evens out.
/// - `uniform`: `u`, 0 to 1.
pub fn draw_probabilities(worth: &[f64], temperature: f64, uniform: f64) -> Vec<f64> {
    let n = worth.len() as f64;
    let most = worth.iter().copied().fold(0.0, f64::max);
    // Of the greatest, so that a low temperature takes no power of all of them to 0.
    let scaled = worth.iter().map(|w| if most > 0.0 { (w / most).powf(1.0 / temperature) } else { 1.0 });
    let scaled: Vec<f64> = scaled.collect();
    let sum: f64 = scaled.iter().sum();
    scaled.into_iter().map(|w| (1.0 - uniform) * w / sum + uniform / n).collect()
}

/// The positions of `count` items (all, where there are fewer), drawn one after the other without replacement, each in
/// proportion to its weight among those that are left: the smallest of `-ln(1 - u_i) / w_i` (Efraimidis and Spirakis,
/// "Weighted random sampling with a reservoir", Information Processing Letters 97, 2006). Items of weight 0 come last.
///
/// # Arguments
/// - `weights`: 0 or more each.
/// - `uniforms`: for each item a number in [0, 1).
pub fn without_replacement(
    weights: &[f64],
    uniforms: impl IntoIterator<Item = f64>,
    count: usize,
) -> Vec<usize> {
    let arrival =
        |(weight, u): (&f64, f64)| if *weight > 0.0 { -(-u).ln_1p() / weight } else { f64::INFINITY };
    let arrivals = weights.iter().zip(uniforms).map(arrival);
    let mut order: Vec<(f64, usize)> = arrivals.zip(0..).collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    order.into_iter().take(count).map(|(_, item)| item).collect()
}

/// Whether some replies of a group succeeded and some did not. Where none differ in that, whatever else the reward
/// tells apart is style: a comparison within such a group teaches it at full size, to the loss of the outcome.
pub fn has_mixed_outcome(successes: impl IntoIterator<Item = bool>) -> bool {
    let (mut any, mut all) = (false, true);
    successes.into_iter().for_each(|success| (any, all) = (any | success, all & success));
    any && !all
}

#[cfg(test)]
#[path = "difficulty_tests.rs"]
mod tests;
