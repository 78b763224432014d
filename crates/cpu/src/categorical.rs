//! The distribution of the next token, in two vectorised passes over its logits.

use toolrl_layout::Sampling;

use super::math::{exp, max, sum2, vectorized};

/// Logits whose weights are summed at a time.
const BLOCK: usize = 256;

/// `softmax(logits * inverse_temperature)`, tokens in the order of their ids.
#[derive(Debug)]
pub struct Categorical<'a> {
    logits: &'a [f32],
    inverse_temperature: f32,
    top: f32,
    /// By block, the sum of its weights, `e^((logit - top) * inverse_temperature)`.
    blocks: Vec<f64>,
    total: f64,
}

impl<'a> Categorical<'a> {
    /// `None` when a logit is NaN or infinite above, or none is finite.
    pub fn new(logits: &'a [f32], inverse_temperature: f32) -> Option<Self> {
        let mut blocks = vec![0.0; logits.len().div_ceil(BLOCK)];
        let top = vectorized(
            #[inline(always)]
            || {
                let top = max(logits);
                // A loop: what an iterator collects is compiled by itself, without this machine's instructions.
                for (block, z) in blocks.iter_mut().zip(logits.chunks(BLOCK)) {
                    *block = f64::from(sum2(z, z, |z, _| exp((z - top) * inverse_temperature)));
                }
                top
            },
        );
        let total: f64 = blocks.iter().sum();
        let there = top.is_finite() && total.is_finite();
        there.then_some(Self { logits, inverse_temperature, top, blocks, total })
    }

    /// The most probable token, the first of equals.
    pub fn most_probable(&self) -> usize {
        self.logits.iter().position(|&z| z == self.top).unwrap_or(0)
    }

    /// A token's log-probability, in nats.
    pub fn logprob(&self, token: usize) -> f64 {
        f64::from((self.logits[token] - self.top) * self.inverse_temperature) - self.total.ln()
    }

    /// The first token at which the running sum of probabilities exceeds `uniform`, which is in [0, 1).
    pub fn invert(&self, uniform: f64) -> usize {
        let target = uniform * self.total;
        let mut before = 0.0;
        for (block, sum) in self.blocks.iter().enumerate() {
            if before + sum > target {
                let first = block * BLOCK;
                let ids = first..self.logits.len().min(first + BLOCK);
                let weights = ids.map(|id| (id, self.weight(id)));
                return first_above(weights, target - before).unwrap_or(first);
            }
            before += sum;
        }
        self.most_probable()
    }

    /// As [`Categorical::invert`] over what `sampling` keeps, from the most probable token on, lower ids first on ties.
    /// The temperature is that of the distribution.
    pub fn invert_kept(&self, sampling: &Sampling, uniform: f64) -> usize {
        let mut weights = self.logits.to_vec();
        vectorized(
            #[inline(always)]
            || weights.iter_mut().for_each(|z| *z = exp((*z - self.top) * self.inverse_temperature)),
        );
        let kth = self.kth_largest(sampling.top_k as usize);
        let reaches = |floor: f32| move |id: usize| self.logits[id] >= floor;
        let all = weights.into_iter().map(f64::from).enumerate();
        let of_k = |&(id, _): &(usize, f64)| kth.is_none_or(|kth| reaches(kth)(id));
        let within = match kth {
            Some(_) => all.clone().filter(of_k).map(|(_, weight)| weight).sum(),
            None => self.total,
        };
        let top_p = f64::from(sampling.top_p);
        // All tokens below this have less than 1 - top_p between them, so that the set is among the others; half of
        // it leaves room for rounding.
        let least = 0.5 * (1.0 - top_p) * within / self.logits.len() as f64;
        let wanted = if top_p < 1.0 { top_p * within } else { f64::INFINITY };
        let of_min_p = reaches(self.top + sampling.min_p_offset());
        let candidates = all.filter(of_k).filter(|&(id, weight)| weight >= least && of_min_p(id));
        let mut candidates: Vec<_> = candidates.collect();
        candidates.sort_by(|a, b| self.logits[b.0].total_cmp(&self.logits[a.0]).then(a.0.cmp(&b.0)));
        let (mut kept, mut mass) = (0, 0.0);
        while kept < candidates.len() && (kept == 0 || mass < wanted) {
            mass += candidates[kept].1;
            kept += 1;
        }
        first_above(candidates.into_iter().take(kept), uniform * mass).unwrap_or_else(|| self.most_probable())
    }

    /// The logit with so many at or above it, from 1; none where there are no more, and for 0.
    fn kth_largest(&self, k: usize) -> Option<f32> {
        (1..self.logits.len()).contains(&k).then(|| {
            let mut logits = self.logits.to_vec();
            *logits.select_nth_unstable_by(k - 1, |a, b| b.total_cmp(a)).1
        })
    }

    fn weight(&self, id: usize) -> f64 {
        f64::from(exp((self.logits[id] - self.top) * self.inverse_temperature))
    }
}

/// The first item at which the running sum of the weights exceeds `target`; the last item with weight where rounding
/// keeps the sum below it.
fn first_above(weights: impl Iterator<Item = (usize, f64)>, target: f64) -> Option<usize> {
    let (mut sum, mut last) = (0.0, None);
    for (id, weight) in weights {
        sum += weight;
        if weight > 0.0 {
            last = Some(id);
            if sum > target {
                break;
            }
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits(n: usize) -> Vec<f32> {
        (0..n).map(|i| ((i * 7919 % 1009) as f32 - 500.0) / 60.0).collect()
    }

    /// Probabilities in f64.
    fn exact(logits: &[f32], inverse_temperature: f64) -> Vec<f64> {
        let top = logits.iter().copied().fold(f32::MIN, f32::max);
        let weights: Vec<f64> =
            logits.iter().map(|&z| (f64::from(z - top) * inverse_temperature).exp()).collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(|w| w / total).collect()
    }

    #[test]
    fn the_running_sum_is_inverted_where_f64_inverts_it() {
        for n in [1, 2, 255, 256, 257, 5000] {
            for temperature in [0.5, 1.0, 3.0] {
                let logits = logits(n);
                let p = exact(&logits, 1.0 / temperature);
                let d = Categorical::new(&logits, 1.0 / temperature as f32).unwrap();
                for i in 0..200 {
                    let uniform = (f64::from(i) + 0.5) / 200.0;
                    let token = d.invert(uniform);
                    let before: f64 = p[..token].iter().sum();
                    // Between the sums before and after the token, but for the rounding of f32.
                    assert!(before <= uniform + 2e-6 && uniform <= before + p[token] + 2e-6, "{n}: {token}");
                    assert!((d.logprob(token) - p[token].ln()).abs() < 1e-5);
                }
            }
        }
    }

    #[test]
    fn the_nucleus_is_that_of_a_full_sort() {
        for (n, top_p) in [(1, 0.5), (257, 1e-9), (257, 0.3), (5000, 0.9), (5000, 0.999_999)] {
            let logits = logits(n);
            let p = exact(&logits, 1.0);
            let mut order: Vec<usize> = (0..n).collect();
            order.sort_by(|&a, &b| p[b].total_cmp(&p[a]).then(a.cmp(&b)));
            let mut mass = 0.0;
            let kept = order.iter().take_while(|&&id| {
                let before = mass;
                mass += p[id];
                before < top_p
            });
            let kept: Vec<usize> = kept.copied().collect();
            let mass: f64 = kept.iter().map(|&id| p[id]).sum();
            let d = Categorical::new(&logits, 1.0).unwrap();
            let mut sum = 0.0;
            for &id in &kept {
                // In the middle of a token's share only that token is right.
                let uniform = (sum + 0.5 * p[id]) / mass;
                sum += p[id];
                if p[id] / mass > 1e-5 {
                    assert_eq!(
                        d.invert_kept(&Sampling { top_p: top_p as f32, ..Sampling::default() }, uniform),
                        id,
                        "{n} {top_p}"
                    );
                }
            }
        }
    }

    #[test]
    fn what_is_no_distribution_is_refused() {
        assert!(Categorical::new(&[0.0, f32::NAN], 1.0).is_none());
        assert!(Categorical::new(&[f32::NEG_INFINITY; 2], 1.0).is_none());
        assert!(Categorical::new(&[0.0, f32::INFINITY], 1.0).is_none());
        assert!(Categorical::new(&[], 1.0).is_none());
        let d = Categorical::new(&[f32::NEG_INFINITY, 3.0, 3.0], 1.0).unwrap();
        assert_eq!((d.most_probable(), d.invert(0.0), d.invert(0.999)), (1, 1, 2));
    }
}
