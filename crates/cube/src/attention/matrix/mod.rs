//! Attention on matrix units (tensor cores): the same tiles and the same running softmax, with products of fragments
//! that a plane holds. Numbers are multiplied as they are stored, in 16 bits; sums are f32.
//!
//! Probabilities, and gradients by scores, are rounded to 16 bits before they are multiplied, as in FlashAttention.

pub(crate) mod by_key;
pub(crate) mod by_query;
pub(crate) mod forward;
mod fragments;
mod tile;

pub(crate) use tile::MatrixTiles;
