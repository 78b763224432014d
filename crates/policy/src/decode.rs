//! Decoding: prompts computed into a cache, and one new token for each of many sequences after that.

use burn::tensor::Tensor;
use toolrl_kernels::{
    CacheSpans, DecodeStep, Ids, Mirrored, NewRows, Packing, Projected, RopeTable, add_rms_norm, is_cpu,
    linear,
};

use crate::KvCache;
use crate::decoder::{Constants, Decoder};
use crate::layer::{Attention, Layer, Linear, Norm, times};

impl Decoder {
    /// Writes every layer's keys and values of a packed batch to the cache's rows `at`, one a token, and gives the
    /// final hidden state of each segment's last token. No segment is empty.
    ///
    /// # Shapes
    /// `tokens` has the packing's t ids, `at` as many rows; the result is `[segments, hidden]`.
    pub fn prefill(
        &self,
        tokens: Ids,
        packing: &Mirrored<Packing>,
        cache: &mut KvCache,
        at: Vec<usize>,
    ) -> Tensor<2> {
        let at = rows_of(at);
        let last: Vec<u32> = packing.segments().iter().map(|s| (s.start + s.len - 1) as u32).collect();
        let angles = self.angles(&packing.positions());
        self.run(self.embed(tokens), &angles, Some(&last.into()), |layer, q, k, v| {
            cache.write(layer, k.clone(), v.clone(), &at);
            self.constants.attention(layer, q, k, v, packing)
        })
    }

    /// The step of one new token a sequence. `spans[i]` are sequence i's cached rows, the new token's row last.
    pub fn decode_step(&self, tokens: Vec<u32>, spans: Vec<CacheSpans>) -> DecodeStep {
        let positions: Vec<usize> = spans.iter().map(|s| s.len() - 1).collect();
        let at = rows_of(spans.iter().map(|s| s.own.0 + s.own.1 - 1));
        DecodeStep { tokens: tokens.into(), table: self.table(&positions), at, spans: spans.into() }
    }

    /// The projections of every layer side by side, where that saves launches: on a GPU.
    pub fn joined_projections(&self) -> JoinedProjections {
        if is_cpu(&self.head().device()) {
            return JoinedProjections::default();
        }
        let joined =
            |(i, layer): (usize, &Layer)| layer.self_attn.joined().filter(|_| self.constants.rotates(i));
        JoinedProjections(self.model.layers.iter().enumerate().map(joined).collect())
    }

    /// Final hidden states of a step's s tokens, whose keys and values are written to the cache first. Layers that see a
    /// window look at the step's spans on the host, which a [`toolrl_kernels::StepGraph`] does not tell.
    ///
    /// # Shapes
    /// The result is `[s, hidden]`.
    pub fn decode(&self, step: &DecodeStep, joined: &JoinedProjections, cache: &mut KvCache) -> Tensor<2> {
        let Constants { heads, eps, multipliers, .. } = self.constants;
        let within = self.constants.window.as_ref().map(|window| (window, window.step(step)));
        let layers = &self.model.layers;
        let mut x = self.embed(step.tokens.clone());
        let Some(first) = layers.first() else { return self.normed(x) };
        let mut normed = first.input_layernorm.forward(x.clone(), eps);
        for (i, layer) in layers.iter().enumerate() {
            let step = within.as_ref().filter(|(window, _)| window.has(i)).map_or(step, |(_, step)| step);
            let q = if self.constants.rotates(i) {
                let new = layer.self_attn.new_rows(&normed, joined.of_layer(i), eps);
                cache.place(i, new, step, heads)
            } else {
                let [q, k, v] = layer.self_attn.projected(normed, eps);
                cache.write(i, k, v, &step.at);
                q
            };
            let q = times(q, multipliers.queries);
            let attended = cache.attend(i, q, step.spans.clone(), heads);
            let y = layer.after_attention(layer.self_attn.o_proj.forward(attended), &self.constants);
            [x, normed] = layer.before_mlp().of_sum(x, y, eps);
            let norm = layers.get(i + 1).map_or(&self.model.norm, |next| &next.input_layernorm);
            let y = layer.after_mlp(layer.mlp.decode(normed), &self.constants);
            [x, normed] = norm.of_sum(x, y, eps);
        }
        normed
    }

    /// The angles of the first positions, in layers that see all tokens.
    pub fn first_angles(&self, positions: usize) -> Mirrored<RopeTable> {
        self.table(&(0..positions).collect::<Vec<_>>())
    }
}

/// Rows of a cache, as the operations take them.
fn rows_of(at: impl IntoIterator<Item = usize>) -> Ids {
    Ids::new(at.into_iter().map(|row| row as u32).collect())
}

impl Norm {
    /// `x + y`, and that normalised.
    fn of_sum(&self, x: Tensor<2>, y: Tensor<2>, eps: f32) -> [Tensor<2>; 2] {
        add_rms_norm(x, y, self.factors(), eps)
    }
}

impl Attention {
    fn projections(&self) -> [&Linear; 3] {
        [&self.q_proj, &self.k_proj, &self.v_proj]
    }

    /// Whether nothing comes between a product and what [`KvCache::place`] does.
    fn is_plain(&self) -> bool {
        let all = self.projections();
        let biased = all.iter().filter(|projection| projection.bias.is_some()).count();
        let adapted = all.iter().any(|projection| projection.lora.is_some());
        biased % all.len() == 0 && !adapted && self.q_norm.is_none() && self.k_norm.is_none()
    }

    fn joined(&self) -> Option<Tensor<2>> {
        let weights = self.projections().map(|projection| projection.weight.val());
        self.is_plain().then(|| Tensor::cat(weights.to_vec(), 0))
    }

    /// What the projections give of normed tokens. Biases are left to be added where nothing comes between.
    fn new_rows(&self, x: &Tensor<2>, joined: Option<&Tensor<2>>, eps: f32) -> NewRows<Tensor<2>, Tensor<1>> {
        if !self.is_plain() {
            return NewRows { qkv: Projected::Apart(self.projected(x.clone(), eps)), biases: None };
        }
        let product = |weight: &Tensor<2>| linear(x.clone(), weight.clone());
        let qkv = match joined {
            Some(weight) => Projected::Joined(product(weight)),
            None => {
                let each = self.projections().map(|projection| product(&projection.weight.val()));
                Projected::Apart(each)
            }
        };
        let biases = match self.projections().map(|projection| projection.bias.as_ref()) {
            [Some(q), Some(k), Some(v)] => Some([q.val(), k.val(), v.val()]),
            _ => None,
        };
        NewRows { qkv, biases }
    }
}

/// The weights of every layer's queries, keys and values side by side, so that a decoding step multiplies once: a copy,
/// some twentieth of the weights. None of layers whose projections have adapters or norms of their own, or that do not
/// rotate.
#[derive(Clone, Debug, Default)]
pub struct JoinedProjections(Vec<Option<Tensor<2>>>);

impl JoinedProjections {
    fn of_layer(&self, layer: usize) -> Option<&Tensor<2>> {
        self.0.get(layer)?.as_ref()
    }
}
