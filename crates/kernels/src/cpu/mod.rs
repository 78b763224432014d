//! The CPU's kernels, on plain slices: no tensors here.

pub(crate) mod attention;
pub(crate) mod attention_grad;
pub(crate) mod bias;
pub(crate) mod broadcast;
pub(crate) mod categorical;
pub(crate) mod checksum;
pub(crate) mod decode;
pub(crate) mod element;
pub(crate) mod embedding;
pub(crate) mod gemm;
pub(crate) mod head;
pub(crate) mod math;
pub(crate) mod norm;
pub(crate) mod rope;
pub(crate) mod skinny;
pub(crate) mod swiglu;
pub(crate) mod team;
