//! Products of very few rows with many lines. A vector's lanes are the lines, whose numbers are turned in registers:
//! sums go over the same numbers in the same order as where the lanes are the rows, to the same bit.

use pulp::Simd;

use super::cache::LINE as CACHE_LINE;
use super::element::Factor;
use super::turn::{RUN, turned};

/// Blocks of lines that are computed beside each other, so that one's sums need not wait for themselves.
const BLOCKS: usize = 2;

/// Calls `each(first, sums)` for every `S::F32_LANES` lines, as long as there are so many: for each row the sums over k of
/// the lines' factor k times the row's. Gives how many lines that were.
#[inline(always)]
pub(crate) fn products<S: Simd, F: Factor, const ROWS: usize>(
    simd: S,
    lines: &[F],
    rows: [&[F]; ROWS],
    mut each: impl FnMut(usize, &[S::f32s; ROWS]),
) -> usize {
    let (width, lanes) = (rows[0].len(), S::F32_LANES);
    if !lanes.is_multiple_of(RUN) || width == 0 {
        return 0;
    }
    let mut sums = [[simd.splat_f32s(0.0); ROWS]; BLOCKS];
    let (both, one) = (BLOCKS * lanes * width, lanes * width);
    let mut done = 0;
    for lines in lines.chunks_exact(both) {
        of_blocks::<S, F, ROWS, BLOCKS>(simd, lines, rows, &mut sums);
        for (i, sums) in sums.iter().enumerate() {
            each(done + i * lanes, sums);
        }
        done += BLOCKS * lanes;
    }
    for lines in lines[done * width..].chunks_exact(one) {
        if let Some(sums) = sums.first_chunk_mut() {
            of_blocks::<S, F, ROWS, 1>(simd, lines, rows, sums);
            each(done, &sums[0]);
        }
        done += lanes;
    }
    done
}

/// The sums of whole blocks of lines.
#[inline(always)]
fn of_blocks<S: Simd, F: Factor, const ROWS: usize, const BLOCKS: usize>(
    simd: S,
    lines: &[F],
    rows: [&[F]; ROWS],
    sums: &mut [[S::f32s; ROWS]; BLOCKS],
) {
    let (width, lanes) = (rows[0].len(), S::F32_LANES);
    assert!(lines.len() == BLOCKS * lanes * width && rows.iter().all(|row| row.len() == width));
    let mut acc = [[simd.splat_f32s(0.0); ROWS]; BLOCKS];
    let whole = width / RUN * RUN;
    // All of a cache line at a time: lines whose distance is a multiple of a page drive each other out of the nearest
    // cache.
    for from in (0..whole).step_by(CACHE_LINE) {
        for (block, acc) in acc.iter_mut().enumerate() {
            let lines = &lines[block * lanes * width..];
            for k in (from..whole.min(from + CACHE_LINE)).step_by(RUN) {
                for (j, numbers) in turned::<S, F>(simd, &lines[k..], width).into_iter().enumerate() {
                    for (acc, row) in acc.iter_mut().zip(&rows) {
                        // SAFETY: below the rows' length, as was checked above.
                        let x = simd.splat_f32s(unsafe { row.get_unchecked(k + j) }.lane());
                        *acc = F::mul_add(simd, numbers, x, *acc);
                    }
                }
            }
        }
    }
    for k in whole..width {
        for (block, acc) in acc.iter_mut().enumerate() {
            let mut numbers = [0.0; super::element::MAX_LANES];
            let of_block = lines[block * lanes * width + k..].iter().step_by(width);
            numbers[..lanes].iter_mut().zip(of_block).for_each(|(number, factor)| *number = factor.lane());
            let numbers = S::as_simd_f32s(&numbers).0[0];
            for (acc, row) in acc.iter_mut().zip(&rows) {
                *acc = F::mul_add(simd, numbers, simd.splat_f32s(row[k].lane()), *acc);
            }
        }
    }
    *sums = acc;
}
