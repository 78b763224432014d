//! Sums and maxima over the units of a team, in one fixed order.

use cubecl::prelude::*;

/// Parts of a team that each unit adds up by itself; more are added pairwise, half of them at a time.
const FEW: u32 = 32;

/// The sum of `value` over a team, for each of its units. All units of a workgroup must call this together.
///
/// Units of a plane exchange numbers directly; planes, and all units where `plane` is 1, by way of `scratch`, which
/// holds a number a unit. The order of the additions depends on `team` and `plane` alone.
#[cube]
pub(crate) fn team_sum(
    value: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] team: u32,
    #[comptime] plane: u32,
) -> f32 {
    reduce(value, scratch, team, plane, false)
}

/// As [`team_sum`], the largest value.
#[cube]
pub(crate) fn team_max(
    value: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] team: u32,
    #[comptime] plane: u32,
) -> f32 {
    reduce(value, scratch, team, plane, true)
}

#[cube]
fn join(a: f32, b: f32, #[comptime] largest: bool) -> f32 {
    if comptime!(largest) { max(a, b) } else { a + b }
}

#[cube]
fn reduce(
    value: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] team: u32,
    #[comptime] plane: u32,
    #[comptime] largest: bool,
) -> f32 {
    let lanes = comptime!(if team < plane { team } else { plane });
    let parts = comptime!(team / lanes);
    let mut result = value;
    #[unroll]
    for step in 0..comptime!(lanes.ilog2()) {
        result = join(result, plane_shuffle_xor(result, comptime!(1u32 << step)), largest);
    }
    if comptime!(parts > 1) {
        let first = UNIT_POS - UNIT_POS % team;
        sync_cube();
        scratch[UNIT_POS as usize] = result;
        sync_cube();
        if comptime!(parts <= FEW) {
            result = scratch[first as usize];
            #[unroll]
            for part in 1..parts {
                result = join(result, scratch[(first + comptime!(part * lanes)) as usize], largest);
            }
        } else {
            #[unroll]
            for step in 1..comptime!(parts.ilog2() + 1) {
                let half = comptime!((parts >> step) * lanes);
                if UNIT_POS - first < half {
                    let other = scratch[(UNIT_POS + half) as usize];
                    scratch[UNIT_POS as usize] = join(scratch[UNIT_POS as usize], other, largest);
                }
                sync_cube();
            }
            result = scratch[first as usize];
        }
    }
    result
}

/// The sum of a vector's numbers.
#[cube]
pub(crate) fn vector_total<N: Size>(vector: Vector<f32, N>) -> f32 {
    let mut sum = vector.extract(0usize);
    #[unroll]
    for i in 1..N::value() {
        sum += vector.extract(i);
    }
    sum
}
