//! Backward pass of attention: scores are computed again tile by tile. The gradient by queries is summed by block of
//! queries, those by keys and values by block of keys, so that no sum depends on which workgroup runs first.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::by_key::by_key;
use super::forward::{ALL, Attention};
use super::layout::{BLOCK, PackedLayout, Tiles, lanes};
use super::matrix::{self, MatrixTiles};
use super::stage::{block_start, load_keys, load_queries, query_block};
use super::tile::{Tile, add_weighted, products};
use super::warps;
use crate::launch::{Teams, grid, vector_size};
use crate::reduce::{team_sum, vector_total};
use crate::{Buffer, CubeError, Dtype, Indices};

/// Gradients of [`super::attention`] by q, k and v, stored as these are: with P the probabilities, O the output and g
/// its gradient, dV = P^T g, dS = P (g V^T - rowsum(g O)), dQ = dS K scale, dK = dS^T Q scale.
///
/// # Shapes
/// Those of [`super::attention`]; `grad_ti` is as `q_ti`.
///
/// # Cost
/// `14 dim` operations and two exponentials for each query head and key that it sees: the scores and their gradients
/// are computed twice, which is the price of sums in a fixed order. Results by keys and values are written and read in
/// f32, once for every 1,024 tokens that see them.
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
    layout.check([q_ti, k_ti, v_ti])?;
    for (what, of_q) in [("the output", &saved.out_ti), ("grad", grad_ti)] {
        of_q.expect_len(what, q_ti.len())?;
        of_q.expect_dtype(what, q_ti.dtype())?;
    }
    saved.log_sum.expect_len("the logarithms of sums", layout.tokens * heads.query)?;
    let dot = row_products(client, &saved.out_ti, grad_ti, heads);
    let outs = [q_ti, k_ti, v_ti].map(|x| Buffer::empty(client, x.len(), x.dtype()));
    let by_key = layout.by_key.results(client, heads);
    let blocks = [layout.by_query.len() / BLOCK, layout.by_key.parts()];
    let [query_grid, key_grid] = blocks.map(|blocks| grid(client, blocks * heads.kv));
    let elem = q_ti.dtype().elem();
    // What both kernels of either kind take.
    macro_rules! launch {
        ($by_query:path, $by_key:path, $query_tile:expr, $key_tile:expr, $lanes:expr) => {
            // SAFETY: a workgroup leaves out blocks beyond the last, and the layout's blocks name rows inside the
            // buffers.
            unsafe {
                $by_query(
                    client,
                    query_grid,
                    $query_tile.cube(),
                    $lanes,
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
                    $query_tile,
                    elem,
                );
                $by_key(
                    client,
                    key_grid,
                    $key_tile.cube(),
                    $lanes,
                    q_ti.arg(),
                    k_ti.arg(),
                    v_ti.arg(),
                    grad_ti.arg(),
                    saved.log_sum.arg(),
                    dot.arg(),
                    layout.by_key.blocks.arg(),
                    layout.by_key.runs.arg(),
                    by_key[0].arg(),
                    by_key[1].arg(),
                    heads.scale(),
                    heads,
                    $key_tile,
                    elem,
                );
            }
        };
    }
    match layout.tiles {
        Tiles::Warps => {
            let read = [q_ti, k_ti, v_ti, grad_ti, &saved.log_sum, &dot].map(Buffer::handle);
            let of = (heads, layout.dtype());
            let by_queries = [&read[..], &[layout.by_query.handle()]].concat();
            let written = [outs[0].handle()];
            warps::launch(client, warps::Kernel::ByQuery, of, [0, blocks[0]], (&by_queries, &written))?;
            let of_keys = [&layout.by_key.blocks, &layout.by_key.runs].map(Indices::handle);
            let by_keys = [&read[..], &of_keys].concat();
            let written = [by_key[0].handle(), by_key[1].handle()];
            warps::launch(client, warps::Kernel::ByKey, of, [0, blocks[1]], (&by_keys, &written))?;
        }
        Tiles::Matrix(MatrixTiles { by_query: query_tile, by_key: key_tile, .. }) => launch!(
            matrix::by_query::by_query::launch_unchecked,
            matrix::by_key::by_key::launch_unchecked,
            query_tile,
            key_tile,
            query_tile.lanes
        ),
        Tiles::Plain { by_query: query_tile, by_key: key_tile, .. } => launch!(
            by_query::launch_unchecked,
            by_key::launch_unchecked,
            query_tile,
            key_tile,
            lanes(client, heads.dim)
        ),
    }
    layout.by_key.join(client, &by_key, [&outs[1], &outs[2]], heads);
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
    let at = block_start(heads);
    if at >= blocks.len() {
        terminate!();
    }
    let kv_head = CUBE_POS % kv_heads;
    let block = query_block(blocks, at, kv_head, heads, tile.dim, false);
    let (queries, total) = (block.queries, block.keys.len);
    let (query_stage, key_stage) = comptime!((tile.query_stage(), tile.key_stage()));
    load_queries(q, &mut q_tile, blocks, &queries, 0, group, false, query_stage);
    load_queries(grad, &mut grad_tile, blocks, &queries, 0, group, false, query_stage);

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
        load_keys(k, &mut k_tile, &block.keys, first, key_stage);
        load_keys(v, &mut v_tile, &block.keys, first, key_stage);
        sync_cube();
        products(&q_tile, &k_tile, &mut scores, tile);
        products(&grad_tile, &v_tile, &mut by_weight, tile);
        #[unroll]
        for i in 0..rows {
            let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
            let visible = min(block.seen + row / group, total);
            #[unroll]
            for j in 0..keys {
                let column = UNIT_POS_X as usize + comptime!(j * tile.across);
                let mut by = f32::new(0.0);
                if first + column < visible && row < queries.len {
                    let weight = (scores[i * keys + j] * scale - log[i]).exp();
                    by = weight * (by_weight[i * keys + j] - mean[i]) * scale;
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
