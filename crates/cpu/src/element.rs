//! How numbers are stored: f32, or bf16 that is widened where it is read and rounded where it is
//! written. Arithmetic is in f32 throughout.

use half::bf16;
use pulp::bytemuck::cast;
use pulp::{Simd, WithSimd};

use super::isa::{arch, dispatch_pairs};
use super::math::vectorized;
use super::team::parts;

/// A stored number.
pub trait Element: Copy + Default + Send + Sync {
    /// As f32, exactly.
    fn widen(self) -> f32;

    /// The nearest to a number, ties to even.
    fn round(x: f32) -> Self;

    /// Numbers as f32: in `space`, which has room for them, unless they are so.
    fn wide<'a>(numbers: &'a [Self], space: &'a mut [f32]) -> &'a [f32];

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
    fn wide<'a>(numbers: &'a [Self], _: &'a mut [f32]) -> &'a [f32] {
        numbers
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

    #[inline(always)]
    fn wide<'a>(numbers: &'a [Self], space: &'a mut [f32]) -> &'a [f32] {
        let space = &mut space[..numbers.len()];
        for (wide, number) in space.iter_mut().zip(numbers) {
            *wide = number.widen();
        }
        space
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
        #[cfg(target_arch = "aarch64")]
        if const { size_of::<S::f32s>() == 16 } {
            use std::arch::aarch64::float32x4_t;
            // SAFETY: vectors of one size, any bits of which are numbers; the instruction is there, as above, and has no
            // effect but its result.
            unsafe {
                let [a, b, mut sum] =
                    [a, b, sum].map(|x| std::mem::transmute_copy::<S::f32s, float32x4_t>(&x));
                std::arch::asm!(
                    ".arch_extension bf16",
                    "bfdot {sum:v}.4s, {a:v}.8h, {b:v}.8h",
                    sum = inout(vreg) sum,
                    a = in(vreg) a,
                    b = in(vreg) b,
                    options(pure, nomem, nostack, preserves_flags)
                );
                return std::mem::transmute_copy(&sum);
            }
        }
        let _ = (a, b);
        unreachable!("products of pairs on vectors of {} bytes: {sum:?}", size_of::<S::f32s>())
    }

    fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
        dispatch_pairs(op)
    }
}

/// Numbers that a task takes.
pub(crate) const CHUNK: usize = 1 << 14;

/// Widens every number of `from`.
pub(crate) fn widen_into(from: &[bf16], to: &mut [f32]) {
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

/// Rounds every number of `from`.
pub(crate) fn narrow_into(from: &[f32], to: &mut [bf16]) {
    vectorized(
        #[inline(always)]
        || {
            for (to, &from) in to.iter_mut().zip(from) {
                *to = bf16::round(from);
            }
        },
    );
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
