//! Products of a few rows with many lines, as decoding has them: a vector's lanes are the rows, and the lines'
//! numbers are broadcast from where they lie, so that each is read once and nothing of them is packed. Sums of the
//! lines, weighted by lane, likewise.

use pulp::Simd;

use super::element::Element;

/// Lines in memory: number k of line i is `data[i * line + k]`.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'a, E> {
    pub data: &'a [E],
    pub line: usize,
}

/// Numbers of a cache line.
const CACHE_LINE: usize = 16;
/// How many indices ahead numbers are asked for: far enough for main memory.
const AHEAD: usize = 64;

/// Asks for a number to be fetched into the nearest cache. It need not be there.
#[inline(always)]
fn ask_for<E>(data: &[E], index: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which faults on no address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(data.as_ptr().wrapping_add(index).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (data, index);
}

/// For each of `N` lines from `first` on, the sum over k of its number k times vectors k of `x`, to `sums`: what a
/// function returns would be added up in memory instead of registers.
///
/// # Panics
/// When the lines have fewer numbers than `x` vectors.
#[inline(always)]
pub(crate) fn products<S: Simd, E: Element, const N: usize, const VECTORS: usize>(
    simd: S,
    lines: Lines<E>,
    first: usize,
    x: &[[S::f32s; VECTORS]],
    sums: &mut [[S::f32s; VECTORS]; N],
) {
    let mut acc = [[simd.splat_f32s(0.0); VECTORS]; N];
    let last = x.len().saturating_sub(1);
    let data = &lines.data[first * lines.line..];
    assert!((N - 1) * lines.line + last < data.len(), "lines are too short");
    for (run, x) in x.chunks(CACHE_LINE).enumerate() {
        let from = run * CACHE_LINE;
        // After the end of these lines the next ones begin.
        let ahead = from + AHEAD;
        let (next, at) = if ahead <= last { (0, ahead) } else { (N, ahead - last - 1) };
        (0..N).for_each(|i| ask_for(data, (i + next) * lines.line + at));
        for (k, x) in x.iter().enumerate() {
            for (i, acc) in acc.iter_mut().enumerate() {
                // SAFETY: at most the index that was checked above.
                let number = unsafe { data.get_unchecked(i * lines.line + from + k) };
                let number = simd.splat_f32s(number.widen());
                for (acc, x) in acc.iter_mut().zip(x) {
                    *acc = simd.mul_add_e_f32s(number, *x, *acc);
                }
            }
        }
    }
    *sums = acc;
}

/// Calls `each(first, products)` for every line, several at a time, `products` in the order of the lines.
#[inline(always)]
pub(crate) fn for_all<S: Simd, E: Element, const VECTORS: usize>(
    simd: S,
    lines: Lines<E>,
    count: usize,
    x: &[[S::f32s; VECTORS]],
    mut each: impl FnMut(usize, &[[S::f32s; VECTORS]]),
) {
    // As many accumulators as leave registers for the vectors and a broadcast number.
    match (S::REGISTER_COUNT >= 32, VECTORS) {
        (true, 1) => some::<S, E, 16, VECTORS>(simd, lines, count, x, &mut each),
        (false, 1) => some::<S, E, 8, VECTORS>(simd, lines, count, x, &mut each),
        (true, 2 | 3) => some::<S, E, 8, VECTORS>(simd, lines, count, x, &mut each),
        (true, _) | (false, 2) => some::<S, E, 6, VECTORS>(simd, lines, count, x, &mut each),
        (false, 3) => some::<S, E, 4, VECTORS>(simd, lines, count, x, &mut each),
        (false, _) => some::<S, E, 2, VECTORS>(simd, lines, count, x, &mut each),
    }
}

#[inline(always)]
fn some<S: Simd, E: Element, const N: usize, const VECTORS: usize>(
    simd: S,
    lines: Lines<E>,
    count: usize,
    x: &[[S::f32s; VECTORS]],
    each: &mut impl FnMut(usize, &[[S::f32s; VECTORS]]),
) {
    let whole = count / N * N;
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; N];
    for first in (0..whole).step_by(N) {
        products::<S, E, N, VECTORS>(simd, lines, first, x, &mut sums);
        each(first, &sums);
    }
    for first in whole..count {
        let sums = sums.first_chunk_mut();
        if let Some(sums) = sums {
            products::<S, E, 1, VECTORS>(simd, lines, first, x, sums);
            each(first, sums);
        }
    }
}

/// Lines that are added up at a time: their numbers stay in the nearest cache while all parts of `sums` go by.
const BLOCK: usize = 32;

/// Adds line i times `weights[i]` for every i to `sums`, which has a vector for each number of a line.
///
/// # Panics
/// When there are fewer lines than weights, or they are shorter than `sums`.
#[inline(always)]
pub(crate) fn add_weighted<S: Simd, E: Element>(
    simd: S,
    lines: Lines<E>,
    weights: &[S::f32s],
    sums: &mut [S::f32s],
) {
    for (i, weights) in weights.chunks(BLOCK).enumerate() {
        let lines = Lines { data: &lines.data[i * BLOCK * lines.line..], ..lines };
        // As many accumulators as leave registers for a weight and a broadcast number.
        let sums = (0, &mut *sums);
        let sums =
            if S::REGISTER_COUNT >= 32 { add_parts::<S, E, 16>(simd, lines, weights, sums) } else { sums };
        let sums = add_parts::<S, E, 8>(simd, lines, weights, sums);
        add_parts::<S, E, 1>(simd, lines, weights, sums);
    }
}

/// [`add_weighted`] of a block of lines, of the numbers from `first` on, `N` at a time: gives those that are left.
#[inline(always)]
fn add_parts<'a, S: Simd, E: Element, const N: usize>(
    simd: S,
    lines: Lines<E>,
    weights: &[S::f32s],
    (first, sums): (usize, &'a mut [S::f32s]),
) -> (usize, &'a mut [S::f32s]) {
    let (parts, rest) = sums.as_chunks_mut::<N>();
    let whole = parts.len() * N;
    for (j, sums) in parts.iter_mut().enumerate() {
        add_part::<S, E, N>(simd, lines, first + j * N, weights, sums);
    }
    (first + whole, rest)
}

/// [`add_weighted`] of a block of lines, of the `N` numbers from `first` on.
#[inline(always)]
fn add_part<S: Simd, E: Element, const N: usize>(
    simd: S,
    lines: Lines<E>,
    first: usize,
    weights: &[S::f32s],
    sums: &mut [S::f32s; N],
) {
    let Some(last) = weights.len().checked_sub(1) else { return };
    let data = &lines.data[first..];
    assert!(last * lines.line + N <= data.len(), "lines are too short");
    let mut acc = *sums;
    for (i, weight) in weights.iter().enumerate() {
        ask_for(data, (i + BLOCK) * lines.line);
        for (j, acc) in acc.iter_mut().enumerate() {
            // SAFETY: at most the index that was checked above.
            let number = unsafe { data.get_unchecked(i * lines.line + j) };
            *acc = simd.mul_add_e_f32s(simd.splat_f32s(number.widen()), *weight, *acc);
        }
    }
    *sums = acc;
}

#[cfg(test)]
mod tests {
    use pulp::bytemuck::cast_slice;

    use super::*;

    fn check<S: Simd, const VECTORS: usize>(simd: S) {
        let (count, len, lanes) = (37, 19, VECTORS * S::F32_LANES);
        let number = |i: usize| (i * 53 % 97) as f32 - 48.0;
        let x: Vec<f32> = (0..len * lanes).map(number).collect();
        let data: Vec<f32> = (0..2000).map(number).collect();
        let lines = Lines { data: &data, line: 25 };
        let mut seen = 0;
        let columns = S::as_simd_f32s(&x).0.as_chunks::<VECTORS>().0;
        for_all(simd, lines, count, columns, |first, products| {
            assert_eq!(first, seen);
            seen += products.len();
            for (i, got) in cast_slice::<_, f32>(products.as_flattened()).iter().enumerate() {
                let (line, lane) = (first + i / lanes, i % lanes);
                // Whole numbers below 2^24: exact.
                let sum: f32 = (0..len).map(|k| data[line * 25 + k] * x[k * lanes + lane]).sum();
                assert_eq!(*got, sum, "line {line}, lane {lane} of {lanes}");
            }
        });
        assert_eq!(seen, count);
    }

    fn check_weighted<S: Simd>(simd: S) {
        let number = |i: usize| (i * 53 % 97) as f32 - 48.0;
        let (count, len, lanes) = (75, 25, S::F32_LANES);
        let (data, weights): (Vec<f32>, Vec<f32>) =
            ((0..count * 25).map(number).collect(), (0..count * lanes).map(number).collect());
        let mut sums = vec![1.0; len * lanes];
        let (weight_vectors, sum_vectors) = (S::as_simd_f32s(&weights).0, S::as_mut_simd_f32s(&mut sums).0);
        add_weighted(simd, Lines { data: &data, line: 25 }, weight_vectors, sum_vectors);
        for (i, got) in sums.iter().enumerate() {
            let (k, lane) = (i / lanes, i % lanes);
            let sum: f32 = (0..count).map(|line| data[line * 25 + k] * weights[line * lanes + lane]).sum();
            assert_eq!(*got, sum + 1.0, "number {k}, lane {lane} of {lanes}");
        }
    }

    fn with_all_vectors<S: Simd>(simd: S) {
        check::<S, 1>(simd);
        check::<S, 2>(simd);
        check::<S, 3>(simd);
        check::<S, 4>(simd);
        check_weighted(simd);
    }

    #[test]
    fn every_instruction_set_of_this_machine_gives_the_same() {
        with_all_vectors(pulp::Scalar::new());
        #[cfg(target_arch = "x86_64")]
        {
            pulp::x86::V3::try_new().into_iter().for_each(with_all_vectors);
            pulp::x86::V4::try_new().into_iter().for_each(with_all_vectors);
        }
    }
}
