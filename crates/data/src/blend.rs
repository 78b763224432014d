//! In which order several sources take turns, by weight.

/// The turns of sources that each have a weight: after any number of turns, each has had its share to within about one.
/// Turn `k` (from 0) is that of the source whose `w max(k, 1) - turns so far` is greatest, the first of equal ones, with
/// weights that add up to 1: Megatron-LM's blending of datasets (`build_blending_indices` of its
/// `core/datasets/helpers.cpp`). Nothing here is random.
#[derive(Clone, Debug, PartialEq)]
pub struct Blend {
    /// They add up to 1.
    weights: Vec<f64>,
    turns: Vec<u64>,
}

impl Blend {
    /// Before the first turn.
    ///
    /// # Arguments
    /// - `weights`: above 0 each; at least one.
    pub fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        Self { weights: weights.iter().map(|w| w / sum).collect(), turns: vec![0; weights.len()] }
    }

    /// The same after these numbers of turns; the first sources' where there are more or fewer.
    #[must_use]
    pub fn after(mut self, turns: impl IntoIterator<Item = u64>) -> Self {
        self.turns.iter_mut().zip(turns).for_each(|(had, turns)| *had = turns);
        self
    }

    /// Whose turn it is. The turn is taken.
    pub fn take_turn(&mut self) -> usize {
        let k = self.turns.iter().sum::<u64>().max(1) as f64;
        let mut most = (f64::NEG_INFINITY, 0);
        for (source, (weight, &turns)) in self.weights.iter().zip(&self.turns).enumerate() {
            let behind = weight * k - turns as f64;
            if behind > most.0 {
                most = (behind, source);
            }
        }
        if let Some(turns) = self.turns.get_mut(most.1) {
            *turns += 1;
        }
        most.1
    }

    /// The turns that each source has had.
    pub fn turns(&self) -> &[u64] {
        &self.turns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(blend: &mut Blend, n: usize) -> Vec<usize> {
        (0..n).map(|_| blend.take_turn()).collect()
    }

    /// By Megatron-LM's function, copied by hand into Python.
    #[test]
    fn sources_take_turns_as_megatrons_do() {
        let cases: [(&[f64], &[usize]); 3] = [
            (&[3.0, 1.0], &[0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0]),
            (&[0.5, 0.3, 0.2], &[0, 1, 2, 0, 1, 0, 2, 0, 1, 0, 0, 1, 2, 0, 1, 0, 2, 0, 1, 0]),
            (&[7.0], &[0; 4]),
        ];
        for (weights, expected) in cases {
            assert_eq!(turns(&mut Blend::new(weights), expected.len()), expected, "{weights:?}");
        }
    }

    #[test]
    fn shares_are_kept_and_turns_go_on() {
        let weights = [0.61, 0.29, 0.1];
        let mut blend = Blend::new(&weights);
        for n in 1..=2000_u64 {
            blend.take_turn();
            let off = blend.turns().iter().zip(weights).map(|(&t, w)| (t as f64 - w * n as f64).abs());
            assert!(off.fold(0.0, f64::max) < 1.5, "{n}: {blend:?}");
        }
        let mut again = Blend::new(&weights).after(blend.turns().to_vec());
        assert_eq!(turns(&mut again, 50), turns(&mut blend, 50));
    }
}
