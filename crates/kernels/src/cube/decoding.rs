//! What a decoding step does in fewer kernels than one an operation.

use burn::backend::{BackendTensor, DispatchAutodiffContext, DispatchTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::Buffer;

use super::tensor::{buffer, contiguous, fits, like, stored, tensor, writable};
use super::upload;
use crate::{DecodeStep, Heads, NewRows, Projected};

/// The backend's tensor, where a tensor is this one's and has no gradient.
pub(super) fn lower<const D: usize>(t: Tensor<D>) -> Option<CubeTensor> {
    match t.into_dispatch().kind {
        DispatchTensorKind::Cube(BackendTensor::Float(t)) => Some(t),
        _ => None,
    }
}

/// As [`lower`]. Like burn's own operations, these panic on tensors of several devices.
pub(super) fn lowered<const D: usize>(t: Tensor<D>) -> CubeTensor {
    contiguous(lower(t).unwrap_or_else(|| panic!("the tensors of an operation should be on one device")))
}

/// Whether a tensor is one of this backend without a gradient.
pub(crate) fn holds<const D: usize>(t: &Tensor<D>) -> bool {
    lower(t.clone()).is_some()
}

/// What a tensor says of gradients, for [`raised`].
pub(super) fn context<const D: usize>(of: &Tensor<D>) -> DispatchAutodiffContext {
    of.clone().into_dispatch().autodiff
}

/// A tensor of the public kind.
pub(super) fn raised<const D: usize>(t: CubeTensor, context: DispatchAutodiffContext) -> Tensor<D> {
    let kind = DispatchTensorKind::Cube(BackendTensor::Float(t));
    Tensor::from_dispatch(DispatchTensor { kind, autodiff: context })
}

/// See [`crate::add_rms_norm`].
pub(crate) fn add_rms_norm(x: Tensor<2>, y: Tensor<2>, weight: Tensor<1>, eps: f32) -> [Tensor<2>; 2] {
    let context = context(&x);
    let (x, weight) = (lowered(x), lowered(weight));
    let y = stored(lowered(y), x.dtype);
    let both = toolrl_cube::add_rms_norm(&x.client, [&buffer(&x), &buffer(&y)], &buffer(&weight), eps);
    fits(both).map(|result| raised(like(&x, &result), context))
}

/// See [`crate::place`].
pub(crate) fn place(
    new: NewRows,
    caches: [Tensor<2>; 2],
    step: &DecodeStep,
    heads: Heads,
) -> (Tensor<2>, [Tensor<2>; 2]) {
    let biases = new.biases.map(|biases| biases.map(lowered));
    let biases = biases.as_ref().map(|biases| biases.each_ref().map(buffer));
    let context = context(&caches[0]);
    let tensors = match new.qkv {
        Projected::Apart(qkv) => qkv.map(lowered).to_vec(),
        Projected::Joined(all) => vec![lowered(all)],
    };
    let first = &tensors[0];
    let buffers: Vec<Buffer> = tensors.iter().map(buffer).collect();
    let (table, at) = (upload::angles(&step.table, first), upload::places(&step.at, first));
    let new = toolrl_cube::NewRows {
        qkv: match buffers.as_slice() {
            [q, k, v] => toolrl_cube::Projected::Apart([q, k, v]),
            all => toolrl_cube::Projected::Joined(&all[0]),
        },
        biases: biases.as_ref().map(|biases| biases.each_ref()),
        table: &table,
        at: &at,
    };
    let caches = caches.map(|cache| writable(lowered(cache)));
    let into = caches.each_ref().map(buffer);
    let q = fits(toolrl_cube::place(&first.client, &new, into.each_ref(), upload::sizes(heads)));
    let q = tensor(first, &q, [at.len(), heads.query * heads.dim]);
    (raised(q, context), caches.map(|cache| raised(cache, context)))
}
