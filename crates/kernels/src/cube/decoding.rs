//! What a decoding step does in fewer kernels than one an operation.

use burn::backend::{BackendTensor, DispatchTensor, DispatchTensorKind};
use burn::tensor::Tensor;
use burn_cubecl::tensor::CubeTensor;

use super::tensor::{buffer, contiguous, fits, like, stored, writable};
use super::upload;
use crate::{DecodeStep, Heads, NewRows};

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

/// A tensor with the context of another.
pub(super) fn raised<const D: usize>(t: CubeTensor, of: &Tensor<D>) -> Tensor<D> {
    let autodiff = of.clone().into_dispatch().autodiff;
    Tensor::from_dispatch(DispatchTensor {
        kind: DispatchTensorKind::Cube(BackendTensor::Float(t)),
        autodiff,
    })
}

/// See [`crate::add_rms_norm`].
pub(crate) fn add_rms_norm(x: Tensor<2>, y: Tensor<2>, weight: Tensor<1>, eps: f32) -> [Tensor<2>; 2] {
    let of = x.clone();
    let (x, weight) = (lowered(x), lowered(weight));
    let y = stored(lowered(y), x.dtype);
    let both = toolrl_cube::add_rms_norm(&x.client, [&buffer(&x), &buffer(&y)], &buffer(&weight), eps);
    fits(both).map(|result| raised(like(&x, &result), &of))
}

/// See [`crate::place`].
pub(crate) fn place(
    new: NewRows,
    caches: [Tensor<2>; 2],
    step: &DecodeStep,
    heads: Heads,
) -> (Tensor<2>, [Tensor<2>; 2]) {
    let of = new.qkv[0].clone();
    let (qkv, biases) = (new.qkv.map(lowered), new.biases.map(|biases| biases.map(lowered)));
    let caches = caches.map(|cache| writable(lowered(cache)));
    let client = &qkv[0].client;
    let buffers = qkv.each_ref().map(buffer);
    let biases = biases.as_ref().map(|biases| biases.each_ref().map(buffer));
    let (table, at) = (upload::angles(&step.table, &qkv[0]), upload::places(&step.at, &qkv[0]));
    let new = toolrl_cube::NewRows {
        qkv: buffers.each_ref(),
        biases: biases.as_ref().map(|biases| biases.each_ref()),
        table: &table,
        at: &at,
    };
    let into = caches.each_ref().map(buffer);
    let q = fits(toolrl_cube::place(client, &new, into.each_ref(), upload::sizes(heads)));
    (raised(like(&qkv[0], &q), &of), caches.map(|cache| raised(cache, &of)))
}
