//! The parts that all of attention's kernels share: whose rows a block names, and tiles of them in shared memory.

use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::layout::{BLOCK, RUN};

/// A tile of rows in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Stage {
    /// Rows.
    pub rows: usize,
    /// Vectors of a row.
    pub dim: usize,
    /// Vectors from one row to the next.
    pub stride: usize,
    /// Units of the workgroup that fills it.
    pub units: usize,
}

/// Where the rows of one key-value head's keys, or values, stand: those of a prefix, then those of a run of its own.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct KeyRows {
    /// First row of the prefix.
    pub prefix_start: usize,
    /// Rows of the prefix.
    pub prefix_len: usize,
    /// First row of the run.
    pub own_start: usize,
    /// Rows of both.
    pub len: usize,
    /// Vectors from row to row.
    pub stride: usize,
    /// Vectors before the head.
    pub column: usize,
}

/// Where the rows of the query heads that share a key-value head stand: of each token, `group` rows side by side.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct QueryRows {
    /// First token.
    pub start: usize,
    /// Rows of all tokens.
    pub len: usize,
    /// Vectors from token to token.
    pub stride: usize,
    /// Vectors before the heads.
    pub column: usize,
}

/// A block of queries for one key-value head.
#[derive(CubeType, Clone, Copy)]
pub(crate) struct QueryBlock {
    /// Its queries.
    pub queries: QueryRows,
    /// The keys that any of them sees.
    pub keys: KeyRows,
    /// How many of these its first token sees.
    pub seen: usize,
}

/// The block that begins at `at`, for heads of `dim` vectors. Where it is `indirect`, its tokens are numbers of a list,
/// each sees all of the prefix and there is no other run.
#[cube]
pub(crate) fn query_block(
    blocks: &[u32],
    at: usize,
    kv_head: usize,
    #[comptime] heads: Heads,
    #[comptime] dim: usize,
    #[comptime] indirect: bool,
) -> QueryBlock {
    let (tokens, prefix_len) = (blocks[at + 1] as usize, blocks[at + 5] as usize);
    let mut seen = prefix_len;
    let mut total = prefix_len;
    if comptime!(!indirect) {
        seen += blocks[at + 3] as usize + 1;
        total = seen + tokens - 1;
    }
    QueryBlock {
        queries: QueryRows {
            start: blocks[at] as usize,
            len: tokens * comptime!(heads.group()),
            stride: comptime!(heads.query * dim).runtime(),
            column: kv_head * comptime!(heads.group() * dim),
        },
        keys: KeyRows {
            prefix_start: blocks[at + 4] as usize,
            prefix_len,
            own_start: blocks[at + 2] as usize,
            len: total,
            stride: comptime!(heads.kv * dim).runtime(),
            column: kv_head * dim,
        },
        seen,
    }
}

/// Where the block of queries of this workgroup begins; beyond all of them for a workgroup that has none.
#[cube]
pub(crate) fn block_start(#[comptime] heads: Heads) -> usize {
    CUBE_POS / comptime!(heads.kv) * comptime!(BLOCK)
}

/// The keys of the block that begins at `at`, for heads of `dim` vectors.
#[cube]
pub(crate) fn key_block(
    blocks: &[u32],
    at: usize,
    kv_head: usize,
    #[comptime] heads: Heads,
    #[comptime] dim: usize,
) -> KeyRows {
    KeyRows {
        prefix_start: blocks[at] as usize,
        prefix_len: blocks[at + 1] as usize,
        own_start: 0usize.runtime(),
        len: blocks[at + 1] as usize,
        stride: comptime!(heads.kv * dim).runtime(),
        column: kv_head * dim,
    }
}

/// The queries of a run.
#[cube]
pub(crate) fn query_run(
    runs: &[u32],
    run: usize,
    kv_head: usize,
    #[comptime] heads: Heads,
    #[comptime] dim: usize,
) -> QueryRows {
    QueryRows {
        start: runs[run * comptime!(RUN)] as usize,
        len: runs[run * comptime!(RUN) + 1] as usize * comptime!(heads.group()),
        stride: comptime!(heads.query * dim).runtime(),
        column: kv_head * comptime!(heads.group() * dim),
    }
}

/// Loads the keys from `first` on into a tile; zeros beyond the last.
#[cube]
pub(crate) fn load_keys<F: Float, T: Float, N: Size>(
    from: &[Vector<F, N>],
    into: &mut Shared<[Vector<T, N>]>,
    rows: &KeyRows,
    first: usize,
    #[comptime] stage: Stage,
) {
    let total = comptime!(stage.rows * stage.dim);
    #[unroll(total / stage.units <= 8)]
    for turn in 0..comptime!(total.div_ceil(stage.units)) {
        let at = turn * comptime!(stage.units) + UNIT_POS as usize;
        if at < total {
            let (key, column) = (at / comptime!(stage.dim), at % comptime!(stage.dim));
            let j = first + key;
            let mut value = Vector::<T, N>::new(T::new(0.0));
            if j < rows.len {
                let row =
                    select(j < rows.prefix_len, rows.prefix_start + j, rows.own_start + j - rows.prefix_len);
                value = Vector::cast_from(from[row * rows.stride + rows.column + column]);
            }
            into[key * comptime!(stage.stride) + column] = value;
        }
    }
}

/// Loads the queries' rows, or others of their shape, from `first` on into a tile; zeros beyond the last. Where they are
/// `indirect`, token i is row `through[i]`.
#[cube]
pub(crate) fn load_queries<F: Float, T: Float, N: Size>(
    from: &[Vector<F, N>],
    into: &mut Shared<[Vector<T, N>]>,
    through: &[u32],
    rows: &QueryRows,
    first: usize,
    #[comptime] group: usize,
    #[comptime] indirect: bool,
    #[comptime] stage: Stage,
) {
    let total = comptime!(stage.rows * stage.dim);
    #[unroll(total / stage.units <= 8)]
    for turn in 0..comptime!(total.div_ceil(stage.units)) {
        let at = turn * comptime!(stage.units) + UNIT_POS as usize;
        if at < total {
            let (row, column) = (at / comptime!(stage.dim), at % comptime!(stage.dim));
            let r = first + row;
            let mut value = Vector::<T, N>::new(T::new(0.0));
            if r < rows.len {
                let mut token = rows.start + r / group;
                if comptime!(indirect) {
                    token = through[token] as usize;
                }
                let at = token * rows.stride + rows.column + r % group * comptime!(stage.dim) + column;
                value = Vector::cast_from(from[at]);
            }
            into[row * comptime!(stage.stride) + column] = value;
        }
    }
}
