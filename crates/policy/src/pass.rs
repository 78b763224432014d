//! A forward and backward pass over one packed batch, with a layer's activations kept or computed again.

use std::sync::Arc;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Gradients, Tensor, TensorData};
use serde::{Deserialize, Serialize};
use toolrl_kernels::{Ids, Packing, RopeTable, attention, embedding, logprob_entropy};

use crate::decoder::Decoder;
use crate::policy::{Policy, Trained, floats};

/// A packed batch and the tokens of it that a loss looks at.
#[derive(Clone, Debug)]
pub struct Pass {
    /// The t token ids of the batch.
    pub tokens: Ids,
    /// Its layout.
    pub packing: Arc<Packing>,
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
        let hidden = self.decoder().hidden(pass.tokens.clone(), &pass.packing);
        pass.head(self.decoder(), hidden, inverse_temperature)
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
    ) -> Result<Vec<Vec<f32>>, E> {
        let mut decoder = self.decoder().clone();
        if let Some(lora) = self.lora() {
            decoder.set_dropout(lora.dropout, settings.seed);
        }
        match settings.activations {
            Activations::Keep => self.keeping(decoder, pass, settings, loss),
            Activations::Recompute => self.recomputing(decoder, pass, settings, loss),
        }
    }

    fn keeping<E>(
        &self,
        decoder: Decoder,
        pass: &Pass,
        settings: &PassSettings,
        loss: impl FnOnce(&[f32], &[f32]) -> Result<Derivatives, E>,
    ) -> Result<Vec<Vec<f32>>, E> {
        let decoder = decoder.train();
        let hidden = decoder.hidden(pass.tokens.clone(), &pass.packing);
        let surrogate = self.surrogate(pass.head(&decoder, hidden, settings.inverse_temperature), loss)?;
        Ok(self.gradients_of(&decoder, &surrogate.backward()))
    }

    fn recomputing<E>(
        &self,
        decoder: Decoder,
        pass: &Pass,
        settings: &PassSettings,
        loss: impl FnOnce(&[f32], &[f32]) -> Result<Derivatives, E>,
    ) -> Result<Vec<Vec<f32>>, E> {
        let (inputs, last) = layer_inputs(&decoder, pass);
        let decoder = decoder.train();
        let table = decoder.table(&pass.packing.positions());

        let x = leaf(last);
        let out_2n = pass.head(&decoder, decoder.normed(x.clone()), settings.inverse_temperature);
        let grads = self.surrogate(out_2n, loss)?.backward();
        let mut by_x = x.grad(&grads);
        let norm = self.gradients_of(&decoder.model.norm, &grads);
        let head = decoder.lm_head.as_ref().map(|head| self.gradients_of(head, &grads)).unwrap_or_default();
        let mut embed = self.gradients_of(&decoder.model.embed_tokens, &grads);

        let mut layers = Vec::with_capacity(inputs.len());
        for (i, input) in inputs.into_iter().enumerate().rev() {
            let x = leaf(input);
            let grads = towards(layer(&decoder, i, x.clone(), &table, &pass.packing), by_x).backward();
            by_x = x.grad(&grads);
            layers.push(self.gradients_of(&decoder.model.layers[i], &grads));
        }
        if self.lora().is_none() {
            let x = embedding(decoder.model.embed_tokens.weight.val(), pass.tokens.clone());
            let of_input = self.gradients_of(&decoder.model.embed_tokens, &towards(x, by_x).backward());
            for (total, more) in embed.iter_mut().flatten().zip(of_input.into_iter().flatten()) {
                *total += more;
            }
        }
        let layers = layers.into_iter().rev().flatten();
        Ok(embed.into_iter().chain(layers).chain(norm).chain(head).collect())
    }

    /// Gradients of a module's trained parameters after a backward pass, in the module's order.
    fn gradients_of(&self, module: &impl Module, grads: &Gradients) -> Vec<Vec<f32>> {
        let mut read = GradientsOf { grads, trained: Trained::of(self), out: Vec::new() };
        module.visit(&mut read);
        read.out
    }

    /// A scalar with the loss's gradient, given the log-probabilities and entropies.
    fn surrogate<E>(
        &self,
        out_2n: Tensor<2>,
        loss: impl FnOnce(&[f32], &[f32]) -> Result<Derivatives, E>,
    ) -> Result<Tensor<1>, E> {
        let n = out_2n.dims()[1];
        let values = floats(out_2n.clone().inner());
        let (logp, entropy) = values.split_at(n);
        let Derivatives { by_logp, by_entropy } = loss(logp, entropy)?;
        let mut direction = by_logp;
        direction.extend(by_entropy);
        direction.resize(2 * n, 0.0);
        let device = self.decoder().head().device();
        let direction = Tensor::from_data(TensorData::new(direction, [2, n]), &device);
        Ok(towards(out_2n, Some(direction)))
    }
}

impl Pass {
    /// The targets' log-probabilities and entropies, given the batch's final hidden states.
    fn head(&self, decoder: &Decoder, hidden_ti: Tensor<2>, inverse_temperature: f32) -> Tensor<2> {
        let hidden_ni = embedding(hidden_ti, self.rows.clone());
        logprob_entropy(hidden_ni, decoder.head(), self.targets.clone(), inverse_temperature)
    }
}

/// The input of every layer, and the output of the last, without a graph.
fn layer_inputs(decoder: &Decoder, pass: &Pass) -> (Vec<Tensor<2>>, Tensor<2>) {
    let table = decoder.table(&pass.packing.positions());
    let mut x = embedding(decoder.model.embed_tokens.weight.val(), pass.tokens.clone());
    let mut inputs = Vec::with_capacity(decoder.model.layers.len());
    for i in 0..decoder.model.layers.len() {
        inputs.push(x.clone());
        x = layer(decoder, i, x, &table, &pass.packing);
    }
    (inputs, x)
}

fn layer(
    decoder: &Decoder,
    i: usize,
    x: Tensor<2>,
    table: &Arc<RopeTable>,
    packing: &Arc<Packing>,
) -> Tensor<2> {
    let c = &decoder.constants;
    decoder.model.layers[i].forward(x, table, c, |q, k, v| attention(q, k, v, packing.clone(), c.heads))
}

/// A tensor that a graph begins with.
fn leaf(x: Tensor<2>) -> Tensor<2> {
    Tensor::from_inner(x).require_grad()
}

/// A scalar whose gradient by `y` is `grad`.
fn towards(y: Tensor<2>, grad: Option<Tensor<2>>) -> Tensor<1> {
    match grad {
        Some(grad) => (y * Tensor::from_inner(grad)).sum(),
        // Nothing after `y` depends on it.
        None => (y * 0.0).sum(),
    }
}

struct GradientsOf<'a> {
    grads: &'a Gradients,
    trained: Trained,
    out: Vec<Vec<f32>>,
}

impl ModuleVisitor for GradientsOf<'_> {
    fn enter_module(&mut self, name: &str, _: &str) {
        self.trained.enter(name);
    }

    fn exit_module(&mut self, _: &str, _: &str) {
        self.trained.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if !self.trained.here() {
            return;
        }
        let tensor = param.val();
        let zeros = || vec![0.0; tensor.shape().num_elements()];
        self.out.push(tensor.grad(self.grads).map_or_else(zeros, floats));
    }
}
