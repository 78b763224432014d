//! Thresholds of a row of logits without sorting it, and the token at which a running sum passes a number.
//!
//! Logits are compared by a key of 32 bits that orders as they do, so that the threshold at which a mass is reached
//! is found bit by bit.

use cubecl::prelude::*;

use crate::reduce::{team_sum, vector_total};
use crate::sample::Walk;

/// Sums that are added in a row.
const GROUP: usize = 32;

/// A number that orders as the logit does: -0 before 0, as in IEEE 754's total order.
#[cube]
pub(crate) fn key_of(logit: f32) -> u32 {
    let bits = u32::reinterpret(logit);
    select(bits >= 0x8000_0000, bits ^ 0xffff_ffff, bits ^ 0x8000_0000)
}

/// The logit with this key.
#[cube]
pub(crate) fn logit_of(key: u32) -> f32 {
    f32::reinterpret(select(key >= 0x8000_0000, key ^ 0x8000_0000, key ^ 0xffff_ffff))
}

/// `e^((z - top) * inverse_temperature)`.
#[cube]
pub(crate) fn weights<N: Size>(z: Vector<f32, N>, top: f32, inverse_temperature: f32) -> Vector<f32, N> {
    max((z - Vector::new(top)) * Vector::new(inverse_temperature), Vector::new(-1e30f32)).exp()
}

/// What of the tokens of a row is added up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Of {
    /// Their weights.
    Mass,
    /// Their number.
    Count,
}

/// The mass, or the number, of the tokens of a row whose keys reach each of some thresholds.
#[cube]
fn reaching<F: Float, N: Size>(
    logits: &[Vector<F, N>],
    start: usize,
    thresholds: &Array<u32>,
    sums: &mut Array<f32>,
    top: f32,
    inverse_temperature: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] of: Of,
    #[comptime] walk: Walk,
) {
    let many = thresholds.len();
    #[unroll]
    for t in 0..many {
        sums[t] = f32::new(0.0);
    }
    let mut column = UNIT_POS as usize;
    while column < walk.vectors {
        let z = Vector::<f32, N>::cast_from(logits[start + column]);
        let mut weight = Vector::<f32, N>::new(1.0f32);
        if comptime!(of == Of::Mass) {
            weight = weights(z, top, inverse_temperature);
        }
        #[unroll]
        for i in 0..N::value() {
            let key = key_of(z.extract(i));
            #[unroll]
            for t in 0..many {
                sums[t] += select(key >= thresholds[t], weight.extract(i), f32::new(0.0));
            }
        }
        column += walk.units;
    }
    #[unroll]
    for t in 0..many {
        sums[t] = team_sum(sums[t], scratch, comptime!(walk.units as u32), walk.plane);
    }
}

/// The mass of the tokens whose keys reach a threshold.
#[cube]
pub(crate) fn measure<F: Float, N: Size>(
    logits: &[Vector<F, N>],
    start: usize,
    threshold: u32,
    top: f32,
    inverse_temperature: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] walk: Walk,
) -> f32 {
    let mut thresholds = Array::<u32>::new(1usize);
    let mut sums = Array::<f32>::new(1usize);
    thresholds[0] = threshold;
    reaching(logits, start, &thresholds, &mut sums, top, inverse_temperature, scratch, Of::Mass, walk);
    sums[0]
}

/// The largest key such that the mass, or the number, of the tokens that reach it is at least `target`, or more than it.
#[cube]
pub(crate) fn above<F: Float, N: Size>(
    logits: &[Vector<F, N>],
    start: usize,
    target: f32,
    top: f32,
    inverse_temperature: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] strictly: bool,
    #[comptime] of: Of,
    #[comptime] walk: Walk,
) -> u32 {
    let mut found = 0u32;
    let mut thresholds = Array::<u32>::new(3usize);
    let mut sums = Array::<f32>::new(3usize);
    for digit in 0u32..16u32 {
        let shift = 30 - 2 * digit;
        #[unroll]
        for t in 0..3usize {
            thresholds[t] = found + (comptime!(t as u32 + 1) << shift);
        }
        reaching(logits, start, &thresholds, &mut sums, top, inverse_temperature, scratch, of, walk);
        let mut step = 0u32;
        #[unroll]
        for t in 0..3usize {
            let reached = if comptime!(strictly) { sums[t] > target } else { sums[t] >= target };
            step += u32::cast_from(reached);
        }
        found += step << shift;
    }
    found
}

/// The first token, in the order of ids, at which the running sum of weights passes `target`; the last with weight
/// where rounding keeps the sum below it. A token weighs its mass, or 1 if its key is `key` and else nothing.
#[cube]
pub(crate) fn find<F: Float, N: Size>(
    logits: &[Vector<F, N>],
    start: usize,
    target: f32,
    top: f32,
    inverse_temperature: f32,
    key: u32,
    pieces: &mut Shared<[f32]>,
    scratch: &mut Shared<[f32]>,
    #[comptime] by_key: bool,
    #[comptime] walk: Walk,
) -> u32 {
    // The sums of the pieces by mass are there already.
    if comptime!(by_key) {
        sync_cube();
        for piece in 0..comptime!(walk.pieces()) {
            let column = piece * walk.units + UNIT_POS as usize;
            let mut count = f32::new(0.0);
            if column < walk.vectors {
                let z = Vector::<f32, N>::cast_from(logits[start + column]);
                count = vector_total(equal(z, key));
            }
            let count = team_sum(count, scratch, comptime!(walk.units as u32), walk.plane);
            if UNIT_POS == 0 {
                pieces[piece] = count;
            }
        }
        sync_cube();
    }
    let mut rest = target;
    let chosen = pass(pieces, comptime!(walk.pieces()), &mut rest);
    let column = chosen * walk.units + UNIT_POS as usize;
    let mut weight = Vector::<f32, N>::new(0.0f32);
    if column < walk.vectors {
        let z = Vector::<f32, N>::cast_from(logits[start + column]);
        if comptime!(by_key) {
            weight = equal(z, key);
        } else {
            weight = weights(z, top, inverse_temperature);
        }
    }
    sync_cube();
    scratch[UNIT_POS as usize] = vector_total(weight);
    sync_cube();
    let unit = pass(scratch, walk.units, &mut rest);
    sync_cube();
    // The unit that holds the token says which it is.
    if UNIT_POS as usize == unit {
        let mut sum = f32::new(0.0);
        let mut place = 0u32;
        let mut passed = false;
        #[unroll]
        for i in 0..N::value() {
            let w = weight.extract(i);
            if !passed && w > 0.0 {
                sum += w;
                place = comptime!(i as u32).runtime();
                passed = sum > rest;
            }
        }
        scratch[0] = f32::cast_from((column * N::value()) as u32 + place);
    }
    sync_cube();
    let token = u32::cast_from(scratch[0]);
    sync_cube();
    token
}

/// 1 for each logit whose key is `key`, else 0.
#[cube]
fn equal<N: Size>(z: Vector<f32, N>, key: u32) -> Vector<f32, N> {
    let mut out = Vector::<f32, N>::new(0.0f32);
    #[unroll]
    for i in 0..N::value() {
        out.insert(i, select(key_of(z.extract(i)) == key, f32::new(1.0), f32::new(0.0)));
    }
    out
}

/// The first of `len` sums at which all up to it pass `rest`; the last that is more than zero where they never do.
/// `rest` becomes what is left of it at that sum. Groups of sums are passed first, so that few are added in a row.
#[cube]
fn pass(sums: &mut Shared<[f32]>, #[comptime] len: usize, rest: &mut f32) -> usize {
    let mut group = 0usize;
    let mut before = f32::new(0.0);
    let mut running = f32::new(0.0);
    let mut passed = false;
    for g in 0..comptime!(len.div_ceil(GROUP)) {
        let mut sum = f32::new(0.0);
        for i in g * GROUP..min((g + 1) * GROUP, len) {
            sum += sums[i];
        }
        if !passed && sum > 0.0 {
            group = g;
            before = running;
            running += sum;
            passed = running > *rest;
        }
    }
    let left = *rest - before;
    *rest = left;
    let mut found = group * GROUP;
    before = f32::new(0.0);
    running = f32::new(0.0);
    passed = false;
    for i in group * GROUP..min((group + 1) * GROUP, len) {
        let sum = sums[i];
        if !passed && sum > 0.0 {
            found = i;
            before = running;
            running += sum;
            passed = running > *rest;
        }
    }
    let left = *rest - before;
    *rest = left;
    found
}
