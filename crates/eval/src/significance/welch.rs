//! Welch's test.

use super::student::two_sided;

/// The mean of a sample and how far it scatters.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many values.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation, with `n - 1`.
    pub std: f64,
}

/// The two-sided p of Welch's test that two samples of unequal variance have the same mean: Student's t of
/// `(mean_a - mean_b) / sqrt(s_a + s_b)`, `s = std^2 / n`, with
/// `(s_a + s_b)^2 / (s_a^2 / (n_a - 1) + s_b^2 / (n_b - 1))` degrees of freedom (Welch, 1947). A sample without spread, such as a
/// policy that is not trained, is a known mean. None where a sample has fewer than two values, or neither has a spread.
pub fn welch(a: Moments, b: Moments) -> Option<f64> {
    let part = |m: Moments| (m.n > 1).then(|| (m.std * m.std / m.n as f64, m.n as f64 - 1.0));
    let ((of_a, df_a), (of_b, df_b)) = (part(a)?, part(b)?);
    let variance = of_a + of_b;
    if variance.is_nan() || variance <= 0.0 {
        return None;
    }
    let df = variance * variance / (of_a * of_a / df_a + of_b * of_b / df_b);
    Some(two_sided((a.mean - b.mean) / variance.sqrt(), df))
}
