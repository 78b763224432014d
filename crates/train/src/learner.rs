//! The trainer's hold on the policy: log-probabilities of packs, gradients, updates.

use burn::tensor::{Device, Tensor, TensorData};
use toolrl_policy::{Decoder, Policy};

use crate::OptimizerConfig;
use crate::TrainError;
use crate::optimizer::{NotFinite, Optimizer};
use crate::pack::Pack;

/// What a loss says of one pack, reply after reply in the pack's order.
pub(crate) struct PackLoss {
    /// The pack's share of the batch's loss.
    pub loss: f64,
    /// Derivative by each token's log-probability.
    pub d_logp: Vec<f32>,
    /// Derivative by each token's entropy; empty for none.
    pub d_entropy: Vec<f32>,
}

/// What one update was.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Update {
    pub loss: f64,
    pub grad_norm: f64,
    pub tokens: u64,
}

/// A policy in training.
pub(crate) struct Learner {
    policy: Policy,
    optimizer: Optimizer,
    inverse_temperature: f32,
}

impl Learner {
    /// `temperature` is the sampling temperature: log-probabilities are those of the tempered
    /// policy, which is what was sampled from.
    pub(crate) fn new(policy: Policy, config: OptimizerConfig, temperature: f32) -> Self {
        let inverse_temperature = if temperature > 0.0 { 1.0 / temperature } else { 1.0 };
        Self { policy, optimizer: Optimizer::new(config), inverse_temperature }
    }

    pub(crate) fn policy(&self) -> &Policy {
        &self.policy
    }

    pub(crate) fn into_policy(self) -> Policy {
        self.policy
    }

    pub(crate) fn lr(&self, step: u64, steps: u64) -> f64 {
        self.optimizer.lr(step, steps)
    }

    /// Log-probabilities (row 0) and entropies (row 1) of a pack's reply tokens.
    fn forward(&self, decoder: &Decoder, pack: &Pack) -> Tensor<2> {
        let Pack { tokens, packing, rows, targets, .. } = pack;
        decoder.logprobs(tokens.clone(), packing, rows.clone(), targets.clone(), self.inverse_temperature)
    }

    /// Log-probabilities of a pack's reply tokens under another policy, the frozen reference.
    pub(crate) fn logprobs_under(&self, reference: &Policy, pack: &Pack) -> Vec<f32> {
        floats(self.forward(reference.decoder(), pack).narrow(0, 0, 1))
    }

    /// One optimiser step over `packs`: `loss` is asked for each pack's loss and derivatives, given
    /// the tokens' log-probabilities and entropies.
    pub(crate) fn update(
        &mut self,
        step: u64,
        packs: &[Pack],
        lr: f64,
        mut loss: impl FnMut(&Pack, &[f32], &[f32]) -> Result<PackLoss, TrainError>,
    ) -> Result<Update, TrainError> {
        let mut update = Update::default();
        let mut gradients: Vec<Vec<f32>> = Vec::new();
        for pack in packs {
            let decoder = self.policy.training_decoder();
            let out_2n = self.forward(&decoder, pack);
            let values = floats(out_2n.clone().inner());
            let (logp, entropy) = values.split_at(pack.targets.len());
            let PackLoss { loss, d_logp, d_entropy } = loss(pack, logp, entropy)?;
            update.loss += loss;
            update.tokens += pack.targets.len() as u64;
            let surrogate = (out_2n * direction(d_logp, d_entropy, &self.policy)).sum();
            add(&mut gradients, decoder.gradients(&surrogate.backward()));
        }
        if gradients.is_empty() {
            return Ok(update);
        }
        let stepped = self.optimizer.step(&mut self.policy, &gradients, lr);
        update.grad_norm = stepped.map_err(|NotFinite(norm)| TrainError::Gradient { step, norm })?;
        Ok(update)
    }
}

/// The derivatives as a constant of the graph: the gradient of `sum(out * direction)` is the loss's.
fn direction(d_logp: Vec<f32>, d_entropy: Vec<f32>, policy: &Policy) -> Tensor<2> {
    let n = d_logp.len();
    let mut values = d_logp;
    values.extend(d_entropy);
    values.resize(2 * n, 0.0);
    let device: Device = policy.decoder().head().device();
    Tensor::from_inner(Tensor::from_data(TensorData::new(values, [2, n]), &device))
}

fn add(total: &mut Vec<Vec<f32>>, more: Vec<Vec<f32>>) {
    if total.is_empty() {
        *total = more;
        return;
    }
    for (total, more) in total.iter_mut().zip(more) {
        for (t, m) in total.iter_mut().zip(more) {
            *t += m;
        }
    }
}

fn floats<const D: usize>(t: Tensor<D>) -> Vec<f32> {
    // The decoder computes in f32, so the conversion moves and cannot fail.
    t.into_data().try_into_vec_as().unwrap_or_default()
}
