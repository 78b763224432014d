//! The gradient of attention by keys and values on matrix units.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::super::key_blocks::KEY_BLOCK;
use super::super::layout::RUN;
use super::super::stage::{key_block, load_keys, load_queries, query_run};
use super::fragments::{add_products, products, write_sums, zeros};
use super::tile::{MatrixTile, Side};

#[cube(launch_unchecked)]
pub(crate) fn by_key<F: Float, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[Vector<F, N>],
    grad: &[Vector<F, N>],
    log_sum: &[f32],
    dot: &[f32],
    blocks: &[u32],
    runs: &[u32],
    dk: &mut [f32],
    dv: &mut [f32],
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] tile: MatrixTile,
    #[define(F)] _storage: ElemType,
) {
    let (group, team, dim) = comptime!((heads.group(), tile.team(tile.rows), tile.dim / tile.lanes));
    let (rows_len, keys_len) = comptime!((tile.tile_len(Side::Rows), tile.tile_len(Side::Keys)));
    let mut q_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(rows_len, 32usize);
    let mut grad_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(rows_len, 32usize);
    let mut k_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(keys_len, 32usize);
    let mut v_tile = Shared::<[Vector<F, N>]>::new_aligned_slice(keys_len, 32usize);
    let mut weights = Shared::<[F]>::new_aligned_slice(comptime!(tile.weight_len()), 32usize);
    let mut by_score = Shared::<[F]>::new_aligned_slice(comptime!(tile.weight_len()), 32usize);
    let mut scores = Shared::<[f32]>::new_aligned_slice(comptime!(tile.score_len()), 32usize);
    let mut by_weight = Shared::<[f32]>::new_aligned_slice(comptime!(tile.score_len()), 32usize);
    let at = CUBE_POS / comptime!(heads.kv) * comptime!(KEY_BLOCK);
    if at >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % comptime!(heads.kv);
    let keys = key_block(blocks, at, kv_head, heads, dim);
    load_keys(k, &mut k_tile, &keys, 0, comptime!(tile.key_stage()));
    load_keys(v, &mut v_tile, &keys, 0, comptime!(tile.key_stage()));

    let (row, first_column) = (UNIT_POS as usize / team, UNIT_POS as usize % team);
    let mut by_k = zeros(comptime!(tile.fragments()), comptime!(tile.edge));
    let mut by_v = zeros(comptime!(tile.fragments()), comptime!(tile.edge));
    for run in blocks[at + 3] as usize..blocks[at + 4] as usize {
        let queries = query_run(runs, run, kv_head, heads, dim);
        // The last of the block's keys that the run's first token sees; beyond the block where it sees all.
        let ahead = runs[run * comptime!(RUN) + 2] as usize - blocks[at + 2] as usize;
        let mut first = 0usize;
        while first < queries.len {
            load_queries(
                q,
                &mut q_tile,
                blocks,
                &queries,
                first,
                group,
                false,
                comptime!(tile.query_stage()),
            );
            load_queries(
                grad,
                &mut grad_tile,
                blocks,
                &queries,
                first,
                group,
                false,
                comptime!(tile.query_stage()),
            );
            // Asked for before the products, which take longer.
            let (token, head) = ((first + row) / group, (first + row) % group);
            let there = first + row < queries.len;
            let mut log = f32::new(0.0);
            let mut mean = f32::new(0.0);
            if there {
                let of_head = (queries.start + token) * comptime!(heads.query) + kv_head * group + head;
                log = log_sum[of_head];
                mean = dot[of_head];
            }
            sync_cube();
            products(&q_tile, &k_tile, &mut scores, tile);
            products(&grad_tile, &v_tile, &mut by_weight, tile);
            sync_cube();
            #[unroll]
            for j in 0..comptime!(tile.keys / team) {
                let column = first_column + comptime!(j * team);
                let at = row * comptime!(tile.score_pitch()) + column;
                let score = scores[at] * scale - log;
                let weight = select(there && column <= ahead + token, score, f32::new(-1e30)).exp();
                let to = row * comptime!(tile.weight_pitch()) + column;
                weights[to] = F::cast_from(weight);
                by_score[to] = F::cast_from(weight * (by_weight[at] - mean) * scale);
            }
            sync_cube();
            add_products(&weights, &grad_tile, &mut by_v, tile);
            add_products(&by_score, &q_tile, &mut by_k, tile);
            sync_cube();
            first += comptime!(tile.rows);
        }
    }
    let key = UNIT_POS as usize / comptime!(tile.team(tile.keys));
    let width = comptime!(heads.kv * tile.dim);
    let to = (blocks[at + 5] as usize + key) * width + kv_head * comptime!(tile.dim);
    write_sums(&by_k, &mut scores, dk, to, key < keys.len, tile);
    write_sums(&by_v, &mut scores, dv, to, key < keys.len, tile);
}
