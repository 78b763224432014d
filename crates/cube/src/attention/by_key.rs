//! The gradient of attention by keys and values: a workgroup keeps a block of keys and goes through all queries that
//! see them, those of other segments included.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::key_blocks::KEY_BLOCK;
use super::layout::RUN;
use super::stage::{QueryRows, key_block, load_keys, load_queries, query_run};
use super::tile::{Tile, add_weighted, products};

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
    dk: &mut [Vector<f32, N>],
    dv: &mut [Vector<f32, N>],
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] tile: Tile,
    #[define(F)] _storage: ElemType,
) {
    let (group, kv_heads) = comptime!((heads.group(), heads.kv));
    let (key_rows, columns) = comptime!((tile.key_rows_per_unit(), tile.vectors_per_unit()));
    let mut q_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.rows * tile.stride()));
    let mut grad_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.rows * tile.stride()));
    let mut k_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.keys * tile.stride()));
    let mut v_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.keys * tile.stride()));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(tile.rows * (tile.keys + 1)));
    let mut by_score = Shared::<[f32]>::new_slice(comptime!(tile.rows * (tile.keys + 1)));
    let at = CUBE_POS / kv_heads * comptime!(KEY_BLOCK);
    if at >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % kv_heads;
    let keys = key_block(blocks, at, kv_head, heads, tile.dim);
    let (position, place) = (blocks[at + 2] as usize, blocks[at + 5] as usize);
    let (query_stage, key_stage) = comptime!((tile.query_stage(), tile.key_stage()));
    load_keys(k, &mut k_tile, &keys, 0, key_stage);
    load_keys(v, &mut v_tile, &keys, 0, key_stage);

    let mut by_k = Array::<Vector<f32, N>>::new(comptime!(key_rows * columns));
    let mut by_v = Array::<Vector<f32, N>>::new(comptime!(key_rows * columns));
    #[unroll]
    for i in 0..comptime!(key_rows * columns) {
        by_k[i] = Vector::new(0.0f32);
        by_v[i] = Vector::new(0.0f32);
    }
    for run in blocks[at + 3] as usize..blocks[at + 4] as usize {
        let queries = query_run(runs, run, kv_head, heads, tile.dim);
        // The last of the block's keys that the run's first token sees; beyond the block where it sees all.
        let ahead = runs[run * comptime!(RUN) + 2] as usize - position;
        let mut first = 0usize;
        while first < queries.len {
            load_queries(q, &mut q_tile, blocks, &queries, first, group, false, query_stage);
            load_queries(grad, &mut grad_tile, blocks, &queries, first, group, false, query_stage);
            sync_cube();
            score(
                &q_tile,
                &grad_tile,
                &k_tile,
                &v_tile,
                log_sum,
                dot,
                &mut weights,
                &mut by_score,
                &queries,
                first,
                ahead,
                kv_head,
                scale,
                heads,
                tile,
            );
            sync_cube();
            let strides = comptime!((1, tile.keys + 1));
            add_weighted(&weights, &grad_tile, &mut by_v, key_rows, comptime!(tile.rows), strides, tile);
            add_weighted(&by_score, &q_tile, &mut by_k, key_rows, comptime!(tile.rows), strides, tile);
            sync_cube();
            first += comptime!(tile.rows);
        }
    }
    #[unroll]
    for i in 0..key_rows {
        let key = UNIT_POS_Y as usize + comptime!(i * tile.down);
        if key < keys.len {
            let at = (place + key) * keys.stride + keys.column;
            #[unroll]
            for o in 0..columns {
                let column = UNIT_POS_X as usize + comptime!(o * tile.across);
                if column < tile.dim {
                    dk[at + column] = by_k[i * columns + o];
                    dv[at + column] = by_v[i * columns + o];
                }
            }
        }
    }
}

/// Probabilities of a tile of queries, and gradients by the products of queries and keys.
#[cube]
fn score<N: Size>(
    q_tile: &Shared<[Vector<f32, N>]>,
    grad_tile: &Shared<[Vector<f32, N>]>,
    k_tile: &Shared<[Vector<f32, N>]>,
    v_tile: &Shared<[Vector<f32, N>]>,
    log_sum: &[f32],
    dot: &[f32],
    weights: &mut Shared<[f32]>,
    by_score: &mut Shared<[f32]>,
    queries: &QueryRows,
    first: usize,
    ahead: usize,
    kv_head: usize,
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] tile: Tile,
) {
    let (group, rows, keys) = comptime!((heads.group(), tile.rows_per_unit(), tile.keys_per_unit()));
    let mut scores = Array::<f32>::new(comptime!(rows * keys));
    let mut by_weight = Array::<f32>::new(comptime!(rows * keys));
    products(q_tile, k_tile, &mut scores, tile);
    products(grad_tile, v_tile, &mut by_weight, tile);
    #[unroll]
    for i in 0..rows {
        let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
        let (token, head) = ((first + row) / group, (first + row) % group);
        let there = first + row < queries.len;
        let mut log = f32::new(0.0);
        let mut mean = f32::new(0.0);
        if there {
            let at = (queries.start + token) * comptime!(heads.query) + kv_head * group + head;
            log = log_sum[at];
            mean = dot[at];
        }
        #[unroll]
        for j in 0..keys {
            let column = UNIT_POS_X as usize + comptime!(j * tile.across);
            let mut weight = f32::new(0.0);
            if there && column <= ahead + token {
                weight = (scores[i * keys + j] * scale - log).exp();
            }
            let at = row * comptime!(tile.keys + 1) + column;
            weights[at] = weight;
            by_score[at] = weight * (by_weight[i * keys + j] - mean) * scale;
        }
    }
}
