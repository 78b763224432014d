//! The gradient of attention by queries on matrix units.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::super::stage::{block_start, load_keys, load_queries, query_block};
use super::fragments::{add_products, products, write_rows, zeros};
use super::tile::{MatrixTile, Side};

#[cube(launch_unchecked)]
pub(crate) fn by_query<F: Float, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[Vector<F, N>],
    grad: &[Vector<F, N>],
    log_sum: &[f32],
    dot: &[f32],
    blocks: &[u32],
    dq: &mut [Vector<F, N>],
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] tile: MatrixTile,
    #[define(F)] _storage: ElemType,
) {
    let (group, team) = comptime!((heads.group(), tile.team(tile.rows)));
    let (rows_len, keys_len) = comptime!((tile.tile_len(Side::Rows), tile.tile_len(Side::Keys)));
    let mut q_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(rows_len, 32usize);
    let mut grad_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(rows_len, 32usize);
    let mut k_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(keys_len, 32usize);
    let mut v_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(keys_len, 32usize);
    let mut by_score = Shared::<[F]>::new_aligned_slice(comptime!(tile.weight_len()), 32usize);
    let mut scores = Shared::<[f32]>::new_aligned_slice(comptime!(tile.score_len()), 32usize);
    let mut by_weight = Shared::<[f32]>::new_aligned_slice(comptime!(tile.score_len()), 32usize);
    let at = block_start(heads);
    if at >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % comptime!(heads.kv);
    let block = query_block(blocks, at, kv_head, heads, comptime!(tile.dim / tile.lanes), false);
    let (queries, total) = (block.queries, block.keys.len);
    load_queries(q, &mut q_tile, blocks, &queries, 0, group, false, comptime!(tile.query_stage()));
    load_queries(grad, &mut grad_tile, blocks, &queries, 0, group, false, comptime!(tile.query_stage()));

    let (row, first_column) = (UNIT_POS as usize / team, UNIT_POS as usize % team);
    let (token, head) = (queries.start + row / group, row % group);
    let there = row < queries.len;
    let visible = min(block.seen + row / group, total);
    let mut log = f32::new(0.0);
    let mut mean = f32::new(0.0);
    if there {
        let of_head = token * comptime!(heads.query) + kv_head * group + head;
        log = log_sum[of_head];
        mean = dot[of_head];
    }
    let mut sums = zeros(comptime!(tile.fragments()), comptime!(tile.edge));
    let mut first = 0usize;
    while first < total {
        load_keys(k, &mut k_tile, &block.keys, first, comptime!(tile.key_stage()));
        load_keys(v, &mut v_tile, &block.keys, first, comptime!(tile.key_stage()));
        sync_cube();
        products(&q_tile, &k_tile, &mut scores, tile);
        products(&grad_tile, &v_tile, &mut by_weight, tile);
        sync_cube();
        #[unroll]
        for j in 0..comptime!(tile.keys / team) {
            let column = first_column + comptime!(j * team);
            let at = row * comptime!(tile.score_pitch()) + column;
            let score = scores[at] * scale - log;
            let weight = select(there && first + column < visible, score, f32::new(-1e30)).exp();
            let by = weight * (by_weight[at] - mean) * scale;
            by_score[row * comptime!(tile.weight_pitch()) + column] = F::cast_from(by);
        }
        sync_cube();
        add_products(&by_score, &k_tile, &mut sums, tile);
        sync_cube();
        first += comptime!(tile.keys);
    }
    let to = token * queries.stride + queries.column + head * comptime!(tile.dim / tile.lanes);
    write_rows(&sums, &mut scores, dq, to, there, f32::new(1.0), tile);
}
