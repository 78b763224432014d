//! Holm's correction.

/// The p of several tests, each made so much greater that the probability of any false rejection stays at the level that they
/// are compared with: `max over j <= i of min(1, (m - j) p_j)` in ascending order, counted from 0, of `m` (Holm, 1979).
/// Returned in the order given.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut corrected = vec![0.0; p.len()];
    let mut least = 0.0_f64;
    for (rank, &place) in order.iter().enumerate() {
        least = least.max(((p.len() - rank) as f64 * p[place]).min(1.0));
        corrected[place] = least;
    }
    corrected
}
