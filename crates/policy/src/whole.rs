//! Layers that the CPU computes whole in training: those with nothing but what most families have, and no adapters. All
//! others go operation by operation through burn's graph, which these are held against.

use std::ops::Range;

use toolrl_cpu::layer::{self, Batch, Parameters, Run};
use toolrl_cpu::numbers::Numbers;
use toolrl_kernels::{HostTensor, Packing, RopeTable};

use crate::decoder::Constants;
use crate::layer::{Attention, Layer, Linear, Norm};
use crate::prompts::KeptPrompt;
use crate::{Activations, Policy};

/// The weights of every layer.
pub(crate) struct WholeLayers {
    layers: Vec<Parameters<HostTensor>>,
    constants: Constants,
}

/// What of a layer's forward pass is kept.
pub(crate) enum Kept {
    All(Box<layer::Activations>),
    Input(Numbers),
}

impl WholeLayers {
    /// `None` of a policy some layer of which has anything else.
    pub(crate) fn of(policy: &Policy) -> Option<Self> {
        let decoder = policy.decoder();
        let constants = &decoder.constants;
        let plain = policy.lora().is_none()
            && constants.window.is_none()
            && constants.multipliers.queries == 1.0
            && constants.multipliers.residual == 1.0;
        let of = |(i, layer): (usize, &Layer)| constants.rotates(i).then(|| parameters(layer)).flatten();
        let layers = decoder.model.layers.iter().enumerate().map(of);
        let layers = plain.then(|| layers.collect::<Option<Vec<_>>>()).flatten()?;
        Some(Self { layers, constants: constants.clone() })
    }

    /// What the layers are told of a packed batch; nothing is computed after the last layer's attention of tokens that are
    /// not among `rows`.
    pub(crate) fn batch<'a>(&self, packing: &'a Packing, table: &'a RopeTable, rows: &'a [u32]) -> Batch<'a> {
        let Constants { heads, eps, .. } = self.constants;
        Batch { packing, table, rows: Some(rows), heads, eps }
    }

    /// Number of layers.
    pub(crate) fn len(&self) -> usize {
        self.layers.len()
    }

    /// Number of parameters.
    pub(crate) fn parameters(&self) -> usize {
        self.layers.iter().map(|layer| layer.all().len()).sum()
    }

    /// What the backward pass needs, and the output at the batch's rows. `x` are the inputs of the rows that are not
    /// `known`, and `table` has their angles. Of known rows nothing but their activations is kept.
    pub(crate) fn forward(
        &self,
        mut x: Numbers,
        batch: Batch,
        (mut known, table): (Vec<(Range<usize>, KeptPrompt)>, &RopeTable),
        activations: Activations,
    ) -> (Vec<Kept>, Numbers) {
        let mut kept = Vec::with_capacity(self.layers.len());
        for i in 0..self.layers.len() {
            let input = (activations == Activations::Recompute).then(|| x.clone());
            let run = |(rows, prompt): &mut (Range<usize>, KeptPrompt)| Run {
                rows: rows.clone(),
                activations: std::mem::take(&mut prompt.layers[i]),
            };
            let (all, y) = self.layer(i, x, batch, (known.iter_mut().map(run).collect(), table));
            kept.push(input.map_or_else(|| Kept::All(Box::new(all)), Kept::Input));
            x = y;
        }
        (kept, x)
    }

    /// One layer of them, where the last is of the batch's rows alone.
    pub(crate) fn layer(
        &self,
        i: usize,
        x: Numbers,
        batch: Batch,
        known: (Vec<Run>, &RopeTable),
    ) -> (layer::Activations, Numbers) {
        let weights = self.layers[i].map(HostTensor::floats);
        layer::forward(x, &weights, self.of_layer(i, batch), known)
    }

    fn of_layer<'a>(&self, i: usize, batch: Batch<'a>) -> Batch<'a> {
        Batch { rows: batch.rows.filter(|_| i + 1 == self.layers.len()), ..batch }
    }

    /// The parameters' gradients added to `sums`, in the module's order, or to none yet; and that by the input, given
    /// that by the output.
    pub(crate) fn backward(
        &self,
        kept: Vec<Kept>,
        mut grad: Vec<f32>,
        sums: Vec<Vec<f32>>,
        batch: Batch,
    ) -> (Vec<Vec<f32>>, Vec<f32>) {
        let mut sums = sums.into_iter();
        let sums = self.layers.iter().map(|layer| from_order(&mut sums, layer.biases.is_some()));
        let mut sums: Vec<_> = sums.collect();
        for (i, kept) in kept.into_iter().enumerate().rev() {
            let kept = match kept {
                Kept::All(kept) => *kept,
                Kept::Input(x) => self.layer(i, x, batch, (Vec::new(), batch.table)).0,
            };
            let weights = self.layers[i].map(HostTensor::floats);
            grad = layer::backward(kept, grad, &weights, &mut sums[i], self.of_layer(i, batch));
        }
        (sums.into_iter().flat_map(in_order).collect(), grad)
    }
}

/// A layer's weights, where it is of the kind that is computed whole.
fn parameters(layer: &Layer) -> Option<Parameters<HostTensor>> {
    let Layer { self_attn, mlp, pre_feedforward_layernorm, post_feedforward_layernorm, .. } = layer;
    let Attention { q_proj, k_proj, v_proj, o_proj, q_norm, k_norm } = self_attn;
    let norms = [pre_feedforward_layernorm, post_feedforward_layernorm, q_norm, k_norm];
    let unbiased = [o_proj, &mlp.gate_proj, &mlp.up_proj, &mlp.down_proj];
    if mlp.gelu
        || norms.iter().any(|norm| norm.is_some())
        || unbiased.iter().any(|projection| projection.bias.is_some())
    {
        return None;
    }
    let weight = |projection: &Linear| HostTensor::of(projection.weight.val());
    let bias = |projection: &Linear| projection.bias.as_ref().and_then(|bias| HostTensor::of(bias.val()));
    let norm = |norm: &Norm| HostTensor::of(norm.weight.val()).filter(|_| !norm.from_one);
    let biases = match [q_proj, k_proj, v_proj].map(|projection| projection.bias.is_some()) {
        [false, false, false] => None,
        [true, true, true] => Some([bias(q_proj)?, bias(k_proj)?, bias(v_proj)?]),
        _ => return None,
    };
    Some(Parameters {
        attention_norm: norm(&layer.input_layernorm)?,
        q: weight(q_proj)?,
        k: weight(k_proj)?,
        v: weight(v_proj)?,
        biases,
        o: weight(o_proj)?,
        mlp_norm: norm(&layer.post_attention_layernorm)?,
        gate: weight(&mlp.gate_proj)?,
        up: weight(&mlp.up_proj)?,
        down: weight(&mlp.down_proj)?,
    })
}

/// A layer's, in the module's order.
fn in_order(of: Parameters<Vec<f32>>) -> impl Iterator<Item = Vec<f32>> {
    let Parameters { attention_norm, q, k, v, biases, o, mlp_norm, gate, up, down } = of;
    let [of_q, of_k, of_v] = biases.map_or([None, None, None], |biases| biases.map(Some));
    let attention = [Some(q), of_q, Some(k), of_k, Some(v), of_v, Some(o)];
    attention.into_iter().flatten().chain([gate, up, down, attention_norm, mlp_norm])
}

/// The reverse of [`in_order`]; empty ones where there are no more.
fn from_order(sums: &mut impl Iterator<Item = Vec<f32>>, biased: bool) -> Parameters<Vec<f32>> {
    let mut next = || sums.next().unwrap_or_default();
    let mut with_bias = || (next(), biased.then(&mut next));
    let [(q, of_q), (k, of_k), (v, of_v)] = [with_bias(), with_bias(), with_bias()];
    let biases = match (of_q, of_k, of_v) {
        (Some(q), Some(k), Some(v)) => Some([q, k, v]),
        _ => None,
    };
    let [o, gate, up, down, attention_norm, mlp_norm] = std::array::from_fn(|_| next());
    Parameters { attention_norm, q, k, v, biases, o, mlp_norm, gate, up, down }
}
