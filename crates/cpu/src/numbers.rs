//! Runs of numbers whose storage is known when the program runs: f32 or bf16.

use std::borrow::Cow;
use std::ops::Range;

use half::bf16;

use super::element::{CHUNK, Element, narrow, narrow_into, widen, widen_into};
use super::embedding::gather;
use super::gemm::Threads;
use super::isa::Isa;
use super::math::vectorized;
use super::team::for_each_chunk;

/// Numbers as they are stored.
#[derive(Clone, Copy)]
pub enum Floats<'a> {
    /// In single precision.
    F32(&'a [f32]),
    /// In half of that, with its exponents.
    Bf16(&'a [bf16]),
}

impl Floats<'_> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::F32(values) => values.len(),
            Self::Bf16(values) => values.len(),
        }
    }

    /// The rows `ids` of a matrix of `width` columns.
    pub(crate) fn rows(self, ids: &[u32], width: usize) -> Numbers {
        match self {
            Self::F32(values) => gather(values, ids, width).into(),
            Self::Bf16(values) => gather(values, ids, width).into(),
        }
    }
}

impl<'a> Floats<'a> {
    /// Those from `first` on.
    pub(crate) fn from(self, first: usize) -> Self {
        match self {
            Self::F32(values) => Self::F32(&values[first..]),
            Self::Bf16(values) => Self::Bf16(&values[first..]),
        }
    }

    /// The first so many, and the others.
    pub(crate) fn split_at(self, first: usize) -> (Self, Self) {
        (self.of(0..first), self.from(first))
    }

    /// Those of a range.
    pub(crate) fn of(self, range: Range<usize>) -> Self {
        match self {
            Self::F32(values) => Self::F32(&values[range]),
            Self::Bf16(values) => Self::Bf16(&values[range]),
        }
    }

    /// Widened, to as many.
    pub(crate) fn copy_to(self, to: &mut [f32]) {
        match self {
            Self::F32(values) => to.copy_from_slice(values),
            Self::Bf16(values) => widen_into(values, to),
        }
    }

    /// As f32: themselves where they are stored so.
    pub fn wide(self) -> Cow<'a, [f32]> {
        match self {
            Self::F32(values) => values.into(),
            Self::Bf16(values) => widen(values).into(),
        }
    }

    /// As bf16: themselves where they are stored so, the nearest where they are not.
    pub(crate) fn narrow(self) -> Cow<'a, [bf16]> {
        match self {
            Self::F32(values) => narrow(values).into(),
            Self::Bf16(values) => values.into(),
        }
    }
}

/// Numbers of one's own, as they are stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Numbers {
    /// In single precision.
    F32(Vec<f32>),
    /// In half of that, with its exponents.
    Bf16(Vec<bf16>),
}

impl Default for Numbers {
    fn default() -> Self {
        Self::F32(Vec::new())
    }
}

impl From<Vec<f32>> for Numbers {
    fn from(values: Vec<f32>) -> Self {
        Self::F32(values)
    }
}

impl From<Vec<bf16>> for Numbers {
    fn from(values: Vec<bf16>) -> Self {
        Self::Bf16(values)
    }
}

impl Numbers {
    /// Stored as `other` are, the nearest where that is in less.
    pub(crate) fn stored_as(values: Vec<f32>, other: Floats) -> Self {
        match other {
            Floats::F32(_) => values.into(),
            Floats::Bf16(_) => narrow(&values).into(),
        }
    }

    /// To be read.
    pub fn floats(&self) -> Floats<'_> {
        match self {
            Self::F32(values) => Floats::F32(values),
            Self::Bf16(values) => Floats::Bf16(values),
        }
    }

    /// As f32.
    pub fn wide(self) -> Vec<f32> {
        match self {
            Self::F32(values) => values,
            Self::Bf16(values) => widen(&values),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.floats().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One after the other, all stored as the first are of which there are any.
    pub(crate) fn concat(all: &[Floats]) -> Self {
        match all.iter().find(|of| of.len() > 0) {
            Some(Floats::Bf16(_)) => all.iter().map(|of| of.narrow()).collect::<Vec<_>>().concat().into(),
            _ => all.iter().map(|of| of.wide()).collect::<Vec<_>>().concat().into(),
        }
    }

    /// Each the nearest to its sum with another.
    pub fn add(&mut self, more: Floats) {
        match self {
            Self::F32(to) => add(to, &more.wide()),
            Self::Bf16(to) => add(to, &more.narrow()),
        }
    }
}

/// Numbers of f32 as a product with `other` takes them: rounded to bf16 where both are multiplied as such, and themselves
/// where they are not.
pub(crate) fn operand<'a>(
    values: &'a [f32],
    other: Floats,
    rounded: &'a mut Vec<bf16>,
    threads: Threads,
) -> Floats<'a> {
    if !matches!(other, Floats::Bf16(_)) || !Isa::current().multiplies_bf16() {
        return Floats::F32(values);
    }
    rounded.resize(values.len(), bf16::ZERO);
    match threads {
        Threads::One => narrow_into(values, rounded),
        Threads::All => for_each_chunk(rounded, CHUNK, |i, to| narrow_into(&values[i * CHUNK..], to)),
    }
    Floats::Bf16(rounded)
}

/// `to += more`.
pub(crate) fn add<E: Element>(to: &mut [E], more: &[E]) {
    for_each_chunk(to, CHUNK, |i, to| {
        vectorized(
            #[inline(always)]
            || {
                for (to, more) in to.iter_mut().zip(&more[i * CHUNK..]) {
                    *to = E::round(to.widen() + more.widen());
                }
            },
        );
    });
}
