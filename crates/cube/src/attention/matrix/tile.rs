//! How attention on matrix units cuts its work.
//!
//! A workgroup keeps one side, queries or keys, and goes through the other. Its planes form a grid over each product:
//! strips of `edge` rows, whose columns are split among the planes of a strip. What is done number by number is cut
//! otherwise: a team of neighbouring units has a row.

use cubecl::ir::{ElemType, FloatKind};
use cubecl::prelude::*;
use toolrl_layout::Heads;

use super::super::stage::Stage;
use crate::Dtype;
use crate::launch::{plane_size, vector_size};

/// Which side of the scores a strip is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Side {
    /// Queries.
    Rows,
    /// Keys.
    Keys,
}

/// Tiles of one kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MatrixTile {
    /// Rows, columns and depth of a fragment.
    pub edge: usize,
    /// Numbers of a head.
    pub dim: usize,
    /// Numbers of a vector.
    pub lanes: usize,
    /// Queries: rows of all heads that share a key-value head, a token's side by side.
    pub rows: usize,
    /// Keys.
    pub keys: usize,
    /// The side that the workgroup keeps.
    pub kept: Side,
    /// Planes of a workgroup.
    pub planes: usize,
    /// Units of a plane.
    pub plane: usize,
    /// See [`plane_size`].
    pub exchanging: u32,
}

/// The tiles of attention's three kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MatrixTiles {
    pub forward: MatrixTile,
    pub by_query: MatrixTile,
    pub by_key: MatrixTile,
}

/// Shared memory that a workgroup takes at the most where there is more, so that two fit a processor of Hopper.
const BUDGET: usize = 112 << 10;

/// Sizes of the side that is kept and of the other, the preferred first.
const SIZES: [(usize, usize); 5] = [(64, 64), (64, 32), (32, 32), (32, 16), (16, 16)];

/// Numbers after each row of a tile of 16-bit numbers: 16 bytes, so that rows begin at different banks and fragments
/// where matrix units can load them.
const PAD: usize = 8;

/// The same for rows of f32 numbers; more where a row has a larger team, which reads as many numbers side by side.
const WIDE_PAD: usize = 4;

impl MatrixTiles {
    /// Tiles for numbers stored as `dtype`; none where the device has no matrix units for them, or the heads do not fit
    /// these.
    pub fn choose(client: &Client, heads: Heads, dtype: Dtype) -> Option<Self> {
        let elem = dtype.elem();
        let sum = ElemType::Float(FloatKind::F32);
        let configs = &client.features().matmul.cmma;
        let has = |edge: usize| {
            configs.iter().any(|c| {
                (c.a_type, c.b_type, c.cd_type) == (elem, elem, sum)
                    && [c.m, c.n, c.k].iter().all(|&n| n as usize == edge)
            })
        };
        let edge = [16, 8].into_iter().find(|&edge| has(edge))?;
        let lanes = vector_size(client, dtype.size(), &[heads.dim, PAD]);
        let hardware = &client.properties().hardware;
        let (plane, exchanging) = (hardware.plane_size_min as usize, plane_size(client));
        if dtype.size() != 2 || hardware.plane_size_max as usize != plane || !heads.dim.is_multiple_of(edge) {
            return None;
        }
        let base = MatrixTile {
            edge,
            dim: heads.dim,
            lanes,
            rows: 0,
            keys: 0,
            kept: Side::Rows,
            planes: 0,
            plane,
            exchanging,
        };
        Some(Self {
            forward: base.fitted(client, heads, MatrixTile::forward_bytes)?,
            by_query: base.fitted(client, heads, MatrixTile::by_query_bytes)?,
            by_key: MatrixTile { kept: Side::Keys, ..base }.fitted(
                client,
                heads,
                MatrixTile::by_key_bytes,
            )?,
        })
    }
}

impl MatrixTile {
    /// The largest sizes that the device has room for.
    fn fitted(self, client: &Client, heads: Heads, bytes: impl Fn(Self) -> usize) -> Option<Self> {
        let hardware = &client.properties().hardware;
        let room = hardware.max_shared_memory_size.min(BUDGET);
        let fits = |tile: &Self| {
            tile.is_whole()
                && tile.rows >= heads.group()
                && tile.units() <= hardware.max_units_per_cube as usize
                && bytes(*tile) <= room
        };
        let sized = |&(kept, other): &(usize, usize)| {
            let (rows, keys) = if self.kept == Side::Rows { (kept, other) } else { (other, kept) };
            [2, 1].map(|split| Self { rows, keys, planes: kept / self.edge * split, ..self })
        };
        SIZES.iter().flat_map(sized).find(fits)
    }

    /// Whether every plane has whole fragments and every row a whole team.
    fn is_whole(&self) -> bool {
        let divides = |part: usize, whole: usize| part > 0 && whole.is_multiple_of(part);
        let strips = |rows: usize| divides(self.edge, rows) && divides(rows / self.edge, self.planes);
        let teams = |rows: usize| divides(rows, self.units()) && self.team(rows).is_power_of_two();
        let kept = self.of(self.kept);
        strips(self.rows)
            && strips(kept)
            && divides(self.split(self.rows), self.keys / self.edge)
            && divides(self.split(kept), self.dim / self.edge)
            && [self.rows, kept].iter().all(|&rows| teams(rows) && self.team(rows) <= self.plane)
            && divides(self.team(self.rows), self.keys)
            && divides(self.team(kept), self.piece())
            && self.lanes <= self.edge
    }

    /// Length of a side.
    pub fn of(self, side: Side) -> usize {
        if side == Side::Rows { self.rows } else { self.keys }
    }

    /// Units of a workgroup.
    pub fn units(self) -> usize {
        self.planes * self.plane
    }

    /// The shape of a workgroup: a plane a row.
    pub fn cube(self) -> CubeDim {
        CubeDim::new_2d(self.plane as u32, self.planes as u32)
    }

    /// Units that have one of `rows` rows together.
    pub fn team(self, rows: usize) -> usize {
        self.units() / rows
    }

    /// Planes that have one strip of `rows` rows together.
    pub fn split(self, rows: usize) -> usize {
        self.planes / (rows / self.edge)
    }

    /// Fragments of a plane's part of the scores.
    pub fn score_fragments(self) -> usize {
        self.keys / self.edge / self.split(self.rows)
    }

    /// Fragments of a plane's part of what is summed for the kept side.
    pub fn fragments(self) -> usize {
        self.dim / self.edge / self.split(self.of(self.kept))
    }

    /// Numbers from one row of a tile of queries or keys to the next.
    pub fn pitch(self) -> usize {
        self.dim + PAD
    }

    /// Numbers from one row of 16-bit weights to the next.
    pub fn weight_pitch(self) -> usize {
        self.keys + PAD
    }

    /// Numbers from one row of scores to the next.
    pub fn score_pitch(self) -> usize {
        self.keys + WIDE_PAD.max(self.team(self.rows))
    }

    /// Numbers of a kept row that are moved between fragments and units at a time: a fragment of each plane's.
    pub fn piece(self) -> usize {
        self.split(self.of(self.kept)) * self.edge
    }

    /// Numbers from one row of such a piece to the next.
    pub fn piece_pitch(self) -> usize {
        self.piece() + WIDE_PAD
    }

    /// Numbers that scores take, or a piece of every kept row.
    pub fn score_len(self) -> usize {
        (self.rows * self.score_pitch()).max(self.of(self.kept) * self.piece_pitch())
    }

    /// A tile of queries in shared memory.
    pub fn query_stage(self) -> Stage {
        let (dim, stride) = (self.dim / self.lanes, self.pitch() / self.lanes);
        Stage { rows: self.rows, dim, stride, units: self.units() }
    }

    /// A tile of keys.
    pub fn key_stage(self) -> Stage {
        Stage { rows: self.keys, ..self.query_stage() }
    }

    /// Vectors of a tile in shared memory.
    pub fn tile_len(self, side: Side) -> usize {
        self.of(side) * self.pitch() / self.lanes
    }

    /// Numbers of the 16-bit weights.
    pub fn weight_len(self) -> usize {
        self.rows * self.weight_pitch()
    }

    fn forward_bytes(self) -> usize {
        let tiles = (self.rows + 2 * self.keys) * self.pitch() + self.weight_len();
        2 * tiles + 4 * (self.score_len() + self.units() + 1)
    }

    fn by_query_bytes(self) -> usize {
        let tiles = 2 * (self.rows + self.keys) * self.pitch() + self.weight_len();
        2 * tiles + 4 * 2 * self.score_len()
    }

    fn by_key_bytes(self) -> usize {
        self.by_query_bytes() + 2 * self.weight_len()
    }
}
