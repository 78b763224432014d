//! A whole layer of a decoder in training: attention and gated feed-forward, each with its norm before it.
//!
//! It keeps what the backward pass cannot make again by cheap arithmetic alone: norms and SwiGLU are computed twice, which
//! saves a third of the activations. Gradients of weights are added to those of earlier batches by the products that
//! make them. What comes forward is, to the bit, what the layer's operations give one by one. With weights and input in
//! bf16 the operands of products are in bf16, and gradients between operations in f32.

mod backward;
mod forward;

use std::ops::Range;

use super::numbers::Numbers;
use toolrl_layout::{Heads, Packing, RopeTable};

pub use backward::backward;
pub use forward::forward;

/// One of each of a layer's parameters. A matrix is `[outputs, inputs]`.
#[derive(Clone, Debug, Default)]
pub struct Parameters<T> {
    /// Of the norm before attention.
    pub attention_norm: T,
    /// Queries.
    pub q: T,
    /// Keys.
    pub k: T,
    /// Values.
    pub v: T,
    /// What is added to each of these three, where anything is.
    pub biases: Option<[T; 3]>,
    /// Attention's output.
    pub o: T,
    /// Of the norm before the feed-forward.
    pub mlp_norm: T,
    /// The feed-forward's gate.
    pub gate: T,
    /// What the gate multiplies.
    pub up: T,
    /// The feed-forward's output.
    pub down: T,
}

impl<T> Parameters<T> {
    /// All of them, in the order of the fields.
    pub fn all(&self) -> Vec<&T> {
        let Self { attention_norm, q, k, v, biases, o, mlp_norm, gate, up, down } = self;
        let biases = biases.iter().flatten();
        [attention_norm, q, k, v].into_iter().chain(biases).chain([o, mlp_norm, gate, up, down]).collect()
    }

    /// The same of every parameter.
    pub fn map<'a, U>(&'a self, mut change: impl FnMut(&'a T) -> U) -> Parameters<U> {
        Parameters {
            attention_norm: change(&self.attention_norm),
            q: change(&self.q),
            k: change(&self.k),
            v: change(&self.v),
            biases: self.biases.as_ref().map(|biases| biases.each_ref().map(&mut change)),
            o: change(&self.o),
            mlp_norm: change(&self.mlp_norm),
            gate: change(&self.gate),
            up: change(&self.up),
            down: change(&self.down),
        }
    }
}

/// What a layer is told beside numbers.
#[derive(Clone, Copy)]
pub struct Batch<'a> {
    /// Which tokens see which.
    pub packing: &'a Packing,
    /// The angles of every token.
    pub table: &'a RopeTable,
    /// Where named, the only rows of which anything is computed after attention.
    pub rows: Option<&'a [u32]>,
    /// The heads' sizes.
    pub heads: Heads,
    /// Added to a mean square before its root is taken.
    pub eps: f32,
}

/// What the backward pass needs of a layer's forward pass, stored as the layer's input is: a row a token, and of the last
/// three a row a row of [`Batch::rows`], where those are named.
#[derive(Clone, Debug, Default)]
pub struct Activations {
    /// The layer's input.
    pub x: Numbers,
    /// Queries, keys, rotated, and values.
    pub q: Numbers,
    /// As `q`.
    pub k: Numbers,
    /// As `q`.
    pub v: Numbers,
    /// Attention's result.
    pub attended: Numbers,
    /// Logarithm of each query's sum of exponentials, in f32.
    pub log_sum: Numbers,
    /// The input of the norm before the feed-forward.
    pub middle: Numbers,
    /// The feed-forward's gate.
    pub gate: Numbers,
    /// What the gate multiplies.
    pub up: Numbers,
}

#[cfg(test)]
impl Activations {
    /// All of them, in the order of the fields.
    fn all(&self) -> [&Numbers; 9] {
        let Self { x, q, k, v, attended, log_sum, middle, gate, up } = self;
        [x, q, k, v, attended, log_sum, middle, gate, up]
    }
}

/// Activations of a run of a batch's rows, whole segments of it, that are there already.
#[derive(Clone, Debug)]
pub struct Run {
    /// The rows.
    pub rows: Range<usize>,
    /// Their activations, as the same batch would give them.
    pub activations: Activations,
}

#[cfg(test)]
mod tests;
