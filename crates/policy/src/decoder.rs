//! The decoder: embedding, layers of attention and feed-forward, final norm, head.
//!
//! The fields bear the names of Hugging Face's tensors, so that a parameter's path is its name there.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{Device, FloatDType, Tensor};
use half::bf16;
use toolrl_kernels::{
    Heads, Ids, Mirrored, Packing, RopeTable, add_row, embedding, gated_linear, linear, rms_norm, rope,
    swiglu,
};

use crate::geglu::geglu;
use crate::lora::Lora;
use crate::rope::Rope;
use crate::window::{Angles, Window};
use crate::{ModelConfig, Multipliers, Precision};

/// A weight with an optional bias and an optional adapter.
#[derive(Module, Debug)]
pub(crate) struct Linear {
    /// `[out, in]`.
    pub weight: Param<Tensor<2>>,
    /// `[out]`.
    pub bias: Option<Param<Tensor<1>>>,
    /// Trained in the weight's stead, where there is one.
    pub lora: Option<Lora>,
}

impl Linear {
    /// With weight and bias 0.
    pub(crate) fn zeros(inputs: usize, outputs: usize, precision: Precision, device: &Device) -> Self {
        let weight = precision.tensor(vec![0.0; outputs * inputs], [outputs, inputs], device);
        let bias = precision.tensor(vec![0.0; outputs], [outputs], device);
        Self { weight: Param::from_tensor(weight), bias: Some(Param::from_tensor(bias)), lora: None }
    }

    pub(crate) fn forward(&self, x_ti: Tensor<2>) -> Tensor<2> {
        let y = linear(x_ti.clone(), self.weight.val());
        let y = match &self.bias {
            Some(bias) => add_row(y, bias.val()),
            None => y,
        };
        match &self.lora {
            Some(lora) => y + lora.forward(x_ti),
            None => y,
        }
    }
}

/// The weight of an RMSNorm.
#[derive(Module, Debug)]
pub(crate) struct Norm {
    pub weight: Param<Tensor<1>>,
    /// Whether 1 is added to it, as in Gemma.
    #[module(skip)]
    pub from_one: bool,
}

impl Norm {
    pub(crate) fn forward(&self, x_ti: Tensor<2>, eps: f32) -> Tensor<2> {
        rms_norm(x_ti, self.factors(), eps)
    }

    /// What normalised numbers are multiplied by. The sum with 1 is made in f32, as it has few digits in bf16.
    pub(crate) fn factors(&self) -> Tensor<1> {
        let weight = self.weight.val();
        if self.from_one { weight.cast(FloatDType::F32) + 1.0 } else { weight }
    }
}

/// Grouped-query attention's projections.
#[derive(Module, Debug)]
pub(crate) struct Attention {
    pub q_proj: Linear,
    pub k_proj: Linear,
    pub v_proj: Linear,
    pub o_proj: Linear,
    /// Qwen3 and Gemma 3 alone.
    pub q_norm: Option<Norm>,
    pub k_norm: Option<Norm>,
}

/// The gated feed-forward layer.
#[derive(Module, Debug)]
pub(crate) struct Mlp {
    pub gate_proj: Linear,
    pub up_proj: Linear,
    pub down_proj: Linear,
    /// Whether the gate is GELU and not SiLU.
    #[module(skip)]
    pub gelu: bool,
}

/// One layer.
#[derive(Module, Debug)]
pub(crate) struct Layer {
    pub self_attn: Attention,
    pub mlp: Mlp,
    pub input_layernorm: Norm,
    /// Before the feed-forward; in Gemma 3 what it says, and what follows is around the feed-forward.
    pub post_attention_layernorm: Norm,
    pub pre_feedforward_layernorm: Option<Norm>,
    pub post_feedforward_layernorm: Option<Norm>,
}

/// The embedding table, `[vocabulary, hidden]`.
#[derive(Module, Debug)]
pub(crate) struct Embedding {
    pub weight: Param<Tensor<2>>,
}

/// Everything but the head.
#[derive(Module, Debug)]
pub(crate) struct Backbone {
    pub embed_tokens: Embedding,
    pub layers: Vec<Layer>,
    pub norm: Norm,
}

/// What a forward pass needs beside the parameters.
#[derive(Clone, Debug)]
pub(crate) struct Constants {
    pub heads: Heads,
    pub eps: f32,
    pub rope: Arc<Rope>,
    /// The layers that do not rotate.
    without_rope: Arc<[usize]>,
    pub window: Option<Arc<Window>>,
    pub multipliers: Multipliers,
}

impl Constants {
    pub(crate) fn new(config: &ModelConfig) -> Self {
        Self {
            heads: config.heads,
            eps: config.rms_norm_eps,
            rope: Arc::new(Rope::new(config)),
            without_rope: config.without_rope.clone().into(),
            window: config.sliding.as_ref().map(|sliding| Arc::new(Window::new(sliding, config))),
            multipliers: config.multipliers,
        }
    }

    /// Whether a layer rotates queries and keys.
    pub(crate) fn rotates(&self, layer: usize) -> bool {
        !self.without_rope.contains(&layer)
    }

    /// The angles of a layer, where it rotates.
    pub(crate) fn table<'a>(&self, layer: usize, angles: &'a Angles) -> Option<&'a Mirrored<RopeTable>> {
        let slides = self.window.as_ref().is_some_and(|window| window.has(layer));
        let table = angles.sliding.as_ref().filter(|_| slides).unwrap_or(&angles.full);
        Some(table).filter(|_| self.rotates(layer))
    }
}

/// A decoder-only transformer.
#[derive(Module, Debug)]
pub struct Decoder {
    pub(crate) model: Backbone,
    /// Absent where the head is the embedding table.
    pub(crate) lm_head: Option<Embedding>,
    /// A critic's head, one number a token; absent in a policy.
    pub(crate) score: Option<Linear>,
    #[module(skip)]
    pub(crate) constants: Constants,
}

impl Decoder {
    /// Final hidden states of a packed batch, after the last norm: what the head multiplies.
    ///
    /// # Shapes
    /// `tokens` has the packing's t ids; the result is `[t, hidden]`.
    pub fn hidden(&self, tokens: Ids, packing: &Mirrored<Packing>) -> Tensor<2> {
        self.hidden_of(self.embed(tokens), packing, None)
    }

    /// As [`Decoder::hidden`], given the tokens' embeddings; where `rows` are named, of those alone.
    pub(crate) fn hidden_of(
        &self,
        x: Tensor<2>,
        packing: &Mirrored<Packing>,
        rows: Option<&Ids>,
    ) -> Tensor<2> {
        let angles = self.angles(&packing.positions());
        self.run(x, &angles, rows, |layer, q, k, v| self.constants.attention(layer, q, k, v, packing))
    }

    /// The tokens' embeddings.
    pub(crate) fn embed(&self, tokens: Ids) -> Tensor<2> {
        let rows = embedding(self.model.embed_tokens.weight.val(), tokens);
        times(rows, self.embedding_factor())
    }

    /// What embeddings are multiplied by.
    pub(crate) fn embedding_factor(&self) -> f32 {
        let Multipliers { embedding, rounded_embedding, .. } = self.constants.multipliers;
        let narrow = rounded_embedding && Precision::of(&self.head()) == Precision::Bf16;
        if narrow { bf16::from_f32(embedding).to_f32() } else { embedding }
    }

    /// The head's weight, `[vocabulary, hidden]`.
    pub fn head(&self) -> Tensor<2> {
        self.lm_head.as_ref().unwrap_or(&self.model.embed_tokens).weight.val()
    }

    /// Logits of hidden states, in f32: `[n, hidden]` to `[n, vocabulary]`.
    pub fn logits(&self, hidden_ni: Tensor<2>) -> Tensor<2> {
        linear(times(hidden_ni.cast(FloatDType::F32), self.constants.multipliers.logits), self.head())
    }

    /// The one forward pass: `attend(layer, q, k, v)` says how tokens see each other. Of the tokens that are not among
    /// `rows`, nothing is computed after the last layer's attention.
    pub(crate) fn run(
        &self,
        mut x: Tensor<2>,
        angles: &Angles,
        rows: Option<&Ids>,
        mut attend: impl FnMut(usize, Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        for (i, layer) in self.model.layers.iter().enumerate() {
            let rows = rows.filter(|_| self.is_last(i));
            let table = self.constants.table(i, angles);
            x = layer.forward(x, table, &self.constants, rows, |q, k, v| attend(i, q, k, v));
        }
        self.normed(x)
    }

    /// Whether no layer follows this one.
    pub(crate) fn is_last(&self, layer: usize) -> bool {
        layer + 1 == self.model.layers.len()
    }

    /// The angles of tokens at these positions, in each kind of layers.
    pub(crate) fn angles(&self, positions: &[usize]) -> Angles {
        let sliding = self.constants.window.as_ref();
        Angles { full: self.table(positions), sliding: sliding.map(|window| window.table(positions)) }
    }

    /// The angles of tokens at these positions, in layers that see all tokens.
    pub(crate) fn table(&self, positions: &[usize]) -> Mirrored<RopeTable> {
        Mirrored::new(self.constants.rope.table(positions))
    }

    /// The last norm.
    pub(crate) fn normed(&self, x: Tensor<2>) -> Tensor<2> {
        self.model.norm.forward(x, self.constants.eps)
    }
}

impl Layer {
    /// `attend(q, k, v)` says how tokens see each other. The result is of `rows` alone, where they are named: the
    /// other tokens only have keys and values then. Without a table nothing is rotated.
    pub(crate) fn forward(
        &self,
        x: Tensor<2>,
        table: Option<&Mirrored<RopeTable>>,
        c: &Constants,
        rows: Option<&Ids>,
        attend: impl FnOnce(Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let normed = self.input_layernorm.forward(x.clone(), c.eps);
        let (q, k, v) = self.self_attn.project(normed, table, c);
        let of_rows = |x: Tensor<2>| match rows {
            Some(rows) => rows_of(x, rows),
            None => x,
        };
        let attended = of_rows(attend(q, k, v));
        let x = of_rows(x) + self.after_attention(self.self_attn.o_proj.forward(attended), c);
        let normed = self.before_mlp().forward(x.clone(), c.eps);
        x + self.after_mlp(self.mlp.forward(normed), c)
    }

    /// The norm before the feed-forward.
    pub(crate) fn before_mlp(&self) -> &Norm {
        self.pre_feedforward_layernorm.as_ref().unwrap_or(&self.post_attention_layernorm)
    }

    /// What attention's output adds to the residual stream.
    pub(crate) fn after_attention(&self, y: Tensor<2>, c: &Constants) -> Tensor<2> {
        match &self.pre_feedforward_layernorm {
            Some(_) => self.post_attention_layernorm.forward(y, c.eps),
            None => times(y, c.multipliers.residual),
        }
    }

    /// What the feed-forward's output adds to it.
    pub(crate) fn after_mlp(&self, y: Tensor<2>, c: &Constants) -> Tensor<2> {
        match &self.post_feedforward_layernorm {
            Some(norm) => norm.forward(y, c.eps),
            None => times(y, c.multipliers.residual),
        }
    }
}

/// Some rows, whose gradient is stored as they are. (That of a table's rows is f32.)
fn rows_of(x_ti: Tensor<2>, rows: &Ids) -> Tensor<2> {
    let stored = FloatDType::from(x_ti.dtype());
    embedding(x_ti.cast(FloatDType::F32), rows.clone()).cast(stored)
}

/// `x` times a factor, as it is where that is 1. The product is made in f32, as a factor in bf16 would be another.
pub(crate) fn times(x: Tensor<2>, factor: f32) -> Tensor<2> {
    if factor == 1.0 {
        return x;
    }
    let stored = FloatDType::from(x.dtype());
    (x.cast(FloatDType::F32) * factor).cast(stored)
}

impl Attention {
    /// Queries, keys and values, rotated where there is a table.
    fn project(
        &self,
        x: Tensor<2>,
        table: Option<&Mirrored<RopeTable>>,
        c: &Constants,
    ) -> (Tensor<2>, Tensor<2>, Tensor<2>) {
        let [q, k, v] = self.projected(x, c.eps);
        let rotated = |x: Tensor<2>, heads| match table {
            Some(table) => rope(x, table.clone(), heads),
            None => x,
        };
        (times(rotated(q, c.heads.query), c.multipliers.queries), rotated(k, c.heads.kv), v)
    }

    /// Queries, keys and values before they are rotated.
    pub(crate) fn projected(&self, x: Tensor<2>, eps: f32) -> [Tensor<2>; 3] {
        let normed = |x: Tensor<2>, norm: &Option<Norm>| match norm {
            Some(norm) => norm.forward(x, eps),
            None => x,
        };
        let q = normed(self.q_proj.forward(x.clone()), &self.q_norm);
        let k = normed(self.k_proj.forward(x.clone()), &self.k_norm);
        [q, k, self.v_proj.forward(x)]
    }
}

impl Mlp {
    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let (gate, up) = (self.gate_proj.forward(x.clone()), self.up_proj.forward(x));
        self.down_proj.forward(if self.gelu { geglu(gate, up) } else { swiglu(gate, up) })
    }

    /// As [`Self::forward`], of a decoding step's few tokens.
    pub(crate) fn decode(&self, x: Tensor<2>) -> Tensor<2> {
        let plain = |projection: &Linear| projection.bias.is_none() && projection.lora.is_none();
        if self.gelu || !plain(&self.gate_proj) || !plain(&self.up_proj) {
            return self.forward(x);
        }
        self.down_proj.forward(gated_linear(x, self.gate_proj.weight.val(), self.up_proj.weight.val()))
    }
}
