//! A forward and backward pass over one packed batch: from tokens to log-probabilities, from a loss to gradients.

use burn::tensor::Tensor;
use serde::{Deserialize, Serialize};
use toolrl_kernels::{Ids, Mirrored, Packing, logprob_entropy};

use crate::ParameterGradients;
use crate::backward::Backward;
use crate::decoder::Decoder;
use crate::policy::{Policy, floats};

/// A packed batch and the tokens of it that a loss looks at.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The t token ids of the batch.
    pub tokens: Ids,
    /// Its layout.
    pub packing: Mirrored<Packing>,
    /// Rows of the batch that predict a target: n of them.
    pub rows: Ids,
    /// The n targets.
    pub targets: Ids,
}

/// How a pass is computed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PassSettings {
    /// One over the temperature: multiplies every logit.
    pub inverse_temperature: f32,
    /// What of the forward pass is kept.
    pub activations: Activations,
    /// The adapters' dropout follows from it.
    pub seed: u64,
}

/// What a loss says of the targets of a [`Pass`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Derivatives {
    /// By each target's log-probability.
    pub by_logp: Vec<f32>,
    /// By each target's entropy; fewer than n stand for zeros at the end.
    pub by_entropy: Vec<f32>,
}

/// What of the forward pass is kept for the backward pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activations {
    /// Everything.
    #[default]
    Keep,
    /// Each layer's input; the rest is computed again, layer by layer. One more forward pass, and memory
    /// for one layer instead of all (Chen et al., "Training Deep Nets with Sublinear Memory Cost", arXiv
    /// 1604.06174).
    Recompute,
}

impl Policy {
    /// Log-probability (row 0) and entropy (row 1), in nats, of a pass's targets, `[2, n]`, without
    /// gradients; logits, multiplied by `inverse_temperature`, exist for a chunk of rows at a time.
    pub fn logprobs(&self, pass: &Pass, inverse_temperature: f32) -> Tensor<2> {
        pass.head(self.decoder(), pass.hidden(self.decoder()), inverse_temperature)
    }

    /// Log-probability, in nats at temperature 1, of each of a sequence's tokens but the first.
    pub fn sequence_logprobs(&self, tokens: &[u32]) -> Vec<f32> {
        let n = tokens.len().saturating_sub(1);
        if n == 0 {
            return Vec::new();
        }
        let pass = Pass {
            tokens: Ids::new(tokens[..n].to_vec()),
            packing: Packing::single(n).into(),
            rows: Ids::new((0..n as u32).collect()),
            targets: Ids::new(tokens[1..].to_vec()),
        };
        floats(self.logprobs(&pass, 1.0).narrow(0, 0, 1))
    }

    /// Gradients of the parameters that are trained (those of the adapters where there are any), in the order
    /// of [`Policy::parameters`], zeros for one that the loss does not depend on. `loss` is given the targets'
    /// log-probabilities and entropies, in nats.
    ///
    /// # Errors
    /// Those of `loss`.
    pub fn gradients<E>(
        &self,
        pass: &Pass,
        settings: &PassSettings,
        loss: impl FnOnce(&[f32], &[f32]) -> Result<Derivatives, E>,
    ) -> Result<ParameterGradients, E> {
        let mut gradients = ParameterGradients::default();
        self.add_gradients(pass, settings, &mut gradients, loss)?;
        Ok(gradients)
    }

    /// Adds the gradients of [`Policy::gradients`] to those of other passes, or to none yet. Those of weights are then
    /// added up by the products that make them, where the CPU computes layers whole.
    ///
    /// # Errors
    /// Those of `loss`; nothing is added then.
    pub fn add_gradients<E>(
        &self,
        pass: &Pass,
        settings: &PassSettings,
        sum: &mut ParameterGradients,
        loss: impl FnOnce(&[f32], &[f32]) -> Result<Derivatives, E>,
    ) -> Result<(), E> {
        let n = pass.targets.len();
        let read_out = |decoder: &Decoder, hidden| pass.head(decoder, hidden, settings.inverse_temperature);
        let mut backward = Backward::new(self, pass, read_out);
        backward.drop_inputs(settings.seed);
        backward.run(settings.activations, sum, |values| {
            let (logp, entropy) = values.split_at(n);
            let Derivatives { mut by_logp, by_entropy } = loss(logp, entropy)?;
            by_logp.extend(by_entropy);
            by_logp.resize(2 * n, 0.0);
            Ok(by_logp)
        })
    }
}

impl Pass {
    /// The final hidden states of its rows, `[n, hidden]`, without gradients.
    pub(crate) fn hidden(&self, decoder: &Decoder) -> Tensor<2> {
        decoder.hidden_of(decoder.embed(self.tokens.clone()), &self.packing, Some(&self.rows))
    }

    /// The targets' log-probabilities and entropies, given the final hidden states of the rows.
    fn head(&self, decoder: &Decoder, hidden_ni: Tensor<2>, inverse_temperature: f32) -> Tensor<2> {
        let factor = inverse_temperature * decoder.constants.multipliers.logits;
        logprob_entropy(hidden_ni, decoder.head(), self.targets.clone(), factor)
    }
}
