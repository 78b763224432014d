//! Attention over tiles of keys with a running softmax (Dao, "FlashAttention-2", arXiv 2307.08691): scores exist for a
//! tile of queries and one of keys at a time.

use cubecl::ir::ElemType;
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::layout::{BLOCK, PackedLayout, Tiles};
use super::matrix::{self, MatrixTiles};
use super::stage::{block_start, load_keys, load_queries, query_block};
use super::tile::{Tile, add_weighted, products};
use super::warps;
use crate::launch::grid;
use crate::reduce::{team_max, team_sum};
use crate::{Buffer, CubeError, Dtype, Indices};

/// As the most rows of a tile: as many as fit.
pub(crate) const ALL: usize = 1 << 16;

/// Attention's output and what its backward pass needs beside it.
#[derive(Clone, Debug)]
pub struct Attention {
    /// `[t, query heads * dim]`, stored as the queries are.
    pub out_ti: Buffer,
    /// Logarithm of each query's sum of e^score, `[t, query heads]`, f32.
    pub log_sum: Buffer,
}

/// Causal grouped-query attention over a packed batch, in which a group's prompt stands once.
///
/// # Shapes
/// `q_ti` `[t, query heads * dim]`, `k_ti` and `v_ti` `[t, kv heads * dim]`.
///
/// # Cost
/// `4 dim` operations and an exponential for each query head and key that it sees. Reads q and writes the output once;
/// reads k and v once for each block of queries that sees them: 64 rows, heads that share keys counted each. Numbers of
/// 16 bits are multiplied on matrix units where the device has them ([`PackedLayout::on_matrix_units`]).
///
/// # Errors
/// [`CubeError::Length`] or [`CubeError::Storage`] when the buffers do not fit the layout.
pub fn attention(
    client: &Client,
    q_ti: &Buffer,
    k_ti: &Buffer,
    v_ti: &Buffer,
    layout: &PackedLayout,
) -> Result<Attention, CubeError> {
    let heads = layout.heads;
    layout.check([q_ti, k_ti, v_ti])?;
    let out_ti = Buffer::empty(client, q_ti.len(), q_ti.dtype());
    let log_sum = Buffer::empty(client, layout.tokens * heads.query, Dtype::F32);
    match layout.tiles {
        Tiles::Warps => {
            let [q, k, v] = [q_ti, k_ti, v_ti].map(Buffer::handle);
            let read = [q, k, v, layout.forward.handle()];
            let written = [out_ti.handle(), log_sum.handle()];
            let (of, blocks) = ((heads, layout.dtype()), [0, layout.forward.len() / BLOCK]);
            warps::launch(client, warps::Kernel::Forward, of, blocks, (&read, &written))?;
        }
        Tiles::Plain { forward: tile, .. } => {
            let run = Run { blocks: &layout.forward, members: None, heads, tile };
            run.launch(client, [q_ti, k_ti, v_ti], [&out_ti, &log_sum]);
        }
        // SAFETY: a workgroup leaves out blocks beyond the last, and the layout's blocks name rows inside the buffers.
        Tiles::Matrix(MatrixTiles { forward: tile, .. }) => unsafe {
            matrix::forward::forward::launch_unchecked(
                client,
                grid(client, layout.forward.len() / BLOCK * heads.kv),
                tile.cube(),
                tile.lanes,
                q_ti.arg(),
                k_ti.arg(),
                v_ti.arg(),
                layout.forward.arg(),
                out_ti.arg(),
                log_sum.arg(),
                heads.scale(),
                heads,
                tile,
                q_ti.dtype().elem(),
            );
        },
    }
    Ok(Attention { out_ti, log_sum })
}

/// Checks the lengths of queries, keys and values, and that they are stored alike.
pub(crate) fn check_qkv(
    [q, k, v]: [&Buffer; 3],
    queries: usize,
    keys: usize,
    heads: Heads,
) -> Result<(), CubeError> {
    q.expect_len("q", queries * heads.query * heads.dim)?;
    k.expect_len("k", keys * heads.kv * heads.dim)?;
    v.expect_len("v", keys * heads.kv * heads.dim)?;
    k.expect_dtype("k", q.dtype())?;
    v.expect_dtype("v", q.dtype())
}

/// Tiles of the forward pass: queries, keys that make way for values, and a matrix of weights.
pub(crate) fn forward_tile(
    client: &Client,
    heads: Heads,
    lanes: usize,
    most_rows: usize,
) -> Result<Tile, CubeError> {
    Tile::choose(client, heads, lanes, most_rows, |tile| {
        let tiles = (tile.rows + tile.keys) * tile.stride() * lanes;
        4 * (tiles + tile.rows * (tile.keys + 1) + tile.units())
    })
}

/// Attention of blocks of queries, each over its keys.
pub(crate) struct Run<'a> {
    /// [`BLOCK`] numbers a block.
    pub blocks: &'a Indices,
    /// Where a block's tokens are numbers of this list, each sees all of the prefix and there is no other run; the
    /// output's rows are the list's.
    pub members: Option<&'a Indices>,
    pub heads: Heads,
    pub tile: Tile,
}

impl Run<'_> {
    /// Writes output and logarithms of sums.
    pub(crate) fn launch(&self, client: &Client, [q, k, v]: [&Buffer; 3], [out, log_sum]: [&Buffer; 2]) {
        let Self { heads, tile, .. } = *self;
        let blocks = self.blocks.len() / BLOCK;
        let members = self.members.unwrap_or(self.blocks);
        // SAFETY: a workgroup leaves out blocks beyond the last, and a block names rows inside the buffers: whoever
        // made the blocks checked that.
        unsafe {
            forward::launch_unchecked(
                client,
                grid(client, blocks * heads.kv),
                tile.cube(),
                heads.dim / tile.dim,
                q.arg(),
                k.arg(),
                v.arg(),
                self.blocks.arg(),
                members.arg(),
                out.arg(),
                log_sum.arg(),
                heads.scale(),
                heads,
                self.members.is_some(),
                tile,
                [q.dtype().elem(), out.dtype().elem()],
            );
        }
    }
}

#[cube(launch_unchecked)]
fn forward<F: Float, O: Float, N: Size>(
    q: &[Vector<F, N>],
    k: &[Vector<F, N>],
    v: &[Vector<F, N>],
    blocks: &[u32],
    members: &[u32],
    out: &mut [Vector<O, N>],
    log_sum: &mut [f32],
    scale: f32,
    #[comptime] heads: Heads,
    #[comptime] indirect: bool,
    #[comptime] tile: Tile,
    #[define(F, O)] _storage: [ElemType; 2],
) {
    let (group, kv_heads) = comptime!((heads.group(), heads.kv));
    let (rows, keys, columns) =
        comptime!((tile.rows_per_unit(), tile.keys_per_unit(), tile.vectors_per_unit()));
    let (team, plane) = comptime!((tile.across as u32, tile.plane));
    let mut q_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.rows * tile.stride()));
    let mut kv_tile = Shared::<[Vector<f32, N>]>::new_slice(comptime!(tile.keys * tile.stride()));
    let mut weights = Shared::<[f32]>::new_slice(comptime!(tile.rows * (tile.keys + 1)));
    let mut scratch = Shared::<[f32]>::new_slice(comptime!(tile.units()));
    let at = block_start(heads);
    if at >= blocks.len() {
        terminate!();
    }
    // A plan that is written over may have more room than parts.
    if comptime!(indirect) && blocks[at + 1] == 0 {
        terminate!();
    }
    let kv_head = CUBE_POS % kv_heads;
    let block = query_block(blocks, at, kv_head, heads, tile.dim, indirect);
    let (queries, total) = (block.queries, block.keys.len);
    let (query_stage, key_stage) = comptime!((tile.query_stage(), tile.key_stage()));
    load_queries(q, &mut q_tile, members, &queries, 0, group, indirect, query_stage);

    let mut sums = Array::<Vector<f32, N>>::new(comptime!(rows * columns));
    let mut top = Array::<f32>::new(rows);
    let mut total_weight = Array::<f32>::new(rows);
    let mut visible = Array::<usize>::new(rows);
    let mut scores = Array::<f32>::new(comptime!(rows * keys));
    #[unroll]
    for i in 0..rows {
        #[unroll]
        for o in 0..columns {
            sums[i * columns + o] = Vector::new(0.0f32);
        }
        top[i] = f32::new(-1e30);
        total_weight[i] = f32::new(0.0);
        visible[i] = block.seen;
        if comptime!(!indirect) {
            visible[i] = block.seen + (UNIT_POS_Y as usize + comptime!(i * tile.down)) / group;
        }
    }
    let mut first = 0usize;
    while first < total {
        load_keys(k, &mut kv_tile, &block.keys, first, key_stage);
        sync_cube();
        products(&q_tile, &kv_tile, &mut scores, tile);
        #[unroll]
        for i in 0..rows {
            let mut highest = top[i];
            #[unroll]
            for j in 0..keys {
                let key = first + UNIT_POS_X as usize + comptime!(j * tile.across);
                scores[i * keys + j] =
                    select(key < min(visible[i], total), scores[i * keys + j] * scale, f32::new(-1e30));
                highest = max(highest, scores[i * keys + j]);
            }
            highest = team_max(highest, &mut scratch, team, plane);
            let kept = (top[i] - highest).exp();
            let mut added = f32::new(0.0);
            let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
            #[unroll]
            for j in 0..keys {
                let weight = (scores[i * keys + j] - highest).exp();
                added += weight;
                let column = UNIT_POS_X as usize + comptime!(j * tile.across);
                weights[row * comptime!(tile.keys + 1) + column] = weight;
            }
            top[i] = highest;
            total_weight[i] = total_weight[i] * kept + added;
            #[unroll]
            for o in 0..columns {
                sums[i * columns + o] *= Vector::new(kept);
            }
        }
        sync_cube();
        load_keys(v, &mut kv_tile, &block.keys, first, key_stage);
        sync_cube();
        let strides = comptime!((tile.keys + 1, 1));
        add_weighted(&weights, &kv_tile, &mut sums, rows, comptime!(tile.keys), strides, tile);
        sync_cube();
        first += comptime!(tile.keys);
    }

    #[unroll]
    for i in 0..rows {
        // A unit has summed its own columns of the keys.
        let weight = team_sum(total_weight[i], &mut scratch, team, plane);
        let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
        if row < queries.len {
            let token = queries.start + row / group;
            let head = row % group;
            let at = token * queries.stride + queries.column + head * comptime!(tile.dim);
            #[unroll]
            for o in 0..columns {
                let column = UNIT_POS_X as usize + comptime!(o * tile.across);
                if column < tile.dim {
                    out[at + column] = Vector::cast_from(sums[i * columns + o] / Vector::new(weight));
                }
            }
            if UNIT_POS_X == 0 {
                log_sum[token * comptime!(heads.query) + kv_head * group + head] = top[i] + weight.ln();
            }
        }
    }
}
