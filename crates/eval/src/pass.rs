//! pass@k: whether a task is solved by one of k replies.

/// The chance that at least one of `k` replies is right, where `right` of `n` sampled ones were: the unbiased estimator
/// `1 - C(n - right, k) / C(n, k)` of Chen et al. (arXiv 2107.03374, equation 1), computed as there, as
/// `1 - prod_{i = n - right + 1}^{n} (1 - k / i)`. With `k = 1` it is the share of right replies.
///
/// # Arguments
/// - `n`: replies that were sampled, at least `k`.
/// - `right`: how many of them are right.
/// - `k`: replies that may be tried.
pub fn pass_at_k(n: usize, right: usize, k: usize) -> f64 {
    let wrong = n.saturating_sub(right);
    if wrong < k {
        return 1.0;
    }
    1.0 - (wrong + 1..=n).map(|i| 1.0 - k as f64 / i as f64).product::<f64>()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By the paper's own function (its figure 3) in numpy 2.
    #[test]
    fn is_the_papers() {
        for (n, right, k, expected) in PAPER {
            let found = pass_at_k(n, right, k);
            assert!((found - expected).abs() < 1e-15, "{n} {right} {k}: {found}");
        }
    }

    const PAPER: [(usize, usize, usize, f64); 9] = [
        (8, 3, 2, 0.6428571428571428),
        (8, 1, 4, 0.5),
        (8, 0, 8, 0.0),
        (8, 8, 1, 1.0),
        (8, 7, 2, 1.0),
        (200, 13, 10, 0.4975511147306061),
        (200, 13, 100, 0.9999194971988055),
        (200, 1, 1, 0.0050000000000000044),
        (16, 5, 3, 0.7053571428571428),
    ];

    /// Of small numbers, by counting every choice of k of n replies.
    #[test]
    fn is_the_share_of_choices_with_a_right_reply() {
        for n in 1..9_usize {
            for (right, k) in (0..=n).flat_map(|right| (1..=n).map(move |k| (right, k))) {
                let choices = (0..1_u32 << n).filter(|choice| choice.count_ones() as usize == k);
                let (mut all, mut with) = (0_u32, 0_u32);
                for choice in choices {
                    all += 1;
                    with += u32::from(choice & ((1 << right) - 1) != 0);
                }
                let expected = f64::from(with) / f64::from(all);
                assert!((pass_at_k(n, right, k) - expected).abs() < 1e-12, "{n} {right} {k}");
            }
        }
    }
}
