//! How numbers are stored: f32, or bf16 that is widened where it is read and rounded where it is
//! written. Arithmetic is in f32 throughout.

use std::borrow::Cow;
use std::ops::Range;

use half::bf16;
use pulp::bytemuck::cast;
use pulp::{Simd, WithSimd};

use super::embedding::gather;
use super::isa::{arch, dispatch_pairs};
use super::math::vectorized;
use super::team::{for_each_chunk, parts};

/// A stored number.
pub trait Element: Copy + Default + Send + Sync {
    /// As f32, exactly.
    fn widen(self) -> f32;

    /// The nearest to a number, ties to even.
    fn round(x: f32) -> Self;

    /// A vector of the first numbers, of which there are enough.
    #[inline(always)]
    fn vector<S: Simd>(numbers: &[Self]) -> S::f32s {
        let mut wide = [0.0; MAX_LANES];
        wide.iter_mut().zip(&numbers[..S::F32_LANES]).for_each(|(wide, number)| *wide = number.widen());
        S::as_simd_f32s(&wide).0[0]
    }
}

/// Most numbers that a vector has on any machine.
pub(crate) const MAX_LANES: usize = 16;

impl Element for f32 {
    #[inline(always)]
    fn widen(self) -> f32 {
        self
    }

    #[inline(always)]
    fn round(x: f32) -> Self {
        x
    }

    #[inline(always)]
    fn vector<S: Simd>(numbers: &[Self]) -> S::f32s {
        S::as_simd_f32s(numbers).0[0]
    }
}

impl Element for bf16 {
    #[inline(always)]
    fn widen(self) -> f32 {
        f32::from_bits(u32::from(self.to_bits()) << 16)
    }

    /// A NaN stays one. Without a branch, so that it vectorises.
    #[inline(always)]
    fn round(x: f32) -> Self {
        let bits = x.to_bits();
        // Adding just under half of the last place kept, and that place's own bit, carries into it as rounding does.
        let rounded = bits.wrapping_add(0x7fff + ((bits >> 16) & 1)) >> 16;
        let quiet = (bits >> 16) | 0x40;
        Self::from_bits(if x.is_nan() { quiet } else { rounded } as u16)
    }
}

/// What the inner loop of a product takes from each operand: a number, or two that stand side by side in memory.
pub(crate) trait Factor: Copy + Send + Sync {
    /// What fills a lane.
    fn lane(self) -> f32;

    /// `a * b + sum` in every lane.
    fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, sum: S::f32s) -> S::f32s;

    /// Runs `op` on vectors that can do so.
    fn dispatch<Op: WithSimd>(op: Op) -> Op::Output;
}

impl<E: Element> Factor for E {
    #[inline(always)]
    fn lane(self) -> f32 {
        self.widen()
    }

    #[inline(always)]
    fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, sum: S::f32s) -> S::f32s {
        simd.mul_add_e_f32s(a, b, sum)
    }

    fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
        arch().dispatch(op)
    }
}

/// Two numbers of a row, in the 32 bits of a lane.
pub(crate) type Pair = [bf16; 2];

impl Factor for Pair {
    #[inline(always)]
    fn lane(self) -> f32 {
        cast(self.map(bf16::to_bits))
    }

    /// Of the vectors that [`dispatch_pairs`] has.
    #[inline(always)]
    fn mul_add<S: Simd>(_: S, a: S::f32s, b: S::f32s, sum: S::f32s) -> S::f32s {
        #[cfg(target_arch = "x86_64")]
        if const { size_of::<S::f32s>() == 64 } {
            use std::arch::x86_64::{__m512, __m512bh, _mm512_dpbf16_ps};
            // SAFETY: vectors of one size, any bits of which are numbers; the instructions are there, as above.
            unsafe {
                let [a, b] = [a, b].map(|x| std::mem::transmute_copy::<S::f32s, __m512bh>(&x));
                let sum = std::mem::transmute_copy::<S::f32s, __m512>(&sum);
                return std::mem::transmute_copy(&_mm512_dpbf16_ps(sum, a, b));
            }
        }
        let _ = (a, b);
        unreachable!("products of pairs on vectors of {} bytes: {sum:?}", size_of::<S::f32s>())
    }

    fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
        dispatch_pairs(op)
    }
}

/// Elements a task takes.
const CHUNK: usize = 1 << 14;

/// Widens every number of `from`.
pub fn widen_into(from: &[bf16], to: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (to, from) in to.iter_mut().zip(from) {
                *to = from.widen();
            }
        },
    );
}

/// All numbers as f32.
pub fn widen(from: &[bf16]) -> Vec<f32> {
    let [to] = parts([(from.len(), CHUNK)], |i, [to]| widen_into(&from[i * CHUNK..], to));
    to
}

/// All numbers rounded to bf16.
pub fn narrow(from: &[f32]) -> Vec<bf16> {
    let [to] = parts([(from.len(), CHUNK)], |i, [to]| narrow_into(&from[i * CHUNK..], to));
    to
}

fn narrow_into(from: &[f32], to: &mut [bf16]) {
    vectorized(
        #[inline(always)]
        || {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = bf16::round(from);
            }
        },
    );
}

/// Numbers of f32 as a product with `other` takes them: themselves, or rounded to bf16 where the others are that.
pub(crate) fn operand<'a>(values: &'a [f32], other: Floats, rounded: &'a mut Vec<bf16>) -> Floats<'a> {
    match other {
        Floats::F32(_) => Floats::F32(values),
        Floats::Bf16(_) => {
            rounded.resize(values.len(), bf16::ZERO);
            for_each_chunk(rounded, CHUNK, |i, to| narrow_into(&values[i * CHUNK..], to));
            Floats::Bf16(rounded)
        }
    }
}

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

    /// A copy.
    pub fn to_numbers(self) -> Numbers {
        match self {
            Self::F32(values) => values.to_vec().into(),
            Self::Bf16(values) => values.to_vec().into(),
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
    pub fn narrow(self) -> Cow<'a, [bf16]> {
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
    pub fn stored_as(values: Vec<f32>, other: Floats) -> Self {
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

    /// One after the other, as the first of which there are any are stored.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_is_that_of_the_half_crate() {
        // Every bf16 with the four neighbourhoods of its last place: below, at, and above a tie.
        for high in 0..=u16::MAX {
            for low in [0, 1, 0x7fff, 0x8000, 0x8001, 0xffff] {
                let x = f32::from_bits(u32::from(high) << 16 | low);
                let (ours, theirs) = (<bf16 as Element>::round(x), bf16::from_f32(x));
                assert!(ours == theirs && ours.to_bits() == theirs.to_bits() || x.is_nan() && ours.is_nan());
            }
        }
    }

    #[test]
    fn widening_is_exact_and_rounding_gives_it_back() {
        let values: Vec<bf16> = (0..700_000).map(|i| bf16::from_bits((i * 7 % 30_000) as u16)).collect();
        let wide = widen(&values);
        assert!(wide.iter().zip(&values).all(|(w, v)| *w == v.to_f32()));
        assert_eq!(narrow(&wide), values);
    }
}
