//! Burn's CPU tensors as slices, and slices as tensors: f32 as they are, bf16 widened and rounded.

use std::borrow::Cow;

use burn::tensor::{Bytes, DType, Shape};
use burn_flex::{FlexTensor, Layout};
use half::bf16;

use toolrl_cpu::element::{narrow, widen};
use toolrl_cpu::numbers::{Floats, Numbers};

/// The last dimension: how wide a row is.
pub(super) fn width(t: &FlexTensor) -> usize {
    t.layout().shape().as_slice().last().copied().unwrap_or(1)
}

pub(super) fn rows(t: &FlexTensor) -> usize {
    t.layout().num_elements() / width(t).max(1)
}

/// A contiguous tensor's elements as f32.
pub(super) fn floats(t: &FlexTensor) -> Cow<'_, [f32]> {
    match t.dtype() {
        DType::BF16 => widen(t.storage::<bf16>()).into(),
        _ => t.storage::<f32>().into(),
    }
}

/// A contiguous tensor's elements as they are stored.
pub(crate) fn stored(t: &FlexTensor) -> Floats<'_> {
    match t.dtype() {
        DType::BF16 => Floats::Bf16(t.storage()),
        _ => Floats::F32(t.storage()),
    }
}

/// A tensor of f32.
pub(super) fn tensor(values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::F32)
}

/// A tensor whose elements are stored as `of` stores its own.
pub(super) fn stored_as(of: &FlexTensor, values: Vec<f32>, shape: impl Into<Shape>) -> FlexTensor {
    match of.dtype() {
        DType::BF16 => bf16_tensor(narrow(&values), shape),
        _ => tensor(values, shape),
    }
}

/// As [`stored_as`], with the same shape as well.
pub(super) fn like(values: Vec<f32>, of: &FlexTensor) -> FlexTensor {
    stored_as(of, values, of.layout().shape().clone())
}

/// A tensor shaped as `of`, with its numbers stored as they are.
pub(super) fn of_numbers(numbers: Numbers, of: &FlexTensor) -> FlexTensor {
    let shape = of.layout().shape().clone();
    match numbers {
        Numbers::F32(values) => tensor(values, shape),
        Numbers::Bf16(values) => bf16_tensor(values, shape),
    }
}

/// A contiguous tensor with its elements stored as `dtype`.
pub(super) fn cast(t: FlexTensor, dtype: DType) -> FlexTensor {
    let (t, shape) = (t.to_contiguous(), t.layout().shape().clone());
    match (t.dtype(), dtype) {
        (DType::BF16, DType::F32) => tensor(floats(&t).into_owned(), shape),
        (DType::F32, DType::BF16) => bf16_tensor(narrow(t.storage::<f32>()), shape),
        _ => t,
    }
}

/// A tensor of bf16.
pub(super) fn bf16_tensor(values: Vec<bf16>, shape: impl Into<Shape>) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(shape.into()), DType::BF16)
}
