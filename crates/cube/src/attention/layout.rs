//! A packed batch's layout on the device: which block of queries sees which keys.

use cubecl::prelude::*;
use toolrl_layout::{Heads, Packing, Segment};

use super::forward::{ALL, check_qkv, forward_tile};
use super::gradients::gradient_tiles;
use super::key_blocks::KeyBlocks;
use super::matrix::MatrixTiles;
use super::tile::Tile;
use super::warps;
use crate::{Buffer, CubeError, Dtype, Indices};

/// Numbers of a block of queries: first token, tokens, first row of its own run, position in it of the first token,
/// first row and rows of the prefix.
pub(crate) const BLOCK: usize = 6;
/// Numbers of a run of queries: first token, tokens, position of the first in the segment of the keys, or beyond all
/// of them where it sees all.
pub(crate) const RUN: usize = 3;

/// How a layout's kernels cut their work.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Tiles {
    /// On NVIDIA's tensor cores, in registers.
    Warps,
    /// On matrix units.
    Matrix(MatrixTiles),
    /// Without.
    Plain { forward: Tile, by_query: Tile, by_key: Tile },
}

impl Tiles {
    fn choose(client: &Client, heads: Heads, dtype: Dtype) -> Result<Self, CubeError> {
        if warps::fit(client, heads, dtype) {
            return Ok(Self::Warps);
        }
        if let Some(tiles) = MatrixTiles::choose(client, heads, dtype) {
            return Ok(Self::Matrix(tiles));
        }
        let lanes = lanes(client, heads.dim);
        let [by_query, by_key] = gradient_tiles(client, heads, lanes)?;
        Ok(Self::Plain { forward: forward_tile(client, heads, lanes, ALL)?, by_query, by_key })
    }

    /// Rows of the two kernels that keep queries, keys of the one that keeps keys.
    fn kept(&self) -> [usize; 3] {
        match self {
            Self::Warps => [warps::KEPT; 3],
            Self::Matrix(tiles) => [tiles.forward.rows, tiles.by_query.rows, tiles.by_key.keys],
            Self::Plain { forward, by_query, by_key } => [forward.rows, by_query.rows, by_key.keys],
        }
    }
}

/// A packed batch's layout on a device, for heads of given sizes and numbers of one storage: made once a batch, used by
/// all layers.
///
/// A token sees every token of its segment's prefix, and those of its own segment up to itself.
#[derive(Clone, Debug)]
pub struct PackedLayout {
    pub(crate) heads: Heads,
    pub(crate) tokens: usize,
    pub(crate) tiles: Tiles,
    dtype: Dtype,
    /// Blocks of queries, [`BLOCK`] numbers each, for the forward pass and for the gradient by queries.
    pub(crate) forward: Indices,
    pub(crate) by_query: Indices,
    /// Blocks of keys, for the gradient by keys and values.
    pub(crate) by_key: KeyBlocks,
}

impl PackedLayout {
    /// The layout of a batch.
    ///
    /// # Errors
    /// [`CubeError::Layout`] for sizes of heads that do not fit, [`CubeError::SharedMemory`] for heads that are too wide
    /// for the device.
    pub fn new(client: &Client, packing: &Packing, heads: Heads, dtype: Dtype) -> Result<Self, CubeError> {
        heads.check()?;
        let segments = packing.segments();
        let tiles = Tiles::choose(client, heads, dtype)?;
        let [forward, by_query, by_key] = tiles.kept();
        let tokens_of = |rows: usize| (rows / heads.group()).max(1);
        let upload = |blocks: &[u32]| Indices::from_slice(client, blocks);
        Ok(Self {
            heads,
            tokens: packing.tokens(),
            tiles,
            dtype,
            forward: upload(&query_blocks(segments, tokens_of(forward))),
            by_query: upload(&query_blocks(segments, tokens_of(by_query))),
            by_key: KeyBlocks::new(client, segments, by_key),
        })
    }

    /// Number of rows.
    pub fn tokens(&self) -> usize {
        self.tokens
    }

    /// The heads' sizes.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// How queries, keys and values are stored.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// Whether attention multiplies on matrix units (tensor cores).
    pub fn on_matrix_units(&self) -> bool {
        !matches!(self.tiles, Tiles::Plain { .. })
    }

    pub(crate) fn check(&self, [q, k, v]: [&Buffer; 3]) -> Result<(), CubeError> {
        q.expect_dtype("q", self.dtype)?;
        check_qkv([q, k, v], self.tokens, self.tokens, self.heads)
    }
}

/// Numbers of a vector in attention's kernels, which hold tiles in f32.
pub(crate) fn lanes(client: &Client, dim: usize) -> usize {
    crate::launch::vector_size(client, 4, &[dim]).min(4)
}

/// Blocks of at most `size` tokens, those with the most keys first, so that the last to be done are short.
fn query_blocks(segments: &[Segment], size: usize) -> Vec<u32> {
    let mut blocks: Vec<(usize, [usize; BLOCK])> = Vec::new();
    for s in segments {
        for first in (0..s.len).step_by(size) {
            let tokens = size.min(s.len - first);
            let keys = s.prefix.1 + first + tokens;
            blocks.push((keys, [s.start + first, tokens, s.start, first, s.prefix.0, s.prefix.1]));
        }
    }
    blocks.sort_by_key(|&(keys, _)| std::cmp::Reverse(keys));
    blocks.iter().flat_map(|(_, block)| block.map(|n| n as u32)).collect()
}
