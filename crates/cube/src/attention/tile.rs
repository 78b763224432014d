//! Tiles of queries and keys for devices without matrix units, and for numbers that these would round: products of
//! tiles in f32 that a workgroup holds in registers.
//!
//! A workgroup is a grid of `across` by `down` units. A tile's rows go to the units down, its columns to those across,
//! in turn: unit (x, y) has rows y, y + down, ... and columns x, x + across, ... A row of a tile is padded by one
//! vector, so that units that read one column of consecutive rows meet different banks.

use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::stage::Stage;
use crate::CubeError;
use crate::launch::plane_size;

/// How a kernel cuts queries and keys into tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Tile {
    /// Vectors of a head.
    pub dim: usize,
    /// Queries: rows of all heads that share a key-value head, a token's side by side.
    pub rows: usize,
    /// Keys.
    pub keys: usize,
    /// Units in a row of the workgroup.
    pub across: usize,
    /// Units in a column of it.
    pub down: usize,
    /// See [`plane_size`].
    pub plane: u32,
}

/// Shared memory that a workgroup takes at the most where there is more, so that two fit a processor.
const BUDGET: usize = 100 << 10;

/// Sizes of rows and keys, the preferred first.
const SIZES: [(usize, usize); 6] = [(64, 64), (64, 32), (32, 32), (16, 16), (16, 8), (8, 8)];

impl Tile {
    /// The largest tiles that hold a token's rows and whose `bytes` of shared memory the device has, with no more rows
    /// than `most_rows` needs.
    ///
    /// The number of keys depends on the heads and the device alone, not on `most_rows`: sums over keys are cut in the
    /// same way however many rows there are.
    ///
    /// # Errors
    /// [`CubeError::SharedMemory`] when none fit.
    pub fn choose(
        client: &Client,
        heads: Heads,
        lanes: usize,
        most_rows: usize,
        bytes: impl Fn(&Self) -> usize,
    ) -> Result<Self, CubeError> {
        let available = client.properties().hardware.max_shared_memory_size;
        let plane = plane_size(client);
        let (dim, down) = (heads.dim / lanes, 8);
        let mut sizes =
            SIZES.iter().map(|&(rows, keys)| Self { dim, rows, keys, across: keys.min(16), down, plane });
        let fits = |tile: &Self| tile.rows >= heads.group() && bytes(tile) <= available.min(BUDGET);
        let mut tile = sizes.find(fits).ok_or(CubeError::SharedMemory { dim: heads.dim, available })?;
        tile.rows = tile.rows.min(most_rows.max(8).next_power_of_two());
        if tile.rows >= 32 {
            tile.down = 16;
        }
        Ok(tile)
    }

    /// The shape of a workgroup.
    pub fn cube(self) -> CubeDim {
        CubeDim::new_2d(self.across as u32, self.down as u32)
    }

    /// Units of a workgroup.
    pub fn units(self) -> usize {
        self.across * self.down
    }

    /// Vectors from one row of a tile in shared memory to the next.
    pub fn stride(self) -> usize {
        self.dim + 1
    }

    /// A tile of queries, or of others of their shape, in shared memory.
    pub fn query_stage(self) -> Stage {
        Stage { rows: self.rows, dim: self.dim, stride: self.stride(), units: self.units() }
    }

    /// A tile of keys, or of values.
    pub fn key_stage(self) -> Stage {
        Stage { rows: self.keys, ..self.query_stage() }
    }

    /// Rows of a unit.
    pub fn rows_per_unit(self) -> usize {
        self.rows / self.down
    }

    /// Keys of a unit as columns of the scores.
    pub fn keys_per_unit(self) -> usize {
        self.keys / self.across
    }

    /// Keys of a unit as rows of a gradient.
    pub fn key_rows_per_unit(self) -> usize {
        self.keys / self.down
    }

    /// Vectors of a row of a unit.
    pub fn vectors_per_unit(self) -> usize {
        self.dim.div_ceil(self.across)
    }
}

/// `scores = left * right^T` of a tile of queries and one of keys: [`Tile::rows_per_unit`] by
/// [`Tile::keys_per_unit`] in registers, row-major.
#[cube]
pub(crate) fn products<N: Size>(
    left: &Shared<[Vector<f32, N>]>,
    right: &Shared<[Vector<f32, N>]>,
    scores: &mut Array<f32>,
    #[comptime] tile: Tile,
) {
    let (rows, keys) = comptime!((tile.rows_per_unit(), tile.keys_per_unit()));
    #[unroll]
    for i in 0..comptime!(rows * keys) {
        scores[i] = f32::new(0.0);
    }
    let (left_start, right_start) =
        (UNIT_POS_Y as usize * comptime!(tile.stride()), UNIT_POS_X as usize * comptime!(tile.stride()));
    let mut k = Array::<Vector<f32, N>>::new(keys);
    for d in 0..comptime!(tile.dim) {
        #[unroll]
        for j in 0..keys {
            k[j] = right[right_start + comptime!(j * tile.across * tile.stride()) + d];
        }
        #[unroll]
        for i in 0..rows {
            let q = left[left_start + comptime!(i * tile.down * tile.stride()) + d];
            #[unroll]
            for j in 0..keys {
                #[unroll]
                for c in 0..N::value() {
                    scores[i * keys + j] = fma(q.extract(c), k[j].extract(c), scores[i * keys + j]);
                }
            }
        }
    }
}

/// `out += weights * values` for a unit's rows and columns of a tile, where `weights[row, k]` stands at
/// `row * strides.0 + k * strides.1`, for k below `depth`.
#[cube]
pub(crate) fn add_weighted<N: Size>(
    weights: &Shared<[f32]>,
    values: &Shared<[Vector<f32, N>]>,
    out: &mut Array<Vector<f32, N>>,
    #[comptime] rows: usize,
    #[comptime] depth: usize,
    #[comptime] strides: (usize, usize),
    #[comptime] tile: Tile,
) {
    let columns = comptime!(tile.vectors_per_unit());
    let mut value = Array::<Vector<f32, N>>::new(columns);
    for k in 0..depth {
        #[unroll]
        for o in 0..columns {
            let column = UNIT_POS_X as usize + comptime!(o * tile.across);
            value[o] = Vector::new(0.0f32);
            if comptime!(tile.dim.is_multiple_of(tile.across)) || column < tile.dim {
                value[o] = values[k * comptime!(tile.stride()) + column];
            }
        }
        #[unroll]
        for i in 0..rows {
            let row = UNIT_POS_Y as usize + comptime!(i * tile.down);
            let weight = weights[row * comptime!(strides.0) + k * comptime!(strides.1)];
            #[unroll]
            for o in 0..columns {
                out[i * columns + o] += Vector::new(weight) * value[o];
            }
        }
    }
}
