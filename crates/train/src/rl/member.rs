//! A member of a group on its way from a score to an update.

use toolrl_grpo::{Advantage, KlEstimator, Reward, TermReward, soft_overlong};
use toolrl_rollout::FinishReason;

use crate::RlConfig;
use crate::Truncated;
use crate::loss::Experience;
use crate::score::Scored;

/// A scored episode with its tokens' log-probabilities under other policies, and what the run takes off its reward.
#[derive(Debug)]
pub(crate) struct Measured {
    pub scored: Scored,
    /// The trainer's, where they may differ from the sampler's.
    old_logp: Option<Vec<f32>>,
    /// The reference's, where there is one.
    ref_logp: Option<Vec<f32>>,
    /// What each token's divergence from the reference costs, with its coefficient.
    kl_penalty: Option<(f64, Vec<f64>)>,
    /// What the last turn's length costs, with its coefficient.
    overlong: Option<(f64, f64)>,
}

/// Whom a reply's advantage goes to.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Credit {
    /// The reply is not trained on.
    LeftOut,
    /// All its tokens alike.
    Reply(f64),
    /// Each token by itself.
    Tokens(Vec<f64>),
}

/// A reply that an update may train on.
#[derive(Debug)]
pub(crate) struct Credited {
    pub measured: Measured,
    pub credit: Credit,
}

impl Measured {
    pub(crate) fn new(
        scored: Scored,
        old_logp: Option<Vec<f32>>,
        ref_logp: Option<Vec<f32>>,
        config: &RlConfig,
        max_tokens: usize,
    ) -> Self {
        let drawn = old_logp.as_ref().unwrap_or(&scored.episode.logprobs);
        let kl = config.kl_penalty.as_ref().zip(ref_logp.as_ref());
        let kl_penalty = kl.map(|(penalty, reference)| (penalty.coef, penalty.of_tokens(drawn, reference)));
        let tokens = scored.episode.turns().last().map_or(0, std::ops::Range::len);
        let overlong =
            config.overlong.map(|o| (o.penalty, -o.penalty * soft_overlong(tokens, max_tokens, o.buffer)));
        let mut measured = Self { scored, old_logp, ref_logp, kl_penalty, overlong };
        let costs = measured.costs().map(|cost| cost.map(|(_, cost)| -cost));
        for (name, value) in ["kl_penalty", "overlong"].into_iter().zip(costs) {
            measured.scored.components.extend(value.map(|value| (name.to_owned(), value)));
        }
        measured
    }

    /// The divergence from the reference, summed over the tokens; none without a reference.
    pub(crate) fn divergence(&self, estimator: KlEstimator) -> Option<f64> {
        let drawn = self.old_logp.as_ref().unwrap_or(&self.scored.episode.logprobs);
        self.ref_logp.as_ref().map(|reference| estimator.of_tokens(drawn, reference).sum())
    }

    /// What the run takes off the reward, each with its coefficient.
    fn costs(&self) -> [Option<(f64, f64)>; 2] {
        let of_kl = self.kl_penalty.as_ref().map(|(coef, costs)| (*coef, costs.iter().sum()));
        [of_kl, self.overlong]
    }

    /// The reward that the reply is trained by: the rubric's, less what the run takes off. The coefficient of a cost is
    /// its weight, so that it counts where each term is normalised by itself.
    pub(crate) fn reward(&self) -> Reward {
        let mut reward = Reward { total: self.scored.reward, terms: self.scored.terms.clone() };
        for (coef, cost) in self.costs().into_iter().flatten() {
            reward.total -= cost;
            let value = if coef == 0.0 { 0.0 } else { -cost / coef };
            reward.terms.push(TermReward { weight: coef, value });
        }
        reward
    }

    /// The same by token: the divergence's cost where it arises, everything else at the last.
    pub(crate) fn token_rewards(&self) -> Vec<f64> {
        let tokens = self.scored.episode.sampled();
        let mut rewards = match &self.kl_penalty {
            Some((_, costs)) => costs.iter().map(|cost| -cost).collect(),
            None => vec![0.0; tokens],
        };
        if let Some(last) = rewards.last_mut() {
            *last += self.scored.reward - self.overlong.map_or(0.0, |(_, cost)| cost);
        }
        rewards
    }

    /// Whether the reply is not trained on: a failed term of the reward leaves it out, or it met the limit on new tokens
    /// and such replies have no loss.
    pub(crate) fn is_left_out(&self, truncated: Truncated) -> bool {
        let cut_off = self.scored.episode.finish() == FinishReason::Length;
        self.scored.skipped || (truncated == Truncated::Mask && cut_off)
    }

    /// Credits the reply, unless it [is left out](Self::is_left_out).
    pub(crate) fn credited(self, credit: Credit, truncated: Truncated) -> Credited {
        let credit = if self.is_left_out(truncated) { Credit::LeftOut } else { credit };
        Credited { measured: self, credit }
    }
}

impl Credited {
    /// What a loss knows of it before a forward pass. None for one that is left out.
    pub(crate) fn experience(&self) -> Option<Experience<'_>> {
        let advantage = match &self.credit {
            Credit::LeftOut => return None,
            Credit::Reply(advantage) => Advantage::Reply(*advantage),
            Credit::Tokens(advantages) => Advantage::Tokens(advantages),
        };
        let sampler = &self.measured.scored.episode.logprobs;
        Some(Experience {
            old_logp: self.measured.old_logp.as_ref().unwrap_or(sampler),
            sampler_logp: self.measured.old_logp.is_some().then_some(sampler),
            ref_logp: self.measured.ref_logp.as_deref(),
            advantage,
        })
    }

    /// Whether the policy's own term has a gradient.
    pub(crate) fn has_advantage(&self) -> bool {
        match &self.credit {
            Credit::LeftOut => false,
            Credit::Reply(advantage) => *advantage != 0.0,
            Credit::Tokens(advantages) => advantages.iter().any(|a| *a != 0.0),
        }
    }

    /// The advantage, as a mean over tokens where each has its own.
    pub(crate) fn mean_advantage(&self) -> f64 {
        match &self.credit {
            Credit::LeftOut => 0.0,
            Credit::Reply(advantage) => *advantage,
            Credit::Tokens(advantages) => advantages.iter().sum::<f64>() / advantages.len().max(1) as f64,
        }
    }
}

impl AsRef<Scored> for Scored {
    fn as_ref(&self) -> &Scored {
        self
    }
}

impl AsRef<Scored> for Measured {
    fn as_ref(&self) -> &Scored {
        &self.scored
    }
}

impl AsRef<Scored> for Credited {
    fn as_ref(&self) -> &Scored {
        &self.measured.scored
    }
}

#[cfg(test)]
#[path = "member_tests.rs"]
mod tests;
