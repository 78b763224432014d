//! The policy term of a token: what is improved instead of the expected reward.
//!
//! Notation: `r = exp(logp - old_logp)`, `A` the advantage, bounds `1 - clip_low` and `1 + clip_high`, and `c`, the second
//! clip of dual-clip PPO (Ye et al., arXiv 1912.09729, equation 5), above 1.

/// A token's share of a loss and its derivative by the token's log-probability.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Term {
    pub value: f64,
    pub d_logp: f64,
}

/// Which bound held a token's ratio back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    None,
    Low,
    High,
    /// The second clip of a token that did worse than expected.
    Dual,
}

/// The bounds of a ratio, for instance 0.8 and 1.2.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub low: f64,
    pub high: f64,
    /// Infinity for none.
    pub dual: f64,
}

/// The policy term.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Surrogate {
    /// `-min(r A, clip(r) A)` with a ratio per token (PPO, arXiv 1707.06347; GRPO; with
    /// `clip_high > clip_low` DAPO's clip-higher, arXiv 2503.14476). With a second clip it is
    /// `-max(min(r A, clip(r) A), c A)` where `A` is negative.
    #[default]
    TokenRatio,
    /// The same with one ratio per sequence, the geometric mean of its tokens' ratios (GSPO, arXiv
    /// 2507.18071). Where tokens have advantages of their own it is that paper's GSPO-token: each token goes by its
    /// own advantage under the sequence's ratio.
    SequenceRatio,
    /// `-min(r, 1 + clip_high) A logp` with the first factor held constant (CISPO, arXiv
    /// 2506.13585): no token loses its gradient. `clip_low` has no effect.
    Cispo,
}

impl Surrogate {
    /// The term of one token.
    ///
    /// # Arguments
    /// - `logp`: of the token under the present policy.
    /// - `ratio`: the token's, or its sequence's for [`Surrogate::SequenceRatio`]. The derivative of
    ///   that ratio by one of `n` tokens is `ratio / n`, and the ratio stands in `n` terms of equal
    ///   weight: together `ratio`, as for a token's own.
    pub(crate) fn term(
        self,
        logp: f64,
        ratio: f64,
        advantage: f64,
        Bounds { low, high, dual }: Bounds,
    ) -> (Term, Bound) {
        if self == Self::Cispo {
            let weight = ratio.min(high) * advantage;
            let bound = if ratio > high { Bound::High } else { Bound::None };
            return (Term { value: -weight * logp, d_logp: -weight }, bound);
        }
        if advantage > 0.0 && ratio > high {
            (Term { value: -high * advantage, d_logp: 0.0 }, Bound::High)
        } else if advantage < 0.0 && ratio < low {
            (Term { value: -low * advantage, d_logp: 0.0 }, Bound::Low)
        } else if advantage < 0.0 && ratio > dual {
            (Term { value: -dual * advantage, d_logp: 0.0 }, Bound::Dual)
        } else {
            let weight = ratio * advantage;
            (Term { value: -weight, d_logp: -weight }, Bound::None)
        }
    }
}
