//! The inner loops: a tile of the result in registers, over packed panels.

use pulp::bytemuck::{Pod, cast_slice};
use pulp::{Simd, WithSimd};

use super::super::element::Factor;
use super::{Out, Write};

/// Rows of a tile, and vectors of a row, that fit the registers: the first of those shapes that compute the fewest
/// columns which are not there, so that a head of 32, 64 or 96 numbers fills its tiles. Of 16 registers 4 rows by 3
/// vectors would need every one, and the compiler then adds up in memory: 39 % of the peak in place of 90.
///
/// NEON's vectors of 4 numbers ask for the tile that is nearest to a square: 8 by 12 numbers read 20 for 24
/// multiply-adds of a vector, 6 by 16 read 22.
fn shape(registers: usize, lanes: usize, cols: usize) -> (usize, usize) {
    let shapes: &[_] = match (registers, lanes) {
        (32.., 4) => &[(8, 3), (6, 4), (12, 2)],
        (32.., _) => &[(6, 4), (8, 3), (12, 2)],
        _ => &[(6, 2)],
    };
    let padded = |&&(_, vectors): &&(usize, usize)| cols.next_multiple_of(vectors * lanes);
    shapes.iter().min_by_key(padded).copied().unwrap_or((6, 2))
}

/// The size of a tile.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub rows: usize,
    pub vectors: usize,
    /// Numbers of a vector.
    pub lanes: usize,
}

impl Tile {
    pub(super) fn cols(self) -> usize {
        self.vectors * self.lanes
    }
}

/// This machine's tiles for a result of so many columns.
pub(super) struct TileFor(pub usize);

impl WithSimd for TileFor {
    type Output = Tile;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Tile {
        let (rows, vectors) = shape(S::REGISTER_COUNT, S::F32_LANES, self.0);
        Tile { rows, vectors, lanes: S::F32_LANES }
    }
}

/// Rows of the left operand.
#[derive(Clone, Copy)]
pub(super) enum Lhs<'a, F> {
    /// Whole panels: for each inner index, a tile's rows.
    Packed(&'a [f32]),
    /// Where they lie, whole tiles of them: for each inner index all rows, so far apart.
    Columns(&'a [f32], usize),
    /// Where they lie: rows so far apart, each contiguous. Their numbers are broadcast one by one, which needs no
    /// packing.
    Rows(&'a [F], usize),
}

/// The tiles of some rows, and of some panels of the right operand.
pub(super) struct Tiles<'a, F> {
    pub lhs: Lhs<'a, F>,
    pub tile: Tile,
    /// Whole panels of the right operand: for each inner index, a tile's columns.
    pub rhs: &'a [f32],
    /// The inner size.
    pub inner: usize,
    /// Where the first tile begins; this task's alone.
    pub out: Out,
    /// Rows and columns of the result that are there; panels are padded with zeros to whole tiles.
    pub rows: usize,
    pub cols: usize,
    pub write: Write,
}

/// [`Tiles`] of one shape: each is compiled by itself, which keeps its sums in registers.
struct Shaped<'a, F, const ROWS: usize, const VECTORS: usize>(&'a Tiles<'a, F>);

impl<F: Factor, const ROWS: usize, const VECTORS: usize> WithSimd for Shaped<'_, F, ROWS, VECTORS> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        self.0.run::<S, ROWS, VECTORS>(simd);
    }
}

/// Does `$body` with `$shaped` the tiles as [`Shaped`] in their shape.
macro_rules! shaped {
    ($tiles:expr, |$shaped:ident| $body:expr) => {
        shaped!($tiles, |$shaped| $body, (6, 4), (8, 3), (12, 2), (6, 2))
    };
    ($tiles:expr, |$shaped:ident| $body:expr, $(($rows:literal, $vectors:literal)),*) => {
        match ($tiles.tile.rows, $tiles.tile.vectors) {
            $(($rows, $vectors) => {
                let $shaped = Shaped::<_, $rows, $vectors>($tiles);
                $body
            })*
            (rows, vectors) => unreachable!("no tiles of {rows} rows and {vectors} vectors"),
        }
    };
}

impl<F: Factor> Tiles<'_, F> {
    /// Computes them on this machine's widest vectors.
    pub(super) fn compute(&self) {
        shaped!(self, |shaped| F::dispatch(shaped));
    }

    #[inline(always)]
    fn run<S: Simd, const ROWS: usize, const VECTORS: usize>(&self, simd: S) {
        let (inner, width) = (self.inner, VECTORS * S::F32_LANES);
        let mut acc = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
        for i in 0..self.rows.div_ceil(ROWS) {
            for (j, rhs) in self.rhs.chunks_exact(inner * width).enumerate() {
                match self.lhs {
                    Lhs::Packed(lhs) => {
                        products::<S, F, ROWS, VECTORS>(simd, &lhs[i * inner * ROWS..], ROWS, rhs, &mut acc);
                    }
                    Lhs::Columns(lhs, stride) => {
                        products::<S, F, ROWS, VECTORS>(simd, &lhs[i * ROWS..], stride, rhs, &mut acc);
                    }
                    Lhs::Rows(lhs, stride) => {
                        // Rows that are missing in the last tile are the last one again.
                        let row = |row: usize| &lhs[(i * ROWS + row).min(self.rows - 1) * stride..][..inner];
                        let rows = std::array::from_fn(row);
                        products_of_rows::<S, F, ROWS, VECTORS>(simd, rows, rhs, &mut acc);
                    }
                }
                self.put(simd, i, j, &acc);
            }
        }
    }

    /// Writes tile (i, j), or as much of it as is there.
    #[inline(always)]
    fn put<S: Simd, const ROWS: usize, const VECTORS: usize>(
        &self,
        simd: S,
        i: usize,
        j: usize,
        acc: &[[S::f32s; VECTORS]; ROWS],
    ) {
        let width = VECTORS * S::F32_LANES;
        let rows = ROWS.min(self.rows - i * ROWS);
        let cols = width.min(self.cols - j * width);
        // SAFETY: rows and columns that are there, of tiles that are this task's alone.
        unsafe {
            let out = self.out.at(i * ROWS, j * width);
            if rows == ROWS && cols == width {
                store(simd, acc, out, self.write);
            } else {
                store_part(acc, out, rows, cols, self.write);
            }
        }
    }
}

/// `lhs^T * rhs` of one tile, given the tile's rows for each inner index, `stride` apart; to `out`: what a function
/// returns would be added up in memory instead of registers.
#[inline(always)]
fn products<S: Simd, F: Factor, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    lhs: &[f32],
    stride: usize,
    rhs: &[f32],
    out: &mut [[S::f32s; VECTORS]; ROWS],
) {
    let mut acc = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let rhs = S::as_simd_f32s(rhs).0.as_chunks::<VECTORS>().0;
    assert!(rhs.len().saturating_sub(1) * stride + ROWS <= lhs.len());
    for (k, b) in rhs.iter().enumerate() {
        for (i, acc) in acc.iter_mut().enumerate() {
            // SAFETY: at most the index that was checked above.
            let a = simd.splat_f32s(unsafe { *lhs.get_unchecked(k * stride + i) });
            for (acc, b) in acc.iter_mut().zip(b) {
                *acc = F::mul_add(simd, a, *b, *acc);
            }
        }
    }
    *out = acc;
}

/// As [`products`], of rows as they lie, each as long as `rhs` has vectors.
#[inline(always)]
fn products_of_rows<S: Simd, F: Factor, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    rows: [&[F]; ROWS],
    rhs: &[f32],
    out: &mut [[S::f32s; VECTORS]; ROWS],
) {
    let mut acc = [[simd.splat_f32s(0.0); VECTORS]; ROWS];
    let rhs = S::as_simd_f32s(rhs).0.as_chunks::<VECTORS>().0;
    assert!(rows.iter().all(|row| row.len() == rhs.len()));
    for (k, b) in rhs.iter().enumerate() {
        for i in 0..ROWS {
            // SAFETY: k is within every row, as was checked above.
            let a = simd.splat_f32s(unsafe { rows[i].get_unchecked(k) }.lane());
            for j in 0..VECTORS {
                acc[i][j] = F::mul_add(simd, a, b[j], acc[i][j]);
            }
        }
    }
    *out = acc;
}

/// Writes a whole tile.
///
/// # Safety
/// All its elements must be inside the result and no other task's.
#[inline(always)]
unsafe fn store<S: Simd, const ROWS: usize, const VECTORS: usize>(
    simd: S,
    acc: &[[S::f32s; VECTORS]; ROWS],
    out: Out,
    write: Write,
) {
    for (i, acc) in acc.iter().enumerate() {
        // SAFETY: as the caller promises.
        let row = unsafe { std::slice::from_raw_parts_mut(out.at(i, 0).data, VECTORS * S::F32_LANES) };
        for (out, acc) in S::as_mut_simd_f32s(row).0.iter_mut().zip(acc) {
            *out = if write == Write::Add { simd.add_f32s(*out, *acc) } else { *acc };
        }
    }
}

/// Writes the first rows and columns of a tile.
///
/// # Safety
/// These elements must be inside the result and no other task's.
#[inline(always)]
unsafe fn store_part<V: Pod, const ROWS: usize, const VECTORS: usize>(
    acc: &[[V; VECTORS]; ROWS],
    out: Out,
    rows: usize,
    cols: usize,
    write: Write,
) {
    let width = size_of::<[V; VECTORS]>() / size_of::<f32>();
    debug_assert!(cols <= width);
    let acc: &[f32] = cast_slice(acc.as_flattened());
    for (i, acc) in acc.chunks_exact(width).take(rows).enumerate() {
        // SAFETY: as the caller promises.
        let row = unsafe { std::slice::from_raw_parts_mut(out.at(i, 0).data, cols) };
        for (out, acc) in row.iter_mut().zip(acc) {
            *out = if write == Write::Add { *out + *acc } else { *acc };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::isa::on_each;
    use super::super::{Factors, Mat, pack};
    use super::*;

    /// Products with and without whole tiles, on one instruction set.
    #[derive(Clone, Copy)]
    struct Products;

    impl WithSimd for Products {
        type Output = ();

        fn with_simd<S: Simd>(self, simd: S) {
            for (m, k, n) in [(21, 13, 101), (24, 40, 32), (13, 9, 96), (12, 5, 64)] {
                check_shape(simd, m, k, n);
            }
        }
    }

    fn check_shape<S: Simd>(simd: S, m: usize, k: usize, n: usize) {
        let tile = TileFor(n).with_simd(simd);
        let (rows, cols) = (tile.rows, tile.cols());
        let number = |i: usize| (i * 37 % 101) as f32 - 50.0;
        let (a, b): (Vec<f32>, Vec<f32>) =
            ((0..m * k).map(number).collect(), (0..k * n).map(number).collect());
        let by_column: Vec<f32> = (0..m * k).map(|i| a[i % m * k + i / m]).collect();
        let (lhs, rhs) = (Mat::new(&a, m, k, k), Mat::new(&b, k, n, n));
        let mut packed_lhs = vec![f32::NAN; m.next_multiple_of(rows) * k];
        let mut packed_rhs = vec![f32::NAN; n.next_multiple_of(cols) * k];
        pack::panels(Factors::Singles, lhs, &(0..m), rows, &(0..k), &mut packed_lhs);
        pack::panels(Factors::Singles, rhs.t(), &(0..n), cols, &(0..k), &mut packed_rhs);
        let whole = m / rows * rows;
        for (lhs, m) in
            [(Lhs::Packed(&packed_lhs), m), (Lhs::Rows(&a, k), m), (Lhs::Columns(&by_column, m), whole)]
        {
            let mut out = vec![1.0; m * n];
            let tiles = Tiles {
                lhs,
                tile,
                rhs: &packed_rhs,
                inner: k,
                out: Out { data: out.as_mut_ptr(), stride: n },
                rows: m,
                cols: n,
                write: Write::Add,
            };
            shaped!(&tiles, |shaped| shaped.with_simd(simd));
            for (i, got) in out.iter().enumerate() {
                // Whole numbers below 2^24: exact.
                let sum: f32 = (0..k).map(|l| a[i / n * k + l] * b[l * n + i % n]).sum();
                assert_eq!(*got, sum + 1.0, "element {i} with {} lanes", S::F32_LANES);
            }
        }
    }

    #[test]
    fn every_instruction_set_of_this_machine_gives_the_same() {
        on_each(Products);
    }
}
