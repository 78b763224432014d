//! Backward pass of attention: scores are computed again tile by tile. The gradient by queries is summed by block of
//! queries, those by keys and values by block of keys, so that no sum depends on which workgroup runs first.

use cubecl::ir::ElemType;
use cubecl::prelude::*;

use super::by_key::by_key;
use super::forward::{ALL, Attention, check_qkv};
use super::layout::{BLOCK, Heads, KEY_BLOCK, PackedLayout, lanes};
use super::tile::{KeyRows, QueryRows, Tile, add_weighted, load_keys, load_queries, products};
use crate::launch::{Teams, grid, vector_size};
use crate::reduce::{team_sum, vector_total};
use crate::{Buffer, CubeError, Dtype};

/// Gradients of [`super::attention`] by q, k and v, stored as these are: with P the probabilities, O the output and g
/// its gradient, dV = P^T g, dS = P (g V^T - rowsum(g O)), dQ = dS K scale, dK = dS^T Q scale.
///
/// # Shapes
/// Those of [`super::attention`]; `grad_ti` is as `q_ti`.
///
/// # Cost
/// `14 dim` operations and two exponentials for each query head and key that it sees: the scores and their gradients
/// are computed twice, which is the price of sums in a fixed order.
///
/// # Errors
/// [`CubeError::Length`] or [`CubeError::Storage`] when the buffers do not fit the layout.
pub fn attention_grad(
    client: &Client,
    [q_ti, k_ti, v_ti]: [&Buffer; 3],
    saved: &Attention,
    grad_ti: &Buffer,
    layout: &PackedLayout,
) -> Result<[Buffer; 3], CubeError> {
    let heads = layout.heads;
    check_qkv([q_ti, k_ti, v_ti], layout.tokens, layout.tokens, heads)?;
    for (what, of_q) in [("the output", &saved.out_ti), ("grad", grad_ti)] {
        of_q.expect_len(what, q_ti.len())?;
        of_q.expect_dtype(what, q_ti.dtype())?;
    }
    saved.log_sum.expect_len("the logarithms of sums", layout.tokens * heads.query)?;
    let dot = row_products(client, &saved.out_ti, grad_ti, heads);
    let outs = [q_ti, k_ti, v_ti].map(|x| Buffer::empty(client, x.len(), x.dtype()));
    let lanes = lanes(client, heads.dim);
    let [query_tile, key_tile] = gradient_tiles(client, heads, lanes)?;
    let elem = q_ti.dtype().elem();
    // SAFETY: a workgroup leaves out blocks beyond the last, and the layout's blocks name rows inside the buffers.
    unsafe {
        by_query::launch_unchecked(
            client,
            grid(client, layout.by_query.len() / BLOCK * heads.kv),
            query_tile.cube(),
            lanes,
            q_ti.arg(),
            k_ti.arg(),
            v_ti.arg(),
            grad_ti.arg(),
            saved.log_sum.arg(),
            dot.arg(),
            layout.by_query.arg(),
            outs[0].arg(),
            heads.scale(),
            heads,
            query_tile,
            elem,
        );
        by_key::launch_unchecked(
            client,
            grid(client, layout.by_key.len() / KEY_BLOCK * heads.kv),
            key_tile.cube(),
            lanes,
            q_ti.arg(),
            k_ti.arg(),
            v_ti.arg(),
            grad_ti.arg(),
            saved.log_sum.arg(),
            dot.arg(),
            layout.by_key.arg(),
            layout.runs.arg(),
            outs[1].arg(),
            outs[2].arg(),
            heads.scale(),
            heads,
            key_tile,
            elem,
        );
    }
    Ok(outs)
}

/// Tiles of the gradient by queries and of that by keys and values: queries and gradients, keys and values, and one
/// matrix or two of weights.
pub(crate) fn gradient_tiles(client: &Client, heads: Heads, lanes: usize) -> Result<[Tile; 2], CubeError> {
    let bytes = |tile: &Tile, matrices: usize| {
        let tiles = 2 * (tile.rows + tile.keys) * tile.stride() * lanes;
        4 * (tiles + matrices * tile.rows * (tile.keys + 1))
    };
    let by_query = Tile::choose(client, heads, lanes, ALL, |tile| bytes(tile, 1))?;
    Ok([by_query, Tile::choose(client, heads, lanes, ALL, |tile| bytes(tile, 2))?])
}

/// The product of output and gradient, summed over each head: `[t, query heads]`, f32.
fn row_products(client: &Client, out: &Buffer, grad: &Buffer, heads: Heads) -> Buffer {
    let rows = out.len() / heads.dim;
    let sums = Buffer::empty(client, rows, Dtype::F32);
    let lanes = vector_size(client, out.dtype().size(), &[heads.dim]);
    let teams = Teams::for_rows(client, heads.dim / lanes);
    let (count, dim) = (teams.grid(client, rows), teams.dim());
    let (vectors, elem) = (heads.dim / lanes, out.dtype().elem());
    // SAFETY: teams leave out rows beyond the last.
    unsafe {
        multiply_rows::launch_unchecked(
            client,
            count,
            dim,
            lanes,
            out.arg(),
            grad.arg(),
            sums.arg(),
            vectors,
            teams,
            elem,
        );
    }
    sums
}

#[cube(launch_unchecked)]
fn multiply_rows<F: Float, N: Size>(
    a: &[Vector<F, N>],
    b: &[Vector<F, N>],
    sums: &mut [f32],
    #[comptime] vectors: usize,
    #[comptime] teams: Teams,
    #[define(F)] _storage: ElemType,
) {
    let mut scratch = Shared::new_slice(comptime!((teams.width * teams.count) as usize));
    let row = CUBE_POS * comptime!(teams.count as usize) + UNIT_POS_Y as usize;
    let mut sum = Vector::<f32, N>::new(0.0f32);
    if row < sums.len() {
        let mut column = UNIT_POS_X as usize;
        while column < vectors {
            let at = row * vectors + column;
            sum += Vector::<f32, N>::cast_from(a[at]) * Vector::cast_from(b[at]);
            column += comptime!(teams.width as usize);
        }
    }
    let total = team_sum(vector_total(sum), &mut scratch, teams.width, teams.plane);
    if row < sums.len() && UNIT_POS_X == 0 {
        sums[row] = total;
    }
}

#[cube(launch_unchecked)]
fn by_query<F: Float, N: Size>(
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
    #[comptime] tile: Tile,
    #[define(F)] _storage: ElemType,
) {
    let (group, kv_heads) = comptime!((heads.group(), heads.kv));
    let (rows, keys, columns) =
        comptime!((tile.rows_per_unit(), tile.keys_per_unit(), tile.vectors_per_unit()));
    let mut q_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.rows * tile.stride()));
    let mut grad_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.rows * tile.stride()));
    let mut k_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.keys * tile.stride()));
    let mut v_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.keys * tile.stride()));
    let mut by_score = Shared::<[f32]>::new_slice(comptime!(tile.rows * (tile.keys + 1)));
    let at = CUBE_POS / kv_heads * comptime!(BLOCK);
    if at >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % kv_heads;
    let (tokens, prefix_len) = (blocks[at + 1] as usize, blocks[at + 5] as usize);
    let queries = QueryRows {
        start: blocks[at] as usize,
        len: tokens * group,
        stride: comptime!(heads.query * tile.dim).runtime(),
        column: kv_head * comptime!(group * tile.dim),
    };
    let seen = prefix_len + blocks[at + 3] as usize + 1;
    let total = seen + tokens - 1;
    let key_rows = KeyRows {
        prefix_start: blocks[at + 4] as usize,
        prefix_len,
        own_start: blocks[at + 2] as usize,
        len: total,
        stride: comptime!(kv_heads * tile.dim).runtime(),
        column: kv_head * comptime!(tile.dim),
    };
    load_queries::<F, N>(q, &mut q_tile, blocks, &queries, 0, scale, group, false, tile);
    load_queries::<F, N>(grad, &mut grad_tile, blocks, &queries, 0, f32::new(1.0), group, false, tile);

    let mut sums = Array::<Vector<f32, N>>::new(comptime!(rows * columns));
    let mut scores = Array::<f32>::new(comptime!(rows * keys));
    let mut by_weight = Array::<f32>::new(comptime!(rows * keys));
    let mut log = Array::<f32>::new(rows);
    let mut mean = Array::<f32>::new(rows);
    #[unroll]
    for i in 0..rows {
        #[unroll]
        for o in 0..columns {
            sums[i * columns + o] = Vector::new(0.0f32);
        }
        let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
        log[i] = f32::new(0.0);
        mean[i] = f32::new(0.0);
        if row < queries.len {
            let of_head =
                (queries.start + row / group) * comptime!(heads.query) + kv_head * group + row % group;
            log[i] = log_sum[of_head];
            mean[i] = dot[of_head];
        }
    }
    let mut first = 0usize;
    while first < total {
        load_keys::<F, N>(k, &mut k_tile, &key_rows, first, tile);
        load_keys::<F, N>(v, &mut v_tile, &key_rows, first, tile);
        sync_cube();
        products(&q_tile, &k_tile, &mut scores, tile);
        products(&grad_tile, &v_tile, &mut by_weight, tile);
        #[unroll]
        for i in 0..rows {
            let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
            let visible = min(seen + row / group, total);
            #[unroll]
            for j in 0..keys {
                let column = UNIT_POS_X as usize + comptime!(j * tile.across);
                let mut by = f32::new(0.0);
                if first + column < visible && row < queries.len {
                    by = (scores[i * keys + j] - log[i]).exp() * (by_weight[i * keys + j] - mean[i]) * scale;
                }
                by_score[row * comptime!(tile.keys + 1) + column] = by;
            }
        }
        sync_cube();
        let strides = comptime!((tile.keys + 1, 1));
        add_weighted(&by_score, &k_tile, &mut sums, rows, comptime!(tile.keys), strides, tile);
        sync_cube();
        first += comptime!(tile.keys);
    }
    #[unroll]
    for i in 0..rows {
        let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
        if row < queries.len {
            let token = queries.start + row / group;
            let at = token * queries.stride + queries.column + row % group * comptime!(tile.dim);
            #[unroll]
            for o in 0..columns {
                let column = UNIT_POS_X as usize + comptime!(o * tile.across);
                if column < tile.dim {
                    dq[at + column] = Vector::cast_from(sums[i * columns + o]);
                }
            }
        }
    }
}
