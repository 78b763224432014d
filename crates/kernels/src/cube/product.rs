//! Products of matrices: by `toolrl-cube`'s kernels where the device has tensor cores for them, by burn's elsewhere.

use burn::backend::TensorMetadata;
use burn::tensor::{DType, Tensor};
use burn_cubecl::kernel::cast;
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{Buffer, Matrix, ProductKind, product_kinds};

use super::decoding::{context, lower, raised};
use super::tensor::{fits, storage, tensor, transposed};
use crate::Product;

/// `a * b`, stored as `dtype`, on tensor cores where the operands are bf16 and the device has them. Operands that are
/// stored differently are both rounded to the shorter.
pub(super) fn product(a: CubeTensor, b: CubeTensor, dtype: DType) -> CubeTensor {
    let (a, b) = alike(a, b);
    match ours(&a, &b, dtype, None) {
        Some(product) => product,
        None => burns(a, b, dtype),
    }
}

/// See [`crate::linear_kernels`].
pub(crate) fn linear_kernels(x_ti: &Tensor<2>, weight_oi: &Tensor<2>) -> Vec<(String, Product)> {
    let (Some(x), Some(weight)) = (lower(x_ti.clone()), lower(weight_oi.clone())) else { return Vec::new() };
    let dtype = x.dtype;
    let (a, b) = alike(x, transposed(weight));
    let of = x_ti.clone();
    let mut kernels: Vec<(String, Product)> = Vec::new();
    let kinds = matrix(&a).zip(matrix(&b)).map_or_else(Vec::new, |(x, y)| product_kinds(&a.client, &x, &y));
    for kind in kinds {
        let (a, b, of) = (a.clone(), b.clone(), of.clone());
        let run = move || {
            let product = ours(&a, &b, dtype, Some(kind));
            raised(product.unwrap_or_else(|| burns(a.clone(), b.clone(), dtype)), context(&of))
        };
        kernels.push((format!("{kind:?}").to_lowercase(), Box::new(run)));
    }
    kernels.push((
        "burn".to_owned(),
        Box::new(move || raised(burns(a.clone(), b.clone(), dtype), context(&of))),
    ));
    kernels
}

/// See [`crate::gated_linear`]; `None` where there is no such kernel.
pub(crate) fn gated_linear(x_ti: &Tensor<2>, gate_oi: &Tensor<2>, up_oi: &Tensor<2>) -> Option<Tensor<2>> {
    let [x, gate, up] = [lower(x_ti.clone())?, lower(gate_oi.clone())?, lower(up_oi.clone())?];
    let [a, gate, up] = [matrix(&x)?, matrix(&transposed(gate))?, matrix(&transposed(up))?];
    let out = fits(toolrl_cube::gated_product(&x.client, &a, &gate, &up))?;
    Some(raised(tensor(&x, &out, [a.rows, gate.columns]), context(x_ti)))
}

fn alike(a: CubeTensor, b: CubeTensor) -> (CubeTensor, CubeTensor) {
    let shorter = if a.dtype.size() <= b.dtype.size() { a.dtype } else { b.dtype };
    (cast(a, shorter), cast(b, shorter))
}

fn ours(a: &CubeTensor, b: &CubeTensor, dtype: DType, kind: Option<ProductKind>) -> Option<CubeTensor> {
    let (x, y) = (matrix(a)?, matrix(b)?);
    let out = fits(toolrl_cube::product(&a.client, &x, &y, storage(dtype), kind))?;
    Some(tensor(a, &out, [x.rows, y.columns]))
}

/// A tensor as it lies in memory; none where its lines have gaps between their numbers, or do not begin where 16 bytes
/// can be copied.
fn matrix(t: &CubeTensor) -> Option<Matrix> {
    let ([rows, columns], [down, along]) = (two(t.shape().as_slice())?, two(t.meta.strides())?);
    let transposed = along != 1;
    let (lines, width, stride) = if transposed { (columns, rows, along) } else { (rows, columns, down) };
    let near = if transposed { down } else { along };
    let stride = if lines == 1 { width } else { stride };
    let begins = t.handle.offset_start.unwrap_or(0);
    if near != 1 || stride < width || !begins.is_multiple_of(16) {
        return None;
    }
    let len = lines.saturating_sub(1) * stride + width;
    Some(Matrix {
        buffer: Buffer::new(t.handle.clone(), len, storage(t.dtype)),
        rows,
        columns,
        stride,
        transposed,
    })
}

fn two<T: Copy>(values: &[T]) -> Option<[T; 2]> {
    values.try_into().ok()
}

/// By burn's kernels (cubek). One for all shapes, not burn's choice by measurement. Of the candidates that its tuner has
/// for bf16, some ask for tiles of more than the 256 rows that Hopper's copies take, which fails the measurement of the
/// others too, and some are a megabyte of source, each of which keeps NVIDIA's compiler busy for minutes.
fn burns(a: CubeTensor, b: CubeTensor, dtype: DType) -> CubeTensor {
    let shape = [a.shape()[0], b.shape()[1]];
    let out = empty_device_contiguous_dtype(a.client.clone(), a.device.clone(), shape.into(), dtype);
    matmul(a, b, Some(out), MatmulStrategy::Cube, dtype)
        .unwrap_or_else(|error| panic!("no kernel for a product of {shape:?}: {error:?}"))
}
