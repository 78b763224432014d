//! What the machine's arithmetic could give: multiply-adds of registers alone, which no product can be faster than.

use pulp::{Simd, WithSimd};

use super::element::{Factor, Pair};
use super::isa::Isa;

/// Sums that do not wait for each other: enough for two units that take four turns each, and few enough for 16 registers.
const SUMS: usize = 12;

/// Multiplies and adds in registers so often, with the current vector instructions, and gives how many operations that
/// were: two for each number that is multiplied and added.
pub fn multiply_adds(turns: u64) -> u64 {
    f32::dispatch(Turns::<f32>(turns, std::marker::PhantomData))
}

/// As [`multiply_adds`], by the vector instructions for bf16 where there are some; tiles give more.
pub fn multiply_adds_of_bf16(turns: u64) -> Option<u64> {
    let turns = Turns::<Pair>(turns, std::marker::PhantomData);
    Isa::current().multiplies_bf16().then(|| 2 * Pair::dispatch(turns))
}

struct Turns<F>(u64, std::marker::PhantomData<F>);

impl<F: Factor> WithSimd for Turns<F> {
    type Output = u64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> u64 {
        let [a, b] = [0.5, 0.25].map(|x| simd.splat_f32s(std::hint::black_box(x)));
        let mut sums = [simd.splat_f32s(0.0); SUMS];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = F::mul_add(simd, a, b, *sum);
            }
        }
        std::hint::black_box(sums);
        self.0 * (2 * SUMS * S::F32_LANES) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_counted() {
        let lanes = multiply_adds(1) / (2 * SUMS as u64);
        assert!([1, 4, 8, 16].contains(&lanes), "{lanes} lanes");
        assert_eq!(multiply_adds(10), 20 * SUMS as u64 * lanes);
        assert!(multiply_adds_of_bf16(10).is_none_or(|operations| operations == 40 * SUMS as u64 * lanes));
    }
}
