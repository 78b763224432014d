//! The decoder: embedding, layers of attention and feed-forward, final norm, head.
//!
//! The fields bear the names of Hugging Face's tensors, so that a parameter's path is its name there.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::{FloatDType, Tensor};
use half::bf16;
use toolrl_kernels::{Heads, Ids, Mirrored, Packing, RopeTable, embedding, linear};

use crate::layer::{Layer, Linear, Norm, times};
use crate::rope::Rope;
use crate::window::{Angles, Window};
use crate::{ModelConfig, Multipliers, Precision};

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
