//! The forward pass on matrix units.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::super::stage::{block_start, load_keys, load_queries, query_block};
use super::fragments::{add_products, products, scale_rows, write_rows, zeros};
use super::tile::{MatrixTile, Side};
use crate::reduce::{team_max, team_sum};

/// By how much a row's highest score may be above the one that its weights are relative to, before its sums are scaled
/// down (FlashAttention-4 does so): weights stay below e^8, which f16 holds.
const SLACK: f32 = 8.0;

#[cube(launch_unchecked)]
pub(crate) fn forward<F: Float, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[Vector<F, N>],
    blocks: &[u32],
    out: &mut [Vector<F, N>],
    log_sum: &mut [f32],
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] tile: MatrixTile,
    #[define(F)] _storage: ElemType,
) {
    let (group, team) = comptime!((heads.group(), tile.team(tile.rows)));
    let mut q_tile =
        Shared::<[Vector<F, N>]>::new_aligned_slice(comptime!(tile.tile_len(Side::Rows)), 32usize);
    let mut k_tile =
        Shared::<[Vector<F, N>]>::new_aligned_slice(comptime!(tile.tile_len(Side::Keys)), 32usize);
    let mut v_tile =
        Shared::<[Vector<F, N>]>::new_aligned_slice(comptime!(tile.tile_len(Side::Keys)), 32usize);
    let mut weights = Shared::<[F]>::new_aligned_slice(comptime!(tile.weight_len()), 32usize);
    let mut scores = Shared::<[f32]>::new_aligned_slice(comptime!(tile.score_len()), 32usize);
    let mut scratch = Shared::<[f32]>::new_slice(comptime!(tile.units()));
    // Whether some row's sums are to be scaled.
    let mut risen = Shared::<[u32]>::new_slice(1usize);
    let at = block_start(heads);
    if at >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % comptime!(heads.kv);
    let block = query_block(blocks, at, kv_head, heads, comptime!(tile.dim / tile.lanes), false);
    let (queries, total) = (block.queries, block.keys.len);
    load_queries(q, &mut q_tile, blocks, &queries, 0, group, false, comptime!(tile.query_stage()));

    let (row, first_column) = (UNIT_POS as usize / team, UNIT_POS as usize % team);
    let visible = min(block.seen + row / group, total);
    let columns = comptime!(tile.keys / team);
    let mut sums = zeros(comptime!(tile.fragments()), comptime!(tile.edge));
    let mut top = f32::new(-1e30);
    let mut total_weight = f32::new(0.0);
    let mut of_row = Array::<f32>::new(columns);
    let mut first = 0usize;
    while first < total {
        load_keys(k, &mut k_tile, &block.keys, first, comptime!(tile.key_stage()));
        load_keys(v, &mut v_tile, &block.keys, first, comptime!(tile.key_stage()));
        if UNIT_POS == 0 {
            risen[0] = 0;
        }
        sync_cube();
        products(&q_tile, &k_tile, &mut scores, tile);
        sync_cube();
        let mut highest = f32::new(-1e30);
        #[unroll]
        for j in 0..columns {
            let column = first_column + comptime!(j * team);
            let score = scores[row * comptime!(tile.score_pitch()) + column] * scale;
            of_row[j] = select(first + column < visible, score, f32::new(-1e30));
            highest = max(highest, of_row[j]);
        }
        highest = team_max(highest, &mut scratch, comptime!(team as u32), comptime!(tile.exchanging));
        let mut kept = f32::new(1.0);
        if highest > top + SLACK {
            kept = (top - highest).exp();
            top = highest;
            // The first sums are zero.
            if first > 0 {
                risen[0] = 1;
            }
        }
        total_weight *= kept;
        #[unroll]
        for j in 0..columns {
            let weight = (of_row[j] - top).exp();
            total_weight += weight;
            let column = first_column + comptime!(j * team);
            weights[row * comptime!(tile.weight_pitch()) + column] = F::cast_from(weight);
        }
        sync_cube();
        if risen[0] == 1 {
            scale_rows(&mut sums, &mut scores, kept, tile);
        }
        add_products(&weights, &v_tile, &mut sums, tile);
        sync_cube();
        first += comptime!(tile.keys);
    }

    // A unit has summed its own columns of the keys.
    let weight = team_sum(total_weight, &mut scratch, comptime!(team as u32), comptime!(tile.exchanging));
    let (token, head) = (queries.start + row / group, row % group);
    let there = row < queries.len;
    let to = token * queries.stride + queries.column + head * comptime!(tile.dim / tile.lanes);
    write_rows(&sums, &mut scores, out, to, there, 1.0 / weight, tile);
    if there && first_column == 0 {
        log_sum[token * comptime!(heads.query) + kv_head * group + head] = top + weight.ln();
    }
}
