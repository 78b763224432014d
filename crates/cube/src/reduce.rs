//! Sums and maxima over the units of a team, in one fixed order.

use cubecl::prelude::*;

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
    let lanes = comptime!(if team < plane { team } else { plane });
    let mut sum = value;
    let steps = comptime!(lanes.ilog2());
    #[unroll]
    for step in 0..steps {
        sum += plane_shuffle_xor(sum, comptime!(1u32 << step));
    }
    if comptime!(team > lanes) {
        let first = UNIT_POS - UNIT_POS % team;
        sync_cube();
        scratch[UNIT_POS as usize] = sum;
        sync_cube();
        sum = f32::new(0.0);
        #[unroll(team / lanes <= 32)]
        for part in 0..comptime!(team / lanes) {
            sum += scratch[(first + part * lanes) as usize];
        }
    }
    sum
}

/// As [`team_sum`], the largest value.
#[cube]
pub(crate) fn team_max(
    value: f32,
    scratch: &mut Shared<[f32]>,
    #[comptime] team: u32,
    #[comptime] plane: u32,
) -> f32 {
    let lanes = comptime!(if team < plane { team } else { plane });
    let mut top = value;
    let steps = comptime!(lanes.ilog2());
    #[unroll]
    for step in 0..steps {
        top = max(top, plane_shuffle_xor(top, comptime!(1u32 << step)));
    }
    if comptime!(team > lanes) {
        let first = UNIT_POS - UNIT_POS % team;
        sync_cube();
        scratch[UNIT_POS as usize] = top;
        sync_cube();
        #[unroll(team / lanes <= 32)]
        for part in 0..comptime!(team / lanes) {
            top = max(top, scratch[(first + part * lanes) as usize]);
        }
    }
    top
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
