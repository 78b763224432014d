//! Products of a few rows with many lines, as decoding has them: a vector's lanes are the rows, and the lines'
//! numbers are broadcast from where they lie, so that each is read once and nothing of them is packed. Sums of the
//! lines, weighted by lane, likewise.

use pulp::Simd;
use pulp::bytemuck::{cast_slice, cast_slice_mut};

use super::cache::{LINE as CACHE_LINE, ask_for};
use super::element::{Element, Factor};

/// Lines in memory: number k of line i is `data[i * line + k]`.
#[derive(Clone, Copy)]
pub struct Lines<'a, E> {
    pub data: &'a [E],
    pub line: usize,
}

/// How many indices ahead numbers are asked for: far enough for main memory.
const AHEAD: usize = 64;

/// For each of `N` lines from `first` on, the sum over k of its number k times vectors k of `x`, to `sums`: what a
/// function returns would be added up in memory instead of registers.
///
/// # Panics
/// When the lines have fewer numbers than `x` vectors.
#[inline(always)]
pub fn products<S: Simd, F: Factor, const N: usize, const VECTORS: usize>(
    simd: S,
    lines: Lines<F>,
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
        for i in 0..N {
            ask_for(data.as_ptr(), (i + next) * lines.line + at);
        }
        for (k, x) in x.iter().enumerate() {
            for (i, acc) in acc.iter_mut().enumerate() {
                // SAFETY: at most the index that was checked above.
                let number = unsafe { data.get_unchecked(i * lines.line + from + k) };
                let number = simd.splat_f32s(number.lane());
                for j in 0..VECTORS {
                    acc[j] = F::mul_add(simd, number, x[j], acc[j]);
                }
            }
        }
    }
    *sums = acc;
}

/// Calls `each(first, products)` for every line, several at a time, `products` in the order of the lines.
#[inline(always)]
pub fn for_all<S: Simd, F: Factor, const VECTORS: usize>(
    simd: S,
    lines: Lines<F>,
    count: usize,
    x: &[[S::f32s; VECTORS]],
    mut each: impl FnMut(usize, &[[S::f32s; VECTORS]]),
) {
    // As many accumulators as leave registers for the vectors and a broadcast number.
    match (S::REGISTER_COUNT >= 32, VECTORS) {
        (true, 1) => some::<S, F, 8, VECTORS>(simd, lines, count, x, &mut each),
        (false, 1) => some::<S, F, 8, VECTORS>(simd, lines, count, x, &mut each),
        (true, 2 | 3) => some::<S, F, 8, VECTORS>(simd, lines, count, x, &mut each),
        (true, _) | (false, 2) => some::<S, F, 6, VECTORS>(simd, lines, count, x, &mut each),
        (false, 3) => some::<S, F, 4, VECTORS>(simd, lines, count, x, &mut each),
        (false, _) => some::<S, F, 2, VECTORS>(simd, lines, count, x, &mut each),
    }
}

#[inline(always)]
fn some<S: Simd, F: Factor, const N: usize, const VECTORS: usize>(
    simd: S,
    lines: Lines<F>,
    count: usize,
    x: &[[S::f32s; VECTORS]],
    each: &mut impl FnMut(usize, &[[S::f32s; VECTORS]]),
) {
    let whole = count / N * N;
    let mut sums = [[simd.splat_f32s(0.0); VECTORS]; N];
    for first in (0..whole).step_by(N) {
        products::<S, F, N, VECTORS>(simd, lines, first, x, &mut sums);
        each(first, &sums);
    }
    for first in whole..count {
        let sums = sums.first_chunk_mut();
        if let Some(sums) = sums {
            products::<S, F, 1, VECTORS>(simd, lines, first, x, sums);
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
pub fn add_weighted<S: Simd, E: Element>(
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
        ask_for(data.as_ptr(), (i + BLOCK) * lines.line);
        for (j, acc) in acc.iter_mut().enumerate() {
            // SAFETY: at most the index that was checked above.
            let number = unsafe { data.get_unchecked(i * lines.line + j) };
            *acc = simd.mul_add_e_f32s(simd.splat_f32s(number.widen()), *weight, *acc);
        }
    }
    *sums = acc;
}

/// As [`add_weighted`] to the bit, where `sums` are zeros, of the first `few` lanes alone: a vector's lanes are numbers
/// of a line here, and a weight is broadcast. Does nothing, and says so, where that is not faster: for more than four
/// lanes, or lines whose numbers do not fill vectors.
///
/// # Panics
/// As [`add_weighted`].
#[inline(always)]
pub fn add_weighted_few<S: Simd, E: Element>(
    simd: S,
    lines: Lines<E>,
    weights: &[S::f32s],
    few: usize,
    sums: &mut [S::f32s],
) -> bool {
    if !sums.len().is_multiple_of(S::F32_LANES) {
        return false;
    }
    let few = few.min(S::F32_LANES);
    match few {
        1 => add_lanes::<S, E, 1>(simd, lines, weights, sums),
        2 => add_lanes::<S, E, 2>(simd, lines, weights, sums),
        3 => add_lanes::<S, E, 3>(simd, lines, weights, sums),
        4 => add_lanes::<S, E, 4>(simd, lines, weights, sums),
        _ => return false,
    }
    true
}

/// [`add_weighted_few`] of `FEW` lanes.
#[inline(always)]
fn add_lanes<S: Simd, E: Element, const FEW: usize>(
    simd: S,
    lines: Lines<E>,
    weights: &[S::f32s],
    sums: &mut [S::f32s],
) {
    let vectors = sums.len() / S::F32_LANES;
    // As many accumulators as leave registers for a line's numbers and a weight.
    let at_a_time = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
    let whole = vectors / at_a_time * at_a_time;
    for first in (0..whole).step_by(at_a_time) {
        match at_a_time {
            4 => add_vectors::<S, E, FEW, 4>(simd, lines, first, weights, sums),
            _ => add_vectors::<S, E, FEW, 2>(simd, lines, first, weights, sums),
        }
    }
    for first in whole..vectors {
        add_vectors::<S, E, FEW, 1>(simd, lines, first, weights, sums);
    }
}

/// [`add_weighted_few`] of `FEW` lanes, and of `N` vectors of each line, `first` and following.
#[inline(always)]
fn add_vectors<S: Simd, E: Element, const FEW: usize, const N: usize>(
    simd: S,
    lines: Lines<E>,
    first: usize,
    weights: &[S::f32s],
    sums: &mut [S::f32s],
) {
    let lanes = S::F32_LANES;
    let mut acc = [[simd.splat_f32s(0.0); N]; FEW];
    let mut numbers = [simd.splat_f32s(0.0); N];
    for (i, weights) in weights.iter().enumerate() {
        let weights: &[f32] = cast_slice(std::slice::from_ref(weights));
        let line = &lines.data[i * lines.line + first * lanes..];
        for j in 0..N {
            ask_for(line.as_ptr(), BLOCK * lines.line + j * lanes);
            numbers[j] = E::vector::<S>(&line[j * lanes..]);
        }
        for lane in 0..FEW {
            let weight = simd.splat_f32s(weights[lane]);
            for j in 0..N {
                acc[lane][j] = simd.mul_add_e_f32s(numbers[j], weight, acc[lane][j]);
            }
        }
    }
    let sums: &mut [f32] = cast_slice_mut(sums);
    for (lane, acc) in acc.iter().enumerate() {
        let of_lane = sums[first * lanes * lanes + lane..].iter_mut().step_by(lanes);
        of_lane.zip(cast_slice::<_, f32>(acc)).for_each(|(sum, number)| *sum = *number);
    }
}

#[cfg(test)]
mod tests {

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

    fn check_few<S: Simd>(simd: S) {
        // Numbers whose sums are rounded: the order of the additions shows.
        let number = |i: usize| 1.0 / (i as f32 + 1.5);
        let (count, lanes, line) = (75, S::F32_LANES, 100);
        let (data, weights): (Vec<f32>, Vec<f32>) =
            ((0..count * line).map(number).collect(), (0..count * lanes).map(number).collect());
        let (lines, weights) = (Lines { data: &data, line }, S::as_simd_f32s(&weights).0);
        for len in [lanes, 4 * lanes, 5 * lanes] {
            let (mut all, mut some) = (vec![0.0; len * lanes], vec![0.0; len * lanes]);
            add_weighted(simd, lines, weights, S::as_mut_simd_f32s(&mut all).0);
            let few = lanes.min(3);
            assert!(add_weighted_few(simd, lines, weights, few, S::as_mut_simd_f32s(&mut some).0));
            for (all, some) in all.chunks(lanes).zip(some.chunks(lanes)) {
                assert_eq!(all[..few], some[..few], "{len} numbers, {lanes} lanes");
            }
        }
        let mut odd = vec![0.0; (lanes + 1) * lanes];
        let fits = add_weighted_few(simd, lines, weights, 1, S::as_mut_simd_f32s(&mut odd).0);
        assert_eq!(fits, lanes == 1);
    }

    fn with_all_vectors<S: Simd>(simd: S) {
        check::<S, 1>(simd);
        check::<S, 2>(simd);
        check::<S, 3>(simd);
        check::<S, 4>(simd);
        check_weighted(simd);
        check_few(simd);
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
