//! GPU kernels of a decoder's training and decoding in CubeCL, for any of its runtimes; and in CUDA C++, which CubeCL
//! launches, what NVIDIA's tensor cores multiply.
//!
//! Invariant: every kernel stands beside a plain reference, and a test that runs on any runtime holds its results
//! against that reference. No result depends on the order in which units happen to run.
//!
//! Shapes are named by axis suffixes: `t` packed tokens, `n` chosen rows, `v` vocabulary, `i` features, `s`
//! sequences, `c` cached rows. Rows are contiguous.
//!
//! Numbers are stored as `Dtype` says. Arithmetic and sums are in f32; a result is stored as the first operand is,
//! unless its function says otherwise. Functions enqueue their work and return; failures of the device show when
//! results are read. Sizes are checked; indices in device memory are not, and one outside is undefined behaviour
//! unless its function says that it is left out.
//!
//! Empty unless built with feature `gpu`, or one of the runtimes' (`cuda`, `wgpu`), which imply it.

#![cfg(feature = "gpu")]

mod adamw;
mod attention;
mod buffer;
mod checksum;
mod cuda;
mod embedding;
mod error;
mod head;
mod launch;
mod norm;
mod place;
mod product;
mod record;
mod reduce;
mod rope;
mod rows;
mod sample;
mod search;
mod swiglu;

pub use adamw::{adamw_step, norm};
pub use attention::{Attention, DecodePlan, PackedLayout, attention, attention_grad, decode_attention};
pub use buffer::{Buffer, Dtype, Indices, Runs};
pub use checksum::checksums;
pub use embedding::{GatherOrder, gather_rows, gather_rows_grad};
pub use error::CubeError;
pub use head::{RowStats, logprob_entropy, logprob_entropy_grad};
pub use norm::{add_rms_norm, rms_norm, rms_norm_grad};
pub use place::place;
pub use product::{Matrix, ProductKind, gated_product, product, product_kinds};
pub use record::Recording;
pub use rope::{Angles, rope};
pub use rows::{add_row, sum_rows, write_rows};
pub use sample::{Drawn, sample};
pub use swiglu::{swiglu, swiglu_grad};
