//! CPU kernels of a decoder's training and decoding, on plain slices.
//!
//! Invariant: no result depends on the number of threads; on each set of vector instructions ([`Isa`]) every fast path
//! is held against a plain loop. No tensor library, no file.
//!
//! Arithmetic and sums are in f32; numbers are stored as f32 or bf16 ([`numbers`]). Shapes that do not fit each other
//! panic: the caller builds them from one configuration.

mod amx;
pub mod attention;
pub mod attention_grad;
pub mod bias;
mod broadcast;
mod cache;
pub mod categorical;
pub mod checksum;
pub mod decode;
pub mod element;
pub mod embedding;
mod few;
pub mod gemm;
pub mod head;
mod isa;
pub mod layer;
mod math;
pub mod norm;
pub mod numbers;
pub mod peak;
pub mod rope;
pub mod skinny;
pub mod swiglu;
pub mod team;
mod turn;

pub use isa::{Isa, NotHere};
