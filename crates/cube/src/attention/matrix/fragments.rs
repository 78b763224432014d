//! Products of tiles on matrix units, and the way of their sums to the units and back.
//!
//! Everything here is called by all units of a workgroup together.

use cubecl::cmma::{self, Matrix, MatrixIdent, MatrixLayout};
use cubecl::prelude::*;

use super::tile::{MatrixTile, Side};

/// A plane's part of a matrix, fragment by fragment.
pub(crate) type Fragments = Sequence<Matrix<f32>>;

/// Zeros.
#[cube]
pub(crate) fn zeros(#[comptime] count: usize, #[comptime] edge: usize) -> Fragments {
    let mut fragments = Fragments::new();
    #[unroll]
    for _ in 0..count {
        let layout = comptime!(MatrixLayout::Undefined);
        fragments.push(Matrix::<f32>::from_value(
            MatrixIdent::Accumulator,
            edge,
            edge,
            edge,
            layout,
            f32::new(0.0),
        ));
    }
    fragments
}

/// The strip of `rows` rows that this plane has, and its place among the planes that have it too.
#[cube]
fn place(#[comptime] rows: usize, #[comptime] tile: MatrixTile) -> (usize, usize) {
    let split = comptime!(tile.split(rows));
    (UNIT_POS_Y as usize / split, UNIT_POS_Y as usize % split)
}

/// `scores = left * right^T` of a tile of queries and one of keys.
#[cube]
pub(crate) fn products<F: Float, N: Size>(
    left: &Shared<[Vector<F, N>]>,
    right: &Shared<[Vector<F, N>]>,
    scores: &mut Shared<[f32]>,
    #[comptime] tile: MatrixTile,
) {
    let (edge, count, pitch) = comptime!((tile.edge, tile.score_fragments(), tile.pitch()));
    let (strip_vectors, step) = comptime!((edge * pitch / tile.lanes, edge / tile.lanes));
    let (strip, part) = place(comptime!(tile.rows), tile);
    let sums = zeros(count, edge);
    #[unroll]
    for d in 0..comptime!(tile.dim / edge) {
        let a = operand(
            left,
            strip * strip_vectors + comptime!(d * step),
            MatrixIdent::A,
            MatrixLayout::RowMajor,
            pitch,
            edge,
        );
        #[unroll]
        for j in 0..count {
            let at = (part * count + j) * strip_vectors + comptime!(d * step);
            let b = operand(right, at, MatrixIdent::B, MatrixLayout::ColMajor, pitch, edge);
            cmma::execute(&a, &b, sums.index(j), sums.index(j));
        }
    }
    let pitch = comptime!(tile.score_pitch());
    let end = scores.len();
    #[unroll]
    for j in 0..count {
        let at = strip * comptime!(edge * pitch) + (part * count + j) * edge;
        cmma::store(
            &mut scores[at..end],
            sums.index(j),
            comptime!(pitch as u32).runtime(),
            MatrixLayout::RowMajor,
        );
    }
}

/// `sums += weights * values`, or `weights^T * values` where the keys are kept.
#[cube]
pub(crate) fn add_products<F: Float, N: Size>(
    weights: &Shared<[F]>,
    values: &Shared<[Vector<F, N>]>,
    sums: &mut Fragments,
    #[comptime] tile: MatrixTile,
) {
    let (edge, count, pitch) = comptime!((tile.edge, tile.fragments(), tile.weight_pitch()));
    let kept = comptime!(tile.of(tile.kept));
    let depth = comptime!(tile.rows + tile.keys - kept);
    // From strip to strip, and along the sum.
    let (down, along, layout) = comptime!(match tile.kept {
        Side::Rows => (edge * pitch, edge, MatrixLayout::RowMajor),
        Side::Keys => (edge, edge * pitch, MatrixLayout::ColMajor),
    });
    let (strip_vectors, step) = comptime!((edge * tile.pitch() / tile.lanes, edge / tile.lanes));
    let (strip, part) = place(kept, tile);
    #[unroll]
    for k in 0..comptime!(depth / edge) {
        let a = operand(weights, strip * down + comptime!(k * along), MatrixIdent::A, layout, pitch, edge);
        #[unroll]
        for j in 0..count {
            let at = comptime!(k * strip_vectors) + (part * count + j) * step;
            let b =
                operand(values, at, MatrixIdent::B, MatrixLayout::RowMajor, comptime!(tile.pitch()), edge);
            cmma::execute(&a, &b, sums.index(j), sums.index(j));
        }
    }
}

/// A fragment of a matrix in shared memory whose first number, or vector of numbers, stands at `at`.
#[cube]
fn operand<F: CubePrimitive>(
    from: &Shared<[F]>,
    at: usize,
    #[comptime] ident: MatrixIdent,
    #[comptime] layout: MatrixLayout,
    #[comptime] pitch: usize,
    #[comptime] edge: usize,
) -> Matrix<F> {
    let end = from.len();
    Matrix::<F>::from_slice(
        ident,
        edge,
        edge,
        edge,
        layout,
        &from[at..end],
        comptime!(pitch as u32).runtime(),
    )
}

/// Multiplies each kept row by the `factor` of its units.
#[cube]
pub(crate) fn scale_rows(
    sums: &mut Fragments,
    through: &mut Shared<[f32]>,
    factor: f32,
    #[comptime] tile: MatrixTile,
) {
    let (edge, pitch, kept) = comptime!((tile.edge, tile.piece_pitch(), tile.of(tile.kept)));
    let team = comptime!(tile.team(kept));
    let (strip, part) = place(kept, tile);
    let (row, first) = (UNIT_POS as usize / team, UNIT_POS as usize % team);
    let end = through.len();
    let at = strip * comptime!(edge * pitch) + part * edge;
    #[unroll]
    for j in 0..comptime!(tile.fragments()) {
        let stride = comptime!(pitch as u32).runtime();
        cmma::store(&mut through[at..end], sums.index(j), stride, MatrixLayout::RowMajor);
        sync_cube();
        #[unroll]
        for turn in 0..comptime!(tile.piece() / team) {
            through[row * pitch + first + comptime!(turn * team)] *= factor;
        }
        sync_cube();
        cmma::load_with_layout(sums.index_mut(j), &through[at..end], stride, MatrixLayout::RowMajor);
        sync_cube();
    }
}

/// Writes each kept row, times the `factor` of its units, from vector `to` on where it is `there`.
#[cube]
pub(crate) fn write_rows<F: Float, N: Size>(
    sums: &Fragments,
    through: &mut Shared<[f32]>,
    out: &mut [Vector<F, N>],
    to: usize,
    there: bool,
    factor: f32,
    #[comptime] tile: MatrixTile,
) {
    let (edge, pitch, kept) = comptime!((tile.edge, tile.piece_pitch(), tile.of(tile.kept)));
    let (team, lanes, count) = comptime!((tile.team(kept), tile.lanes, tile.fragments()));
    let (strip, part) = place(kept, tile);
    let (row, first) = (UNIT_POS as usize / team, UNIT_POS as usize % team);
    let end = through.len();
    let at = strip * comptime!(edge * pitch) + part * edge;
    let of_fragment = comptime!(edge / lanes);
    #[unroll]
    for j in 0..count {
        sync_cube();
        let stride = comptime!(pitch as u32).runtime();
        cmma::store(&mut through[at..end], sums.index(j), stride, MatrixLayout::RowMajor);
        sync_cube();
        let mut vector = first;
        while there && vector < comptime!(tile.piece() / lanes) {
            let mut value = Vector::<f32, N>::new(0.0f32);
            #[unroll]
            for i in 0..lanes {
                value.insert(i, through[row * pitch + vector * lanes + i] * factor);
            }
            let column = (vector / of_fragment * count + j) * of_fragment + vector % of_fragment;
            out[to + column] = Vector::cast_from(value);
            vector += team;
        }
    }
}

/// Writes each kept row as it is, from number `to` on where it is `there`.
#[cube]
pub(crate) fn write_sums(
    sums: &Fragments,
    through: &mut Shared<[f32]>,
    out: &mut [f32],
    to: usize,
    there: bool,
    #[comptime] tile: MatrixTile,
) {
    let (edge, pitch, kept) = comptime!((tile.edge, tile.piece_pitch(), tile.of(tile.kept)));
    let (team, count) = comptime!((tile.team(kept), tile.fragments()));
    let (strip, part) = place(kept, tile);
    let (row, first) = (UNIT_POS as usize / team, UNIT_POS as usize % team);
    let end = through.len();
    let at = strip * comptime!(edge * pitch) + part * edge;
    #[unroll]
    for j in 0..count {
        sync_cube();
        let stride = comptime!(pitch as u32).runtime();
        cmma::store(&mut through[at..end], sums.index(j), stride, MatrixLayout::RowMajor);
        sync_cube();
        let mut number = first;
        while there && number < comptime!(tile.piece()) {
            let column = (number / edge * count + j) * edge + number % edge;
            out[to + column] = through[row * pitch + number];
            number += team;
        }
    }
}
