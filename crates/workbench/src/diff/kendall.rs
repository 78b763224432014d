//! How far two rankings of the same things agree.

use serde::Serialize;

/// The pairs of a group's members by what two rewards say of their order. Rewards within 1e-9 are a tie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pairs {
    /// All pairs.
    pub all: u64,
    /// Both rewards order them, and alike.
    pub concordant: u64,
    /// Both rewards order them, and against each other.
    pub flipped: u64,
    /// A tie of A that B orders.
    pub ties_broken_by_b: u64,
    /// A tie of B that A orders.
    pub ties_broken_by_a: u64,
    /// A tie of both.
    pub tied: u64,
}

impl Pairs {
    /// The pairs of members with these rewards, both lists in the same order; `O(n log n)` (Knight, 1966).
    pub fn of(a: &[f64], b: &[f64]) -> Self {
        let mut members: Vec<(f64, f64)> = a.iter().map(grid).zip(b.iter().map(grid)).collect();
        members.sort_by(|x, y| x.0.total_cmp(&y.0).then(x.1.total_cmp(&y.1)));
        let all = pairs_of(members.len());
        let tied_in_a = tied_pairs(&members, |x, y| x.0 == y.0);
        let tied = tied_pairs(&members, |x, y| x == y);
        let mut order: Vec<f64> = members.iter().map(|member| member.1).collect();
        let flipped = inversions(&mut order);
        members.sort_by(|x, y| x.1.total_cmp(&y.1));
        let tied_in_b = tied_pairs(&members, |x, y| x.1 == y.1);
        Self {
            all,
            concordant: all + tied - tied_in_a - tied_in_b - flipped,
            flipped,
            ties_broken_by_b: tied_in_a - tied,
            ties_broken_by_a: tied_in_b - tied,
            tied,
        }
    }

    /// Kendall's tau-b (Kendall, 1945): 1 for one order, -1 for opposite orders; none where either reward ties
    /// all members. `(C - D) / sqrt((n - ties of A) (n - ties of B))`, `n` all pairs.
    pub fn tau(&self) -> Option<f64> {
        let ordered_by_a = self.concordant + self.flipped + self.ties_broken_by_a;
        let ordered_by_b = self.concordant + self.flipped + self.ties_broken_by_b;
        let scale = (ordered_by_a as f64 * ordered_by_b as f64).sqrt();
        (scale > 0.0).then(|| (self.concordant as f64 - self.flipped as f64) / scale)
    }

    /// Adds another group's.
    pub fn add(&mut self, other: &Self) {
        self.all += other.all;
        self.concordant += other.concordant;
        self.flipped += other.flipped;
        self.ties_broken_by_b += other.ties_broken_by_b;
        self.ties_broken_by_a += other.ties_broken_by_a;
        self.tied += other.tied;
    }
}

/// Rewards on a grid of 1e-9, so that equality is transitive; -0 is 0.
fn grid(reward: &f64) -> f64 {
    (reward * 1e9).round() + 0.0
}

/// Pairs of neighbours' runs that are the same.
fn tied_pairs<T>(sorted: &[T], same: impl Fn(&T, &T) -> bool) -> u64 {
    sorted.chunk_by(same).map(|run| pairs_of(run.len())).sum()
}

fn pairs_of(n: usize) -> u64 {
    let n = n as u64;
    n * n.saturating_sub(1) / 2
}

/// The pairs that stand in falling order; sorts the values.
fn inversions(values: &mut [f64]) -> u64 {
    let mut count = 0;
    let mut width = 1;
    let mut merged = Vec::with_capacity(values.len());
    while width < values.len() {
        for run in values.chunks_mut(2 * width) {
            let (left, right) = run.split_at(width.min(run.len()));
            let (mut l, mut r) = (0, 0);
            merged.clear();
            while l < left.len() || r < right.len() {
                if r == right.len() || (l < left.len() && left[l] <= right[r]) {
                    merged.push(left[l]);
                    l += 1;
                } else {
                    count += (left.len() - l) as u64;
                    merged.push(right[r]);
                    r += 1;
                }
            }
            run.copy_from_slice(&merged);
        }
        width *= 2;
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair looked at by itself.
    fn one_by_one(a: &[f64], b: &[f64]) -> Pairs {
        let mut pairs = Pairs::default();
        for i in 0..a.len() {
            for j in 0..i {
                let (x, y) = (a[i] - a[j], b[i] - b[j]);
                pairs.all += 1;
                match (x == 0.0, y == 0.0) {
                    (true, true) => pairs.tied += 1,
                    (true, false) => pairs.ties_broken_by_b += 1,
                    (false, true) => pairs.ties_broken_by_a += 1,
                    (false, false) if (x > 0.0) == (y > 0.0) => pairs.concordant += 1,
                    (false, false) => pairs.flipped += 1,
                }
            }
        }
        pairs
    }

    #[test]
    fn the_fast_count_is_the_count() {
        let mut state = 11_u64;
        let mut draw = |below: u64| {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            ((state >> 33) % below) as f64 / 4.0 - 1.0
        };
        for n in 0..40 {
            for levels in [1, 3, 9] {
                let a: Vec<f64> = (0..n).map(|_| draw(levels)).collect();
                let b: Vec<f64> = (0..n).map(|_| draw(levels)).collect();
                assert_eq!(Pairs::of(&a, &b), one_by_one(&a, &b), "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn tau_is_that_of_the_formula() {
        // scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]) gives -0.4714045207910316.
        let tau = Pairs::of(&[12.0, 2.0, 1.0, 12.0, 2.0], &[1.0, 4.0, 7.0, 1.0, 0.0]).tau().unwrap();
        assert!((tau + 0.4714045207910316).abs() < 1e-15, "{tau}");
        assert_eq!(Pairs::of(&[1.0, 2.0, 3.0], &[0.1, 0.2, 0.3]).tau(), Some(1.0));
        assert_eq!(Pairs::of(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]).tau(), Some(-1.0));
        for nothing in [Pairs::of(&[], &[]), Pairs::of(&[1.0], &[2.0]), Pairs::of(&[1.0, 1.0], &[1.0, 2.0])] {
            assert_eq!(nothing.tau(), None);
        }
        assert_eq!(Pairs::of(&[1.0, 1.0 + 1e-12], &[0.0, -0.0]).tied, 1, "nearly equal is a tie");
    }
}
