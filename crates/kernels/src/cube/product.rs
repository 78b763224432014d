//! Products of matrices: by `toolrl-cube`'s kernels where the device has tensor cores for them, by burn's elsewhere.

use burn::backend::TensorMetadata;
use burn::tensor::DType;
use burn_cubecl::kernel::cast;
use burn_cubecl::kernel::matmul::{MatmulStrategy, matmul};
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::tensor::CubeTensor;
use toolrl_cube::{Buffer, Matrix, ProductKind, product_kinds};

use super::tensor::{fits, storage, tensor, transposed};

/// `a * b`, stored as `dtype`, on tensor cores where the operands are bf16 and the device has them. Operands that are
/// stored differently are both rounded to the shorter.
pub(super) fn product(a: CubeTensor, b: CubeTensor, dtype: DType) -> CubeTensor {
    let (a, b) = alike(a, b);
    match ours(&a, &b, dtype, None) {
        Some(product) => product,
        None => burns(a, b, dtype),
    }
}

/// The kernels that compute `a * b`, the one that is taken first.
pub(super) fn kernels(a: CubeTensor, b: CubeTensor) -> Vec<String> {
    let (a, b) = alike(a, b);
    let names = kinds(&a, &b).into_iter().map(|kind| format!("{kind:?}").to_lowercase());
    names.chain(["burn".to_owned()]).collect()
}

/// As [`product`], by the kernel with this place among [`kernels`].
pub(super) fn by_kernel(a: CubeTensor, b: CubeTensor, dtype: DType, kernel: usize) -> CubeTensor {
    let (a, b) = alike(a, b);
    let kind = kinds(&a, &b).get(kernel).copied();
    kind.and_then(|kind| ours(&a, &b, dtype, Some(kind))).unwrap_or_else(|| burns(a, b, dtype))
}

fn kinds(a: &CubeTensor, b: &CubeTensor) -> Vec<ProductKind> {
    matrix(a).zip(matrix(b)).map_or_else(Vec::new, |(x, y)| product_kinds(&a.client, &x, &y))
}

/// See [`crate::gated_linear`]; `None` where there is no such kernel.
pub(super) fn gated(x: &CubeTensor, gate: &CubeTensor, up: &CubeTensor) -> Option<CubeTensor> {
    let [gate, up] = [gate, up].map(|weight| matrix(&transposed(weight.clone())));
    let (a, gate, up) = (matrix(x)?, gate?, up?);
    let out = fits(toolrl_cube::gated_product(&x.client, &a, &gate, &up))?;
    Some(tensor(x, &out, [a.rows, gate.columns]))
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
